package kpi

import (
	"encoding/json"
	"fmt"
	"time"
)

// ParseSchedule reads the definition of a schedule from Dixa's API: the object
// "schedule" of GET /business-hours/schedules/{id}/definition. An exception that
// moves with a holiday applies to the dates that Dixa names: its start and its next.
func ParseSchedule(definition []byte, validFrom time.Time) (Schedule, error) {
	var in scheduleDefinition
	if err := json.Unmarshal(definition, &in); err != nil {
		return Schedule{}, fmt.Errorf("read business hours: %w", err)
	}
	s := Schedule{ID: in.ID, Name: in.Name, ValidFrom: validFrom}
	zone, err := time.LoadLocation(in.Timezone)
	if err != nil || in.Timezone == "" || in.Timezone == "Local" {
		return Schedule{}, fmt.Errorf("business hours %s: unknown time zone %q", in.ID, in.Timezone)
	}
	s.Zone = zone
	for _, day := range in.BusinessHours {
		if day.DayOfWeek < 1 || day.DayOfWeek > 7 {
			return Schedule{}, fmt.Errorf("business hours %s: unknown weekday %d", in.ID, day.DayOfWeek)
		}
		hours, err := day.hours()
		if err != nil {
			return Schedule{}, fmt.Errorf("business hours %s: %w", in.ID, err)
		}
		weekday := day.DayOfWeek % 7 // Dixa's Sunday is 7
		s.Weekly[weekday] = append(s.Weekly[weekday], hours...)
	}
	for _, e := range in.Exceptions {
		hours, err := e.hours()
		if err != nil {
			return Schedule{}, fmt.Errorf("business hours %s: %w", in.ID, err)
		}
		if r := e.Recurring; r != nil && r.Month != 0 && r.Day != 0 {
			s.Exceptions = append(s.Exceptions, Exception{Month: time.Month(r.Month), Day: r.Day, Hours: hours})
			continue
		}
		for _, date := range []string{e.StartDate, e.NextDate} {
			if date == "" {
				continue
			}
			t, err := time.Parse(time.DateOnly, date)
			if err != nil {
				return Schedule{}, fmt.Errorf("business hours %s: %w", in.ID, err)
			}
			s.Exceptions = append(s.Exceptions, Exception{Year: t.Year(), Month: t.Month(), Day: t.Day(), Hours: hours})
		}
	}
	return s, nil
}

type scheduleDefinition struct {
	ID            string        `json:"id"`
	Name          string        `json:"name"`
	Timezone      string        `json:"timezone"`
	BusinessHours []scheduleDay `json:"businessHours"`
	Exceptions    []scheduleDay `json:"exceptions"`
}

// scheduleDay is a weekday or an exception.
type scheduleDay struct {
	DayOfWeek int    `json:"dayOfWeek"`
	Status    string `json:"status"`
	Intervals []struct {
		Start string `json:"startTime"`
		End   string `json:"endTime"`
	} `json:"intervals"`
	Recurring *struct {
		Day   int `json:"dayOfMonth"`
		Month int `json:"monthOfYear"`
	} `json:"recurring"`
	StartDate string `json:"startDate"`
	NextDate  string `json:"nextDate"`
}

// hours returns the intervals of an open day. A day that is open and names none is
// open all day.
func (d *scheduleDay) hours() ([]Interval, error) {
	switch d.Status {
	case "Closed":
		return nil, nil
	case "Open":
		if len(d.Intervals) == 0 {
			return []Interval{{0, 24 * 60}}, nil
		}
	default:
		return nil, fmt.Errorf("unknown status %q", d.Status)
	}
	hours := make([]Interval, len(d.Intervals))
	for i, in := range d.Intervals {
		var err error
		if hours[i].Start, err = minuteOfDay(in.Start); err != nil {
			return nil, err
		}
		if hours[i].End, err = minuteOfDay(in.End); err != nil {
			return nil, err
		}
	}
	return hours, nil
}

// minuteOfDay reads a time such as 08:00, 08:00:00 or 24:00.
func minuteOfDay(text string) (int, error) {
	if text == "24:00" || text == "24:00:00" {
		return 24 * 60, nil
	}
	for _, layout := range []string{"15:04", time.TimeOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.Hour()*60 + t.Minute(), nil
		}
	}
	return 0, fmt.Errorf("unknown time %q", text)
}
