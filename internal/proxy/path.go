package proxy

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/claimflow/claimflow/unified"
)

// methods are the methods that Dixa's API has.
var methods = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

// target is the address of a request in Dixa's API.
type target struct {
	// segments are the decoded parts of the path below the base address.
	segments []string
	// query is the query string without the parameters that are for the proxy.
	query string
}

// path returns the path below the base address, decoded.
func (t target) path() string { return strings.Join(t.segments, "/") }

// escaped returns the path below the base address in a single encoding, no matter how
// the caller encoded it.
func (t target) escaped() string {
	parts := make([]string, len(t.segments))
	for i, s := range t.segments {
		parts[i] = url.PathEscape(s)
	}
	return strings.Join(parts, "/")
}

// parseTarget reads the escaped path after /proxy/ and the query string of a request.
// It accepts only what can name nothing outside of the base address, however often a
// server on the way decodes or normalizes it.
func parseTarget(escaped, query string) (target, error) {
	var t target
	for part := range strings.SplitSeq(escaped, "/") {
		segment, err := url.PathUnescape(part)
		if err != nil || !plainSegment(segment) {
			return t, unified.NewError(http.StatusBadRequest, "The path must consist of names and ids, such as /proxy/conversations/123/messages. "+
				"Empty parts, dots, encoded slashes, backslashes, semicolons, percent signs and control characters are not passed on to Dixa.")
		}
		t.segments = append(t.segments, segment)
	}
	var kept []string
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		decoded, err := url.QueryUnescape(name)
		if _, valueErr := url.QueryUnescape(value); err != nil || valueErr != nil || !plainPair(pair) {
			return t, unified.NewError(http.StatusBadRequest, "The query string is not percent-encoded correctly.")
		}
		if pair != "" && decoded != "integrated_account_id" && !strings.HasPrefix(decoded, "truto_") {
			kept = append(kept, pair)
		}
	}
	t.query = strings.Join(kept, "&")
	return t, nil
}

// plainPair reports whether a part of a query string can be passed on as it is.
func plainPair(s string) bool {
	return !strings.ContainsAny(s, ";#") && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// plainSegment reports whether a decoded part of a path is a name or an id. A percent
// sign would mean another part if it is decoded again, and a semicolon begins
// parameters that some servers remove.
func plainSegment(s string) bool {
	if s == "" || strings.Trim(s, ".") == "" {
		return false
	}
	return !strings.ContainsAny(s, `/\;%?#`) && !strings.ContainsFunc(s, func(r rune) bool {
		return r == unicode.ReplacementChar || unicode.IsControl(r) || !unicode.IsGraphic(r)
	})
}

// loggable returns a path for the audit log: names and ids, but not addresses.
func (t target) loggable() string {
	parts := slices.Clone(t.segments)
	for i, s := range parts {
		if len(s) > 64 || strings.ContainsFunc(s, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
		}) {
			parts[i] = "…"
		}
	}
	return "/" + strings.Join(parts, "/")
}
