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
		State: r.state.State, ConversationID: r.state.ConversationID, Status: r.state.Status,
		WaitingFor: r.waitingFor(), LastError: r.state.LastError,
		StepsDone: append([]string{}, r.state.Done...), FallbackUsed: r.state.FallbackUsed,
	}
	if s.State == "" {
		s.State = startState
	}
	if s.State == claim.StateNeedsAttention {
		s.Cause, s.Advice = r.state.Cause, r.state.Cause.Advice()
	}
	return s, nil
}

// waitingFor says what the run waits for, in words; empty while it works.
func (r *claimRun) waitingFor() string {
	if r.waiting != "" {
		return r.waiting
	}
	switch r.state.Next() {
	case claim.ActionWait:
		if r.state.State == claim.StateNeedsAttention {
			return "an operator: see the cause"
		}
		return "the paused shop: run `starter shop resume " + r.ref.Shop + "`"
	case claim.ActionFollow:
		if r.state.State == claim.StateClosed && !r.state.SettleAt.IsZero() {
			return "the end of the quiet period at " + r.state.SettleAt.UTC().Format(time.RFC3339)
		}
		return "events from Dixa or the owner"
	}
	return ""
}
