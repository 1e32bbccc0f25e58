package kpi

import (
	"cmp"
	"slices"
	"time"
)

// result turns the cells into the answer.
func (e *evaluation) result() *Result {
	out := &Result{Definition: *e.d, Request: *e.r, Series: make([]Series, 0, len(e.table.groups))}
	e.setHours()
	for n, group := range e.table.groups {
		s := Series{Group: group, Label: e.directory.label(e.r.By, group), Buckets: make([]BucketValue, e.table.buckets)}
		for i := range s.Buckets {
			b := &s.Buckets[i]
			e.span(b, i)
			e.finish(b, i, &e.table.cells[n][i])
		}
		out.Series = append(out.Series, s)
	}
	slices.SortFunc(out.Series, func(a, b Series) int {
		return cmp.Or(cmp.Compare(a.Label, b.Label), cmp.Compare(a.Group, b.Group))
	})
	return out
}

// setHours prepares the rates per hour.
func (e *evaluation) setHours() {
	if e.d.plan.shape == shapePerHour {
		e.hours = e.grid.hours(e.now)
	}
}

// span sets the bucket's time.
func (e *evaluation) span(b *BucketValue, i int) {
	start, end := i, i+1
	if e.grid.weekly {
		b.HourOfWeek = &i
		start, end = 0, len(e.grid.bounds)-1
	}
	b.Start = time.UnixMicro(e.grid.bounds[start]).In(e.r.Zone)
	b.End = time.UnixMicro(e.grid.bounds[end]).In(e.r.Zone)
	b.Open = e.grid.bounds[end]+e.r.within() > e.now
	if e.d.plan.shape == shapeRepeated {
		// The parameter looks back here.
		b.Open = e.grid.bounds[end] > e.now
	}
}

// finish sets the values of a bucket from its cell.
func (e *evaluation) finish(b *BucketValue, i int, c *cell) {
	if c.kept != nil {
		c.kept.put(b)
		return
	}
	b.Count, b.Missing = c.known, c.missing
	if c.ids != nil {
		b.Count = distinct(c.ids)
	}
	if e.d.Distinct != "" {
		n := b.Count
		if e.d.plan.key != "" {
			n = distinct(c.keys)
		}
		b.Distinct = &n
	}
	switch e.d.plan.shape {
	case shapeTally:
		b.Value = number(c.known)
	case shapePerHour:
		if e.hours[i] > 0 {
			b.Value = ratio(float64(c.known), e.hours[i])
		}
	case shapePerKey:
		if *b.Distinct > 0 {
			b.Value = ratio(float64(c.known), float64(*b.Distinct))
		}
	case shapeBacklog, shapeLoad:
		// In a bucket that has not begun there is no state yet.
		if e.grid.bounds[i] < e.now {
			b.Value = number(c.known)
		}
	case shapeAge:
		if c.known > 0 {
			b.Mean, b.Median, b.P90 = ratio(c.mean, 1e6), ratio(float64(c.values[0]), 1e6), ratio(float64(c.values[1]), 1e6)
			b.Value = b.Median
		}
	case shapeSpread:
		e.spread(b, c)
	default:
		e.share(b, c)
	}
}

// spread sets the aggregates of the cell's values.
func (e *evaluation) spread(b *BucketValue, c *cell) {
	unit := 1.0
	if e.d.Unit == Seconds {
		unit = 1e6
	}
	n := float64(len(c.values))
	has := func(a Aggregate) bool { return slices.Contains(e.d.Aggregates, a) }
	if has(AggregateSum) {
		b.Sum = ratio(c.sum.float(), unit)
	}
	if len(c.values) > 0 {
		median, p90 := percentiles(c.values)
		b.Mean, b.Median, b.P90 = ratio(c.sum.float()/unit, n), ratio(float64(median), unit), ratio(float64(p90), unit)
	}
	b.Value = map[Aggregate]*float64{
		AggregateSum: b.Sum, AggregateMean: b.Mean, AggregateMedian: b.Median, AggregateP90: b.P90,
	}[e.d.Aggregates[0]]
}

// share sets the share of the cell's parts.
func (e *evaluation) share(b *BucketValue, c *cell) {
	b.Part, b.Whole = &c.part, &c.known
	if c.known > 0 {
		b.Value = ratio(100*float64(c.part-c.opposite), float64(c.known))
	}
}

func number(n int) *float64 { return new(float64(n)) }

func ratio(a, b float64) *float64 { return new(a / b) }
