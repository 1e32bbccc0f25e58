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

// Instruct carries out the oldest instruction of a claim that waits. An
// instruction that cannot be carried out whatever one does is refused, with why;
// trouble that time or a person can mend is an error, and the instruction waits.
func (a *Dixa) Instruct(ctx context.Context, ref claim.Ref) error {
	return a.with(ctx, ref, "carry out an instruction", func(ctx context.Context, s *session) error {
		in, err := s.store.Instructions.Next(ctx, ref)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		carryOut := carriedOut[in.Kind]
		if carryOut == nil {
			return s.finish(ctx, in, refusal{"this version of Claimflow does not know how to do " + in.Kind}, outcome{})
		}
		done, err := carryOut(ctx, s, in)
		return s.finish(ctx, in, err, done)
	})
}

// carriedOut has, for each kind, what carries an instruction out.
var carriedOut = map[string]func(context.Context, *session, claim.Instruction) (outcome, error){
	claim.InstructChange:   carryOutChange,
	claim.InstructShipment: tellShipment,
	claim.InstructReply:    sendReply,
	claim.InstructNote:     writeNote,
}

// outcome is what came of an instruction.
type outcome struct {
	// result is kept with the instruction, as JSON without personal data.
	result any
	// set is written to the claim with it.
	set store.ClaimUpdate
	// wrote is [claim.Instruction.Wrote].
	wrote bool
}

// refusal is why an instruction is not carried out and never will be.
type refusal struct{ why string }

func (r refusal) Error() string { return r.why }

// decided is what is made of an instruction, decided at its first attempt and kept
// before anything is written: settings that are saved while it is under way count
// for the next one.
func decided[T any](ctx context.Context, s *session, in claim.Instruction, decide func(context.Context) (T, error)) (T, error) {
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
	return kept, s.store.Claims.KeepDraft(ctx, s.ref, kind, fresh, &kept)
}

// finish records what became of an instruction, unless it is to be tried again.
func (s *session) finish(ctx context.Context, in claim.Instruction, err error, done outcome) error {
	in.State, in.Wrote = claim.InstructionDone, done.wrote
	err = s.justOpened(ctx, err)
	var refused refusal
	e, fromDixa := dixa.AsError(err)
	switch {
	case err == nil:
	case errors.As(err, &refused):
		in.State, in.Why = claim.InstructionRefused, refused.why
	case fromDixa && e.Outcome == dixa.Rejected && !e.Retryable && !tokenRefused(err):
		in.State, in.Why = claim.InstructionRefused, err.Error()
		done.set.RulesDue = true // what was written by then may count
	default:
		return err
	}
	if done.result != nil {
		var err error
		if in.Result, err = json.Marshal(done.result); err != nil {
			return fmt.Errorf("write what came of instruction %s as JSON: %w", in.ID, err)
		}
	}
	return s.store.Instructions.Finish(ctx, in, done.set)
}
