package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/internal/unify"
	"github.com/claimflow/claimflow/unified"
)

const unifiedPath = "/unified/"

// Headers of answers of the unified API.
const (
	// sourceHeader is mirror or dixa.
	sourceHeader = "X-Claimflow-Source"
	// asOfHeader is the time up to which the source is complete, in RFC 3339.
	asOfHeader = "X-Claimflow-As-Of"
	// completeFromHeader is how far back the mirror's conversations reach, in RFC 3339.
	completeFromHeader = "X-Claimflow-Complete-From"
)

// setTime sets a header to a time unless it is zero.
func setTime(w http.ResponseWriter, name string, at time.Time) {
	if !at.IsZero() {
		w.Header().Set(name, at.UTC().Format(time.RFC3339))
	}
}

// withoutDoubledSlashes removes the slash that a client adds if its base address ends
// in one. The router would redirect it, which costs a round trip.
func withoutDoubledSlashes(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "//") {
			u := *r.URL
			u.Path = "/" + strings.TrimLeft(u.Path, "/")
			u.RawPath = strings.TrimLeft(u.RawPath, "/")
			if u.RawPath != "" {
				u.RawPath = "/" + u.RawPath
			}
			r = r.Clone(r.Context())
			r.URL = &u
		}
		next.ServeHTTP(w, r)
	})
}

// serveUnified answers /unified/{model}/{resource}[/{id}], …/meta/{method} and
// …/attachments/{id}/download. Ids may contain escaped slashes.
func (a *api) serveUnified(w http.ResponseWriter, r *http.Request) error {
	beside, err := a.besideObjects(r.URL)
	if err != nil {
		return err
	}
	if beside != nil {
		return beside(w, r)
	}
	if a.Unified == nil {
		return unified.NewError(http.StatusServiceUnavailable, "The unified API is not available.")
	}
	model, resource, id, err := unifiedAddress(r.URL)
	if err != nil {
		return err
	}
	write := func(method string) func() error {
		return func() error { return a.writeUnified(w, r, model, resource, id, method) }
	}
	read := func() error { return a.readUnified(w, r, model, resource, id) }
	switch {
	case id == "":
		return only(w, r, map[string]func() error{http.MethodGet: read, http.MethodPost: write(unified.MethodCreate)})
	case r.Method == http.MethodPost:
		return unified.NewError(http.StatusNotFound, "The resource "+resource+" has no method "+id+".")
	default:
		return only(w, r, map[string]func() error{
			http.MethodGet: read, http.MethodPatch: write(unified.MethodUpdate), http.MethodPut: write(unified.MethodUpdate), http.MethodDelete: write(unified.MethodDelete),
		})
	}
}

// readUnified answers with an object, or with a page of them if id is empty.
func (a *api) readUnified(w http.ResponseWriter, r *http.Request, model, resource, id string) error {
	account, err := a.account(w, r, client.ScopeUnifiedRead)
	if err != nil {
		return err
	}
	var answer *unify.Answer
	if id == "" {
		answer, err = a.Unified.List(r.Context(), account, model, resource, r.URL.RawQuery)
	} else {
		answer, err = a.Unified.Get(r.Context(), account, model, resource, id, r.URL.RawQuery)
	}
	if err != nil {
		return err
	}
	answered(w, answer)
	return nil
}

// unifiedAddress splits an address. Ids are percent-encoded as a whole.
func unifiedAddress(u *url.URL) (model, resource, id string, err error) {
	parts := strings.Split(strings.TrimPrefix(u.EscapedPath(), unifiedPath), "/")
	if len(parts) == 3 && parts[2] == "" {
		parts = parts[:2] // a trailing slash
	}
	if len(parts) < 2 || len(parts) > 3 {
		return "", "", "", unified.NewError(http.StatusNotFound, "No such address. It has the form /unified/{model}/{resource}/{id}.")
	}
	for i := range parts {
		if parts[i], err = url.PathUnescape(parts[i]); err != nil {
			return "", "", "", unified.NewError(http.StatusBadRequest, "The address is not percent-encoded correctly.")
		}
	}
	return parts[0], parts[1], strings.Join(parts[2:], ""), nil
}

// writeUnifiedError writes an error in the shape of the unified API.
func (a *api) writeUnifiedError(w http.ResponseWriter, r *http.Request, err error) {
	var e *unified.Error
	if !errors.As(err, &e) {
		var p *Problem
		errors.As(problemOf(r.Context(), err), &p)
		for name, values := range p.header {
			w.Header()[name] = values
		}
		e = unified.NewError(p.Status, p.Detail)
	}
	if isScim(r) {
		writeScimError(w, e)
		return
	}
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(e.RetryAfter))
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(e.StatusCode)
	_ = json.NewEncoder(w).Encode(e) //nolint:errchkjson // its raw members are JSON, and the caller may have disconnected
}
