package store_test

import (
	"database/sql"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
)

func TestOnlySelectedRecordsAreStored(t *testing.T) {
	t.Parallel()
	all := map[string]int{"conversations": 1, "messages": 3, "activities": 4, "figures": 1}
	for name, test := range map[string]struct {
		sources []claim.DataSource
		linked  bool
		want    map[string]int
	}{
		"no source":                             {},
		"everything":                            {sources: []claim.DataSource{{}}, want: all},
		"channel":                               {sources: []claim.DataSource{{Channels: []string{"EMAIL", "Messenger"}}}, want: all},
		"another channel":                       {sources: []claim.DataSource{{Channels: []string{"Messenger"}}}},
		"queue":                                 {sources: []claim.DataSource{{QueueIDs: []string{"q-2", "q-1"}}}, want: all},
		"another queue":                         {sources: []claim.DataSource{{QueueIDs: []string{"q-2"}}}},
		"from before it began":                  {sources: []claim.DataSource{{From: began}}, want: all},
		"from after it began":                   {sources: []claim.DataSource{{From: began.Add(time.Second)}}},
		"by its last activity":                  {sources: []claim.DataSource{{From: began.Add(time.Second), Date: claim.DateActivity}}, want: all},
		"retention":                             {sources: []claim.DataSource{{RetentionDays: 11}}, want: all},
		"retention passed":                      {sources: []claim.DataSource{{RetentionDays: 9}}},
		"conversations only":                    {sources: []claim.DataSource{{Streams: []claim.Stream{claim.StreamConversations}}}, want: map[string]int{"conversations": 1, "figures": 1}},
		"messages":                              {sources: []claim.DataSource{{Streams: []claim.Stream{claim.StreamConversations, claim.StreamMessages}}}, want: map[string]int{"conversations": 1, "messages": 3, "figures": 1}},
		"two sources":                           {sources: []claim.DataSource{{Streams: []claim.Stream{claim.StreamMessages}}, {Streams: []claim.Stream{claim.StreamActivityLogs}}}, want: all},
		"stream of another one":                 {sources: []claim.DataSource{{Streams: []claim.Stream{claim.StreamConversations}}, {Channels: []string{"Messenger"}}}, want: map[string]int{"conversations": 1, "figures": 1}},
		"conversation of a claim":               {linked: true, want: all},
		"conversation of a claim, not selected": {sources: []claim.DataSource{{QueueIDs: []string{"q-2"}}}, linked: true, want: all},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEach(t, func(t *testing.T, s *store.Store, _ *clock) {
				c := connect(t, s, "acme", "org-1")
				for _, d := range test.sources {
					selecting(t, s, c.ID, d)
				}
				if test.linked {
					accept(t, s, sample("1"))
					link(t, s, c.ID, "1", 7)
				}
				result := merge(t, s, everything(t, c.ID, 7))
				want := map[string]int{}
				for table, n := range test.want {
					want[table] = n
				}
				require.Equal(t, want, stored(t, s, c.ID, 7, "conversations", "messages", "activities", "figures"))
				counts := func(n int, of store.MirrorCounts, total int) {
					require.Equal(t, n, of.Added)
					require.Zero(t, of.Changed)
					require.Equal(t, total-n, of.Excluded)
				}
				counts(want["conversations"], result.Conversations, 1)
				counts(want["messages"], result.Messages, 3)
				counts(want["activities"], result.Activities, 4)
			})
		})
	}
}

func TestRepeatedBatchChangesNothing(t *testing.T) {
	t.Parallel()
	onEachMirror(t, func(t *testing.T, s *store.Store, now *clock, connection string) {
		accept(t, s, sample("1"))
		link(t, s, connection, "1", 8)
		batch := store.MirrorBatch{ConnectionID: connection, Reread: true}
		for id := range int64(3) {
			b := everything(t, connection, 7+id)
			batch.Facts, batch.Messages, batch.Activities = append(batch.Facts, b.Facts...), append(batch.Messages, b.Messages...), append(batch.Activities, b.Activities...)
		}
		result := merge(t, s, batch)
		require.Equal(t, store.MirrorResult{
			Conversations: store.MirrorCounts{Added: 3}, Messages: store.MirrorCounts{Added: 9}, Activities: store.MirrorCounts{Added: 12},
		}, result)
		change, before := lastChange(t, s, connection), load(t, s, ref("1"))
		now.Turn(time.Hour)
		// A later read of the same records says nothing new.
		for i := range batch.Facts {
			if batch.Facts[i].Weight == claim.WeightRefreshed {
				batch.Facts[i].Stamp.ID += " again"
			}
		}
		for i := range batch.Messages {
			batch.Messages[i].ReadAt = batch.Messages[i].ReadAt.Add(time.Hour)
		}
		require.Equal(t, store.MirrorResult{}, merge(t, s, batch))
		require.Equal(t, change, lastChange(t, s, connection))
		require.Equal(t, before, load(t, s, ref("1")))
		due, err := s.Mirror.MessagesDue(t.Context(), connection, 0, 10)
		require.NoError(t, err)
		require.Empty(t, due)
	})
}

func TestRecordsMayPrecedeTheirConversation(t *testing.T) {
	t.Parallel()
	onEachMirror(t, func(t *testing.T, s *store.Store, now *clock, connection string) {
		batch := everything(t, connection, 7)
		records := store.MirrorBatch{ConnectionID: connection, Messages: batch.Messages, Activities: batch.Activities}
		result := merge(t, s, records)
		require.Equal(t, 3, result.Messages.Excluded)
		require.Equal(t, 4, result.Activities.Excluded)
		records.Unknown = true
		result = merge(t, s, records)
		require.Equal(t, 3, result.Messages.Added)
		require.Equal(t, 4, result.Activities.Added)
		require.Empty(t, stored(t, s, connection, 7, "conversations", "figures"))

		merge(t, s, facts(connection, batch.Facts...))
		figures := storedFigures(t, s, connection, 7)
		require.Equal(t, derived(t, s, connection, 7), figures)
		require.Equal(t, 1, *figures.AgentReplies)
		require.Equal(t, 1, *figures.Closes)

		// Without their conversation, records stay for a while.
		accept(t, s, sample("1"))
		link(t, s, connection, "1", 9)
		for _, id := range []int64{8, 9} {
			b := everything(t, connection, id)
			b.Facts, b.Unknown = nil, true
			merge(t, s, b)
		}
		both := map[string]int{"messages": 3, "activities": 4}
		require.NoError(t, s.Mirror.DeleteOrphans(t.Context(), connection))
		require.Equal(t, both, stored(t, s, connection, 8, "messages", "activities"))
		now.Turn(store.OrphanGrace + time.Second)
		require.NoError(t, s.Mirror.DeleteOrphans(t.Context(), connection))
		require.Empty(t, stored(t, s, connection, 8, "messages", "activities"))
		require.Equal(t, both, stored(t, s, connection, 7, "messages", "activities"), "records with a conversation were deleted")
		require.Equal(t, both, stored(t, s, connection, 9, "messages", "activities"), "records of a claim were deleted")
	})
}

func TestPreviewReportsWhatAFactWouldChange(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, _ *clock) {
		ctx, connection := t.Context(), connect(t, s, "acme", "org-1").ID
		selecting(t, s, connection, claim.DataSource{QueueIDs: []string{"q-1"}})
		preview := func(want store.Change, f store.ConversationFact, message string) {
			t.Helper()
			got, err := s.Mirror.Preview(ctx, connection, f)
			require.NoError(t, err)
			require.Equal(t, want, got, message)
		}
		moved := later(func(row *dixa.ExportedConversation) { row.QueueID = "q-2" })
		preview(store.ChangeSome, exported(7, nil), "unknown conversation")
		preview(store.ChangeExcluded, exported(7, moved), "unknown conversation that no source selects")
		require.Zero(t, value[int](t, s, `SELECT COUNT(*) FROM conversations`), "a preview stored something")

		merge(t, s, facts(connection, exported(7, nil)))
		preview(store.ChangeNone, exported(7, nil), "known fact")
		preview(store.ChangeSome, exported(7, later(func(row *dixa.ExportedConversation) { row.Status = "closed" })), "news")
		preview(store.ChangeExcluded, exported(7, moved), "move to a queue that no source selects")
		require.Equal(t, "q-1", storedFigures(t, s, connection, 7).QueueID)

		b := facts(connection, exported(7, later(func(row *dixa.ExportedConversation) { row.Status = "closed" })))
		b.Reread = true
		merge(t, s, b)
		preview(store.ChangeSome, b.Facts[0], "its messages have to be read again")
		require.NoError(t, s.Mirror.MessagesRead(ctx, connection, 7))
		preview(store.ChangeNone, b.Facts[0], "known fact")

		accept(t, s, sample("1"))
		link(t, s, connection, "1", 8)
		preview(store.ChangeSome, exported(8, moved), "conversation of a claim")
	})
}

func TestFiguresCanBeComputedLater(t *testing.T) {
	t.Parallel()
	onEachMirror(t, func(t *testing.T, s *store.Store, _ *clock, connection string) {
		for id := range int64(5) {
			b := everything(t, connection, 1+id)
			b.Later = true
			merge(t, s, b)
			require.Empty(t, stored(t, s, connection, 1+id, "figures", "figure_events", "conversation_tags"))
		}
		for _, want := range []int{5, 0} {
			n, err := s.Mirror.ComputeFigures(t.Context(), connection, 2)
			require.NoError(t, err)
			require.Equal(t, want, n)
		}
		for id := range int64(5) {
			require.Equal(t, derived(t, s, connection, 1+id), storedFigures(t, s, connection, 1+id))
		}

		// A late message outdates the figures too.
		message := messagesOf(t, 3)[1]
		message.ID, message.At = "late", began.Add(3*time.Minute)
		merge(t, s, store.MirrorBatch{ConnectionID: connection, Messages: []mirror.Message{message}, Later: true})
		require.Equal(t, 1, *storedFigures(t, s, connection, 3).AgentReplies)
		n, err := s.Mirror.ComputeFigures(t.Context(), connection, 10)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.Equal(t, 2, *storedFigures(t, s, connection, 3).AgentReplies)
	})
}

// Whatever arrives in whatever order, the figures in the tables are those of the
// stored records.
func TestStoredFiguresAreThoseOfTheRecords(t *testing.T) {
	t.Parallel()
	score := 4
	rows := []store.ConversationFact{
		exported(7, nil),
		exported(7, later(func(row *dixa.ExportedConversation) {
			row.Status, row.ClosedAt, row.AssigneeID, row.AssignedAt = "closed", dixa.NewTime(began.Add(time.Hour)), "a-1", dixa.NewTime(began.Add(30*time.Second))
			row.Tags, row.TotalDuration = []string{"claim", "zero\x00byte"}, ptr(int64(3600))
			row.Ratings = []dixa.ExportedRating{{
				Type: "csat", Status: "rated", Score: &score, Message: "Thanks", CreatedAt: dixa.NewTime(began.Add(time.Hour)), RatedAt: dixa.NewTime(began.Add(90 * time.Minute)),
			}}
		})),
	}
	onEachMirror(t, func(t *testing.T, s *store.Store, _ *clock, connection string) {
		all := everything(t, connection, 7)
		var steps []store.MirrorBatch
		for _, f := range append(rows, all.Facts...) {
			steps = append(steps, facts(connection, f))
		}
		for _, m := range all.Messages {
			steps = append(steps, store.MirrorBatch{ConnectionID: connection, Messages: []mirror.Message{m}, Unknown: true})
		}
		for _, a := range all.Activities {
			steps = append(steps, store.MirrorBatch{ConnectionID: connection, Activities: []mirror.Activity{a}, Unknown: true})
		}
		for _, i := range rand.New(rand.NewPCG(1, 2)).Perm(len(steps)) {
			merge(t, s, steps[i])
			if len(stored(t, s, connection, 7, "conversations")) == 0 {
				continue
			}
			want := derived(t, s, connection, 7)
			for i, tag := range want.Tags {
				want.Tags[i] = strings.ReplaceAll(tag, "\x00", "")
			}
			require.Equal(t, want, storedFigures(t, s, connection, 7))
		}
		figures := storedFigures(t, s, connection, 7)
		require.Equal(t, 1, *figures.Closes)
		require.Equal(t, "a-1", figures.FirstResponseBy)
		require.Equal(t, 30*time.Second, *figures.QueueTime)
		require.True(t, slices.ContainsFunc(figures.Events, func(e mirror.FigureEvent) bool { return e.Kind == mirror.KindRated && e.Value == 4 }))
		require.Equal(t, 1, value[int](t, s, `SELECT COUNT(*) FROM figure_events WHERE kind = 'closed' AND channel = 'Email' AND direction = 'inbound' AND created_at = $1`, began.UnixMicro()))
	})
}

func ptr[T any](v T) *T { return &v }

func TestImportedFactNudgesItsClaim(t *testing.T) {
	t.Parallel()
	onEachMirror(t, func(t *testing.T, s *store.Store, _ *clock, connection string) {
		accept(t, s, sample("1"))
		change(t, s, ref("1"), claim.EventStart)
		link(t, s, connection, "1", 7)
		revision := load(t, s, ref("1")).Revision
		merge(t, s, facts(connection, exported(7, nil)))
		require.Equal(t, revision, load(t, s, ref("1")).Revision, "a claim that is being opened does not follow its conversation yet")
		change(t, s, ref("1"), claim.EventOpened)
		told(t, s)
		before := load(t, s, ref("1"))

		merge(t, s, facts(connection, exported(7, later(func(row *dixa.ExportedConversation) { row.Subject = "Broken vase, again" }))))
		require.Equal(t, before.Revision, load(t, s, ref("1")).Revision, "a claim does not follow the subject")
		require.False(t, load(t, s, ref("1")).Unread)

		closes := exported(7, later(func(row *dixa.ExportedConversation) {
			row.Status, row.ClosedAt = "closed", dixa.NewTime(began.Add(3*time.Hour))
		}))
		merge(t, s, facts(connection, closes))
		after := load(t, s, ref("1"))
		require.Greater(t, after.Revision, before.Revision)
		require.True(t, after.RulesDue)
		require.Equal(t, claim.ConversationClosed, after.Conversation.Status)
		require.Len(t, unsignalled(t, s, 10), 1)
		merge(t, s, facts(connection, closes))
		require.Equal(t, after.Revision, load(t, s, ref("1")).Revision)
	})
}

func TestConversationThatNoSourceSelectsAnyMoreIsDeleted(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, _ *clock) {
		connection := connect(t, s, "acme", "org-1").ID
		selecting(t, s, connection, claim.DataSource{QueueIDs: []string{"q-1"}, KeepFigures: true})
		merge(t, s, everything(t, connection, 7))
		merge(t, s, everything(t, connection, 8))
		require.Len(t, stored(t, s, connection, 7, mirrorTables...), len(mirrorTables))
		moved := exported(7, later(func(row *dixa.ExportedConversation) { row.QueueID = "q-2" }))
		result := merge(t, s, store.MirrorBatch{ConnectionID: connection, Facts: []store.ConversationFact{moved}, Messages: messagesOf(t, 7)})
		require.Equal(t, 1, result.Conversations.Excluded)
		require.Equal(t, 3, result.Messages.Excluded)
		require.Empty(t, stored(t, s, connection, 7, mirrorTables...))
		require.Len(t, stored(t, s, connection, 8, mirrorTables...), len(mirrorTables))

		// The conversation of a claim stays.
		accept(t, s, sample("1"))
		link(t, s, connection, "1", 8)
		moved.ID = 8
		merge(t, s, facts(connection, moved))
		require.Equal(t, "q-2", storedFigures(t, s, connection, 8).QueueID)
	})
}

func TestChangesAreNumberedInOrder(t *testing.T) {
	t.Parallel()
	onEachMirror(t, func(t *testing.T, s *store.Store, now *clock, connection string) {
		numbers := func() map[string]int64 {
			all, taken := map[string]int64{}, map[int64]string{}
			for table, key := range map[string]string{
				"conversations": "conversation_id", "messages": "id", "activities": "id", "directory": "id",
			} {
				each(t, s, func(rows *sql.Rows) {
					var id string
					var n int64
					require.NoError(t, rows.Scan(&id, &n))
					id = table + " " + id
					require.Positive(t, n, id)
					require.Empty(t, taken[n], "%s has the number of another row", id)
					all[id], taken[n] = n, id
				}, `SELECT `+key+`, change FROM `+table+` WHERE connection_id = $1`, connection)
			}
			return all
		}
		before, last := map[string]int64{}, int64(0)
		step := func(changed ...string) {
			t.Helper()
			after := numbers()
			for id, n := range after {
				if slices.Contains(changed, id) {
					require.Greater(t, n, last, id)
				} else {
					require.Equal(t, before[id], n, id)
				}
				require.LessOrEqual(t, n, lastChange(t, s, connection))
			}
			before, last = after, lastChange(t, s, connection)
		}
		merge(t, s, everything(t, connection, 7))
		merge(t, s, everything(t, connection, 8))
		before, last = numbers(), lastChange(t, s, connection)
		require.Len(t, before, 2*(1+3+4))
		merge(t, s, everything(t, connection, 7))
		step()
		merge(t, s, facts(connection, exported(8, later(func(row *dixa.ExportedConversation) { row.Status = "closed" }))))
		step("conversations 8")
		b := store.MirrorBatch{ConnectionID: connection, Messages: messagesOf(t, 7)}
		b.Messages[0].Text, b.Messages[0].ReadAt = "edited", b.Messages[0].ReadAt.Add(time.Hour)
		merge(t, s, b)
		step("messages m-7")
		agents := []mirror.DirectoryEntry{{ID: "a-1", Name: "Anna"}, {ID: "a-2", Name: "Ben"}}
		_, err := s.Mirror.SaveDirectory(t.Context(), connection, mirror.KindAgent, agents, now.Now())
		require.NoError(t, err)
		step("directory a-1", "directory a-2")
		now.Turn(time.Minute)
		_, err = s.Mirror.SaveDirectory(t.Context(), connection, mirror.KindAgent, agents[:1], now.Now())
		require.NoError(t, err)
		step()
		require.NoError(t, s.Mirror.MarkGone(t.Context(), connection, mirror.KindAgent, now.Now()))
		step("directory a-2")
	})
}

func TestMessagesAreReadAgain(t *testing.T) {
	t.Parallel()
	onEachMirror(t, func(t *testing.T, s *store.Store, _ *clock, connection string) {
		due := func(after int64, limit int) []int64 {
			ids, err := s.Mirror.MessagesDue(t.Context(), connection, after, limit)
			require.NoError(t, err)
			return ids
		}
		closes := later(func(row *dixa.ExportedConversation) { row.Status = "closed" })
		for id := range int64(4) {
			merge(t, s, facts(connection, exported(1+id, nil)))
			b := facts(connection, exported(1+id, closes))
			b.Reread = id != 1
			merge(t, s, b)
		}
		require.Equal(t, []int64{1, 3, 4}, due(0, 10))
		require.Equal(t, []int64{1, 3}, due(0, 2))
		require.Equal(t, []int64{4}, due(3, 10))
		require.NoError(t, s.Mirror.MessagesRead(t.Context(), connection, 3))
		require.NoError(t, s.Mirror.MessagesRead(t.Context(), connection, 99))
		merge(t, s, facts(connection, exported(3, closes)))
		require.Equal(t, []int64{1, 4}, due(0, 10))
	})
}

// Several writers at once lose nothing of a conversation.
func TestConcurrentMergesConverge(t *testing.T) {
	t.Parallel()
	onEachMirror(t, func(t *testing.T, s *store.Store, _ *clock, connection string) {
		accept(t, s, sample("1"))
		change(t, s, ref("1"), claim.EventStart)
		link(t, s, connection, "1", 7)
		change(t, s, ref("1"), claim.EventOpened)
		batch := everything(t, connection, 7)
		var steps []store.MirrorBatch
		for i, f := range append(batch.Facts, exported(7, later(func(row *dixa.ExportedConversation) { row.Status, row.Tags = "closed", []string{"done"} }))) {
			steps = append(steps, store.MirrorBatch{ConnectionID: connection, Facts: []store.ConversationFact{f}, Later: i%2 == 0})
		}
		for _, m := range batch.Messages {
			told := m
			told.Version, told.Text, told.HTML = mirror.Version{ReadAt: began}, "as told", ""
			steps = append(steps, store.MirrorBatch{ConnectionID: connection, Messages: []mirror.Message{m}}, store.MirrorBatch{ConnectionID: connection, Messages: []mirror.Message{told}})
		}
		for _, a := range batch.Activities {
			steps = append(steps, store.MirrorBatch{ConnectionID: connection, Activities: []mirror.Activity{a}})
		}
		addShop(t, s, "sister")
		other := connect(t, s, "sister", "org-2").ID
		selecting(t, s, other, claim.DataSource{})
		for _, step := range steps {
			step.ConnectionID, step.Unknown = other, true
			merge(t, s, step)
		}
		for _, err := range atOnce(8, func(i int) error {
			for _, at := range rand.New(rand.NewPCG(uint64(i), 3)).Perm(len(steps)) {
				if _, err := s.Mirror.Merge(t.Context(), steps[at]); err != nil {
					return err
				}
			}
			return nil
		}) {
			require.NoError(t, err)
		}
		for _, c := range []string{connection, other} {
			_, err := s.Mirror.ComputeFigures(t.Context(), c, 10)
			require.NoError(t, err)
		}
		want, err := s.Mirror.Conversation(t.Context(), other, 7)
		require.NoError(t, err)
		got, err := s.Mirror.Conversation(t.Context(), connection, 7)
		require.NoError(t, err)
		require.Equal(t, want, got)
		wantMessages, err := s.Mirror.Messages(t.Context(), other, 7)
		require.NoError(t, err)
		gotMessages, err := s.Mirror.Messages(t.Context(), connection, 7)
		require.NoError(t, err)
		require.Equal(t, wantMessages, gotMessages)
		require.Equal(t, derived(t, s, other, 7), storedFigures(t, s, other, 7))
		require.Equal(t, storedFigures(t, s, other, 7), storedFigures(t, s, connection, 7))
		require.True(t, load(t, s, ref("1")).RulesDue)
	})
}
