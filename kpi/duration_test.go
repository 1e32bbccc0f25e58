package kpi_test

import (
	"testing"

	"github.com/claimflow/claimflow/kpi"
)

func TestDurations(t *testing.T) {
	t.Parallel()
	check(t, durationExpectations)
}

var durationExpectations = []expectation{
	// Monday 1 30m, 2 1h, 3 15m, 9 21h, 13 1h: the third of five is 1h, the mean 1425m ÷
	// 5. Tuesday 6 2h; 4 is outbound. Wednesday 8 5m, 10 8h30m.
	{
		id: "first_response_time",
		want: []string{"1h0m0s mean=4h45m0s p90=21h0m0s n5 | 2h0m0s mean=2h0m0s p90=2h0m0s n1 | " +
			"5m0s mean=4h17m30s p90=8h30m0s n2"},
	},
	// 9 was created before. Nobody replied to 5 and 12, and 7 has no messages.
	{
		id: "first_response_time", name: "by creation", change: placedBy(kpi.DateCreated),
		want: []string{"30m0s mean=41m15s p90=1h0m0s n4 | 2h0m0s mean=2h0m0s p90=2h0m0s n1 ?2 | " +
			"5m0s mean=4h17m30s p90=8h30m0s n2 ?1"},
	},
	// Nights do not count: 3 and 9 are 0, since Sunday is closed and Ann replied at
	// 09:00; 10 waited from 10:00 to 17:00.
	{
		id: "first_response_time", name: "in business hours", change: business,
		want: []string{"30m0s mean=30m0s p90=1h0m0s n5 | 2h0m0s mean=2h0m0s p90=2h0m0s n1 | " +
			"5m0s mean=3h32m30s p90=7h0m0s n2"},
	},
	// By who replied: Ann 1, 3, 8, 9 (5m, 15m, 30m, 21h), Bob 2, 10, cy 6, 13.
	{
		id: "first_response_time", name: "by agent", change: by(kpi.ByAgent),
		want: []string{
			"Ann: 15m0s mean=5h27m30s p90=21h0m0s n4", "Bob: 1h0m0s mean=4h45m0s p90=8h30m0s n2",
			"cy: 1h0m0s mean=1h30m0s p90=2h0m0s n2",
		},
	},

	// Monday 1 1h, 2 2h, 13 2h; Tuesday 3 1h, 4 30m, 7 2h; Wednesday 8 20m, 9 72h, 12 10m.
	{
		id: "first_resolution_time",
		want: []string{"2h0m0s mean=1h40m0s p90=2h0m0s n3 | 1h0m0s mean=1h10m0s p90=2h0m0s n3 | " +
			"20m0s mean=24h10m0s p90=72h0m0s n3"},
	},
	// Monday 1, 2, 3 and 13; Tuesday 4 and 7, while 5 is open and the first close of 6
	// unknown; Wednesday 8 and 12, while 10 is open.
	{
		id: "first_resolution_time", name: "by creation", change: placedBy(kpi.DateCreated),
		want: []string{"1h0m0s mean=1h30m0s p90=2h0m0s n4 | 30m0s mean=1h15m0s p90=2h0m0s n2 ?2 | " +
			"10m0s mean=15m0s p90=20m0s n2 ?1"},
	},
	// 9: Monday, Tuesday 8h each and Wednesday 3h; 3 and 12 at night 0; 4 before 09:00.
	{
		id: "first_resolution_time", name: "in business hours", change: business,
		want: []string{"2h0m0s mean=1h40m0s p90=2h0m0s n3 | 0s mean=40m0s p90=2h0m0s n3 | " +
			"20m0s mean=6h26m40s p90=19h0m0s n3"},
	},

	// Monday 1 1h, 13 2h; Tuesday 4 30m, 3 1h, 7 2h, 6 4h, 2 24h, 14 267h, in total
	// 298h30m; Wednesday 12 10m, 8 7h. 9 closed for the last time on the 14th.
	{
		id: "full_resolution_time",
		want: []string{"1h0m0s mean=1h30m0s p90=2h0m0s n2 | 2h0m0s mean=49h45m0s p90=267h0m0s n6 | " +
			"10m0s mean=3h35m0s p90=7h0m0s n2"},
	},

	// Monday 3 and 13 0, 1 10m, 2 30m, 9 20h; Tuesday 4 0, 7 20m, 6 unknown; Wednesday 8
	// 0, 10 7h. 5 and 12 were never assigned.
	{
		id: "queue_time",
		want: []string{"10m0s mean=4h8m0s p90=20h0m0s n5 | 0s mean=10m0s p90=20m0s n2 ?1 | " +
			"0s mean=3h30m0s p90=7h0m0s n2"},
	},

	// Monday 1 50m, 13 2h; Tuesday 4 30m, 3 1h, 7 1h40m, 2 2h30m, 14 47h30m, in total
	// 3190m, 6 unknown; Wednesday 12 0, 8 1h20m.
	{
		id: "handling_time",
		want: []string{"50m0s mean=1h25m0s p90=2h0m0s n2 | 1h40m0s mean=10h38m0s p90=47h30m0s n5 ?1 | " +
			"0s mean=40m0s p90=1h20m0s n2"},
	},
	// Closed and inbound: Monday 09 1, 10 2, 15 13, 23 3; Tuesday 10 6, unknown, 11 7;
	// Wednesday 09 8, 20 12.
	{
		id: "handling_time_by_hour", change: byHourOfWeek,
		want: []string{"9: 50m0s median=50m0s p90=50m0s n1 | 10: 2h30m0s median=2h30m0s p90=2h30m0s n1 | " +
			"15: 2h0m0s median=2h0m0s p90=2h0m0s n1 | 23: 1h0m0s median=1h0m0s p90=1h0m0s n1 | 34: null n0 ?1 | " +
			"35: 1h40m0s median=1h40m0s p90=1h40m0s n1 | 57: 1h20m0s median=1h20m0s p90=1h20m0s n1 | " +
			"68: 0s median=0s p90=0s n1"},
	},
}
