// Package scim serves SCIM 2.0 (RFC 7643, RFC 7644) over the agents and teams of a Dixa
// organization, so that identity providers can provision them. Writes are operations of
// the unified API, which carries each of them out once.
package scim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/claimflow/claimflow/internal/unify"
	"github.com/claimflow/claimflow/store"
)

const (
	// maxBody bounds the body of a request, in bytes.
	maxBody = 1 << 20
	// defaultCount and maxCount are how many resources a page has.
	defaultCount = 100
	maxCount     = 200
	// retryAfter is when to ask again for a write that is still running, in seconds.
	retryAfter = 5
)

// Service serves users and groups. Create it with its fields.
type Service struct {
	Store   *store.Store
	Unified *unify.Service
	// Wait is how long a request waits for its write.
	Wait time.Duration
}

// Caller is who sent a request, and for which account.
type Caller struct {
	// Account is the connection.
	Account string
	// Shop is the shop that the API key is limited to; empty for none.
	Shop string
	// Base is the address of the service, such as https://example.com/scim/v2.
	Base string
	// Documentation is the address of its documentation.
	Documentation string
	// Wrote is called with every write that was accepted.
	Wrote func(unify.WriteRequest, *unify.Written)
}

// Serve answers a request. path is the address below the base, such as /Users/1. The
// error is an [*Error], one that [AsError] converts, or internal; nothing has been written
// then.
func (s *Service) Serve(w http.ResponseWriter, r *http.Request, c *Caller, path string) error {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	for i := range parts {
		var err error
		if parts[i], err = url.PathUnescape(parts[i]); err != nil {
			return wrong(invalidSyntax, "The address is not percent-encoded correctly.")
		}
	}
	id := ""
	if len(parts) > 1 {
		id = parts[1]
	}
	q := r.URL.Query()
	shown := shownOf(q)
	switch name := strings.ToLower(parts[0]); {
	case len(parts) > 2:
	case name == "serviceproviderconfig" && id == "", name == "resourcetypes", name == "schemas":
		if err := onlyGet(r); err != nil {
			return err
		}
		if q.Get("filter") != "" {
			return &Error{Status: http.StatusForbidden, Detail: "This address has no filters."}
		}
		found, err := discovery(c, name, id)
		if err != nil {
			return err
		}
		writeJSON(w, http.StatusOK, found)
		return nil
	case name == "users":
		return s.serve(w, r, shown, users, id, &userRequests{s, c})
	case name == "groups":
		return s.serve(w, r, shown, groups, id, &groupRequests{s, c, shown})
	case name == "me":
		return unsupported("An API key is no user. Ask for /Users.")
	case name == "bulk", name == ".search":
		return unsupported("Bulk requests and searches by POST are not supported. Send requests one by one; lists take a filter.")
	}
	return &Error{Status: http.StatusNotFound, Detail: "No such address. There are /Users, /Groups, /ServiceProviderConfig, /ResourceTypes and /Schemas."}
}

// requests carries out the requests for the resources of a type. Each returns the
// resource as it is afterwards.
type requests interface {
	list(ctx context.Context, m *match) ([]map[string]any, error)
	get(ctx context.Context, id string) (map[string]any, error)
	create(ctx context.Context, in map[string]any) (map[string]any, error)
	replace(ctx context.Context, id string, in map[string]any) (map[string]any, error)
	patch(ctx context.Context, id string, ops []operation) (map[string]any, error)
	remove(ctx context.Context, id string) error
}

func (s *Service) serve(w http.ResponseWriter, r *http.Request, shown shown, t *resourceType, id string, do requests) error {
	ctx := r.Context()
	respond := func(status int, resource map[string]any, err error) error {
		if err != nil {
			return err
		}
		if status == http.StatusCreated {
			w.Header().Set("Location", locationOf(resource))
		}
		writeJSON(w, status, shown.of(t, resource))
		return nil
	}
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case reads && id == "":
		return s.page(w, r, t, do, shown)
	case r.Method == http.MethodPost && id == "":
		in, err := body(w, r)
		if err != nil {
			return err
		}
		if in, err = t.canonical(in); err != nil {
			return err
		}
		made, err := do.create(ctx, in)
		return respond(http.StatusCreated, made, err)
	case id == "":
		return notAllowed(r)
	case reads:
		found, err := do.get(ctx, id)
		return respond(http.StatusOK, found, err)
	case r.Method == http.MethodPut:
		in, err := body(w, r)
		if err != nil {
			return err
		}
		if in, err = t.canonical(in); err != nil {
			return err
		}
		now, err := do.replace(ctx, id, in)
		return respond(http.StatusOK, now, err)
	case r.Method == http.MethodPatch:
		in, err := body(w, r)
		if err != nil {
			return err
		}
		ops, err := t.operations(in)
		if err != nil {
			return err
		}
		now, err := do.patch(ctx, id, ops)
		return respond(http.StatusOK, now, err)
	case r.Method == http.MethodDelete:
		if err := do.remove(ctx, id); err != nil {
			return err
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	default:
		return notAllowed(r)
	}
}

// page answers a list. Resources are in the order of their ids.
func (s *Service) page(w http.ResponseWriter, r *http.Request, t *resourceType, do requests, shown shown) error {
	q := r.URL.Query()
	m, err := t.parseFilter(q.Get("filter"))
	if err != nil {
		return err
	}
	start, err := number(q, "startIndex", 1)
	if err != nil {
		return err
	}
	count, err := number(q, "count", defaultCount)
	if err != nil {
		return err
	}
	start, count = max(1, start), min(max(0, count), maxCount)
	all, err := do.list(r.Context(), m)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(resource map[string]any) bool { return !m.holds(resource) })
	slices.SortFunc(all, func(a, b map[string]any) int { return strings.Compare(scalar(a[attrID]), scalar(b[attrID])) })
	from := min(start-1, len(all))
	page := []map[string]any{}
	for _, resource := range all[from:min(len(all), from+count)] {
		page = append(page, shown.of(t, resource))
	}
	writeJSON(w, http.StatusOK, listOf(page, len(all), start))
	return nil
}

func listOf(page []map[string]any, total, start int) map[string]any {
	return map[string]any{attrSchemas: []string{schemaList}, "totalResults": total, "startIndex": start, "itemsPerPage": len(page), "Resources": page}
}

func number(q url.Values, name string, otherwise int) (int, error) {
	text := q.Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, wrong(invalidValue, "The parameter "+name+" must be a number.")
	}
	return n, nil
}

// shown says which attributes an answer has.
type shown struct {
	only, except []string
}

func shownOf(q url.Values) shown {
	split := func(name string) (all []string) {
		for _, part := range strings.Split(strings.Join(q[name], ","), ",") {
			if part = strings.TrimSpace(part); part != "" {
				all = append(all, part)
			}
		}
		return all
	}
	return shown{split("attributes"), split("excludedAttributes")}
}

// has reports whether an answer has an attribute.
func (s shown) has(t *resourceType, name string) bool {
	named := func(all []string, whole bool) bool {
		return slices.ContainsFunc(all, func(a string) bool {
			short, _ := t.own(a)
			top, _, part := strings.Cut(short, ".")
			return strings.EqualFold(top, name) && (!whole || !part)
		})
	}
	if len(s.only) > 0 {
		return named(s.only, false)
	}
	return !named(s.except, true)
}

// of returns a resource with the attributes that are shown. The id and the schemas are
// always.
func (s shown) of(t *resourceType, resource map[string]any) map[string]any {
	out := map[string]any{}
	for name, v := range resource {
		if name == attrID || name == attrSchemas || s.has(t, name) {
			out[name] = v
		}
	}
	return out
}

func metaOf(c *Caller, t *resourceType, id, created string) map[string]any {
	m := map[string]any{"resourceType": t.name, "location": c.Base + t.endpoint + "/" + url.PathEscape(id)}
	if created != "" {
		m["created"] = created
	}
	return m
}

func locationOf(resource map[string]any) string {
	m, _ := resource[attrMeta].(map[string]any)
	return scalar(m["location"])
}

// body reads a JSON object under any content type.
func body(w http.ResponseWriter, r *http.Request) (map[string]any, error) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, &Error{Status: http.StatusRequestEntityTooLarge, Detail: fmt.Sprintf("The body is larger than %d MiB.", maxBody>>20)}
	}
	if err != nil {
		return nil, wrong(invalidSyntax, "The body could not be read.")
	}
	var in map[string]any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if d.Decode(&in) != nil || in == nil || d.More() {
		return nil, wrong(invalidSyntax, "The body is not a JSON object.")
	}
	return in, nil
}
