package client

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
)

const (
	// DefaultTimeout limits one request, from connecting to the last byte.
	DefaultTimeout = 30 * time.Second
	// DefaultRetryFor limits how long a call is retried.
	DefaultRetryFor = 30 * time.Second

	maxReplyBytes = 64 << 20

	apiVersion = "v1"
)

// ErrNoAnswer is wrapped by errors of calls that received no usable response: the
// service may or may not have performed the call.
var ErrNoAnswer = errors.New("no response")

// Client calls the HTTP API of `starter serve`. Create one with [New]. It is safe
// for concurrent use.
type Client struct {
	base      *url.URL
	key       string
	http      *http.Client
	userAgent string
	timeout   time.Duration
	retryFor  time.Duration
	first     time.Duration
}

// Option configures a Client in [New].
type Option func(*Client)

// WithHTTPClient sends requests through h. Its Timeout applies in addition to
// [WithTimeout].
func WithHTTPClient(h *http.Client) Option { return func(c *Client) { c.http = h } }

// WithTimeout limits one request. The default is [DefaultTimeout].
func WithTimeout(d time.Duration) Option { return func(c *Client) { c.timeout = d } }

// WithRetries sets how long a call is retried and the delay before the first retry,
// which doubles with each retry. A total of 0 disables retries. A call is retried if
// no response arrives or the response is 429, 502, 503 or 504, after the delay in
// Retry-After if there is one. A call that is not safe to repeat is retried only if
// the service certainly did nothing. The defaults are [DefaultRetryFor] and half a
// second.
func WithRetries(total, first time.Duration) Option {
	return func(c *Client) { c.retryFor, c.first = total, first }
}

// WithUserAgent names the calling service.
func WithUserAgent(ua string) Option { return func(c *Client) { c.userAgent = ua } }

// New returns a client of the service at baseURL, such as "https://claims.example",
// that authenticates with an API key. Behind a proxy, baseURL may have a path. It
// must not include the "/v1" of the API.
func New(baseURL, apiKey string, opts ...Option) (*Client, error) {
	base, err := url.Parse(baseURL)
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return nil, errors.New("claimflow: the service URL must be an http or https URL such as https://claims.example")
	}
	if path.Base(base.Path) == apiVersion {
		return nil, errors.New("claimflow: the service URL must not include the path of the API: omit /v1, as in https://claims.example")
	}
	c := &Client{
		base: base, key: apiKey, http: &http.Client{}, userAgent: "claimflow-go",
		timeout: DefaultTimeout, retryFor: DefaultRetryFor, first: backoff.DefaultInitialInterval,
	}
	for _, o := range opts {
		o(c)
	}
	return c, nil
}

// BaseURL returns the URL of the service.
func (c *Client) BaseURL() string { return c.base.String() }

// call is one request to the API.
type call struct {
	method string
	path   []string // segments; escaped when sent
	query  url.Values
	body   any    // encoded as JSON; json.RawMessage is sent as is
	accept string // defaults to application/json
	key    string // the Idempotency-Key, if any
	prefer string // the Prefer header, if any
	// maxAge is sent as Cache-Control, if it is not 0.
	maxAge time.Duration
	// once marks a call that must not be sent twice.
	once bool
	// slow marks a call that waits for Dixa or for a claim.
	slow bool
	// status receives the status of the response, if not nil.
	status *int
}

// ask makes a call and returns its decoded reply.
func ask[T any](ctx context.Context, c *Client, k call) (out T, err error) {
	data, err := c.send(ctx, k)
	if err == nil && len(data) > 0 {
		if err = json.Unmarshal(data, &out); err != nil {
			err = fmt.Errorf("claimflow: %s %s: decode the response: %w; do the versions of client and service match?", k.method, k.route(), err)
		}
	}
	return out, err
}

// pages yields the items of all pages. It fetches a page when it is needed and ends
// after an error.
func pages[T any](fetch func(cursor string) (items []T, next string, err error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for cursor, more := "", true; more; more = cursor != "" {
			items, next, err := fetch(cursor)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			cursor = next
		}
	}
}

// send makes a call, retries it if that is safe, and returns the body of the reply.
func (c *Client) send(ctx context.Context, k call) ([]byte, error) {
	body, err := encode(k.body)
	if err != nil {
		return nil, fmt.Errorf("claimflow: %s %s: encode the body: %w", k.method, k.route(), err)
	}
	var last error
	try := func() ([]byte, error) {
		data, err := c.once(ctx, k, body)
		last = err
		var e *Error
		switch {
		case err == nil:
			return data, nil
		case !errors.As(err, &e) && k.once, errors.As(err, &e) && !e.mayRetry(k.once):
			return nil, backoff.Permanent(err)
		case e != nil && e.RetryAfter > 0:
			return nil, &backoff.RetryAfterError{Duration: e.RetryAfter}
		default:
			return nil, err
		}
	}
	if c.retryFor <= 0 {
		return c.once(ctx, k, body)
	}
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval = c.first
	data, err := backoff.Retry(ctx, try, backoff.WithBackOff(pause), backoff.WithMaxElapsedTime(c.retryFor))
	if err != nil && last != nil {
		return nil, last
	}
	return data, err
}

func (c *Client) once(ctx context.Context, k call, body []byte) ([]byte, error) {
	timeout := c.timeout
	if k.slow {
		timeout = max(timeout, 2*time.Minute)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	resp, err := c.open(ctx, k, body)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }() // already read to the end or abandoned
	if k.status != nil {
		*k.status = resp.StatusCode
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxReplyBytes+1))
	if err != nil {
		return nil, fmt.Errorf("claimflow: %s %s: %w: the response was cut off: %w", k.method, k.route(), ErrNoAnswer, err)
	}
	if len(data) > maxReplyBytes {
		return nil, fmt.Errorf("claimflow: %s %s: the response is larger than %d bytes; request less at once", k.method, k.route(), maxReplyBytes)
	}
	if resp.StatusCode >= http.StatusBadRequest {
		return nil, readError(k, resp, data)
	}
	return data, nil
}

// open makes a call and returns the response before its body is read.
func (c *Client) open(ctx context.Context, k call, body []byte) (*http.Response, error) {
	target := c.base.JoinPath(escaped(k.path)...)
	target.RawQuery = k.query.Encode()
	req, err := http.NewRequestWithContext(ctx, k.method, target.String(), bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("claimflow: %s %s: %w", k.method, k.route(), err)
	}
	if k.key != "" {
		req.Header.Set("Idempotency-Key", k.key)
	}
	if k.prefer != "" {
		req.Header.Set("Prefer", k.prefer)
	}
	if k.maxAge != 0 {
		req.Header.Set("Cache-Control", "max-age="+strconv.Itoa(int(k.maxAge.Seconds())))
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return c.do(k, req)
}

// do sends a request as this client and returns the response before its body is read.
func (c *Client) do(k call, req *http.Request) (*http.Response, error) {
	req.Header.Set("User-Agent", c.userAgent)
	req.Header.Set("Accept", cmp.Or(k.accept, "application/json"))
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("claimflow: %s %s: %w: %w; is the service running at %s?", k.method, k.route(), ErrNoAnswer, withoutURL(err), c.base.Redacted())
	}
	return resp, nil
}

// stream sends a request and returns the response, unless it is an error.
func (c *Client) stream(ctx context.Context, k call) (*http.Response, error) {
	body, err := encode(k.body)
	if err != nil {
		return nil, fmt.Errorf("claimflow: %s %s: encode the body: %w", k.method, k.route(), err)
	}
	resp, err := c.open(ctx, k, body)
	if err != nil || resp.StatusCode < http.StatusBadRequest {
		return resp, err
	}
	defer func() { _ = resp.Body.Close() }()                        // it is an error, of which enough was read
	data, _ := io.ReadAll(io.LimitReader(resp.Body, maxReplyBytes)) // an unreadable problem leaves its status
	return nil, readError(k, resp, data)
}

// shopPath returns a path of a shop, or of the platform if shop is empty.
func shopPath(shop string, tail ...string) []string {
	if shop == "" {
		return append([]string{"v1"}, tail...)
	}
	return append([]string{"v1", "shops", shop}, tail...)
}

// query returns parameters from names and values in turn, without those that have no
// value.
func query(pairs ...string) url.Values {
	q := url.Values{}
	for pair := range slices.Chunk(pairs, 2) {
		if pair[1] != "" {
			q.Set(pair[0], pair[1])
		}
	}
	return q
}

// number and instant return the text of a parameter; empty for the zero value.
func number[T int | int64](n T) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(int64(n), 10)
}

func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func (k call) route() string { return "/" + strings.Join(k.path, "/") }

func escaped(path []string) []string {
	out := make([]string, len(path))
	for i, p := range path {
		out[i] = url.PathEscape(p)
		if p == "." || p == ".." { // a name, never another place in the path
			out[i] = strings.ReplaceAll(p, ".", "%2E")
		}
	}
	return out
}

func encode(body any) ([]byte, error) {
	switch b := body.(type) {
	case nil:
		return nil, nil
	case json.RawMessage:
		return b, nil
	default:
		return json.Marshal(b)
	}
}

// withoutURL strips the URL from a net/http error, because the message already names
// it.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
