package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/claimflow/claimflow/claim"
)

// Intent is the record, committed before bytes leave, that a write to Dixa is
// about to be sent. There is one of each claim and step.
type Intent struct {
	Ref  claim.Ref
	Step string
	// Try is one more than the number of times that Dixa is known to have
	// refused the step; see [claim.Ref.Key].
	Try int
	// SentAt is when the step was last sent without an answer that is known;
	// zero where nothing is outstanding.
	SentAt time.Time
	// Result is what [Intents.Finish] was given. It holds no personal data.
	Result json.RawMessage
	// DoneAt is when the step was finished; zero before.
	DoneAt time.Time
}

// Begin commits that a step is about to be sent. outstanding says that an
// earlier send has no result: then nothing is changed, and the caller looks in
// Dixa before it sends. A step that is done is returned as it is, with DoneAt
// set, and not outstanding. Of any number of callers at once one gets to send.
func (s Intents) Begin(ctx context.Context, ref claim.Ref, step string) (in Intent, outstanding bool, err error) {
	return s.begin(ctx, ref, step, func(tx *sql.Tx) (func() error, error) {
		return func() error { return nil }, known(ctx, tx, ref)
	})
}

// BeginForRevision is [Intents.Begin] for a step that sends what was made of a
// revision of the claim's body, see [Claims.OpeningBody]. Where the owner changed the claim
// since, or it was abandoned, the step may not be sent: a [*StaleError]. Whoever changes it afterwards
// finds the step begun. What was sent before is nothing to refuse.
func (s Intents) BeginForRevision(ctx context.Context, ref claim.Ref, step string, revision int64) (in Intent, outstanding bool, err error) {
	return s.begin(ctx, ref, step, func(tx *sql.Tx) (func() error, error) {
		row, err := lockClaim(ctx, tx, ref)
		if err != nil {
			return nil, err
		}
		var now int64
		err = queryOne(ctx, tx, claimNotFound(ref), []any{&now}, `SELECT body_revision FROM claims WHERE shop = $1 AND id = $2`, ref.Shop, ref.ID)
		return func() error {
			if now != revision || row.state == claim.StateAbandoned {
				return &StaleError{Ref: ref}
			}
			return nil
		}, err
	})
}

// begin begins a step. first reads what it depends on and says how to judge that
// before the step is sent.
func (s *core) begin(ctx context.Context, ref claim.Ref, step string, first func(tx *sql.Tx) (maySend func() error, err error)) (in Intent, outstanding bool, err error) {
	err = s.write(ctx, doingStep("begin", ref, step), func(tx *sql.Tx) error {
		outstanding = false
		maySend, err := first(tx)
		if err != nil {
			return err
		}
		now := s.now()
		n, err := exec(ctx, tx, `INSERT INTO intents (shop, claim_id, step, try, sent_at) VALUES ($1, $2, $3, 1, $4)
			ON CONFLICT (shop, claim_id, step) DO NOTHING`, ref.Shop, ref.ID, step, now)
		if err != nil {
			return err
		}
		if in, err = lockIntent(ctx, tx, ref, step); err != nil || !in.DoneAt.IsZero() {
			return err
		}
		if outstanding = n == 0 && !in.SentAt.IsZero(); outstanding {
			return nil
		}
		if err := maySend(); err != nil || n == 1 {
			return err
		}
		in.SentAt = timeOf(now)
		_, err = exec(ctx, tx, `UPDATE intents SET sent_at = $4 WHERE shop = $1 AND claim_id = $2 AND step = $3`, ref.Shop, ref.ID, step, now)
		return err
	})
	return in, outstanding, err
}

// Resend commits that an outstanding step is about to be sent again under the
// same try, after a look in Dixa found nothing. read is the intent as the caller
// saw it: where somebody else sent or finished it meanwhile, mine is false and
// the caller must not send.
func (s Intents) Resend(ctx context.Context, read Intent) (in Intent, mine bool, err error) {
	return s.changeIntent(ctx, "resend", read, func(in *Intent, now time.Time) { in.SentAt = now })
}

// Refuse records that Dixa is known not to have done what the caller sent,
// or that a person gave it up: the next send is another try. It does nothing
// where somebody else sent or finished the step meanwhile.
func (s Intents) Refuse(ctx context.Context, read Intent) error {
	_, _, err := s.changeIntent(ctx, "refuse", read, func(in *Intent, _ time.Time) { in.Try, in.SentAt = in.Try+1, time.Time{} })
	return err
}

// Withdraw records that nothing left the process: the next send is the
// same try. It does nothing where somebody else sent or finished the step
// meanwhile.
func (s Intents) Withdraw(ctx context.Context, read Intent) error {
	_, _, err := s.changeIntent(ctx, "withdraw", read, func(in *Intent, _ time.Time) { in.SentAt = time.Time{} })
	return err
}

// Reopen forgets that a step was done, because what it made is gone from
// Dixa: the next send is another try. A step that is not done is left alone.
func (s Intents) Reopen(ctx context.Context, ref claim.Ref, step string) error {
	return s.write(ctx, doingStep("reopen", ref, step), func(tx *sql.Tx) error {
		_, err := exec(ctx, tx, `UPDATE intents SET try = try + 1, sent_at = 0, result = '', done_at = 0
			WHERE shop = $1 AND claim_id = $2 AND step = $3 AND done_at > 0`, ref.Shop, ref.ID, step)
		return err
	})
}

// Finish records that the step is done and what came of it, as JSON
// without personal data. What is done stays as it was first finished.
func (s Intents) Finish(ctx context.Context, ref claim.Ref, step string, result any) error {
	doing := doingStep("finish", ref, step)
	data, err := json.Marshal(result)
	if err != nil {
		return fmt.Errorf("%s: write its result as JSON: %w", doing, err)
	}
	return s.write(ctx, doing, func(tx *sql.Tx) error {
		if err := known(ctx, tx, ref); err != nil {
			return err
		}
		return s.finish(ctx, tx, ref, step, data)
	})
}

func (s *core) finish(ctx context.Context, tx *sql.Tx, ref claim.Ref, step string, result []byte) error {
	_, err := exec(ctx, tx, `INSERT INTO intents (shop, claim_id, step, try, sent_at, result, done_at) VALUES ($1, $2, $3, 1, 0, $4, $5)
		ON CONFLICT (shop, claim_id, step) DO UPDATE SET sent_at = 0, result = excluded.result, done_at = excluded.done_at
		WHERE intents.done_at = 0`, ref.Shop, ref.ID, step, string(result), s.now())
	return err
}

// Get reads the intent of a step. A step that was never begun is
// [ErrNotFound].
func (s Intents) Get(ctx context.Context, ref claim.Ref, step string) (Intent, error) {
	var in Intent
	err := s.read(ctx, doingStep("read", ref, step), func(db *sql.DB) (err error) {
		in, err = scanIntent(ref, step, db.QueryRowContext(ctx,
			`SELECT try, sent_at, result, done_at FROM intents WHERE shop = $1 AND claim_id = $2 AND step = $3`, ref.Shop, ref.ID, step))
		return err
	})
	return in, err
}

// changeIntent changes an intent that is outstanding since the moment that the
// caller knows of.
func (s *core) changeIntent(ctx context.Context, verb string, read Intent, change func(in *Intent, now time.Time)) (in Intent, mine bool, err error) {
	err = s.write(ctx, doingStep(verb, read.Ref, read.Step), func(tx *sql.Tx) (err error) {
		in, err = lockIntent(ctx, tx, read.Ref, read.Step)
		mine = err == nil && in.DoneAt.IsZero() && !in.SentAt.IsZero() && in.SentAt.Equal(read.SentAt) && in.Try == read.Try
		if !mine {
			return err
		}
		change(&in, timeOf(s.now()))
		_, err = exec(ctx, tx, `UPDATE intents SET try = $4, sent_at = $5 WHERE shop = $1 AND claim_id = $2 AND step = $3`,
			in.Ref.Shop, in.Ref.ID, in.Step, in.Try, micros(in.SentAt))
		return err
	})
	return in, mine, err
}

// lockIntent reads an intent and keeps everybody else from changing it until the
// transaction ends.
func lockIntent(ctx context.Context, tx *sql.Tx, ref claim.Ref, step string) (Intent, error) {
	return scanIntent(ref, step, tx.QueryRowContext(ctx, `UPDATE intents SET try = try
		WHERE shop = $1 AND claim_id = $2 AND step = $3 RETURNING try, sent_at, result, done_at`, ref.Shop, ref.ID, step))
}

func scanIntent(ref claim.Ref, step string, row *sql.Row) (Intent, error) {
	in := Intent{Ref: ref, Step: step}
	var sent, done int64
	var result string
	err := row.Scan(&in.Try, &sent, &result, &done)
	if errors.Is(err, sql.ErrNoRows) {
		return in, notFound("intent " + step + " of claim " + ref.String())
	}
	if err != nil {
		return in, err
	}
	in.SentAt, in.DoneAt = timeOf(sent), timeOf(done)
	if result != "" {
		in.Result = json.RawMessage(result)
	}
	return in, nil
}

func doingStep(verb string, ref claim.Ref, step string) string {
	return fmt.Sprintf("%s step %s of claim %s", verb, step, ref)
}
