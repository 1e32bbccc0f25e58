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

// Intent records, committed before the request leaves, that a write to Dixa is about
// to be sent. There is one per claim and step, or per operation and step.
type Intent struct {
	Ref claim.Ref
	// Operation is set instead of Ref for a step of an operation.
	Operation OperationRef
	Step      string
	// Try is one more than the number of times that Dixa is known to have rejected
	// the step, see [claim.Ref.ExternalID].
	Try int
	// SentAt is when the step was last sent with no known answer; zero if nothing is
	// outstanding.
	SentAt time.Time
	// Result is the result passed to [Intents.Finish]. It holds no personal data.
	Result json.RawMessage
	// DoneAt is when the step was finished; zero before.
	DoneAt time.Time
}

// intentPlace is where the intents of a claim or of an operation are.
type intentPlace struct {
	table   string
	columns string // the key
	where   string
	owner   [2]any
	name    string
}

func intentsOfClaim(ref claim.Ref) intentPlace {
	return intentPlace{"intents", "shop, claim_id, step", "shop = $1 AND claim_id = $2 AND step = $3", [2]any{ref.Shop, ref.ID}, "claim " + ref.String()}
}

func intentsOfOperation(ref OperationRef) intentPlace {
	return intentPlace{"operation_intents", "connection_id, operation_id, step", "connection_id = $1 AND operation_id = $2 AND step = $3", [2]any{ref.ConnectionID, ref.ID}, "operation " + ref.ID}
}

func (in Intent) place() intentPlace {
	if in.Operation != (OperationRef{}) {
		return intentsOfOperation(in.Operation)
	}
	return intentsOfClaim(in.Ref)
}

// key returns the arguments of the place's condition.
func (p intentPlace) key(step string, more ...any) []any {
	return append([]any{p.owner[0], p.owner[1], step}, more...)
}

// Begin commits that a step is about to be sent. outstanding says that an earlier
// send has no result: Begin then changes nothing, and the caller checks Dixa before
// it sends. A finished step is returned unchanged, with DoneAt set, and is not
// outstanding. Of any number of concurrent callers, one gets to send.
func (s Intents) Begin(ctx context.Context, ref claim.Ref, step string) (in Intent, outstanding bool, err error) {
	return s.begin(ctx, ref, step, func(tx *sql.Tx) (func() error, error) {
		return func() error { return nil }, claimExists(ctx, tx, ref)
	})
}

// BeginForRevision is [Intents.Begin] for a step that sends data derived from a
// revision of the claim's body, see [Claims.OpeningBody]. It returns a
// [*StaleError], and the step must not be sent, if the owner has changed the claim
// since or the claim was abandoned. A later change finds the step begun. A step that
// was already sent is not rejected.
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

// begin begins a step. first reads what the step depends on and returns a check that
// runs before the step is sent.
func (s *core) begin(ctx context.Context, ref claim.Ref, step string, first func(tx *sql.Tx) (maySend func() error, err error)) (in Intent, outstanding bool, err error) {
	err = s.write(ctx, doingStep("begin", ref, step), func(tx *sql.Tx) error {
		outstanding = false
		maySend, err := first(tx)
		if err != nil {
			return err
		}
		if err := s.gather(ctx, tx, ref, writeGathers); err != nil {
			return err
		}
		in, outstanding, err = s.beginIntent(ctx, tx, Intent{Ref: ref, Step: step}, maySend)
		return err
	})
	return in, outstanding, err
}

func (s *core) beginIntent(ctx context.Context, tx *sql.Tx, in Intent, maySend func() error) (_ Intent, outstanding bool, err error) {
	place, now := in.place(), s.now()
	n, err := exec(ctx, tx, `INSERT INTO `+place.table+` (`+place.columns+`, try, sent_at) VALUES ($1, $2, $3, 1, $4) ON CONFLICT DO NOTHING`, place.key(in.Step, now)...)
	if err != nil {
		return in, false, err
	}
	if in, err = lockIntent(ctx, tx, in); err != nil || !in.DoneAt.IsZero() {
		return in, false, err
	}
	if n == 0 && !in.SentAt.IsZero() {
		return in, true, nil
	}
	if err := maySend(); err != nil || n == 1 {
		return in, false, err
	}
	in.SentAt = timeOf(now)
	_, err = exec(ctx, tx, `UPDATE `+place.table+` SET sent_at = $4 WHERE `+place.where, place.key(in.Step, now)...)
	return in, false, err
}

// Resend commits that an outstanding step is about to be sent again under the same
// try, after a check in Dixa found nothing. read is the intent as the caller saw it.
// If another caller sent or finished it meanwhile, mine is false and this caller
// must not send. The errors for a step of an operation are those of
// [Operations.BeginStep].
func (s Intents) Resend(ctx context.Context, read Intent) (in Intent, mine bool, err error) {
	return s.changeIntent(ctx, "resend", read, func(tx *sql.Tx) error {
		if read.Operation == (OperationRef{}) {
			return nil
		}
		maySend, err := s.lockOperation(ctx, tx, read.Operation)
		if err != nil {
			return err
		}
		return maySend()
	}, func(in *Intent, now time.Time) { in.SentAt = now })
}

// Refuse records that Dixa is known not to have done what the caller sent, or that an
// operator abandoned the attempt. The next request is a new try with a new key. It does
// nothing if another caller sent or finished the step meanwhile.
func (s Intents) Refuse(ctx context.Context, read Intent) error {
	_, _, err := s.changeIntent(ctx, "refuse", read, nil, func(in *Intent, _ time.Time) { in.Try, in.SentAt = in.Try+1, time.Time{} })
	return err
}

// Withdraw records that nothing left the process. The next send is the same try. It
// does nothing if another caller sent or finished the step meanwhile.
func (s Intents) Withdraw(ctx context.Context, read Intent) error {
	_, _, err := s.changeIntent(ctx, "withdraw", read, nil, func(in *Intent, _ time.Time) { in.SentAt = time.Time{} })
	return err
}

// Reopen clears the result of a finished step because the object that it created was
// deleted in Dixa. The next send is another try. It does nothing if the step is not
// finished.
func (s Intents) Reopen(ctx context.Context, ref claim.Ref, step string) error {
	return s.execute(ctx, doingStep("reopen", ref, step), nil, `UPDATE intents SET try = try + 1, sent_at = 0, result = '', done_at = 0
		WHERE shop = $1 AND claim_id = $2 AND step = $3 AND done_at > 0`, ref.Shop, ref.ID, step)
}

// Finish records that the step is done, and its result as JSON without personal
// data. A finished step keeps its first result.
func (s Intents) Finish(ctx context.Context, ref claim.Ref, step string, result any) error {
	doing := doingStep("finish", ref, step)
	data, err := json.Marshal(result)
	if err != nil {
		return fmt.Errorf("%s: encode the result as JSON: %w", doing, err)
	}
	return s.write(ctx, doing, func(tx *sql.Tx) error {
		if err := claimExists(ctx, tx, ref); err != nil {
			return err
		}
		if err := s.gather(ctx, tx, ref, writeGathers); err != nil {
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

// Get reads the intent of a step. It returns [ErrNotFound] if the step was never
// begun.
func (s Intents) Get(ctx context.Context, ref claim.Ref, step string) (Intent, error) {
	return get(ctx, s.core, doingStep("read", ref, step), func(db *sql.DB) (Intent, error) {
		return readIntent(ctx, db, Intent{Ref: ref, Step: step})
	})
}

// changeIntent changes an intent if it is still outstanding since the send that the
// caller knows of. may, if not nil, is called before the intent is locked.
func (s *core) changeIntent(ctx context.Context, verb string, read Intent, may func(tx *sql.Tx) error, change func(in *Intent, now time.Time)) (in Intent, mine bool, err error) {
	place := read.place()
	err = s.write(ctx, verb+" step "+read.Step+" of "+place.name, func(tx *sql.Tx) (err error) {
		if may != nil {
			if err := may(tx); err != nil {
				return err
			}
		}
		in, err = lockIntent(ctx, tx, read)
		mine = err == nil && in.DoneAt.IsZero() && !in.SentAt.IsZero() && in.SentAt.Equal(read.SentAt) && in.Try == read.Try
		if !mine {
			return err
		}
		change(&in, timeOf(s.now()))
		_, err = exec(ctx, tx, `UPDATE `+place.table+` SET try = $4, sent_at = $5 WHERE `+place.where, place.key(in.Step, in.Try, micros(in.SentAt))...)
		return err
	})
	return in, mine, err
}

// lockIntent reads an intent and locks its row until the transaction ends.
func lockIntent(ctx context.Context, tx *sql.Tx, in Intent) (Intent, error) {
	place := in.place()
	return scanIntent(in, tx.QueryRowContext(ctx, `UPDATE `+place.table+` SET try = try
		WHERE `+place.where+` RETURNING try, sent_at, result, done_at`, place.key(in.Step)...))
}

func readIntent(ctx context.Context, q querier, in Intent) (Intent, error) {
	place := in.place()
	return scanIntent(in, q.QueryRowContext(ctx, `SELECT try, sent_at, result, done_at FROM `+place.table+` WHERE `+place.where, place.key(in.Step)...))
}

// scanIntent scans an intent of which the owner and the step are known.
func scanIntent(of Intent, row *sql.Row) (Intent, error) {
	in := Intent{Ref: of.Ref, Operation: of.Operation, Step: of.Step}
	var sent, done int64
	var result string
	err := row.Scan(&in.Try, &sent, &result, &done)
	if errors.Is(err, sql.ErrNoRows) {
		return in, notFound("intent " + in.Step + " of " + in.place().name)
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
