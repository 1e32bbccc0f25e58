package workflows_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	sdkclient "go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/workflows"
)

func fiveWindows() []claim.ImportWindow {
	return []claim.ImportWindow{
		{Stream: claim.StreamDirectory},
		{Stream: claim.StreamConversations},
		{Stream: claim.StreamMessages},
		{Stream: claim.StreamActivityLogs},
		{Stream: claim.StreamConversations},
	}
}

var allCalls = []string{"plan", "directory 0", "conversations 1", "messages 2", "activity_logs 3", "conversations 4", "end"}

func TestImportReadsWindowsInTheirOrder(t *testing.T) {
	t.Parallel()
	w := newImportWorld(t, fiveWindows()...)
	result, err := w.run(t, activities.ImportPlan{Cause: "request"})
	require.NoError(t, err)
	require.Equal(t, allCalls, w.calls)
	require.Equal(t, claim.ImportDone, result.State)
}

func TestImportWithoutSourcesEnds(t *testing.T) {
	t.Parallel()
	w := newImportWorld(t)
	w.state = claim.Import{}
	_, err := w.run(t, activities.ImportPlan{})
	require.NoError(t, err)
	require.Equal(t, []string{"plan"}, w.calls)
}

func TestImportIsPausedResumedAndCancelled(t *testing.T) {
	t.Parallel()
	t.Run("paused and resumed", func(t *testing.T) {
		t.Parallel()
		w := newImportWorld(t, fiveWindows()...)
		w.meanwhile = func(call string) {
			if call == "conversations 1" {
				w.state.State = claim.ImportPaused
				w.tell()
			}
		}
		w.env.RegisterDelayedCallback(func() {
			require.Equal(t, allCalls[:3], w.calls, "a paused import must not read")
			w.state.State = claim.ImportRunning
			w.tell()
		}, 30*time.Hour)
		start := w.env.Now()
		_, err := w.run(t, activities.ImportPlan{})
		require.NoError(t, err)
		require.Equal(t, allCalls, w.calls)
		require.GreaterOrEqual(t, w.env.Now().Sub(start), 30*time.Hour)
	})
	for _, at := range []string{"plan", "conversations 1", "conversations 4", "end"} {
		t.Run("cancelled at "+at, func(t *testing.T) {
			t.Parallel()
			w := newImportWorld(t, fiveWindows()...)
			w.meanwhile = func(call string) {
				if call == at {
					w.state.State = claim.ImportCancelled
					w.tell()
				}
			}
			result, err := w.run(t, activities.ImportPlan{})
			require.NoError(t, err)
			require.Equal(t, at, w.calls[len(w.calls)-1])
			require.Equal(t, claim.ImportCancelled, result.State)
		})
	}
	// Temporal does not repeat a step that fails after it was told to stop.
	for _, at := range []string{"conversations 1", "end"} {
		for name, failure := range map[string]error{
			"Dixa fails":   temporal.NewApplicationError("Dixa answered 502", claim.ErrorUnavailable),
			"it times out": temporal.NewHeartbeatTimeoutError(),
		} {
			for _, stops := range []time.Duration{0, 2 * time.Hour} { // before and after it is resumed
				t.Run(fmt.Sprint("paused while ", name, " at ", at, " after ", stops), func(t *testing.T) {
					t.Parallel()
					w := newImportWorld(t, fiveWindows()...)
					w.stop(at, stops, failure)
					w.meanwhile = func(call string) {
						if call == at && w.attempts[at] == 1 {
							w.state.State = claim.ImportPaused
							w.tell()
						}
					}
					w.env.RegisterDelayedCallback(func() {
						w.state.State = claim.ImportRunning
						w.tell()
					}, time.Hour)
					result, err := w.run(t, activities.ImportPlan{})
					require.NoError(t, err)
					n := slices.Index(allCalls, at)
					require.Equal(t, slices.Insert(slices.Clone(allCalls), n, at), w.calls)
					require.Equal(t, claim.ImportDone, result.State)
				})
			}
		}
	}
	t.Run("cancelled twice", func(t *testing.T) {
		t.Parallel()
		w := newImportWorld(t, fiveWindows()...)
		w.state.State = claim.ImportCancelled
		_, err := w.run(t, activities.ImportPlan{Resume: true})
		require.NoError(t, err)
		require.Equal(t, []string{"plan"}, w.calls, "waking an import must not begin another")
	})
}

func TestParkedWindowDoesNotHoldTheOthers(t *testing.T) {
	t.Parallel()
	w := newImportWorld(t, fiveWindows()...)
	w.fail["conversations 1"] = always(parkedBy(claim.CauseUnavailable))
	w.fail["activity_logs 3"] = always(parkedBy(claim.CauseRefused))
	result, err := w.run(t, activities.ImportPlan{})
	require.NoError(t, err)
	require.Equal(t, []string{
		"plan", "directory 0", "conversations 1", "park conversations 1", "messages 2", "activity_logs 3", "park activity_logs 3", "conversations 4", "end",
	}, w.calls)
	require.Contains(t, w.windows[1].Why, string(claim.CauseUnavailable))
	require.Equal(t, claim.ImportDone, result.State)
}

// A window is repeated by Temporal, with the delay that Dixa asked for.
func TestWindowWaitsAsDixaAsks(t *testing.T) {
	t.Parallel()
	w := newImportWorld(t, fiveWindows()...)
	limited := temporal.NewApplicationErrorWithOptions("slow down", claim.ErrorRateLimited, temporal.ApplicationErrorOptions{NextRetryDelay: 10 * time.Minute})
	w.fail["messages 2"] = func(attempt int) error {
		if attempt <= 9 { // the environment stops after ten
			return limited
		}
		return nil
	}
	start := w.env.Now()
	_, err := w.run(t, activities.ImportPlan{})
	require.NoError(t, err)
	require.GreaterOrEqual(t, w.env.Now().Sub(start), 90*time.Minute, "%v", w.attempts)
	require.NotContains(t, strings.Join(w.calls, ","), "park")
}

// A refused token is waited for. Only exports that Dixa refuses start the import again,
// in the end without them.
func TestImportWithRefusedToken(t *testing.T) {
	t.Parallel()
	refused := parkedBy(claim.CauseConnection)
	for _, step := range []string{"plan", "directory 0", "activity_logs 3", "end"} {
		for _, how := range []string{"in time", "by a signal"} {
			t.Run(step+", "+how, func(t *testing.T) {
				t.Parallel()
				w := newImportWorld(t, fiveWindows()...)
				w.fail[step] = once(refused)
				if how == "by a signal" {
					w.env.RegisterDelayedCallback(w.tell, time.Minute)
				}
				start := w.env.Now()
				result, err := w.run(t, activities.ImportPlan{})
				require.NoError(t, err)
				require.Equal(t, claim.ImportDone, result.State)
				require.Equal(t, 2, w.attempts[step])
				waited := w.env.Now().Sub(start)
				require.Equal(t, how == "in time", waited >= 5*time.Minute, "it waited %s", waited)
				require.GreaterOrEqual(t, waited, time.Minute)
			})
		}
	}
	t.Run("search", func(t *testing.T) {
		t.Parallel()
		w := newImportWorld(t, fiveWindows()...)
		w.state.Access = claim.AccessSearch
		w.fail["conversations 1"] = once(refused)
		_, err := w.run(t, activities.ImportPlan{})
		require.NoError(t, err)
		require.Equal(t, 2, w.attempts["conversations 1"])
		require.NotContains(t, w.calls, "cancel")
	})
	for _, step := range []string{"conversations 1", "messages 2"} {
		t.Run("exports, "+step, func(t *testing.T) {
			t.Parallel()
			w := newImportWorld(t, fiveWindows()...)
			w.fail[step] = once(refused)
			request := claim.ImportRequest{Retry: true}
			_, err := w.run(t, activities.ImportPlan{Request: request})
			require.Equal(t, "cancel", w.calls[len(w.calls)-1])
			next := again(t, err)
			require.Equal(t, 1, next.Refusals)
			require.Equal(t, request, next.Request)
		})
	}
}

// A scheduled run starts the connection's import, or leaves the one that runs alone.
func TestScheduledImport(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		err  error
		want claim.ImportState
	}{
		"starts it":       {nil, claim.ImportDone},
		"one is running":  {&temporal.ChildWorkflowExecutionAlreadyStartedError{}, ""},
		"reports trouble": {temporal.NewNonRetryableApplicationError("broken", claim.ErrorInternal, nil), "broken"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var suite testsuite.WorkflowTestSuite
			suite.SetLogger(sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)))
			w := &importWorld{env: suite.NewTestWorkflowEnvironment()}
			w.env.SetStartWorkflowOptions(sdkclient.StartWorkflowOptions{ID: claim.ImportWorkflowID("con-1") + "-2026-03-01T09:00:00Z"})
			w.env.RegisterWorkflow(workflows.Import)
			// Under another name, because the environment replaces the one of the child.
			w.env.RegisterWorkflowWithOptions(func(ctx workflow.Context, in activities.ImportPlan) (claim.Import, error) {
				return workflows.Import(ctx, in)
			}, workflow.RegisterOptions{Name: "Scheduled"})
			var id string
			w.env.OnWorkflow(workflows.Import, mock.Anything, mock.Anything).Return(func(ctx workflow.Context, _ activities.ImportPlan) (claim.Import, error) {
				id = workflow.GetInfo(ctx).WorkflowExecution.ID
				return claim.Import{ID: "i-1", State: claim.ImportDone}, tt.err
			})
			w.env.ExecuteWorkflow("Scheduled", activities.ImportPlan{ConnectionID: "con-1", Cause: "schedule"})
			require.True(t, w.env.IsWorkflowCompleted())
			require.Equal(t, claim.ImportWorkflowID("con-1"), id)
			require.Empty(t, w.calls)
			if tt.want == "broken" {
				require.ErrorContains(t, w.env.GetWorkflowError(), "broken")
				return
			}
			if name == "one is running" {
				return // the environment cannot fail the start of a child
			}
			require.NoError(t, w.env.GetWorkflowError())
			var result claim.Import
			require.NoError(t, w.env.GetWorkflowResult(&result))
			require.Equal(t, tt.want, result.State)
		})
	}
}

// A long import continues as new, and the run that follows continues in the store.
func TestImportContinuesAsNew(t *testing.T) {
	t.Parallel()
	w := newImportWorld(t, fiveWindows()...)
	w.env.SetContinueAsNewSuggested(true)
	request := claim.ImportRequest{From: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	_, err := w.run(t, activities.ImportPlan{Request: request, Cause: "request"})
	next := again(t, err)
	require.Equal(t, request, next.Request)
	require.Equal(t, []string{"plan", "directory 0", "conversations 1", "messages 2"}, w.calls)

	second := newImportWorld(t)
	second.windows, second.state = w.windows, w.state
	_, err = second.run(t, next)
	require.NoError(t, err)
	require.Equal(t, []string{"plan", "activity_logs 3", "conversations 4", "end"}, second.calls)
}

// An import that is requested while another runs follows it with its own request, also
// if the running one continues as new before its end.
func TestRequestedImportFollows(t *testing.T) {
	t.Parallel()
	first := claim.ImportRequest{Streams: []claim.Stream{claim.StreamMessages}}
	second := claim.ImportRequest{Retry: true}
	ask := func(w *importWorld, r claim.ImportRequest) func() {
		return func() { w.env.SignalWorkflow(claim.SignalImportRequest, r) }
	}
	for _, long := range []bool{false, true} {
		w := newImportWorld(t, fiveWindows()...)
		w.env.SetContinueAsNewSuggested(long)
		w.env.RegisterDelayedCallback(ask(w, first), 0)
		w.meanwhile = func(call string) {
			if call == "conversations 1" {
				ask(w, second)()
			}
		}
		_, err := w.run(t, activities.ImportPlan{})
		next := again(t, err)
		require.Equal(t, first, w.plans[0].Request)
		if long {
			require.Equal(t, first, next.Request)
			rest := newImportWorld(t)
			rest.windows, rest.state = w.windows, w.state
			_, err = rest.run(t, next)
			next = again(t, err)
		}
		require.Equal(t, second, next.Request)
		require.Empty(t, next.Requested)
		last := newImportWorld(t, fiveWindows()...)
		_, err = last.run(t, next)
		require.NoError(t, err)
		require.Equal(t, second, last.plans[0].Request)
	}
}

// The state is in the store: a run that starts again does nothing twice.
func TestImportStartedAgain(t *testing.T) {
	t.Parallel()
	w := newImportWorld(t, fiveWindows()...)
	w.windows[0].State, w.windows[1].State, w.windows[2].State = claim.WindowDone, claim.WindowParked, claim.WindowDone
	_, err := w.run(t, activities.ImportPlan{Resume: true})
	require.NoError(t, err)
	require.Equal(t, []string{"plan", "activity_logs 3", "conversations 4", "end"}, w.calls)
	ended := newImportWorld(t, fiveWindows()...)
	ended.state.State = claim.ImportDone
	_, err = ended.run(t, activities.ImportPlan{})
	require.NoError(t, err)
	require.Equal(t, []string{"plan"}, ended.calls)
}

// The history names windows and counts, and nothing of their content.
func TestImportHistoryIsNotPersonal(t *testing.T) {
	t.Parallel()
	w := newImportWorld(t, fiveWindows()...)
	result, err := w.run(t, activities.ImportPlan{Cause: "request"})
	require.NoError(t, err)
	text, err := json.Marshal(result)
	require.NoError(t, err)
	require.NotEmpty(t, w.payloads)
	known := map[string]bool{}
	for _, name := range strings.Fields(`connection_id import_id access figures_later window n stream state rows_read rows_added rows_changed rows_excluded rows_rejected requests
		request cause continued id started_at windows_total windows_done windows_parked rows_per_second why`) {
		known[name] = true
	}
	for _, payload := range append(w.payloads, string(text)) {
		var members map[string]any
		require.NoError(t, json.Unmarshal([]byte(payload), &members))
		for name, value := range members {
			require.True(t, known[name], "%s in %s", name, payload)
			if inner, ok := value.(map[string]any); ok {
				for name := range inner {
					require.True(t, known[name], "%s in %s", name, payload)
				}
			}
		}
	}
}
