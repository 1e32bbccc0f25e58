// Package workflows contains the durable workflows of Claimflow.
//
// A workflow holds only ids and plain facts. Everything else about a claim is in the
// store, which activities read and write. A history therefore never contains
// personal data, and a workflow that is reset or restarted finds out by itself what
// is done.
package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
)

// Activities are referenced as methods of nil pointers, so that the compiler checks
// the references and an editor finds the definitions.
var (
	claims   *activities.Claims
	tickets  *activities.Tickets
	evidence *activities.Evidence
	dixa     *activities.Dixa
)

// Claim is the workflow of one claim. It opens the claim's conversation in Dixa and
// runs as long as the claim lives. Its result is the claim's final state. The
// workflow may be started again from there.
//
// A signal-with-start of [claim.SignalNudge] starts and wakes it, under the id
// [claim.Ref.WorkflowID].
func Claim(ctx workflow.Context, ref claim.Ref) (claim.State, error) {
	r := &claimRun{ref: ref}
	if err := r.setup(ctx); err != nil {
		return "", err
	}
	return r.run(ctx)
}

// maxTurns is how many decisions a run makes before it pauses.
const maxTurns = 10

// claimRun is one run of the workflow of one claim.
type claimRun struct {
	ref    claim.Ref
	nudges workflow.ReceiveChannel
	state  claim.WorkflowState
	// Results of this run's steps, for the card.
	resolved activities.ResolveResult
	attached int
	leftOut  int
	// waiting says in words what the run waits for. Empty while it works.
	waiting string
	// askedAt is the [claim.WorkflowState.DoubtAt] that Dixa was last asked about.
	askedAt time.Time
	// shown are the search attributes as last written.
	shown attributes
}

func (r *claimRun) setup(ctx workflow.Context) error {
	r.nudges = workflow.GetSignalChannel(ctx, claim.SignalNudge)
	r.shown = attributesOf(workflow.GetTypedSearchAttributes(ctx))
	return r.answerStatus(ctx)
}

func (r *claimRun) run(ctx workflow.Context) (claim.State, error) {
	// Everything nudged so far is in the store, and load reads it now.
	drain(r.nudges)
	if err := r.load(ctx); err != nil {
		return "", err
	}
	for turns := 1; ; turns++ {
		r.updateVisibility(ctx)
		var err error
		if turns%maxTurns == 0 {
			// A claim moves only a few times between two waits. A claim that does
			// not come to rest must not keep Temporal busy.
			err = r.pause(ctx)
		}
		if err != nil {
			return "", err
		}
		if r.inDoubt() {
			if err := r.refreshState(ctx); err != nil {
				return "", err
			}
			continue
		}
		switch r.state.Next() {
		case claim.ActionOpen:
			err = r.open(ctx)
		case claim.ActionPark:
			err = r.park(ctx, claim.CauseNoConnection, "the shop has no Dixa connection")
		case claim.ActionSkip:
			err = r.sync(ctx, activities.StatusChange{Event: claim.EventSkip})
		case claim.ActionRead:
			before := r.state.Cursor
			err = r.follow(ctx)
			if r.state.Cursor != before {
				turns = 0
			}
		case claim.ActionInstruct:
			turns = 0 // each instruction is carried out once
			err = r.instruct(ctx)
		case claim.ActionWait, claim.ActionFollow:
			turns = 0
			err = r.waitForChange(ctx)
		case claim.ActionFinish:
			if !drain(r.nudges) {
				return r.state.State, nil
			}
			err = r.load(ctx)
		}
		if err != nil {
			return "", err
		}
		if workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			drain(r.nudges) // the next run starts by reading the store
			return "", workflow.NewContinueAsNewError(ctx, Claim, r.ref)
		}
	}
}

// open creates the claim's complete conversation in Dixa or parks the claim. It does
// not repeat steps that this run or an earlier one has done.
func (r *claimRun) open(ctx workflow.Context) error {
	if r.state.State != claim.StateOpening {
		return r.load(ctx) // marks the claim as opening
	}
	if !r.beforeDeadline(ctx) && r.state.FallbackDue() && !r.state.Unanswered {
		return r.park(ctx, claim.CauseDeadline, "the deadline passed before the opening could start")
	}
	err := r.openConversation(ctx)
	if hasType(err, claim.ErrorEdited) {
		return r.load(ctx) // the next turn opens the edited claim
	}
	return r.handleFailure(ctx, err)
}

// handleFailure handles a failed step: it parks the claim or reads what a person did to
// it.
func (r *claimRun) handleFailure(ctx workflow.Context, err error) error {
	if err == nil {
		return nil
	}
	switch stop := classify(err); {
	case stop.withdrawn:
		return r.load(ctx)
	case stop.late && r.state.ConversationID != 0:
		return r.park(ctx, claim.CauseUnavailable, stop.message)
	case stop.late:
		return r.park(ctx, claim.CauseDeadline, stop.message)
	case stop.park:
		return r.park(ctx, stop.cause, stop.message)
	default:
		return err
	}
}

func (r *claimRun) openConversation(ctx workflow.Context) error {
	if err := r.resolveTemplate(ctx); err != nil {
		return err
	}
	if r.state.ConversationID == 0 {
		if err := r.checkEvidence(ctx); err != nil {
			return err
		}
		if err := r.createConversation(ctx); err != nil {
			return err
		}
	}
	return r.completeConversation(ctx)
}

// park records that the claim needs a person, and why. It also triggers the fallback
// if the deadline has passed or the customer cannot be reached at all.
func (r *claimRun) park(ctx workflow.Context, cause claim.Cause, why string) error {
	due := r.state.FallbackDue() && (cause == claim.CauseNoContact || !r.beforeDeadline(ctx))
	return r.sync(ctx, activities.StatusChange{
		Event: claim.EventPark, Cause: cause, LastError: why,
		SettingsVersion: r.state.SettingsVersion, Fallback: due,
	})
}

// beforeDeadline reports whether time is left until the claim's deadline.
func (r *claimRun) beforeDeadline(ctx workflow.Context) bool {
	return workflow.Now(ctx).Before(r.state.Deadline)
}

// untilDeadline is the time until the claim's deadline, at least one millisecond.
func (r *claimRun) untilDeadline(ctx workflow.Context) time.Duration {
	return max(r.state.Deadline.Sub(workflow.Now(ctx)), time.Millisecond)
}

// stepTime is how long a step may be retried. Before the claim has its conversation,
// that is until its deadline, plus the time for an attempt in progress to end,
// because a create that is cut off may have succeeded. Afterwards it is a fixed
// time, because the customer is served.
func (r *claimRun) stepTime(ctx workflow.Context) time.Duration {
	if r.state.ConversationID != 0 {
		return postOpenTimeout
	}
	return r.untilDeadline(ctx) + attemptTimeout
}
