package kpi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
)

// Keeper is a [Source] that keeps the values of finished buckets, so that they are not
// computed from the rows each time.
type Keeper interface {
	Source
	// Moment calls fn with the source as it is at one moment.
	Moment(ctx context.Context, fn func(Moment) error) error
	// Keep keeps buckets of a series in the order of time. Their values are those of the
	// moment with that [Kept.Change]. What is kept as of a later one stays.
	Keep(ctx context.Context, s KeptSeries, change int64, buckets []KeptBucket) error
}

// Moment is a source at one moment: what is written later is invisible.
//
// A kept bucket is valid if no day that it touches has changed since. This is exact,
// because
//
//   - a transaction that changes rows takes the next number of changes, and commits in the
//     order of these numbers. It marks each day on which a changed conversation has a date
//     of any kind, or had one before, with its number.
//   - a value depends only on conversations that have a date in its bucket, and on nothing
//     outside them. So a transaction that the moment of the value did not see, and that
//     changes the value, marks a day of the bucket with a higher number than that moment's.
//   - a value that was computed from a moment is kept with the number of that moment, however
//     late, so a transaction in between makes it stale.
type Moment interface {
	Source
	// Kept returns what is kept of a series in the buckets that start in [from, to).
	Kept(ctx context.Context, s KeptSeries, from, to int64) (Kept, error)
	// KeptSeries lists the series of a figure of which anything is kept.
	KeptSeries(ctx context.Context, id string) ([]KeptSeries, error)
}

// KeptSeries identifies values that are kept together: those of all groups.
type KeptSeries struct {
	// KPI is the id of the figure, and Version that of its definition.
	KPI, Version string
	PlacedBy     Date
	// Bucket is the length of the buckets. Hours of the week are kept by month.
	Bucket Bucket
	// Zone is the name of the zone of the buckets.
	Zone       string
	By         Dimension
	WithinDays int
}

// Kept is what is kept of a series.
type Kept struct {
	// Change is the number of the last change of the rows.
	Change int64
	// First is when the first conversation was created; 0 if there is none.
	First int64
	// Buckets are in the order of time.
	Buckets []KeptBucket
}

// KeptBucket is a finished bucket [Start, End), in microseconds since 1970.
type KeptBucket struct {
	Start, End int64
	// Stale says that a day of the bucket changed since.
	Stale bool
	// Values are those of the groups that have any.
	Values []KeptValue
}

// KeptValue is the value of a group in a kept bucket: as in [BucketValue], but of a
// backlog and a load the difference to the bucket before.
type KeptValue struct {
	Group string
	// Hour is the hour of the week; 0 in other buckets.
	Hour int

	Count, Missing                int
	Part, Whole, Distinct         *int
	Value, Sum, Mean, Median, P90 *float64
}

// keptVersion is part of [KeptSeries.Version]. Increase it if values change although the
// definitions do not.
const keptVersion = 1

// version identifies the definition and the way in which it is computed.
func (d *Definition) version() string {
	text, _ := json.Marshal(d) //nolint:errchkjson // the type has no part that cannot be encoded
	p := d.plan
	p.part = nil // the meaning says what it is
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %s %+v", keptVersion, text, p))
	return hex.EncodeToString(sum[:8])
}

// keptSeries returns the series with the values of a complete request, and whether they
// are kept: those of conversations and events, by the clock, of all or by one dimension.
// The members of teams and the age of a backlog change without any conversation.
func (d *Definition) keptSeries(r *Request) (KeptSeries, bool) {
	p := &d.plan
	zone := r.Zone.String()
	switch {
	case p.table != Conversations && p.table != Events, p.shape == shapeAge, r.Hours != ClockHours, r.By == ByTeam, zone == "", zone == "Local":
		return KeptSeries{}, false
	case len(r.Filters) > 1, len(r.Filters) == 1 && len(r.filtersBy()) == 0:
		return KeptSeries{}, false
	case r.Bucket == BucketHourOfWeek && (p.table != Conversations || p.shape != shapeTally && p.shape != shapePerHour):
		return KeptSeries{}, false // such values cannot be added up
	case r.Bucket == BucketHour, r.Bucket == BucketNone:
		return KeptSeries{}, false
	}
	return KeptSeries{
		KPI: d.ID, Version: d.version(), PlacedBy: r.PlacedBy, Bucket: r.Bucket, Zone: zone, By: r.By, WithinDays: r.WithinDays,
	}, true
}

// length is the length of the kept buckets.
func (s *KeptSeries) length() Bucket {
	if s.Bucket == BucketHourOfWeek {
		return BucketMonth
	}
	return s.Bucket
}

// begins reports whether a bucket begins at an instant.
func begins(b Bucket, at int64, zone *time.Location) bool {
	return nextStart(b)(time.UnixMicro(at-1).In(zone)).UnixMicro() == at
}

// startOf returns when the bucket with an instant begins.
func startOf(b Bucket, at time.Time) time.Time {
	y, m, d := at.Date()
	switch b {
	case BucketWeek:
		d -= (int(at.Weekday()) + 6) % 7
	case BucketMonth:
		d = 1
	case BucketQuarter:
		m, d = (m-1)/3*3+1, 1
	case BucketYear:
		m, d = 1, 1
	}
	return startOfDay(y, m, d, at.Location())
}

// span is a bucket of an answer that may be kept.
type span struct {
	start, end int64
	// whole says that the period does not cut the bucket, and that nothing that happens
	// from now on belongs to it.
	whole bool
	// kept is the valid value.
	kept *KeptBucket
}

// spans returns the buckets between bounds with what is kept of them.
func spans(s *KeptSeries, bounds []int64, zone *time.Location, closed int64, kept []KeptBucket) []span {
	all := make([]span, len(bounds)-1)
	for i := range all {
		b := &all[i]
		b.start, b.end = bounds[i], bounds[i+1]
		b.whole = b.end <= closed &&
			(i > 0 || begins(s.length(), b.start, zone)) && (i < len(all)-1 || begins(s.length(), b.end, zone))
		for len(kept) > 0 && kept[0].Start < b.start {
			kept = kept[1:]
		}
		// The zone may have got other rules since.
		if b.whole && len(kept) > 0 && kept[0].Start == b.start && kept[0].End == b.end && !kept[0].Stale {
			b.kept = &kept[0]
		}
	}
	return all
}

// Computing a few valid buckets again is faster than another query.
const (
	maxRuns    = 12
	joinedTime = 3 * 24 * int64(time.Hour/time.Microsecond)
)

// run is a part [from, to) of spans that has to be computed from the rows.
type run struct{ from, to int }

// runs returns the parts that are not kept, joined if little is between them.
func runs(all []span) []run {
	var out []run
	for i := range all {
		switch {
		case all[i].kept != nil:
		case len(out) > 0 && all[i].start-all[out[len(out)-1].to-1].end <= joinedTime:
			out[len(out)-1].to = i + 1
		default:
			out = append(out, run{i, i + 1})
		}
	}
	for len(out) > maxRuns {
		nearest := 1
		for i := 2; i < len(out); i++ {
			if out[i].from-out[i-1].to < out[nearest].from-out[nearest-1].to {
				nearest = i
			}
		}
		out[nearest-1].to = out[nearest].to
		out = append(out[:nearest], out[nearest+1:]...)
	}
	return out
}
