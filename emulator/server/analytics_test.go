package server_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/emulator/server"
)

func analytics(switches server.AnalyticsSwitches) server.Switches {
	return server.Switches{Analytics: switches}
}

// period returns a query of the day of newClock, with changes.
func period(id string, changes ...object) object {
	query := object{
		"id": id, "timezone": "UTC", "filters": []object{},
		"periodFilter": object{"_type": "Interval", "start": "2026-03-02T00:00:00Z", "end": "2026-03-03T00:00:00Z"},
	}
	for _, change := range changes {
		maps.Copy(query, change)
	}
	maps.DeleteFunc(query, func(_ string, value any) bool { return value == nil })
	return query
}

func only(attribute string, values ...string) object {
	return object{"filters": []object{{"attribute": attribute, "values": values}}}
}

// measured returns the measures of a metric by name.
func (d *dixa) measured(query object) map[string]float64 {
	d.t.Helper()
	var metric struct {
		ID         string
		Aggregates []struct {
			Measure string
			Value   float64
			Type    string `json:"_type"`
		}
	}
	d.do(http.MethodPost, "/analytics/metrics", query, http.StatusOK).data(&metric)
	require.Equal(d.t, query["id"], metric.ID)
	values := map[string]float64{}
	for _, aggregate := range metric.Aggregates {
		values[aggregate.Measure] = aggregate.Value
		require.Equal(d.t, aggregate.Measure == "Count", aggregate.Type == "LongAggregateValue")
	}
	return values
}

type record struct {
	At struct {
		Name      string
		Timestamp time.Time
	} `json:"primaryTimestampField"`
	Value  *struct{ Value float64 }
	Fields []struct {
		Name  string
		Field *struct {
			Value any
			Label string
			Type  string `json:"_type"`
		}
	}
}

// fields returns a record's values by name, with nil for a field without one.
func (r record) fields() object {
	values := object{}
	for _, field := range r.Fields {
		values[field.Name] = nil
		if field.Field != nil {
			values[field.Name] = field.Field.Value
		}
	}
	return values
}

func (d *dixa) records(query object) (records []record) {
	d.t.Helper()
	d.do(http.MethodPost, "/analytics/records", query, http.StatusOK).data(&records)
	return records
}

// busy plays two conversations: 1001 of life, and 1002, which nobody answers and its
// customer rates 2 at 8:40.
func (d *dixa) busy(clock *clock) {
	d.t.Helper()
	d.life(clock)
	clock.Advance(time.Minute)
	d.do(http.MethodPost, "/conversations", object{
		"_type": "Chat", "requesterId": d.customer("b@example.org"), "widgetId": server.SeedWidget,
		"message": object{"_type": "Inbound", "content": object{"_type": "Text", "value": "Hi"}},
	}, http.StatusCreated)
	clock.Advance(time.Minute)
	require.NoError(d.t, d.Customer(d.t.Context(), server.Step{Action: server.PlayRate, Score: 2}))
	clock.Advance(time.Minute)
}

func TestMetricsOfState(t *testing.T) {
	t.Parallel()
	clock := newClock()
	d := start(t, server.Options{Clock: clock.Now})
	d.busy(clock)
	anna, ben := only("agent_id", server.SeedAgentAnna), only("agent_id", server.SeedAgentBen)
	for name, tt := range map[string]struct {
		query object
		want  map[string]float64
	}{
		"csat":                       {period("csat"), map[string]float64{"Percentage": 50}},
		"csat of an agent":           {period("csat", anna), map[string]float64{"Percentage": 100}},
		"csat of a queue":            {period("csat", only("queue_id", server.SeedQueueClaims)), map[string]float64{"Percentage": 100}},
		"csat of a channel":          {period("csat", only("channel", "WIDGET_CHAT")), map[string]float64{"Percentage": 0}},
		"csat of nobody":             {period("csat", ben), map[string]float64{}},
		"csat of a conversation":     {period("csat", object{"periodFilter": nil, "csidFilter": []int{1002}}), map[string]float64{"Percentage": 0}},
		"closed":                     {period("closed_conversations"), map[string]float64{"Count": 1}},
		"closed, irrelevant filter":  {period("closed_conversations", ben), map[string]float64{"Count": 1}},
		"closed, unknown filter":     {period("closed_conversations", only("mood", "x")), map[string]float64{"Count": 1}},
		"closed, filter in lower":    {period("closed_conversations", only("channel", "email")), map[string]float64{"Count": 1}},
		"closed in another channel":  {period("closed_conversations", only("channel", "SMS")), map[string]float64{"Count": 0}},
		"closed by a tag":            {period("closed_conversations", only("tag_id", d.State().Tags[0].ID)), map[string]float64{"Count": 1}},
		"closed in a mailbox":        {period("closed_conversations", only("contact_point", server.SeedReturnsMailbox, server.SeedMailbox)), map[string]float64{"Count": 1}},
		"closed, outbound":           {period("closed_conversations", only("initial_direction", "OUTBOUND")), map[string]float64{"Count": 0}},
		"first response":             {period("first_response_time"), map[string]float64{"Count": 1, "Min": 300, "Max": 300, "Average": 300, "StdDev": 0}},
		"first response, one asked":  {period("first_response_time", object{"aggregations": []string{"Average"}}), map[string]float64{"Average": 300}},
		"assignments":                {period("conversation_assignments_per_agent"), map[string]float64{"Count": 1, "Sum": 1}},
		"assignments of an agent":    {period("conversation_assignments_per_agent", ben), map[string]float64{"Count": 0, "Sum": 0}},
		"another day":                {period("closed_conversations", object{"periodFilter": object{"_type": "Preset", "value": object{"_type": "Yesterday"}}}), map[string]float64{"Count": 0}},
		"today as a string":          {period("closed_conversations", object{"periodFilter": object{"_type": "Preset", "value": "Today"}}), map[string]float64{"Count": 1}},
		"two values of an attribute": {period("csat", only("channel", "EMAIL", "WIDGET_CHAT")), map[string]float64{"Percentage": 50}},
	} {
		require.Equal(t, tt.want, d.measured(tt.query), name)
	}

	// A conversation that is closed again counts again.
	require.NoError(t, d.Agent(t.Context(), server.Step{Action: server.PlayClose, Conversation: 1001}, server.Step{Action: server.PlayAssign, To: server.SeedAgentBen, Conversation: 1001}))
	require.Equal(t, map[string]float64{"Count": 2}, d.measured(period("closed_conversations")))
	require.Equal(t, map[string]float64{"Count": 2, "Sum": 2}, d.measured(period("conversation_assignments_per_agent")))
}

func TestRecordsOfState(t *testing.T) {
	t.Parallel()
	clock := newClock()
	d := start(t, server.Options{Clock: clock.Now})
	d.busy(clock)
	at := func(m int) time.Time { return time.UnixMilli(minute(8, m)).UTC() }

	closed := d.records(period("closed_conversations"))
	require.Len(t, closed, 1)
	require.Equal(t, "closed_at", closed[0].At.Name)
	require.Equal(t, at(36), closed[0].At.Timestamp)
	require.Equal(t, object{
		"closed_at": "2026-03-02T08:36:00.000Z", "conversation_id": 1001.0, "agent_id": server.SeedAgentAnna,
		"queue_id": server.SeedQueueClaims, "closed_by": "Agent",
	}, closed[0].fields())
	require.Equal(t, "Claims", closed[0].Fields[3].Field.Label)

	ratings := d.records(period("ratings"))
	require.Len(t, ratings, 2)
	require.Equal(t, []time.Time{at(38), at(40)}, []time.Time{ratings[0].At.Timestamp, ratings[1].At.Timestamp})
	require.InDelta(t, 4, ratings[0].Value.Value, 0)
	require.Equal(t, object{"conversation_id": 1001.0, "agent_id": server.SeedAgentAnna, "queue_id": server.SeedQueueClaims}, ratings[0].fields())
	require.Equal(t, object{"conversation_id": 1002.0, "agent_id": nil, "queue_id": nil}, ratings[1].fields())

	responses := d.records(period("first_response_time"))
	require.Len(t, responses, 1)
	require.InDelta(t, 300, responses[0].Value.Value, 0)

	// A closing stays that of an agent who is removed later.
	d.do(http.MethodPut, "/conversations/1002/close", object{"userId": server.SeedAgentBen}, http.StatusNoContent)
	d.do(http.MethodDelete, "/agents/"+server.SeedAgentBen, nil, http.StatusNoContent)
	removed := d.records(period("closed_conversations"))[1].fields()
	require.Equal(t, []any{"Agent", server.SeedAgentBen}, []any{removed["closed_by"], removed["agent_id"]})
}

// A rating keeps the queue of its offer, and a closing that of its time.
func TestRecordsKeepTheirPlace(t *testing.T) {
	t.Parallel()
	clock := newClock()
	d := start(t, server.Options{Clock: clock.Now})
	d.open(d.customer("a@example.org"))
	require.NoError(t, d.Agent(t.Context(), server.Step{Action: server.PlayTransfer, Queue: server.SeedQueueClaims}, server.Step{Action: server.PlayClaim}))
	var rating struct{ ID string }
	d.do(http.MethodPost, "/conversations/1001/ratings/offer", object{"ratingType": "Csat"}, http.StatusCreated).data(&rating)
	require.NoError(t, d.Agent(t.Context(), server.Step{Action: server.PlayClose}))
	clock.Advance(time.Minute)
	require.NoError(t, d.Agent(t.Context(), server.Step{Action: server.PlayTransfer, Queue: server.SeedQueueSupport}, server.Step{Action: server.PlayAssign, To: server.SeedAgentBen}))
	d.do(http.MethodPost, "/conversations/1001/ratings/"+rating.ID+"/submit", object{"ratingResult": object{"_type": "Csat", "value": 5}}, http.StatusCreated)
	offered := d.records(period("ratings"))[0].fields()
	require.Equal(t, server.SeedQueueClaims, offered["queue_id"])
	require.Equal(t, server.SeedAgentBen, offered["agent_id"])
	require.Equal(t, server.SeedQueueClaims, d.records(period("closed_conversations"))[0].fields()["queue_id"])

	// An unanswered offer and a rating of another kind are no survey responses.
	d.do(http.MethodPost, "/conversations/1001/ratings/offer", object{"ratingType": "Csat"}, http.StatusCreated)
	d.do(http.MethodPost, "/conversations/1001/ratings/offer", object{"ratingType": "Nps"}, http.StatusCreated).data(&rating)
	d.do(http.MethodPost, "/conversations/1001/ratings/"+rating.ID+"/submit", object{"ratingResult": object{"_type": "Nps", "value": 1}}, http.StatusCreated)
	require.Equal(t, map[string]float64{"Percentage": 100}, d.measured(period("csat")))
}

func TestAnalyticsSwitches(t *testing.T) {
	t.Parallel()
	clock := newClock()
	d := start(t, server.Options{Clock: clock.Now})
	d.busy(clock)
	under := func(switches server.AnalyticsSwitches) *dixa {
		d.SetSwitches(analytics(switches))
		return d
	}
	type set = server.AnalyticsSwitches
	until836 := period("closed_conversations", object{"periodFilter": object{"_type": "Interval", "start": "2026-03-02T08:36:00Z", "end": "2026-03-02T08:36:00Z"}})
	require.InDelta(t, 1, under(set{}).measured(until836)["Count"], 0)
	require.Zero(t, under(set{IntervalEnd: "exclusive"}).measured(until836)["Count"])
	require.Zero(t, under(set{Lag: server.Duration(time.Hour)}).measured(period("closed_conversations"))["Count"])
	require.InDelta(t, 1, under(set{Lag: server.Duration(time.Minute)}).measured(period("closed_conversations"))["Count"], 0)
	require.Zero(t, under(set{FilterCase: "exact"}).measured(period("closed_conversations", only("channel", "email")))["Count"])
	require.InDelta(t, 1, d.measured(period("closed_conversations", only("channel", "EMAIL")))["Count"], 0)
	require.Empty(t, under(set{NoAggregations: "none"}).measured(period("csat")))
	require.Equal(t, map[string]float64{"Percentage": 0}, under(set{NoData: "zero"}).measured(period("csat", only("channel", "SMS"))))
	require.Equal(t, map[string]float64{"Percentage": 50}, under(set{UnavailableAggregation: "omitted"}).measured(period("csat", object{"aggregations": []string{"Sum", "Percentage"}})))
	require.InDelta(t, 300_000, under(set{ResponseUnit: "millis"}).measured(period("first_response_time"))["Max"], 0)
	require.InDelta(t, 1, under(set{NoPeriod: "accepted"}).measured(period("closed_conversations", object{"periodFilter": nil}))["Count"], 0)

	require.Equal(t, time.UnixMilli(minute(8, 30)).UTC(), under(set{ResponseTime: "created"}).records(period("first_response_time"))[0].At.Timestamp)
	require.InDelta(t, 2, under(set{RecordOrder: "newest"}).records(period("ratings"))[0].Value.Value, 0)
	require.NotContains(t, under(set{EmptyFields: "omitted"}).records(period("ratings"))[1].fields(), "agent_id")
	under(set{RecordFields: "examples"})
	require.Equal(t, object{"csid": 1001.0, "current_channel": "EMAIL", "queue": server.SeedQueueClaims}, d.records(period("ratings"))[0].fields())
	require.Equal(t, object{"csid": 1001.0, "initial_direction": "INBOUND", "initial_channel": "EMAIL", "contact_point": server.SeedMailbox}, d.records(period("closed_conversations"))[0].fields())
	require.Equal(t, "created_at", d.records(period("closed_conversations"))[0].At.Name)

	var rating struct{ ID string }
	d.do(http.MethodPost, "/conversations/1002/ratings/offer", object{"ratingType": "Csat", "offeredAt": "2026-02-02T00:00:00Z"}, http.StatusCreated).data(&rating)
	d.do(http.MethodPost, "/conversations/1002/ratings/"+rating.ID+"/submit", object{"ratingResult": object{"_type": "Csat", "value": 5}}, http.StatusCreated)
	require.Len(t, under(set{}).records(period("ratings")), 3)
	require.Len(t, under(set{RatingTime: "offered"}).records(period("ratings")), 2)
}

func TestAnalyticsRefusals(t *testing.T) {
	t.Parallel()
	d := start(t, server.Options{Clock: newClock().Now})
	type set = server.AnalyticsSwitches
	none := object{"filters": nil}
	for name, tt := range map[string]struct {
		switches set
		query    object
		status   int
	}{
		"no id":                        {set{}, period("csat", object{"id": nil}), 400},
		"unknown id":                   {set{}, period("mood"), 400},
		"no time zone":                 {set{}, period("csat", object{"timezone": nil}), 400},
		"unknown time zone":            {set{}, period("csat", object{"timezone": "Europe/Atlantis"}), 400},
		"local time zone":              {set{}, period("csat", object{"timezone": "Local"}), 400},
		"neither period nor ids":       {set{}, period("csat", object{"periodFilter": nil}), 400},
		"both":                         {set{}, period("csat", object{"csidFilter": []int{1}}), 400},
		"no ids":                       {set{}, period("csat", object{"periodFilter": nil, "csidFilter": []int{}}), 400},
		"ids":                          {set{}, period("csat", object{"periodFilter": nil, "csidFilter": []int{1}}), 200},
		"interval without end":         {set{}, period("csat", object{"periodFilter": object{"_type": "Interval", "start": "2026-03-02T00:00:00Z"}}), 400},
		"unknown preset":               {set{}, period("csat", object{"periodFilter": object{"_type": "Preset", "value": object{"_type": "PreviousYear"}}}), 400},
		"preset without value":         {set{}, period("csat", object{"periodFilter": object{"_type": "Preset"}}), 400},
		"preset of another form":       {set{}, period("csat", object{"periodFilter": object{"_type": "Preset", "value": 7}}), 400},
		"unknown aggregation":          {set{}, period("csat", object{"aggregations": []string{"Median"}}), 400},
		"unavailable aggregation":      {set{}, period("csat", object{"aggregations": []string{"Sum"}}), 400},
		"no aggregations":              {set{NoAggregations: "rejected"}, period("csat"), 400},
		"no filters":                   {set{}, period("csat", none), 200},
		"no filters, present required": {set{Filters: "present"}, period("csat", none), 400},
		"empty filters, present":       {set{Filters: "present"}, period("csat"), 200},
		"empty filters, some required": {set{Filters: "some"}, period("csat"), 400},
		"filter, some required":        {set{Filters: "some"}, period("csat", only("channel", "EMAIL")), 200},
		"ids, some required":           {set{Filters: "some"}, period("csat", none, object{"periodFilter": nil, "csidFilter": []int{1}}), 200},
		"filter without attribute":     {set{}, period("csat", only("", "EMAIL")), 400},
		"unknown filter":               {set{UnknownFilter: "rejected"}, period("csat", only("mood", "x")), 400},
	} {
		d.SetSwitches(analytics(tt.switches))
		d.do(http.MethodPost, "/analytics/metrics", tt.query, tt.status)
		if !strings.Contains(name, "aggregation") {
			if tt.query["id"] == "csat" {
				tt.query["id"] = "ratings"
			}
			d.do(http.MethodPost, "/analytics/records", tt.query, tt.status)
		}
	}
	for _, path := range []string{"/analytics/metrics/mood", "/analytics/records/csat", "/analytics/filter/mood", "/analytics/metrics?pageLimit=0"} {
		d.do(http.MethodGet, path, nil, http.StatusBadRequest)
	}
}

// Presets are computed in the zone of the query. On Tuesday 2026-03-31 at 22:30 UTC, it
// is Wednesday 2026-04-01 in Copenhagen.
func TestPresets(t *testing.T) {
	t.Parallel()
	clock := newClock()
	clock.now = time.Date(2026, time.March, 31, 22, 30, 0, 0, time.UTC)
	d := start(t, server.Options{Clock: clock.Now})
	user := d.customer("a@example.org")
	closed := []string{
		"2025-12-31T22:30:00Z", "2025-12-31T23:30:00Z", "2026-02-28T22:59:00Z", "2026-02-28T23:00:00Z", "2026-03-22T22:59:00Z", "2026-03-22T23:00:00Z",
		"2026-03-29T21:59:00Z", "2026-03-29T22:00:00Z", "2026-03-30T21:59:00Z", "2026-03-30T22:00:00Z", "2026-03-31T21:59:00Z", "2026-03-31T22:00:00Z",
	}
	for _, at := range closed {
		d.do(http.MethodPost, "/conversations/import", object{
			"genericChannelName": "genericapimessaging", "requesterId": user, "direction": "Inbound", "createdAt": at,
			"closing": object{"closedAt": at, "closedBy": server.SeedAgentAnna},
		}, http.StatusCreated)
	}
	for zone, wants := range map[string]map[string][2]string{
		"Europe/Copenhagen": {
			"Today": {closed[11], closed[11]}, "Yesterday": {closed[9], closed[10]},
			"ThisWeek": {closed[7], closed[11]}, "PreviousWeek": {closed[5], closed[6]},
			"ThisMonth": {closed[11], closed[11]}, "PreviousMonth": {closed[3], closed[10]},
			"ThisQuarter": {closed[11], closed[11]}, "PreviousQuarter": {closed[1], closed[10]}, "ThisYear": {closed[1], closed[11]},
		},
		"UTC": {
			"Today": {closed[10], closed[11]}, "ThisMonth": {closed[4], closed[11]}, "PreviousMonth": {closed[2], closed[3]},
			"ThisQuarter": {closed[2], closed[11]}, "PreviousQuarter": {closed[0], closed[1]}, "ThisYear": {closed[2], closed[11]},
		},
	} {
		for preset, want := range wants {
			found := d.records(period("closed_conversations", object{"timezone": zone, "periodFilter": object{"_type": "Preset", "value": object{"_type": preset}}}))
			require.NotEmpty(t, found, "%s %s", zone, preset)
			first, last := found[0].At.Timestamp, found[len(found)-1].At.Timestamp
			require.Equal(t, want, [2]string{first.Format(time.RFC3339), last.Format(time.RFC3339)}, "%s %s", zone, preset)
		}
	}
}

func TestRecordsArePaged(t *testing.T) {
	t.Parallel()
	clock := newClock()
	d := start(t, server.Options{Clock: clock.Now})
	d.open(d.customer("a@example.org"))
	for range 302 {
		require.NoError(t, d.Agent(t.Context(), server.Step{Action: server.PlayClose}, server.Step{Action: server.PlayReopen}))
		clock.Advance(time.Second)
	}
	query := period("closed_conversations")
	var sizes []int
	times := map[time.Time]bool{}
	for path := "/analytics/records?pageLimit=400"; path != ""; {
		var page struct {
			Data []record
			Meta struct{ Next string }
		}
		decode(t, d.do(http.MethodPost, path, query, http.StatusOK).body, &page)
		sizes = append(sizes, len(page.Data))
		for _, r := range page.Data {
			times[r.At.Timestamp] = true
		}
		path = page.Meta.Next
	}
	require.Equal(t, []int{300, 2}, sizes)
	require.Len(t, times, 302)
	d.SetSwitches(server.Switches{PageLimitTooLarge: server.Rejected})
	d.do(http.MethodPost, "/analytics/records?pageLimit=301", query, http.StatusBadRequest)
}

func TestFilterValues(t *testing.T) {
	t.Parallel()
	d := start(t, server.Options{})
	values := func(attribute string) (all []string) {
		var listed []struct{ Value, Label string }
		d.do(http.MethodGet, "/analytics/filter/"+attribute, nil, http.StatusOK).data(&listed)
		for _, v := range listed {
			all = append(all, v.Value+"="+v.Label)
		}
		return all
	}
	require.Contains(t, values("agent_id"), server.SeedAgentBen+"=Ben Agent")
	require.Contains(t, values("queue_id"), server.SeedQueueClaims+"=Claims")
	require.Contains(t, values("channel"), "CONTACT_FORM=Contact Form")
	require.Contains(t, values("channel"), "PSTN_PHONE=Phone")
	require.Equal(t, []string{"INBOUND=Inbound", "OUTBOUND=Outbound"}, values("initial_direction"))
	require.Contains(t, values("contact_point"), server.SeedPhone+"="+server.SeedPhone)
	require.Empty(t, values("tag_id"))
	d.do(http.MethodPost, "/tags", object{"name": "refund"}, http.StatusOK)
	require.Equal(t, []string{d.State().Tags[0].ID + "=refund"}, values("tag_id"))
}

func TestGroupsOfSettings(t *testing.T) {
	t.Parallel()
	require.Contains(t, server.NamedAnalyticsSettings(), "analytics.filters")
	require.Contains(t, server.NamedBusinessHoursSettings(), "businessHours.sunday")
	require.Contains(t, server.NamedKnowledgeSettings(), "knowledge.edits")
	for name := range server.NamedSettings() {
		group, _, nested := strings.Cut(name, ".")
		require.False(t, nested && slices.Contains([]string{"analytics", "businessHours", "exports", "knowledge"}, group), fmt.Sprint(name, " affects only its own operations"))
	}
}
