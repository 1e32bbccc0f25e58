package store

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"strings"

	"github.com/claimflow/claimflow/mirror"
)

// ChangeStream is a kind of changes.
type ChangeStream int

// Streams of changes, in the order of changes with the same number.
const (
	ChangedConversations ChangeStream = iota + 1
	ChangedMessages
	ChangedDirectory
	// DeletedRecords are those that are no longer stored.
	DeletedRecords
	afterStreams
)

// ChangePlace is a place in the changes of a connection. The zero value is before all.
type ChangePlace struct {
	Change         int64
	Stream         ChangeStream
	ConversationID int64
	// Key is the id of a message or entry. Those of the directory have the kind and a
	// slash before it.
	Key string
}

// RecordChange is a change of a record. A record has one change that added it and at most
// one later change, its last.
type RecordChange struct {
	ChangePlace
	// Added says that the change stored the record first, at FirstChange.
	Added       bool
	FirstChange int64
	// Kind and ID identify an entry of the directory. Kind is empty for conversations and
	// messages; those have ConversationID, and messages also ID.
	Kind mirror.DirectoryKind
	ID   string
	// Deleted says that the record is no longer stored, or no longer listed by Dixa.
	Deleted bool
	// History says that the first import of the directory stored the entry.
	History bool
}

// Changes lists up to limit changes after a place in their order, and the place up to
// which they are complete. head is the number of the connection's last change: one that
// commits later has a higher number.
func (s Mirror) Changes(ctx context.Context, connectionID string, after ChangePlace, limit int) (changes []RecordChange, until ChangePlace, head int64, err error) {
	err = s.read(ctx, "read the changes of connection "+connectionID, func(db *sql.DB) error {
		changes, until = nil, after
		if err := queryOne(ctx, db, nil, []any{&head}, `SELECT COALESCE(MAX(change), 0) FROM mirrors WHERE connection_id = $1`, connectionID); err != nil || head < after.Change {
			return err
		}
		for _, q := range changeQueries {
			found, err := q.read(ctx, db, connectionID, after, head, limit)
			if err != nil {
				return err
			}
			changes = append(changes, found...)
		}
		// Each stream is in the order of the database, which may not be that of Go.
		slices.SortStableFunc(changes, func(a, b RecordChange) int {
			return cmp.Or(cmp.Compare(a.Change, b.Change), cmp.Compare(a.Stream, b.Stream))
		})
		if len(changes) < limit {
			until = ChangePlace{Change: head, Stream: afterStreams}
			return nil
		}
		changes = changes[:limit]
		until = changes[limit-1].ChangePlace
		return nil
	})
	return changes, until, head, err
}

// changeQuery reads the changes of a stream.
type changeQuery struct {
	stream ChangeStream
	table  string
	// columns are the conversation, kind, id, first change, whether it is deleted and
	// whether it is history, and order is that of places with the same change.
	columns, order string
	// first selects the rows whose first change is one of its own; empty if the table
	// does not have its number.
	first string
}

var changeQueries = []changeQuery{
	{ChangedConversations, "conversations", "conversation_id, '' AS kind, '' AS id, first_change, FALSE, FALSE", "conversation_id", "first_change < change"},
	{ChangedMessages, "messages", "conversation_id, '' AS kind, id, first_change, FALSE, FALSE", "conversation_id, id", "first_change < change"},
	{ChangedDirectory, "directory", "0, kind, id, first_change, gone_at > 0, history", "kind, id", "first_change < change AND gone_at = 0"},
	{DeletedRecords, "tombstones", "conversation_id, kind, id, 0, TRUE, FALSE", "conversation_id, kind, id", ""},
}

func (q *changeQuery) read(ctx context.Context, db *sql.DB, connectionID string, after ChangePlace, head int64, limit int) ([]RecordChange, error) {
	args := arguments{connectionID, head, after.Change, limit}
	// Of the changes with the number of the place, those after the place.
	rest := "1 = 0"
	switch {
	case q.stream > after.Stream:
		rest = "1 = 1"
	case q.stream == after.Stream:
		rest = q.after(&args, after)
	}
	half := func(number, more string) string {
		return `SELECT * FROM (SELECT ` + number + ` AS n, ` + q.columns + ` FROM ` + q.table + ` WHERE connection_id = $1 AND ` +
			number + ` >= $3 AND ` + number + ` <= $2 AND (` + number + ` > $3 OR ` + rest + `)` + more + ` ORDER BY n, ` + q.order + ` LIMIT $4) AS ` + number + `s`
	}
	query := half("change", "")
	if q.first != "" {
		query += ` UNION ALL ` + half("first_change", " AND "+q.first)
	}
	return collect(ctx, db, q.scan, query+` ORDER BY n, `+q.order+` LIMIT $4`, args...)
}

// after returns the condition that a row comes after a place with the same change.
func (q *changeQuery) after(args *arguments, place ChangePlace) string {
	values := map[string]any{"conversation_id": place.ConversationID, "id": place.Key}
	if q.stream >= ChangedDirectory {
		values["kind"], values["id"], _ = strings.Cut(place.Key, "/")
	}
	var places []string
	for name := range strings.SplitSeq(q.order, ", ") {
		places = append(places, args.add(values[name]))
	}
	return "(" + q.order + ") > (" + strings.Join(places, ", ") + ")"
}

func (q *changeQuery) scan(scan func(...any) error) (RecordChange, error) {
	c := RecordChange{ChangePlace: ChangePlace{Stream: q.stream}}
	err := scan(&c.Change, &c.ConversationID, &c.Kind, &c.ID, &c.FirstChange, &c.Deleted, &c.History)
	c.Added, c.Key = c.FirstChange == c.Change && !c.Deleted, c.ID
	if q.stream >= ChangedDirectory {
		c.Key = string(c.Kind) + "/" + c.ID
	}
	if c.Kind == tombConversation || c.Kind == tombMessage {
		c.Kind = ""
	}
	return c, err
}

// LastChange returns the number of the last change of a connection's rows: conversations
// with their figures, messages, the activity log, the directory and presence. A transaction
// that changes any of them raises it.
func (s Mirror) LastChange(ctx context.Context, connectionID string) (change int64, err error) {
	err = s.read(ctx, "read the last change of connection "+connectionID, func(db *sql.DB) error {
		return queryOne(ctx, db, nil, []any{&change}, `SELECT COALESCE(MAX(change), 0) FROM mirrors WHERE connection_id = $1`, connectionID)
	})
	return change, err
}

// ChangedTicket is a conversation and its last change.
type ChangedTicket struct {
	Ticket
	Change int64
}

// ChangedTickets reads conversations by their ids. Those whose figures are not computed
// yet have the times that the conversation alone tells.
func (s Mirror) ChangedTickets(ctx context.Context, connectionID string, ids []int64) (map[int64]ChangedTicket, error) {
	found := map[int64]ChangedTicket{}
	if len(ids) == 0 {
		return found, nil
	}
	args := arguments{connectionID}
	all, err := list(ctx, s.core, "read changed conversations", func(scan func(...any) error) (t ChangedTicket, err error) {
		var known bool
		t.Ticket, err = s.scanTicket(connectionID)(func(dest ...any) error { return scan(append(dest, &t.Change, &known)...) })
		if err == nil && !known {
			figures := mirror.Derive(t.ID, t.Conversation, nil, nil)
			t.CreatedAt, t.UpdatedAt, t.ClosedAt = figures.CreatedAt, figures.LastActivityAt, figures.LastClosedAt
		}
		return t, err
	}, `SELECT c.conversation_id, COALESCE(f.created_at, 0), COALESCE(f.last_activity_at, 0), COALESCE(f.last_closed_at, 0), c.body, c.change, f.conversation_id IS NOT NULL
		FROM conversations c LEFT JOIN figures f ON f.connection_id = c.connection_id AND f.conversation_id = c.conversation_id
		WHERE c.connection_id = $1 AND c.conversation_id IN (`+placeholders(&args, ids)+`)`, args...)
	for i := range all {
		found[all[i].ID] = all[i]
	}
	return found, err
}

// ChangedMessage is a message and its last change.
type ChangedMessage struct {
	mirror.Message
	Change int64
}

// ChangedMessages reads messages of conversations by their ids.
func (s Mirror) ChangedMessages(ctx context.Context, connectionID string, conversations []int64, ids []string) ([]ChangedMessage, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	args := arguments{connectionID}
	return list(ctx, s.core, "read changed messages", func(scan func(...any) error) (m ChangedMessage, err error) {
		m.Message, err = s.scanMessage(func(dest ...any) error { return scan(append(dest, &m.Change)...) })
		return m, err
	}, `SELECT connection_id, conversation_id, id, listed, body, change FROM messages
		WHERE connection_id = $1 AND conversation_id IN (`+placeholders(&args, conversations)+`) AND id IN (`+placeholders(&args, ids)+`)`, args...)
}

// ChangedEntry is an entry of the directory and its last change.
type ChangedEntry struct {
	DirectoryRow
	Change int64
}

// ChangedEntries reads entries of the directory by their ids of each kind.
func (s Mirror) ChangedEntries(ctx context.Context, connectionID string, wanted map[mirror.DirectoryKind][]string) ([]ChangedEntry, error) {
	args := arguments{connectionID}
	either := directoryIDs(&args, wanted)
	if either == "" {
		return nil, nil
	}
	read := s.scanDirectoryRow(connectionID)
	return list(ctx, s.core, "read changed entries of the directory", func(scan func(...any) error) (e ChangedEntry, err error) {
		e.DirectoryRow, err = read(func(dest ...any) error { return scan(append(dest, &e.Change)...) })
		return e, err
	}, `SELECT kind, id, body, gone_at, change FROM directory WHERE connection_id = $1 AND (`+either+`)`, args...)
}
