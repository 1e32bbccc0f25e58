package workflows

import (
	"errors"
	"slices"
	"strings"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
)

// localFirst runs an activity as a local activity, which costs one event of the
// history. If that fails, even by a panic, the activity runs as a remote one, so that
// its retries do not hold the workflow task open.
func localFirst(ctx workflow.Context, local workflow.LocalActivityOptions, remote workflow.ActivityOptions, activity, in, out any) error {
	at := workflow.WithLocalActivityOptions(ctx, local)
	err := workflow.ExecuteLocalActivity(at, activity, in).Get(at, out)
	var final *temporal.ApplicationError
	if err == nil || ctx.Err() != nil || errors.As(err, &final) && final.NonRetryable() {
		return err
	}
	at = workflow.WithActivityOptions(ctx, remote)
	return workflow.ExecuteActivity(at, activity, in).Get(at, out)
}

// storeStep runs an activity that uses nothing but Claimflow's store.
func storeStep(ctx workflow.Context, summary string, activity, in, out any) error {
	return localFirst(ctx, localOptions(summary, localStoreTimeout, 3), storeOptions(summary), activity, in, out)
}

// updateState runs an activity on the store that returns the claim's state.
func (r *claimRun) updateState(ctx workflow.Context, summary string, activity, in any) error {
	// Decode into a new value: fields omitted as empty would keep their old values.
	var now claim.WorkflowState
	if err := storeStep(ctx, summary, activity, in, &now); err != nil {
		return err
	}
	r.state = now
	return nil
}

func (r *claimRun) load(ctx workflow.Context) error {
	return r.updateState(ctx, "Read the state of claim "+r.ref.ID, claims.LoadClaim, r.ref)
}

func (r *claimRun) sync(ctx workflow.Context, change activities.StatusChange) error {
	summary := map[claim.Event]string{
		claim.EventPark:   "Sync the status: needs attention, " + string(change.Cause),
		claim.EventSkip:   "Sync the status: skipped, because the integration is off",
		claim.EventSettle: "Sync the status: settled, because the claim stayed closed",
	}[change.Event]
	if change.Fallback {
		summary = "Trigger the claim's fallback: " + string(change.Cause)
	}
	return r.updateState(ctx, summary, claims.SyncStatus, r.changeOf(change))
}

// changeOf completes a change with what identifies the claim and its last retry.
func (r *claimRun) changeOf(change activities.StatusChange) activities.StatusChange {
	change.Ref, change.RetriedAt = r.ref, r.state.RetriedAt
	return change
}

// follow applies the events from Dixa about the conversation.
func (r *claimRun) follow(ctx workflow.Context) error {
	return r.updateState(ctx, "Apply events from Dixa", claims.Follow, r.ref)
}

// inDoubt reports whether Dixa may have a state other than the known one and has not
// been asked about it yet.
func (r *claimRun) inDoubt() bool {
	switch r.state.Next() {
	case claim.ActionFollow, claim.ActionFinish:
		return !r.state.DoubtAt.IsZero() && !r.state.DoubtAt.Equal(r.askedAt)
	default:
		return false
	}
}

// refreshState asks Dixa for the conversation's state. If Dixa does not answer, the next
// sweep asks again. Usually the event that ends the doubt is already on its way, and
// a short wait saves the request.
func (r *claimRun) refreshState(ctx workflow.Context) error {
	doubt := r.state.DoubtAt
	if news, err := r.waitForNudge(ctx, doubtGracePeriod, "Request the state from Dixa unless an event reports it by then"); err != nil {
		return err
	} else if news {
		if err := r.handleNudge(ctx); err != nil {
			return err
		}
		if !r.inDoubt() || !r.state.DoubtAt.Equal(doubt) {
			return nil
		}
	}
	r.askedAt = doubt
	var now claim.WorkflowState
	asking := workflow.WithActivityOptions(ctx, dixaFast("Request the conversation's state from Dixa", r.state.ConnectionID, askTimeout))
	switch err := workflow.ExecuteActivity(asking, dixa.AskState, r.ref).Get(asking, &now); {
	case err == nil:
		r.state = now
		return nil
	case ctx.Err() != nil:
		return err
	default:
		return r.load(ctx)
	}
}

// instruct carries out the oldest instruction. An instruction that Dixa rejects is
// finished. One that cannot be sent parks the claim.
func (r *claimRun) instruct(ctx workflow.Context) error {
	var now claim.WorkflowState
	if err := r.dixaStep(ctx, "Carry out the oldest instruction", dixa.Instruct, r.ref, &now); err != nil {
		return r.handleFailure(ctx, err)
	}
	r.state = now
	return nil
}

func (r *claimRun) resolveTemplate(ctx workflow.Context) error {
	var resolved activities.ResolveResult
	err := storeStep(ctx, "Choose and render the template for "+r.state.Reason, tickets.ResolveTemplate, r.ref, &resolved)
	r.resolved = resolved
	return err
}

// checkEvidence checks the claim's files on the shop's servers. Slow servers move the
// check out of the workflow task.
func (r *claimRun) checkEvidence(ctx workflow.Context) error {
	const summary = "Check the claim's files"
	var checked activities.EvidenceResult
	err := localFirst(ctx, localOptions(summary, localEvidenceTimeout, 1), evidenceOptions(summary), evidence.CheckEvidence, r.ref, &checked)
	r.leftOut = checked.LeftOut
	return err
}

// createConversation finds or creates the claim's customer and creates the
// conversation, or finds the one that an earlier run created.
func (r *claimRun) createConversation(ctx workflow.Context) error {
	var made activities.Conversation
	err := r.dixaStep(ctx, "Find or create the customer, then create the conversation and upload the attachments", dixa.CreateConversation, r.ref, &made)
	if err != nil {
		return err
	}
	r.state.ConversationID, r.attached, r.leftOut = made.ID, made.Attached, made.LeftOut
	r.did(claim.StepCustomer)
	r.did(claim.StepConversation)
	return nil
}

// completeConversation adds what the conversation lacks and moves the claim to open.
func (r *claimRun) completeConversation(ctx workflow.Context) error {
	steps := []string{"Apply the tags"}
	if r.resolved.Assign {
		steps = append(steps, "assign the conversation")
	}
	if r.resolved.Attributes {
		steps = append(steps, "set the custom attributes")
	}
	if r.resolved.Note || r.leftOut > 0 {
		steps = append(steps, "write the internal note")
	}
	summary := strings.Join(append(steps, "then sync the status: open"), ", ")
	var done activities.Completed
	if err := r.dixaStep(ctx, summary, dixa.CompleteConversation, r.changeOf(activities.StatusChange{Event: claim.EventOpened}), &done); err != nil {
		return err
	}
	r.state, r.attached, r.leftOut = done.State, done.Attached, done.LeftOut
	return nil
}

// did records a completed step until the workflow state is read again.
func (r *claimRun) did(step string) {
	if !r.state.HasDone(step) {
		r.state.Done = append(r.state.Done, step)
	}
}

// dixaStep runs an activity that calls Dixa: quick attempts first, then slow ones
// until the claim's deadline, with the wait visible on the card.
func (r *claimRun) dixaStep(ctx workflow.Context, summary string, activity, in, out any) error {
	fast := workflow.WithActivityOptions(ctx, dixaFast(summary, r.state.ConnectionID, r.stepTime(ctx)))
	err := workflow.ExecuteActivity(fast, activity, in).Get(fast, out)
	if !transient(err) || r.state.ConversationID == 0 && !r.beforeDeadline(ctx) {
		return err
	}
	r.waiting = "Dixa, in slow attempts after quick ones failed: " + summary
	r.state.LastError = classify(err).message
	r.updateVisibility(ctx)
	slow := workflow.WithActivityOptions(ctx, dixaSlow(summary+" (slow attempts)", r.state.ConnectionID, r.stepTime(ctx)))
	err = workflow.ExecuteActivity(slow, activity, in).Get(slow, out)
	r.waiting = ""
	return err
}

// transient reports whether an activity ended for a reason that may pass with time.
func transient(err error) bool {
	var timeout *temporal.TimeoutError
	return errors.As(err, &timeout) || hasType(err,
		claim.ErrorUnavailable, claim.ErrorRateLimited, claim.ErrorAmbiguous, claim.ErrorBusy, claim.ErrorStore)
}

func hasType(err error, types ...string) bool {
	var app *temporal.ApplicationError
	if !errors.As(err, &app) {
		return false
	}
	return slices.Contains(types, app.Type())
}

// failure is the reason why a claim cannot continue.
type failure struct {
	park      bool
	late      bool // the failure is transient, but too little time is left
	withdrawn bool
	cause     claim.Cause
	message   string
}

func classify(err error) failure {
	var canceled *temporal.CanceledError
	if errors.As(err, &canceled) {
		return failure{}
	}
	s := failure{park: true, late: transient(err), cause: claim.CauseUnexpected, message: err.Error()}
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		s.message = app.Message()
		switch app.Type() {
		case claim.ErrorWithdrawn:
			return failure{withdrawn: true}
		case claim.ErrorPark:
			var p activities.Park
			if app.HasDetails() && app.Details(&p) == nil {
				s.cause = p.Cause
			}
		}
	} else if s.late {
		s.message = "Dixa or the worker did not respond in time"
	}
	return s
}
