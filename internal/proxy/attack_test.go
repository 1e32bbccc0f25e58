package proxy_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/internal/proxy"
	"github.com/claimflow/claimflow/store"
)

func TestPathsOutsideOfTheAPIAreNotPassedOn(t *testing.T) {
	t.Parallel()
	b := setup(t, answer(http.StatusOK, `{}`), proxy.Options{}, store.BudgetLimits{})
	for _, attack := range []string{
		"..", "../beta/agents", "agents/..", "agents/../../beta", "agents/./x", ".", "...", "agents/%2e%2e/x", "%2e%2e/%2e%2e/x", "%2E./x", "..%2fbeta", "agents%2f..%2f..%2fbeta",
		"%252e%252e/x", "%25252e", "agents/..;/beta", "agents;x=1", "agents/..%3b/beta", `..\beta`, "..%5cbeta", "agents%5c..%5c", "", "/", "//evil.example/x", "/evil.example", "agents/",
		"agents//x", "%00", "agents%0d%0aX-Evil:1", "agents%0a", "%", "%zz", "agents%3f/x", "agents%23x", "%c0%ae%c0%ae/x", "%ff", "agents%e2%80%ae", "https:%2f%2fevil.example",
	} {
		resp := b.dial("GET /proxy/" + attack + "?integrated_account_id=i HTTP/1.1\r\nHost: x\r\n\r\n")
		require.Equal(t, http.StatusBadRequest, resp.StatusCode, attack)
	}
	for _, query := range []string{"a=%zz", "a=1;b=2", "%zz=1", "a=\xc3\xa9"} {
		resp := b.dial("GET /proxy/agents?" + query + " HTTP/1.1\r\nHost: x\r\n\r\n")
		require.Equal(t, http.StatusBadRequest, resp.StatusCode, query)
	}
	require.Empty(t, b.requests(), "nothing reached Dixa")
}

func TestRequestCannotChooseTheHost(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("another host got a request") }))
	t.Cleanup(other.Close)
	b := setup(t, answer(http.StatusOK, `{}`), proxy.Options{}, store.BudgetLimits{})
	host := strings.TrimPrefix(other.URL, "http://")
	for _, lines := range []string{
		"GET /proxy/agents HTTP/1.1\r\nHost: " + host + "\r\n\r\n",
		"GET http://" + host + "/proxy/agents HTTP/1.1\r\nHost: " + host + "\r\n\r\n",
		"GET http://user:pass@" + host + "/proxy/agents HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /proxy/agents HTTP/1.1\r\nHost: x\r\nX-Forwarded-Host: " + host + "\r\nX-Original-URL: http://" + host + "/\r\nX-Rewrite-Url: /beta/x\r\nForwarded: host=" + host + "\r\n\r\n",
		"GET /proxy/@" + host + " HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /proxy/" + host + " HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		require.Equal(t, http.StatusOK, b.dial(lines).StatusCode, lines)
	}
	for _, r := range b.requests() {
		require.NotContains(t, r.Host, host)
		require.True(t, strings.HasPrefix(r.RequestURI, "/v1/"), r.RequestURI)
		require.Equal(t, []string{"Accept-Encoding", "Authorization", "User-Agent"}, names(r.Header))
	}
	require.Len(t, b.requests(), 6)
}

func names(h http.Header) []string {
	var all []string
	for _, name := range []string{"Accept", "Accept-Encoding", "Accept-Language", "Authorization", "Content-Length", "Content-Type", "User-Agent"} {
		if h.Get(name) != "" {
			all = append(all, name)
		}
	}
	for name := range h {
		if len(all) != len(h) {
			all = append(all, "unexpected "+name)
		}
	}
	return all
}

func TestHeadersAreNotSmuggled(t *testing.T) {
	t.Parallel()
	b := setup(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if len(r.Trailer) > 0 {
			t.Errorf("Dixa got the trailer %v", r.Trailer)
		}
		h := w.Header()
		h.Set("Set-Cookie", "session=dixa")
		h.Set("Strict-Transport-Security", "max-age=1")
		h.Set("Connection", "X-Hop")
		h.Set("X-Hop", "1")
		h.Set("Clear-Site-Data", `"*"`)
		answer(http.StatusOK, `{}`)(w, r)
	}, proxy.Options{}, store.BudgetLimits{})
	resp := b.dial("POST /proxy/tags HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer cfk_ours\r\nProxy-Authorization: Basic x\r\nCookie: a=b\r\n" +
		"Connection: Authorization, Upgrade, close\r\nUpgrade: websocket\r\nTe: trailers\r\nKeep-Alive: 1\r\nX-Http-Method-Override: DELETE\r\nX-Method-Override: DELETE\r\n" +
		"X-Forwarded-For: 10.0.0.1\r\nExpect: 100-continue\r\nUser-Agent: evil\r\nOrigin: https://evil.example\r\nRange: bytes=0-1\r\n" +
		"Accept: application/json\r\nContent-Type: text/plain\r\nTrailer: Authorization\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nAuthorization: evil\r\n\r\n")
	require.Equal(t, http.StatusOK, resp.StatusCode)
	for _, name := range []string{"Set-Cookie", "Strict-Transport-Security", "X-Hop", "Clear-Site-Data"} {
		require.Empty(t, resp.Header.Get(name), name)
	}
	require.Equal(t, "nosniff", resp.Header.Get("X-Content-Type-Options"))
	got := b.requests()[0]
	require.Equal(t, token, got.Header.Get("Authorization"))
	require.Equal(t, "claimflow", got.Header.Get("User-Agent"))
	require.Equal(t, "text/plain", got.Header.Get("Content-Type"))
	require.Equal(t, []string{"Accept", "Accept-Encoding", "Authorization", "Content-Type", "User-Agent"}, names(got.Header))
	require.Equal(t, http.MethodPost, got.Method)
}

// Both lengths of a body, or a broken one, must not make two requests of one.
func TestRequestsAreNotSplit(t *testing.T) {
	t.Parallel()
	b := setup(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		answer(http.StatusOK, `{}`)(w, r)
	}, proxy.Options{}, store.BudgetLimits{})
	for _, head := range []string{
		"Content-Length: 4\r\nContent-Length: 5\r\n", "Transfer-Encoding: xchunked\r\n", "Content-Length: +4\r\n", "Content-Length: -1\r\n", "Transfer-Encoding: chunked, identity\r\n",
	} {
		resp := b.dial("POST /proxy/tags HTTP/1.1\r\nHost: x\r\n" + head + "\r\n0\r\n\r\nGET /proxy/secret HTTP/1.1\r\nHost: x\r\n\r\n")
		require.GreaterOrEqual(t, resp.StatusCode, http.StatusBadRequest, head)
	}
	require.Empty(t, b.requests())
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }))
	t.Cleanup(other.Close)
	for _, status := range []int{300, 301, 302, 303, 304, 307, 308} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			b := setup(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", other.URL+"/v1/x")
				w.WriteHeader(status)
			}, proxy.Options{}, store.BudgetLimits{})
			r := b.send("GET", "/proxy/agents", nil)
			require.Equal(t, http.StatusBadGateway, r.StatusCode)
			require.Empty(t, r.Header.Get("Location"))
			require.Contains(t, r.text, "redirect")
			require.Equal(t, http.StatusInternalServerError, b.send("POST", "/proxy/tags", strings.NewReader("{}")).StatusCode)
			require.Len(t, b.requests(), 2)
		})
	}
}

func TestUpgradeIsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack() //nolint:errcheck // the test server's writer is one
		if err != nil {
			t.Errorf("hijack: %v", err)
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	}, proxy.Options{}, store.BudgetLimits{})
	resp := b.dial("GET /proxy/agents HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	require.Equal(t, http.StatusBadGateway, resp.StatusCode)
}

func TestBodiesAreBounded(t *testing.T) {
	t.Parallel()
	const limit = 1 << 10
	received := make(chan error, 1)
	b := setup(t, func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		switch r.URL.Path {
		case "/v1/in":
			received <- err
		case "/v1/declared":
			w.Header().Set("Content-Length", fmt.Sprint(limit+1))
			_, _ = w.Write(make([]byte, limit+1))
		case "/v1/streamed":
			for range 2 * limit {
				_, _ = w.Write(make([]byte, 16))
				_ = http.NewResponseController(w).Flush()
			}
		}
	}, proxy.Options{MaxRequest: limit, MaxResponse: limit}, store.BudgetLimits{})

	r := b.send("POST", "/proxy/in", bytes.NewReader(make([]byte, limit+1)))
	require.Equal(t, http.StatusRequestEntityTooLarge, r.StatusCode)
	require.Empty(t, b.requests(), "the declared length is enough to refuse it")
	r = b.send("POST", "/proxy/in", io.MultiReader(bytes.NewReader(make([]byte, limit+1))))
	require.Equal(t, http.StatusRequestEntityTooLarge, r.StatusCode, r.text)
	require.Error(t, <-received, "Dixa must not take the part that it got for the whole")
	require.Equal(t, http.StatusOK, b.send("POST", "/proxy/in", io.MultiReader(bytes.NewReader(make([]byte, limit)))).StatusCode)
	require.NoError(t, <-received)

	r = b.send("GET", "/proxy/declared", nil)
	require.Equal(t, http.StatusBadGateway, r.StatusCode)
	require.Contains(t, r.text, "larger than 1024 bytes")
	// The headers may be cut off too, or some of the body may arrive.
	data := b.raw("GET /proxy/streamed HTTP/1.1\r\nHost: x\r\n\r\n")
	require.LessOrEqual(t, bytes.Count(data, []byte{0}), limit)
	require.NotContains(t, string(data), "\r\n0\r\n\r\n", "an answer that is cut off must not look complete")
}

func TestSlowBodyEnds(t *testing.T) {
	t.Parallel()
	received := make(chan error, 1)
	b := setup(t, func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		received <- err
	}, proxy.Options{BodyTimeout: 50 * time.Millisecond}, store.BudgetLimits{})
	resp := b.dial("POST /proxy/tags HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{")
	require.Equal(t, http.StatusRequestTimeout, resp.StatusCode)
	require.Error(t, <-received)
}

func TestMethodsAndKeysThatDixaDoesNotHave(t *testing.T) {
	t.Parallel()
	b := setup(t, answer(http.StatusOK, `{}`), proxy.Options{}, store.BudgetLimits{})
	for _, method := range []string{"TRACE", "OPTIONS", "PURGE", "get"} {
		resp := b.dial(method + " /proxy/agents HTTP/1.1\r\nHost: x\r\n\r\n")
		require.Equal(t, http.StatusMethodNotAllowed, resp.StatusCode, method)
	}
	r := b.send("POST", "/proxy/tags", strings.NewReader("{}"), "Idempotency-Key", "k-1")
	require.Equal(t, http.StatusBadRequest, r.StatusCode)
	require.Contains(t, r.text, "Idempotency-Key")
	require.Empty(t, b.requests())
}

func FuzzTarget(f *testing.F) {
	for _, seed := range []string{"agents", "conversations/12/messages", "..", "%2e%2e/x", "a;b", "%252e", "a%2fb", "support@x", "%C3%B8"} {
		f.Add(seed, "a=1&integrated_account_id=i")
	}
	f.Add("0", "\x10")
	f.Fuzz(func(t *testing.T, escaped, query string) {
		sent, kept, err := proxy.ParseTarget(escaped, query)
		if err != nil {
			return
		}
		address := "https://dixa.example/v1/" + sent
		u, err := url.Parse(address + "?" + kept)
		require.NoError(t, err)
		require.Equal(t, "dixa.example", u.Host)
		require.Empty(t, u.Fragment)
		parts := strings.Count(sent, "/")
		for decoded := sent; ; {
			require.Equal(t, "/v1/"+decoded, path.Clean("/v1/"+decoded), "a server that normalizes the path must see the same one")
			require.Equal(t, parts, strings.Count(decoded, "/"), "decoding must not add parts")
			again, err := url.PathUnescape(decoded)
			require.NoError(t, err)
			if again == decoded {
				break
			}
			decoded = again
		}
	})
}
