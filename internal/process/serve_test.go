package process_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	temporal "go.temporal.io/sdk/client"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/internal/config"
	"github.com/claimflow/claimflow/internal/process"
	"github.com/claimflow/claimflow/internal/seal"
	"github.com/claimflow/claimflow/internal/telemetry"
	"github.com/claimflow/claimflow/store"
)

// TestServeAcceptsClaimsWhileTemporalIsDown runs the serving process with no server
// at Temporal's address.
func TestServeAcceptsClaimsWhileTemporalIsDown(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	parts := assemble(t, "CLAIMFLOW_PUBLIC_URL=https://claims.example.com", "CLAIMFLOW_ALLOW_PRIVATE_ENDPOINTS=true")
	s := parts.Store
	url, stop := serve(t, parts)

	_, secret, err := s.APIKeys.Create(ctx, claim.NewKey{Name: "test", Scopes: []string{client.ScopeAdmin}})
	require.NoError(t, err)
	api, err := client.New(url, secret)
	require.NoError(t, err)
	_, err = api.AddShop(ctx, client.NewShop{Slug: "acme"})
	require.NoError(t, err)
	submitted, err := api.Submit(ctx, &claim.Claim{ID: "c-1", Shop: "acme", Reason: "damaged"})
	require.NoError(t, err)
	require.True(t, submitted.New)
	waiting, err := s.Nudges.Due(ctx, 10)
	require.NoError(t, err)
	require.Len(t, waiting, 1, "the claim must wait for Temporal")

	// Endpoints are notified about claims even while Temporal is down.
	told := make(chan string, 1)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { told <- r.Header.Get("Webhook-Id") }))
	defer receiver.Close()
	_, err = api.AddEndpoint(ctx, "acme", client.NewEndpoint{URL: receiver.URL})
	require.NoError(t, err)
	_, err = s.Claims.Change(ctx, submitted.Claim.Ref, claim.EventStart, store.ClaimUpdate{Outbox: []store.OutboxEvent{{Type: claim.OutboundFallback}}})
	require.NoError(t, err)
	select {
	case id := <-told:
		require.NotEmpty(t, id)
	case <-time.After(30 * time.Second):
		require.Fail(t, "the endpoint received no event")
	}

	var ready map[string]string
	require.Equal(t, http.StatusOK, get(t, url+"/readyz", &ready), "claims must still be accepted")
	require.Equal(t, "degraded", ready["status"])
	require.Equal(t, "unreachable: claims are accepted and wait", ready["temporal"])
	var document struct{ Servers []struct{ URL string } }
	require.Equal(t, http.StatusOK, get(t, url+"/openapi.json", &document))
	require.Equal(t, "https://claims.example.com", document.Servers[0].URL, "the server URL must be CLAIMFLOW_PUBLIC_URL")

	require.NoError(t, stop())
}

// TestServeDeletesOldBodies sets the store's clock back a day, so that new events are
// a day old for the process.
func TestServeDeletesOldBodies(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	parts := assembleOn(t, nil, store.WithClock(func() time.Time { return time.Now().Add(-24*time.Hour - time.Minute) }))
	s := parts.Store
	_, err := s.Shops.Create(ctx, store.NewShop{Slug: "acme", Feature: true})
	require.NoError(t, err)
	org := store.Organization{ID: "org-1"}
	connection, err := s.Connections.SaveToken(ctx, "acme", "a-token-of-the-shop", org)
	require.NoError(t, err)
	_, err = s.Inbox.Receive(ctx, connection.ID, store.DixaEvent{ID: "e-1", Name: "ConversationClosed", ConversationID: 7, Organization: org, Body: []byte("{}")})
	require.NoError(t, err)

	serve(t, parts)
	require.Eventually(t, func() bool {
		e, err := s.Inbox.Event(ctx, connection.ID, "e-1")
		return err == nil && e.Body == nil
	}, 30*time.Second, 5*time.Millisecond, "the body was not deleted after a day")
}

// assemble creates the parts of a process with an in-memory store and no server at
// Temporal's address.
func assemble(t *testing.T, environ ...string) *process.Parts {
	t.Helper()
	return assembleOn(t, environ)
}

func assembleOn(t *testing.T, environ []string, options ...store.Option) *process.Parts {
	t.Helper()
	c, err := config.LoadFrom(environ)
	require.NoError(t, err)
	tel, err := telemetry.Start(t.Context(), telemetry.Options{Service: "starter", Log: telemetry.LogOptions{Output: io.Discard}})
	require.NoError(t, err)
	text, err := seal.Generate()
	require.NoError(t, err)
	keys, err := seal.Parse(text)
	require.NoError(t, err)
	s, err := store.Open(t.Context(), "sqlite::memory:", keys, options...)
	require.NoError(t, err)
	parts, err := process.Assemble(c, tel, s, temporal.Options{HostPort: unusedAddress(t)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, parts.Close(context.WithoutCancel(t.Context()))) })
	return parts
}

// serve runs the serving process; stop stops it and returns its error.
func serve(t *testing.T, parts *process.Parts) (url string, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- parts.Serve(ctx, listener, "test") }()
	stop = sync.OnceValue(func() error {
		cancel()
		select {
		case err := <-served:
			return err
		case <-time.After(30 * time.Second):
			return errors.New("the process did not stop")
		}
	})
	t.Cleanup(func() { require.NoError(t, stop()) })
	return "http://" + listener.Addr().String(), stop
}

// get reads JSON from a URL and returns the status.
func get(t *testing.T, url string, to any) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	resp, err := (&http.Client{Timeout: 30 * time.Second}).Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.NoError(t, json.NewDecoder(resp.Body).Decode(to))
	return resp.StatusCode
}

// unusedAddress returns an address without a listener.
func unusedAddress(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}
