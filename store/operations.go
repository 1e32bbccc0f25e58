package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// OperationState is the state of an operation.
type OperationState string

// States of an operation.
const (
	OperationRunning OperationState = "running"
	OperationDone    OperationState = "done"
	// OperationFailed: Dixa refused it, or it could not be carried out in time.
	OperationFailed OperationState = "failed"
)

// OperationRef identifies an operation.
type OperationRef struct {
	ConnectionID string `json:"connection_id"`
	ID           string `json:"operation_id"`
}

// NewOperation is a write through the unified API to be carried out.
type NewOperation struct {
	// ID is the id of the operation; empty for a new one. It is a conflict if it has
	// another Key already.
	ID           string
	ConnectionID string
	// Shop is the shop that the caller's API key is limited to; empty for none.
	Shop string
	// Key are the parts that make the write unique: method, address and
	// Idempotency-Key.
	Key []string
	// Content are the parts in which a repeat must be equal: the query and the body.
	Content []string
	// Request is what to do. It is encrypted, and deleted once the operation ended.
	Request []byte
}

// Operation is a write through the unified API and its outcome.
type Operation struct {
	OperationRef
	// Shop is [NewOperation.Shop].
	Shop  string
	State OperationState
	// Status is the HTTP status of the answer and Answer its JSON body; 0 and nil while
	// the operation is running.
	Status int
	Answer json.RawMessage
	// FinishedAt is zero while the operation is running.
	CreatedAt, FinishedAt time.Time
}

// Begin stores an operation, unless there is one with the same key: fresh is false,
// and that one is returned, with a [*ConflictError] if its content differs. Of any
// number of concurrent callers, fresh is true for one.
func (s Operations) Begin(ctx context.Context, n NewOperation) (op Operation, fresh bool, err error) {
	id := cmp.Or(n.ID, uuid.NewString())
	sealed, err := s.seal(operationWrite, n.Request, id)
	if err != nil {
		return op, false, err
	}
	err = s.write(ctx, "store an operation", func(tx *sql.Tx) error {
		now := s.now()
		op = Operation{OperationRef: OperationRef{n.ConnectionID, id}, Shop: n.Shop, State: OperationRunning, CreatedAt: timeOf(now)}
		inserted, err := exec(ctx, tx, `INSERT INTO operations (id, connection_id, shop, key, content, request, state, created_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING`,
			id, n.ConnectionID, n.Shop, s.keyOf(n), s.contentOf(n), sealed, OperationRunning, now)
		fresh = inserted > 0
		return err
	})
	if err == nil && !fresh {
		op, err = s.Find(ctx, n)
		if n.ID != "" && errors.Is(err, ErrNotFound) {
			err = conflict("operation %s has another key", id)
		}
	}
	return op, fresh, err
}

func (s Operations) keyOf(n NewOperation) string { return s.keyedHash("operation", n.Key...) }

func (s Operations) contentOf(n NewOperation) string {
	return s.keyedHash("operation content", n.Content...)
}

// Find reads the operation with the same key, without a write transaction: clients repeat
// a request several times at once. It returns [ErrNotFound] if there is none, and the
// operation with a [*ConflictError] if its content differs. NewOperation.Request is not
// used.
func (s Operations) Find(ctx context.Context, n NewOperation) (Operation, error) {
	return get(ctx, s.core, "read an operation", func(db *sql.DB) (Operation, error) {
		var id, have string
		err := queryOne(ctx, db, notFound("operation"), []any{&id, &have}, `SELECT id, content FROM operations WHERE connection_id = $1 AND key = $2`, n.ConnectionID, s.keyOf(n))
		if err != nil {
			return Operation{}, err
		}
		op, err := s.operation(ctx, db, id)
		if err == nil && have != s.contentOf(n) {
			err = conflict("operation %s has the same key and another content", id)
		}
		return op, err
	})
}

// Get reads an operation. It returns [ErrNotFound] if there is none with this id, or no
// longer.
func (s Operations) Get(ctx context.Context, id string) (Operation, error) {
	return get(ctx, s.core, "read operation "+id, func(db *sql.DB) (Operation, error) { return s.operation(ctx, db, id) })
}

func (s *core) operation(ctx context.Context, q querier, id string) (Operation, error) {
	op := Operation{OperationRef: OperationRef{ID: id}}
	var sealed []byte
	var created, finished int64
	err := queryOne(ctx, q, notFound("operation "+id), []any{&op.ConnectionID, &op.Shop, &op.State, &op.Status, &sealed, &created, &finished},
		`SELECT connection_id, shop, state, status, answer, created_at, finished_at FROM operations WHERE id = $1`, id)
	if err != nil {
		return op, err
	}
	op.CreatedAt, op.FinishedAt = timeOf(created), timeOf(finished)
	if sealed != nil {
		op.Answer, err = s.open(operationReply, sealed, id)
	}
	return op, err
}

// Request reads what an operation has to do. It returns [ErrNotFound] once the operation
// ended.
func (s Operations) Request(ctx context.Context, id string) ([]byte, error) {
	return get(ctx, s.core, "read the request of operation "+id, func(db *sql.DB) ([]byte, error) {
		var sealed []byte
		err := queryOne(ctx, db, notFound("operation "+id), []any{&sealed}, `SELECT request FROM operations WHERE id = $1 AND request IS NOT NULL`, id)
		if err != nil {
			return nil, err
		}
		return s.open(operationWrite, sealed, id)
	})
}

// Finish records the answer of an operation that is done and deletes its request. An
// operation that ended keeps its first answer.
func (s Operations) Finish(ctx context.Context, id string, status int, answer []byte) error {
	return s.finish(ctx, id, OperationDone, status, answer, false)
}

// Fail is [Operations.Finish] for a failure that a repeat would get again.
func (s Operations) Fail(ctx context.Context, id string, status int, answer []byte) error {
	return s.finish(ctx, id, OperationFailed, status, answer, false)
}

// Release is [Operations.Finish] for a failure that says nothing about the request, such
// as a refused token. If Dixa has done nothing of it, its key is free again.
func (s Operations) Release(ctx context.Context, id string, status int, answer []byte) error {
	return s.finish(ctx, id, OperationFailed, status, answer, true)
}

func (s Operations) finish(ctx context.Context, id string, state OperationState, status int, answer []byte, release bool) error {
	sealed, err := s.seal(operationReply, answer, id)
	if err != nil {
		return err
	}
	return s.write(ctx, "finish operation "+id, func(tx *sql.Tx) error {
		n, err := exec(ctx, tx, `UPDATE operations SET state = $2, status = $3, answer = $4, finished_at = $5, request = NULL WHERE id = $1 AND state = $6`,
			id, state, status, sealed, s.now(), OperationRunning)
		if err != nil || n == 0 || !release {
			return err
		}
		_, err = exec(ctx, tx, `UPDATE operations SET key = id WHERE id = $1 AND NOT EXISTS (
			SELECT 1 FROM operation_intents WHERE operation_id = $1 AND (sent_at > 0 OR try > 0 AND done_at > 0))`, id)
		return err
	})
}

// Running lists the operations that have not ended and began before a time, oldest
// first, without their answers.
func (s Operations) Running(ctx context.Context, before time.Time) ([]OperationRef, error) {
	return list(ctx, s.core, "list the running operations", func(scan func(...any) error) (ref OperationRef, err error) {
		err = scan(&ref.ConnectionID, &ref.ID)
		return ref, err
	}, `SELECT connection_id, id FROM operations WHERE state = $1 AND created_at < $2 ORDER BY created_at LIMIT 1000`, OperationRunning, micros(before))
}

// DeleteFinished deletes the operations that ended before a time. It returns their
// number.
func (s Operations) DeleteFinished(ctx context.Context, before time.Time) (n int, err error) {
	err = s.write(ctx, "delete old operations", func(tx *sql.Tx) (err error) {
		n, err = exec(ctx, tx, `DELETE FROM operations WHERE finished_at > 0 AND finished_at < $1`, micros(before))
		return err
	})
	return n, err
}

// OperationTime is how long after its start an operation may send. A caller that no
// longer expects it must not be surprised by it later.
const OperationTime = time.Hour

// ErrEnded means that an operation has ended, or its account was deleted. Use
// [errors.Is].
var ErrEnded = errors.New("the operation has ended")

// LateError means that a step was not begun because the operation's time is over.
type LateError struct{ OperationRef }

func (e *LateError) Error() string {
	return fmt.Sprintf("the time of operation %s is over, so it sends nothing more", e.ID)
}

// BeginStep is [Intents.Begin] for a step of an operation. It returns [ErrEnded] if the
// operation has ended, and a [*LateError] for a step that was never sent once the
// operation's time is over.
func (s Operations) BeginStep(ctx context.Context, ref OperationRef, step string) (in Intent, outstanding bool, err error) {
	err = s.write(ctx, "begin step "+step+" of operation "+ref.ID, func(tx *sql.Tx) error {
		maySend, err := s.lockOperation(ctx, tx, ref)
		if err != nil {
			return err
		}
		in, outstanding, err = s.beginIntent(ctx, tx, Intent{Operation: ref, Step: step}, maySend)
		return err
	})
	return in, outstanding, err
}

// lockOperation locks a running operation until the transaction ends, so that it cannot
// end between an intent and the check that allows it. maySend is that check.
func (s *core) lockOperation(ctx context.Context, tx *sql.Tx, ref OperationRef) (maySend func() error, err error) {
	var created int64
	err = queryOne(ctx, tx, fmt.Errorf("operation %s: %w", ref.ID, ErrEnded), []any{&created},
		`UPDATE operations SET state = state WHERE id = $1 AND state = $2 RETURNING created_at`, ref.ID, OperationRunning)
	return func() error {
		if s.now() > created+OperationTime.Microseconds() {
			return &LateError{ref}
		}
		return nil
	}, err
}

// Step reads the intent of a step. It returns [ErrNotFound] if the step was never begun.
func (s Operations) Step(ctx context.Context, ref OperationRef, step string) (Intent, error) {
	return get(ctx, s.core, "read step "+step+" of operation "+ref.ID, func(db *sql.DB) (Intent, error) {
		return readIntent(ctx, db, Intent{Operation: ref, Step: step})
	})
}

// FinishStep records that a step is done, even if it was not begun, its result as JSON without personal data, and
// the object in Dixa that it created or found, such as "note:1"; empty for none. A
// finished step keeps its first result. The error is a [*ConflictError] if another step
// of the connection has the object.
func (s Operations) FinishStep(ctx context.Context, ref OperationRef, step, object string, result any) error {
	doing := "finish step " + step + " of operation " + ref.ID
	data, err := json.Marshal(result)
	if err != nil {
		return fmt.Errorf("%s: encode the result as JSON: %w", doing, err)
	}
	return s.write(ctx, doing, func(tx *sql.Tx) error {
		if object != "" {
			taken, err := stepOf(ctx, tx, ref.ConnectionID, object)
			if err != nil {
				return err
			}
			if taken != "" && taken != ref.ID {
				return conflict("%s belongs to operation %s", object, taken)
			}
			if taken != "" {
				object = "" // by an earlier step of this operation
			}
		}
		_, err := exec(ctx, tx, `INSERT INTO operation_intents (connection_id, operation_id, step, try, sent_at, result, object, done_at)
			VALUES ($1, $2, $3, 0, 0, $4, $5, $6)
			ON CONFLICT (connection_id, operation_id, step) DO UPDATE SET sent_at = 0, result = excluded.result, object = excluded.object, done_at = excluded.done_at
			WHERE operation_intents.done_at = 0`, ref.ConnectionID, ref.ID, step, string(data), object, s.now())
		return err
	})
}

// ObjectOf returns the id of the operation that created an object in Dixa, see
// [Operations.FinishStep]; empty if none is known.
func (s Operations) ObjectOf(ctx context.Context, connectionID, object string) (string, error) {
	return get(ctx, s.core, "read the operation of an object", func(db *sql.DB) (string, error) { return stepOf(ctx, db, connectionID, object) })
}

// DisownObject forgets which operation created an object in Dixa, see
// [Operations.FinishStep], because Dixa no longer has it and may use its id again.
func (s Operations) DisownObject(ctx context.Context, connectionID, object string) error {
	return s.write(ctx, "forget the operation of an object", func(tx *sql.Tx) error {
		_, err := exec(ctx, tx, `UPDATE operation_intents SET object = '' WHERE connection_id = $1 AND object = $2`, connectionID, object)
		return err
	})
}

func stepOf(ctx context.Context, q querier, connectionID, object string) (id string, err error) {
	err = queryOne(ctx, q, nil, []any{&id}, `SELECT operation_id FROM operation_intents WHERE connection_id = $1 AND object = $2`, connectionID, object)
	return id, err
}

// eraseBatch is how many answers [Operations.Erase] reads at once.
const eraseBatch = 200

// Erase blanks the answers of operations that ended and in which a person is found by
// any of the words, in lower case. It returns their number. Operations that still run
// keep their request until they end.
func (s Operations) Erase(ctx context.Context, connectionID string, words []string) (int, error) {
	words = quotedShort(words)
	erased := 0
	for after := ""; ; {
		n, last, err := s.erase(ctx, connectionID, words, after)
		erased += n
		if err != nil || last == "" {
			return erased, err
		}
		after = last
	}
}

func (s Operations) erase(ctx context.Context, connectionID string, words []string, after string) (erased int, last string, err error) {
	err = s.write(ctx, "erase a person from the answers of operations", func(tx *sql.Tx) error {
		erased, last = 0, ""
		found := map[string]bool{}
		err := queryEach(ctx, tx, func(scan func(...any) error) error {
			var sealed []byte
			if err := scan(&last, &sealed); err != nil {
				return err
			}
			answer, err := s.open(operationReply, sealed, last)
			text := strings.ToLower(string(answer))
			found[last] = slices.ContainsFunc(words, func(word string) bool { return strings.Contains(text, word) })
			return err
		}, `SELECT id, answer FROM operations WHERE connection_id = $1 AND id > $2 AND answer IS NOT NULL ORDER BY id LIMIT $3`, connectionID, after, eraseBatch)
		if err != nil {
			return err
		}
		for id, mentioned := range found {
			if !mentioned {
				continue
			}
			erased++
			sealed, err := s.seal(operationReply, []byte(`{}`), id)
			if err != nil {
				return err
			}
			if _, err := exec(ctx, tx, `UPDATE operations SET answer = $2 WHERE id = $1`, id, sealed); err != nil {
				return err
			}
		}
		return nil
	})
	return erased, last, err
}
