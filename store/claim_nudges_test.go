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

func unsignalled(t *testing.T, s *store.Store, limit int) []store.Nudge {
	t.Helper()
	nudges, err := s.Nudges.Due(t.Context(), limit)
	require.NoError(t, err)
	return nudges
}

// told marks every due nudge as sent and read.
func told(t *testing.T, s *store.Store) {
	t.Helper()
	for _, n := range unsignalled(t, s, 1000) {
		require.NoError(t, s.Nudges.MarkSent(t.Context(), n.Ref, n.Revision))
		require.NoError(t, s.Nudges.MarkRead(t.Context(), n.Ref, n.Revision))
	}
}

func TestNudgesAreOwedUntilTheyAreTold(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		for _, id := range []string{"1", "2", "3"} {
			accept(t, s, sample(id))
			now.Turn(1000)
		}
		require.Equal(t, []store.Nudge{
			{Ref: ref("1"), Revision: 1, Reason: "partial_damage", OrderNumber: "#1", New: true},
			{Ref: ref("2"), Revision: 1, Reason: "partial_damage", OrderNumber: "#2", New: true},
		}, unsignalled(t, s, 2))

		require.NoError(t, s.Nudges.MarkSent(t.Context(), ref("1"), 1))
		require.Len(t, unsignalled(t, s, 10), 2)

		// A retry between reading and sending a nudge gets a nudge of its own.
		require.NoError(t, s.Claims.Retry(t.Context(), ref("2"), store.RetryOptions{}))
		require.NoError(t, s.Nudges.MarkSent(t.Context(), ref("2"), 1))
		require.NoError(t, s.Nudges.MarkRead(t.Context(), ref("2"), 1))
		nudges := unsignalled(t, s, 10)
		require.Len(t, nudges, 2)
		require.Equal(t, ref("2"), nudges[0].Ref)
		require.EqualValues(t, 2, nudges[0].Revision)
		require.NoError(t, s.Nudges.MarkSent(t.Context(), ref("2"), 2))
		require.NoError(t, s.Nudges.MarkSent(t.Context(), ref("2"), 1))
		require.Len(t, unsignalled(t, s, 10), 1, "a late note of an old nudge takes the new one back")
	})
}

// gathers reports whether the events of claim 1 gather.
func gathers(t *testing.T, s *store.Store) bool {
	t.Helper()
	gathering, err := s.Nudges.Gather(t.Context(), ref("1"))
	require.NoError(t, err)
	return gathering
}

// A nudge may be recorded as sent after its workflow has read the claim. Events that
// the workflow leaves to the next nudge still get one.
func TestGatheringEventsAreAnnouncedDespiteANudgeInFlight(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		c := connect(t, s, "acme", "org-1")
		accept(t, s, sample("1"))
		told(t, s)
		change(t, s, ref("1"), claim.EventStart)
		receive(t, s, c.ID, closed("event", "org-1", 7))
		link(t, s, c.ID, "1", 7)
		joinAll(t, s, 1)
		now.Turn(10 * time.Second)
		inFlight := unsignalled(t, s, 10)
		require.Len(t, inFlight, 1)

		change(t, s, ref("1"), claim.EventOpened)
		require.True(t, gathers(t, s))
		require.NoError(t, s.Nudges.MarkSent(t.Context(), ref("1"), inFlight[0].Revision))
		require.NoError(t, s.Nudges.MarkRead(t.Context(), ref("1"), inFlight[0].Revision))
		now.Turn(2 * time.Second)
		require.Len(t, unsignalled(t, s, 10), 1)
	})
}

// Events that one of our own writes causes share a nudge. Neither a person's change nor
// a lost nudge waits for them.
func TestEventsOfOwnWritesShareANudge(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		c := connect(t, s, "acme", "org-1")
		accept(t, s, sample("1"))
		told(t, s)
		receiveEvent := func(id string) {
			t.Helper()
			receive(t, s, c.ID, closed(id, "org-1", 7))
			joinAll(t, s, 1)
		}
		change(t, s, ref("1"), claim.EventStart)
		link(t, s, c.ID, "1", 7)
		receiveEvent("while it opens")
		now.Turn(5 * time.Second)
		require.Empty(t, unsignalled(t, s, 10))

		change(t, s, ref("1"), claim.EventOpened)
		require.True(t, gathers(t, s))
		now.Turn(time.Second)
		receiveEvent("the echo")
		require.Empty(t, unsignalled(t, s, 10))
		now.Turn(time.Second)
		require.Len(t, unsignalled(t, s, 10), 1)
		require.False(t, gathers(t, s))
		told(t, s)

		receiveEvent("news")
		require.Len(t, unsignalled(t, s, 10), 1, "no write precedes it")
		told(t, s)

		_, _, err := s.Intents.Begin(t.Context(), ref("1"), claim.StepNote)
		require.NoError(t, err)
		receiveEvent("another echo")
		require.Empty(t, unsignalled(t, s, 10))
		_, _, err = s.Instructions.Add(t.Context(), claim.Instruction{Ref: ref("1"), ID: "i-1", Kind: claim.InstructNote, Body: json.RawMessage(`{}`)})
		require.NoError(t, err)
		require.Len(t, unsignalled(t, s, 10), 1, "an instruction does not wait")
	})
}

func TestParkedClaimsWakeOnceForNewSettings(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, _ *clock) {
		ctx := t.Context()
		park := func(version int64) {
			_, err := s.Claims.Change(ctx, ref("1"), claim.EventPark, store.ClaimUpdate{Cause: claim.CauseTemplate, ParkedVersion: version})
			require.NoError(t, err)
		}
		wake := func() int {
			n, err := s.Nudges.WakeParked(ctx)
			require.NoError(t, err)
			return n
		}
		accept(t, s, sample("1"))
		park(version(t, s, "acme"))
		require.Zero(t, wake(), "nothing changed")

		_, err := s.Settings.Save(ctx, "acme", json.RawMessage(`{"tag":"x"}`))
		require.NoError(t, err)
		told(t, s)
		require.Equal(t, 1, wake())
		require.Len(t, unsignalled(t, s, 10), 1)
		require.Equal(t, claim.StateNeedsAttention, load(t, s, ref("1")).State, "the workflow decides where the claim goes")
		require.Zero(t, wake(), "one change wakes twice")

		// It parked again after reading the old settings.
		park(version(t, s, "acme") - 1)
		require.Equal(t, 1, wake(), "a claim that parked with old settings sleeps for ever")
		park(version(t, s, "acme"))
		require.Zero(t, wake())

		change(t, s, ref("1"), claim.EventStart)
		require.NoError(t, s.Shops.SetEnabled(ctx, "acme", true))
		require.Zero(t, wake(), "a claim that is not parked is woken")
	})
}

func TestEveryChangeThatCanHelpWakesParkedClaims(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := setup(t, database(t))
			ctx := t.Context()
			off := false
			accept(t, s, sample("1"))
			for name, do := range map[string]func() error{
				"settings":          func() error { _, err := s.Settings.Save(ctx, "acme", json.RawMessage(`{"tag":"x"}`)); return err },
				"platform settings": func() error { _, err := s.Settings.Save(ctx, "", json.RawMessage(`{"tag":"y"}`)); return err },
				"template":          func() error { return s.Templates.Put(ctx, "acme", "damaged", "en", json.RawMessage(`{}`)) },
				"platform template": func() error { return s.Templates.Put(ctx, "", "damaged", "en", json.RawMessage(`{}`)) },
				"token": func() error {
					_, err := s.Connections.SaveToken(ctx, "acme", tokenA, store.Organization{ID: "org-1"})
					return err
				},
				"enable":  func() error { return s.Shops.SetEnabled(ctx, "acme", true) },
				"feature": func() error { _, err := s.Shops.Patch(ctx, "acme", claim.ShopPatch{Feature: &off}); return err },
				"resume": func() error {
					if err := s.Shops.Pause(ctx, "acme"); err != nil {
						return err
					}
					return s.Shops.Resume(ctx, "acme")
				},
			} {
				_, err := s.Claims.Change(ctx, ref("1"), claim.EventPark, store.ClaimUpdate{Cause: claim.CauseTemplate, ParkedVersion: version(t, s, "acme")})
				require.NoError(t, err)
				require.NoError(t, do(), name)
				n, err := s.Nudges.WakeParked(ctx)
				require.NoError(t, err)
				require.Equal(t, 1, n, name)
			}
		})
	}
}

func TestClaimWithATriggeredFallbackWaitsForAPerson(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		ctx := t.Context()
		accept(t, s, sample("1"))
		settings := 0
		wakes := func() bool {
			settings++
			_, err := s.Settings.Save(ctx, "acme", json.RawMessage(fmt.Sprintf(`{"tag":"t%d"}`, settings)))
			require.NoError(t, err)
			n, err := s.Nudges.WakeParked(ctx)
			require.NoError(t, err)
			return n == 1
		}
		_, err := s.Claims.Change(ctx, ref("1"), claim.EventPark, store.ClaimUpdate{Cause: claim.CauseDeadline, ParkedVersion: 1, FallbackUsed: true})
		require.NoError(t, err)
		require.False(t, wakes(), "a conversation would be created though the fallback was used")

		now.Turn(time.Minute)
		require.NoError(t, s.Claims.Retry(ctx, ref("1"), store.RetryOptions{}))
		require.True(t, load(t, s, ref("1")).FallbackUsed, "the mark is gone")
		_, err = s.Claims.Change(ctx, ref("1"), claim.EventPark, store.ClaimUpdate{Cause: claim.CauseTemplate, ParkedVersion: 1})
		require.NoError(t, err)
		require.True(t, wakes(), "a person retried it, and it still sleeps")
	})
}

func TestClaimsThatNothingIsHeardOfAreStranded(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		const silence = 10 * time.Minute
		stranded := func() (states []string) {
			nudges, err := s.Nudges.Stranded(t.Context(), silence, 100)
			require.NoError(t, err)
			for _, n := range nudges {
				states = append(states, n.Ref.ID)
			}
			return states
		}
		for _, state := range claim.States() {
			accept(t, s, sample(string(state)))
			change(t, s, ref(string(state)), waysTo[state]...)
		}
		now.Turn(silence)
		require.Empty(t, stranded(), "what the engine was not told of yet is brought to it anyway")
		told(t, s)
		now.Turn(silence - time.Second)
		require.Empty(t, stranded())
		now.Turn(time.Second)
		waiting := []string{"received", "opening", "needs_attention"}
		require.ElementsMatch(t, waiting, stranded())

		// An error report from the workflow and a nudge that Temporal accepted both restart
		// the silence period.
		_, err := s.Claims.Change(t.Context(), ref("opening"), "", store.ClaimUpdate{LastError: "Dixa answers 503"})
		require.NoError(t, err)
		require.NoError(t, s.Nudges.MarkSent(t.Context(), ref("received"), 1))
		require.Equal(t, []string{"needs_attention"}, stranded())
		require.Empty(t, unsignalled(t, s, 10), "making sure of a workflow owes it a signal")
		now.Turn(silence)
		require.ElementsMatch(t, waiting, stranded())
		limited, err := s.Nudges.Stranded(t.Context(), silence, 2)
		require.NoError(t, err)
		require.Len(t, limited, 2)
		for _, n := range limited {
			require.NotEqual(t, ref("received"), n.Ref, "those that were longest not heard of come first")
			require.Equal(t, store.Nudge{Ref: n.Ref, Revision: 1, Reason: "partial_damage", OrderNumber: "#" + n.Ref.ID}, n)
		}
	})
}
