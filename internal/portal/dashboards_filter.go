package portal

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/claimflow/claimflow/client"
)

const (
	periodCustom = "custom"
	// periodMonth is the current month, periodLastMonth the one before.
	periodMonth     = "month"
	periodLastMonth = "last_month"
	// maxParts is how many parts a period may have: a year has 53 weeks. It bounds the page.
	maxParts = 53
	// maxDays is how long a period may be.
	maxDays = 2 * 366
)

// periods are the periods that end now, in days.
var periods = map[string]int{"7": 7, "30": 30, "90": 90}

// parts are the lengths into which a period can be split, with their days.
var parts = []struct {
	name string
	days float64
}{{"hour", 1.0 / 24}, {"day", 1}, {"week", 7}, {"month", 30}}

// zones are time zones that the form proposes. It takes every other one too.
var zones = []string{
	"UTC", "Europe/Amsterdam", "Europe/Berlin", "Europe/Brussels", "Europe/Copenhagen", "Europe/Dublin", "Europe/Helsinki", "Europe/Lisbon", "Europe/London",
	"Europe/Madrid", "Europe/Oslo", "Europe/Paris", "Europe/Prague", "Europe/Rome", "Europe/Stockholm", "Europe/Vienna", "Europe/Warsaw", "Europe/Zurich",
	"America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles", "America/Sao_Paulo", "Asia/Dubai", "Asia/Singapore", "Asia/Tokyo", "Australia/Sydney",
}

// selection is what a person chose to see, as the address has it.
type selection struct {
	Period, From, To, Zone, Bucket string
	// By are the values to filter by, by dimension.
	By map[string]string
	// Faults are what is wrong, by field. The default is used instead.
	Faults map[string]string

	now  time.Time
	zone *time.Location
	// from and to are the period, before and beforeTo the one of the same length before.
	from, to, before, beforeTo time.Time
	part                       string
}

// selectionOf reads what a person chose for a board. A period that ends now ends with the
// current minute, so that all who look within a minute ask the same questions.
func selectionOf(q url.Values, b board, now time.Time, words words) selection {
	now = now.Add(time.Minute - 1).Truncate(time.Minute)
	s := selection{
		now:    now,
		Period: cmp.Or(q.Get("period"), "30"), From: q.Get("from"), To: q.Get("to"), Zone: strings.TrimSpace(q.Get("zone")), Bucket: q.Get("bucket"),
		By: map[string]string{}, Faults: map[string]string{}, zone: time.UTC,
	}
	// Who types dates means them, unless another period is chosen instead of one's own.
	if s.From+s.To != "" && (s.Period == periodCustom || q.Get("shown") != periodCustom) {
		s.Period = periodCustom
	} else {
		s.From, s.To = "", ""
	}
	for _, dimension := range b.Filters {
		if value := q.Get(dimension); value != "" {
			s.By[dimension] = value
		}
	}
	if s.Zone != "" {
		zone, err := time.LoadLocation(s.Zone)
		if err != nil || s.Zone == "Local" {
			s.Faults["zone"] = words.say("dash.fault.zone")
		} else {
			s.zone = zone
		}
	}
	days := s.choosePeriod(now.In(s.zone), words)
	s.choosePart(float64(days), words)
	return s
}

// choosePeriod sets the period and the one before, and returns its days.
func (s *selection) choosePeriod(now time.Time, words words) (days int) {
	y, m, d := now.Date()
	days = cmp.Or(periods[s.Period], 30)
	switch {
	case s.Period == periodMonth, s.Period == periodLastMonth:
		s.from, s.to = time.Date(y, m, 1, 0, 0, 0, 0, s.zone), now
		if !s.to.After(s.from) { // at midnight
			s.to = s.from.Add(time.Minute)
		}
		if s.Period == periodLastMonth {
			s.from, s.to = s.from.AddDate(0, -1, 0), s.from
		}
		s.before, s.beforeTo = s.from.AddDate(0, -1, 0), s.to.AddDate(0, -1, 0)
		if s.beforeTo.After(s.from) { // the month before is shorter
			s.beforeTo = s.from
		}
		return s.days()
	case s.Period == periodCustom && s.typedPeriod(now, words):
		days = s.days()
	default:
		s.from, s.to = time.Date(y, m, d-days+1, 0, 0, 0, 0, s.zone), now
	}
	s.before, s.beforeTo = s.from.AddDate(0, 0, -days), s.to.AddDate(0, 0, -days)
	return days
}

// days returns how many days the period has, of which the last may have begun only.
func (s *selection) days() int { return int(s.to.Sub(s.from).Hours()+23) / 24 }

// typedPeriod sets the period that a person typed, if it is one.
func (s *selection) typedPeriod(now time.Time, words words) bool {
	from, fromErr := time.ParseInLocation(time.DateOnly, s.From, s.zone)
	to, toErr := time.ParseInLocation(time.DateOnly, s.To, s.zone)
	switch {
	case fromErr != nil:
		s.Faults["from"] = words.say("dash.fault.date")
	case toErr != nil:
		s.Faults["to"] = words.say("dash.fault.date")
	case from.After(now):
		s.Faults["from"] = words.say("dash.fault.future")
	case to.Before(from):
		s.Faults["to"] = words.say("dash.fault.order")
	case to.Sub(from) > maxDays*24*time.Hour:
		s.Faults["from"] = words.say("dash.fault.long")
	default:
		s.from, s.to = from, to.AddDate(0, 0, 1) // the last day is included
		if s.to.After(now) {
			s.to = now.In(s.zone)
		}
		return true
	}
	return false
}

// choosePart sets the length of the parts: the chosen one, or the first that makes a chart
// that can be read.
func (s *selection) choosePart(days float64, words words) {
	for _, p := range parts {
		count := days / p.days
		if p.name == s.Bucket {
			if s.part = p.name; count > maxParts {
				s.part, s.Faults["bucket"] = "", words.say("dash.fault.parts")
			}
			break
		}
	}
	for _, p := range parts {
		if s.part == "" && days/p.days <= 48 {
			s.part = p.name
		}
	}
	s.part = cmp.Or(s.part, "month")
}

// Fault returns what is wrong with a field.
func (s selection) Fault(field string) string { return s.Faults[field] }

// zoneCookie is the cookie in which the portal's script keeps the browser's time zone.
const zoneCookie = "claimflow-portal-zone"

// withZone returns the address of the page with the browser's time zone, if the address has
// none and the zone is known. The address holds everything that a board shows, so the zone
// has to be in it.
func withZone(r *http.Request) (address string, needed bool) {
	q := r.URL.Query()
	cookie, err := r.Cookie(zoneCookie)
	if err != nil || q.Has("zone") {
		return "", false
	}
	name, err := url.QueryUnescape(cookie.Value)
	if err != nil || name == "" || name == "Local" {
		return "", false
	}
	if _, err := time.LoadLocation(name); err != nil {
		return "", false
	}
	q.Set("zone", name)
	return r.URL.EscapedPath() + "?" + q.Encode(), true
}

// query is the part of the address that keeps the selection.
func (s *selection) query() string { return s.fields().Encode() }

// fields are the parameters that keep the selection.
func (s *selection) fields() url.Values {
	q := url.Values{}
	for name, value := range map[string]string{"period": s.Period, "zone": s.Zone, "bucket": s.Bucket} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if s.Period == periodCustom {
		q.Set("from", s.From)
		q.Set("to", s.To)
	}
	for dimension, value := range s.By {
		q.Set(dimension, value)
	}
	return q
}

// ask returns the question for a figure in the period. ignored are the filters that the
// figure does not have.
func (s *selection) ask(d client.KPIDefinition) (q client.KPIQuery, ignored []string) {
	q = client.KPIQuery{From: s.from.Format(time.RFC3339), To: s.to.Format(time.RFC3339), Timezone: s.zone.String(), Bucket: "none", MaxAge: time.Minute}
	for _, dimension := range append(slices.Clone(byConversation), byClaim...) {
		value, chosen := s.By[dimension]
		switch {
		case !chosen:
		case slices.Contains(d.Dimensions, dimension):
			q.Filters = append(q.Filters, dimension+":"+filterValue.Replace(value))
		default:
			ignored = append(ignored, dimension)
		}
	}
	return q, ignored
}

// filterValue writes a value so that the API takes it as one.
var filterValue = strings.NewReplacer(`\`, `\\`, ",", `\,`)

// text says which period is shown.
func (s *selection) text(v *visit) string {
	locale := v.locale()
	return fmt.Sprintf("%s – %s, %s", locale.Date(s.from), locale.Date(s.to.Add(-time.Second)), s.zone)
}
