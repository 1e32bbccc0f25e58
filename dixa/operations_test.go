package dixa_test

import (
	"context"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/dixa"
)

// operationCase is one operation with a composed exchange. Replies and expected
// results are compared as JSON, so that the test detects anything that a type drops.
type operationCase struct {
	name   string // Operation.Name
	call   func(context.Context, *dixa.Client) (any, error)
	method string
	path   string // relative to the base URL, with its query
	body   string // the JSON that must be sent; "" for no body
	status int
	reply  string
	want   string // what the call returns, as JSON; "" for the reply's data, "-" for nothing
}

const (
	userID   = "0f5a7a0e-52d3-4a3e-9a1b-7f1f0a2f6c01"
	agentID  = "1c0d6c44-2b1e-4f57-8c39-0a4d5a9b7c02"
	queueID  = "2b7f6d1a-6a0a-4a55-9a0e-5a1d3f6e8c03"
	tagID    = "3d9a4c2e-7b61-4f0d-8e1b-6c2e4a7f9d04"
	attrID   = "4e8b5d3f-8c72-4a1e-9f2c-7d3f5b8a0e05"
	noteID   = "5f7c6e4a-9d83-4b2f-8a3d-8e4a6c9b1f06"
	teamID   = "6a6d7f5b-0e94-4c3a-9b4e-9f5b7d0c2a07"
	hookID   = "7b5e8a6c-1fa5-4d4b-8c5f-0a6c8e1d3b08"
	anonID   = "8c4f9b7d-2ab6-4e5c-9d6a-1b7d9f2e4c09"
	ratingID = "9d3a0c8e-3bc7-4f6d-8e7b-2c8e0a3f5d10"
	msgID    = "ae2b1d9f-4cd8-4a7e-9f8c-3d9f1b4a6e11"
)

func operationCases() []operationCase {
	return slices.Concat(conversationCases(), messageCases(), peopleCases(), referenceCases(), webhookCases(), analyticsCases())
}

func TestOperations(t *testing.T) {
	t.Parallel()
	for _, tc := range operationCases() {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var seen *http.Request
			var sent []byte
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				seen = r.Clone(t.Context())
				sent, _ = io.ReadAll(r.Body)
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(tc.status)
				_, _ = io.WriteString(w, tc.reply)
			}))
			t.Cleanup(server.Close)
			var calls []dixa.Call
			client := newClient(t, server.URL+"/some/prefix/v1", dixa.WithObserver(func(c dixa.Call) { calls = append(calls, c) }))

			got, err := tc.call(t.Context(), client)

			require.NoError(t, err)
			require.NotNil(t, seen, "the server received no request")
			require.Equal(t, tc.method, seen.Method)
			require.Equal(t, "/some/prefix/v1"+tc.path, seen.RequestURI)
			require.Equal(t, []string{testToken}, seen.Header["Authorization"])
			if tc.body == "" {
				require.Empty(t, string(sent), "the request has a body")
				require.Empty(t, seen.Header.Get("Content-Type"))
			} else {
				require.JSONEq(t, tc.body, string(sent))
				require.Equal(t, "application/json", seen.Header.Get("Content-Type"))
			}
			require.Len(t, calls, 1)
			require.Equal(t, tc.name, calls[0].Operation)
			require.Equal(t, tc.method, calls[0].Method)
			require.Equal(t, tc.status, calls[0].Status)
			require.NoError(t, calls[0].Err)
			if tc.want == "-" {
				return
			}
			want := tc.want
			if want == "" {
				var envelope struct{ Data json.RawMessage }
				require.NoError(t, json.Unmarshal([]byte(tc.reply), &envelope))
				want = string(envelope.Data)
			}
			encoded, err := json.Marshal(got)
			require.NoError(t, err)
			require.JSONEq(t, want, string(encoded))
		})
	}
}

// TestEveryOperationHasACase reads the package's source to find operations that have
// no case and therefore no check against Dixa's contract.
func TestEveryOperationHasACase(t *testing.T) {
	t.Parallel()
	sources, err := filepath.Glob("*.go")
	require.NoError(t, err)
	var declared []string
	for _, source := range sources {
		if strings.HasSuffix(source, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), source, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			lit, ok := n.(*ast.CompositeLit)
			if !ok || len(lit.Elts) == 0 {
				return true
			}
			if ident, ok := lit.Type.(*ast.Ident); ok && ident.Name == "Operation" {
				name, ok := lit.Elts[0].(*ast.BasicLit)
				require.True(t, ok, "an operation name in %s is not a literal", source)
				unquoted, err := strconv.Unquote(name.Value)
				require.NoError(t, err)
				// The OpenAPI file does not cover the Exports API; exports_test.go does.
				if !strings.HasPrefix(unquoted, "Exports.") {
					declared = append(declared, unquoted)
				}
			}
			return true
		})
	}
	require.NotEmpty(t, declared)
	var tested []string
	for _, tc := range operationCases() {
		tested = append(tested, tc.name)
	}
	slices.Sort(declared)
	slices.Sort(tested)
	require.Equal(t, declared, slices.Compact(tested))
}

// collect gathers a sequence and stops at its first error.
func collect[T any](seq iter.Seq2[*T, error]) (any, error) {
	items := []*T{}
	for item, err := range seq {
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, nil
}

func nothing(err error) (any, error) { return nil, err }
