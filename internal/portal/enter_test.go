package portal_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

func TestLinkWorksOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	link := b.link(client.NewPortalLink{ReturnURL: "https://platform.example/shops", RefreshURL: "https://platform.example/again"})
	scanner := b.browser()
	for range 3 { // a mail scanner opens the link
		seen := scanner.get(link.URL)
		require.Equal(t, http.StatusOK, seen.status)
		require.Contains(t, seen.text, "Acme &amp; Sons")
		require.Equal(t, "no-referrer", seen.header.Get("Referrer-Policy"))
		require.Equal(t, "no-store", seen.header.Get("Cache-Control"))
		require.Contains(t, seen.header.Get("Content-Security-Policy"), "frame-ancestors 'none'")
		require.Empty(t, seen.header.Values("Set-Cookie"))
	}
	require.Equal(t, http.StatusOK, scanner.send(scanner.request(http.MethodHead, link.URL, nil)).status)

	staff := b.browser()
	entered := staff.post(link.URL, nil)
	require.Equal(t, http.StatusOK, entered.status)
	require.Equal(t, "/portal/setup", entered.url.Path)

	for _, again := range []answer{b.browser().post(link.URL, nil), b.browser().get(link.URL)} {
		require.Equal(t, http.StatusGone, again.status)
		require.Contains(t, again.text, `href="https://platform.example/again"`)
		require.Empty(t, again.header.Values("Set-Cookie"))
	}
	require.Equal(t, http.StatusOK, staff.get("/portal/setup").status, "the session goes on")

	secret := link.URL[strings.LastIndex(link.URL, "/")+1:]
	require.NotContains(t, b.log.String(), secret, "the secret must not be logged")
	var actions []string
	for e, err := range b.client.AuditLog(t.Context(), client.AuditFilter{Shop: shop}) {
		require.NoError(t, err)
		require.NotContains(t, fmt.Sprint(e), secret)
		actions = append(actions, e.Actor+" "+e.Action)
	}
	require.Equal(t, []string{"portal staff-1 begin-portal-session", "platform create-portal-link"}, actions)
}

func TestLinkExpires(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	link := b.link(client.NewPortalLink{ReturnURL: "https://platform.example/"})
	b.later(claim.DefaultPortalLinkTTL)
	require.Equal(t, http.StatusGone, b.browser().get(link.URL).status)
	require.Equal(t, http.StatusGone, b.browser().post(link.URL, nil).status)
}

func TestOneOfManyAttemptsUsesALink(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	link := b.link(client.NewPortalLink{})
	statuses := make(chan int, 8)
	for range cap(statuses) {
		go func() {
			p := b.browser()
			statuses <- p.post(link.URL, nil).status
		}()
	}
	count := map[int]int{}
	for range cap(statuses) {
		count[<-statuses]++
	}
	require.Equal(t, map[int]int{http.StatusOK: 1, http.StatusGone: cap(statuses) - 1}, count)
}

func TestSessionEnds(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ end func(b *bench, p *person) }{
		"without use": {func(b *bench, _ *person) { b.later(claim.PortalSessionIdle) }},
		"after its longest time": {func(b *bench, p *person) {
			for range 2 * 8 {
				b.later(claim.PortalSessionIdle - time.Minute)
				p.get("/portal/setup")
			}
			b.later(claim.PortalSessionIdle - time.Minute)
		}},
		"by its id": {func(b *bench, _ *person) {
			sessions, err := b.client.PortalSessions(b.Context(), shop)
			require.NoError(b, err)
			require.Len(b, sessions, 1)
			require.NoError(b, b.client.EndPortalSession(b.Context(), shop, sessions[0].ID))
		}},
		"by its subject": {func(b *bench, _ *person) {
			n, err := b.client.EndPortalSessions(b.Context(), shop, "staff-2")
			require.NoError(b, err)
			require.Zero(b, n)
			n, err = b.client.EndPortalSessions(b.Context(), shop, "staff-1")
			require.NoError(b, err)
			require.Equal(b, 1, n)
		}},
		"with all of the shop": {func(b *bench, _ *person) {
			n, err := b.client.EndPortalSessions(b.Context(), shop, "")
			require.NoError(b, err)
			require.Equal(b, 1, n)
		}},
		"when the person leaves": {func(b *bench, p *person) {
			left := p.post("/portal/leave", nil)
			require.Equal(b, http.StatusOK, left.status)
			require.Contains(b, left.text, `href="https://platform.example/shops"`)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			p := b.enter(client.NewPortalLink{ReturnURL: "https://platform.example/shops", RefreshURL: "https://platform.example/again"})
			kept := p.http.Jar.Cookies(must(url.Parse(b.url)))
			require.Len(t, kept, 1)
			test.end(b, p)
			thief := b.browser() // has copied the cookie
			thief.http.Jar.SetCookies(must(url.Parse(b.url)), kept)
			seen := thief.get("/portal/setup")
			require.Equal(t, http.StatusUnauthorized, seen.status)
			require.Contains(t, seen.text, `href="https://platform.example/again"`)
			sessions, err := b.client.PortalSessions(t.Context(), shop)
			require.NoError(t, err)
			require.Empty(t, sessions)
		})
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestDeletingAShopEndsItsSessions(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.enter(client.NewPortalLink{})
	link := b.link(client.NewPortalLink{})
	require.NoError(t, b.client.DeleteShop(t.Context(), shop))
	require.Equal(t, http.StatusUnauthorized, p.get("/portal/setup").status)
	require.Equal(t, http.StatusNotFound, b.browser().post(link.URL, nil).status)
}

func TestSessionIsBoundToShopPagesAndCapabilities(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, err := b.client.AddShop(t.Context(), client.NewShop{Slug: "other"})
	require.NoError(t, err)
	reader := b.enter(client.NewPortalLink{Pages: []claim.PortalPage{claim.PageSetup}, Capabilities: []claim.PortalCapability{}})
	seen := reader.get("/portal/setup")
	require.Equal(t, http.StatusOK, seen.status)
	require.NotContains(t, seen.text, `action="/portal/setup/token"`, "there is nothing to change for someone who may only read")
	require.Equal(t, http.StatusForbidden, reader.post("/portal/setup/token", url.Values{"token": {token}}).status)
	b.connect()

	link, err := b.client.CreatePortalLink(t.Context(), "other", client.NewPortalLink{Subject: "x"})
	require.NoError(t, err)
	stranger := b.browser()
	require.Equal(t, http.StatusOK, stranger.post(link.URL, nil).status)
	require.NotContains(t, stranger.get("/portal/setup?shop=acme").text, "Demo Shop", "the shop is the session's, whatever the address says")

	elsewhere := b.browser()
	elsewhere.post(b.link(client.NewPortalLink{Pages: []claim.PortalPage{claim.PageClaims}}).URL, nil)
	require.Equal(t, http.StatusForbidden, elsewhere.get("/portal/setup").status)
}

func TestLinkPermitsNoMoreThanItsKey(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	limited := func(scopes ...string) *client.Client {
		_, secret, err := b.store.APIKeys.Create(t.Context(), claim.NewKey{Name: "limited", Shop: shop, Scopes: scopes})
		require.NoError(t, err)
		return must(client.New(b.url, secret, client.WithRetries(0, 0)))
	}
	staff := limited(client.ScopeShopsWrite, client.ScopeShopsRead, client.ScopeClaimsRead, client.ScopeUnifiedRead)
	_, err := staff.CreatePortalLink(t.Context(), shop, client.NewPortalLink{Subject: "x", Capabilities: []claim.PortalCapability{claim.MayOperate}})
	require.ErrorContains(t, err, "lacks the scope operate")
	_, err = staff.CreatePortalLink(t.Context(), shop, client.NewPortalLink{Subject: "x"})
	require.NoError(t, err)
	sessions, err := b.client.PortalSessions(t.Context(), shop)
	require.NoError(t, err)
	require.Equal(t, []claim.PortalCapability{claim.MayConfigure}, sessions[0].Capabilities, "what the key permits is the default")
	_, err = limited(client.ScopeShopsWrite).CreatePortalLink(t.Context(), shop, client.NewPortalLink{Subject: "x"})
	require.ErrorContains(t, err, "lacks the scope claims:read")
}

func TestInvalidLinks(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, err := b.client.CreatePortalLink(t.Context(), shop, client.NewPortalLink{
		Subject: "x", Pages: []claim.PortalPage{"cellar"}, Capabilities: []claim.PortalCapability{"fly"}, ReturnURL: "javascript:alert(1)",
		RefreshURL: "http://platform.example/", AllowedOrigin: "https://*.example",
	})
	var refused *client.Error
	require.ErrorAs(t, err, &refused)
	fields := []string{}
	for _, e := range refused.Errors {
		fields = append(fields, e.Field)
	}
	require.Equal(t, []string{"allowed_origin", "capabilities", "pages", "refresh_url", "return_url"}, fields)
	_, err = b.client.CreatePortalLink(t.Context(), shop, client.NewPortalLink{Subject: "x", Pages: []claim.PortalPage{}})
	require.ErrorContains(t, err, "pages", "nobody gets all pages for none")
	for _, origin := range []string{"https://a.example/path", "https://a.example; script-src *", "https://user@a.example", "http://a.example", "https://"} {
		_, err := b.client.CreatePortalLink(t.Context(), shop, client.NewPortalLink{Subject: "x", AllowedOrigin: origin})
		require.ErrorContains(t, err, "allowed_origin", origin)
	}
}

func TestForeignSitesAreRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.enter(client.NewPortalLink{})
	for _, header := range []http.Header{
		{"Sec-Fetch-Site": {"cross-site"}}, {"Sec-Fetch-Site": {"same-site"}}, {"Origin": {"https://evil.example"}}, {"Origin": {"null"}},
	} {
		for _, path := range []string{"/portal/setup/token", "/portal/setup/disable", "/portal/leave", b.link(client.NewPortalLink{}).URL} {
			r := p.request(http.MethodPost, path, url.Values{"token": {token}})
			for name, values := range header {
				r.Header[name] = values
			}
			require.Equal(t, http.StatusForbidden, p.send(r).status, "%s %v", path, header)
		}
	}
	in, err := b.client.Integration(t.Context(), shop)
	require.NoError(t, err)
	require.Nil(t, in.Connection)
	require.Equal(t, http.StatusOK, p.get("/portal/setup").status)
}

func TestFrames(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	link := b.link(client.NewPortalLink{AllowedOrigin: "https://platform.example"})
	p := b.browser()
	first := p.get(link.URL)
	require.Contains(t, first.header.Get("Content-Security-Policy"), "frame-ancestors https://platform.example")
	require.Empty(t, first.header.Get("X-Frame-Options"))
	p.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	entered := p.post(link.URL, nil)
	require.Equal(t, http.StatusSeeOther, entered.status)
	cookies := entered.header.Values("Set-Cookie")
	require.Len(t, cookies, 2)
	require.Contains(t, cookies[0], "claimflow-portal=;", "a cookie of a session outside of frames ends")
	require.NotContains(t, cookies[0], "Partitioned")
	cookie := cookies[1]
	for _, part := range []string{"HttpOnly", "Secure", "SameSite=None", "Partitioned", "Path=/"} {
		require.Contains(t, cookie, part)
	}
	require.Contains(t, entered.header.Get("Content-Security-Policy"), "frame-ancestors https://platform.example")

	// A browser sends the cookies of both kinds outside of frames, the older first.
	outside := p.post(b.link(client.NewPortalLink{}).URL, nil).header.Values("Set-Cookie")
	require.Len(t, outside, 2)
	require.Contains(t, outside[0], "claimflow-portal=;")
	require.Contains(t, outside[0], "Partitioned")
	require.NotContains(t, outside[1], "Partitioned")
}

func TestGuessesAreLimited(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.browser()
	count := map[int]int{}
	for i := range 1000 {
		count[p.post(fmt.Sprintf("/portal/enter/cfl_%d", i), nil).status]++
	}
	require.Equal(t, 1000, count[http.StatusNotFound]+count[http.StatusTooManyRequests])
	require.Less(t, count[http.StatusNotFound], 100)
	require.Equal(t, http.StatusOK, b.browser().post(b.link(client.NewPortalLink{}).URL, nil).status, "a link that is known still works")
}

func TestAPIDoesNotAcceptPortalCookies(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.enter(client.NewPortalLink{})
	require.Equal(t, http.StatusUnauthorized, p.get("/v1/shops/acme").status)
}

func TestLanguages(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.enter(client.NewPortalLink{Language: "de"})
	require.Contains(t, p.get("/portal/setup").text, "Token speichern")
	english := p.post("/portal/language", url.Values{"language": {"en"}, "from": {"/portal/setup?a=1"}})
	require.Equal(t, "/portal/setup?a=1", english.url.RequestURI())
	require.Contains(t, english.text, "Save token")
	for _, away := range []string{"https://evil.example/", "//evil.example/portal/", "/\\evil.example/portal/", "javascript:alert(1)", "/v1/shops"} {
		require.Equal(t, "/portal/setup", p.post("/portal/language", url.Values{"language": {"en"}, "from": {away}}).url.Path, away)
	}
	browser := b.browser()
	r := browser.request(http.MethodGet, b.link(client.NewPortalLink{}).URL, nil)
	r.Header.Set("Accept-Language", "fr, de-AT;q=0.8, en;q=0.5")
	require.Contains(t, browser.send(r).text, `lang="de"`)
}
