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

var operation = activities.OperationRef{ConnectionID: "con-1", ID: "op-1"}

// operate runs the workflow of an operation whose attempts return the given errors; the
// last one stays. It returns why the operation was given up, if it was.
func operate(t *testing.T, attempts []error, prepare func(*testsuite.TestWorkflowEnvironment)) (env *testsuite.TestWorkflowEnvironment, gaveUp []activities.GiveUp, tried int) {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env = suite.NewTestWorkflowEnvironment()
	env.SetTestTimeout(20 * time.Second)
	env.RegisterActivity(&activities.Operations{})
	env.RegisterActivity(&activities.OperationStore{})
	var dixa *activities.Operations
	var rows *activities.OperationStore
	env.OnActivity(dixa.CarryOut, mock.Anything, operation).Return(func(context.Context, activities.OperationRef) error {
		tried++
		return next(&attempts)
	})
	env.OnActivity(rows.GiveUp, mock.Anything, mock.Anything).Return(func(_ context.Context, in activities.GiveUp) error {
		gaveUp = append(gaveUp, in)
		return nil
	})
	if prepare != nil {
		prepare(env)
	}
	env.ExecuteWorkflow(workflows.Operation, operation)
	require.True(t, env.IsWorkflowCompleted())
	return env, gaveUp, tried
}

func TestOperationEndsWithItsStep(t *testing.T) {
	t.Parallel()
	env, gaveUp, tried := operate(t, []error{nil}, nil)
	require.NoError(t, env.GetWorkflowError())
	require.Empty(t, gaveUp)
	require.Equal(t, 1, tried)
}

func TestOperationIsRepeatedWhileTimeMayHelp(t *testing.T) {
	t.Parallel()
	limited := temporal.NewApplicationErrorWithOptions("slow down", claim.ErrorRateLimited, temporal.ApplicationErrorOptions{NextRetryDelay: 10 * time.Minute})
	started := time.Time{}
	env, gaveUp, tried := operate(t, []error{limited, temporal.NewApplicationError("cut", claim.ErrorAmbiguous), nil}, func(env *testsuite.TestWorkflowEnvironment) { started = env.Now() })
	require.NoError(t, env.GetWorkflowError())
	require.Empty(t, gaveUp)
	require.Equal(t, 3, tried)
	require.GreaterOrEqual(t, env.Now().Sub(started), 10*time.Minute, "Dixa's wait must be kept")
}

func TestOperationIsGivenUp(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		attempt error
		prepare func(*testsuite.TestWorkflowEnvironment)
		why     string
	}{
		"Dixa stays away":       {temporal.NewApplicationError("down", claim.ErrorUnavailable), nil, claim.ErrorUnavailable},
		"the limit is used up":  {temporal.NewApplicationError("slow down", claim.ErrorRateLimited), nil, "request limit"},
		"the code has an error": {temporal.NewNonRetryableApplicationError("oops", claim.ErrorInternal, nil), nil, claim.ErrorInternal},
		"an operator cancels it": {temporal.NewApplicationError("down", claim.ErrorUnavailable), func(env *testsuite.TestWorkflowEnvironment) {
			env.RegisterDelayedCallback(env.CancelWorkflow, time.Minute)
		}, "operator"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			started := time.Time{}
			env, gaveUp, _ := operate(t, []error{test.attempt}, func(env *testsuite.TestWorkflowEnvironment) {
				started = env.Now()
				if test.prepare != nil {
					test.prepare(env)
				}
			})
			require.Error(t, env.GetWorkflowError())
			require.Len(t, gaveUp, 1)
			require.Equal(t, operation, gaveUp[0].OperationRef)
			require.Contains(t, gaveUp[0].Why, test.why)
			require.LessOrEqual(t, env.Now().Sub(started), 61*time.Minute)
		})
	}
}
