package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/claimflow/claimflow/claim"
)

// maxRejects bounds the rejected rows whose reasons a window keeps.
const maxRejects = 100

// Begin stores a new import with its windows, in the order in which they are to be
// processed. If an import of the connection is running or paused, Begin returns that
// one instead and fresh is false.
func (s Imports) Begin(ctx context.Context, i claim.Import) (current claim.Import, fresh bool, err error) {
	i.ID, i.State, i.StartedAt = uuid.NewString(), claim.ImportRunning, timeOf(s.now())
	err = s.write(ctx, "begin an import of connection "+i.ConnectionID, func(tx *sql.Tx) error {
		n, err := exec(ctx, tx, `INSERT INTO imports (id, connection_id, state, cause, access, why, started_at) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING`,
			i.ID, i.ConnectionID, i.State, i.Cause, i.Access, plain(i.Why), micros(i.StartedAt))
		if fresh = n == 1; err != nil || !fresh {
			return err
		}
		return s.addWindows(ctx, tx, i.ID, 0, i.Windows)
	})
	if err != nil || fresh {
		return i, fresh, err
	}
	current, err = s.Current(ctx, i.ConnectionID)
	return current, false, err
}

func (s *core) addWindows(ctx context.Context, tx *sql.Tx, id string, first int, windows []claim.ImportWindow) error {
	insert := newUpsert("import_windows", []string{"import_id", "n"}, "stream", "from_at", "to_at", "state")
	for n, w := range windows {
		insert.add(id, first+n, w.Stream, micros(w.From), micros(w.To), claim.WindowWaiting)
	}
	return insert.run(ctx, tx, s.dialect)
}

// Extend appends windows to an import that runs.
func (s Imports) Extend(ctx context.Context, id string, windows []claim.ImportWindow) error {
	return s.write(ctx, "extend import "+id, func(tx *sql.Tx) error {
		var next int
		if err := queryOne(ctx, tx, ErrNotFound, []any{&next}, `SELECT COALESCE(MAX(n) + 1, 0) FROM import_windows WHERE import_id = $1`, id); err != nil {
			return err
		}
		return s.addWindows(ctx, tx, id, next, windows)
	})
}

const importColumns = `i.id, i.connection_id, i.state, i.cause, i.access, i.why, i.started_at, i.finished_at,
	COUNT(w.n), COALESCE(SUM(CASE WHEN w.state = 'done' THEN 1 ELSE 0 END), 0), COALESCE(SUM(CASE WHEN w.state = 'parked' THEN 1 ELSE 0 END), 0),
	COALESCE(SUM(w.read), 0), COALESCE(SUM(w.added), 0), COALESCE(SUM(w.changed), 0), COALESCE(SUM(w.excluded), 0), COALESCE(SUM(w.rejected), 0), COALESCE(SUM(w.requests), 0)`

const importsFrom = ` FROM imports i LEFT JOIN import_windows w ON w.import_id = i.id WHERE `

const importsGroup = ` GROUP BY i.id, i.connection_id, i.state, i.cause, i.access, i.why, i.started_at, i.finished_at`

func (s Imports) scan(scan func(...any) error) (i claim.Import, err error) {
	var started, finished int64
	err = scan(&i.ID, &i.ConnectionID, &i.State, &i.Cause, &i.Access, &i.Why, &started, &finished, &i.WindowsTotal, &i.WindowsDone, &i.WindowsParked,
		&i.Read, &i.Added, &i.Changed, &i.Excluded, &i.Rejected, &i.Requests)
	i.StartedAt, i.FinishedAt = timeOf(started), timeOf(finished)
	end := s.now()
	if finished != 0 {
		end = finished
	}
	if seconds := float64(end-started) / 1e6; seconds > 0 {
		i.RowsPerSecond = float64(i.Read) / seconds
		if left := i.WindowsTotal - i.WindowsDone - i.WindowsParked; left > 0 && i.WindowsDone > 0 && finished == 0 {
			i.SecondsLeft = int(seconds / float64(i.WindowsDone) * float64(left))
		}
	}
	return i, err
}

// Current returns the import of a connection that runs or is paused. It returns
// [ErrNotFound] if there is none.
func (s Imports) Current(ctx context.Context, connectionID string) (claim.Import, error) {
	found, err := list(ctx, s.core, "read the import of connection "+connectionID, s.scan,
		`SELECT `+importColumns+importsFrom+`i.connection_id = $1 AND i.state IN ('running', 'paused')`+importsGroup, connectionID)
	return only(found, err, notFound("running import of connection "+connectionID))
}

// List lists the newest imports of a connection.
func (s Imports) List(ctx context.Context, connectionID string, limit int) ([]claim.Import, error) {
	return list(ctx, s.core, "list the imports of connection "+connectionID, s.scan,
		`SELECT `+importColumns+importsFrom+`i.connection_id = $1`+importsGroup+` ORDER BY i.started_at DESC, i.id LIMIT $2`, connectionID, pageSize(limit))
}

// Get reads an import of a connection with its windows. It returns [ErrNotFound] if
// the connection has none with that id.
func (s Imports) Get(ctx context.Context, connectionID, id string) (claim.Import, error) {
	found, err := list(ctx, s.core, "read import "+id, s.scan, `SELECT `+importColumns+importsFrom+`i.connection_id = $1 AND i.id = $2`+importsGroup, connectionID, id)
	i, err := only(found, err, notFound("import "+id))
	if err != nil {
		return i, err
	}
	if i.Windows, err = s.windows(ctx, id, ""); err != nil {
		return i, err
	}
	err = s.read(ctx, "read the rejected rows of import "+id, func(db *sql.DB) error {
		return queryEach(ctx, db, func(scan func(...any) error) error {
			var n, place int
			var why string
			if err := scan(&n, &place, &why); err != nil {
				return err
			}
			w := &i.Windows[n]
			if w.Rejects == nil {
				w.Rejects = map[int]string{}
			}
			w.Rejects[place] = why
			return nil
		}, `SELECT n, place, why FROM import_rejects WHERE import_id = $1`, id)
	})
	return i, err
}

// Waiting lists the windows of an import that are not done or parked, in the order in
// which they are to be processed.
func (s Imports) Waiting(ctx context.Context, id string) ([]claim.ImportWindow, error) {
	return s.windows(ctx, id, claim.WindowWaiting)
}

func (s Imports) windows(ctx context.Context, id string, state claim.WindowState) ([]claim.ImportWindow, error) {
	return list(ctx, s.core, "read the windows of import "+id, func(scan func(...any) error) (w claim.ImportWindow, err error) {
		var from, to, finished int64
		err = scan(&w.N, &w.Stream, &from, &to, &w.State, &w.Why, &w.Read, &w.Added, &w.Changed, &w.Excluded, &w.Rejected, &w.Requests, &finished)
		w.From, w.To, w.FinishedAt = timeOf(from), timeOf(to), timeOf(finished)
		return w, err
	}, `SELECT n, stream, from_at, to_at, state, why, read, added, changed, excluded, rejected, requests, finished_at FROM import_windows
		WHERE import_id = $1 AND ($2 = '' OR state = $2) ORDER BY n`, id, string(state))
}

// SetState pauses, resumes, cancels or ends an import. It returns an
// [*ImportStateError] if the import has ended, and [ErrNotFound] if the connection has
// none with that id.
func (s Imports) SetState(ctx context.Context, connectionID, id string, state claim.ImportState) error {
	var finished int64
	if state == claim.ImportDone || state == claim.ImportCancelled {
		finished = s.now()
	}
	return s.write(ctx, fmt.Sprintf("change import %s to %s", id, state), func(tx *sql.Tx) error {
		var was claim.ImportState
		err := queryOne(ctx, tx, notFound("import "+id), []any{&was}, `SELECT state FROM imports WHERE connection_id = $1 AND id = $2`, connectionID, id)
		if err != nil || was == state {
			return err
		}
		return execOne(ctx, tx, &ImportStateError{ID: id, State: was},
			`UPDATE imports SET state = $2, finished_at = $3 WHERE id = $1 AND state IN ('running', 'paused')`, id, state, finished)
	})
}

// ImportStateError means that an import has ended.
type ImportStateError struct {
	ID    string
	State claim.ImportState
}

func (e *ImportStateError) Error() string {
	return fmt.Sprintf("import %s has ended (%s); start another one", e.ID, e.State)
}

// WindowResult is what an attempt at a window did.
type WindowResult struct {
	State claim.WindowState
	Why   string
	claim.ImportCounts
	// Rejects are reasons by position in Dixa's answer.
	Rejects map[int]string
	// Cursor is where another attempt continues, if it does.
	Cursor string
}

// ErrWindowEnded means that another attempt has ended the window.
var ErrWindowEnded = errors.New("the window has ended")

// FinishWindow records what an attempt at a window did so far. Read, Excluded and
// Rejected replace those of an earlier record, the other counts are added. The state
// says whether the attempt continues. A window that is done adds its period to
// [Imports.Coverage]. Of a window that has ended, FinishWindow records only that it is
// done, and returns [ErrWindowEnded] otherwise.
func (s Imports) FinishWindow(ctx context.Context, connectionID, id string, w claim.ImportWindow, r WindowResult) error {
	return s.write(ctx, fmt.Sprintf("finish window %d of import %s", w.N, id), func(tx *sql.Tx) error {
		var finished int64
		if r.State != claim.WindowWaiting {
			finished = s.now()
		}
		err := execOne(ctx, tx, ErrWindowEnded, `UPDATE import_windows SET state = $3, why = $4, read = $5, added = added + $6, changed = changed + $7, excluded = $8, rejected = $9,
				requests = requests + $10, finished_at = $11, cursor = $12
				WHERE import_id = $1 AND n = $2 AND (state = $13 OR $3 = $14)`,
			id, w.N, r.State, plain(cut(r.Why, maxLastError)), r.Read, r.Added, r.Changed, r.Excluded, r.Rejected, r.Requests, finished, r.Cursor,
			claim.WindowWaiting, claim.WindowDone)
		if err != nil {
			return err
		}
		if _, err := exec(ctx, tx, `DELETE FROM import_rejects WHERE import_id = $1 AND n = $2`, id, w.N); err != nil {
			return err
		}
		rejects := newUpsert("import_rejects", []string{"import_id", "n", "place"}, "why")
		for place, why := range r.Rejects {
			if len(rejects.rows) < maxRejects {
				rejects.add(id, w.N, place, plain(cut(why, maxLastError)))
			}
		}
		if err := rejects.run(ctx, tx, s.dialect); err != nil || r.State != claim.WindowDone {
			return err
		}
		// Neither the sources nor another window may change the periods meanwhile.
		if _, err := s.lockMirror(ctx, tx, connectionID); err != nil {
			return err
		}
		return cover(ctx, tx, connectionID, id, w)
	})
}

// WindowResult returns what the attempts at a window recorded, without its rejects. It
// returns [ErrNotFound] if the import has no such window.
func (s Imports) WindowResult(ctx context.Context, id string, n int) (r WindowResult, err error) {
	what := fmt.Sprintf("window %d of import %s", n, id)
	err = s.read(ctx, "read "+what, func(db *sql.DB) error {
		return queryOne(ctx, db, notFound(what), []any{&r.State, &r.Why, &r.Read, &r.Added, &r.Changed, &r.Excluded, &r.Rejected, &r.Requests, &r.Cursor},
			`SELECT state, why, read, added, changed, excluded, rejected, requests, cursor FROM import_windows WHERE import_id = $1 AND n = $2`, id, n)
	})
	return r, err
}

// cover adds the period of a window to those that are imported, unless the sources
// select more since the import began. Without exports, conversations are read with
// their messages.
func cover(ctx context.Context, tx *sql.Tx, connectionID, id string, w claim.ImportWindow) error {
	var outdated bool
	var access claim.ImportAccess
	err := queryOne(ctx, tx, nil, []any{&outdated, &access}, `SELECT m.widened_at > i.started_at, i.access
		FROM imports i JOIN mirrors m ON m.connection_id = i.connection_id WHERE i.id = $1`, id)
	if err != nil || outdated || w.To.IsZero() {
		return err
	}
	if access == claim.AccessSearch && w.Stream == claim.StreamConversations {
		messages := w
		messages.Stream = claim.StreamMessages
		if err := coverPeriod(ctx, tx, connectionID, messages); err != nil {
			return err
		}
	}
	return coverPeriod(ctx, tx, connectionID, w)
}

func coverPeriod(ctx context.Context, tx *sql.Tx, connectionID string, w claim.ImportWindow) error {
	from, to := micros(w.From), micros(w.To)
	touching, err := collect(ctx, tx, func(scan func(...any) error) (p [2]int64, err error) {
		err = scan(&p[0], &p[1])
		return p, err
	}, `DELETE FROM coverage WHERE connection_id = $1 AND stream = $2 AND from_at <= $4 AND to_at >= $3 RETURNING from_at, to_at`, connectionID, w.Stream, from, to)
	if err != nil {
		return err
	}
	for _, p := range touching {
		from, to = min(from, p[0]), max(to, p[1])
	}
	_, err = exec(ctx, tx, `INSERT INTO coverage (connection_id, stream, from_at, to_at) VALUES ($1, $2, $3, $4)`, connectionID, w.Stream, from, to)
	return err
}

// Period is a period of a stream.
type Period struct{ From, To time.Time }

// ForgetFuture removes the imported periods after now, which an import recorded while
// the clock was ahead. It returns the store's time.
func (s Imports) ForgetFuture(ctx context.Context, connectionID string) (now time.Time, err error) {
	return timeOf(s.now()), s.write(ctx, "correct the imported periods of connection "+connectionID, func(tx *sql.Tx) error {
		// A window that ends meanwhile must not join a period that is being removed.
		if _, err := s.lockMirror(ctx, tx, connectionID); err != nil {
			return err
		}
		if _, err := exec(ctx, tx, `DELETE FROM coverage WHERE connection_id = $1 AND from_at >= $2`, connectionID, s.now()); err != nil {
			return err
		}
		_, err := exec(ctx, tx, `UPDATE coverage SET to_at = $2 WHERE connection_id = $1 AND to_at > $2`, connectionID, s.now())
		return err
	})
}

// Coverage returns the imported periods of each stream, newest first and without
// overlap.
func (s Imports) Coverage(ctx context.Context, connectionID string) (map[claim.Stream][]Period, error) {
	return get(ctx, s.core, "read the imported periods of connection "+connectionID, func(db *sql.DB) (map[claim.Stream][]Period, error) {
		all := map[claim.Stream][]Period{}
		return all, queryEach(ctx, db, func(scan func(...any) error) error {
			var stream claim.Stream
			var from, to int64
			err := scan(&stream, &from, &to)
			all[stream] = append(all[stream], Period{timeOf(from), timeOf(to)})
			return err
		}, `SELECT stream, from_at, to_at FROM coverage WHERE connection_id = $1 ORDER BY stream, from_at DESC`, connectionID)
	})
}

// Parked lists the windows that the imports of a connection parked and that no later
// import has done.
func (s Imports) Parked(ctx context.Context, connectionID string) ([]claim.ImportWindow, error) {
	return list(ctx, s.core, "list the parked windows of connection "+connectionID, func(scan func(...any) error) (w claim.ImportWindow, err error) {
		var from, to int64
		err = scan(&w.Stream, &from, &to, &w.Why)
		w.From, w.To, w.State = timeOf(from), timeOf(to), claim.WindowParked
		return w, err
	}, `SELECT w.stream, w.from_at, w.to_at, MAX(w.why) FROM import_windows w JOIN imports i ON i.id = w.import_id
		WHERE i.connection_id = $1 AND w.state = 'parked' AND NOT EXISTS (
			SELECT 1 FROM import_windows d JOIN imports j ON j.id = d.import_id
			WHERE j.connection_id = $1 AND d.state = 'done' AND d.stream = w.stream AND d.from_at <= w.from_at AND d.to_at >= w.to_at AND d.finished_at > w.finished_at)
		GROUP BY w.stream, w.from_at, w.to_at ORDER BY w.to_at DESC, w.stream`, connectionID)
}
