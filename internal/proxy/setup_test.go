package proxy_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/internal/proxy"
	"github.com/claimflow/claimflow/internal/seal"
	"github.com/claimflow/claimflow/internal/todixa/connection"
	"github.com/claimflow/claimflow/store"
	"github.com/claimflow/claimflow/unified"
)

const token = "dixa-token-4f2a"

// bench is a proxy over HTTP, in front of a Dixa that a test writes.
type bench struct {
	t       *testing.T
	store   *store.Store
	account string
	// url is the address of the proxy.
	url string

	mu     sync.Mutex
	got    []*http.Request
	passed []proxy.Passed
}

// setup returns a bench whose Dixa answers with a handler, and whose proxy has options.
func setup(t *testing.T, dixa http.HandlerFunc, o proxy.Options, limits store.BudgetLimits) *bench {
	t.Helper()
	b := &bench{t: t}
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		b.got = append(b.got, r.Clone(context.WithoutCancel(r.Context())))
		b.mu.Unlock()
		dixa(w, r)
	}))
	t.Cleanup(upstream.Close)
	return b.serve(upstream.URL, o, limits)
}

// serve starts the proxy in front of a Dixa at an address.
func (b *bench) serve(dixa string, o proxy.Options, limits store.BudgetLimits) *bench {
	b.t.Helper()
	text, err := seal.Generate()
	require.NoError(b.t, err)
	keys, err := seal.Parse(text)
	require.NoError(b.t, err)
	b.store, err = store.Open(b.t.Context(), "sqlite::memory:", keys)
	require.NoError(b.t, err)
	b.t.Cleanup(func() { _ = b.store.Close() })
	_, err = b.store.Shops.Create(b.t.Context(), store.NewShop{Slug: "acme", Feature: true})
	require.NoError(b.t, err)
	c, err := b.store.Connections.SaveToken(b.t.Context(), "acme", token, store.Organization{ID: "3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d0001"})
	require.NoError(b.t, err)
	b.account = c.ID
	if limits == (store.BudgetLimits{}) {
		limits = store.BudgetLimits{Interval: time.Microsecond, MaxWait: time.Second}
	}
	o.Clients = connection.New(b.store, connection.Options{BaseURL: dixa + "/v1/", Limits: limits})
	p := proxy.New(o)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var passed proxy.Passed
		defer func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.passed = append(b.passed, passed)
		}()
		err := p.Serve(w, r, b.account, strings.TrimPrefix(r.URL.EscapedPath(), "/proxy/"), &passed)
		var e *unified.Error
		switch {
		case errors.As(err, &e):
			w.WriteHeader(e.StatusCode)
			_ = json.NewEncoder(w).Encode(e)
		case err != nil:
			b.t.Errorf("the proxy failed: %v", err)
		}
	}))
	b.t.Cleanup(server.Close)
	b.url = server.URL
	return b
}

// requests are those that reached Dixa.
func (b *bench) requests() []*http.Request {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]*http.Request(nil), b.got...)
}

// audited is what the proxy says about the last request.
func (b *bench) audited() proxy.Passed {
	b.mu.Lock()
	defer b.mu.Unlock()
	require.NotEmpty(b.t, b.passed)
	return b.passed[len(b.passed)-1]
}

type reply struct {
	*http.Response
	text string
}

func (b *bench) send(method, address string, body io.Reader, headers ...string) reply {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.url+address, body)
	require.NoError(b.t, err)
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	require.NoError(b.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(b.t, err)
	return reply{resp, string(text)}
}

// head is an answer without its body.
type head struct {
	StatusCode int
	Header     http.Header
}

// dial sends raw bytes, which a client would refuse to send, and returns the answer.
func (b *bench) dial(lines string) head {
	b.t.Helper()
	in := bufio.NewReader(b.connect(lines))
	resp, err := http.ReadResponse(in, nil)
	for err == nil && resp.StatusCode == http.StatusContinue {
		resp, err = http.ReadResponse(in, nil)
	}
	require.NoError(b.t, err)
	defer resp.Body.Close()
	return head{resp.StatusCode, resp.Header}
}

// raw sends a request as it is, and returns all that comes back until the connection ends.
func (b *bench) raw(lines string) []byte {
	b.t.Helper()
	data, err := io.ReadAll(b.connect(lines))
	require.NoError(b.t, err)
	return data
}

// connect sends the lines over a connection of its own.
func (b *bench) connect(lines string) net.Conn {
	b.t.Helper()
	at, err := url.Parse(b.url)
	require.NoError(b.t, err)
	conn, err := (&net.Dialer{}).DialContext(b.t.Context(), "tcp", at.Host)
	require.NoError(b.t, err)
	b.t.Cleanup(func() { _ = conn.Close() })
	_, err = io.WriteString(conn, lines)
	require.NoError(b.t, err)
	return conn
}

func (b *bench) state() claim.ConnectionState {
	b.t.Helper()
	c, err := b.store.Connections.Get(b.t.Context(), b.account)
	require.NoError(b.t, err)
	return c.State
}

func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}
