package client

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// KPIDefinition says what a key figure is.
type KPIDefinition struct {
	ID         string   `json:"id"`
	Title      string   `json:"title"`
	Meaning    string   `json:"meaning"`
	Unit       string   `json:"unit" doc:"count, seconds, percent, score or ratio."`
	Subject    string   `json:"subject" doc:"What count counts: conversations or claims."`
	Population string   `json:"population" doc:"Which conversations or claims it covers."`
	Missing    string   `json:"missing,omitempty" doc:"When the value of one of them is unknown."`
	Aggregates []string `json:"aggregates" doc:"What a bucket has. The first is its value."`
	PlacedBy   []string `json:"placed_by" doc:"The dates that can place it in a period. The first is the default."`
	Dimensions []string `json:"dimensions" doc:"What it can be grouped and filtered by."`
	Hours      []string `json:"hours" doc:"The clocks that it can be measured by. The first is the default."`
	Buckets    []string `json:"buckets" doc:"The buckets that it can be split into. The first is the default."`
	WithinDays *int     `json:"within_days,omitempty" doc:"The default of the parameter within_days, if it has one; 0 is no limit."`
	Distinct   string   `json:"distinct,omitempty" doc:"What distinct counts."`
	Source     string   `json:"source" doc:"The published definition that it follows."`
	Dixa       string   `json:"dixa_metric,omitempty" doc:"Dixa's own metric of the same meaning."`
}

// KPIDefinitionList is a list of key figures.
type KPIDefinitionList struct {
	KPIs []KPIDefinition `json:"data"`
}

// KPIQuery asks for the values of a key figure. Empty members have the figure's
// defaults.
type KPIQuery struct {
	// From and To are the period, which does not include To: a date in the time zone,
	// or an RFC 3339 time. The default is today and the 29 days before.
	From, To string
	// Timezone is an IANA name. Defaults to UTC.
	Timezone string
	// Bucket is hour, day, week, month, quarter, year, hour_of_week or none.
	Bucket string
	// By is a dimension to group by.
	By string
	// Filters are each a dimension, a colon and values separated by commas.
	Filters []string
	// Date places a conversation or claim in a bucket, and Hours is clock or business.
	Date, Hours string
	// Schedule is the id of the business hours, if there are several.
	Schedule string
	// WithinDays is a limit of days, for figures that have it.
	WithinDays int
	// CompareDixa also asks Dixa for its own metric of the same meaning.
	CompareDixa bool
	// MaxAge is how old an answer about claims may be: a minute lets the service answer
	// from memory what it was asked in the same minute. 0 asks for a new one.
	MaxAge time.Duration
}

// KPIResult are the values of a key figure.
type KPIResult struct {
	Definition KPIDefinition `json:"definition"`
	Request    KPIRequest    `json:"request"`
	// Series are one per group, ordered by label.
	Series    []KPISeries    `json:"series"`
	Freshness *KPIFreshness  `json:"freshness,omitempty"`
	Dixa      *KPIComparison `json:"dixa,omitempty"`
}

// KPIRequest is the request with its defaults.
type KPIRequest struct {
	From       time.Time           `json:"from"`
	To         time.Time           `json:"to"`
	Timezone   string              `json:"timezone"`
	Bucket     string              `json:"bucket"`
	By         string              `json:"by,omitempty"`
	Filters    map[string][]string `json:"filter,omitempty"`
	Date       string              `json:"date"`
	Hours      string              `json:"hours"`
	WithinDays int                 `json:"within_days,omitempty"`
	AskedAt    time.Time           `json:"asked_at"`
}

// KPISeries are the values of one group.
type KPISeries struct {
	Group   string      `json:"group" doc:"The group's value, such as the id of a queue; empty for what has none."`
	Label   string      `json:"label" doc:"The group's name."`
	Buckets []KPIBucket `json:"buckets"`
}

// KPIBucket is the value of one bucket.
type KPIBucket struct {
	Start      time.Time `json:"start"`
	End        time.Time `json:"end"`
	HourOfWeek *int      `json:"hour_of_week,omitempty" doc:"From 0, Monday 00:00, to 167."`
	Open       bool      `json:"open" doc:"Whether the value can still change by what happens in future."`
	Value      *float64  `json:"value" doc:"The first of the figure's aggregates; null if it is undefined."`
	Count      int       `json:"count" doc:"The number of different conversations or claims behind the value."`
	Missing    int       `json:"missing" doc:"The number of those whose value is unknown."`
	Part       *int      `json:"part,omitempty"`
	Whole      *int      `json:"whole,omitempty"`
	Distinct   *int      `json:"distinct,omitempty"`
	Sum        *float64  `json:"sum,omitempty"`
	Mean       *float64  `json:"mean,omitempty"`
	Median     *float64  `json:"median,omitempty"`
	P90        *float64  `json:"p90,omitempty"`
}

// KPIFreshness says how new and complete the data is.
type KPIFreshness struct {
	NewestAt     time.Time `json:"newest_at,omitzero" doc:"The time of the newest known information."`
	CompleteFrom time.Time `json:"complete_from,omitzero" doc:"From when on everything has been imported; omitted if unknown."`
	Importing    bool      `json:"importing" doc:"Whether an import is running."`
}

// KPIComparison is a figure beside Dixa's own metric of the same meaning.
type KPIComparison struct {
	Metric  string `json:"metric" doc:"The id of Dixa's metric."`
	Measure string `json:"measure" doc:"The aggregate of the metric that is compared."`
	// Description is what Dixa says about the metric.
	Description string              `json:"description,omitempty" doc:"What Dixa says about the metric."`
	Buckets     []KPIComparedBucket `json:"buckets"`
}

// KPIComparedBucket is one bucket of a comparison. A value is nil if it is undefined.
type KPIComparedBucket struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
	Ours  *float64  `json:"ours"`
	Dixa  *float64  `json:"dixa" doc:"Dixa's value. Dixa does not document the unit of durations."`
	// Difference is Ours - Dixa. It is nil for durations.
	Difference *float64 `json:"difference,omitempty"`
}

// KPIVerification compares the kept values of a key figure with the rows.
type KPIVerification struct {
	KPI     string `json:"kpi"`
	Buckets int    `json:"buckets" doc:"The number of kept buckets that were computed again."`
	Values  int    `json:"values" doc:"The number of values in them that were compared."`
	Stale   int    `json:"stale" doc:"The number of kept buckets whose days changed since. They are not compared, because the next question computes them again."`
	// Differences are the values that are not those of the rows.
	Differences []KPIDifference `json:"differences" doc:"The values that are not those of the rows."`
}

// KPIDifference is a kept value that is not that of the rows.
type KPIDifference struct {
	Date       string    `json:"date"`
	Bucket     string    `json:"bucket"`
	Timezone   string    `json:"timezone"`
	By         string    `json:"by,omitempty"`
	WithinDays int       `json:"within_days,omitempty"`
	Start      time.Time `json:"start"`
	End        time.Time `json:"end"`
	HourOfWeek *int      `json:"hour_of_week,omitempty" doc:"From 0, Monday 00:00, to 167. The bucket is the month."`
	Group      string    `json:"group" doc:"The group's value, such as the id of a queue; empty for what has none."`
	// Kept and Computed are nil if there is no value of the group.
	Kept     *KPIValue `json:"kept" doc:"Null if no value of the group is kept."`
	Computed *KPIValue `json:"computed" doc:"Null if the rows have no value of the group."`
}

// KPIValue is a value of a finished bucket. Of a backlog and a load, count is the
// difference to the bucket before, and value is nil.
type KPIValue struct {
	Value    *float64 `json:"value" doc:"The first of the figure's aggregates; null if it is undefined, and of a backlog and a load."`
	Count    int      `json:"count" doc:"As in the buckets of the figure; of a backlog and a load, the difference to the bucket before."`
	Missing  int      `json:"missing"`
	Part     *int     `json:"part,omitempty"`
	Whole    *int     `json:"whole,omitempty"`
	Distinct *int     `json:"distinct,omitempty"`
	Sum      *float64 `json:"sum,omitempty"`
	Mean     *float64 `json:"mean,omitempty"`
	Median   *float64 `json:"median,omitempty"`
	P90      *float64 `json:"p90,omitempty"`
}

// KPIs lists the key figures with their definitions.
func (c *Client) KPIs(ctx context.Context, connectionID string) ([]KPIDefinition, error) {
	out, err := ask[KPIDefinitionList](ctx, c, call{method: http.MethodGet, path: connectionPath(connectionID, "kpis")})
	return out.KPIs, err
}

// KPI computes a key figure.
func (c *Client) KPI(ctx context.Context, connectionID, id string, q KPIQuery) (KPIResult, error) {
	return ask[KPIResult](ctx, c, call{method: http.MethodGet, path: connectionPath(connectionID, "kpis", id), query: q.query(), slow: true, maxAge: q.MaxAge})
}

// KPICSV computes a key figure and returns it as CSV with a line of column names.
func (c *Client) KPICSV(ctx context.Context, connectionID, id string, q KPIQuery) ([]byte, error) {
	return c.send(ctx, call{method: http.MethodGet, path: connectionPath(connectionID, "kpis", id), query: q.query(), accept: "text/csv", slow: true, maxAge: q.MaxAge})
}

// VerifyKPI computes the kept values of a key figure from the rows and compares them.
func (c *Client) VerifyKPI(ctx context.Context, connectionID, id string) (KPIVerification, error) {
	return ask[KPIVerification](ctx, c, call{method: http.MethodGet, path: connectionPath(connectionID, "kpis", id, "verification"), slow: true})
}

func (q KPIQuery) query() url.Values {
	values := query("from", q.From, "to", q.To, "timezone", q.Timezone, "bucket", q.Bucket, "by", q.By, "date", q.Date, "hours", q.Hours,
		"schedule", q.Schedule, "within_days", number(q.WithinDays))
	for _, f := range q.Filters {
		values.Add("filter", f)
	}
	if q.CompareDixa {
		values.Set("compare", "dixa")
	}
	return values
}
