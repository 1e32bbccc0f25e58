package api

import (
	"context"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// route is one line of the index in routes.go.
type route struct {
	operation huma.Operation
	// body is the type that documents a body that the handler parses.
	body reflect.Type
	// required lists the members that such a body must have.
	required []string
	// document adds what the router cannot derive about the operation.
	document func(huma.API, *huma.Operation)
	register func(huma.API)
}

// Operation metadata that the middleware reads.
const (
	metaScope   = "scope"   // the scope that a key needs
	metaAudit   = "audit"   // the action in the audit log; missing if the route is not audited
	metaTimeout = "timeout" // how long the work may take
)

// newRoute creates a route. name is the operation id; scope is the scope that the API key
// needs.
func newRoute[I, O any](pattern, name, summary, tag, scope string, handle func(context.Context, *I) (*O, error), options ...func(*route)) route {
	method, path, _ := strings.Cut(pattern, " ")
	r := route{operation: huma.Operation{
		OperationID: name, Method: method, Path: path, Summary: summary, Tags: []string{tag},
		Security: []map[string][]string{{apiKeyScheme: {}}},
		Metadata: map[string]any{metaScope: scope, metaTimeout: requestTimeout},
		Errors:   []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusServiceUnavailable},
	}}
	if method != http.MethodGet {
		r.operation.Metadata[metaAudit] = name
	}
	if strings.Contains(path, "{shop}") {
		r.operation.Parameters = []*huma.Param{shopParameter()}
		r.operation.Errors = append(r.operation.Errors, http.StatusUnprocessableEntity)
	}
	for _, o := range options {
		o(&r)
	}
	r.register = func(spec huma.API) {
		r.operation.Responses = map[string]*huma.Response{}
		if r.body != nil {
			r.operation.Errors = append(r.operation.Errors, http.StatusBadRequest, http.StatusUnsupportedMediaType)
			r.operation.RequestBody = &huma.RequestBody{Required: true}
		}
		huma.Register(spec, r.operation, func(ctx context.Context, in *I) (*O, error) {
			out, err := handle(ctx, in)
			if err != nil {
				return nil, problemOf(ctx, err)
			}
			return out, nil
		})
		if r.body != nil {
			schema := *spec.OpenAPI().Components.Schemas.Schema(r.body, false, name)
			schema.Required, schema.AdditionalProperties = r.required, nil
			r.operation.RequestBody.Content["application/json"] = &huma.MediaType{Schema: &schema}
		}
		if r.document != nil {
			r.document(spec, &r.operation)
		}
	}
	return r
}

// withDescription adds a longer description.
func withDescription(text string) func(*route) {
	return func(r *route) { r.operation.Description = text }
}

// withRequestBody documents and bounds a body that the handler parses. required lists the
// members that it must have.
func withRequestBody[T any](maxBytes int64, required ...string) func(*route) {
	return func(r *route) {
		r.body, r.required = reflect.TypeFor[T](), required
		r.operation.MaxBodyBytes = maxBytes
		r.operation.SkipValidateBody = true
	}
}

// withErrors documents further error statuses.
func withErrors(statuses ...int) func(*route) {
	return func(r *route) { r.operation.Errors = append(r.operation.Errors, statuses...) }
}

// withoutAudit keeps a route out of the audit log, because it changes nothing or
// because claims come in through it.
func withoutAudit(r *route) { delete(r.operation.Metadata, metaAudit) }

// withLongTimeout marks a route that makes many calls to Dixa.
func withLongTimeout(r *route) { r.operation.Metadata[metaTimeout] = talkTimeout }

// withStreaming marks a route whose answer may be long.
func withStreaming(r *route) { r.operation.Metadata[metaTimeout] = streamTimeout }

// withStatus sets the success status.
func withStatus(status int) func(*route) {
	return func(r *route) { r.operation.DefaultStatus = status }
}

func timeoutOf(op *huma.Operation) time.Duration {
	if d, ok := op.Metadata[metaTimeout].(time.Duration); ok {
		return d
	}
	return requestTimeout
}
