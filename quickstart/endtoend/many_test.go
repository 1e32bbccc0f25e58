package endtoend_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/store"
)

// A claim with a long conversation loses nothing and stays small: when Temporal
// reports a long history, the run ends soon and the next one continues.
func TestManyEventsOnOneClaim(t *testing.T) {
	t.Parallel()
	const (
		waves, each  = 400, 50 // number of nudges, and events per nudge
		long, longer = 1000, 1200
	)
	s := newSite(t, siteOptions{engine: continuing(t, long)})
	s.work()
	connection := s.connection()
	ref := s.talked(connection, "c-1", 4711)
	for wave := range waves {
		for i := range each - 1 {
			require.NoError(t, s.receive(t.Context(), connection, 4711, wave*each+i))
		}
		s.deliver(connection, 4711, wave*each+each-1)
		eventually(t, fmt.Sprintf("wave %d is applied", wave), func() error { return s.takenIn(ref, (wave+1)*each) })
	}
	s.requireAll(ref, waves*each)

	runs, longest := s.runs(ref)
	require.Greater(t, runs, 1, "the workflow must continue as new; its history has %d events", longest)
	require.Less(t, longest, longer)
	t.Logf("%d events: %d runs, the longest history has %d events", waves*each, runs, longest)
}

// The same holds for many claims at once.
func TestManyEventsOnManyClaims(t *testing.T) {
	t.Parallel()
	const claims, each = 200, 100
	s := newSite(t, siteOptions{})
	s.work()
	connection := s.connection()
	var refs []claim.Ref
	for i := range claims {
		refs = append(refs, s.talked(connection, fmt.Sprint("c-", i), int64(10_000+i)))
	}
	g, ctx := errgroup.WithContext(t.Context())
	g.SetLimit(16)
	for i := range each {
		for n := range claims {
			g.Go(func() error { return s.receive(ctx, connection, int64(10_000+n), i) })
		}
	}
	require.NoError(t, g.Wait())
	for _, ref := range refs {
		eventually(t, "claim "+ref.ID+" has applied all events", func() error { return s.takenIn(ref, each) })
		s.requireAll(ref, each)
		runs, longest := s.runs(ref)
		require.Equal(t, 1, runs)
		require.Less(t, longest, 15*each, "one nudge must cover all new events")
	}
}

// talked returns a claim that already has a conversation.
func (s *site) talked(connection, id string, conversation int64) claim.Ref {
	s.t.Helper()
	ctx := s.t.Context()
	ref := claim.Ref{Shop: shop, ID: id}
	_, err := s.store.Claims.Accept(ctx, s.sample(id))
	require.NoError(s.t, err)
	for _, event := range []claim.Event{claim.EventStart, claim.EventOpened} {
		_, err = s.store.Claims.Change(ctx, ref, event, store.ClaimUpdate{})
		require.NoError(s.t, err)
	}
	require.NoError(s.t, s.store.Links.Create(ctx, store.LinkInput{Ref: ref, ConnectionID: connection, ConversationID: conversation}))
	return ref
}

// deliver sends an event as Dixa does, and waits for nothing.
func (s *site) deliver(connection string, conversation int64, i int) {
	s.t.Helper()
	secrets, err := s.store.Subscriptions.Secrets(s.t.Context(), connection)
	require.NoError(s.t, err)
	_, _, body := messageEvent(conversation, i)
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.apiURL+"/webhooks/dixa/"+connection, bytes.NewReader(body))
	require.NoError(s.t, err)
	req.Header.Set("X-Dixa-Signature", server.Sign(secrets[0], time.Now(), body))
	answer, err := http.DefaultClient.Do(req)
	require.NoError(s.t, err)
	require.NoError(s.t, answer.Body.Close())
	require.Equal(s.t, http.StatusNoContent, answer.StatusCode)
}

// messageEvent returns an event about a message.
func messageEvent(conversation int64, i int) (id string, at time.Time, body []byte) {
	at = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC).Add(time.Duration(i) * time.Millisecond)
	id = fmt.Sprintf("e-%d-%d", conversation, i)
	body, err := json.Marshal(map[string]any{
		"event_id": id, "event_fqn": "CONVERSATION_MESSAGE_ADDED", "event_version": "1", "event_timestamp": at.Format("2006-01-02T15:04:05.000Z"),
		"organization": map[string]any{"id": server.SeedOrganization},
		"data": map[string]any{
			"conversation": map[string]any{"csid": conversation, "status": "OPEN"}, "message_id": fmt.Sprint("m-", i), "text": "Hello", "direction": "INBOUND",
			"created_at": at.Format("2006-01-02T15:04:05.000Z"),
		},
	})
	if err != nil {
		panic(err) // strings and numbers always marshal
	}
	return id, at, body
}

// receive stores an event, sometimes twice.
func (s *site) receive(ctx context.Context, connection string, conversation int64, i int) error {
	id, at, body := messageEvent(conversation, i)
	for range 1 + i%7/6 {
		_, err := s.store.Inbox.Receive(ctx, connection, store.DixaEvent{
			ID: id, Name: "ConversationMessageAdded", ConversationID: conversation, HappenedAt: at,
			Organization: store.Organization{ID: server.SeedOrganization}, Body: body,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *site) takenIn(ref claim.Ref, n int) error {
	w, err := s.store.Claims.Load(s.t.Context(), ref)
	if err == nil && w.Cursor < int64(n) {
		err = fmt.Errorf("%d of %d events", w.Cursor, n)
	}
	return err
}

// requireAll checks that every message is stored once and that the owner was
// notified of it once.
func (s *site) requireAll(ref claim.Ref, n int) {
	s.t.Helper()
	told := 0
	for _, kind := range s.told(ref) {
		if kind == "message_added" {
			told++
		}
	}
	require.Equal(s.t, n, told, "messages reported to the owner")
	f := store.MessageFilter{Limit: 500}
	count := 0
	for {
		page, err := s.store.Conversations.Messages(s.t.Context(), ref, f)
		require.NoError(s.t, err)
		count += len(page)
		if len(page) < f.Limit {
			break
		}
		last := page[len(page)-1]
		f.After, f.AfterID = last.At, last.ID
	}
	require.Equal(s.t, n, count, "stored messages")
}

// runs returns the number of runs of the claim's workflow and the event count of its
// longest history.
func (s *site) runs(ref claim.Ref) (runs, longest int) {
	s.t.Helper()
	c := s.temporal()
	id := ""
	for {
		d, err := c.DescribeWorkflowExecution(s.t.Context(), ref.WorkflowID(), id)
		require.NoError(s.t, err)
		runs, longest = runs+1, max(longest, int(d.GetWorkflowExecutionInfo().GetHistoryLength()))
		first := c.GetWorkflowHistory(s.t.Context(), ref.WorkflowID(), d.GetWorkflowExecutionInfo().GetExecution().GetRunId(), false, 0)
		require.True(s.t, first.HasNext())
		e, err := first.Next()
		require.NoError(s.t, err)
		if id = e.GetWorkflowExecutionStartedEventAttributes().GetContinuedExecutionRunId(); id == "" {
			return runs, longest
		}
	}
}
