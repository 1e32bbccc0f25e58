package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
)

// Priorities on the Dixa queue. A claim that a customer waits for runs before a write
// that a program waits for, and both before background work. Temporal's default is 3.
const (
	priorityClaim     = 1
	priorityOperation = 2
	priorityErasure   = 3
	prioritySweep     = 4
	priorityImport    = 5
)

const (
	// attemptTimeout bounds one attempt at a step that calls Dixa. An attempt may send
	// several requests, each after a short wait for the budget, and a create lasts
	// as long as Dixa needs to copy the files.
	attemptTimeout = 2 * time.Minute
	// doubtGracePeriod is how long to wait for an event that ends a doubt about a state
	// before asking Dixa.
	doubtGracePeriod = 2 * time.Second
	// askTimeout bounds how long the workflow tries to ask Dixa about a state.
	askTimeout = 5 * time.Minute
	// postOpenTimeout is how long each step is retried after the conversation exists.
	postOpenTimeout = time.Hour
)

// Limits of local activities. A workflow task lasts ten seconds, so all local
// activities of one task have to end well before.
const (
	// localStoreTimeout bounds all attempts of a local activity that uses the store.
	localStoreTimeout = 2 * time.Second
	// localEvidenceTimeout bounds the local check of a claim's files.
	localEvidenceTimeout = 3 * time.Second
)

// localOptions returns the options for the local attempts of an activity.
func localOptions(summary string, within time.Duration, attempts int32) workflow.LocalActivityOptions {
	return workflow.LocalActivityOptions{
		ScheduleToCloseTimeout: within,
		Summary:                summary,
		RetryPolicy:            &temporal.RetryPolicy{InitialInterval: 100 * time.Millisecond, BackoffCoefficient: 2, MaximumAttempts: attempts},
	}
}

// storeOptions returns the options for activities that read and write our own store.
// Those retry forever, because the only remedy is to wait until the store is back.
func storeOptions(summary string) workflow.ActivityOptions {
	return workflow.ActivityOptions{
		TaskQueue:           claim.TaskQueueClaims,
		StartToCloseTimeout: 15 * time.Second,
		Summary:             summary,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval:    500 * time.Millisecond,
			BackoffCoefficient: 2,
			MaximumInterval:    time.Minute,
		},
	}
}

// evidenceOptions returns the options for checking files on the shop's servers: all
// files of a claim, several at once, each with its own timeout.
func evidenceOptions(summary string) workflow.ActivityOptions {
	o := storeOptions(summary)
	o.StartToCloseTimeout = 3 * time.Minute
	return o
}

// dixaFast returns the options for the first attempts of a step that calls Dixa.
// They bridge a transient failure before anyone notices. The heartbeat detects a
// dead worker long before the timeout does.
func dixaFast(summary, connectionID string, within time.Duration) workflow.ActivityOptions {
	return workflow.ActivityOptions{
		TaskQueue:              claim.TaskQueueDixa,
		StartToCloseTimeout:    attemptTimeout,
		ScheduleToCloseTimeout: within,
		HeartbeatTimeout:       10 * time.Second,
		Summary:                summary,
		Priority:               temporal.Priority{PriorityKey: priorityClaim, FairnessKey: connectionID},
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval:    time.Second,
			BackoffCoefficient: 2,
			MaximumInterval:    30 * time.Second,
			MaximumAttempts:    10,
		},
	}
}

// dixaSlow returns the options for the attempts after those of dixaFast, when Dixa
// is down or the token's budget is far behind. They continue until the step's time
// is over.
func dixaSlow(summary, connectionID string, within time.Duration) workflow.ActivityOptions {
	o := dixaFast(summary, connectionID, within)
	o.RetryPolicy = &temporal.RetryPolicy{
		InitialInterval:    30 * time.Second,
		BackoffCoefficient: 2,
		MaximumInterval:    5 * time.Minute,
	}
	return o
}

// sweepOptions returns the options for the steps of a sweep. The steps run after all
// claims and stop retrying after some time, because the next sweep continues where
// this one ends. A step that keeps to a tenth of the budget takes its time.
func sweepOptions(summary, connectionID string) workflow.ActivityOptions {
	return workflow.ActivityOptions{
		TaskQueue:              claim.TaskQueueDixa,
		StartToCloseTimeout:    10 * time.Minute,
		ScheduleToCloseTimeout: 20 * time.Minute,
		HeartbeatTimeout:       20 * time.Second,
		Summary:                summary,
		Priority:               temporal.Priority{PriorityKey: prioritySweep, FairnessKey: connectionID},
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval:    2 * time.Second,
			BackoffCoefficient: 2,
			MaximumInterval:    2 * time.Minute,
		},
	}
}

// importOptions returns the options for the steps of an import. They run after all
// others. A window takes as long as it takes: the budget delays its attempts, and an
// attempt continues where the one before it stopped. The activity itself gives up after
// repeated failures.
func importOptions(summary, connectionID string) workflow.ActivityOptions {
	return workflow.ActivityOptions{
		TaskQueue:           claim.TaskQueueDixa,
		StartToCloseTimeout: time.Hour,
		HeartbeatTimeout:    20 * time.Second,
		Summary:             summary,
		Priority:            temporal.Priority{PriorityKey: priorityImport, FairnessKey: connectionID},
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval:    2 * time.Second,
			BackoffCoefficient: 2,
			MaximumInterval:    2 * time.Minute,
		},
	}
}

// operationOptions returns the options for a write through the unified API. Its caller
// waits for some seconds, then asks for the outcome.
func operationOptions(summary, connectionID string) workflow.ActivityOptions {
	return workflow.ActivityOptions{
		TaskQueue:              claim.TaskQueueDixa,
		StartToCloseTimeout:    attemptTimeout,
		ScheduleToCloseTimeout: activities.OperationTime,
		HeartbeatTimeout:       10 * time.Second,
		Summary:                summary,
		Priority:               temporal.Priority{PriorityKey: priorityOperation, FairnessKey: connectionID},
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval:    500 * time.Millisecond,
			BackoffCoefficient: 2,
			MaximumInterval:    time.Minute,
		},
	}
}

// erasureDixaOptions returns the options for the steps of an erasure that call Dixa. The
// workflow repeats them, with longer pauses, after these attempts.
func erasureDixaOptions(summary, shop string) workflow.ActivityOptions {
	return workflow.ActivityOptions{
		TaskQueue:              claim.TaskQueueDixa,
		StartToCloseTimeout:    attemptTimeout,
		ScheduleToCloseTimeout: 10 * time.Minute,
		HeartbeatTimeout:       20 * time.Second,
		Summary:                summary,
		Priority:               temporal.Priority{PriorityKey: priorityErasure, FairnessKey: shop},
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval:    time.Second,
			BackoffCoefficient: 2,
			MaximumInterval:    time.Minute,
		},
	}
}

// erasureStoreOptions returns the options for the steps of an erasure on the store. They
// read all claims of a shop and all conversations of its Dixa.
func erasureStoreOptions(summary string) workflow.ActivityOptions {
	o := storeOptions(summary)
	o.StartToCloseTimeout, o.HeartbeatTimeout = time.Hour, 20*time.Second
	return o
}
