package workflows_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

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
