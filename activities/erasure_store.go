package activities

import (
	"context"
	"errors"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/store"
)

// ErasureStore holds the steps of an erasure that use nothing but the store. Each can be
// repeated: what is erased already counts once.
type ErasureStore struct{ Store *store.Store }

// step runs a step with heartbeats. It does nothing if the erasure has ended.
func (a *ErasureStore) step(ctx context.Context, ref ErasureRef, name, doing string, step func(context.Context, *erasureRun) error) error {
	stop := heartbeat(ctx, alive)
	defer stop()
	err := a.Store.Erasures.Step(ctx, ref.ID, name)
	var r *erasureRun
	if err == nil {
		r, _, err = loadErasure(ctx, a.Store, ref)
	}
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err == nil {
		err = step(ctx, r)
	}
	return toTemporal(doing, err)
}

// StopProgress says which workflows may still write.
type StopProgress struct {
	// Unread is the number of claims whose workflow has not read its end yet.
	Unread int `json:"unread,omitempty"`
}

// StopErasureClaims abandons the customer's claims that still run.
func (a *ErasureStore) StopErasureClaims(ctx context.Context, ref ErasureRef) (StopProgress, error) {
	var out StopProgress
	err := a.step(ctx, ref, claim.ErasureStop, "stop the customer's claims", func(ctx context.Context, _ *erasureRun) error {
		n, err := a.Store.Erasures.Stop(ctx, ref.ID)
		out.Unread = n
		return err
	})
	return out, err
}

// ErasureWait is the input of [ErasureStore.NoteErasure].
type ErasureWait struct {
	ErasureRef
	// Step is the step that waits; empty for the current one.
	Step string `json:"step,omitempty"`
	Why  string `json:"why,omitempty"`
	// Unfinished gives up on Dixa, and on the end users that it has not answered for.
	Unfinished bool `json:"unfinished,omitempty"`
}

// NoteErasure records what an erasure waits for, or that it no longer waits for Dixa.
func (a *ErasureStore) NoteErasure(ctx context.Context, in ErasureWait) error {
	err := a.note(ctx, in)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return toTemporal("record what the erasure waits for", err)
}

func (a *ErasureStore) note(ctx context.Context, in ErasureWait) error {
	if in.Step != "" {
		if err := a.Store.Erasures.Step(ctx, in.ID, in.Step); err != nil {
			return err
		}
	}
	if in.Unfinished {
		if err := a.Store.Erasures.GiveUpDixa(ctx, in.ID, in.Why); err != nil {
			return err
		}
		users, err := a.Store.Erasures.Subjects(ctx, in.ID, store.SubjectEndUser, false)
		if err != nil {
			return err
		}
		for _, u := range users {
			if u.Result != "" {
				continue
			}
			u.Result, u.Detail = claim.AnswerUnfinished, in.Why
			if err := a.Store.Erasures.Answered(ctx, in.ID, u); err != nil {
				return err
			}
		}
	}
	return a.Store.Erasures.Wait(ctx, in.ID, in.Why)
}

// EraseInput is the input of [ErasureStore.EraseRows].
type EraseInput struct {
	ErasureRef
	// Again also erases what was erased before.
	Again bool `json:"again,omitempty"`
}

// EraseRows blanks and deletes the customer's rows.
func (a *ErasureStore) EraseRows(ctx context.Context, in EraseInput) error {
	return a.step(ctx, in.ErasureRef, claim.ErasureErase, "erase the customer's rows", func(ctx context.Context, r *erasureRun) error {
		if in.Again {
			if err := a.Store.Erasures.Again(ctx, in.ID); err != nil {
				return err
			}
		}
		for _, kind := range []string{store.SubjectClaim, store.SubjectEndUser, store.SubjectConversation} {
			subjects, err := a.Store.Erasures.Subjects(ctx, in.ID, kind, true)
			if err != nil {
				return err
			}
			for _, x := range subjects {
				for more := true; more; {
					if more, err = a.Store.Erasures.Erase(ctx, r.erasure, x); err != nil {
						return err
					}
				}
			}
		}
		if r.erasure.DryRun || r.person.ConnectionID == "" {
			return nil
		}
		if _, err := a.Store.Operations.Erase(ctx, r.person.ConnectionID, r.person.Words); err != nil {
			return err
		}
		f := &finder{erasureRun: r}
		for _, identity := range f.identities() {
			if err := a.Store.Customers.ForgetIdentity(ctx, r.person.ConnectionID, identity); err != nil {
				return err
			}
		}
		return nil
	})
}

// VerifyErasure looks for the customer in the rows that were blanked, and returns the
// number of rows by table in which something is left.
func (a *ErasureStore) VerifyErasure(ctx context.Context, ref ErasureRef) (map[string]int, error) {
	leftovers := map[string]int{}
	err := a.step(ctx, ref, claim.ErasureVerify, "verify the erasure", func(ctx context.Context, r *erasureRun) error {
		clear(leftovers)
		for _, kind := range []string{store.SubjectClaim, store.SubjectConversation, store.SubjectEndUser} {
			subjects, err := a.Store.Erasures.Subjects(ctx, ref.ID, kind, false)
			if err != nil {
				return err
			}
			for _, x := range subjects {
				found, err := a.Store.Erasures.Leftovers(ctx, r.erasure, r.person, x)
				if err != nil {
					return err
				}
				for table, n := range found {
					leftovers[table] += n
				}
			}
		}
		return nil
	})
	return leftovers, err
}

// EndErasureInput is the input of [ErasureStore.EndErasure].
type EndErasureInput struct {
	ErasureRef
	Leftovers map[string]int `json:"leftovers,omitempty"`
}

// EndErasure ends an erasure and returns it with its report.
func (a *ErasureStore) EndErasure(ctx context.Context, in EndErasureInput) (claim.Erasure, error) {
	err := a.Store.Erasures.End(ctx, in.ID, in.Leftovers)
	var e claim.Erasure
	if err == nil {
		e, err = a.Store.Erasures.Get(ctx, in.Shop, in.ID)
	}
	return e, toTemporal("end the erasure", err)
}
