package store

import (
	"context"
	"database/sql"
	"errors"
	"strconv"

	"github.com/claimflow/claimflow/claim"
)

// conversationKey names a conversation of a connection.
type conversationKey struct {
	connectionID   string
	conversationID int64
}

// Join gives up to limit events that nobody looked at yet, and those that
// came before their conversation became a claim's, their place among the events
// of their claim, and marks those claims as changed. more says that there may be
// more to do.
//
// An event is found whichever comes first, it or the link: it is looked at once
// after it came, and each link looks at all events of its conversation once after
// it was made.
func (s Inbox) Join(ctx context.Context, limit int) (more bool, err error) {
	fresh, err := s.newEvents(ctx, limit)
	if err != nil {
		return false, err
	}
	linked, err := s.unjoinedLinks(ctx, limit)
	if err != nil {
		return false, err
	}
	for _, ref := range linked {
		if err := s.join(ctx, ref); err != nil {
			return false, err
		}
	}
	joined := map[claim.Ref]bool{}
	for key, events := range fresh {
		ref, err := Links(s).ClaimOf(ctx, key.connectionID, key.conversationID)
		switch {
		case errors.Is(err, ErrNotFound):
			err = s.markUnlinked(ctx, key, events)
		case err == nil && !joined[ref]:
			joined[ref], err = true, s.join(ctx, ref)
		}
		if err != nil {
			return false, err
		}
	}
	n := 0
	for _, events := range fresh {
		n += len(events)
	}
	return n == limit || len(linked) == limit, nil
}

func (s *core) newEvents(ctx context.Context, limit int) (map[conversationKey][]string, error) {
	var fresh map[conversationKey][]string
	err := s.read(ctx, "list new events", func(db *sql.DB) error {
		fresh = map[conversationKey][]string{}
		return queryEach(ctx, db, func(scan func(...any) error) error {
			var key conversationKey
			var conversation sql.NullInt64
			var id string
			err := scan(&key.connectionID, &conversation, &id)
			key.conversationID = conversation.Int64
			fresh[key] = append(fresh[key], id)
			return err
		}, `SELECT connection_id, conversation_id, event_id FROM inbox WHERE sequence IS NULL ORDER BY received_at LIMIT $1`, limit)
	})
	return fresh, err
}

func (s *core) unjoinedLinks(ctx context.Context, limit int) ([]claim.Ref, error) {
	var refs []claim.Ref
	err := s.read(ctx, "list new links", func(db *sql.DB) error {
		refs = nil
		return queryEach(ctx, db, func(scan func(...any) error) error {
			var ref claim.Ref
			err := scan(&ref.Shop, &ref.ID)
			refs = append(refs, ref)
			return err
		}, `SELECT shop, claim_id FROM links WHERE NOT joined ORDER BY created_at LIMIT $1`, limit)
	})
	return refs, err
}

// markUnlinked notes that events are of a conversation that is no claim's. A link
// that is made at the same moment looks at them by itself.
func (s *core) markUnlinked(ctx context.Context, key conversationKey, events []string) error {
	return s.write(ctx, "note events of no claim", func(tx *sql.Tx) error {
		var args arguments
		connection, conversation := args.add(key.connectionID), args.add(key.conversationID)
		_, err := exec(ctx, tx, `UPDATE inbox SET sequence = 0 WHERE connection_id = `+connection+` AND sequence IS NULL
			AND NOT EXISTS (SELECT 1 FROM links WHERE connection_id = `+connection+` AND conversation_id = `+conversation+`)
			AND event_id IN (`+placeholders(&args, events)+`)`, args...)
		return err
	})
}

// join numbers all events of a claim's conversation that have no number, by
// Dixa's clock as far as they came together.
func (s *core) join(ctx context.Context, ref claim.Ref) error {
	return s.write(ctx, "join the events of claim "+ref.String(), func(tx *sql.Tx) error {
		// Two dispatchers must not give the same number twice.
		row, err := lockClaim(ctx, tx, ref)
		if err != nil {
			return err
		}
		_, err = exec(ctx, tx, `UPDATE links SET joined = TRUE WHERE shop = $1 AND claim_id = $2 AND NOT joined`, ref.Shop, ref.ID)
		if err != nil {
			return err
		}
		const mine = `connection_id = $1 AND conversation_id = $2 AND COALESCE(sequence, 0) = 0`
		n, err := exec(ctx, tx, `UPDATE inbox SET retained = body IS NOT NULL, sequence = numbered.place + (SELECT events FROM claims WHERE shop = $3 AND id = $4)
			FROM (SELECT event_id, ROW_NUMBER() OVER (ORDER BY happened_at, received_at, event_id) AS place FROM inbox WHERE `+mine+`) AS numbered
			WHERE inbox.connection_id = $1 AND inbox.event_id = numbered.event_id`, row.connectionID, row.conversationID, ref.Shop, ref.ID)
		if err != nil || n == 0 {
			return err
		}
		_, err = exec(ctx, tx, `UPDATE claims SET events = events + $3, revision = revision + 1 WHERE shop = $1 AND id = $2`, ref.Shop, ref.ID, n)
		return err
	})
}

// EventBatch is what a claim has taken in so far, with the events behind that.
type EventBatch struct {
	// Cursor is the number of the last event taken in.
	Cursor         int64
	State          claim.State
	ConnectionID   string
	ConversationID int64
	Conversation   claim.Conversation
	// Events are the next ones in their order, and Last the number of the last.
	Events []DixaEvent
	Last   int64
	// More says that there are events behind these.
	More bool
}

// NextEvents reads how far a claim came with the events of its conversation and
// up to limit next ones. A claim without a conversation has none.
func (s Inbox) NextEvents(ctx context.Context, ref claim.Ref, limit int) (EventBatch, error) {
	var t EventBatch
	err := s.read(ctx, "read the events of claim "+ref.String(), func(db *sql.DB) error {
		t = EventBatch{}
		var events int64
		var doc []byte
		err := queryOne(ctx, db, claimNotFound(ref), []any{&t.Cursor, &events, &t.State, &t.ConnectionID, &t.ConversationID, &doc},
			`SELECT c.applied, c.events, c.state, c.connection_id, c.conversation_id, v.body FROM claims c
			LEFT JOIN conversations v ON v.connection_id = c.connection_id AND v.conversation_id = CAST(c.conversation_id AS TEXT)
			WHERE c.shop = $1 AND c.id = $2`, ref.Shop, ref.ID)
		if err != nil {
			return err
		}
		t.Last = t.Cursor
		if doc != nil {
			if err := s.openJSON(conversationDoc, doc, &t.Conversation, t.ConnectionID, number(t.ConversationID)); err != nil {
				return err
			}
		}
		if events == t.Cursor {
			return nil
		}
		t.Events, t.Last, err = s.events(ctx, db, t.ConnectionID, t.ConversationID, t.Cursor, limit)
		t.More = len(t.Events) == limit && t.Last < events
		if !t.More {
			// Numbers of a conversation that was the claim's before have no events here.
			t.Last = max(t.Last, events)
		}
		return err
	})
	return t, err
}

// events reads the events of a claim's conversation behind a number, and the
// number of the last.
func (s *core) events(ctx context.Context, q querier, connectionID string, conversationID, after int64, limit int) (events []DixaEvent, last int64, err error) {
	last = after
	err = queryEach(ctx, q, func(scan func(...any) error) error {
		e := DixaEvent{ConversationID: conversationID}
		var happened int64
		var sealed []byte
		if err := scan(&e.ID, &e.Name, &happened, &sealed, &last); err != nil {
			return err
		}
		e.HappenedAt = timeOf(happened)
		if sealed != nil {
			var err error
			if e.Body, err = s.open(inboxBody, sealed, connectionID, e.ID); err != nil {
				return err
			}
		}
		events = append(events, e)
		return nil
	}, `SELECT event_id, name, happened_at, body, sequence FROM inbox
		WHERE connection_id = $1 AND conversation_id = $2 AND sequence > $3 ORDER BY sequence LIMIT $4`,
		connectionID, conversationID, after, limit)
	return events, last, err
}

// EventsOf reads the first events that a claim was given, up to limit, whether it
// has taken them in or not.
func (s Inbox) EventsOf(ctx context.Context, ref claim.Ref, limit int) ([]DixaEvent, error) {
	var events []DixaEvent
	err := s.read(ctx, "read the events of claim "+ref.String(), func(db *sql.DB) error {
		var connection string
		var conversation int64
		err := queryOne(ctx, db, claimNotFound(ref), []any{&connection, &conversation},
			`SELECT connection_id, conversation_id FROM claims WHERE shop = $1 AND id = $2`, ref.Shop, ref.ID)
		if err != nil {
			return err
		}
		events, _, err = s.events(ctx, db, connection, conversation, 0, limit)
		return err
	})
	return events, err
}

func number(id int64) string { return strconv.FormatInt(id, 10) }
