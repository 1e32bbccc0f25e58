package server

import (
	"strings"
	"time"
)

// Dixa writes times in several notations; which one an operation uses is part
// of the contract.

// seconds is 2020-12-16T09:41:43Z, the usual form.
func seconds(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// stamp is a time of a conversation, as exact as the switch timePrecision says.
func (s *Server) stamp(t time.Time) string {
	if s.switches.TimePrecision == "millis" {
		return millis(t)
	}
	return seconds(t)
}

// millis is 2021-06-09T08:18:37.284Z.
func millis(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// zoned is 2021-12-01T12:46:36.581Z[GMT], used by messages, notes, the activity
// log, anonymization requests and attribute definitions; the switch zonedTimes
// leaves the zone out.
func (s *Server) zoned(t time.Time) string {
	if s.switches.ZonedTimes == "plain" {
		return millis(t)
	}
	return millis(t) + "[GMT]"
}

// zoneless is 2021-12-01T12:46:35.935, used by presence.
func zoneless(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000") }

// parseTime reads a time in any notation that the API itself writes.
func parseTime(text string) (time.Time, bool) {
	if zone := strings.IndexByte(text, '['); zone > 0 {
		text = text[:zone]
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	return t.UTC(), err == nil
}
