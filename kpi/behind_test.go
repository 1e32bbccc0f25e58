package kpi_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/kpi"
)

// listed reads the whole list behind a value, a few at a time.
func listed(t *testing.T, e *kpi.Evaluator, d kpi.Definition, r kpi.BehindRequest) (bucket kpi.BucketValue, all []kpi.Member) {
	t.Helper()
	for r.Limit = 3; ; {
		page, err := e.Behind(t.Context(), d, r)
		require.NoError(t, err, d.ID)
		require.LessOrEqual(t, len(page.Members), r.Limit)
		all = append(all, page.Members...)
		if !page.More {
			return page.Bucket, all
		}
		last := all[len(all)-1]
		r.After = &kpi.Place{At: last.At, ID: last.ID}
	}
}

// requireBehind requires that a list is what is behind a value.
func requireBehind(t *testing.T, d kpi.Definition, want, have kpi.BucketValue, all []kpi.Member, about string) {
	t.Helper()
	want.HourOfWeek, have.HourOfWeek = nil, nil
	require.Equal(t, want, have, about)
	require.Len(t, all, want.Count, about)
	require.True(t, slices.IsSortedFunc(all, func(a, b kpi.Member) int { return cmp.Or(cmp.Compare(b.At, a.At), cmp.Compare(b.ID, a.ID)) }), about)
	ids := map[int64]bool{}
	times, part, opposite, sum, values := 0, 0, 0, 0.0, 0
	for _, m := range all {
		require.False(t, ids[m.ID], about)
		ids[m.ID] = true
		times, part, opposite = times+m.Times, part+m.Part, opposite+m.Opposite
		if m.Value != nil {
			values, sum = values+1, sum+*m.Value
		}
	}
	if want.Whole != nil {
		require.Equal(t, *want.Whole, times, about)
		require.Equal(t, *want.Part, part, about)
		if times > 0 {
			require.InDelta(t, *want.Value, 100*float64(part-opposite)/float64(times), 1e-9, about)
		}
	}
	if d.Unit == kpi.Count && want.Value != nil {
		require.InDelta(t, *want.Value, float64(times), 0, about)
	}
	if want.Mean != nil {
		require.Equal(t, times, values, about)
		require.InDelta(t, *want.Mean, sum/float64(values), 1e-6, about)
	}
}

// filtersOf are filters that a figure allows.
func filtersOf(d kpi.Definition) []map[kpi.Dimension][]string {
	all := []map[kpi.Dimension][]string{nil}
	for dimension, values := range map[kpi.Dimension][]string{
		kpi.ByChannel: {"Email"}, kpi.ByTag: {"vip", ""}, kpi.ByAgent: {"ann", "cy", ""}, kpi.ByTeam: {"Red"}, kpi.ByReason: {"damaged"},
	} {
		if slices.Contains(d.Dimensions, dimension) {
			all = append(all, map[kpi.Dimension][]string{dimension: values})
		}
	}
	return all
}

// The list behind every value of every figure has what the value counts.
func TestWhatIsBehindEqualsTheValue(t *testing.T) {
	t.Parallel()
	figures := conversations()
	for _, f := range history(rand.New(rand.NewPCG(5, 5)), 40) {
		f.ConversationID += 1000
		figures = append(figures, f)
	}
	e := &kpi.Evaluator{Source: kpi.NewMemory(figures, claims(), presence()...), Directory: directory, Hours: kpi.History{officeHours()}}
	for _, d := range kpi.All() {
		if !d.Listable() {
			continue
		}
		t.Run(d.ID, func(t *testing.T) {
			t.Parallel()
			for _, filters := range filtersOf(d) {
				for i, by := range append([]kpi.Dimension{""}, d.Dimensions...) {
					for n, bucket := range []kpi.Bucket{kpi.BucketNone, kpi.BucketWeek, kpi.BucketDay, kpi.BucketHourOfWeek} {
						if !slices.Contains(d.Buckets, bucket) {
							continue
						}
						r := kpi.Request{
							From: at("02 07:00"), To: at("12 00:00"), Now: at("11 12:00"), Zone: location(t, "Europe/Copenhagen"), Bucket: bucket, By: by, Filters: filters,
							PlacedBy: d.PlacedBy[(i+n)%len(d.PlacedBy)], Hours: d.Hours[(i+n)%len(d.Hours)],
						}
						want, err := e.Evaluate(t.Context(), d, r)
						require.NoError(t, err)
						for _, s := range want.Series {
							for k, b := range s.Buckets {
								if bucket == kpi.BucketHourOfWeek && b.Count == 0 && k > 10 {
									continue
								}
								ask := kpi.BehindRequest{Request: r, Group: s.Group, Position: &k}
								if bucket == kpi.BucketNone {
									ask.Position, ask.Bucket = nil, kpi.BucketDay
								}
								have, all := listed(t, e, d, ask)
								requireBehind(t, d, b, have, all, fmt.Sprint(d.ID, r.PlacedBy, filters, by, " ", s.Group, " ", bucket, k))
							}
						}
					}
				}
			}
		})
	}
}

func TestBehind(t *testing.T) {
	t.Parallel()
	e := &kpi.Evaluator{Source: kpi.NewMemory(conversations(), claims(), presence()...), Directory: directory, Hours: kpi.History{officeHours()}}
	for _, c := range []struct {
		id, query string
		want      []string // id: value, times, part, opposite, labels
	}{
		{"conversation_volume", "", []string{"12: <nil> 1 0 0 [ q2]", "10: <nil> 1 0 0 [bob q1]", "8: <nil> 1 0 0 [bob q1]"}},
		{"first_response_time", "", []string{"10: 30600 1 0 0 [bob q1]", "8: 300 1 0 0 [ann q1]"}},
		{"first_response_time", "hours=business", []string{"10: 25200 1 0 0 [bob q1]", "8: 300 1 0 0 [ann q1]"}},
		{"closed_conversations", "", []string{"12: <nil> 1 0 0 [ q2]", "8: <nil> 2 0 0 [bob q1]", "9: <nil> 1 0 0 [ann q1]"}},
		{"closed_conversations", "by=agent&group=ann", []string{"9: <nil> 1 0 0 [ann q1]", "8: <nil> 1 0 0 [ann q1]"}},
		{"backlog", "", []string{"10: <nil> 1 0 0 [bob q1]", "5: <nil> 1 0 0 [ q2]"}},
		{"backlog_age", "", []string{"10: 50400 1 0 0 [bob q1]", "5: 140400 1 0 0 [ q2]"}},
		{"agent_load", "by=team&group=Red", []string{"10: <nil> 1 0 0 [bob q1]"}},
		{"nps", "", []string{"8: 10 1 1 0 [ann q1]"}},
		{"thumbs", "", []string{"12: 0 1 0 0 [ q2]"}},
		{"thumbs_response_rate", "", []string{"12: <nil> 1 1 0 [ q2]", "10: <nil> 1 0 0 [bob q1]"}},
		{"transfer_rate", "filter=channel:WidgetChat", []string{"12: 0 1 0 0 [ q2]", "8: 1 1 1 0 [bob q1]"}},
		{"one_touch_rate", "", []string{"12: <nil> 1 0 0 [ q2]", "9: <nil> 1 1 0 [ann q1]", "8: <nil> 1 0 0 [bob q1]"}},
		{"conversation_volume", "by=agent&group=ann&filter=agent:bob", nil},
		{"conversation_volume", "by=team&group=", []string{"12: <nil> 1 0 0 [ q2]"}},
		{"conversation_volume", "bucket=hour&position=10", []string{"10: <nil> 1 0 0 [bob q1]"}},
		{"conversation_volume", "bucket=hour_of_week&position=57", []string{"8: <nil> 1 0 0 [bob q1]"}},
	} {
		t.Run(c.id+" "+c.query, func(t *testing.T) {
			t.Parallel()
			d, _ := kpi.ByID(c.id)
			values, err := url.ParseQuery("from=2026-03-04&to=2026-03-05&" + c.query)
			require.NoError(t, err)
			r, err := d.ParseBehind(values, at("20 00:00"))
			require.NoError(t, err)
			b, err := e.Behind(t.Context(), d, r)
			require.NoError(t, err)
			var have []string
			for _, m := range b.Members {
				value := "<nil>"
				if m.Value != nil {
					value = fmt.Sprint(*m.Value)
				}
				have = append(have, fmt.Sprint(m.ID, ": ", value, " ", m.Times, " ", m.Part, " ", m.Opposite, " ", m.Labels))
			}
			require.Equal(t, c.want, have)
		})
	}
	d, _ := kpi.ByID("claim_parkings")
	r, err := d.ParseBehind(url.Values{"from": {"2026-03-04"}, "to": {"2026-03-05"}}, at("20 00:00"))
	require.NoError(t, err)
	b, err := e.Behind(t.Context(), d, r)
	require.NoError(t, err)
	require.Len(t, b.Members, 1)
	require.Equal(t, kpi.Member{ID: kpi.ClaimNumber("acme", "c7"), At: at("04 09:00").UnixMicro(), Times: 2, Labels: [2]string{"acme", "c7"}}, b.Members[0])
}

func TestBehindRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ id, query, field string }{
		{"agent_presence", "", "kpi"},
		{"backlog", "by=queue", "group"},
		{"backlog", "group=q1", "group"},
		{"backlog", "position=3", "position"},
		{"backlog", "position=-1", "position"},
		{"backlog", "position=two", "position"},
		{"arrivals_per_hour", "bucket=hour_of_week&position=168", "position"},
		{"backlog", "limit=0", "limit"},
		{"backlog", "limit=501", "limit"},
		{"backlog", "by=weather&group=", "by"},
		{"backlog", "bucket=hour_of_week&position=0", "bucket"},
	} {
		d, _ := kpi.ByID(c.id)
		values, err := url.ParseQuery("from=2026-03-02&to=2026-03-05&" + c.query)
		require.NoError(t, err)
		_, err = d.ParseBehind(values, at("20 00:00"))
		var invalid *claim.InvalidError
		require.ErrorAs(t, err, &invalid, "%+v", c)
		require.Equal(t, c.field, invalid.Errors[0].Field, "%+v", c)
	}
	d, _ := kpi.ByID("first_response_time")
	_, err := (&kpi.Evaluator{Source: kpi.NewMemory(nil, nil)}).Behind(t.Context(), d, kpi.BehindRequest{
		Request: kpi.Request{From: at("02 00:00"), To: at("05 00:00"), Hours: kpi.BusinessHours}, Limit: 1,
	})
	require.ErrorContains(t, err, "no business hours")
}

// An agent of two teams with the same name counts once.
func TestTeamsWithTheSameName(t *testing.T) {
	t.Parallel()
	e := &kpi.Evaluator{Source: kpi.NewMemory(conversations(), nil), Directory: kpi.Directory{AgentTeams: map[string][]string{"bob": {"Red", "Red"}}}}
	for id, want := range map[string]int{"conversation_volume": 2, "agent_load": 1, "closed_conversations": 1} {
		d, _ := kpi.ByID(id)
		r := kpi.Request{From: at("04 00:00"), To: at("05 00:00"), Now: at("20 00:00"), Bucket: kpi.BucketNone, By: kpi.ByTeam, Filters: map[kpi.Dimension][]string{kpi.ByTeam: {"Red"}}}
		result, err := e.Evaluate(t.Context(), d, r)
		require.NoError(t, err)
		require.Equal(t, want, result.Series[0].Buckets[0].Count, id)
	}
}
