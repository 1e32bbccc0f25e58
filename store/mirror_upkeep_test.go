package store_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
)

func TestExpiredRecordsAreDeleted(t *testing.T) {
	t.Parallel()
	records := map[string]int{"conversations": 1, "messages": 3, "activities": 4}
	for name, test := range map[string]struct {
		source claim.DataSource
		change func(*claim.DataSource)
		// deleted says that the conversation is deleted, and figures that its figures stay.
		deleted, figures bool
	}{
		"young enough":                  {source: claim.DataSource{RetentionDays: 20}},
		"too old":                       {source: claim.DataSource{RetentionDays: 11}, deleted: true},
		"too old, figures stay":         {source: claim.DataSource{RetentionDays: 11, KeepFigures: true}, deleted: true, figures: true},
		"no retention":                  {source: claim.DataSource{KeepFigures: true}},
		"shorter history":               {change: func(d *claim.DataSource) { d.From = began.Add(time.Hour) }, deleted: true},
		"shorter history, figures stay": {change: func(d *claim.DataSource) { d.From, d.KeepFigures = began.Add(time.Hour), true }, deleted: true, figures: true},
		"another channel":               {change: func(d *claim.DataSource) { d.Channels, d.KeepFigures = []string{"Messenger"}, true }, deleted: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEach(t, func(t *testing.T, s *store.Store, now *clock) {
				connection := connect(t, s, "acme", "org-1").ID
				d := selecting(t, s, connection, test.source)
				accept(t, s, sample("1"))
				link(t, s, connection, "1", 8)
				for _, id := range []int64{7, 8} {
					merge(t, s, everything(t, connection, id))
				}
				n, err := s.Mirror.DeleteExpired(t.Context(), connection)
				require.NoError(t, err)
				require.Zero(t, n)
				if test.change != nil {
					test.change(&d)
					_, err = s.DataSources.Update(t.Context(), connection, d)
					require.NoError(t, err)
				}
				now.Turn(2 * 24 * time.Hour)
				before := storedFigures(t, s, connection, 7)
				for _, want := range []int{map[bool]int{true: 1}[test.deleted], 0} {
					n, err = s.Mirror.DeleteExpired(t.Context(), connection)
					require.NoError(t, err)
					require.Equal(t, want, n)
				}
				require.Equal(t, records, stored(t, s, connection, 8, "conversations", "messages", "activities"), "the conversation of a claim was deleted")
				require.Equal(t, "u-1", storedFigures(t, s, connection, 8).RequesterID)
				if !test.deleted {
					require.Equal(t, records, stored(t, s, connection, 7, "conversations", "messages", "activities"))
					return
				}
				require.Empty(t, stored(t, s, connection, 7, "conversations", "messages", "activities"))
				if !test.figures {
					require.Empty(t, stored(t, s, connection, 7, mirrorTables...))
					return
				}
				before.RequesterID = ""
				require.Equal(t, before, storedFigures(t, s, connection, 7), "figures stay, but not whose they are")
			})
		})
	}
}

// News of a conversation that is too old delete it like the deletion of expired
// records does.
func TestNewsOfExpiredConversationLeavesItsFigures(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		connection := connect(t, s, "acme", "org-1").ID
		selecting(t, s, connection, claim.DataSource{RetentionDays: 11, KeepFigures: true})
		merge(t, s, everything(t, connection, 7))
		now.Turn(2 * 24 * time.Hour)
		for range 2 {
			merge(t, s, facts(connection, exported(7, later(func(row *dixa.ExportedConversation) { row.Subject = "again" }))))
			require.Equal(t, map[string]int{"figures": 1}, stored(t, s, connection, 7, "conversations", "messages", "activities", "figures"))
		}
	})
}

func TestExpiredRecordsAreDeletedInBatches(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		connection := connect(t, s, "acme", "org-1").ID
		selecting(t, s, connection, claim.DataSource{RetentionDays: 11})
		const conversations = 1100 // exceeds two batches
		var all []store.ConversationFact
		for id := range int64(conversations) {
			all = append(all, exported(1+id, nil))
		}
		require.Equal(t, conversations, merge(t, s, facts(connection, all...)).Conversations.Added)
		now.Turn(2 * 24 * time.Hour)
		n, err := s.Mirror.DeleteExpired(t.Context(), connection)
		require.NoError(t, err)
		require.Equal(t, conversations, n)
		require.Zero(t, value[int](t, s, `SELECT COUNT(*) FROM conversations`))
	})
}

// Once Dixa has anonymized a conversation, no record of it has personal data,
// whatever is read later.
func TestAnonymizedConversationHasNoPersonalData(t *testing.T) {
	t.Parallel()
	onEachMirror(t, func(t *testing.T, s *store.Store, _ *clock, connection string) {
		anonymous := exported(7, later(func(row *dixa.ExportedConversation) { row.AnonymizedAt = row.UpdatedAt }))
		require.False(t, anonymous.AnonymizedAt.IsZero())
		batch := everything(t, connection, 7)
		check := func() {
			t.Helper()
			c, err := s.Mirror.Conversation(t.Context(), connection, 7)
			require.NoError(t, err)
			messages, err := s.Mirror.Messages(t.Context(), connection, 7)
			require.NoError(t, err)
			require.Len(t, messages, 3)
			activities, err := s.Mirror.Activities(t.Context(), connection, 7)
			require.NoError(t, err)
			require.Len(t, activities, 4)
			text := asJSON(t, []any{c, messages, activities})
			for _, personal := range []string{"Ada", "ada@", "vase", "call back", "author_name"} {
				require.NotContains(t, text, personal)
			}
			require.Contains(t, text, `"vip"`, "the name of a tag is no personal data")
			require.Equal(t, derived(t, s, connection, 7), storedFigures(t, s, connection, 7))
			require.Equal(t, 1, *storedFigures(t, s, connection, 7).AgentReplies)
		}
		merge(t, s, batch)
		change := lastChange(t, s, connection)
		merge(t, s, facts(connection, anonymous))
		check()
		require.Equal(t, change+8, lastChange(t, s, connection), "every record changed")
		for range 2 {
			change = lastChange(t, s, connection)
			merge(t, s, batch)
			check()
			require.Equal(t, change, lastChange(t, s, connection), "known records changed again")
		}

		// Records that come first, or only later.
		for id, order := range map[int64][]store.MirrorBatch{
			8: {facts(connection, exported(8, func(row *dixa.ExportedConversation) { row.AnonymizedAt = row.UpdatedAt })), {ConnectionID: connection, Messages: messagesOf(t, 8)}},
			9: {{ConnectionID: connection, Messages: messagesOf(t, 9), Unknown: true}, facts(connection, exported(9, func(row *dixa.ExportedConversation) { row.AnonymizedAt = row.UpdatedAt }))},
		} {
			for _, b := range order {
				merge(t, s, b)
			}
			messages, err := s.Mirror.Messages(t.Context(), connection, id)
			require.NoError(t, err)
			require.Len(t, messages, 3)
			require.NotContains(t, asJSON(t, messages), "vase")
		}
	})
}

// Messages from before the columns of figures existed have them only in their bodies.
func TestFiguresOfMessagesStoredEarlier(t *testing.T) {
	t.Parallel()
	onEachMirror(t, func(t *testing.T, s *store.Store, _ *clock, connection string) {
		merge(t, s, everything(t, connection, 7))
		want := storedFigures(t, s, connection, 7)
		for _, change := range []string{
			`UPDATE messages SET kind = '', direction = '', author_id = '', automated = NULL`, `DELETE FROM figures`, `UPDATE conversations SET figures_due = TRUE`,
		} {
			_, err := s.DB().ExecContext(t.Context(), change)
			require.NoError(t, err)
		}
		n, err := s.Mirror.ComputeFigures(t.Context(), connection, 10)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.Equal(t, want, storedFigures(t, s, connection, 7))
	})
}

// withNotes returns a row of the export with a number of notes. One with more is newer.
func withNotes(id int64, notes int) store.ConversationFact {
	return exported(id, func(row *dixa.ExportedConversation) {
		row.UpdatedAt, row.WrapupNotes = dixa.NewTime(began.Add(time.Duration(1+notes)*time.Hour)), make([]string, notes)
	})
}

func requireNotesDue(t *testing.T, s *store.Store, connection string, want ...int64) {
	t.Helper()
	due, err := s.Mirror.NotesDue(t.Context(), connection, 0, 100)
	require.NoError(t, err)
	require.Equal(t, want, due)
}

// Notes are due while an export counts more than are known, but once they were read
// only if it counts another number.
func TestNotesAreReadIfSomeAreMissing(t *testing.T) {
	t.Parallel()
	onEachMirror(t, func(t *testing.T, s *store.Store, _ *clock, connection string) {
		ctx := t.Context()
		note := func(id int64, n int) mirror.Message {
			return mirror.NoteFromList(id, &dixa.Note{ID: fmt.Sprint("n-", id, "-", n), CreatedAt: dixa.NewTime(began), Message: "call back"}, began.Add(time.Hour))
		}
		merge(t, s, facts(connection, withNotes(1, 2), withNotes(2, 2), withNotes(3, 2), withNotes(4, 2), withNotes(5, 0)))
		requireNotesDue(t, s, connection, 1, 2, 3, 4)
		for _, page := range []struct {
			after int64
			want  []int64
		}{{0, []int64{1, 2}}, {2, []int64{3, 4}}, {4, nil}} {
			due, err := s.Mirror.NotesDue(ctx, connection, page.after, 2)
			require.NoError(t, err)
			require.Equal(t, page.want, due)
		}

		// Notes may also come from elsewhere.
		merge(t, s, store.MirrorBatch{ConnectionID: connection, Messages: []mirror.Message{note(1, 1), note(2, 1), note(2, 2), note(5, 1)}})
		requireNotesDue(t, s, connection, 1, 3, 4)

		// Whatever the list has, it is not read again for the same number.
		require.NoError(t, s.Mirror.NotesRead(ctx, connection, 1))
		require.NoError(t, s.Mirror.MessagesRead(ctx, connection, 3))
		require.NoError(t, s.Mirror.NotesRead(ctx, connection, 99))
		requireNotesDue(t, s, connection, 4)
		for _, id := range []int64{1, 3} {
			changed := withNotes(id, 2)
			changed.At, changed.Tags = changed.At.Add(time.Minute), []string{"changed"}
			merge(t, s, facts(connection, changed))
		}
		requireNotesDue(t, s, connection, 4)

		b := facts(connection, withNotes(1, 3), withNotes(2, 3), withNotes(3, 2))
		b.Later = true
		merge(t, s, b)
		requireNotesDue(t, s, connection, 4)
		_, err := s.Mirror.ComputeFigures(ctx, connection, 10)
		require.NoError(t, err)
		requireNotesDue(t, s, connection, 1, 2, 4)
		require.NoError(t, s.Mirror.NotesRead(ctx, connection, 2))
		merge(t, s, store.MirrorBatch{ConnectionID: connection, Messages: []mirror.Message{note(1, 2), note(1, 3)}})
		requireNotesDue(t, s, connection, 4)
	})
}

// Notes that no source selects are not asked for, except those of claims.
func TestNotesAreDueOnlyIfSelected(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, _ *clock) {
		connection := connect(t, s, "acme", "org-1").ID
		d := selecting(t, s, connection, claim.DataSource{Streams: []claim.Stream{claim.StreamConversations}})
		merge(t, s, facts(connection, withNotes(1, 1), withNotes(2, 1), withNotes(3, 1)))
		requireNotesDue(t, s, connection)
		accept(t, s, sample("1"))
		link(t, s, connection, "1", 3)
		requireNotesDue(t, s, connection, 3)
		due, err := s.Mirror.NotesDue(t.Context(), connection, 0, 1)
		require.NoError(t, err)
		require.Equal(t, []int64{3}, due, "what is left out does not end the list")
		d.Streams = nil
		_, err = s.DataSources.Update(t.Context(), connection, d)
		require.NoError(t, err)
		requireNotesDue(t, s, connection, 1, 2, 3)
	})
}

func TestDirectory(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		ctx, connection := t.Context(), connect(t, s, "acme", "org-1").ID
		anna := mirror.DirectoryEntry{ID: "a-1", Name: "Anna", Object: json.RawMessage(`{"id":"a-1","displayName":"Anna"}`)}
		team := mirror.DirectoryEntry{ID: "a-1", Name: "First line", MemberIDs: []string{"a-1"}}
		save := func(kind mirror.DirectoryKind, want store.MirrorCounts, entries ...mirror.DirectoryEntry) {
			t.Helper()
			counts, err := s.Mirror.SaveDirectory(ctx, connection, kind, entries, now.Now())
			require.NoError(t, err)
			require.Equal(t, want, counts)
		}
		list := func(kind mirror.DirectoryKind) []mirror.DirectoryEntry {
			t.Helper()
			entries, err := s.Mirror.Directory(ctx, connection, kind)
			require.NoError(t, err)
			return entries
		}
		gone := func(id string) int64 {
			t.Helper()
			return value[int64](t, s, `SELECT gone_at FROM directory WHERE connection_id = $1 AND kind = 'agent' AND id = $2`, connection, id)
		}
		save(mirror.KindAgent, store.MirrorCounts{})
		save(mirror.KindAgent, store.MirrorCounts{Added: 2}, anna, mirror.DirectoryEntry{ID: "a-2", Name: "Ben"}, mirror.DirectoryEntry{ID: "a-2", Name: "Benjamin"})
		save(mirror.KindTeam, store.MirrorCounts{Added: 1}, team)
		save(mirror.KindAgent, store.MirrorCounts{}, anna)
		anna.Kind, team.Kind = mirror.KindAgent, mirror.KindTeam
		require.Equal(t, []mirror.DirectoryEntry{anna, {Kind: mirror.KindAgent, ID: "a-2", Name: "Ben"}}, list(mirror.KindAgent))
		require.Equal(t, []mirror.DirectoryEntry{team}, list(mirror.KindTeam))
		require.Empty(t, list(mirror.KindQueue))

		now.Turn(time.Minute)
		anna.Name = "Anna B."
		save(mirror.KindAgent, store.MirrorCounts{Changed: 1}, anna)
		require.NoError(t, s.Mirror.MarkGone(ctx, connection, mirror.KindAgent, now.Now()))
		require.NoError(t, s.Mirror.MarkGone(ctx, connection, mirror.KindQueue, now.Now()))
		require.Zero(t, gone("a-1"))
		first := gone("a-2")
		require.Equal(t, now.Now().UnixMicro(), first)
		require.Len(t, list(mirror.KindAgent), 2, "entries that are gone are still listed")
		now.Turn(time.Minute)
		require.NoError(t, s.Mirror.MarkGone(ctx, connection, mirror.KindAgent, now.Now().Add(-time.Minute)))
		require.Equal(t, first, gone("a-2"))
		save(mirror.KindAgent, store.MirrorCounts{Added: 1}, mirror.DirectoryEntry{ID: "a-2", Name: "Ben"})
		require.Zero(t, gone("a-2"), "an entry that Dixa lists again is not gone")
		require.Zero(t, value[int](t, s, `SELECT COUNT(*) FROM directory WHERE kind = 'team' AND gone_at > 0`))
	})
}

// Events of conversations without a claim reach the mirror when they are joined, if a
// source selects the conversation.
func TestEventsOfUnlinkedConversationsReachTheMirror(t *testing.T) {
	t.Parallel()
	event := func(id, fqn string, conversation int64, after time.Duration, queue, data string) store.DixaEvent {
		at := began.Add(after)
		return store.DixaEvent{
			ID: id, Name: fqn, ConversationID: conversation, HappenedAt: at, Organization: store.Organization{ID: "org-1"},
			Body: fmt.Appendf(nil, `{"event_id": %q, "event_fqn": %q, "event_version": "1", "event_timestamp": %q, "data": {%s "conversation": {
				"csid": %d, "channel": "EMAIL", "status": "OPEN", "direction": "INBOUND", "created_at": %q, "queue": {"id": %q}}}}`,
				id, fqn, at.Format(time.RFC3339), data, conversation, began.Format(time.RFC3339), queue),
		}
	}
	onEach(t, func(t *testing.T, s *store.Store, _ *clock) {
		connection := connect(t, s, "acme", "org-1").ID
		send := func(id string, conversation int64, queue string) {
			receive(t, s, connection, event(id+"-1", "CONVERSATION_CREATED", conversation, 0, queue, ""))
			receive(t, s, connection, event(id+"-2", "CONVERSATION_MESSAGE_ADDED", conversation, time.Second, queue, fmt.Sprintf(
				`"message_id": "m-%s", "text": "Hello", "direction": "INBOUND", "channel": "EMAIL", "author": {"id": "u-1"},`, id)))
		}
		send("before", 5, "q-1")
		joinAll(t, s, 10)
		require.Empty(t, stored(t, s, connection, 5, mirrorTables...), "no source selects it")

		selecting(t, s, connection, claim.DataSource{QueueIDs: []string{"q-1"}})
		accept(t, s, sample("1"))
		link(t, s, connection, "1", 8)
		send("selected", 6, "q-1")
		send("excluded", 7, "q-2")
		send("claim's", 8, "q-1")
		receive(t, s, connection, event("of none", "USER_CREATED", 0, 0, "q-1", ""))
		receive(t, s, connection, store.DixaEvent{ID: "unreadable", ConversationID: 6, HappenedAt: began, Organization: store.Organization{ID: "org-1"}, Body: []byte("{")})
		joinAll(t, s, 3)
		joinAll(t, s, 3)
		require.Equal(t, map[string]int{"conversations": 1, "messages": 1, "figures": 1}, stored(t, s, connection, 6, "conversations", "messages", "figures"))
		require.Empty(t, stored(t, s, connection, 7, mirrorTables...))
		require.Empty(t, stored(t, s, connection, 8, mirrorTables...), "its claim's workflow applies the events")
		require.Len(t, eventsOf(t, s, "1"), 2)
		c, err := s.Mirror.Conversation(t.Context(), connection, 6)
		require.NoError(t, err)
		require.Equal(t, claim.ConversationOpen, c.Status)
		require.Equal(t, began, c.Origin.CreatedAt)
		require.Equal(t, derived(t, s, connection, 6), storedFigures(t, s, connection, 6))
		require.Equal(t, 1, *storedFigures(t, s, connection, 6).CustomerMessages)

		// A link that comes later gets the events again; the mirror has them already.
		change := lastChange(t, s, connection)
		accept(t, s, sample("2"))
		link(t, s, connection, "2", 6)
		joinAll(t, s, 3)
		require.ElementsMatch(t, []string{"selected-1", "selected-2", "unreadable"}, eventsOf(t, s, "2"))
		require.Equal(t, change, lastChange(t, s, connection))
	})
}

func TestExportsToken(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, _ *clock) {
		ctx := t.Context()
		c, err := s.Connections.SaveToken(ctx, "acme", tokenA, store.Organization{ID: "org-1"})
		require.NoError(t, err)
		uses := func(want string) {
			t.Helper()
			token, hash, err := s.Connections.ExportsToken(ctx, c.ID)
			require.NoError(t, err)
			require.Equal(t, want, token)
			require.Equal(t, s.Connections.TokenHash(want), hash)
		}
		uses(tokenA)
		preview, err := s.Connections.ExportsTokenPreview(ctx, c.ID)
		require.NoError(t, err)
		require.Empty(t, preview)
		require.NoError(t, s.Connections.SaveExportsToken(ctx, c.ID, tokenB))
		uses(tokenB)
		preview, err = s.Connections.ExportsTokenPreview(ctx, c.ID)
		require.NoError(t, err)
		require.Equal(t, "dx-…2222", preview)
		require.NoError(t, s.Connections.SaveExportsToken(ctx, c.ID, ""))
		uses(tokenA)
		_, _, err = s.Connections.ExportsToken(ctx, "unknown")
		require.ErrorIs(t, err, store.ErrNotFound)
		require.Error(t, s.Connections.SaveExportsToken(ctx, "unknown", tokenB))
	})
}
