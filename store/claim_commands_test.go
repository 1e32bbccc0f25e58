package store_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/store"
)

// waysTo lists the events that take a received claim to each state.
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
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		for _, from := range claim.States() {
			r := accept(t, s, sample(string(from)))
			change(t, s, r, waysTo[from]...)
			now.Turn(time.Second)
			err := s.Claims.Retry(t.Context(), r, store.RetryOptions{CreateAnyway: true})
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

func TestCreateAnywayAppliesToOneRetry(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, _ *clock) {
		r := accept(t, s, sample("1"))
		park := func() {
			_, err := s.Claims.Change(t.Context(), r, claim.EventPark, store.ClaimUpdate{Cause: claim.CauseOutcomeUnknown})
			require.NoError(t, err)
		}
		park()
		require.NoError(t, s.Claims.Retry(t.Context(), r, store.RetryOptions{CreateAnyway: true}))
		change(t, s, r, claim.EventStart)
		require.True(t, load(t, s, r).CreateAnyway, "the permission must last until it is used")
		park()
		require.False(t, load(t, s, r).CreateAnyway, "the permission must end with its retry")

		require.NoError(t, s.Claims.Retry(t.Context(), r, store.RetryOptions{CreateAnyway: true}))
		change(t, s, r, claim.EventStart, claim.EventOpened)
		require.False(t, load(t, s, r).CreateAnyway)
	})
}

func TestAbandonByState(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, _ *clock) {
		for _, from := range claim.States() {
			r := accept(t, s, sample(string(from)))
			change(t, s, r, waysTo[from]...)
			err := s.Claims.Abandon(t.Context(), r)
			w := load(t, s, r)
			switch from {
			case claim.StateSettled:
				require.ErrorAs(t, err, new(*claim.TransitionError))
				require.Equal(t, from, w.State)
			case claim.StateAbandoned:
				require.NoError(t, err)
				require.EqualValues(t, 1, w.Revision, "abandoning twice must not nudge the workflow")
			default:
				require.NoError(t, err, from)
				require.Equal(t, claim.StateAbandoned, w.State)
				require.EqualValues(t, 2, w.Revision, from)
			}
		}
	})
}

func TestLinkSetsTheConversation(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		r := accept(t, s, sample("1"))
		require.ErrorIs(t, s.Claims.Link(t.Context(), r, 42), store.ErrNotFound, "a shop without a connection has no conversations")
		connection := connect(t, s, "acme", "org-1")
		_, err := s.Claims.Change(t.Context(), r, claim.EventPark, store.ClaimUpdate{Cause: claim.CauseOutcomeUnknown})
		require.NoError(t, err)

		require.NoError(t, s.Claims.Link(t.Context(), r, 42))
		w := load(t, s, r)
		require.Equal(t, claim.StateReceived, w.State)
		require.EqualValues(t, 42, w.ConversationID)
		require.Equal(t, "org-1", w.OrganizationID)
		require.EqualValues(t, 2, w.Revision)
		link, err := s.Links.Get(t.Context(), r)
		require.NoError(t, err)
		require.Equal(t, store.Link{Ref: r, ConnectionID: connection.ID, ConversationID: 42, CreatedAt: now.Now()}, link)

		other := accept(t, s, sample("2"))
		var conflict *store.ConflictError
		require.ErrorAs(t, s.Claims.Link(t.Context(), other, 42), &conflict)
		require.Equal(t, "conversation 42 belongs to claim "+r.String(), conflict.Problem)
		require.EqualValues(t, 1, load(t, s, other).Revision)

		change(t, s, r, claim.EventStart, claim.EventOpened)
		require.NoError(t, s.Claims.Link(t.Context(), r, 42), "linking the same conversation again must succeed")
		require.Equal(t, claim.StateOpen, load(t, s, r).State)
		change(t, s, other, claim.EventStart, claim.EventOpened)
		require.ErrorAs(t, s.Claims.Link(t.Context(), other, 44), new(*claim.TransitionError))
		require.Zero(t, load(t, s, other).ConversationID)
		require.Error(t, s.Claims.Link(t.Context(), r, 0))
	})
}

// noted returns the result of a step as the workflow reads it.
func noted(t *testing.T, s *store.Store, r claim.Ref, step string) (in store.Intent, conversationID int64) {
	t.Helper()
	in, err := s.Intents.Get(t.Context(), r, step)
	require.NoError(t, err)
	var result struct {
		ConversationID int64 `json:"conversation_id"`
	}
	if len(in.Result) > 0 {
		require.NoError(t, json.Unmarshal(in.Result, &result))
	}
	return in, result.ConversationID
}

func TestWrongLinkIsReplaced(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, _ *clock) {
		connection := connect(t, s, "acme", "org-1")
		for i, from := range []claim.State{claim.StateReceived, claim.StateNeedsAttention, claim.StateSkipped, claim.StateAbandoned} {
			r := accept(t, s, sample("replaced-"+string(from)))
			wrong := 10 * (1 + int64(i))
			require.NoError(t, s.Intents.Finish(t.Context(), r, claim.StepCustomer, nil))
			_, _, err := s.Intents.Begin(t.Context(), r, claim.StepConversation)
			require.NoError(t, err)
			require.NoError(t, s.Links.Create(t.Context(), store.LinkInput{
				Ref: r, ConnectionID: connection.ID, ConversationID: wrong, EndUserID: "user-1", Step: claim.StepConversation, Attached: 2, LeftOut: 1,
			}))
			_, _, err = s.Intents.Begin(t.Context(), r, claim.StepNote)
			require.NoError(t, err)
			change(t, s, r, waysTo[from]...)

			require.NoError(t, s.Claims.Link(t.Context(), r, wrong+1), from)
			w := load(t, s, r)
			require.Equal(t, wrong+1, w.ConversationID, from)
			require.Equal(t, claim.StateReceived, w.State, from)
			require.Equal(t, "user-1", w.EndUserID, "the claim must keep its customer")
			require.Zero(t, w.Attached+w.LeftOut, "the files of the other conversation must not count")
			require.EqualValues(t, 2, w.Revision, from)
			link, err := s.Links.Get(t.Context(), r)
			require.NoError(t, err)
			require.Equal(t, wrong+1, link.ConversationID)
			require.Empty(t, link.EndUserID, "the customer of the new conversation is unknown")
			_, err = s.Links.ClaimOf(t.Context(), connection.ID, wrong)
			require.ErrorIs(t, err, store.ErrNotFound, "the replaced conversation must not belong to the claim")
			_, created := noted(t, s, r, claim.StepConversation)
			require.Equal(t, wrong+1, created, "the create must be finished with the new conversation")
			note, _ := noted(t, s, r, claim.StepNote)
			require.Zero(t, note.SentAt, "a step sent to the replaced conversation must not be outstanding")
			require.Equal(t, 2, note.Try, "the key of the replaced conversation must not be used again")
		}
	})
}

func TestConversationInUseIsNotReplaced(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, _ *clock) {
		connect(t, s, "acme", "org-1")
		refused := func(r claim.Ref, words string) {
			before := load(t, s, r)
			var conflict *store.ConflictError
			require.ErrorAs(t, s.Claims.Link(t.Context(), r, 99), &conflict, r.ID)
			require.Contains(t, conflict.Problem, fmt.Sprintf("conversation %d", before.ConversationID))
			require.Contains(t, conflict.Problem, words)
			require.Equal(t, before, load(t, s, r), "a refused link must change nothing")
			link, err := s.Links.Get(t.Context(), r)
			require.NoError(t, err)
			require.Equal(t, before.ConversationID, link.ConversationID)
		}
		for i, from := range []claim.State{claim.StateOpen, claim.StatePending, claim.StateClosed, claim.StateSettled} {
			r := accept(t, s, sample(string(from)))
			require.NoError(t, s.Claims.Link(t.Context(), r, 10+int64(i)))
			change(t, s, r, waysTo[from]...)
			refused(r, "which is complete")
		}
		opening := accept(t, s, sample("opening"))
		require.NoError(t, s.Claims.Link(t.Context(), opening, 20))
		change(t, s, opening, claim.EventStart)
		refused(opening, "abandon it")

		tagged := accept(t, s, sample("tagged"))
		require.NoError(t, s.Claims.Link(t.Context(), tagged, 21))
		require.NoError(t, s.Intents.Finish(t.Context(), tagged, claim.StepTags, nil))
		change(t, s, tagged, claim.EventStart, claim.EventPark)
		refused(tagged, "contains tags, files or a note")

		taken, other := accept(t, s, sample("taken")), accept(t, s, sample("other"))
		require.NoError(t, s.Claims.Link(t.Context(), taken, 30))
		require.NoError(t, s.Claims.Link(t.Context(), other, 31))
		require.ErrorContains(t, s.Claims.Link(t.Context(), other, 30), "belongs to claim acme/taken")
		require.EqualValues(t, 31, load(t, s, other).ConversationID, "a refused link must keep the conversation")
	})
}

func TestLinkWaitsForAPendingCreate(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, _ *clock) {
		connect(t, s, "acme", "org-1")
		r := accept(t, s, sample("1"))
		change(t, s, r, claim.EventStart)
		_, _, err := s.Intents.Begin(t.Context(), r, claim.StepConversation)
		require.NoError(t, err)
		var conflict *store.ConflictError
		require.ErrorAs(t, s.Claims.Link(t.Context(), r, 42), &conflict)
		require.Contains(t, conflict.Problem, "a create of its conversation is in progress; wait until the claim needs attention")
		require.Zero(t, load(t, s, r).ConversationID)
		_, err = s.Links.Get(t.Context(), r)
		require.ErrorIs(t, err, store.ErrNotFound)

		_, err = s.Claims.Change(t.Context(), r, claim.EventPark, store.ClaimUpdate{Cause: claim.CauseOutcomeUnknown})
		require.NoError(t, err)
		require.NoError(t, s.Claims.Link(t.Context(), r, 42))
		in, created := noted(t, s, r, claim.StepConversation)
		require.EqualValues(t, 42, created)
		require.Zero(t, in.SentAt, "the create must not be outstanding after the link")

		// Linking before the first send prevents the send.
		fresh := accept(t, s, sample("2"))
		change(t, s, fresh, claim.EventStart)
		require.NoError(t, s.Claims.Link(t.Context(), fresh, 43))
		in, outstanding, err := s.Intents.Begin(t.Context(), fresh, claim.StepConversation)
		require.NoError(t, err)
		require.False(t, outstanding)
		require.False(t, in.DoneAt.IsZero(), "the create must be finished")
	})
}

// If a link and a create start concurrently, one of them sees the other.
func TestConcurrentLinkAndCreate(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, _ *clock) {
		connect(t, s, "acme", "org-1")
		for i := range 10 {
			r := accept(t, s, sample(fmt.Sprint(i)))
			change(t, s, r, claim.EventStart)
			sends := false
			errs := atOnce(2, func(who int) error {
				if who == 0 {
					return s.Claims.Link(t.Context(), r, 100+int64(i))
				}
				in, _, err := s.Intents.Begin(t.Context(), r, claim.StepConversation)
				sends = in.DoneAt.IsZero()
				return err
			})
			require.NoError(t, errs[1])
			require.Equal(t, sends, errs[0] != nil, "either the create is sent or the claim is linked: %v", errs[0])
		}
	})
}

func TestRetryShopWakesItsParkedClaims(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, _ *clock) {
		for id, cause := range map[string]claim.Cause{"1": claim.CauseRouting, "2": claim.CauseRefused, "3": claim.CauseRefused} {
			accept(t, s, sample(id))
			_, err := s.Claims.Change(t.Context(), ref(id), claim.EventPark, store.ClaimUpdate{Cause: cause})
			require.NoError(t, err)
		}
		accept(t, s, sample("4"))
		change(t, s, ref("4"), claim.EventSkip)

		n, err := s.Claims.RetryShop(t.Context(), "acme", claim.CauseRefused, claim.CauseTemplate)
		require.NoError(t, err)
		require.Equal(t, 2, n)
		require.Equal(t, claim.StateNeedsAttention, load(t, s, ref("1")).State)
		require.Equal(t, claim.StateReceived, load(t, s, ref("2")).State)
		require.EqualValues(t, 2, load(t, s, ref("2")).Revision)

		n, err = s.Claims.RetryShop(t.Context(), "acme")
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.Equal(t, claim.StateSkipped, load(t, s, ref("4")).State)
		_, err = s.Claims.RetryShop(t.Context(), "nobody")
		require.ErrorIs(t, err, store.ErrNotFound)
	})
}

func TestOpenSkippedSinceATime(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		for _, id := range []string{"1", "2", "3"} {
			accept(t, s, sample(id))
			change(t, s, ref(id), claim.EventSkip)
			now.Turn(time.Hour)
		}
		n, err := s.Claims.OpenSkipped(t.Context(), "acme", now.Now().Add(-2*time.Hour))
		require.NoError(t, err)
		require.Equal(t, 2, n)
		require.Equal(t, claim.StateSkipped, load(t, s, ref("1")).State)
		require.Equal(t, claim.StateReceived, load(t, s, ref("3")).State)
		n, err = s.Claims.OpenSkipped(t.Context(), "acme", time.Time{})
		require.NoError(t, err)
		require.Equal(t, 1, n)
	})
}
