// Package unify reads and writes the objects of the unified API: from the mirror where
// it is fresh, otherwise from Dixa. Both give the same objects.
package unify

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/internal/todixa/connection"
	"github.com/claimflow/claimflow/store"
	"github.com/claimflow/claimflow/unified"
)

// Service reads objects. Create it with its fields.
type Service struct {
	Store   *store.Store
	Clients *connection.Clients
	// PublicURL is the address of Claimflow's API, for the addresses of files. Empty
	// makes them relative.
	PublicURL string
	// MaxAge is how old the mirror may be. Requests are answered by Dixa if it is older.
	// Defaults to [DefaultMaxAge].
	MaxAge time.Duration
	// Start starts the workflow of an operation. If it fails or is nil, a worker starts it
	// within a minute.
	Start func(context.Context, store.OperationRef) error

	cache cache
	fresh freshness
}

// DefaultMaxAge is twice the interval of imports.
const DefaultMaxAge = 2 * time.Hour

// Request is a request for objects of a resource of an account, which is a connection.
type Request struct {
	Account string
	*unified.Query
}

// asksDixa reports whether the request cannot be answered by the mirror.
func (r *Request) asksDixa() bool { return r.Live || len(r.Remote) > 0 }

// Source says where an answer comes from.
type Source struct {
	// Live says that Dixa was asked.
	Live bool
	// At is the time up to which the answer is known to be complete; zero if unknown.
	At time.Time
	// From is how far back the mirror's conversations reach; zero if Dixa was asked or
	// if the answer does not depend on it.
	From time.Time
}

func liveNow() Source { return Source{Live: true, At: time.Now()} }

// Answer is an object or page, encoded as requested.
type Answer struct {
	Body []byte
	Source
}

// reader reads the objects of a resource.
type reader interface {
	// list returns a page. cursor is the text of the request's cursor; empty for the
	// first page. The cursors of the page are texts too.
	list(ctx context.Context, r *Request, cursor string) (unified.Page, Source, error)
	get(ctx context.Context, r *Request, id string) (unified.Object, Source, error)
}

func (s *Service) reader(model, resource string) reader {
	switch model + "/" + resource {
	case "ticketing/tickets":
		return &tickets{s}
	case "ticketing/comments":
		return &comments{s}
	case "ticketing/attachments":
		return &attachments{s}
	case "ticketing/contacts":
		return &contacts{s}
	default:
		return s.definitions(resource)
	}
}

// prepare parses a request. raw is the query string.
func (s *Service) prepare(account, model, resource, method, raw string) (reader, *Request, error) {
	res, err := unified.ResourceOf(model, resource)
	if err != nil {
		return nil, nil, err
	}
	m, ok := res.Method(method)
	if !ok || m.Support == unified.Unsupported {
		return nil, nil, res.Refusal(method)
	}
	query, err := unified.ParseQuery(raw, m.Filters())
	if err != nil {
		return nil, nil, err
	}
	return s.reader(model, resource), &Request{Account: account, Query: query}, nil
}

// List answers a list request. raw is the query string.
func (s *Service) List(ctx context.Context, account, model, resource, raw string) (*Answer, error) {
	read, r, err := s.prepare(account, model, resource, unified.MethodList, raw)
	if err != nil {
		return nil, err
	}
	mapping, err := s.mapping(ctx, account, resource)
	if err != nil {
		return nil, err
	}
	if !mapping.Resolve(resource, r.Query) {
		body, err := unified.RenderList(r.Query, unified.Page{})
		return &Answer{Body: body}, err
	}
	bound := []string{account, model, resource, r.Signature()}
	text := ""
	if r.Cursor != "" {
		var ok bool
		if text, ok = s.Store.OpenCursor(r.Cursor, bound...); !ok {
			return nil, unified.NewError(http.StatusBadRequest, "The cursor is not valid for this account and query. Begin without a cursor.")
		}
	}
	page, source, err := read.list(ctx, r, text)
	if err != nil {
		s.Clients.ConfirmRefusal(ctx, account, err)
		return nil, errorOf(err)
	}
	for _, o := range page.Items {
		mapping.Apply(o)
	}
	for _, cursor := range []*string{&page.Next, &page.Previous} {
		if *cursor == "" {
			continue
		}
		if *cursor, err = s.Store.SealCursor(*cursor, bound...); err != nil {
			return nil, err
		}
	}
	body, err := unified.RenderList(r.Query, page)
	return &Answer{Body: body, Source: source}, err
}

// Get answers a request for one object.
func (s *Service) Get(ctx context.Context, account, model, resource, id, raw string) (*Answer, error) {
	read, r, err := s.prepare(account, model, resource, unified.MethodGet, raw)
	if err != nil {
		return nil, err
	}
	object, source, err := read.get(ctx, r, id)
	if e, ok := dixa.AsError(err); ok && e.Status == http.StatusBadRequest {
		err = notFound() // Dixa refuses ids that are none
	}
	if err != nil {
		s.Clients.ConfirmRefusal(ctx, account, err)
		return nil, errorOf(err)
	}
	mapping, err := s.mapping(ctx, account, resource)
	if err != nil {
		return nil, err
	}
	mapping.Apply(object)
	body, err := unified.Render(r.Query, object)
	return &Answer{Body: body, Source: source}, err
}

// errorOf converts an error of the store or of Dixa to one of the unified API. Others
// are returned as they are.
func errorOf(err error) error {
	var own *unified.Error
	var token *connection.NeedsTokenError
	if errors.As(err, &own) {
		return err
	}
	if errors.As(err, &token) {
		return unified.TokenRefused()
	}
	if errors.Is(err, dixa.ErrInvalidArgument) {
		return unified.NewError(http.StatusBadRequest, "The request cannot be sent to Dixa: "+err.Error()+".")
	}
	e, ok := dixa.AsError(err)
	if !ok {
		return err
	}
	switch {
	case dixa.IsNotFound(err):
		return notFound()
	case dixa.IsRateLimited(err):
		return unified.RateLimited("Dixa's request limit is reached. Retry later.", max(1, int(e.RetryAfter.Seconds()+0.999)))
	default:
		return unified.Refused(e.Status, e.Error())
	}
}

func notFound() *unified.Error {
	return unified.NewError(http.StatusNotFound, "The object does not exist, or the mirror does not have it. Use live=true to ask Dixa.")
}

// conversationID reads the id of a ticket.
func conversationID(id string) (int64, error) {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || n < 1 || strings.HasPrefix(id, "+") {
		return 0, notFound()
	}
	return n, nil
}
