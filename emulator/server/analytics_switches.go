package server

import (
	"maps"
	"strings"
)

// AnalyticsSwitches select the behavior of the Analytics API. They do not affect any
// other operation.
type AnalyticsSwitches struct {
	// Lag is how long an event is missing from the data.
	Lag Duration `json:"lag"`
	// IntervalEnd says whether an event exactly at the end of an Interval belongs to
	// it. One at the start always does.
	IntervalEnd string `json:"intervalEnd,omitempty" one:"inclusive exclusive"`
	// Filters says whether a query with a periodFilter may omit filters, must have
	// the member, or must have at least one filter with a value.
	Filters string `json:"filters,omitempty" one:"optional present some"`
	// NoPeriod is the response to a query with neither periodFilter nor csidFilter.
	// If accepted, it covers all time.
	NoPeriod string `json:"noPeriod,omitempty" one:"rejected accepted"`
	// FilterCase is how the values of a filter compare.
	FilterCase string `json:"filterCase,omitempty" one:"insensitive exact"`
	// UnknownFilter is the treatment of a filter whose attribute no metric or record
	// has.
	UnknownFilter string `json:"unknownFilter,omitempty" one:"ignored rejected"`
	// NoAggregations is the response to a query of a metric without aggregations:
	// all that the metric has, none, or 400.
	NoAggregations string `json:"noAggregations,omitempty" one:"all none rejected"`
	// UnavailableAggregation is the response to a known aggregation that the metric
	// does not have.
	UnavailableAggregation string `json:"unavailableAggregation,omitempty" one:"rejected omitted"`
	// NoData is the value of a percentage, extreme or average of no events: no
	// aggregate, or 0.
	NoData string `json:"noData,omitempty" one:"omitted zero"`
	// RatingTime is the time that a rating counts at.
	RatingTime string `json:"ratingTime,omitempty" one:"rated offered"`
	// ResponseTime is the time that a first response counts at: that of the response
	// or that of the conversation's creation.
	ResponseTime string `json:"responseTime,omitempty" one:"response created"`
	// ResponseUnit is the unit of first_response_time.
	ResponseUnit string `json:"responseUnit,omitempty" one:"seconds millis"`
	// RecordFields are the names of a record's fields: those of the catalogue, or
	// those of the published example data, which differ.
	RecordFields string `json:"recordFields,omitempty" one:"catalogue examples"`
	// EmptyFields is the form of a field without a value: only its name, or no entry.
	EmptyFields string `json:"emptyFields,omitempty" one:"named omitted"`
	// RecordOrder is the order of records.
	RecordOrder string `json:"recordOrder,omitempty" one:"oldest newest"`
}

// BusinessHoursSwitches select the behavior of the business hours. They do not affect
// any other operation.
type BusinessHoursSwitches struct {
	// Sunday is the dayOfWeek of Sunday. Monday is 1.
	Sunday string `json:"sunday,omitempty" one:"7 0"`
	// Midnight is the endTime of an interval that ends with the day.
	Midnight string `json:"midnight,omitempty" one:"24:00 00:00 23:59"`
	// UpcomingFrom is the first of the upcoming days.
	UpcomingFrom string `json:"upcomingFrom,omitempty" one:"today tomorrow"`
	// ClosedDays says whether the upcoming days include days without a rule.
	ClosedDays string `json:"closedDays,omitempty" one:"omitted listed"`
	// ExceptionDates says whether the exceptions of a definition have a nextDate.
	ExceptionDates string `json:"exceptionDates,omitempty" one:"omitted given"`
}

const (
	analyticsSettings     = "analytics."
	businessHoursSettings = "businessHours."
)

// NamedAnalyticsSettings is NamedSettings for AnalyticsSwitches. Their names start with
// "analytics.".
func NamedAnalyticsSettings() map[string][]string { return settingsOf(analyticsSettings) }

// NamedBusinessHoursSettings is NamedSettings for BusinessHoursSwitches. Their names
// start with "businessHours.".
func NamedBusinessHoursSettings() map[string][]string { return settingsOf(businessHoursSettings) }

// settingsOf returns the settings of the switches of one group.
func settingsOf(prefix string) map[string][]string {
	named := allSettings()
	maps.DeleteFunc(named, func(name string, _ []string) bool { return !strings.HasPrefix(name, prefix) })
	return named
}
