package portal_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/emulator/identity"
	"github.com/claimflow/claimflow/internal/portal"
)

// newOperatorBench returns a bench with a provider for operators.
func newOperatorBench(t *testing.T) (*bench, *identity.Provider, *httptest.Server) {
	t.Helper()
	host := httptest.NewUnstartedServer(nil)
	issuer := "http://" + host.Listener.Addr().String()
	provider, err := identity.New(issuer, map[string]any{"sub": "op-1", "groups": []string{"operators"}})
	require.NoError(t, err)
	host.Config.Handler = provider
	host.Start()
	t.Cleanup(host.Close)
	return newBenchWith(t, portal.OpenID{Issuer: issuer, ClientID: "claimflow", ClientSecret: "secret", Group: "operators"}), provider, host
}

func TestOperatorsSeeAllShops(t *testing.T) {
	t.Parallel()
	b, _, host := newOperatorBench(t)
	_, err := b.client.AddShop(t.Context(), client.NewShop{Slug: "other", Name: "Other <script>"})
	require.NoError(t, err)
	p := b.browser()
	first := p.get("/portal/operators")
	require.Equal(t, http.StatusOK, first.status)
	require.NotContains(t, first.text, "Acme")
	require.Contains(t, first.header.Get("Content-Security-Policy"), "form-action 'self' "+host.URL+";")

	list := p.post("/portal/operators/sign-in", nil)
	require.Equal(t, http.StatusOK, list.status)
	require.Equal(t, "/portal/operators", list.url.Path)
	require.Contains(t, list.text, "Acme &amp; Sons")
	require.Contains(t, list.text, "Other &lt;script&gt;")
	require.NotContains(t, p.get("/portal/operators?q=ACM").text, "other")

	entered := p.post("/portal/operators/shops/acme", nil)
	require.Equal(t, "/portal/setup", entered.url.Path)
	require.Contains(t, entered.text, "Acme &amp; Sons")
	require.Contains(t, p.post("/portal/setup/token", url.Values{"token": {token}}).text, "The token works")
	require.Equal(t, http.StatusNotFound, p.post("/portal/operators/shops/nobody", nil).status)

	require.Equal(t, http.StatusOK, p.post("/portal/operators/leave", nil).status)
	require.NotContains(t, p.get("/portal/operators").text, "Acme")
	require.Equal(t, http.StatusUnauthorized, p.get("/portal/setup").status, "the sessions in shops end too")
	var actions []string
	for e, err := range b.client.AuditLog(t.Context(), client.AuditFilter{Actor: "portal op-1"}) {
		require.NoError(t, err)
		actions = append(actions, e.Action)
	}
	require.Equal(t, []string{"end-operator-session", "save-token", "begin-portal-session", "begin-operator-session"}, actions)
}

func TestOperatorsWhoAreRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		claim string
		value any
	}{
		"of another group":       {"groups", []string{"guests"}},
		"without a group":        {"groups", nil},
		"with a token of others": {"aud", "other"},
		"with another issuer":    {"iss", "https://evil.example"},
		"with an old token":      {"exp", time.Now().Add(-time.Hour).Unix()},
		"with another nonce":     {"nonce", "replayed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, provider, _ := newOperatorBench(t)
			provider.Say(test.claim, test.value)
			p := b.browser()
			require.Equal(t, http.StatusForbidden, p.post("/portal/operators/sign-in", nil).status)
			require.NotContains(t, p.get("/portal/operators").text, "Acme")
		})
	}
}

func TestAnswersOfTheProviderThatNobodyAskedFor(t *testing.T) {
	t.Parallel()
	b, _, _ := newOperatorBench(t)
	p := b.browser()
	for _, query := range []string{"", "?code=good", "?code=good&state=guessed", "?error=access_denied&state="} {
		require.Equal(t, http.StatusForbidden, p.get("/portal/operators/callback"+query).status, query)
	}
}

func TestProviderIsDown(t *testing.T) {
	t.Parallel()
	b, _, host := newOperatorBench(t)
	host.Close()
	p := b.browser()
	require.Equal(t, http.StatusOK, p.get("/portal/operators").status)
	require.Equal(t, http.StatusServiceUnavailable, p.post("/portal/operators/sign-in", nil).status)
}

// A provider that does not answer is not asked for every person: they would queue.
func TestSilentProviderIsAskedOnce(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(http.StatusBadGateway)
	}))
	t.Cleanup(host.Close)
	b := newBenchWith(t, portal.OpenID{Issuer: host.URL, ClientID: "claimflow", ClientSecret: "secret"})
	began := time.Now()
	for range 5 {
		require.Equal(t, http.StatusOK, b.browser().get("/portal/operators").status)
	}
	require.Positive(t, asked.Load())
	require.LessOrEqual(t, asked.Load(), 1+int64(time.Since(began)/(10*time.Second)))
}

func TestWithoutAProviderThereAreNoOperatorPages(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, path := range []string{"/portal/operators", "/portal/operators/callback"} {
		require.Equal(t, http.StatusUnauthorized, b.browser().get(path).status)
	}
}

// The cookie of an operator is no session of a shop, and the reverse.
func TestCookiesAreNotInterchangeable(t *testing.T) {
	t.Parallel()
	b, _, _ := newOperatorBench(t)
	operator := b.browser()
	operator.post("/portal/operators/sign-in", nil)
	address := must(url.Parse(b.url))
	swapped := b.browser()
	for _, c := range operator.http.Jar.Cookies(address) {
		if c.Name == "claimflow-operator" {
			swapped.http.Jar.SetCookies(address, []*http.Cookie{{Name: "claimflow-portal", Value: c.Value}})
		}
	}
	require.Len(t, swapped.http.Jar.Cookies(address), 1)
	require.Equal(t, http.StatusUnauthorized, swapped.get("/portal/setup").status)

	staff := b.enter(client.NewPortalLink{})
	cookies := staff.http.Jar.Cookies(address)
	require.Len(t, cookies, 1)
	reverse := b.browser()
	reverse.http.Jar.SetCookies(address, []*http.Cookie{{Name: "claimflow-operator", Value: cookies[0].Value}})
	require.NotContains(t, reverse.get("/portal/operators").text, "Acme")
	require.NotEqual(t, "/portal/setup", reverse.post("/portal/operators/shops/acme", nil).url.Path)
}
