package proxy_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/internal/proxy"
	"github.com/claimflow/claimflow/store"
	"github.com/claimflow/claimflow/unified"
)

func TestRequestIsPassedOnOneToOne(t *testing.T) {
	t.Parallel()
	b := setup(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Header().Set("X-Dixa", "kept")
		w.WriteHeader(http.StatusTeapot)
		_, _ = w.Write(append([]byte(r.Method+" "+r.RequestURI+" "), body...))
	}, proxy.Options{}, store.BudgetLimits{})
	for _, tc := range []struct{ method, sent, got, body string }{
		{"GET", "/proxy/conversations/12/messages", "/v1/conversations/12/messages", ""},
		{"GET", "/proxy/endusers?email=a%2Bb%40example.org&x=1&x=2&integrated_account_id=i&truto_response_format=raw&n=", "/v1/endusers?email=a%2Bb%40example.org&x=1&x=2&n=", ""},
		{"GET", "/proxy/a?b&&c=%20&integrated%5Faccount_id=i", "/v1/a?b&c=%20", ""},
		{"POST", "/proxy/tags", "/v1/tags", `{"name": "é<&>"}`},
		{"PUT", "/proxy/conversations/12/close", "/v1/conversations/12/close", ""},
		{"PATCH", "/proxy/a", "/v1/a", "not json"},
		{"DELETE", "/proxy/tags/1", "/v1/tags/1", `{"with": "a body"}`},
		{"GET", "/proxy/contact-endpoints/support%40demo.email.dixa.io", "/v1/contact-endpoints/support@demo.email.dixa.io", ""},
		{"GET", "/proxy/contact-endpoints/+4589977790", "/v1/contact-endpoints/+4589977790", ""},
		{"GET", "/proxy/tags/r%C3%B8d%20bil", "/v1/tags/r%C3%B8d%20bil", ""},
	} {
		r := b.send(tc.method, tc.sent, strings.NewReader(tc.body))
		require.Equal(t, http.StatusTeapot, r.StatusCode, tc.sent)
		require.Equal(t, tc.method+" "+tc.got+" "+tc.body, r.text)
		require.Equal(t, "application/json; charset=utf-8", r.Header.Get("Content-Type"))
		require.Equal(t, "kept", r.Header.Get("X-Dixa"))
	}
	r := b.send("HEAD", "/proxy/organization", nil)
	require.Equal(t, http.StatusTeapot, r.StatusCode)
	require.Empty(t, r.text)
}

func TestBodiesAreStreamed(t *testing.T) {
	t.Parallel()
	arrived, proceed := make(chan string), make(chan struct{})
	b := setup(t, func(w http.ResponseWriter, r *http.Request) {
		part := make([]byte, 5)
		_, err := io.ReadFull(r.Body, part)
		if err != nil {
			t.Errorf("read the first part: %v", err)
		}
		arrived <- string(part)
		rest, _ := io.ReadAll(r.Body)
		_, _ = w.Write(rest)
		_ = http.NewResponseController(w).Flush()
		<-proceed
		_, _ = io.WriteString(w, " end")
	}, proxy.Options{}, store.BudgetLimits{})
	body, write := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url+"/proxy/a", body)
	require.NoError(t, err)
	replied := make(chan *http.Response, 1)
	go func() {
		resp, err := (&http.Client{}).Do(req) //nolint:bodyclose // the test closes it
		if err != nil {
			t.Errorf("send: %v", err)
		}
		replied <- resp
	}()
	_, err = io.WriteString(write, "first")
	require.NoError(t, err)
	require.Equal(t, "first", <-arrived, "Dixa reads while the caller still writes")
	_, err = io.WriteString(write, "second")
	require.NoError(t, err)
	require.NoError(t, write.Close())
	resp := <-replied
	defer resp.Body.Close()
	part := make([]byte, len("second"))
	_, err = io.ReadFull(resp.Body, part)
	require.NoError(t, err)
	require.Equal(t, "second", string(part), "the caller reads while Dixa still writes")
	close(proceed)
	rest, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, " end", string(rest))
}

func TestRateLimitOfDixaIsPassedOnAndSlowsEveryProcessDown(t *testing.T) {
	t.Parallel()
	b := setup(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = io.WriteString(w, `{"message": "Too many requests"}`)
	}, proxy.Options{}, store.BudgetLimits{})
	r := b.send("GET", "/proxy/organization", nil)
	require.Equal(t, http.StatusTooManyRequests, r.StatusCode)
	require.Equal(t, "1", r.Header.Get("Retry-After"))
	require.JSONEq(t, `{"message": "Too many requests"}`, r.text)
	share, err := b.store.Budget.Share(t.Context(), b.account)
	require.NoError(t, err)
	require.NotNil(t, share, "the refusal is in the token's budget")
}

func TestClaimsComeFirst(t *testing.T) {
	t.Parallel()
	limits := store.BudgetLimits{Interval: time.Minute, MaxWait: time.Hour}
	b := setup(t, answer(http.StatusOK, `{}`), proxy.Options{}, limits)
	for range 2 { // what a claim uses
		_, err := b.store.Budget.Take(t.Context(), b.store.Connections.TokenHash(token), limits)
		require.NoError(t, err)
	}
	r := b.send("GET", "/proxy/organization", nil)
	require.Equal(t, http.StatusTooManyRequests, r.StatusCode)
	require.Contains(t, r.text, `"rate_limit_error"`)
	require.Contains(t, r.text, "Nothing was sent")
	require.Empty(t, b.requests())
}

func TestRefusedTokenIsConfirmedBeforeItStopsTheConnection(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		organization int
		message      string
		state        claim.ConnectionState
		asked        int
	}{
		"revoked":                   {http.StatusUnauthorized, "Unauthorized", claim.ConnectionNeedsToken, 2},
		"this operation only":       {http.StatusOK, "Unauthorized", claim.ConnectionActive, 2},
		"lacks a permission":        {http.StatusUnauthorized, "You are not authorized for the underlying operation", claim.ConnectionActive, 1},
		"Dixa's organization fails": {http.StatusInternalServerError, "Unauthorized", claim.ConnectionActive, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/organization") {
					answer(tc.organization, `{"data": {"id": "1", "name": "x"}, "message": "Unauthorized"}`)(w, r)
					return
				}
				answer(http.StatusUnauthorized, `{"message": "`+tc.message+`"}`)(w, r)
			}, proxy.Options{}, store.BudgetLimits{})
			r := b.send("GET", "/proxy/agents", nil)
			require.Equal(t, http.StatusUnauthorized, r.StatusCode)
			require.JSONEq(t, `{"message": "`+tc.message+`"}`, r.text, "as Dixa said it")
			require.Equal(t, tc.state, b.state())
			require.Len(t, b.requests(), tc.asked)
			if tc.state == claim.ConnectionNeedsToken {
				require.Contains(t, b.send("GET", "/proxy/agents", nil).text, "Save another one")
				require.Len(t, b.requests(), tc.asked, "a refused token is not used again")
			}
		})
	}
}

func TestReadOnlyAccountOnlyReads(t *testing.T) {
	t.Parallel()
	b := setup(t, answer(http.StatusOK, `{}`), proxy.Options{}, store.BudgetLimits{})
	_, err := b.store.Settings.Save(t.Context(), "acme", json.RawMessage(`{"read_only": true}`))
	require.NoError(t, err)
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
		for _, path := range []string{"/proxy/tags", "/proxy/search/conversations/", "/proxy/search/conversations/x", "/proxy/search%2Fconversations", "/proxy/Search/conversations"} {
			r := b.send(method, path, strings.NewReader("{}"), "X-Http-Method-Override", "GET")
			require.Contains(t, []int{http.StatusMethodNotAllowed, http.StatusBadRequest}, r.StatusCode, "%s %s", method, path)
		}
	}
	require.Empty(t, b.requests(), "nothing reached Dixa")
	require.Equal(t, "GET, HEAD", b.send("POST", "/proxy/tags", nil).Header.Get("Allow"))
	for _, read := range []string{"GET /proxy/tags", "HEAD /proxy/tags", "POST /proxy/search/conversations", "POST /proxy/analytics/metrics", "POST /proxy/analytics/records"} {
		method, path, _ := strings.Cut(read, " ")
		require.Equal(t, http.StatusOK, b.send(method, path, strings.NewReader("{}"), "X-Http-Method-Override", "DELETE").StatusCode, read)
	}
	for _, r := range b.requests() {
		require.Empty(t, r.Header.Values("X-Http-Method-Override"))
	}
}

func TestAuditNamesWritesWithoutPersonalData(t *testing.T) {
	t.Parallel()
	b := setup(t, answer(http.StatusCreated, `{}`), proxy.Options{}, store.BudgetLimits{})
	b.send("POST", "/proxy/contact-endpoints/ada%40example.org/x-1_2?email=ada@example.org", strings.NewReader(`{"email": "ada@example.org"}`))
	require.Equal(t, proxy.Passed{Path: "/contact-endpoints/…/x-1_2", Status: http.StatusCreated, Write: true}, b.audited())
	b.send("GET", "/proxy/tags", nil)
	require.False(t, b.audited().Write)
}

// A client repeats 408, 409, 425, 429 and 502 to 504 by itself, so a write that may have
// happened must have another status.
func TestFailuresSayWhetherTheRequestMayHaveTakenEffect(t *testing.T) {
	t.Parallel()
	hang := func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}
	cut := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	for name, tc := range map[string]struct {
		dixa    http.HandlerFunc
		timeout time.Duration
		read    int
		words   string
	}{
		"no answer in time": {hang, 5 * time.Second, http.StatusGatewayTimeout, "did not answer in time"},
		"connection closed": {cut, 0, http.StatusBadGateway, "closed the connection"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, tc.dixa, proxy.Options{Timeout: tc.timeout}, store.BudgetLimits{})
			r := b.send("POST", "/proxy/search/conversations", strings.NewReader("{}"))
			require.Equal(t, tc.read, r.StatusCode, r.text)
			require.Contains(t, r.text, tc.words)
			require.NotContains(t, r.text, "may have taken effect")
			r = b.send("POST", "/proxy/tags", strings.NewReader("{}"))
			require.Equal(t, http.StatusInternalServerError, r.StatusCode, r.text)
			require.Contains(t, r.text, "may have taken effect")
			require.Contains(t, r.text, `"truto_is_remote_error":true`)
			require.Len(t, b.requests(), 2, "each was sent once")
			require.True(t, b.audited().Write)
		})
	}
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	b := (&bench{t: t}).serve(gone.URL, proxy.Options{}, store.BudgetLimits{})
	r := b.send("POST", "/proxy/tags", strings.NewReader("{}"))
	require.Equal(t, http.StatusBadGateway, r.StatusCode, "nothing was sent, so it is safe to repeat")
	require.Contains(t, r.text, "could not be reached")
	require.False(t, b.audited().Write)
}

func TestUnknownAccountIsNotFound(t *testing.T) {
	t.Parallel()
	b := setup(t, answer(http.StatusOK, `{}`), proxy.Options{}, store.BudgetLimits{})
	b.account = "another"
	require.Equal(t, http.StatusNotFound, b.send("GET", "/proxy/tags", nil).StatusCode)
	require.Empty(t, b.requests())
}

func TestCallerThatLeavesEndsTheRequest(t *testing.T) {
	t.Parallel()
	began, ended := make(chan struct{}), make(chan struct{})
	b := setup(t, func(_ http.ResponseWriter, r *http.Request) {
		close(began)
		<-r.Context().Done()
		close(ended)
	}, proxy.Options{}, store.BudgetLimits{})
	ctx, leave := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.url+"/proxy/a", nil)
	require.NoError(t, err)
	go func() { <-began; leave() }()
	_, err = (&http.Client{}).Do(req) //nolint:bodyclose // there is no answer
	require.ErrorIs(t, err, context.Canceled)
	<-ended
}

func TestErrorsAreThoseOfTheUnifiedAPI(t *testing.T) {
	t.Parallel()
	b := setup(t, answer(http.StatusOK, `{}`), proxy.Options{}, store.BudgetLimits{})
	err := proxy.New(proxy.Options{}).Serve(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "TRACE", "/proxy/a", nil), b.account, "a", new(proxy.Passed))
	var e *unified.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, http.StatusMethodNotAllowed, e.StatusCode)
}
