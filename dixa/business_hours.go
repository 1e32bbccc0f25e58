package dixa

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	jsonv1 "github.com/go-json-experiment/json/v1"
)

// MaxUpcomingDays is the largest number of days of BusinessHoursService.Upcoming.
const MaxUpcomingDays = 90

// BusinessHoursService reads the business hours of the organization.
type BusinessHoursService struct{ service }

// BusinessHoursSchedule names a schedule.
type BusinessHoursSchedule struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Extra Extra  `json:"-"`
}

func (s *BusinessHoursSchedule) identified() bool { return s.ID != "" }

// UnmarshalJSON keeps unknown members in Extra.
func (s *BusinessHoursSchedule) UnmarshalJSON(b []byte) error { return decodeOpen(b, s) }

// MarshalJSON also writes the members in Extra.
func (s BusinessHoursSchedule) MarshalJSON() ([]byte, error) { return encodeOpen(s) }

// BusinessHours are the hours of a schedule: its definition or, without Exceptions, its
// upcoming days.
type BusinessHours struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// Timezone is the IANA name of the zone of all dates and times of the schedule.
	Timezone string `json:"timezone"`
	// Hours are those of the days of a week, or of the upcoming days. A day without
	// hours may be missing.
	Hours []BusinessHour `json:"businessHours,omitzero"`
	// Exceptions replace the hours of single dates.
	Exceptions []BusinessHour `json:"exceptions,omitzero"`
	Extra      Extra          `json:"-"`
}

func (h *BusinessHours) identified() bool { return h.ID != "" }

// UnmarshalJSON keeps unknown members in Extra.
func (h *BusinessHours) UnmarshalJSON(b []byte) error { return decodeOpen(b, h) }

// MarshalJSON also writes the members in Extra.
func (h BusinessHours) MarshalJSON() ([]byte, error) { return encodeOpen(h) }

// Names of business hours. Both sets are open.
const (
	HoursRegular   HoursName = "Regular"
	HoursException HoursName = "Exception"
	HoursHoliday   HoursName = "Holiday"

	HoursOpen   HoursName = "Open"
	HoursClosed HoursName = "Closed"
)

// HoursName is a type or a status of business hours. It is a string in Dixa's examples
// and an object in its schema; both decode, and the object's _type is the name.
type HoursName string

// UnmarshalJSON decodes a string or an object with a _type.
func (n *HoursName) UnmarshalJSON(b []byte) error {
	if b = bytes.TrimSpace(b); len(b) == 0 || b[0] != '{' {
		return jsonv1.Unmarshal(b, (*string)(n))
	}
	var object struct {
		Type string `json:"_type"`
	}
	err := jsonv1.Unmarshal(b, &object)
	*n = HoursName(object.Type)
	return err
}

// BusinessHour are the hours of one day.
type BusinessHour struct {
	Name string `json:"name"`
	// DayOfWeek is 1 for Monday. It is undocumented whether Sunday is 7 or 0; see
	// Weekday. An exception may have none.
	DayOfWeek *int `json:"dayOfWeek,omitempty"`
	// Type is HoursRegular, HoursException or HoursHoliday.
	Type HoursName `json:"businessHourType"`
	// Status is HoursOpen or HoursClosed.
	Status    HoursName       `json:"status"`
	Intervals []HoursInterval `json:"intervals,omitzero"`
	Recurring *Recurring      `json:"recurring,omitempty"`
	// StartDate is a date such as "2026-01-05".
	StartDate string `json:"startDate"`
	// NextDate is the date of an upcoming day.
	NextDate string `json:"nextDate,omitempty"`
	Extra    Extra  `json:"-"`
}

// UnmarshalJSON keeps unknown members in Extra.
func (h *BusinessHour) UnmarshalJSON(b []byte) error { return decodeOpen(b, h) }

// MarshalJSON also writes the members in Extra.
func (h BusinessHour) MarshalJSON() ([]byte, error) { return encodeOpen(h) }

// Weekday returns the day of the week, for either number of Sunday.
func (h BusinessHour) Weekday() (day time.Weekday, ok bool) {
	if h.DayOfWeek == nil || *h.DayOfWeek < 0 || *h.DayOfWeek > 7 {
		return 0, false
	}
	return time.Weekday(*h.DayOfWeek % 7), true
}

// HoursInterval is a part of a day during which the business is open.
type HoursInterval struct {
	// StartTime and EndTime are times of day, such as "08:00".
	StartTime string `json:"startTime"`
	EndTime   string `json:"endTime"`
	Extra     Extra  `json:"-"`
}

// UnmarshalJSON keeps unknown members in Extra.
func (i *HoursInterval) UnmarshalJSON(b []byte) error { return decodeOpen(b, i) }

// MarshalJSON also writes the members in Extra.
func (i HoursInterval) MarshalJSON() ([]byte, error) { return encodeOpen(i) }

// Minutes returns the start and end in minutes after midnight. An end of "24:00" or
// "00:00" is the end of the day, 1440. The error wraps ErrMalformedResponse.
func (i HoursInterval) Minutes() (start, end int, err error) {
	start, startOK := minuteOfDay(i.StartTime)
	end, endOK := minuteOfDay(i.EndTime)
	if end == 0 {
		end = minutesPerDay
	}
	if !startOK || !endOK || end <= start {
		return 0, 0, fmt.Errorf("%w: %q to %q is not a part of a day", ErrMalformedResponse, i.StartTime, i.EndTime)
	}
	return start, end, nil
}

const minutesPerDay = 24 * 60

func minuteOfDay(clock string) (minute int, ok bool) {
	if clock == "24:00" || clock == "24:00:00" {
		return minutesPerDay, true
	}
	for _, layout := range []string{"15:04", time.TimeOnly} {
		if t, err := time.Parse(layout, clock); err == nil {
			return t.Hour()*60 + t.Minute(), true
		}
	}
	return 0, false
}

// Recurring repeats an exception. Its members are all optional.
type Recurring struct {
	DayOfMonth  *int `json:"dayOfMonth,omitempty"`
	MonthOfYear *int `json:"monthOfYear,omitempty"`
	// Holiday names a holiday whose date differs by year. Its values are undocumented.
	Holiday string `json:"holiday,omitempty"`
	Extra   Extra  `json:"-"`
}

// UnmarshalJSON keeps unknown members in Extra.
func (r *Recurring) UnmarshalJSON(b []byte) error { return decodeOpen(b, r) }

// MarshalJSON also writes the members in Extra.
func (r Recurring) MarshalJSON() ([]byte, error) { return encodeOpen(r) }

// BusinessStatus says whether a business is open at a time.
type BusinessStatus struct {
	IsOpen    bool `json:"isOpen"`
	Timestamp Time `json:"timestamp"`
	// OpensAt is the next opening of a closed business, and ClosesAt the end of the hours
	// of an open one. Each is zero if Dixa does not give it.
	OpensAt  Time  `json:"opensAt,omitzero"`
	ClosesAt Time  `json:"closesAt,omitzero"`
	Extra    Extra `json:"-"`
}

// UnmarshalJSON keeps unknown members in Extra. A status without isOpen is an error,
// because it would read as closed.
func (s *BusinessStatus) UnmarshalJSON(b []byte) error {
	var required struct {
		IsOpen *bool `json:"isOpen"`
	}
	if err := jsonv1.Unmarshal(b, &required); err != nil {
		return err
	}
	if required.IsOpen == nil {
		return fmt.Errorf(`%w: "isOpen" is missing`, ErrMalformedResponse)
	}
	return decodeOpen(b, s)
}

// MarshalJSON also writes the members in Extra.
func (s BusinessStatus) MarshalJSON() ([]byte, error) { return encodeOpen(s) }

// Schedules returns all schedules.
//
// Dixa: GET /v1/business-hours/schedules.
func (s *BusinessHoursService) Schedules(ctx context.Context) ([]*BusinessHoursSchedule, error) {
	op := Operation{"BusinessHours.Schedules", http.MethodGet, "/business-hours/schedules"}
	data, err := fetch[scheduleList](ctx, s.client, op, Params{})
	if err != nil {
		return nil, err
	}
	return data.Schedules, nil
}

type scheduleList struct {
	Schedules list[BusinessHoursSchedule] `json:"schedules"`
}

func (l *scheduleList) identified() bool { return l.Schedules != nil && l.Schedules.identified() }

type scheduleData struct {
	Schedule *BusinessHours `json:"schedule"`
}

func (d *scheduleData) identified() bool { return d.Schedule != nil && d.Schedule.identified() }

// Definition returns the rules of a schedule.
//
// Dixa: GET /v1/business-hours/schedules/{scheduleId}/definition.
func (s *BusinessHoursService) Definition(ctx context.Context, id string) (*BusinessHours, error) {
	op := Operation{"BusinessHours.Definition", http.MethodGet, "/business-hours/schedules/{scheduleId}/definition"}
	return s.schedule(ctx, op, Params{Path: []any{id}})
}

// Upcoming returns the hours of the next days, with recurring rules and exceptions
// applied: 1 to MaxUpcomingDays days, or Dixa's default of 7 if days is 0. It is
// undocumented whether the first day is today.
//
// Dixa: GET /v1/business-hours/schedules/{scheduleId}/upcoming.
func (s *BusinessHoursService) Upcoming(ctx context.Context, id string, days int) (*BusinessHours, error) {
	op := Operation{"BusinessHours.Upcoming", http.MethodGet, "/business-hours/schedules/{scheduleId}/upcoming"}
	query := url.Values{}
	switch {
	case days < 0 || days > MaxUpcomingDays:
		return nil, invalid(op, fmt.Errorf("%w: days must be between 1 and %d, got %d", ErrInvalidArgument, MaxUpcomingDays, days))
	case days > 0:
		query.Set("days", strconv.Itoa(days))
	}
	return s.schedule(ctx, op, Params{Path: []any{id}, Query: query})
}

func (s *BusinessHoursService) schedule(ctx context.Context, op Operation, params Params) (*BusinessHours, error) {
	data, err := fetch[scheduleData](ctx, s.client, op, params)
	if err != nil {
		return nil, err
	}
	return data.Schedule, nil
}

// Status says whether the business is open at a time, which is truncated to seconds. A
// zero time is now.
//
// Dixa: GET /v1/business-hours/schedules/{scheduleId}/status.
func (s *BusinessHoursService) Status(ctx context.Context, id string, at time.Time) (*BusinessStatus, error) {
	op := Operation{"BusinessHours.Status", http.MethodGet, "/business-hours/schedules/{scheduleId}/status"}
	query := url.Values{}
	if !at.IsZero() {
		query.Set("timestamp", at.UTC().Format(filterTimeFormat))
	}
	return fetch[BusinessStatus](ctx, s.client, op, Params{Path: []any{id}, Query: query})
}
