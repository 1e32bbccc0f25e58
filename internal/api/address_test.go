package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/integration/pgtest"
)

// The two databases accept different texts.
func TestInvalidAddresses(t *testing.T) {
	t.Parallel()
	for name, database := range map[string]func(*testing.T) string{
		"sqlite":   func(*testing.T) string { return "sqlite::memory:" },
		"postgres": pgtest.Postgres,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBenchOn(t, database(t))
			b.shop("acme")
			_, err := b.client.Submit(t.Context(), aClaim("c-1"))
			require.NoError(t, err)

			for _, address := range []string{
				"GET /v1/shops/acme/claims/%00", "GET /v1/shops/acme/claims/%ff", "GET /v1/shops/acme/claims/c-1%00",
				"GET /v1/shops/acme/claims/c-1%0a", "GET /v1/shops/acme/claims/" + strings.Repeat("c", 129),
				"POST /v1/shops/acme/claims/%00/retry", "POST /v1/shops/acme/claims/%ff/abandon",
				"GET /v1/shops/%00", "GET /v1/shops/%ff/claims", "POST /v1/shops/%ff/pause", "DELETE /v1/shops/acme%00",
				"GET /v1/shops/%C3%28/integrations/dixa", "POST /v1/shops/%00/integrations/dixa/enable",
				"GET /v1/shops/%00/templates", "GET /v1/shops/acme/templates/%00", "GET /v1/templates/%ff", "DELETE /v1/templates/%00",
				"DELETE /v1/keys/%00", "DELETE /v1/keys/%ff",
			} {
				method, path, _ := strings.Cut(address, " ")
				p := b.send(method, path, b.secret, "").problem(t)
				require.Equal(t, http.StatusNotFound, p.Status, "%s: %s", address, p.Detail)
				require.Equal(t, client.CodeNotFound, p.Code, address)
			}
			for address, field := range map[string]string{
				"/v1/shops/acme/claims?order_number=%ff":           "order_number",
				"/v1/shops/acme/claims?order_number=%00":           "order_number",
				"/v1/shops/acme/claims?reason=%ff":                 "reason",
				"/v1/shops/acme/claims?cursor=%00":                 "cursor",
				"/v1/shops/acme/claims?state=open&state=%ff":       "state",
				"/v1/shops/acme/claims?format=csv&order_number=%F": "query",
				"/v1/keys?shop=%00":                                "shop",
				"/v1/audit-log?actor=%ff":                          "actor",
				"/v1/audit-log?shop=%00":                           "shop",
				"/v1/audit-log?cursor=%00":                         "cursor",
				"/v1/templates/damaged?language=%ff":               "language",
			} {
				p := b.send("GET", address, b.secret, "").problem(t)
				require.Equal(t, http.StatusUnprocessableEntity, p.Status, "%s: %s", address, p.Detail)
				require.Equal(t, []string{field}, fields(p), address)
			}
			p := b.send("POST", "/v1/keys", b.secret, `{"name": "x", "shop": "ac\u0000me", "scopes": ["admin"]}`).problem(t)
			require.Equal(t, http.StatusUnprocessableEntity, p.Status, p.Detail)
			require.Equal(t, []string{"shop"}, fields(p))

			p = b.send("GET", "/v1/shops/%00/claims", b.key("acme", client.ScopeClaimsRead), "").problem(t)
			require.Equal(t, http.StatusForbidden, p.Status, "a key without permission must get 403 first")
			p = b.send("GET", "/v1/shops/%00/claims", "", "").problem(t)
			require.Equal(t, http.StatusUnauthorized, p.Status)
			require.Equal(t, http.StatusOK, b.send("GET", "/v1/shops/acme/claims?order_number=%2310001%C3%A9", b.secret, "").StatusCode)
		})
	}
}
