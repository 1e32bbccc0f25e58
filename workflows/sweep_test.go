package workflows_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/workflows"
)

// sweepWorld fakes the steps of a sweep.
type sweepWorld struct {
	env   *testsuite.TestWorkflowEnvironment
	plans []activities.SweepPlan
	// pages and batches are the counts for each span of the log.
	pages, batches int
	// fail makes a step fail at every attempt.
	fail  map[string]error
	calls []string
	ended *claim.SweepReport
	// meanwhile is called during each step.
	meanwhile func(step string)
}

func newSweepWorld(t *testing.T) *sweepWorld {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	w := &sweepWorld{env: suite.NewTestWorkflowEnvironment(), pages: 1, batches: 1, fail: map[string]error{}}
	w.env.SetTestTimeout(20 * time.Second)
	w.env.RegisterActivity(&activities.Sweeps{})
	now := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	w.plans = []activities.SweepPlan{{Wanted: true, StartedAt: now, From: now.Add(-time.Hour), To: now}}

	var s *activities.Sweeps
	call := func(name string) error {
		w.calls = append(w.calls, name)
		if w.meanwhile != nil {
			w.meanwhile(name)
		}
		return w.fail[name]
	}
	w.env.OnActivity(s.PlanSweep, mock.Anything, "con-1").Return(func(context.Context, string) (activities.SweepPlan, error) {
		plan := w.plans[0]
		w.plans = append(w.plans[1:], activities.SweepPlan{})
		return plan, call("plan")
	})
	one := claim.SweepReport{Requests: 1}
	w.env.OnActivity(s.RepairSubscription, mock.Anything, "con-1").Return(func(context.Context, string) (claim.SweepReport, error) { return one, call("subscription") })
	w.env.OnActivity(s.FetchUndelivered, mock.Anything, mock.Anything).Return(func(context.Context, activities.FetchInput) (claim.SweepReport, error) {
		return one, call("undelivered")
	})
	w.env.OnActivity(s.ReadTags, mock.Anything, "con-1").Return(func(context.Context, string) (claim.SweepReport, error) { return one, call("tags") })
	page, batch := 0, 0
	w.env.OnActivity(s.ReadActivityLog, mock.Anything, mock.Anything).Return(func(context.Context, activities.PageInput) (activities.Page, error) {
		out := activities.Page{Report: one}
		if page = (page + 1) % w.pages; page > 0 {
			out.Next = "next"
		}
		return out, call("page")
	})
	w.env.OnActivity(s.ReconcileConversations, mock.Anything, mock.Anything).Return(func(context.Context, activities.ReconcileInput) (activities.ReconcileResult, error) {
		batch = (batch + 1) % w.batches
		return activities.ReconcileResult{Report: one, More: batch > 0}, call("judge")
	})
	w.env.OnActivity(s.RaiseWatermark, mock.Anything, mock.Anything).Return(func(context.Context, activities.MarkInput) error { return call("watermark") })
	w.env.OnActivity(s.CheckQuietConversations, mock.Anything, mock.Anything).Return(func(context.Context, activities.ReconcileInput) (claim.SweepReport, error) {
		return one, call("around")
	})
	w.env.OnActivity(s.EndSweep, mock.Anything, mock.Anything).Return(func(_ context.Context, in activities.EndInput) error {
		w.ended = &in.Report
		return call("end")
	})
	return w
}

func (w *sweepWorld) run(t *testing.T) claim.SweepReport {
	t.Helper()
	w.env.ExecuteWorkflow(workflows.Sweep, "con-1")
	require.True(t, w.env.IsWorkflowCompleted())
	require.NoError(t, w.env.GetWorkflowError())
	var report claim.SweepReport
	require.NoError(t, w.env.GetWorkflowResult(&report))
	return report
}

func parkedBy(cause claim.Cause) error {
	return temporal.NewApplicationErrorWithOptions("refused for "+string(cause), claim.ErrorPark, temporal.ApplicationErrorOptions{
		NonRetryable: true, Details: []any{activities.Park{Cause: cause}},
	})
}

func TestSweepRaisesWatermarkAfterReconciling(t *testing.T) {
	t.Parallel()
	w := newSweepWorld(t)
	w.pages, w.batches = 3, 2
	report := w.run(t)
	require.Equal(t, []string{"plan", "subscription", "undelivered", "tags", "page", "page", "page", "judge", "judge", "watermark", "around", "end"}, w.calls)
	require.Equal(t, 9, report.Requests)
	require.Equal(t, report, *w.ended)
}

func TestUnwantedSweepDoesNothing(t *testing.T) {
	t.Parallel()
	w := newSweepWorld(t)
	w.plans = []activities.SweepPlan{{}}
	w.run(t)
	require.Equal(t, []string{"plan"}, w.calls)
	require.Nil(t, w.ended)
}

// A sweep requested while another runs is made, however close the running one is to its
// end. A request before a sweep starts is served by that sweep.
func TestRequestDuringSweepStartsAnother(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"", "plan", "judge", "end"} {
		t.Run("at "+step, func(t *testing.T) {
			t.Parallel()
			w := newSweepWorld(t)
			ask := func() { w.env.SignalWorkflow(claim.SignalSweep, nil) }
			w.meanwhile = func(name string) {
				if name == step {
					ask()
				}
			}
			w.env.RegisterDelayedCallback(ask, 0)
			w.env.ExecuteWorkflow(workflows.Sweep, "con-1")
			require.True(t, w.env.IsWorkflowCompleted())
			require.Equal(t, "end", w.calls[len(w.calls)-1])
			err := w.env.GetWorkflowError()
			require.Equal(t, step != "", workflow.IsContinueAsNewError(err), "%v", err)
		})
	}
}

func TestLaggingSweepReadsSeveralSpans(t *testing.T) {
	t.Parallel()
	w := newSweepWorld(t)
	behind := w.plans[0]
	behind.Behind = true
	w.plans = []activities.SweepPlan{behind, behind, w.plans[0]}
	w.run(t)
	require.Equal(t, []string{
		"plan", "subscription", "undelivered", "tags", "page", "judge", "watermark", "plan", "page", "judge", "watermark", "plan", "page", "judge", "watermark", "around", "end",
	}, w.calls)
}

func TestSweepSkipsForbiddenSteps(t *testing.T) {
	t.Parallel()
	w := newSweepWorld(t)
	w.fail["subscription"] = parkedBy(claim.CauseRefused)
	w.fail["undelivered"] = parkedBy(claim.CauseRefused)
	report := w.run(t)
	require.Equal(t, []string{"plan", "subscription", "undelivered", "tags", "page", "judge", "watermark", "around", "end"}, w.calls)
	require.Contains(t, report.Trouble, string(claim.CauseRefused))
}

func TestFailedSweepReportsResults(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		step  string
		err   error
		calls []string
	}{
		"token rejected": {"subscription", parkedBy(claim.CauseConnection), []string{"plan", "subscription", "end"}},
		"log rejected":   {"page", parkedBy(claim.CauseRefused), []string{"plan", "subscription", "undelivered", "tags", "page", "end"}},
		"internal error": {"judge", temporal.NewNonRetryableApplicationError("broken", claim.ErrorInternal, nil), []string{"plan", "subscription", "undelivered", "tags", "page", "judge", "end"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newSweepWorld(t)
			w.fail[tt.step] = tt.err
			report := w.run(t)
			require.Equal(t, tt.calls, w.calls)
			require.NotEmpty(t, report.Trouble)
			require.Equal(t, report, *w.ended)
		})
	}
	t.Run("Dixa is down", func(t *testing.T) {
		t.Parallel()
		w := newSweepWorld(t)
		w.fail["page"] = temporal.NewApplicationError("Dixa is down", claim.ErrorUnavailable)
		report := w.run(t)
		require.Greater(t, len(w.calls), 9, "the step must be retried for some time")
		require.Equal(t, "end", w.calls[len(w.calls)-1])
		require.NotContains(t, w.calls, "watermark")
		require.Contains(t, report.Trouble, "Dixa is down")
	})
}
