package workflows

import (
	"errors"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
)

var (
	imports     *activities.Imports
	importStore *activities.ImportStore
)

// tokenRecheck is how long an import waits before it tries a refused token again.
const tokenRecheck = 5 * time.Minute

// Import is the workflow that imports a Dixa organization. It determines what is
// missing, reads it in windows of time, newest first, and stores each window's rows. A
// window that fails for good is parked, and the others continue. At the end it reads
// the messages that are still missing.
//
// A connection has one import at a time, under [claim.ImportWorkflowID]. A run from the
// schedule starts it as a child and returns its result. Its state is in the store, so a
// run that is reset or lost continues there. Operators pause, resume and cancel it by
// [claim.SignalImport] after they changed the state, and request one by a
// signal-with-start of [claim.SignalImportRequest].
func Import(ctx workflow.Context, in activities.ImportPlan) (claim.Import, error) {
	if in.Cause == claim.ImportScheduled && !in.Child {
		return startImport(ctx, in)
	}
	r := &importRun{
		plan: in, signals: workflow.GetSignalChannel(ctx, claim.SignalImport), requests: workflow.GetSignalChannel(ctx, claim.SignalImportRequest),
	}
	if err := workflow.SetQueryHandler(ctx, claim.QueryStatus, func() (claim.Import, error) { return r.state.Import, nil }); err != nil {
		return claim.Import{}, err
	}
	err := r.run(ctx)
	if r.collect(); err == nil && len(r.plan.Requested) > 0 {
		// Requested while this import ran, which may have planned without it.
		next := activities.ImportPlan{ConnectionID: in.ConnectionID, Cause: claim.ImportRequested, Continued: true}
		next.Request, next.Requested = r.plan.Requested[0], r.plan.Requested[1:]
		err = workflow.NewContinueAsNewError(ctx, Import, next)
	}
	return r.state.Import, err
}

// startImport runs the connection's import as a child, unless one is running.
func startImport(ctx workflow.Context, in activities.ImportPlan) (claim.Import, error) {
	var result claim.Import
	in.Child = true
	child := workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID: claim.ImportWorkflowID(in.ConnectionID), ParentClosePolicy: enumspb.PARENT_CLOSE_POLICY_ABANDON,
		StaticSummary: "Import what changed in this Dixa organization",
	})
	err := workflow.ExecuteChildWorkflow(child, Import, in).Get(ctx, &result)
	var running *temporal.ChildWorkflowExecutionAlreadyStartedError
	if errors.As(err, &running) {
		return result, nil
	}
	return result, err
}

// importRun is one run of an import.
type importRun struct {
	plan    activities.ImportPlan
	signals workflow.ReceiveChannel
	// requests are the imports that persons requested. The first one is this import.
	requests workflow.ReceiveChannel
	state    activities.ImportState
}

func (r *importRun) run(ctx workflow.Context) error {
	drain(r.signals)
	if !r.plan.Continued && r.requests.ReceiveAsync(&r.plan.Request) {
		r.plan.Resume = false
	}
	r.plan.Continued = true
	if err := r.start(ctx); err != nil || r.state.Import.ID == "" {
		return err
	}
	for {
		if err := r.load(ctx); err != nil {
			return err
		}
		switch {
		case r.state.Import.State == claim.ImportPaused:
			if err := r.wait(ctx, 0); err != nil {
				return err
			}
		case r.state.Import.State != claim.ImportRunning:
			return nil
		case len(r.state.Next) == 0:
			if ended, err := r.end(ctx); err != nil || ended {
				return err
			}
		default:
			if err := r.readWindows(ctx); err != nil {
				return err
			}
		}
		if workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			return r.again(ctx)
		}
	}
}

// collect keeps the requests that arrived.
func (r *importRun) collect() {
	for {
		var request claim.ImportRequest
		if !r.requests.ReceiveAsync(&request) {
			return
		}
		r.plan.Requested = append(r.plan.Requested, request)
	}
}

// again continues in a new run, which starts by reading the store.
func (r *importRun) again(ctx workflow.Context) error {
	drain(r.signals)
	r.collect()
	return workflow.NewContinueAsNewError(ctx, Import, r.plan)
}

// start plans the import, or finds the one that has not ended. If Dixa refuses the
// token, it waits for another one.
func (r *importRun) start(ctx workflow.Context) error {
	for {
		at := workflow.WithActivityOptions(ctx, importOptions("Determine what is missing", r.plan.ConnectionID))
		err := workflow.ExecuteActivity(at, imports.PlanImport, r.plan).Get(at, &r.state.Import)
		if err == nil || ctx.Err() != nil {
			return err
		}
		if cause, _ := reasonOf(err); cause != claim.CauseConnection {
			return err
		}
		workflow.SetCurrentDetails(ctx, "The import waits: Dixa refuses the connection's token. Save another one with `starter shop connect`.")
		if err := r.wait(ctx, tokenRecheck); err != nil {
			return err
		}
		if workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			return r.again(ctx)
		}
	}
}

func (r *importRun) ref() activities.ImportRef {
	return activities.ImportRef{ConnectionID: r.plan.ConnectionID, ImportID: r.state.Import.ID}
}

// load reads the state of the import and its next windows.
func (r *importRun) load(ctx workflow.Context) error {
	var now activities.ImportState
	if err := storeStep(ctx, "Read the import's next windows", importStore.LoadImport, r.ref(), &now); err != nil {
		return err
	}
	r.state = now
	r.show(ctx)
	return nil
}

// readWindows reads the next windows until a signal arrives.
func (r *importRun) readWindows(ctx workflow.Context) error {
	next := r.state.Next
	for n, w := range next {
		if drain(r.signals) {
			return nil
		}
		in := activities.ImportWindowInput{ConnectionID: r.plan.ConnectionID, ImportID: r.state.Import.ID, Access: r.state.Import.Access, Window: w}
		// The windows of a period follow each other, one per stream. The last one
		// computes the figures of all.
		in.FiguresLater = n+1 < len(next) && next[n+1].To.Equal(w.To)
		counts, changed, err := r.step(ctx, summaryOf(w), imports.ImportWindow, in)
		if err != nil {
			return r.failed(ctx, w, err)
		}
		if changed {
			return nil
		}
		r.state.Import.WindowsDone++
		r.state.Import.Add(counts)
		r.show(ctx)
	}
	return nil
}

// step runs a step that counts rows. If the import is paused or cancelled meanwhile, it
// interrupts the step, which is no error. changed says that a signal arrived, so that
// the state has to be read again.
func (r *importRun) step(ctx workflow.Context, summary string, step, in any) (counts claim.ImportCounts, changed bool, err error) {
	stepCtx, interrupt := workflow.WithCancel(ctx)
	defer interrupt()
	options := importOptions(summary, r.plan.ConnectionID)
	options.WaitForCancellation = true // the next attempt must not meet this one
	at := workflow.WithActivityOptions(stepCtx, options)
	running := workflow.ExecuteActivity(at, step, in)
	interrupted := false
	for ended := false; !ended; {
		signalled := false
		workflow.NewSelector(ctx).
			AddFuture(running, func(workflow.Future) { ended = true }).
			AddReceive(r.signals, func(c workflow.ReceiveChannel, _ bool) { signalled = c.ReceiveAsync(nil) }).
			Select(ctx)
		if !signalled {
			continue
		}
		changed = true
		if err := r.load(ctx); err != nil {
			return counts, changed, err
		}
		if r.state.Import.State != claim.ImportRunning {
			interrupt()
			interrupted = true
		}
	}
	err = running.Get(ctx, &counts)
	// Temporal does not retry a step that fails after it was told to stop.
	var app *temporal.ApplicationError
	final := errors.As(err, &app) && app.NonRetryable()
	if interrupted && !final && ctx.Err() == nil {
		err = nil
	}
	return counts, changed, err
}

// failed parks a window that failed for good. If Dixa refuses the token, the import
// waits for another one. If it refuses that of an export, the import starts again, in
// the end without exports.
func (r *importRun) failed(ctx workflow.Context, w claim.ImportWindow, err error) error {
	if ctx.Err() != nil {
		return err
	}
	cause, why := reasonOf(err)
	if cause == claim.CauseConnection {
		exported := w.Stream == claim.StreamConversations || w.Stream == claim.StreamMessages
		if r.state.Import.Access != claim.AccessExports || !exported {
			return r.wait(ctx, tokenRecheck)
		}
		if err := storeStep(ctx, "End the import: Dixa refuses its token", importStore.CancelImport, r.ref(), nil); err != nil {
			return err
		}
		r.plan.Refusals++
		return r.again(ctx)
	}
	in := activities.EndWindow{ConnectionID: r.plan.ConnectionID, ImportID: r.state.Import.ID, Window: w, Why: why}
	return storeStep(ctx, "Park the window and continue with the others", importStore.ParkWindow, in, nil)
}

// reasonOf returns why an activity failed, and the cause if it needs a person.
func reasonOf(err error) (claim.Cause, string) {
	var app *temporal.ApplicationError
	if !errors.As(err, &app) {
		return "", err.Error()
	}
	var park activities.Park
	if app.Type() == claim.ErrorPark && app.HasDetails() && app.Details(&park) == nil {
		return park.Cause, app.Message()
	}
	return "", app.Message()
}

// wait waits for a signal, for at most d unless that is zero.
func (r *importRun) wait(ctx workflow.Context, d time.Duration) error {
	timerCtx, stop := workflow.WithCancel(ctx)
	defer stop()
	selector := workflow.NewSelector(ctx).
		AddReceive(r.signals, func(c workflow.ReceiveChannel, _ bool) { c.Receive(ctx, nil) }).
		AddReceive(ctx.Done(), func(workflow.ReceiveChannel, bool) {})
	if d > 0 {
		selector.AddFuture(workflow.NewTimerWithOptions(timerCtx, d, workflow.TimerOptions{Summary: "Try the token again"}), func(workflow.Future) {})
	}
	selector.Select(ctx)
	return ctx.Err()
}

// end reads missing messages and ends the import. If Dixa refuses the token, it waits
// for another one, and if the import is paused, it stops: ended is false then, even if the
// import was resumed before the step stopped.
func (r *importRun) end(ctx workflow.Context) (ended bool, err error) {
	counts, _, err := r.step(ctx, "Read the messages that are still missing", imports.EndImport, r.ref())
	if err == nil {
		err = r.load(ctx) // a person may have paused or cancelled the import meanwhile
		r.state.Import.Add(counts)
		return r.state.Import.State != claim.ImportPaused && r.state.Import.State != claim.ImportRunning, err
	}
	if cause, _ := reasonOf(err); cause == claim.CauseConnection && ctx.Err() == nil {
		return false, r.wait(ctx, tokenRecheck)
	}
	return false, err
}
