package store_test

import (
	"database/sql"
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

// began is when the conversations of these tests began: ten days before the clock.
var began = newClock().Now().AddDate(0, 0, -10)

// exported returns a row of the conversation export, changed by change.
func exported(id int64, change func(*dixa.ExportedConversation)) store.ConversationFact {
	row := &dixa.ExportedConversation{
		ID: id, CreatedAt: dixa.NewTime(began), UpdatedAt: dixa.NewTime(began.Add(time.Hour)), InitialChannel: "email", Direction: "inbound", Status: "open",
		Subject: "Broken vase", RequesterID: "u-1", RequesterName: "Ada Lovelace", RequesterEmail: "ada@customer.example", QueueID: "q-1", QueueName: "Claims",
		QueuedAt: dixa.NewTime(began), Tags: []string{"claim", "vip"},
	}
	if change != nil {
		change(row)
	}
	return store.ConversationFact{ID: id, Fact: mirror.ConversationFromExport(row, began.Add(9*24*time.Hour))}
}

// later changes a row and its time of change.
func later(change func(*dixa.ExportedConversation)) func(*dixa.ExportedConversation) {
	return func(row *dixa.ExportedConversation) {
		row.UpdatedAt = dixa.NewTime(began.Add(2 * time.Hour))
		change(row)
	}
}

// messagesOf returns what the message export and the list say about the two messages
// and the note of a conversation.
func messagesOf(t *testing.T, id int64) []mirror.Message {
	t.Helper()
	readAt := began.Add(24 * time.Hour)
	asked, ok := mirror.MessageFromExport(&dixa.ExportedMessage{
		ID: fmt.Sprint("m-", id), ConversationID: id, CreatedAt: dixa.NewTime(began.Add(time.Second)), Direction: "inbound", Text: "The vase arrived in pieces.",
		AuthorName: "Ada Lovelace", AuthorEmail: "ada@customer.example",
	}, readAt)
	require.True(t, ok)
	answer, automated := dixa.HTMLContent("<p>Sorry, Ada Lovelace</p>"), false
	return []mirror.Message{
		asked,
		mirror.MessageFromList(id, &dixa.Message{
			ID: fmt.Sprint("r-", id), AuthorID: "a-1", CreatedAt: dixa.NewTime(began.Add(time.Minute)),
			Attributes: dixa.MessageAttributes{Direction: "Outbound", IsAutoReply: &automated, EmailContent: &dixa.EmailContent{Content: &answer}},
		}, readAt),
		mirror.NoteFromList(id, &dixa.Note{ID: fmt.Sprint("n-", id), AuthorID: "a-1", CreatedAt: dixa.NewTime(began.Add(2 * time.Minute)), Message: "call back"}, readAt),
	}
}

// activitiesOf returns the activity log of a conversation.
func activitiesOf(t *testing.T, id int64) []mirror.Activity {
	t.Helper()
	var out []mirror.Activity
	for i, a := range []struct {
		kind, attributes string
		after            time.Duration
	}{
		{"ConversationCreatedByCustomer", `{}`, 0},
		{"ConversationAssigned", `{"agentId": "a-1", "agentName": "Anna"}`, 30 * time.Second},
		{"TagAdded", `{"tag": "vip"}`, 40 * time.Second},
		{"ConversationClosed", `{}`, time.Hour},
	} {
		entry, ok := mirror.ActivityFromLog(&dixa.Activity{
			ID: fmt.Sprintf("l-%d-%d", id, i), ConversationID: id, At: dixa.NewTime(began.Add(a.after)), Type: a.kind,
			Author: &dixa.ActivityUser{ID: "a-1", Name: "Anna"}, Attributes: json.RawMessage(a.attributes),
		})
		require.True(t, ok)
		out = append(out, entry)
	}
	return out
}

// everything returns all records of a conversation: one row, three messages and four
// log entries.
func everything(t *testing.T, connection string, id int64) store.MirrorBatch {
	t.Helper()
	return store.MirrorBatch{ConnectionID: connection, Facts: []store.ConversationFact{exported(id, nil)}, Messages: messagesOf(t, id), Activities: activitiesOf(t, id)}
}

func merge(t *testing.T, s *store.Store, b store.MirrorBatch) store.MirrorResult {
	t.Helper()
	result, err := s.Mirror.Merge(t.Context(), b)
	require.NoError(t, err)
	return result
}

func facts(connection string, facts ...store.ConversationFact) store.MirrorBatch {
	return store.MirrorBatch{ConnectionID: connection, Facts: facts}
}

func selecting(t *testing.T, s *store.Store, connection string, d claim.DataSource) claim.DataSource {
	t.Helper()
	d.Title = "records"
	d, err := s.DataSources.Create(t.Context(), connection, d)
	require.NoError(t, err)
	return d
}

// mirrored opens a store with a connection of which a source selects everything.
func mirrored(t *testing.T, url string) (s *store.Store, now *clock, connection string) {
	t.Helper()
	s, now = setup(t, url)
	connection = connect(t, s, "acme", "org-1").ID
	selecting(t, s, connection, claim.DataSource{})
	return s, now, connection
}

// onEachMirror is [onEach] for stores with a connection of which a source selects
// everything.
func onEachMirror(t *testing.T, test func(t *testing.T, s *store.Store, now *clock, connection string)) {
	t.Helper()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, now, connection := mirrored(t, database(t))
			test(t, s, now, connection)
		})
	}
}

// value reads one value of the database.
func value[T any](t *testing.T, s *store.Store, query string, args ...any) (v T) {
	t.Helper()
	require.NoError(t, s.DB().QueryRowContext(t.Context(), query, args...).Scan(&v), query)
	return v
}

// stored counts the rows of a conversation in some tables.
func stored(t *testing.T, s *store.Store, connection string, id int64, tables ...string) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for _, table := range tables {
		if n := value[int](t, s, `SELECT COUNT(*) FROM `+table+` WHERE connection_id = $1 AND conversation_id = $2`, connection, id); n > 0 {
			counts[table] = n
		}
	}
	return counts
}

var mirrorTables = []string{"conversations", "messages", "activities", "figures", "figure_events", "conversation_tags"}

func lastChange(t *testing.T, s *store.Store, connection string) int64 {
	t.Helper()
	return value[int64](t, s, `SELECT change FROM mirrors WHERE connection_id = $1`, connection)
}

// storedFigures reads the figures of a conversation from the three tables.
func storedFigures(t *testing.T, s *store.Store, connection string, id int64) mirror.Figures {
	t.Helper()
	f := mirror.Figures{ConversationID: id}
	times := make([]int64, 8)
	var queue, handling *int64
	require.NoError(t, s.DB().QueryRowContext(t.Context(), `SELECT created_at, channel, direction, status, queue_id, assignee_id, requester_id, first_inbound_at,
			first_response_at, first_response_by, agent_replies, automated_messages, customer_messages, notes, queue_time, queue_time_from_log, handling_time,
			first_assigned_at, first_closed_at, last_closed_at, closes, reopens, transfers, assignments, last_activity_at, dixa_total_duration,
			dixa_handling_duration, anonymized_at FROM figures WHERE connection_id = $1 AND conversation_id = $2`, connection, id).Scan(
		&times[0], &f.Channel, &f.Direction, &f.Status, &f.QueueID, &f.AssigneeID, &f.RequesterID, &times[1],
		&times[2], &f.FirstResponseBy, &f.AgentReplies, &f.AutomatedMessages, &f.CustomerMessages, &f.Notes, &queue, &f.QueueTimeFromLog, &handling,
		&times[3], &times[4], &times[5], &f.Closes, &f.Reopens, &f.Transfers, &f.Assignments, &times[6], &f.DixaTotalDuration, &f.DixaHandlingDuration, &times[7]))
	for i, at := range []*time.Time{
		&f.CreatedAt, &f.FirstInboundAt, &f.FirstResponseAt, &f.FirstAssignedAt, &f.FirstClosedAt, &f.LastClosedAt, &f.LastActivityAt, &f.AnonymizedAt,
	} {
		*at = moment(times[i])
	}
	f.QueueTime, f.HandlingTime = duration(queue), duration(handling)
	each(t, s, func(rows *sql.Rows) {
		var e mirror.FigureEvent
		var at int64
		require.NoError(t, rows.Scan(&at, &e.Kind, &e.AgentID, &e.QueueID, &e.Type, &e.Value))
		e.At = moment(at)
		f.Events = append(f.Events, e)
	}, `SELECT at, kind, agent_id, queue_id, type, value FROM figure_events WHERE connection_id = $1 AND conversation_id = $2 ORDER BY n`, connection, id)
	each(t, s, func(rows *sql.Rows) {
		var tag string
		require.NoError(t, rows.Scan(&tag))
		f.Tags = append(f.Tags, tag)
	}, `SELECT tag FROM conversation_tags WHERE connection_id = $1 AND conversation_id = $2 ORDER BY tag`, connection, id)
	return f
}

func each(t *testing.T, s *store.Store, fn func(*sql.Rows), query string, args ...any) {
	t.Helper()
	rows, err := s.DB().QueryContext(t.Context(), query, args...)
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	for rows.Next() {
		fn(rows)
	}
	require.NoError(t, rows.Err())
}

func moment(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

func duration(us *int64) *time.Duration {
	if us == nil {
		return nil
	}
	d := time.Duration(*us) * time.Microsecond
	return &d
}

// derived computes the figures of a conversation from all its stored records.
func derived(t *testing.T, s *store.Store, connection string, id int64) mirror.Figures {
	t.Helper()
	c, err := s.Mirror.Conversation(t.Context(), connection, id)
	require.NoError(t, err)
	messages, err := s.Mirror.Messages(t.Context(), connection, id)
	require.NoError(t, err)
	activities, err := s.Mirror.Activities(t.Context(), connection, id)
	require.NoError(t, err)
	return mirror.Derive(id, c, messages, activities)
}
