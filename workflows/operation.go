package workflows

import (
	"errors"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
)

var (
	operations     *activities.Operations
	operationStore *activities.OperationStore
)

// Operation is the workflow of a write through the unified API. What to do and the
// answer are in the store. An operation that cannot be carried out in time, or that an
// operator cancels, ends with an error as its answer.
//
// The step can be repeated, so a run that is lost or reset starts from the beginning.
func Operation(ctx workflow.Context, ref activities.OperationRef) error {
	carryOut := workflow.WithActivityOptions(ctx, operationOptions("Carry out the write", ref.ConnectionID))
	err := workflow.ExecuteActivity(carryOut, operations.CarryOut, ref).Get(carryOut, nil)
	if err == nil {
		return nil
	}
	ending, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	ending = workflow.WithActivityOptions(ending, storeOptions("End the operation without success"))
	in := activities.GiveUp{OperationRef: ref, Why: whyNot(err)}
	if endErr := workflow.ExecuteActivity(ending, operationStore.GiveUp, in).Get(ending, nil); endErr != nil {
		return endErr
	}
	return err
}

// whyNot says in our words why an operation was not carried out.
func whyNot(err error) string {
	var app *temporal.ApplicationError
	var canceled *temporal.CanceledError
	switch {
	case errors.As(err, &canceled):
		return "an operator canceled it"
	case hasType(err, claim.ErrorRateLimited):
		return "Dixa's request limit was used up"
	case errors.As(err, &app):
		return "the last attempt failed: " + app.Type()
	default:
		return "Dixa or the worker did not respond in time"
	}
}
