package kpi

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Verification compares kept values with the rows.
type Verification struct {
	// Buckets and Values are how many were compared.
	Buckets, Values int
	// Stale is the number of kept buckets that were not compared, because the next question
	// computes them again.
	Stale       int
	Differences []Difference
}

// Difference is a kept value that is not that of the rows.
type Difference struct {
	Series     KeptSeries
	Start, End time.Time
	Group      string
	// Hour is the hour of the week, for series of those.
	Hour int
	// Kept and Computed are nil if there is no value of the group.
	Kept, Computed *KeptValue
}

// Verify computes every kept value of a figure from the rows and compares it. It changes
// nothing. The error is that of the source.
func (e *Evaluator) Verify(ctx context.Context, d Definition) (Verification, error) {
	var v Verification
	keeper, able := e.Source.(Keeper)
	if !able {
		return v, nil
	}
	var series []KeptSeries
	err := keeper.Moment(ctx, func(m Moment) (err error) {
		series, err = m.KeptSeries(ctx, d.ID)
		return err
	})
	if err != nil {
		return v, err
	}
	for _, s := range series {
		// One moment each, because computing all series can take long.
		err := keeper.Moment(ctx, func(m Moment) error { return e.verify(ctx, &d, s, m, &v) })
		if err != nil {
			return v, err
		}
	}
	return v, nil
}

// verifiedAtOnce is how many buckets are computed at once.
const verifiedAtOnce = 400

func (e *Evaluator) verify(ctx context.Context, d *Definition, s KeptSeries, m Moment, v *Verification) error {
	zone, err := time.LoadLocation(s.Zone)
	if err != nil {
		return fmt.Errorf("verify kept values of the figure %s: %w", d.ID, err)
	}
	kept, err := m.Kept(ctx, s, 0, 1<<62)
	if err != nil {
		return err
	}
	next := nextStart(s.length())
	valid := slices.DeleteFunc(kept.Buckets, func(b KeptBucket) bool {
		return b.Stale || s.Version != d.version() || next(time.UnixMicro(b.Start).In(zone)).UnixMicro() != b.End
	})
	v.Stale += len(kept.Buckets) - len(valid)
	for len(valid) > 0 {
		n := 1
		for n < len(valid) && n < verifiedAtOnce && valid[n].Start == valid[n-1].End && s.Bucket != BucketHourOfWeek {
			n++
		}
		computed, err := e.compute(ctx, d, s, zone, m, valid[:n])
		if err != nil {
			return err
		}
		for i := range n {
			v.compare(s, zone, &valid[i], computed[i])
		}
		valid = valid[n:]
	}
	return nil
}

// valueKey identifies a value in a bucket.
type valueKey struct {
	group string
	hour  int
}

// compute computes the values of consecutive buckets.
func (e *Evaluator) compute(ctx context.Context, d *Definition, s KeptSeries, zone *time.Location, m Moment, buckets []KeptBucket) ([]map[valueKey]KeptValue, error) {
	from, to := buckets[0].Start, buckets[len(buckets)-1].End
	r := Request{
		From: time.UnixMicro(from).In(zone), To: time.UnixMicro(to).In(zone), Zone: zone, Bucket: s.Bucket, By: s.By, PlacedBy: s.PlacedBy,
		Hours: ClockHours, WithinDays: s.WithinDays, Now: time.UnixMicro(to).In(zone),
	}
	first := 0
	if d.plan.shape.level() {
		// The first difference is to the level at the start.
		r.From, first = r.From.Add(-time.Microsecond), 1
	}
	run := e.evaluation(d, &r, m)
	if err := run.evaluate(ctx); err != nil {
		return nil, err
	}
	run.setHours()
	all := make([]map[valueKey]KeptValue, len(buckets))
	for i := range all {
		all[i] = map[valueKey]KeptValue{}
	}
	for n, group := range run.table.groups {
		cells := run.table.cells[n]
		switch {
		case run.grid.weekly:
		case d.plan.shape.level():
			for i := range all {
				if known := cells[first+i].known - cells[first+i-1].known; known != 0 {
					all[i][valueKey{group, 0}] = KeptValue{Group: group, Count: known}
				}
			}
		default:
			for i := range all {
				if c := &cells[i]; c.known+c.missing > 0 {
					all[i][valueKey{group, 0}] = run.keptValue(group, i, c)
				}
			}
		}
	}
	if run.grid.weekly {
		for _, value := range run.hourlyValues() {
			all[0][valueKey{value.Group, value.Hour}] = value
		}
	}
	return all, nil
}

// compare adds the differences of a bucket.
func (v *Verification) compare(s KeptSeries, zone *time.Location, b *KeptBucket, computed map[valueKey]KeptValue) {
	v.Buckets++
	add := func(key valueKey, kept, now *KeptValue) {
		v.Differences = append(v.Differences, Difference{
			Series: s, Start: time.UnixMicro(b.Start).In(zone), End: time.UnixMicro(b.End).In(zone), Group: key.group, Hour: key.hour, Kept: kept, Computed: now,
		})
	}
	for i := range b.Values {
		kept := &b.Values[i]
		key := valueKey{kept.Group, kept.Hour}
		now, known := computed[key]
		delete(computed, key)
		v.Values++
		switch {
		case !known:
			add(key, kept, nil)
		case !kept.equal(&now):
			add(key, kept, &now)
		}
	}
	lost := slices.SortedFunc(maps.Keys(computed), func(a, b valueKey) int { return cmp.Or(cmp.Compare(a.group, b.group), cmp.Compare(a.hour, b.hour)) })
	for _, key := range lost {
		now := computed[key]
		v.Values++
		add(key, nil, &now)
	}
}

// equal reports whether two values are the same in every part.
func (v *KeptValue) equal(o *KeptValue) bool {
	return v.Count == o.Count && v.Missing == o.Missing && same(v.Part, o.Part) && same(v.Whole, o.Whole) && same(v.Distinct, o.Distinct) &&
		same(v.Value, o.Value) && same(v.Sum, o.Sum) && same(v.Mean, o.Mean) && same(v.Median, o.Median) && same(v.P90, o.P90)
}

func same[T comparable](a, b *T) bool {
	return a == b || a != nil && b != nil && *a == *b
}
