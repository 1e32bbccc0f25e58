package dixa_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/dixa"
)

const testToken = "tok.4f2aSECRET-value"

func newClient(t *testing.T, baseURL string, opts ...dixa.Option) *dixa.Client {
	t.Helper()
	client, err := dixa.New(testToken, append([]dixa.Option{dixa.WithBaseURL(baseURL)}, opts...)...)
	require.NoError(t, err)
	return client
}

// newServer serves handler on loopback and counts its requests.
func newServer(t *testing.T, handler http.HandlerFunc) (baseURL string, requests *atomic.Int32) {
	t.Helper()
	requests = new(atomic.Int32)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		handler(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL + "/v1/", requests
}

func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

type roundTripFunc func(*http.Request) (*http.Response, error)

func (f roundTripFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func newEmail() dixa.NewConversation {
	return dixa.NewConversation{
		Type:               dixa.NewEmail,
		RequesterID:        userID,
		EmailIntegrationID: "shop@email.dixa.io",
		Subject:            "Order 10001",
		Message:            dixa.MessageInput{Type: dixa.Inbound, Content: dixa.TextContent("It broke.")},
	}
}

func TestNewRejectsMalformedTokens(t *testing.T) {
	t.Parallel()
	for name, token := range map[string]string{
		"empty":         "",
		"leading space": " secretsecret",
		"trailing line": "secretsecret\n",
		"bearer":        "Bearer secretsecret",
		"control":       "secret\x00secret",
		"tab inside":    "secret\tsecret",
		"not ASCII":     "secretsecret\u200b",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := dixa.New(token)
			require.ErrorIs(t, err, dixa.ErrTokenFormat)
			require.NotContains(t, err.Error(), "secret")
		})
	}
}

func TestNewRejectsInvalidOptions(t *testing.T) {
	t.Parallel()
	for name, opt := range map[string]dixa.Option{
		"base URL: relative":      dixa.WithBaseURL("/v1"),
		"base URL: other scheme":  dixa.WithBaseURL("ftp://dixa.example/v1"),
		"base URL: no host":       dixa.WithBaseURL("https:///v1"),
		"base URL: user":          dixa.WithBaseURL("https://me:pw@dixa.example/v1"),
		"base URL: query":         dixa.WithBaseURL("https://dixa.example/v1?x=1"),
		"base URL: fragment":      dixa.WithBaseURL("https://dixa.example/v1#x"),
		"base URL: invalid":       dixa.WithBaseURL("https://dixa.example/%zz"),
		"budget: nil":             dixa.WithBudget(nil),
		"observer: nil":           dixa.WithObserver(nil),
		"timeout: zero":           dixa.WithTimeout(0),
		"transport: nil":          dixa.WithTransport(nil),
		"user agent: empty":       dixa.WithUserAgent(""),
		"user agent: header line": dixa.WithUserAgent("a\r\nX-Y: z"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := dixa.New(testToken, opt)
			what, _, _ := strings.Cut(name, ":")
			require.ErrorContains(t, err, "dixa: "+what)
			require.NotContains(t, err.Error(), "pw")
		})
	}
}

func TestBaseURLEndsWithSlash(t *testing.T) {
	t.Parallel()
	client, err := dixa.New(testToken)
	require.NoError(t, err)
	require.Equal(t, "https://dev.dixa.io/v1/", client.BaseURL())
	require.Equal(t, "http://127.0.0.1:4010/dixa/v1/", newClient(t, "http://127.0.0.1:4010/dixa/v1").BaseURL())
}

func TestFormattingClientHidesToken(t *testing.T) {
	t.Parallel()
	client := newClient(t, "https://dixa.example/v1/")
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		require.NotContains(t, fmt.Sprintf(format, client), testToken, format)
		require.NotContains(t, fmt.Sprintf(format, *client), testToken, format)
	}
}

func TestSecretsAreRedactedInText(t *testing.T) {
	t.Parallel()
	hook := dixa.WebhookSubscription{SecretKey: "abcdef0123", Headers: map[string]dixa.Secret{"Authorization": "Bearer abcdef0123"}}
	var logged bytes.Buffer
	slog.New(slog.NewTextHandler(&logged, nil)).Info("made", "key", hook.SecretKey)
	for _, text := range []string{fmt.Sprintf("%v %+v %#v", hook, hook, hook), logged.String()} {
		require.NotContains(t, text, "abcdef0123")
		require.Contains(t, text, "[secret]")
	}
	require.Equal(t, "abcdef0123", hook.SecretKey.Reveal())
}

func TestRequestsDoNotEscapeText(t *testing.T) {
	t.Parallel()
	var sent string
	baseURL, _ := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		sent = string(body)
		answer(http.StatusCreated, `{"data":{"id":7}}`)(w, r)
	})
	in := newEmail()
	in.Subject = "Täglich <b>&</b> 10 % \u2028"
	in.Message.Content = dixa.HTMLContent("<p>a & b</p>")
	id, err := newClient(t, baseURL).Conversations.Create(t.Context(), in)
	require.NoError(t, err)
	require.EqualValues(t, 7, id)
	require.Contains(t, sent, "Täglich <b>&</b> 10 %")
	require.Contains(t, sent, "<p>a & b</p>")
	require.Contains(t, sent, `"attachments":[]`)
}

func TestUserAgentIsSent(t *testing.T) {
	t.Parallel()
	baseURL, _ := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.UserAgent() != "shop-sync/1.2" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		answer(http.StatusOK, `{"data":[]}`)(w, r)
	})
	_, err := newClient(t, baseURL, dixa.WithUserAgent("shop-sync/1.2")).Teams.List(t.Context())
	require.NoError(t, err)
}

func TestPathValuesAreEscaped(t *testing.T) {
	t.Parallel()
	var path string
	baseURL, requests := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		path = r.RequestURI
		answer(http.StatusOK, `{"data":{"id":"x"}}`)(w, r)
	})
	client := newClient(t, baseURL)

	_, err := client.EndUsers.Get(t.Context(), "../tags?x=1#y/é")
	require.NoError(t, err)
	require.Equal(t, "/v1/endusers/..%2Ftags%3Fx=1%23y%2F%C3%A9", path)
	require.EqualValues(t, 1, requests.Load())

	for _, id := range []string{"", ".", ".."} {
		_, err = client.EndUsers.Get(t.Context(), id)
		require.ErrorIs(t, err, dixa.ErrInvalidArgument)
		require.Equal(t, dixa.Unsent, dixa.OutcomeOf(err))
	}
	_, err = client.Conversations.Get(t.Context(), 0)
	require.ErrorIs(t, err, dixa.ErrInvalidArgument)
	require.EqualValues(t, 1, requests.Load(), "a rejected argument was sent")
}

func TestInvalidInputIsUnsent(t *testing.T) {
	t.Parallel()
	baseURL, requests := newServer(t, answer(http.StatusOK, `{}`))
	client := newClient(t, baseURL)
	text := dixa.TextContent("x")
	for name, message := range map[string]dixa.MessageInput{
		"no type":                  {Content: text},
		"no content":               {Type: dixa.Inbound},
		"outbound without agent":   {Type: dixa.Outbound, Content: text},
		"outbound without content": {Type: dixa.Outbound, AgentID: agentID},
	} {
		_, err := client.Conversations.AddMessage(t.Context(), 1, message)
		require.ErrorIs(t, err, dixa.ErrInvalidArgument, name)
		in := newEmail()
		in.Message = message
		_, err = client.Conversations.Create(t.Context(), in)
		require.ErrorIs(t, err, dixa.ErrInvalidArgument, name)
		require.Equal(t, dixa.Unsent, dixa.OutcomeOf(err), name)
	}
	_, err := client.Conversations.Create(t.Context(), dixa.NewConversation{Type: dixa.NewEmail})
	require.ErrorIs(t, err, dixa.ErrInvalidArgument)
	for _, err := range client.EndUsers.List(t.Context(), dixa.EndUserFilter{Email: "a@example.org", Phone: "+4511223344"}) {
		require.ErrorIs(t, err, dixa.ErrInvalidArgument)
	}
	for _, err := range client.Agents.List(t.Context(), dixa.AgentFilter{Email: "a@example.org", Phone: "+4511223344"}) {
		require.ErrorIs(t, err, dixa.ErrInvalidArgument)
	}
	require.Zero(t, requests.Load())
}

func TestReadOnlyClientRejectsWrites(t *testing.T) {
	t.Parallel()
	baseURL, requests := newServer(t, answer(http.StatusOK, `{"data":[]}`))
	taken := 0
	client := newClient(t, baseURL, dixa.WithReadOnly(), dixa.WithBudget(budgetFunc(func() error { taken++; return nil })))
	writes := 0
	for _, tc := range operationCases() {
		_, err := tc.call(t.Context(), client)
		if tc.method == http.MethodGet || slices.Contains([]string{"Conversations.Search", "Analytics.QueryMetric", "Analytics.QueryRecords"}, tc.name) {
			require.NotErrorIs(t, err, dixa.ErrReadOnly, tc.name)
			continue
		}
		writes++
		require.ErrorIs(t, err, dixa.ErrReadOnly, tc.name)
		failure, ok := dixa.AsError(err)
		require.True(t, ok, tc.name)
		require.Equal(t, dixa.Unsent, failure.Outcome, tc.name)
		require.False(t, failure.Retryable, tc.name)
	}
	require.Positive(t, writes)
	require.EqualValues(t, len(operationCases())-writes, requests.Load())
	require.EqualValues(t, requests.Load(), taken, "a rejected write consumed budget")
}

func TestNewRequestAndDoCallOtherOperations(t *testing.T) {
	t.Parallel()
	baseURL, _ := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Request-Id", "r-1")
		_, _ = io.WriteString(w, `{"data":[{"id":"`+r.URL.Query().Get("type")+`"}]}`)
	})
	client := newClient(t, baseURL)
	op := dixa.Operation{Name: "Templates.List", Method: http.MethodGet, Path: "/templates"}
	req, err := client.NewRequest(t.Context(), op, dixa.Params{Query: map[string][]string{"type": {"QuickResponse"}}})
	require.NoError(t, err)
	var reply struct{ Data []struct{ ID string } }
	resp, err := client.Do(req, &reply)
	require.NoError(t, err)
	require.Equal(t, "r-1", resp.Header.Get("X-Request-Id"))
	require.Equal(t, "QuickResponse", reply.Data[0].ID)

	for name, bad := range map[string]dixa.Params{
		"too few":  {},
		"too many": {Path: []any{"a", "b"}},
		"type":     {Path: []any{1.5}},
		"body":     {Path: []any{"a"}, Body: func() {}},
	} {
		op := dixa.Operation{Name: "Templates.Delete", Method: http.MethodDelete, Path: "/templates/{templateId}"}
		_, err := client.NewRequest(t.Context(), op, bad)
		require.ErrorIs(t, err, dixa.ErrInvalidArgument, name)
	}
}

func TestCustomHeadersDoNotReplaceToken(t *testing.T) {
	t.Parallel()
	var seen http.Header
	baseURL, _ := newServer(t, func(_ http.ResponseWriter, r *http.Request) { seen = r.Header })
	client := newClient(t, baseURL)
	req, err := client.NewRequest(t.Context(), dixa.Operation{Name: "X", Method: http.MethodGet, Path: "/x"}, dixa.Params{})
	require.NoError(t, err)
	req.Header.Set("X-Trace", "t-1")
	req.Header.Set("Authorization", "another")
	_, err = client.Do(req, nil)
	require.NoError(t, err)
	require.Equal(t, "t-1", seen.Get("X-Trace"))
	require.Equal(t, []string{testToken}, seen["Authorization"])
	require.Equal(t, "another", req.Header.Get("Authorization"), "the token leaked into the caller's request")
}

func TestObserverSeesFailuresAndRefusals(t *testing.T) {
	t.Parallel()
	baseURL, _ := newServer(t, answer(http.StatusNotFound, `{"message":"The requested resource could not be found"}`))
	var calls []dixa.Call
	observe := dixa.WithObserver(func(c dixa.Call) { calls = append(calls, c) })
	client := newClient(t, baseURL, observe, dixa.WithReadOnly())

	_, getErr := client.EndUsers.Get(t.Context(), userID)
	closeErr := client.Conversations.Close(t.Context(), 12, "")

	require.Len(t, calls, 2)
	require.Equal(t, "/endusers/{userId}", calls[0].Path)
	require.Equal(t, http.StatusNotFound, calls[0].Status)
	require.Equal(t, getErr, calls[0].Err)
	require.Positive(t, calls[0].Duration)
	require.Equal(t, "Conversations.Close", calls[1].Operation)
	require.Zero(t, calls[1].Status)
	require.Equal(t, closeErr, calls[1].Err)
}

// TestClientIsSafeForConcurrentUse is meant to run under the race detector.
func TestClientIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	baseURL, requests := newServer(t, answer(http.StatusCreated, `{"data":{"id":7}}`))
	client := newClient(t, baseURL, dixa.WithBudget(budgetFunc(func() error { return nil })))
	errs := make(chan error)
	for range 20 {
		go func() {
			_, err := client.Conversations.Create(t.Context(), newEmail())
			errs <- err
		}()
	}
	for range 20 {
		require.NoError(t, <-errs)
	}
	require.EqualValues(t, 20, requests.Load())
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return string(b)
}
