package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/claimflow/claimflow/mirror"
)

// Kinds of tombstones beside those of the directory.
const (
	tombConversation = "conversation"
	tombMessage      = "message"
)

// aboutConversation and aboutEntry name what an event is about, so that the event can be
// deleted with it.
func aboutConversation(connectionID string, id int64) string {
	return fmt.Sprintf("%s/%s/%d", connectionID, tombConversation, id)
}

func aboutEntry(connectionID string, kind mirror.DirectoryKind, id string) string {
	return connectionID + "/" + string(kind) + "/" + id
}

// nextChange counts a change. The caller has locked the mirror.
func nextChange(ctx context.Context, tx *sql.Tx, connectionID string) (change int64, err error) {
	err = queryOne(ctx, tx, ErrNotFound, []any{&change}, `UPDATE mirrors SET change = change + 1 WHERE connection_id = $1 RETURNING change`, connectionID)
	return change, err
}

// bury records that a record was deleted. The caller has locked the mirror.
func (s *core) bury(ctx context.Context, tx *sql.Tx, connectionID, kind, id string) error {
	change, err := nextChange(ctx, tx, connectionID)
	if err != nil {
		return err
	}
	_, err = exec(ctx, tx, `INSERT INTO tombstones (connection_id, change, kind, conversation_id, id, at) VALUES ($1, $2, $3, 0, $4, $5)`,
		connectionID, change, kind, id, s.now())
	return err
}

// buryConversation records that a conversation and its messages are about to be deleted,
// and deletes the events that are about them. It does nothing if the conversation is not
// stored. The caller has locked the mirror.
func (s *core) buryConversation(ctx context.Context, tx *sql.Tx, connectionID string, id int64) error {
	var stored bool
	err := queryOne(ctx, tx, nil, []any{&stored}, `SELECT EXISTS (SELECT 1 FROM conversations WHERE connection_id = $1 AND conversation_id = $2)`, connectionID, id)
	if err != nil || !stored {
		return err
	}
	change, err := nextChange(ctx, tx, connectionID)
	if err != nil {
		return err
	}
	now := s.now()
	_, err = exec(ctx, tx, `INSERT INTO tombstones (connection_id, change, kind, conversation_id, id, at)
		SELECT CAST($1 AS TEXT), CAST($3 AS BIGINT), '`+tombMessage+`', conversation_id, id, CAST($4 AS BIGINT) FROM messages WHERE connection_id = $1 AND conversation_id = $2`,
		connectionID, id, change, now)
	if err != nil {
		return err
	}
	_, err = exec(ctx, tx, `INSERT INTO tombstones (connection_id, change, kind, conversation_id, id, at) VALUES ($1, $3, '`+tombConversation+`', $2, '', $4)`,
		connectionID, id, change, now)
	if err != nil {
		return err
	}
	_, err = exec(ctx, tx, `DELETE FROM deliveries WHERE about = $1`, aboutConversation(connectionID, id))
	return err
}

// ForgetDeleted forgets what was deleted before a time. It returns the number of records.
// Endpoints that have not read that far are told so, see [claim.Endpoint.RecordsMissedAt].
func (s Mirror) ForgetDeleted(ctx context.Context, before time.Time) (n int, err error) {
	err = s.write(ctx, "forget deleted records", func(tx *sql.Tx) error {
		_, err := exec(ctx, tx, `UPDATE mirrors SET forgotten = (SELECT MAX(t.change) FROM tombstones t WHERE t.connection_id = mirrors.connection_id AND t.at < $1)
			WHERE EXISTS (SELECT 1 FROM tombstones t WHERE t.connection_id = mirrors.connection_id AND t.at < $1)`, micros(before))
		if err != nil {
			return err
		}
		n, err = exec(ctx, tx, `DELETE FROM tombstones WHERE at < $1`, micros(before))
		return err
	})
	return n, err
}
