package dixa_test

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/dixa"
)

const (
	metric = `{"id":"closed_conversations","description":"Closings","filters":[{"filterAttribute":"queue_id","description":"By queue"}],
		"aggregations":[{"measure":"Count","description":"Closings"},{"measure":"Median"}],"relatedRecordIds":["closed_conversations"]}`
	recordDefinition = `{"id":"ratings","description":"Ratings","filters":[{"filterAttribute":"channel"}],"relatedMetricIds":["csat"],
		"fieldsMetadata":[{"field":"agent_id","description":"The agent","nullable":true}]}`
	analyticsRecord = `{"primaryTimestampField":{"name":"created_at","timestamp":"2026-05-04T09:08:07.600Z"},"value":{"value":4,"_type":"LongField"},
		"fields":[{"name":"conversation_id","field":{"value":9007199254740993,"_type":"LongField"}},{"name":"agent_id"},
			{"name":"queue_id","field":{"value":"` + queueID + `","label":"Claims","_type":"UUIDField"}},
			{"name":"parts","field":{"values":[{"value":true,"_type":"BooleanField"},{"value":1.5,"_type":"DoubleField"}],"_type":"ListField"}},
			{"name":"rated","field":{"name":"rated_at","timestamp":"2026-05-04T09:08:08.000Z","_type":"TimestampField"}}]}`
	schedule = `{"id":"` + teamID + `","name":"Support"}`
	hours    = `{"name":"Monday","dayOfWeek":1,"businessHourType":"Regular","status":"Open","intervals":[{"startTime":"08:00","endTime":"16:00"}],"startDate":"2026-01-05"}`
	holiday  = `{"name":"New Year","businessHourType":"Holiday","status":"Closed","intervals":[],"recurring":{"dayOfMonth":1,"monthOfYear":1},"startDate":"2026-01-01"}`
)

var (
	march1 = time.Date(2026, time.March, 1, 0, 0, 0, 0, time.UTC)
	march2 = march1.AddDate(0, 0, 1)
)

func lastWeek(id string) dixa.AnalyticsQuery {
	return dixa.AnalyticsQuery{ID: id, Timezone: "Europe/Copenhagen", Period: dixa.PresetPeriod(dixa.PresetPreviousWeek)}
}

func analyticsCases() []operationCase {
	return []operationCase{
		{
			name: "Analytics.Metrics",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return collect(c.Analytics.Metrics(ctx))
			},
			method: http.MethodGet, path: "/analytics/metrics", status: http.StatusOK, reply: `{"data":[` + metric + `]}`,
		},
		{
			name: "Analytics.Metric",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Analytics.Metric(ctx, "closed_conversations")
			},
			method: http.MethodGet, path: "/analytics/metrics/closed_conversations", status: http.StatusOK, reply: `{"data":` + metric + `}`,
		},
		{
			name: "Analytics.QueryMetric",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				q := lastWeek("closed_conversations")
				q.Filters = []dixa.AnalyticsFilter{{Attribute: "channel", Values: []string{"EMAIL"}}}
				return c.Analytics.QueryMetric(ctx, q, dixa.MeasureCount)
			},
			method: http.MethodPost, path: "/analytics/metrics", status: http.StatusOK,
			body: `{"id":"closed_conversations","periodFilter":{"_type":"Preset","value":{"_type":"PreviousWeek"}},
				"filters":[{"attribute":"channel","values":["EMAIL"]}],"aggregations":["Count"],"timezone":"Europe/Copenhagen"}`,
			reply: `{"data":{"id":"closed_conversations","aggregates":[{"value":42,"measure":"Count","_type":"LongAggregateValue"},
				{"value":1.50,"measure":"Median","_type":"DoubleAggregateValue"},
				{"value":[{"value":12.5,"status":{"status":"Working","description":"At work"}}],"description":"Presence","_type":"AgentPresenceDurationValue"}]}}`,
		},
		{
			name: "Analytics.QueryMetric",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Analytics.QueryMetric(ctx, dixa.AnalyticsQuery{ID: "csat", Timezone: "UTC", Period: dixa.IntervalPeriod(march1, march2)})
			},
			method: http.MethodPost, path: "/analytics/metrics", status: http.StatusOK,
			body: `{"id":"csat","periodFilter":{"_type":"Interval","start":"2026-03-01T00:00:00.000Z","end":"2026-03-02T00:00:00.000Z"},
				"filters":[],"timezone":"UTC"}`,
			reply: `{"data":{"id":"csat","aggregates":[]}}`,
		},
		{
			name: "Analytics.Records",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return collect(c.Analytics.Records(ctx))
			},
			method: http.MethodGet, path: "/analytics/records", status: http.StatusOK, reply: `{"data":[` + recordDefinition + `]}`,
		},
		{
			name: "Analytics.Record",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Analytics.Record(ctx, "ratings")
			},
			method: http.MethodGet, path: "/analytics/records/ratings", status: http.StatusOK, reply: `{"data":` + recordDefinition + `}`,
		},
		{
			name: "Analytics.QueryRecords",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return collect(c.Analytics.QueryRecords(ctx, dixa.AnalyticsQuery{ID: "ratings", Timezone: "UTC", ConversationIDs: []int64{42, 43}}, dixa.MaxAnalyticsPageLimit))
			},
			method: http.MethodPost, path: "/analytics/records?pageLimit=300", status: http.StatusOK,
			body:  `{"id":"ratings","csidFilter":[42,43],"filters":[],"timezone":"UTC"}`,
			reply: `{"data":[` + analyticsRecord + `]}`,
		},
		{
			name: "Analytics.FilterValues",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return collect(c.Analytics.FilterValues(ctx, "channel"))
			},
			method: http.MethodGet, path: "/analytics/filter/channel", status: http.StatusOK,
			reply: `{"data":[{"value":"CALLBACK","label":"Callback"},{"value":"EMAIL"}]}`,
		},
		{
			name: "BusinessHours.Schedules",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.BusinessHours.Schedules(ctx)
			},
			method: http.MethodGet, path: "/business-hours/schedules", status: http.StatusOK,
			reply: `{"data":{"schedules":[` + schedule + `]}}`, want: `[` + schedule + `]`,
		},
		{
			name: "BusinessHours.Definition",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.BusinessHours.Definition(ctx, teamID)
			},
			method: http.MethodGet, path: "/business-hours/schedules/" + teamID + "/definition", status: http.StatusOK,
			reply: `{"data":{"schedule":{"id":"` + teamID + `","name":"Support","timezone":"Europe/Copenhagen","businessHours":[` + hours + `],"exceptions":[` + holiday + `]}}}`,
			want:  `{"id":"` + teamID + `","name":"Support","timezone":"Europe/Copenhagen","businessHours":[` + hours + `],"exceptions":[` + holiday + `]}`,
		},
		{
			name: "BusinessHours.Upcoming",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.BusinessHours.Upcoming(ctx, teamID, dixa.MaxUpcomingDays)
			},
			method: http.MethodGet, path: "/business-hours/schedules/" + teamID + "/upcoming?days=90", status: http.StatusOK,
			reply: `{"data":{"schedule":{"id":"` + teamID + `","name":"Support","timezone":"UTC","businessHours":[` + hours + `]}}}`,
			want:  `{"id":"` + teamID + `","name":"Support","timezone":"UTC","businessHours":[` + hours + `]}`,
		},
		{
			name: "BusinessHours.Status",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.BusinessHours.Status(ctx, teamID, march1.Add(time.Millisecond))
			},
			method: http.MethodGet, path: "/business-hours/schedules/" + teamID + "/status?timestamp=2026-03-01T00%3A00%3A00Z", status: http.StatusOK,
			reply: `{"data":{"isOpen":false,"timestamp":"2026-03-01T00:00:00.000Z","opensAt":"2026-03-02T08:00:00.000Z","reason":"Sunday"}}`,
		},
	}
}

// TestInvalidQueriesAreNotSent checks the faults that Dixa would refuse anyway, or that it
// would read as another query.
func TestInvalidQueriesAreNotSent(t *testing.T) {
	t.Parallel()
	baseURL, requests := newServer(t, answer(http.StatusOK, `{"data":{"id":"csat"}}`))
	client := newClient(t, baseURL)
	for name, change := range map[string]func(*dixa.AnalyticsQuery){
		"no id":             func(q *dixa.AnalyticsQuery) { q.ID = "" },
		"no time zone":      func(q *dixa.AnalyticsQuery) { q.Timezone = "" },
		"local time zone":   func(q *dixa.AnalyticsQuery) { q.Timezone = "Local" },
		"no period or ids":  func(q *dixa.AnalyticsQuery) { q.Period = dixa.AnalyticsPeriod{} },
		"period and ids":    func(q *dixa.AnalyticsQuery) { q.ConversationIDs = []int64{1} },
		"id 0":              func(q *dixa.AnalyticsQuery) { q.Period, q.ConversationIDs = dixa.AnalyticsPeriod{}, []int64{0} },
		"reversed interval": func(q *dixa.AnalyticsQuery) { q.Period = dixa.IntervalPeriod(march2, march1) },
		"open interval":     func(q *dixa.AnalyticsQuery) { q.Period = dixa.IntervalPeriod(march2, time.Time{}) },
		"empty filter":      func(q *dixa.AnalyticsQuery) { q.Filters = []dixa.AnalyticsFilter{{Attribute: "channel"}} },
		"unnamed filter":    func(q *dixa.AnalyticsQuery) { q.Filters = []dixa.AnalyticsFilter{{Values: []string{"x"}}} },
	} {
		q := lastWeek("csat")
		change(&q)
		_, metricErr := client.Analytics.QueryMetric(t.Context(), q)
		_, recordsErr := collect(client.Analytics.QueryRecords(t.Context(), q, 0))
		for _, err := range []error{metricErr, recordsErr} {
			failure := requireFailure(t, err)
			require.ErrorIs(t, failure, dixa.ErrInvalidArgument, name)
			require.Equal(t, dixa.Unsent, failure.Outcome, name)
		}
	}
	for _, limit := range []int{-1, dixa.MaxAnalyticsPageLimit + 1} {
		_, err := collect(client.Analytics.QueryRecords(t.Context(), lastWeek("ratings"), limit))
		require.ErrorIs(t, err, dixa.ErrInvalidArgument)
	}
	for _, days := range []int{-1, dixa.MaxUpcomingDays + 1} {
		_, err := client.BusinessHours.Upcoming(t.Context(), teamID, days)
		require.ErrorIs(t, err, dixa.ErrInvalidArgument)
	}
	_, err := client.BusinessHours.Definition(t.Context(), "")
	require.ErrorIs(t, err, dixa.ErrInvalidArgument)
	require.Zero(t, requests.Load())
}

func TestReadOnlyClientsQueryAnalytics(t *testing.T) {
	t.Parallel()
	baseURL, requests := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		body := `{"data":[]}`
		if r.URL.Path == "/v1/analytics/metrics" {
			body = `{"data":{"id":"csat"}}`
		}
		_, _ = w.Write([]byte(body))
	})
	client := newClient(t, baseURL, dixa.WithReadOnly())
	data, err := client.Analytics.QueryMetric(t.Context(), lastWeek("csat"))
	require.NoError(t, err)
	_, ok := data.Number(dixa.MeasurePercentage)
	require.False(t, ok)
	_, err = collect(client.Analytics.QueryRecords(t.Context(), lastWeek("ratings"), 1))
	require.NoError(t, err)
	require.EqualValues(t, 2, requests.Load())
}

// TestIncompleteRepliesAreErrors guards against reading a broken reply as no schedules, no
// records or a closed business.
func TestIncompleteRepliesAreErrors(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{}`, `{"data":null}`, `{"data":{}}`, `{"data":{"schedules":null,"schedule":null}}`, `{"data":{"schedules":[{}],"schedule":{"name":"x"}}}`,
		`{"data":{"timestamp":"2026-03-01T00:00:00Z","schedules":[null]}}`, `{"data":[{"fields":[]}]}`,
	} {
		baseURL, _ := newServer(t, answer(http.StatusOK, body))
		client := newClient(t, baseURL)
		_, schedules := client.BusinessHours.Schedules(t.Context())
		_, definition := client.BusinessHours.Definition(t.Context(), teamID)
		_, status := client.BusinessHours.Status(t.Context(), teamID, time.Time{})
		_, records := collect(client.Analytics.QueryRecords(t.Context(), lastWeek("ratings"), 0))
		_, data := client.Analytics.QueryMetric(t.Context(), lastWeek("csat"))
		for _, err := range []error{schedules, definition, status, records, data} {
			require.ErrorIs(t, err, dixa.ErrMalformedResponse, body)
		}
	}
}

func TestValuesOfAnalytics(t *testing.T) {
	t.Parallel()
	var r dixa.AnalyticsRecord
	require.NoError(t, json.Unmarshal([]byte(analyticsRecord), &r))
	id, ok := r.ConversationID()
	require.True(t, ok)
	require.Equal(t, int64(9007199254740993), id)
	_, ok = r.Field("agent_id", "mood")
	require.False(t, ok)
	queue, ok := r.Field("queue", "queue_id")
	require.True(t, ok)
	require.Equal(t, queueID+" Claims", queue.Text()+" "+queue.Label)
	parts, _ := r.Field("parts")
	truth, ok := parts.Values[0].Bool()
	require.True(t, truth && ok)
	number, ok := parts.Values[1].Float64()
	require.True(t, ok)
	require.InDelta(t, 1.5, number, 0)
	rated, _ := r.Field("rated")
	at, ok := rated.Time()
	require.True(t, ok)
	require.Equal(t, time.Date(2026, time.May, 4, 9, 8, 8, 0, time.UTC), at.Time)

	for value, want := range map[string][5]bool{ // Int64, Float64, Bool, Time, and a text
		`7`: {true, true, false, false, true}, `"7"`: {false, false, false, false, true}, `false`: {false, false, true, false, true},
		`"2026-05-04T09:08:08Z"`: {false, false, false, true, true}, `1.5`: {false, true, false, false, true}, `null`: {false, false, false, false, true},
	} {
		v := dixa.FieldValue{Value: json.RawMessage(value)}
		_, whole := v.Int64()
		_, number := v.Float64()
		_, truth := v.Bool()
		_, at := v.Time()
		require.Equal(t, want, [5]bool{whole, number, truth, at, true}, value)
	}

	var data dixa.MetricData
	require.NoError(t, json.Unmarshal([]byte(`{"id":"m","aggregates":[{"value":42,"measure":"Count"},{"value":[{"value":2.5,"status":{"status":"Away"}}]},{"value":"x","measure":"Sum"}]}`), &data))
	count, ok := data.Number(dixa.MeasureCount)
	require.True(t, ok)
	require.InDelta(t, 42, count, 0)
	_, ok = data.Number(dixa.MeasureSum)
	require.False(t, ok)
	durations, ok := data.Aggregates[1].PresenceDurations()
	require.True(t, ok)
	require.Equal(t, "Away", durations[0].Status.Status)
	_, ok = data.Aggregates[0].PresenceDurations()
	require.False(t, ok)
}

func TestBusinessHourValues(t *testing.T) {
	t.Parallel()
	for day, want := range map[int]time.Weekday{0: time.Sunday, 1: time.Monday, 6: time.Saturday, 7: time.Sunday} {
		got, ok := dixa.BusinessHour{DayOfWeek: &day}.Weekday()
		require.True(t, ok)
		require.Equal(t, want, got)
	}
	for _, day := range []int{-1, 8} {
		_, ok := dixa.BusinessHour{DayOfWeek: &day}.Weekday()
		require.False(t, ok)
	}
	_, ok := dixa.BusinessHour{}.Weekday()
	require.False(t, ok)

	for interval, want := range map[[2]string][2]int{
		{"08:00", "16:30"}: {480, 990}, {"00:00", "24:00"}: {0, 1440}, {"20:00", "00:00"}: {1200, 1440}, {"08:00:00", "23:59:00"}: {480, 1439},
	} {
		start, end, err := dixa.HoursInterval{StartTime: interval[0], EndTime: interval[1]}.Minutes()
		require.NoError(t, err)
		require.Equal(t, want, [2]int{start, end})
	}
	for _, interval := range [][2]string{{"16:00", "08:00"}, {"08:00", "08:00"}, {"8", "9"}, {"", ""}, {"08:00", "25:00"}, {"24:00", "00:00"}} {
		_, _, err := dixa.HoursInterval{StartTime: interval[0], EndTime: interval[1]}.Minutes()
		require.ErrorIs(t, err, dixa.ErrMalformedResponse, interval)
	}

	// The schema has objects where the examples have strings.
	var hour dixa.BusinessHour
	require.NoError(t, json.Unmarshal([]byte(`{"name":"x","businessHourType":{"_type":"Holiday"},"status":"Closed"}`), &hour))
	require.Equal(t, [2]dixa.HoursName{dixa.HoursHoliday, dixa.HoursClosed}, [2]dixa.HoursName{hour.Type, hour.Status})
}
