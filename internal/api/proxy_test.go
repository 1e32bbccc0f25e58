package api_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	emulator "github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/internal/api"
	"github.com/claimflow/claimflow/internal/proxy"
	"github.com/claimflow/claimflow/internal/todixa/connection"
	"github.com/claimflow/claimflow/store"
	"github.com/claimflow/claimflow/unified"
)

// account returns the id of a connected shop's account.
func (b *bench) account(slug string) string {
	b.t.Helper()
	shop, err := b.client.Shop(b.t.Context(), slug)
	require.NoError(b.t, err)
	require.NotNil(b.t, shop.Connection)
	return shop.Connection.ID
}

// in returns an address with the parameter that names an account.
func in(path, account string) string {
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	return path + separator + "integrated_account_id=" + url.QueryEscape(account)
}

// unifiedRefusal is an error of the unified API as an answer.
type unifiedRefusal struct{ unified.Error }

// unifiedError returns the error in a reply, which must have the shape of the unified
// API.
func (r *reply) unifiedError(t *testing.T, status int) unifiedRefusal {
	t.Helper()
	require.Equal(t, status, r.StatusCode, r.text)
	require.Equal(t, "application/json", r.Header.Get("Content-Type"), r.text)
	var e unifiedRefusal
	decoder := json.NewDecoder(strings.NewReader(r.text))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&e.Error), r.text)
	require.Equal(t, status, e.StatusCode)
	require.Equal(t, http.StatusText(status), e.Name)
	require.NotEmpty(t, e.Message)
	return e
}

func TestProxyNeedsItsScopeAndAnAccount(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connected("acme")
	account := b.account("acme")
	before := dixaRequests(b)
	b.send("GET", in("/proxy/organization", account), "", "").unifiedError(t, http.StatusUnauthorized)
	r := b.send("GET", in("/proxy/organization", account), "cfk_made-up", "")
	r.unifiedError(t, http.StatusUnauthorized)
	require.Contains(t, r.Header.Get("Www-Authenticate"), "Bearer")
	e := b.send("GET", in("/proxy/organization", account), b.key("", client.ScopeUnifiedRead, client.ScopeUnifiedWrite), "").unifiedError(t, http.StatusForbidden)
	require.Equal(t, map[string]any{"missing_scopes": []any{"proxy"}}, e.Insight.Forbidden.Value)
	e = b.send("GET", "/proxy/organization?integrated_account_id=", b.secret, "").unifiedError(t, http.StatusBadRequest)
	require.Equal(t, []any{"integrated_account_id"}, e.Insight.MissingQuery.Value)
	b.send("GET", in(in("/proxy/organization", account), "another"), b.secret, "").unifiedError(t, http.StatusBadRequest)
	b.send("GET", in("/proxy/organization", "another"), b.secret, "").unifiedError(t, http.StatusNotFound)
	b.send("GET", in("/proxy", account), b.secret, "").unifiedError(t, http.StatusBadRequest)
	b.send("GET", in("/proxy/agents/%2e%2e/beta", account), b.secret, "").unifiedError(t, http.StatusBadRequest)
	b.send("GET", in("/proxy/agents/../beta", account), b.secret, "").unifiedError(t, http.StatusBadRequest)
	require.Equal(t, before, dixaRequests(b), "nothing reached Dixa")

	r = b.send("GET", in("/proxy/organization", account), b.key("", client.ScopeProxy), "")
	require.Equal(t, http.StatusOK, r.StatusCode, r.text)
	require.Contains(t, r.text, "Demo Shop")
	require.Equal(t, "dixa", r.Header.Get("X-Claimflow-Source"))
	require.Len(t, r.Header.Values("X-Request-Id"), 1)
}

func TestProxyKeepsKeysOfShopsApart(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connected("acme")
	b.shop("beta")
	account := b.account("acme")
	b.send("GET", in("/proxy/organization", account), b.key("beta", client.ScopeProxy), "").unifiedError(t, http.StatusForbidden)
	own := b.key("acme", client.ScopeProxy)
	require.Equal(t, http.StatusOK, b.send("GET", in("/proxy/organization", account), own, "").StatusCode)
	_, err := b.client.Connect(t.Context(), "beta", token)
	require.NoError(t, err)
	e := b.send("GET", in("/proxy/organization", account), own, "").unifiedError(t, http.StatusForbidden)
	require.Contains(t, e.Message, "other shops too", "the organization's data cannot be divided")
}

func TestProxyWritesAreAudited(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connected("acme")
	account, key := b.account("acme"), b.key("acme", client.ScopeProxy)
	require.Equal(t, http.StatusOK, b.send("POST", in("/proxy/tags?note=ada@example.org", account), key, `{"name": "vip"}`).StatusCode)
	require.Equal(t, http.StatusOK, b.send("GET", in("/proxy/tags", account), key, "").StatusCode)
	var entries []claim.AuditEntry
	for e, err := range b.client.AuditLog(t.Context(), claim.AuditFilter{Action: "proxy"}) {
		require.NoError(t, err)
		entries = append(entries, e)
	}
	require.Len(t, entries, 1)
	require.Equal(t, account, entries[0].Target)
	require.Equal(t, "acme", entries[0].Shop)
	require.Equal(t, map[string]string{"method": "POST", "path": "/tags", "status": "200"}, entries[0].Details)

	b.settings("acme", `{"read_only": true}`)
	e := b.send("POST", in("/proxy/tags", account), key, `{"name": "more"}`).unifiedError(t, http.StatusMethodNotAllowed)
	require.Contains(t, e.Message, "read-only")
	require.Equal(t, http.StatusOK, b.send("GET", in("/proxy/tags", account), key, "").StatusCode)
}

func TestAccountNeedsReauthOnceDixaRefusesItsToken(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connected("acme")
	account := b.account("acme")
	b.dixa.Revoke(token)
	r := b.send("GET", in("/proxy/agents", account), b.secret, "")
	require.Equal(t, http.StatusUnauthorized, r.StatusCode)
	require.Contains(t, r.text, "message", "Dixa's own answer")
	got, err := b.client.Account(t.Context(), account)
	require.NoError(t, err)
	require.Equal(t, client.AccountNeedsReauth, got.Status)
	require.NotEmpty(t, got.LastError)
	before := dixaRequests(b)
	e := b.send("GET", in("/proxy/agents", account), b.secret, "").unifiedError(t, http.StatusUnauthorized)
	require.Contains(t, e.Message, "Save another one")
	require.Equal(t, before, dixaRequests(b))
}

func TestUnifiedReadFindsARefusedToken(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connected("acme")
	account := b.account("acme")
	b.dixa.Revoke(token)
	b.send("GET", in("/unified/ticketing/tags?live=true", account), b.secret, "").unifiedError(t, http.StatusUnauthorized)
	got, err := b.client.Account(t.Context(), account)
	require.NoError(t, err)
	require.Equal(t, client.AccountNeedsReauth, got.Status)
}

// passage is one request as the caller or Dixa saw it, with its answer.
type passage struct {
	method, address, body string
	status                int
	kind, answer          string
}

// TestProxyPassesEveryOperationOnUnchanged sends each operation of Dixa's API through the
// proxy, and compares what the caller sent and got with what Dixa got and sent. Dixa's
// OpenAPI file is not part of the project: it is read from beside the checkout or from
// the path in DIXA_OPENAPI.
func TestProxyPassesEveryOperationOnUnchanged(t *testing.T) {
	t.Parallel()
	file := os.Getenv("DIXA_OPENAPI")
	if file == "" {
		file = filepath.Join("..", "..", "..", "shared", "dixa", "openapi.yaml")
	}
	if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
		t.Skip("Dixa's OpenAPI file is not beside the checkout; set DIXA_OPENAPI to its path")
	}
	contract, err := openapi3.NewLoader().LoadFromFile(file)
	require.NoError(t, err)

	var mu sync.Mutex
	var seen passage
	dixa := emulator.New(emulator.Options{Token: token, Limit: emulator.Limit{Reading: emulator.LimitOff}})
	t.Cleanup(dixa.Close)
	recorder := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		answer := httptest.NewRecorder()
		dixa.ServeHTTP(answer, r)
		mu.Lock()
		seen = passage{r.Method, strings.TrimPrefix(r.RequestURI, "/v1"), string(body), answer.Code, answer.Header().Get("Content-Type"), answer.Body.String()}
		mu.Unlock()
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	}))
	t.Cleanup(recorder.Close)
	b := newBenchOn(t, "sqlite::memory:", func(o *api.Options) {
		o.Proxy = proxy.New(proxy.Options{Clients: connection.New(o.Store, connection.Options{
			BaseURL: recorder.URL + "/v1/", Limits: store.BudgetLimits{Interval: time.Microsecond, MaxWait: time.Second},
		})})
	})
	b.connected("acme")
	account := b.account("acme")

	served, succeeded, total := 0, 0, 0
	for _, template := range slices.Sorted(maps.Keys(contract.Paths.Map())) {
		operations := contract.Paths.Value(template).Operations()
		for _, method := range slices.Sorted(maps.Keys(operations)) {
			path := placeholder.ReplaceAllStringFunc(strings.TrimPrefix(template, "/beta"), value)
			body := exampleOf(operations[method])
			total++
			unknown := dixa.Stats().ByOperation["(no such operation)"]
			r := b.send(method, in("/proxy"+path+"?pageLimit=2&truto_response_format=raw", account), b.secret, body)
			mu.Lock()
			dixaSaw := seen
			seen = passage{}
			mu.Unlock()
			callerSaw := passage{method, path + "?pageLimit=2", body, r.StatusCode, r.Header.Get("Content-Type"), r.text}
			require.Equal(t, callerSaw, dixaSaw, "%s %s", method, template)
			if dixa.Stats().ByOperation["(no such operation)"] == unknown {
				served++
			} else {
				t.Logf("the emulator does not serve %s %s; its 404 passed unchanged", method, template)
			}
			if r.StatusCode < http.StatusBadRequest {
				succeeded++
			}
		}
	}
	t.Logf("%d operations passed, %d of them with success", served, succeeded)
	require.Equal(t, total, served, "the emulator must serve all of Dixa's operations")
	require.Greater(t, succeeded, 30, "the answers must not all be refusals")
}

var placeholder = regexp.MustCompile(`\{[^}]+\}`)

// value returns an id of the emulator's seed for a placeholder of a path.
func value(placeholder string) string {
	switch strings.ToLower(strings.Trim(placeholder, "{}")) {
	case "agentid":
		return emulator.SeedAgentAnna
	case "teamid":
		return emulator.SeedTeamCare
	case "queueid":
		return emulator.SeedQueueSupport
	case "contactendpointid":
		return emulator.SeedMailbox
	case "conversationid":
		return "1"
	case "metricid", "recordid":
		return "csat"
	case "filterattribute":
		return "agent_id"
	default:
		return "3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d0999"
	}
}

// exampleOf returns an example of an operation's body; empty if it has none.
func exampleOf(op *openapi3.Operation) string {
	if op.RequestBody == nil {
		return ""
	}
	media := op.RequestBody.Value.Content.Get("application/json")
	if media == nil {
		return ""
	}
	example := media.Example
	for _, name := range slices.Sorted(maps.Keys(media.Examples)) {
		example = media.Examples[name].Value.Value
		break
	}
	text, err := json.Marshal(example)
	if err != nil || example == nil {
		return "{}"
	}
	return string(text)
}
