package workflows_test

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/workflows"
)

var ref = claim.Ref{Shop: "acme", ID: "c-1"}

// world fakes the store and Dixa. It holds the claim's workflow state, applies the workflow's
// writes and records the calls.
type world struct {
	env      *testsuite.TestWorkflowEnvironment
	mu       sync.Mutex
	state    claim.WorkflowState
	resolved activities.ResolveResult
	checked  activities.EvidenceResult
	made     activities.Conversation
	calls    []string
	// unread holds the effect of each pending batch of events on the claim.
	unread []func()
	// instructions is the number of pending instructions.
	instructions int
	// fail makes an activity fail. It is called before every attempt.
	fail map[string]func(attempt int) error
	// refuseSync discards every state change.
	refuseSync bool
	// attempts counts the attempts of each activity.
	attempts map[string]int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	w := &world{
		env: suite.NewTestWorkflowEnvironment(),
		state: claim.WorkflowState{
			State: claim.StateReceived, Reason: "damaged", OrderNumber: "#10001",
			Offered: true, ConnectionID: "con-1", SettingsVersion: 7,
		},
		resolved: activities.ResolveResult{Template: "built-in/defective/en", Language: "en"},
		made:     activities.Conversation{ID: 4711, Attached: 2},
		fail:     map[string]func(int) error{},
		attempts: map[string]int{},
	}
	start := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	w.env.SetStartTime(start)
	w.state.Deadline = start.Add(4 * time.Hour)
	w.env.SetTestTimeout(20 * time.Second)
	w.env.RegisterActivity(&activities.Claims{})
	w.env.RegisterActivity(&activities.Tickets{})
	w.env.RegisterActivity(&activities.Evidence{})
	w.env.RegisterActivity(&activities.Dixa{})

	var (
		claims   *activities.Claims
		tickets  *activities.Tickets
		evidence *activities.Evidence
		dixa     *activities.Dixa
	)
	w.env.OnActivity(claims.LoadClaim, mock.Anything, ref).Return(locked(w, func(context.Context, claim.Ref) (claim.WorkflowState, error) {
		if w.state.Next() == claim.ActionOpen {
			w.move(claim.EventStart)
		}
		return w.state, w.call("LoadClaim")
	}))
	w.env.OnActivity(claims.SyncStatus, mock.Anything, mock.Anything).Return(locked(w, func(_ context.Context, c activities.StatusChange) (claim.WorkflowState, error) {
		return w.sync(c)
	}))
	w.env.OnActivity(claims.Follow, mock.Anything, ref).Return(locked(w, func(context.Context, claim.Ref) (claim.WorkflowState, error) {
		if err := w.call("Follow"); err != nil {
			return w.state, err
		}
		if len(w.unread) > 0 {
			w.unread[0]()
			w.unread = w.unread[1:]
			w.state.Cursor++
		}
		w.state.Unread = len(w.unread) > 0
		return w.state, nil
	}))
	w.env.OnActivity(dixa.AskState, mock.Anything, ref).Return(locked(w, func(context.Context, claim.Ref) (claim.WorkflowState, error) {
		if err := w.call("AskState"); err != nil {
			return claim.WorkflowState{}, err
		}
		w.state.DoubtAt = time.Time{}
		return w.state, nil
	}))
	w.env.OnActivity(dixa.Instruct, mock.Anything, ref).Return(locked(w, func(context.Context, claim.Ref) (claim.WorkflowState, error) {
		if err := w.call("Instruct"); err != nil {
			return claim.WorkflowState{}, err
		}
		w.instructions--
		w.state.Instructed = w.instructions > 0
		return w.state, nil
	}))
	w.env.OnActivity(tickets.ResolveTemplate, mock.Anything, ref).Return(locked(w, func(context.Context, claim.Ref) (activities.ResolveResult, error) {
		return w.resolved, w.call("ResolveTemplate")
	}))
	w.env.OnActivity(evidence.CheckEvidence, mock.Anything, ref).Return(locked(w, func(context.Context, claim.Ref) (activities.EvidenceResult, error) {
		return w.checked, w.call("CheckEvidence")
	}))
	w.env.OnActivity(dixa.CreateConversation, mock.Anything, ref).Return(locked(w, func(context.Context, claim.Ref) (activities.Conversation, error) {
		made := w.made
		made.LeftOut = w.checked.LeftOut
		err := w.call("CreateConversation")
		if err == nil {
			w.state.ConversationID = made.ID
		}
		return made, err
	}))
	w.env.OnActivity(dixa.CompleteConversation, mock.Anything, mock.Anything).Return(locked(w, func(_ context.Context, c activities.StatusChange) (activities.Completed, error) {
		done := activities.Completed{Attached: w.made.Attached, LeftOut: w.checked.LeftOut}
		err := w.call("CompleteConversation")
		if err == nil {
			done.State, err = w.sync(c)
		}
		return done, err
	}))
	return w
}

// locked runs an activity with the world to itself. Attempts of local activities run on
// goroutines of their own.
func locked[I, O any](w *world, do func(context.Context, I) (O, error)) func(context.Context, I) (O, error) {
	return func(ctx context.Context, in I) (O, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		return do(ctx, in)
	}
}

// sync does what SyncStatus does.
func (w *world) sync(c activities.StatusChange) (claim.WorkflowState, error) {
	name := "SyncStatus " + string(c.Event)
	if w.refuseSync {
		return w.state, w.call(name)
	}
	if c.Event == claim.EventPark {
		name += " " + string(c.Cause)
		w.state.Cause, w.state.LastError, w.state.ParkedVersion = c.Cause, c.LastError, c.SettingsVersion
	}
	if c.Fallback {
		name += " fallback"
		w.state.FallbackUsed, w.state.AwaitsRetry = true, true
	}
	w.move(c.Event)
	return w.state, w.call(name)
}

func (w *world) call(name string) error {
	w.attempts[name]++
	if fail := w.fail[name]; fail != nil {
		if err := fail(w.attempts[name]); err != nil {
			return err
		}
	}
	w.calls = append(w.calls, name)
	return nil
}

func (w *world) move(e claim.Event) {
	next, err := w.state.State.Next(e)
	if err != nil {
		panic(err)
	}
	w.state.State = next
}

// at changes the world after a delay and nudges the workflow.
func (w *world) at(after time.Duration, change func()) {
	w.env.RegisterDelayedCallback(func() {
		change()
		w.env.SignalWorkflow(claim.SignalNudge, nil)
	}, after)
}

// retry changes the claim's row as `starter claim retry` does.
func (w *world) retry() {
	w.move(claim.EventRetry)
	w.state.AwaitsRetry, w.state.RetriedAt = false, w.env.Now()
}

// tell queues events from Dixa that apply the given claim events.
func (w *world) tell(events ...claim.Event) func() {
	return func() {
		for _, e := range events {
			w.unread = append(w.unread, func() {
				w.move(e)
				if w.state.State == claim.StateClosed {
					w.state.SettleAt = w.env.Now().Add(30 * 24 * time.Hour)
				} else {
					w.state.SettleAt = time.Time{}
				}
			})
		}
		w.state.Unread = true
	}
}

// instruct gives the claim n pending instructions.
func (w *world) instruct(n int) func() {
	return func() { w.instructions, w.state.Instructed = n, true }
}

// abandon ends the run.
func (w *world) abandon() { w.move(claim.EventAbandon) }

func (w *world) run(t *testing.T) claim.State {
	t.Helper()
	w.env.ExecuteWorkflow(workflows.Claim, ref)
	require.True(t, w.env.IsWorkflowCompleted(), "the workflow must end; its calls: %v", w.calls)
	require.NoError(t, w.env.GetWorkflowError())
	var state claim.State
	require.NoError(t, w.env.GetWorkflowResult(&state))
	return state
}

func park(cause claim.Cause) error {
	return temporal.NewApplicationErrorWithOptions("because", claim.ErrorPark, temporal.ApplicationErrorOptions{
		NonRetryable: true, Details: []any{activities.Park{Cause: cause}},
	})
}

func always(err error) func(int) error { return func(int) error { return err } }

func once(err error) func(int) error {
	return func(attempt int) error {
		if attempt == 1 {
			return err
		}
		return nil
	}
}

var unavailable = temporal.NewApplicationError("Dixa returned 503", claim.ErrorUnavailable)

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
