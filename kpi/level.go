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
	var ends []int64
	for i, start := range e.grid.bounds[:e.grid.size()] {
		if start < e.now {
			ends = append(ends, min(e.grid.bounds[i+1], e.now))
		}
	}
	if len(ends) == 0 {
		return nil
	}
	l := &levels{
		e: e, ends: ends, byAgent: e.r.By == ByAgent || e.r.By == ByTeam, load: e.d.plan.shape == shapeLoad,
		agents: e.agentFilter(), names: []string{""}, numbers: map[string]int32{"": 0},
	}
	// What closed for good before the first end is in no bucket.
	for _, condition := range []Condition{
		{Column: FigureLastClosedAt, Operator: Equals},
		{Column: FigureLastClosedAt, Operator: AtLeast, Number: ends[0]},
	} {
		if err := l.read(ctx, condition); err != nil {
			return err
		}
	}
	l.replayAll()
	l.finish()
	return e.table.err
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
	q := Query{Table: Conversations, Date: FigureCreatedAt, To: to, Where: where, End: FigureLastClosedAt}
	if !l.byAgent {
		q.Group, _ = e.d.column(e.r.By)
	}
	if condition.Operator == AtLeast {
		if counted, err := l.countPlain(ctx, q); counted {
			return err
		}
	}
	if err := l.readLives(ctx, q); err != nil {
		return err
	}
	if l.load || condition.Operator == Equals {
		return l.readChanges(ctx, to, where)
	}
	// What is closed and known not to have reopened was open until its last close, so
	// only the others' events are needed: a small part of all.
	where = slices.Clip(where)
	if err := l.readChanges(ctx, to, append(where, Condition{Column: FigureReopens, Operator: AtLeast, Number: 1})); err != nil {
		return err
	}
	return l.readChanges(ctx, to, append(where, Condition{Column: FigureReopens, Operator: Unknown}))
}

// readLives reads the conversations of a query.
func (l *levels) readLives(ctx context.Context, q Query) error {
	table := l.e.table
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
		for _, s := range series {
			l.lives = append(l.lives, lifetime{series: s, id: o.ID, created: o.At, closed: o.End})
		}
	}
	return nil
}

// readChanges reads the events before an instant of the conversations that fulfill
// conditions.
func (l *levels) readChanges(ctx context.Context, to int64, where []Condition) error {
	p := &l.e.d.plan
	for o, err := range l.e.source.Observe(ctx, Query{Table: Events, Kinds: p.kinds, Date: EventAt, To: to, Where: where, Key: p.key}) {
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
// the load, assigned.
func (l *levels) replay(c *lifetime, changes []change) {
	open, agent, since, turned := true, int32(0), c.created, c.created
	move := func(at int64, nowOpen bool, nowAgent int32) {
		if nowOpen == open && nowAgent == agent {
			return
		}
		if open {
			l.add(c, agent, since, at)
		}
		if nowOpen != open {
			turned = at
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
	// Without a complete log, the last close may be known although its event is not.
	if open && c.closed >= turned {
		move(max(c.closed, since), false, agent)
	}
	move(math.MaxInt64, false, agent)
}

// add counts a conversation at the end of each bucket in (start, end].
func (l *levels) add(c *lifetime, agent int32, start, end int64) {
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

// finish turns what was collected into the cells' values.
func (l *levels) finish() {
	if l.e.d.plan.shape == shapeAge {
		for series, stays := range l.stays {
			fillAges(l.e.table.cells[series], l.ends, stays)
		}
		return
	}
	for _, cells := range l.e.table.cells {
		for i := 1; i < len(l.ends); i++ {
			cells[i].known += cells[i-1].known
		}
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
