package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/mirror"
)

// Change is what a fact would change.
type Change int

// Changes by a fact.
const (
	ChangeNone Change = iota
	ChangeSome
	// ChangeExcluded means that no source selects the conversation.
	ChangeExcluded
)

// Preview reports what a fact would change, without storing it.
func (s Mirror) Preview(ctx context.Context, connectionID string, f ConversationFact) (Change, error) {
	return get(ctx, s.core, fmt.Sprintf("read conversation %d", f.ID), func(db *sql.DB) (Change, error) {
		rows, err := s.conversationRows(ctx, db, connectionID, []int64{f.ID})
		if err != nil {
			return ChangeNone, err
		}
		row := rows[f.ID]
		if row == nil {
			row = &conversationRow{id: f.ID}
		}
		before := row.Conversation
		row.Apply(f.Fact)
		if row.stored && !row.messagesDue && before.Equal(row.Conversation) {
			return ChangeNone, nil
		}
		var linked bool
		err = queryOne(ctx, db, nil, []any{&linked}, `SELECT EXISTS (SELECT 1 FROM links WHERE connection_id = $1 AND conversation_id = $2)`, connectionID, f.ID)
		if err != nil || linked {
			return ChangeSome, err
		}
		sources, err := s.sourcesOf(ctx, db, connectionID)
		now, at := timeOf(s.now()), row.Selectable()
		if err == nil && !slices.ContainsFunc(sources, func(d claim.DataSource) bool { return d.Selects(at, now) }) {
			return ChangeExcluded, nil
		}
		return ChangeSome, err
	})
}

// Conversation reads what is known of a conversation. It is empty if nothing is known.
func (s Mirror) Conversation(ctx context.Context, connectionID string, id int64) (mirror.Conversation, error) {
	return get(ctx, s.core, fmt.Sprintf("read conversation %d", id), func(db *sql.DB) (c mirror.Conversation, err error) {
		rows, err := s.conversationRows(ctx, db, connectionID, []int64{id})
		if row := rows[id]; row != nil {
			c = row.Conversation
		}
		return c, err
	})
}

// MessagesDue lists up to limit conversations after the given one whose messages are
// to be read again: they changed after their messages were read, or Dixa reports a
// newer message than the newest known one.
func (s Mirror) MessagesDue(ctx context.Context, connectionID string, after int64, limit int) ([]int64, error) {
	return list(ctx, s.core, "list conversations with missing messages", single[int64],
		`SELECT conversation_id FROM conversations WHERE connection_id = $1 AND conversation_id > $2 AND messages_due ORDER BY conversation_id LIMIT $3`,
		connectionID, after, limit)
}

// MessagesRead records that the messages and notes of a conversation were read.
func (s Mirror) MessagesRead(ctx context.Context, connectionID string, id int64) error {
	return s.recordRead(ctx, connectionID, id, "messages_due = FALSE, ")
}

// NotesDue lists up to limit conversations after the given one whose notes are to be
// read: an export counts more than are known. Those whose messages nothing selects are
// left out.
func (s Mirror) NotesDue(ctx context.Context, connectionID string, after int64, limit int) ([]int64, error) {
	return get(ctx, s.core, "list conversations with missing notes", func(db *sql.DB) ([]int64, error) {
		sources, err := s.sourcesOf(ctx, db, connectionID)
		if err != nil {
			return nil, err
		}
		for now := timeOf(s.now()); ; {
			linked := map[int64]bool{}
			ids, err := collect(ctx, db, func(scan func(...any) error) (id int64, err error) {
				var of bool
				err = scan(&id, &of)
				linked[id] = of
				return id, err
			}, `SELECT c.conversation_id, EXISTS (SELECT 1 FROM links l WHERE l.connection_id = c.connection_id AND l.conversation_id = c.conversation_id)
				FROM conversations c WHERE c.connection_id = $1 AND c.conversation_id > $2 AND c.notes_due ORDER BY c.conversation_id LIMIT $3`, connectionID, after, limit)
			if err != nil || len(ids) == 0 {
				return nil, err
			}
			after = ids[len(ids)-1]
			rows, err := s.conversationRows(ctx, db, connectionID, ids)
			if err != nil {
				return nil, err
			}
			wanted := slices.DeleteFunc(ids, func(id int64) bool {
				row := rows[id]
				return row == nil || !linked[id] && !slices.ContainsFunc(sources, func(d claim.DataSource) bool {
					return d.Has(claim.StreamMessages) && d.Selects(row.Selectable(), now)
				})
			})
			if len(wanted) > 0 {
				return wanted, nil
			}
		}
	})
}

// NotesRead records that the notes of a conversation were read. They are due again
// only when an export counts another number of them.
func (s Mirror) NotesRead(ctx context.Context, connectionID string, id int64) error {
	return s.recordRead(ctx, connectionID, id, "")
}

// recordRead records that the notes of a conversation were read, and what more says.
func (s *core) recordRead(ctx context.Context, connectionID string, id int64, more string) error {
	return s.write(ctx, fmt.Sprintf("record that the messages of conversation %d were read", id), func(tx *sql.Tx) error {
		if _, err := s.lockMirror(ctx, tx, connectionID); err != nil {
			return err
		}
		rows, err := s.conversationRows(ctx, tx, connectionID, []int64{id})
		if err != nil || rows[id] == nil {
			return err
		}
		_, err = exec(ctx, tx, `UPDATE conversations SET `+more+`notes_due = FALSE, notes_read = $3 WHERE connection_id = $1 AND conversation_id = $2`,
			connectionID, id, rows[id].Reported.Notes)
		return err
	})
}

// DeleteOrphans deletes messages and activities that have waited for their
// conversation for longer than [OrphanGrace].
func (s Mirror) DeleteOrphans(ctx context.Context, connectionID string) error {
	before := s.now() - OrphanGrace.Microseconds()
	return s.write(ctx, "delete rows without a conversation", func(tx *sql.Tx) error {
		for _, table := range []string{"messages", "activities"} {
			_, err := exec(ctx, tx, `DELETE FROM `+table+` WHERE connection_id = $1 AND stored_at < $2 AND NOT EXISTS (
				SELECT 1 FROM conversations c WHERE c.connection_id = `+table+`.connection_id AND c.conversation_id = `+table+`.conversation_id)
				AND NOT EXISTS (SELECT 1 FROM links l WHERE l.connection_id = `+table+`.connection_id AND l.conversation_id = `+table+`.conversation_id)`, connectionID, before)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// OrphanGrace is how long messages and activities may wait for their conversation.
const OrphanGrace = time.Hour

// expiredBatch is how many conversations [Mirror.DeleteExpired] checks at once.
const expiredBatch = 500

// DeleteExpired deletes the records of conversations that no source selects any more,
// because they are too old or a source changed. Claims' conversations stay. Figures
// stay if a source that selected the conversation by its filters says so. It returns
// the number of conversations.
func (s Mirror) DeleteExpired(ctx context.Context, connectionID string) (int, error) {
	total := 0
	for after := int64(0); ; {
		n, last, err := s.deleteExpired(ctx, connectionID, after)
		total += n
		if err != nil || last == after {
			return total, err
		}
		after = last
	}
}

func (s Mirror) deleteExpired(ctx context.Context, connectionID string, after int64) (n int, last int64, err error) {
	err = s.write(ctx, "delete expired records of connection "+connectionID, func(tx *sql.Tx) error {
		n, last = 0, after
		if _, err := s.lockMirror(ctx, tx, connectionID); err != nil {
			return err
		}
		ids, err := collect(ctx, tx, single[int64], `SELECT c.conversation_id FROM conversations c WHERE c.connection_id = $1 AND c.conversation_id > $2
			AND NOT EXISTS (SELECT 1 FROM links l WHERE l.connection_id = c.connection_id AND l.conversation_id = c.conversation_id)
			ORDER BY c.conversation_id LIMIT $3`, connectionID, after, expiredBatch)
		if err != nil || len(ids) == 0 {
			return err
		}
		last = ids[len(ids)-1]
		sources, err := s.sourcesOf(ctx, tx, connectionID)
		if err != nil {
			return err
		}
		rows, err := s.conversationRows(ctx, tx, connectionID, ids)
		if err != nil {
			return err
		}
		now := timeOf(s.now())
		for _, id := range ids {
			at := rows[id].Selectable()
			if slices.ContainsFunc(sources, func(d claim.DataSource) bool { return d.Selects(at, now) }) {
				continue
			}
			n++
			ofClaim, err := everOfClaim(ctx, tx, connectionID, id)
			if err != nil {
				return err
			}
			if err := s.expire(ctx, tx, connectionID, id, ofClaim || keepsFigures(sources, rows[id])); err != nil {
				return err
			}
		}
		return nil
	})
	return n, last, err
}

// everOfClaim reports whether a conversation belongs or belonged to a claim, whose figures
// stay.
func everOfClaim(ctx context.Context, tx *sql.Tx, connectionID string, id int64) (of bool, err error) {
	err = queryOne(ctx, tx, nil, []any{&of}, `SELECT EXISTS (SELECT 1 FROM claims WHERE conversation_id = $1 AND connection_id = $2)`, id, connectionID)
	return of, err
}

// keepsFigures reports whether the figures of a conversation stay without its records.
func keepsFigures(sources []claim.DataSource, row *conversationRow) bool {
	at := row.Selectable()
	return slices.ContainsFunc(sources, func(d claim.DataSource) bool { return d.KeepFigures && d.Allows(at) })
}

func (s *core) expire(ctx context.Context, tx *sql.Tx, connectionID string, id int64, keepFigures bool) error {
	if !keepFigures {
		return s.deleteConversation(ctx, tx, connectionID, id)
	}
	if err := s.buryConversation(ctx, tx, connectionID, id); err != nil {
		return err
	}
	for _, table := range []string{"conversations", "messages", "activities"} {
		if _, err := exec(ctx, tx, `DELETE FROM `+table+` WHERE connection_id = $1 AND conversation_id = $2`, connectionID, id); err != nil {
			return err
		}
	}
	_, err := exec(ctx, tx, `UPDATE figures SET requester_id = '' WHERE connection_id = $1 AND conversation_id = $2`, connectionID, id)
	return err
}

// Messages reads all messages and notes of a conversation, oldest first.
func (s Mirror) Messages(ctx context.Context, connectionID string, id int64) ([]mirror.Message, error) {
	return list(ctx, s.core, fmt.Sprintf("read the messages of conversation %d", id), s.scanMessage,
		`SELECT connection_id, conversation_id, id, listed, body FROM messages WHERE connection_id = $1 AND conversation_id = $2 ORDER BY at, id`, connectionID, id)
}

// Activities reads all activity log entries of a conversation, oldest first.
func (s Mirror) Activities(ctx context.Context, connectionID string, id int64) ([]mirror.Activity, error) {
	return list(ctx, s.core, fmt.Sprintf("read the activity log of conversation %d", id), s.scanActivity(connectionID),
		`SELECT `+activityColumns+` FROM activities WHERE connection_id = $1 AND conversation_id = $2 ORDER BY at, id`, connectionID, id)
}
