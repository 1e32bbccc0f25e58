package mirror_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/mirror"
)

func TestRatingKeys(t *testing.T) {
	t.Parallel()
	export := mirror.Rating{Type: "Csat", CreatedAt: nine.Add(700 * time.Millisecond)}
	api := mirror.Rating{ID: "r-1", Type: "Csat", CreatedAt: nine}
	require.Equal(t, api.Key(), export.Key())
	require.Equal(t, api.Key(), mirror.Rating{Type: "Csat", OfferedAt: nine}.Key())
	require.NotEqual(t, api.Key(), mirror.Rating{ID: "r-1", Type: "Nps", CreatedAt: nine}.Key(), "questions of one survey share an id")
	require.NotEqual(t, mirror.Rating{ID: "r-1", Type: "Csat"}.Key(), mirror.Rating{ID: "r-2", Type: "Csat"}.Key())
}

func TestKnownRatings(t *testing.T) {
	t.Parallel()
	listed := func(minute int, ratings ...mirror.Rating) mirror.Fact {
		if ratings == nil {
			ratings = []mirror.Rating{}
		}
		return mirror.Fact{Fact: claim.Fact{Stamp: claim.Stamp{At: nine.Add(time.Duration(minute) * time.Minute), Weight: claim.WeightRefreshed, ID: "r"}}, Ratings: ratings}
	}
	answer := func(id string, second int, r mirror.Rating) mirror.Fact {
		when := nine.Add(time.Duration(second) * time.Second)
		if r.Status = "Rated"; r.RatedAt.IsZero() && r.OfferedAt.IsZero() {
			r.RatedAt = when
		} else {
			r.Status = "Offered"
		}
		return mirror.Fact{Fact: claim.Fact{Stamp: claim.Stamp{At: when, ID: id}}, Answer: &r}
	}
	offered := mirror.Rating{Type: "Csat", Status: "Offered", CreatedAt: nine, OfferedAt: nine}
	asked := listed(1, mirror.Rating{ID: "r-1", Type: "Csat", AgentID: "a-1", CreatedAt: nine})
	asked.RatingPeople = true
	for name, test := range map[string]struct {
		facts []mirror.Fact
		want  []mirror.Rating
	}{
		"score, comment and log entry of one answer": {
			[]mirror.Fact{
				listed(1, offered), answer("e-1", 600, mirror.Rating{Type: "Csat", Score: pointer(4)}),
				answer("e-2", 630, mirror.Rating{Type: "Csat", Score: pointer(4), Comment: "fine"}), answer("l-1", 601, mirror.Rating{Score: pointer(4), Comment: "fine", AgentID: "a-1"}),
			},
			[]mirror.Rating{{Type: "Csat", Status: "Rated", Score: pointer(4), Comment: "fine", AgentID: "a-1", CreatedAt: nine, OfferedAt: nine, RatedAt: nine.Add(10 * time.Minute)}},
		},
		"a complete list replaces answers": {
			[]mirror.Fact{answer("e-1", 600, mirror.Rating{Type: "Csat", Score: pointer(4)}), listed(10, offered)},
			[]mirror.Rating{offered},
		},
		"an event slightly after the list that has its rating": {
			[]mirror.Fact{
				answer("e-1", 601, mirror.Rating{Type: "Csat", Score: pointer(4)}),
				listed(10, mirror.Rating{Type: "Csat", Status: "Rated", Score: pointer(4), CreatedAt: nine, RatedAt: nine.Add(10 * time.Minute)}),
			},
			[]mirror.Rating{{Type: "Csat", Status: "Rated", Score: pointer(4), CreatedAt: nine, RatedAt: nine.Add(10 * time.Minute)}},
		},
		"ids of the API complete the export": {
			[]mirror.Fact{asked, listed(2, mirror.Rating{Type: "Csat", Status: "Offered", CreatedAt: nine.Add(time.Millisecond)})},
			[]mirror.Rating{{ID: "r-1", Type: "Csat", Status: "Offered", AgentID: "a-1", CreatedAt: nine.Add(time.Millisecond)}},
		},
		"offer and answer without a list": {
			[]mirror.Fact{answer("l-1", 0, mirror.Rating{OfferedAt: nine, AgentID: "a-1"}), answer("e-1", 600, mirror.Rating{Type: "Nps", Score: pointer(9)})},
			[]mirror.Rating{{Type: "Nps", Status: "Rated", Score: pointer(9), AgentID: "a-1", OfferedAt: nine, RatedAt: nine.Add(10 * time.Minute)}},
		},
		"two questions at once": {
			[]mirror.Fact{
				answer("l-1", 600, mirror.Rating{Score: pointer(9)}), answer("l-2", 600, mirror.Rating{Score: pointer(4)}),
				answer("e-1", 601, mirror.Rating{Type: "Csat", Score: pointer(4)}), answer("e-2", 601, mirror.Rating{Type: "Nps", Score: pointer(9)}),
			},
			[]mirror.Rating{
				{Type: "Csat", Status: "Rated", Score: pointer(4), RatedAt: nine.Add(10 * time.Minute)},
				{Type: "Nps", Status: "Rated", Score: pointer(9), RatedAt: nine.Add(10 * time.Minute)},
			},
		},
		"gone from a newer list": {[]mirror.Fact{listed(1, offered), listed(2)}, []mirror.Rating{}},
	} {
		for _, reversed := range []bool{false, true} {
			var c mirror.Conversation
			for i := range test.facts {
				if reversed {
					i = len(test.facts) - 1 - i
				}
				c.Apply(test.facts[i])
			}
			require.Equal(t, test.want, c.KnownRatings(), "%s, reversed %v", name, reversed)
		}
	}
}
