package dixa

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Option configures a Client in New. Every option rejects an invalid argument.
type Option func(*Client) error

// Call describes one finished call for an observer (see WithObserver).
type Call struct {
	// Operation, Method and Path come from the Operation. Path is a template, so
	// none of the three contains an id or personal data.
	Operation string
	Method    string
	Path      string
	// Status is Dixa's HTTP status, or 0 if no response was received.
	Status int
	// Err is the error that the caller received: nil or an *Error.
	Err error
	// Duration runs from the start of the call to the last byte of the response and
	// includes the wait for the budget.
	Duration time.Duration
}

// WithBaseURL replaces DefaultBaseURL, for example with an emulator's URL. It must
// be an absolute http or https URL without user, query or fragment. A missing
// trailing slash is added.
func WithBaseURL(raw string) Option {
	return func(c *Client) error {
		u, err := url.Parse(raw)
		switch {
		case err != nil:
			return errors.New("dixa: base URL: not a valid URL; use one such as " + DefaultBaseURL)
		case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
			return errors.New("dixa: base URL: must be an absolute http or https URL such as " + DefaultBaseURL)
		case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
			return errors.New("dixa: base URL: must not contain a user, query or fragment")
		}
		if !strings.HasSuffix(u.Path, "/") {
			u = u.JoinPath("/")
		}
		c.base = u
		return nil
	}
}

// WithBudget takes from the budget before every request (see Budget). Without it,
// the client does not enforce Dixa's rate limits.
func WithBudget(b Budget) Option {
	return func(c *Client) error {
		if b == nil {
			return errors.New("dixa: budget: must not be nil; omit the option to send requests without a budget")
		}
		c.budget = b
		return nil
	}
}

// WithMessageFilter passes every Dixa message through f before it becomes an Error's
// Message, after the token, email addresses and phone numbers are masked. Dixa may
// echo request data, so a caller that knows which parts are personal can remove
// them. f must not alter messages that KnownMessage recognizes.
func WithMessageFilter(f func(ctx context.Context, message string) string) Option {
	return func(c *Client) error {
		if f == nil {
			return errors.New("dixa: message filter: must not be nil; omit the option to leave messages unfiltered")
		}
		c.filter = f
		return nil
	}
}

// WithObserver calls f after every call that was sent or attempted, including
// rejected ones, on the calling goroutine. It may be given several times.
func WithObserver(f func(Call)) Option {
	return func(c *Client) error {
		if f == nil {
			return errors.New("dixa: observer: must not be nil")
		}
		c.observers = append(c.observers, f)
		return nil
	}
}

// WithReadOnly rejects every request that could change something in Dixa. It allows
// only GET, HEAD, and the queries that Dixa takes by POST (/search/conversations,
// /analytics/metrics and /analytics/records). A rejected call fails with ErrReadOnly
// and the outcome Unsent before it takes from the budget or sends anything. The
// client's transport enforces this too, regardless of later options.
func WithReadOnly() Option {
	return func(c *Client) error {
		c.readOnly = true
		return nil
	}
}

// WithTimeout bounds one request, from connecting to the last byte of the response.
// The wait for the budget does not count. The default is DefaultTimeout.
func WithTimeout(d time.Duration) Option {
	return func(c *Client) error {
		if d <= 0 {
			return fmt.Errorf("dixa: timeout: must be greater than 0, got %s", d)
		}
		c.timeout = d
		return nil
	}
}

// WithTransport sends requests through rt, which must not retry and must not follow
// redirects. If rt does not report to net/http/httptrace, its failed writes are
// never classified as Unsent. The default is a transport that honors the proxy
// settings of the environment.
func WithTransport(rt http.RoundTripper) Option {
	return func(c *Client) error {
		if rt == nil {
			return errors.New("dixa: transport: must not be nil")
		}
		c.http.Transport = rt
		return nil
	}
}

// WithUserAgent sets the User-Agent header.
func WithUserAgent(ua string) Option {
	return func(c *Client) error {
		if ua == "" || strings.ContainsFunc(ua, func(r rune) bool { return r < 0x20 || r > 0x7e }) {
			return errors.New("dixa: user agent: must be non-empty and contain only printable ASCII")
		}
		c.userAgent = ua
		return nil
	}
}
