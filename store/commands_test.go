package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/store"
)

// waysTo says by which events a received claim comes into each state.
var waysTo = map[claim.State][]claim.Event{
	claim.StateReceived:       nil,
	claim.StateOpening:        {claim.EventStart},
	claim.StateOpen:           {claim.EventStart, claim.EventOpened},
	claim.StatePending:        {claim.EventStart, claim.EventOpened, claim.EventPending},
	claim.StateClosed:         {claim.EventStart, claim.EventOpened, claim.EventClose},
	claim.StateSettled:        {claim.EventStart, claim.EventOpened, claim.EventClose, claim.EventSettle},
	claim.StateNeedsAttention: {claim.EventPark},
	claim.StateSkipped:        {claim.EventSkip},
	claim.StateAbandoned:      {claim.EventAbandon},
}

func TestRetryByState(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, now := setup(t, database(t))
			for _, from := range claim.States() {
				r := accept(t, s, sample(string(from)))
				change(t, s, r, waysTo[from]...)
				now.Turn(time.Second)
				err := s.Retry(t.Context(), r, store.RetryOptions{CreateAnyway: true})
				w := load(t, s, r)
				switch from {
				case claim.StateNeedsAttention, claim.StateSkipped, claim.StateAbandoned:
					require.NoError(t, err, from)
					require.Equal(t, claim.StateReceived, w.State, from)
					require.Empty(t, w.Cause, from)
					require.True(t, w.CreateAnyway, from)
					require.Equal(t, now.Now(), w.RetriedAt, from)
					require.EqualValues(t, 2, w.Revision, from)
				case claim.StateReceived, claim.StateOpening:
					require.NoError(t, err, from)
					require.Equal(t, from, w.State)
					require.False(t, w.CreateAnyway, from)
					require.Zero(t, w.RetriedAt, from)
					require.EqualValues(t, 2, w.Revision, from)
				default:
					require.ErrorAs(t, err, new(*claim.TransitionError), from)
					require.Equal(t, from, w.State)
					require.EqualValues(t, 1, w.Revision, from)
				}
			}
		})
	}
}

func TestCreateAnywayHoldsForOneRetry(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := setup(t, database(t))
			r := accept(t, s, sample("1"))
			park := func() {
				_, err := s.Change(t.Context(), r, claim.EventPark, store.Set{Cause: claim.CauseOutcomeUnknown})
				require.NoError(t, err)
			}
			park()
			require.NoError(t, s.Retry(t.Context(), r, store.RetryOptions{CreateAnyway: true}))
			change(t, s, r, claim.EventStart)
			require.True(t, load(t, s, r).CreateAnyway, "the permission is gone before it was used")
			park()
			require.False(t, load(t, s, r).CreateAnyway, "the permission outlives the retry that it was given for")

			require.NoError(t, s.Retry(t.Context(), r, store.RetryOptions{CreateAnyway: true}))
			change(t, s, r, claim.EventStart, claim.EventOpened)
			require.False(t, load(t, s, r).CreateAnyway)
		})
	}
}

func TestAbandonByState(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := setup(t, database(t))
			for _, from := range claim.States() {
				r := accept(t, s, sample(string(from)))
				change(t, s, r, waysTo[from]...)
				err := s.Abandon(t.Context(), r)
				w := load(t, s, r)
				switch from {
				case claim.StateSettled:
					require.ErrorAs(t, err, new(*claim.TransitionError))
					require.Equal(t, from, w.State)
				case claim.StateAbandoned:
					require.NoError(t, err)
					require.EqualValues(t, 1, w.Revision, "abandoning twice starts a workflow again")
				default:
					require.NoError(t, err, from)
					require.Equal(t, claim.StateAbandoned, w.State)
					require.EqualValues(t, 2, w.Revision, from)
				}
			}
		})
	}
}

func TestLinkToNamesTheConversation(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, now := setup(t, database(t))
			r := accept(t, s, sample("1"))
			require.ErrorIs(t, s.LinkTo(t.Context(), r, 42), store.ErrNotFound, "a shop without a connection has conversations")
			connection := connect(t, s, "acme", "org-1")
			_, err := s.Change(t.Context(), r, claim.EventPark, store.Set{Cause: claim.CauseOutcomeUnknown})
			require.NoError(t, err)

			require.NoError(t, s.LinkTo(t.Context(), r, 42))
			w := load(t, s, r)
			require.Equal(t, claim.StateReceived, w.State)
			require.EqualValues(t, 42, w.ConversationID)
			require.Equal(t, "org-1", w.OrganizationID)
			require.EqualValues(t, 2, w.Revision)
			link, err := s.Link(t.Context(), r)
			require.NoError(t, err)
			require.Equal(t, store.Link{Ref: r, ConnectionID: connection.ID, ConversationID: 42, CreatedAt: now.Now()}, link)

			other := accept(t, s, sample("2"))
			var conflict *store.ConflictError
			require.ErrorAs(t, s.LinkTo(t.Context(), other, 42), &conflict)
			require.Equal(t, "conversation", conflict.What)
			require.Equal(t, r, conflict.Claim)
			require.ErrorAs(t, s.LinkTo(t.Context(), r, 43), &conflict)
			require.Equal(t, "claim", conflict.What)
			require.EqualValues(t, 42, conflict.ConversationID)
			require.EqualValues(t, 1, load(t, s, other).Revision)

			change(t, s, r, claim.EventStart, claim.EventOpened)
			require.NoError(t, s.LinkTo(t.Context(), r, 42), "naming the same conversation again is refused")
			require.Equal(t, claim.StateOpen, load(t, s, r).State)
			change(t, s, other, claim.EventStart, claim.EventOpened)
			require.ErrorAs(t, s.LinkTo(t.Context(), other, 44), new(*claim.TransitionError))
			require.Zero(t, load(t, s, other).ConversationID)
			require.Error(t, s.LinkTo(t.Context(), r, 0))
		})
	}
}

func TestRetryShopWakesItsParkedClaims(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := setup(t, database(t))
			for id, cause := range map[string]claim.Cause{"1": claim.CauseRouting, "2": claim.CauseRefused, "3": claim.CauseRefused} {
				accept(t, s, sample(id))
				_, err := s.Change(t.Context(), ref(id), claim.EventPark, store.Set{Cause: cause})
				require.NoError(t, err)
			}
			accept(t, s, sample("4"))
			change(t, s, ref("4"), claim.EventSkip)

			n, err := s.RetryShop(t.Context(), "acme", claim.CauseRefused, claim.CauseTemplate)
			require.NoError(t, err)
			require.Equal(t, 2, n)
			require.Equal(t, claim.StateNeedsAttention, load(t, s, ref("1")).State)
			require.Equal(t, claim.StateReceived, load(t, s, ref("2")).State)
			require.EqualValues(t, 2, load(t, s, ref("2")).Revision)

			n, err = s.RetryShop(t.Context(), "acme")
			require.NoError(t, err)
			require.Equal(t, 1, n)
			require.Equal(t, claim.StateSkipped, load(t, s, ref("4")).State)
			_, err = s.RetryShop(t.Context(), "nobody")
			require.ErrorIs(t, err, store.ErrNotFound)
		})
	}
}

func TestOpenSkippedOpensThoseSinceATime(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, now := setup(t, database(t))
			for _, id := range []string{"1", "2", "3"} {
				accept(t, s, sample(id))
				change(t, s, ref(id), claim.EventSkip)
				now.Turn(time.Hour)
			}
			n, err := s.OpenSkipped(t.Context(), "acme", now.Now().Add(-2*time.Hour))
			require.NoError(t, err)
			require.Equal(t, 2, n)
			require.Equal(t, claim.StateSkipped, load(t, s, ref("1")).State)
			require.Equal(t, claim.StateReceived, load(t, s, ref("3")).State)
			n, err = s.OpenSkipped(t.Context(), "acme", time.Time{})
			require.NoError(t, err)
			require.Equal(t, 1, n)
		})
	}
}
