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

// Option configures a Client in New. Each refuses an unusable argument.
type Option func(*Client) error

// Call describes one finished call for an observer (see WithObserver).
type Call struct {
	// Operation, Method and Path are those of the Operation: Path is a template,
	// so that none of the three carries an id or personal data.
	Operation string
	Method    string
	Path      string
	// Status is Dixa's HTTP status, 0 where none was received.
	Status int
	// Err is what the caller was given: nil or an *Error.
	Err error
	// Duration runs from the call's start to the last byte of the reply, the
	// wait for the budget included.
	Duration time.Duration
}

// WithBaseURL sends requests to another address than DefaultBaseURL, such as
// an emulator. It must be an absolute http or https URL without user, query or
// fragment; a missing trailing slash is added.
func WithBaseURL(raw string) Option {
	return func(c *Client) error {
		u, err := url.Parse(raw)
		switch {
		case err != nil:
			return errors.New("dixa: base URL: it cannot be parsed; want one like " + DefaultBaseURL)
		case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
			return errors.New("dixa: base URL: want an absolute http or https URL like " + DefaultBaseURL)
		case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
			return errors.New("dixa: base URL: it must carry no user, query or fragment")
		}
		if !strings.HasSuffix(u.Path, "/") {
			u = u.JoinPath("/")
		}
		c.base = u
		return nil
	}
}

// WithBudget asks the budget before every request (see Budget). Without it
// nothing holds the client to Dixa's limits.
func WithBudget(b Budget) Option {
	return func(c *Client) error {
		if b == nil {
			return errors.New("dixa: budget: it is nil; leave the option out to have none")
		}
		c.budget = b
		return nil
	}
}

// WithMaxResponseBytes bounds the body of one reply after decompression;
// beyond it the call fails with ErrResponseTooLarge. Defaults to
// DefaultMaxResponseBytes.
func WithMaxResponseBytes(n int64) Option {
	return func(c *Client) error {
		if n < 1 {
			return fmt.Errorf("dixa: maximum response size: %d bytes, want at least 1", n)
		}
		c.maxBytes = n
		return nil
	}
}

// WithMessageFilter passes every message of Dixa's that becomes an Error's
// Message through f, after the token, e-mail addresses and phone numbers were
// masked. Dixa may repeat what it was sent; a caller who knows what was personal
// in it can take it out. What KnownMessage knows must stay as it is.
func WithMessageFilter(f func(ctx context.Context, message string) string) Option {
	return func(c *Client) error {
		if f == nil {
			return errors.New("dixa: message filter: it is nil; leave the option out to have none")
		}
		c.filter = f
		return nil
	}
}

// WithObserver calls f after every call that was sent or attempted, refused
// ones included, from the goroutine that made it. May be given several times.
func WithObserver(f func(Call)) Option {
	return func(c *Client) error {
		if f == nil {
			return errors.New("dixa: observer: it is nil")
		}
		c.observers = append(c.observers, f)
		return nil
	}
}

// WithReadOnly refuses every request that could change something in Dixa: all
// but GET, HEAD, and the queries that Dixa takes by POST (/search/conversations,
// /analytics/metrics and /analytics/records). The error is ErrReadOnly with the
// outcome Unsent, before anything leaves or the budget is asked. The client's
// transport holds to it as well, whichever options follow.
func WithReadOnly() Option {
	return func(c *Client) error {
		c.readOnly = true
		return nil
	}
}

// WithTimeout bounds one request from connecting to the last byte of its
// reply; the wait for the budget does not count. Defaults to DefaultTimeout.
func WithTimeout(d time.Duration) Option {
	return func(c *Client) error {
		if d <= 0 {
			return fmt.Errorf("dixa: timeout: %s, want more than 0", d)
		}
		c.timeout = d
		return nil
	}
}

// WithTransport sends requests through rt, which must not retry and must not
// follow redirects. Where rt does not report to net/http/httptrace no failed
// write of it is called Unsent. Defaults to one of the client's own that
// heeds the proxy settings of the environment.
func WithTransport(rt http.RoundTripper) Option {
	return func(c *Client) error {
		if rt == nil {
			return errors.New("dixa: transport: it is nil")
		}
		c.http.Transport = rt
		return nil
	}
}

// WithUserAgent sets the User-Agent header.
func WithUserAgent(ua string) Option {
	return func(c *Client) error {
		if ua == "" || strings.ContainsFunc(ua, func(r rune) bool { return r < 0x20 || r > 0x7e }) {
			return errors.New("dixa: user agent: want at least one character and only printable ASCII")
		}
		c.userAgent = ua
		return nil
	}
}
