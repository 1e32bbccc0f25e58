package store_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
)

// recorded is an organization with records, and a source of its email.
type recorded struct {
	t          *testing.T
	s          *store.Store
	now        *clock
	connection string
	source     claim.DataSource
}

func newRecorded(t *testing.T, s *store.Store, now *clock) *recorded {
	t.Helper()
	r := &recorded{t: t, s: s, now: now, connection: connect(t, s, "acme", "org-1").ID}
	var err error
	r.source, err = s.DataSources.Create(t.Context(), r.connection, claim.DataSource{Title: "email", Channels: []string{"email"}})
	require.NoError(t, err)
	_, err = s.DataSources.Create(t.Context(), r.connection, claim.DataSource{Title: "all", QueueIDs: []string{"queue-b", ""}})
	require.NoError(t, err)
	return r
}

// fact is a conversation that is a number of hours old.
func (r *recorded) fact(id int64, channel string, hours int, change func(*mirror.Fact)) store.ConversationFact {
	created := r.now.Now().Add(-time.Duration(hours) * time.Hour)
	f := mirror.Fact{
		Fact:   claim.Fact{Stamp: claim.Stamp{ID: fmt.Sprint("e-", id), At: created, Weight: claim.WeightTransition}, Status: claim.ConversationOpen},
		Origin: &mirror.Origin{CreatedAt: created, Channel: channel, Direction: claim.DirectionInbound, Subject: "<b>", Email: "ada@customer.example"},
	}
	if change != nil {
		change(&f)
	}
	return store.ConversationFact{ID: id, Fact: f}
}

func (r *recorded) message(conversation int64, id string, hours int) mirror.Message {
	m := mirror.Message{ConversationID: conversation}
	m.ID, m.Kind, m.Direction, m.At, m.Text = id, claim.MessageKind, claim.DirectionInbound, r.now.Now().Add(-time.Duration(hours)*time.Hour), "Hello"
	return m
}

func (r *recorded) merge(b store.MirrorBatch) {
	r.t.Helper()
	b.ConnectionID = r.connection
	_, err := r.s.Mirror.Merge(r.t.Context(), b)
	require.NoError(r.t, err)
}

// all lists records as short words, in pages of a size, and returns the last cursor.
func (r *recorded) all(q store.RecordsQuery, size int) (words []string, cursor string) {
	r.t.Helper()
	if q.Source.ID == "" {
		q.Source = r.source
	}
	for more := true; more; {
		records, next, again, err := r.s.Mirror.RecordsPage(r.t.Context(), r.connection, q, size)
		require.NoError(r.t, err)
		require.LessOrEqual(r.t, len(records), size)
		for _, record := range records {
			words = append(words, word(r.t, record))
			require.Equal(r.t, q.Order == store.OrderChange, record.Cursor != "")
		}
		q.Cursor, more = next, again
		if more {
			require.NotEmpty(r.t, next)
		}
	}
	var streamed []string
	if q.Cursor == "" {
		for record, err := range r.s.Mirror.Records(r.t.Context(), r.connection, q) {
			require.NoError(r.t, err)
			streamed = append(streamed, word(r.t, record))
		}
		require.Equal(r.t, words, streamed, "pages and the stream must agree")
	}
	return words, q.Cursor
}

func word(t *testing.T, r claim.SourceRecord) string {
	t.Helper()
	if r.Deleted {
		data, err := r.MarshalJSON()
		require.NoError(t, err)
		text, _, _ := strings.Cut(string(data), `,"cursor"`)
		return text + "}"
	}
	switch r.Stream {
	case claim.StreamMessages:
		return r.Message.ID
	case claim.StreamActivityLogs:
		return r.Activity.ID
	case claim.StreamRatings:
		return fmt.Sprint(r.Rating.ConversationID, "=", *r.Rating.Score)
	case claim.StreamDirectory:
		return r.Directory.Kind + " " + r.Directory.ID
	default:
		return fmt.Sprint(r.Conversation.ID)
	}
}

func TestRecordsAreThoseOfTheSourceInOrder(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		r := newRecorded(t, s, now)
		closed := func(hours int) func(*mirror.Fact) {
			return func(f *mirror.Fact) {
				f.Status, f.At = claim.ConversationClosed, now.Now().Add(-time.Duration(hours)*time.Hour)
			}
		}
		score := 5
		rated := func(f *mirror.Fact) {
			f.Ratings = []mirror.Rating{
				{Type: mirror.RatingCSAT, Score: &score, RatedAt: now.Now().Add(-time.Minute), CreatedAt: now.Now().Add(-2 * time.Minute)},
				{Type: mirror.RatingNPS, Score: &score, RatedAt: now.Now().Add(-time.Minute), CreatedAt: now.Now().Add(-2 * time.Minute)},
			}
		}
		r.merge(store.MirrorBatch{
			Facts: []store.ConversationFact{
				r.fact(1, "Email", 50, closed(1)), r.fact(2, "Email", 40, closed(30)), r.fact(3, "Chat", 30, nil), r.fact(4, "Email", 20, rated),
				r.fact(5, "Email", 24*400, nil), // older than the source reaches
			},
			Messages:   []mirror.Message{r.message(1, "m-1", 45), r.message(4, "m-4", 19), r.message(3, "m-3", 29), r.message(1, "m-1b", 10)},
			Activities: []mirror.Activity{{ID: "a-1", ConversationID: 1, At: now.Now(), Type: "ConversationClosed"}, {ID: "a-3", ConversationID: 3, At: now.Now(), Type: "ConversationClosed"}},
		})
		for _, size := range []int{1, 2, 500} {
			for name, tt := range map[string]struct {
				q    store.RecordsQuery
				want string
			}{
				"created":       {store.RecordsQuery{Stream: claim.StreamConversations}, "1 2 4"},
				"closed":        {store.RecordsQuery{Stream: claim.StreamConversations, Date: claim.DateClosed}, "2 4 1"},
				"rated":         {store.RecordsQuery{Stream: claim.StreamConversations, Date: claim.DateRated}, "2 4 1"},
				"last activity": {store.RecordsQuery{Stream: claim.StreamConversations, Date: claim.DateActivity}, "2 4 1"},
				"change":        {store.RecordsQuery{Stream: claim.StreamConversations, Order: store.OrderChange}, "1 2 4"},
				"period":        {store.RecordsQuery{Stream: claim.StreamConversations, From: now.Now().Add(-40 * time.Hour), To: now.Now().Add(-20 * time.Hour)}, "2"},
				"messages":      {store.RecordsQuery{Stream: claim.StreamMessages}, "m-1 m-4 m-1b"},
				"new messages":  {store.RecordsQuery{Stream: claim.StreamMessages, From: now.Now().Add(-19 * time.Hour)}, "m-4 m-1b"},
				"log":           {store.RecordsQuery{Stream: claim.StreamActivityLogs}, "a-1"},
				"ratings":       {store.RecordsQuery{Stream: claim.StreamRatings}, "4=5 4=5"},
				"last ratings":  {store.RecordsQuery{Stream: claim.StreamRatings, Order: store.OrderChange}, "4=5 4=5"},
			} {
				got, cursor := r.all(tt.q, size)
				require.Equal(t, tt.want, strings.Join(got, " "), "%s in pages of %d", name, size)
				require.Equal(t, tt.q.Order == store.OrderChange, cursor != "", name)
			}
		}
	})
}

func TestRecordsFollowChangesWithoutGap(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		r := newRecorded(t, s, now)
		follow := map[claim.Stream]string{}
		// since lists what changed since the last call.
		since := func(stream claim.Stream) string {
			got, cursor := r.all(store.RecordsQuery{Stream: stream, Order: store.OrderChange, Cursor: follow[stream]}, 2)
			require.NotEmpty(t, cursor)
			follow[stream] = cursor
			return strings.Join(got, " ")
		}
		require.Empty(t, since(claim.StreamConversations))
		require.Empty(t, since(claim.StreamMessages))
		r.merge(store.MirrorBatch{Facts: []store.ConversationFact{r.fact(1, "Email", 5, nil), r.fact(2, "Email", 4, nil), r.fact(3, "Email", 3, nil)}})
		require.Equal(t, "1 2 3", since(claim.StreamConversations))
		require.Empty(t, since(claim.StreamConversations))

		r.merge(store.MirrorBatch{Messages: []mirror.Message{r.message(2, "m-2", 4)}})
		require.Equal(t, "m-2", since(claim.StreamMessages))
		require.Equal(t, "2", since(claim.StreamConversations), "its figures changed")
		r.merge(store.MirrorBatch{Messages: []mirror.Message{r.message(2, "m-2", 4)}})
		require.Empty(t, since(claim.StreamMessages)+since(claim.StreamConversations), "nothing changed")

		// A message can come before its conversation, and figures can be computed later.
		r.merge(store.MirrorBatch{Messages: []mirror.Message{r.message(9, "m-9", 2)}, Unknown: true})
		require.Empty(t, since(claim.StreamMessages))
		r.merge(store.MirrorBatch{Messages: []mirror.Message{r.message(3, "m-3", 2)}, Later: true})
		require.Equal(t, "m-3", since(claim.StreamMessages))
		r.merge(store.MirrorBatch{Facts: []store.ConversationFact{r.fact(9, "Email", 2, nil)}, Later: true})
		require.Equal(t, "m-9", since(claim.StreamMessages))
		_ = since(claim.StreamConversations)
		_, err := s.Mirror.ComputeFigures(t.Context(), r.connection, 100)
		require.NoError(t, err)
		require.Equal(t, "3 9", since(claim.StreamConversations))

		// A conversation that a source begins to select brings its messages along.
		r.merge(store.MirrorBatch{
			Facts: []store.ConversationFact{r.fact(7, "Chat", 2, func(f *mirror.Fact) { f.People, f.Queue = true, &claim.Queue{ID: "queue-b"} })},
		})
		r.merge(store.MirrorBatch{Messages: []mirror.Message{r.message(7, "m-7", 1)}})
		require.Empty(t, since(claim.StreamMessages))
		r.merge(store.MirrorBatch{Facts: []store.ConversationFact{r.fact(7, "Email", 1, func(f *mirror.Fact) { f.ID = "e-7b" })}})
		require.Equal(t, "7", since(claim.StreamConversations))
		require.Equal(t, "m-7", since(claim.StreamMessages))
	})
}

// Who follows a stream learns of what was deleted, in the order of the changes.
func TestDeletedRecordsAreListed(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		r := newRecorded(t, s, now)
		score := 5
		rated := func(f *mirror.Fact) {
			f.Ratings = []mirror.Rating{{Type: mirror.RatingCSAT, Score: &score, RatedAt: now.Now(), CreatedAt: now.Now()}}
		}
		known := store.MirrorBatch{
			Facts:      []store.ConversationFact{r.fact(1, "Email", 5, rated), r.fact(2, "Email", 4, nil), r.fact(3, "Email", 3, nil)},
			Messages:   []mirror.Message{r.message(1, "m-1", 4), r.message(1, "m-2", 4), r.message(1, "m-3", 3), r.message(1, "m-4", 2), r.message(2, "m-5", 1)},
			Activities: []mirror.Activity{{ID: "a-1", ConversationID: 1, At: now.Now(), Type: "ConversationClosed"}},
		}
		r.merge(known)
		streams := []claim.Stream{claim.StreamConversations, claim.StreamMessages, claim.StreamActivityLogs, claim.StreamRatings}
		follow := map[claim.Stream]string{}
		for _, stream := range streams {
			_, follow[stream] = r.all(store.RecordsQuery{Stream: stream, Order: store.OrderChange}, 2)
		}
		sources, err := s.DataSources.List(t.Context(), r.connection)
		require.NoError(t, err)
		for _, source := range sources {
			require.NoError(t, s.DataSources.Delete(t.Context(), r.connection, source.ID))
		}
		n, err := s.Mirror.DeleteExpired(t.Context(), r.connection)
		require.NoError(t, err)
		require.Equal(t, 3, n)
		_, err = s.DataSources.Create(t.Context(), r.connection, claim.DataSource{Title: "email"})
		require.NoError(t, err)
		r.merge(store.MirrorBatch{Facts: known.Facts[1:2], Messages: known.Messages[4:]})

		for stream, want := range map[claim.Stream][]string{
			claim.StreamConversations: {`{"id":1,"deleted":true}`, `{"id":2,"deleted":true}`, `{"id":3,"deleted":true}`, "2"},
			claim.StreamMessages: {
				`{"conversation_id":1,"id":"m-1","deleted":true}`, `{"conversation_id":1,"id":"m-2","deleted":true}`, `{"conversation_id":1,"id":"m-3","deleted":true}`,
				`{"conversation_id":1,"id":"m-4","deleted":true}`, `{"conversation_id":2,"id":"m-5","deleted":true}`, "m-5",
			},
			claim.StreamActivityLogs: {`{"conversation_id":1,"deleted":true}`, `{"conversation_id":2,"deleted":true}`, `{"conversation_id":3,"deleted":true}`},
			claim.StreamRatings:      {`{"conversation_id":1,"deleted":true}`, `{"conversation_id":2,"deleted":true}`, `{"conversation_id":3,"deleted":true}`},
		} {
			for _, size := range []int{1, 2, 3, 500} {
				q := store.RecordsQuery{Stream: stream, Order: store.OrderChange, Cursor: follow[stream]}
				got, cursor := r.all(q, size)
				require.Equal(t, want, got, "%s in pages of %d", stream, size)
				q.Cursor = cursor
				got, _ = r.all(q, size)
				require.Empty(t, got, "%s were listed again", stream)
				got, _ = r.all(store.RecordsQuery{Stream: stream, Order: store.OrderChange}, size)
				require.Equal(t, want, got, "%s from the start", stream)
				got, _ = r.all(store.RecordsQuery{Stream: stream}, size)
				require.NotContains(t, strings.Join(got, " "), "deleted", "by date")
			}
		}
	})
}

func TestDirectoryRecords(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		r := newRecorded(t, s, now)
		for _, kind := range []mirror.DirectoryKind{mirror.KindQueue, mirror.KindAgent} {
			_, err := s.Mirror.SaveDirectory(t.Context(), r.connection, kind, []mirror.DirectoryEntry{{ID: "a/1", Name: "Ada"}, {ID: "b", Object: json.RawMessage(`{"x": 1}`)}}, now.Now())
			require.NoError(t, err)
		}
		for _, size := range []int{1, 3} {
			got, _ := r.all(store.RecordsQuery{Stream: claim.StreamDirectory}, size)
			require.Equal(t, []string{"agent a/1", "agent b", "queue a/1", "queue b"}, got)
			got, _ = r.all(store.RecordsQuery{Stream: claim.StreamDirectory, Order: store.OrderChange}, size)
			require.Equal(t, []string{"queue a/1", "queue b", "agent a/1", "agent b"}, got)
		}
		// As an erasure does.
		for _, query := range []string{
			`DELETE FROM directory WHERE connection_id = $1 AND kind = 'agent' AND id = 'a/1'`, `UPDATE mirrors SET change = change + 1 WHERE connection_id = $1`,
			`INSERT INTO tombstones (connection_id, change, kind, conversation_id, id, at) SELECT connection_id, change, 'agent', 0, 'a/1', 1 FROM mirrors WHERE connection_id = $1`,
		} {
			_, err := s.DB().ExecContext(t.Context(), query, r.connection)
			require.NoError(t, err)
		}
		for _, size := range []int{1, 3} {
			got, cursor := r.all(store.RecordsQuery{Stream: claim.StreamDirectory, Order: store.OrderChange}, size)
			require.Equal(t, []string{"queue a/1", "queue b", "agent b", `{"kind":"agent","id":"a/1","deleted":true}`}, got)
			got, _ = r.all(store.RecordsQuery{Stream: claim.StreamDirectory, Order: store.OrderChange, Cursor: cursor}, size)
			require.Empty(t, got)
		}
	})
}

func TestInvalidRecordsQuery(t *testing.T) {
	t.Parallel()
	s, now := setup(t, memory)
	r := newRecorded(t, s, now)
	r.merge(store.MirrorBatch{Facts: []store.ConversationFact{r.fact(1, "Email", 5, nil)}})
	_, cursor := r.all(store.RecordsQuery{Stream: claim.StreamConversations, Order: store.OrderChange}, 1)
	for field, q := range map[string]store.RecordsQuery{
		"cursor": {Stream: claim.StreamMessages, Order: store.OrderChange, Cursor: cursor},
		"from":   {Stream: claim.StreamMessages, Order: store.OrderChange, From: now.Now()},
		"stream": {Source: claim.DataSource{Streams: []claim.Stream{claim.StreamRatings}}, Stream: claim.StreamMessages},
	} {
		_, _, _, err := s.Mirror.RecordsPage(t.Context(), r.connection, q, 1)
		var invalid *claim.InvalidError
		require.ErrorAs(t, err, &invalid, field)
		require.Equal(t, field, invalid.Errors[0].Field)
		for _, err := range s.Mirror.Records(t.Context(), r.connection, q) {
			require.ErrorAs(t, err, &invalid, field)
		}
	}
}

func TestRecordMembersAreStable(t *testing.T) {
	t.Parallel()
	s, now := setup(t, memory)
	r := newRecorded(t, s, now)
	r.merge(store.MirrorBatch{Facts: []store.ConversationFact{r.fact(1, "Email", 5, nil)}, Messages: []mirror.Message{r.message(1, "m-1", 5)}})
	for _, stream := range []claim.Stream{claim.StreamConversations, claim.StreamMessages} {
		for record, err := range s.Mirror.Records(t.Context(), r.connection, store.RecordsQuery{Source: r.source, Stream: stream}) {
			require.NoError(t, err)
			members, err := record.Members()
			require.NoError(t, err)
			require.Len(t, members, len(claim.RecordFields(stream)))
			for _, name := range claim.RecordFields(stream) {
				require.Contains(t, members, name, "a member must be present even if it is unknown")
			}
			text := asJSON(t, record)
			again, err := claim.ParseSourceRecord(stream, []byte(text))
			require.NoError(t, err)
			require.Equal(t, record, again)
		}
	}
}

func TestManyRecordsAreReadInParts(t *testing.T) {
	t.Parallel()
	s, now := setup(t, memory)
	r := newRecorded(t, s, now)
	const many = 1234
	var facts []store.ConversationFact
	var want []string
	for id := range int64(many) {
		facts = append(facts, r.fact(id+1, "Email", 100, nil)) // all at the same time
		want = append(want, fmt.Sprint(id+1))
	}
	r.merge(store.MirrorBatch{Facts: facts})
	for _, q := range []store.RecordsQuery{
		{Stream: claim.StreamConversations}, {Stream: claim.StreamConversations, Date: claim.DateClosed}, {Stream: claim.StreamConversations, Order: store.OrderChange},
	} {
		for _, size := range []int{7, 500} {
			got, _ := r.all(q, size)
			require.Equal(t, want, got, "%s %s in pages of %d", q.Order, q.Date, size)
		}
	}
	// A source that selects little is read on in bounded steps.
	none := r.source
	none.Channels = []string{"Chat"}
	got, cursor := r.all(store.RecordsQuery{Source: none, Stream: claim.StreamConversations, Order: store.OrderChange}, 5)
	require.Empty(t, got)
	require.NotEmpty(t, cursor)
}
