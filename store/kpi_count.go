package store

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/claimflow/claimflow/kpi"
	"github.com/claimflow/claimflow/mirror"
)

// countedFigures are [Figures] that PostgreSQL counts.
type countedFigures struct{ *Figures }

var _ kpi.Counter = countedFigures{}

// Count implements [kpi.Counter].
func (f countedFigures) Count(ctx context.Context, c kpi.Counting) iter.Seq2[kpi.Counted, error] {
	return func(yield func(kpi.Counted, error) bool) {
		s := newSelection(c.Query, f.Figures)
		query := s.count(c)
		stopped := false
		err := f.each(ctx, func(scan func(...any) error) error {
			n, err := s.scanCounted(scan, c)
			if err == nil && !yield(n, nil) {
				stopped, err = true, errStop
			}
			return err
		}, query, s.args)
		if err != nil && !stopped {
			yield(kpi.Counted{}, fmt.Errorf("count the figures of connection %s: %w", f.connectionID, err))
		}
	}
}

// each calls fn for every row of a query.
func (f *Figures) each(ctx context.Context, fn func(scan func(dest ...any) error) error, query string, args arguments) error {
	if f.within != nil {
		return f.within(ctx, fn, query, args...)
	}
	if f.store.dialect == onSQLite {
		return queryEach(ctx, f.store.reads, fn, query, args...)
	}
	return f.inSnapshot(ctx, pgx.ReadCommitted, func(tx pgx.Tx) error { return queryTx(ctx, tx, fn, query, args) })
}

// count returns the query that counts.
func (s *selection) count(c kpi.Counting) string {
	bounds := "CAST(" + s.args.add(c.Bounds) + " AS BIGINT[])"
	columns := []string{"width_bucket(" + s.column(s.Date) + ", " + bounds + ") - 1"}
	if c.ByEnd {
		columns = append(columns, "width_bucket("+s.column(s.End)+", "+bounds+") - 1")
	}
	if s.Table == kpi.Events && len(s.Kinds) > 1 {
		columns = append(columns, string(kpi.EventKind))
	}
	if s.Group != "" {
		columns = append(columns, "COALESCE("+s.column(s.Group)+", '')")
	}
	if c.Collect != kpi.CollectSums {
		for _, v := range s.Values {
			columns = append(columns, s.column(v))
		}
	}
	places := make([]string, len(columns))
	for i := range columns {
		places[i] = strconv.Itoa(i + 1)
	}
	columns = append(columns, "COUNT(*)")
	if number, known := s.collected(c.Collect); number != "" {
		columns = append(columns, "array_agg("+number+") FILTER (WHERE "+known+")")
	}
	return "SELECT " + strings.Join(columns, ", ") + s.rows() + " GROUP BY " + strings.Join(places, ", ")
}

// collected returns what to collect of each row, and when that is known.
func (s *selection) collected(what kpi.Collect) (number, known string) {
	switch what {
	case kpi.CollectIDs:
		return string(s.Table) + ".conversation_id", "TRUE"
	case kpi.CollectDurations:
		start, end := s.column(s.Start), s.column(s.End)
		return end + " - " + start, start + " > 0 AND " + end + " >= " + start
	case kpi.CollectSums:
		values := make([]string, len(s.Values))
		for i, v := range s.Values {
			values[i] = s.column(v)
		}
		number = strings.Join(values, " + ")
		return number, number + " IS NOT NULL"
	default:
		return "", ""
	}
}

// scanCounted reads a row of the query that counts.
func (s *selection) scanCounted(scan func(...any) error, c kpi.Counting) (kpi.Counted, error) {
	var n kpi.Counted
	var kind string
	var values [2]sql.NullInt64
	dest := []any{&n.Bucket}
	if c.ByEnd {
		dest = append(dest, &n.EndBucket)
	}
	if s.Table == kpi.Events && len(s.Kinds) > 1 {
		dest = append(dest, &kind)
	}
	if s.Group != "" {
		dest = append(dest, &n.Group)
	}
	if c.Collect != kpi.CollectSums {
		for i := range s.Values {
			dest = append(dest, &values[i])
		}
	}
	dest = append(dest, &n.N)
	if c.Collect != kpi.CollectNothing {
		dest = append(dest, &n.Numbers)
	}
	err := scan(dest...)
	if n.Kind = mirror.EventKind(kind); kind == "" && len(s.Kinds) == 1 {
		n.Kind = s.Kinds[0]
	}
	for i, v := range values {
		n.Values[i] = kpi.Number{N: v.Int64, Known: v.Valid}
	}
	return n, err
}
