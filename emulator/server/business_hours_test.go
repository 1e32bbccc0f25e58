package server_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/emulator/server"
)

type day struct {
	Name      string
	DayOfWeek *int
	Type      string `json:"businessHourType"`
	Status    string
	Intervals []struct{ StartTime, EndTime string }
	Recurring *struct{ DayOfMonth, MonthOfYear int }
	NextDate  string
}

type hours struct {
	Schedule struct {
		ID, Name, Timezone string
		BusinessHours      []day
		Exceptions         []day
	}
}

func (d *dixa) hours(schedule, rest string) (found hours) {
	d.t.Helper()
	d.do(http.MethodGet, "/business-hours/schedules/"+schedule+rest, nil, http.StatusOK).data(&found)
	return found
}

func TestScheduleStatus(t *testing.T) {
	t.Parallel()
	d := start(t, server.Options{Clock: newClock().Now}) // a Monday at 9:30 in Copenhagen
	const support, hotline = server.SeedScheduleSupport, server.SeedScheduleHotline
	for name, tt := range map[string]struct {
		schedule, at    string
		opens, closesAt string
	}{
		"now":                           {support, "", "", "2026-03-02T15:00:00Z"},
		"opening":                       {support, "2026-03-02T07:00:00Z", "", "2026-03-02T15:00:00Z"},
		"before the opening":            {support, "2026-03-02T06:59:59Z", "2026-03-02T07:00:00Z", ""},
		"closing":                       {support, "2026-03-02T15:00:00Z", "2026-03-03T07:00:00Z", ""},
		"in another zone":               {support, "2026-03-02T16:59:59%2B02:00", "", "2026-03-02T15:00:00Z"},
		"before stocktaking":            {support, "2026-03-05T15:00:00Z", "2026-03-09T07:00:00Z", ""},
		"Friday at noon":                {support, "2026-03-13T11:30:00Z", "2026-03-13T12:00:00Z", ""},
		"summer time":                   {support, "2026-03-30T06:30:00Z", "", "2026-03-30T14:00:00Z"},
		"Christmas Eve":                 {support, "2026-12-24T08:00:00Z", "", "2026-12-24T11:00:00Z"},
		"New Year":                      {support, "2026-12-31T15:00:00Z", "2027-01-04T07:00:00Z", ""},
		"before the rules":              {support, "2023-12-20T08:00:00Z", "2024-01-02T07:00:00Z", ""},
		"around the clock":              {hotline, "2026-03-02T12:00:00Z", "", "2026-03-08T00:00:00Z"},
		"Sunday of one that never does": {hotline, "2026-03-08T12:00:00Z", "2026-03-09T00:00:00Z", ""},
	} {
		path := "/business-hours/schedules/" + tt.schedule + "/status"
		if tt.at != "" {
			path += "?timestamp=" + tt.at
		}
		var status struct {
			IsOpen                       bool
			Timestamp, OpensAt, ClosesAt string
		}
		d.do(http.MethodGet, path, nil, http.StatusOK).data(&status)
		require.Equal(t, tt.closesAt != "", status.IsOpen, name)
		require.Equal(t, tt.opens, status.OpensAt, name)
		require.Equal(t, tt.closesAt, status.ClosesAt, name)
		if tt.at == "" {
			require.Equal(t, "2026-03-02T08:30:00Z", status.Timestamp)
		}
	}
}

func TestScheduleDefinition(t *testing.T) {
	t.Parallel()
	d := start(t, server.Options{Clock: newClock().Now})
	var list struct{ Schedules []struct{ ID, Name string } }
	d.do(http.MethodGet, "/business-hours/schedules", nil, http.StatusOK).data(&list)
	require.Len(t, list.Schedules, 2)
	require.Equal(t, "Support hours", list.Schedules[0].Name)

	support := d.hours(server.SeedScheduleSupport, "/definition").Schedule
	require.Equal(t, "Europe/Copenhagen", support.Timezone)
	require.Len(t, support.BusinessHours, 5)
	friday := support.BusinessHours[4]
	require.Equal(t, "Friday", friday.Name)
	require.Equal(t, 5, *friday.DayOfWeek)
	require.Equal(t, []struct{ StartTime, EndTime string }{{"08:00", "12:00"}, {"13:00", "15:00"}}, friday.Intervals)
	newYear := support.Exceptions[0]
	require.Equal(t, "Holiday Closed", newYear.Type+" "+newYear.Status)
	require.Equal(t, 1, newYear.Recurring.DayOfMonth)
	require.Empty(t, newYear.NextDate)
	require.Equal(t, "24:00", d.hours(server.SeedScheduleHotline, "/definition").Schedule.BusinessHours[0].Intervals[0].EndTime)

	d.SetSwitches(server.Switches{BusinessHours: server.BusinessHoursSwitches{ExceptionDates: "given", Midnight: "23:59"}})
	support = d.hours(server.SeedScheduleSupport, "/definition").Schedule
	require.Equal(t, []string{"2027-01-01", "2026-12-24", "2026-03-06"}, []string{support.Exceptions[0].NextDate, support.Exceptions[1].NextDate, support.Exceptions[2].NextDate})
	require.Equal(t, "23:59", d.hours(server.SeedScheduleHotline, "/definition").Schedule.BusinessHours[0].Intervals[0].EndTime)
}

func TestUpcomingHours(t *testing.T) {
	t.Parallel()
	d := start(t, server.Options{Clock: newClock().Now})
	upcoming := func(days string) (found []string) {
		for _, day := range d.hours(server.SeedScheduleSupport, "/upcoming"+days).Schedule.BusinessHours {
			found = append(found, day.Name+" "+day.NextDate+" "+day.Status)
		}
		return found
	}
	week := []string{"Monday 2026-03-02 Open", "Tuesday 2026-03-03 Open", "Wednesday 2026-03-04 Open", "Thursday 2026-03-05 Open", "Stocktaking 2026-03-06 Closed"}
	require.Equal(t, week, upcoming(""))
	require.Equal(t, append(week, "Monday 2026-03-09 Open"), upcoming("?days=8"))
	require.Equal(t, week[:1], upcoming("?days=1"))

	d.SetSwitches(server.Switches{BusinessHours: server.BusinessHoursSwitches{UpcomingFrom: "tomorrow", ClosedDays: "listed", Sunday: "0"}})
	require.Equal(t, append(week[1:5:5], "Saturday 2026-03-07 Closed", "Sunday 2026-03-08 Closed", "Monday 2026-03-09 Open"), upcoming(""))
	require.Zero(t, *d.hours(server.SeedScheduleSupport, "/upcoming").Schedule.BusinessHours[5].DayOfWeek)
}

func TestScheduleRefusals(t *testing.T) {
	t.Parallel()
	d := start(t, server.Options{})
	const root, support, other = "/business-hours/schedules/", server.SeedScheduleSupport, server.SeedTeamCare
	for path, status := range map[string]int{
		root + other + "/definition":                     404,
		root + other + "/upcoming":                       404,
		root + other + "/status":                         400, // the operation documents no 404
		root + "7/definition":                            400,
		root + support + "/upcoming?days=0":              400,
		root + support + "/upcoming?days=91":             400,
		root + support + "/upcoming?days=x":              400,
		root + support + "/status?timestamp=2026-03-02":  400,
		root + support + "/status?timestamp=in+a+minute": 400,
	} {
		d.do(http.MethodGet, path, nil, status)
	}
}

func TestSchedulesAreSet(t *testing.T) {
	t.Parallel()
	d := start(t, server.Options{Clock: newClock().Now, Seed: server.Seed{Schedules: []*server.Schedule{}}})
	set := func(status int, changes object) string {
		schedule := object{
			"id": server.SeedScheduleSupport, "name": "Night", "timezone": "UTC", "exceptions": []object{},
			"weekly": []object{{"day": 7, "startDate": "2026-01-04", "intervals": []object{{"start": "20:00", "end": "24:00"}}}},
		}
		for name, value := range changes {
			schedule[name] = value
		}
		got := d.do(http.MethodPost, "/_emulator/schedules", schedule, status)
		if status == http.StatusNoContent {
			return ""
		}
		return got.message()
	}
	for part, changes := range map[string]object{
		"UUID":            {"id": "7"},
		"name is":         {"name": ""},
		"IANA":            {"timezone": "Local"},
		"day 8":           {"weekly": []object{{"day": 8, "startDate": "2026-01-04"}}},
		"startDate":       {"weekly": []object{{"day": 1, "startDate": "04.01.2026"}}},
		"08:00 to 7:00":   {"weekly": []object{{"day": 1, "startDate": "2026-01-04", "intervals": []object{{"start": "08:00", "end": "7:00"}}}}},
		"type Holiday or": {"exceptions": []object{{"name": "x", "type": "Feast", "startDate": "2026-01-04"}}},
		"unknown field":   {"hours": 7},
	} {
		require.Contains(t, set(http.StatusBadRequest, changes), part)
	}
	require.Empty(t, d.State().Schedules)
	set(http.StatusNoContent, nil)
	set(http.StatusNoContent, object{"name": "Late"})
	require.Len(t, d.State().Schedules, 1)
	night := d.hours(server.SeedScheduleSupport, "/definition").Schedule
	require.Equal(t, "Late", night.Name)
	require.Equal(t, 7, *night.BusinessHours[0].DayOfWeek)
}
