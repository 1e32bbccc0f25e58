package kpi_test

import (
	"testing"

	"github.com/claimflow/claimflow/kpi"
)

func TestVolume(t *testing.T) {
	t.Parallel()
	check(t, volumeExpectations)
}

var volumeExpectations = []expectation{
	// Monday 1, 2, 3, 13; Tuesday 4, 5, 6, 7; Wednesday 8, 10, 12. Conversations 9 and
	// 14 are older and 11 has no date.
	{id: "conversation_volume", want: []string{"4 n4 | 4 n4 | 3 n3"}},
	// 3 began at 00:30 on Tuesday there.
	{id: "conversation_volume", name: "in Copenhagen", change: copenhagen, want: []string{"3 n3 | 5 n5 | 3 n3"}},
	// 4 has no inbound message, 7 no messages; Sunday's 9 is outside.
	{
		id: "conversation_volume", name: "by first message", change: placedBy(kpi.DateFirstInbound),
		want: []string{"4 n4 | 2 n2 | 3 n3"},
	},
	// Email 1, 2, 4, 5, 6, 7, 10; Messenger 13; widget 3, 8, 12.
	{
		id: "conversation_volume", name: "by channel", change: by(kpi.ByChannel),
		want: []string{"Email: 7 n7", "FacebookMessenger: 1 n1", "WidgetChat: 3 n3"},
	},
	// 2 has both tags, 1 is vip, the other nine have none.
	{
		id: "conversation_volume", name: "by tag", change: by(kpi.ByTag),
		want: []string{"late: 1 n1", "none: 9 n9", "vip: 2 n2"},
	},
	// 1 and 2, of which 2 counts once.
	{
		id: "conversation_volume", name: "of tags", change: filtered(kpi.ByTag, "vip", "late"),
		want: []string{"2 n2 | 0 n0 | 0 n0"},
	},
	// A named group appears even if it is empty, and no other does.
	{
		id: "conversation_volume", name: "by named tags", change: both(by(kpi.ByTag), filtered(kpi.ByTag, "late", "gone")),
		want: []string{"gone: 0 n0", "late: 1 n1"},
	},
	// q2 3, 5, 7, 12; q1 1, 2, 4, 6, 8, 10; 13 is in none. Labels sort.
	{
		id: "conversation_volume", name: "by queue", change: by(kpi.ByQueue),
		want: []string{"=General: 4 n4", "Returns: 6 n6", "none: 1 n1"},
	},

	// Monday 1, 2, 3, 13 in 24 hours; Tuesday 5, 6, 7 without the outbound 4.
	{
		id: "arrivals_per_hour", change: func(r *kpi.Request) { r.Bucket = kpi.BucketDay },
		want: []string{"0.167 n4 | 0.125 n3 | 0.125 n3"},
	},
	// Two weeks from February 23: each hour came twice. Monday 09, 10, 15 and 23
	// o'clock, Tuesday 09 to 11, Wednesday 09, 10 and 20, Sunday 12 (9).
	{
		id: "arrivals_per_hour", name: "by hour of week",
		change: both(byHourOfWeek, func(r *kpi.Request) { r.From, r.To = at("02-23 00:00"), at("09 00:00") }),
		want: []string{"9: 0.5 n1 | 10: 0.5 n1 | 15: 0.5 n1 | 23: 0.5 n1 | 33: 0.5 n1 | 34: 0.5 n1 | 35: 0.5 n1 | " +
			"57: 0.5 n1 | 58: 0.5 n1 | 68: 0.5 n1 | 156: 0.5 n1"},
	},
	// Of Wednesday 21 hours have passed, with 8, 10 and 12.
	{
		id: "arrivals_per_hour", name: "of a day that has not ended",
		change: func(r *kpi.Request) { r.Bucket, r.Now = kpi.BucketDay, at("04 21:00") },
		want:   []string{"0.167 n4 | 0.125 n3 | 0.143 n3 open"},
	},

	// Monday 1, 2, 13; Tuesday 2, 3, 4, 6, 7, 14; Wednesday 8 twice, 9, 12.
	{id: "closed_conversations", want: []string{"3 n3 d3 | 6 n6 d6 | 4 n3 d3"}},
	// Of the conversations created on these days: Monday 1, 2 twice, 3, 13; Tuesday 4, 6,
	// 7; Wednesday 8 twice, 12.
	{
		id: "closed_conversations", name: "by creation", change: placedBy(kpi.DateCreated),
		want: []string{"5 n4 d4 | 3 n3 d3 | 3 n2 d2"},
	},
	// Ann 1, 3, 7, 8, 9, 14; Bob 2 twice, 4, 8; cy 13; nobody known 6, 12.
	{
		id: "closed_conversations", name: "by agent", change: by(kpi.ByAgent),
		want: []string{"Ann: 6 n6 d6", "Bob: 4 n3 d3", "cy: 1 n1 d1", "none: 2 n2 d2"},
	},
	// Blue: Ann and Bob, who both closed 8. Red: Bob.
	{
		id: "closed_conversations", name: "by team", change: by(kpi.ByTeam),
		want: []string{"Blue: 10 n8 d8", "Red: 4 n3 d3", "none: 3 n3 d3"},
	},
	// Bob alone is Red: Monday 2; Tuesday 2, 4; Wednesday 8.
	{
		id: "closed_conversations", name: "of a team", change: filtered(kpi.ByTeam, "Red"),
		want: []string{"1 n1 d1 | 2 n2 d2 | 1 n1 d1"},
	},

	// End of Monday 3, 9, 14; of Tuesday 5, 9, since 6 closed at 14:00 as Dixa reports;
	// of Wednesday 5, 10.
	{id: "backlog", want: []string{"3 n3 | 2 n2 | 2 n2"}},
	// 3 and 5 are in q2, the others in q1.
	{
		id: "backlog", name: "by queue", change: func(r *kpi.Request) { r.By = kpi.ByQueue },
		want: []string{"=General: 1 n1 | 1 n1 | 1 n1", "Returns: 2 n2 | 1 n1 | 1 n1"},
	},
	// Until noon of Tuesday, 6 and 7 are open beside 5 and 9; 14 closes at noon and is
	// open until just before. Wednesday has not begun.
	{
		id: "backlog", name: "of now", change: func(r *kpi.Request) { r.Now = at("03 12:00") },
		want: []string{"3 n3 | 5 n5 open | null n0 open"},
	},
	// Monday 30m, 36h, 255h, on average 97h10m; Tuesday 15h, 60h; Wednesday 14h, 39h.
	{
		id: "backlog_age",
		want: []string{"36h0m0s mean=97h10m0s p90=255h0m0s n3 | 15h0m0s mean=37h30m0s p90=60h0m0s n2 | " +
			"14h0m0s mean=26h30m0s p90=39h0m0s n2"},
	},
	// No vip conversation is open at the end of a day.
	{
		id: "backlog_age", name: "of a tag", change: filtered(kpi.ByTag, "vip"),
		want: []string{"null n0 | null n0 | null n0"},
	},
}
