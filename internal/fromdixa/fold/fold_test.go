package fold_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/internal/fromdixa/fold"
	"github.com/claimflow/claimflow/mirror"
)

func fact(second int, status claim.ConversationStatus, tags ...string) mirror.Fact {
	at := nine.Add(time.Duration(second) * time.Second)
	return mirror.Fact{Fact: claim.Fact{
		Stamp: claim.Stamp{At: at, Weight: claim.WeightTransition, ID: at.String()}, Status: status, Tags: append([]string{}, tags...),
	}}
}

// takeAll applies facts one after another and returns the owner's notifications.
func takeAll(s *fold.Projection, facts ...mirror.Fact) (told []string) {
	for _, f := range facts {
		for _, c := range s.Apply(f) {
			told = append(told, c.Outbound...)
		}
	}
	return told
}

func TestApplyNotifiesOncePerAcceptedChange(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		story  fold.Projection
		facts  []mirror.Fact
		state  claim.State
		status string
		told   []string
	}{
		"full lifecycle": {
			fold.Projection{State: claim.StateOpen, Status: "pending", DerivedStatus: "pending"},
			[]mirror.Fact{fact(1, "pending"), fact(2, "closed"), fact(3, "open"), fact(4, "closed", "claim-accepted")},
			claim.StateClosed, "accepted",
			[]string{claim.OutboundPending, claim.OutboundClosed, claim.OutboundReopened, claim.OutboundClosed},
		},
		"stale facts are ignored": {
			fold.Projection{State: claim.StateOpen, Status: "pending", DerivedStatus: "pending"},
			[]mirror.Fact{fact(5, "closed"), fact(2, "open"), fact(5, "closed")},
			claim.StateClosed, "closed",
			[]string{claim.OutboundClosed},
		},
		"tag on a closed conversation": {
			fold.Projection{State: claim.StateClosed, Status: "closed", DerivedStatus: "closed"},
			[]mirror.Fact{fact(1, "closed", "claim-rejected")},
			claim.StateClosed, "rejected",
			[]string{claim.OutboundStatusChanged},
		},
		"conflicting status tags": {
			fold.Projection{State: claim.StateOpen, Status: "pending", DerivedStatus: "pending"},
			[]mirror.Fact{fact(1, "closed", "claim-rejected", "claim-accepted"), fact(2, "closed", "claim-rejected", "claim-accepted"), fact(3, "closed", "claim-rejected")},
			claim.StateClosed, "rejected",
			[]string{claim.OutboundClosed, claim.OutboundStatusConflict, claim.OutboundStatusChanged},
		},
		"reopened after settling": {
			fold.Projection{State: claim.StateSettled, Status: "accepted", DerivedStatus: "accepted"},
			[]mirror.Fact{fact(1, "open", "claim-accepted")},
			claim.StateOpen, "pending",
			[]string{claim.OutboundReopened},
		},
		"status set by the owner is not sent back": {
			fold.Projection{State: claim.StateOpen, Status: "accepted", DerivedStatus: "pending"},
			[]mirror.Fact{fact(1, "open"), fact(2, "closed", "claim-accepted")},
			claim.StateClosed, "accepted",
			[]string{claim.OutboundClosed},
		},
		"rules are suspended while a command is pending": {
			fold.Projection{State: claim.StateOpen, Status: "accepted", DerivedStatus: "pending", RulesSuspended: true},
			[]mirror.Fact{fact(1, "closed")},
			claim.StateClosed, "accepted",
			[]string{claim.OutboundClosed},
		},
		"parked claim keeps its state": {
			fold.Projection{State: claim.StateNeedsAttention},
			[]mirror.Fact{fact(1, "closed", "claim-accepted")},
			claim.StateNeedsAttention, "", nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.story.Settings = claim.DefaultSettings()
			require.Equal(t, test.told, takeAll(&test.story, test.facts...))
			require.Equal(t, test.state, test.story.State)
			require.Equal(t, test.status, test.story.Status)
		})
	}
}

func TestFactsWithSameTimestampAreAppliedTogether(t *testing.T) {
	t.Parallel()
	snapshot := func(id string, s claim.ConversationStatus) fold.Reading {
		return fold.Reading{Fact: mirror.Fact{Fact: claim.Fact{Stamp: claim.Stamp{At: nine, ID: id}, Status: s}}}
	}
	open := fold.Reading{Fact: mirror.Fact{Fact: claim.Fact{
		Stamp: claim.Stamp{At: nine, Weight: claim.WeightTransition, ID: "c"}, Status: claim.ConversationOpen,
	}}}
	story := fold.Projection{State: claim.StateClosed, Status: "closed", DerivedStatus: "closed", Settings: claim.DefaultSettings()}
	var told []string
	story.ApplyAll([]fold.Reading{snapshot("a", claim.ConversationOpen), snapshot("b", claim.ConversationClosed), open}, func(_ fold.Reading, changes []fold.Change) {
		for _, c := range changes {
			told = append(told, c.Outbound...)
		}
	})
	require.Equal(t, []string{claim.OutboundReopened}, told)
}

// Facts applied in any order and in batches of any size end in the same state and
// status.
func TestFinalStateIsIndependentOfOrder(t *testing.T) {
	t.Parallel()
	statuses := []claim.ConversationStatus{claim.ConversationOpen, claim.ConversationPending, claim.ConversationClosed}
	tags := []string{"claim-accepted", "claim-rejected", "other"}
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 2))
		var facts []mirror.Fact
		for i := range 2 + r.IntN(8) {
			facts = append(facts, fact(i, statuses[r.IntN(3)], tags[:r.IntN(4)]...))
		}
		begin := fold.Projection{State: claim.StateOpen, Status: "pending", DerivedStatus: "pending", Settings: claim.DefaultSettings()}
		want := begin
		takeAll(&want, facts...)
		for range 10 {
			got := begin
			for _, i := range r.Perm(len(facts)) {
				takeAll(&got, facts[i])
				takeAll(&got, facts[r.IntN(len(facts))]) // another fact early, or a duplicate
			}
			require.Equal(t, want.Conversation.Status, got.Conversation.Status)
			require.Equal(t, want.Status, got.Status, "seed %d", seed)
			// Settled never appears here, so the state follows from the conversation
			// alone.
			require.Equal(t, want.State, got.State, "seed %d", seed)
		}
	}
}
