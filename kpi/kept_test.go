package kpi_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/kpi"
	"github.com/claimflow/claimflow/mirror"
)

// notebook keeps values in memory.
type notebook struct {
	*kpi.Memory
	first time.Time
	kept  map[kpi.KeptSeries][]kpi.KeptBucket
	err   error
}

func newNotebook(figures []mirror.Figures) *notebook {
	n := &notebook{Memory: kpi.NewMemory(figures, nil), kept: map[kpi.KeptSeries][]kpi.KeptBucket{}}
	for i := range figures {
		if at := figures[i].CreatedAt; !at.IsZero() && (n.first.IsZero() || at.Before(n.first)) {
			n.first = at
		}
	}
	return n
}

func (n *notebook) Moment(_ context.Context, fn func(kpi.Moment) error) error { return fn(n) }

func (n *notebook) Kept(_ context.Context, s kpi.KeptSeries, from, to int64) (kpi.Kept, error) {
	kept := kpi.Kept{Change: 1, First: n.first.UnixMicro()}
	for _, b := range n.kept[s] {
		if b.Start >= from && b.Start < to {
			kept.Buckets = append(kept.Buckets, b)
		}
	}
	return kept, nil
}

func (n *notebook) KeptSeries(_ context.Context, id string) (all []kpi.KeptSeries, _ error) {
	for s := range n.kept {
		if s.KPI == id {
			all = append(all, s)
		}
	}
	return all, nil
}

func (n *notebook) Keep(_ context.Context, s kpi.KeptSeries, _ int64, buckets []kpi.KeptBucket) error {
	if n.err != nil {
		return n.err
	}
	kept := slices.DeleteFunc(n.kept[s], func(old kpi.KeptBucket) bool {
		return slices.ContainsFunc(buckets, func(b kpi.KeptBucket) bool { return b.Start == old.Start })
	})
	n.kept[s] = append(kept, buckets...)
	slices.SortFunc(n.kept[s], func(a, b kpi.KeptBucket) int { return cmp.Compare(a.Start, b.Start) })
	return nil
}

// forget drops some buckets and makes others stale and wrong.
func (n *notebook) forget(random *rand.Rand) {
	for s, buckets := range n.kept {
		buckets = slices.DeleteFunc(buckets, func(kpi.KeptBucket) bool { return random.IntN(4) == 0 })
		for i := range buckets {
			if random.IntN(4) == 0 {
				buckets[i].Stale, buckets[i].Values = true, nil
			}
		}
		n.kept[s] = buckets
	}
}

// imperfect is a history with ratings, tags and records that contradict each other.
func imperfect(random *rand.Rand, n int) []mirror.Figures {
	all := history(random, n)
	for i := range all {
		f := &all[i]
		for _, tag := range []string{"late", "vip"} {
			if random.IntN(2) == 0 {
				f.Tags = append(f.Tags, tag)
			}
		}
		when := f.CreatedAt
		for range random.IntN(6) {
			when = when.Add(time.Duration(random.IntN(80)) * time.Hour)
			f.Events = append(f.Events, mirror.FigureEvent{
				At: when, Kind: []mirror.EventKind{mirror.KindRatingOffered, mirror.KindRated, reply}[random.IntN(3)],
				AgentID: "ann", QueueID: []string{"", "q1"}[random.IntN(2)], Type: mirror.RatingCSAT, Value: 1 + random.IntN(5),
			})
		}
		switch random.IntN(8) {
		case 0: // the event of a close is unknown
			if i := slices.IndexFunc(f.Events, func(e mirror.FigureEvent) bool { return e.Kind == closed }); i >= 0 {
				f.Events = slices.Delete(f.Events, i, i+1)
			}
		case 1: // closed by what Dixa reports, whatever the log says
			f.LastClosedAt = f.CreatedAt.Add(time.Duration(random.IntN(200)-20) * time.Hour)
		case 2: // created after its first events
			f.CreatedAt = f.CreatedAt.Add(time.Duration(random.IntN(60)) * time.Hour)
		}
	}
	return all
}

// everyKept calls fn with every way to ask for a figure of which values are kept.
func everyKept(fn func(d kpi.Definition, r kpi.Request)) {
	for _, d := range kpi.All() {
		if d.Subject != "conversations" || d.ID == "backlog_age" {
			continue
		}
		for _, by := range append([]kpi.Dimension{""}, d.Dimensions...) {
			for _, date := range d.PlacedBy {
				for _, bucket := range d.Buckets {
					if by != kpi.ByTeam && bucket != kpi.BucketHour && bucket != kpi.BucketNone {
						fn(d, kpi.Request{By: by, PlacedBy: date, Bucket: bucket})
					}
				}
			}
		}
	}
}

func series(t *testing.T, e *kpi.Evaluator, d kpi.Definition, r kpi.Request) []kpi.Series {
	t.Helper()
	result, err := e.Evaluate(t.Context(), d, r)
	require.NoError(t, err)
	return result.Series
}

func text(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	require.NoError(t, err)
	return string(data)
}

// The value of a bucket is the same in every period that does not cut it.
func TestValuesDoNotDependOnThePeriod(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		e := kpi.Evaluator{Source: kpi.NewMemory(imperfect(rand.New(rand.NewPCG(seed, 1)), 80), nil)}
		everyKept(func(d kpi.Definition, r kpi.Request) {
			if r.Bucket != kpi.BucketDay {
				return
			}
			r.From, r.To, r.Now = at("01 00:00"), at("31 00:00"), at("31 00:00")
			values := map[string]string{}
			for _, s := range series(t, &e, d, r) {
				for _, b := range s.Buckets {
					values[s.Group+b.Start.String()] = text(t, b)
				}
			}
			r.From, r.To = at("06 00:00"), at("12 00:00")
			for _, s := range series(t, &e, d, r) {
				for _, b := range s.Buckets {
					require.Equal(t, values[s.Group+b.Start.String()], text(t, b), "%s by %q, group %q", d.ID, r.By, s.Group)
				}
			}
		})
	}
}

func TestKeptAnswersEqualComputedOnes(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("Europe/Copenhagen")
	require.NoError(t, err)
	for seed := range uint64(2) {
		random := rand.New(rand.NewPCG(seed, 2))
		n := newNotebook(imperfect(random, 80))
		kept := kpi.Evaluator{Source: n, NotKept: func(err error) { require.NoError(t, err) }}
		fresh := kpi.Evaluator{Source: n, Fresh: true}
		everyKept(func(d kpi.Definition, r kpi.Request) {
			r.Zone, r.Now = zone, at("28 12:00").Add(time.Duration(random.IntN(300))*time.Hour)
			for range 3 {
				r.From = at("01 00:00").Add(time.Duration(random.IntN(600)-200) * time.Hour)
				r.To = r.From.Add(time.Duration(1+random.IntN(800)) * time.Hour)
				if r.By == kpi.ByTag && random.IntN(2) == 0 {
					r.Filters = map[kpi.Dimension][]string{kpi.ByTag: {"vip", "new"}}
				}
				require.Equal(t, text(t, series(t, &fresh, d, r)), text(t, series(t, &kept, d, r)), "%s %+v", d.ID, r)
				n.forget(random)
			}
			v, err := kept.Verify(t.Context(), d)
			require.NoError(t, err)
			require.Empty(t, v.Differences)
		})
	}
}

func TestWhatIsKept(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, id string
		change   func(*kpi.Request)
		want     int // buckets of the six days, the last of which is open
	}{
		{"days", "conversation_volume", nil, 5},
		{"by a dimension", "csat", func(r *kpi.Request) { r.By = kpi.ByAgent }, 5},
		{"a filter of the dimension", "csat", func(r *kpi.Request) { r.By, r.Filters = kpi.ByTag, map[kpi.Dimension][]string{kpi.ByTag: {"vip"}} }, 5},
		{"another filter", "csat", func(r *kpi.Request) { r.By, r.Filters = kpi.ByQueue, map[kpi.Dimension][]string{kpi.ByTag: {"vip"}} }, 0},
		{"teams", "csat", func(r *kpi.Request) { r.By = kpi.ByTeam }, 0},
		{"hours", "csat", func(r *kpi.Request) { r.Bucket = kpi.BucketHour }, 0},
		{"the period", "csat", func(r *kpi.Request) { r.Bucket = kpi.BucketNone }, 0},
		{"business hours", "first_response_time", func(r *kpi.Request) { r.Hours = kpi.BusinessHours }, 0},
		{"a zone without a name", "csat", func(r *kpi.Request) { r.Zone = time.FixedZone("", 3600) }, 0},
		{"days that are cut", "csat", func(r *kpi.Request) { r.From, r.To = r.From.Add(time.Hour), at("06 12:00") }, 4},
		{"a limit of days", "reopen_rate", func(r *kpi.Request) { r.WithinDays = 3 }, 2},
		{"weeks that are cut", "csat", func(r *kpi.Request) { r.Bucket = kpi.BucketWeek }, 0},
		{"hours of the week of a part of a month", "arrivals_per_hour", func(r *kpi.Request) { r.Bucket = kpi.BucketHourOfWeek }, 0},
		{"hours of the week of a duration", "handling_time_by_hour", func(r *kpi.Request) {
			r.Bucket, r.From, r.To, r.Now = kpi.BucketHourOfWeek, at("01 00:00"), at("04-01 00:00"), at("04-01 00:00")
		}, 0},
		{"hours of the week of a month", "arrivals_per_hour", func(r *kpi.Request) {
			r.Bucket, r.From, r.To, r.Now = kpi.BucketHourOfWeek, at("01 00:00"), at("04-01 00:00"), at("04-01 00:00")
		}, 1},
		{"ages", "backlog_age", nil, 0},
		{"claims", "claim_volume", nil, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n := newNotebook(conversations())
			r := kpi.Request{From: at("01 00:00"), To: at("07 00:00"), Bucket: kpi.BucketDay, Now: at("06 12:00")}
			if c.change != nil {
				c.change(&r)
			}
			d, _ := kpi.ByID(c.id)
			_ = series(t, &kpi.Evaluator{Source: n, Hours: kpi.History{officeHours()}}, d, r)
			got := 0
			for _, buckets := range n.kept {
				got += len(buckets)
			}
			require.Equal(t, c.want, got)
		})
	}
}

// A backlog is kept from the first conversation on, whatever period is asked for.
func TestLevelsAreKeptFromTheStart(t *testing.T) {
	t.Parallel()
	n := newNotebook(conversations())
	d, _ := kpi.ByID("backlog")
	_ = series(t, &kpi.Evaluator{Source: n}, d, kpi.Request{From: at("04 10:00"), To: at("06 00:00"), Now: at("20 00:00")})
	for _, buckets := range n.kept {
		require.Len(t, buckets, 14, "from February 20 to March 5")
	}
	require.Len(t, n.kept, 1)
}

func TestAnswerDoesNotNeedToBeKept(t *testing.T) {
	t.Parallel()
	n := newNotebook(conversations())
	n.err = errors.New("disk full")
	d, _ := kpi.ByID("conversation_volume")
	var told error
	e := kpi.Evaluator{Source: n, NotKept: func(err error) { told = err }}
	got := series(t, &e, d, kpi.Request{From: at("02 00:00"), To: at("05 00:00"), Now: at("20 00:00")})
	require.Len(t, got[0].Buckets, 3)
	require.ErrorIs(t, told, n.err)
	require.ErrorContains(t, told, "keep 3 buckets of the figure conversation_volume")
}
