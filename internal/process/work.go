package process

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/workflows"
)

const (
	// dixaSlots is how many Dixa activities a worker runs at once: the pace of a few
	// tokens times the seconds that a create with photos can take.
	dixaSlots = 60
	// claimSlots is how many other activities a worker runs at once. Checking photos
	// takes the longest.
	claimSlots = 200
	// perConnection is Temporal's coarse limit of activities per second and
	// connection. The budget in the store is the exact limit; this one keeps a flood
	// from one shop from filling the workers. It is three times Dixa's limit because
	// many activities send nothing: the customer is known, another claim is looking
	// them up, or the budget is momentarily spent.
	perConnection = 30
	// stopWithin is how long running activities have to finish on shutdown.
	stopWithin = 20 * time.Second
)

// Work runs workflows and activities until ctx ends, then lets running activities
// finish. It waits while Temporal is unavailable or lacks the namespace. It refuses
// a namespace of another store with a [ForeignNamespaceError]. It ends with an error
// if Temporal stops the worker from polling.
func (p *Parts) Work(ctx context.Context) error {
	if err := p.waitForEngine(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	if err := p.registerAttributes(ctx); err != nil {
		p.Telemetry.Log.Warn("cannot register search attributes; register them manually (see docs/operations.md), or workflows cannot start",
			"attributes", claim.SearchAttributes(), "error", err)
	}
	if err := p.setFairnessLimit(ctx); err != nil {
		p.Telemetry.Log.Warn("cannot set the rate limit per connection in Temporal; the request budget in the store still applies", "error", err)
	}

	broken := make(chan error, 2) // one per worker
	claims := worker.New(p.Temporal, claim.TaskQueueClaims, worker.Options{
		MaxConcurrentActivityExecutionSize: claimSlots,
		WorkflowTaskPollerBehavior:         worker.NewPollerBehaviorAutoscaling(worker.PollerBehaviorAutoscalingOptions{}),
		ActivityTaskPollerBehavior:         worker.NewPollerBehaviorAutoscaling(worker.PollerBehaviorAutoscalingOptions{}),
		WorkerStopTimeout:                  stopWithin,
		OnFatalError:                       func(err error) { broken <- err },
	})
	claims.RegisterWorkflowWithOptions(workflows.Claim, workflow.RegisterOptions{Name: claim.WorkflowName})
	claims.RegisterWorkflowWithOptions(workflows.Sweep, workflow.RegisterOptions{Name: claim.SweepWorkflowName})
	claims.RegisterWorkflowWithOptions(workflows.Deployment, workflow.RegisterOptions{Name: claim.DeploymentWorkflowName})
	claims.RegisterActivity(&activities.Claims{Store: p.Store})
	claims.RegisterActivity(&activities.Tickets{Store: p.Store})
	claims.RegisterActivity(&activities.Evidence{Store: p.Store, Checker: p.Checker})

	dixa := worker.New(p.Temporal, claim.TaskQueueDixa, worker.Options{
		DisableWorkflowWorker:              true,
		MaxConcurrentActivityExecutionSize: dixaSlots,
		// Sends heartbeats promptly. The SDK throttles most of them by default, and
		// a short hiccup would look like a dead worker.
		MaxHeartbeatThrottleInterval: time.Second,
		ActivityTaskPollerBehavior:   worker.NewPollerBehaviorAutoscaling(worker.PollerBehaviorAutoscalingOptions{}),
		WorkerStopTimeout:            stopWithin,
		OnFatalError:                 func(err error) { broken <- err },
	})
	dixa.RegisterActivity(&activities.Dixa{Store: p.Store, Clients: p.Clients, Checker: p.Checker})
	sweeps, err := p.sweeps()
	if err != nil {
		return err
	}
	dixa.RegisterActivity(sweeps)

	for name, w := range map[string]worker.Worker{claim.TaskQueueClaims: claims, claim.TaskQueueDixa: dixa} {
		if err := w.Start(); err != nil {
			return fmt.Errorf("start the worker of task queue %s: %w", name, err)
		}
		defer w.Stop()
	}
	p.Telemetry.Log.Info("working", "task_queues", []string{claim.TaskQueueClaims, claim.TaskQueueDixa})
	p.polling.Store(true)
	defer p.polling.Store(false)
	scheduling, endScheduling := context.WithCancel(ctx)
	var background sync.WaitGroup
	background.Go(func() { p.maintainSchedules(scheduling) })
	defer background.Wait()
	defer endScheduling()
	select {
	case <-ctx.Done():
	case err := <-broken:
		return fmt.Errorf("poll namespace %s on %s for work: %w", p.Namespace, p.engineAddress, err)
	}
	p.Telemetry.Log.Info("stopping; waiting for running activities", "within", stopWithin)
	return nil
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
