package dixa

import (
	"context"
	"fmt"
	"iter"
	"net/url"
	"strconv"
)

// identified is implemented by response types that are useless without an id.
type identified interface{ identified() bool }

type envelope[T any] struct {
	Data *T        `json:"data"`
	Meta *pageMeta `json:"meta"`
}

type pageMeta struct {
	Next string `json:"next"`
}

// run makes a call whose response has no data.
func run(ctx context.Context, c *Client, op Operation, params Params) error {
	req, err := c.NewRequest(ctx, op, params)
	if err != nil {
		return err
	}
	_, err = c.Do(req, nil)
	return err
}

// fetch makes a call that returns {"data": T}.
func fetch[T any](ctx context.Context, c *Client, op Operation, params Params) (*T, error) {
	data, _, err := fetchPage[T](ctx, c, op, params)
	return data, err
}

// fetchAll makes a call that returns {"data": [T, ...]} without pages.
func fetchAll[T any](ctx context.Context, c *Client, op Operation, params Params) ([]*T, error) {
	data, _, err := fetchPage[list[T]](ctx, c, op, params)
	if err != nil {
		return nil, err
	}
	return *data, nil
}

func fetchPage[T any](ctx context.Context, c *Client, op Operation, params Params) (*T, *pageMeta, error) {
	req, err := c.NewRequest(ctx, op, params)
	if err != nil {
		return nil, nil, err
	}
	var reply checked[T]
	if _, err := c.Do(req, &reply); err != nil {
		return nil, nil, err
	}
	return reply.Data, reply.Meta, nil
}

// checked is an envelope that fails to decode without its data or id. A write whose
// response lacks the id therefore fails as Ambiguous, and a missing list is never
// mistaken for an empty one.
type checked[T any] envelope[T]

// UnmarshalJSON decodes the envelope and rejects one without usable data.
func (e *checked[T]) UnmarshalJSON(b []byte) error {
	if err := decode(b, (*envelope[T])(e)); err != nil {
		return err
	}
	if e.Data == nil {
		return fmt.Errorf(`%w: "data" is missing`, ErrMalformedResponse)
	}
	if v, ok := any(e.Data).(identified); ok && !v.identified() {
		return fmt.Errorf(`%w: "data" has no id`, ErrMalformedResponse)
	}
	return nil
}

type list[T any] []*T

func (l list[T]) identified() bool {
	for _, item := range l {
		if item == nil {
			return false
		}
		if v, ok := any(item).(identified); ok && !v.identified() {
			return false
		}
	}
	return true
}

// fetchPages yields the items of all pages. It requests each page on demand and
// stops after an error.
func fetchPages[T any](ctx context.Context, c *Client, op Operation, params Params) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		params := params
		seen := map[string]bool{}
		for {
			items, meta, err := fetchPage[list[T]](ctx, c, op, params)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, item := range *items {
				if !yield(item, nil) {
					return
				}
			}
			if meta == nil || meta.Next == "" {
				return
			}
			key, err := c.nextPage(meta.Next)
			if err == nil && seen[key.Get("pageKey")] {
				err = fmt.Errorf("%w: the next-page link points to a page that was already read", ErrMalformedResponse)
			}
			if err != nil {
				yield(nil, failure(op, Error{Outcome: Rejected, Err: err}))
				return
			}
			seen[key.Get("pageKey")] = true
			params.Query = key
		}
	}
}

// nextPage returns the query of a next-page link. It ignores the path: the link is
// relative to the API's root, which differs from a base URL with a path prefix. The
// page key carries the filters and the page size.
func (c *Client) nextPage(link string) (url.Values, error) {
	next, err := c.base.Parse(link)
	if err != nil {
		return nil, fmt.Errorf("%w: the next-page link is not a valid URL", ErrMalformedResponse)
	}
	if next.Scheme != c.base.Scheme || next.Host != c.base.Host {
		return nil, fmt.Errorf("follow the next-page link: %w", ErrForeignHost)
	}
	query := next.Query()
	if query.Get("pageKey") == "" {
		return nil, fmt.Errorf("%w: the next-page link has no pageKey", ErrMalformedResponse)
	}
	return query, nil
}

// failed returns a sequence that yields only an error.
func failed[T any](err error) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) { yield(nil, err) }
}

func pageQuery(limit int) url.Values {
	q := url.Values{}
	if limit > 0 {
		q.Set("pageLimit", strconv.Itoa(limit))
	}
	return q
}

// setNonEmpty sets a parameter if value is not empty and returns how many it set.
func setNonEmpty(q url.Values, name, value string) int {
	if value == "" {
		return 0
	}
	q.Set(name, value)
	return 1
}
