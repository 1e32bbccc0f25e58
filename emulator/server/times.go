package server

import (
	"strings"
	"time"
)

// Dixa writes times in several notations. The contract sets the notation of each
// operation.

// seconds formats a time as 2020-12-16T09:41:43Z, the usual form.
func seconds(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// stamp formats a time of a conversation with the precision of the switch
// timePrecision.
func (s *Server) stamp(t time.Time) string {
	if s.switches.TimePrecision == "millis" {
		return millis(t)
	}
	return seconds(t)
}

// millis formats a time as 2021-06-09T08:18:37.284Z.
func millis(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// offset formats a time as 2017-09-27T14:27:54.371+00:00, used by templates.
func offset(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000-07:00") }

// zoned formats a time as 2021-12-01T12:46:36.581Z[GMT], used by messages, notes,
// the activity log, anonymization requests, attribute definitions and knowledge. The
// switch zonedTimes can omit the zone.
func (s *Server) zoned(t time.Time) string {
	if s.switches.ZonedTimes == "plain" {
		return millis(t)
	}
	return millis(t) + "[GMT]"
}

// zoneless formats a time as 2021-12-01T12:46:35.935, used by presence.
func zoneless(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000") }

// parseTime parses an RFC 3339 time, with or without a trailing zone in brackets.
func parseTime(text string) (time.Time, bool) {
	if zone := strings.IndexByte(text, '['); zone > 0 {
		text = text[:zone]
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	return t.UTC(), err == nil
}
