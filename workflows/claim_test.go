package workflows_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/workflows"
)

func TestClaimOpensAndRunsUntilAbandoned(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.at(time.Hour, w.abandon)
	require.Equal(t, claim.StateAbandoned, w.run(t))
	require.Equal(t, []string{
		"LoadClaim", "ResolveTemplate", "CheckEvidence", "CreateConversation",
		"CompleteConversation", "SyncStatus opened", "Follow",
	}, w.calls)
}

func TestRunContinuesOpeningWithoutSecondCreate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.state.State = claim.StateOpening
	w.state.ConversationID = 99
	w.at(time.Hour, w.abandon)
	w.run(t)
	require.Equal(t, []string{"LoadClaim", "ResolveTemplate", "CompleteConversation", "SyncStatus opened", "Follow"}, w.calls)
}

// A local activity holds its workflow task open, so it must not wait for a store that
// is down.
func TestStepsBecomeRemoteWhileStoreIsDown(t *testing.T) {
	t.Parallel()
	down := temporal.NewApplicationError("the database is down", claim.ErrorStore)
	for _, step := range []string{"LoadClaim", "ResolveTemplate", "CheckEvidence", "Follow"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			var remote []string
			w.env.SetOnActivityStartedListener(func(info *activity.Info, _ context.Context, _ converter.EncodedValues) {
				remote = append(remote, info.ActivityType.Name)
			})
			w.fail[step] = func(attempt int) error {
				if attempt <= 6 {
					return down
				}
				return nil
			}
			w.at(time.Hour, w.abandon)
			w.run(t)
			require.Contains(t, w.calls, "SyncStatus opened")
			require.Contains(t, remote, step)
			require.Equal(t, 7, w.attempts[step])
			require.NotContains(t, slices.DeleteFunc(remote, func(name string) bool { return name == step }), "LoadClaim", "the other steps must stay local")
		})
	}
}

func TestStepThatPanicsLeavesTheWorkflowTask(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fail["LoadClaim"] = func(attempt int) error {
		if attempt <= 3 {
			panic("a defect that a later deployment fixes")
		}
		return nil
	}
	w.at(time.Hour, w.abandon)
	w.run(t)
	require.Contains(t, w.calls, "SyncStatus opened")
}

// A local attempt that hangs ends before the workflow task times out.
func TestLocalAttemptsAreShort(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var taken []time.Duration
	w.env.SetOnLocalActivityStartedListener(func(_ *activity.Info, ctx context.Context, _ []any) {
		deadline, ok := ctx.Deadline()
		require.True(t, ok)
		taken = append(taken, time.Until(deadline))
	})
	w.at(time.Hour, w.abandon)
	w.run(t)
	require.NotEmpty(t, taken)
	for _, d := range taken {
		require.LessOrEqual(t, d, 3*time.Second)
	}
}

func TestClaimIsSkippedIfIntegrationIsOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.state.Offered = false
	require.Equal(t, claim.StateSkipped, w.run(t))
	require.Equal(t, []string{"LoadClaim", "SyncStatus skip"}, w.calls)
}

func TestPausedShopSuspendsDeadline(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.state.Paused = true
	w.at(48*time.Hour, func() {
		w.state.Paused = false
		w.state.Deadline = w.env.Now().Add(4 * time.Hour)
	})
	w.at(49*time.Hour, w.abandon)
	w.run(t)
	require.Equal(t, []string{"LoadClaim", "LoadClaim", "ResolveTemplate"}, w.calls[:3])
	require.Contains(t, w.calls, "SyncStatus opened")
}

func TestParkedClaimResumesWithNewSettings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fail["CreateConversation"] = once(park(claim.CauseContactEndpoint))
	w.at(time.Hour, func() {}) // a nudge alone changes nothing
	w.at(2*time.Hour, func() { w.state.SettingsVersion++ })
	w.at(3*time.Hour, w.abandon)
	w.run(t)
	require.Equal(t, []string{
		"LoadClaim", "ResolveTemplate", "CheckEvidence", "SyncStatus park contact_endpoint_gone",
		"LoadClaim",
		"LoadClaim", "ResolveTemplate", "CheckEvidence", "CreateConversation", "CompleteConversation", "SyncStatus opened",
		"Follow",
	}, w.calls)
}

func TestParkingRereadsSettings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fail["CreateConversation"] = func(attempt int) error {
		if attempt == 1 {
			w.state.SettingsVersion++ // saved while the claim is opening
			return park(claim.CauseContactEndpoint)
		}
		return nil
	}
	w.at(time.Hour, w.abandon)
	w.run(t)
	require.Contains(t, w.calls, "SyncStatus opened", "a claim must not wait for settings that are already saved")
}

func TestFallbackIsTriggeredOnceAndOnlyRetryOpensClaim(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fail["CreateConversation"] = once(park(claim.CauseCustomer))
	w.at(5*time.Hour, func() { w.state.SettingsVersion++ })
	w.at(6*time.Hour, func() {
		require.True(t, w.state.FallbackUsed)
		require.NotContains(t, w.calls, "CreateConversation", "after the fallback, only a retry may create the conversation")
		w.state.Deadline = w.env.Now().Add(4 * time.Hour)
		w.retry()
	})
	w.at(7*time.Hour, w.abandon)
	w.run(t)
	raised := 0
	for _, c := range w.calls {
		if c == "SyncStatus park customer_unresolvable fallback" {
			raised++
		}
	}
	require.Equal(t, 1, raised, "%v", w.calls)
	require.Contains(t, w.calls, "SyncStatus opened")
}

func TestClaimWithoutContactTriggersFallbackImmediately(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fail["CreateConversation"] = always(park(claim.CauseNoContact))
	w.at(time.Minute, w.abandon)
	w.run(t)
	require.Equal(t, "SyncStatus park no_contact fallback", w.calls[3])
}

func TestClaimWithoutConnectionIsParked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.state.ConnectionID = ""
	w.at(time.Hour, func() { w.state.ConnectionID, w.state.SettingsVersion = "con-2", 8 })
	w.at(2*time.Hour, w.abandon)
	w.run(t)
	require.Equal(t, []string{"LoadClaim", "SyncStatus park not_connected", "LoadClaim", "ResolveTemplate"}, w.calls[:4])
	require.Contains(t, w.calls, "SyncStatus opened")
}

func TestTransientErrorsAreRetriedFastThenSlow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fail["CreateConversation"] = func(attempt int) error {
		if attempt <= 14 {
			return unavailable
		}
		return nil
	}
	w.at(3*time.Hour, w.abandon)
	require.Equal(t, claim.StateAbandoned, w.run(t))
	require.Equal(t, 15, w.attempts["CreateConversation"])
	require.Contains(t, w.calls, "SyncStatus opened")
}

// downFromNow returns a permanent failure. Its retry delays are long because the test
// environment stops an unlimited retry policy after ten attempts.
func downFromNow() func(int) error {
	return func(attempt int) error {
		if attempt <= 10 {
			return unavailable
		}
		return temporal.NewApplicationErrorWithOptions("Dixa returned 503", claim.ErrorUnavailable,
			temporal.ApplicationErrorOptions{NextRetryDelay: 40 * time.Minute})
	}
}

func TestErrorsUntilDeadlineTriggerFallback(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fail["CreateConversation"] = downFromNow()
	w.at(10*time.Hour, w.abandon)
	w.run(t)
	require.Contains(t, w.calls, "SyncStatus park deadline_passed fallback")
	require.NotContains(t, w.calls, "SyncStatus opened")
}

func TestErrorsAfterCreateDoNotTriggerFallback(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fail["CompleteConversation"] = downFromNow()
	w.at(10*time.Hour, w.abandon)
	w.run(t)
	require.Contains(t, w.calls, "SyncStatus park dixa_unavailable", "a claim with a conversation must not trigger its fallback")
}

func TestClaimPastDeadlineIsNotSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.state.Deadline = w.env.Now().Add(-time.Minute)
	w.at(time.Hour, func() {
		w.state.Deadline = w.env.Now().Add(4 * time.Hour)
		w.retry()
	})
	w.at(2*time.Hour, w.abandon)
	w.run(t)
	require.Equal(t, []string{"LoadClaim", "SyncStatus park deadline_passed fallback", "LoadClaim"}, w.calls[:3])
	require.Contains(t, w.calls, "SyncStatus opened", "a retry must open the claim")
}

func TestUnansweredCreatePastDeadlineIsSearched(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.state.State, w.state.Unanswered = claim.StateOpening, true
	w.state.Deadline = w.env.Now().Add(-time.Minute)
	w.at(time.Hour, w.abandon)
	w.run(t)
	require.Contains(t, w.calls, "SyncStatus opened")
	require.NotContains(t, w.calls, "SyncStatus park deadline_passed fallback")
}

func TestStepsAfterCreateIgnoreDeadline(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.state.State, w.state.ConversationID = claim.StateNeedsAttention, 99
	w.state.ParkedVersion, w.state.Deadline = 6, w.env.Now().Add(-24*time.Hour)
	w.fail["CompleteConversation"] = func(attempt int) error {
		if attempt <= 12 {
			return unavailable
		}
		return nil
	}
	w.at(2*time.Hour, w.abandon)
	w.run(t)
	require.Contains(t, w.calls, "SyncStatus opened", "%v", w.calls)
}

func TestCanceledWorkflowEnds(t *testing.T) {
	t.Parallel()
	for name, arrange := range map[string]func(*world){
		"following": func(*world) {},
		"parked": func(w *world) {
			w.fail["CreateConversation"] = always(park(claim.CauseRefused))
		},
		"paused":       func(w *world) { w.state.Paused = true },
		"Dixa is down": func(w *world) { w.fail["CreateConversation"] = downFromNow() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			arrange(w)
			w.env.RegisterDelayedCallback(w.env.CancelWorkflow, time.Hour)
			w.env.ExecuteWorkflow(workflows.Claim, ref)
			require.True(t, w.env.IsWorkflowCompleted())
			var canceled *temporal.CanceledError
			require.ErrorAs(t, w.env.GetWorkflowError(), &canceled)
		})
	}
}

func TestNewSettingsResumeClaimWithRejectedRouting(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.resolved.Assign = true
	w.fail["CompleteConversation"] = once(park(claim.CauseRouting))
	w.at(time.Hour, func() { w.state.SettingsVersion++ })
	w.at(2*time.Hour, w.abandon)
	w.run(t)
	require.Equal(t, []string{
		"LoadClaim", "ResolveTemplate", "CompleteConversation", "SyncStatus opened", "Follow",
	}, w.calls[len(w.calls)-5:], "an existing conversation must not be created again")
}

func TestEditedClaimIsRenderedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fail["CreateConversation"] = once(temporal.NewNonRetryableApplicationError("edited", claim.ErrorEdited, nil))
	w.at(time.Hour, w.abandon)
	w.run(t)
	for _, step := range []string{"ResolveTemplate", "CheckEvidence", "CreateConversation"} {
		require.Equal(t, 2, w.attempts[step], step)
	}
	require.Contains(t, w.calls, "SyncStatus opened")
}

func TestClaimWithdrawnDuringOpeningEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fail["CreateConversation"] = func(int) error {
		w.abandon()
		return temporal.NewNonRetryableApplicationError("abandoned", claim.ErrorWithdrawn, nil)
	}
	require.Equal(t, claim.StateAbandoned, w.run(t))
	require.False(t, slices.ContainsFunc(w.calls, func(c string) bool { return c == "SyncStatus opened" }))
}

func TestInternalErrorParksClaimWithItsMessage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fail["ResolveTemplate"] = once(temporal.NewNonRetryableApplicationError("the draft cannot be decoded", claim.ErrorInternal, nil))
	w.at(time.Hour, func() {
		require.Equal(t, claim.CauseUnexpected, w.state.Cause)
		require.Equal(t, "the draft cannot be decoded", w.state.LastError)
		w.retry()
	})
	w.at(2*time.Hour, w.abandon)
	w.run(t)
	require.Contains(t, w.calls, "SyncStatus opened")
}

func TestNudgeAtEndRestartsClaim(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.state.Offered = false
	w.fail["SyncStatus skip"] = func(int) error {
		// Simulate `starter shop open-skipped` right after the skip.
		w.state.Offered = true
		w.state.State = claim.StateReceived
		w.env.SignalWorkflow(claim.SignalNudge, nil)
		return nil
	}
	w.at(time.Hour, w.abandon)
	w.run(t)
	require.Contains(t, w.calls, "SyncStatus opened")
}

func TestUnstableClaimIsThrottled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.refuseSync = true // as if every state change came too late
	w.at(30*time.Minute, w.abandon)
	require.Equal(t, claim.StateAbandoned, w.run(t))
	require.Less(t, w.attempts["ResolveTemplate"], 10*30+10, "the limit is ten turns per minute")
	require.Greater(t, w.attempts["ResolveTemplate"], 30, "the workflow must keep trying")
}

func TestLongHistoryContinuesAsNew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.env.SetContinueAsNewSuggested(true)
	w.env.ExecuteWorkflow(workflows.Claim, ref)
	require.True(t, w.env.IsWorkflowCompleted())
	var again *workflow.ContinueAsNewError
	require.ErrorAs(t, w.env.GetWorkflowError(), &again)
}
