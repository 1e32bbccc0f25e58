// Package workflows holds the durable processes of Claimflow.
//
// A workflow here holds ids and plain facts only. Everything else about a claim
// is in the store, where activities read and write it, so that a history never
// contains personal data and a workflow that is reset or started anew finds out
// by itself what was done.
package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
)

// Activities are named by methods of nil pointers: the compiler checks arguments
// and an editor finds the definition.
var (
	claims   *activities.Claims
	tickets  *activities.Tickets
	evidence *activities.Evidence
	dixa     *activities.Dixa
)

// Claim is the workflow of one claim. It opens the claim's conversation in Dixa
// and stays as long as the claim lives. Its result is the state in which the
// claim came to rest; it may be started again from there.
//
// It is started and woken by [claim.SignalNudge] with start, under the id of
// [claim.Ref.WorkflowID].
func Claim(ctx workflow.Context, ref claim.Ref) (claim.State, error) {
	r := &claimRun{ref: ref}
	r.setup(ctx)
	return r.run(ctx)
}

// maxTurns is how often a run decides anew before it pauses.
const maxTurns = 10

// claimRun is one run of the workflow of one claim.
type claimRun struct {
	ref      claim.Ref
	nudges   workflow.ReceiveChannel
	standing claim.Standing
	// What the steps of this run found out, for the card.
	resolved activities.Resolved
	attached int
	leftOut  int
	// separately says that Dixa did not take all of the first message.
	separately bool
	// waiting says in words what the run waits for; empty while it works.
	waiting string
	// asked is the [claim.Standing.DoubtAt] about which Dixa was asked last.
	asked time.Time
	// shown are the search attributes as last written.
	shown attributes
}

func (r *claimRun) setup(ctx workflow.Context) {
	r.nudges = workflow.GetSignalChannel(ctx, claim.SignalNudge)
	r.shown = attributesOf(workflow.GetTypedSearchAttributes(ctx))
}

func (r *claimRun) run(ctx workflow.Context) (claim.State, error) {
	// What was nudged about so far is in the store and read now.
	drain(r.nudges)
	if err := r.load(ctx); err != nil {
		return "", err
	}
	for turns := 1; ; turns++ {
		r.show(ctx)
		var err error
		if turns%maxTurns == 0 {
			// A claim moves a few times between two waits. One that does not come
			// to rest must not keep the engine busy.
			err = r.pause(ctx)
		}
		if err != nil {
			return "", err
		}
		if r.inDoubt() {
			if err := r.askDixa(ctx); err != nil {
				return "", err
			}
			continue
		}
		switch r.standing.Next() {
		case claim.MoveOpen:
			err = r.open(ctx)
		case claim.MovePark:
			err = r.park(ctx, claim.CauseNoConnection, "the shop has no Dixa connection")
		case claim.MoveSkip:
			err = r.sync(ctx, activities.StatusChange{Event: claim.EventSkip})
		case claim.MoveRead:
			before := r.standing.Cursor
			err = r.follow(ctx)
			if r.standing.Cursor != before {
				turns = 0
			}
		case claim.MoveInstruct:
			turns = 0 // each is carried out once
			err = r.instruct(ctx)
		case claim.MoveWait, claim.MoveFollow:
			turns = 0
			err = r.waitForNews(ctx)
		case claim.MoveFinish:
			if !drain(r.nudges) {
				return r.standing.State, nil
			}
			err = r.load(ctx)
		}
		if err != nil {
			return "", err
		}
		if workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			drain(r.nudges) // the next run reads the store first of all
			return "", workflow.NewContinueAsNewError(ctx, Claim, r.ref)
		}
	}
}

// open brings the claim's conversation to Dixa, complete, or parks the claim.
// Steps that were done before, by this run or an earlier one, are not done again.
func (r *claimRun) open(ctx workflow.Context) error {
	if r.standing.State != claim.StateOpening {
		return r.load(ctx) // which marks the claim as opening
	}
	if !r.left(ctx) && r.standing.FallbackDue() && !r.standing.Unanswered {
		return r.park(ctx, claim.CauseDeadline, "it was too late when the opening could begin")
	}
	err := r.openConversation(ctx)
	if hasType(err, claim.ErrorEdited) {
		return r.load(ctx) // and opens what the claim now is
	}
	return r.stopped(ctx, err)
}

// stopped deals with a step that could not be done: it parks the claim, or reads
// what a person did to it.
func (r *claimRun) stopped(ctx workflow.Context, err error) error {
	if err == nil {
		return nil
	}
	switch stop := stopOf(err); {
	case stop.withdrawn:
		return r.load(ctx)
	case stop.late && r.standing.ConversationID != 0:
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
	if r.standing.ConversationID == 0 {
		if err := r.checkEvidence(ctx); err != nil {
			return err
		}
	}
	if err := r.createConversation(ctx); err != nil {
		return err
	}
	if err := r.applyTags(ctx); err != nil {
		return err
	}
	if err := r.sendSeparately(ctx); err != nil {
		return err
	}
	if err := r.assign(ctx); err != nil {
		return err
	}
	if err := r.setAttributes(ctx); err != nil {
		return err
	}
	if err := r.addNote(ctx); err != nil {
		return err
	}
	return r.sync(ctx, activities.StatusChange{Event: claim.EventOpened})
}

// park writes down that the claim needs a person and why. The fallback is raised
// with it where the deadline has passed or the customer cannot be reached at all.
func (r *claimRun) park(ctx workflow.Context, cause claim.Cause, why string) error {
	due := r.standing.FallbackDue() && (cause == claim.CauseNoContact || !r.left(ctx))
	return r.sync(ctx, activities.StatusChange{
		Event: claim.EventPark, Cause: cause, LastError: why,
		SettingsVersion: r.standing.SettingsVersion, Fallback: due,
	})
}

// left reports whether there is time until the claim's deadline.
func (r *claimRun) left(ctx workflow.Context) bool {
	return workflow.Now(ctx).Before(r.standing.Deadline)
}

// untilDeadline is the time until the claim's deadline, at least a moment.
func (r *claimRun) untilDeadline(ctx workflow.Context) time.Duration {
	return max(r.standing.Deadline.Sub(workflow.Now(ctx)), time.Millisecond)
}

// stepTime is how long a step may be tried: before the claim has its
// conversation until its deadline, and long enough in any case for an attempt
// that is under way then to end, since a create that is cut off may have been
// done; afterwards for a fixed time, since the customer is served.
func (r *claimRun) stepTime(ctx workflow.Context) time.Duration {
	if r.standing.ConversationID != 0 {
		return afterOpening
	}
	return r.untilDeadline(ctx) + attemptTime
}
