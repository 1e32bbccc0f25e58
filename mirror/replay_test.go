package mirror_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/mirror"
)

func TestReplayedSteps(t *testing.T) {
	t.Parallel()
	assigned := func(id, at, agent string) mirror.Activity {
		a := entry(id, at, "ConversationAssigned", "")
		a.AgentID = agent
		return a
	}
	moved := func(id, at, agent, queue string) mirror.Activity {
		a := entry(id, at, "TransferSuccessful", "")
		a.AgentID, a.QueueID = agent, queue
		return a
	}
	created := entry("l-0", "9:00", "ConversationCreatedByCustomer", "u-1")
	for name, test := range map[string]struct {
		log                                     []mirror.Activity
		changes                                 map[string]mirror.StateChange
		loggedAt                                string
		closes, reopens, transfers, assignments int
		queue, handling                         time.Duration
	}{
		"a close that is logged twice": {
			log:    []mirror.Activity{entry("l-1", "9:10", "ConversationClosed", ""), entry("l-2", "9:10:01", "ConversationClosed", ""), entry("l-3", "9:20", "NoteAdded", "")},
			closes: 1, queue: 10 * time.Minute,
		},
		"steps of one action, whatever their ids": {
			log: []mirror.Activity{
				assigned("l-9", "9:10", "a-1"), assigned("l-1", "9:20", "a-2"), entry("l-2", "9:20", "ConversationUnassigned", "a-2"), entry("l-3", "9:30", "NoteAdded", ""),
			},
			assignments: 2, queue: 10 * time.Minute, handling: 20 * time.Minute,
		},
		"claimed only": {
			log:         []mirror.Activity{entry("l-1", "9:10", "ConversationClaimed", "a-1"), entry("l-2", "9:30", "NoteAdded", "")},
			assignments: 1, queue: 10 * time.Minute, handling: 20 * time.Minute,
		},
		"claimed for someone else": {
			log:         []mirror.Activity{entry("l-1", "9:10", "ConversationClaimed", "a-9"), assigned("l-2", "9:10:01", "a-1"), entry("l-3", "9:30", "NoteAdded", "")},
			assignments: 1, queue: 10*time.Minute + time.Second, handling: 20*time.Minute - time.Second,
		},
		"transferred to an agent and to a queue": {
			log:       []mirror.Activity{moved("l-1", "9:10", "a-1", ""), assigned("l-2", "9:10:01", "a-1"), moved("l-3", "9:20", "", "q-2"), entry("l-4", "9:30", "NoteAdded", "")},
			transfers: 2, assignments: 1, queue: 20 * time.Minute, handling: 10 * time.Minute,
		},
		"follow-up removed": {
			log:   []mirror.Activity{entry("l-1", "9:10", "FollowupAdded", ""), entry("l-2", "9:20", "FollowupRemoved", ""), entry("l-3", "9:30", "NoteAdded", "")},
			queue: 20 * time.Minute,
		},
		"a follow-up leaves the closed state": {
			log:    []mirror.Activity{entry("l-1", "9:10", "ConversationClosed", ""), entry("l-2", "9:20", "FollowupAdded", ""), entry("l-3", "9:20", "ConversationPending", "")},
			closes: 1, reopens: 1, queue: 10 * time.Minute,
		},
		"events slightly later than their entries": {
			log: []mirror.Activity{moved("l-3", "9:10", "", "q-2"), entry("l-1", "9:10", "ConversationClosed", ""), entry("l-2", "9:10:01", "ConversationReopened", "")},
			changes: map[string]mirror.StateChange{
				"e-1": {At: clock("9:10:01.5"), Kind: "ConversationClosed"}, "e-2": {At: clock("9:10:01.9"), Kind: "ConversationReopened"},
				"e-3": {At: clock("9:10:01.5"), Kind: "TransferSuccessful", QueueID: "q-2"},
			},
			loggedAt: "9:10:01", closes: 1, reopens: 1, transfers: 1, queue: 10*time.Minute + 900*time.Millisecond,
		},
		"events after the log": {
			log: []mirror.Activity{moved("l-1", "9:10", "", "q-2")},
			changes: map[string]mirror.StateChange{
				"e-0": {At: clock("9:05"), Kind: "ConversationClosed"}, "e-1": {At: clock("9:10:01"), Kind: "TransferSuccessful", QueueID: "q-3"},
				"e-2": {At: clock("9:20"), Kind: "ConversationAssigned", AgentID: "a-1"}, "e-3": {At: clock("9:30"), Kind: "ConversationClosed"},
			},
			loggedAt: "9:10", closes: 1, transfers: 2, assignments: 1, queue: 20 * time.Minute, handling: 10 * time.Minute,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := inbound()
			c.Changes = test.changes
			if test.loggedAt != "" {
				c.LoggedAt = clock(test.loggedAt)
			}
			f := mirror.Derive(1, c, nil, append(test.log, created))
			require.Equal(t, []int{test.closes, test.reopens, test.transfers, test.assignments}, []int{*f.Closes, *f.Reopens, *f.Transfers, *f.Assignments})
			require.Equal(t, test.queue, *f.QueueTime)
			require.Equal(t, test.handling, *f.HandlingTime)
		})
	}
}

// The log has a change as soon as it has anything as new. It never has SLAs.
func TestLoggedChangesAreRemoved(t *testing.T) {
	t.Parallel()
	change := func(id string, minute int, kind string) mirror.Fact {
		at := nine.Add(time.Duration(minute) * time.Minute)
		return mirror.Fact{Fact: claim.Fact{Stamp: claim.Stamp{At: at, ID: id}}, Change: &mirror.StateChange{At: at, Kind: kind}}
	}
	facts := []mirror.Fact{
		change("e-1", 1, "ConversationClosed"), change("e-2", 2, "SLAEvaluationBreached"), change("e-3", 3, "ConversationReopened"), change("e-4", 4, "ConversationClosed"),
		{Fact: claim.Fact{Stamp: claim.Stamp{At: nine.Add(3 * time.Minute), ID: "l-1"}}, LoggedAt: nine.Add(3 * time.Minute)},
		{Fact: claim.Fact{Stamp: claim.Stamp{At: nine, ID: "l-0"}}, LoggedAt: nine},
	}
	for _, order := range [][]int{{0, 1, 2, 3, 4, 5}, {5, 4, 3, 2, 1, 0}} {
		var c mirror.Conversation
		for _, i := range order {
			c.Apply(facts[i])
		}
		require.Equal(t, map[string]mirror.StateChange{"e-2": *facts[1].Change, "e-4": *facts[3].Change}, c.Changes)
		require.Equal(t, nine.Add(3*time.Minute), c.LoggedAt)
	}
}
