package store

import (
	"context"
	"database/sql"
	"strconv"
	"time"
)

// DixaEvent is an event that Dixa told of and whose signature was verified.
type DixaEvent struct {
	// ID is Dixa's id of the event.
	ID string
	// Name is the API's name of the event, or what its payload calls it where
	// that is not known.
	Name string
	// ConversationID is the conversation that it is about; zero for none.
	ConversationID int64
	// HappenedAt is Dixa's own time; zero where it gave none that can be read.
	HappenedAt time.Time
	// Organization is the organisation that it names.
	Organization Organization
	// Body is what was received, byte for byte. It is kept sealed.
	Body []byte
}

// Event reads an event of a connection. Body is nil once it was dropped. An
// event that never came is [ErrNotFound].
func (s Inbox) Event(ctx context.Context, connectionID, id string) (DixaEvent, error) {
	e := DixaEvent{ID: id}
	err := s.read(ctx, "read event "+id, func(db *sql.DB) error {
		var conversation sql.NullInt64
		var happened int64
		var sealed []byte
		err := queryOne(ctx, db, notFound("event "+id), []any{&e.Name, &conversation, &happened, &sealed, &e.Organization.ID, &e.Organization.Name},
			`SELECT i.name, i.conversation_id, i.happened_at, i.body, n.organization_id, n.organization_name
			FROM inbox i JOIN connections n ON n.id = i.connection_id WHERE i.connection_id = $1 AND i.event_id = $2`, connectionID, id)
		if err != nil {
			return err
		}
		e.ConversationID, e.HappenedAt = conversation.Int64, timeOf(happened)
		if sealed == nil {
			return nil
		}
		e.Body, err = s.open(inboxBody, sealed, connectionID, id)
		return err
	})
	return e, err
}

// dropBatch bounds how many bodies are judged in one transaction.
const dropBatch = 500

// DropBodies forgets the bodies of events received before a time whose
// conversation is no claim's, and says how many those were. Their ids stay. The
// body of an event whose conversation is a claim's by then stays.
func (s Inbox) DropBodies(ctx context.Context, before time.Time) (n int, err error) {
	for {
		judged, dropped, err := s.dropBatch(ctx, micros(before))
		n += dropped
		if err != nil || judged < dropBatch {
			return n, err
		}
	}
}

func (s *core) dropBatch(ctx context.Context, before int64) (judged, dropped int, err error) {
	const linked = `EXISTS (SELECT 1 FROM links l WHERE l.connection_id = inbox.connection_id AND l.conversation_id = inbox.conversation_id)`
	err = s.write(ctx, "drop the bodies of old events", func(tx *sql.Tx) error {
		judged, dropped = 0, 0
		return queryEach(ctx, tx, func(scan func(...any) error) error {
			var retained bool
			err := scan(&retained)
			judged++
			if !retained {
				dropped++
			}
			return err
		}, `UPDATE inbox SET retained = `+linked+`, body = CASE WHEN `+linked+` THEN body END
			WHERE (connection_id, event_id) IN (SELECT connection_id, event_id FROM inbox
				WHERE body IS NOT NULL AND NOT retained AND received_at < $1 ORDER BY received_at LIMIT `+strconv.Itoa(dropBatch)+`)
			RETURNING retained`, before)
	})
	return judged, dropped, err
}
