package server

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// Ids of the schedules of the default seed.
const (
	// SeedScheduleSupport is open on weekdays in Copenhagen, with exceptions.
	SeedScheduleSupport = "3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d0070"
	// SeedScheduleHotline is open from Monday to Saturday around the clock, in UTC.
	SeedScheduleHotline = "3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d0071"
)

// Schedule is a set of business hours.
type Schedule struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// Timezone is the IANA name of the zone of all dates and times below.
	Timezone   string              `json:"timezone"`
	Weekly     []WeeklyHours       `json:"weekly"`
	Exceptions []ScheduleException `json:"exceptions"`
}

// WeeklyHours are the hours of one day of every week. Without intervals, the day is
// closed.
type WeeklyHours struct {
	// Day is 1 (Monday) to 7 (Sunday).
	Day       int             `json:"day"`
	Intervals []HoursInterval `json:"intervals"`
	// StartDate is the first date on which the hours apply, such as 2026-01-05.
	StartDate string `json:"startDate"`
}

// ScheduleException replaces the hours of a date, or of a date in every year. Without
// intervals, the date is closed.
type ScheduleException struct {
	Name string `json:"name"`
	// Type is Exception or Holiday.
	Type      string          `json:"type"`
	Intervals []HoursInterval `json:"intervals"`
	// StartDate is the date or, of a recurring exception, the first one.
	StartDate string `json:"startDate"`
	// DayOfMonth and MonthOfYear make it recurring.
	DayOfMonth  int `json:"dayOfMonth,omitempty"`
	MonthOfYear int `json:"monthOfYear,omitempty"`
}

// HoursInterval is a part of a day, such as 08:00 to 16:00. An interval until midnight
// ends at 24:00.
type HoursInterval struct {
	Start string `json:"start"`
	End   string `json:"end"`
}

func defaultSchedules() []*Schedule {
	const since = "2024-01-01"
	support := &Schedule{
		ID: SeedScheduleSupport, Name: "Support hours", Timezone: "Europe/Copenhagen",
		Exceptions: []ScheduleException{
			{Name: "New Year", Type: "Holiday", StartDate: since, DayOfMonth: 1, MonthOfYear: 1},
			{Name: "Christmas Eve", Type: "Exception", StartDate: "2024-12-24", DayOfMonth: 24, MonthOfYear: 12, Intervals: []HoursInterval{{"08:00", "12:00"}}},
			{Name: "Stocktaking", Type: "Exception", StartDate: "2026-03-06"},
		},
	}
	hotline := &Schedule{ID: SeedScheduleHotline, Name: "Hotline", Timezone: "UTC", Exceptions: []ScheduleException{}}
	for day := 1; day <= 6; day++ {
		hotline.Weekly = append(hotline.Weekly, WeeklyHours{day, []HoursInterval{{"00:00", "24:00"}}, since})
		if day <= 4 {
			support.Weekly = append(support.Weekly, WeeklyHours{day, []HoursInterval{{"08:00", "16:00"}}, since})
		}
	}
	support.Weekly = append(support.Weekly, WeeklyHours{5, []HoursInterval{{"08:00", "12:00"}, {"13:00", "15:00"}}, since})
	return []*Schedule{support, hotline}
}

var clockTime = regexp.MustCompile(`^([01][0-9]|2[0-3]):[0-5][0-9]$`)

// check returns what is wrong with a schedule.
func (schedule *Schedule) check() error {
	if !isUUID(schedule.ID) || schedule.Name == "" {
		return errors.New("id must be a UUID, and name is required")
	}
	if _, err := time.LoadLocation(schedule.Timezone); err != nil || schedule.Timezone == "" || schedule.Timezone == "Local" {
		return errors.New("timezone must be an IANA name, such as Europe/Copenhagen")
	}
	dates, intervals, days := []string{}, []HoursInterval{}, map[int]bool{}
	for _, hours := range schedule.Weekly {
		if hours.Day < 1 || hours.Day > 7 || days[hours.Day] {
			return fmt.Errorf("day %d is not between 1 and 7, or is there twice", hours.Day)
		}
		days[hours.Day] = true
		dates, intervals = append(dates, hours.StartDate), append(intervals, hours.Intervals...)
	}
	for _, exception := range schedule.Exceptions {
		if exception.Name == "" || exception.Type != "Holiday" && exception.Type != "Exception" {
			return errors.New("an exception needs a name and the type Holiday or Exception")
		}
		dates, intervals = append(dates, exception.StartDate), append(intervals, exception.Intervals...)
	}
	for _, date := range dates {
		if _, err := time.Parse(time.DateOnly, date); err != nil {
			return fmt.Errorf("startDate %q is not a date such as 2026-01-05", date)
		}
	}
	for _, interval := range intervals {
		if !clockTime.MatchString(interval.Start) || !clockTime.MatchString(interval.End) && interval.End != midnight || interval.End <= interval.Start {
			return fmt.Errorf("interval %s to %s is not a part of a day, such as 08:00 to 16:00 or 18:00 to 24:00", interval.Start, interval.End)
		}
	}
	return nil
}

// SetSchedule adds a schedule or replaces the one with its id.
func (s *Server) SetSchedule(schedule Schedule) error {
	if err := schedule.check(); err != nil {
		return fmt.Errorf("set schedule: %w", err)
	}
	copied := clone(State{Schedules: []*Schedule{&schedule}}).Schedules[0]
	s.mu.Lock()
	defer s.mu.Unlock()
	if former := s.schedule(schedule.ID); former != nil {
		*former = *copied
		return nil
	}
	s.state.Schedules = append(s.state.Schedules, copied)
	return nil
}

func (s *Server) adminSchedule(_ *http.Request, body []byte) (any, error) {
	var schedule Schedule
	if err := strict(body, &schedule); err != nil {
		return nil, fmt.Errorf("parse schedule: %w", err)
	}
	return nil, s.SetSchedule(schedule)
}

func (s *Server) schedule(id string) *Schedule {
	return first(s.state.Schedules, func(schedule *Schedule) bool { return sameID(schedule.ID, id) })
}

func (s *Server) pathSchedule(c *call) (*Schedule, error) { return named(c, "scheduleId", s.schedule) }

func (s *Server) listSchedules(*call) (reply, error) {
	list := each(s.state.Schedules, func(schedule *Schedule) map[string]string {
		return map[string]string{"id": schedule.ID, "name": schedule.Name}
	})
	return ok(map[string]any{"schedules": inOrder(s, list)})
}

type intervalBody struct {
	Start string `json:"startTime"`
	End   string `json:"endTime"`
}

type recurringBody struct {
	DayOfMonth  int `json:"dayOfMonth,omitempty"`
	MonthOfYear int `json:"monthOfYear,omitempty"`
}

type hoursBody struct {
	Name      string         `json:"name"`
	DayOfWeek *int           `json:"dayOfWeek,omitempty"`
	Type      string         `json:"businessHourType"`
	Status    string         `json:"status"`
	Intervals []intervalBody `json:"intervals"`
	Recurring *recurringBody `json:"recurring,omitempty"`
	StartDate string         `json:"startDate"`
	NextDate  string         `json:"nextDate,omitempty"`
}

// midnight is the end of a day in a Schedule.
const midnight = "24:00"

func (c *call) intervals(intervals []HoursInterval) (bodies []intervalBody, status string) {
	bodies, status = []intervalBody{}, "Closed"
	for _, interval := range intervals {
		status = "Open"
		body := intervalBody(interval)
		if body.End == midnight {
			body.End = c.switches.BusinessHours.Midnight
		}
		bodies = append(bodies, body)
	}
	return bodies, status
}

func (c *call) weekly(hours WeeklyHours) hoursBody {
	body := hoursBody{Name: time.Weekday(hours.Day % 7).String(), DayOfWeek: &hours.Day, Type: "Regular", StartDate: hours.StartDate}
	if hours.Day == 7 && c.switches.BusinessHours.Sunday == "0" {
		body.DayOfWeek = new(int)
	}
	body.Intervals, body.Status = c.intervals(hours.Intervals)
	return body
}

func (c *call) exceptional(exception ScheduleException) hoursBody {
	body := hoursBody{Name: exception.Name, Type: exception.Type, StartDate: exception.StartDate}
	body.Intervals, body.Status = c.intervals(exception.Intervals)
	if exception.recurs() {
		body.Recurring = &recurringBody{exception.DayOfMonth, exception.MonthOfYear}
	}
	return body
}

func (s *Server) getSchedule(c *call, schedule *Schedule) (reply, error) {
	exceptions := each(schedule.Exceptions, c.exceptional)
	if c.switches.BusinessHours.ExceptionDates == "given" {
		for i, exception := range schedule.Exceptions {
			exceptions[i].NextDate = exception.next(schedule.today(c.now))
		}
	}
	return ok(map[string]any{"schedule": map[string]any{
		"id": schedule.ID, "name": schedule.Name, "timezone": schedule.Timezone,
		"businessHours": each(schedule.Weekly, c.weekly), "exceptions": exceptions,
	}})
}

// upcomingSchedule lists the hours of the next days, one entry for each date.
func (s *Server) upcomingSchedule(c *call, schedule *Schedule) (reply, error) {
	days, err := strconv.ParseInt(cmp.Or(c.query.Get("days"), "7"), 10, 32)
	if err != nil || days < 1 || days > 90 {
		return reply{}, bad(messageInvalid)
	}
	date := schedule.today(c.now)
	if c.switches.BusinessHours.UpcomingFrom == "tomorrow" {
		date = date.AddDate(0, 0, 1)
	}
	upcoming := []hoursBody{}
	for range days {
		text := date.Format(time.DateOnly)
		exception, hours := schedule.on(date)
		var body hoursBody
		switch {
		case exception != nil:
			body = c.exceptional(*exception)
		case hours != nil:
			body = c.weekly(*hours)
		default:
			body = c.weekly(WeeklyHours{Day: isoDay(date), StartDate: text})
		}
		body.NextDate = text
		if exception != nil || hours != nil || c.switches.BusinessHours.ClosedDays == "listed" {
			upcoming = append(upcoming, body)
		}
		date = date.AddDate(0, 0, 1)
	}
	return ok(map[string]any{"schedule": map[string]any{
		"id": schedule.ID, "name": schedule.Name, "timezone": schedule.Timezone, "businessHours": upcoming,
	}})
}

// scheduleStatus documents no 404.
func (s *Server) scheduleStatus(c *call, schedule *Schedule) (reply, error) {
	at, err := c.instant("timestamp")
	if err != nil {
		return reply{}, err
	}
	if at.IsZero() {
		at = c.now
	}
	body := map[string]any{"isOpen": false, "timestamp": seconds(at)}
	opens, closes := schedule.around(at)
	switch {
	case opens.IsZero():
	case opens.After(at):
		body["opensAt"] = seconds(opens)
	default:
		body["isOpen"] = true
		if !closes.IsZero() {
			body["closesAt"] = seconds(closes)
		}
	}
	return ok(body)
}

func (e ScheduleException) recurs() bool { return e.DayOfMonth > 0 || e.MonthOfYear > 0 }

// on reports whether an exception applies to a date.
func (e ScheduleException) on(date time.Time) bool {
	text := date.Format(time.DateOnly)
	if !e.recurs() {
		return text == e.StartDate
	}
	return text >= e.StartDate && (e.DayOfMonth == 0 || e.DayOfMonth == date.Day()) &&
		(e.MonthOfYear == 0 || e.MonthOfYear == int(date.Month()))
}

// scheduleHorizon is how many days ahead the emulator looks, which covers a leap day.
const scheduleHorizon = 4*366 + 1

// next returns the first date on or after today to which an exception applies, or an
// empty string.
func (e ScheduleException) next(today time.Time) string {
	for range scheduleHorizon {
		if e.on(today) {
			return today.Format(time.DateOnly)
		}
		today = today.AddDate(0, 0, 1)
	}
	return ""
}

func isoDay(date time.Time) int { return (int(date.Weekday())+6)%7 + 1 }

// today returns noon of a time's date in the schedule's zone. Noon exists on every
// date, unlike midnight.
func (schedule *Schedule) today(now time.Time) time.Time {
	zone, err := time.LoadLocation(schedule.Timezone)
	if err != nil {
		zone = time.UTC
	}
	year, month, day := now.In(zone).Date()
	return time.Date(year, month, day, 12, 0, 0, 0, zone)
}

// on returns the exception or the weekly hours that apply to a date. Both are nil on a
// day without a rule.
func (schedule *Schedule) on(date time.Time) (*ScheduleException, *WeeklyHours) {
	at := slices.IndexFunc(schedule.Exceptions, func(e ScheduleException) bool { return e.on(date) })
	if at >= 0 {
		return &schedule.Exceptions[at], nil
	}
	at = slices.IndexFunc(schedule.Weekly, func(hours WeeklyHours) bool {
		return hours.Day == isoDay(date) && date.Format(time.DateOnly) >= hours.StartDate
	})
	if at >= 0 {
		return nil, &schedule.Weekly[at]
	}
	return nil, nil
}

// around returns the time during which the schedule is open at the given time or, if it
// is closed then, the next such time. Without one, opens is zero. If it never closes
// again, closes is zero.
func (schedule *Schedule) around(at time.Time) (opens, closes time.Time) {
	date := schedule.today(at)
	for range scheduleHorizon {
		exception, hours := schedule.on(date)
		var intervals []HoursInterval
		switch {
		case exception != nil:
			intervals = exception.Intervals
		case hours != nil:
			intervals = hours.Intervals
		}
		for _, interval := range intervals {
			start, end := onDate(date, interval.Start), onDate(date, interval.End)
			switch {
			case !end.After(at):
			case opens.IsZero():
				opens, closes = start, end
			case start.Equal(closes):
				closes = end
			default:
				return opens, closes
			}
		}
		if !opens.IsZero() && closes.Before(onDate(date, midnight)) {
			return opens, closes
		}
		date = date.AddDate(0, 0, 1)
	}
	return opens, time.Time{}
}

// onDate returns a time of day, such as 08:00 or 24:00, on a date.
func onDate(date time.Time, clock string) time.Time {
	hour, _ := strconv.Atoi(clock[:2])
	minute, _ := strconv.Atoi(clock[3:])
	return time.Date(date.Year(), date.Month(), date.Day(), hour, minute, 0, 0, date.Location())
}
