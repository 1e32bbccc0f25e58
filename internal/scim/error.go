package scim

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/claimflow/claimflow/unified"
)

// ContentType is the media type of requests and answers. Requests may also have
// application/json.
const ContentType = "application/scim+json"

// Types of errors, which tell clients what to correct (RFC 7644, 3.12).
const (
	invalidFilter = "invalidFilter"
	invalidPath   = "invalidPath"
	invalidSyntax = "invalidSyntax"
	invalidValue  = "invalidValue"
	mutability    = "mutability"
	noTarget      = "noTarget"
	uniqueness    = "uniqueness"
)

// Error is an error in the shape of SCIM.
type Error struct {
	Status int
	// Type is the scimType; empty for none.
	Type   string
	Detail string
	// RetryAfter is how long to wait, in seconds; 0 does not say.
	RetryAfter int
}

func (e *Error) Error() string { return e.Detail }

// MarshalJSON writes the error with its schema. The status is a text.
func (e *Error) MarshalJSON() ([]byte, error) {
	out := map[string]any{"schemas": []string{schemaError}, "status": strconv.Itoa(e.Status), "detail": e.Detail}
	if e.Type != "" {
		out["scimType"] = e.Type
	}
	return json.Marshal(out)
}

func wrong(kind, detail string) *Error {
	return &Error{Status: http.StatusBadRequest, Type: kind, Detail: detail}
}

func missing(kind, id string) *Error {
	return &Error{Status: http.StatusNotFound, Detail: "There is no " + kind + " with the id " + strconv.Quote(id) + "."}
}

func unsupported(detail string) *Error {
	return &Error{Status: http.StatusNotImplemented, Detail: detail}
}

func taken(detail string) *Error {
	return &Error{Status: http.StatusConflict, Type: uniqueness, Detail: detail}
}

// AsError converts an error of this package or of the unified API. ok is false for
// others.
func AsError(err error) (e *Error, ok bool) {
	if errors.As(err, &e) {
		return e, true
	}
	var u *unified.Error
	if errors.As(err, &u) {
		return ofUnified(u), true
	}
	var running *stillRunningError
	if errors.As(err, &running) {
		return &Error{Status: http.StatusServiceUnavailable, Detail: running.Error(), RetryAfter: retryAfter}, true
	}
	return nil, false
}

// ofUnified converts an error of the unified API, except those of authentication.
func ofUnified(u *unified.Error) *Error {
	e := &Error{Status: u.StatusCode, Detail: u.Error(), RetryAfter: u.RetryAfter}
	if u.Remote && u.Insight != nil && u.Insight.Remote != nil {
		if said, ok := u.Insight.Remote.Value.(string); ok {
			e.Detail += " Dixa said: " + said
		}
	}
	switch {
	case u.StatusCode == http.StatusMethodNotAllowed: // a read-only account
		e.Status = http.StatusForbidden
	case u.StatusCode == http.StatusTooManyRequests:
		e.RetryAfter = max(1, e.RetryAfter)
	case u.StatusCode == http.StatusConflict || u.Remote && u.StatusCode == http.StatusBadRequest && concerns(u, "emails"):
		e.Status, e.Type = http.StatusConflict, uniqueness
	case u.StatusCode == http.StatusBadRequest:
		e.Type = invalidValue
	case u.Remote && (u.StatusCode == http.StatusUnauthorized || u.StatusCode == http.StatusForbidden):
		// The provider's own token is valid.
		e.Status = http.StatusBadGateway
	}
	return e
}

// concerns reports whether an error names a member.
func concerns(u *unified.Error, field string) bool {
	if u.Details == nil {
		return false
	}
	for _, f := range u.Details.Failures {
		if f.Field == field {
			return true
		}
	}
	return false
}

// WriteError answers a request with an error.
func WriteError(w http.ResponseWriter, e *Error) {
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(e.RetryAfter))
	}
	writeJSON(w, e.Status, e)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", ContentType)
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) //nolint:errchkjson // maps of JSON values, and the caller may have disconnected
}
