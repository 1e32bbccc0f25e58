package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/internal/onboarding"
	"github.com/claimflow/claimflow/store"
)

const problemType = "application/problem+json"

// retryAfter is the Retry-After value while the store is down, in seconds.
const retryAfter = "5"

// Problem is the body of every error response.
type Problem struct {
	client.Problem
	header http.Header
}

// Error returns the problem's detail.
func (p *Problem) Error() string { return p.Detail }

// GetStatus implements huma.StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders implements huma.HeadersError.
func (p *Problem) GetHeaders() http.Header { return p.header }

// ContentType implements huma.ContentTypeFilter.
func (p *Problem) ContentType(string) string { return problemType }

// Gives the router's own errors the API's form. The hooks are package variables of
// huma, so they are set once, before any server starts.
func init() {
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		return routerProblem(status, message, errs)
	}
	huma.NewErrorWithContext = func(ctx huma.Context, status int, message string, errs ...error) huma.StatusError {
		p := routerProblem(status, message, errs)
		p.Instance = requestID(ctx.Context())
		return p
	}
}

// routerProblem keeps the router's message for each field but never the value.
func routerProblem(status int, message string, errs []error) *Problem {
	p := newProblem(status, "", sentence(message))
	for _, err := range errs {
		if own := (*Problem)(nil); errors.As(err, &own) {
			return own
		}
		var detailer huma.ErrorDetailer
		if !errors.As(err, &detailer) {
			p.Errors = append(p.Errors, client.FieldError{Field: "body", Message: err.Error()})
			continue
		}
		detail := detailer.ErrorDetail()
		field := detail.Location
		for _, part := range []string{"body.", "query.", "path."} {
			field = strings.TrimPrefix(field, part)
		}
		p.Errors = append(p.Errors, client.FieldError{Field: field, Message: detail.Message})
	}
	switch status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		p.Detail = "The request is invalid."
		if len(p.Errors) == 0 {
			p.Errors = []client.FieldError{{Field: "body", Message: message}}
		}
	case http.StatusRequestEntityTooLarge:
		p.Detail, p.Errors = "The request body is too large.", nil
	case http.StatusInternalServerError:
		// The text of an unforeseen error is for the log only.
		p.Detail, p.Errors = "An internal error occurred. The log of the service has the details under this request id.", nil
	}
	return p
}

var codes = map[int]string{
	http.StatusBadRequest: client.CodeInvalid, http.StatusUnprocessableEntity: client.CodeInvalid,
	http.StatusUnauthorized: client.CodeUnauthorized, http.StatusForbidden: client.CodeForbidden,
	http.StatusNotFound: client.CodeNotFound, http.StatusConflict: client.CodeConflict,
	http.StatusRequestEntityTooLarge: client.CodeTooLarge, http.StatusServiceUnavailable: client.CodeUnavailable,
}

func newProblem(status int, code, detail string) *Problem {
	if code == "" {
		code = codes[status]
	}
	return &Problem{Problem: client.Problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status, Code: code, Detail: detail,
	}}
}

// problemOf converts a handler's error to a problem. An error without a known type
// came from the store: nothing was accepted, and the caller may retry.
func problemOf(ctx context.Context, err error) error {
	p := known(err)
	if p == nil {
		note(ctx, err)
		p = newProblem(http.StatusServiceUnavailable, client.CodeUnavailable,
			"The store is unavailable, so nothing was saved. It is safe to retry.")
		p.header = http.Header{"Retry-After": {retryAfter}}
	}
	p.Instance = requestID(ctx)
	return p
}

func known(err error) *Problem {
	var (
		own        *Problem
		invalid    *claim.InvalidError
		transition *claim.TransitionError
		conflict   *store.ConflictError
		refusal    *onboarding.Refusal
		ended      *store.ImportStateError
	)
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &invalid):
		p := newProblem(http.StatusUnprocessableEntity, "", "Invalid "+invalid.What+".")
		p.Errors = fieldErrors(invalid.Errors)
		return p
	case errors.As(err, &transition):
		return newProblem(http.StatusConflict, "", sentence(transition.Error())+".")
	case errors.As(err, &conflict):
		return newProblem(http.StatusConflict, "", sentence(conflict.Error())+".")
	case errors.As(err, &ended):
		return newProblem(http.StatusConflict, "", sentence(ended.Error())+".")
	case errors.As(err, &refusal):
		p := newProblem(refusalStatus(refusal.Kind), string(refusal.Kind), refusal.Words)
		p.Errors = fieldErrors(refusal.Errors)
		return p
	case errors.Is(err, store.ErrNotFound):
		return newProblem(http.StatusNotFound, "", sentence(err.Error())+".")
	default:
		return nil
	}
}

func refusalStatus(k onboarding.Kind) int {
	switch k {
	case onboarding.TokenMalformed, onboarding.TokenRefused:
		return http.StatusUnprocessableEntity
	case onboarding.Unreachable:
		return http.StatusBadGateway
	default:
		return http.StatusConflict
	}
}

func fieldErrors(errs []claim.FieldError) []client.FieldError {
	out := make([]client.FieldError, 0, len(errs))
	for _, f := range errs {
		out = append(out, client.FieldError{Field: f.Field, Message: f.Problem})
	}
	return out
}

func invalid(what, field, format string, args ...any) error {
	return &claim.InvalidError{What: what, Errors: []claim.FieldError{{Field: field, Problem: fmt.Sprintf(format, args...)}}}
}

// write sends a problem from outside the router.
func (p *Problem) write(w http.ResponseWriter) {
	for name, values := range p.header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", problemType)
	w.WriteHeader(p.Status)
	if data, err := json.Marshal(p.Problem); err == nil {
		_, _ = w.Write(data) // the caller may have disconnected
	}
}

func sentence(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}
