package dixa

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	jsonv1 "github.com/go-json-experiment/json/v1"
)

const (
	maxErrorBytes = 64 << 10
	maxRetryAfter = 24 * time.Hour
)

// exchange makes one HTTP request. If Dixa responded, the Response is non-nil even
// with an error.
func (c *Client) exchange(req *Request, out any) (*Response, error) {
	if c.readOnly && !req.op.safe() {
		return nil, failure(req.op, Error{Outcome: Unsent, Err: ErrReadOnly})
	}
	if c.budget != nil {
		if err := c.budget.Take(req.http.Context()); err != nil {
			exceeded, _ := budgetExceeded(err)
			return nil, failure(req.op, Error{
				Outcome: Unsent, Retryable: true, RetryAfter: exceeded.RetryAfter,
				Err: fmt.Errorf("take from the request budget: %w", err),
			})
		}
	}
	if err := req.http.Context().Err(); err != nil {
		return nil, failure(req.op, Error{Outcome: Unsent, Retryable: true, Err: err})
	}

	ctx, cancel := context.WithTimeout(req.http.Context(), c.timeout)
	defer cancel()
	var progress progress
	httpReq := req.http.WithContext(httptrace.WithClientTrace(ctx, progress.trace()))
	httpReq.Header = req.Header.Clone()
	c.authorize(httpReq.Header)
	httpResp, err := c.http.Do(httpReq)
	if errors.Is(err, ErrReadOnly) {
		return nil, failure(req.op, Error{Outcome: Unsent, Err: ErrReadOnly})
	}
	if err != nil {
		return nil, failure(req.op, Error{Outcome: progress.outcome(), Retryable: true, Err: c.transportError(err)})
	}
	defer func() { _ = httpResp.Body.Close() }() // safe to ignore: the body was read or is not needed

	resp := &Response{Status: httpResp.StatusCode, Header: httpResp.Header}
	if resp.Status < 200 || resp.Status > 299 {
		return resp, c.refusal(req.op, httpResp)
	}
	if err := c.readResponse(httpResp.Body, out); err != nil {
		return resp, failure(req.op, Error{
			Status: resp.Status, Outcome: Ambiguous, Err: err,
			Retryable: !errors.Is(err, ErrResponseTooLarge),
		})
	}
	return resp, nil
}

// bodyReader is a result that reads the response body itself.
type bodyReader interface{ readBody(io.Reader) error }

// readResponse reads the body of a 2xx response into out.
func (c *Client) readResponse(body io.Reader, out any) error {
	if stream, ok := out.(bodyReader); ok {
		return c.transportError(stream.readBody(body))
	}
	data, err := readBounded(body, c.maxBytes)
	if err != nil {
		return c.transportError(err)
	}
	return decode(data, out)
}

// refusal converts a non-2xx response into an error.
func (c *Client) refusal(op Operation, resp *http.Response) error {
	e := Error{Status: resp.StatusCode, RetryAfter: ParseRetryAfter(resp.Header.Get("Retry-After"), time.Now())}
	switch status := resp.StatusCode; {
	case status >= 500:
		e.Outcome = Ambiguous
		e.Retryable = status != http.StatusNotImplemented && status != http.StatusHTTPVersionNotSupported
	case status >= 400:
		e.Outcome = Rejected
		e.Retryable = status == http.StatusTooManyRequests || status == http.StatusRequestTimeout || status == http.StatusTooEarly
	case status == http.StatusMovedPermanently, status == http.StatusTemporaryRedirect, status == http.StatusPermanentRedirect:
		e.Outcome = Rejected
		e.Err = redirectError(resp)
	default:
		// Services commonly use other redirects to report success.
		e.Outcome = Ambiguous
		e.Err = redirectError(resp)
	}
	body, err := readBounded(resp.Body, maxErrorBytes)
	if err != nil {
		body = nil // the status decides the outcome; the message is optional
	}
	var said struct {
		Message string `json:"message"`
	}
	if jsonv1.Unmarshal(body, &said) == nil {
		message := c.redact(strings.ToValidUTF8(said.Message, "\uFFFD"))
		if c.filter != nil && message != "" {
			message = c.filter(resp.Request.Context(), message)
		}
		e.Message = shorten(message)
	}
	if e.Message == "" && e.Err == nil {
		e.Err = ErrNoMessage
	}
	return failure(op, e)
}

func redirectError(resp *http.Response) error {
	location, err := resp.Location()
	if err == nil && (location.Host != resp.Request.URL.Host || location.Scheme != resp.Request.URL.Scheme) {
		return fmt.Errorf("redirected: %w", ErrForeignHost)
	}
	return ErrRedirected
}

// transportError strips the URL that net/http adds, because it may contain an email
// address in a filter.
func (c *Client) transportError(err error) error {
	var withURL *url.Error
	if errors.As(err, &withURL) {
		return withURL.Err
	}
	return err
}

func readBounded(r io.Reader, limit int64) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read the response: %w", err)
	}
	if int64(len(body)) > limit {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrResponseTooLarge, limit)
	}
	return body, nil
}

// decode rejects a body that is not JSON even if out is nil: a proxy's page with
// status 200 does not prove that Dixa did anything.
func decode(body []byte, out any) error {
	if out == nil {
		if trimmed := bytes.TrimSpace(body); len(trimmed) > 0 && !jsonv1.Valid(trimmed) {
			return fmt.Errorf("%w: the body is not valid JSON", ErrMalformedResponse)
		}
		return nil
	}
	if err := jsonv1.Unmarshal(body, out); err != nil {
		if errors.Is(err, ErrMalformedResponse) {
			return err
		}
		return fmt.Errorf("%w: %w", ErrMalformedResponse, describeJSONError(err))
	}
	return nil
}

// describeJSONError keeps the position of a decoding error and drops the value.
func describeJSONError(err error) error {
	var syntax *jsonv1.SyntaxError
	var kind *jsonv1.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("invalid JSON at byte %d", syntax.Offset)
	case errors.As(err, &kind):
		return fmt.Errorf("member %q has an unexpected type, want %s", kind.Field, kind.Type)
	default:
		return err
	}
}

// ParseRetryAfter parses both forms of RFC 9110 section 10.2.3, seconds and a date.
// It returns 0 for any other value and for a date in the past, and at most one day.
func ParseRetryAfter(header string, now time.Time) time.Duration {
	header = strings.TrimSpace(header)
	if seconds, err := strconv.ParseUint(header, 10, 31); err == nil {
		return min(time.Duration(seconds)*time.Second, maxRetryAfter)
	}
	at, err := http.ParseTime(header)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), maxRetryAfter)
}

// progress records how far a request got. The hooks may run on other goroutines and
// after the request has failed.
type progress struct {
	asked     atomic.Bool // a connection was requested: the transport reports
	connected atomic.Bool // the latest attempt got a connection
	written   atomic.Bool // at least one attempt was written completely
}

func (p *progress) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn: func(string) {
			// A second request for a connection means that net/http found the last
			// one dead before any byte of the request was sent.
			p.connected.Store(false)
			p.asked.Store(true)
		},
		GotConn: func(httptrace.GotConnInfo) { p.connected.Store(true) },
		WroteRequest: func(info httptrace.WroteRequestInfo) {
			if info.Err == nil {
				p.written.Store(true)
			}
		},
	}
}

// outcome returns Unsent only if it is certain. Once there is a connection, bytes
// may have been sent that no hook has reported yet.
func (p *progress) outcome() Outcome {
	if p.asked.Load() && !p.connected.Load() && !p.written.Load() {
		return Unsent
	}
	return Ambiguous
}
