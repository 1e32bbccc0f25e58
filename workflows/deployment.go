package workflows

import "go.temporal.io/sdk/workflow"

// Deployment binds the namespace it runs in to one store, whose id is in its memo
// ([claim.DeploymentMemoStore]). It runs until it is canceled or terminated, which
// releases the namespace.
func Deployment(ctx workflow.Context) error {
	ctx.Done().Receive(ctx, nil)
	return ctx.Err()
}
