package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
)

// drain consumes all pending signals and reports whether there were any.
func drain(signals workflow.ReceiveChannel) bool {
	came := false
	for signals.ReceiveAsync(nil) {
		came = true
	}
	return came
}

// waitForChange waits until the claim changes in the store. Meanwhile, a claim without
// a conversation triggers its fallback at its deadline, and a closed claim is settled
// once it has stayed closed for the quiet period.
func (r *claimRun) waitForChange(ctx workflow.Context) error {
	due := r.nextTimer(ctx)
	timerCtx, stopTimer := workflow.WithCancel(ctx)
	selector := workflow.NewSelector(ctx).
		AddReceive(r.nudges, func(c workflow.ReceiveChannel, _ bool) { c.Receive(ctx, nil) })
	late := false
	if due == nil {
		selector.AddReceive(ctx.Done(), func(workflow.ReceiveChannel, bool) {})
	} else {
		timer := workflow.NewTimerWithOptions(timerCtx, due.in, workflow.TimerOptions{Summary: due.summary})
		selector.AddFuture(timer, func(f workflow.Future) { late = f.Get(timerCtx, nil) == nil })
	}
	selector.Select(ctx)
	stopTimer()
	if !late {
		return r.handleNudge(ctx)
	}
	return r.sync(ctx, due.change)
}

// waitForNudge waits for a nudge for at most d and reports whether one arrived.
func (r *claimRun) waitForNudge(ctx workflow.Context, d time.Duration, summary string) (bool, error) {
	timerCtx, stopTimer := workflow.WithCancel(ctx)
	defer stopTimer()
	news := false
	var err error
	workflow.NewSelector(ctx).
		AddReceive(r.nudges, func(c workflow.ReceiveChannel, _ bool) { news = true; c.Receive(ctx, nil) }).
		AddFuture(workflow.NewTimerWithOptions(timerCtx, d, workflow.TimerOptions{Summary: summary}),
			func(f workflow.Future) { err = f.Get(timerCtx, nil) }).
		Select(ctx)
	return news, err
}

// timerAction is what the run does if nothing happens for some time.
type timerAction struct {
	in      time.Duration
	summary string
	change  activities.StatusChange
}

// nextTimer returns nil if the run only waits for news.
func (r *claimRun) nextTimer(ctx workflow.Context) *timerAction {
	switch {
	case r.state.FallbackDue():
		return &timerAction{r.untilDeadline(ctx), "Trigger the fallback unless the claim is open by then", activities.StatusChange{
			Event: claim.EventPark, Cause: r.state.Cause, LastError: r.state.LastError,
			SettingsVersion: r.state.ParkedVersion, Fallback: true,
		}}
	case r.state.State == claim.StateClosed && !r.state.SettleAt.IsZero():
		in := max(r.state.SettleAt.Sub(workflow.Now(ctx)), time.Millisecond)
		return &timerAction{in, "Settle the claim unless it reopens by then", activities.StatusChange{Event: claim.EventSettle}}
	}
	return nil
}

// pause waits for a minute and loads the claim again.
func (r *claimRun) pause(ctx workflow.Context) error {
	timer := workflow.NewTimerWithOptions(ctx, time.Minute, workflow.TimerOptions{
		Summary: "The claim keeps changing its state: check again in a minute",
	})
	if err := timer.Get(ctx, nil); err != nil {
		return err
	}
	return r.load(ctx)
}

// handleNudge reads the store after a nudge.
func (r *claimRun) handleNudge(ctx workflow.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	drain(r.nudges)
	// Most news of an open claim comes from Dixa, and applying it also reads the
	// claim.
	if r.state.Next() == claim.ActionFollow {
		return r.follow(ctx)
	}
	return r.load(ctx)
}
