package activities_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/emulator/server"
)

func (b *bench) readOnly(on bool) {
	b.Helper()
	b.save(map[string]any{"read_only": on})
}

// Writing may be forbidden at any time. Unsent requests are held back and sent
// automatically when writing is allowed again.
func TestReadOnlyDuringOpening(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, nil)
	ref := b.accept(b.sample("c-1"))
	_, err := b.customer(ref)
	require.NoError(t, err)

	b.readOnly(true)
	requests := b.dixa.Stats().Requests
	_, err = b.open(ref)
	require.Contains(t, requireParked(t, err, claim.CauseReadOnly), "read-only")
	intent, err := b.store.Intents.Get(t.Context(), ref, claim.StepConversation)
	require.True(t, err != nil || intent.SentAt.IsZero(), "a create must not be in flight")
	b.resumesWhenAllowed(ref)

	_, err = b.open(ref)
	require.NoError(t, err)
	require.Greater(t, b.dixa.Stats().Requests, requests)
	b.readOnly(true)
	requests = b.dixa.Stats().Requests
	for _, step := range []any{steps.ApplyTags, steps.SendSeparately, steps.AssignConversation, steps.SetAttributes, steps.AddNote} {
		requireParked(t, runVoid(b, step, ref), claim.CauseReadOnly)
	}
	require.Equal(t, requests, b.dixa.Stats().Requests, "a read-only shop must not send requests")
	b.resumesWhenAllowed(ref)

	require.NoError(t, runVoid(b, steps.ApplyTags, ref))
	require.NoError(t, runVoid(b, steps.AddNote, ref))
	conversations := b.conversations()
	require.Len(t, conversations, 1)
	require.NotEmpty(t, conversations[0].TagNames)
	require.Len(t, conversations[0].Notes, 1)
}

// resumesWhenAllowed parks the claim, allows writing and resumes the claim as its
// workflow does.
func (b *bench) resumesWhenAllowed(ref claim.Ref) {
	b.Helper()
	state := b.load(ref)
	b.sync(activities.StatusChange{Ref: ref, Event: claim.EventPark, Cause: claim.CauseReadOnly, SettingsVersion: state.SettingsVersion})
	woken, err := b.store.Nudges.WakeParked(b.Context())
	require.NoError(b, err)
	require.Zero(b, woken, "without a change, no claim may be woken")
	b.readOnly(false)
	woken, err = b.store.Nudges.WakeParked(b.Context())
	require.NoError(b, err)
	require.Equal(b, 1, woken, "the claim must resume automatically")
	require.Equal(b, claim.StateOpening, b.load(ref).State)
}
