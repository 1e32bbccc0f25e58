package workflows

import (
	"errors"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
)

var sweeps *activities.Sweeps

const (
	// maxSpans is how many spans of the activity log one run reads; the next goes
	// on from there.
	maxSpans = 8
	// maxPages and maxBatches end a span that does not end by itself.
	maxPages   = 500
	maxBatches = 500
	// lookAround is how many quiet conversations a run asks about.
	lookAround = 20
	// maxTrouble bounds what is told of a failure.
	maxTrouble = 300
)

// Sweep is the workflow that looks for what no webhook told of a connection's
// conversations. It makes sure of the webhook subscription, takes what Dixa could
// not deliver, reads which tags are deactivated, reads Dixa's activity log from where the last run ended, asks
// about the conversations of claims of which something is missing and about some
// that were quiet for long. What it finds goes into the inbox.
//
// A run that Dixa's trouble ends early reports what it did; the next goes on from
// its watermark. A run that [claim.SignalSweep] reaches after its beginning
// continues as new once it has ended.
func Sweep(ctx workflow.Context, connectionID string) (claim.SweepReport, error) {
	r := &sweepRun{connectionID: connectionID}
	return r.run(ctx)
}

// sweepRun is one run of a sweep.
type sweepRun struct {
	connectionID string
	report       claim.SweepReport
}

func (r *sweepRun) run(ctx workflow.Context) (claim.SweepReport, error) {
	asked := workflow.GetSignalChannel(ctx, claim.SignalSweep)
	drain(asked) // this run is the answer
	plan, err := r.plan(ctx)
	if err != nil || !plan.Wanted {
		return r.report, err
	}
	err = r.sweep(ctx, plan)
	if temporal.IsCanceledError(err) {
		return r.report, err
	}
	r.note(err)
	end := activities.EndInput{ConnectionID: r.connectionID, Report: r.report}
	err = workflow.ExecuteActivity(r.options(ctx, "Record what was found"), sweeps.EndSweep, end).Get(ctx, nil)
	if err == nil && drain(asked) {
		return r.report, workflow.NewContinueAsNewError(ctx, claim.SweepWorkflowName, r.connectionID)
	}
	return r.report, err
}

func (r *sweepRun) plan(ctx workflow.Context) (activities.SweepPlan, error) {
	var plan activities.SweepPlan
	err := workflow.ExecuteActivity(r.options(ctx, "Find out where to begin"), sweeps.PlanSweep, r.connectionID).Get(ctx, &plan)
	return plan, err
}

func (r *sweepRun) sweep(ctx workflow.Context, plan activities.SweepPlan) error {
	first := plan
	// What the token may not do, or Dixa does not have, leaves the rest to do.
	err := r.found(ctx, "Make sure of the webhook subscription", sweeps.RepairSubscription, r.connectionID)
	if err = r.passing(err); err != nil {
		return err
	}
	fetch := activities.FetchInput{ConnectionID: r.connectionID, Since: plan.From}
	if err = r.passing(r.found(ctx, "Fetch what Dixa could not deliver", sweeps.FetchUndelivered, fetch)); err != nil {
		return err
	}
	if err = r.passing(r.found(ctx, "Read which tags are deactivated", sweeps.ReadTags, r.connectionID)); err != nil {
		return err
	}
	for range maxSpans {
		if err := r.span(ctx, plan, first.StartedAt); err != nil {
			return err
		}
		if !plan.Behind {
			break
		}
		if plan, err = r.plan(ctx); err != nil || !plan.Wanted {
			return err
		}
	}
	around := activities.JudgeInput{ConnectionID: r.connectionID, Since: first.StartedAt, Limit: lookAround}
	return r.found(ctx, "Look at quiet conversations", sweeps.LookAround, around)
}

// span reads a span of the log, judges what it names, and raises the watermark.
func (r *sweepRun) span(ctx workflow.Context, plan activities.SweepPlan, since time.Time) error {
	in := activities.PageInput{ConnectionID: r.connectionID, From: plan.From, To: plan.To}
	for range maxPages {
		var page activities.Page
		if err := workflow.ExecuteActivity(r.options(ctx, "Read the activity log"), sweeps.ReadActivityLog, in).Get(ctx, &page); err != nil {
			return err
		}
		r.report.Add(page.Report)
		if in.After = page.Next; in.After == "" {
			break
		}
	}
	if in.After != "" {
		return temporal.NewApplicationError("the activity log has more pages than a sweep reads", claim.ErrorInternal)
	}
	for range maxBatches {
		var judged activities.Judged
		in := activities.JudgeInput{ConnectionID: r.connectionID, Since: since}
		if err := workflow.ExecuteActivity(r.options(ctx, "Look at touched conversations"), sweeps.JudgeConversations, in).Get(ctx, &judged); err != nil {
			return err
		}
		r.report.Add(judged.Report)
		if !judged.More {
			break
		}
	}
	mark := activities.MarkInput{ConnectionID: r.connectionID, To: plan.To}
	return workflow.ExecuteActivity(r.options(ctx, "Save the watermark"), sweeps.RaiseWatermark, mark).Get(ctx, nil)
}

func (r *sweepRun) found(ctx workflow.Context, summary string, step, in any) error {
	var found claim.SweepReport
	err := workflow.ExecuteActivity(r.options(ctx, summary), step, in).Get(ctx, &found)
	r.report.Add(found)
	return err
}

// passing notes a failure of one step and lets the others be done, unless they
// would fail as well.
func (r *sweepRun) passing(err error) error {
	var app *temporal.ApplicationError
	if !errors.As(err, &app) || app.Type() != claim.ErrorPark {
		return err
	}
	var park activities.Park
	if app.Details(&park) == nil && park.Cause == claim.CauseConnection {
		return err
	}
	r.note(err)
	return nil
}

func (r *sweepRun) note(err error) {
	if err == nil {
		return
	}
	words := err.Error()
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		words = app.Message()
	}
	r.report.Add(claim.SweepReport{Trouble: strings.ToValidUTF8(words[:min(len(words), maxTrouble)], "")})
}

func (r *sweepRun) options(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, sweepOptions(summary, r.connectionID))
}
