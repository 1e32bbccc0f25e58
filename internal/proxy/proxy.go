// Package proxy passes requests on to Dixa's API one to one: method, path, query, body
// and status stay as they are, and both bodies are streamed. It adds the token of a
// connection, keeps to the token's request budget, and never sends anything to another
// host or outside of the API's base address.
package proxy

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"slices"
	"strings"
	"time"

	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/internal/todixa/connection"
	"github.com/claimflow/claimflow/store"
	"github.com/claimflow/claimflow/unified"
)

// Defaults of [Options].
const (
	DefaultMaxRequest  int64 = 16 << 20
	DefaultMaxResponse int64 = 64 << 20
	DefaultTimeout           = 100 * time.Second
	DefaultBodyTimeout       = 30 * time.Second
)

// Options configure a proxy. A zero field has its default.
type Options struct {
	// Clients know the connections' tokens, budgets and Dixa's address. Required.
	Clients *connection.Clients
	// MaxRequest and MaxResponse bound the bodies, in bytes.
	MaxRequest, MaxResponse int64
	// Timeout bounds a request, from the wait for the budget to the last byte of the
	// answer.
	Timeout time.Duration
	// BodyTimeout is how long a request's body may take to arrive.
	BodyTimeout time.Duration
	// Transport carries the requests. Defaults to a transport of its own.
	Transport http.RoundTripper
}

// Proxy passes requests on to Dixa. It is safe for concurrent use.
type Proxy struct {
	Options
}

// New returns a proxy.
func New(o Options) *Proxy {
	o.MaxRequest, o.MaxResponse = cmp.Or(o.MaxRequest, DefaultMaxRequest), cmp.Or(o.MaxResponse, DefaultMaxResponse)
	o.Timeout, o.BodyTimeout = cmp.Or(o.Timeout, DefaultTimeout), cmp.Or(o.BodyTimeout, DefaultBodyTimeout)
	if o.Transport == nil {
		o.Transport = &http.Transport{
			Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 16,
			// Less than most servers keep a connection, so that a write does not meet a
			// connection that the server has just closed.
			IdleConnTimeout: 30 * time.Second, TLSHandshakeTimeout: 10 * time.Second,
		}
	}
	return &Proxy{o}
}

// Passed says what was passed on, for the audit log.
type Passed struct {
	// Path is the path below Dixa's base address without anything personal.
	Path string
	// Status is Dixa's answer; 0 if there was none.
	Status int
	// Write says that Dixa got a request that may have changed something.
	Write bool
}

// Serve passes a request on to the Dixa of a connection and writes its answer. escaped
// is the escaped path below Dixa's base address. If an [*unified.Error] is returned,
// nothing has been written. If an answer breaks off or exceeds its bound after it has
// begun, Serve panics with [http.ErrAbortHandler], which closes the connection to the
// caller. passed is complete in every case.
func (p *Proxy) Serve(w http.ResponseWriter, r *http.Request, connectionID, escaped string, passed *Passed) error {
	to, err := p.check(r, escaped)
	if err != nil {
		return err
	}
	passed.Path = to.loggable()
	ctx, cancel := context.WithTimeout(r.Context(), p.Timeout)
	defer cancel()
	passage, err := p.Clients.Passage(ctx, connectionID)
	if err != nil {
		return errorOf(err)
	}
	x := &exchange{proxy: p, passage: passage, to: to, passed: passed, w: w, writes: !dixa.OnlyReads(r.Method, to.path())}
	if x.writes && passage.ReadOnly {
		w.Header().Set("Allow", "GET, HEAD")
		return unified.NewError(http.StatusMethodNotAllowed, "The account is read-only, so the proxy passes on only requests that read. "+
			"`starter shop settings SHOP read_only=false` allows writes.")
	}
	if err := passage.Take(ctx); err != nil {
		return errorOf(err)
	}
	return x.run(ctx, r)
}

// check reports what is wrong with a request before anything is sent.
func (p *Proxy) check(r *http.Request, escaped string) (target, error) {
	if !slices.Contains(methods, r.Method) {
		return target{}, unified.NewError(http.StatusMethodNotAllowed, "Dixa's API has no "+r.Method+". It has "+strings.Join(methods, ", ")+".")
	}
	if r.Header.Get("Idempotency-Key") != "" {
		return target{}, unified.NewError(http.StatusBadRequest, "The proxy cannot keep the promise of an Idempotency-Key, because Dixa has none. "+
			"Omit it, or write through /unified, which supports it.")
	}
	if r.ContentLength > p.MaxRequest {
		return target{}, tooLarge(p.MaxRequest)
	}
	return parseTarget(escaped, r.URL.RawQuery)
}

// exchange is one request and its answer.
type exchange struct {
	proxy   *Proxy
	passage *connection.Passage
	to      target
	passed  *Passed
	w       http.ResponseWriter
	// writes says that the request may change something.
	writes  bool
	sent    progress
	body    *bodyIn
	started time.Time
	failure error
}

func (x *exchange) run(ctx context.Context, r *http.Request) error {
	r = r.WithContext(x.sent.watch(ctx))
	if r.Body != nil && r.Body != http.NoBody {
		x.body = newBodyIn(x.w, r.Body, x.proxy.MaxRequest, x.proxy.BodyTimeout)
		r.Body = x.body
	}
	x.started = time.Now()
	defer func() { x.passed.Write = x.writes && x.sent.connected.Load() }()
	(&httputil.ReverseProxy{
		Rewrite: x.rewrite, ModifyResponse: x.answer, Transport: x.proxy.Transport,
		ErrorHandler: func(_ http.ResponseWriter, _ *http.Request, err error) { x.failure = err },
		ErrorLog:     slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug), // the caller gets every error
	}).ServeHTTP(x.w, r)
	if x.failure == nil {
		return nil
	}
	if x.passed.Status == 0 {
		x.passage.Answered(ctx, time.Since(x.started), &dixa.Error{Operation: "Proxy", Method: r.Method, Err: x.failure})
	}
	return x.explain(x.failure)
}

// passedOn are the headers of a request that concern its content. Others could smuggle
// credentials, another method or another address. Without Accept-Encoding, the transport
// decompresses answers, so that refusals can be read and the bound is of what the caller
// gets.
var passedOn = []string{"Accept", "Accept-Language", "Content-Encoding", "Content-Language", "Content-Type"}

func (x *exchange) rewrite(r *httputil.ProxyRequest) {
	header := http.Header{"User-Agent": {"claimflow"}}
	for _, name := range passedOn {
		if values := r.In.Header[name]; len(values) > 0 {
			header[name] = values
		}
	}
	x.passage.Authorize(header)
	r.Out.Header = header
	r.Out.Trailer = nil
	r.Out.Host = ""
	u := *x.passage.Base
	u.Path, u.RawPath, u.RawQuery = x.passage.Base.Path+x.to.path(), x.passage.Base.EscapedPath()+x.to.escaped(), x.to.query
	r.Out.URL = &u
}

// notPassedBack are headers of an answer that speak for the host that sends them, not for its
// content.
var notPassedBack = []string{"Alt-Svc", "Clear-Site-Data", "Server", "Set-Cookie", "Strict-Transport-Security", "Via", "X-Request-Id"}

var (
	errRedirected = errors.New("redirected")
	errTooLarge   = errors.New("the answer is too large")
)

// answer admits an answer of Dixa before it is passed back.
func (x *exchange) answer(resp *http.Response) error {
	x.passed.Status = resp.StatusCode
	said, err := answerOf(resp)
	if err != nil {
		return err
	}
	x.passage.Answered(resp.Request.Context(), time.Since(x.started), said)
	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		return errRedirected
	}
	if resp.ContentLength > x.proxy.MaxResponse {
		return errTooLarge
	}
	for _, name := range notPassedBack {
		resp.Header.Del(name)
	}
	for name := range resp.Header {
		x.w.Header().Del(name) // Dixa's value replaces ours
	}
	x.w.Header().Set("X-Content-Type-Options", "nosniff")
	x.w.Header().Set("X-Claimflow-Source", "dixa")
	resp.Body = &bodyOut{ReadCloser: resp.Body, left: x.proxy.MaxResponse}
	return nil
}

// errorOf converts an error before anything was sent.
func errorOf(err error) error {
	var token *connection.NeedsTokenError
	var budget *dixa.BudgetExceededError
	switch {
	case errors.As(err, &token):
		return unified.TokenRefused()
	case errors.Is(err, store.ErrNotFound):
		return unified.NoAccount()
	case errors.As(err, &budget):
		return unified.RateLimited("The request budget of the account's token is in use. Nothing was sent to Dixa; retry later.", max(1, int((budget.RetryAfter+time.Second-1)/time.Second)))
	default:
		return err
	}
}
