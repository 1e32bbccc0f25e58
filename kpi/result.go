package kpi

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"time"
)

// Result is the answer to a [Request].
type Result struct {
	Definition Definition `json:"definition"`
	Request    Request    `json:"request"`
	// Series are one per group, ordered by label; exactly one without a grouping.
	Series []Series `json:"series"`
	// Freshness is for the caller to fill in.
	Freshness *Freshness `json:"freshness,omitempty"`
}

// Freshness says how complete the data behind a result is.
type Freshness struct {
	// NewestAt is the time of the newest known information.
	NewestAt time.Time `json:"newest_at,omitzero"`
	// CompleteFrom is from when on everything has been imported; zero if unknown.
	CompleteFrom time.Time `json:"complete_from,omitzero"`
	// Importing says that an import is running.
	Importing bool `json:"importing"`
}

// Series are the values of one group.
type Series struct {
	// Group is the group's value, such as the id of a queue; empty without a grouping
	// and for what has none.
	Group string `json:"group"`
	// Label is for people: a name of the directory, [LabelAll], [LabelNone] or the
	// group.
	Label   string        `json:"label"`
	Buckets []BucketValue `json:"buckets"`
}

// Labels of groups without a name.
const (
	LabelAll  = "all"
	LabelNone = "none"
)

// BucketValue is the value of one bucket. Empty buckets are present.
type BucketValue struct {
	// Start and End are the bucket [Start, End), in the request's zone. For hours of
	// the week they are the whole period.
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
	// HourOfWeek is from 0, Monday 00:00, to 167; nil for other buckets.
	HourOfWeek *int `json:"hour_of_week,omitempty"`
	// Open says that the value can still change by what happens in future: the bucket
	// has not ended, or its last conversations are not yet within_days old.
	Open bool `json:"open"`
	// Value is the first of the definition's aggregates; nil if it is undefined, for
	// example the mean of no values.
	Value *float64 `json:"value"`
	// Count is the number of different conversations or claims behind the value.
	Count int `json:"count"`
	// Missing is the number of observations of the population whose value is unknown.
	Missing int `json:"missing"`
	// Part and Whole are the observations behind a share.
	Part  *int `json:"part,omitempty"`
	Whole *int `json:"whole,omitempty"`
	// Distinct is what the definition's field of that name says.
	Distinct *int `json:"distinct,omitempty"`
	// Sum, Mean, Median and P90 are set if the definition has them and they are
	// defined. Durations are in seconds.
	Sum    *float64 `json:"sum,omitempty"`
	Mean   *float64 `json:"mean,omitempty"`
	Median *float64 `json:"median,omitempty"`
	P90    *float64 `json:"p90,omitempty"`
}

// csvFields are the columns of the CSV form after group and label.
var csvFields = []struct {
	name  string
	value func(*BucketValue) string
}{
	{"start", func(b *BucketValue) string { return b.Start.Format(time.RFC3339) }},
	{"end", func(b *BucketValue) string { return b.End.Format(time.RFC3339) }},
	{"hour_of_week", func(b *BucketValue) string { return integer(b.HourOfWeek) }},
	{"open", func(b *BucketValue) string { return strconv.FormatBool(b.Open) }},
	{"value", func(b *BucketValue) string { return decimal(b.Value) }},
	{"count", func(b *BucketValue) string { return integer(&b.Count) }},
	{"missing", func(b *BucketValue) string { return integer(&b.Missing) }},
	{"part", func(b *BucketValue) string { return integer(b.Part) }},
	{"whole", func(b *BucketValue) string { return integer(b.Whole) }},
	{"distinct", func(b *BucketValue) string { return integer(b.Distinct) }},
	{"sum", func(b *BucketValue) string { return decimal(b.Sum) }},
	{"mean", func(b *BucketValue) string { return decimal(b.Mean) }},
	{"median", func(b *BucketValue) string { return decimal(b.Median) }},
	{"p90", func(b *BucketValue) string { return decimal(b.P90) }},
}

// WriteCSV writes one line per group and bucket after a line of column names, which
// are the same for every figure. What a bucket does not have is empty.
func (r *Result) WriteCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	line := []string{"kpi", "group", "label"}
	for _, f := range csvFields {
		line = append(line, f.name)
	}
	if err := out.Write(line); err != nil {
		return err
	}
	for i := range r.Series {
		s := &r.Series[i]
		line[0], line[1], line[2] = r.Definition.ID, inert(s.Group), inert(s.Label)
		for n := range s.Buckets {
			for column, f := range csvFields {
				line[3+column] = f.value(&s.Buckets[n])
			}
			if err := out.Write(line); err != nil {
				return err
			}
		}
	}
	out.Flush()
	return out.Error()
}

// inert keeps a spreadsheet from evaluating a cell as a formula (OWASP, CSV
// injection), because names of tags and queues are untrusted.
func inert(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r\n", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}

func integer(n *int) string {
	if n == nil {
		return ""
	}
	return strconv.Itoa(*n)
}

func decimal(x *float64) string {
	if x == nil {
		return ""
	}
	return strconv.FormatFloat(*x, 'f', -1, 64)
}
