package kpi

import (
	"cmp"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ParseRequest reads a request from query parameters:
//
//   - from and to: a date in the zone, which means its start, or an RFC 3339 time. The
//     period does not include to. By default it is today and the 29 days before.
//   - timezone: an IANA name. Defaults to UTC.
//   - bucket, by, date, hours, within_days: see [Request].
//   - filter: a dimension, a colon and values separated by commas. A backslash makes
//     the next character part of the value. Repeated filters of one dimension add
//     values.
//
// The error is a [*claim.InvalidError] with every problem. Other parameters are
// ignored.
func (d Definition) ParseRequest(values url.Values, now time.Time) (Request, error) {
	var f faults
	r := Request{
		Zone: time.UTC, Now: now,
		Bucket:   Bucket(values.Get("bucket")),
		By:       Dimension(values.Get("by")),
		PlacedBy: Date(values.Get("date")),
		Hours:    Hours(values.Get("hours")),
	}
	if name := values.Get("timezone"); name != "" {
		zone, err := time.LoadLocation(name)
		if err != nil || name == "Local" {
			f.add("timezone", "must be an IANA time zone such as Europe/Copenhagen")
		} else {
			r.Zone = zone
		}
	}
	y, m, day := now.In(r.Zone).Date()
	r.From = parseTime(values, "from", startOfDay(y, m, day-29, r.Zone), r.Zone, &f)
	r.To = parseTime(values, "to", now, r.Zone, &f)
	if text := values.Get("within_days"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			f.add("within_days", "must be from 1 to %d", MaxWithinDays)
		} else {
			r.WithinDays = n
		}
	}
	r.Filters = parseFilters(values["filter"], &f)
	r = d.Complete(r)
	if f.has("from") || f.has("to") {
		// The period is unknown, so nothing can be said about its length.
		r.From, r.To = now.Add(-time.Second), now
	}
	d.check(r, &f)
	return r, f.err()
}

// ParseBehind reads a request for what is behind a value from query parameters: those of
// [Definition.ParseRequest] and
//
//   - group: the group of by; needed with it, empty for what has none.
//   - position: the place of the value's bucket, from 0. By default it is the value of the
//     whole period.
//   - limit: how many are listed. By default 50.
//
// The error is a [*claim.InvalidError] with every problem.
func (d Definition) ParseBehind(values url.Values, now time.Time) (BehindRequest, error) {
	r := BehindRequest{Group: values.Get("group"), Limit: defaultListed}
	var err error
	if r.Request, err = d.ParseRequest(values, now); err != nil {
		return r, err
	}
	var f faults
	number := func(field string) int {
		n, err := strconv.Atoi(values.Get(field))
		if err != nil {
			f.add(field, "must be a number")
		}
		return n
	}
	if values.Has("position") {
		r.Position = new(number("position"))
	}
	if values.Has("limit") {
		r.Limit = number("limit")
	}
	if r.By != "" && !values.Has("group") {
		f.add("group", "is needed with by: a value of %s, or nothing for what has none", r.By)
	}
	if len(f) == 0 {
		d.checkBehind(r, &f)
	}
	return r, f.err()
}

func parseTime(values url.Values, field string, otherwise time.Time, zone *time.Location, f *faults) time.Time {
	text := values.Get(field)
	if text == "" {
		return otherwise
	}
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		y, m, d := t.Date()
		return startOfDay(y, m, d, zone)
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		f.add(field, "must be a date such as 2026-03-01 or a time such as 2026-03-01T09:00:00Z")
		return otherwise
	}
	return t
}

func parseFilters(texts []string, f *faults) map[Dimension][]string {
	var filters map[Dimension][]string
	for _, text := range texts {
		name, rest, found := strings.Cut(text, ":")
		if !found {
			f.add("filter", "must be a dimension, a colon and values, such as channel:Email,WidgetChat")
			continue
		}
		if filters == nil {
			filters = map[Dimension][]string{}
		}
		dim := Dimension(name)
		filters[dim] = append(filters[dim], splitValues(rest)...)
	}
	for dim, values := range filters {
		slices.Sort(values)
		filters[dim] = slices.Compact(values)
	}
	return filters
}

// splitValues splits at commas that no backslash precedes.
func splitValues(text string) []string {
	var values []string
	var b strings.Builder
	escaped := false
	for _, r := range text {
		switch {
		case escaped:
			b.WriteRune(r)
			escaped = false
		case r == '\\':
			escaped = true
		case r == ',':
			values = append(values, b.String())
			b.Reset()
		default:
			b.WriteRune(r)
		}
	}
	return append(values, b.String())
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
