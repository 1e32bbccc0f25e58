package client_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/unified"
)

func ExampleResourceOf() {
	c, stop := service()
	defer stop()
	ctx := context.Background()
	_, err := c.Connect(ctx, "acme", "demo-token")
	must(err)
	var account client.Account
	for a, err := range c.Accounts(ctx, "acme") {
		must(err)
		account = a
	}
	fmt.Println(account.Status, account.Context.OrganizationName)

	users := client.ResourceOf[unified.User](c, account.ID, client.ModelTicketing, "users")
	for user, err := range users.List(ctx, url.Values{"limit": {"2"}}) {
		must(err)
		fmt.Println(*user.Name, user.Emails[0].Email)
	}
	// Output:
	// active Demo Shop
	// Ada Admin admin@demo-shop.example
	// Anna Agent anna@demo-shop.example
	// Ben Agent ben@demo-shop.example
}

func ExampleClient_Proxy() {
	c, stop := service()
	defer stop()
	ctx := context.Background()
	_, err := c.Connect(ctx, "acme", "demo-token")
	must(err)
	shop, err := c.Shop(ctx, "acme")
	must(err)

	// A program that gets this token can use only this account, for 15 minutes.
	token, err := c.AccountToken(ctx, shop.Connection.ID)
	must(err)
	limited, err := client.New(c.BaseURL(), token)
	must(err)
	answer, err := limited.Proxy(ctx, "", http.MethodGet, "organization", nil, nil)
	must(err)
	defer answer.Body.Close()
	var organization struct {
		Data struct{ Name string } `json:"data"`
	}
	must(json.NewDecoder(answer.Body).Decode(&organization))
	fmt.Println(answer.StatusCode, organization.Data.Name)
	// Output: 200 Demo Shop
}

// answering returns a client of a service that answers requests in turn.
func answering(t *testing.T, answers ...http.HandlerFunc) *client.Client {
	t.Helper()
	n := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n >= len(answers) {
			t.Errorf("unexpected %s %s", r.Method, r.RequestURI)
			return
		}
		n++
		answers[n-1](w, r)
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { require.Equal(t, len(answers), n, "requests") })
	c, err := client.New(server.URL, "cfk_x", client.WithRetries(0, 0))
	require.NoError(t, err)
	return c
}

func TestUnifiedWriteWaitsForItsOperation(t *testing.T) {
	t.Parallel()
	operation := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	c := answering(t, func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "/unified/ticketing/tickets/a%2Fb?integrated_account_id=acc", r.RequestURI)
		assert.Equal(t, "k-1", r.Header.Get("Idempotency-Key"))
		operation(http.StatusAccepted, `{"id": "o-1", "status": "running"}`)(w, r)
	}, func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "/operations/o-1", r.RequestURI)
		operation(http.StatusOK, `{"id": "o-1", "status": "done", "result": {"id": "a/b"}}`)(w, r)
	})
	type ticket struct{ ID string }
	got, err := client.ResourceOf[ticket](c, "acc", client.ModelTicketing, "tickets").Update(t.Context(), "a/b", map[string]string{"name": "x"}, "k-1")
	require.NoError(t, err)
	require.Equal(t, ticket{"a/b"}, got)

	c = answering(t, func(w http.ResponseWriter, r *http.Request) {
		assert.NotEmpty(t, r.Header.Get("Idempotency-Key"), "a call without a key gets one")
		operation(http.StatusAccepted, `{"id": "o-1", "status": "running"}`)(w, r)
	}, operation(http.StatusOK, `{"id": "o-1", "status": "failed", "error": {"statusCode": 400, "error": "Bad Request", "message": "Dixa refused the request.", "truto_is_remote_error": true, "raw_response": "EmailExists"}}`))
	_, err = client.ResourceOf[ticket](c, "acc", client.ModelTicketing, "contacts").Create(t.Context(), ticket{}, "")
	var e *client.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, client.CodeDixaRefused, e.Code)
	require.Contains(t, e.Error(), "EmailExists")
}

func TestUnifiedErrorsAreErrorsOfTheClient(t *testing.T) {
	t.Parallel()
	c := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Request-Id", "r-1")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"statusCode": 400, "error": "Bad Request", "message": "Wrong.", "details": {"failures": [{"field": "limit", "message": "must be a number"}]}}`)
	})
	_, err := client.ResourceOf[json.RawMessage](c, "acc", client.ModelTicketing, "tags").Page(t.Context(), nil)
	var e *client.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, client.CodeInvalid, e.Code)
	require.Equal(t, "r-1", e.Instance)
	require.Equal(t, "Wrong: limit: must be a number", e.Error())
}

func TestProxyTellsErrorsOfDixaFromOurs(t *testing.T) {
	t.Parallel()
	c := answering(t, func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "/proxy/tags/a%2Fb?integrated_account_id=acc&x=1", r.RequestURI)
		w.Header().Set("X-Claimflow-Source", "dixa")
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"message": "not here"}`)
	}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3")
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = io.WriteString(w, `{"statusCode": 429, "error": "Too Many Requests", "message": "Wait."}`)
	})
	answer, err := c.Proxy(t.Context(), "acc", http.MethodGet, "/tags/a%2Fb", url.Values{"x": {"1"}}, nil)
	require.NoError(t, err)
	defer answer.Body.Close()
	require.Equal(t, http.StatusNotFound, answer.StatusCode)
	_, err = c.Proxy(t.Context(), "acc", http.MethodGet, "tags", nil, nil) //nolint:bodyclose // there is no answer of Dixa
	var e *client.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, client.CodeRateLimited, e.Code)
	require.NotZero(t, e.RetryAfter)
	_, err = c.Proxy(t.Context(), "acc", http.MethodGet, "tags?x=1", nil, nil) //nolint:bodyclose // nothing is sent
	require.ErrorContains(t, err, "pass parameters as the query")
}
