package process

import (
	"context"
	"fmt"
	"maps"
	"slices"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/claimflow/claimflow/claim"
)

// ForeignNamespaceError means that a Temporal namespace belongs to another store.
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
		return &ForeignNamespaceError{Namespace: p.Namespace, Address: p.temporalAddress, Owner: owner, Store: p.Store.ID()}
	}
	p.bound.Store(true)
	return nil
}

// namespaceOwner returns the id of the store that the namespace is bound to, or
// empty if it is unbound.
func (p *Parts) namespaceOwner(ctx context.Context) (string, error) {
	described, err := p.Temporal.DescribeWorkflowExecution(ctx, claim.DeploymentWorkflowID, "")
	if isA[*serviceerror.NotFound](err) {
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
	switch {
	case isA[*serviceerror.WorkflowExecutionAlreadyStarted](err):
		return p.namespaceOwner(ctx)
	case err != nil:
		return "", fmt.Errorf("bind namespace %s to this store: %w", p.Namespace, err)
	}
	p.Telemetry.Log.Info("bound the namespace to this store", "namespace", p.Namespace, "store", p.Store.ID())
	return p.Store.ID(), nil
}

// setUpNamespace prepares the namespace for the worker. It logs what it may not do,
// because a person can do that instead.
func (p *Parts) setUpNamespace(ctx context.Context) {
	if err := p.registerAttributes(ctx); err != nil {
		p.Telemetry.Log.Warn("cannot register search attributes; register them manually (see docs/operations.md), or workflows cannot start",
			"attributes", claim.SearchAttributes(), "error", err)
	}
	if err := p.setFairnessLimit(ctx); err != nil {
		p.Telemetry.Log.Warn("cannot set the rate limit per connection in Temporal; the request budget in the store still applies", "error", err)
	}
}

// registerAttributes adds the search attributes that the namespace lacks.
func (p *Parts) registerAttributes(ctx context.Context) error {
	service := p.Temporal.OperatorService()
	known, err := service.ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: p.Namespace})
	if err != nil {
		return fmt.Errorf("list the search attributes: %w", err)
	}
	missing := map[string]enumspb.IndexedValueType{}
	for _, name := range claim.SearchAttributes() {
		if _, ok := known.GetCustomAttributes()[name]; !ok {
			missing[name] = enumspb.INDEXED_VALUE_TYPE_KEYWORD
		}
	}
	if len(missing) == 0 {
		return nil
	}
	_, err = service.AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{Namespace: p.Namespace, SearchAttributes: missing})
	if err != nil {
		return fmt.Errorf("add the search attributes %v: %w", slices.Sorted(maps.Keys(missing)), err)
	}
	return nil
}

// setFairnessLimit sets Temporal's rate limit per connection on the Dixa queue.
func (p *Parts) setFairnessLimit(ctx context.Context) error {
	_, err := p.Temporal.WorkflowService().UpdateTaskQueueConfig(ctx, &workflowservice.UpdateTaskQueueConfigRequest{
		Namespace: p.Namespace, Identity: "claimflow-worker",
		TaskQueue: claim.TaskQueueDixa, TaskQueueType: enumspb.TASK_QUEUE_TYPE_ACTIVITY,
		UpdateFairnessKeyRateLimitDefault: &workflowservice.UpdateTaskQueueConfigRequest_RateLimitUpdate{
			RateLimit: &taskqueuepb.RateLimit{RequestsPerSecond: perConnection},
			Reason:    "Dixa allows 10 requests per second and token, and not every activity sends one",
		},
	})
	if err != nil {
		return fmt.Errorf("set the rate limit of task queue %s: %w", claim.TaskQueueDixa, err)
	}
	return nil
}
