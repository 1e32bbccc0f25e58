package kpi

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/claimflow/claimflow/mirror"
)

// aftermath is what happened in a reopened conversation up to a number of days after
// its first close.
type aftermath struct {
	replies  int
	reopened bool
}

// reopened computes shares of conversations by what happened after their first close.
// The definition's values are agent replies and reopens.
func (e *evaluation) reopened(ctx context.Context) error {
	after, err := e.aftermaths(ctx)
	if err != nil {
		return err
	}
	oneTouch, limit := e.d.plan.shape == shapeOneTouch, e.r.within()
	return e.each(ctx, e.query(), func(c *cell, o *Observation) {
		replies, reopens := o.Values[0], o.Values[1]
		if !reopens.Known || oneTouch && !replies.Known {
			c.missing++
			return
		}
		then := aftermath{replies: int(replies.N), reopened: reopens.N > 0}
		if then.reopened && limit > 0 {
			then = after[o.ID]
		}
		part := one(then.reopened)
		if oneTouch {
			part = one(then.replies == 1 && !then.reopened)
		}
		c.known++
		c.note(o, Number{}, part)
		c.add(part)
	})
}

// aftermaths returns the aftermath of each reopened conversation of the request; none
// if it has no limit of days.
func (e *evaluation) aftermaths(ctx context.Context) (map[int64]aftermath, error) {
	after := map[int64]aftermath{}
	if e.r.WithinDays == 0 {
		return after, nil
	}
	q := Query{
		Table: Events, Kinds: []mirror.EventKind{mirror.KindReply, mirror.KindReopened},
		Date: e.d.dateColumn(e.r.PlacedBy), From: e.r.From.UnixMicro(), To: e.r.To.UnixMicro(),
		Where: []Condition{{Column: FigureReopens, Operator: AtLeast, Number: 1}},
		Start: FigureFirstClosedAt, End: EventAt,
	}
	for o, err := range e.source.Observe(ctx, q) {
		if err != nil {
			return nil, err
		}
		a := after[o.ID]
		if o.End < o.Start+e.r.within() {
			if o.Kind == mirror.KindReply {
				a.replies++
			} else {
				a.reopened = true
			}
		}
		after[o.ID] = a
	}
	return after, nil
}

// offer is an offered rating, or an answer. The bucket is -1 outside the period.
type offer struct {
	series int32
	bucket int
	id, at int64
	// seen is the observation, if what is behind the value is listed.
	seen *Observation
}

func compareOffers(a, b offer) int {
	return cmp.Or(cmp.Compare(a.series, b.series), cmp.Compare(a.id, b.id), cmp.Compare(a.at, b.at))
}

// answered computes the share of offered ratings that were answered. Nothing links an
// answer to its offer, so each answer belongs to the latest offer of its conversation
// that is not later and not answered yet. Offers after the period take their answers too.
func (e *evaluation) answered(ctx context.Context) error {
	q := e.query()
	q.End = EventAt
	var offers []offer
	asked := map[int64]bool{}
	for o, err := range e.source.Observe(ctx, q) {
		if err != nil {
			return err
		}
		bucket := e.grid.of(o.At)
		if bucket < 0 {
			continue
		}
		asked[o.ID] = true
		var seen *Observation
		if e.labeled {
			kept := o
			seen = &kept
		}
		for _, series := range e.table.of(o.Group) {
			offers = append(offers, offer{series: series, bucket: bucket, id: o.ID, at: o.End, seen: seen})
		}
		if e.table.err != nil {
			return e.table.err
		}
	}
	// A group without an offer does not appear.
	add := func(list *[]offer, q Query) error {
		for o, err := range e.source.Observe(ctx, q) {
			if err != nil {
				return err
			}
			for _, series := range e.table.routes[o.Group] {
				*list = append(*list, offer{series: series, bucket: -1, id: o.ID, at: o.End})
			}
		}
		return nil
	}
	if len(asked) == 0 {
		return nil
	}
	if len(asked) <= idsAtOnce {
		q.IDs = slices.Sorted(maps.Keys(asked))
	}
	if q.Date == EventAt {
		q.From, q.To = q.To, 0
		if err := add(&offers, q); err != nil {
			return err
		}
		q.From = e.r.From.UnixMicro()
	}
	q.Kinds = []mirror.EventKind{mirror.KindRated}
	var answers []offer
	if err := add(&answers, q); err != nil {
		return err
	}
	slices.SortFunc(offers, compareOffers)
	slices.SortFunc(answers, compareOffers)

	var open []offer // offers of one conversation before the answer, not yet answered
	next := 0
	settle := func(o offer, part int) {
		if o.bucket < 0 {
			return
		}
		c := &e.table.cells[o.series][o.bucket]
		c.known++
		c.ids = append(c.ids, o.id)
		c.note(o.seen, Number{}, part)
		c.add(part)
	}
	flush := func() {
		for _, o := range open {
			settle(o, 0)
		}
		open = open[:0]
	}
	for _, a := range answers {
		for ; next < len(offers) && compareOffers(offers[next], a) <= 0; next++ {
			if len(open) > 0 && (open[0].series != offers[next].series || open[0].id != offers[next].id) {
				flush()
			}
			open = append(open, offers[next])
		}
		if n := len(open); n > 0 && open[n-1].series == a.series && open[n-1].id == a.id {
			settle(open[n-1], 1)
			open = open[:n-1]
		}
	}
	open = append(open, offers[next:]...)
	flush()
	return nil
}

// earlierClaim is a claim of a customer.
type earlierClaim struct{ at, id int64 }

// repeated computes the share of claims whose customer made another claim before.
func (e *evaluation) repeated(ctx context.Context) error {
	// Earlier claims count whatever their reason, so the filters do not apply to them.
	history := map[string][]earlierClaim{}
	q := Query{
		Table: Claims, Date: ClaimAcceptedAt, From: e.r.From.UnixMicro() - e.r.within(), To: e.r.To.UnixMicro(),
		Key: ClaimCustomer, Where: []Condition{{Column: ClaimCustomer, Operator: NoneOf, Texts: []string{""}}},
	}
	for o, err := range e.source.Observe(ctx, q) {
		if err != nil {
			return err
		}
		history[o.Key] = append(history[o.Key], earlierClaim{at: o.At, id: o.ID})
	}
	for _, claims := range history {
		slices.SortFunc(claims, compareClaims)
	}
	return e.each(ctx, e.query(), func(c *cell, o *Observation) {
		if o.Key == "" {
			c.missing++
			return
		}
		claims := history[o.Key]
		i, _ := slices.BinarySearchFunc(claims, earlierClaim{at: o.At, id: o.ID}, compareClaims)
		part := one(i > 0 && claims[i-1].at >= o.At-e.r.within())
		c.known++
		c.note(o, Number{}, part)
		c.add(part)
	})
}

func compareClaims(a, b earlierClaim) int {
	return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.id, b.id))
}
