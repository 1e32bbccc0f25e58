package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
)

func TestSweep(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		ctx := t.Context()
		connection, err := s.Connections.SaveToken(ctx, "acme", "a-token-of-acme", store.Organization{ID: "org-1"})
		require.NoError(t, err)
		id := connection.ID

		start, err := s.Sweeps.Begin(ctx, id)
		require.NoError(t, err)
		require.False(t, start.Wanted, "a sweep requires an enabled shop")
		_, err = s.Sweeps.Last(ctx, id)
		require.ErrorIs(t, err, store.ErrNotFound)
		require.NoError(t, s.Shops.SetEnabled(ctx, "acme", true))
		ids, err := s.Sweeps.Connections(ctx)
		require.NoError(t, err)
		require.Equal(t, []string{id}, ids)

		for i := range 3 {
			_, err := s.Claims.Accept(ctx, &claim.Claim{ID: fmt.Sprint("c-", i), Shop: "acme", Reason: "damaged"})
			require.NoError(t, err)
			ref := claim.Ref{Shop: "acme", ID: fmt.Sprint("c-", i)}
			_, err = s.Claims.Change(ctx, ref, claim.EventStart, store.ClaimUpdate{})
			require.NoError(t, err)
			require.NoError(t, s.Links.Create(ctx, store.LinkInput{Ref: ref, ConnectionID: id, ConversationID: int64(i + 1)}))
			_, err = s.Claims.Change(ctx, ref, claim.EventOpened, store.ClaimUpdate{})
			require.NoError(t, err)
		}

		t.Run("watermark", func(t *testing.T) {
			start, err := s.Sweeps.Begin(ctx, id)
			require.NoError(t, err)
			require.True(t, start.Wanted)
			require.True(t, start.Watermark.IsZero())
			require.Equal(t, now.Now().UTC(), start.FirstLink)
			lags, err := s.Sweeps.Lags(ctx)
			require.NoError(t, err)
			require.Empty(t, lags, "the lag is unknown before the first sweep ended")
			require.NoError(t, s.Sweeps.RaiseWatermark(ctx, id, now.Now()))
			require.NoError(t, s.Sweeps.RaiseWatermark(ctx, id, now.Now().Add(-time.Hour)))
			now.Turn(time.Minute)
			sweep, err := s.Sweeps.End(ctx, id, claim.SweepReport{Requests: 3, Trouble: "none \x00worth"})
			require.NoError(t, err)
			require.Equal(t, 3, sweep.Report.Requests)
			require.EqualValues(t, 60, sweep.LagSeconds, "the watermark must not move back")
			require.Equal(t, time.Minute, sweep.FinishedAt.Sub(sweep.StartedAt))
			lags, err = s.Sweeps.Lags(ctx)
			require.NoError(t, err)
			require.Equal(t, map[string]time.Duration{id: time.Minute}, lags)
			again, err := s.Sweeps.Begin(ctx, id)
			require.NoError(t, err)
			require.Equal(t, sweep.Watermark, again.Watermark)
		})
		t.Run("activities", func(t *testing.T) {
			at := now.Now().UTC()
			entries := []mirror.Activity{
				{ID: "a", ConversationID: 1, At: at.Add(time.Second), Type: "TagAdded", Detail: "x", Attributes: []byte(`{"tag":"x"}`)},
				{ID: "b", ConversationID: 1, At: at, Type: "TagRemoved"},
				{ID: "c", ConversationID: 2, At: at, Type: "NoteAdded"},
				{ID: "d", ConversationID: 99, At: at, Type: "NoteAdded"},
			}
			for range 2 {
				n, err := s.Sweeps.SaveActivities(ctx, id, entries)
				require.NoError(t, err)
				require.Equal(t, 2, n, "only conversations of claims count")
			}
			kept, err := s.Sweeps.Activities(ctx, id, 1)
			require.NoError(t, err)
			require.Equal(t, []mirror.Activity{entries[1], entries[0]}, kept)
			unjudged, err := s.Sweeps.Unreconciled(ctx, id, now.Now(), 10)
			require.NoError(t, err)
			require.Equal(t, []int64{1, 2}, unjudged)
			require.NoError(t, s.Sweeps.Postpone(ctx, id, 1))
			unjudged, err = s.Sweeps.Unreconciled(ctx, id, now.Now(), 10)
			require.NoError(t, err)
			require.Equal(t, []int64{2}, unjudged)
			now.Turn(time.Minute)
			unjudged, err = s.Sweeps.Unreconciled(ctx, id, now.Now(), 1)
			require.NoError(t, err)
			require.Equal(t, []int64{2}, unjudged, "the least recently postponed must come first")
			n, err := s.Reencrypt(ctx)
			require.NoError(t, err)
			require.Zero(t, n)
			require.NoError(t, s.Sweeps.MarkReconciled(ctx, id, kept))
			reconciled, err := s.Sweeps.Activities(ctx, id, 1)
			require.NoError(t, err)
			require.Empty(t, reconciled)
			// Entries that are listed again are compared again, with the new ones.
			n, err = s.Sweeps.SaveActivities(ctx, id, entries[:1])
			require.NoError(t, err)
			require.Equal(t, 1, n)
			again, err := s.Sweeps.Activities(ctx, id, 1)
			require.NoError(t, err)
			require.Equal(t, entries[:1], again)
			require.NoError(t, s.Sweeps.MarkReconciled(ctx, id, again))
		})
		t.Run("findings", func(t *testing.T) {
			e := store.DixaEvent{ID: "refreshed:1:x", Name: "Refreshed", ConversationID: 1, HappenedAt: now.Now(), Body: []byte(`{}`)}
			fresh, err := s.Inbox.AddFinding(ctx, id, e)
			require.NoError(t, err)
			require.True(t, fresh)
			fresh, err = s.Inbox.AddFinding(ctx, id, e)
			require.NoError(t, err)
			require.False(t, fresh)
			_, err = s.Inbox.Receive(ctx, id, store.DixaEvent{
				ID: "e-1", Name: "ConversationClosed", ConversationID: 1, HappenedAt: now.Now(), Body: []byte(`{}`), Organization: store.Organization{ID: "org-1"},
			})
			require.NoError(t, err)
			came, err := s.Inbox.ReceivedBetween(ctx, id, 1, now.Now().Add(-time.Second), now.Now().Add(time.Second), "Refreshed")
			require.NoError(t, err)
			require.Equal(t, []store.DixaEvent{{ID: "e-1", Name: "ConversationClosed", ConversationID: 1, HappenedAt: now.Now().UTC(), Body: []byte("{}")}}, came)
		})
		t.Run("quiet conversations", func(t *testing.T) {
			since := now.Now().Add(time.Second)
			require.NoError(t, s.Sweeps.MarkChecked(ctx, id, 1, false))
			require.NoError(t, s.Sweeps.MarkChecked(ctx, id, 2, true))
			quiet, err := s.Sweeps.Unchecked(ctx, id, since, 10)
			require.NoError(t, err)
			require.Equal(t, []int64{3, 1}, quiet, "unchecked conversations must come first, deleted ones never")
			quiet, err = s.Sweeps.Unchecked(ctx, id, now.Now(), 10)
			require.NoError(t, err)
			require.Equal(t, []int64{3}, quiet)
		})
		t.Run("timeline", func(t *testing.T) {
			ref := claim.Ref{Shop: "acme", ID: "c-0"}
			taken, err := s.Inbox.NextEvents(ctx, ref, 10)
			require.NoError(t, err)
			advance := store.EventEffects{Ref: ref, From: taken.Cursor, To: taken.Cursor, State: taken.State, ConversationID: 1, Timeline: []store.TimelineEntry{
				{ID: store.LogPrefix + "a", TimelineEntry: claim.TimelineEntry{At: now.Now().UTC(), What: "closed"}},
				{ID: "e-1", TimelineEntry: claim.TimelineEntry{At: now.Now().UTC(), What: "opened"}},
			}}
			require.NoError(t, s.Conversations.Apply(ctx, advance))
			logged, err := s.Conversations.TimelineFromLog(ctx, ref)
			require.NoError(t, err)
			require.Equal(t, advance.Timeline[:1], logged)
			advance.Timeline, advance.Replaced = nil, []string{store.LogPrefix + "a"}
			require.NoError(t, s.Conversations.Apply(ctx, advance))
			logged, err = s.Conversations.TimelineFromLog(ctx, ref)
			require.NoError(t, err)
			require.Empty(t, logged)
		})
	})
}
