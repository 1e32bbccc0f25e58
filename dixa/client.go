package dixa

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	// DefaultBaseURL is the base URL that New uses unless WithBaseURL sets another.
	DefaultBaseURL = "https://dev.dixa.io/v1/"

	// DefaultTimeout bounds one request, from connecting to the last byte of the
	// response.
	DefaultTimeout = 30 * time.Second

	// MaxResponseBytes bounds one response body, after decompression. A call with a
	// larger response fails with ErrResponseTooLarge.
	MaxResponseBytes int64 = 32 << 20

	defaultUserAgent = "claimflow-dixa"

	// A shorter token belongs to an emulator; masking it would garble Dixa's
	// messages.
	minRedactedToken = 8
)

// ErrTokenFormat is wrapped by New's error if the token is malformed: it is empty,
// contains or is surrounded by whitespace, or has characters that are not allowed in
// a header. The error text never contains the token.
var ErrTokenFormat = errors.New("the Dixa API token is malformed")

// Client calls the Dixa API with one token. Create it with New. It is safe for
// concurrent use. Do not copy it.
type Client struct {
	Agents           *AgentsService
	Analytics        *AnalyticsService
	Anonymization    *AnonymizationService
	BusinessHours    *BusinessHoursService
	ContactEndpoints *ContactEndpointsService
	Conversations    *ConversationsService
	CustomAttributes *CustomAttributesService
	EndUsers         *EndUsersService
	Organization     *OrganizationService
	Queues           *QueuesService
	Tags             *TagsService
	Teams            *TeamsService
	Webhooks         *WebhooksService

	base      *url.URL
	budget    Budget
	http      *http.Client
	maxBytes  int64
	observers []func(Call)
	filter    func(context.Context, string) string
	readOnly  bool
	timeout   time.Duration
	userAgent string

	// Closures keep the token out of any formatted output of a Client.
	authorize func(http.Header)
	redact    func(string) string
}

type service struct{ client *Client }

// New returns a client that sends the token unmodified in the Authorization header.
// It makes no request. The error wraps ErrTokenFormat for a malformed token and
// otherwise names the rejected option.
func New(token string, opts ...Option) (*Client, error) {
	if err := checkToken(token); err != nil {
		return nil, err
	}
	c := &Client{
		http: &http.Client{
			Transport: newTransport(),
			CheckRedirect: func(*http.Request, []*http.Request) error {
				return http.ErrUseLastResponse
			},
		},
		maxBytes:  MaxResponseBytes,
		timeout:   DefaultTimeout,
		userAgent: defaultUserAgent,
		authorize: func(h http.Header) { h.Set("Authorization", token) },
		redact: func(s string) string {
			if len(token) >= minRedactedToken {
				s = strings.ReplaceAll(s, token, "[token]")
			}
			return redactPersonal(s)
		},
	}
	for _, opt := range append([]Option{WithBaseURL(DefaultBaseURL)}, opts...) {
		if err := opt(c); err != nil {
			return nil, err
		}
	}
	if c.readOnly {
		c.http.Transport = readOnlyTransport{base: c.base.Path, next: c.http.Transport}
	}
	s := service{client: c}
	c.Agents = &AgentsService{s}
	c.Analytics = &AnalyticsService{s}
	c.Anonymization = &AnonymizationService{s}
	c.BusinessHours = &BusinessHoursService{s}
	c.ContactEndpoints = &ContactEndpointsService{s}
	c.Conversations = &ConversationsService{s}
	c.CustomAttributes = &CustomAttributesService{s}
	c.EndUsers = &EndUsersService{s}
	c.Organization = &OrganizationService{s}
	c.Queues = &QueuesService{s}
	c.Tags = &TagsService{s}
	c.Teams = &TeamsService{s}
	c.Webhooks = &WebhooksService{s}
	return c, nil
}

// newTransport keeps idle connections for less time than most servers do, because a
// write on a connection that the server has just closed is Ambiguous.
func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		ForceAttemptHTTP2:   true,
		IdleConnTimeout:     30 * time.Second,
		MaxIdleConnsPerHost: 16,
		TLSHandshakeTimeout: 10 * time.Second,
	}
}

func checkToken(token string) error {
	switch {
	case token == "":
		return fmt.Errorf("%w: it is empty; copy a token from Dixa under Settings > Integrations > API Tokens", ErrTokenFormat)
	case strings.TrimSpace(token) != token:
		return fmt.Errorf("%w: it has leading or trailing whitespace; paste only the token", ErrTokenFormat)
	case strings.Contains(token, " "):
		return fmt.Errorf("%w: it contains a space; paste only the token, without a prefix such as Bearer", ErrTokenFormat)
	}
	for _, r := range token {
		if r < 0x21 || r > 0x7e {
			return fmt.Errorf("%w: it contains a control character or a non-ASCII character; copy the token again", ErrTokenFormat)
		}
	}
	return nil
}

// BaseURL returns the base URL for requests, ending in a slash.
func (c *Client) BaseURL() string { return c.base.String() }

// Operation identifies one operation of the API.
type Operation struct {
	// Name is "Service.Method", such as "Conversations.Create".
	Name string
	// Method is the HTTP method.
	Method string
	// Path is the path template relative to the base URL, such as
	// "/conversations/{conversationId}/tags".
	Path string
}

// safe reports whether the operation cannot change anything in Dixa.
func (o Operation) safe() bool { return OnlyReads(o.Method, o.Path) }

// Params are the variable parts of a request.
type Params struct {
	// Path fills the placeholders of Operation.Path in order. Values are strings or
	// int64s; empty strings and non-positive integers are rejected.
	Path []any
	// Query is the query string.
	Query url.Values
	// Body is encoded as JSON; nil sends no body.
	Body any
}

// Request is a request built by Client.NewRequest. Client.Do sends it once.
type Request struct {
	// Header accepts additional headers before the request is sent. Authorization is
	// overwritten.
	Header http.Header

	http *http.Request
	op   Operation
}

// NewRequest builds a request for an operation. Use it with Do to call operations
// that have no method of their own; every service is built on both. An error is an
// *Error with the outcome Unsent that wraps ErrInvalidArgument.
func (c *Client) NewRequest(ctx context.Context, op Operation, params Params) (*Request, error) {
	path, err := expandPath(op.Path, params.Path)
	if err != nil {
		return nil, invalid(op, err)
	}
	target, err := url.Parse(c.base.String() + path)
	if err != nil {
		return nil, invalid(op, errors.New("the operation's path is not a valid URL path"))
	}
	target.RawQuery = params.Query.Encode()
	var body io.Reader
	if params.Body != nil {
		encoded, err := encodeJSON(params.Body)
		if err != nil {
			return nil, invalid(op, err)
		}
		body = bytes.NewReader(encoded)
	}
	req, err := http.NewRequestWithContext(ctx, op.Method, target.String(), body)
	if err != nil {
		return nil, invalid(op, errors.New("the operation's method or the context is invalid"))
	}
	req.GetBody = nil // net/http must not resend a write; see the package comment
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.userAgent)
	return &Request{Header: req.Header, http: req, op: op}, nil
}

// Response is the status and header of a response whose body was decoded.
type Response struct {
	Status int
	Header http.Header
}

// Do sends a request once and decodes the whole response into out. If out is nil, it
// discards the response JSON. Every failure is an *Error.
func (c *Client) Do(req *Request, out any) (*Response, error) {
	started := time.Now()
	resp, err := c.exchange(req, out)
	call := Call{
		Operation: req.op.Name,
		Method:    req.op.Method,
		Path:      req.op.Path,
		Err:       err,
		Duration:  time.Since(started),
	}
	if resp != nil {
		call.Status = resp.Status
	}
	for _, observe := range c.observers {
		observe(call)
	}
	return resp, err
}

func expandPath(template string, values []any) (string, error) {
	var b strings.Builder
	rest := strings.TrimPrefix(template, "/")
	for _, value := range values {
		before, after, found := strings.Cut(rest, "{")
		name, tail, closed := strings.Cut(after, "}")
		if !found || !closed {
			return "", fmt.Errorf("%w: too many path values (%d) for %s", ErrInvalidArgument, len(values), template)
		}
		segment, err := pathSegment(name, value)
		if err != nil {
			return "", err
		}
		b.WriteString(before + segment)
		rest = tail
	}
	if strings.Contains(rest, "{") {
		return "", fmt.Errorf("%w: too few path values (%d) for %s", ErrInvalidArgument, len(values), template)
	}
	return b.String() + rest, nil
}

func pathSegment(name string, value any) (string, error) {
	switch v := value.(type) {
	case int64:
		if v <= 0 {
			return "", fmt.Errorf("%w: %s must be positive", ErrInvalidArgument, name)
		}
		return strconv.FormatInt(v, 10), nil
	case string:
		if v == "" || v == "." || v == ".." {
			return "", fmt.Errorf("%w: %s is missing", ErrInvalidArgument, name)
		}
		return url.PathEscape(v), nil
	default:
		return "", fmt.Errorf("%w: %s has type %T, want string or int64", ErrInvalidArgument, name, value)
	}
}

func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("%w: encode the body: %w", ErrInvalidArgument, err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
