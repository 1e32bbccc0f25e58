package activities_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/store"
)

func (b *bench) sync(change activities.StatusChange) claim.WorkflowState {
	b.Helper()
	var claims *activities.Claims
	state, err := run[claim.WorkflowState](b, claims.SyncStatus, change)
	require.NoError(b, err)
	return state
}

// told returns the types of the events in the claim's outbox.
func (b *bench) told(ref claim.Ref) []string {
	b.Helper()
	events, err := b.store.Outbox.List(b.Context(), ref)
	require.NoError(b, err)
	types := []string{}
	for _, e := range events {
		types = append(types, e.Type)
	}
	return types
}

func TestSyncStatusIsIdempotent(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, nil)
	ref := b.accept(b.sample("c-1"))
	park := activities.StatusChange{Ref: ref, Event: claim.EventPark, Cause: claim.CauseCustomer, SettingsVersion: 1, Fallback: true}
	for range 2 {
		state := b.sync(park)
		require.Equal(t, claim.StateNeedsAttention, state.State)
		require.True(t, state.FallbackUsed)
	}
	require.Equal(t, []string{claim.OutboundNeedsAttention, claim.OutboundFallback}, b.told(ref))

	ref = b.accept(b.sample("c-2"))
	for range 2 {
		require.Equal(t, claim.StateOpen, b.sync(activities.StatusChange{Ref: ref, Event: claim.EventOpened}).State)
	}
	require.Equal(t, []string{claim.OutboundOpened}, b.told(ref))
}

// A local activity that timed out may still run beside its remote attempt.
func TestOverlappingStatusChangesNotifyOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, nil)
	for i := range 10 {
		ref := b.accept(b.sample(fmt.Sprint("c-", i)))
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() {
				b.sync(activities.StatusChange{Ref: ref, Event: claim.EventPark, Cause: claim.CauseDeadline, SettingsVersion: 1, Fallback: true})
			})
		}
		both.Wait()
		require.Equal(t, []string{claim.OutboundNeedsAttention, claim.OutboundFallback}, b.told(ref))
	}
}

// Events that arrive from Dixa must not undo a park: the opening would be repeated.
func TestParkHoldsWhileEventsArrive(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, nil)
	for i := range 10 {
		ref := b.accept(b.sample(fmt.Sprint("c-", i)))
		_, err := b.open(ref)
		require.NoError(t, err)
		var changes sync.WaitGroup
		changes.Go(func() {
			for range 2 { // each changes the claim's revision, as an event does
				_ = b.store.Shops.Pause(t.Context(), shop)
				_ = b.store.Shops.Resume(t.Context(), shop)
			}
		})
		state := b.sync(activities.StatusChange{Ref: ref, Event: claim.EventPark, Cause: claim.CauseRefused, SettingsVersion: 1})
		changes.Wait()
		require.Equal(t, claim.StateNeedsAttention, state.State)
	}
}

// The dispatcher records a nudge after it sent it, so a workflow that was just nudged
// must see events even if they seem to wait for another nudge.
func TestLoadReportsEventsThatGather(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, nil)
	ref := b.accept(b.sample("c-1"))
	require.Equal(t, claim.StateOpen, b.sync(activities.StatusChange{Ref: ref, Event: claim.EventOpened}).State)
	_, err := b.store.Claims.Change(t.Context(), ref, "", store.ClaimUpdate{RulesDue: true})
	require.NoError(t, err)
	require.True(t, b.load(ref).Unread)
}

// An operator's command takes precedence over a pending or repeated write by the
// workflow.
func TestRetryWinsOverOutdatedStatusChange(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, nil)
	ref := b.accept(b.sample("c-1"))
	park := activities.StatusChange{Ref: ref, Event: claim.EventPark, Cause: claim.CauseOutcomeUnknown}
	b.sync(park)
	require.NoError(t, b.store.Claims.Retry(t.Context(), ref, store.RetryOptions{CreateAnyway: true}))
	require.Equal(t, claim.StateReceived, b.sync(park).State, "the repeated park must not undo the retry")
	work, err := b.store.Claims.Load(t.Context(), ref)
	require.NoError(t, err)
	require.True(t, work.CreateAnyway, "the repeated park must not withdraw the permission to create anyway")
	require.Equal(t, []string{claim.OutboundNeedsAttention}, b.told(ref))
}

func TestSkipIsNotRepeatedAfterShopIsEnabled(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, nil)
	require.NoError(t, b.store.Shops.SetEnabled(t.Context(), shop, false))
	_, err := b.store.Claims.Accept(t.Context(), b.sample("c-1"))
	require.NoError(t, err)
	ref := claim.Ref{Shop: shop, ID: "c-1"}
	skip := activities.StatusChange{Ref: ref, Event: claim.EventSkip}
	require.Equal(t, claim.StateSkipped, b.sync(skip).State)
	require.NoError(t, b.store.Shops.SetEnabled(t.Context(), shop, true))
	_, err = b.store.Claims.OpenSkipped(t.Context(), shop, time.Time{})
	require.NoError(t, err)
	require.Equal(t, claim.StateReceived, b.sync(skip).State)
	require.Equal(t, []string{claim.OutboundSkipped}, b.told(ref))
}

func TestOpenedAfterAbandonAndRetry(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, nil)
	ref := b.accept(b.sample("c-1"))
	require.NoError(t, b.store.Claims.Abandon(t.Context(), ref))
	require.Equal(t, claim.StateAbandoned, b.sync(activities.StatusChange{Ref: ref, Event: claim.EventOpened}).State)
	require.NoError(t, b.store.Claims.Retry(t.Context(), ref, store.RetryOptions{}))
	state := b.sync(activities.StatusChange{Ref: ref, Event: claim.EventOpened})
	require.Equal(t, claim.ActionOpen, state.Next(), "the workflow must continue from the claim's current state")
}

func TestFallbackIsNotTriggeredForClaimWithConversation(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, nil)
	ref := b.accept(b.sample("c-1"))
	_, err := b.open(ref)
	require.NoError(t, err)
	b.sync(activities.StatusChange{Ref: ref, Event: claim.EventPark, Cause: claim.CauseRouting, Fallback: true})
	require.Equal(t, []string{claim.OutboundNeedsAttention}, b.told(ref))
}

func TestDeadlineWithUnansweredCreateParksAsOutcomeUnknown(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, nil)
	ref := b.accept(b.sample("c-1"))
	b.dixa.Inject(server.Fault{Operation: "POST /conversations", Kind: server.FaultDropAfter, Times: 1})
	_, err := b.open(ref)
	require.Error(t, err)
	state := b.sync(activities.StatusChange{Ref: ref, Event: claim.EventPark, Cause: claim.CauseDeadline, Fallback: true})
	require.True(t, state.Unanswered)
	require.Equal(t, claim.CauseOutcomeUnknown, state.Cause)
	require.True(t, state.AwaitsRetry)
	require.NoError(t, b.store.Claims.Retry(t.Context(), ref, store.RetryOptions{}))
	require.False(t, b.load(ref).AwaitsRetry)
}

// TestTokenProblemIsReportedForConnection checks that claims parked for the connection's token
// produce one event, about the connection.
func TestTokenProblemIsReportedForConnection(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, nil)
	first, second := b.accept(b.sample("c-1")), b.accept(b.sample("c-2"))
	for _, ref := range []claim.Ref{first, second} {
		state := b.sync(activities.StatusChange{Ref: ref, Event: claim.EventPark, Cause: claim.CauseConnection, SettingsVersion: 1})
		require.Equal(t, claim.StateNeedsAttention, state.State)
		require.Empty(t, b.told(ref))
	}
	b.sync(activities.StatusChange{Ref: first, Event: claim.EventPark, Cause: claim.CauseConnection, SettingsVersion: 1, Fallback: true})
	require.Equal(t, []string{claim.OutboundFallback}, b.told(first), "the claim must still report its own fallback")
	b.sync(activities.StatusChange{Ref: second, Event: claim.EventPark, Cause: claim.CauseTemplate, SettingsVersion: 2})
	require.Equal(t, []string{claim.OutboundNeedsAttention}, b.told(second))
}

func TestErasedClaimIsFinished(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, nil)
	ref := claim.Ref{Shop: shop, ID: "never"}
	require.Equal(t, claim.ActionFinish, b.load(ref).Next())
	require.Equal(t, claim.ActionFinish, b.sync(activities.StatusChange{Ref: ref, Event: claim.EventOpened}).Next())
}
