package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/claimflow/claimflow/claim"
)

// answerStatus registers the handler of [claim.QueryStatus].
func (r *claimRun) answerStatus(ctx workflow.Context) error {
	return workflow.SetQueryHandlerWithOptions(ctx, claim.QueryStatus, r.status, workflow.QueryHandlerOptions{
		Description: "State, cause, conversation, what the claim waits for, last error and completed steps.",
	})
}

func (r *claimRun) status() (claim.RunStatus, error) {
	s := claim.RunStatus{
		State: r.standing.State, ConversationID: r.standing.ConversationID, Status: r.standing.Status,
		WaitingFor: r.waitingFor(), LastError: r.standing.LastError,
		StepsDone: append([]string{}, r.standing.Done...), FallbackRaised: r.standing.FallbackUsed,
	}
	if s.State == "" {
		s.State = startState
	}
	if s.State == claim.StateNeedsAttention {
		s.Cause, s.Advice = r.standing.Cause, r.standing.Cause.Advice()
	}
	return s, nil
}

// waitingFor says what the run waits for, in words; empty while it works.
func (r *claimRun) waitingFor() string {
	if r.waiting != "" {
		return r.waiting
	}
	switch r.standing.Next() {
	case claim.MoveWait:
		if r.standing.State == claim.StateNeedsAttention {
			return "an operator: see the cause"
		}
		return "the shop, which is paused: `starter shop resume " + r.ref.Shop + "`"
	case claim.MoveFollow:
		if r.standing.State == claim.StateClosed && !r.standing.SettleAt.IsZero() {
			return "the end of the quiet period at " + r.standing.SettleAt.UTC().Format(time.RFC3339)
		}
		return "events from Dixa or the owner"
	}
	return ""
}
