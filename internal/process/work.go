package process

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/internal/fromdixa/subscription"
	"github.com/claimflow/claimflow/workflows"
)

// taskQueues lists what `worker` takes from Temporal. Every replica polls both
// queues; Temporal gives each task to one of them.
func (p *Parts) taskQueues() ([]taskQueue, error) {
	observe, err := p.observeSweeps()
	if err != nil {
		return nil, err
	}
	return []taskQueue{
		{ // Workflows, and all activities that do not call Dixa.
			name: claim.TaskQueueClaims,
			workflows: map[string]any{
				claim.WorkflowName:           workflows.Claim,      // one per claim
				claim.SweepWorkflowName:      workflows.Sweep,      // one per connection, started by its schedule or the API
				claim.ImportWorkflowName:     workflows.Import,     // one per connection, started by its schedule or the API
				claim.ErasureWorkflowName:    workflows.Erase,      // one per shop and customer
				claim.OperationWorkflowName:  workflows.Operation,  // one per write through the unified API
				claim.DeploymentWorkflowName: workflows.Deployment, // one per namespace, binds it to the store
			},
			activities: []any{
				&activities.Claims{Store: p.Store},
				&activities.Tickets{Store: p.Store},
				&activities.Evidence{Store: p.Store, Checker: p.Checker},
				&activities.ImportStore{Store: p.Store},
				&activities.ErasureStore{Store: p.Store},
				&activities.OperationStore{Store: p.Store},
			},
			options: worker.Options{MaxConcurrentActivityExecutionSize: claimSlots, MaxConcurrentLocalActivityExecutionSize: localSlots},
		},
		{ // Activities that call Dixa.
			name: claim.TaskQueueDixa,
			activities: []any{
				&activities.Dixa{Store: p.Store, Clients: p.Clients, Checker: p.Checker},
				&activities.Sweeps{
					Store: p.Store, Clients: p.Clients, OnEnd: observe,
					Subscriptions: subscription.New(p.Store.Subscriptions, p.Clients, p.Config.PublicURL),
				},
				&activities.Imports{Store: p.Store, Clients: p.Clients},
				&activities.Erasures{Store: p.Store, Clients: p.Clients},
				&activities.Operations{Store: p.Store, Clients: p.Clients, Unified: p.unified()},
			},
			options: worker.Options{
				DisableWorkflowWorker:              true,
				MaxConcurrentActivityExecutionSize: dixaSlots,
				// Sends heartbeats promptly. The SDK throttles most of them by default,
				// and a short hiccup would look like a dead worker.
				MaxHeartbeatThrottleInterval: time.Second,
			},
		},
	}, nil
}

// workJobs lists what `worker` does. Every replica does all of it; doing it twice is
// harmless.
func (p *Parts) workJobs(broken <-chan error) []job {
	schedules := &schedules{Parts: p, made: map[string]bool{}}
	return []job{
		// The task queues above, which the SDK polls until ctx ends.
		{name: "task queues", run: func(ctx context.Context) error { return p.untilBroken(ctx, broken) }},
		// Keeps one Temporal schedule for the sweeps of each connection that an enabled
		// shop uses, and one for the imports of each that has a data source. Temporal
		// then starts a sweep every CLAIMFLOW_SWEEP_EVERY and an import every
		// CLAIMFLOW_IMPORT_EVERY, on one replica.
		{name: "schedules", every: time.Minute, run: schedules.reconcile},
		// Starts the workflows of erasures that have none: Temporal was away when the
		// erasure was requested, or lost its workflow. Starting one twice is harmless.
		{name: "erasures", every: time.Minute, run: p.startErasures},
		// The same for writes through the unified API.
		{name: "operations", every: time.Minute, run: p.startOperations},
	}
}

const (
	// dixaSlots is how many Dixa activities a worker runs at once: the pace of a few
	// tokens times the seconds that a create with files can take.
	dixaSlots = 60
	// claimSlots is how many other activities a worker runs at once. Checking files
	// takes the longest.
	claimSlots = 200
	// localSlots is how many local activities a worker runs at once. Those that find no
	// slot in time run as remote ones.
	localSlots = 100
	// perConnection is Temporal's coarse limit of activities per second and
	// connection. The budget in the store is the exact limit; this one keeps a flood
	// from one shop from filling the workers. It is three times Dixa's limit because
	// many activities send nothing: the customer is known, another claim is looking
	// them up, or the budget is momentarily spent.
	perConnection = 30
	// stopWithin is how long running activities have to finish on shutdown.
	stopWithin = 20 * time.Second
)

// taskQueue is a task queue of Temporal and what a worker runs from it.
type taskQueue struct {
	name       string
	workflows  map[string]any // by the names that histories hold
	activities []any
	options    worker.Options
}

// Work is `worker`: it runs workflows and activities until ctx ends, then lets running
// activities finish. It waits while Temporal is unavailable or lacks the namespace. It
// rejects a namespace of another store with a [ForeignNamespaceError]. It ends with an
// error if Temporal stops the worker from polling.
func (p *Parts) Work(ctx context.Context) error {
	if err := p.waitForTemporal(ctx); err != nil || ctx.Err() != nil {
		return err
	}
	p.setUpNamespace(ctx)
	queues, err := p.taskQueues()
	if err != nil {
		return err
	}
	broken := make(chan error, len(queues)) // one per worker
	var names []string
	for _, q := range queues {
		w := q.worker(p, broken)
		if err := w.Start(); err != nil {
			return fmt.Errorf("start the worker of task queue %s: %w", q.name, err)
		}
		defer w.Stop()
		names = append(names, q.name)
	}
	p.Telemetry.Log.Info("worker started", "task_queues", names)
	p.polling.Store(true)
	defer p.polling.Store(false)
	return runJobs(ctx, p.Telemetry.Log, p.workJobs(broken))
}

// untilBroken waits until ctx ends, or until Temporal stops a worker from polling.
func (p *Parts) untilBroken(ctx context.Context, broken <-chan error) error {
	select {
	case <-ctx.Done():
		p.Telemetry.Log.Info("stopping; waiting for running activities", "within", stopWithin)
		return nil
	case err := <-broken:
		return fmt.Errorf("poll namespace %s on %s for work: %w", p.Namespace, p.temporalAddress, err)
	}
}

// worker creates the worker of a task queue. It sends an error to broken if Temporal
// stops it from polling.
func (q taskQueue) worker(p *Parts, broken chan<- error) worker.Worker {
	o := q.options
	o.WorkflowTaskPollerBehavior = worker.NewPollerBehaviorAutoscaling(worker.PollerBehaviorAutoscalingOptions{})
	o.ActivityTaskPollerBehavior = worker.NewPollerBehaviorAutoscaling(worker.PollerBehaviorAutoscalingOptions{})
	o.WorkerStopTimeout = stopWithin
	o.OnFatalError = func(err error) { broken <- err }
	w := worker.New(p.Temporal, q.name, o)
	for name, f := range q.workflows {
		w.RegisterWorkflowWithOptions(f, workflow.RegisterOptions{Name: name})
	}
	for _, a := range q.activities {
		w.RegisterActivity(a)
	}
	return w
}
