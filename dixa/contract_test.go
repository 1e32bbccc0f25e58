package dixa_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/integration/contracttest"
)

// TestRequestsMatchContract validates every request of the operation cases
// against Dixa's OpenAPI file. It answers each with Dixa's own examples, which the
// client must be able to read.
func TestRequestsMatchContract(t *testing.T) {
	t.Parallel()
	router := contracttest.Router(t)
	for _, tc := range operationCases() {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			examples := []json.RawMessage{nil}
			for i := 0; i < len(examples); i++ {
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					route, err := contracttest.Check(router, r)
					if err != nil {
						t.Error(err)
					}
					if route == nil {
						return
					}
					reply := route.Operation.Responses.Status(tc.status)
					if reply == nil {
						t.Errorf("%s %s has no response with status %d", r.Method, r.URL.Path, tc.status)
						return
					}
					if i == 0 {
						examples = publishedExamples(t, reply.Value, tc.reply)
					}
					w.WriteHeader(tc.status)
					if len(examples) > 0 {
						_, _ = w.Write(examples[i])
					}
				}))
				client := newClient(t, server.URL+"/beta/")
				_, err := tc.call(t.Context(), client)
				server.Close()
				require.NoError(t, err, "published example %d", i)
			}
		})
	}
}

// publishedExamples returns the examples of a reply: the composed one if none is
// published, and none if the reply has no body.
func publishedExamples(t *testing.T, reply *openapi3.Response, composed string) []json.RawMessage {
	t.Helper()
	media := reply.Content.Get("application/json")
	if media == nil {
		return nil
	}
	values := []any{}
	if media.Example != nil {
		values = append(values, media.Example)
	}
	for _, name := range slices.Sorted(maps.Keys(media.Examples)) {
		values = append(values, media.Examples[name].Value.Value)
	}
	encoded := make([]json.RawMessage, 0, len(values))
	for _, value := range values {
		b, err := json.Marshal(value)
		require.NoError(t, err)
		// Following the link to the next page would never end.
		encoded = append(encoded, regexp.MustCompile(`"next":"[^"]*"`).ReplaceAll(b, []byte(`"next":""`)))
	}
	if len(encoded) == 0 {
		return []json.RawMessage{json.RawMessage(composed)}
	}
	return encoded
}
