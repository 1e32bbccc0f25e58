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

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/workflows"
)

var erasure = activities.ErasureRef{Shop: "acme", ID: "era-1"}

// eraseWorld fakes the steps of an erasure.
type eraseWorld struct {
	env   *testsuite.TestWorkflowEnvironment
	calls []string
	// unread and left are the results of the next looks at workflows and at Dixa; the
	// last one stays.
	unread, left []int
	// leftovers are the results of the checks.
	leftovers []map[string]int
	// find and anonymize make steps at Dixa fail: each attempt takes the next error, and
	// the last one stays.
	find, anonymize []error
	waits           []activities.ErasureWait
	end             *activities.EndErasureInput
}

func next[T any](list *[]T) (first T) {
	if len(*list) == 0 {
		return first
	}
	first = (*list)[0]
	if len(*list) > 1 {
		*list = (*list)[1:]
	}
	return first
}

func newEraseWorld(t *testing.T) *eraseWorld {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	w := &eraseWorld{env: suite.NewTestWorkflowEnvironment()}
	w.env.SetTestTimeout(20 * time.Second)
	w.env.RegisterActivity(&activities.Erasures{})
	w.env.RegisterActivity(&activities.ErasureStore{})
	call := func(name string) { w.calls = append(w.calls, name) }
	var dixa *activities.Erasures
	var rows *activities.ErasureStore
	w.env.OnActivity(dixa.FindErasureEndUsers, mock.Anything, erasure).Return(func(context.Context, activities.ErasureRef) error {
		call("ask")
		return next(&w.find)
	})
	w.env.OnActivity(rows.FindErasureRows, mock.Anything, erasure).Return(func(context.Context, activities.ErasureRef) error {
		call("find")
		return nil
	})
	w.env.OnActivity(rows.StopErasureClaims, mock.Anything, erasure).Return(func(context.Context, activities.ErasureRef) (activities.StopProgress, error) {
		call("stop")
		return activities.StopProgress{Unread: next(&w.unread)}, nil
	})
	w.env.OnActivity(dixa.AnonymizeEndUsers, mock.Anything, erasure).Return(func(context.Context, activities.ErasureRef) (activities.AnonymizeProgress, error) {
		call("anonymize")
		return activities.AnonymizeProgress{Left: next(&w.left)}, next(&w.anonymize)
	})
	w.env.OnActivity(rows.NoteErasure, mock.Anything, mock.Anything).Return(func(_ context.Context, in activities.ErasureWait) error {
		w.waits = append(w.waits, in)
		return nil
	})
	w.env.OnActivity(rows.EraseRows, mock.Anything, mock.Anything).Return(func(_ context.Context, in activities.EraseInput) error {
		call(map[bool]string{false: "erase", true: "erase again"}[in.Again])
		return nil
	})
	w.env.OnActivity(rows.VerifyErasure, mock.Anything, erasure).Return(func(context.Context, activities.ErasureRef) (map[string]int, error) {
		call("verify")
		return next(&w.leftovers), nil
	})
	w.env.OnActivity(rows.EndErasure, mock.Anything, mock.Anything).Return(func(_ context.Context, in activities.EndErasureInput) (claim.Erasure, error) {
		call("end")
		w.end = &in
		return claim.Erasure{ID: in.ID, State: claim.ErasureDone}, nil
	})
	return w
}

// run runs the workflow to its end and returns how long it took.
func (w *eraseWorld) run(t *testing.T, dryRun bool) time.Duration {
	t.Helper()
	before := w.env.Now()
	w.env.ExecuteWorkflow(workflows.Erase, erasure, dryRun)
	require.True(t, w.env.IsWorkflowCompleted())
	require.NoError(t, w.env.GetWorkflowError())
	var done claim.Erasure
	require.NoError(t, w.env.GetWorkflowResult(&done))
	require.Equal(t, erasure.ID, done.ID)
	return w.env.Now().Sub(before)
}

func (w *eraseWorld) gaveUp() bool {
	for _, in := range w.waits {
		if in.Unfinished {
			return true
		}
	}
	return false
}

func TestEraseRunsItsStepsInOrder(t *testing.T) {
	t.Parallel()
	w := newEraseWorld(t)
	w.run(t, false)
	require.Equal(t, []string{"ask", "find", "stop", "anonymize", "erase", "verify", "end"}, w.calls)
	require.Empty(t, w.end.Leftovers)
	require.Equal(t, []activities.ErasureWait{{ErasureRef: erasure, Step: claim.ErasureAnonymize}}, w.waits)
}

func TestDryRunOnlyFindsAndCounts(t *testing.T) {
	t.Parallel()
	w := newEraseWorld(t)
	w.run(t, true)
	require.Equal(t, []string{"ask", "find", "erase", "end"}, w.calls)
}

func TestEraseWaitsForWorkflowsAndForDixa(t *testing.T) {
	t.Parallel()
	w := newEraseWorld(t)
	w.unread, w.left = []int{2, 1, 0}, []int{1, 1, 0}
	took := w.run(t, false)
	require.Equal(t, []string{"ask", "find", "stop", "stop", "stop", "ask", "find", "anonymize", "anonymize", "anonymize", "erase", "verify", "end"}, w.calls)
	require.GreaterOrEqual(t, took, 6*time.Second)
	require.False(t, w.gaveUp())
	var whys []string
	for _, in := range w.waits {
		whys = append(whys, in.Why)
	}
	require.Equal(t, []string{"workflows of the customer's claims have not ended yet", "", "", "Dixa has not finished", ""}, whys, "each reason is recorded once")
}

func TestEraseGoesOnWithoutDixa(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		prepare func(w *eraseWorld)
		atLeast time.Duration
		atMost  time.Duration
	}{
		"an anonymization that never ends": {func(w *eraseWorld) { w.left = []int{1} }, 24 * time.Hour, 25 * time.Hour},
		"a token that stays refused":       {func(w *eraseWorld) { w.anonymize = []error{parkedBy(claim.CauseConnection)} }, 24 * time.Hour, 25 * time.Hour},
		"a search that Dixa refuses":       {func(w *eraseWorld) { w.find = []error{parkedBy(claim.CauseRefused)} }, 0, time.Minute},
		"Dixa down for days": {func(w *eraseWorld) {
			w.anonymize = []error{temporal.NewApplicationError("down", claim.ErrorUnavailable)}
		}, 24 * time.Hour, 25 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newEraseWorld(t)
			test.prepare(w)
			took := w.run(t, false)
			require.True(t, w.gaveUp())
			require.GreaterOrEqual(t, took, test.atLeast)
			require.LessOrEqual(t, took, test.atMost)
			require.Equal(t, []string{"erase", "verify", "end"}, w.calls[len(w.calls)-3:], "the store is erased all the same")
		})
	}
}

func TestEraseWaitsForANewToken(t *testing.T) {
	t.Parallel()
	w := newEraseWorld(t)
	w.find = []error{parkedBy(claim.CauseConnection), parkedBy(claim.CauseConnection), nil}
	w.run(t, false)
	require.Equal(t, []string{"ask", "ask", "ask", "find"}, w.calls[:4])
	require.False(t, w.gaveUp())
	require.Contains(t, w.waits[0].Why, "refused")
}

func TestEraseRepeatsUntilNothingIsLeft(t *testing.T) {
	t.Parallel()
	w := newEraseWorld(t)
	w.leftovers = []map[string]int{{"inbox": 1}, {}}
	w.run(t, false)
	require.Equal(t, []string{"erase", "verify", "erase again", "verify", "end"}, w.calls[4:])
	require.Empty(t, w.end.Leftovers)

	w = newEraseWorld(t)
	w.leftovers = []map[string]int{{"inbox": 1}}
	w.run(t, false)
	require.Equal(t, map[string]int{"inbox": 1}, w.end.Leftovers)
}
