package dixa

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"time"
)

// MaxAnalyticsPageLimit is the largest page of AnalyticsService.QueryRecords. Dixa's
// own clients use it; the API's reference names no maximum.
const MaxAnalyticsPageLimit = 300

// AnalyticsService reads the metrics that Dixa computes itself, and the records that
// they are computed from. It changes nothing, so read-only clients may use it.
//
// Dixa publishes only a part of the catalogue: read it with Metrics and Records. It is
// unknown how long an event is missing from the data.
type AnalyticsService struct{ service }

// Metrics yields the metrics that can be queried, page by page.
//
// Dixa: GET /v1/analytics/metrics.
func (s *AnalyticsService) Metrics(ctx context.Context) iter.Seq2[*Metric, error] {
	op := Operation{"Analytics.Metrics", http.MethodGet, "/analytics/metrics"}
	return fetchPages[Metric](ctx, s.client, op, Params{})
}

// Metric returns one metric: its filters and measures.
//
// Dixa: GET /v1/analytics/metrics/{metricId}.
func (s *AnalyticsService) Metric(ctx context.Context, id string) (*Metric, error) {
	op := Operation{"Analytics.Metric", http.MethodGet, "/analytics/metrics/{metricId}"}
	return fetch[Metric](ctx, s.client, op, Params{Path: []any{id}})
}

// QueryMetric returns measures of a metric. It is undocumented which ones Dixa returns
// if none are named, and whether it refuses or omits one that the metric does not list.
//
// Dixa: POST /v1/analytics/metrics.
func (s *AnalyticsService) QueryMetric(ctx context.Context, q AnalyticsQuery, measures ...Measure) (*MetricData, error) {
	op := Operation{"Analytics.QueryMetric", http.MethodPost, "/analytics/metrics"}
	if err := q.check(); err != nil {
		return nil, invalid(op, err)
	}
	body := q.body()
	body.Aggregations = measures
	return fetch[MetricData](ctx, s.client, op, Params{Body: body})
}

// Records yields the kinds of records that can be queried, page by page.
//
// Dixa: GET /v1/analytics/records.
func (s *AnalyticsService) Records(ctx context.Context) iter.Seq2[*RecordDefinition, error] {
	op := Operation{"Analytics.Records", http.MethodGet, "/analytics/records"}
	return fetchPages[RecordDefinition](ctx, s.client, op, Params{})
}

// Record returns one kind of record: its filters and fields.
//
// Dixa: GET /v1/analytics/records/{recordId}.
func (s *AnalyticsService) Record(ctx context.Context, id string) (*RecordDefinition, error) {
	op := Operation{"Analytics.Record", http.MethodGet, "/analytics/records/{recordId}"}
	return fetch[RecordDefinition](ctx, s.client, op, Params{Path: []any{id}})
}

// QueryRecords yields the records of one kind, page by page, in an unspecified order.
// A pageLimit of 0 uses Dixa's default; the largest is MaxAnalyticsPageLimit.
//
// Dixa: POST /v1/analytics/records.
func (s *AnalyticsService) QueryRecords(ctx context.Context, q AnalyticsQuery, pageLimit int) iter.Seq2[*AnalyticsRecord, error] {
	op := Operation{"Analytics.QueryRecords", http.MethodPost, "/analytics/records"}
	err := q.check()
	if err == nil && (pageLimit < 0 || pageLimit > MaxAnalyticsPageLimit) {
		err = fmt.Errorf("%w: a page has between 1 and %d records, got %d", ErrInvalidArgument, MaxAnalyticsPageLimit, pageLimit)
	}
	if err != nil {
		return failed[AnalyticsRecord](invalid(op, err))
	}
	return fetchPages[AnalyticsRecord](ctx, s.client, op, Params{Query: pageQuery(pageLimit), Body: q.body()})
}

// FilterValues yields the values of a filter's attribute, page by page.
//
// Dixa: GET /v1/analytics/filter/{filterAttribute}.
func (s *AnalyticsService) FilterValues(ctx context.Context, attribute string) iter.Seq2[*FilterValue, error] {
	op := Operation{"Analytics.FilterValues", http.MethodGet, "/analytics/filter/{filterAttribute}"}
	return fetchPages[FilterValue](ctx, s.client, op, Params{Path: []any{attribute}})
}

// AnalyticsQuery selects the events that a metric or record covers: those of a period
// or those of named conversations.
type AnalyticsQuery struct {
	// ID is the id of the metric or record.
	ID string
	// Timezone is an IANA name, such as "Europe/Copenhagen". Dixa requires it and
	// computes the periods of presets in it.
	Timezone string
	// Period excludes ConversationIDs.
	Period AnalyticsPeriod
	// ConversationIDs excludes Period.
	ConversationIDs []int64
	// Filters must all match. Dixa's own clients always name one with a Period; to name
	// one that matches everything, list all values of an attribute (see FilterValues).
	// Filters that the metric or record does not list are ignored.
	Filters []AnalyticsFilter
}

// AnalyticsFilter selects events by an attribute, one of whose values must match. Use
// the values that FilterValues yields: it is undocumented whether case matters.
type AnalyticsFilter struct {
	Attribute string   `json:"attribute"`
	Values    []string `json:"values"`
}

// AnalyticsPeriod is a period of time. Create it with PresetPeriod or IntervalPeriod;
// the zero value is no period.
type AnalyticsPeriod struct {
	preset     Preset
	start, end Time
}

// Preset is a period relative to now, in the time zone of the query. The set is open.
type Preset string

// Presets that Dixa documents.
const (
	PresetToday           Preset = "Today"
	PresetYesterday       Preset = "Yesterday"
	PresetThisWeek        Preset = "ThisWeek"
	PresetPreviousWeek    Preset = "PreviousWeek"
	PresetThisMonth       Preset = "ThisMonth"
	PresetPreviousMonth   Preset = "PreviousMonth"
	PresetThisQuarter     Preset = "ThisQuarter"
	PresetPreviousQuarter Preset = "PreviousQuarter"
	PresetThisYear        Preset = "ThisYear"
)

// PresetPeriod returns a period relative to now.
func PresetPeriod(p Preset) AnalyticsPeriod { return AnalyticsPeriod{preset: p} }

// IntervalPeriod returns the period between two times, in milliseconds. It is
// undocumented whether an event exactly at the end belongs to it.
func IntervalPeriod(start, end time.Time) AnalyticsPeriod {
	return AnalyticsPeriod{start: NewTime(start), end: NewTime(end)}
}

func (p AnalyticsPeriod) isZero() bool { return p == AnalyticsPeriod{} }

// MarshalJSON writes a preset as an object, as Dixa's example and its own clients do,
// although the schema says that it is a string. The zero period is null.
func (p AnalyticsPeriod) MarshalJSON() ([]byte, error) {
	type named struct {
		Type string `json:"_type"`
	}
	switch {
	case p.isZero():
		return []byte("null"), nil
	case p.preset != "":
		return encodeJSON(struct {
			Type  string `json:"_type"`
			Value named  `json:"value"`
		}{"Preset", named{string(p.preset)}})
	default:
		return encodeJSON(struct {
			Type  string `json:"_type"`
			Start Time   `json:"start"`
			End   Time   `json:"end"`
		}{"Interval", p.start, p.end})
	}
}

func (q AnalyticsQuery) check() error {
	fault := ""
	switch {
	case q.ID == "":
		fault = "the id of a metric or record is missing"
	case q.Timezone == "" || q.Timezone == "Local":
		fault = "the timezone must be an IANA name, such as Europe/Copenhagen"
	case q.Period.isZero() == (len(q.ConversationIDs) == 0):
		fault = "a query needs either a period or conversation ids"
	case !q.Period.isZero() && q.Period.preset == "" && (q.Period.start.IsZero() || q.Period.end.IsZero() || q.Period.end.Before(q.Period.start.Time)):
		fault = "an interval must end at or after its start"
	}
	for _, id := range q.ConversationIDs {
		if id <= 0 {
			fault = "a conversation id must be positive"
		}
	}
	for _, filter := range q.Filters {
		if filter.Attribute == "" || len(filter.Values) == 0 {
			fault = "a filter needs an attribute and at least one value"
		}
	}
	if fault == "" {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrInvalidArgument, fault)
}

type analyticsBody struct {
	ID              string            `json:"id"`
	Period          AnalyticsPeriod   `json:"periodFilter,omitzero"`
	ConversationIDs []int64           `json:"csidFilter,omitempty"`
	Filters         []AnalyticsFilter `json:"filters"`
	Aggregations    []Measure         `json:"aggregations,omitempty"`
	Timezone        string            `json:"timezone"`
}

// body always has filters, because Dixa's own clients say that a period needs them.
func (q AnalyticsQuery) body() analyticsBody {
	return analyticsBody{
		ID: q.ID, Period: q.Period, ConversationIDs: q.ConversationIDs, Filters: orEmpty(q.Filters), Timezone: q.Timezone,
	}
}
