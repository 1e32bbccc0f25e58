package kpi

import (
	"cmp"
	"context"
	"math"
	"slices"
	"sort"

	"github.com/claimflow/claimflow/mirror"
)

// lifetime is a conversation to replay.
type lifetime struct {
	series          int32
	id              int64
	created, closed int64
}

// change is an event to replay.
type change struct {
	id, at int64
	kind   changeKind
	// agent is its number in levels.names; 0 is nobody.
	agent int32
}

// changeKind is a kind of event, in the order of those of the same instant. It is that
// of mirror.Derive, which records a reopening only of what is closed.
type changeKind int8

const (
	changeReopened changeKind = iota
	changeUnassigned
	changeAssigned
	changeClosed
)

var changeKinds = map[mirror.EventKind]changeKind{
	mirror.KindReopened: changeReopened, mirror.KindUnassigned: changeUnassigned,
	mirror.KindAssigned: changeAssigned, mirror.KindClosed: changeClosed,
}

// level computes how many conversations were in a state at the end of each bucket, by
// replaying what happened until then. The state at the end of a bucket is that just
// before it; of the current bucket, that of now.
func (e *evaluation) level(ctx context.Context) error {
	ends := e.ends()
	if len(ends) == 0 {
		return nil
	}
	l := e.levels(ends)
	if err := l.readAll(ctx); err != nil {
		return err
	}
	l.replayAll()
	l.finish()
	e.table.dropEmpty()
	return e.table.err
}

// ends returns the ends of the buckets that have begun.
func (e *evaluation) ends() []int64 {
	var ends []int64
	for i, start := range e.grid.bounds[:e.grid.size()] {
		if start < e.now {
			ends = append(ends, min(e.grid.bounds[i+1], e.now))
		}
	}
	return ends
}

// readAll reads all conversations that are in the state at any end.
func (l *levels) readAll(ctx context.Context) error {
	// What closed for good before the first end is in no bucket.
	for _, condition := range []Condition{
		{Column: FigureLastClosedAt, Operator: Equals},
		{Column: FigureLastClosedAt, Operator: AtLeast, Number: l.ends[0]},
	} {
		if err := l.read(ctx, condition); err != nil {
			return err
		}
	}
	return nil
}

// levels returns the replay of the states at some ends.
func (e *evaluation) levels(ends []int64) *levels {
	return &levels{
		e: e, ends: ends, byAgent: e.r.By == ByAgent || e.r.By == ByTeam, load: e.d.plan.shape == shapeLoad,
		agents: e.agentFilter(), names: []string{""}, numbers: map[string]int32{"": 0}, labels: map[int64][2]string{},
	}
}

// agentFilter returns the agents that the filters leave, or nil for all.
func (e *evaluation) agentFilter() map[string]bool {
	var kept map[string]bool
	for _, dim := range []Dimension{ByAgent, ByTeam} {
		names, filtered := e.r.Filters[dim]
		if !filtered {
			continue
		}
		if dim == ByTeam {
			names = e.directory.agentsOf(names)
		}
		both := map[string]bool{}
		for _, name := range names {
			both[name] = kept == nil || kept[name]
		}
		kept = both
	}
	return kept
}

// levels replays conversations.
type levels struct {
	e       *evaluation
	ends    []int64
	load    bool
	byAgent bool
	agents  map[string]bool
	// names and numbers identify agents.
	names   []string
	numbers map[string]int32

	lives   []lifetime
	changes []change
	// labels are those of the conversations, if what is behind the value is listed.
	labels map[int64][2]string
	// stays are by series; only for ages.
	stays map[int32][]stay
}

// stay is a time in the state, from the end of one bucket to that of another.
type stay struct {
	first, last int
	created     int64
}

// read reads the conversations that fulfill a condition, and their events.
func (l *levels) read(ctx context.Context, condition Condition) error {
	e := l.e
	to := l.ends[len(l.ends)-1]
	where := []Condition{condition}
	for _, c := range e.filters() {
		// The agent is that of the event, which the replay knows.
		if c.Column != EventAgent {
			where = append(where, c)
		}
	}
	q := l.lifetimes(where)
	if condition.Operator == AtLeast {
		if counted, err := l.countPlain(ctx, q); counted {
			return err
		}
	}
	if err := l.readLives(ctx, q); err != nil {
		return err
	}
	if l.load || condition.Operator == Equals {
		return l.readChanges(ctx, Query{To: to, Where: where})
	}
	// What is closed and known not to have reopened was open until its last close, so
	// only the others' events are needed: a small part of all.
	where = slices.Clip(where)
	if err := l.readChanges(ctx, Query{To: to, Where: append(where, Condition{Column: FigureReopens, Operator: AtLeast, Number: 1})}); err != nil {
		return err
	}
	return l.readChanges(ctx, Query{To: to, Where: append(where, Condition{Column: FigureReopens, Operator: Unknown})})
}

// lifetimes returns the query of the conversations that were created before the last end.
func (l *levels) lifetimes(where []Condition) Query {
	q := Query{Table: Conversations, Date: FigureCreatedAt, To: l.ends[len(l.ends)-1], Where: where, End: FigureLastClosedAt}
	if !l.byAgent {
		q.Group, _ = l.e.d.column(l.e.r.By)
	}
	if l.e.labeled {
		// The agent of a load is that of an event, which the replay knows.
		q.Labels = []Column{FigureAssignee, FigureQueue}
	}
	return q
}

// readLives reads the conversations of a query.
func (l *levels) readLives(ctx context.Context, q Query) error {
	return l.each(ctx, q, func(o *Observation, series int32) {
		l.lives = append(l.lives, lifetime{series: series, id: o.ID, created: o.At, closed: o.End})
		if l.e.labeled {
			l.labels[o.ID] = o.Labels
		}
	})
}

// each calls visit with every conversation of a query and each series that it belongs to;
// by agent, that is known only from its events.
func (l *levels) each(ctx context.Context, q Query, visit func(o *Observation, series int32)) error {
	table := l.e.table
	var current Observation
	for o, err := range l.e.source.Observe(ctx, q) {
		if err != nil {
			return err
		}
		series := []int32{0}
		if !l.byAgent {
			series = table.of(o.Group)
		}
		if table.err != nil {
			return table.err
		}
		current = o
		for _, s := range series {
			visit(&current, s)
		}
	}
	return nil
}

// readChanges reads the events of a query, which says only of which conversations.
func (l *levels) readChanges(ctx context.Context, q Query) error {
	p := &l.e.d.plan
	q.Table, q.Kinds, q.Date, q.Key = Events, p.kinds, EventAt, p.key
	for o, err := range l.e.source.Observe(ctx, q) {
		if err != nil {
			return err
		}
		l.changes = append(l.changes, change{id: o.ID, at: o.At, kind: changeKinds[o.Kind], agent: l.number(o.Key)})
	}
	return nil
}

// number returns the number of an agent.
func (l *levels) number(agent string) int32 {
	if agent == "" {
		return 0
	}
	n, known := l.numbers[agent]
	if !known {
		n = int32(len(l.names))
		l.numbers[agent] = n
		l.names = append(l.names, agent)
	}
	return n
}

func (l *levels) replayAll() {
	slices.SortFunc(l.lives, func(a, b lifetime) int { return cmp.Compare(a.id, b.id) })
	slices.SortFunc(l.changes, func(a, b change) int {
		switch {
		case a.id != b.id:
			return cmp.Compare(a.id, b.id)
		case a.at != b.at:
			return cmp.Compare(a.at, b.at)
		case a.kind != b.kind:
			return cmp.Compare(a.kind, b.kind)
		default:
			// The numbers depend on the order of the rows.
			return cmp.Compare(l.names[a.agent], l.names[b.agent])
		}
	})
	first := 0
	for i := range l.lives {
		for first < len(l.changes) && l.changes[first].id < l.lives[i].id {
			first++
		}
		end := first
		for end < len(l.changes) && l.changes[end].id == l.lives[i].id {
			end++
		}
		l.replay(&l.lives[i], l.changes[first:end])
	}
}

// replay finds the times at which the conversation was in the state: open and, for
// the load, assigned. The state at an instant depends on nothing that happened later,
// so it is the same whatever period is asked for.
func (l *levels) replay(c *lifetime, changes []change) {
	open, agent, since := true, int32(0), c.created
	move := func(at int64, nowOpen bool, nowAgent int32) {
		if nowOpen == open && nowAgent == agent {
			return
		}
		if open {
			l.add(c, agent, since, at)
		}
		open, agent, since = nowOpen, nowAgent, at
	}
	for _, ch := range changes {
		switch ch.kind {
		case changeClosed:
			move(ch.at, false, agent)
		case changeReopened:
			move(ch.at, true, agent)
		case changeAssigned:
			move(ch.at, open, ch.agent)
		case changeUnassigned:
			move(ch.at, open, 0)
		}
	}
	move(math.MaxInt64, false, agent)
}

// add counts a conversation at the end of each bucket in (start, end], but not before it
// was created or after its last close, of which the event may be unknown.
func (l *levels) add(c *lifetime, agent int32, start, end int64) {
	start = max(start, c.created)
	if c.closed > 0 {
		end = min(end, c.closed)
	}
	if l.load && (agent == 0 || l.agents != nil && !l.agents[l.names[agent]]) {
		return
	}
	first := sort.Search(len(l.ends), func(i int) bool { return l.ends[i] > start })
	after := sort.Search(len(l.ends), func(i int) bool { return l.ends[i] > end })
	if first >= after {
		return
	}
	series := []int32{c.series}
	if l.byAgent {
		series = l.e.table.of(l.names[agent])
	}
	for _, s := range series {
		l.note(&l.e.table.cells[s][first], c, agent)
		if l.e.d.plan.shape == shapeAge {
			if l.stays == nil {
				l.stays = map[int32][]stay{}
			}
			l.stays[s] = append(l.stays[s], stay{first: first, last: after - 1, created: c.created})
			continue
		}
		// finish adds up these differences.
		l.e.table.cells[s][first].known++
		if after < len(l.ends) {
			l.e.table.cells[s][after].known--
		}
	}
}

// note adds a conversation that is in the state at the end of the bucket of a cell, if they
// are listed.
func (l *levels) note(in *cell, c *lifetime, agent int32) {
	if in.behind == nil {
		return
	}
	o := Observation{ID: c.id, At: c.created, Labels: l.labels[c.id]}
	age := Number{N: l.ends[0] - c.created, Known: l.e.d.plan.shape == shapeAge}
	if l.load {
		o.Labels[0] = l.names[agent]
	}
	in.note(&o, age, 0)
}

// finish turns what was collected into the cells' values.
func (l *levels) finish() {
	if l.e.d.plan.shape == shapeAge {
		for series, stays := range l.stays {
			fillAges(l.e.table.cells[series], l.ends, stays)
		}
		return
	}
	for _, cells := range l.e.table.cells {
		accumulate(cells[:len(l.ends)])
	}
}

// accumulate turns differences of levels into levels.
func accumulate(cells []cell) {
	for i := 1; i < len(cells); i++ {
		cells[i].known += cells[i-1].known
	}
}

// fillAges sets the number, mean, median and 90th percentile of the ages at the
// end of each bucket. It sweeps over the ends with the set of open conversations, so
// a conversation that stays for many buckets is stored once.
func fillAges(cells []cell, ends []int64, stays []stay) {
	slices.SortFunc(stays, func(a, b stay) int { return cmp.Compare(a.created, b.created) })
	comes, goes := make([]int, len(stays)), make([]int, len(stays))
	for i := range stays {
		comes[i], goes[i] = i, i
	}
	slices.SortFunc(comes, func(a, b int) int { return cmp.Compare(stays[a].first, stays[b].first) })
	slices.SortFunc(goes, func(a, b int) int { return cmp.Compare(stays[a].last, stays[b].last) })

	open := newRanks(len(stays))
	var sum total
	n := 0
	for i, end := range ends {
		for ; len(comes) > 0 && stays[comes[0]].first == i; comes = comes[1:] {
			open.add(comes[0], 1)
			sum.add(stays[comes[0]].created - ends[0])
			n++
		}
		if c := &cells[i]; n > 0 {
			c.known = n
			c.mean = float64(end-ends[0]) - sum.float()/float64(n)
			// The youngest was created last.
			age := func(percent int) int64 { return end - stays[open.find(n-rank(n, percent)+1)].created }
			c.values = []int64{age(50), age(90)}
		}
		for ; len(goes) > 0 && stays[goes[0]].last == i; goes = goes[1:] {
			open.add(goes[0], -1)
			sum.add(ends[0] - stays[goes[0]].created)
			n--
		}
	}
}

// ranks is a set of integers from 0 that finds its k-th smallest (a Fenwick tree).
type ranks struct{ tree []int32 }

func newRanks(n int) *ranks { return &ranks{tree: make([]int32, n+1)} }

func (r *ranks) add(i int, n int32) {
	for i++; i < len(r.tree); i += i & -i {
		r.tree[i] += n
	}
}

// find returns the k-th smallest member, from 1.
func (r *ranks) find(k int) int {
	i, left := 0, int32(k)
	step := 1
	for step*2 < len(r.tree) {
		step *= 2
	}
	for ; step > 0; step /= 2 {
		if i+step < len(r.tree) && r.tree[i+step] < left {
			i += step
			left -= r.tree[i]
		}
	}
	return i
}
