package unified

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// Error is an error of the unified API, in its shape. Failures list what is wrong with
// the request.
type Error struct {
	StatusCode int    `json:"statusCode"`
	Name       string `json:"error"`
	Message    string `json:"message"`
	// Details is nil unless the request has failures.
	Details *Failures `json:"details,omitempty"`
	// Remote says that Dixa refused the request. RawResponse is its answer.
	Remote      bool            `json:"truto_is_remote_error,omitempty"`
	RawResponse json.RawMessage `json:"raw_response,omitempty"`
	Insight     *Insight        `json:"truto_error_insight,omitempty"`
	// RetryAfter is in seconds; 0 for no Retry-After header.
	RetryAfter int `json:"-"`
}

// Failures are faults of a request.
type Failures struct {
	Failures []Failure `json:"failures"`
}

// Failure is a parameter or member of a request that is wrong.
type Failure struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

// Insight explains an error to a client.
type Insight struct {
	MissingQuery *InsightItem `json:"missing_required_query_parameters,omitempty"`
	MissingBody  *InsightItem `json:"missing_required_body_fields,omitempty"`
	RateLimit    *InsightItem `json:"rate_limit_error,omitempty"`
	Forbidden    *InsightItem `json:"forbidden_error,omitempty"`
	Remote       *InsightItem `json:"remote_error,omitempty"`
}

// InsightItem is one explanation.
type InsightItem struct {
	Description string `json:"description"`
	Value       any    `json:"value"`
}

func (e *Error) Error() string {
	if e.Details == nil {
		return e.Message
	}
	all := make([]string, len(e.Details.Failures))
	for i, f := range e.Details.Failures {
		all[i] = f.Field + " " + f.Message
	}
	return e.Message + " " + strings.Join(all, "; ")
}

// NewError returns an error with a status. The message is a sentence.
func NewError(status int, message string) *Error {
	return &Error{StatusCode: status, Name: http.StatusText(status), Message: message}
}

// Missing returns the error for a query parameter or members of the body that are
// required.
func Missing(query, body []string) *Error {
	e := NewError(http.StatusBadRequest, "The request lacks required values: "+strings.Join(slices.Concat(query, body), ", ")+".")
	e.Insight = &Insight{}
	if len(query) > 0 {
		e.Insight.MissingQuery = &InsightItem{"Query parameters that must be given.", query}
	}
	if len(body) > 0 {
		e.Insight.MissingBody = &InsightItem{"Members of the body that must be given.", body}
	}
	return e
}

// Invalid returns the error for a parameter or member that is wrong.
func Invalid(field, message string) *Error {
	e := NewError(http.StatusBadRequest, "The request has parameters that are not supported.")
	e.Details = &Failures{[]Failure{{field, message}}}
	return e
}

// RateLimited returns the error for a request that has to wait, in seconds.
func RateLimited(message string, seconds int) *Error {
	e := NewError(http.StatusTooManyRequests, message)
	e.RetryAfter = seconds
	e.Insight = &Insight{RateLimit: &InsightItem{"Seconds to wait.", seconds}}
	return e
}

// TokenRefused returns the error for an account whose token Dixa refuses.
func TokenRefused() *Error {
	return NewError(http.StatusUnauthorized, "Dixa refuses the account's token. Save another one with `starter shop connect`.")
}

// NoAccount returns the error for an account that does not exist.
func NoAccount() *Error {
	return NewError(http.StatusNotFound, "There is no account with this id. GET /integrated-account lists them.")
}

// failures collects what is wrong with a request.
type failures []Failure

func (f *failures) add(field, message string) { *f = append(*f, Failure{field, message}) }

// err returns the failures as an error with status 400, or nil.
func (f *failures) err(message string) error {
	if len(*f) == 0 {
		return nil
	}
	e := NewError(http.StatusBadRequest, message)
	e.Details = &Failures{*f}
	return e
}

// Refused returns the error for a request that Dixa refused. answer is what it said.
func Refused(status int, answer string) *Error {
	if status < http.StatusBadRequest {
		status = http.StatusBadGateway
	}
	e := NewError(status, "Dixa refused the request.")
	e.Remote = true
	e.RawResponse, _ = json.Marshal(answer) //nolint:errchkjson // a text can be encoded
	e.Insight = &Insight{Remote: &InsightItem{Description: "What Dixa said.", Value: answer}}
	return e
}
