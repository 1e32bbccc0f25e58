package dixa

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
)

var (
	searchOperation   = Operation{"Conversations.Search", http.MethodPost, searchPath}
	endUsersOperation = Operation{"EndUsers.List", http.MethodGet, "/endusers"}
)

// SearchPage returns one page of Search, for callers that resume later. An empty after
// returns the first page. Otherwise after is the next value of the previous page, and q
// must be the same. next is empty after the last page. It is unknown how long Dixa
// accepts a next value, and whether conversations that come in move others to another
// page.
//
// Dixa: POST /v1/search/conversations.
func (s *ConversationsService) SearchPage(ctx context.Context, q SearchQuery, after string) (hits []*SearchHit, next string, err error) {
	return fetchOnePage[SearchHit](ctx, s.client, searchOperation, Params{Query: pageQuery(q.PageLimit), Body: q.body()}, after)
}

// ListPage returns one page of List, for callers that resume later. An empty after
// returns the first page. Otherwise after is the next value of the previous page, and
// filter is ignored. next is empty after the last page.
//
// Dixa: GET /v1/endusers.
func (s *EndUsersService) ListPage(ctx context.Context, filter EndUserFilter, after string) (users []*EndUser, next string, err error) {
	query, err := filter.query()
	if err != nil {
		return nil, "", invalid(endUsersOperation, err)
	}
	return fetchOnePage[EndUser](ctx, s.client, endUsersOperation, Params{Query: query}, after)
}

// fetchOnePage returns a page and the encoded query of the one after it. A non-empty
// after replaces the query of params.
func fetchOnePage[T any](ctx context.Context, c *Client, op Operation, params Params, after string) (items []*T, next string, err error) {
	if after != "" {
		if params.Query, err = url.ParseQuery(after); err != nil {
			return nil, "", invalid(op, fmt.Errorf("%w: after is not a cursor that a previous page returned", ErrInvalidArgument))
		}
	}
	found, meta, err := fetchPage[list[T]](ctx, c, op, params)
	if err != nil {
		return nil, "", err
	}
	if meta == nil || meta.Next == "" {
		return *found, "", nil
	}
	key, err := c.nextPage(meta.Next)
	if err == nil && key.Encode() == after {
		err = fmt.Errorf("%w: the next-page link points to the same page", ErrMalformedResponse)
	}
	if err != nil {
		return nil, "", failure(op, Error{Outcome: Rejected, Err: err})
	}
	return *found, key.Encode(), nil
}
