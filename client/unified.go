package client

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Models of the unified API.
const (
	ModelTicketing     = "ticketing"
	ModelUserDirectory = "user-directory"
)

// Resource is a resource of the unified API of one account, such as tickets. Its objects
// are decoded as T: a struct with the members that the program needs, such as one of
// package unified, or json.RawMessage for all of them. Create it with [ResourceOf].
type Resource[T any] struct {
	client *Client
	path   []string
	query  url.Values
}

// ResourceOf returns a resource of an account. The model is [ModelTicketing] or
// [ModelUserDirectory]. The account may be empty if the client has an account token.
func ResourceOf[T any](c *Client, account, model, resource string) Resource[T] {
	return Resource[T]{client: c, path: []string{"unified", model, resource}, query: query("integrated_account_id", account)}
}

// UnifiedPage is a page of a list.
type UnifiedPage[T any] struct {
	Items []T `json:"result"`
	// Next and Previous are cursors; nil at the end and at the start.
	Next     *string `json:"next_cursor"`
	Previous *string `json:"prev_cursor"`
	Count    int     `json:"result_count"`
}

// Page returns one page of the objects that a query selects: filters by field, such as
// "status" or "created_at[gt]", "sort_by[created_at]", "limit", "live", and "next_cursor"
// or "prev_cursor" of another page.
func (r Resource[T]) Page(ctx context.Context, q url.Values) (UnifiedPage[T], error) {
	return ask[UnifiedPage[T]](ctx, r.client, call{method: http.MethodGet, path: r.path, query: r.with(q), slow: true})
}

// List yields the objects that a query selects, as in [Resource.Page], and fetches pages
// on demand. It ends after an error.
func (r Resource[T]) List(ctx context.Context, q url.Values) iter.Seq2[T, error] {
	return pages(func(cursor string) ([]T, string, error) {
		if cursor != "" {
			q = maps.Clone(q)
			if q == nil {
				q = url.Values{}
			}
			q.Set("next_cursor", cursor)
		}
		page, err := r.Page(ctx, q)
		if page.Next == nil {
			return page.Items, "", err
		}
		return page.Items, *page.Next, err
	})
}

// Get returns an object. The query may have "live" and parameters of the answer's form.
func (r Resource[T]) Get(ctx context.Context, id string, q url.Values) (T, error) {
	return ask[T](ctx, r.client, call{method: http.MethodGet, path: r.of(id), query: r.with(q), slow: true})
}

// Create creates an object from the members of body, and returns it. key is the
// Idempotency-Key: a repeated call with the same key and body creates nothing. If it is
// empty, the call has a key of its own, which its retries share. Create waits until the
// write is done, also if it takes longer than one request.
func (r Resource[T]) Create(ctx context.Context, body any, key string) (T, error) {
	return write[T](ctx, r.client, call{method: http.MethodPost, path: r.path, query: r.query, body: body}, key)
}

// Update changes the members of an object that body has, and returns the object. The
// rest is as in [Resource.Create].
func (r Resource[T]) Update(ctx context.Context, id string, body any, key string) (T, error) {
	return write[T](ctx, r.client, call{method: http.MethodPatch, path: r.of(id), query: r.query, body: body}, key)
}

// Delete deletes an object. The rest is as in [Resource.Create].
func (r Resource[T]) Delete(ctx context.Context, id, key string) error {
	_, err := write[json.RawMessage](ctx, r.client, call{method: http.MethodDelete, path: r.of(id), query: r.query}, key)
	return err
}

func (r Resource[T]) of(id string) []string { return append(r.path[:len(r.path):len(r.path)], id) }

func (r Resource[T]) with(q url.Values) url.Values {
	all := maps.Clone(q)
	if all == nil {
		all = url.Values{}
	}
	maps.Copy(all, r.query)
	return all
}

// Values of [Operation.Status].
const (
	OperationRunning = "running"
	OperationDone    = "done"
	OperationFailed  = "failed"
)

// Operation is a write through the unified API. It is kept for 72 hours after it ended.
type Operation struct {
	ID     string `json:"id"`
	Status string `json:"status" enum:"running,done,failed"`
	URL    string `json:"url" doc:"Where to read the operation again."`
	// Result is the answer of a write that is done, Error that of one that failed.
	Result     json.RawMessage `json:"result,omitempty" doc:"The answer of a write that is done."`
	Error      json.RawMessage `json:"error,omitempty" doc:"The error of a write that failed."`
	CreatedAt  time.Time       `json:"created_at"`
	FinishedAt *time.Time      `json:"finished_at,omitempty"`
}

// Operation returns a write and, if it has ended, its result.
func (c *Client) Operation(ctx context.Context, id string) (Operation, error) {
	return ask[Operation](ctx, c, call{method: http.MethodGet, path: []string{"operations", id}})
}

// operationPoll is the time between two looks at a write that takes longer.
const operationPoll = time.Second

// write makes a call that changes something, and waits for its result.
func write[T any](ctx context.Context, c *Client, k call, key string) (out T, err error) {
	status := 0
	k.slow, k.status, k.key = true, &status, cmp.Or(key, rand.Text())
	answer, err := c.send(ctx, k)
	if err != nil {
		return out, err
	}
	if status == http.StatusAccepted {
		if answer, err = c.awaitOperation(ctx, k, answer); err != nil {
			return out, err
		}
	}
	if err := json.Unmarshal(answer, &out); err != nil {
		return out, fmt.Errorf("claimflow: %s %s: decode the response: %w; do the versions of client and service match?", k.method, k.route(), err)
	}
	return out, nil
}

// awaitOperation waits for a write and returns its result.
func (c *Client) awaitOperation(ctx context.Context, k call, accepted []byte) (json.RawMessage, error) {
	var op Operation
	if err := json.Unmarshal(accepted, &op); err != nil || op.ID == "" {
		return nil, fmt.Errorf("claimflow: %s %s: the service accepted the write but named no operation; do the versions of client and service match?", k.method, k.route())
	}
	tick := time.NewTicker(operationPoll)
	defer tick.Stop()
	for op.Status == OperationRunning {
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("claimflow: %s %s: operation %s is still running: %w", k.method, k.route(), op.ID, ctx.Err())
		case <-tick.C:
		}
		next, err := c.Operation(ctx, op.ID)
		if err != nil {
			return nil, err
		}
		op = next
	}
	if op.Status == OperationDone {
		return op.Result, nil
	}
	p, ok := unifiedProblem(op.Error)
	if !ok {
		return nil, fmt.Errorf("claimflow: %s %s: operation %s failed", k.method, k.route(), op.ID)
	}
	return nil, &Error{Problem: p}
}

// sourceHeader says in an answer where it comes from.
const sourceHeader = "X-Claimflow-Source"

// Proxy passes a request on to the Dixa of an account and returns Dixa's answer, whose
// status may be an error of Dixa. path is that of Dixa's documentation below /v1, with
// its values percent-encoded. The caller closes the answer's body. Neither body is held
// in memory, and the request is not retried. If the request did not reach Dixa or Dixa
// did not answer, the error is an [*Error] or wraps [ErrNoAnswer].
func (c *Client) Proxy(ctx context.Context, account, method, path string, q url.Values, body io.Reader) (*http.Response, error) {
	k := call{method: method, path: []string{"proxy", strings.Trim(path, "/")}}
	target, err := url.Parse(c.base.JoinPath("proxy").String() + "/" + strings.Trim(path, "/"))
	if err != nil || target.RawQuery != "" || target.Fragment != "" {
		return nil, fmt.Errorf("claimflow: %s %s: the path is not a valid URL path; pass parameters as the query", method, k.route())
	}
	all := query("integrated_account_id", account)
	maps.Copy(all, q)
	target.RawQuery = all.Encode()
	req, err := http.NewRequestWithContext(ctx, method, target.String(), body)
	if err != nil {
		return nil, fmt.Errorf("claimflow: %s %s: %w", method, k.route(), err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.do(k, req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode < http.StatusBadRequest || resp.Header.Get(sourceHeader) == "dixa" {
		return resp, nil
	}
	defer func() { _ = resp.Body.Close() }() // it is an error, of which enough was read
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxReplyBytes))
	if err != nil {
		return nil, fmt.Errorf("claimflow: %s %s: %w: the response was cut off: %w", method, k.route(), ErrNoAnswer, err)
	}
	return nil, readError(k, resp, data)
}
