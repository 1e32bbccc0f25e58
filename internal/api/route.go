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
	// body is the type that documents a body which is read by hand.
	body reflect.Type
	// required are the members that such a body must have.
	required []string
	// document completes what the router cannot know of the operation.
	document func(huma.API, *huma.Operation)
	register func(huma.API)
}

// Metadata of operations that the middleware reads.
const (
	metaScope   = "scope"   // the scope that a key needs
	metaAudit   = "audit"   // the action in the audit log; missing: not a change
	metaTimeout = "timeout" // how long the work may take
)

// at makes a route: name is the operation's id, scope what an API key needs.
func at[I, O any](pattern, name, summary, tag, scope string, handle func(context.Context, *I) (*O, error), options ...func(*route)) route {
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

// says adds a longer description.
func says(text string) func(*route) {
	return func(r *route) { r.operation.Description = text }
}

// takes documents a body that the handler reads by hand, with the members that
// it must have, and bounds it.
func takes[T any](maxBytes int64, required ...string) func(*route) {
	return func(r *route) {
		r.body, r.required = reflect.TypeFor[T](), required
		r.operation.MaxBodyBytes = maxBytes
		r.operation.SkipValidateBody = true
	}
}

// mayFail documents further errors.
func mayFail(statuses ...int) func(*route) {
	return func(r *route) { r.operation.Errors = append(r.operation.Errors, statuses...) }
}

// unaudited marks a route that changes nothing, or a claim's own way in.
func unaudited(r *route) { delete(r.operation.Metadata, metaAudit) }

// talks marks a route that asks Dixa many things.
func talks(r *route) { r.operation.Metadata[metaTimeout] = talkTimeout }

// answers sets the status of success.
func answers(status int) func(*route) {
	return func(r *route) { r.operation.DefaultStatus = status }
}

func timeoutOf(op *huma.Operation) time.Duration {
	if d, ok := op.Metadata[metaTimeout].(time.Duration); ok {
		return d
	}
	return requestTimeout
}
