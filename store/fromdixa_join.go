package store

import (
	"context"
	"database/sql"
	"errors"
	"strconv"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/mirror"
)

// conversationKey identifies a conversation of a connection.
type conversationKey struct {
	connectionID   string
	conversationID int64
}

// Join assigns events their sequence numbers within their claim and marks those
// claims as changed. It processes up to limit events that were not checked yet, and
// the events that arrived before their conversation was linked to a claim. more says
// that there may be more to do.
//
// No event is missed, whether it or the link comes first: each event is checked once
// after it arrives, and each link checks all events of its conversation once after
// it is created.
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
			err = s.mirrorUnlinked(ctx, key, events)
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
	return list(ctx, s, "list new links", func(scan func(...any) error) (ref claim.Ref, err error) {
		err = scan(&ref.Shop, &ref.ID)
		return ref, err
	}, `SELECT shop, claim_id FROM links WHERE NOT joined ORDER BY created_at LIMIT $1`, limit)
}

// mirrorUnlinked merges events whose conversation belongs to no claim into the
// mirror, and marks them. A link that is created concurrently checks them itself.
func (s *core) mirrorUnlinked(ctx context.Context, key conversationKey, events []string) error {
	return s.write(ctx, "store events of no claim", func(tx *sql.Tx) error {
		batch := MirrorBatch{ConnectionID: key.connectionID}
		var args arguments
		connection, conversation := args.add(key.connectionID), args.add(key.conversationID)
		err := queryEach(ctx, tx, func(scan func(...any) error) error {
			var id string
			var at int64
			var body []byte
			if err := scan(&id, &at, &body); err != nil || body == nil || key.conversationID == 0 {
				return err
			}
			body, err := s.open(inboxBody, body, key.connectionID, id)
			if err != nil {
				return err
			}
			event := mirror.ReadEvent(id, timeOf(at), body)
			batch.Facts = append(batch.Facts, ConversationFact{key.conversationID, event.Fact})
			for _, m := range event.Messages {
				m.ConversationID = key.conversationID
				batch.Messages = append(batch.Messages, m)
			}
			return nil
		}, `UPDATE inbox SET sequence = 0 WHERE connection_id = `+connection+` AND sequence IS NULL
			AND NOT EXISTS (SELECT 1 FROM links WHERE connection_id = `+connection+` AND conversation_id = `+conversation+`)
			AND event_id IN (`+placeholders(&args, events)+`) RETURNING event_id, happened_at, body`, args...)
		if err != nil || len(batch.Facts) == 0 {
			return err
		}
		m := &merge{core: s, tx: tx, MirrorBatch: batch, ids: []int64{key.conversationID}}
		if m.sources, err = s.sourcesOf(ctx, tx, key.connectionID); err != nil || len(m.sources) == 0 {
			return err
		}
		return m.run(ctx)
	})
}

// join numbers all events of a claim's conversation that have no number. Events that
// are numbered together are in the order of Dixa's clock.
func (s *core) join(ctx context.Context, ref claim.Ref) error {
	return s.write(ctx, "join the events of claim "+ref.String(), func(tx *sql.Tx) error {
		// Two dispatchers must not assign the same number twice.
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

// EventBatch is a claim's progress through its events, with the events that follow.
type EventBatch struct {
	// Cursor is the number of the last event that was applied.
	Cursor         int64
	State          claim.State
	ConnectionID   string
	ConversationID int64
	Conversation   mirror.Conversation
	// Events are the next events in order, and Last is the number of the last one.
	Events []DixaEvent
	Last   int64
	// More says that further events follow.
	More bool
}

// NextEvents reads a claim's progress through the events of its conversation and up
// to limit next events. A claim without a conversation has none.
func (s Inbox) NextEvents(ctx context.Context, ref claim.Ref, limit int) (EventBatch, error) {
	var t EventBatch
	err := s.read(ctx, "read the events of claim "+ref.String(), func(db *sql.DB) error {
		t = EventBatch{}
		var events int64
		var doc []byte
		err := queryOne(ctx, db, claimNotFound(ref), []any{&t.Cursor, &events, &t.State, &t.ConnectionID, &t.ConversationID, &doc},
			`SELECT c.applied, c.events, c.state, c.connection_id, c.conversation_id, v.body FROM claims c
			LEFT JOIN conversations v ON v.connection_id = c.connection_id AND v.conversation_id = c.conversation_id
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
			// Numbers from the claim's previous conversation have no events here.
			t.Last = max(t.Last, events)
		}
		return err
	})
	return t, err
}

// events reads the events of a claim's conversation after a number. last is the
// number of the last event that it returns.
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

// EventsOf reads the first events of a claim, up to limit, whether applied or not.
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
