package activities_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/emulator/server"
)

// Dixa silently skips a deactivated tag. The claim's timeline and a note to the agents
// report it.
func TestDeactivatedTagIsReported(t *testing.T) {
	t.Parallel()
	b := newSweepBench(t, server.Switches{})
	ctx := t.Context()
	client, err := b.clients.Client(ctx, b.connection)
	require.NoError(t, err)
	for _, name := range []string{"claim-reason-damaged", "claim-accepted"} {
		tag, err := client.Tags.Create(ctx, dixa.TagInput{Name: name})
		require.NoError(t, err)
		require.NoError(t, client.Tags.Deactivate(ctx, tag.ID))
	}
	require.Empty(t, b.sweep().Trouble)

	a := b.withSweeps()
	ref := a.accept(a.sample("c-1"))
	resolved, _ := a.prepare(ref)
	require.True(t, resolved.Note)
	_, err = a.open(ref)
	require.NoError(t, err)
	require.NoError(t, runVoid(a, steps.ApplyTags, ref))
	require.NoError(t, runVoid(a, steps.AddNote, ref))
	a.sync(activities.StatusChange{Ref: ref, Event: claim.EventOpened})
	b.dixa.Settle()

	c, tags := a.conversation()
	require.NotContains(t, tags, "claim-reason-damaged")
	require.Len(t, c.Notes, 1)
	require.Contains(t, c.Notes[0].Text, "because they are deactivated in Dixa: claim-reason-damaged")
	happened, err := a.store.Conversations.LatestTimeline(ctx, ref, 10)
	require.NoError(t, err)
	require.Equal(t, "tags omitted", happened[0].What)
	require.Contains(t, happened[0].Detail, "claim-reason-damaged")

	// A change that adds such a tag reports it immediately instead of waiting.
	in := a.patch(ref, `{"status": "accepted"}`).InstructionID
	require.NoError(t, a.instruct(ref))
	require.Equal(t, claim.InstructionDone, a.instruction(ref, in).State)
	require.Contains(t, string(a.instruction(ref, in).Result), "claim-accepted: deactivated in Dixa")
	happened, err = a.store.Conversations.LatestTimeline(ctx, ref, 10)
	require.NoError(t, err)
	require.Contains(t, happened[len(happened)-1].Detail, "claim-accepted: deactivated in Dixa")
}
