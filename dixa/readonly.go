package dixa

import (
	"net/http"
	"slices"
	"strings"
)

// queries are the operations of POST that only read.
//
// Dixa: POST /v1/search/conversations, /v1/analytics/metrics, /v1/analytics/records.
var queries = []string{searchPath, "/analytics/metrics", "/analytics/records"}

// onlyReads reports whether a request cannot change anything in Dixa. The path is
// relative to the base URL.
func onlyReads(method, path string) bool {
	switch method {
	case http.MethodGet, http.MethodHead:
		return true
	case http.MethodPost:
		return slices.Contains(queries, "/"+strings.Trim(path, "/"))
	default:
		return false
	}
}

// readOnlyTransport lets nothing through that could change something in Dixa. It
// looks at the request itself, not at the operation that it was built from.
type readOnlyTransport struct {
	// base is the path of the base URL, ending in a slash.
	base string
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper. A refusal is ErrReadOnly.
func (t readOnlyTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if !onlyReads(r.Method, strings.TrimPrefix(r.URL.Path, t.base)) {
		if r.Body != nil {
			_ = r.Body.Close() // http.RoundTripper closes it also where it fails
		}
		return nil, ErrReadOnly
	}
	return t.next.RoundTrip(r)
}
