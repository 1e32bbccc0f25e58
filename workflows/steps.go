package workflows

import (
	"errors"
	"slices"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
)

// setState replaces the run's standing with the result of an activity.
func (r *claimRun) setState(ctx workflow.Context, f workflow.Future) error {
	// Decode into a new value: fields omitted as empty would keep their old values.
	var now claim.WorkflowState
	if err := f.Get(ctx, &now); err != nil {
		return err
	}
	r.state = now
	return nil
}

func (r *claimRun) load(ctx workflow.Context) error {
	ctx = workflow.WithActivityOptions(ctx, storeOptions("Read how claim "+r.ref.ID+" stands"))
	return r.setState(ctx, workflow.ExecuteActivity(ctx, claims.LoadClaim, r.ref))
}

func (r *claimRun) sync(ctx workflow.Context, change activities.StatusChange) error {
	change.Ref, change.RetriedAt = r.ref, r.state.RetriedAt
	summary := map[claim.Event]string{
		claim.EventOpened: "Tell the claim's owner that it is open",
		claim.EventPark:   "Park the claim: " + string(change.Cause),
		claim.EventSkip:   "Skip the claim: the integration is off",
		claim.EventSettle: "Settle the claim: it stayed closed",
	}[change.Event]
	if change.Fallback {
		summary = "Raise the claim's fallback: " + string(change.Cause)
	}
	ctx = workflow.WithActivityOptions(ctx, storeOptions(summary))
	return r.setState(ctx, workflow.ExecuteActivity(ctx, claims.SyncStatus, change))
}

// follow applies the events from Dixa about the conversation.
func (r *claimRun) follow(ctx workflow.Context) error {
	ctx = workflow.WithActivityOptions(ctx, storeOptions("Take in what Dixa told"))
	return r.setState(ctx, workflow.ExecuteActivity(ctx, claims.Follow, r.ref))
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
	if news, err := r.waitForNudge(ctx, doubtGracePeriod, "Ask Dixa about the state unless an event tells it by then"); err != nil {
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
	asking := workflow.WithActivityOptions(ctx, dixaFast("Ask Dixa which state the conversation has", r.state.ConnectionID, askTimeout))
	if err := workflow.ExecuteActivity(asking, dixa.AskState, r.ref).Get(asking, nil); err != nil && ctx.Err() != nil {
		return err
	}
	return r.load(ctx)
}

// instruct carries out the oldest instruction. An instruction that Dixa refuses is
// finished. One that cannot be sent parks the claim.
func (r *claimRun) instruct(ctx workflow.Context) error {
	if err := r.dixaStep(ctx, "Carry out what was asked for", dixa.Instruct, r.ref, nil); err != nil {
		return r.handleFailure(ctx, err)
	}
	return r.load(ctx)
}

func (r *claimRun) resolveTemplate(ctx workflow.Context) error {
	ctx = workflow.WithActivityOptions(ctx, storeOptions("Choose and render the template for "+r.state.Reason))
	var resolved activities.ResolveResult
	err := workflow.ExecuteActivity(ctx, tickets.ResolveTemplate, r.ref).Get(ctx, &resolved)
	r.resolved = resolved
	return err
}

func (r *claimRun) checkEvidence(ctx workflow.Context) error {
	var checked activities.EvidenceResult
	ctx = workflow.WithActivityOptions(ctx, evidenceOptions("Look at the claim's photos"))
	err := workflow.ExecuteActivity(ctx, evidence.CheckEvidence, r.ref).Get(ctx, &checked)
	r.leftOut = checked.LeftOut
	return err
}

// createConversation creates the conversation for the claim's customer, or finds the
// claim's existing one, with the outcome of its files. If a remembered customer no
// longer exists, it looks the customer up again, once.
func (r *claimRun) createConversation(ctx workflow.Context) error {
	var made activities.Conversation
	for again := false; ; again = true {
		in, summary := activities.ConversationInput{Ref: r.ref}, "Read what the conversation lacks"
		if r.state.ConversationID == 0 {
			summary = "Create the conversation"
			var customer activities.Customer
			if err := r.dixaStep(ctx, "Find or create the customer", dixa.FindOrCreateCustomer, r.ref, &customer); err != nil {
				return err
			}
			in.EndUserID, in.Revision = customer.EndUserID, customer.Revision
			r.did(claim.StepCustomer)
			r.resolved.Note = r.resolved.Note || customer.Note
		}
		err := r.dixaStep(ctx, summary, dixa.CreateConversation, in, &made)
		if hasType(err, claim.ErrorCustomerGone) && !again {
			continue
		}
		if err != nil {
			return err
		}
		break
	}
	r.state.ConversationID, r.attached, r.leftOut = made.ID, made.Attached, made.LeftOut
	r.separately = made.Separately
	r.did(claim.StepConversation)
	return nil
}

// sendSeparately sends what Dixa refused in the first message.
func (r *claimRun) sendSeparately(ctx workflow.Context) error {
	if !r.separately {
		return nil
	}
	var sent activities.SeparateResult
	if err := r.dixaStep(ctx, "Send the rest of the message: long text, photos", dixa.SendSeparately, r.ref, &sent); err != nil {
		return err
	}
	r.attached, r.leftOut = sent.Attached, sent.LeftOut
	r.resolved.Note = r.resolved.Note || sent.Note
	return nil
}

func (r *claimRun) applyTags(ctx workflow.Context) error {
	if r.state.HasDone(claim.StepTags) {
		return nil
	}
	var tagged activities.TagResult
	if err := r.dixaStep(ctx, "Apply the tags", dixa.ApplyTags, r.ref, &tagged); err != nil {
		return err
	}
	r.resolved.Note = r.resolved.Note || tagged.Note
	r.did(claim.StepTags)
	return nil
}

func (r *claimRun) assign(ctx workflow.Context) error {
	if !r.resolved.Assign || r.state.HasDone(claim.StepAssign) {
		return nil
	}
	if err := r.dixaStep(ctx, "Give the conversation to its agent or queue", dixa.AssignConversation, r.ref, nil); err != nil {
		return err
	}
	r.did(claim.StepAssign)
	return nil
}

func (r *claimRun) setAttributes(ctx workflow.Context) error {
	if !r.resolved.Attributes || r.state.HasDone(claim.StepAttributes) {
		return nil
	}
	if err := r.dixaStep(ctx, "Set order number and claim id", dixa.SetAttributes, r.ref, nil); err != nil {
		return err
	}
	r.did(claim.StepAttributes)
	return nil
}

func (r *claimRun) addNote(ctx workflow.Context) error {
	if !r.resolved.Note && r.leftOut == 0 || r.state.HasDone(claim.StepNote) {
		return nil
	}
	if err := r.dixaStep(ctx, "Write the internal note", dixa.AddNote, r.ref, nil); err != nil {
		return err
	}
	r.did(claim.StepNote)
	return nil
}

// did records a completed step until the standing is read again.
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
	r.waiting = "Dixa, in slow attempts, since quick ones failed: " + summary
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
		s.message = "Dixa or our worker did not answer in time"
	}
	return s
}
