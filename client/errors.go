package client

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Problem is an error response of the API: RFC 9457 problem details with the
// extension members code and errors.
type Problem struct {
	// Type is "about:blank". Status and Code identify the problem.
	Type   string `json:"type" doc:"Always about:blank; status and code identify the problem."`
	Title  string `json:"title" doc:"The HTTP status in words."`
	Status int    `json:"status" doc:"The HTTP status."`
	// Detail says what went wrong and what to do.
	Detail string `json:"detail,omitempty" doc:"What the problem is and what to do about it."`
	// Instance is the request id, which also appears in the service's log.
	Instance string `json:"instance,omitempty" doc:"The request id, as in the log of the service."`
	// Code is the machine-readable kind of problem; see the Code constants.
	Code string `json:"code,omitempty" doc:"The machine-readable kind of problem."`
	// Errors lists every error of the request.
	Errors []FieldError `json:"errors,omitempty" doc:"Every invalid field, or every field that differs."`
}

// FieldError describes a problem with one field.
type FieldError struct {
	// Field is the JSON path, such as "selected_items[0].quantity".
	Field string `json:"field" doc:"The JSON path of the field." example:"selected_items[0].quantity"`
	// Message says what is wrong and what is valid. It never includes the value.
	Message string `json:"message" doc:"What is wrong and what is valid."`
}

// Values of [Problem.Code].
const (
	CodeInvalid           = "invalid"            // 422: Errors lists every error
	CodeDiffers           = "differs"            // 409: the claim exists with different content; Errors names the fields
	CodeConflict          = "conflict"           // 409: the current state does not allow it
	CodeNotFound          = "not_found"          // 404
	CodeUnauthorized      = "unauthorized"       // 401: no API key, or an unknown or revoked one
	CodeForbidden         = "forbidden"          // 403: the API key lacks permission
	CodeTooLarge          = "too_large"          // 413
	CodeUnavailable       = "unavailable"        // 503: nothing was accepted; retry
	CodeTokenMalformed    = "token_malformed"    // 422: not a well-formed Dixa token
	CodeTokenRefused      = "token_refused"      // 422: Dixa rejects the token
	CodeOtherOrganization = "other_organization" // 409: the token belongs to another Dixa organization
	CodeDixaUnreachable   = "dixa_unreachable"   // 502: Dixa gave no usable response; nothing was saved
	CodeNotConnected      = "not_connected"      // 409: the shop has no usable Dixa token
	CodeNotReady          = "not_ready"          // 409: the integration cannot be enabled yet
	CodeFeatureOff        = "feature_off"        // 409: the platform does not offer Dixa to the shop
	CodeReadOnly          = "read_only"          // 405: the shop's settings forbid writes to Dixa
	CodeRateLimited       = "rate_limited"       // 429: retry after RetryAfter
	CodeUnsupported       = "unsupported"        // 501: Dixa or Claimflow has no such thing; the detail says what to use instead
	CodeDixaRefused       = "dixa_refused"       // Dixa refused a request to the unified API; the status is Dixa's

	CodeSubscriptionRefused = "subscription_refused" // 409: Dixa accepts no webhook subscription with the token
)

// Error is an error response of the service.
type Error struct {
	Problem
	// RetryAfter is the delay that the service requested; 0 if none.
	RetryAfter time.Duration
}

// Error returns the problem in words, with every error.
func (e *Error) Error() string {
	parts := make([]string, 0, len(e.Errors))
	for _, f := range e.Errors {
		parts = append(parts, f.Field+": "+strings.TrimSuffix(f.Message, "."))
	}
	text := e.Detail
	if text == "" {
		text = e.Title
	}
	if len(parts) > 0 {
		text = strings.TrimSuffix(text, ".") + ": " + strings.Join(parts, "; ")
	}
	return text
}

// mayRetry reports whether the same request can succeed later and may be sent again.
// A request that must not be sent twice is retried only if the service certainly did
// nothing.
func (e *Error) mayRetry(once bool) bool {
	switch e.Status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return true
	case http.StatusBadGateway:
		return !once && e.Code != CodeDixaUnreachable
	case http.StatusGatewayTimeout:
		return !once
	default:
		return false
	}
}

// HasCode reports whether err is an [*Error] with the code.
func HasCode(err error, code string) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}

// readError parses problem details. A response without them, such as a proxy's,
// becomes an Error with its status.
func readError(k call, resp *http.Response, data []byte) *Error {
	e := &Error{RetryAfter: retryAfter(resp.Header.Get("Retry-After"), time.Now())}
	if p, ok := unifiedProblem(data); ok {
		e.Problem = p
		e.Instance = resp.Header.Get("X-Request-Id")
	} else if err := json.Unmarshal(data, &e.Problem); err != nil || e.Status == 0 {
		e.Problem = Problem{Detail: k.method + " " + k.route() + ": the service returned " + resp.Status + " without problem details"}
	}
	e.Status = resp.StatusCode
	if e.Title == "" {
		e.Title = http.StatusText(resp.StatusCode)
	}
	return e
}

// unifiedCodes are the codes of errors of the unified API, which have none.
var unifiedCodes = map[int]string{
	http.StatusBadRequest: CodeInvalid, http.StatusUnauthorized: CodeUnauthorized, http.StatusForbidden: CodeForbidden, http.StatusNotFound: CodeNotFound,
	http.StatusConflict: CodeConflict, http.StatusRequestEntityTooLarge: CodeTooLarge, http.StatusTooManyRequests: CodeRateLimited,
	http.StatusNotImplemented: CodeUnsupported, http.StatusServiceUnavailable: CodeUnavailable,
}

// unifiedProblem reads an error of the unified API as a problem.
func unifiedProblem(data []byte) (Problem, bool) {
	var e struct {
		Status  int    `json:"statusCode"`
		Title   string `json:"error"`
		Message string `json:"message"`
		Details struct {
			Failures []FieldError `json:"failures"`
		} `json:"details"`
		Remote bool            `json:"truto_is_remote_error"`
		Raw    json.RawMessage `json:"raw_response"`
	}
	if err := json.Unmarshal(data, &e); err != nil || e.Status == 0 {
		return Problem{}, false
	}
	p := Problem{Type: "about:blank", Title: e.Title, Status: e.Status, Detail: e.Message, Code: unifiedCodes[e.Status], Errors: e.Details.Failures}
	if e.Remote {
		p.Code = CodeDixaRefused
		var said string
		if json.Unmarshal(e.Raw, &said) == nil && said != "" {
			p.Detail = strings.TrimSuffix(p.Detail, ".") + ": " + said
		}
	}
	return p, true
}

const maxRetryAfter = time.Hour

// retryAfter parses either form of RFC 9110, section 10.2.3.
func retryAfter(header string, now time.Time) time.Duration {
	d := time.Duration(0)
	if seconds, err := strconv.Atoi(header); err == nil {
		d = time.Duration(min(seconds, int(maxRetryAfter/time.Second))) * time.Second
	} else if at, err := http.ParseTime(header); err == nil {
		d = at.Sub(now)
	}
	return min(max(d, 0), maxRetryAfter)
}
