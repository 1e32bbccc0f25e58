package kpi

import (
	"context"
	"maps"
	"slices"
	"time"
)

// levels fills the cells of a backlog or a load. What is kept of each bucket is the
// difference that it makes, so the level is the sum since the first conversation, and a
// conversation that changed affects only the buckets of its own dates.
func (a *answer) levels(ctx context.Context) error {
	e := a.request
	bounds := e.grid.bounds
	kept, err := a.kept(ctx, 0, bounds[len(bounds)-1])
	if err != nil || kept.First == 0 {
		return err
	}
	all := *e.r
	all.From = startOf(all.Bucket, time.UnixMicro(min(kept.First, bounds[0])).In(e.r.Zone))
	history := boundaries(all)
	if len(history) > MaxBuckets+1 || !begins(all.Bucket, history[0].UnixMicro(), all.Zone) {
		return e.evaluate(ctx)
	}
	bounds = newGrid(all).bounds
	l := spans(&a.series, bounds, all.Zone, a.closed(), kept.Buckets)
	differences := map[string][]int{}
	add := func(group string, i, n int) {
		if differences[group] == nil {
			differences[group] = make([]int, len(l))
		}
		differences[group][i] = n
	}
	for i := range l {
		if l[i].kept != nil {
			for _, v := range l[i].kept.Values {
				add(v.Group, i, v.Count)
			}
		}
	}
	for _, run := range runs(l) {
		part := a.part(l[run.from].start-1, l[run.to-1].end)
		// Reading everything once is faster than to look up most of it.
		if err := part.differences(ctx, run.to-run.from > len(l)/2); err != nil {
			return err
		}
		for i := run.from; i < run.to; i++ {
			if l[i].kept != nil {
				continue
			}
			fresh := KeptBucket{Start: l[i].start, End: l[i].end}
			for n, group := range part.table.groups {
				if known := part.table.cells[n][1+i-run.from].known; known != 0 {
					add(group, i, known)
					fresh.Values = append(fresh.Values, KeptValue{Group: group, Count: known})
				}
			}
			if l[i].whole {
				a.fresh = append(a.fresh, fresh)
			}
		}
	}
	first := len(l) - e.grid.size()
	begun := len(e.ends())
	for _, group := range slices.Sorted(maps.Keys(differences)) {
		level, levels := 0, differences[group]
		for i := range levels {
			level += levels[i]
			levels[i] = level
		}
		levels = levels[first:][:begun]
		if !slices.ContainsFunc(levels, func(n int) bool { return n != 0 }) {
			continue
		}
		for _, series := range e.table.of(group) {
			for i, n := range levels {
				e.table.cells[series][i].known = n
			}
		}
	}
	return e.table.err
}

// differences computes the difference of the level that each bucket makes, but not that
// of the first. If not everything is read, it replays the conversations in which anything
// happened after the first bucket.
func (e *evaluation) differences(ctx context.Context, everything bool) error {
	ends := e.ends()
	if len(ends) == 0 {
		return nil
	}
	l := e.levels(ends)
	read := l.readTouched
	if everything {
		read = l.readAll
	}
	if err := read(ctx); err != nil {
		return err
	}
	l.replayAll()
	return e.table.err
}

// readTouched reads the conversations that could begin or end to be in the state after
// the first end, and all their events until the last.
func (l *levels) readTouched(ctx context.Context) error {
	first, last := l.ends[0], l.ends[len(l.ends)-1]
	touched, plain := map[int64]bool{}, map[int64]bool{}
	// No query joins events with conversations, because then a database reads all of them.
	created := l.lifetimes(nil)
	created.From, created.Values = first, []Column{FigureReopens}
	err := l.each(ctx, created, func(o *Observation, series int32) {
		if l.plain(o, o.End) {
			l.add(&lifetime{series: series, created: o.At, closed: o.End}, 0, o.At, o.End)
		} else {
			touched[o.ID] = true
		}
	})
	if err != nil {
		return err
	}
	closed := created
	closed.Date, closed.End = FigureLastClosedAt, FigureCreatedAt
	err = l.each(ctx, closed, func(o *Observation, series int32) {
		if !l.plain(o, o.At) {
			touched[o.ID] = true
			return
		}
		plain[o.ID] = true
		if o.End > 0 && o.End < first {
			l.add(&lifetime{series: series, created: o.End, closed: o.At}, 0, o.End, o.At)
		}
	})
	if err != nil {
		return err
	}
	for o, err := range l.e.source.Observe(ctx, Query{Table: Events, Date: EventAt, Kinds: l.e.d.plan.kinds, From: first, To: last}) {
		if err != nil {
			return err
		}
		if !plain[o.ID] {
			touched[o.ID] = true
		}
	}
	for ids := range slices.Chunk(slices.Sorted(maps.Keys(touched)), idsAtOnce) {
		q := l.lifetimes(nil)
		q.IDs, q.Values = ids, created.Values
		err := l.each(ctx, q, func(o *Observation, series int32) {
			if !l.plain(o, o.End) { // or it was closed more than once
				l.lives = append(l.lives, lifetime{series: series, id: o.ID, created: o.At, closed: o.End})
			}
		})
		if err != nil {
			return err
		}
		if err := l.readChanges(ctx, Query{IDs: ids, To: last}); err != nil {
			return err
		}
	}
	return nil
}

// idsAtOnce is how many conversations one query looks up.
const idsAtOnce = 5000

// plain reports whether all that matters of a conversation is the time from its creation
// to its last close. The observation's value is the number of reopens.
func (l *levels) plain(o *Observation, closed int64) bool {
	return !l.load && closed > 0 && o.Values[0].Known && o.Values[0].N == 0
}
