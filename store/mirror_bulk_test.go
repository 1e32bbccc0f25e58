package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
)

// manyRecords returns all records of n conversations.
func manyRecords(t *testing.T, connection string, n int64) store.MirrorBatch {
	t.Helper()
	all := store.MirrorBatch{ConnectionID: connection, Unknown: true, Later: true}
	for id := range n {
		b := everything(t, connection, 1+id)
		all.Facts, all.Messages, all.Activities = append(all.Facts, b.Facts...), append(all.Messages, b.Messages...), append(all.Activities, b.Activities...)
	}
	return all
}

// New records, changed ones and repeated ones may come in one batch of any size.
func TestManyRecordsAtOnce(t *testing.T) {
	t.Parallel()
	onEachMirror(t, func(t *testing.T, s *store.Store, _ *clock, connection string) {
		const n, known = 150, 40
		merge(t, s, manyRecords(t, connection, known))
		b := manyRecords(t, connection, n)
		b.Facts = append(b.Facts, exported(1, later(func(row *dixa.ExportedConversation) { row.Subject = "Broken lamp" })))
		b.Messages = append(b.Messages, b.Messages[0], b.Messages[len(b.Messages)-1])
		b.Messages[0].Text, b.Messages[0].ReadAt = "in two pieces", b.Messages[0].ReadAt.Add(time.Hour)
		before := lastChange(t, s, connection)
		result := merge(t, s, b)
		require.Equal(t, store.MirrorResult{
			Conversations: store.MirrorCounts{Added: n - known, Changed: 1}, Messages: store.MirrorCounts{Added: 3 * (n - known), Changed: 1},
			Activities: store.MirrorCounts{Added: 4 * (n - known)},
		}, result)
		// Each change has a number of its own, but for the parts that follow their conversation.
		require.Equal(t, before+8*(n-known)+2+1, lastChange(t, s, connection))
		require.Equal(t, store.MirrorResult{}, merge(t, s, b))

		count, err := s.Mirror.ComputeFigures(t.Context(), connection, 60)
		require.NoError(t, err)
		require.Equal(t, n, count)
		for id := range int64(n) {
			require.Equal(t, derived(t, s, connection, 1+id), storedFigures(t, s, connection, 1+id))
		}
		require.Equal(t, 3*n, value[int](t, s, `SELECT COUNT(*) FROM messages WHERE connection_id = $1`, connection))
	})
}

// What is known of conversations may change after a batch was prepared.
func TestPreparedBatch(t *testing.T) {
	t.Parallel()
	onEachMirror(t, func(t *testing.T, s *store.Store, _ *clock, connection string) {
		titled := func(title string) store.ConversationFact {
			return exported(1, later(func(row *dixa.ExportedConversation) { row.Subject = title }))
		}
		merge(t, s, facts(connection, exported(1, nil), exported(2, nil)))
		b := facts(connection, exported(1, nil), exported(2, later(func(row *dixa.ExportedConversation) { row.Status = "closed" })), exported(3, nil), exported(4, nil))
		require.NoError(t, s.Mirror.Prepare(t.Context(), &b))
		merge(t, s, facts(connection, titled("Broken lamp"), exported(3, nil)))
		require.Equal(t, store.MirrorCounts{Added: 1, Changed: 1}, merge(t, s, b).Conversations)
		for id, subject := range []string{1: "Broken lamp", 2: "Broken vase", 3: "Broken vase", 4: "Broken vase"} {
			if id > 0 {
				c, err := s.Mirror.Conversation(t.Context(), connection, int64(id))
				require.NoError(t, err)
				require.Equal(t, subject, c.Origin.Subject)
				require.Equal(t, derived(t, s, connection, int64(id)), storedFigures(t, s, connection, int64(id)))
			}
		}
		require.Equal(t, store.MirrorResult{}, merge(t, s, b))
	})
}

// Figures are those of the records, whatever is stored while they are computed.
func TestRecordsChangeWhileFiguresAreComputed(t *testing.T) {
	t.Parallel()
	onEachMirror(t, func(t *testing.T, s *store.Store, _ *clock, connection string) {
		const n = 20
		merge(t, s, manyRecords(t, connection, n))
		// annotate adds a note to each conversation.
		annotate := func(id string) error {
			b := store.MirrorBatch{ConnectionID: connection, Later: true}
			for c := range int64(n) {
				b.Messages = append(b.Messages, mirror.NoteFromList(1+c, &dixa.Note{
					ID: fmt.Sprintf("%s-%d", id, c), AuthorID: "a-1", CreatedAt: dixa.NewTime(began.Add(time.Minute)), Message: "call back",
				}, began))
			}
			_, err := s.Mirror.Merge(t.Context(), b)
			return err
		}
		for round := range 5 {
			require.NoError(t, annotate(fmt.Sprint("early", round)))
			ended := make(chan error, 1)
			go func() { ended <- annotate(fmt.Sprint("late", round)) }()
			for range 2 {
				_, err := s.Mirror.ComputeFigures(t.Context(), connection, 3)
				require.NoError(t, err)
			}
			require.NoError(t, <-ended)
			_, err := s.Mirror.ComputeFigures(t.Context(), connection, 3)
			require.NoError(t, err)
			for id := range int64(n) {
				require.Equal(t, derived(t, s, connection, 1+id), storedFigures(t, s, connection, 1+id))
			}
		}
	})
}
