package activities_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/mirror"
)

// requireTruth compares everything stored with what the emulator knows.
func (b *importBench) requireTruth(log bool) {
	b.Helper()
	ctx := b.Context()
	for _, want := range b.dixa.Truth() {
		got, err := b.store.Mirror.Conversation(ctx, b.connection, want.ID)
		require.NoError(b, err)
		require.Equal(b, want.CreatedAt.Unix(), got.Origin.CreatedAt.Unix(), "creation of %d", want.ID)
		require.Equal(b, want.Channel, got.Origin.Channel, "channel of %d", want.ID)
		require.Equal(b, mirror.Status(dixa.ConversationState(want.State)), got.Status, "status of %d", want.ID)
		tags := slices.Sorted(slices.Values(want.Tags))
		require.ElementsMatch(b, tags, got.Tags, "tags of %d", want.ID)
		messages, err := b.store.Mirror.Messages(ctx, b.connection, want.ID)
		require.NoError(b, err)
		found, notes := map[string]mirror.Message{}, map[string]mirror.Message{}
		for _, m := range messages {
			if m.Kind == claim.NoteKind {
				notes[m.ID] = m
			} else {
				found[m.ID] = m
			}
		}
		require.Len(b, found, len(want.Messages), "messages of %d", want.ID)
		for _, m := range want.Messages {
			require.Equal(b, m.CreatedAt.UnixMilli(), found[m.ID].At.UnixMilli(), "time of message %s", m.ID)
			if found[m.ID].AutomatedKnown { // the list does not say it of every channel
				require.Equal(b, m.Automated, found[m.ID].Automated, "automation of message %s", m.ID)
			}
		}
		if want.AnonymizedAt.IsZero() { // it removes the notes in Dixa; those known before stay without their text
			require.Len(b, notes, len(want.Notes), "notes of %d", want.ID)
		}
		for _, n := range want.Notes {
			require.Equal(b, n.CreatedAt.UnixMilli(), notes[n.ID].At.UnixMilli(), "time of note %s", n.ID)
		}
		if want.AnonymizedAt.IsZero() {
			require.Equal(b, want.QueueID, orZero(got.Queue).ID, "queue of %d", want.ID)
			require.Equal(b, want.AssigneeID, orZero(got.Assignee).ID, "assignee of %d", want.ID)
		}
		require.Equal(b, scores(want.Ratings), knownScores(got), "ratings of %d", want.ID)
		if !log {
			continue
		}
		activities, err := b.store.Mirror.Activities(ctx, b.connection, want.ID)
		require.NoError(b, err)
		require.Len(b, activities, len(want.Activity), "activities of %d", want.ID)
	}
}

func orZero[T any](p *T) T {
	if p == nil {
		return *new(T)
	}
	return *p
}

func scores(ratings []server.Rating) []int {
	var all []int
	for _, r := range ratings {
		if r.Score != nil {
			all = append(all, *r.Score)
		}
	}
	slices.Sort(all)
	return all
}

func knownScores(c mirror.Conversation) []int {
	var all []int
	for _, r := range c.KnownRatings() {
		if r.Score != nil {
			all = append(all, *r.Score)
		}
	}
	slices.Sort(all)
	return all
}

func TestImportEqualsDixa(t *testing.T) {
	t.Parallel()
	b := newImportBench(t, 400, server.Switches{}, 90*24*time.Hour)
	b.source(claim.DataSource{Title: "Everything", From: time.Now().AddDate(0, 0, -100)})
	i := b.importAll(claim.ImportRequest{})
	require.Equal(t, claim.AccessExports, i.Access, i.Why)
	require.Zero(t, i.Rejected)
	b.requireTruth(true)
	again := b.importAll(claim.ImportRequest{From: time.Now().AddDate(0, 0, -100)})
	require.Positive(t, again.Read)
	require.Zero(t, again.Added, "%+v", again)
	require.Zero(t, again.Changed, "%+v", again)
}

func (b *importBench) requireParked(err error, cause claim.Cause) {
	b.Helper()
	require.Error(b, err)
	app := applicationError(b, err)
	require.True(b, app.NonRetryable(), "%v", err)
	var park activities.Park
	require.NoError(b, app.Details(&park))
	require.Equal(b, cause, park.Cause, "%v", err)
}

// ids are the conversations in Dixa, oldest first.
func (b *importBench) ids() []int64 {
	var ids []int64
	for _, truth := range b.dixa.Truth() {
		ids = append(ids, truth.ID)
	}
	return ids
}

// written are the conversations that an agent can answer, oldest first.
func (b *importBench) written() []int64 {
	b.Helper()
	var ids []int64
	for _, truth := range b.dixa.Truth() {
		if (truth.Channel == "Email" || truth.Channel == "WidgetChat") && truth.AnonymizedAt.IsZero() {
			ids = append(ids, truth.ID)
		}
	}
	require.Greater(b, len(ids), 3)
	return ids
}

// act plays steps of an agent.
func (b *importBench) act(id int64, steps ...server.Step) {
	b.Helper()
	for _, s := range steps {
		s.Conversation = id
		require.NoError(b, b.dixa.Agent(b.Context(), s))
	}
}
