package api_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/internal/api"
	"github.com/claimflow/claimflow/store"
)

// organization adds a shop with a connection to an organization of its own, without
// asking Dixa.
func (b *bench) organization(slug, id string) string {
	b.t.Helper()
	b.shop(slug)
	c, err := b.store.Connections.SaveToken(b.t.Context(), slug, "token-of-"+slug, store.Organization{ID: id, Name: slug + " Dixa"})
	require.NoError(b.t, err)
	return c.ID
}

func TestAccountsAreConnectionsWithoutCredentials(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connected("acme")
	id := b.account("acme")
	r := b.send("GET", "/integrated-account?tenant_id=acme&next_cursor=&n=", b.key("", client.ScopeUnifiedRead), "")
	require.Equal(t, http.StatusOK, r.StatusCode, r.text)
	var page map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(r.text), &page))
	require.Equal(t, []string{"limit", "next_cursor", "result"}, slices.Sorted(maps.Keys(page)))
	require.JSONEq(t, "null", string(page["next_cursor"]))
	require.JSONEq(t, "5000", string(page["limit"]))
	var listed []map[string]any
	require.NoError(t, json.Unmarshal(page["result"], &listed))
	require.Len(t, listed, 1)

	r = b.send("GET", "/integrated-account/"+id, b.secret, "")
	require.Equal(t, http.StatusOK, r.StatusCode, r.text)
	var one map[string]any
	require.NoError(t, json.Unmarshal([]byte(r.text), &one))
	require.Equal(t, listed[0], one, "a list has full objects")
	require.Equal(t, []string{
		"authentication_method", "context", "created_at", "environment_id", "environment_integration_id", "id", "integration", "is_sandbox", "region", "status", "tenant_id", "updated_at",
	}, slices.Sorted(maps.Keys(one)))
	require.Equal(t, "active", one["status"])
	require.Equal(t, "acme", one["tenant_id"])
	require.Equal(t, map[string]any{"id": "dixa", "name": "dixa", "label": "Dixa", "category": "ticketing"}, one["integration"])
	require.NotContains(t, r.text, token)
	require.NotContains(t, r.text, token[len(token)-4:], "not even a preview")
	b.settings("acme", `{"read_only": true}`)
	account, err := b.client.Account(t.Context(), id)
	require.NoError(t, err)
	require.True(t, account.Context.ReadOnly)
	require.Empty(t, b.send("HEAD", "/integrated-account/"+id, b.secret, "").text)
}

func TestAccountsArePaged(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var want []string
	for _, slug := range []string{"a1", "a2", "a3"} {
		want = append(want, b.organization(slug, "3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d10"+slug))
	}
	var got []string
	cursor := ""
	for range want {
		r := b.send("GET", "/integrated-account?limit=1&next_cursor="+cursor, b.secret, "")
		require.Equal(t, http.StatusOK, r.StatusCode, r.text)
		var page client.AccountPage
		require.NoError(t, json.Unmarshal([]byte(r.text), &page))
		require.Len(t, page.Accounts, 1, "never an empty page with a cursor")
		got = append(got, page.Accounts[0].ID)
		cursor = ""
		if page.Next != nil {
			cursor = *page.Next
		}
	}
	require.Equal(t, want, got)
	require.Empty(t, cursor)
	for account, err := range b.client.Accounts(t.Context(), "a2") {
		require.NoError(t, err)
		require.Equal(t, want[1], account.ID)
	}
	for query, field := range map[string]string{"limit=0": "limit", "limit=x": "limit", "next_cursor=x": "next_cursor", "is_sandbox=x": "is_sandbox", "environment_id=e": "environment_id"} {
		e := b.send("GET", "/integrated-account?"+query, b.secret, "").unifiedError(t, http.StatusBadRequest)
		require.Equal(t, field, e.Details.Failures[0].Field)
	}
	require.Contains(t, b.send("GET", "/integrated-account?is_sandbox=true", b.secret, "").text, `"result":[]`)
}

func TestKeyOfAShopSeesOnlyItsAccount(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a1, a2 := b.organization("a1", "3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d1001"), b.organization("a2", "3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d1002")
	key := b.key("a1", client.ScopeUnifiedRead)
	own, err := client.New(b.url, key, client.WithRetries(0, 0))
	require.NoError(t, err)
	var ids []string
	for account, err := range own.Accounts(t.Context(), "") {
		require.NoError(t, err)
		ids = append(ids, account.ID)
	}
	require.Equal(t, []string{a1}, ids)
	b.send("GET", "/integrated-account/"+a2, key, "").unifiedError(t, http.StatusForbidden)
	b.send("GET", "/integrated-account/"+a1, b.key("a1", client.ScopeClaimsRead), "").unifiedError(t, http.StatusForbidden)
	b.send("GET", "/integrated-account", b.key("a1", client.ScopeClaimsRead), "").unifiedError(t, http.StatusForbidden)
	b.send("POST", "/integrated-account/token", key, `{"integrated_account_id": "`+a2+`"}`).unifiedError(t, http.StatusForbidden)
	b.send("GET", "/integrated-account/unknown", b.secret, "").unifiedError(t, http.StatusNotFound)
	b.send("GET", "/integrated-account/me", b.secret, "").unifiedError(t, http.StatusBadRequest)
}

func TestAccountTokenAdmitsToItsAccountOnly(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connected("acme")
	account := b.account("acme")
	other := b.organization("other", "3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d1001")
	issued := b.send("POST", "/integrated-account/token", b.key("", client.ScopeUnifiedRead, client.ScopeProxy), `{"integrated_account_id": "`+account+`"}`, "Content-Type", "text/plain;charset=UTF-8")
	require.Equal(t, http.StatusOK, issued.StatusCode, issued.text)
	require.Equal(t, "no-store", issued.Header.Get("Cache-Control"))
	var out map[string]string
	require.NoError(t, json.Unmarshal([]byte(issued.text), &out))
	secret := out["integrated_account_token"]
	require.Len(t, out, 1)

	// The account is inferred.
	require.Equal(t, http.StatusOK, b.send("GET", "/proxy/organization", secret, "").StatusCode)
	require.Equal(t, http.StatusOK, b.send("GET", in("/proxy/organization", account), secret, "").StatusCode)
	require.Equal(t, http.StatusOK, b.send("GET", "/unified/ticketing/tags", secret, "").StatusCode)
	for _, path := range []string{"/integrated-account/me", "/integrated-account/" + account} {
		r := b.send("GET", path, secret, "")
		require.Equal(t, http.StatusOK, r.StatusCode, r.text)
		require.Contains(t, r.text, account)
	}
	for _, refused := range []struct{ method, path string }{
		{"GET", in("/proxy/organization", other)},
		{"GET", in("/unified/ticketing/tags", other)},
		{"GET", "/integrated-account/" + other},
		{"GET", "/integrated-account"},
		{"POST", "/integrated-account/token"},
		{"POST", "/link-token"},
		{"POST", "/unified/ticketing/tags"},
	} {
		b.send(refused.method, refused.path, secret, `{}`).unifiedError(t, http.StatusForbidden)
	}
	for _, path := range []string{"/v1/shops", "/v1/keys", "/v1/shops/acme", "/v1/audit-log"} {
		require.Equal(t, http.StatusForbidden, b.send("GET", path, secret, "").problem(t).Status, path)
	}
	entries, _, err := b.store.AuditLog.List(t.Context(), claim.AuditFilter{Action: "issue-account-token"})
	require.NoError(t, err)
	require.Len(t, entries, 1)
	require.Equal(t, account, entries[0].Target)
	require.NotContains(t, b.log.String(), secret)
}

func TestAccountTokenEnds(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connected("acme")
	account := b.account("acme")
	key, secret, err := b.store.APIKeys.Create(t.Context(), newKey("acme", client.ScopeUnifiedRead, client.ScopeProxy))
	require.NoError(t, err)
	expired, err := b.store.APIKeys.IssueAccountToken(key.ID, account, time.Now().Add(-time.Second))
	require.NoError(t, err)
	elsewhere := newBench(t)
	foreign, err := elsewhere.store.APIKeys.IssueAccountToken(key.ID, account, time.Now().Add(time.Hour))
	require.NoError(t, err)
	own, err := client.New(b.url, secret, client.WithRetries(0, 0))
	require.NoError(t, err)
	valid, err := own.AccountToken(t.Context(), account)
	require.NoError(t, err)
	cursor, err := b.store.SealCursor(`{"key":"`+key.ID+`","account":"`+account+`","expires":"2099-01-01T00:00:00Z"}`, "x")
	require.NoError(t, err)

	changed := []byte(valid)
	changed[len(changed)/2] ^= 1
	for name, token := range map[string]string{
		"expired": expired, "of another store": foreign, "changed": string(changed), "cut": valid[:len(valid)-2], "empty": store.AccountTokenPrefix,
		"not base64": store.AccountTokenPrefix + "%%%", "another sealed value": store.AccountTokenPrefix + cursor,
	} {
		r := b.send("GET", "/proxy/organization", token, "")
		e := r.unifiedError(t, http.StatusUnauthorized)
		require.Contains(t, e.Message, "account token", name)
	}
	require.Equal(t, http.StatusOK, b.send("GET", "/proxy/organization", valid, "").StatusCode)
	require.NoError(t, b.store.APIKeys.Revoke(t.Context(), key.ID))
	b.send("GET", "/proxy/organization", valid, "").unifiedError(t, http.StatusUnauthorized)
}

// A token cannot do more than the key that issued it.
func TestAccountTokenHasTheScopesOfItsKey(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connected("acme")
	account := b.account("acme")
	reader, err := client.New(b.url, b.key("acme", client.ScopeUnifiedRead), client.WithRetries(0, 0))
	require.NoError(t, err)
	secret, err := reader.AccountToken(t.Context(), account)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, b.send("GET", "/unified/ticketing/tags", secret, "").StatusCode)
	b.send("GET", "/proxy/organization", secret, "").unifiedError(t, http.StatusForbidden)
	for body, want := range map[string]int{"": 400, "[]": 400, `{"integrated_account_id": 1}`: 400, `{}`: 400, `{"integrated_account_id": "unknown"}`: 404, strings.Repeat(" ", 70000): 400} {
		b.send("POST", "/integrated-account/token", b.secret, body).unifiedError(t, want)
	}
}

func TestLimitsPerKeyAndPerAccount(t *testing.T) {
	t.Parallel()
	b := newBenchOn(t, "sqlite::memory:", func(o *api.Options) { o.KeyLimit, o.AccountLimit = 5, 2 })
	b.connected("acme")
	account := b.account("acme")
	other := b.organization("other", "3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d1001")
	first, second := b.key("", client.ScopeProxy, client.ScopeUnifiedRead), b.key("", client.ScopeProxy, client.ScopeUnifiedRead)

	r := b.send("GET", in("/proxy/organization", account), first, "")
	require.Equal(t, http.StatusOK, r.StatusCode, r.text)
	require.Equal(t, "2", r.Header.Get("X-RateLimit-Limit"), "the account's limit is the tighter one")
	require.Equal(t, "1", r.Header.Get("X-RateLimit-Remaining"))
	require.NotEmpty(t, r.Header.Get("X-RateLimit-Reset"))
	require.Equal(t, http.StatusOK, b.send("GET", in("/unified/ticketing/tags", account), second, "").StatusCode, "all keys and routes count")
	before := dixaRequests(b)
	r = b.send("GET", in("/proxy/organization", account), second, "")
	e := r.unifiedError(t, http.StatusTooManyRequests)
	require.Equal(t, "10", r.Header.Get("Retry-After"))
	require.Equal(t, "0", r.Header.Get("X-RateLimit-Remaining"))
	require.InDelta(t, 10, e.Insight.RateLimit.Value, 0)
	require.Equal(t, before, dixaRequests(b))

	r = b.send("GET", "/integrated-account/"+other, first, "")
	require.Equal(t, http.StatusOK, r.StatusCode)
	require.Equal(t, "2", r.Header.Get("X-RateLimit-Limit"), "reading the account counts too")
	for range 3 {
		require.Equal(t, http.StatusOK, b.send("GET", "/integrated-account", first, "").StatusCode)
	}
	r = b.send("GET", "/integrated-account", first, "")
	require.Contains(t, r.unifiedError(t, http.StatusTooManyRequests).Message, "per API key")
	require.Equal(t, "5", r.Header.Get("X-RateLimit-Limit"))

	// A caller that may not access an account does not use its limit up.
	stranger := b.key("acme", client.ScopeProxy)
	for range 3 {
		b.send("GET", in("/proxy/organization", other), stranger, "").unifiedError(t, http.StatusForbidden)
	}
	third := b.key("", client.ScopeUnifiedRead)
	require.NotEqual(t, http.StatusTooManyRequests, b.send("GET", in("/unified/ticketing/nothing", other), third, "").StatusCode)
	require.Empty(t, b.send("GET", "/v1/shops", b.secret, "").Header.Get("X-RateLimit-Limit"), "other routes have no limit")
}

// Every request for an account counts, whatever it asks for.
func TestEveryDoorHasTheAccountsLimit(t *testing.T) {
	t.Parallel()
	b := newBenchOn(t, "sqlite::memory:", func(o *api.Options) { o.AccountLimit = 1 })
	for i, door := range []struct{ method, path, body string }{
		{"GET", "/integrated-account/{id}", ""},
		{"GET", "/integrated-account/{id}/capabilities", ""},
		{"POST", "/integrated-account/token", `{"integrated_account_id": "{id}"}`},
		{"GET", "/integrated-account/{id}/mappings", ""},
		{"GET", "/scim/{id}/v2/Users", ""},
		{"GET", "/unified/ticketing/tags?integrated_account_id={id}", ""},
		{"GET", "/unified/ticketing/tags/meta/list?integrated_account_id={id}", ""},
		{"DELETE", "/unified/ticketing/tags/1?integrated_account_id={id}", ""},
	} {
		account := b.organization(fmt.Sprint("shop-", i), fmt.Sprintf("3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d20%02d", i))
		send := func() *reply {
			return b.send(door.method, strings.ReplaceAll(door.path, "{id}", account), b.secret, strings.ReplaceAll(door.body, "{id}", account))
		}
		require.NotEqual(t, http.StatusTooManyRequests, send().StatusCode, door.path)
		require.Equal(t, http.StatusTooManyRequests, send().StatusCode, door.path)
	}
}

// Refused methods say which ones there are.
func TestRefusedMethodsNameTheOthers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connected("acme")
	account := b.account("acme")
	for address, allow := range map[string]string{
		"DELETE /unified/ticketing/tickets": "GET, POST", "OPTIONS /unified/ticketing/tickets/1": "DELETE, GET, PATCH, PUT",
		"POST /unified/ticketing/tickets/meta/list": "GET", "DELETE /operations/1": "GET", "PATCH /integrated-account": "GET, POST",
	} {
		method, path, _ := strings.Cut(address, " ")
		r := b.send(method, in(path, account), b.secret, "")
		r.unifiedError(t, http.StatusMethodNotAllowed)
		require.Equal(t, allow, r.Header.Get("Allow"), address)
	}
}

// The requests of a client of this shape of API to routes that Claimflow does not have.
func TestRoutesThatAreNotBuiltSayWhatToUseInstead(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connected("acme")
	ia := b.account("acme")
	for _, tc := range []struct{ method, path, body, use string }{
		{"POST", "/link-token", `{"tenant_id":"t"}`, "shop connect"},
		{"POST", "/link-token", `{"integrated_account_id":"ia"}`, "shop connect"},
		{"GET", "/integrated-account/" + ia + "/tools?methods=list%2Cget&tags=contacts", "", "/openapi.json"},
		{"POST", "//integrated-account/refresh-credentials", `{"id":"ia"}`, "/integrations/dixa/token"},
		{"PATCH", "/integrated-account/" + ia, `{"context":{}}`, "/integrations/dixa"},
		{"DELETE", "/integrated-account/" + ia, "", "shop disable"},
		{"POST", "/integrated-account", `{}`, "shop connect"},
		{"POST", "/batch-request", `{"integrated_account_id":"ia","resources":[]}`, "/unified/"},
		{"POST", "/webhook", `{"target_url":"http://x","environment_id":"e","event_types":["a"]}`, "/v1/endpoints"},
		{"GET", "/webhook/w1", "", "/v1/endpoints"},
		{"POST", "//webhook/test", `{"id":"w1"}`, "/v1/endpoints"},
		{"POST", "//custom/v1/x?integrated_account_id=ia", `{"a":1}`, "/proxy/"},
		{"GET", "/custom/v1/x?integrated_account_id=ia", "", "/proxy/"},
		{"GET", "/sync-job-run/1", "", "/imports"},
	} {
		e := b.send(tc.method, tc.path, b.secret, tc.body).unifiedError(t, http.StatusNotImplemented)
		require.Contains(t, e.Message, tc.use, "%s %s", tc.method, tc.path)
		b.send(tc.method, tc.path, "", tc.body).unifiedError(t, http.StatusUnauthorized)
	}
	e := b.send("PUT", "/integrated-account/"+ia, b.secret, "{}")
	e.unifiedError(t, http.StatusMethodNotAllowed)
	require.Equal(t, "DELETE, GET, PATCH", e.Header.Get("Allow"))
	b.send("GET", "/integrated-account/"+ia+"/nothing", b.secret, "").unifiedError(t, http.StatusNotFound)
	b.send("GET", in("/unified", ia), b.secret, "").unifiedError(t, http.StatusNotFound)
}

// The requests that such a client makes to the proxy and to accounts.
func TestRequestsOfAClientAreAnswered(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connected("acme")
	ia := b.account("acme")
	conversation := b.conversation()
	require.NotZero(t, conversation)
	r := b.send("GET", "/integrated-account?tenant_id=acme&next_cursor=", b.secret, "", "User-Agent", "truto-ts-sdk/2.0.12")
	require.Equal(t, http.StatusOK, r.StatusCode)
	var page struct {
		Result []struct{ ID string } `json:"result"`
		Next   any                   `json:"next_cursor"`
	}
	require.NoError(t, json.Unmarshal([]byte(r.text), &page))
	require.Equal(t, ia, page.Result[0].ID)
	require.Nil(t, page.Next, "the client stops here")
	require.Equal(t, http.StatusOK, b.send("GET", "/proxy/agents?integrated_account_id="+ia+"&next_cursor=", b.secret, "").StatusCode)
	require.Equal(t, http.StatusOK, b.send("GET", "//proxy/agents?integrated_account_id="+ia, b.secret, "").StatusCode, "a base address that ends in a slash")
	r = b.send("POST", "/proxy/files?integrated_account_id="+ia+"&truto_body_passthrough=true", b.secret, "--x--\r\n", "Content-Type", "multipart/form-data; boundary=x")
	require.Equal(t, http.StatusNotFound, r.StatusCode, "Dixa has no such operation, and says so")
	require.Equal(t, "dixa", r.Header.Get("X-Claimflow-Source"))
}
