package kpi

import (
	"context"
	"iter"
	"slices"
	"time"
)

// Counter is a [Source] that can count its observations, which is faster than to read
// them one by one.
type Counter interface {
	Source
	// Count counts the observations of a query. The order of the counts is any. An
	// error ends them.
	Count(ctx context.Context, c Counting) iter.Seq2[Counted, error]
}

// Counting asks a [Counter] to count the observations of a query of [Conversations] or
// [Events]. Its period is that of the bounds.
type Counting struct {
	Query
	// Bounds are the starts of the buckets and the end of the last, in microseconds.
	Bounds []int64
	// Collect are the numbers wanted of each observation.
	Collect Collect
	// ByEnd also separates the observations by the bucket of End.
	ByEnd bool
}

// Collect says which numbers of the observations a [Counted] lists.
type Collect int

// Numbers to collect. Observations for which they are unknown have none.
const (
	CollectNothing Collect = iota
	// CollectIDs lists [Observation.ID].
	CollectIDs
	// CollectDurations lists the times from Start to End, if both are known and in
	// this order.
	CollectDurations
	// CollectSums lists the sums of the values.
	CollectSums
)

// Counted is the number of observations in a bucket that are equal in their group and
// kind and, unless the values are collected, in them.
type Counted struct {
	// Bucket and EndBucket, that of End, count from 0: -1 is before the first bound,
	// and the number of buckets after the last.
	Bucket, EndBucket int
	// N is the number of observations.
	N int
	// Observation has the group, kind and values.
	Observation
	Numbers []int64
}

// counted is [evaluation.single] with the counts of the source. It returns false if
// the source or the figure's shape does not allow it.
func (e *evaluation) counted(ctx context.Context) (bool, error) {
	counter, able := e.source.(Counter)
	p := &e.d.plan
	if !able || p.table != Conversations && p.table != Events {
		return false, nil
	}
	c := Counting{Query: e.query(), Bounds: e.grid.bounds}
	switch {
	case p.shape == shapeSpread && p.end == "":
		c.Collect = CollectSums
	case p.shape == shapeSpread && e.r.Hours == ClockHours:
		c.Collect = CollectDurations
	case p.shape != shapeTally && p.shape != shapePerHour && p.shape != shapeShare:
		return false, nil
	case p.table == Events:
		c.Collect = CollectIDs
	}
	if e.grid.weekly {
		c.Bounds = e.grid.everyHour()
	}
	for n, err := range counter.Count(ctx, c) {
		if err != nil {
			return true, err
		}
		bucket := e.grid.of(c.Bounds[n.Bucket])
		for _, series := range e.table.of(n.Group) {
			e.count(&e.table.cells[series][bucket], &n)
		}
		if e.table.err != nil {
			return true, e.table.err
		}
	}
	return true, nil
}

// count adds counted observations to their cell.
func (e *evaluation) count(c *cell, n *Counted) {
	switch e.d.plan.shape {
	case shapeSpread:
		c.known += len(n.Numbers)
		c.missing += n.N - len(n.Numbers)
		for _, v := range n.Numbers {
			c.sum.add(v)
		}
		c.values = append(c.values, n.Numbers...)
		return
	case shapeShare:
		part, known := e.d.plan.part(&n.Observation)
		if !known {
			c.missing += n.N
			return
		}
		switch part {
		case 1:
			c.part += n.N
		case -1:
			c.opposite += n.N
		}
	}
	c.known += n.N
	c.ids = append(c.ids, n.Numbers...)
}

// countPlain counts the conversations of a backlog that are closed and known not to
// have reopened, and reads the others that are closed. It returns false if the source
// or the figure does not allow it.
func (l *levels) countPlain(ctx context.Context, q Query) (bool, error) {
	counter, able := l.e.source.(Counter)
	if !able || l.e.d.plan.shape != shapeBacklog {
		return false, nil
	}
	all := slices.Clip(q.Where)
	for _, c := range []Condition{{Column: FigureReopens, Operator: AtLeast, Number: 1}, {Column: FigureReopens, Operator: Unknown}} {
		before := len(l.lives)
		q.Where = append(all, c)
		if err := l.readLives(ctx, q); err != nil {
			return true, err
		}
		if len(l.lives) == before {
			continue
		}
		if err := l.readChanges(ctx, Query{To: q.To, Where: q.Where}); err != nil {
			return true, err
		}
	}
	q.Where = append(all, Condition{Column: FigureReopens, Operator: Equals})
	return true, l.countLives(ctx, counter, q)
}

// countLives counts conversations that are open from their creation to their last close.
func (l *levels) countLives(ctx context.Context, counter Counter, q Query) error {
	for n, err := range counter.Count(ctx, Counting{Query: q, Bounds: l.ends, ByEnd: true}) {
		if err != nil {
			return err
		}
		// The end of a bucket is the state just before it.
		first, after := n.Bucket+1, n.EndBucket+1
		if first >= after {
			continue
		}
		for _, series := range l.e.table.of(n.Group) {
			l.e.table.cells[series][first].known += n.N
			if after < len(l.ends) {
				l.e.table.cells[series][after].known -= n.N
			}
		}
	}
	return l.e.table.err
}

// everyHour returns the start of each local hour of the period, and its end.
func (g *grid) everyHour() []int64 {
	end := g.bounds[len(g.bounds)-1]
	all := []int64{g.bounds[0]}
	for at := g.bounds[0]; at < end; {
		at = min(end, nextHour(time.UnixMicro(at).In(g.zone)).UnixMicro())
		all = append(all, at)
	}
	return all
}
