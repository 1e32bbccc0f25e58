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
	// maxSpans is how many spans of the activity log one run reads. The next run
	// continues from there.
	maxSpans = 8
	// maxPages and maxBatches bound a span that does not end by itself.
	maxPages   = 500
	maxBatches = 500
	// maxQuiet is how many quiet conversations a run asks about.
	maxQuiet = 20
	// maxTrouble bounds the reported text of a failure, in bytes.
	maxTrouble = 300
)

// Sweep is the workflow that finds what no webhook reported about a connection's
// conversations. It ensures the webhook subscription, fetches the events that Dixa
// could not deliver, reads which tags are deactivated, and reads Dixa's activity log
// from where the last run ended. It asks Dixa about claims' conversations with
// missing information and about some that have been quiet for a long time. It writes
// what it finds to the inbox.
//
// If Dixa errors end a run early, the run reports what it did, and the next one
// continues from its watermark. A run that receives [claim.SignalSweep] after its
// start continues as new when it ends.
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
	drain(asked) // this run answers them
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
	err = workflow.ExecuteActivity(r.options(ctx, "Record the results"), sweeps.EndSweep, end).Get(ctx, nil)
	if err == nil && drain(asked) {
		return r.report, workflow.NewContinueAsNewError(ctx, claim.SweepWorkflowName, r.connectionID)
	}
	return r.report, err
}

func (r *sweepRun) plan(ctx workflow.Context) (activities.SweepPlan, error) {
	var plan activities.SweepPlan
	err := workflow.ExecuteActivity(r.options(ctx, "Plan the sweep"), sweeps.PlanSweep, r.connectionID).Get(ctx, &plan)
	return plan, err
}

func (r *sweepRun) sweep(ctx workflow.Context, plan activities.SweepPlan) error {
	first := plan
	// A step that the token may not perform, or that Dixa lacks, must not stop the
	// others.
	err := r.runStep(ctx, "Repair the webhook subscription", sweeps.RepairSubscription, r.connectionID)
	if err = r.tolerate(err); err != nil {
		return err
	}
	fetch := activities.FetchInput{ConnectionID: r.connectionID, Since: plan.From}
	if err = r.tolerate(r.runStep(ctx, "Fetch undelivered events", sweeps.FetchUndelivered, fetch)); err != nil {
		return err
	}
	if err = r.tolerate(r.runStep(ctx, "Read the deactivated tags", sweeps.ReadTags, r.connectionID)); err != nil {
		return err
	}
	for range maxSpans {
		if err := r.reconcileWindow(ctx, plan, first.StartedAt); err != nil {
			return err
		}
		if !plan.Behind {
			break
		}
		if plan, err = r.plan(ctx); err != nil || !plan.Wanted {
			return err
		}
	}
	around := activities.ReconcileInput{ConnectionID: r.connectionID, Since: first.StartedAt, Limit: maxQuiet}
	return r.runStep(ctx, "Check quiet conversations", sweeps.CheckQuietConversations, around)
}

// reconcileWindow reads a span of the log, reconciles the conversations it names, and raises
// the watermark.
func (r *sweepRun) reconcileWindow(ctx workflow.Context, plan activities.SweepPlan, since time.Time) error {
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
		return temporal.NewApplicationError("the activity log has more pages than one sweep may read", claim.ErrorInternal)
	}
	for range maxBatches {
		var reconciled activities.ReconcileResult
		in := activities.ReconcileInput{ConnectionID: r.connectionID, Since: since}
		if err := workflow.ExecuteActivity(r.options(ctx, "Reconcile changed conversations"), sweeps.ReconcileConversations, in).Get(ctx, &reconciled); err != nil {
			return err
		}
		r.report.Add(reconciled.Report)
		if !reconciled.More {
			break
		}
	}
	mark := activities.MarkInput{ConnectionID: r.connectionID, To: plan.To}
	return workflow.ExecuteActivity(r.options(ctx, "Save the watermark"), sweeps.RaiseWatermark, mark).Get(ctx, nil)
}

func (r *sweepRun) runStep(ctx workflow.Context, summary string, step, in any) error {
	var found claim.SweepReport
	err := workflow.ExecuteActivity(r.options(ctx, summary), step, in).Get(ctx, &found)
	r.report.Add(found)
	return err
}

// tolerate records the failure of one step and lets the others run, unless they would
// fail as well.
func (r *sweepRun) tolerate(err error) error {
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
