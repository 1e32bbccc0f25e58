package server

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // a query names its zone, and the machine may have no zone files
)

// analyticsInput is the input of both queries, which are unions of a form with
// periodFilter and a form with csidFilter. Records have no aggregations.
type analyticsInput struct {
	ID           string             `json:"id" validate:"required"`
	Timezone     string             `json:"timezone" validate:"required"`
	Period       *periodInput       `json:"periodFilter"`
	IDs          []int64            `json:"csidFilter" validate:"omitempty,min=1"`
	Filters      *[]analyticsFilter `json:"filters" validate:"omitempty,dive"`
	Aggregations []string           `json:"aggregations" validate:"dive,oneof=Min Max Sum Count Percentage AgentPresenceDuration StdDev Average"`
}

type analyticsFilter struct {
	Attribute string   `json:"attribute" validate:"required"`
	Values    []string `json:"values"`
}

type periodInput struct {
	Type  string       `json:"_type" validate:"required,oneof=Interval Preset"`
	Start *instant     `json:"start" validate:"required_if=Type Interval"`
	End   *instant     `json:"end" validate:"required_if=Type Interval"`
	Value *presetInput `json:"value" validate:"required_if=Type Preset"`
}

// presetInput is a string in the schema and an object with a _type in the published
// example. Both are accepted.
type presetInput struct {
	Name string `validate:"oneof=Today Yesterday ThisWeek PreviousWeek ThisMonth PreviousMonth ThisQuarter PreviousQuarter ThisYear"`
}

func (p *presetInput) UnmarshalJSON(raw []byte) error {
	var object struct {
		Type string `json:"_type"`
	}
	if json.Unmarshal(raw, &p.Name) == nil {
		return nil
	}
	if err := json.Unmarshal(raw, &object); err != nil {
		return errors.New("neither the name of a preset nor an object with one")
	}
	p.Name = object.Type
	return nil
}

// factTest turns a query into a predicate on facts. attributes are the filters of its
// metric or record; all other filters are ignored.
func (s *Server) factTest(c *call, input analyticsInput, attributes []filterBody) (func(fact) bool, error) {
	switches := c.switches.Analytics
	zone, err := time.LoadLocation(input.Timezone)
	some := input.Filters != nil && slices.ContainsFunc(*input.Filters, func(f analyticsFilter) bool { return len(f.Values) > 0 })
	switch {
	case err != nil, input.Timezone == "Local":
		return nil, bad(messageInvalid)
	case input.Period != nil && input.IDs != nil:
		return nil, bad(messageDecoding)
	case input.Period == nil && input.IDs == nil && switches.NoPeriod == Rejected,
		input.Period != nil && switches.Filters == "present" && input.Filters == nil,
		input.Period != nil && switches.Filters == "some" && !some:
		return nil, bad(messageInvalid)
	}
	within := input.Period.test(c.now, zone, switches.IntervalEnd == "exclusive")
	var tests []func(fact) bool
	if input.Filters != nil {
		for _, filter := range *input.Filters {
			if !slices.Contains(allFilters, filter.Attribute) && switches.UnknownFilter == Rejected {
				return nil, bad(messageInvalid)
			}
			relevant := slices.ContainsFunc(attributes, func(a filterBody) bool { return a.Attribute == filter.Attribute })
			if relevant && len(filter.Values) > 0 {
				tests = append(tests, filter.test(switches.FilterCase == CaseExact))
			}
		}
	}
	latest := c.now.Add(-time.Duration(switches.Lag))
	return func(f fact) bool {
		if f.at.After(latest) || !within(f.at) || input.IDs != nil && !slices.Contains(input.IDs, f.conversation.ID) {
			return false
		}
		return !slices.ContainsFunc(tests, func(test func(fact) bool) bool { return !test(f) })
	}, nil
}

// test returns a predicate on facts: one of the filter's values must be among those of
// the fact.
func (filter analyticsFilter) test(exact bool) func(fact) bool {
	return func(f fact) bool {
		return slices.ContainsFunc(f.values(filter.Attribute), func(has string) bool {
			return slices.ContainsFunc(filter.Values, func(wanted string) bool {
				return has == wanted || !exact && strings.EqualFold(has, wanted)
			})
		})
	}
}

// test returns a predicate on times. Presets are computed in the zone; their weeks
// start on Monday.
func (p *periodInput) test(now time.Time, zone *time.Location, exclusive bool) func(time.Time) bool {
	if p == nil {
		return func(time.Time) bool { return true }
	}
	if p.Type == "Interval" {
		return func(t time.Time) bool {
			return !t.Before(p.Start.Time) && (t.Before(p.End.Time) || !exclusive && t.Equal(p.End.Time))
		}
	}
	start, end := preset(p.Value.Name, now.In(zone))
	return func(t time.Time) bool { return !t.Before(start) && t.Before(end) }
}

// preset returns the start of a preset period and that of the one after it.
func preset(name string, now time.Time) (start, end time.Time) {
	year, month, day := now.Date()
	date := func(year int, month time.Month, day int) time.Time {
		return time.Date(year, month, day, 0, 0, 0, 0, now.Location())
	}
	monday := day - (int(now.Weekday())+6)%7
	quarter := month - (month-1)%3
	switch name {
	case "Today":
		return date(year, month, day), date(year, month, day+1)
	case "Yesterday":
		return date(year, month, day-1), date(year, month, day)
	case "ThisWeek":
		return date(year, month, monday), date(year, month, monday+7)
	case "PreviousWeek":
		return date(year, month, monday-7), date(year, month, monday)
	case "ThisMonth":
		return date(year, month, 1), date(year, month+1, 1)
	case "PreviousMonth":
		return date(year, month-1, 1), date(year, month, 1)
	case "ThisQuarter":
		return date(year, quarter, 1), date(year, quarter+3, 1)
	case "PreviousQuarter":
		return date(year, quarter-3, 1), date(year, quarter, 1)
	default: // ThisYear
		return date(year, time.January, 1), date(year+1, time.January, 1)
	}
}
