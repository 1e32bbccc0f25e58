package workflows_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	sdkactivity "go.temporal.io/sdk/activity"
	sdkclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/workflows"
)

// importWorld fakes the store and Dixa of an import.
type importWorld struct {
	// mu is held by each activity: they run on goroutines of their own.
	mu      sync.Mutex
	env     *testsuite.TestWorkflowEnvironment
	state   claim.Import
	windows []claim.ImportWindow
	calls   []string
	plans   []activities.ImportPlan
	// fail makes a step fail. It is called before every attempt.
	fail map[string]func(attempt int) error
	// meanwhile is called during each step.
	meanwhile func(call string)
	attempts  map[string]int
	payloads  []string
}

func newImportWorld(t *testing.T, windows ...claim.ImportWindow) *importWorld {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	w := &importWorld{env: suite.NewTestWorkflowEnvironment(), fail: map[string]func(int) error{}, attempts: map[string]int{}}
	w.state = claim.Import{ID: "i-1", ConnectionID: "con-1", State: claim.ImportRunning, Access: claim.AccessExports}
	for n, window := range windows {
		window.N, window.State = n, claim.WindowWaiting
		w.windows = append(w.windows, window)
	}
	w.env.SetStartWorkflowOptions(sdkclient.StartWorkflowOptions{ID: claim.ImportWorkflowID("con-1")})
	w.env.SetTestTimeout(20 * time.Second)
	w.env.RegisterActivity(&activities.Imports{})
	w.env.RegisterActivity(&activities.ImportStore{})
	w.env.SetOnActivityStartedListener(func(_ *sdkactivity.Info, _ context.Context, args converter.EncodedValues) {
		var in any
		if args.Get(&in) == nil {
			text, _ := json.Marshal(in)
			w.payloads = append(w.payloads, string(text))
		}
	})
	var (
		imports *activities.Imports
		steps   *activities.ImportStore
	)
	w.env.OnActivity(imports.PlanImport, mock.Anything, mock.Anything).Return(func(_ context.Context, in activities.ImportPlan) (claim.Import, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.plans = append(w.plans, in)
		if err := w.call("plan"); err != nil {
			return claim.Import{}, err
		}
		if in.Resume && w.state.State != claim.ImportRunning && w.state.State != claim.ImportPaused {
			return claim.Import{}, nil
		}
		return w.state, nil
	})
	w.env.OnActivity(steps.LoadImport, mock.Anything, mock.Anything).Return(func(context.Context, activities.ImportRef) (activities.ImportState, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		out := activities.ImportState{Import: w.state}
		for _, window := range w.windows {
			if window.State == claim.WindowWaiting && len(out.Next) < 3 {
				out.Next = append(out.Next, window)
			}
		}
		return out, w.call("")
	})
	w.env.OnActivity(imports.ImportWindow, mock.Anything, mock.Anything).Return(func(_ context.Context, in activities.ImportWindowInput) (claim.ImportCounts, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if err := w.call(w.name(in.Window)); err != nil {
			return claim.ImportCounts{}, err
		}
		w.windows[in.Window.N].State = claim.WindowDone
		return claim.ImportCounts{Read: 10, Added: 4}, nil
	})
	w.env.OnActivity(steps.ParkWindow, mock.Anything, mock.Anything).Return(func(_ context.Context, in activities.EndWindow) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.windows[in.Window.N].State, w.windows[in.Window.N].Why = claim.WindowParked, in.Why
		return w.call("park " + w.name(in.Window))
	})
	w.env.OnActivity(steps.CancelImport, mock.Anything, mock.Anything).Return(func(context.Context, activities.ImportRef) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.state.State = claim.ImportCancelled
		return w.call("cancel")
	})
	w.env.OnActivity(imports.EndImport, mock.Anything, mock.Anything).Return(func(context.Context, activities.ImportRef) (claim.ImportCounts, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if err := w.call("end"); err != nil {
			return claim.ImportCounts{}, err
		}
		if w.state.State == claim.ImportRunning {
			w.state.State = claim.ImportDone
		}
		return claim.ImportCounts{}, nil
	})
	return w
}

func (w *importWorld) name(window claim.ImportWindow) string {
	return string(window.Stream) + " " + string(rune('0'+window.N))
}

// call records a step. Reading the state is not recorded.
func (w *importWorld) call(name string) error {
	if name == "" {
		return nil
	}
	w.attempts[name]++
	w.calls = append(w.calls, name)
	if w.meanwhile != nil {
		w.meanwhile(name)
	}
	if fail := w.fail[name]; fail != nil {
		return fail(w.attempts[name])
	}
	return nil
}

// stop makes a step fail the way Temporal does when its last attempt fails some time after
// the workflow has told it to stop: without another attempt. The test environment has no
// such activities.
func (w *importWorld) stop(call string, after time.Duration, failure error) {
	w.env.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{&stoppedStep{world: w, call: call, after: after, failure: failure}}})
}

// stoppedStep replaces the first run of a step.
type stoppedStep struct {
	interceptor.WorkerInterceptorBase
	interceptor.WorkflowInboundInterceptorBase
	interceptor.WorkflowOutboundInterceptorBase
	world   *importWorld
	call    string
	after   time.Duration
	failure error
}

func (s *stoppedStep) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	s.WorkflowInboundInterceptorBase.Next = next
	return s
}

func (s *stoppedStep) Init(outbound interceptor.WorkflowOutboundInterceptor) error {
	s.WorkflowOutboundInterceptorBase.Next = outbound
	return s.WorkflowInboundInterceptorBase.Next.Init(s)
}

func (s *stoppedStep) ExecuteActivity(ctx workflow.Context, name string, args ...any) workflow.Future {
	call := ""
	switch in := args[0].(type) {
	case activities.ImportWindowInput:
		call = s.world.name(in.Window)
	case activities.ImportRef:
		call = map[bool]string{true: "end"}[name == "EndImport"]
	}
	if call != s.call || s.world.attempts[call] > 0 {
		return s.WorkflowOutboundInterceptorBase.Next.ExecuteActivity(ctx, name, args...)
	}
	future, result := workflow.NewFuture(ctx)
	workflow.Go(ctx, func(ctx workflow.Context) {
		_ = s.world.call(call)
		ctx.Done().Receive(ctx, nil)
		ctx, _ = workflow.NewDisconnectedContext(ctx)
		_ = workflow.Sleep(ctx, s.after)
		result.SetError(s.failure)
	})
	return future
}

// tell sends the signal after a change.
func (w *importWorld) tell() { w.env.SignalWorkflow(claim.SignalImport, nil) }

func (w *importWorld) run(t *testing.T, plan activities.ImportPlan) (claim.Import, error) {
	t.Helper()
	plan.ConnectionID = "con-1"
	w.env.ExecuteWorkflow(workflows.Import, plan)
	require.True(t, w.env.IsWorkflowCompleted(), "the workflow must end; its calls: %v", w.calls)
	var result claim.Import
	if err := w.env.GetWorkflowError(); err != nil {
		return result, err
	}
	return result, w.env.GetWorkflowResult(&result)
}

// again returns the input of the run that follows.
func again(t *testing.T, err error) activities.ImportPlan {
	t.Helper()
	var next *workflow.ContinueAsNewError
	require.ErrorAs(t, err, &next)
	var plan activities.ImportPlan
	require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(next.Input, &plan))
	return plan
}
