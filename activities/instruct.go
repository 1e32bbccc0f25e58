package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/store"
)

// Instruct carries out the oldest pending instruction of a claim. It rejects, with a
// reason, an instruction that can never be carried out. It returns errors that time
// or an operator can fix, and the instruction waits. It returns the resulting state
// of the claim.
func (a *Dixa) Instruct(ctx context.Context, ref claim.Ref) (claim.WorkflowState, error) {
	return a.withState(ctx, ref, "carry out an instruction", func(ctx context.Context, s *session) error {
		in, err := s.store.Instructions.Next(ctx, ref)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		carryOut := carriedOut[in.Kind]
		if carryOut == nil {
			return s.finish(ctx, in, refusal{"this version of Claimflow does not support instructions of kind " + in.Kind}, outcome{})
		}
		done, err := carryOut(ctx, s, in)
		return s.finish(ctx, in, err, done)
	})
}

// carriedOut maps each kind of instruction to the function that carries it out.
var carriedOut = map[string]func(context.Context, *session, claim.Instruction) (outcome, error){
	claim.InstructChange:   applyOwnerChange,
	claim.InstructShipment: writeShipmentNote,
	claim.InstructReply:    sendReply,
	claim.InstructNote:     writeNote,
}

// outcome is the result of an instruction.
type outcome struct {
	// result is stored with the instruction, as JSON without personal data.
	result any
	// set is written to the claim together with the result.
	set store.ClaimUpdate
	// wrote is [claim.Instruction.Wrote].
	wrote bool
}

// refusal is the reason why an instruction will never be carried out.
type refusal struct{ why string }

func (r refusal) Error() string { return r.why }

// decideOnce returns the decision about an instruction. The first attempt decides and
// stores the decision before anything is written. Settings saved while the
// instruction is in progress apply to the next one.
func decideOnce[T any](ctx context.Context, s *session, in claim.Instruction, decide func(context.Context) (T, error)) (T, error) {
	kind := "decision:" + in.ID
	var kept T
	err := s.store.Claims.Draft(ctx, s.ref, kind, &kept)
	if !errors.Is(err, store.ErrNotFound) {
		return kept, err
	}
	fresh, err := decide(ctx)
	if err != nil {
		return kept, err
	}
	return kept, s.store.Claims.SaveDraftOnce(ctx, s.ref, kind, fresh, &kept)
}

// finish records the outcome of an instruction, unless it is to be retried.
func (s *session) finish(ctx context.Context, in claim.Instruction, err error, done outcome) error {
	in.State, in.Wrote = claim.InstructionDone, done.wrote
	err = s.retryNotFound(ctx, err)
	var refused refusal
	e, fromDixa := dixa.AsError(err)
	switch {
	case err == nil:
	case errors.As(err, &refused):
		in.State, in.Why = claim.InstructionRefused, refused.why
	case fromDixa && e.Outcome == dixa.Rejected && !e.Retryable && !dixa.IsTokenRefused(err):
		in.State, in.Why = claim.InstructionRefused, err.Error()
		done.set.RulesDue = true // what was written so far may count
	default:
		return err
	}
	if done.result != nil {
		var err error
		if in.Result, err = json.Marshal(done.result); err != nil {
			return fmt.Errorf("encode the result of instruction %s: %w", in.ID, err)
		}
	}
	return s.store.Instructions.Finish(ctx, in, done.set)
}
