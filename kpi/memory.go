package kpi

import (
	"context"
	"iter"
	"slices"

	"github.com/claimflow/claimflow/mirror"
)

// Memory is a [Source] over facts in memory. It is simple rather than fast: other
// sources are tested against it.
type Memory struct {
	figures  []mirror.Figures
	claims   []ClaimFact
	presence []PresenceSample
}

// NewMemory returns a source over the facts, which must not change afterwards.
func NewMemory(figures []mirror.Figures, claims []ClaimFact, presence ...PresenceSample) *Memory {
	return &Memory{figures: figures, claims: claims, presence: presence}
}

// memoryRow is a row of a table joined with those that it belongs to. The parts that
// the table does not have are nil.
type memoryRow struct {
	figures *mirror.Figures
	event   *mirror.FigureEvent
	claim   *ClaimFact
	parking *Parking
	sample  *PresenceSample
}

// Observe implements [Source].
func (m *Memory) Observe(ctx context.Context, q Query) iter.Seq2[Observation, error] {
	return func(yield func(Observation, error) bool) {
		only := map[int64]bool{}
		for _, id := range q.IDs {
			only[id] = true
		}
		for row := range m.rows(q) {
			if q.IDs != nil && !only[row.figures.ConversationID] {
				continue
			}
			if err := ctx.Err(); err != nil {
				yield(Observation{}, err)
				return
			}
			at := row.number(q.Date)
			if at.N == 0 || at.N < q.From && q.From != 0 || at.N >= q.To && q.To != 0 || !row.fulfills(q.Where) {
				continue
			}
			o := row.observation(q)
			groups := []string{row.text(q.Group)}
			if q.Group == TagName {
				groups = row.tags()
			}
			for _, o.Group = range groups {
				if !yield(o, nil) {
					return
				}
			}
		}
	}
}

// rows yields the rows of the query's table, of the query's kinds.
func (m *Memory) rows(q Query) iter.Seq[memoryRow] {
	return func(yield func(memoryRow) bool) {
		for i := range m.presence {
			if q.Table == Presences && !yield(memoryRow{sample: &m.presence[i]}) {
				return
			}
		}
		for i := range m.figures {
			f := &m.figures[i]
			if q.Table == Conversations && !yield(memoryRow{figures: f}) {
				return
			}
			for n := range f.Events {
				if e := &f.Events[n]; q.Table == Events && slices.Contains(q.Kinds, e.Kind) && !yield(memoryRow{figures: f, event: e}) {
					return
				}
			}
		}
		for i := range m.claims {
			c := &m.claims[i]
			if q.Table == Claims && !yield(memoryRow{claim: c}) {
				return
			}
			for n := range c.Parkings {
				if q.Table == Parkings && !yield(memoryRow{claim: c, parking: &c.Parkings[n]}) {
					return
				}
			}
		}
	}
}

// observation returns the row's observation but for its group.
func (r *memoryRow) observation(q Query) Observation {
	o := Observation{At: r.number(q.Date).N, Key: r.text(q.Key), Start: r.number(q.Start).N, End: r.number(q.End).N}
	switch {
	case r.claim != nil:
		o.ID = ClaimNumber(r.claim.Shop, r.claim.ID)
	case r.sample != nil:
		o.ID = r.sample.At.UnixMicro()
	default:
		o.ID = r.figures.ConversationID
	}
	if r.event != nil {
		o.Kind = r.event.Kind
	}
	for i, column := range q.Values {
		o.Values[i] = r.number(column)
	}
	for i, column := range q.Labels {
		o.Labels[i] = r.text(column)
	}
	return o
}

// fulfills reports whether all conditions hold.
func (r *memoryRow) fulfills(conditions []Condition) bool {
	for _, c := range conditions {
		var holds bool
		switch c.Operator {
		case OneOf:
			holds = slices.ContainsFunc(r.texts(c.Column), func(s string) bool { return slices.Contains(c.Texts, s) })
		case NoneOf:
			holds = !slices.ContainsFunc(r.texts(c.Column), func(s string) bool { return slices.Contains(c.Texts, s) })
		case Equals:
			n := r.number(c.Column)
			holds = n.Known && n.N == c.Number
		case AtLeast:
			n := r.number(c.Column)
			holds = n.Known && n.N >= c.Number
		case Unknown:
			holds = !r.number(c.Column).Known
		}
		if !holds {
			return false
		}
	}
	return true
}

func (r *memoryRow) texts(column Column) []string {
	if column == TagName {
		return r.tags()
	}
	return []string{r.text(column)}
}

// tags returns the conversation's tags, or "" if it has none.
func (r *memoryRow) tags() []string {
	if len(r.figures.Tags) == 0 {
		return []string{""}
	}
	return r.figures.Tags
}
