package kpi_test

import (
	"encoding/json"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/kpi"
)

func parse(t *testing.T, id, query string) (kpi.Request, error) {
	t.Helper()
	d, ok := kpi.ByID(id)
	require.True(t, ok, id)
	values, err := url.ParseQuery(query)
	require.NoError(t, err)
	return d.ParseRequest(values, at("10 15:00"))
}

func TestParseRequest(t *testing.T) {
	t.Parallel()
	copenhagen := location(t, "Europe/Copenhagen")
	t.Run("defaults", func(t *testing.T) {
		t.Parallel()
		r, err := parse(t, "one_touch_rate", "")
		require.NoError(t, err)
		require.Equal(t, kpi.Request{
			From: at("02-09 00:00"), To: at("10 15:00"), Now: at("10 15:00"), Zone: time.UTC, Bucket: kpi.BucketDay,
			PlacedBy: kpi.DateFirstClosed, Hours: kpi.ClockHours, WithinDays: 7,
		}, r)
	})
	t.Run("all parameters", func(t *testing.T) {
		t.Parallel()
		r, err := parse(t, "first_response_time", "from=2026-03-29&to=2026-03-30T12:00:00%2B02:00&timezone=Europe/Copenhagen&bucket=hour&by=team"+
			"&date=created&hours=business&filter=channel:WidgetChat,Email&filter=channel:Email&filter=tag:a%5C,b,c%5C%5Cd,e:f&filter=queue:&compare=dixa")
		require.NoError(t, err)
		require.Equal(t, time.Date(2026, 3, 28, 23, 0, 0, 0, time.UTC), r.From.UTC())
		require.Equal(t, time.Date(2026, 3, 30, 10, 0, 0, 0, time.UTC), r.To.UTC())
		require.Equal(t, copenhagen, r.Zone)
		require.Equal(t, kpi.BucketHour, r.Bucket)
		require.Equal(t, kpi.ByTeam, r.By)
		require.Equal(t, kpi.DateCreated, r.PlacedBy)
		require.Equal(t, kpi.BusinessHours, r.Hours)
		require.Equal(t, map[kpi.Dimension][]string{
			kpi.ByChannel: {"Email", "WidgetChat"}, kpi.ByTag: {"a,b", `c\d`, "e:f"}, kpi.ByQueue: {""},
		}, r.Filters)
	})
	t.Run("every problem at once", func(t *testing.T) {
		t.Parallel()
		_, err := parse(t, "backlog", "from=yesterday&to=soon&timezone=Mars/Olympus&bucket=minute&by=agent&date=created"+
			"&hours=business&within_days=0&filter=Email&filter=agent:ann")
		var invalid *claim.InvalidError
		require.ErrorAs(t, err, &invalid)
		var fields []string
		for _, f := range invalid.Errors {
			fields = append(fields, f.Field)
		}
		require.Equal(t, []string{"timezone", "from", "to", "within_days", "filter", "bucket", "by", "filter", "date", "hours"}, fields)
	})
}

func TestRequestLimits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ id, query, want string }{
		{"backlog", "from=2026-03-01&to=2026-03-01", "to: must be after from"},
		{"backlog", "from=2015-01-01&to=2026-03-01", "to: must be at most 10 years after from"},
		{"backlog", "from=2025-03-01&to=2026-03-01&bucket=hour", "bucket: splits the period into more than 5000 parts; use longer buckets or a shorter period"},
		{"backlog", "bucket=hour_of_week", "bucket: must be one of day, hour, week, month, quarter, year, none"},
		{"queue_time", "hours=business", "hours: must be one of clock"},
		{"csat", "within_days=7", "within_days: is no parameter of csat"},
		{"reopen_rate", "within_days=366", "within_days: must be from 1 to 365"},
		{"reopen_rate", "filter=team:", "filter: a team must have a name"},
		{"claim_volume", "by=queue", "by: must be one of shop, reason, carrier, phase, status, resolution"},
	} {
		_, err := parse(t, c.id, c.query)
		require.EqualError(t, err, "invalid KPI request: "+c.want, c.query)
	}
	// 5,000 hours are 208 days and 8 hours.
	_, err := parse(t, "backlog", "from=2025-01-01T00:00:00Z&to=2025-07-28T08:00:00Z&bucket=hour")
	require.NoError(t, err)
	_, err = parse(t, "backlog", "from=2025-01-01T00:00:00Z&to=2025-07-28T08:00:01Z&bucket=hour")
	require.Error(t, err)
	_, err = parse(t, "backlog", "from=2016-03-01&to=2026-03-01")
	require.NoError(t, err)
}

func TestRequestAsJSON(t *testing.T) {
	t.Parallel()
	r, err := parse(t, "one_touch_rate", "from=2026-03-02&to=2026-03-03&timezone=Europe/Copenhagen&filter=queue:q1&by=tag")
	require.NoError(t, err)
	have, err := json.Marshal(r)
	require.NoError(t, err)
	require.JSONEq(t, `{"from":"2026-03-02T00:00:00+01:00","to":"2026-03-03T00:00:00+01:00","timezone":"Europe/Copenhagen","bucket":"day",
		"by":"tag","filter":{"queue":["q1"]},"date":"first_closed","hours":"clock","within_days":7,"asked_at":"2026-03-10T16:00:00+01:00"}`, string(have))
}

func TestEvaluateRefusesWhatItCannotAnswer(t *testing.T) {
	t.Parallel()
	d, _ := kpi.ByID("first_response_time")
	e := kpi.Evaluator{Source: kpi.NewMemory(nil, nil)}
	_, err := e.Evaluate(t.Context(), d, kpi.Request{From: at("02 00:00"), To: at("03 00:00"), Hours: kpi.BusinessHours})
	require.EqualError(t, err, "invalid KPI request: hours: must be clock, because no business hours are known")

	_, err = e.Evaluate(t.Context(), d, kpi.Request{From: at("03 00:00"), To: at("02 00:00"), By: "weather"})
	var invalid *claim.InvalidError
	require.ErrorAs(t, err, &invalid)
	require.Len(t, invalid.Errors, 2)
}
