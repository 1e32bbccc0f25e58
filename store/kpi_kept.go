package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/claimflow/claimflow/kpi"
)

// Moment implements [kpi.Keeper] with one snapshot of the database.
func (f *Figures) Moment(ctx context.Context, fn func(kpi.Moment) error) error {
	doing := "read the figures of connection " + f.connectionID + ": %w"
	at := *f
	if f.store.dialect == onSQLite {
		tx, err := f.store.reads.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
		if err != nil {
			return fmt.Errorf(doing, err)
		}
		at.within = func(ctx context.Context, fn func(func(...any) error) error, query string, args ...any) error {
			return queryEach(ctx, tx, fn, query, args...)
		}
		err = fn(at.source())
		return errors.Join(err, tx.Rollback())
	}
	// The error of fn says already what was being done.
	var failed error
	err := f.inSnapshot(ctx, pgx.RepeatableRead, func(tx pgx.Tx) error {
		at.within = func(ctx context.Context, fn func(func(...any) error) error, query string, args ...any) error {
			return queryTx(ctx, tx, fn, query, args)
		}
		failed = fn(at.source())
		return failed
	})
	if failed == nil && err != nil {
		return fmt.Errorf(doing, err)
	}
	return failed
}

// inSnapshot calls fn with a transaction of PostgreSQL that only reads.
func (f *Figures) inSnapshot(ctx context.Context, level pgx.TxIsoLevel, fn func(pgx.Tx) error) error {
	conn, err := f.store.reads.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // returns it to the pool
	return conn.Raw(func(driver any) error {
		c, ok := driver.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("the connection is a %T, not pgx's", driver)
		}
		return pgx.BeginTxFunc(ctx, c.Conn(), pgx.TxOptions{IsoLevel: level, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
			// Counts of long periods would be sorted, on disk, and compiling a query takes
			// longer than most questions do.
			if _, err := tx.Exec(ctx, `SET LOCAL work_mem = '128MB'; SET LOCAL enable_sort = off; SET LOCAL jit = off`); err != nil {
				return err
			}
			return fn(tx)
		})
	})
}

// queryTx is [queryEach] in a transaction of pgx.
func queryTx(ctx context.Context, tx pgx.Tx, fn func(scan func(...any) error) error, query string, args []any) error {
	rows, err := tx.Query(ctx, query, slices.Concat([]any{pgx.QueryExecModeCacheDescribe}, args)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := fn(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// keptKey is a condition on kpi_series for the columns of a series after $1, the connection.
const keptKey = `connection_id = $1 AND kpi = $2 AND version = $3 AND placed_by = $4 AND bucket = $5 AND zone = $6 AND dimension = $7 AND within_days = $8`

func (f *Figures) keptArgs(s kpi.KeptSeries) arguments {
	return arguments{f.connectionID, s.KPI, s.Version, string(s.PlacedBy), string(s.Bucket), s.Zone, string(s.By), s.WithinDays}
}

// Kept implements [kpi.Moment].
func (f *Figures) Kept(ctx context.Context, s kpi.KeptSeries, from, to int64) (kept kpi.Kept, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("read the kept values of the figure %s of connection %s: %w", s.KPI, f.connectionID, err)
		}
	}()
	var id sql.NullInt64
	args := f.keptArgs(s)
	err = f.each(ctx, func(scan func(...any) error) error { return scan(&kept.Change, &kept.First, &id) }, `SELECT change,
		COALESCE((SELECT MIN(created_at) FROM figures f WHERE f.connection_id = mirrors.connection_id AND f.created_at > 0), 0),
		(SELECT id FROM kpi_series WHERE `+keptKey+`) FROM mirrors WHERE connection_id = $1`, args)
	if err != nil || !id.Valid {
		return kept, err
	}
	index := map[int64]int{}
	// A day touches a bucket if it overlaps it. Buckets are days of another zone.
	err = f.each(ctx, func(scan func(...any) error) error {
		var b kpi.KeptBucket
		err := scan(&b.Start, &b.End, &b.Stale)
		kept.Buckets = append(kept.Buckets, b)
		return err
	}, `SELECT start, until, EXISTS (SELECT 1 FROM figure_days d WHERE d.connection_id = $4 AND d.day > b.start - $5 AND d.day < b.until AND d.change > b.change)
		FROM kpi_buckets b WHERE series_id = $1 AND start >= $2 AND start < $3`, arguments{id.Int64, from, to, f.connectionID, dayLength})
	if err != nil {
		return kept, err
	}
	slices.SortFunc(kept.Buckets, func(a, b kpi.KeptBucket) int { return cmp.Compare(a.Start, b.Start) })
	for i, b := range kept.Buckets {
		index[b.Start] = i
	}
	return kept, f.each(ctx, func(scan func(...any) error) error {
		var start int64
		var v kpi.KeptValue
		err := scan(&start, &v.Group, &v.Hour, &v.Count, &v.Missing, &v.Part, &v.Whole, &v.Distinct, &v.Value, &v.Sum, &v.Mean, &v.Median, &v.P90)
		if i, known := index[start]; known {
			kept.Buckets[i].Values = append(kept.Buckets[i].Values, v)
		}
		return err
	}, `SELECT start, grp, hour, n, missing, part, whole, different, value, sum, mean, median, p90
		FROM kpi_values WHERE series_id = $1 AND start >= $2 AND start < $3`, arguments{id.Int64, from, to})
}

// KeptSeries implements [kpi.Moment].
func (f *Figures) KeptSeries(ctx context.Context, id string) (all []kpi.KeptSeries, err error) {
	err = f.each(ctx, func(scan func(...any) error) error {
		s := kpi.KeptSeries{KPI: id}
		err := scan(&s.Version, &s.PlacedBy, &s.Bucket, &s.Zone, &s.By, &s.WithinDays)
		all = append(all, s)
		return err
	}, `SELECT version, placed_by, bucket, zone, dimension, within_days FROM kpi_series WHERE connection_id = $1 AND kpi = $2 ORDER BY placed_by, bucket, zone, dimension, within_days`,
		arguments{f.connectionID, id})
	if err != nil {
		err = fmt.Errorf("list the kept values of the figure %s of connection %s: %w", id, f.connectionID, err)
	}
	return all, err
}

// maxKeptSeries bounds the series of a connection, because who asks chooses the zone and
// the limit of days.
const maxKeptSeries = 1000

// Keep implements [kpi.Keeper].
func (f *Figures) Keep(ctx context.Context, s kpi.KeptSeries, change int64, buckets []kpi.KeptBucket) error {
	if len(buckets) == 0 {
		return nil
	}
	doing := fmt.Sprintf("keep values of the figure %s of connection %s", s.KPI, f.connectionID)
	return f.store.write(ctx, doing, func(tx *sql.Tx) error {
		id, err := f.keepSeries(ctx, tx, s)
		if err != nil {
			return err
		}
		first, last := buckets[0].Start, buckets[len(buckets)-1].Start
		replaced := map[int64]bool{} // whether a bucket that is kept already is replaced
		err = queryEach(ctx, tx, func(scan func(...any) error) error {
			var start, until, asOf int64
			err := scan(&start, &until, &asOf)
			i, found := slices.BinarySearchFunc(buckets, start, func(b kpi.KeptBucket, start int64) int { return cmp.Compare(b.Start, start) })
			if found {
				replaced[start] = asOf < change || until != buckets[i].End
			}
			return err
		}, `SELECT start, until, change FROM kpi_buckets WHERE series_id = $1 AND start >= $2 AND start <= $3`, id, first, last)
		if err != nil {
			return err
		}
		upserted := newUpsert("kpi_buckets", []string{"series_id", "start"}, "until", "change")
		values := newUpsert("kpi_values", []string{"series_id", "start", "grp", "hour"},
			"n", "missing", "part", "whole", "different", "value", "sum", "mean", "median", "p90")
		var deleted []int64
		for i := range buckets {
			b := &buckets[i]
			older, known := replaced[b.Start]
			if known && !older {
				continue
			}
			if known {
				deleted = append(deleted, b.Start)
			}
			upserted.add(id, b.Start, b.End, change)
			for n := range b.Values {
				v := &b.Values[n]
				values.add(id, b.Start, v.Group, v.Hour, v.Count, v.Missing, v.Part, v.Whole, v.Distinct, v.Value, v.Sum, v.Mean, v.Median, v.P90)
			}
		}
		if len(deleted) > 0 {
			args := arguments{id}
			if _, err := exec(ctx, tx, `DELETE FROM kpi_values WHERE series_id = $1 AND start IN (`+f.store.dialect.integers(&args, deleted)+`)`, args...); err != nil {
				return err
			}
		}
		if err := upserted.run(ctx, tx, f.store.dialect); err != nil {
			return err
		}
		return values.run(ctx, tx, f.store.dialect)
	})
}

// keepSeries returns the id of a series. Until the end of the transaction, no other one
// keeps values of it.
func (f *Figures) keepSeries(ctx context.Context, tx *sql.Tx, s kpi.KeptSeries) (id int64, err error) {
	args := append(f.keptArgs(s), rand.Int64(), f.store.now()) //nolint:gosec // an id, not a secret
	err = queryOne(ctx, tx, nil, []any{&id}, `INSERT INTO kpi_series (connection_id, kpi, version, placed_by, bucket, zone, dimension, within_days, id, kept_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (connection_id, kpi, version, placed_by, bucket, zone, dimension, within_days) DO UPDATE SET kept_at = excluded.kept_at RETURNING id`, args...)
	if err != nil || id != args[8] {
		return id, err
	}
	_, err = exec(ctx, tx, `DELETE FROM kpi_series WHERE connection_id = $1 AND (kpi = $2 AND version <> $3
		OR id IN (SELECT id FROM kpi_series WHERE connection_id = $1 AND id <> $4 ORDER BY kept_at DESC LIMIT $6 OFFSET $5))`,
		f.connectionID, s.KPI, s.Version, id, maxKeptSeries-1, maxKeptSeries)
	return id, err
}
