package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
)

// changeFollowAtOnce is the change id for following at once after a nudge of an open
// claim. The default version loads the claim and follows only if something is
// unread.
const changeFollowAtOnce = "follow-at-once"

// drain consumes all pending signals and reports whether there were any.
func drain(signals workflow.ReceiveChannel) bool {
	came := false
	for signals.ReceiveAsync(nil) {
		came = true
	}
	return came
}

// waitForNews waits until the claim changes in the store. Meanwhile, a claim without
// a conversation raises its fallback at its deadline, and a closed claim is settled
// after it stayed closed for the quiet period.
func (r *claimRun) waitForNews(ctx workflow.Context) error {
	due := r.due(ctx)
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
		return r.readNews(ctx)
	}
	return r.sync(ctx, due.change)
}

// newsWithin waits for a nudge for at most d and reports whether one arrived.
func (r *claimRun) newsWithin(ctx workflow.Context, d time.Duration, summary string) (bool, error) {
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

// due is what the run does if nothing happens for some time.
type due struct {
	in      time.Duration
	summary string
	change  activities.StatusChange
}

// due returns nil if the run only waits for news.
func (r *claimRun) due(ctx workflow.Context) *due {
	switch {
	case r.standing.FallbackDue():
		return &due{r.untilDeadline(ctx), "Raise the fallback unless the claim is open by then", activities.StatusChange{
			Event: claim.EventPark, Cause: r.standing.Cause, LastError: r.standing.LastError,
			SettingsVersion: r.standing.ParkedVersion, Fallback: true,
		}}
	case r.standing.State == claim.StateClosed && !r.standing.SettleAt.IsZero():
		in := max(r.standing.SettleAt.Sub(workflow.Now(ctx)), time.Millisecond)
		return &due{in, "Settle the claim unless it reopens by then", activities.StatusChange{Event: claim.EventSettle}}
	}
	return nil
}

// pause waits for a minute and loads the claim again.
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
	drain(r.nudges)
	// Most news of an open claim comes from Dixa, and applying it also reads the
	// claim.
	if r.standing.Next() == claim.MoveFollow && workflow.GetVersion(ctx, changeFollowAtOnce, workflow.DefaultVersion, 1) == 1 {
		return r.follow(ctx)
	}
	return r.load(ctx)
}
