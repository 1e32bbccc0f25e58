package api_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"
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
						Ref string `json:"$ref"`
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
			require.NotEmpty(t, op.Security, "%s %s asks for a key", method, path)
			require.False(t, seen[op.OperationID], op.OperationID)
			seen[op.OperationID] = true
			require.Contains(t, op.Responses, "401", path)
			if op.RequestBody != nil {
				require.NotEmpty(t, op.RequestBody.Content["application/json"].Schema.Ref, "%s %s shows its body", method, path)
			}
		}
	}
	submit := document.Paths["/v1/shops/{shop}/claims"]["post"]
	for _, status := range []string{"200", "202", "409", "413", "422", "503"} {
		require.Contains(t, submit.Responses, status)
	}
	_, err := openapi3.NewLoader().LoadFromData([]byte(r.text))
	require.NoError(t, err, "every reference leads somewhere")
}

var asset = regexp.MustCompile(`(?:src|href)="([^"]+)"`)

func TestDocumentPageNeedsNoOtherHost(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	page := b.send("GET", "/docs", "", "")
	require.Equal(t, 200, page.StatusCode)
	require.Contains(t, page.text, "/openapi.json")
	found := asset.FindAllStringSubmatch(page.text, -1)
	require.NotEmpty(t, found)
	for _, f := range found {
		require.NotRegexp(t, `^(https?:)?//`, f[1], "assets come from here")
		if strings.HasPrefix(f[1], "/docs/") {
			require.Equal(t, 200, b.send("GET", f[1], "", "").StatusCode, f[1])
		}
	}
}

func TestWhatIsNotThereIsAProblemToo(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.send("GET", "/v2/nothing", b.secret, "").problem(t)
	require.Equal(t, http.StatusNotFound, p.Status)
	r := b.send("DELETE", "/v1/settings", b.secret, "")
	require.Equal(t, http.StatusMethodNotAllowed, r.problem(t).Status)
	require.Equal(t, []string{"GET", "PUT"}, r.Header.Values("Allow"))
	r = b.send("GET", "/healthz", "", "", "X-Request-Id", "3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d0001")
	require.Equal(t, "3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d0001", r.Header.Get("X-Request-Id"), "the caller's id is kept")
	require.NotEqual(t, "made up", b.send("GET", "/healthz", "", "", "X-Request-Id", "made up").Header.Get("X-Request-Id"))
}
