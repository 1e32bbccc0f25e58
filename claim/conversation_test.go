package claim_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
)

var dixaTime = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

// someFacts returns random facts, several of them with the same timestamp.
func someFacts(r *rand.Rand) []claim.Fact {
	statuses := []claim.ConversationStatus{claim.ConversationOpen, claim.ConversationPending, claim.ConversationClosed, ""}
	var facts []claim.Fact
	for i := range 2 + r.IntN(12) {
		f := claim.Fact{
			Stamp:  claim.Stamp{At: dixaTime.Add(time.Duration(r.IntN(8)) * time.Millisecond), Weight: claim.Weight(r.IntN(3)), ID: fmt.Sprint("e", i)},
			Status: statuses[r.IntN(len(statuses))], Doubt: r.IntN(4) == 0,
		}
		if r.IntN(2) == 0 {
			f.People = true
			if r.IntN(2) == 0 {
				f.Assignee = &claim.Person{ID: fmt.Sprint("agent-", r.IntN(3))}
			}
		}
		f.Untagged = r.IntN(4) == 0
		switch r.IntN(3) {
		case 0:
			f.Tags = []string{fmt.Sprint("tag-", r.IntN(3)), "claim"}
		case 1:
			f.Tags = []string{}
		}
		switch comment := []string{"", "fine", "fast"}[r.IntN(3)]; r.IntN(4) {
		case 0:
			f.Rating = &claim.Rating{Score: 1 + r.IntN(5), Comment: comment, At: f.At}
		case 1:
			f.Comment = comment
		}
		facts = append(facts, f)
	}
	return facts
}

// Facts produce the same conversation in any order, with any number of repeats.
func TestConversationIsIndependentOfFactOrder(t *testing.T) {
	t.Parallel()
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 1))
		facts := someFacts(r)
		var want claim.Conversation
		for _, f := range facts {
			want.Apply(f)
		}
		for range 10 {
			var got claim.Conversation
			for _, i := range r.Perm(len(facts)) {
				for range 1 + r.IntN(3) {
					got.Apply(facts[i])
				}
			}
			for range r.IntN(len(facts)) { // late repeats
				got.Apply(facts[r.IntN(len(facts))])
			}
			require.Equal(t, want, got, "seed %d", seed)
			require.Equal(t, want.ClosedSince(), got.ClosedSince())
		}
	}
}

func TestNewestFactWins(t *testing.T) {
	t.Parallel()
	at := func(ms int, w claim.Weight, s claim.ConversationStatus) claim.Fact {
		return claim.Fact{Stamp: claim.Stamp{At: dixaTime.Add(time.Duration(ms) * time.Millisecond), Weight: w, ID: fmt.Sprint(ms, w, s)}, Status: s}
	}
	for name, test := range map[string]struct {
		facts       []claim.Fact
		want        claim.ConversationStatus
		closedSince int // milliseconds after dixaTime; negative for not closed
	}{
		"no facts":                {nil, "", -1},
		"older fact arrives late": {[]claim.Fact{at(5, claim.WeightTransition, claim.ConversationClosed), at(3, claim.WeightTransition, claim.ConversationOpen)}, claim.ConversationClosed, 5},
		"reopened":                {[]claim.Fact{at(5, claim.WeightTransition, claim.ConversationClosed), at(7, claim.WeightTransition, claim.ConversationOpen)}, claim.ConversationOpen, -1},
		"snapshot does not override a transition of the same time": {
			[]claim.Fact{at(5, claim.WeightTransition, claim.ConversationClosed), at(5, claim.WeightSnapshot, claim.ConversationOpen)}, claim.ConversationClosed, 5,
		},
		"refresh overrides all facts of the same time": {
			[]claim.Fact{at(5, claim.WeightRefreshed, claim.ConversationOpen), at(5, claim.WeightTransition, claim.ConversationClosed)}, claim.ConversationOpen, -1,
		},
		"snapshot of a closed conversation keeps the closing time": {
			[]claim.Fact{at(5, claim.WeightTransition, claim.ConversationClosed), at(9, claim.WeightSnapshot, claim.ConversationClosed)}, claim.ConversationClosed, 5,
		},
		"snapshot reveals a missed second close": {
			[]claim.Fact{at(1, claim.WeightTransition, claim.ConversationClosed), at(5, claim.WeightTransition, claim.ConversationOpen), at(9, claim.WeightSnapshot, claim.ConversationClosed)},
			claim.ConversationClosed, 9,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var c claim.Conversation
			for _, f := range test.facts {
				c.Apply(f)
			}
			require.Equal(t, test.want, c.Status)
			if test.closedSince < 0 {
				require.Zero(t, c.ClosedSince())
			} else {
				require.Equal(t, dixaTime.Add(time.Duration(test.closedSince)*time.Millisecond), c.ClosedSince())
			}
		})
	}
}

// A claim reaches the state of its conversation in one step, then stays there.
func TestClaimReachesConversationStateInOneStep(t *testing.T) {
	t.Parallel()
	following := map[claim.State]bool{claim.StateOpen: true, claim.StatePending: true, claim.StateClosed: true, claim.StateSettled: true}
	for _, status := range []claim.ConversationStatus{claim.ConversationOpen, claim.ConversationPending, claim.ConversationClosed, "", "strange"} {
		c := claim.Conversation{Status: status}
		for _, s := range claim.States() {
			event := c.NextEvent(s)
			if !following[s] {
				require.Empty(t, event, "%s, %s", status, s)
				continue
			}
			if event == "" {
				continue
			}
			next, err := s.Next(event)
			require.NoError(t, err, "%s, %s", status, s)
			require.Empty(t, c.NextEvent(next), "%s: the step from %s must end in %s", status, s, next)
		}
	}
}

func TestStatusRules(t *testing.T) {
	t.Parallel()
	own := claim.Settings{Tag: "claim", StatusRules: []claim.StatusRule{
		{Name: "refunded", When: claim.StatusWhen{Tags: []string{"Refunded"}, NoTag: []string{"disputed"}}, Then: claim.StatusThen{Status: "paid"}},
		{Name: "any", When: claim.StatusWhen{State: []claim.State{claim.StateClosed}, AnyTag: []string{"a", "b"}}, Then: claim.StatusThen{Status: "ab"}},
	}}
	for name, test := range map[string]struct {
		settings claim.Settings
		state    claim.State
		tags     []string
		want     claim.StatusDecision
	}{
		"open":                              {claim.DefaultSettings(), claim.StateOpen, nil, claim.StatusDecision{Status: "pending", Rule: "not closed"}},
		"open with a tag":                   {claim.DefaultSettings(), claim.StateOpen, []string{"claim-accepted"}, claim.StatusDecision{Status: "pending", Rule: "not closed"}},
		"pending":                           {claim.DefaultSettings(), claim.StatePending, nil, claim.StatusDecision{Status: "pending", Rule: "not closed"}},
		"closed":                            {claim.DefaultSettings(), claim.StateClosed, []string{"claim"}, claim.StatusDecision{Status: "closed", Rule: "closed"}},
		"accepted":                          {claim.DefaultSettings(), claim.StateClosed, []string{"Claim-Accepted"}, claim.StatusDecision{Status: "accepted", Rule: "accepted"}},
		"rejected":                          {claim.DefaultSettings(), claim.StateSettled, []string{"claim-rejected"}, claim.StatusDecision{Status: "rejected", Rule: "rejected"}},
		"both":                              {claim.DefaultSettings(), claim.StateClosed, []string{"claim-rejected", "claim-accepted"}, claim.StatusDecision{Status: "pending", Conflict: true, Rule: "accepted and rejected"}},
		"different tag prefix":              {claim.Settings{Tag: "fall"}, claim.StateClosed, []string{"fall-accepted", "claim-rejected"}, claim.StatusDecision{Status: "accepted", Rule: "accepted"}},
		"custom rules replace the defaults": {own, claim.StateClosed, []string{"claim-accepted"}, claim.StatusDecision{Status: "pending"}},
		"custom rule, all tags":             {own, claim.StateOpen, []string{"refunded"}, claim.StatusDecision{Status: "paid", Rule: "refunded"}},
		"custom rule, excluded tag":         {own, claim.StateClosed, []string{"refunded", "disputed", "b"}, claim.StatusDecision{Status: "ab", Rule: "any"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.want, test.settings.EvaluateStatus(test.state, &claim.Conversation{Tags: test.tags}))
		})
	}
}

// Dixa reports a rating's score and comment as separate events.
func TestRatingCombinesScoreAndComment(t *testing.T) {
	t.Parallel()
	at := func(ms int, id string) claim.Stamp {
		return claim.Stamp{At: dixaTime.Add(time.Duration(ms) * time.Millisecond), ID: id}
	}
	score := func(ms int, id string, score int, comment string) claim.Fact {
		return claim.Fact{Stamp: at(ms, id), Rating: &claim.Rating{Score: score, Comment: comment}}
	}
	for name, tt := range map[string]struct {
		facts []claim.Fact
		want  claim.Rating
	}{
		"together":                              {[]claim.Fact{score(1, "a", 5, "fine")}, claim.Rating{Score: 5, Comment: "fine"}},
		"repeated with the comment":             {[]claim.Fact{score(1, "b", 5, ""), score(1, "a", 5, "fine")}, claim.Rating{Score: 5, Comment: "fine"}},
		"comment arrives later":                 {[]claim.Fact{score(1, "a", 5, ""), {Stamp: at(9, "b"), Comment: "fine"}}, claim.Rating{Score: 5, Comment: "fine"}},
		"later rating without a comment":        {[]claim.Fact{score(1, "a", 5, "fine"), score(9, "b", 1, "")}, claim.Rating{Score: 1}},
		"later rating with a different comment": {[]claim.Fact{score(1, "a", 5, "fine"), score(9, "b", 1, "slow")}, claim.Rating{Score: 1, Comment: "slow"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for range 2 {
				var c claim.Conversation
				for _, f := range tt.facts {
					c.Apply(f)
				}
				require.Equal(t, tt.want, *c.Rating)
				slices.Reverse(tt.facts)
			}
		})
	}
}

func TestConflictingFactsSetDoubt(t *testing.T) {
	t.Parallel()
	fact := func(ms int, w claim.Weight, id string, s claim.ConversationStatus) claim.Fact {
		return claim.Fact{Stamp: claim.Stamp{At: dixaTime.Add(time.Duration(ms) * time.Millisecond), Weight: w, ID: id}, Status: s}
	}
	doubted := fact(1, claim.WeightSnapshot, "a", claim.ConversationPending)
	doubted.Doubt = true
	closed, reopened := fact(1, claim.WeightTransition, "b", claim.ConversationClosed), fact(1, claim.WeightTransition, "c", claim.ConversationOpen)
	for name, tt := range map[string]struct {
		facts []claim.Fact
		doubt bool
	}{
		"nothing":  {},
		"one fact": {facts: []claim.Fact{closed}},
		"two contradicting facts of the same time":       {facts: []claim.Fact{closed, reopened}, doubt: true},
		"third fact does not resolve the doubt":          {facts: []claim.Fact{closed, reopened, fact(1, claim.WeightTransition, "d", claim.ConversationOpen)}, doubt: true},
		"snapshot of the same time":                      {facts: []claim.Fact{closed, fact(1, claim.WeightSnapshot, "e", claim.ConversationOpen)}},
		"later fact resolves the doubt":                  {facts: []claim.Fact{closed, reopened, fact(2, claim.WeightSnapshot, "e", claim.ConversationOpen)}},
		"refresh of the same time resolves the doubt":    {facts: []claim.Fact{closed, reopened, fact(1, claim.WeightRefreshed, "e", claim.ConversationOpen)}},
		"doubtful snapshot":                              {facts: []claim.Fact{doubted}, doubt: true},
		"transition of the same time resolves the doubt": {facts: []claim.Fact{doubted, reopened}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for range 2 {
				var c claim.Conversation
				for _, f := range tt.facts {
					c.Apply(f)
				}
				require.Equal(t, tt.doubt, !c.DoubtAt.IsZero())
				slices.Reverse(tt.facts)
			}
		})
	}
}

// Facts of one moment name the tags in the middle of a change. Together they name all that
// were added. A removal among them leaves a doubt that only Dixa can end.
func TestTagsOfOneMoment(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	fact := func(id string, weight claim.Weight, tags ...string) claim.Fact {
		return claim.Fact{Stamp: claim.Stamp{At: at, Weight: weight, ID: id}, Tags: append([]string{}, tags...)}
	}
	removed := func(f claim.Fact) claim.Fact {
		f.Untagged = true
		return f
	}
	before := fact("z", claim.WeightSnapshot, "old")
	before.At = at.Add(-time.Millisecond)
	for name, test := range map[string]struct {
		facts []claim.Fact
		want  []string
		doubt bool
	}{
		"added":               {[]claim.Fact{fact("c", 0, "a"), fact("a", 0, "a", "b"), fact("b", 0, "a", "b", "c")}, []string{"a", "b", "c"}, false},
		"and closed":          {[]claim.Fact{fact("c", 0, "a"), fact("a", claim.WeightTransition), fact("b", 0, "a", "b")}, []string{"a", "b"}, false},
		"all of them":         {[]claim.Fact{removed(fact("c", 0)), fact("a", 0), fact("b", 0)}, nil, false},
		"removed and added":   {[]claim.Fact{removed(fact("c", 0, "a")), fact("a", 0, "a", "b")}, []string{"a", "b"}, true},
		"removed alone":       {[]claim.Fact{before, removed(fact("a", 0))}, nil, false},
		"asked afterwards":    {[]claim.Fact{removed(fact("c", 0, "a")), fact("a", 0, "a", "b"), fact("b", claim.WeightRefreshed, "b")}, []string{"b"}, false},
		"only the newest two": {[]claim.Fact{before, fact("b", 0, "a"), fact("a", 0, "b")}, []string{"a", "b"}, false},
	} {
		chance := rand.New(rand.NewPCG(1, 2))
		for range 30 {
			var c claim.Conversation
			for _, i := range append(chance.Perm(len(test.facts)), chance.IntN(len(test.facts))) {
				c.Apply(test.facts[i])
			}
			require.Equal(t, test.want, append([]string(nil), c.Tags...), name)
			require.Equal(t, test.doubt, !c.TagsDoubtAt().IsZero(), name)
			require.Equal(t, c.TagsDoubtAt(), c.AnyDoubtAt(), name)
		}
	}
}
