package kpi

import (
	"cmp"
	"slices"
	"sort"
	"time"
)

// Schedule is one version of the hours in which a team works, as in Dixa's business
// hours.
type Schedule struct {
	ID, Name string
	Zone     *time.Location
	// ValidFrom is when this version came into force.
	ValidFrom time.Time
	// Weekly are the hours of each weekday, by [time.Weekday]. A day without any is
	// closed.
	Weekly [7][]Interval
	// Exceptions replace the hours of single days.
	Exceptions []Exception
}

// Interval is a part of a day in minutes of the local clock, so that 480 to 960 is
// 08:00 to 16:00. An end that is not after the start is on the next day: 0 is
// midnight.
type Interval struct {
	Start, End int
}

// Exception replaces the hours of a day.
type Exception struct {
	// Year is 0 for an exception of every year.
	Year  int
	Month time.Month
	Day   int
	// Hours are the day's hours; none if it is closed.
	Hours []Interval
}

// History is the versions of a schedule. At every moment, the version in force at
// that moment applies; before the first, the first. All parts of a figure are
// measured this way, so they add up to the whole.
type History []Schedule

// Between returns how long the schedule was open from start to end; 0 if end is not
// after start.
func (h History) Between(start, end time.Time) time.Duration {
	c := clock{history: h}
	return time.Duration(c.between(start.UnixMicro(), end.UnixMicro())) * time.Microsecond
}

// hours returns the hours of a local day, which is given in UTC. An exception of the
// date precedes one of every year.
func (s *Schedule) hours(day time.Time) []Interval {
	hours := s.Weekly[day.Weekday()]
	y, m, d := day.Date()
	for _, e := range s.Exceptions {
		if e.Month != m || e.Day != d {
			continue
		}
		if e.Year == y {
			return e.Hours
		}
		if e.Year == 0 {
			hours = e.Hours
		}
	}
	return hours
}

// clock measures many spans by a history. It resolves the days that it needs once.
type clock struct {
	history History
	// The spans are resolved for [from, to), in microseconds. They are in order,
	// apart and not empty; before is the total length of the earlier ones.
	from, to int64
	spans    []openSpan
}

type openSpan struct{ start, end, before int64 }

// between returns the open time from start to end, all in microseconds.
func (c *clock) between(start, end int64) int64 {
	if end <= start || len(c.history) == 0 {
		return 0
	}
	if start < c.from || end > c.to || c.from == c.to {
		c.resolve(start, end)
	}
	return c.opened(end) - c.opened(start)
}

// opened returns the open time from the first resolved instant to at.
func (c *clock) opened(at int64) int64 {
	i := sort.Search(len(c.spans), func(i int) bool { return c.spans[i].start > at }) - 1
	if i < 0 {
		return 0
	}
	return c.spans[i].before + min(at, c.spans[i].end) - c.spans[i].start
}

// resolve extends the resolved range to include start and end, by at least half a
// year so that it is rarely called.
func (c *clock) resolve(start, end int64) {
	const margin = 183 * 24 * int64(time.Hour/time.Microsecond)
	if c.from != c.to {
		start, end = min(start, c.from), max(end, c.to)
	}
	c.from, c.to, c.spans = start-margin, end+margin, c.spans[:0]

	versions := slices.SortedStableFunc(slices.Values(c.history), func(a, b Schedule) int { return a.ValidFrom.Compare(b.ValidFrom) })
	for i := range versions {
		from, to := c.from, c.to
		if i > 0 {
			from = max(from, versions[i].ValidFrom.UnixMicro())
		}
		if i+1 < len(versions) {
			to = min(to, versions[i+1].ValidFrom.UnixMicro())
		}
		c.add(&versions[i], from, to)
	}
	slices.SortFunc(c.spans, func(a, b openSpan) int { return cmp.Compare(a.start, b.start) })
	c.spans = joined(c.spans)
}

// add appends the open spans of a version in [from, to).
func (c *clock) add(s *Schedule, from, to int64) {
	if from >= to {
		return
	}
	zone := cmp.Or(s.Zone, time.UTC)
	// The hours of the day before can end on the first day.
	y, m, d := time.UnixMicro(from).In(zone).Date()
	for n := -1; ; n++ {
		day := time.Date(y, m, d+n, 0, 0, 0, 0, time.UTC)
		if instantOf(day.Unix(), zone, false)*1_000_000 >= to {
			return
		}
		for _, hours := range s.hours(day) {
			end := hours.End
			if end <= hours.Start {
				end += 24 * 60
			}
			open := instantOf(day.Unix()+int64(hours.Start)*60, zone, false) * 1_000_000
			shut := instantOf(day.Unix()+int64(end)*60, zone, true) * 1_000_000
			if open, shut = max(open, from), min(shut, to); open < shut {
				c.spans = append(c.spans, openSpan{start: open, end: shut})
			}
		}
	}
}

// joined joins spans that touch or overlap, which are in order, and sets before.
func joined(spans []openSpan) []openSpan {
	out := spans[:0]
	for _, s := range spans {
		if n := len(out); n > 0 && s.start <= out[n-1].end {
			out[n-1].end = max(out[n-1].end, s.end)
			continue
		}
		out = append(out, s)
	}
	var total int64
	for i := range out {
		out[i].before = total
		total += out[i].end - out[i].start
	}
	return out
}
