package kpi_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/kpi"
	"github.com/claimflow/claimflow/mirror"
)

// shuffled is a source that answers in a random order.
type shuffled struct {
	source kpi.Source
	random *rand.Rand
}

func (s shuffled) Observe(ctx context.Context, q kpi.Query) iter.Seq2[kpi.Observation, error] {
	return func(yield func(kpi.Observation, error) bool) {
		var all []kpi.Observation
		for o, err := range s.source.Observe(ctx, q) {
			if err != nil {
				yield(o, err)
				return
			}
			all = append(all, o)
		}
		s.random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		for _, o := range all {
			if !yield(o, nil) {
				return
			}
		}
	}
}

// broken is a source that fails.
type broken struct{ err error }

func (b broken) Observe(context.Context, kpi.Query) iter.Seq2[kpi.Observation, error] {
	return func(yield func(kpi.Observation, error) bool) { yield(kpi.Observation{}, b.err) }
}

// history makes conversations with random closes, reopens and assignments in March,
// with equal instants now and then.
func history(random *rand.Rand, n int) []mirror.Figures {
	agents := []string{"ann", "bob", "cy"}
	all := make([]mirror.Figures, n)
	for i := range all {
		f := &all[i]
		at := at("01 00:00").Add(time.Duration(random.IntN(20*24)) * time.Hour)
		*f = mirror.Figures{
			ConversationID: int64(i + 1), CreatedAt: at, Direction: "inbound", Channel: []string{"Email", "WidgetChat"}[random.IntN(2)],
			QueueID: []string{"", "q1", "q2"}[random.IntN(3)], AgentReplies: new(random.IntN(3)), FirstInboundAt: at,
		}
		open, reopens := true, 0
		for range random.IntN(8) {
			at = at.Add(time.Duration(random.IntN(40)) * time.Hour)
			switch kind := random.IntN(4); {
			case kind == 0 && open:
				f.Events = append(f.Events, mirror.FigureEvent{At: at, Kind: closed})
				f.LastClosedAt, open = at, false
				if f.FirstClosedAt.IsZero() {
					f.FirstClosedAt = at
				}
			case kind == 0:
				f.Events = append(f.Events, mirror.FigureEvent{At: at, Kind: reopened})
				f.LastClosedAt, open = time.Time{}, true
				reopens++
			case kind == 1:
				f.Events = append(f.Events, mirror.FigureEvent{At: at, Kind: unassigned})
			default:
				f.Events = append(f.Events, mirror.FigureEvent{At: at, Kind: assigned, AgentID: agents[random.IntN(3)]})
			}
			at = at.Add(time.Minute)
		}
		if random.IntN(4) > 0 { // otherwise the log is not known to be complete
			f.Reopens = &reopens
		}
		f.FirstResponseAt = f.CreatedAt.Add(time.Duration(random.IntN(1000)) * time.Second)
	}
	return all
}

// stateAt replays a conversation in the plainest way: whether it was open just before
// an instant, and with whom.
func stateAt(f mirror.Figures, end time.Time) (open bool, agent string) {
	open = f.CreatedAt.Before(end)
	for _, e := range f.Events {
		if !e.At.Before(end) {
			break
		}
		switch e.Kind {
		case closed:
			open = false
		case reopened:
			open = true
		case assigned:
			agent = e.AgentID
		case unassigned:
			agent = ""
		}
	}
	return open, agent
}

func TestLevelsEqualAPlainReplay(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 0))
		figures := history(random, 150)
		e := kpi.Evaluator{Source: shuffled{kpi.NewMemory(figures, nil), random}, Directory: directory}
		r := kpi.Request{
			From: at("05 00:00"), To: at("21 00:00"), Bucket: []kpi.Bucket{kpi.BucketDay, kpi.BucketHour, kpi.BucketWeek}[seed%3],
			Now: at("19 07:30"),
		}
		evaluate := func(id string, by kpi.Dimension) *kpi.Result {
			d, _ := kpi.ByID(id)
			r := r
			r.By = by
			result, err := e.Evaluate(t.Context(), d, r)
			require.NoError(t, err)
			return result
		}
		ages := evaluate("backlog_age", "").Series[0].Buckets
		for i, b := range evaluate("backlog", "").Series[0].Buckets {
			end := b.End
			if r.Now.Before(end) {
				end = r.Now
			}
			var open []time.Duration
			for _, f := range figures {
				if is, _ := stateAt(f, end); is {
					open = append(open, end.Sub(f.CreatedAt))
				}
			}
			if !b.Start.Before(r.Now) {
				require.Nil(t, b.Value)
				continue
			}
			require.InDelta(t, float64(len(open)), *b.Value, 0, b.Start)
			require.Equal(t, len(open), ages[i].Count)
			slices.Sort(open)
			var sum time.Duration
			for _, age := range open {
				sum += age
			}
			require.InDelta(t, open[(len(open)+1)/2-1].Seconds(), *ages[i].Median, 0)
			require.InDelta(t, open[(len(open)*9+9)/10-1].Seconds(), *ages[i].P90, 0)
			require.InDelta(t, sum.Seconds()/float64(len(open)), *ages[i].Mean, 1e-6)
		}
		for _, s := range evaluate("agent_load", kpi.ByAgent).Series {
			for _, b := range s.Buckets {
				end := b.End
				if r.Now.Before(end) {
					end = r.Now
				}
				n := 0
				for _, f := range figures {
					if open, agent := stateAt(f, end); open && agent == s.Group {
						n++
					}
				}
				if b.Start.Before(r.Now) {
					require.Equal(t, n, b.Count, "%s %s", s.Group, b.Start)
				}
			}
		}
	}
}

func TestPercentilesEqualSorting(t *testing.T) {
	t.Parallel()
	d, _ := kpi.ByID("first_response_time")
	for seed := range uint64(30) {
		random := rand.New(rand.NewPCG(seed, 1))
		figures := history(random, 1+random.IntN(400))
		result, err := (&kpi.Evaluator{Source: kpi.NewMemory(figures, nil)}).Evaluate(t.Context(), d,
			kpi.Request{From: at("01 00:00"), To: at("30 00:00"), Bucket: kpi.BucketNone})
		require.NoError(t, err)
		var times []float64
		for _, f := range figures {
			times = append(times, f.FirstResponseAt.Sub(f.CreatedAt).Seconds())
		}
		slices.Sort(times)
		b := result.Series[0].Buckets[0]
		require.InDelta(t, times[(len(times)+1)/2-1], *b.Median, 0)
		require.InDelta(t, times[(len(times)*9+9)/10-1], *b.P90, 0)
		require.InDelta(t, *b.Value, *b.Median, 0)
	}
}

// A database answers in any order.
func TestTheOrderOfRowsDoesNotMatter(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(7, 7))
	source := kpi.NewMemory(conversations(), claims(), presence()...)
	for _, d := range kpi.All() {
		for _, by := range append([]kpi.Dimension{""}, d.Dimensions...) {
			r := kpi.Request{From: at("01 00:00"), To: at("15 00:00"), Now: at("20 00:00"), Bucket: kpi.BucketDay, By: by}
			want, err := (&kpi.Evaluator{Source: source, Directory: directory}).Evaluate(t.Context(), d, r)
			require.NoError(t, err)
			for range 3 {
				have, err := (&kpi.Evaluator{Source: shuffled{source, random}, Directory: directory}).Evaluate(t.Context(), d, r)
				require.NoError(t, err)
				require.Equal(t, show(want), show(have), d.ID)
			}
		}
	}
}

func TestAnErrorOfTheSourceIsReturned(t *testing.T) {
	t.Parallel()
	failure := errors.New("the database is gone")
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, d := range kpi.All() {
		r := kpi.Request{From: at("02 00:00"), To: at("05 00:00")}
		_, err := (&kpi.Evaluator{Source: broken{failure}}).Evaluate(t.Context(), d, r)
		require.ErrorIs(t, err, failure, d.ID)
		_, err = (&kpi.Evaluator{Source: kpi.NewMemory(conversations(), claims(), presence()...)}).Evaluate(canceled, d, r)
		require.ErrorIs(t, err, context.Canceled, d.ID)
	}
}

func TestTooManyGroupsAreRefused(t *testing.T) {
	t.Parallel()
	figures := make([]mirror.Figures, 50)
	for i := range figures {
		figures[i] = mirror.Figures{ConversationID: int64(i + 1), CreatedAt: at("02 00:00"), Tags: []string{fmt.Sprint("tag ", i)}}
	}
	for _, id := range []string{"conversation_volume", "backlog"} {
		d, _ := kpi.ByID(id)
		_, err := (&kpi.Evaluator{Source: kpi.NewMemory(figures, nil)}).Evaluate(t.Context(), d, kpi.Request{
			From: at("01 00:00").AddDate(0, -6, 0), To: at("03 00:00"), Bucket: kpi.BucketHour, By: kpi.ByTag,
		})
		var invalid *claim.InvalidError
		require.ErrorAs(t, err, &invalid, id)
		require.Equal(t, "by", invalid.Errors[0].Field)
	}
}

// generated yields a million answers without a store.
type generated struct{}

func (generated) Observe(_ context.Context, q kpi.Query) iter.Seq2[kpi.Observation, error] {
	return func(yield func(kpi.Observation, error) bool) {
		queues := []string{"q1", "q2", "q3", "q4", "q5"}
		random := rand.New(rand.NewPCG(1, 1))
		span := q.To - q.From
		if q.From == 0 {
			span = (365 * 24 * time.Hour).Microseconds()
		}
		const n = 1_000_000
		for i := range int64(n) {
			at := q.To - span + i*(span/n)
			o := kpi.Observation{ID: i / int64(max(1, len(q.Kinds))), At: at, Group: queues[random.IntN(5)], Start: at, End: at + random.Int64N(1e10)}
			o.Values[0] = kpi.Number{N: random.Int64N(1e10), Known: true}
			if len(q.Kinds) > 0 {
				o.Kind = q.Kinds[i%int64(len(q.Kinds))]
			}
			if q.Group == "" {
				o.Group = ""
			}
			if q.Table == kpi.Conversations && len(q.Where) > 0 && q.Where[0].Operator == kpi.Equals {
				o.End = 0
				if i > n/100 {
					return // a hundredth is open
				}
			}
			if !yield(o, nil) {
				return
			}
		}
	}
}

// A million observations of a year.
func BenchmarkEvaluate(b *testing.B) {
	for _, c := range []struct {
		id     string
		bucket kpi.Bucket
		by     kpi.Dimension
		hours  kpi.Hours
	}{
		{"conversation_volume", kpi.BucketDay, kpi.ByQueue, kpi.ClockHours},
		{"conversation_volume", kpi.BucketHourOfWeek, "", kpi.ClockHours},
		{"first_response_time", kpi.BucketNone, "", kpi.ClockHours},
		{"first_response_time", kpi.BucketDay, kpi.ByQueue, kpi.ClockHours},
		{"first_response_time", kpi.BucketDay, kpi.ByQueue, kpi.BusinessHours},
		{"closed_conversations", kpi.BucketMonth, kpi.ByQueue, kpi.ClockHours},
		{"backlog", kpi.BucketDay, kpi.ByQueue, kpi.ClockHours},
		{"backlog_age", kpi.BucketDay, "", kpi.ClockHours},
	} {
		b.Run(fmt.Sprintf("%s/%s/%s/%s", c.id, c.bucket, c.by, c.hours), func(b *testing.B) {
			d, _ := kpi.ByID(c.id)
			e := kpi.Evaluator{Source: generated{}, Hours: kpi.History{officeHours()}}
			for b.Loop() {
				_, err := e.Evaluate(b.Context(), d, kpi.Request{
					From: at("01 00:00").AddDate(-1, 0, 0), To: at("01 00:00"), Bucket: c.bucket, By: c.by, Hours: c.hours,
				})
				require.NoError(b, err)
			}
		})
	}
}
