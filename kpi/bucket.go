package kpi

import (
	"sort"
	"time"
)

// hoursOfWeek is the number of buckets of [BucketHourOfWeek].
const hoursOfWeek = 7 * 24

// boundaries returns the start of each bucket and the period's end, in order. It
// stops at more than [MaxBuckets] buckets. For [BucketHourOfWeek] and [BucketNone] it
// returns the period.
func boundaries(r Request) []time.Time {
	next := nextStart(r.Bucket)
	if next == nil {
		next = func(time.Time) time.Time { return r.To }
	}
	all := []time.Time{r.From.In(r.Zone)}
	for t := all[0]; t.Before(r.To) && len(all) <= MaxBuckets+1; {
		t = next(t)
		if t.After(r.To) {
			t = r.To.In(r.Zone)
		}
		all = append(all, t)
	}
	return all
}

// nextStart returns a function that returns when the next bucket begins after a local
// time, or nil if the bucket has no length of its own.
func nextStart(b Bucket) func(time.Time) time.Time {
	switch b {
	case BucketHour:
		return nextHour
	case BucketDay:
		return nextDay(0, 0, 1)
	case BucketWeek:
		return func(t time.Time) time.Time {
			y, m, d := t.Date()
			monday := d - (int(t.Weekday())+6)%7
			return startOfDay(y, m, monday+7, t.Location())
		}
	case BucketMonth:
		return nextDay(0, 1, 0)
	case BucketQuarter:
		return nextDay(0, 3, 0)
	case BucketYear:
		return nextDay(1, 0, 0)
	default:
		return nil
	}
}

// nextDay returns a function that returns the start of the next year, group of
// months or day, of which exactly one is not 0.
func nextDay(years, months, days int) func(time.Time) time.Time {
	return func(t time.Time) time.Time {
		y, m, d := t.Date()
		if days == 0 {
			d = 1
		}
		if years != 0 {
			m = 1
		}
		if months > 1 {
			m = (m-1)/time.Month(months)*time.Month(months) + 1
		}
		// A zone can skip a whole day when it crosses the date line.
		for n := 1; ; n++ {
			if next := startOfDay(y+n*years, m+time.Month(n*months), d+n*days, t.Location()); next.After(t) {
				return next
			}
		}
	}
}

// nextHour returns when the local hour after that of t begins: when the clock shows
// a full hour or, where summer time moves it by other than whole hours, another hour.
func nextHour(t time.Time) time.Time {
	next := fullHour(t)
	if _, change := t.ZoneBounds(); !change.IsZero() && !change.After(next) {
		change = change.In(t.Location())
		if change.Hour() != t.Hour() || change.Minute() == 0 {
			return change
		}
		return fullHour(change)
	}
	return next
}

// fullHour returns the next full hour by the offset in force at t.
func fullHour(t time.Time) time.Time {
	_, offset := t.Zone()
	wall := t.Unix() + int64(offset)
	return time.Unix(t.Unix()+3600-modulo(wall, 3600), 0).In(t.Location())
}

// startOfDay returns the first instant of a local day. Like [time.Date] it accepts
// days and months out of range. A day that the zone skips begins with the next one.
func startOfDay(year int, month time.Month, day int, zone *time.Location) time.Time {
	return time.Unix(instantOf(time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix(), zone, false), 0).In(zone)
}

// instantOf returns when a local clock shows a time, given as if the zone were UTC.
// If it shows it twice, last chooses. If it never does, the clock moves on past it at
// the instant returned.
func instantOf(wall int64, zone *time.Location, last bool) int64 {
	const day = 24 * 60 * 60
	before, after := offsetAt(wall-day, zone), offsetAt(wall+day, zone)
	early, late := wall-before, wall-after
	if early > late {
		early, late = late, early
	}
	first, second := offsetAt(early, zone) == wall-early, offsetAt(late, zone) == wall-late
	switch {
	case first && (!last || !second):
		return early
	case second:
		return late
	default:
		_, change := time.Unix(wall-day, 0).In(zone).ZoneBounds()
		return change.Unix()
	}
}

func offsetAt(unix int64, zone *time.Location) int64 {
	_, offset := time.Unix(unix, 0).In(zone).Zone()
	return int64(offset)
}

func modulo(a, b int64) int64 { return ((a % b) + b) % b }

// grid finds the bucket of an instant. It remembers the last one, because the rows of
// a store are mostly in order.
type grid struct {
	// bounds are as of boundaries, in microseconds.
	bounds []int64
	last   int
	// For hours of the week: offset is in force in [since, until).
	weekly               bool
	zone                 *time.Location
	since, until, offset int64
}

func newGrid(r Request) *grid {
	g := &grid{weekly: r.Bucket == BucketHourOfWeek, zone: r.Zone}
	for _, t := range boundaries(r) {
		g.bounds = append(g.bounds, t.UnixMicro())
	}
	return g
}

// size is the number of buckets.
func (g *grid) size() int {
	if g.weekly {
		return hoursOfWeek
	}
	return len(g.bounds) - 1
}

// of returns the bucket of an instant in microseconds, or -1 if it is outside the
// period.
func (g *grid) of(at int64) int {
	if at < g.bounds[0] || at >= g.bounds[len(g.bounds)-1] {
		return -1
	}
	if g.weekly {
		return g.hourOfWeek(at)
	}
	if at < g.bounds[g.last] || at >= g.bounds[g.last+1] {
		g.last = sort.Search(len(g.bounds), func(i int) bool { return g.bounds[i] > at }) - 1
	}
	return g.last
}

func (g *grid) hourOfWeek(at int64) int {
	if at < g.since || at >= g.until {
		start, end := time.UnixMicro(at).In(g.zone).ZoneBounds()
		g.since, g.until = g.bounds[0], g.bounds[len(g.bounds)-1]
		if !start.IsZero() {
			g.since = start.UnixMicro()
		}
		if !end.IsZero() {
			g.until = end.UnixMicro()
		}
		g.offset = offsetAt(time.UnixMicro(at).Unix(), g.zone)
	}
	const hour = int64(time.Hour / time.Microsecond)
	// 1970-01-01 was a Thursday, three days after a Monday.
	return int(modulo(at+g.offset*1_000_000+3*24*hour, hoursOfWeek*hour) / hour)
}

// hours returns how many hours of each bucket have passed by now.
func (g *grid) hours(now int64) []float64 {
	passed := make([]float64, g.size())
	end := min(now, g.bounds[len(g.bounds)-1])
	if !g.weekly {
		for i := range passed {
			passed[i] = float64(max(0, min(end, g.bounds[i+1])-g.bounds[i])) / 3.6e9
		}
		return passed
	}
	for at := g.bounds[0]; at < end; {
		next := min(end, nextHour(time.UnixMicro(at).In(g.zone)).UnixMicro())
		passed[g.hourOfWeek(at)] += float64(next-at) / 3.6e9
		at = next
	}
	return passed
}
