package activities_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/emulator/server"
)

// A name that Dixa rejects as too long does not prevent the claim from being opened.
func TestCustomerIsCreatedWithoutRejectedName(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{MaxNameChars: 5}, nil)
	c := b.sample("c-1")
	c.Customer.FirstName, c.Customer.LastName = "Wilhelmine", "Grünspecht"
	ref := b.accept(c)
	customer, err := b.customer(ref)
	require.NoError(t, err)
	require.True(t, customer.Note)
	state := b.dixa.State()
	require.Len(t, state.EndUsers, 1)
	require.Empty(t, state.EndUsers[0].DisplayName)
	require.Equal(t, c.Customer.Email, state.EndUsers[0].Email)

	_, err = b.open(ref)
	require.NoError(t, err)
	require.NoError(t, runVoid(b, steps.AddNote, ref))
	require.Contains(t, b.conversations()[0].Notes[0].Text, "Dixa rejected the customer's name, so the customer has no name in Dixa.")
	again, _ := b.prepare(ref)
	require.True(t, again.Note, "a new run must still write the note")
}

func TestRejectedTagsAreReported(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{MaxTagChars: 10}, nil)
	ref := b.accept(b.sample("c-1"))
	_, err := b.open(ref)
	require.NoError(t, err)
	_, err = b.complete(steps.ApplyTags, ref)
	require.NoError(t, err)
	b.dixa.Settle()
	require.Equal(t, []string{"claim"}, b.conversations()[0].TagNames, "the other tags must be applied")
	require.NoError(t, runVoid(b, steps.AddNote, ref))
	require.Contains(t, b.conversations()[0].Notes[0].Text, "Tags not added because Dixa rejected them: claim-reason-damaged")
	happened, err := b.store.Conversations.LatestTimeline(t.Context(), ref, 10)
	require.NoError(t, err)
	require.Equal(t, "tags omitted", happened[0].What)
	require.Contains(t, happened[0].Detail, "claim-reason-damaged")

	// A change that adds such a tag reports it immediately instead of waiting.
	b.sync(activities.StatusChange{Ref: ref, Event: claim.EventOpened})
	in := b.patch(ref, `{"status": "accepted"}`).InstructionID
	require.NoError(t, b.instruct(ref))
	require.Equal(t, claim.InstructionDone, b.instruction(ref, in).State)
	require.Contains(t, string(b.instruction(ref, in).Result), "claim-accepted: rejected by Dixa")
}
