package store_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/store"
)

func TestIntentTracksOutstandingSends(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		r := accept(t, s, sample("1"))
		_, err := s.Intents.Get(t.Context(), r, "create")
		require.ErrorIs(t, err, store.ErrNotFound)

		in, outstanding, err := s.Intents.Begin(t.Context(), r, "create")
		require.NoError(t, err)
		require.False(t, outstanding)
		sent := now.Now()
		require.Equal(t, store.Intent{Ref: r, Step: "create", Try: 1, SentAt: sent}, in)

		now.Turn(time.Minute)
		in, outstanding, err = s.Intents.Begin(t.Context(), r, "create")
		require.NoError(t, err)
		require.True(t, outstanding, "an unanswered send must stay outstanding")
		require.Equal(t, sent, in.SentAt, "the time of the unanswered send must be kept")

		first := in
		in, mine, err := s.Intents.Resend(t.Context(), first)
		require.NoError(t, err)
		require.True(t, mine)
		require.Equal(t, store.Intent{Ref: r, Step: "create", Try: 1, SentAt: now.Now()}, in)

		require.NoError(t, s.Intents.Refuse(t.Context(), in))
		require.NoError(t, s.Intents.Refuse(t.Context(), in))
		in, err = s.Intents.Get(t.Context(), r, "create")
		require.NoError(t, err)
		require.Equal(t, store.Intent{Ref: r, Step: "create", Try: 2}, in, "one refusal must count once")

		in, outstanding, err = s.Intents.Begin(t.Context(), r, "create")
		require.NoError(t, err)
		require.False(t, outstanding)
		require.Equal(t, 2, in.Try)
		require.NoError(t, s.Intents.Withdraw(t.Context(), in))
		in, outstanding, err = s.Intents.Begin(t.Context(), r, "create")
		require.NoError(t, err)
		require.False(t, outstanding)
		require.Equal(t, 2, in.Try, "a withdrawn send must not use its key")
	})
}

func TestFinishedIntentIsImmutable(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		r := accept(t, s, sample("1"))
		begun, _, err := s.Intents.Begin(t.Context(), r, "create")
		require.NoError(t, err)
		require.NoError(t, s.Intents.Finish(t.Context(), r, "create", map[string]int{"conversation_id": 5}))
		done := now.Now()
		now.Turn(time.Minute)

		require.NoError(t, s.Intents.Finish(t.Context(), r, "create", map[string]int{"conversation_id": 6}))
		require.NoError(t, s.Intents.Refuse(t.Context(), begun))
		require.NoError(t, s.Intents.Withdraw(t.Context(), begun))
		_, mine, err := s.Intents.Resend(t.Context(), begun)
		require.NoError(t, err)
		require.False(t, mine, "a finished step must not be sent again")
		in, outstanding, err := s.Intents.Begin(t.Context(), r, "create")
		require.NoError(t, err)
		require.False(t, outstanding)
		require.JSONEq(t, `{"conversation_id":5}`, string(in.Result))
		require.Equal(t, done, in.DoneAt)
		require.Equal(t, 1, in.Try)

		require.NoError(t, s.Intents.Finish(t.Context(), r, "never-begun", nil))
		in, err = s.Intents.Get(t.Context(), r, "never-begun")
		require.NoError(t, err)
		require.NotZero(t, in.DoneAt)
	})
}

func TestUnknownIntentIsNotFound(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, _ *clock) {
		r := accept(t, s, sample("1"))
		never := store.Intent{Ref: r, Step: "create"}
		_, _, err := s.Intents.Resend(t.Context(), never)
		require.ErrorIs(t, err, store.ErrNotFound)
		require.ErrorIs(t, s.Intents.Refuse(t.Context(), never), store.ErrNotFound)
		require.ErrorIs(t, s.Intents.Withdraw(t.Context(), never), store.ErrNotFound)
	})
}

// After a Temporal timeout, two workers can run one activity concurrently.
func TestConcurrentCallersSendOnce(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		r := accept(t, s, sample("1"))
		for range 3 { // the first send and the resends after a refusal
			var senders atomic.Int32
			errs := atOnce(20, func(int) error {
				_, outstanding, err := s.Intents.Begin(t.Context(), r, "create")
				if !outstanding {
					senders.Add(1)
				}
				return err
			})
			require.NoError(t, errors.Join(errs...))
			require.EqualValues(t, 1, senders.Load())
			in, err := s.Intents.Get(t.Context(), r, "create")
			require.NoError(t, err)
			senders.Store(0)
			now.Turn(time.Minute)
			errs = atOnce(20, func(int) error { // each after a search that found nothing
				_, mine, err := s.Intents.Resend(t.Context(), in)
				if mine {
					senders.Add(1)
				}
				return err
			})
			require.NoError(t, errors.Join(errs...))
			require.EqualValues(t, 1, senders.Load(), "exactly one attempt must resend")
			require.NoError(t, s.Intents.Refuse(t.Context(), in), "a refusal of an earlier send must do nothing")
			in, err = s.Intents.Get(t.Context(), r, "create")
			require.NoError(t, err)
			require.NotZero(t, in.SentAt, "a late answer must not refuse a later send")
			require.NoError(t, s.Intents.Refuse(t.Context(), in))
		}
	})
}

func TestLinkConversationIsAtomic(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		r := accept(t, s, sample("1"))
		connection := connect(t, s, "acme", "org-1")
		_, _, err := s.Intents.Begin(t.Context(), r, "create")
		require.NoError(t, err)
		_, err = s.Links.Get(t.Context(), r)
		require.ErrorIs(t, err, store.ErrNotFound)
		_, err = s.Links.ClaimOf(t.Context(), connection.ID, 5)
		require.ErrorIs(t, err, store.ErrNotFound)

		in := store.LinkInput{Ref: r, ConnectionID: connection.ID, ConversationID: 5, EndUserID: "eu-1", Step: "create", Attached: 2, LeftOut: 1}
		require.NoError(t, s.Links.Create(t.Context(), in))
		link, err := s.Links.Get(t.Context(), r)
		require.NoError(t, err)
		require.Equal(t, store.Link{Ref: r, ConnectionID: connection.ID, ConversationID: 5, EndUserID: "eu-1", CreatedAt: now.Now()}, link)
		found, err := s.Links.ClaimOf(t.Context(), connection.ID, 5)
		require.NoError(t, err)
		require.Equal(t, r, found)
		w := load(t, s, r)
		require.EqualValues(t, 5, w.ConversationID)
		require.Equal(t, "org-1", w.OrganizationID)
		require.Equal(t, "eu-1", w.EndUserID)
		require.Equal(t, []int{2, 1}, []int{w.Attached, w.LeftOut})
		require.Equal(t, []string{"create"}, w.DoneSteps)
		intent, err := s.Intents.Get(t.Context(), r, "create")
		require.NoError(t, err)
		require.JSONEq(t, `{"conversation_id":5}`, string(intent.Result))

		require.NoError(t, s.Links.Create(t.Context(), in), "repeating the link must succeed")
		bare := store.LinkInput{Ref: r, ConnectionID: connection.ID, ConversationID: 5}
		require.NoError(t, s.Links.Create(t.Context(), bare))
		w = load(t, s, r)
		require.Equal(t, "eu-1", w.EndUserID, "a repeat must keep the customer")
		require.Equal(t, 2, w.Attached, "a repeat must keep the file counts")
	})
}

func TestLinkConversationRefusesASecondLink(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := setup(t, database(t))
			r, other := accept(t, s, sample("1")), accept(t, s, sample("2"))
			connection := connect(t, s, "acme", "org-1")
			addShop(t, s, "far")
			elsewhere := connect(t, s, "far", "org-2")
			require.NoError(t, s.Links.Create(t.Context(), store.LinkInput{Ref: r, ConnectionID: connection.ID, ConversationID: 5}))

			for name, in := range map[string]store.LinkInput{
				"another conversation": {Ref: r, ConnectionID: connection.ID, ConversationID: 6, Step: "create"},
				"another organization": {Ref: r, ConnectionID: elsewhere.ID, ConversationID: 5, Step: "create"},
				"another claim":        {Ref: other, ConnectionID: connection.ID, ConversationID: 5, Step: "create"},
			} {
				var conflict *store.ConflictError
				require.ErrorAs(t, s.Links.Create(t.Context(), in), &conflict, name)
				_, err := s.Intents.Get(t.Context(), in.Ref, "create")
				require.ErrorIs(t, err, store.ErrNotFound, "%s: a refused link must not finish the intent", name)
			}
			require.Zero(t, load(t, s, other).ConversationID)

			// The same ID in another organization is a different conversation.
			require.NoError(t, s.Links.Create(t.Context(), store.LinkInput{Ref: other, ConnectionID: elsewhere.ID, ConversationID: 5}))
		})
	}
}

func TestConcurrentLinksOfOneConversation(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := database(t)
			s := open(t, url, newKeys(t))
			addShop(t, s, "acme")
			connection := connect(t, s, "acme", "org-1")
			refs := make([]claim.Ref, 10)
			for i := range refs {
				refs[i] = accept(t, s, sample(string(rune('a'+i))))
			}
			linked := 0
			for _, err := range atOnce(len(refs), func(i int) error {
				return s.Links.Create(t.Context(), store.LinkInput{Ref: refs[i], ConnectionID: connection.ID, ConversationID: 5})
			}) {
				if err == nil {
					linked++
					continue
				}
				require.ErrorAs(t, err, new(*store.ConflictError))
			}
			require.Equal(t, 1, linked)
		})
	}
}
