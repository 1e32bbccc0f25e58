package workflows

import (
	"errors"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
)

var (
	erasures     *activities.Erasures
	erasureStore *activities.ErasureStore
)

const (
	// dixaErasureTime is how long an erasure waits for Dixa before it goes on without it.
	dixaErasureTime = 24 * time.Hour
	// firstErasureWait and longestErasureWait bound the time between two looks at
	// something that an erasure waits for.
	firstErasureWait   = time.Second
	longestErasureWait = 15 * time.Minute
	// longestStopWait is the same for the workflows of claims, which read within
	// seconds.
	longestStopWait = time.Minute
	// erasurePasses is how often an erasure erases again what its check finds.
	erasurePasses = 3
)

// Erase is the workflow that erases a customer. It finds the customer's rows and end
// users, abandons the claims that still run and waits until their workflows have read
// that, lets Dixa anonymize the end users, blanks the rows and looks for what is left.
// A dry run only finds and counts.
//
// Who the customer is, is in the store. A shop has one run at a time for each customer
// and mode, under [claim.Erasure.WorkflowID]. Every step can be repeated, so a run that
// is lost or reset starts from the beginning.
func Erase(ctx workflow.Context, ref activities.ErasureRef, dryRun bool) (claim.Erasure, error) {
	r := &eraseRun{ref: ref, dryRun: dryRun, started: workflow.Now(ctx)}
	return r.run(ctx)
}

// eraseRun is one run of an erasure.
type eraseRun struct {
	ref     activities.ErasureRef
	dryRun  bool
	started time.Time
	// why is what the run said last that it waits for.
	why string
}

func (r *eraseRun) run(ctx workflow.Context) (claim.Erasure, error) {
	if err := r.find(ctx); err != nil {
		return claim.Erasure{}, err
	}
	if !r.dryRun {
		if err := r.stopClaims(ctx); err != nil {
			return claim.Erasure{}, err
		}
		if err := r.anonymize(ctx); err != nil {
			return claim.Erasure{}, err
		}
	}
	leftovers, err := r.erase(ctx)
	if err != nil {
		return claim.Erasure{}, err
	}
	var done claim.Erasure
	end := activities.EndErasureInput{ErasureRef: r.ref, Leftovers: leftovers}
	err = r.step(ctx, "End the erasure", erasureStore.EndErasure, end, &done)
	return done, err
}

// step runs an activity that uses nothing but the store.
func (r *eraseRun) step(ctx workflow.Context, summary string, activity, in, out any) error {
	at := workflow.WithActivityOptions(ctx, erasureStoreOptions(summary))
	return workflow.ExecuteActivity(at, activity, in).Get(at, out)
}

// find finds what belongs to the customer.
func (r *eraseRun) find(ctx workflow.Context) error {
	if err := r.findInDixa(ctx); err != nil {
		return err
	}
	return r.step(ctx, "Find the customer's claims and conversations", erasureStore.FindErasureRows, r.ref, nil)
}

// findInDixa finds the customer's end users in Dixa. Without Dixa the erasure goes on
// with those that the store knows.
func (r *eraseRun) findInDixa(ctx workflow.Context) error {
	return r.untilDixa(ctx, func() (bool, error) {
		at := workflow.WithActivityOptions(ctx, erasureDixaOptions("Find the customer in Dixa", r.ref.Shop))
		err := workflow.ExecuteActivity(at, erasures.FindErasureEndUsers, r.ref).Get(at, nil)
		return err == nil, err
	})
}

// anonymize follows the requests to Dixa to their end.
func (r *eraseRun) anonymize(ctx workflow.Context) error {
	if err := r.wait(ctx, activities.ErasureWait{Step: claim.ErasureAnonymize}); err != nil {
		return err
	}
	return r.untilDixa(ctx, func() (bool, error) {
		var progress activities.AnonymizeProgress
		at := workflow.WithActivityOptions(ctx, erasureDixaOptions("Anonymize the customer in Dixa, and read how far Dixa is", r.ref.Shop))
		err := workflow.ExecuteActivity(at, erasures.AnonymizeEndUsers, r.ref).Get(at, &progress)
		return err == nil && progress.Left == 0, err
	})
}

// untilDixa repeats a step with timers in between until it is done, or until the time for
// Dixa is over.
func (r *eraseRun) untilDixa(ctx workflow.Context, step func() (done bool, err error)) error {
	for pause := firstErasureWait; ; pause = min(2*pause, longestErasureWait) {
		done, err := step()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if done {
			return r.wait(ctx, activities.ErasureWait{})
		}
		why := "Dixa has not finished"
		if err != nil {
			_, why = reasonOf(err)
		}
		over := workflow.Now(ctx).Sub(r.started) >= dixaErasureTime
		if err != nil && neverSucceeds(err) {
			over = true
		}
		if err := r.wait(ctx, activities.ErasureWait{Why: why, Unfinished: over}); err != nil || over {
			return err
		}
		if err := r.sleep(ctx, pause, "Look at Dixa again"); err != nil {
			return err
		}
	}
}

// neverSucceeds reports whether repeating a step is useless. A refused token may be
// replaced.
func neverSucceeds(err error) bool {
	var app *temporal.ApplicationError
	cause, _ := reasonOf(err)
	return errors.As(err, &app) && app.NonRetryable() && cause != claim.CauseConnection
}

// stopClaims abandons the customer's claims and waits until their workflows have read
// that: none of them writes after it. What they wrote meanwhile is found too: a claim that
// was being opened may have created its customer and conversation.
func (r *eraseRun) stopClaims(ctx workflow.Context) error {
	waited := false
	for pause := firstErasureWait; ; pause = min(2*pause, longestStopWait) {
		var progress activities.StopProgress
		if err := r.step(ctx, "Abandon the customer's claims that still run", erasureStore.StopErasureClaims, r.ref, &progress); err != nil {
			return err
		}
		if progress.Unread == 0 {
			if err := r.wait(ctx, activities.ErasureWait{}); err != nil || !waited {
				return err
			}
			return r.find(ctx)
		}
		waited = true
		if err := r.wait(ctx, activities.ErasureWait{Why: "workflows of the customer's claims have not ended yet"}); err != nil {
			return err
		}
		if err := r.sleep(ctx, pause, "Wait for the workflows of the claims"); err != nil {
			return err
		}
		if workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			return workflow.NewContinueAsNewError(ctx, Erase, r.ref, r.dryRun)
		}
	}
}

// erase erases the rows and looks for what is left. It returns what is left after the
// last pass.
func (r *eraseRun) erase(ctx workflow.Context) (leftovers map[string]int, err error) {
	for pass := range erasurePasses {
		in := activities.EraseInput{ErasureRef: r.ref, Again: pass > 0}
		if err := r.step(ctx, "Erase the customer's rows", erasureStore.EraseRows, in, nil); err != nil || r.dryRun {
			return nil, err
		}
		leftovers = nil
		if err := r.step(ctx, "Look for what is left", erasureStore.VerifyErasure, r.ref, &leftovers); err != nil || len(leftovers) == 0 {
			return nil, err
		}
	}
	return leftovers, nil
}

// wait records what the erasure waits for, unless it is recorded already.
func (r *eraseRun) wait(ctx workflow.Context, in activities.ErasureWait) error {
	if in.Step == "" && !in.Unfinished && in.Why == r.why {
		return nil
	}
	in.ErasureRef, r.why = r.ref, in.Why
	return r.step(ctx, "Record the progress of the erasure", erasureStore.NoteErasure, in, nil)
}

func (r *eraseRun) sleep(ctx workflow.Context, d time.Duration, summary string) error {
	return workflow.NewTimerWithOptions(ctx, d, workflow.TimerOptions{Summary: summary}).Get(ctx, nil)
}
