package kpi

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/claimflow/claimflow/claim"
)

// answer is the state of an [Evaluator.Evaluate] of a [Keeper].
type answer struct {
	evaluator *Evaluator
	series    KeptSeries
	moment    Moment
	// request is the evaluation of the request, whose cells the answer fills.
	request *evaluation
	change  int64
	// fresh are the buckets to keep.
	fresh []KeptBucket
}

// answer answers a request from what is kept and, for the rest, from the rows. It keeps
// what it computed from them.
func (e *Evaluator) answer(ctx context.Context, keeper Keeper, d *Definition, r *Request, s KeptSeries) (*Result, error) {
	a := &answer{evaluator: e, series: s}
	err := keeper.Moment(ctx, func(m Moment) error {
		a.moment, a.request = m, e.evaluation(d, r, m)
		return a.fill(ctx)
	})
	if _, tooMany := errors.AsType[*claim.InvalidError](err); tooMany && len(r.Filters) > 0 {
		// Only all groups together are kept, and there are too many. Those asked for may be
		// few.
		run := e.evaluation(d, r, keeper)
		if err := run.evaluate(ctx); err != nil {
			return nil, err
		}
		return run.result(), nil
	}
	if err != nil {
		return nil, err
	}
	result := a.request.result()
	if len(a.fresh) > 0 {
		if err := keeper.Keep(ctx, s, a.change, a.fresh); err != nil && e.NotKept != nil {
			e.NotKept(fmt.Errorf("keep %d buckets of the figure %s: %w", len(a.fresh), d.ID, err))
		}
	}
	return result, nil
}

// fill fills the cells of the request.
func (a *answer) fill(ctx context.Context) error {
	e := a.request
	switch {
	case e.d.plan.shape.level():
		return a.levels(ctx)
	case e.grid.weekly:
		return a.hoursOfWeek(ctx)
	default:
		return a.buckets(ctx)
	}
}

// kept reads what is kept of the buckets that start in [from, to).
func (a *answer) kept(ctx context.Context, from, to int64) (Kept, error) {
	kept, err := a.moment.Kept(ctx, a.series, from, to)
	a.change = kept.Change
	return kept, err
}

// part returns the evaluation of all groups in another period.
func (a *answer) part(from, to int64) *evaluation {
	r := *a.request.r
	r.From, r.To, r.Filters = time.UnixMicro(from).In(r.Zone), time.UnixMicro(to).In(r.Zone), nil
	return a.evaluator.evaluation(a.request.d, &r, a.moment)
}

// closed is until when a bucket must end to be closed.
func (a *answer) closed() int64 { return a.request.now - a.request.r.within() }

// buckets fills the cells of figures whose buckets are independent of each other.
func (a *answer) buckets(ctx context.Context) error {
	e := a.request
	bounds := e.grid.bounds
	kept, err := a.kept(ctx, bounds[0], bounds[len(bounds)-1])
	if err != nil {
		return err
	}
	all := spans(&a.series, bounds, e.r.Zone, a.closed(), kept.Buckets)
	for i := range all {
		if all[i].kept == nil {
			continue
		}
		for n := range all[i].kept.Values {
			v := &all[i].kept.Values[n]
			for _, series := range e.table.of(v.Group) {
				e.table.cells[series][i].kept = v
			}
		}
	}
	for _, run := range runs(all) {
		part := a.part(all[run.from].start, all[run.to-1].end)
		if err := part.evaluate(ctx); err != nil {
			return err
		}
		part.setHours()
		for i := run.from; i < run.to; i++ {
			a.take(part, i-run.from, i, &all[i])
		}
	}
	return e.table.err
}

// take fills a bucket from another evaluation, in which it has another number, and keeps
// it if it can be.
func (a *answer) take(part *evaluation, from, to int, s *span) {
	if s.kept != nil {
		return // it is between two that are not
	}
	fresh := KeptBucket{Start: s.start, End: s.end}
	for n, group := range part.table.groups {
		c := &part.table.cells[n][from]
		if c.known+c.missing == 0 {
			continue
		}
		if s.whole {
			fresh.Values = append(fresh.Values, part.keptValue(group, from, c))
			c = &cell{kept: &fresh.Values[len(fresh.Values)-1]}
		}
		for _, series := range a.request.table.of(group) {
			a.request.table.cells[series][to] = *c
		}
	}
	if s.whole {
		a.fresh = append(a.fresh, fresh)
	}
}

// keptValue returns the value of a cell.
func (e *evaluation) keptValue(group string, bucket int, c *cell) KeptValue {
	var b BucketValue
	e.finish(&b, bucket, c)
	return KeptValue{
		Group: group, Count: b.Count, Missing: b.Missing, Part: b.Part, Whole: b.Whole, Distinct: b.Distinct,
		Value: b.Value, Sum: b.Sum, Mean: b.Mean, Median: b.Median, P90: b.P90,
	}
}

// put sets the values of a bucket.
func (v *KeptValue) put(b *BucketValue) {
	b.Count, b.Missing, b.Part, b.Whole, b.Distinct = v.Count, v.Missing, v.Part, v.Whole, v.Distinct
	b.Value, b.Sum, b.Mean, b.Median, b.P90 = v.Value, v.Sum, v.Mean, v.Median, v.P90
}

// hoursOfWeek fills the hours of the week of a tally by adding up those of each month.
func (a *answer) hoursOfWeek(ctx context.Context) error {
	e := a.request
	months := *e.r
	months.Bucket = a.series.length()
	bounds := newGrid(months).bounds
	kept, err := a.kept(ctx, bounds[0], bounds[len(bounds)-1])
	if err != nil {
		return err
	}
	all := spans(&a.series, bounds, e.r.Zone, a.closed(), kept.Buckets)
	for i := range all {
		s := &all[i]
		if s.kept == nil {
			part := a.part(s.start, s.end)
			if err := part.evaluate(ctx); err != nil {
				return err
			}
			s.kept = &KeptBucket{Start: s.start, End: s.end, Values: part.hourlyValues()}
			if s.whole {
				a.fresh = append(a.fresh, *s.kept)
			}
		}
		for n := range s.kept.Values {
			v := &s.kept.Values[n]
			for _, series := range e.table.of(v.Group) {
				c := &e.table.cells[series][v.Hour]
				c.known, c.missing = c.known+v.Count, c.missing+v.Missing
			}
		}
	}
	return e.table.err
}

// hourlyValues returns the counts of the hours of the week.
func (e *evaluation) hourlyValues() []KeptValue {
	var values []KeptValue
	for n, group := range e.table.groups {
		for hour := range e.table.cells[n] {
			if c := &e.table.cells[n][hour]; c.known+c.missing > 0 {
				values = append(values, KeptValue{Group: group, Hour: hour, Count: c.known, Missing: c.missing})
			}
		}
	}
	return values
}
