package api_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
)

var pathParameter = regexp.MustCompile(`\{[^}]+\}`)

// bodied returns the routes that take a body, according to the document.
func (b *bench) bodied() []string {
	b.t.Helper()
	var document struct {
		Paths map[string]map[string]struct {
			RequestBody json.RawMessage `json:"requestBody"`
		} `json:"paths"`
	}
	require.NoError(b.t, json.Unmarshal([]byte(b.send("GET", "/openapi.json", "", "").text), &document))
	var routes []string
	for path, operations := range document.Paths {
		if !strings.HasPrefix(path, "/v1/") {
			continue // events are signed and accepted as they are
		}
		path = strings.ReplaceAll(path, "{shop}", "acme")
		path = strings.ReplaceAll(path, "{language}", "de")
		for method, operation := range operations {
			if operation.RequestBody != nil {
				routes = append(routes, strings.ToUpper(method)+" "+pathParameter.ReplaceAllString(path, "c-1"))
			}
		}
	}
	return routes
}

func TestEveryRouteAcceptsAnyCharset(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.shop("acme")
	routes := b.bodied()
	require.Greater(t, len(routes), 10)
	for _, route := range routes {
		method, path, _ := strings.Cut(route, " ")
		r := b.send(method, path, b.secret, "{\"x\":\"Gr\xF6\xDFe\"}")
		require.Equal(t, http.StatusBadRequest, r.StatusCode, "%s: %s", route, r.text)
		require.Equal(t, "is not UTF-8: byte 0xf6 at offset 8; encode it as UTF-8, or name its charset in the Content-Type", r.problem(t).Errors[0].Message, route)

		r = b.send(method, path, b.secret, "{}", "Content-Type", "application/json; charset=klingon")
		require.Equal(t, http.StatusUnsupportedMediaType, r.StatusCode, "%s: %s", route, r.text)

		// A readable body is validated by its content.
		plain := b.send(method, path, b.secret, `{"no_such_member": "Größe"}`)
		for name, body := range map[string]string{"latin1": "{\"no_such_member\": \"Gr\xF6\xDFe\"}", "utf-8": "\uFEFF{\"no_such_member\": \"Größe\"}"} {
			r = b.send(method, path, b.secret, body, "Content-Type", "application/json; charset="+name)
			require.Equal(t, plain.StatusCode, r.StatusCode, "%s in %s: %s", route, name, r.text)
		}
	}
}

func TestClaimInLatin1IsTranscoded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.shop("acme")
	body := "{\"claim_id\":\"lat\",\"reason\":\"damaged\",\"description\":\"Gr\xF6\xDFe\",\"customer\":{\"email\":\"a@example.org\"},\"order\":{\"order_number\":\"1\"}}"
	r := b.send("POST", "/v1/shops/acme/claims", b.secret, body, "Content-Type", "application/json; charset=ISO-8859-1")
	require.Equal(t, http.StatusAccepted, r.StatusCode, r.text)
	c, _, err := b.store.Claims.OpeningBody(t.Context(), claim.Ref{Shop: "acme", ID: "lat"})
	require.NoError(t, err)
	require.Equal(t, "Größe", c.Description)

	r = b.send("POST", "/v1/shops/acme/claims", b.secret, "\uFEFF"+strings.Replace(body, "Gr\xF6\xDFe", "Größe", 1))
	require.Equal(t, http.StatusOK, r.StatusCode, "a byte order mark must be ignored: %s", r.text)
	r = b.send("POST", "/v1/shops/acme/claims", b.secret, strings.Repeat("\xF6", claim.MaxBodyBytes+1))
	require.Equal(t, http.StatusRequestEntityTooLarge, r.StatusCode, r.text)
}

// Signed events are stored unchanged, and invalid ones are visible.
func TestEventsThatAreNotUTF8AreRefused(t *testing.T) {
	t.Parallel()
	t.Run("Dixa's", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		connection, secret := b.enabled("acme")
		body := strings.Replace(event("e-1", "", "CONVERSATION_CLOSED"), `"data":`, "\"note\":\"Gr\xF6\xDFe\",\"data\":", 1)
		require.Contains(t, body, "\xF6")
		r := b.deliver(connection, secret, body)
		require.Equal(t, http.StatusUnprocessableEntity, r.StatusCode, r.text)
		b.nothingKept(connection, "e-1")
	})
	t.Run("Karla's", func(t *testing.T) {
		t.Parallel()
		b := karlaBench(t)
		body := strings.Replace(karlaClaim("created", "c-1", "2026-03-01T12:00:00Z", ""), "pieces", "St\xFCcke", 1)
		require.Equal(t, http.StatusOK, b.karlaSays(body))
		b.apply()
		events := b.karlaEvents("invalid")
		require.Len(t, events, 1)
		require.Contains(t, events[0].Why, "is not UTF-8: byte 0xfc at offset")
		require.Equal(t, http.StatusNotFound, b.send("GET", "/v1/shops/acme/claims/c-1", b.secret, "").StatusCode)
	})
}
