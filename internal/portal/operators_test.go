package portal_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/internal/portal"
)

// identity is an OpenID Connect provider that signs everyone in.
type identity struct {
	*httptest.Server
	signer jose.Signer
	key    *rsa.PrivateKey

	mu sync.Mutex
	// claims are those of the next ID token, beside the usual ones.
	claims map[string]any
	nonce  string
	// challenge is what the code was requested with.
	challenge url.Values
}

func newIdentity(t *testing.T) *identity {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	i := &identity{key: key, claims: map[string]any{"groups": []string{"operators"}}}
	i.signer, err = jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", "1"))
	require.NoError(t, err)
	mux := http.NewServeMux()
	reply := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, map[string]any{
			"issuer": i.URL, "authorization_endpoint": i.URL + "/authorize", "token_endpoint": i.URL + "/token", "jwks_uri": i.URL + "/keys",
			"id_token_signing_alg_values_supported": []string{"RS256"},
		})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &key.PublicKey, KeyID: "1", Algorithm: "RS256", Use: "sig"}}})
	})
	mux.HandleFunc("GET /authorize", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		i.mu.Lock()
		i.nonce, i.challenge = q.Get("nonce"), q
		i.mu.Unlock()
		http.Redirect(w, r, q.Get("redirect_uri")+"?code=good&state="+url.QueryEscape(q.Get("state")), http.StatusFound)
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("code") != "good" || r.FormValue("code_verifier") == "" {
			w.WriteHeader(http.StatusBadRequest)
			reply(w, map[string]string{"error": "invalid_grant"})
			return
		}
		i.mu.Lock()
		defer i.mu.Unlock()
		claims := map[string]any{"iss": i.URL, "aud": "claimflow", "sub": "op-1", "nonce": i.nonce, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix()}
		for name, value := range i.claims {
			claims[name] = value
		}
		token, err := jwt.Signed(i.signer).Claims(claims).Serialize()
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		reply(w, map[string]any{"access_token": "x", "token_type": "Bearer", "id_token": token})
	})
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	return i
}

// says sets claims of the next ID token.
func (i *identity) says(name string, value any) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.claims[name] = value
}

func newOperatorBench(t *testing.T) (*bench, *identity) {
	t.Helper()
	i := newIdentity(t)
	return newBench(t, func(o *portal.Options) {
		o.OpenID = portal.OpenID{Issuer: i.URL, ClientID: "claimflow", ClientSecret: "secret", Group: "operators"}
	}), i
}

func TestOperatorsSeeAllShops(t *testing.T) {
	t.Parallel()
	b, i := newOperatorBench(t)
	_, err := b.client.AddShop(t.Context(), client.NewShop{Slug: "other", Name: "Other <script>"})
	require.NoError(t, err)
	p := b.browser()
	first := p.get("/portal/operators")
	require.Equal(t, http.StatusOK, first.status)
	require.NotContains(t, first.text, "Acme")
	require.Contains(t, first.header.Get("Content-Security-Policy"), "form-action 'self' "+i.URL+";")

	list := p.post("/portal/operators/sign-in", nil)
	require.Equal(t, http.StatusOK, list.status)
	require.Equal(t, "/portal/operators", list.url.Path)
	require.Contains(t, list.text, "Acme &amp; Sons")
	require.Contains(t, list.text, "Other &lt;script&gt;")
	require.Equal(t, "S256", i.challenge.Get("code_challenge_method"))
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
			b, i := newOperatorBench(t)
			i.says(test.claim, test.value)
			p := b.browser()
			require.Equal(t, http.StatusForbidden, p.post("/portal/operators/sign-in", nil).status)
			require.NotContains(t, p.get("/portal/operators").text, "Acme")
		})
	}
}

func TestAnswersOfTheProviderThatNobodyAskedFor(t *testing.T) {
	t.Parallel()
	b, _ := newOperatorBench(t)
	p := b.browser()
	for _, query := range []string{"", "?code=good", "?code=good&state=guessed", "?error=access_denied&state="} {
		require.Equal(t, http.StatusForbidden, p.get("/portal/operators/callback"+query).status, query)
	}
}

func TestProviderIsDown(t *testing.T) {
	t.Parallel()
	b, i := newOperatorBench(t)
	i.Close()
	p := b.browser()
	require.Equal(t, http.StatusOK, p.get("/portal/operators").status)
	require.Equal(t, http.StatusServiceUnavailable, p.post("/portal/operators/sign-in", nil).status)
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
	b, _ := newOperatorBench(t)
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
