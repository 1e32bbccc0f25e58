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
	"github.com/claimflow/claimflow/kpi"
	"github.com/claimflow/claimflow/store"
	"github.com/claimflow/claimflow/unified"
)

// Service reads objects. Create it with its fields.
type Service struct {
	Store   *store.Store
	Clients *connection.Clients
	// FileURL returns the address of a file of a message at Claimflow.
	FileURL func(connectionID, message, attachment string) string
}

// Request is a request for objects of a resource of an account, which is a connection.
type Request struct {
	Account string
	*unified.Query
}

// Source says where an answer comes from.
type Source struct {
	// Live says that Dixa was asked.
	Live bool
	// At is the time up to which the mirror is known to be complete; zero if unknown.
	At time.Time
}

// Answer is an object or page, encoded as requested.
type Answer struct {
	Body []byte
	Source
}

// reader reads the objects of a resource.
type reader interface {
	// list returns a page. cursor is the text of the request's cursor; empty for the
	// first page. The cursors of the page are texts too.
	list(ctx context.Context, r *Request, cursor string) (unified.Page[unified.Object], Source, error)
	get(ctx context.Context, r *Request, id string) (unified.Object, Source, error)
	filters() *unified.Filters
}

func (s *Service) reader(model, resource string) (reader, error) {
	switch model + "/" + resource {
	case "ticketing/tickets":
		return &tickets{s}, nil
	default:
		return nil, unified.NewError(http.StatusNotFound, "No such resource: "+model+"/"+resource+".")
	}
}

// List answers a list request. raw is the query string.
func (s *Service) List(ctx context.Context, account, model, resource, raw string) (*Answer, error) {
	read, err := s.reader(model, resource)
	if err != nil {
		return nil, err
	}
	query, err := unified.ParseQuery(raw, read.filters())
	if err != nil {
		return nil, err
	}
	r := &Request{Account: account, Query: query}
	bound := []string{account, model, resource, query.Signature()}
	text := ""
	if query.Cursor != "" {
		var ok bool
		if text, ok = s.Store.OpenCursor(query.Cursor, bound...); !ok {
			return nil, unified.NewError(http.StatusBadRequest, "The cursor is not valid for this account and query. Begin without a cursor.")
		}
	}
	page, source, err := read.list(ctx, r, text)
	if err != nil {
		return nil, errorOf(err)
	}
	for _, cursor := range []*string{&page.Next, &page.Previous} {
		if *cursor == "" {
			continue
		}
		if *cursor, err = s.Store.SealCursor(*cursor, bound...); err != nil {
			return nil, err
		}
	}
	body, err := unified.RenderList(query, page)
	return &Answer{Body: body, Source: source}, err
}

// Get answers a request for one object.
func (s *Service) Get(ctx context.Context, account, model, resource, id, raw string) (*Answer, error) {
	read, err := s.reader(model, resource)
	if err != nil {
		return nil, err
	}
	query, err := unified.ParseQuery(raw, nil)
	if err != nil {
		return nil, err
	}
	object, source, err := read.get(ctx, &Request{Account: account, Query: query}, id)
	if err != nil {
		return nil, errorOf(err)
	}
	body, err := unified.Render(query, object)
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
		return unified.NewError(http.StatusUnauthorized, "Dixa refuses the account's token. Save another one.")
	}
	e, ok := dixa.AsError(err)
	if !ok {
		return err
	}
	switch {
	case dixa.IsNotFound(err):
		return notFound()
	case dixa.IsRateLimited(err):
		out := unified.NewError(http.StatusTooManyRequests, "Dixa's request limit is reached. Retry later.")
		out.RetryAfter = max(1, int(e.RetryAfter.Seconds()+0.999))
		out.Insight = &unified.Insight{RateLimit: &unified.InsightItem{Description: "Seconds to wait.", Value: out.RetryAfter}}
		return out
	default:
		return unified.Refused(e.Status, e.Error())
	}
}

func notFound() *unified.Error {
	return unified.NewError(http.StatusNotFound, "The object does not exist, or the mirror does not have it. Use live=true to ask Dixa.")
}

// fresh reports whether the mirror of a connection is complete enough to be read.
func (s *Service) fresh(ctx context.Context, account string) (bool, kpi.Freshness, error) {
	f, err := s.Store.Mirror.Freshness(ctx, account)
	return err == nil && !f.CompleteFrom.IsZero(), f, err
}

// conversationID reads the id of a ticket.
func conversationID(id string) (int64, error) {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || n < 1 || strings.HasPrefix(id, "+") {
		return 0, notFound()
	}
	return n, nil
}
