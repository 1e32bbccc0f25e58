package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/claimflow/claimflow/claim"
)

// Priorities on the Dixa queue: a claim that a customer waits for goes before
// work that nobody waits for. 3 is the engine's default.
const (
	priorityClaim = 2
	prioritySweep = 4
)

const (
	// attemptTime bounds one attempt at a step that talks to Dixa. It may send
	// several requests, each after a short wait for the budget, and a create
	// lasts as long as Dixa needs to copy the photos.
	attemptTime = 2 * time.Minute
	// doubtTime is how long an event that ends a doubt about a state may take,
	// before Dixa is asked.
	doubtTime = 2 * time.Second
	// askWithin bounds how long Dixa is asked about a state.
	askWithin = 5 * time.Minute
	// afterOpening is how long each step is tried once the conversation is there.
	afterOpening = time.Hour
)

// storeOptions are for activities that read and write our own store. There is
// nothing better to do than to wait until it is back, so they never give up.
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

// evidenceOptions are for looking at files on the shop's servers: as many as a
// claim has, several at once, each bounded by its own time-out.
func evidenceOptions(summary string) workflow.ActivityOptions {
	o := storeOptions(summary)
	o.StartToCloseTimeout = 3 * time.Minute
	return o
}

// dixaFast are the first attempts of a step that talks to Dixa: a passing
// trouble is over before anybody notices. The heartbeat tells of a dead worker
// long before the time-out would.
func dixaFast(summary, connectionID string, within time.Duration) workflow.ActivityOptions {
	return workflow.ActivityOptions{
		TaskQueue:              claim.TaskQueueDixa,
		StartToCloseTimeout:    attemptTime,
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

// dixaSlow are the attempts after those of dixaFast: Dixa is down or the token's
// budget is far behind. They go on until the step's time is over.
func dixaSlow(summary, connectionID string, within time.Duration) workflow.ActivityOptions {
	o := dixaFast(summary, connectionID, within)
	o.RetryPolicy = &temporal.RetryPolicy{
		InitialInterval:    30 * time.Second,
		BackoffCoefficient: 2,
		MaximumInterval:    5 * time.Minute,
	}
	return o
}

// sweepOptions are for the steps of a sweep: behind all claims, and given up
// after some time, since the next sweep goes on where this one ends. A step that
// keeps to a tenth of the budget takes its time.
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
