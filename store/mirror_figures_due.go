package store

import (
	"context"
	"database/sql"
	"slices"
)

// ComputeFigures computes the figures of all conversations for which
// [MirrorBatch.Later] left them outdated, up to limit at once. It returns their number.
func (s Mirror) ComputeFigures(ctx context.Context, connectionID string, limit int) (total int, err error) {
	run := figuresRun{core: s.core, connectionID: connectionID, limit: limit}
	for {
		n, err := run.step(ctx)
		total += n
		switch {
		case err != nil:
			return total, err
		case n < limit && run.last == 0:
			return total, nil
		case n < limit:
			run.last = 0 // earlier ones may be outdated again
		}
	}
}

// figuresRun computes outdated figures, some conversations at once. It reads what the
// next ones need, and computes them, while it writes the figures of those before them.
type figuresRun struct {
	*core
	connectionID string
	limit        int
	// last is the last conversation that was computed since the first one. What is
	// outdated before it is found at the end: to search from the start each time would
	// read what the steps before left behind in the index.
	last int64

	// ahead was read in advance, or nil. before and after are the numbers of the mirror's
	// last change before and after the last step.
	ahead         *figuresAhead
	before, after int64
}

// figuresAhead is what the figures of conversations need, and the figures. change was the
// number of the mirror's last change before it was read.
type figuresAhead struct {
	figureParts
	ids    []int64
	change int64
}

// step computes figures and returns their number.
func (r *figuresRun) step(ctx context.Context) (n int, err error) {
	ready := r.ahead
	var next chan *figuresAhead
	var before, after, last int64
	err = r.write(ctx, "compute the figures of connection "+r.connectionID, func(tx *sql.Tx) error {
		ids, err := r.due(ctx, tx, r.last)
		if n = len(ids); err != nil || n == 0 {
			return err
		}
		last = ids[n-1]
		// The rows must not change while their figures are computed.
		if before, err = r.lockMirror(ctx, tx, r.connectionID); err != nil {
			return err
		}
		parts, err := r.parts(ctx, tx, ready, before, ids)
		if err != nil {
			return err
		}
		if n == r.limit && next == nil {
			next = make(chan *figuresAhead, 1)
			go func(after int64) { next <- r.readAhead(ctx, after) }(last)
		}
		if err := r.saveFigures(ctx, tx, r.connectionID, parts, ids); err != nil {
			return err
		}
		return queryOne(ctx, tx, ErrNotFound, []any{&after}, `SELECT change FROM mirrors WHERE connection_id = $1`, r.connectionID)
	})
	r.ahead, r.before, r.after = nil, before, after
	if n > 0 && err == nil {
		r.last = last
	}
	if next != nil {
		r.ahead = <-next
	}
	return n, err
}

// due lists the next conversations with outdated figures.
func (r *figuresRun) due(ctx context.Context, q querier, after int64) ([]int64, error) {
	return collect(ctx, q, single[int64], `SELECT conversation_id FROM conversations WHERE connection_id = $1 AND figures_due AND conversation_id > $2
		ORDER BY conversation_id LIMIT $3`, r.connectionID, after, r.limit)
}

// parts returns what the figures of conversations need. What was read in advance is
// still so if the mirror did not change since, apart from the step before: every change
// of a message or an activity counts, and each conversation is compared.
func (r *figuresRun) parts(ctx context.Context, tx *sql.Tx, ready *figuresAhead, change int64, ids []int64) (figureParts, error) {
	if ready == nil || ready.change < r.before || change != r.after || !slices.Equal(ready.ids, ids) {
		rows, err := r.conversationRows(ctx, tx, r.connectionID, ids)
		if err != nil {
			return figureParts{}, err
		}
		return r.readParts(ctx, tx, r.connectionID, rows, ids)
	}
	parts := ready.figureParts
	var err error
	parts.rows, err = r.currentConversations(ctx, tx, r.connectionID, ids, ready.rows)
	for id, row := range parts.rows {
		if known := ready.rows[id]; known == nil || known.change != row.change || !known.LoggedAt.Equal(row.LoggedAt) {
			delete(parts.derived, id)
		}
	}
	return parts, err
}

// readAhead reads what the figures of the conversations after one need. It returns nil
// if it cannot: they are read again then.
func (r *figuresRun) readAhead(ctx context.Context, after int64) *figuresAhead {
	ahead := &figuresAhead{}
	err := r.read(ctx, "read conversations of connection "+r.connectionID, func(db *sql.DB) error {
		err := queryOne(ctx, db, ErrNotFound, []any{&ahead.change}, `SELECT change FROM mirrors WHERE connection_id = $1`, r.connectionID)
		if err == nil {
			ahead.ids, err = r.due(ctx, db, after)
		}
		var rows map[int64]*conversationRow
		if err == nil {
			rows, err = r.conversationRows(ctx, db, r.connectionID, ahead.ids)
		}
		if err == nil {
			ahead.figureParts, err = r.readParts(ctx, db, r.connectionID, rows, ahead.ids)
		}
		if err == nil {
			ahead.derived = map[int64]*derivedFigures{}
			for id := range ahead.rows {
				if ahead.derived[id], err = ahead.derive(id); err != nil {
					break
				}
			}
		}
		return err
	})
	if err != nil {
		return nil
	}
	return ahead
}
