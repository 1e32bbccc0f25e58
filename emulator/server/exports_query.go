package server

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Limits of one export request.
const (
	exportSpan  = 31 * 24 * time.Hour
	exportCSIDs = 10
)

// exportFilter selects the rows of an export.
type exportFilter struct {
	windows map[string]exportWindow // by the time that they are about, such as "created"
	csids   []int64
	bounds  string
}

// exportWindow is the time between an _after and a _before. The zero time is no
// bound.
type exportWindow struct{ after, before time.Time }

// exportFilter reads the filters of an export about the given times. An _after and a
// _before are required unless csids are given.
func (c *call) exportFilter(times ...string) (exportFilter, error) {
	filter := exportFilter{windows: map[string]exportWindow{}, bounds: c.switches.Exports.Bounds}
	for _, name := range times {
		after, err := c.exportBound(name+"_after", 0)
		if err != nil {
			return filter, err
		}
		var day time.Duration
		if c.switches.Exports.BeforeDates == "end" {
			day = 24*time.Hour - time.Millisecond
		}
		before, err := c.exportBound(name+"_before", day)
		if err != nil {
			return filter, err
		}
		if !after.IsZero() && !before.IsZero() && before.Sub(after) > exportSpan {
			return filter, bad(messageInvalid)
		}
		if !after.IsZero() || !before.IsZero() {
			filter.windows[name] = exportWindow{after, before}
		}
	}
	var err error
	if filter.csids, err = c.exportCSIDs(); err != nil {
		return filter, err
	}
	if filter.csids == nil && !filter.bounded(c.switches.Exports.Ranges) {
		return filter, bad(messageInvalid)
	}
	return filter, nil
}

// bounded reports whether the windows have an _after and a _before, of the same time
// or, if the switch exports.ranges says so, of different ones within the maximum span.
func (f exportFilter) bounded(ranges string) bool {
	var after, before time.Time // the earliest and the latest
	for _, window := range f.windows {
		if !window.after.IsZero() && !window.before.IsZero() {
			return true
		}
		if after.IsZero() || !window.after.IsZero() && window.after.Before(after) {
			after = window.after
		}
		if window.before.After(before) {
			before = window.before
		}
	}
	return ranges == "mixed" && !after.IsZero() && !before.IsZero() && before.Sub(after) <= exportSpan
}

// exportCSIDs reads the csids of an export, or returns nil if there are none.
func (c *call) exportCSIDs() ([]int64, error) {
	listed := c.query.Get("csids")
	if c.operation == messageExportOperation && c.switches.Exports.MessageFilters == "created" {
		if c.query.Has("csids") && c.switches.UnknownQuery == Rejected {
			return nil, bad(messageInvalid)
		}
		return nil, nil
	}
	if listed == "" {
		return nil, nil
	}
	var csids []int64
	for text := range strings.SplitSeq(listed, ",") {
		id, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
		if err != nil {
			return nil, bad(messageInvalid)
		}
		csids = append(csids, id)
	}
	if len(csids) > exportCSIDs {
		return nil, refusal{http.StatusUnprocessableEntity, exportErrors[http.StatusUnprocessableEntity]}
	}
	return csids, nil
}

// exportBound reads a bound: a date, to which day is added, or Unix milliseconds.
func (c *call) exportBound(name string, day time.Duration) (time.Time, error) {
	text := c.query.Get(name)
	if text == "" {
		return time.Time{}, nil
	}
	if date, err := time.Parse(time.DateOnly, text); err == nil {
		return date.Add(day), nil
	}
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, bad(messageInvalid)
	}
	return time.UnixMilli(ms).UTC(), nil
}

// picks reports whether the filter names the conversation, or names none.
func (f exportFilter) picks(id int64) bool { return len(f.csids) == 0 || slices.Contains(f.csids, id) }

// admits reports whether the filter admits a time. A time that does not exist is
// outside every window.
func (f exportFilter) admits(name string, t time.Time) bool {
	window, bounded := f.windows[name]
	if !bounded {
		return true
	}
	if t.IsZero() {
		return false
	}
	at, after, before := t.UnixMilli(), window.after, window.before
	if !after.IsZero() && (at < after.UnixMilli() || at == after.UnixMilli() && f.bounds == "exclusive") {
		return false
	}
	return before.IsZero() || at < before.UnixMilli() || at == before.UnixMilli() && f.bounds == "inclusive"
}
