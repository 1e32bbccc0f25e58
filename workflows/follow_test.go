package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/workflows"
)

const day = 24 * time.Hour

// afterOpening returns the calls that follow the opening.
func (w *world) afterOpening() []string {
	for i, c := range w.calls {
		if c == "SyncStatus opened" {
			return w.calls[i+1:]
		}
	}
	return nil
}

func TestClaimIsSettledAfterQuietPeriod(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var closed time.Time
	w.at(time.Hour, func() { closed = w.env.Now(); w.tell(claim.EventClose)() })
	require.Equal(t, claim.StateSettled, w.run(t))
	require.Equal(t, []string{"Follow", "SyncStatus settle"}, w.afterOpening())
	require.WithinDuration(t, closed.Add(30*day), w.env.Now(), time.Minute)
}

func TestReopenedClaimIsNotSettled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.at(time.Hour, w.tell(claim.EventClose))
	w.at(29*day, w.tell(claim.EventReopen))
	w.at(40*day, func() {
		require.Equal(t, claim.StateOpen, w.state.State)
		w.tell(claim.EventPending, claim.EventClose)()
	})
	require.Equal(t, claim.StateSettled, w.run(t))
	require.Equal(t, []string{"Follow", "Follow", "Follow", "Follow", "SyncStatus settle"}, w.afterOpening())
}

// Events after settlement start a settled claim again.
func TestSettledClaimAppliesLaterEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.state.State, w.state.ConversationID = claim.StateSettled, 4711
	w.tell(claim.EventSettle)() // a message in a settled conversation
	require.Equal(t, claim.StateSettled, w.run(t))
	require.Equal(t, []string{"LoadClaim", "Follow"}, w.calls)

	w = newWorld(t)
	w.state.State, w.state.ConversationID = claim.StateSettled, 4711
	w.tell(claim.EventReopen)()
	w.at(time.Hour, w.tell(claim.EventClose))
	require.Equal(t, claim.StateSettled, w.run(t))
	require.Equal(t, []string{"LoadClaim", "Follow", "Follow", "SyncStatus settle"}, w.calls)
}

func TestParkedClaimAppliesEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.state.ConversationID = 4711
	w.state.State = claim.StateOpening
	w.fail["CompleteConversation"] = once(park(claim.CauseConnection))
	w.at(time.Hour, func() { w.unread = append(w.unread, func() {}); w.state.Unread = true })
	w.at(2*time.Hour, w.abandon)
	require.Equal(t, claim.StateAbandoned, w.run(t))
	require.Contains(t, w.calls, "Follow")
}

func TestManyBatchesAreReadWithoutPause(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var begun time.Time
	w.at(time.Hour, func() {
		begun = w.env.Now()
		for range 40 {
			w.tell(claim.EventPending)()
		}
		w.unread = append(w.unread, func() {
			require.Less(t, w.env.Now().Sub(begun), time.Minute, "the workflow must not pause between batches")
			w.abandon()
		})
	})
	w.run(t)
	require.Equal(t, 41, w.attempts["Follow"])
}

func TestInstructionsRunInOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.instruct(1)() // arrives before the claim is open
	w.at(time.Hour, w.instruct(30))
	w.at(2*time.Hour, w.abandon)
	w.run(t)
	require.Equal(t, 31, w.attempts["Instruct"])
	require.Equal(t, []string{"Instruct", "Follow", "Instruct"}, w.afterOpening()[:3], "an instruction must wait until the claim is open")
}

func TestUnsendableInstructionParksClaimAndWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fail["Instruct"] = once(park(claim.CauseConnection))
	w.at(time.Hour, w.instruct(1))
	w.at(2*time.Hour, func() {
		require.Equal(t, claim.StateNeedsAttention, w.state.State)
		w.state.SettingsVersion++
	})
	w.at(3*time.Hour, w.abandon)
	w.run(t)
	require.Zero(t, w.instructions, "the instruction must run after the problem is fixed")
}

// The history must not grow with the lifetime of a claim.
func TestLongFollowingContinuesAsNew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.at(time.Hour, func() {
		w.env.SetContinueAsNewSuggested(true)
		w.tell(claim.EventPending)()
	})
	w.env.ExecuteWorkflow(workflows.Claim, ref)
	var next *workflow.ContinueAsNewError
	require.ErrorAs(t, w.env.GetWorkflowError(), &next)
}

// If events leave the state in doubt, Dixa is queried once, and again only for doubt
// that later events raise.
func TestDoubtfulStateIsRequestedFromDixa(t *testing.T) {
	t.Parallel()
	for name, fails := range map[string]bool{"answered": false, "refused": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if fails {
				w.fail["AskState"] = func(int) error {
					return temporal.NewNonRetryableApplicationError("no", claim.ErrorPark, nil, activities.Park{Cause: claim.CauseRefused})
				}
			}
			doubt := func(event claim.Event) func() {
				return func() {
					at := w.env.Now()
					w.tell(event)()
					taken := w.unread[0]
					w.unread[0] = func() { taken(); w.state.DoubtAt = at }
				}
			}
			w.at(time.Hour, doubt(claim.EventClose))
			w.at(2*time.Hour, doubt(claim.EventReopen))
			w.at(3*time.Hour, func() { w.state.DoubtAt = time.Time{}; w.tell(claim.EventClose)() })
			require.Equal(t, claim.StateSettled, w.run(t))
			calls := []string{"Follow", "AskState", "Follow", "AskState", "Follow", "SyncStatus settle"}
			if fails { // calls contains only successful calls
				calls = []string{"Follow", "LoadClaim", "Follow", "LoadClaim", "Follow", "SyncStatus settle"}
			}
			require.Equal(t, calls, w.afterOpening())
			require.Equal(t, 2, w.attempts["AskState"])
		})
	}
}

// The event that resolves a doubt usually arrives soon, so Dixa is not queried.
func TestPromptEventResolvesDoubtWithoutRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.at(time.Hour, func() {
		at := w.env.Now()
		w.tell(claim.EventClose)()
		taken := w.unread[0]
		w.unread[0] = func() { taken(); w.state.DoubtAt = at }
	})
	w.at(time.Hour+time.Second, func() { w.state.DoubtAt = time.Time{}; w.tell(claim.EventReopen)() })
	w.at(2*time.Hour, w.tell(claim.EventClose))
	require.Equal(t, claim.StateSettled, w.run(t))
	require.Zero(t, w.attempts["AskState"])
}
