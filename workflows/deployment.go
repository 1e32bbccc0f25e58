package workflows

import "go.temporal.io/sdk/workflow"

// Deployment binds the namespace that it runs in to one store, whose id is in its
// memo ([claim.DeploymentMemoStore]). It does nothing until somebody cancels or
// terminates it, which gives the namespace up.
func Deployment(ctx workflow.Context) error {
	ctx.Done().Receive(ctx, nil)
	return ctx.Err()
}
