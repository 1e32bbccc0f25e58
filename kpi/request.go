package kpi

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/claimflow/claimflow/claim"
)

// Bucket is the length of the parts into which a period is split.
type Bucket string

// Buckets. All are by the local time of the request's zone, so a day can have 23 or
// 25 hours. The first and last are cut at the period's ends.
const (
	BucketHour       Bucket = "hour"
	BucketDay        Bucket = "day"
	BucketWeek       Bucket = "week" // ISO 8601: from Monday
	BucketMonth      Bucket = "month"
	BucketQuarter    Bucket = "quarter"
	BucketYear       Bucket = "year"
	BucketHourOfWeek Bucket = "hour_of_week" // 168, from Monday 00:00, over the whole period
	BucketNone       Bucket = "none"         // the whole period
)

var buckets = []Bucket{
	BucketDay, BucketHour, BucketWeek, BucketMonth, BucketQuarter, BucketYear, BucketHourOfWeek, BucketNone,
}

// Limits of a request.
const (
	// MaxYears limits the period.
	MaxYears = 10
	// MaxBuckets limits the number of buckets.
	MaxBuckets = 5000
	// MaxValues limits the number of buckets times the number of groups.
	MaxValues = 200_000
	// MaxWithinDays limits the parameter within_days.
	MaxWithinDays = 365
)

// Request asks for the values of a figure. [Definition.Complete] fills in defaults.
type Request struct {
	// From and To are the period [From, To).
	From, To time.Time
	// Zone is the zone of the buckets. Defaults to UTC.
	Zone *time.Location
	// Bucket defaults to the first that the definition offers.
	Bucket Bucket
	// By groups the values; empty for one series.
	By Dimension
	// Filters keep what has one of the values in every dimension. "" is none. With the
	// dimension of By, only the named groups appear, and each does.
	Filters map[Dimension][]string
	// PlacedBy defaults to the first date that the definition offers.
	PlacedBy Date
	// Hours defaults to [ClockHours].
	Hours Hours
	// WithinDays is the definition's parameter of that name.
	WithinDays int
	// Now decides which buckets are still open. Defaults to To.
	Now time.Time
}

// Complete returns r with the defaults of the definition.
func (d Definition) Complete(r Request) Request {
	if r.Zone == nil {
		r.Zone = time.UTC
	}
	if r.Bucket == "" {
		r.Bucket = d.Buckets[0]
	}
	if r.PlacedBy == "" {
		r.PlacedBy = d.PlacedBy[0]
	}
	if r.Hours == "" {
		r.Hours = d.Hours[0]
	}
	if r.WithinDays == 0 && d.WithinDays != nil {
		r.WithinDays = *d.WithinDays
	}
	if r.Now.IsZero() {
		r.Now = r.To
	}
	return r
}

// Check returns a [*claim.InvalidError] with every field of a complete request that
// the definition does not allow, named as in [Definition.ParseRequest].
func (d Definition) Check(r Request) error {
	var f faults
	d.check(r, &f)
	return f.err()
}

func (d Definition) check(r Request, f *faults) {
	switch {
	case !r.From.Before(r.To):
		f.add("to", "must be after from")
	case r.To.After(r.From.AddDate(MaxYears, 0, 0)):
		f.add("to", "must be at most %d years after from", MaxYears)
	case !slices.Contains(d.Buckets, r.Bucket):
		f.add("bucket", "must be one of %s", list(d.Buckets))
	case len(boundaries(r)) > MaxBuckets+1:
		f.add("bucket", "splits the period into more than %d parts; use longer buckets or a shorter period", MaxBuckets)
	}
	if r.By != "" && !slices.Contains(d.Dimensions, r.By) {
		f.add("by", "must be one of %s", list(d.Dimensions))
	}
	for _, dim := range sortedKeys(r.Filters) {
		if !slices.Contains(d.Dimensions, dim) {
			f.add("filter", "the dimension must be one of %s", list(d.Dimensions))
		} else if dim == ByTeam && slices.Contains(r.Filters[dim], "") {
			f.add("filter", "a team must have a name")
		}
	}
	if !slices.Contains(d.PlacedBy, r.PlacedBy) {
		f.add("date", "must be one of %s", list(d.PlacedBy))
	}
	if !slices.Contains(d.Hours, r.Hours) {
		f.add("hours", "must be one of %s", list(d.Hours))
	}
	switch {
	case d.WithinDays == nil && r.WithinDays != 0:
		f.add("within_days", "is no parameter of %s", d.ID)
	case r.WithinDays < 0 || r.WithinDays > MaxWithinDays:
		f.add("within_days", "must be from 1 to %d", MaxWithinDays)
	}
}

// filtersBy returns the values of the filter on the request's own grouping.
func (r *Request) filtersBy() []string { return r.Filters[r.By] }

// within returns the parameter in microseconds, or 0 for no limit.
func (r *Request) within() int64 {
	return (time.Duration(r.WithinDays) * 24 * time.Hour).Microseconds()
}

// MarshalJSON writes the request under the names of its parameters. Times are in its
// zone.
func (r Request) MarshalJSON() ([]byte, error) {
	zone := r.Zone
	if zone == nil {
		zone = time.UTC
	}
	return json.Marshal(struct {
		From       time.Time              `json:"from"`
		To         time.Time              `json:"to"`
		Zone       string                 `json:"timezone"`
		Bucket     Bucket                 `json:"bucket"`
		By         Dimension              `json:"by,omitempty"`
		Filters    map[Dimension][]string `json:"filter,omitempty"`
		PlacedBy   Date                   `json:"date"`
		Hours      Hours                  `json:"hours"`
		WithinDays int                    `json:"within_days,omitempty"`
		Now        time.Time              `json:"asked_at"`
	}{r.From.In(zone), r.To.In(zone), zone.String(), r.Bucket, r.By, r.Filters, r.PlacedBy, r.Hours, r.WithinDays, r.Now.In(zone)})
}

// faults collects the problems of a request.
type faults []claim.FieldError

func (f *faults) add(field, problem string, args ...any) {
	*f = append(*f, claim.FieldError{Field: field, Problem: fmt.Sprintf(problem, args...)})
}

// has reports whether a field has a problem.
func (f *faults) has(field string) bool {
	return slices.ContainsFunc(*f, func(e claim.FieldError) bool { return e.Field == field })
}

func (f *faults) err() error {
	if len(*f) == 0 {
		return nil
	}
	return &claim.InvalidError{What: "KPI request", Errors: *f}
}

func list[T ~string](words []T) string {
	if len(words) == 0 {
		return "none"
	}
	all := make([]string, len(words))
	for i, w := range words {
		all[i] = string(w)
	}
	return strings.Join(all, ", ")
}
