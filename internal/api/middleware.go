package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"

	"github.com/felixge/httpsnoop"
	"github.com/google/uuid"

	"github.com/claimflow/claimflow/claim"
)

// request is the state that middleware and handlers share during one request.
type request struct {
	id string
	// pattern is the route that serves the request.
	pattern string
	// key is the API key of the request.
	key *claim.Key
	// changed is what the audit log records as changed.
	changed map[string]string
	// refused is a one-word reason why an event was rejected.
	refused string
	// err is an internal error, for the log.
	err error
}

type requestKey struct{}

func of(ctx context.Context) *request {
	if r, ok := ctx.Value(requestKey{}).(*request); ok {
		return r
	}
	return &request{}
}

func requestID(ctx context.Context) string { return of(ctx).id }

// note records an error for the request's log line.
func note(ctx context.Context, err error) { of(ctx).err = err }

// recordChange records what a command changed for the audit log: field names and ids,
// never secrets or personal data.
func recordChange(ctx context.Context, name, value string) {
	r := of(ctx)
	if r.changed == nil {
		r.changed = map[string]string{}
	}
	if value != "" {
		r.changed[name] = value
	}
}

// requestIDHeader carries the request id that the caller sent or that was generated.
const requestIDHeader = "X-Request-Id"

// withRequestID gives every request an id: the caller's if it is a valid UUID,
// otherwise a new one.
func (a *api) withRequestID(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get(requestIDHeader)
		if _, err := uuid.Parse(id); err != nil {
			id = uuid.NewString()
		}
		w.Header().Set(requestIDHeader, id)
		ctx := context.WithValue(r.Context(), requestKey{}, &request{id: id})
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// withAccessLog writes one line per request. It logs the route and never the address, whose
// query may hold an order number, nor a body.
func (a *api) withAccessLog(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m := httpsnoop.CaptureMetrics(next, w, r)
		about := of(r.Context())
		level := slog.LevelInfo
		attrs := []slog.Attr{
			slog.String("route", about.pattern), slog.Int("status", m.Code),
			slog.Int64("took_ms", m.Duration.Milliseconds()), slog.String("request_id", about.id),
		}
		if about.key != nil {
			attrs = append(attrs, slog.String("key", about.key.ID))
		}
		if about.refused != "" {
			attrs = append(attrs, slog.String("refused", about.refused))
		}
		if about.err != nil {
			level = slog.LevelError
			if errors.Is(r.Context().Err(), context.Canceled) {
				level = slog.LevelInfo // the caller did not wait for the answer
			}
			attrs = append(attrs, slog.String("error", about.err.Error()))
		}
		if quiet(r.URL.Path) && m.Code < http.StatusBadRequest {
			level = slog.LevelDebug
		}
		a.Log.LogAttrs(r.Context(), level, "request", attrs...)
	})
}

func quiet(path string) bool {
	return slices.Contains([]string{"/healthz", "/readyz", "/metrics"}, path)
}

// withRecovery answers a panic with problem details instead of a dropped connection.
func (a *api) withRecovery(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			cause := recover()
			if cause == nil {
				return
			}
			if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(cause)
			}
			a.Log.ErrorContext(r.Context(), "panic in a request handler", "request_id", requestID(r.Context()),
				"panic", cause, "stack", string(debug.Stack()))
			p := newProblem(http.StatusInternalServerError, "", "An internal error occurred. The log of the service has the details under this request id.")
			p.Instance = requestID(r.Context())
			if a.inUnifiedShape(r) {
				a.writeUnifiedError(w, r, p)
				return
			}
			p.write(w)
		}()
		if pattern, serve := a.unifiedRoute(r); serve != nil {
			of(r.Context()).pattern, r.Pattern = pattern, pattern
			if err := serve(w, r); err != nil {
				a.writeUnifiedError(w, r, err)
			}
			return
		}
		_, pattern := mux.Handler(r)
		of(r.Context()).pattern = pattern
		mux.ServeHTTP(w, r)
	})
}

// notFound answers requests that no route serves: 405 if the address supports
// another method, otherwise 404.
func notFound(mux *http.ServeMux) http.Handler {
	methods := []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := newProblem(http.StatusNotFound, "", "No such route. See /docs for the API.")
		for _, method := range methods {
			other := r.Clone(r.Context())
			other.Method = method
			if _, pattern := mux.Handler(other); pattern != "/" {
				if p.header == nil {
					p = newProblem(http.StatusMethodNotAllowed, "", "This route does not support "+r.Method+".")
					p.header = http.Header{}
				}
				p.header.Add("Allow", method)
			}
		}
		p.Instance = requestID(r.Context())
		p.write(w)
	})
}
