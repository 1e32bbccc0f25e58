package endtoend_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/emulator/server"
)

// The client reads the emulated analytics and business hours under every setting of
// every switch.
func TestAnalyticsUnderEverySetting(t *testing.T) {
	t.Parallel()
	trials := map[string]server.Switches{"analytics.lag=1h": {Analytics: server.AnalyticsSwitches{Lag: server.Duration(time.Hour)}}}
	groups := server.NamedAnalyticsSettings()
	maps.Copy(groups, server.NamedBusinessHoursSettings())
	for name, settings := range groups {
		group, field, _ := strings.Cut(name, ".")
		for _, setting := range settings {
			var switches server.Switches
			require.NoError(t, json.Unmarshal([]byte(fmt.Sprintf(`{%q: {%q: %q}}`, group, field, setting)), &switches))
			trials[name+"="+setting] = switches
		}
	}
	require.Greater(t, len(trials), 30)
	for name, switches := range trials {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			emulated := server.New(server.Options{Switches: switches, Limit: server.Limit{Reading: server.LimitOff}})
			t.Cleanup(emulated.Close)
			host := httptest.NewServer(emulated)
			t.Cleanup(host.Close)
			api, err := dixa.New("demo-token", dixa.WithBaseURL(host.URL+"/v1/"))
			require.NoError(t, err)
			reader, err := dixa.New("demo-token", dixa.WithBaseURL(host.URL+"/v1/"), dixa.WithReadOnly())
			require.NoError(t, err)
			closeAndRate(t, emulated, api)
			readAnalytics(t, reader, switches.Analytics.Lag > 0)
			readBusinessHours(t, reader)
		})
	}
}

// closeAndRate plays a conversation with a reply, a rating of 5 and a close.
func closeAndRate(t *testing.T, emulated *server.Server, api *dixa.Client) {
	t.Helper()
	ctx := t.Context()
	user, err := api.EndUsers.Create(ctx, dixa.EndUserInput{Email: "anna@example.org", DisplayName: "Anna Berg"})
	require.NoError(t, err)
	_, err = api.Conversations.Create(ctx, dixa.NewConversation{
		Type: dixa.NewEmail, RequesterID: user.ID, EmailIntegrationID: server.SeedMailbox, Subject: "Order 10001",
		Message: dixa.MessageInput{Type: dixa.Inbound, Content: dixa.TextContent("It is broken.")},
	})
	require.NoError(t, err)
	require.NoError(t, emulated.Agent(ctx, server.Step{Action: server.PlayEnqueue, Queue: server.SeedQueueClaims}, server.Step{Action: server.PlayClaim},
		server.Step{Action: server.PlayReply, Text: "Sorry."}))
	require.NoError(t, emulated.Customer(ctx, server.Step{Action: server.PlayRate, Score: 5}))
	require.NoError(t, emulated.Agent(ctx, server.Step{Action: server.PlayClose}))
}

func readAnalytics(t *testing.T, api *dixa.Client, late bool) {
	t.Helper()
	ctx := t.Context()
	channels := dixa.AnalyticsFilter{Attribute: "channel"} // of all values, so that it changes nothing
	for value, err := range api.Analytics.FilterValues(ctx, "channel") {
		require.NoError(t, err)
		channels.Values = append(channels.Values, value.Value)
	}
	want := 1.0
	if late {
		want = 0
	}
	now := time.Now()
	for _, period := range []dixa.AnalyticsPeriod{dixa.PresetPeriod(dixa.PresetThisYear), dixa.IntervalPeriod(now.Add(-time.Hour), now.Add(time.Hour))} {
		query := func(id string) dixa.AnalyticsQuery {
			return dixa.AnalyticsQuery{ID: id, Timezone: "UTC", Period: period, Filters: []dixa.AnalyticsFilter{channels}}
		}
		count := 0
		for metric, err := range api.Analytics.Metrics(ctx) {
			require.NoError(t, err)
			same, err := api.Analytics.Metric(ctx, metric.ID)
			require.NoError(t, err)
			require.Equal(t, metric, same)
			var measures []dixa.Measure
			for _, aggregation := range metric.Aggregations {
				measures = append(measures, aggregation.Measure)
			}
			data, err := api.Analytics.QueryMetric(ctx, query(metric.ID), measures...)
			require.NoError(t, err)
			for _, measure := range measures {
				value, has := data.Number(measure)
				require.True(t, has || late, measure)
				switch measure {
				case dixa.MeasureCount:
					require.InDelta(t, want, value, 0, metric.ID)
				case dixa.MeasurePercentage:
					require.InDelta(t, 100*want, value, 0)
				}
			}
			count++
		}
		require.Equal(t, 4, count)
		for kind, err := range api.Analytics.Records(ctx) {
			require.NoError(t, err)
			same, err := api.Analytics.Record(ctx, kind.ID)
			require.NoError(t, err)
			require.Equal(t, kind, same)
			found := 0
			for record, err := range api.Analytics.QueryRecords(ctx, query(kind.ID), 1) {
				require.NoError(t, err)
				id, has := record.ConversationID()
				require.True(t, has)
				require.Equal(t, int64(1001), id)
				require.WithinDuration(t, now, record.At.Timestamp.Time, time.Minute)
				if queue, has := record.Field("queue_id", "queue"); has {
					require.Equal(t, server.SeedQueueClaims+" Claims", queue.Text()+" "+queue.Label)
				}
				found++
			}
			require.InDelta(t, want, found, 0, kind.ID)
		}
	}
	named, err := api.Analytics.QueryMetric(ctx, dixa.AnalyticsQuery{ID: "closed_conversations", Timezone: "UTC", ConversationIDs: []int64{1001, 7}}, dixa.MeasureCount)
	require.NoError(t, err)
	value, _ := named.Number(dixa.MeasureCount)
	require.InDelta(t, want, value, 0)
}

func readBusinessHours(t *testing.T, api *dixa.Client) {
	t.Helper()
	ctx := t.Context()
	schedules, err := api.BusinessHours.Schedules(ctx)
	require.NoError(t, err)
	require.Len(t, schedules, 2)
	for _, schedule := range schedules {
		definition, err := api.BusinessHours.Definition(ctx, schedule.ID)
		require.NoError(t, err)
		upcoming, err := api.BusinessHours.Upcoming(ctx, schedule.ID, 30)
		require.NoError(t, err)
		require.Equal(t, schedule.Name, definition.Name)
		zone, err := time.LoadLocation(definition.Timezone)
		require.NoError(t, err)
		for _, day := range upcoming.Hours {
			date, err := time.ParseInLocation(time.DateOnly, day.NextDate, zone)
			require.NoError(t, err)
			if weekday, has := day.Weekday(); has {
				require.Equal(t, date.Weekday(), weekday)
			}
			require.Equal(t, day.Status == dixa.HoursOpen, len(day.Intervals) > 0)
			for _, interval := range day.Intervals {
				start, end, err := interval.Minutes()
				require.NoError(t, err)
				require.Less(t, start, end)
				status, err := api.BusinessHours.Status(ctx, schedule.ID, date.Add(time.Duration(start+end)*time.Minute/2))
				require.NoError(t, err)
				require.True(t, status.IsOpen, day.NextDate)
				require.True(t, status.OpensAt.IsZero())
			}
		}
	}
	_, err = api.BusinessHours.Definition(ctx, server.SeedTeamCare)
	require.True(t, dixa.IsNotFound(err))
}
