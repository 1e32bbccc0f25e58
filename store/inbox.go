package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Event is an event that Dixa told of and whose signature was verified.
type Event struct {
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

// ForeignEventError says that an event is of another Dixa organisation than its
// connection.
type ForeignEventError struct {
	// Have is the connection's organisation, empty where it is not known; Got is
	// the event's, empty where it names none.
	Have, Got string
}

func (e *ForeignEventError) Error() string {
	return fmt.Sprintf("the event is of the Dixa organisation %q, and the connection of %q", e.Got, e.Have)
}

// Receive keeps an event of a connection. fresh is false for one that was kept
// before, whatever became of its body: an event id counts once, for ever. When
// Receive returns nil the event is durable.
//
// The first event of a connection whose organisation is not known tells which it
// is; from then on it is pinned. An event of another organisation, or of none,
// is a [*ForeignEventError]; one of an organisation that another
// connection has is a [*ConflictError]; an unknown connection is [ErrNotFound].
func (s *Store) Receive(ctx context.Context, connectionID string, e Event) (fresh bool, err error) {
	sealed, err := s.seal(inboxBody, e.Body, connectionID, e.ID)
	if err != nil {
		return false, fmt.Errorf("keep event %s: %w", e.ID, err)
	}
	err = s.write(ctx, "keep event "+e.ID, func(tx *sql.Tx) error {
		if err := s.belongs(ctx, tx, connectionID, e.Organization); err != nil {
			return err
		}
		var conversation any
		if e.ConversationID > 0 {
			conversation = e.ConversationID
		}
		n, err := exec(ctx, tx, `INSERT INTO inbox (connection_id, event_id, name, conversation_id, happened_at, received_at, body)
			VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (connection_id, event_id) DO NOTHING`,
			connectionID, e.ID, plain(e.Name), conversation, micros(e.HappenedAt), s.now(), sealed)
		fresh = n == 1
		return err
	})
	return fresh, err
}

// belongs makes sure that an organisation is the connection's, and pins it where
// the connection's was not known.
func (s *Store) belongs(ctx context.Context, tx *sql.Tx, connectionID string, org Organization) error {
	have, err := organizationOf(ctx, tx, connectionID)
	if err != nil || have == org.ID && have != "" {
		return err
	}
	if have == "" && org.ID != "" {
		return s.pin(ctx, tx, connectionID, org)
	}
	return &ForeignEventError{Have: have, Got: org.ID}
}

func organizationOf(ctx context.Context, tx *sql.Tx, connectionID string) (string, error) {
	var id sql.NullString
	err := one(ctx, tx, notFound("connection "+connectionID), []any{&id}, `SELECT organization_id FROM connections WHERE id = $1`, connectionID)
	return id.String, err
}

// pin makes an organisation that of a connection which had none.
func (s *Store) pin(ctx context.Context, tx *sql.Tx, connectionID string, org Organization) error {
	if _, _, err := holdPlatform(ctx, tx); err != nil {
		return err
	}
	// Another event, or a token, may have pinned it before the hold.
	have, err := organizationOf(ctx, tx, connectionID)
	if err != nil {
		return err
	}
	if have != "" && have != org.ID {
		return &ForeignEventError{Have: have, Got: org.ID}
	}
	var other string
	err = one(ctx, tx, ErrNotFound, []any{&other}, `SELECT id FROM connections WHERE organization_id = $1 AND id <> $2`, org.ID, connectionID)
	if err == nil {
		return &ConflictError{What: "organization", Problem: fmt.Sprintf(
			"connection %s is of the Dixa organisation %s, which connection %s has already; save the token of that one for the shops of this one as well", connectionID, org.ID, other)}
	}
	if !errors.Is(err, ErrNotFound) {
		return err
	}
	_, err = exec(ctx, tx, `UPDATE connections SET organization_id = $2, organization_name = CASE WHEN $3 = '' THEN organization_name ELSE $3 END, updated_at = $4
		WHERE id = $1`, connectionID, org.ID, plain(org.Name), s.now())
	return err
}

// Event reads an event of a connection. Body is nil once it was dropped. An
// event that never came is [ErrNotFound].
func (s *Store) Event(ctx context.Context, connectionID, id string) (Event, error) {
	e := Event{ID: id}
	err := s.read(ctx, "read event "+id, func(db *sql.DB) error {
		var conversation sql.NullInt64
		var happened int64
		var sealed []byte
		err := one(ctx, db, notFound("event "+id), []any{&e.Name, &conversation, &happened, &sealed, &e.Organization.ID, &e.Organization.Name},
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
func (s *Store) DropBodies(ctx context.Context, before time.Time) (n int, err error) {
	for {
		judged, dropped, err := s.dropBatch(ctx, micros(before))
		n += dropped
		if err != nil || judged < dropBatch {
			return n, err
		}
	}
}

func (s *Store) dropBatch(ctx context.Context, before int64) (judged, dropped int, err error) {
	const linked = `EXISTS (SELECT 1 FROM links l WHERE l.connection_id = inbox.connection_id AND l.conversation_id = inbox.conversation_id)`
	err = s.write(ctx, "drop the bodies of old events", func(tx *sql.Tx) error {
		judged, dropped = 0, 0
		return each(ctx, tx, func(scan func(...any) error) error {
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
