package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/claimflow/claimflow/claim"
)

// ErasurePerson is who an erasure is about.
type ErasurePerson struct {
	claim.ErasureRequest
	// ConnectionID is the connection of the shop; empty if it has none.
	ConnectionID string    `json:"-"`
	StartedAt    time.Time `json:"-"`
	// Words are all addresses, numbers and external ids that are known of the person,
	// in lower case.
	Words []string `json:"words,omitempty"`
}

// normalized returns the spelling of a value by which requests are compared.
func normalized(by, value string) string {
	if by == "email" {
		return strings.ToLower(value)
	}
	if by != "phone" {
		return value
	}
	return strings.Map(func(r rune) rune {
		if r == '+' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, value)
}

// Begin stores an erasure of a customer of a shop, which may be deleted. If one of the
// same customer in the same mode is running, it returns that one, and fresh is false. It
// returns [ErrNotFound] if the shop never existed.
func (s Erasures) Begin(ctx context.Context, shop string, r claim.ErasureRequest) (_ claim.Erasure, fresh bool, err error) {
	by, value, ok := r.By()
	if !ok {
		return claim.Erasure{}, false, errors.New("erase a customer: exactly one of email, phone, external id and end user id is required")
	}
	id := uuid.NewString()
	person, err := s.sealJSON(erasedPerson, ErasurePerson{ErasureRequest: r, Words: []string{strings.ToLower(value)}}, id)
	if err != nil {
		return claim.Erasure{}, false, err
	}
	key := s.keyedHash("erasure", shop, by, normalized(by, value), fmt.Sprint(r.DryRun))[:32]
	var out claim.Erasure
	err = s.write(ctx, "begin an erasure for shop "+shop, func(tx *sql.Tx) error {
		var connection sql.NullString
		if err := queryOne(ctx, tx, shopNotFound(shop), []any{&connection}, `SELECT connection_id FROM shops WHERE slug = $1`, shop); err != nil {
			return err
		}
		n, err := exec(ctx, tx, `INSERT INTO erasures (id, shop, identity, dry_run, state, connection_id, person, started_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (shop, identity) WHERE state = 'running' DO NOTHING`,
			id, shop, key, r.DryRun, claim.ErasureRunning, connection.String, person, s.now())
		if err != nil {
			return err
		}
		fresh = n == 1
		found, err := s.erasures(ctx, tx, `shop = $1 AND identity = $2 AND state = 'running'`, shop, key)
		out, err = only(found, err, notFound("erasure"))
		return err
	})
	return out, fresh, err
}

func (s *core) erasures(ctx context.Context, q querier, where string, args ...any) ([]claim.Erasure, error) {
	return collect(ctx, q, scanErasure, `SELECT id, shop, identity, dry_run, state, why, steps, report, started_at, finished_at FROM erasures WHERE `+where, args...)
}

func scanErasure(scan func(...any) error) (e claim.Erasure, err error) {
	var steps, report string
	var started, finished int64
	if err := scan(&e.ID, &e.Shop, &e.Key, &e.DryRun, &e.State, &e.Why, &steps, &report, &started, &finished); err != nil {
		return e, err
	}
	e.StartedAt, e.FinishedAt = timeOf(started), timeOf(finished)
	return e, errors.Join(json.Unmarshal([]byte(steps), &e.Steps), json.Unmarshal([]byte(report), &e.Report))
}

// Get reads an erasure. It returns [ErrNotFound] if the shop has none with that id.
func (s Erasures) Get(ctx context.Context, shop, id string) (claim.Erasure, error) {
	return get(ctx, s.core, "read erasure "+id, func(db *sql.DB) (claim.Erasure, error) {
		found, err := s.erasures(ctx, db, `shop = $1 AND id = $2`, shop, id)
		return only(found, err, notFound("erasure "+id))
	})
}

// erasuresListed is how many erasures a list has at most.
const erasuresListed = 200

// List lists the newest erasures of a shop, newest first.
func (s Erasures) List(ctx context.Context, shop string) ([]claim.Erasure, error) {
	return get(ctx, s.core, "list the erasures of shop "+shop, func(db *sql.DB) ([]claim.Erasure, error) {
		return s.erasures(ctx, db, `shop = $1 ORDER BY started_at DESC, id LIMIT $2`, shop, erasuresListed)
	})
}

// Running lists the erasures that have not ended, oldest first.
func (s Erasures) Running(ctx context.Context) ([]claim.Erasure, error) {
	return get(ctx, s.core, "list the running erasures", func(db *sql.DB) ([]claim.Erasure, error) {
		return s.erasures(ctx, db, `state = 'running' ORDER BY started_at, id`)
	})
}

// Person reads who a running erasure is about. It returns [ErrNotFound] once the erasure
// ended.
func (s Erasures) Person(ctx context.Context, id string) (ErasurePerson, error) {
	return get(ctx, s.core, "read who erasure "+id+" is about", func(db *sql.DB) (ErasurePerson, error) { return s.erasurePerson(ctx, db, id) })
}

func (s *core) erasurePerson(ctx context.Context, q querier, id string) (p ErasurePerson, err error) {
	var sealed []byte
	var started int64
	err = queryOne(ctx, q, notFound("running erasure "+id), []any{&p.ConnectionID, &sealed, &started},
		`SELECT connection_id, person, started_at FROM erasures WHERE id = $1 AND state = 'running'`, id)
	if err != nil {
		return p, err
	}
	p.StartedAt = timeOf(started)
	return p, s.openJSON(erasedPerson, sealed, &p, id)
}

// changeErasure locks an erasure that has not ended and changes it. It returns [ErrNotFound] if
// it ended.
func (s *core) changeErasure(ctx context.Context, tx *sql.Tx, id string, change func(e *claim.Erasure)) error {
	if err := execOne(ctx, tx, notFound("running erasure "+id), `UPDATE erasures SET why = why WHERE id = $1 AND state = 'running'`, id); err != nil {
		return err
	}
	found, err := s.erasures(ctx, tx, `id = $1`, id)
	e, err := only(found, err, notFound("erasure "+id))
	if err != nil {
		return err
	}
	change(&e)
	steps, err := json.Marshal(e.Steps)
	if err != nil {
		return err
	}
	report, err := json.Marshal(e.Report)
	if err != nil {
		return err
	}
	_, err = exec(ctx, tx, `UPDATE erasures SET state = $2, why = $3, steps = $4, report = $5, finished_at = $6 WHERE id = $1`,
		id, e.State, plain(cut(e.Why, maxLastError)), plain(string(steps)), plain(string(report)), micros(e.FinishedAt))
	return err
}

// Step records that an erasure has reached a step. Repeating it does nothing.
func (s Erasures) Step(ctx context.Context, id, step string) error {
	return s.write(ctx, "record the progress of erasure "+id, func(tx *sql.Tx) error {
		return s.changeErasure(ctx, tx, id, func(e *claim.Erasure) {
			now := timeOf(s.now())
			if slices.ContainsFunc(e.Steps, func(done claim.ErasureStep) bool { return done.Name == step }) {
				return
			}
			e.Why = ""
			endStep(e, now)
			e.Steps = append(e.Steps, claim.ErasureStep{Name: step, StartedAt: now})
		})
	})
}

func endStep(e *claim.Erasure, now time.Time) {
	if n := len(e.Steps); n > 0 && e.Steps[n-1].FinishedAt.IsZero() {
		e.Steps[n-1].FinishedAt = now
	}
}

// Wait records what an erasure waits for; empty for nothing.
func (s Erasures) Wait(ctx context.Context, id, why string) error {
	return s.write(ctx, "record what erasure "+id+" waits for", func(tx *sql.Tx) error {
		return s.changeErasure(ctx, tx, id, func(e *claim.Erasure) { e.Why = why })
	})
}

// GiveUpDixa records why the erasure goes on without Dixa.
func (s Erasures) GiveUpDixa(ctx context.Context, id, why string) error {
	return s.write(ctx, "record that erasure "+id+" goes on without Dixa", func(tx *sql.Tx) error {
		return s.changeErasure(ctx, tx, id, func(e *claim.Erasure) { e.Report.DixaTrouble = cmp.Or(why, "Dixa has not finished") })
	})
}

// Note adds a note to the report, once.
func (s Erasures) Note(ctx context.Context, id, note string) error {
	return s.write(ctx, "add a note to erasure "+id, func(tx *sql.Tx) error {
		return s.changeErasure(ctx, tx, id, func(e *claim.Erasure) {
			if !slices.Contains(e.Report.Notes, note) {
				e.Report.Notes = append(e.Report.Notes, note)
			}
		})
	})
}

// addRows adds counts of rows to the report, in the transaction that changed them.
func (s *core) addRows(ctx context.Context, tx *sql.Tx, id string, counts map[string]int) error {
	return s.changeErasure(ctx, tx, id, func(e *claim.Erasure) {
		if e.Report.Rows == nil {
			e.Report.Rows = map[string]int{}
		}
		for table, n := range counts {
			if n > 0 {
				e.Report.Rows[table] += n
			}
		}
	})
}

// End ends an erasure, with the answers of Dixa and the leftovers that the last check
// found. It deletes who the erasure is about. Ending it again does nothing.
func (s Erasures) End(ctx context.Context, id string, leftovers map[string]int) error {
	err := s.write(ctx, "end erasure "+id, func(tx *sql.Tx) error {
		answers, err := collect(ctx, tx, func(scan func(...any) error) (a claim.ErasureAnswer, err error) {
			err = scan(&a.Result, &a.Detail)
			return a, err
		}, `SELECT result, detail FROM erasure_subjects WHERE erasure_id = $1 AND kind = $2 AND result <> '' ORDER BY connection_id, id`, id, SubjectEndUser)
		if err != nil {
			return err
		}
		err = s.changeErasure(ctx, tx, id, func(e *claim.Erasure) {
			now := timeOf(s.now())
			endStep(e, now)
			e.FinishedAt, e.State, e.Why = now, claim.ErasureDone, ""
			e.Report.Dixa, e.Report.Leftovers = answers, leftovers
			if e.Report.DixaTrouble != "" {
				e.State, e.Why = claim.ErasureIncomplete, e.Report.DixaTrouble
			}
			if i := slices.IndexFunc(answers, func(a claim.ErasureAnswer) bool { return !a.Complete() }); i >= 0 {
				e.State, e.Why = claim.ErasureIncomplete, "Dixa has not anonymized an end user: "+answers[i].Result
			}
			if len(leftovers) > 0 {
				e.State = claim.ErasureFailed
				e.Why = "the customer is still found in " + strings.Join(slices.Sorted(maps.Keys(leftovers)), ", ")
			}
		})
		if err != nil {
			return err
		}
		if _, err := exec(ctx, tx, `DELETE FROM erasure_subjects WHERE erasure_id = $1 AND kind = $2`, id, SubjectEndUser); err != nil {
			return err
		}
		_, err = exec(ctx, tx, `UPDATE erasures SET person = NULL WHERE id = $1`, id)
		return err
	})
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}
