package portal_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/emulator/server"
)

// requireBrowser makes tests fail instead of skip without a browser or axe-core.
var requireBrowser = os.Getenv("CLAIMFLOW_REQUIRE_BROWSER") != ""

// chromium is the browser that all tests share; each test has a context of its own in it,
// with its own cookies.
var chromium = sync.OnceValues(func() (context.Context, error) {
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.Flag("lang", "en"), chromedp.WSURLReadTimeout(2*time.Minute),
		chromedp.Flag("allow-pre-commit-input", true)) // else presses before a page's first frame do nothing
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	allocator, _ := chromedp.NewExecAllocator(context.Background(), options...) // ends with the process
	browser, _ := chromedp.NewContext(allocator)
	return browser, chromedp.Do(browser)
})

// windows bounds the windows that are open at once, so that a slow machine does not wait
// for all of them at the same time. A test opens one window, else tests could wait for
// each other for ever.
var windows = make(chan struct{}, 3)

// tab is a browser window.
type tab struct {
	*bench
	ctx context.Context
}

// window opens a browser window of a width in pixels, in the light or the dark theme.
func (b *bench) window(width int64, theme string) *tab {
	b.Helper()
	browser, err := chromium()
	if err != nil {
		if requireBrowser {
			b.Fatalf("start Chromium: %v", err)
		}
		b.Skipf("Chromium cannot be started: %v", err)
	}
	windows <- struct{}{}
	b.Cleanup(func() { <-windows })
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	b.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 20*time.Minute)
	b.Cleanup(cancel)
	t := &tab{b, ctx}
	t.resize(width)
	_, err = chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}}})
	require.NoError(b, err)
	return t
}

// resize changes the width of the window.
func (t *tab) resize(width int64) {
	t.Helper()
	_, err := chromedp.Call(t.ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: 900, DeviceScaleFactor: 1})
	require.NoError(t, err)
}

func (t *tab) run(steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	require.NoError(t, chromedp.Do(t.ctx, steps...))
}

// evaluate returns the value of an expression on the page.
func evaluate[T any](t *tab, expression string, options ...chromedp.EvaluateOption) T {
	t.Helper()
	v, err := chromedp.Run(t.ctx, chromedp.Evaluate[T](expression, options...))
	require.NoError(t, err)
	return v
}

// open goes to an address and waits for the page.
func (t *tab) open(address string) {
	t.Helper()
	if !strings.HasPrefix(address, "http") {
		address = t.url + address
	}
	t.run(chromedp.Navigate(address), chromedp.WaitReady("h1"))
}

// enter uses a link as a person does.
func (t *tab) enter(l client.NewPortalLink) {
	t.Helper()
	t.open(t.link(l).URL)
	t.press("main form button")
	t.leaves("/portal/enter/")
}

// press clicks on what a selector names. If a page that is being left has it, the next one
// must have it too.
func (t *tab) press(selector string) {
	t.Helper()
	for {
		err := chromedp.Do(t.ctx, chromedp.Click(selector, chromedp.NodeVisible))
		if gone := (*cdproto.Error)(nil); errors.As(err, &gone) && gone.Message == "Could not find node with given id" {
			continue // it vanished before it was clicked
		}
		require.NoError(t, err)
		return
	}
}

// typeInto replaces the text of a field.
func (t *tab) typeInto(selector, text string) {
	t.Helper()
	t.run(chromedp.WaitReady(selector))
	evaluate[chromedp.Void](t, fmt.Sprintf("document.querySelector(%q).value = ''", selector))
	t.run(chromedp.SendKeys(selector, text))
}

// choose selects an option by its value.
func (t *tab) choose(selector, value string) {
	t.Helper()
	t.run(chromedp.SetValue(selector, value))
}

// see waits until the page shows a text.
func (t *tab) see(text string) {
	t.Helper()
	t.until("document.body.innerText", "show "+text, func(seen string) bool { return strings.Contains(seen, text) })
}

// shows waits until an element shows a text.
func (t *tab) shows(selector, text string) {
	t.Helper()
	t.until(fmt.Sprintf("(document.querySelector(%q)?.innerText ?? '')", selector), "show "+text+" in "+selector, func(seen string) bool { return strings.Contains(seen, text) })
}

// leaves waits until the window shows a page whose path has not a prefix.
func (t *tab) leaves(prefix string) {
	t.Helper()
	t.until("location.pathname", "leave "+prefix, func(path string) bool { return path != "" && !strings.HasPrefix(path, prefix) })
}

// until waits until an expression on a loaded page has a value.
func (t *tab) until(expression, what string, holds func(string) bool) {
	t.Helper()
	t.poll("document.readyState === 'complete' ? "+expression+" : ''", what, holds)
}

// poll waits until an expression has a value, also on a page that is still loading.
func (t *tab) poll(expression, what string, holds func(string) bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		// A page that is being left has no value.
		seen, err := chromedp.Run(t.ctx, chromedp.Evaluate[string](expression))
		if err == nil && holds(seen) {
			return
		}
		select {
		case <-t.ctx.Done():
			require.FailNow(t, "the window does not "+what, "%s\n%v", seen, err)
		case <-tick.C:
		}
	}
}

// confirms answers the page's questions with yes.
func (t *tab) confirms() {
	t.Helper()
	asked := make(chan struct{}, 10)
	require.NoError(t, chromedp.Listen(t.ctx, func(event any) {
		if _, is := event.(*page.EventJavascriptDialogOpening); is {
			asked <- struct{}{}
		}
	}))
	go func() {
		for {
			select {
			case <-asked:
				_, _ = chromedp.Call(t.ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: true}) // else the test does not go on
			case <-t.ctx.Done():
				return
			}
		}
	}()
}

// withoutScript lets no script of the page run.
func (t *tab) withoutScript() {
	t.Helper()
	_, err := chromedp.Call(t.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	require.NoError(t, err)
}

var axe = sync.OnceValues(func() (string, error) {
	path := os.Getenv("CLAIMFLOW_AXE")
	if path == "" {
		return "", errors.New("CLAIMFLOW_AXE is not the path of axe.min.js")
	}
	source, err := os.ReadFile(path)
	return string(source), err
})

// inspect checks a page for barriers with axe-core and for text that does not fit, and
// keeps a screenshot in CLAIMFLOW_SCREENSHOTS.
func (t *tab) inspect(name string) {
	t.Helper()
	wide := evaluate[string](t, `[...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".scroll, .hidden, .skip, svg")).map((e) => e.outerHTML.slice(0, 100)).slice(0, 3).join("\n")`)
	require.Empty(t, wide, "%s is wider than the window", name)
	if folder := os.Getenv("CLAIMFLOW_SCREENSHOTS"); folder != "" {
		picture, err := chromedp.Run(t.ctx, chromedp.FullScreenshot(100))
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(folder, 0o750))
		require.NoError(t, os.WriteFile(filepath.Join(folder, name+".png"), picture, 0o600))
	}
	source, err := axe()
	if err != nil {
		if requireBrowser {
			t.Fatalf("load axe-core: %v", err)
		}
		return
	}
	evaluate[chromedp.Void](t, source)
	found := evaluate[string](t, `axe.run().then((r) => r.violations.map((v) => v.id + ": " + v.help + "\n" + v.nodes.map((n) => "  " + n.html).join("\n")).join("\n"))`, chromedp.EvalAwaitPromise)
	require.Empty(t, found, "barriers on %s", name)
}

func TestBrowserSetsAShopUp(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		language                                        string
		width                                           int64
		script                                          bool
		malformed, refused, works, mailbox, on, confirm string
	}{
		{"en", 1400, true, "Paste only the token", "Dixa does not accept this token", "The token works", "Save a mailbox first", "Dixa is on.", "Dixa is off."},
		{"de", 360, false, "Fügen Sie nur den Token ein", "Dixa akzeptiert diesen Token nicht", "Der Token funktioniert", "Speichern Sie zuerst ein Postfach", "Dixa ist eingeschaltet.", "Dixa ist ausgeschaltet."},
	} {
		t.Run(fmt.Sprint(test.language, test.width), func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.dixa.Revoke("revoked-token-0123456789")
			w := b.window(test.width, "light")
			if !test.script {
				w.withoutScript()
			}
			w.enter(client.NewPortalLink{Language: test.language})
			for given, words := range map[string]string{"two words": test.malformed, "revoked-token-0123456789": test.refused} {
				w.typeInto("#token", given)
				w.press(`form[action$="/token"] button`)
				w.see(words)
			}
			w.typeInto("#token", token)
			w.press(`form[action$="/token"] button`)
			w.see(test.works)
			w.see(test.mailbox)
			w.choose("#email_integration_id", server.SeedMailbox)
			w.press(`form[action$="/settings"] button`)
			w.see(map[string]string{"en": "Saved.", "de": "Gespeichert."}[test.language])
			w.press(`form[action$="/enable"] button`)
			w.see(test.on)
			in, err := b.client.Integration(t.Context(), shop)
			require.NoError(t, err)
			require.True(t, in.Enabled)
			if test.script {
				w.confirms()
			}
			w.press(`form[action$="/disable"] button`)
			w.see(test.confirm)
		})
	}
}

// The page changes by itself when the shop does.
func TestBrowserShowsNews(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect()
	_, err := b.client.UpdateSettings(t.Context(), shop, []byte(`{"email_integration_id": "`+server.SeedMailbox+`"}`))
	require.NoError(t, err)
	w := b.window(1400, "light")
	w.enter(client.NewPortalLink{})
	w.see("New claims do not become conversations yet.")
	_, err = b.client.Enable(t.Context(), shop)
	require.NoError(t, err)
	w.see("New claims become conversations.")
}

// A page follows the shop again after a proxy answered in the service's place.
func TestBrowserShowsNewsAfterAnErrorOfAProxy(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect()
	_, err := b.client.UpdateSettings(t.Context(), shop, []byte(`{"email_integration_id": "`+server.SeedMailbox+`"}`))
	require.NoError(t, err)
	service, err := url.Parse(b.url)
	require.NoError(t, err)
	behind := httputil.NewSingleHostReverseProxy(service)
	var refused atomic.Int64
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/portal/live" && refused.Add(1) == 1 {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		behind.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	t.Cleanup(b.pages.EndStreams)
	w := b.window(1400, "light")
	w.enter(client.NewPortalLink{})
	w.open(proxy.URL + "/portal/setup") // cookies do not distinguish ports
	w.see("New claims do not become conversations yet.")
	_, err = b.client.Enable(t.Context(), shop)
	require.NoError(t, err)
	w.see("New claims become conversations.")
	require.Greater(t, refused.Load(), int64(1))
}
