package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
)

// drainNudges takes every nudge that has come and reports whether there was one.
// A nudge has no content, so many are worth as much as one.
func (r *claimRun) drainNudges() bool {
	came := false
	for r.nudges.ReceiveAsync(nil) {
		came = true
	}
	return came
}

// waitForNews waits until something of the claim changes in the store. A claim
// that has no conversation by its deadline raises its fallback meanwhile.
func (r *claimRun) waitForNews(ctx workflow.Context) error {
	if !r.standing.FallbackDue() {
		workflow.NewSelector(ctx).
			AddReceive(r.nudges, func(c workflow.ReceiveChannel, _ bool) { c.Receive(ctx, nil) }).
			AddReceive(ctx.Done(), func(workflow.ReceiveChannel, bool) {}).
			Select(ctx)
		return r.readNews(ctx)
	}
	timerCtx, stopTimer := workflow.WithCancel(ctx)
	deadline := workflow.NewTimerWithOptions(timerCtx, r.untilDeadline(ctx), workflow.TimerOptions{
		Summary: "Raise the fallback unless the claim is open by then",
	})
	late := false
	workflow.NewSelector(ctx).
		AddReceive(r.nudges, func(c workflow.ReceiveChannel, _ bool) { c.Receive(ctx, nil) }).
		AddFuture(deadline, func(f workflow.Future) { late = f.Get(timerCtx, nil) == nil }).
		Select(ctx)
	stopTimer()
	if !late {
		return r.readNews(ctx)
	}
	return r.sync(ctx, activities.StatusChange{
		Event: claim.EventPark, Cause: r.standing.Cause, LastError: r.standing.LastError,
		SettingsVersion: r.standing.ParkedVersion, Fallback: true,
	})
}

// pause lets some time pass and reads the claim anew.
func (r *claimRun) pause(ctx workflow.Context) error {
	timer := workflow.NewTimerWithOptions(ctx, time.Minute, workflow.TimerOptions{
		Summary: "The claim does not come to rest: look again in a minute",
	})
	if err := timer.Get(ctx, nil); err != nil {
		return err
	}
	return r.load(ctx)
}

// readNews reads the store after a nudge.
func (r *claimRun) readNews(ctx workflow.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.drainNudges()
	return r.load(ctx)
}
