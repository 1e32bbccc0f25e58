package store_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/store"
)

func update(t *testing.T, s *store.Store, r claim.Ref, change string) claim.Updated {
	t.Helper()
	out, err := s.Claims.UpdateFromOwner(t.Context(), store.OwnerUpdate{Ref: r, By: "test", Read: reading(change)})
	require.NoError(t, err)
	return out
}

func reading(change string) func(*claim.Claim) (*claim.Claim, error) {
	return func(current *claim.Claim) (*claim.Claim, error) { return claim.DecodeUpdate([]byte(change), current) }
}

// An edit that races with a create is either part of what is sent or follows it. It
// is never lost.
func TestEditIsSentOrBecomesAnInstruction(t *testing.T) {
	t.Parallel()
	for name, url := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := setup(t, url(t))
			for i := range 20 {
				r := accept(t, s, sample(fmt.Sprint(i)))
				change(t, s, r, claim.EventStart)
				var wg sync.WaitGroup
				var begun, edited error
				var out claim.Updated
				wg.Go(func() { _, _, begun = s.Intents.BeginForRevision(t.Context(), r, claim.StepConversation, 0) })
				wg.Go(func() {
					out, edited = s.Claims.UpdateFromOwner(t.Context(), store.OwnerUpdate{Ref: r, Read: reading(`{"description": "changed"}`)})
				})
				wg.Wait()
				require.NoError(t, edited)
				var stale *store.StaleError
				switch out.Result {
				case claim.UpdateEdited:
					require.ErrorAs(t, begun, &stale)
				case claim.UpdateInstructed:
					require.NoError(t, begun)
				default:
					require.Fail(t, "the edit is lost", "%s", out.Result)
				}
			}
		})
	}
}

func TestClaimIsEditableAfterARefusedCreate(t *testing.T) {
	t.Parallel()
	for name, url := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := setup(t, url(t))
			r := accept(t, s, sample("1"))
			change(t, s, r, claim.EventStart)
			in, _, err := s.Intents.BeginForRevision(t.Context(), r, claim.StepConversation, 0)
			require.NoError(t, err)
			require.Equal(t, claim.UpdateInstructed, update(t, s, r, `{"description": "after"}`).Result)
			body, _, err := s.Claims.OpeningBody(t.Context(), r)
			require.NoError(t, err)
			require.Equal(t, sample("1").Description, body.Description, "a body that may have been sent must not change")
			require.NoError(t, s.Intents.Refuse(t.Context(), in))

			require.Equal(t, claim.UpdateEdited, update(t, s, r, `{"phase": "returned"}`).Result)
			body, revision, err := s.Claims.OpeningBody(t.Context(), r)
			require.NoError(t, err)
			require.Equal(t, int64(1), revision)
			require.Equal(t, "after", body.Description, "the later change must be in the next body, too")
			_, _, err = s.Intents.BeginForRevision(t.Context(), r, claim.StepConversation, 1)
			require.NoError(t, err)
			require.Equal(t, "returned", load(t, s, r).Phase)
		})
	}
}

func TestOwnerUpdateRetriesAParkedClaim(t *testing.T) {
	t.Parallel()
	s, _ := setup(t, memory)
	r := accept(t, s, sample("1"))
	change(t, s, r, claim.EventStart)
	_, err := s.Claims.Change(t.Context(), r, claim.EventPark, store.ClaimUpdate{Cause: claim.CauseCustomer})
	require.NoError(t, err)
	out := update(t, s, r, `{"customer": {"email": "ada.lovelace@customer.example"}}`)
	require.Equal(t, claim.UpdateEdited, out.Result)
	require.Equal(t, claim.StateReceived, out.Claim.State)

	// The fallback was triggered, so only a person can retry the claim.
	change(t, s, r, claim.EventStart)
	_, err = s.Claims.Change(t.Context(), r, claim.EventPark, store.ClaimUpdate{Cause: claim.CauseCustomer, FallbackUsed: true})
	require.NoError(t, err)
	require.Equal(t, claim.StateNeedsAttention, update(t, s, r, `{"customer": {"email": "ada@customer.example"}}`).Claim.State)
}

func TestStatusBeforeTheCreateIsCarriedOutLater(t *testing.T) {
	t.Parallel()
	s, _ := setup(t, memory)
	r := accept(t, s, sample("1"))
	out := update(t, s, r, `{"status": "accepted", "reason": "lost"}`)
	require.Equal(t, claim.UpdateEdited, out.Result)
	require.Equal(t, []string{"reason", "status"}, out.Changed)
	in, err := s.Instructions.Next(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, out.InstructionID, in.ID)
	require.NotContains(t, string(in.Body), "lost", "the instruction must not repeat the edited fields")

	require.NoError(t, s.Claims.Abandon(t.Context(), r))
	in, err = s.Instructions.Get(t.Context(), r, in.ID)
	require.NoError(t, err)
	require.Equal(t, claim.InstructionRefused, in.State)
	events, err := s.Outbox.List(t.Context(), r)
	require.NoError(t, err)
	require.Len(t, events, 1)
	require.Equal(t, claim.OutboundAbandoned, events[0].Type)
}

func TestInvalidUpdateWritesNothing(t *testing.T) {
	t.Parallel()
	s, _ := setup(t, memory)
	r := accept(t, s, sample("1"))
	before := load(t, s, r)
	_, err := s.Claims.UpdateFromOwner(t.Context(), store.OwnerUpdate{Ref: r, Read: reading(`{"reason": null, "selected_items": 5}`)})
	var invalid *claim.InvalidError
	require.ErrorAs(t, err, &invalid)
	require.Len(t, invalid.Errors, 2)
	require.Equal(t, before, load(t, s, r))
	_, err = s.Claims.UpdateFromOwner(t.Context(), store.OwnerUpdate{Ref: ref("none"), Read: reading(`{}`)})
	require.ErrorIs(t, err, store.ErrNotFound)
}

func TestRulesAreReevaluatedAfterTheLastChange(t *testing.T) {
	t.Parallel()
	for name, url := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := setup(t, url(t))
			r := accept(t, s, sample("1"))
			c := connect(t, s, "acme", "org-1")
			require.NoError(t, s.Links.Create(t.Context(), store.LinkInput{Ref: r, ConnectionID: c.ID, ConversationID: 1, Step: claim.StepConversation}))
			ids := []string{"a", "b"}
			for _, id := range ids {
				_, _, err := s.Instructions.Add(t.Context(), claim.Instruction{Ref: r, ID: id, Kind: claim.InstructChange, Body: []byte(`{}`)})
				require.NoError(t, err)
			}
			in, err := s.Instructions.Next(t.Context(), r)
			require.NoError(t, err)
			in.State, in.Wrote = claim.InstructionDone, true
			require.NoError(t, s.Instructions.Finish(t.Context(), in, store.ClaimUpdate{RulesDue: true}))
			require.False(t, load(t, s, r).Unread, "the rules must wait for the other change")
			in, err = s.Instructions.Next(t.Context(), r)
			require.NoError(t, err)
			in.State = claim.InstructionDone
			require.NoError(t, s.Instructions.Finish(t.Context(), in, store.ClaimUpdate{RulesDue: true}))
			w := load(t, s, r)
			require.True(t, w.Unread)
			require.NoError(t, s.Conversations.Apply(t.Context(), store.EventEffects{Ref: r, State: w.State, ConversationID: 1, RulesEvaluated: true}))
			require.False(t, load(t, s, r).Unread)
			n, err := s.Instructions.ChangesWritten(t.Context(), r, time.Time{})
			require.NoError(t, err)
			require.Equal(t, 1, n)
		})
	}
}

// An event's effects and its applied mark commit together.
func TestOwnerEventIsAppliedOnceOrWaits(t *testing.T) {
	t.Parallel()
	for name, url := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, now := setup(t, url(t))
			r := accept(t, s, sample("1"))
			e := store.OwnerEvent{Shop: "acme", ID: "e-1", Ref: "claims/updated", ClaimID: r.ID, Body: []byte(`{"personal": "ada"}`)}
			for i := range 2 {
				fresh, err := s.OwnerInbox.Receive(t.Context(), e)
				require.NoError(t, err)
				require.Equal(t, i == 0, fresh)
			}
			broken := errors.New("the process was killed")
			_, err := s.OwnerInbox.Apply(t.Context(), e, store.OwnerEffect{Claim: &store.OwnerUpdate{Ref: r, Read: func(*claim.Claim) (*claim.Claim, error) { return nil, broken }}})
			require.ErrorIs(t, err, broken)
			waiting, err := s.OwnerInbox.Waiting(t.Context(), 10)
			require.NoError(t, err)
			require.Len(t, waiting, 1)
			require.Equal(t, e.Body, waiting[0].Body)

			effect := store.OwnerEffect{Claim: &store.OwnerUpdate{Ref: r, Read: reading(`{"phase": "returned"}`)}}
			state, err := s.OwnerInbox.Apply(t.Context(), e, effect)
			require.NoError(t, err)
			require.Equal(t, store.OwnerEventApplied, state)
			revision := load(t, s, r).Revision
			state, err = s.OwnerInbox.Apply(t.Context(), e, effect)
			require.NoError(t, err)
			require.Empty(t, state)
			require.Equal(t, revision, load(t, s, r).Revision)

			now.Turn(25 * time.Hour)
			n, err := s.OwnerInbox.DropBodies(t.Context(), now.Now().Add(-24*time.Hour))
			require.NoError(t, err)
			require.Equal(t, 1, n)
			fresh, err := s.OwnerInbox.Receive(t.Context(), e)
			require.NoError(t, err)
			require.False(t, fresh, "the event id must stay known")
		})
	}
}
