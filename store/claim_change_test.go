package store_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/store"
)

func TestLoadReturnsPlainFacts(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, _ *clock) {
		accept(t, s, sample("1"))
		w := load(t, s, ref("1"))
		require.Equal(t, claim.StateReceived, w.State)
		require.Empty(t, w.ConnectionID)
		require.True(t, w.Feature)
		require.False(t, w.Enabled)
		require.EqualValues(t, 1, w.SettingsVersion)
		require.EqualValues(t, 1, w.Revision)
		require.Empty(t, w.DoneSteps)

		connection := connect(t, s, "acme", "org-1")
		require.NoError(t, s.Shops.SetEnabled(t.Context(), "acme", true))
		require.NoError(t, s.Shops.Pause(t.Context(), "acme"))
		for _, step := range []string{"tags", "create"} {
			_, _, err := s.Intents.Begin(t.Context(), ref("1"), step)
			require.NoError(t, err)
			require.NoError(t, s.Intents.Finish(t.Context(), ref("1"), step, nil))
		}
		_, _, err := s.Intents.Begin(t.Context(), ref("1"), "note")
		require.NoError(t, err)
		w = load(t, s, ref("1"))
		require.Equal(t, connection.ID, w.ConnectionID)
		require.Equal(t, claim.ConnectionActive, w.ConnectionState)
		require.True(t, w.Enabled)
		require.True(t, w.Paused)
		require.EqualValues(t, 3, w.SettingsVersion, "the token and enabling must count as two changes")
		require.Equal(t, []string{"create", "tags"}, w.DoneSteps)

		facts := asJSON(t, w)
		for _, personal := range []string{"ada@", "Ada", "Lovelace", "vase", "img.example", "19.90"} {
			require.NotContains(t, facts, personal)
		}
	})
}

func TestLoadWorksForClaimsOfADeletedShop(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, _ *clock) {
		accept(t, s, sample("1"))
		connection := connect(t, s, "acme", "org-1")
		require.NoError(t, s.Links.Create(t.Context(), store.LinkInput{Ref: ref("1"), ConnectionID: connection.ID, ConversationID: 5}))
		require.NoError(t, s.Shops.Delete(t.Context(), "acme"))
		w := load(t, s, ref("1"))
		require.False(t, w.Feature)
		require.False(t, w.Enabled)
		require.Equal(t, connection.ID, w.ConnectionID, "the claim must keep the connection of its conversation")
	})
}

func TestChangeAppliesEventAndUpdate(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		r := accept(t, s, sample("1"))
		accepted := now.Now()
		now.Turn(time.Minute)
		state, err := s.Claims.Change(t.Context(), r, claim.EventStart, store.ClaimUpdate{Template: "shop/damaged/de", Language: "de", Route: "vip", EndUserID: "eu-1"})
		require.NoError(t, err)
		require.Equal(t, claim.StateOpening, state)

		long := strings.Repeat("é", 1500)
		state, err = s.Claims.Change(t.Context(), r, claim.EventPark, store.ClaimUpdate{Cause: claim.CauseTemplate, LastError: long, ParkedVersion: 7, FallbackUsed: true})
		require.NoError(t, err)
		require.Equal(t, claim.StateNeedsAttention, state)
		w := load(t, s, r)
		require.Equal(t, claim.CauseTemplate, w.Cause)
		require.Equal(t, claim.CauseTemplate.Advice(), w.Advice)
		require.Equal(t, strings.Repeat("é", 1000), w.LastError)
		require.EqualValues(t, 7, w.ParkedVersion)
		require.True(t, w.FallbackUsed)
		require.Equal(t, now.Now(), w.FallbackAt)
		require.Equal(t, "eu-1", w.EndUserID)

		now.Turn(time.Minute)
		two, one := 2, 1
		state, err = s.Claims.Change(t.Context(), r, claim.EventOpened, store.ClaimUpdate{Attached: &two, LeftOut: &one})
		require.NoError(t, err)
		require.Equal(t, claim.StateOpen, state)
		opened := now.Now()
		now.Turn(time.Minute)
		zero := 0
		_, err = s.Claims.Change(t.Context(), r, claim.EventPending, store.ClaimUpdate{LeftOut: &zero})
		require.NoError(t, err)
		change(t, s, r, claim.EventReopen)

		require.NoError(t, s.Claims.AddRequests(t.Context(), r, 2))
		require.NoError(t, s.Claims.AddRequests(t.Context(), r, 1))
		record, err := s.Claims.Record(t.Context(), r)
		require.NoError(t, err)
		require.Equal(t, claim.Record{
			Ref: r, State: claim.StateOpen, LastError: strings.Repeat("é", 1000), Reason: "partialDamage", Flow: "defective",
			Preference: "refund", Phase: "delivered", OrderNumber: "#1", Template: "shop/damaged/de", Language: "de", Route: "vip",
			Attached: 2, LeftOut: 0, DixaRequests: 3, FallbackUsed: true, WorkflowID: "claim:acme:1",
			AcceptedAt: accepted, OpenedAt: opened, UpdatedAt: now.Now(),
		}, record, "the cause of a claim that went on is left, or what was set is lost")
		require.EqualValues(t, 1, load(t, s, r).Revision, "a change by the workflow must not nudge it")
	})
}

func TestInapplicableChangeWritesNothing(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, _ *clock) {
		r := accept(t, s, sample("1"))
		before := load(t, s, r)
		_, err := s.Claims.Change(t.Context(), r, claim.EventSettle, store.ClaimUpdate{LastError: "x", Outbox: []store.OutboxEvent{{Type: "settled", Body: json.RawMessage(`{}`)}}})
		var transition *claim.TransitionError
		require.ErrorAs(t, err, &transition)
		require.Equal(t, claim.TransitionError{From: claim.StateReceived, Event: claim.EventSettle}, *transition)
		require.Equal(t, before, load(t, s, r))
		events, err := s.Outbox.List(t.Context(), r)
		require.NoError(t, err)
		require.Empty(t, events)
	})
}

func TestChangeWithoutEventKeepsTheState(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, _ *clock) {
		r := accept(t, s, sample("1"))
		_, err := s.Claims.Change(t.Context(), r, claim.EventPark, store.ClaimUpdate{Cause: claim.CauseRefused})
		require.NoError(t, err)
		state, err := s.Claims.Change(t.Context(), r, "", store.ClaimUpdate{Template: "built-in/general/en"})
		require.NoError(t, err)
		require.Equal(t, claim.StateNeedsAttention, state)
		w := load(t, s, r)
		require.Equal(t, claim.CauseRefused, w.Cause)
		require.Equal(t, "built-in/general/en", w.Template)
	})
}

func TestOutboxNumbersEventsWithoutGaps(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		r := accept(t, s, sample("1"))
		change(t, s, r, claim.EventStart)
		errs := atOnce(10, func(i int) error {
			event := store.OutboxEvent{ID: fmt.Sprintf("e-%d", i), Type: "tried", Body: json.RawMessage(fmt.Sprintf(`{"n":%d}`, i))}
			_, err := s.Claims.Change(t.Context(), r, claim.EventStart, store.ClaimUpdate{Outbox: []store.OutboxEvent{event}})
			return err
		})
		require.NoError(t, errors.Join(errs...))
		opened := []store.OutboxEvent{{ID: "e-3", Type: "tried"}, {ID: "opened", Type: "opened", Body: json.RawMessage(`{"conversation_id":5}`)}, {Type: "unnamed"}}
		_, err := s.Claims.Change(t.Context(), r, claim.EventOpened, store.ClaimUpdate{Outbox: opened})
		require.NoError(t, err)
		_, err = s.Claims.Change(t.Context(), r, claim.EventOpened, store.ClaimUpdate{Outbox: opened[:2]})
		require.NoError(t, err)

		events, err := s.Outbox.List(t.Context(), r)
		require.NoError(t, err)
		require.Len(t, events, 12, "each event must be added once")
		for i, e := range events {
			require.EqualValues(t, i+1, e.Sequence)
			require.Equal(t, r, e.Ref)
			require.NotEmpty(t, e.ID)
			require.Equal(t, now.Now(), e.CreatedAt)
		}
		require.Equal(t, "opened", events[10].ID)
		require.JSONEq(t, `{"conversation_id":5}`, string(events[10].Body))
		require.Equal(t, "unnamed", events[11].Type)
	})
}

// An operator abandons the claim while the workflow opens it. The second transaction
// sees the first one's commit.
func TestConcurrentAbandonAndOpenedAreSerialized(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, _ *clock) {
		for i := range 20 {
			r := accept(t, s, sample(fmt.Sprint(i)))
			change(t, s, r, claim.EventStart)
			errs := atOnce(2, func(who int) error {
				if who == 0 {
					return s.Claims.Abandon(t.Context(), r)
				}
				_, err := s.Claims.Change(t.Context(), r, claim.EventOpened, store.ClaimUpdate{})
				return err
			})
			require.NoError(t, errs[0])
			w := load(t, s, r)
			require.Equal(t, claim.StateAbandoned, w.State)
			if errs[1] != nil {
				require.ErrorAs(t, errs[1], new(*claim.TransitionError))
				require.Zero(t, w.OpenedAt, "the refused change must write nothing")
			} else {
				require.NotZero(t, w.OpenedAt)
			}
		}
	})
}

func TestDraftsAreStoredByKind(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, _ *clock) {
		r := accept(t, s, sample("1"))
		type ticket struct{ Subject string }
		require.NoError(t, s.Claims.SaveDraft(t.Context(), r, "ticket", ticket{"one"}))
		require.NoError(t, s.Claims.SaveDraft(t.Context(), r, "ticket", ticket{"two"}))
		require.NoError(t, s.Claims.SaveDraft(t.Context(), r, "evidence", []string{"a.jpg"}))
		var got, kept ticket
		require.NoError(t, s.Claims.SaveDraftOnce(t.Context(), r, "decision", ticket{"first"}, &kept))
		require.NoError(t, s.Claims.SaveDraftOnce(t.Context(), r, "decision", ticket{"second"}, &kept))
		require.Equal(t, ticket{"first"}, kept)
		require.NoError(t, s.Claims.Draft(t.Context(), r, "ticket", &got))
		require.Equal(t, ticket{"two"}, got)
		var files []string
		require.NoError(t, s.Claims.Draft(t.Context(), r, "evidence", &files))
		require.Equal(t, []string{"a.jpg"}, files)
		require.ErrorIs(t, s.Claims.Draft(t.Context(), r, "note", &files), store.ErrNotFound)
		err := s.Claims.Draft(t.Context(), r, "ticket", &files)
		require.ErrorContains(t, err, "unexpected JSON")
		require.NotContains(t, err.Error(), "two", "the error must not quote encrypted data")
	})
}
