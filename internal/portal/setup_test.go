package portal_test

import (
	"bufio"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/internal/api"
	"github.com/claimflow/claimflow/internal/onboarding"
	"github.com/claimflow/claimflow/internal/portal"
	"github.com/claimflow/claimflow/internal/todixa/connection"
	"github.com/claimflow/claimflow/store"
)

func TestSetup(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.enter(client.NewPortalLink{})
	first := p.get("/portal/setup")
	require.Contains(t, first.text, "Save a token first")

	b.dixa.Revoke("revoked-token-0123456789")
	for given, words := range map[string]string{
		"":                         "Paste the token here first",
		" \t ":                     "Paste the token here first",
		"Token: demo-token":        "Paste only the token",
		token + " " + token:        "Paste only the token",
		"tokeñ-0123456789":         "characters that no token has",
		"ada@acme.example":         "This is an email address",
		"https://acme.dixa.com/x":  "This is the address of a page",
		"revoked-token-0123456789": "You pasted 24 characters",
	} {
		refused := p.post("/portal/setup/token", url.Values{"token": {given}})
		require.Equal(t, http.StatusUnprocessableEntity, refused.status, given)
		require.Contains(t, refused.text, words, given)
		if strings.TrimSpace(given) != "" {
			require.NotContains(t, refused.text, given, "a token is never shown")
		}
	}

	saved := p.post("/portal/setup/token", url.Values{"token": {" \u00a0" + token + " \r\n"}})
	require.Equal(t, http.StatusOK, saved.status, "blanks around a token come from copying")
	require.Contains(t, saved.text, "The token works. Next, choose a mailbox")
	require.Contains(t, saved.text, `<meta name="claimflow-event" content="connected">`)
	require.Contains(t, saved.text, "dix…4f2a")
	require.NotContains(t, saved.text, token)
	require.Contains(t, saved.text, "Save a mailbox first")
	require.Contains(t, saved.text, `<option value="`+server.SeedMailbox+`"`)

	refused := p.post("/portal/setup/enable", nil)
	require.Equal(t, http.StatusConflict, refused.status)

	refused = p.post("/portal/setup/settings", url.Values{"email_integration_id": {"nobody@acme.example"}})
	require.Equal(t, http.StatusUnprocessableEntity, refused.status)
	require.Contains(t, refused.text, `id="email_integration_id-fault"`)

	refused = p.post("/portal/setup/settings", url.Values{"email_integration_id": {""}, "default_agent_id": {server.SeedAgentAnna}})
	require.Equal(t, http.StatusUnprocessableEntity, refused.status)
	require.Contains(t, refused.text, `id="email_integration_id-fault">Choose a mailbox`)
	require.Contains(t, refused.text, `<option value="`+server.SeedAgentAnna+`" selected>`, "what was chosen stays")

	saved = p.post("/portal/setup/settings", url.Values{"email_integration_id": {server.SeedMailbox}, "default_agent_id": {server.SeedAgentAnna}})
	require.Contains(t, saved.text, "Saved.")
	again := p.post("/portal/setup/token", url.Values{"token": {token}})
	require.Contains(t, again.text, "The token works. Your mailbox")
	require.Contains(t, again.text, `<meta name="claimflow-event" content="connected">`)
	on := p.post("/portal/setup/enable", nil)
	require.Contains(t, on.text, "Dixa is on.")
	require.Contains(t, on.text, `<meta name="claimflow-event" content="enabled">`)
	in, err := b.client.Integration(t.Context(), shop)
	require.NoError(t, err)
	require.True(t, in.Enabled)
	require.Equal(t, server.SeedMailbox, in.Effective.EmailIntegrationID)

	tested := p.post("/portal/setup/test", url.Values{"email": {"me@acme.example"}})
	require.Equal(t, http.StatusOK, tested.status, tested.text)
	require.Contains(t, tested.text, "Results of the test")
	require.Regexp(t, `<tr><th scope="row">Close the conversation</th>.*OK`, tested.text)
	require.Contains(t, tested.text, "Everything works.")
	require.Contains(t, tested.text, "</html>")
	require.NotContains(t, tested.text, server.SeedAgentAnna, "people see names")
	p.post("/portal/language", url.Values{"language": {"de"}})
	tested = p.post("/portal/setup/test", url.Values{"email": {"me@acme.example"}})
	for _, row := range regexp.MustCompile(`(?s)<tr><th scope="row">(.*?)</th>.*?</td><td[^>]*>(.*?)</td>`).FindAllStringSubmatch(tested.text, -1) {
		for _, words := range row[1:] {
			require.NotRegexp(t, `(?i)\b(the|a|it|is|as|in the|allowed|written|closed|tagged|sent|read)\b`, words, "every check is in German")
		}
	}
	p.post("/portal/language", url.Values{"language": {"en"}})
	tested = p.post("/portal/setup/test", url.Values{"email": {"nobody"}})
	require.Equal(t, http.StatusUnprocessableEntity, tested.status)
	require.Contains(t, tested.text, `id="email-fault"`)
	require.Contains(t, tested.text, `value="nobody"`)

	off := p.post("/portal/setup/disable", nil)
	require.Contains(t, off.text, "Dixa is off.")

	p.post("/portal/setup/enable", nil)
	removed := p.post("/portal/setup/disconnect", nil)
	require.Contains(t, removed.text, "The token was removed")
	require.Contains(t, removed.text, "Save a token first")
	in, err = b.client.Integration(t.Context(), shop)
	require.NoError(t, err)
	require.Nil(t, in.Connection)
	require.False(t, in.Enabled)
	require.Equal(t, server.SeedMailbox, in.Effective.EmailIntegrationID, "the settings stay")
	cleared := p.post("/portal/setup/settings", url.Values{"email_integration_id": {""}, "default_agent_id": {""}})
	require.Contains(t, cleared.text, "No mailbox is chosen now")
}

// Who signed out is not told of a session that ran out.
func TestSignedOutIsNotRunOut(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.enter(client.NewPortalLink{})
	require.Contains(t, p.post("/portal/leave", nil).text, "You are signed out")
	after := p.get("/portal/setup")
	require.Equal(t, http.StatusUnauthorized, after.status)
	require.Contains(t, after.text, "You are not signed in")
	require.NotContains(t, after.text, "30 minutes")

	p = b.enter(client.NewPortalLink{})
	b.later(31 * time.Minute)
	require.Contains(t, p.get("/portal/setup").text, "Your session has ended")
}

// The page shows a check while Dixa has not answered the next call.
func TestSetupShowsChecksAsTheyEnd(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect()
	_, err := b.client.UpdateSettings(t.Context(), shop, []byte(`{"email_integration_id": "`+server.SeedMailbox+`"}`))
	require.NoError(t, err)
	b.dixa.Inject(server.Fault{Operation: "POST /conversations/{conversationId}/notes", Kind: server.FaultDelay, Delay: server.Duration(time.Hour)})
	p := b.enter(client.NewPortalLink{})
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	r := p.request(http.MethodPost, "/portal/setup/test", url.Values{"email": {"me@acme.example"}}).WithContext(ctx)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	page, err := p.http.Do(r)
	require.NoError(t, err)
	defer func() { require.NoError(t, page.Body.Close()) }()
	require.Equal(t, "no", page.Header.Get("X-Accel-Buffering"))
	seen := bufio.NewScanner(page.Body)
	for seen.Scan() && !strings.Contains(seen.Text(), `<th scope="row">Add a tag</th>`) {
		require.NotContains(t, seen.Text(), "</table>")
	}
	require.NoError(t, seen.Err())
	require.Contains(t, seen.Text(), "OK")
	require.True(t, seen.Scan(), "what goes on is sent too")
	require.Contains(t, seen.Text(), "Checking …")
}

// Of a short token nothing is shown, and the page says so.
func TestSetupSaysThatAShortTokenIsHidden(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *api.Options) {
		dixa := server.New(server.Options{Token: "demo", Limit: server.Limit{Reading: server.LimitOff}})
		host := httptest.NewServer(dixa)
		t.Cleanup(func() { host.Close(); dixa.Close() })
		clients := connection.New(o.Store, connection.Options{BaseURL: host.URL + "/v1/", Limits: store.BudgetLimits{Interval: time.Microsecond, MaxWait: time.Second}})
		o.Onboarding = onboarding.New(onboarding.Options{Store: o.Store, Dixa: clients, PublicURL: o.PublicURL, AutoReplyWait: -1})
	})
	saved := b.enter(client.NewPortalLink{}).post("/portal/setup/token", url.Values{"token": {"demo"}})
	require.Contains(t, saved.text, "The token works")
	require.Contains(t, saved.text, "Too short to show any of it")
	require.NotContains(t, saved.text, "<code>…</code>")
	require.Contains(t, saved.text, "Saved on <time")
}

// A test that is cut off does not look like one that ended.
func TestSetupSaysThatTheTestWasCutOff(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect()
	pages, err := portal.New(portal.Options{
		Store: b.store, Acting: api.Acting, Scopes: api.PortalScopes, WallScopes: api.WallScopes(), Log: slog.New(slog.DiscardHandler), PublicURL: b.url,
		API: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/test") {
				_, _ = w.Write([]byte(`{"check": "tag it", "result": "ok", "detail": "<tagged>"}` + "\n"))
				panic(http.ErrAbortHandler)
			}
			b.api.ServeHTTP(w, r)
		}),
	})
	require.NoError(t, err)
	web := httptest.NewServer(pages)
	t.Cleanup(web.Close)
	p := b.browser()
	link := b.link(client.NewPortalLink{})
	require.Equal(t, http.StatusOK, p.post(web.URL+strings.TrimPrefix(link.URL, b.url), nil).status)
	page := p.post(web.URL+"/portal/setup/test", url.Values{"email": {"me@acme.example"}})
	require.Contains(t, page.text, "&lt;tagged&gt;")
	require.Contains(t, page.text, "The test ended without a result.")
	require.NotContains(t, page.text, "Everything works.")
}
