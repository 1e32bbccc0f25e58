package kpi_test

import (
	"testing"

	"github.com/claimflow/claimflow/kpi"
)

func TestMessages(t *testing.T) {
	t.Parallel()
	check(t, messageExpectations)
}

var messageExpectations = []expectation{
	// Monday 1, 2 twice, 3, 9, 13; Tuesday 2, 4, 6, 14; Wednesday 8, 10.
	{id: "agent_replies", want: []string{"6 n5 d5 | 4 n4 d4 | 2 n2 d2"}},
	// Ann 1, 3, 8, 9, 14; Bob 2 three times, 4, 10; cy 6, 13.
	{
		id: "agent_replies", name: "by agent", change: by(kpi.ByAgent),
		want: []string{"Ann: 5 n5 d5", "Bob: 5 n3 d3", "cy: 2 n2 d2"},
	},
	// Monday 1, 3, 1, 1; Tuesday 1, 0, 1 and 7 unknown; Wednesday 1, 1, 0.
	{
		id: "replies_per_conversation",
		want: []string{"1.5 median=1 p90=3 sum=6 n4 | 0.667 median=1 p90=1 sum=2 n3 ?1 | " +
			"0.667 median=1 p90=1 sum=2 n3"},
	},
	// Monday 1, 2, 1, 1; Tuesday 0, 1, 1 and 7 unknown; Wednesday 2, 2, 1.
	{
		id: "customer_messages",
		want: []string{"1.25 median=1 p90=2 sum=5 n4 | 0.667 median=1 p90=1 sum=2 n3 ?1 | " +
			"1.667 median=2 p90=2 sum=5 n3"},
	},
	// Monday 2, 5, 2, 2; Tuesday 1, 1, 2 and 7 unknown; Wednesday 3, 3, 1.
	{
		id: "messages_per_conversation",
		want: []string{"2.75 median=2 p90=5 sum=11 n4 | 1.333 median=1 p90=2 sum=4 n3 ?1 | " +
			"2.333 median=3 p90=3 sum=7 n3"},
	},
}

func TestQuality(t *testing.T) {
	t.Parallel()
	check(t, qualityExpectations)
}

var qualityExpectations = []expectation{
	// By first close. Monday 1 and 13, but not 2; Tuesday 3 and 4, and the messages of 7
	// are unknown; Wednesday 9, which had one reply by March 11, but neither 8, which was
	// reopened, nor 12 without a reply.
	{
		id:   "one_touch_rate",
		want: []string{"66.667 2/3 n3 | 100 2/2 n2 ?1 | 33.333 1/3 n3"},
	},
	// 9 was reopened after ten days. On the 20th, Wednesday's cohort is 15 days old.
	{
		id: "one_touch_rate", name: "within 14 days", change: within(14),
		want: []string{"66.667 2/3 n3 | 100 2/2 n2 ?1 | 0 0/3 n3"},
	},
	// Monday's seven days ended on the 10th at 00:00, Tuesday's on the 11th.
	{
		id: "one_touch_rate", name: "of a cohort that is not final", change: func(r *kpi.Request) { r.Now = at("10 12:00") },
		want: []string{"66.667 2/3 n3 | 100 2/2 n2 ?1 open | 33.333 1/3 n3 open"},
	},
	// By first close. Monday 2 of 1, 2, 13; Tuesday none of 3, 4, 7; Wednesday 8 and 9 of
	// 8, 9, 12. The first close of 6 is unknown.
	{id: "reopen_rate", want: []string{"33.333 1/3 n3 | 0 0/3 n3 | 66.667 2/3 n3"}},
	// 9 was reopened after ten days.
	{
		id: "reopen_rate", name: "within 7 days", change: within(7),
		want: []string{"33.333 1/3 n3 | 0 0/3 n3 | 33.333 1/3 n3"},
	},
	// Tuesday 7, and 6 is unknown; Wednesday 8.
	{id: "transfer_rate", want: []string{"0 0/4 n4 | 33.333 1/3 n3 ?1 | 33.333 1/3 n3"}},
	// Monday 1 achieved, 9 breached; Wednesday 10 achieved.
	{id: "sla_attainment", want: []string{"50 1/2 n2 | null 0/0 n0 | 100 1/1 n1"}},
}

func TestRatings(t *testing.T) {
	t.Parallel()
	check(t, ratingExpectations)
}

var ratingExpectations = []expectation{
	// Monday 5 (1) and 4 (13); Tuesday 3 (2).
	{id: "csat", want: []string{"100 2/2 n2 | 0 0/1 n1 | null 0/0 n0"}},
	// All three conversations began on Monday.
	{
		id: "csat", name: "by creation", change: placedBy(kpi.DateCreated),
		want: []string{"66.667 2/3 n3 | null 0/0 n0 | null 0/0 n0"},
	},
	// By offer. Monday 1 was answered, the first of 2 not; Tuesday the second of 2. The
	// offer to 13 is unknown, so its answer does not count.
	{id: "csat_response_rate", want: []string{"50 1/2 n2 | 100 1/1 n1 | null 0/0 n0"}},
	// 1 1/1, 2 1/2: in vip 2/3, in late 1/2.
	{
		id: "csat_response_rate", name: "by tag", change: by(kpi.ByTag),
		want: []string{"late: 50 1/2 n1", "vip: 66.667 2/3 n2"},
	},
	// 10 (8). The 3 (12) came on Thursday.
	{id: "nps", want: []string{"null 0/0 n0 | null 0/0 n0 | 100 1/1 n1"}},
	// With Thursday: one promoter, one detractor.
	{
		id: "nps", name: "with a detractor", change: func(r *kpi.Request) { r.To, r.Bucket = at("06 00:00"), kpi.BucketNone },
		want: []string{"0 1/2 n2"},
	},
	// By offer: 8 and 12 were answered, 12 after the period.
	{id: "nps_response_rate", want: []string{"null 0/0 n0 | null 0/0 n0 | 100 2/2 n2"}},
	// Tuesday up (3), Wednesday down (12).
	{id: "thumbs", want: []string{"null 0/0 n0 | 100 1/1 n1 | 0 0/1 n1"}},
	// Wednesday 12 was answered, 10 not.
	{id: "thumbs_response_rate", want: []string{"null 0/0 n0 | 100 1/1 n1 | 50 1/2 n2"}},
}

func TestAgents(t *testing.T) {
	t.Parallel()
	check(t, agentExpectations)
}

var agentExpectations = []expectation{
	// End of Monday Ann has 3, 9 and 14, which reopened at noon; of Tuesday 9, while 5 is
	// with nobody; of Wednesday Bob has 10 again.
	{id: "agent_load", want: []string{"3 n3 | 1 n1 | 1 n1"}},
	{
		id: "agent_load", name: "by agent", change: func(r *kpi.Request) { r.By = kpi.ByAgent },
		want: []string{"Ann: 3 n3 | 1 n1 | 0 n0", "Bob: 0 n0 | 0 n0 | 1 n1"},
	},
	{
		id: "agent_load", name: "of a team", change: filtered(kpi.ByTeam, "Red"),
		want: []string{"0 n0 | 0 n0 | 1 n1"},
	},
	// From 11:00 to 18:00 10 is with nobody, and 8 is closed at 17:00.
	{
		id: "agent_load", name: "of now", change: func(r *kpi.Request) { r.From, r.Now = at("04 00:00"), at("04 17:00") },
		want: []string{"0 n0 open"},
	},
	// Monday six replies by Ann, Bob and cy; Tuesday four by the three; Wednesday one
	// each by Ann and Bob.
	{id: "replies_per_agent", want: []string{"2 n5 d3 | 1.333 n4 d3 | 1 n2 d2"}},
	// Monday Ann 1, 3, 9, Bob 2, cy 13; Tuesday Bob 4, cy 7, Ann 7; Wednesday Ann 8, Bob 8
	// and 10 twice.
	{id: "assignments_per_agent", want: []string{"1.667 n5 d3 | 1 n2 d3 | 2 n2 d2"}},
	// Monday two samples of two agents, of which three show work; Tuesday one of Ann, who
	// does not work; none on Wednesday.
	{id: "agent_presence", want: []string{"75 3/4 n4 | 0 0/1 n1 | null 0/0 n0"}},
	{
		id: "agent_presence", name: "by agent", change: by(kpi.ByAgent),
		want: []string{"Ann: 66.667 2/3 n3", "Bob: 50 1/2 n2"},
	},
}
