package api_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/internal/api"
	"github.com/claimflow/claimflow/internal/onboarding"
	"github.com/claimflow/claimflow/internal/proxy"
	"github.com/claimflow/claimflow/unified"
)

func TestDocumentIsOpenAPI31(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	r := b.send("GET", "/openapi.json", "", "")
	require.Equal(t, 200, r.StatusCode)
	var document struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			OperationID string
			Summary     string
			Security    []map[string][]string
			Responses   map[string]json.RawMessage
			RequestBody *struct {
				Content map[string]struct {
					Schema struct {
						Ref        string `json:"$ref"`
						Required   []string
						Properties map[string]json.RawMessage
					}
				}
			}
		}
	}
	require.NoError(t, json.Unmarshal([]byte(r.text), &document))
	require.Equal(t, "3.1.0", document.OpenAPI)
	seen := map[string]bool{}
	for path, methods := range document.Paths {
		for method, op := range methods {
			require.NotEmpty(t, op.Summary, "%s %s", method, path)
			require.NotEmpty(t, op.Security, "%s %s must require a key", method, path)
			require.False(t, seen[op.OperationID], op.OperationID)
			seen[op.OperationID] = true
			require.Contains(t, op.Responses, "401", path)
			if op.RequestBody != nil && path != "/proxy/{path}" { // Dixa's own documentation has its bodies
				body := op.RequestBody.Content["application/json"].Schema
				require.True(t, body.Ref != "" || len(body.Properties) > 0, "%s %s must document its body", method, path)
			}
		}
	}
	submit := document.Paths["/v1/shops/{shop}/claims"]["post"]
	for _, status := range []string{"200", "202", "409", "413", "422", "503"} {
		require.Contains(t, submit.Responses, status)
	}
	require.Equal(t, []string{"claim_id", "reason"}, submit.RequestBody.Content["application/json"].Schema.Required)
	settings := document.Paths["/v1/shops/{shop}/integrations/dixa"]["put"].RequestBody.Content["application/json"].Schema
	require.Empty(t, settings.Required, "a merge patch requires no members")
	require.Contains(t, settings.Properties, "email_integration_id")
	_, err := openapi3.NewLoader().LoadFromData([]byte(r.text))
	require.NoError(t, err, "every reference must resolve")
}

var asset = regexp.MustCompile(`(?:src|href)="([^"]+)"`)

func TestDocumentPageLoadsNoExternalAssets(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	page := b.send("GET", "/docs", "", "")
	require.Equal(t, 200, page.StatusCode)
	require.Contains(t, page.text, "/openapi.json")
	found := asset.FindAllStringSubmatch(page.text, -1)
	require.NotEmpty(t, found)
	for _, f := range found {
		require.NotRegexp(t, `^(https?:)?//`, f[1], "assets must be local")
		if strings.HasPrefix(f[1], "/docs/") {
			require.Equal(t, 200, b.send("GET", f[1], "", "").StatusCode, f[1])
		}
	}
}

func TestDocumentNamesItsServers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for name, test := range map[string]struct {
		public string
		want   []string
	}{
		"public":           {"https://claims.example.com", []string{"https://claims.example.com", "/"}},
		"public in folder": {"https://example.com/claims/", []string{"https://example.com/claims", "/"}},
		"unknown":          {"", []string{"/"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			handler, err := api.New(api.Options{
				Store: b.store, Onboarding: onboarding.New(onboarding.Options{Store: b.store}), Log: slog.New(slog.DiscardHandler),
				PublicURL: test.public,
			})
			require.NoError(t, err)
			answer := httptest.NewRecorder()
			handler.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/openapi.json", nil))
			require.Equal(t, http.StatusOK, answer.Code)
			document, err := openapi3.NewLoader().LoadFromData(answer.Body.Bytes())
			require.NoError(t, err)
			var urls []string
			for _, s := range document.Servers {
				urls = append(urls, s.URL)
			}
			require.Equal(t, test.want, urls)
		})
	}
}

// Every route of the unified API in the document is served, and the document has every
// method that Dixa supports.
func TestDocumentHasTheUnifiedAPI(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	document, err := openapi3.NewLoader().LoadFromData([]byte(b.send("GET", "/openapi.json", "", "").text))
	require.NoError(t, err)
	prefix := regexp.MustCompile(`^/(unified|proxy|integrated-account|operations)\b`)
	parameters := regexp.MustCompile(`\{[^}]+\}`)
	documented := map[string]bool{}
	for path, item := range document.Paths.Map() {
		if !prefix.MatchString(path) {
			continue
		}
		for method, op := range item.Operations() {
			documented[method+" "+path] = true
			if method == http.MethodHead {
				continue // an answer without a body
			}
			address := parameters.ReplaceAllStringFunc(path, func(name string) string {
				return map[string]string{"{model}": "ticketing", "{resource}": "tickets", "{method}": "list"}[name] + "1"
			})
			b.send(method, address, "", "").unifiedError(t, http.StatusUnauthorized)
			require.NotNil(t, op.Responses.Value("401"), path)
			require.NotNil(t, op.Responses.Value("429"), path)
		}
	}
	for _, r := range unified.Resources() {
		for _, m := range r.Methods {
			path := "/unified/" + r.Model + "/" + r.Name
			if m.Name != unified.MethodList && m.Name != unified.MethodCreate {
				path += "/{id}"
			}
			require.Equal(t, m.Support != unified.Unsupported, documented[m.Verb()+" "+path], "%s %s", m.Verb(), path)
		}
	}
	for _, route := range []string{
		"GET /integrated-account", "GET /integrated-account/{id}", "POST /integrated-account/token", "GET /integrated-account/{id}/capabilities",
		"GET /operations/{operation}", "GET /unified/{model}/{resource}/meta/{method}", "GET /proxy/{path}", "DELETE /proxy/{path}",
	} {
		require.True(t, documented[route], route)
	}
}

func TestUnknownRouteIsAProblem(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.send("GET", "/v2/nothing", b.secret, "").problem(t)
	require.Equal(t, http.StatusNotFound, p.Status)
	r := b.send("DELETE", "/v1/settings", b.secret, "")
	require.Equal(t, http.StatusMethodNotAllowed, r.problem(t).Status)
	require.Equal(t, []string{"GET", "PUT"}, r.Header.Values("Allow"))
	r = b.send("GET", "/healthz", "", "", "X-Request-Id", "3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d0001")
	require.Equal(t, "3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d0001", r.Header.Get("X-Request-Id"), "the caller's request id must be kept")
	require.NotEqual(t, "made up", b.send("GET", "/healthz", "", "", "X-Request-Id", "made up").Header.Get("X-Request-Id"))
}

func TestPanicIsAProblem(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	handler, err := api.New(api.Options{
		Store: b.store, Onboarding: onboarding.New(onboarding.Options{Store: b.store}), Log: slog.New(slog.NewJSONHandler(b.log, nil)),
		Metrics: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("a defect") }),
	})
	require.NoError(t, err)
	server := httptest.NewServer(handler)
	defer server.Close()
	b.url = server.URL
	p := b.send("GET", "/metrics", "", "").problem(t)
	require.Equal(t, http.StatusInternalServerError, p.Status)
	require.NotContains(t, p.Detail, "a defect", "internal errors belong in the log")
	require.Contains(t, b.log.String(), "a defect")
	require.Contains(t, b.log.String(), p.Instance)
}

func TestPanicInTheUnifiedAPIHasItsShape(t *testing.T) {
	t.Parallel()
	b := newBenchOn(t, "sqlite::memory:", func(o *api.Options) { o.Proxy = proxy.New(proxy.Options{}) }) // without clients
	b.connected("acme")
	e := b.send("GET", in("/proxy/organization", b.account("acme")), b.secret, "").unifiedError(t, http.StatusInternalServerError)
	require.NotContains(t, e.Message, "nil", "internal errors belong in the log")
	require.Contains(t, b.log.String(), "panic in a request handler")
}

func TestNewRequiresItsDependencies(t *testing.T) {
	t.Parallel()
	_, err := api.New(api.Options{})
	require.EqualError(t, err, "create the HTTP API: Store, Onboarding and Log are required")
}
