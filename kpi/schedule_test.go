package kpi_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/kpi"
)

func TestBusinessHours(t *testing.T) {
	t.Parallel()
	zone := location(t, "Europe/Copenhagen")
	local := func(text string) time.Time {
		at, err := time.ParseInLocation("2006-01-02 15:04", text, zone)
		require.NoError(t, err)
		return at
	}
	week := kpi.Schedule{Zone: zone}
	for day := time.Monday; day <= time.Friday; day++ {
		week.Weekly[day] = []kpi.Interval{{Start: 8 * 60, End: 12 * 60}, {Start: 13 * 60, End: 16 * 60}}
	}
	week.Weekly[time.Saturday] = []kpi.Interval{{Start: 22 * 60, End: 6 * 60}} // until Sunday morning
	week.Exceptions = []kpi.Exception{
		{Month: time.January, Day: 1},
		{Year: 2026, Month: time.March, Day: 4, Hours: []kpi.Interval{{Start: 10 * 60, End: 11 * 60}}},
		{Year: 2027, Month: time.January, Day: 1, Hours: []kpi.Interval{{Start: 9 * 60, End: 10 * 60}}},
	}
	shorter := week
	shorter.ValidFrom = local("2026-06-03 14:00")
	shorter.Weekly[time.Wednesday] = []kpi.Interval{{Start: 8 * 60, End: 15 * 60}}

	for _, c := range []struct {
		name, start, end string
		want             time.Duration
	}{
		{"within an interval", "2026-03-02 09:00", "2026-03-02 09:45", 45 * time.Minute},
		{"over the break", "2026-03-02 11:00", "2026-03-02 14:00", 2 * time.Hour},
		{"from before to after", "2026-03-02 00:00", "2026-03-03 00:00", 7 * time.Hour},
		{"at night", "2026-03-02 17:00", "2026-03-03 07:00", 0},
		{"a day with other hours", "2026-03-04 00:00", "2026-03-05 00:00", time.Hour},
		{"a week", "2026-03-09 00:00", "2026-03-16 00:00", 5*7*time.Hour + 8*time.Hour},
		{"New Year", "2026-01-01 00:00", "2026-01-02 00:00", 0},
		{"a date before every year", "2027-01-01 00:00", "2027-01-02 00:00", time.Hour},
		{"a night with an hour less", "2026-03-28 20:00", "2026-03-29 08:00", 7 * time.Hour},
		{"a night with an hour more", "2026-10-24 20:00", "2026-10-25 08:00", 9 * time.Hour},
		// Until 14:00 the old hours apply (08 to 12, 13 to 14), then the new until 15:00.
		{"a version from the middle of a day", "2026-06-03 00:00", "2026-06-04 00:00", 6 * time.Hour},
		{"after the new version", "2026-06-10 00:00", "2026-06-11 00:00", 7 * time.Hour},
		{"backwards", "2026-03-02 10:00", "2026-03-02 09:00", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, kpi.History{week, shorter}.Between(local(c.start), local(c.end)))
			require.Equal(t, c.want, kpi.History{shorter, week}.Between(local(c.start), local(c.end)), "in any order")
		})
	}
	require.Zero(t, kpi.History(nil).Between(local("2026-03-02 09:00"), local("2026-03-02 10:00")))
}

// Parts of a span add up to the whole, also where a version or the offset changes.
func TestBusinessHoursAddUp(t *testing.T) {
	t.Parallel()
	zone := location(t, "Australia/Lord_Howe")
	first := officeHours()
	first.Zone = zone
	second := officeHours()
	second.Zone = location(t, "America/New_York")
	second.ValidFrom = time.Date(2026, 4, 7, 3, 17, 0, 0, time.UTC)
	h := kpi.History{first, second}
	start := time.Date(2026, 3, 30, 22, 11, 0, 0, time.UTC)
	end := start.AddDate(0, 0, 20)
	var sum time.Duration
	for at := start; at.Before(end); at = at.Add(7 * time.Hour) {
		next := at.Add(7 * time.Hour)
		if next.After(end) {
			next = end
		}
		part := h.Between(at, next)
		require.LessOrEqual(t, part, next.Sub(at))
		sum += part
	}
	require.Equal(t, h.Between(start, end), sum)
	require.NotZero(t, sum)
}

func TestParseSchedule(t *testing.T) {
	t.Parallel()
	s, err := kpi.ParseSchedule([]byte(`{"id":"a0d559bf","name":"Support","timezone":"Europe/Copenhagen",
		"businessHours":[
			{"name":"Monday","dayOfWeek":1,"businessHourType":"Regular","status":"Open","intervals":[{"startTime":"08:00","endTime":"16:00"}],"startDate":"2026-01-05"},
			{"name":"Saturday","dayOfWeek":6,"businessHourType":"Regular","status":"Closed","intervals":[],"startDate":"2026-01-10"},
			{"name":"Sunday","dayOfWeek":7,"businessHourType":"Regular","status":"Open","intervals":[{"startTime":"00:00","endTime":"24:00"}],"startDate":"2026-01-11"}],
		"exceptions":[
			{"name":"New Year","businessHourType":"Holiday","status":"Closed","intervals":[],"recurring":{"dayOfMonth":1,"monthOfYear":1},"startDate":"2026-01-01"},
			{"name":"Easter","businessHourType":"Holiday","status":"Closed","recurring":{"holiday":"EasterMonday"},"startDate":"2026-04-06","nextDate":"2027-03-29"},
			{"name":"Inventory","businessHourType":"Exception","status":"Open","intervals":[{"startTime":"10:00:00","endTime":"12:30:00"}],"startDate":"2026-05-04"}]}`),
		at("01 00:00"))
	require.NoError(t, err)
	require.Equal(t, []kpi.Interval{{Start: 480, End: 960}}, s.Weekly[time.Monday])
	require.Empty(t, s.Weekly[time.Saturday])
	require.Equal(t, []kpi.Interval{{Start: 0, End: 1440}}, s.Weekly[time.Sunday])
	require.Equal(t, []kpi.Exception{
		{Month: time.January, Day: 1},
		{Year: 2026, Month: time.April, Day: 6},
		{Year: 2027, Month: time.March, Day: 29},
		{Year: 2026, Month: time.May, Day: 4, Hours: []kpi.Interval{{Start: 600, End: 750}}},
	}, s.Exceptions)

	h := kpi.History{s}
	copenhagen := location(t, "Europe/Copenhagen")
	day := func(y int, m time.Month, d int) time.Duration {
		return h.Between(time.Date(y, m, d, 0, 0, 0, 0, copenhagen), time.Date(y, m, d+1, 0, 0, 0, 0, copenhagen))
	}
	require.Equal(t, 8*time.Hour, day(2026, 3, 2))
	require.Equal(t, 23*time.Hour, day(2026, 3, 29), "summer time begins")
	require.Zero(t, day(2026, 4, 6), "Easter Monday")
	require.Equal(t, 150*time.Minute, day(2026, 5, 4))

	for _, text := range []string{
		`{`, `{"id":"x"}`, `{"id":"x","timezone":"Local"}`,
		`{"timezone":"UTC","businessHours":[{"dayOfWeek":8,"status":"Open"}]}`,
		`{"timezone":"UTC","businessHours":[{"dayOfWeek":1,"status":"Sometimes"}]}`,
		`{"timezone":"UTC","businessHours":[{"dayOfWeek":1,"status":"Open","intervals":[{"startTime":"8","endTime":"9"}]}]}`,
		`{"timezone":"UTC","exceptions":[{"status":"Closed","startDate":"soon"}]}`,
	} {
		_, err := kpi.ParseSchedule([]byte(text), time.Time{})
		require.Error(t, err, text)
	}
}
