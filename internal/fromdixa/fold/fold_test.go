package fold_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/internal/fromdixa/fold"
)

func fact(second int, status claim.ConversationStatus, tags ...string) claim.Fact {
	at := nine.Add(time.Duration(second) * time.Second)
	return claim.Fact{Stamp: claim.Stamp{At: at, Weight: claim.WeightTransition, ID: at.String()}, Status: status, Tags: append([]string{}, tags...)}
}

// told takes facts in, one after another, and lists what the owner is told.
func takeAll(s *fold.Story, facts ...claim.Fact) (told []string) {
	for _, f := range facts {
		for _, c := range s.Take(f) {
			told = append(told, c.Told...)
		}
	}
	return told
}

func TestStoryTellsEachAcceptedChangeOnce(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		story  fold.Story
		facts  []claim.Fact
		state  claim.State
		status string
		told   []string
	}{
		"a life": {
			fold.Story{State: claim.StateOpen, Status: "pending", Derived: "pending"},
			[]claim.Fact{fact(1, "pending"), fact(2, "closed"), fact(3, "open"), fact(4, "closed", "claim-accepted")},
			claim.StateClosed, "accepted",
			[]string{claim.ToldPending, claim.ToldClosed, claim.ToldReopened, claim.ToldClosed},
		},
		"an old fact is nothing": {
			fold.Story{State: claim.StateOpen, Status: "pending", Derived: "pending"},
			[]claim.Fact{fact(5, "closed"), fact(2, "open"), fact(5, "closed")},
			claim.StateClosed, "closed",
			[]string{claim.ToldClosed},
		},
		"a tag on a closed conversation": {
			fold.Story{State: claim.StateClosed, Status: "closed", Derived: "closed"},
			[]claim.Fact{fact(1, "closed", "claim-rejected")},
			claim.StateClosed, "rejected",
			[]string{claim.ToldStatus},
		},
		"both answers": {
			fold.Story{State: claim.StateOpen, Status: "pending", Derived: "pending"},
			[]claim.Fact{fact(1, "closed", "claim-rejected", "claim-accepted"), fact(2, "closed", "claim-rejected", "claim-accepted"), fact(3, "closed", "claim-rejected")},
			claim.StateClosed, "rejected",
			[]string{claim.ToldClosed, claim.ToldConflict, claim.ToldStatus},
		},
		"reopened after settling": {
			fold.Story{State: claim.StateSettled, Status: "accepted", Derived: "accepted"},
			[]claim.Fact{fact(1, "open", "claim-accepted")},
			claim.StateOpen, "pending",
			[]string{claim.ToldReopened},
		},
		"what the owner set is not told back": {
			fold.Story{State: claim.StateOpen, Status: "accepted", Derived: "pending"},
			[]claim.Fact{fact(1, "open"), fact(2, "closed", "claim-accepted")},
			claim.StateClosed, "accepted",
			[]string{claim.ToldClosed},
		},
		"rules wait while a command is on its way": {
			fold.Story{State: claim.StateOpen, Status: "accepted", Derived: "pending", Held: true},
			[]claim.Fact{fact(1, "closed")},
			claim.StateClosed, "accepted",
			[]string{claim.ToldClosed},
		},
		"a parked claim stays where it is": {
			fold.Story{State: claim.StateNeedsAttention},
			[]claim.Fact{fact(1, "closed", "claim-accepted")},
			claim.StateNeedsAttention, "", nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.story.Settings = claim.BuiltIn()
			require.Equal(t, test.told, takeAll(&test.story, test.facts...))
			require.Equal(t, test.state, test.story.State)
			require.Equal(t, test.status, test.story.Status)
		})
	}
}

func TestFactsOfOneMomentAreToldTogether(t *testing.T) {
	t.Parallel()
	snapshot := func(id string, s claim.ConversationStatus) fold.Reading {
		return fold.Reading{Fact: claim.Fact{Stamp: claim.Stamp{At: nine, ID: id}, Status: s}}
	}
	open := fold.Reading{Fact: claim.Fact{Stamp: claim.Stamp{At: nine, Weight: claim.WeightTransition, ID: "c"}, Status: claim.ConversationOpen}}
	story := fold.Story{State: claim.StateClosed, Status: "closed", Derived: "closed", Settings: claim.BuiltIn()}
	var told []string
	story.TakeAll([]fold.Reading{snapshot("a", claim.ConversationOpen), snapshot("b", claim.ConversationClosed), open}, func(_ fold.Reading, changes []fold.Change) {
		for _, c := range changes {
			told = append(told, c.Told...)
		}
	})
	require.Equal(t, []string{claim.ToldReopened}, told)
}

// Every order of the same facts, in batches of any size, ends in the same state
// and status.
func TestStoryEndsTheSameInEveryOrder(t *testing.T) {
	t.Parallel()
	statuses := []claim.ConversationStatus{claim.ConversationOpen, claim.ConversationPending, claim.ConversationClosed}
	tags := []string{"claim-accepted", "claim-rejected", "other"}
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 2))
		var facts []claim.Fact
		for i := range 2 + r.IntN(8) {
			facts = append(facts, fact(i, statuses[r.IntN(3)], tags[:r.IntN(4)]...))
		}
		begin := fold.Story{State: claim.StateOpen, Status: "pending", Derived: "pending", Settings: claim.BuiltIn()}
		want := begin
		takeAll(&want, facts...)
		for range 10 {
			got := begin
			for _, i := range r.Perm(len(facts)) {
				takeAll(&got, facts[i])
				takeAll(&got, facts[r.IntN(len(facts))]) // another one early, or again
			}
			require.Equal(t, want.Conversation.Status, got.Conversation.Status)
			require.Equal(t, want.Status, got.Status, "seed %d", seed)
			// Settled never shows here, so state follows from the conversation alone.
			require.Equal(t, want.State, got.State, "seed %d", seed)
		}
	}
}
