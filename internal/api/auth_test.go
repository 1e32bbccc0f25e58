package api_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/client"
)

func TestRequestsRequireAKey(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.shop("acme")
	b.shop("other")
	key, secret, err := b.store.APIKeys.Create(t.Context(), newKey("acme", client.ScopeClaimsRead))
	require.NoError(t, err)

	for name, tt := range map[string]struct {
		method, path, secret string
		status               int
		words                string
	}{
		"no key":               {"GET", "/v1/shops/acme/claims", "", 401, "The API key is missing"},
		"an unknown key":       {"GET", "/v1/shops/acme/claims", "cfk_nobody", 401, "unknown or revoked"},
		"its own shop":         {"GET", "/v1/shops/acme/claims", secret, 200, ""},
		"another shop":         {"GET", "/v1/shops/other/claims", secret, 403, "limited to shop acme"},
		"the platform":         {"GET", "/v1/shops", b.key("acme", client.ScopeAdmin), 403, "cannot access the platform"},
		"a missing scope":      {"POST", "/v1/shops/acme/pause", secret, 403, "lacks the scope operate"},
		"settings to read":     {"GET", "/v1/shops/acme/integrations/dixa", secret, 403, "lacks the scope shops:read"},
		"keys by an operator":  {"GET", "/v1/keys", b.key("", client.ScopeOperate), 403, "lacks the scope admin"},
		"delete by shop staff": {"DELETE", "/v1/shops/acme", b.key("acme", client.ScopeShopsWrite), 403, "lacks the scope admin"},
	} {
		r := b.send(tt.method, tt.path, tt.secret, "")
		require.Equal(t, tt.status, r.StatusCode, "%s: %s", name, r.text)
		if tt.words != "" {
			require.Contains(t, r.problem(t).Detail, tt.words, name)
		}
		if tt.status == http.StatusUnauthorized {
			require.Contains(t, r.Header.Get("Www-Authenticate"), "Bearer", name)
		}
	}

	require.NoError(t, b.client.RevokeKey(t.Context(), key.ID))
	require.Equal(t, 401, b.send("GET", "/v1/shops/acme/claims", secret, "").StatusCode, "a revoked key must stop working immediately")
}

// Every documented route returns 401 without a key and 403 with another shop's key,
// whatever that key allows there. Nothing changes.
func TestEveryRouteRequiresItsScope(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connected("acme")
	b.shop("other")
	_, err := b.client.Submit(t.Context(), aClaim("c-1"))
	require.NoError(t, err)
	stranger := b.key("other", client.ScopeAdmin, client.ScopeOperate, client.ScopeShopsWrite, client.ScopeShopsRead, client.ScopeClaimsWrite, client.ScopeClaimsRead)
	before := b.send("GET", "/v1/audit-log", b.secret, "").text
	requests := b.dixa.Stats().Requests

	var document struct {
		Paths map[string]map[string]any `json:"paths"`
	}
	require.NoError(t, json.Unmarshal([]byte(b.send("GET", "/openapi.json", "", "").text), &document))
	asked := 0
	for path, operations := range document.Paths {
		if !strings.HasPrefix(path, "/v1/") {
			continue // these verify signatures instead
		}
		address := strings.NewReplacer("{shop}", "acme", "{claim}", "c-1").Replace(path)
		address = regexp.MustCompile(`\{[^}]+\}`).ReplaceAllString(address, "1")
		for method := range operations {
			asked++
			method = strings.ToUpper(method)
			require.Equal(t, http.StatusUnauthorized, b.send(method, address, "", "{}", "Idempotency-Key", "k").StatusCode, "%s %s", method, path)
			r := b.send(method, address, stranger, "{}", "Idempotency-Key", "k")
			require.Equal(t, http.StatusForbidden, r.StatusCode, "%s %s: %s", method, path, r.text)
		}
	}
	require.Greater(t, asked, 50)
	require.JSONEq(t, before, b.send("GET", "/v1/audit-log", b.secret, "").text)
	require.Equal(t, requests, b.dixa.Stats().Requests, "no request may be sent to Dixa")
}

func TestKeysAreListedWithoutTheirSecret(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.shop("acme")
	created, err := b.client.CreateKey(t.Context(), client.NewKey{Name: "shop system", Shop: "acme", Scopes: []string{client.ScopeClaimsWrite}})
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(created.Secret, "cfk_"))
	keys, err := b.client.Keys(t.Context(), "acme")
	require.NoError(t, err)
	require.Equal(t, []client.Key{created.Key}, keys)
	require.NotContains(t, b.send("GET", "/v1/keys", b.secret, "").text, created.Secret)

	_, err = b.client.CreateKey(t.Context(), client.NewKey{Name: "x", Scopes: []string{"everything"}})
	e := refusal(t, err, 422, client.CodeInvalid)
	require.Equal(t, []string{"scopes[0]"}, fields(e.Problem))
	require.Contains(t, e.Error(), "claims:write")
	_, err = b.client.CreateKey(t.Context(), client.NewKey{Name: "x", Shop: "nobody", Scopes: []string{client.ScopeAdmin}})
	_ = refusal(t, err, 404, client.CodeNotFound)
	_ = refusal(t, b.client.RevokeKey(t.Context(), "nobody"), 404, client.CodeNotFound)
}

func TestCommandsAreAudited(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connected("acme")
	_, err := b.client.Submit(t.Context(), aClaim("c-1"))
	require.NoError(t, err)
	_, err = b.client.Abandon(t.Context(), refOf("c-1"))
	require.NoError(t, err)
	_, err = b.client.Connect(t.Context(), "acme", "not-a-token-that-dixa-knows")
	require.Error(t, err)

	var actions []string
	for e, err := range b.client.AuditLog(t.Context(), client.AuditFilter{}) {
		require.NoError(t, err)
		require.Equal(t, "test admin", e.Actor)
		actions = append(actions, e.Action)
		switch e.Action {
		case "save-token":
			require.Equal(t, "dix…4f2a", e.Details["preview"])
			require.Equal(t, "acme", e.Shop)
		case "change-settings":
			require.Equal(t, map[string]string{"fields": "email_integration_id"}, e.Details)
		case "abandon-claim":
			require.Equal(t, "c-1", e.Target)
		}
	}
	require.Equal(t, []string{"abandon-claim", "change-settings", "save-token", "add-shop"}, actions,
		"newest first; what was refused and claims themselves are not in it")
}

func TestLogContainsNoPersonalDataOrSecrets(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connected("acme")
	_, err := b.client.Submit(t.Context(), aClaim("c-1"))
	require.NoError(t, err)
	b.send("GET", "/v1/shops/acme/claims?order_number=10001", b.secret, "")
	b.send("POST", "/v1/shops/acme/claims", b.secret, `{"customer":{"email":"broken@@example.org"}}`)

	require.Eventually(t, func() bool { return strings.Count(b.log.String(), "POST /v1/shops/{shop}/claims") == 2 }, waitFor, every)
	log := b.log.String()
	for _, secret := range []string{"ada.customer@example.org", "Lovelace", "vase", "broken@@example.org", "10001", token, b.secret} {
		require.NotContains(t, log, secret)
	}
	require.Contains(t, log, `"route":"GET /v1/shops/{shop}/claims"`)
	require.Contains(t, log, `"request_id"`)
}
