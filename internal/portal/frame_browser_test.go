package portal_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/emulator/server"
)

// platform serves the page of a platform that shows a link in a frame, at a site other
// than the portal's.
func (b *bench) platform() (origin string, show func(link string)) {
	b.Helper()
	var link string
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprintf(w, `<!doctype html><html lang="en"><title>Platform</title><h1>Platform</h1><p id="heard"></p><div id="portal" style="height: 700px"></div>
<script src="%s/portal/embed.js"></script>
<script>ClaimflowPortal.open(%q, { parent: document.getElementById("portal"), onEvent: (name) => { document.getElementById("heard").textContent += name + " "; } });</script>`, b.url, link)
	}))
	b.Cleanup(host.Close)
	return strings.Replace(host.URL, "127.0.0.1", "localhost", 1), func(l string) { link = l }
}

// frame returns the frame that the page shows, as a window of its own.
func (t *tab) frame() *tab {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		targets, err := chromedp.Targets(t.ctx)
		require.NoError(t, err)
		for _, info := range targets {
			if info.Type == "iframe" && strings.HasPrefix(info.URL, t.url) {
				ctx, cancel := chromedp.NewContext(t.ctx, chromedp.WithTargetID(info.TargetID))
				t.Cleanup(cancel)
				return &tab{t.bench, ctx}
			}
		}
		select {
		case <-t.ctx.Done():
			require.FailNow(t, "there is no frame", "%v", targets)
		case <-tick.C:
		}
	}
}

// A page of the platform, which is another site, shows the portal in a frame and hears what
// happens there. Chromium keeps Secure cookies of the machine itself without https.
func TestBrowserSetsAShopUpInAFrame(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	origin, show := b.platform()
	w := b.window(1400, "light")
	show(b.link(client.NewPortalLink{AllowedOrigin: origin}).URL)
	w.open(origin)
	f := w.frame()
	f.press("main form button")
	f.leaves("/portal/enter/")
	f.typeInto("#token", token)
	f.press(`form[action$="/token"] button`)
	f.see("The token works")
	w.shows("#heard", "connected")
	f.choose("#email_integration_id", server.SeedMailbox)
	f.press(`form[action$="/settings"] button`)
	f.see("Saved.")
	f.press(`form[action$="/enable"] button`)
	f.see("Dixa is on.")
	w.shows("#heard", "connected enabled")
	in, err := b.client.Integration(t.Context(), shop)
	require.NoError(t, err)
	require.True(t, in.Enabled)

	kept, err := chromedp.Call(f.ctx, network.GetCookies, network.GetCookiesParams{URLs: []string{b.url}})
	require.NoError(t, err)
	require.Len(t, kept.Cookies, 1)
	require.NotNil(t, kept.Cookies[0].PartitionKey, "the cookie is kept apart for the platform")
	require.Equal(t, "http://localhost", kept.Cookies[0].PartitionKey.TopLevelSite)

	f.press(`form[action="/portal/leave"] button`)
	w.shows("#heard", "connected enabled closed")
}

// The frame says by itself that its session has ended.
func TestBrowserFrameEndsWithItsSession(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	origin, show := b.platform()
	w := b.window(360, "light")
	show(b.link(client.NewPortalLink{AllowedOrigin: origin}).URL)
	w.open(origin)
	f := w.frame()
	f.press("main form button")
	f.leaves("/portal/enter/")
	_, err := b.client.EndPortalSessions(t.Context(), shop, "")
	require.NoError(t, err)
	f.shows("h1", "Your session has ended")
}

// Only the origin that the link names can show the portal in a frame.
func TestBrowserShowsNoFrameToOthers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	allowed, _ := b.platform()
	other, show := b.platform()
	w := b.window(1400, "light")
	show(b.link(client.NewPortalLink{AllowedOrigin: allowed}).URL)
	w.open(other)
	f := w.frame()
	f.until("location.href", "refuse the frame", func(address string) bool { return address == "chrome-error://chromewebdata/" })
	require.NotContains(t, evaluate[string](f, "document.body.innerText"), "Acme")
}
