package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/claimflow/claimflow/mirror"
)

// Comments are the messages and notes of a conversation, oldest first.
type Comments struct {
	Messages []mirror.Message
	// Complete says that Dixa's own lists of messages and notes were read, and that
	// nothing since says that they have changed.
	Complete bool
}

// Comments reads the messages and notes of a conversation.
func (s Mirror) Comments(ctx context.Context, connectionID string, id int64) (Comments, error) {
	return get(ctx, s.core, fmt.Sprintf("read the messages and notes of conversation %d", id), func(db *sql.DB) (c Comments, err error) {
		var due bool
		err = queryOne(ctx, db, ErrNotFound, []any{&due}, `SELECT messages_due OR notes_due FROM conversations WHERE connection_id = $1 AND conversation_id = $2`, connectionID, id)
		if errors.Is(err, ErrNotFound) {
			return c, nil
		}
		if err != nil {
			return c, err
		}
		c.Messages, err = collect(ctx, db, s.scanMessage, `SELECT connection_id, conversation_id, id, listed, body FROM messages
			WHERE connection_id = $1 AND conversation_id = $2 ORDER BY at, id`, connectionID, id)
		c.Complete = !due && len(c.Messages) > 0
		for i := range c.Messages {
			c.Complete = c.Complete && c.Messages[i].Listed
		}
		return c, err
	})
}

// ConversationOf returns the conversation of a message or note. It returns
// [ErrNotFound] if the message is not known.
func (s Mirror) ConversationOf(ctx context.Context, connectionID, message string) (int64, error) {
	found, err := list(ctx, s.core, "find the conversation of message "+message, single[int64],
		`SELECT conversation_id FROM messages WHERE connection_id = $1 AND id = $2 ORDER BY conversation_id LIMIT 1`, connectionID, message)
	return only(found, err, notFound("message "+message))
}
