package proxy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/unified"
)

// progress records whether a request got a connection to Dixa.
type progress struct{ connected atomic.Bool }

func (p *progress) watch(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { p.connected.Store(false) }, // the last connection was dead before any byte was sent
		GotConn: func(httptrace.GotConnInfo) { p.connected.Store(true) },
	})
}

// bodyIn is the body of a request, bounded in size and time. The first error tells it
// apart from errors of Dixa.
type bodyIn struct {
	io.ReadCloser
	deadline *http.ResponseController
	err      atomic.Pointer[error]
}

func newBodyIn(w http.ResponseWriter, body io.ReadCloser, limit int64, within time.Duration) *bodyIn {
	b := &bodyIn{ReadCloser: http.MaxBytesReader(w, body, limit), deadline: http.NewResponseController(w)}
	_ = b.deadline.SetReadDeadline(time.Now().Add(within)) // not every connection supports deadlines
	return b
}

func (b *bodyIn) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	switch {
	case errors.Is(err, io.EOF):
		// If the deadline passed after the body arrived, it would end the request.
		_ = b.deadline.SetReadDeadline(time.Time{})
	case err != nil:
		b.err.CompareAndSwap(nil, &err)
	}
	return n, err
}

// bodyOut is the body of an answer, bounded in size.
type bodyOut struct {
	io.ReadCloser
	left int64
}

func (b *bodyOut) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, errTooLarge
	}
	return n, err
}

// maxRefusal bounds how much of a refusal is read to understand it.
const maxRefusal = 64 << 10

// answerOf describes an answer. It can still be read completely.
func answerOf(resp *http.Response) (*dixa.Error, error) {
	e := &dixa.Error{Operation: "Proxy", Method: resp.Request.Method, Status: resp.StatusCode}
	if resp.StatusCode != http.StatusUnauthorized && resp.StatusCode != http.StatusTooManyRequests {
		return e, nil
	}
	head, err := io.ReadAll(io.LimitReader(resp.Body, maxRefusal))
	if err != nil {
		return nil, fmt.Errorf("read Dixa's refusal: %w", err)
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), resp.Body), resp.Body}
	var said struct {
		Message string `json:"message"`
	}
	_ = json.Unmarshal(head, &said) // a refusal without a message
	e.Message, e.RetryAfter = said.Message, dixa.ParseRetryAfter(resp.Header.Get("Retry-After"), time.Now())
	return e, nil
}

// explain converts an error of the exchange. A write that may have taken effect is
// answered with a status that no client repeats by itself.
func (x *exchange) explain(err error) error {
	if x.body != nil {
		if own := x.body.err.Load(); own != nil {
			return x.explainBody(*own)
		}
	}
	status, words := http.StatusBadGateway, "Dixa could not be reached."
	switch {
	case errors.Is(err, errRedirected):
		words = "Dixa answered with a redirect, which the proxy does not follow."
	case errors.Is(err, errTooLarge):
		words = fmt.Sprintf("Dixa's answer is larger than %d bytes. Request less at once.", x.proxy.MaxResponse)
	case errors.Is(err, context.DeadlineExceeded):
		status, words = http.StatusGatewayTimeout, "Dixa did not answer in time."
	case x.passed.Status != 0:
		words = "Dixa's answer could not be read."
	case x.sent.connected.Load():
		words = "Dixa closed the connection without an answer."
	}
	if x.writes && x.sent.connected.Load() {
		status = http.StatusInternalServerError
		words = strings.TrimSuffix(words, ".") + ". The request may have taken effect: check in Dixa before you repeat it."
	}
	e := unified.NewError(status, words)
	e.Remote = true
	return e
}

// explainBody converts an error of the caller's own body. Dixa does not act on a body
// that is cut off.
func (x *exchange) explainBody(err error) error {
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return tooLarge(large.Limit)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return unified.NewError(http.StatusRequestTimeout, fmt.Sprintf("The request's body did not arrive within %s.", x.proxy.BodyTimeout))
	default:
		return unified.NewError(http.StatusBadRequest, "The request's body arrived incomplete.")
	}
}

func tooLarge(limit int64) *unified.Error {
	return unified.NewError(http.StatusRequestEntityTooLarge, fmt.Sprintf("The request's body is larger than %d bytes.", limit))
}
