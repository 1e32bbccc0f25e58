package process

import (
	"context"
	"errors"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/claimflow/claimflow/claim"
)

// ForeignNamespaceError says that a Temporal namespace belongs to another store.
// Task queues have fixed names, so two stores on one namespace would take each
// other's tasks.
type ForeignNamespaceError struct {
	// Namespace and Address are those of Temporal.
	Namespace, Address string
	// Owner is the id of the store that the namespace is bound to, Store the id of
	// this process's store.
	Owner, Store string
}

// Error names both stores and the fix.
func (e *ForeignNamespaceError) Error() string {
	return fmt.Sprintf("namespace %[1]s on %[2]s belongs to another Claimflow deployment: it is bound to store %[3]s, but CLAIMFLOW_DATABASE_URL is store %[4]s. "+
		"Use a separate namespace for this deployment (TEMPORAL_NAMESPACE), or correct CLAIMFLOW_DATABASE_URL. "+
		"If store %[3]s no longer exists, release the namespace: temporal workflow terminate --address %[2]s --namespace %[1]s --workflow-id %[5]s",
		e.Namespace, e.Address, e.Owner, e.Store, claim.DeploymentWorkflowID)
}

// bind ensures that the namespace belongs to this process's store and to no other.
// The first process binds it by starting the Deployment workflow, which runs once
// per namespace. Every other process reads the memo of that run. If the namespace
// belongs to another store, the error is a [ForeignNamespaceError].
func (p *Parts) bind(ctx context.Context) error {
	if p.bound.Load() {
		return nil
	}
	owner, err := p.namespaceOwner(ctx)
	if err == nil && owner == "" {
		owner, err = p.takeNamespace(ctx)
	}
	if err != nil {
		return err
	}
	if owner != p.Store.ID() {
		return &ForeignNamespaceError{Namespace: p.Namespace, Address: p.engineAddress, Owner: owner, Store: p.Store.ID()}
	}
	p.bound.Store(true)
	return nil
}

// namespaceOwner returns the id of the store that the namespace is bound to, or
// empty if it is unbound.
func (p *Parts) namespaceOwner(ctx context.Context) (string, error) {
	described, err := p.Temporal.DescribeWorkflowExecution(ctx, claim.DeploymentWorkflowID, "")
	var missing *serviceerror.NotFound
	if errors.As(err, &missing) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("look up the owner of namespace %s: %w", p.Namespace, err)
	}
	info := described.GetWorkflowExecutionInfo()
	if info.GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		return "", nil
	}
	var owner string
	if err := converter.GetDefaultDataConverter().FromPayload(info.GetMemo().GetFields()[claim.DeploymentMemoStore], &owner); err != nil {
		return "", fmt.Errorf("read the memo %q of workflow %s in namespace %s: %w", claim.DeploymentMemoStore, claim.DeploymentWorkflowID, p.Namespace, err)
	}
	return owner, nil
}

// takeNamespace binds the namespace to this process's store, unless another process
// is faster, and returns the resulting owner.
func (p *Parts) takeNamespace(ctx context.Context) (string, error) {
	_, err := p.Temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: claim.DeploymentWorkflowID, TaskQueue: claim.TaskQueueClaims,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		Memo:                                     map[string]any{claim.DeploymentMemoStore: p.Store.ID()},
		StaticSummary:                            "Binds this namespace to store " + p.Store.ID(),
	}, claim.DeploymentWorkflowName)
	var started *serviceerror.WorkflowExecutionAlreadyStarted
	switch {
	case errors.As(err, &started):
		return p.namespaceOwner(ctx)
	case err != nil:
		return "", fmt.Errorf("bind namespace %s to this store: %w", p.Namespace, err)
	}
	p.Telemetry.Log.Info("bound the namespace to this store", "namespace", p.Namespace, "store", p.Store.ID())
	return p.Store.ID(), nil
}
