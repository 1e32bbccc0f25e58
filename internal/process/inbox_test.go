package process_test

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	temporal "go.temporal.io/sdk/client"

	"github.com/claimflow/claimflow/internal/config"
	"github.com/claimflow/claimflow/internal/process"
	"github.com/claimflow/claimflow/internal/seal"
	"github.com/claimflow/claimflow/internal/telemetry"
	"github.com/claimflow/claimflow/store"
)

// TestServeDeletesOldBodies sets the store's clock back a day, so that new events are
// a day old for the process.
func TestServeDeletesOldBodies(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	c, err := config.LoadFrom(nil)
	require.NoError(t, err)
	tel, err := telemetry.Start(ctx, telemetry.Options{Service: "starter", Log: telemetry.LogOptions{Output: io.Discard}})
	require.NoError(t, err)
	text, err := seal.Generate()
	require.NoError(t, err)
	keys, err := seal.Parse(text)
	require.NoError(t, err)
	s, err := store.Open(ctx, "sqlite::memory:", keys, store.WithClock(func() time.Time { return time.Now().Add(-24*time.Hour - time.Minute) }))
	require.NoError(t, err)
	_, err = s.Shops.Create(ctx, store.NewShop{Slug: "acme", Feature: true})
	require.NoError(t, err)
	org := store.Organization{ID: "org-1"}
	connection, err := s.Connections.SaveToken(ctx, "acme", "a-token-of-the-shop", org)
	require.NoError(t, err)
	_, err = s.Inbox.Receive(ctx, connection.ID, store.DixaEvent{ID: "e-1", Name: "ConversationClosed", ConversationID: 7, Organization: org, Body: []byte("{}")})
	require.NoError(t, err)

	parts, err := process.Assemble(c, tel, s, temporal.Options{HostPort: unusedAddress(t)})
	require.NoError(t, err)
	defer func() { require.NoError(t, parts.Close(context.WithoutCancel(ctx))) }()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- parts.Serve(ctx, listener, "test") }()
	require.Eventually(t, func() bool {
		e, err := s.Inbox.Event(ctx, connection.ID, "e-1")
		return err == nil && e.Body == nil
	}, 30*time.Second, 5*time.Millisecond, "the body was not deleted after a day")
	stop()
	require.NoError(t, <-served)
}
