package dixa

import (
	"net/http"
	"slices"
	"strings"
)

// queries are the POST operations that only read.
//
// Dixa: POST /v1/search/conversations, /v1/analytics/metrics, /v1/analytics/records.
var queries = []string{searchPath, "/analytics/metrics", "/analytics/records"}

// OnlyReads reports whether a request cannot change anything in Dixa: GET, HEAD and the
// queries that Dixa takes by POST. The path is relative to the base URL.
func OnlyReads(method, path string) bool {
	switch method {
	case http.MethodGet, http.MethodHead:
		return true
	case http.MethodPost:
		return slices.Contains(queries, "/"+strings.Trim(path, "/"))
	default:
		return false
	}
}

// readOnlyTransport blocks every request that could change something in Dixa. It
// checks the request itself, not the operation that built it.
type readOnlyTransport struct {
	// base is the path of the base URL, ending in a slash.
	base string
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper. It rejects a request with ErrReadOnly.
func (t readOnlyTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if !OnlyReads(r.Method, strings.TrimPrefix(r.URL.Path, t.base)) {
		if r.Body != nil {
			_ = r.Body.Close() // a RoundTripper must close the body even on error
		}
		return nil, ErrReadOnly
	}
	return t.next.RoundTrip(r)
}
