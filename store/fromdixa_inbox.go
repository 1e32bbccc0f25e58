package store

import (
	"context"
	"database/sql"
	"strconv"
	"time"
)

// DixaEvent is an event from Dixa with a verified signature.
type DixaEvent struct {
	// ID is Dixa's id of the event.
	ID string
	// Name is the API's name of the event, or the name in its payload if the API's
	// is not known.
	Name string
	// ConversationID is the conversation of the event; zero if it has none.
	ConversationID int64
	// HappenedAt is Dixa's timestamp; zero if it is missing or cannot be parsed.
	HappenedAt time.Time
	// Organization is the organization that the event names.
	Organization Organization
	// Body is the payload as received, byte for byte. It is stored encrypted.
	Body []byte
}

// Event reads an event of a connection. Body is nil if it was dropped. It returns
// [ErrNotFound] if the event was never received.
func (s Inbox) Event(ctx context.Context, connectionID, id string) (DixaEvent, error) {
	return get(ctx, s.core, "read event "+id, func(db *sql.DB) (DixaEvent, error) {
		e := DixaEvent{ID: id}
		var conversation sql.NullInt64
		var happened int64
		var sealed []byte
		err := queryOne(ctx, db, notFound("event "+id), []any{&e.Name, &conversation, &happened, &sealed, &e.Organization.ID, &e.Organization.Name},
			`SELECT i.name, i.conversation_id, i.happened_at, i.body, n.organization_id, n.organization_name
			FROM inbox i JOIN connections n ON n.id = i.connection_id WHERE i.connection_id = $1 AND i.event_id = $2`, connectionID, id)
		e.ConversationID, e.HappenedAt = conversation.Int64, timeOf(happened)
		if err == nil && sealed != nil {
			e.Body, err = s.open(inboxBody, sealed, connectionID, id)
		}
		return e, err
	})
}

// dropBatch bounds the number of bodies per transaction.
const dropBatch = 500

// DropBodies deletes the bodies of events that were received before a time and whose
// conversation belongs to no claim, and returns their number. The event ids stay. If
// the conversation belongs to a claim by then, the body stays as well.
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
