package kpi

import (
	"cmp"
	"context"
	"slices"
)

// MaxListed limits [BehindRequest.Limit].
const (
	MaxListed     = 500
	defaultListed = 50
)

// BehindRequest asks for the conversations or claims behind one value of a figure.
type BehindRequest struct {
	Request
	// Group is the group of the value; only if the request has a grouping.
	Group string
	// Position is the place of the value's bucket among the request's buckets, from 0. If
	// nil, it is the value of the whole period.
	Position *int
	// After is the place after which the list begins; nil for its start.
	After *Place
	// Limit is how many are listed, from 1 to [MaxListed].
	Limit int
}

// Place is a place in the list of what is behind a value.
type Place struct {
	// At and ID are those of the [Member] at the place.
	At, ID int64
}

// Member is a conversation or claim behind a value.
type Member struct {
	// ID is that of [Observation].
	ID int64
	// At is the date that places it, in microseconds: that of the newest if several
	// observations of it are behind the value. Of a backlog or a load, it is when the
	// conversation was created.
	At int64
	// Value is what the newest observation contributes: a duration in seconds, a number or
	// a score; nil if the figure only counts it.
	Value *float64
	// Times is how many observations of it are behind the value.
	Times int
	// Part and Opposite are how many of them are a part of a share and, for a net share,
	// of the opposite part.
	Part, Opposite int
	// Labels are the agent and the queue by which the figure can be grouped, or else those
	// of the conversation; of a claim its shop and id.
	Labels [2]string
}

// Behind is what is behind a value.
type Behind struct {
	// Label is the name of the group, as in [Series].
	Label string
	// Bucket is the value, computed from the same rows as the list.
	Bucket BucketValue
	// Members are ordered from the newest to the oldest, and by descending id.
	Members []Member
	// More says that there are more after these.
	More bool
	// Gone is how many conversations are behind the value without being listed at any
	// place: their figures stay, but their records were deleted.
	Gone int
}

// Holder is a [Source] that knows which conversations it still has the records of. A
// source that is none has them all.
type Holder interface {
	Source
	// Gone returns those of the conversations of which only the figures stay.
	Gone(ctx context.Context, ids []int64) (map[int64]bool, error)
}

// Listable reports whether the values of the figure come from conversations or claims.
func (d Definition) Listable() bool { return d.plan.table != Presences }

// CheckBehind returns a [*claim.InvalidError] with every field of a complete request that
// the definition does not allow, named as in [Definition.ParseBehind].
func (d Definition) CheckBehind(r BehindRequest) error {
	var f faults
	d.checkBehind(r, &f)
	return f.err()
}

func (d Definition) checkBehind(r BehindRequest, f *faults) {
	before := len(*f)
	d.check(r.Request, f)
	if !d.Listable() {
		f.add("kpi", "must be a figure of conversations or claims, not of %s", d.Subject)
	}
	if r.By == "" && r.Group != "" {
		f.add("group", "needs by, which says what it is a group of")
	}
	if r.Limit < 1 || r.Limit > MaxListed {
		f.add("limit", "must be from 1 to %d", MaxListed)
	}
	if r.Position == nil || len(*f) > before {
		return
	}
	if n := newGrid(r.Request).size(); *r.Position < 0 || *r.Position >= n {
		f.add("position", "must be from 0 to %d, because the period has %d buckets", n-1, n)
	}
}

// Behind lists what is behind a value. It is selected by the evaluation of the figure
// itself, from the rows as they are at one moment: the number of all that are listed and
// [Behind.Gone] are together the [BucketValue.Count]. Missing fields of the request have
// the definition's defaults. Errors are as of [Evaluator.Evaluate].
//
// Memory grows with the observations behind the value: about 100 bytes for each.
func (e *Evaluator) Behind(ctx context.Context, d Definition, r BehindRequest) (*Behind, error) {
	r.Request = d.Complete(r.Request)
	var f faults
	d.checkBehind(r, &f)
	if r.Hours == BusinessHours && len(e.Hours) == 0 {
		f.add("hours", "must be %s, because no business hours are known", ClockHours)
	}
	if err := f.err(); err != nil {
		return nil, err
	}
	keeper, able := e.Source.(Keeper)
	if !able {
		return e.behind(ctx, &d, &r, e.Source)
	}
	var out *Behind
	err := keeper.Moment(ctx, func(m Moment) (err error) {
		out, err = e.behind(ctx, &d, &r, m)
		return err
	})
	return out, err
}

// rowsOnly is a source that does not count.
type rowsOnly struct{ Source }

func (e *Evaluator) behind(ctx context.Context, d *Definition, r *BehindRequest, source Source) (*Behind, error) {
	asked, bucket, none := r.one()
	run := e.evaluation(d, &asked, rowsOnly{source})
	run.labeled = true
	if asked.By == ByTeam && r.Group == "" {
		// No filter selects the agents without a team.
		run.table.only = []string{""}
		run.table.series("")
	}
	found := &listing{}
	run.table.cells[0][bucket].behind = found
	if !none {
		if err := run.evaluate(ctx); err != nil {
			return nil, err
		}
	}
	run.setHours()
	out := &Behind{Label: e.Directory.label(r.By, r.Group)}
	run.span(&out.Bucket, bucket)
	run.finish(&out.Bucket, bucket, &run.table.cells[0][bucket])
	members := found.members(d)
	if holder, able := source.(Holder); able && d.ofConversations() {
		gone, err := holder.Gone(ctx, idsOf(members))
		if err != nil {
			return nil, err
		}
		out.Gone = len(gone)
		members = slices.DeleteFunc(members, func(m Member) bool { return gone[m.ID] })
	}
	slices.SortFunc(members, func(a, b Member) int { return comparePlaces(a.place(), b.place()) })
	if r.After != nil {
		from, found := slices.BinarySearchFunc(members, *r.After, func(m Member, p Place) int { return comparePlaces(m.place(), p) })
		if found {
			from++
		}
		members = members[from:]
	}
	if out.More = len(members) > r.Limit; out.More {
		members = members[:r.Limit]
	}
	out.Members = slices.Clone(members)
	return out, nil
}

// one returns the request for the one value, with which the evaluation has only the group's
// series, and the place of its bucket there. none says that the filters leave nothing of
// the group.
func (r *BehindRequest) one() (asked Request, bucket int, none bool) {
	asked = r.Request
	switch {
	case r.Position == nil:
		asked.Bucket = BucketNone
	case asked.Bucket == BucketHourOfWeek:
		bucket = *r.Position
	default:
		bounds := boundaries(asked)
		asked.From, asked.To, asked.Bucket = bounds[*r.Position], bounds[*r.Position+1], BucketNone
	}
	if asked.By == "" {
		return asked, bucket, false
	}
	only, filtered := asked.Filters[asked.By]
	none = filtered && !slices.Contains(only, r.Group)
	asked.Filters = map[Dimension][]string{}
	for dimension, values := range r.Filters {
		asked.Filters[dimension] = values
	}
	if delete(asked.Filters, asked.By); asked.By != ByTeam || r.Group != "" {
		asked.Filters[asked.By] = []string{r.Group}
	}
	return asked, bucket, none
}

// ofConversations reports whether the figure's observations are of conversations.
func (d *Definition) ofConversations() bool {
	return d.plan.table == Conversations || d.plan.table == Events
}

// labels are the columns of [Member.Labels].
func (d *Definition) labels() []Column {
	if !d.ofConversations() {
		return []Column{ClaimShop, ClaimID}
	}
	agent, _ := d.column(ByAgent)
	queue, _ := d.column(ByQueue)
	return []Column{cmp.Or(agent, FigureAssignee), cmp.Or(queue, FigureQueue)}
}

// listing collects the observations behind a value, each as a member.
type listing struct{ all []Member }

// note adds an observation behind the value of the cell, if they are listed.
func (c *cell) note(o *Observation, value Number, part int) {
	if c.behind == nil {
		return
	}
	m := Member{ID: o.ID, At: o.At, Times: 1, Part: one(part > 0), Opposite: one(part < 0), Labels: o.Labels}
	if value.Known {
		m.Value = new(float64(value.N))
	}
	c.behind.all = append(c.behind.all, m)
}

// members returns what was listed, with one member of each id.
func (l *listing) members(d *Definition) []Member {
	slices.SortFunc(l.all, func(a, b Member) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(b.At, a.At), b.compareValue(&a), slices.Compare(a.Labels[:], b.Labels[:]))
	})
	members := l.all[:0]
	for _, m := range l.all {
		if n := len(members); n > 0 && members[n-1].ID == m.ID {
			same := &members[n-1]
			same.Times, same.Part, same.Opposite = same.Times+1, same.Part+m.Part, same.Opposite+m.Opposite
			continue
		}
		if m.Value != nil && d.Unit == Seconds {
			*m.Value /= 1e6
		}
		members = append(members, m)
	}
	return members
}

// compareValue compares values; no value is less than any.
func (m *Member) compareValue(o *Member) int {
	switch {
	case m.Value == nil || o.Value == nil:
		return one(m.Value != nil) - one(o.Value != nil)
	default:
		return cmp.Compare(*m.Value, *o.Value)
	}
}

func (m *Member) place() Place { return Place{At: m.At, ID: m.ID} }

// comparePlaces orders from the newest to the oldest, and by descending id.
func comparePlaces(a, b Place) int {
	return cmp.Or(cmp.Compare(b.At, a.At), cmp.Compare(b.ID, a.ID))
}

func idsOf(members []Member) []int64 {
	ids := make([]int64, len(members))
	for i := range members {
		ids[i] = members[i].ID
	}
	return ids
}
