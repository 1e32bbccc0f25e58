package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/store"
)

func TestSweep(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, now := setup(t, database(t))
			ctx := t.Context()
			connection, err := s.SaveToken(ctx, "acme", "a-token-of-acme", store.Organization{ID: "org-1"})
			require.NoError(t, err)
			id := connection.ID

			start, err := s.BeginSweep(ctx, id)
			require.NoError(t, err)
			require.False(t, start.Wanted, "no enabled shop")
			_, err = s.LastSweep(ctx, id)
			require.ErrorIs(t, err, store.ErrNotFound)
			require.NoError(t, s.SetEnabled(ctx, "acme", true))
			ids, err := s.SweptConnections(ctx)
			require.NoError(t, err)
			require.Equal(t, []string{id}, ids)

			for i := range 3 {
				_, err := s.Accept(ctx, &claim.Claim{ID: fmt.Sprint("c-", i), Shop: "acme", Reason: "damaged"})
				require.NoError(t, err)
				ref := claim.Ref{Shop: "acme", ID: fmt.Sprint("c-", i)}
				_, err = s.Change(ctx, ref, claim.EventStart, store.Set{})
				require.NoError(t, err)
				require.NoError(t, s.LinkConversation(ctx, store.LinkInput{Ref: ref, ConnectionID: id, ConversationID: int64(i + 1)}))
				_, err = s.Change(ctx, ref, claim.EventOpened, store.Set{})
				require.NoError(t, err)
			}

			t.Run("watermark", func(t *testing.T) {
				start, err := s.BeginSweep(ctx, id)
				require.NoError(t, err)
				require.True(t, start.Wanted)
				require.True(t, start.Watermark.IsZero())
				require.Equal(t, now.Now().UTC(), start.FirstLink)
				lags, err := s.SweepLags(ctx)
				require.NoError(t, err)
				require.Empty(t, lags, "not known yet")
				require.NoError(t, s.RaiseWatermark(ctx, id, now.Now()))
				require.NoError(t, s.RaiseWatermark(ctx, id, now.Now().Add(-time.Hour)))
				now.Turn(time.Minute)
				sweep, err := s.EndSweep(ctx, id, claim.SweepReport{Requests: 3, Trouble: "none \x00worth"})
				require.NoError(t, err)
				require.Equal(t, 3, sweep.Report.Requests)
				require.EqualValues(t, 60, sweep.LagSeconds, "it does not go back")
				require.Equal(t, time.Minute, sweep.FinishedAt.Sub(sweep.StartedAt))
				lags, err = s.SweepLags(ctx)
				require.NoError(t, err)
				require.Equal(t, map[string]time.Duration{id: time.Minute}, lags)
				again, err := s.BeginSweep(ctx, id)
				require.NoError(t, err)
				require.Equal(t, sweep.Watermark, again.Watermark)
			})
			t.Run("activities", func(t *testing.T) {
				at := now.Now().UTC()
				entries := []store.Activity{
					{ID: "a", ConversationID: 1, At: at.Add(time.Second), Type: "TagAdded", Body: []byte(`{"detail":"x"}`)},
					{ID: "b", ConversationID: 1, At: at, Type: "TagRemoved", Body: []byte(`{}`)},
					{ID: "c", ConversationID: 2, At: at, Type: "NoteAdded", Body: []byte(`{}`)},
					{ID: "d", ConversationID: 99, At: at, Type: "NoteAdded", Body: []byte(`{}`)},
				}
				for range 2 {
					n, err := s.KeepActivities(ctx, id, entries)
					require.NoError(t, err)
					require.Equal(t, 2, n, "conversations of claims")
				}
				kept, err := s.Activities(ctx, id, 1)
				require.NoError(t, err)
				require.Equal(t, []store.Activity{entries[1], entries[0]}, kept)
				unjudged, err := s.Unjudged(ctx, id, now.Now(), 10)
				require.NoError(t, err)
				require.Equal(t, []int64{1, 2}, unjudged)
				require.NoError(t, s.PutOff(ctx, id, 1))
				unjudged, err = s.Unjudged(ctx, id, now.Now(), 10)
				require.NoError(t, err)
				require.Equal(t, []int64{2}, unjudged)
				now.Turn(time.Minute)
				unjudged, err = s.Unjudged(ctx, id, now.Now(), 1)
				require.NoError(t, err)
				require.Equal(t, []int64{2}, unjudged, "those put off longest ago first")
				n, err := s.Reseal(ctx)
				require.NoError(t, err)
				require.Zero(t, n)
				require.NoError(t, s.Judged(ctx, id, kept))
				kept, err = s.Activities(ctx, id, 1)
				require.NoError(t, err)
				require.Empty(t, kept)
			})
			t.Run("findings", func(t *testing.T) {
				e := store.Event{ID: "refreshed:1:x", Name: "Refreshed", ConversationID: 1, HappenedAt: now.Now(), Body: []byte(`{}`)}
				fresh, err := s.Find(ctx, id, e)
				require.NoError(t, err)
				require.True(t, fresh)
				fresh, err = s.Find(ctx, id, e)
				require.NoError(t, err)
				require.False(t, fresh)
				_, err = s.Receive(ctx, id, store.Event{
					ID: "e-1", Name: "ConversationClosed", ConversationID: 1, HappenedAt: now.Now(), Body: []byte(`{}`), Organization: store.Organization{ID: "org-1"},
				})
				require.NoError(t, err)
				came, err := s.ReceivedOf(ctx, id, 1, now.Now().Add(-time.Second), now.Now().Add(time.Second), "Refreshed")
				require.NoError(t, err)
				require.Equal(t, []store.Received{{ID: "e-1", Name: "ConversationClosed", At: now.Now().UTC(), Body: []byte("{}")}}, came)
			})
			t.Run("quiet conversations", func(t *testing.T) {
				since := now.Now().Add(time.Second)
				require.NoError(t, s.LookedAt(ctx, id, 1, false))
				require.NoError(t, s.LookedAt(ctx, id, 2, true))
				quiet, err := s.Unlooked(ctx, id, since, 10)
				require.NoError(t, err)
				require.Equal(t, []int64{3, 1}, quiet, "the one never looked at first, the one that is gone never")
				quiet, err = s.Unlooked(ctx, id, now.Now(), 10)
				require.NoError(t, err)
				require.Equal(t, []int64{3}, quiet)
			})
			t.Run("timeline", func(t *testing.T) {
				ref := claim.Ref{Shop: "acme", ID: "c-0"}
				taken, err := s.NextEvents(ctx, ref, 10)
				require.NoError(t, err)
				advance := store.Advance{Ref: ref, From: taken.Cursor, To: taken.Cursor, State: taken.State, ConversationID: 1, Timeline: []store.Happening{
					{ID: store.LogPrefix + "a", TimelineEntry: claim.TimelineEntry{At: now.Now().UTC(), What: "closed"}},
					{ID: "e-1", TimelineEntry: claim.TimelineEntry{At: now.Now().UTC(), What: "opened"}},
				}}
				require.NoError(t, s.Advance(ctx, advance))
				logged, err := s.Logged(ctx, ref)
				require.NoError(t, err)
				require.Equal(t, advance.Timeline[:1], logged)
				advance.Timeline, advance.Replaced = nil, []string{store.LogPrefix + "a"}
				require.NoError(t, s.Advance(ctx, advance))
				logged, err = s.Logged(ctx, ref)
				require.NoError(t, err)
				require.Empty(t, logged)
			})
		})
	}
}
