package reporting

import (
	"context"
	"fmt"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/internal/todixa/connection"
	"github.com/claimflow/claimflow/kpi"
	"github.com/claimflow/claimflow/mirror"
)

// maxCompared is how many buckets a comparison may have. Each costs a request to Dixa.
const maxCompared = 31

// measures are the aggregates of Dixa's metrics that mean the same as ours.
var measures = map[string]dixa.Measure{
	"csat": dixa.MeasurePercentage, "closed_conversations": dixa.MeasureCount, "first_response_time": dixa.MeasureAverage,
	"conversation_assignments_per_agent": dixa.MeasureSum,
}

// attributes are the names of dimensions in Dixa's filters.
var attributes = map[kpi.Dimension]string{
	kpi.ByChannel: "channel", kpi.ByDirection: "initial_direction", kpi.ByQueue: "queue_id", kpi.ByAgent: "agent_id", kpi.ByTag: "tag_id",
}

// Compare asks Dixa for its own metric of the same meaning, one request per bucket, at
// the pace of background work. The error is a [*claim.InvalidError] if Dixa publishes
// no such metric or the request cannot be compared.
func (s *Service) Compare(ctx context.Context, connectionID string, result *kpi.Result) (*client.KPIComparison, error) {
	d, r := result.Definition, result.Request
	if d.Dixa == "" {
		return nil, notComparable("compare", "Dixa publishes no metric of the same meaning as %s", d.ID)
	}
	if r.By != "" || len(result.Series) != 1 || len(result.Series[0].Buckets) > maxCompared || r.Bucket == kpi.BucketHourOfWeek {
		return nil, notComparable("compare", "needs a request without by, with at most %d buckets of consecutive time", maxCompared)
	}
	filters, err := s.filters(ctx, connectionID, r)
	if err != nil {
		return nil, err
	}
	api, err := s.Clients.Client(ctx, connectionID)
	if err != nil {
		return nil, err
	}
	measure := measures[d.Dixa]
	out := &client.KPIComparison{Metric: d.Dixa, Measure: string(measure)}
	if metric, err := connection.Call(ctx, func() (*dixa.Metric, error) { return api.Analytics.Metric(ctx, d.Dixa) }); err == nil {
		out.Description = metric.Description
	}
	zone := time.UTC
	if r.Zone != nil {
		zone = r.Zone
	}
	for _, b := range result.Series[0].Buckets {
		compared := client.KPIComparedBucket{Start: b.Start, End: b.End, Ours: b.Value}
		if measure == dixa.MeasureAverage {
			compared.Ours = b.Mean
		}
		query := dixa.AnalyticsQuery{ID: d.Dixa, Timezone: zone.String(), Period: dixa.IntervalPeriod(b.Start, b.End.Add(-time.Millisecond)), Filters: filters}
		data, err := connection.Call(ctx, func() (*dixa.MetricData, error) { return api.Analytics.QueryMetric(ctx, query, measure) })
		if err != nil {
			return nil, fmt.Errorf("ask Dixa for its metric %s: %w", d.Dixa, err)
		}
		if value, ok := data.Number(measure); ok {
			compared.Dixa = &value
			if compared.Ours != nil && d.Unit != kpi.Seconds {
				difference := *compared.Ours - value
				compared.Difference = &difference
			}
		}
		out.Buckets = append(out.Buckets, compared)
	}
	return out, nil
}

// filters converts the filters of a request. Without any, it names every channel: Dixa's
// own clients always send a filter.
func (s *Service) filters(ctx context.Context, connectionID string, r kpi.Request) ([]dixa.AnalyticsFilter, error) {
	var filters []dixa.AnalyticsFilter
	for dimension, values := range r.Filters {
		attribute := attributes[dimension]
		if attribute == "" {
			return nil, notComparable("filter", "Dixa has no filter by %s", dimension)
		}
		if dimension == kpi.ByTag {
			var err error
			if values, err = s.tagIDs(ctx, connectionID, values); err != nil {
				return nil, err
			}
		}
		filters = append(filters, dixa.AnalyticsFilter{Attribute: attribute, Values: values})
	}
	return filters, nil
}

// tagIDs returns the ids of tags by their names.
func (s *Service) tagIDs(ctx context.Context, connectionID string, names []string) ([]string, error) {
	entries, err := s.Store.Mirror.Directory(ctx, connectionID, mirror.KindTag)
	if err != nil {
		return nil, err
	}
	known := map[string]string{}
	for _, e := range entries {
		known[e.Name] = e.ID
	}
	var ids []string
	for _, name := range names {
		if known[name] == "" {
			return nil, notComparable("filter", "tag %q is not in the imported directory", name)
		}
		ids = append(ids, known[name])
	}
	return ids, nil
}

func notComparable(field, format string, args ...any) error {
	return &claim.InvalidError{What: "KPI request", Errors: []claim.FieldError{{Field: field, Problem: fmt.Sprintf(format, args...)}}}
}
