package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/mirror"
)

// RecordFeed is how far an endpoint has read the changes of a connection's records.
type RecordFeed struct {
	EndpointID, ConnectionID string
	// Types are the types that the endpoint wants, and Resources those of the unified API;
	// empty for all.
	Types, Resources []string
	// History says that the endpoint wants records from before it was added.
	History bool
	// StartChange and StartAt are where it began.
	StartChange int64
	StartAt     time.Time
	// Place is the last change that was read.
	Place ChangePlace
	// Room is how many events may still be queued.
	Room int
}

// Wants reports whether the endpoint wants the events of a type about a resource.
func (f *RecordFeed) Wants(kind, resource string) bool {
	return slices.Contains(f.Types, kind) && (len(f.Resources) == 0 || slices.Contains(f.Resources, resource))
}

// RecordEvent is an event for an endpoint about a change of a record.
type RecordEvent struct {
	Type, Resource, ID string
	Change             int64
	// ConversationID, or Kind and EntryID, say what in Dixa the event is about. It is
	// deleted with that.
	ConversationID int64
	Kind           mirror.DirectoryKind
	EntryID        string
	// Body is the payload. It is stored encrypted.
	Body json.RawMessage
}

func (e *RecordEvent) about(connectionID string) string {
	if e.Kind != "" {
		return aboutEntry(connectionID, e.Kind, e.EntryID)
	}
	return aboutConversation(connectionID, e.ConversationID)
}

// feedConnections are the endpoints e with the connections n whose records they may
// receive: those of a shop only if its connection is not shared, because the records of an
// organization cannot be divided by shop.
const feedConnections = `endpoints e JOIN connections n ON e.shop = '' OR EXISTS (SELECT 1 FROM shops s WHERE s.slug = e.shop AND s.connection_id = n.id AND s.deleted_at = 0)
	AND NOT EXISTS (SELECT 1 FROM connection_shops o WHERE o.connection_id = n.id AND o.shop <> e.shop)`

// startFeeds makes an endpoint read what changes from now on, or everything if it wants
// history. Connections that are added later are read from their beginning.
func (s *core) startFeeds(ctx context.Context, tx *sql.Tx, endpointID string) error {
	if _, err := exec(ctx, tx, `DELETE FROM record_feeds WHERE endpoint_id = $1`, endpointID); err != nil {
		return err
	}
	if _, err := exec(ctx, tx, `UPDATE endpoints SET records_since = $2 WHERE id = $1`, endpointID, s.now()); err != nil {
		return err
	}
	_, err := exec(ctx, tx, `INSERT INTO record_feeds (endpoint_id, connection_id, start_change, start_at, change, stream)
		SELECT e.id, n.id, start.change, CASE WHEN e.history THEN 0 ELSE e.records_since END, start.change, `+number(int64(afterStreams))+`
		FROM `+feedConnections+` JOIN (SELECT x.id, h.history, CASE WHEN h.history THEN 0 ELSE COALESCE(m.change, 0) END AS change
			FROM connections x LEFT JOIN mirrors m ON m.connection_id = x.id JOIN endpoints h ON h.id = $1) start ON start.id = n.id
		WHERE e.id = $1`, endpointID)
	return err
}

// StartMissing makes endpoints read connections that were added after them.
func (s Feeds) StartMissing(ctx context.Context) error {
	const missing = `e.records_since > 0 AND NOT EXISTS (SELECT 1 FROM record_feeds f WHERE f.endpoint_id = e.id AND f.connection_id = n.id)`
	var n int
	err := s.read(ctx, "find connections that endpoints do not read", func(db *sql.DB) error {
		return queryOne(ctx, db, nil, []any{&n}, `SELECT COUNT(*) FROM `+feedConnections+` WHERE `+missing)
	})
	if err != nil || n == 0 {
		return err
	}
	return s.execute(ctx, "let endpoints read new connections", nil, `INSERT INTO record_feeds (endpoint_id, connection_id, start_change, start_at, change)
		SELECT e.id, n.id, 0, CASE WHEN e.history THEN 0 ELSE e.records_since END, 0 FROM `+feedConnections+` WHERE `+missing+` ON CONFLICT (endpoint_id, connection_id) DO NOTHING`)
}

// Behind lists the feeds of active endpoints that have changes to read and fewer than max
// events about records waiting.
func (s Feeds) Behind(ctx context.Context, maxWaiting int) ([]RecordFeed, error) {
	all, err := list(ctx, s.core, "list endpoints that have changes to read", func(scan func(...any) error) (f RecordFeed, err error) {
		var types, resources string
		var started int64
		var waiting int
		err = scan(&f.EndpointID, &f.ConnectionID, &types, &resources, &f.History, &f.StartChange, &started,
			&f.Place.Change, &f.Place.Stream, &f.Place.ConversationID, &f.Place.Key, &waiting)
		f.Types, f.Resources, f.StartAt, f.Room = splitTypes(types), splitTypes(resources), timeOf(started), maxWaiting-waiting
		return f, err
	}, `SELECT e.id, n.id, e.types, e.resources, e.history, f.start_change, f.start_at, f.change, f.stream, f.conversation_id, f.key,
			(SELECT COUNT(*) FROM deliveries d WHERE d.endpoint_id = e.id AND d.state = 'waiting' AND d.body IS NOT NULL)
		FROM `+feedConnections+` JOIN record_feeds f ON f.endpoint_id = e.id AND f.connection_id = n.id JOIN mirrors m ON m.connection_id = n.id
		WHERE e.state = 'active' AND e.records_since > 0 AND (m.change > f.change OR f.stream < `+number(int64(afterStreams))+`) ORDER BY e.id, n.id`)
	return slices.DeleteFunc(all, func(f RecordFeed) bool { return f.Room <= 0 }), err
}

var errMoved = errors.New("the feed moved")

// Advance queues events of an endpoint and records that it has read the changes up to a
// place, atomically. head is the mirror's last change before the records of the events were
// read. moved says that another process did it before, that the endpoint is gone, or that
// one of the records changed since, so that the events may contain what was erased; then
// nothing is queued. It records if the endpoint was too late to learn of all deletions.
func (s Feeds) Advance(ctx context.Context, f *RecordFeed, until ChangePlace, head int64, events []RecordEvent) (moved bool, err error) {
	err = s.write(ctx, "queue events about records for endpoint "+f.EndpointID, func(tx *sql.Tx) error {
		if len(events) > 0 {
			change, err := s.lockMirror(ctx, tx, f.ConnectionID)
			if err != nil {
				return err
			}
			if change > head {
				stale, err := changedSince(ctx, tx, f.ConnectionID, head, events)
				if err != nil {
					return err
				}
				if stale {
					return errMoved
				}
			}
		}
		now := s.now()
		n, err := exec(ctx, tx, `UPDATE record_feeds SET change = $3, stream = $4, conversation_id = $5, key = $6,
			missed_at = CASE WHEN change < (SELECT m.forgotten FROM mirrors m WHERE m.connection_id = $2) AND change > 0 THEN CAST($7 AS BIGINT) ELSE missed_at END
			WHERE endpoint_id = $1 AND connection_id = $2 AND change = $8 AND stream = $9 AND conversation_id = $10 AND key = $11`,
			f.EndpointID, f.ConnectionID, until.Change, until.Stream, until.ConversationID, until.Key, now,
			f.Place.Change, f.Place.Stream, f.Place.ConversationID, f.Place.Key)
		if err != nil {
			return err
		}
		if n == 0 {
			return errMoved
		}
		for i := range events {
			if err := s.addRecordEvent(ctx, tx, f, &events[i], now); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, errMoved) {
		return true, nil
	}
	return false, err
}

// changedSince reports whether any record that the events are about has changed or was
// deleted after a change.
func changedSince(ctx context.Context, tx *sql.Tx, connectionID string, head int64, events []RecordEvent) (changed bool, err error) {
	args := arguments{connectionID, head}
	var conversations, entries []string
	for i := range events {
		if e := &events[i]; e.Kind != "" {
			entries = append(entries, e.EntryID)
		} else {
			conversations = append(conversations, number(e.ConversationID))
		}
	}
	var either []string
	if len(conversations) > 0 {
		ids := strings.Join(slices.Compact(slices.Sorted(slices.Values(conversations))), ", ") // numbers
		for _, table := range []string{"conversations", "messages", "tombstones"} {
			either = append(either, `EXISTS (SELECT 1 FROM `+table+` WHERE connection_id = $1 AND change > $2 AND conversation_id IN (`+ids+`))`)
		}
	}
	if len(entries) > 0 {
		ids := placeholders(&args, entries)
		for _, table := range []string{"directory", "tombstones"} {
			either = append(either, `EXISTS (SELECT 1 FROM `+table+` WHERE connection_id = $1 AND change > $2 AND id IN (`+ids+`))`)
		}
	}
	err = queryOne(ctx, tx, nil, []any{&changed}, `SELECT `+strings.Join(either, " OR "), args...)
	return changed, err
}

func (s *core) addRecordEvent(ctx context.Context, tx *sql.Tx, f *RecordFeed, e *RecordEvent, now int64) error {
	lane := strings.Join([]string{"record", f.ConnectionID, e.Resource, e.ID}, "/")
	id := deliveryID(f.EndpointID, event{lane: lane, sequence: e.Change}) // the same whenever the event is made from the same change
	body, err := s.seal(recordEventBody, e.Body, id)
	if err != nil {
		return err
	}
	// The feed is locked, so the endpoint exists.
	_, err = exec(ctx, tx, `INSERT INTO deliveries (id, endpoint_id, lane, sequence, type, about, body, state, next_attempt_at, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, 'waiting', $8, $8) ON CONFLICT (endpoint_id, lane, sequence) DO NOTHING`,
		id, f.EndpointID, lane, e.Change, e.Type, e.about(f.ConnectionID), body, now)
	return err
}

// DeleteRecordEvents deletes events about records that were delivered, or that became
// dead, before a time. It returns their number.
func (s Deliveries) DeleteRecordEvents(ctx context.Context, before time.Time) (n int, err error) {
	err = s.write(ctx, "delete old events about records", func(tx *sql.Tx) error {
		n, err = exec(ctx, tx, `DELETE FROM deliveries WHERE body IS NOT NULL AND (state = $1 AND delivered_at < $2 OR state = $3 AND next_attempt_at < $2)`,
			claim.DeliveryDelivered, micros(before), claim.DeliveryDead)
		return err
	})
	return n, err
}

// replayRecords sends the events about records again that are kept.
func (s *core) replayRecords(ctx context.Context, endpointID string, since, until int64) (n int, err error) {
	err = s.write(ctx, "replay events to endpoint "+endpointID, func(tx *sql.Tx) error {
		n, err = exec(ctx, tx, `UPDATE deliveries SET state = 'waiting', attempts = 0, note = '', next_attempt_at = $4
			WHERE endpoint_id = $1 AND body IS NOT NULL AND type <> $5 AND created_at >= $2 AND created_at < $3`,
			endpointID, since, until, s.now(), claim.OutboundEndpointTest)
		return err
	})
	return n, err
}
