package activities_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/emulator/server"
)

// Dixa adds the tags of a claim in one moment, so their events have no order. A
// conversation that an agent begins gets no event after them.
func TestTagsOfOneMomentAreAllKnown(t *testing.T) {
	t.Parallel()
	for _, opening := range []string{"inbound", "outbound"} {
		for seed := range uint64(4) {
			t.Run(fmt.Sprint(opening, seed), func(t *testing.T) {
				t.Parallel()
				chance := rand.New(rand.NewPCG(seed, 5))
				b := newSweepBench(t, losing(0))
				b.save(map[string]any{
					"email_integration_id": server.SeedMailbox, "commit_window": "0s", "list_lag": "0s", "opening": opening,
					"default_agent_id": server.SeedAgentAnna, "extra_tags": []string{"tea", "lund", "fragile", "gift"},
				})
				b.sweep()
				b.hold()
				refs := b.openedBare(1)
				var d *activities.Dixa
				_, err := run[activities.Completed](b.bench, d.CompleteConversation, activities.StatusChange{Ref: refs[0], Event: claim.EventOpened})
				require.NoError(t, err)
				b.known(refs)
				require.Greater(t, len(b.truth(refs[0]).Tags), 4)
				events := b.held()
				for _, i := range chance.Perm(len(events)) {
					b.deliver(events[i])
					b.known(refs)
				}
				b.requireTrue(refs)
				require.Zero(t, b.load(refs[0]).DoubtAt, "added tags need no request")
			})
		}
	}
}

// Whether a tag was removed before or after others of the same moment were added, only
// Dixa knows.
func TestTagsRemovedInOneMomentAreAskedFor(t *testing.T) {
	t.Parallel()
	for name, steps := range map[string][]server.Step{
		"removed and added":   {{Action: server.PlayUntag, Tag: "one"}, {Action: server.PlayTag, Tag: "two"}},
		"added and removed":   {{Action: server.PlayTag, Tag: "two"}, {Action: server.PlayUntag, Tag: "two"}},
		"closed and removed":  {{Action: server.PlayClose}, {Action: server.PlayUntag, Tag: "one"}},
		"noted, then removed": {{Action: server.PlayNote, Text: "Hello"}, {Action: server.PlayUntag, Tag: "one"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, reverse := range []bool{false, true} {
				b := newSweepBench(t, losing(0))
				b.sweep()
				ref := b.opened(1)[0]
				b.agent(ref, server.Step{Action: server.PlayClaim}, server.Step{Action: server.PlayTag, Tag: "one"})
				b.known([]claim.Ref{ref})
				b.inOneMoment(ref, reverse, steps...)
				b.known([]claim.Ref{ref})
				require.NotZero(t, b.load(ref).DoubtAt)

				var d *activities.Dixa
				require.NoError(t, runVoid(b.bench, d.AskState, ref))
				b.known([]claim.Ref{ref})
				b.requireTrue([]claim.Ref{ref})
				require.Zero(t, b.load(ref).DoubtAt)
				before := b.dixa.Stats().Requests
				require.NoError(t, runVoid(b.bench, d.AskState, ref))
				require.Equal(t, before, b.dixa.Stats().Requests)
			}
		})
	}
}
