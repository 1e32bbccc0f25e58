package portal_test

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

// savesNothing are the forms of a session that may only read.
var savesNothing = []string{"POST templates/{reason}/try", "POST templates/{reason}/preview"}

var wildcard = regexp.MustCompile(`\{[a-z]+\}`)

// Every route needs its page, and every form a capability.
func TestRoutesNeedPageAndCapability(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect()
	reader := b.enter(client.NewPortalLink{Capabilities: []claim.PortalCapability{}})
	one := map[claim.PortalCapability]*person{}
	for _, c := range claim.PortalCapabilities() {
		one[c] = b.enter(client.NewPortalLink{Capabilities: []claim.PortalCapability{c}})
	}
	without := map[claim.PortalPage]*person{}
	for _, page := range claim.PortalPages() {
		pages := slices.DeleteFunc(claim.PortalPages(), func(p claim.PortalPage) bool { return p == page })
		without[page] = b.enter(client.NewPortalLink{Pages: pages})
	}
	before, err := b.client.Integration(t.Context(), shop)
	require.NoError(t, err)
	actions := b.actions()

	seen := map[claim.PortalPage]bool{}
	b.pages.Routes(func(page claim.PortalPage, pattern string, needs claim.PortalCapability) {
		seen[page] = true
		method, path, _ := strings.Cut(pattern, " ")
		path = "/portal/" + wildcard.ReplaceAllString(path, "x")
		status := func(p *person) int {
			if method == http.MethodPost {
				return p.post(path, url.Values{"token": {token}, "body": {"x"}, "on": {"x"}}).status
			}
			return p.get(path).status
		}
		require.Equal(t, http.StatusForbidden, status(without[page]), "%s without %s", pattern, page)
		if method != http.MethodGet && !slices.Contains(savesNothing, pattern) {
			require.NotEmpty(t, needs, pattern)
		}
		if needs == "" {
			require.NotEqual(t, http.StatusForbidden, status(reader), pattern)
			return
		}
		require.Equal(t, http.StatusForbidden, status(reader), pattern)
		for other, p := range one {
			if other != needs {
				require.Equal(t, http.StatusForbidden, status(p), "%s with %s", pattern, other)
			}
		}
	})
	require.Len(t, seen, len(claim.PortalPages()), "every page is served")
	require.Equal(t, actions, b.actions(), "nothing was changed")
	after, err := b.client.Integration(t.Context(), shop)
	require.NoError(t, err)
	require.Equal(t, before, after)
}

// actions are those in the audit log.
func (b *bench) actions() (all []string) {
	b.Helper()
	for e, err := range b.client.AuditLog(b.Context(), client.AuditFilter{}) {
		require.NoError(b, err)
		all = append(all, e.Action)
	}
	return all
}

// The address of a command leads to the page of the command, which changes nothing.
func TestAddressesOfCommandsLeadToTheirPages(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect()
	p := b.enter(client.NewPortalLink{})
	p.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	actions := b.actions()
	commands := map[string]string{"/portal/leave": "/portal/", "/portal/language": "/portal/"}
	reads := map[string]bool{}
	b.pages.Routes(func(_ claim.PortalPage, pattern string, _ claim.PortalCapability) {
		if path, is := strings.CutPrefix(pattern, "GET "); is {
			reads[wildcard.ReplaceAllString("/portal/"+path, "x")] = true
		}
	})
	b.pages.Routes(func(_ claim.PortalPage, pattern string, _ claim.PortalCapability) {
		path, is := strings.CutPrefix(pattern, "POST ")
		if path = wildcard.ReplaceAllString("/portal/"+path, "x"); is && !reads[path] {
			commands[path] = ""
		}
	})
	require.Greater(t, len(commands), 20)
	for path, page := range commands {
		answer := p.get(path + "?language=en")
		require.Equal(t, http.StatusSeeOther, answer.status, path)
		to, err := url.Parse(answer.header.Get("Location"))
		require.NoError(t, err)
		require.Equal(t, "language=en", to.RawQuery)
		require.True(t, strings.HasPrefix(path, to.Path), "%s leads to %s", path, to.Path)
		if page == "" {
			require.True(t, reads[to.Path], "%s leads to %s", path, to.Path)
		} else {
			require.Equal(t, page, to.Path)
		}
	}
	require.Equal(t, actions, b.actions())
	require.Equal(t, "/portal/setup", p.get("/portal/setup/token").header.Get("Location"))
	require.Equal(t, http.StatusNotFound, p.get("/portal/setup/nothing").status)
}
