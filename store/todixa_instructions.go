package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/claimflow/claimflow/claim"
)

// Add adds an instruction for the claim's workflow and wakes the workflow. ID, Ref,
// Kind, Body and By are required. An instruction whose id the claim already has is
// not added again: fresh is false, and the stored one is returned, with a
// [*ConflictError] if it asks for something else.
func (s Instructions) Add(ctx context.Context, in claim.Instruction) (_ claim.Instruction, fresh bool, err error) {
	var out claim.Instruction
	err = s.write(ctx, "instruct claim "+in.Ref.String(), func(tx *sql.Tx) error {
		if _, err := lockIntact(ctx, tx, in.Ref); err != nil {
			return err
		}
		out, fresh, err = s.instruct(ctx, tx, in)
		return err
	})
	return out, fresh, err
}

// instruct adds an instruction to a claim that the caller has locked.
func (s *core) instruct(ctx context.Context, tx *sql.Tx, in claim.Instruction) (_ claim.Instruction, fresh bool, err error) {
	have, err := s.instruction(ctx, tx, in.Ref, in.ID)
	if err == nil {
		if have.Kind != in.Kind || !bytes.Equal(have.Body, in.Body) {
			return have, false, conflict("instruction %s of claim %s already exists with different content; use another id", in.ID, in.Ref)
		}
		return have, false, nil
	}
	if !errors.Is(err, ErrNotFound) {
		return have, false, err
	}
	body, err := s.seal(instructionBody, in.Body, in.Shop, in.Ref.ID, in.ID)
	if err != nil {
		return in, false, err
	}
	now := s.now()
	in.State, in.CreatedAt = claim.InstructionWaiting, timeOf(now)
	err = queryOne(ctx, tx, ErrNotFound, []any{&in.Number}, `INSERT INTO instructions (shop, claim_id, id, number, kind, body, asked_by, state, created_at)
		SELECT $1, $2, $3, COALESCE(MAX(number), 0) + 1, $4, $5, $6, $7, $8 FROM instructions WHERE shop = $1 AND claim_id = $2
		RETURNING number`, in.Shop, in.Ref.ID, in.ID, in.Kind, body, plain(in.By), in.State, now)
	if err != nil {
		return in, false, err
	}
	_, err = exec(ctx, tx, `UPDATE claims SET revision = revision + 1, gather_until = 0 WHERE shop = $1 AND id = $2`, in.Shop, in.Ref.ID)
	return in, true, err
}

// Next returns the oldest waiting instruction of a claim. It returns [ErrNotFound]
// if none is waiting.
func (s Instructions) Next(ctx context.Context, ref claim.Ref) (claim.Instruction, error) {
	return get(ctx, s.core, "read the next instruction of claim "+ref.String(), func(db *sql.DB) (claim.Instruction, error) {
		var id string
		err := queryOne(ctx, db, notFound("waiting instruction of claim "+ref.String()), []any{&id},
			`SELECT id FROM instructions WHERE shop = $1 AND claim_id = $2 AND state = $3 ORDER BY number LIMIT 1`, ref.Shop, ref.ID, claim.InstructionWaiting)
		if err != nil {
			return claim.Instruction{}, err
		}
		return s.instruction(ctx, db, ref, id)
	})
}

// SentMessages returns the ids in Dixa of the messages and notes that are known to
// have been written for a claim: the results of its intents that are an id.
func (s Instructions) SentMessages(ctx context.Context, ref claim.Ref) (map[string]bool, error) {
	return get(ctx, s.core, "list the messages sent for claim "+ref.String(), func(db *sql.DB) (map[string]bool, error) {
		ids := map[string]bool{}
		return ids, queryEach(ctx, db, func(scan func(...any) error) error {
			var result, id string
			if err := scan(&result); err != nil {
				return err
			}
			if json.Unmarshal([]byte(result), &id) == nil {
				ids[id] = true
			}
			return nil
		}, `SELECT result FROM intents WHERE shop = $1 AND claim_id = $2 AND done_at > 0 AND result LIKE '"%'`, ref.Shop, ref.ID)
	})
}

// Get reads an instruction. It returns [ErrNotFound] if the claim has none with that
// id.
func (s Instructions) Get(ctx context.Context, ref claim.Ref, id string) (claim.Instruction, error) {
	return get(ctx, s.core, "read instruction "+id, func(db *sql.DB) (claim.Instruction, error) { return s.instruction(ctx, db, ref, id) })
}

func (s *core) instruction(ctx context.Context, q querier, ref claim.Ref, id string) (claim.Instruction, error) {
	in := claim.Instruction{Ref: ref, ID: id}
	var sealed []byte
	var result string
	var created, done int64
	err := queryOne(ctx, q, notFound("instruction "+id), []any{&in.Number, &in.Kind, &sealed, &in.By, &in.State, &in.Why, &result, &created, &done},
		`SELECT number, kind, body, asked_by, state, why, result, created_at, done_at FROM instructions
		WHERE shop = $1 AND claim_id = $2 AND id = $3`, ref.Shop, ref.ID, id)
	if err != nil {
		return in, err
	}
	if result != "" {
		in.Result = json.RawMessage(result)
	}
	in.CreatedAt, in.DoneAt = timeOf(created), timeOf(done)
	in.Body, err = s.open(instructionBody, sealed, ref.Shop, ref.ID, id)
	return in, err
}

// Finish records the outcome of an instruction: done with a result, or rejected with
// a reason. A finished instruction stays unchanged. set is written with it, see
// [Claims.Change].
func (s Instructions) Finish(ctx context.Context, in claim.Instruction, set ClaimUpdate) error {
	return s.write(ctx, "finish instruction "+in.ID, func(tx *sql.Tx) error {
		row, err := lockClaim(ctx, tx, in.Ref)
		if err != nil {
			return err
		}
		n, err := exec(ctx, tx, `UPDATE instructions SET state = $4, why = $5, result = $6, done_at = $7, wrote = $8
			WHERE shop = $1 AND claim_id = $2 AND id = $3 AND state = $9`,
			in.Shop, in.Ref.ID, in.ID, in.State, plain(cut(in.Why, maxLastError)), string(in.Result), s.now(), in.Wrote, claim.InstructionWaiting)
		if err != nil || n == 0 {
			return err
		}
		_, err = s.change(ctx, tx, in.Ref, &row, "", set)
		return err
	})
}

// ChangesWritten counts the changes of a claim since a time for which the shop's
// rules led to a write to Dixa.
func (s Instructions) ChangesWritten(ctx context.Context, ref claim.Ref, since time.Time) (int, error) {
	return get(ctx, s.core, "count the changes written for claim "+ref.String(), func(db *sql.DB) (n int, err error) {
		err = db.QueryRowContext(ctx, `SELECT COUNT(*) FROM instructions WHERE shop = $1 AND claim_id = $2 AND kind = $3 AND wrote AND done_at >= $4`,
			ref.Shop, ref.ID, claim.InstructChange, micros(since)).Scan(&n)
		return n, err
	})
}

// refuseWaiting rejects the waiting instructions of a claim.
func (s *core) refuseWaiting(ctx context.Context, tx *sql.Tx, ref claim.Ref, why string) error {
	_, err := exec(ctx, tx, `UPDATE instructions SET state = $3, why = $4, done_at = $5 WHERE shop = $1 AND claim_id = $2 AND state = $6`,
		ref.Shop, ref.ID, claim.InstructionRefused, why, s.now(), claim.InstructionWaiting)
	return err
}
