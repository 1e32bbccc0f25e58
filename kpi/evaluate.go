package kpi

import (
	"context"
	"slices"

	"github.com/claimflow/claimflow/mirror"
)

// Evaluator computes figures from a source. It is safe for concurrent use if the
// source is.
type Evaluator struct {
	// Source has the rows. If it is a [Keeper], finished buckets are kept and read again.
	Source    Source
	Directory Directory
	// Hours is needed for requests with [BusinessHours].
	Hours History
	// Fresh computes everything from the rows, and keeps nothing.
	Fresh bool
	// NotKept is called if finished buckets could not be kept. The answer is complete
	// without that. If nil, nobody is told.
	NotKept func(error)
}

// Evaluate answers a request. Missing fields have the definition's defaults. The
// error is a [*claim.InvalidError] for a request that the definition does not allow,
// and otherwise the source's.
//
// Memory grows with the values, not with their columns: 8 to 32 bytes per
// observation.
func (e *Evaluator) Evaluate(ctx context.Context, d Definition, r Request) (*Result, error) {
	r = d.Complete(r)
	var f faults
	d.check(r, &f)
	if r.Hours == BusinessHours && len(e.Hours) == 0 {
		f.add("hours", "must be %s, because no business hours are known", ClockHours)
	}
	if err := f.err(); err != nil {
		return nil, err
	}
	if keeper, able := e.Source.(Keeper); able && !e.Fresh {
		if s, kept := d.keptSeries(&r); kept {
			return e.answer(ctx, keeper, &d, &r, s)
		}
	}
	run := e.evaluation(&d, &r, e.Source)
	if err := run.evaluate(ctx); err != nil {
		return nil, err
	}
	return run.result(), nil
}

// evaluation returns the evaluation of a request over a source.
func (e *Evaluator) evaluation(d *Definition, r *Request, source Source) *evaluation {
	run := &evaluation{
		d: d, r: r, source: source, directory: &e.Directory,
		grid: newGrid(*r), clock: clock{history: e.Hours}, now: r.Now.UnixMicro(),
	}
	run.table = newTable(run.grid.size(), r, &e.Directory)
	return run
}

// evaluate fills the cells from the rows of the source.
func (e *evaluation) evaluate(ctx context.Context) error {
	switch e.d.plan.shape {
	case shapeOneTouch, shapeReopened:
		return e.reopened(ctx)
	case shapeAnswered:
		return e.answered(ctx)
	case shapeRepeated:
		return e.repeated(ctx)
	case shapeBacklog, shapeAge, shapeLoad:
		return e.level(ctx)
	default:
		return e.single(ctx)
	}
}

// evaluation is the state of one [Evaluator.Evaluate].
type evaluation struct {
	d         *Definition
	r         *Request
	source    Source
	directory *Directory
	grid      *grid
	clock     clock
	table     *table
	now       int64
	hours     []float64 // of each bucket, for rates
	// labeled asks for the labels of the observations.
	labeled bool
}

// query returns the definition's query with the request's date, period, filters and
// grouping.
func (e *evaluation) query() Query {
	p := &e.d.plan
	q := Query{
		Table: p.table, Kinds: p.kinds, Date: e.d.dateColumn(e.r.PlacedBy),
		From: e.r.From.UnixMicro(), To: e.r.To.UnixMicro(),
		Where: append(slices.Clone(p.where), e.filters()...),
		Key:   p.key, Start: p.start, End: p.end, Values: p.values,
	}
	if e.r.By != "" {
		q.Group, _ = e.d.column(e.r.By)
	}
	if e.labeled {
		q.Labels = e.d.labels()
	}
	return q
}

// filters returns the request's filters as conditions.
func (e *evaluation) filters() []Condition {
	var all []Condition
	for _, dim := range sortedKeys(e.r.Filters) {
		column, _ := e.d.column(dim)
		texts := e.r.Filters[dim]
		if dim == ByTeam {
			texts = e.directory.agentsOf(texts)
		}
		all = append(all, Condition{Column: column, Operator: OneOf, Texts: texts})
	}
	return all
}

// single computes the shapes that need one query and each observation once.
func (e *evaluation) single(ctx context.Context) error {
	if done, err := e.counted(ctx); done {
		return err
	}
	return e.each(ctx, e.query(), e.fold())
}

// each calls visit with every observation of a query and each cell that it belongs
// to.
func (e *evaluation) each(ctx context.Context, q Query, visit func(*cell, *Observation)) error {
	// One variable for all, because visit could keep its address and each would be
	// allocated.
	var current Observation
	for o, err := range e.source.Observe(ctx, q) {
		if err != nil {
			return err
		}
		bucket := e.grid.of(o.At)
		if bucket < 0 {
			continue
		}
		current = o
		for _, series := range e.table.of(o.Group) {
			visit(&e.table.cells[series][bucket], &current)
		}
		if e.table.err != nil {
			return e.table.err
		}
	}
	return nil
}

// fold returns the function that adds an observation to its cell.
func (e *evaluation) fold() func(*cell, *Observation) {
	p := &e.d.plan
	// Rows of conversations and claims are different subjects; events are not.
	count := func(c *cell, _ *Observation) { c.known++ }
	if p.table == Events || p.table == Parkings {
		count = func(c *cell, o *Observation) {
			c.known++
			c.ids = append(c.ids, o.ID)
		}
	}
	switch p.shape {
	case shapePerKey:
		keys := map[string]int32{}
		return func(c *cell, o *Observation) {
			if o.Key == "" {
				c.missing++
				return
			}
			n, known := keys[o.Key]
			if !known {
				n = int32(len(keys))
				keys[o.Key] = n
			}
			count(c, o)
			c.note(o, Number{}, 0)
			c.keys = append(c.keys, n)
		}
	case shapeSpread:
		value := e.value()
		return func(c *cell, o *Observation) {
			v, known := value(o)
			if !known {
				c.missing++
				return
			}
			count(c, o)
			c.note(o, Number{N: v, Known: true}, 0)
			c.sum.add(v)
			c.values = append(c.values, v)
		}
	case shapeShare:
		return func(c *cell, o *Observation) {
			part, known := p.part(o)
			if !known {
				c.missing++
				return
			}
			count(c, o)
			c.note(o, o.Values[0], part)
			c.add(part)
		}
	default:
		return func(c *cell, o *Observation) {
			count(c, o)
			c.note(o, Number{}, 0)
		}
	}
}

// value returns the function that reads the value of an observation: a duration in
// microseconds or a sum.
func (e *evaluation) value() func(*Observation) (int64, bool) {
	if e.d.plan.end == "" {
		sum := len(e.d.plan.values) > 1
		return func(o *Observation) (int64, bool) {
			if !sum {
				return o.Values[0].N, o.Values[0].Known
			}
			return o.Values[0].N + o.Values[1].N, o.Values[0].Known && o.Values[1].Known
		}
	}
	business := e.r.Hours == BusinessHours
	return func(o *Observation) (int64, bool) {
		switch {
		case o.Start == 0 || o.End == 0 || o.End < o.Start:
			return 0, false
		case business:
			return e.clock.between(o.Start, o.End), true
		default:
			return o.End - o.Start, true
		}
	}
}

// kindIs returns a part function for events of which one kind is the part.
func kindIs(kind mirror.EventKind) func(*Observation) (int, bool) {
	return func(o *Observation) (int, bool) { return one(o.Kind == kind), true }
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}

// tooManyValues reports a grouping that exceeds [MaxValues].
func tooManyValues(r *Request) error {
	var f faults
	f.add("by", "%s has more than %d values in this period; filter, use longer buckets or a shorter period",
		r.By, MaxValues)
	return f.err()
}
