package dixa_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/dixa"
)

// write and read are the two kinds of call whose failures are interpreted
// differently.
func write(ctx context.Context, c *dixa.Client) error {
	_, err := c.Conversations.Create(ctx, newEmail())
	return err
}

func read(ctx context.Context, c *dixa.Client) error {
	_, err := c.Conversations.Get(ctx, 42)
	return err
}

func requireFailure(t *testing.T, err error) *dixa.Error {
	t.Helper()
	require.Error(t, err)
	failure, ok := dixa.AsError(err)
	require.True(t, ok, "not an *Error: %v", err)
	return failure
}

func TestResponsesBecomeErrors(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		status     int
		header     string // Retry-After
		body       string
		outcome    dixa.Outcome // of a write
		retryable  bool
		retryAfter time.Duration
		message    string
		is         func(error) bool
		cause      error
	}{
		"wrong token":           {status: 401, body: `{"message":"Unauthorized"}`, outcome: dixa.Rejected, message: "Unauthorized", is: dixa.IsUnauthorized},
		"missing permission":    {status: 403, body: `{"message":"Forbidden"}`, outcome: dixa.Rejected, message: "Forbidden", is: dixa.IsUnauthorized},
		"unknown entity":        {status: 404, body: `{"message":"The requested resource could not be found"}`, outcome: dixa.Rejected, message: "The requested resource could not be found", is: dixa.IsNotFound},
		"conflict":              {status: 409, body: `{"message":"Conflict"}`, outcome: dixa.Rejected, message: "Conflict", is: dixa.IsConflict},
		"undecodable":           {status: 400, body: `{"message":"Decoding failure in request"}`, outcome: dixa.Rejected, message: "Decoding failure in request"},
		"email exists":          {status: 400, body: `{"message":"Create EndUser failed with [errors:EmailExists]"}`, outcome: dixa.Rejected, message: "Create EndUser failed with [errors:EmailExists]", is: dixa.IsEmailExists},
		"phone exists":          {status: 400, body: `{"message":"Updating EndUser [id:x] failed with [errors:PhoneNumberExists]"}`, outcome: dixa.Rejected, message: "Updating EndUser [id:x] failed with [errors:PhoneNumberExists]", is: dixa.IsPhoneExists},
		"duplicate external ID": {status: 400, body: `{"message":"AddMessageError: duplicate ExternalID"}`, outcome: dixa.Rejected, message: "AddMessageError: duplicate ExternalID", is: dixa.IsDuplicateExternalID},
		"attachment":            {status: 400, body: `{"message":"Invalid: failure to Download attachment"}`, outcome: dixa.Rejected, message: "Invalid: failure to Download attachment", is: dixa.IsAttachmentDownload},
		"400, no body":          {status: 400, outcome: dixa.Rejected, cause: dixa.ErrNoMessage},
		"400, HTML":             {status: 400, body: "<html>Bad Request</html>", outcome: dixa.Rejected, cause: dixa.ErrNoMessage},
		"400, other JSON":       {status: 400, body: `["x"]`, outcome: dixa.Rejected, cause: dixa.ErrNoMessage},
		"400, number":           {status: 400, body: `{"message":7}`, outcome: dixa.Rejected, cause: dixa.ErrNoMessage},
		"400, oversized":        {status: 400, body: strings.Repeat("x", 1<<20), outcome: dixa.Rejected, cause: dixa.ErrNoMessage},
		"request timeout":       {status: 408, outcome: dixa.Rejected, retryable: true, cause: dixa.ErrNoMessage},
		"limit":                 {status: 429, outcome: dixa.Rejected, retryable: true, is: dixa.IsRateLimited, cause: dixa.ErrNoMessage},
		"limit, seconds":        {status: 429, header: " 7 ", body: `{"message":"Too Many Requests"}`, outcome: dixa.Rejected, retryable: true, retryAfter: 7 * time.Second, message: "Too Many Requests", is: dixa.IsRateLimited},
		"limit, excessive":      {status: 429, is: dixa.IsRateLimited, header: "2000000000", outcome: dixa.Rejected, retryable: true, retryAfter: 24 * time.Hour, cause: dixa.ErrNoMessage},
		"limit, invalid":        {status: 429, is: dixa.IsRateLimited, header: "soon", outcome: dixa.Rejected, retryable: true, cause: dixa.ErrNoMessage},
		"limit, negative":       {status: 429, is: dixa.IsRateLimited, header: "-5", outcome: dixa.Rejected, retryable: true, cause: dixa.ErrNoMessage},
		"limit, past date":      {status: 429, is: dixa.IsRateLimited, header: "Wed, 21 Oct 2015 07:28:00 GMT", outcome: dixa.Rejected, retryable: true, cause: dixa.ErrNoMessage},
		"server error":          {status: 500, body: `{"message":"There was an internal server error while processing the request"}`, outcome: dixa.Ambiguous, retryable: true, message: "There was an internal server error while processing the request"},
		"not implemented":       {status: 501, outcome: dixa.Ambiguous, cause: dixa.ErrNoMessage},
		"bad gateway":           {status: 502, body: "<html>", outcome: dixa.Ambiguous, retryable: true, cause: dixa.ErrNoMessage},
		"unavailable":           {status: 503, header: "120", outcome: dixa.Ambiguous, retryable: true, retryAfter: 2 * time.Minute, cause: dixa.ErrNoMessage},
		"moved":                 {status: 301, outcome: dixa.Rejected, cause: dixa.ErrRedirected},
		"see other":             {status: 303, outcome: dixa.Ambiguous, cause: dixa.ErrRedirected},
		"not modified":          {status: 304, outcome: dixa.Ambiguous, cause: dixa.ErrRedirected},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			baseURL, requests := newServer(t, func(w http.ResponseWriter, r *http.Request) {
				if tc.header != "" {
					w.Header().Set("Retry-After", tc.header)
				}
				answer(tc.status, tc.body)(w, r)
			})
			client := newClient(t, baseURL)

			failure := requireFailure(t, write(t.Context(), client))
			require.Equal(t, "Conversations.Create", failure.Operation)
			require.Equal(t, "/conversations", failure.Path)
			require.Equal(t, tc.status, failure.Status)
			require.Equal(t, tc.outcome, failure.Outcome)
			require.Equal(t, tc.outcome, dixa.OutcomeOf(fmt.Errorf("open the claim: %w", failure)))
			require.Equal(t, tc.retryable, failure.Retryable)
			require.Equal(t, tc.retryAfter, failure.RetryAfter)
			require.Equal(t, tc.message, failure.Message)
			if tc.cause == nil {
				require.NoError(t, failure.Err)
			} else {
				require.ErrorIs(t, failure, tc.cause)
			}
			require.Contains(t, failure.Error(), fmt.Sprintf("status %d", tc.status))
			for who, is := range predicates {
				require.Equal(t, tc.is != nil && sameFunc(tc.is, is), is(failure), who)
			}
			require.EqualValues(t, 1, requests.Load(), "the client retried a write")

			require.Equal(t, dixa.Rejected, requireFailure(t, read(t.Context(), client)).Outcome)
		})
	}
}

var predicates = map[string]func(error) bool{
	"IsUnauthorized":        dixa.IsUnauthorized,
	"IsNotFound":            dixa.IsNotFound,
	"IsConflict":            dixa.IsConflict,
	"IsRateLimited":         dixa.IsRateLimited,
	"IsDuplicateExternalID": dixa.IsDuplicateExternalID,
	"IsAttachmentDownload":  dixa.IsAttachmentDownload,
	"IsEmailExists":         dixa.IsEmailExists,
	"IsPhoneExists":         dixa.IsPhoneExists,
}

func sameFunc(a, b func(error) bool) bool { return fmt.Sprintf("%p", a) == fmt.Sprintf("%p", b) }

func TestPredicatesCheckStatusAndBulkItems(t *testing.T) {
	t.Parallel()
	require.False(t, dixa.IsEmailExists(nil))
	require.False(t, dixa.IsEmailExists(errors.New("EmailExists")))
	require.False(t, dixa.IsEmailExists(&dixa.Error{Status: 500, Message: "EmailExists"}))
	item := dixa.BulkOutcome[dixa.EndUser]{Type: "BulkActionFailure", Error: &dixa.BulkError{Message: "x [errors=PhoneNumberExists] for a@example.org"}}
	require.True(t, dixa.IsPhoneExists(item.Err()))
	require.NotContains(t, item.Err().Error(), "a@example.org")
	require.Error(t, (&dixa.BulkOutcome[string]{Type: "BulkActionFailure"}).Err())
	require.Error(t, (&dixa.BulkOutcome[string]{Type: "BulkActionSuccess"}).Err(), "a success without data is an error")
	require.NoError(t, (&dixa.BulkOutcome[string]{Type: "BulkActionSuccess", Data: new(string)}).Err())
	require.Equal(t, dixa.Ambiguous, dixa.OutcomeOf(errors.New("error from another package")))
	require.Equal(t, "none", dixa.OutcomeOf(nil).String())
}

func TestRetryAfterDate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		at := time.Now().Add(90 * time.Second).UTC().Format(http.TimeFormat)
		client := newClient(t, "http://dixa.example/v1/", dixa.WithTransport(roundTripFunc(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {at}}, Body: http.NoBody, Request: r}, nil
		})))
		require.Equal(t, 90*time.Second, requireFailure(t, write(t.Context(), client)).RetryAfter)
	})
}

func TestErrorsContainNoPersonalData(t *testing.T) {
	t.Parallel()
	baseURL, _ := newServer(t, answer(400, `{"message":"no user [kim.k+x@example.org], tel +45 11 22 33 44, token `+testToken+`"}`))
	client := newClient(t, baseURL)
	failure := requireFailure(t, write(t.Context(), client))
	require.Equal(t, "no user [[email]], tel [phone], token [token]", failure.Message)

	long, _ := newServer(t, answer(400, `{"message":"`+strings.Repeat("é", 9000)+`"}`))
	failure = requireFailure(t, write(t.Context(), newClient(t, long)))
	require.Equal(t, strings.Repeat("é", 500)+"…", failure.Message)

	// A token as short as one letter must not garble Dixa's messages.
	short, err := dixa.New("e", dixa.WithBaseURL(baseURL))
	require.NoError(t, err)
	require.Contains(t, requireFailure(t, write(t.Context(), short)).Message, "no user")

	// Without a response, net/http names the URL, which contains the filter.
	gone := newClient(t, "http://127.0.0.1:1/v1/")
	for _, err := range gone.EndUsers.List(t.Context(), dixa.EndUserFilter{Email: "kim@example.org"}) {
		require.Error(t, err)
		require.NotContains(t, err.Error(), "kim")
		require.NotContains(t, fmt.Sprint(errors.Unwrap(err)), "kim")
	}
}

// TestBrokenConnections drives a raw listener, so that each exchange breaks at an
// exact point.
func TestBrokenConnections(t *testing.T) {
	t.Parallel()
	const head = "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: "
	for name, serve := range map[string]func(net.Conn){
		"closed before the request":    func(net.Conn) {},
		"closed after the request":     func(c net.Conn) { readRequest(c) },
		"not HTTP":                     func(c net.Conn) { readRequest(c); _, _ = io.WriteString(c, "SSH-2.0-x\r\n\r\n") },
		"truncated header":             func(c net.Conn) { readRequest(c); _, _ = io.WriteString(c, "HTTP/1.1 201 Cre") },
		"truncated body":               func(c net.Conn) { readRequest(c); _, _ = io.WriteString(c, head+"20\r\n\r\n"+`{"data":{"id"`) },
		"body truncated to valid JSON": func(c net.Conn) { readRequest(c); _, _ = io.WriteString(c, head+"40\r\n\r\n"+`{"data":{"id":7}}`) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := newClient(t, listen(t, serve))
			failure := requireFailure(t, write(t.Context(), client))
			require.Equal(t, dixa.Ambiguous, failure.Outcome)
			require.True(t, failure.Retryable)
			failure = requireFailure(t, read(t.Context(), client))
			require.Equal(t, dixa.Rejected, failure.Outcome)
			require.True(t, failure.Retryable)
		})
	}
}

func TestNoConnectionIsUnsent(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	client := newClient(t, "http://"+closed.Addr().String()+"/v1/")
	for _, call := range []func(context.Context, *dixa.Client) error{write, read} {
		failure := requireFailure(t, call(t.Context(), client))
		require.Equal(t, dixa.Unsent, failure.Outcome)
		require.True(t, failure.Retryable)
		require.Zero(t, failure.Status)
	}
}

func TestRejectedCertificateIsUnsent(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(answer(http.StatusCreated, `{"data":{"id":7}}`))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	t.Cleanup(server.Close)
	failure := requireFailure(t, write(t.Context(), newClient(t, server.URL)))
	require.Equal(t, dixa.Unsent, failure.Outcome)
}

func TestCanceledContextIsUnsent(t *testing.T) {
	t.Parallel()
	baseURL, requests := newServer(t, answer(http.StatusCreated, `{"data":{"id":7}}`))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := write(ctx, newClient(t, baseURL))
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, dixa.Unsent, dixa.OutcomeOf(err))
	require.Zero(t, requests.Load())
}

// slowBody is a reply body whose remainder arrives too late.
type slowBody struct {
	io.Reader
	ctx context.Context //nolint:containedctx // the request's, as a connection has it
}

func (b slowBody) Read(p []byte) (int, error) {
	if n, err := b.Reader.Read(p); err == nil {
		return n, nil
	}
	<-b.ctx.Done()
	return 0, b.ctx.Err()
}

func (slowBody) Close() error { return nil }

func TestTimeouts(t *testing.T) {
	t.Parallel()
	connect := func(r *http.Request) {
		hooks := httptrace.ContextClientTrace(r.Context())
		hooks.GetConn("")
		hooks.GotConn(httptrace.GotConnInfo{})
	}
	for name, tc := range map[string]struct {
		transport roundTripFunc
		write     dixa.Outcome
		read      dixa.Outcome
	}{
		"no connection": {func(r *http.Request) (*http.Response, error) {
			httptrace.ContextClientTrace(r.Context()).GetConn("")
			<-r.Context().Done()
			return nil, r.Context().Err()
		}, dixa.Unsent, dixa.Unsent},
		"no response": {func(r *http.Request) (*http.Response, error) {
			connect(r)
			<-r.Context().Done()
			return nil, r.Context().Err()
		}, dixa.Ambiguous, dixa.Rejected},
		"partial response": {func(r *http.Request) (*http.Response, error) {
			connect(r)
			body := slowBody{strings.NewReader(`{"data":`), r.Context()}
			return &http.Response{StatusCode: http.StatusCreated, Body: body, Request: r}, nil
		}, dixa.Ambiguous, dixa.Rejected},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				client := newClient(t, "http://dixa.example/v1/", dixa.WithTransport(tc.transport), dixa.WithTimeout(7*time.Second))
				began := time.Now()
				err := write(t.Context(), client)
				require.Equal(t, 7*time.Second, time.Since(began))
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.Equal(t, tc.write, dixa.OutcomeOf(err))
				require.Equal(t, tc.read, dixa.OutcomeOf(read(t.Context(), client)))
			})
		})
	}
}

// TestCancelAfterSendingIsAmbiguous has the handler cancel the caller's context once
// the request has arrived.
func TestCancelAfterSendingIsAmbiguous(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	baseURL, _ := newServer(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		cancel()
		<-r.Context().Done()
	})
	err := write(ctx, newClient(t, baseURL))
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, dixa.Ambiguous, dixa.OutcomeOf(err))
}

// TestTransportWithoutTraceIsAmbiguous covers transports without httptrace, which do not
// report whether bytes were sent.
func TestTransportWithoutTraceIsAmbiguous(t *testing.T) {
	t.Parallel()
	client := newClient(t, "http://dixa.example/v1/", dixa.WithTransport(roundTripFunc(func(*http.Request) (*http.Response, error) {
		return nil, errors.New("no")
	})))
	require.Equal(t, dixa.Ambiguous, dixa.OutcomeOf(write(t.Context(), client)))
}

// TestOutcomeFollowsTheLastAttempt triggers the hooks of net/http: a failing dial
// replaces a dead keep-alive connection.
func TestOutcomeFollowsTheLastAttempt(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		play func(*httptrace.ClientTrace)
		want dixa.Outcome
	}{
		"dial failed": {func(h *httptrace.ClientTrace) { h.GetConn("") }, dixa.Unsent},
		"connected":   {func(h *httptrace.ClientTrace) { h.GetConn(""); h.GotConn(httptrace.GotConnInfo{}) }, dixa.Ambiguous},
		"dead connection, then dial failed": {func(h *httptrace.ClientTrace) {
			h.GetConn("")
			h.GotConn(httptrace.GotConnInfo{Reused: true})
			h.WroteRequest(httptrace.WroteRequestInfo{Err: io.ErrClosedPipe})
			h.GetConn("")
		}, dixa.Unsent},
		"written, then dial failed": {func(h *httptrace.ClientTrace) {
			h.GetConn("")
			h.GotConn(httptrace.GotConnInfo{})
			h.WroteRequest(httptrace.WroteRequestInfo{})
			h.GetConn("")
		}, dixa.Ambiguous},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := newClient(t, "http://dixa.example/v1/", dixa.WithTransport(roundTripFunc(func(r *http.Request) (*http.Response, error) {
				tc.play(httptrace.ContextClientTrace(r.Context()))
				return nil, io.ErrUnexpectedEOF
			})))
			require.Equal(t, tc.want, dixa.OutcomeOf(write(t.Context(), client)))
		})
	}
}

func TestMalformedSuccessIsAmbiguous(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"empty": "", "HTML": "<html>Welcome to the hotel</html>", "no data": "{}", "null data": `{"data":null}`, "no id": `{"data":{}}`,
		"id of another type": `{"data":{"id":"42"}}`, "trailing data": `{"data":{"id":42}}{}`, "list": `[]`, "null": `null`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			baseURL, _ := newServer(t, answer(http.StatusCreated, body))
			client := newClient(t, baseURL)
			failure := requireFailure(t, write(t.Context(), client))
			require.ErrorIs(t, failure, dixa.ErrMalformedResponse)
			require.Equal(t, dixa.Ambiguous, failure.Outcome)
			require.Equal(t, http.StatusCreated, failure.Status)
			require.Equal(t, dixa.Rejected, dixa.OutcomeOf(read(t.Context(), client)))
		})
	}
}

// TestHTMLPageDoesNotConfirmWrite checks that operations without a response body still
// reject a proxy's page.
func TestHTMLPageDoesNotConfirmWrite(t *testing.T) {
	t.Parallel()
	baseURL, _ := newServer(t, answer(http.StatusOK, "<html>Sign in</html>"))
	err := newClient(t, baseURL).Conversations.AddTags(t.Context(), 42, "claim")
	require.ErrorIs(t, err, dixa.ErrMalformedResponse)
	require.Equal(t, dixa.Ambiguous, dixa.OutcomeOf(err))
}

func TestResponseSizeLimit(t *testing.T) {
	t.Parallel()
	body := `{"data":{"id":42,"_type":"EmailConversation"}}`
	baseURL, _ := newServer(t, answer(http.StatusOK, body))

	exact := newClient(t, baseURL)
	exact.SetMaxResponseBytes(int64(len(body)))
	require.NoError(t, read(t.Context(), exact))

	small := newClient(t, baseURL)
	small.SetMaxResponseBytes(int64(len(body)) - 1)
	failure := requireFailure(t, read(t.Context(), small))
	require.ErrorIs(t, failure, dixa.ErrResponseTooLarge)
	require.False(t, failure.Retryable)
	require.Equal(t, dixa.Ambiguous, dixa.OutcomeOf(write(t.Context(), small)))
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	foreign, stolen := newServer(t, answer(http.StatusOK, `{"data":{"id":42}}`))
	for name, tc := range map[string]struct {
		status   int
		location string
		cause    error
	}{
		"other host":          {http.StatusTemporaryRedirect, foreign, dixa.ErrForeignHost},
		"other host, no path": {http.StatusFound, "//evil.example", dixa.ErrForeignHost},
		"other scheme":        {http.StatusPermanentRedirect, "https:", dixa.ErrForeignHost},
		"same host":           {http.StatusTemporaryRedirect, "/v1/elsewhere", dixa.ErrRedirected},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			baseURL, requests := newServer(t, func(w http.ResponseWriter, r *http.Request) {
				location := tc.location
				if location == "https:" {
					location = "https://" + r.Host + "/v1/"
				}
				w.Header().Set("Location", location)
				w.WriteHeader(tc.status)
			})
			client := newClient(t, baseURL)
			require.ErrorIs(t, write(t.Context(), client), tc.cause)
			require.ErrorIs(t, read(t.Context(), client), tc.cause)
			require.EqualValues(t, 2, requests.Load(), "a redirect was followed")
			require.Zero(t, stolen.Load())
		})
	}
}

// TestWriteIsNotResentAfterConnectionLoss prevents a resend: net/http would
// resend the request on a new connection if it considered that safe.
func TestWriteIsNotResentAfterConnectionLoss(t *testing.T) {
	t.Parallel()
	received := make(chan string, 10)
	baseURL := listen(t, func(c net.Conn) {
		in := bufio.NewReader(c)
		for n := range 2 {
			req, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, req.Body)
			received <- req.Method
			if n == 0 {
				_, _ = io.WriteString(c, "HTTP/1.1 201 Created\r\nContent-Length: 17\r\n\r\n"+`{"data":{"id":7}}`)
			}
		}
	})
	client := newClient(t, baseURL)
	require.NoError(t, write(t.Context(), client))
	require.Equal(t, dixa.Ambiguous, dixa.OutcomeOf(write(t.Context(), client)))
	require.Len(t, received, 2, "the write was resent")
}

// listen serves each connection once with serve, then closes it.
func listen(t *testing.T, serve func(net.Conn)) (baseURL string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serve(conn)
			_ = conn.Close()
		}
	}()
	return "http://" + listener.Addr().String() + "/v1/"
}

func readRequest(c net.Conn) {
	req, err := http.ReadRequest(bufio.NewReader(c))
	if err == nil {
		_, _ = io.Copy(&bytes.Buffer{}, req.Body)
	}
}
