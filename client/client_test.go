package client_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

// scripted serves each request with the next handler and repeats the last one.
func scripted(t *testing.T, handlers ...http.HandlerFunc) (url string, calls *atomic.Int32) {
	t.Helper()
	calls = &atomic.Int32{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		n := int(calls.Add(1))
		handlers[min(n, len(handlers))-1](w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, calls
}

func answer(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// drop closes the connection instead of answering.
func drop(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// cut announces a longer body than it sends.
func cut(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "1000")
	_, _ = io.WriteString(w, `{"new": true`)
	panic(http.ErrAbortHandler)
}

func newClient(t *testing.T, url string, options ...client.Option) *client.Client {
	t.Helper()
	c, err := client.New(url, "cfk_test", append([]client.Option{client.WithRetries(5*time.Second, time.Millisecond)}, options...)...)
	require.NoError(t, err)
	return c
}

const taken = `{"new": true, "claim": {"shop": "acme", "claim_id": "c-1", "state": "received"}}`

func TestRetriesSafeCalls(t *testing.T) {
	t.Parallel()
	for name, trouble := range map[string]http.HandlerFunc{
		"no response":        drop,
		"a cut-off response": cut,
		"unavailable":        answer(503, `{"status": 503, "code": "unavailable"}`),
		"a proxy's page":     answer(502, "<html>"),
		"a slow proxy":       answer(504, ""),
		"too many at once":   answer(429, ""),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, calls := scripted(t, trouble, trouble, answer(202, taken))
			s, err := newClient(t, url).SubmitBody(t.Context(), "acme", []byte(`{}`))
			require.NoError(t, err)
			require.True(t, s.New)
			require.EqualValues(t, 3, calls.Load())
		})
	}
}

func TestDoesNotRetryUnsafeCalls(t *testing.T) {
	t.Parallel()
	for name, trouble := range map[string]http.HandlerFunc{"no response": drop, "a cut-off response": cut, "a slow proxy": answer(504, ""), "a bad gateway": answer(502, "")} {
		url, calls := scripted(t, trouble)
		c := newClient(t, url)
		_, err := c.Test(t.Context(), "acme", client.TestRequest{Email: "me@acme.example"})
		require.Error(t, err, name)
		_, err = c.CreateKey(t.Context(), client.NewKey{Name: "x", Scopes: []string{client.ScopeAdmin}})
		require.Error(t, err, name)
		_, err = c.AddShop(t.Context(), client.NewShop{Slug: "acme"})
		require.Error(t, err, name)
		require.EqualValues(t, 3, calls.Load(), name)
	}
	// If the service reports that it did nothing, retrying even these calls is safe.
	url, calls := scripted(t, answer(503, `{"status": 503}`), answer(201, `{"slug": "acme"}`))
	s, err := newClient(t, url).AddShop(t.Context(), client.NewShop{Slug: "acme"})
	require.NoError(t, err)
	require.Equal(t, "acme", s.Slug)
	require.EqualValues(t, 2, calls.Load())
}

func TestRefusalsAreNotRetried(t *testing.T) {
	t.Parallel()
	for _, status := range []int{400, 401, 403, 404, 409, 413, 422, 500} {
		url, calls := scripted(t, answer(status, `{"status": 1, "title": "x", "detail": "No.", "errors": [{"field": "a.b", "message": "is wrong"}]}`))
		_, err := newClient(t, url).Shop(t.Context(), "acme")
		var e *client.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, status, e.Status, "the status must be the status of the response")
		require.Equal(t, "No: a.b: is wrong", e.Error())
		require.EqualValues(t, 1, calls.Load(), "%d must not be retried", status)
	}
	url, calls := scripted(t, answer(502, `{"status": 502, "code": "dixa_unreachable", "detail": "Dixa is down"}`))
	_, err := newClient(t, url).Connect(t.Context(), "acme", "token")
	require.True(t, client.HasCode(err, client.CodeDixaUnreachable))
	require.EqualValues(t, 1, calls.Load(), "an unreachable Dixa must not be retried")
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	faults := []client.FieldError{{Field: "subject", Message: "line 1: unknown key .Nope."}, {Field: "body", Message: "is required"}}
	for _, tt := range []struct {
		problem client.Problem
		want    string
	}{
		{client.Problem{Title: "Conflict", Detail: "The shop is paused."}, "The shop is paused."},
		{client.Problem{Title: "Conflict"}, "Conflict"},
		{client.Problem{Detail: "Invalid template.", Errors: faults}, "Invalid template: subject: line 1: unknown key .Nope; body: is required"},
		{client.Problem{Title: "Unprocessable Entity", Errors: faults[1:]}, "Unprocessable Entity: body: is required"},
	} {
		require.Equal(t, tt.want, (&client.Error{Problem: tt.problem}).Error())
	}
}

func TestErrorWithoutProblemDetails(t *testing.T) {
	t.Parallel()
	url, _ := scripted(t, answer(403, "<html>blocked</html>"))
	_, err := newClient(t, url).Shop(t.Context(), "acme")
	require.EqualError(t, err, "GET /v1/shops/acme: the service returned 403 Forbidden without problem details")
}

func TestHonorsRetryAfter(t *testing.T) {
	t.Parallel()
	for name, header := range map[string]string{
		"seconds": "3600", "a date": time.Now().Add(time.Hour).UTC().Format(http.TimeFormat), "nonsense": "soon", "the past": "-5",
	} {
		url, calls := scripted(t, answer(503, `{"status": 503}`, "Retry-After", header), answer(200, `{}`))
		_, err := newClient(t, url).Shop(t.Context(), "acme")
		if name == "seconds" || name == "a date" {
			var e *client.Error
			require.ErrorAs(t, err, &e, "a delay beyond the retry limit must end the call")
			require.Greater(t, e.RetryAfter, 59*time.Minute)
			require.EqualValues(t, 1, calls.Load(), name)
			continue
		}
		require.NoError(t, err, name)
		require.EqualValues(t, 2, calls.Load(), name)
	}
}

func TestStopsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	url, _ := scripted(t, func(w http.ResponseWriter, r *http.Request) {
		cancel()
		answer(503, `{"status": 503}`, "Retry-After", "1")(w, r)
	})
	_, err := newClient(t, url).Shop(ctx, "acme")
	require.Error(t, err)

	url, calls := scripted(t, drop)
	c := newClient(t, url, client.WithRetries(0, 0))
	_, err = c.Shop(t.Context(), "acme")
	require.ErrorIs(t, err, client.ErrNoAnswer)
	require.Contains(t, err.Error(), "is the service running at "+url+"?")
	require.EqualValues(t, 1, calls.Load(), "retries must be off")
}

func TestRequestHeaders(t *testing.T) {
	t.Parallel()
	url, _ := scripted(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer cfk_test" || r.Header.Get("User-Agent") != "shop/1" || r.URL.EscapedPath() != "/base/v1/shops/a%2Fb/claims/c%3F1" {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		answer(200, `{"claim_id": "c?1"}`)(w, r)
	})
	c := newClient(t, url+"/base/", client.WithUserAgent("shop/1"))
	d, err := c.Claim(t.Context(), claim.Ref{Shop: "a/b", ID: "c?1"})
	require.NoError(t, err)
	require.Equal(t, "c?1", d.ID)
}

func TestListsFetchPagesOnDemand(t *testing.T) {
	t.Parallel()
	url, calls := scripted(t,
		answer(200, `{"data": [{"claim_id": "3"}, {"claim_id": "2"}], "next": "n1"}`),
		answer(200, `{"data": [{"claim_id": "1"}]}`),
	)
	var ids []string
	for r, err := range newClient(t, url).Claims(t.Context(), "acme", client.Filter{}) {
		require.NoError(t, err)
		ids = append(ids, r.ID)
	}
	require.Equal(t, []string{"3", "2", "1"}, ids)
	require.EqualValues(t, 2, calls.Load())

	url, calls = scripted(t, answer(200, `{"data": [{"claim_id": "3"}], "next": "n1"}`))
	for _, err := range newClient(t, url).Claims(t.Context(), "acme", client.Filter{}) {
		require.NoError(t, err)
		break
	}
	require.EqualValues(t, 1, calls.Load(), "unneeded pages must not be fetched")

	url, _ = scripted(t, answer(200, `{"data": [{"claim_id": "3"}], "next": "n1"}`), answer(404, `{"status": 404}`))
	var last error
	n := 0
	for _, err := range newClient(t, url).Claims(t.Context(), "acme", client.Filter{}) {
		n, last = n+1, err
	}
	require.Equal(t, 2, n)
	require.Error(t, last)
}

func TestFollowEndsWithAFinalState(t *testing.T) {
	t.Parallel()
	at := func(second, state string) http.HandlerFunc {
		return answer(200, `{"claim_id": "c-1", "state": "`+state+`", "updated_at": "2026-01-01T00:00:`+second+`Z"}`)
	}
	url, _ := scripted(t, at("01", "received"), at("01", "received"), at("02", "open"), at("02", "open"), at("03", "settled"))
	var states []claim.State
	for d, err := range newClient(t, url).Follow(t.Context(), claim.Ref{Shop: "acme", ID: "c-1"}, time.Millisecond) {
		require.NoError(t, err)
		states = append(states, d.State)
	}
	require.Equal(t, []claim.State{claim.StateReceived, claim.StateOpen, claim.StateSettled}, states, "each change must be yielded once")

	ctx, cancel := context.WithCancel(t.Context())
	for _, err := range newClient(t, url).Follow(ctx, claim.Ref{Shop: "acme", ID: "c-1"}, time.Millisecond) {
		cancel()
		if err != nil {
			require.True(t, errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "canceled"))
		}
	}
	cancel()
}

func TestUndecodableResponse(t *testing.T) {
	t.Parallel()
	url, _ := scripted(t, answer(200, `<html>`))
	_, err := newClient(t, url).Shop(t.Context(), "acme")
	require.ErrorContains(t, err, "do the versions of client and service match?")
}

func TestRefusesAnInvalidURL(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"", "claims.example", "ftp://claims.example", "http://", ":80"} {
		_, err := client.New(address, "")
		require.ErrorContains(t, err, "must be an http or https URL", address)
	}
}

func TestRefusesAURLWithAPIPath(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"https://claims.example/v1", "https://claims.example/v1/", "https://claims.example/base/v1"} {
		_, err := client.New(address, "")
		require.ErrorContains(t, err, "omit /v1", address)
	}
}
