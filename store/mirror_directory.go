package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/claimflow/claimflow/mirror"
)

// SaveDirectory stores entries of a kind that Dixa listed at a time. Members that lists
// leave out stay as they were last read.
func (s Mirror) SaveDirectory(ctx context.Context, connectionID string, kind mirror.DirectoryKind, entries []mirror.DirectoryEntry, seenAt time.Time) (counts MirrorCounts, err error) {
	if len(entries) == 0 {
		return counts, nil
	}
	err = s.write(ctx, fmt.Sprintf("store the directory of connection %s, %s", connectionID, kind), func(tx *sql.Tx) error {
		counts = MirrorCounts{}
		change, err := s.lockMirror(ctx, tx, connectionID)
		if err != nil {
			return err
		}
		args := arguments{connectionID, kind}
		ids := make([]string, len(entries))
		for i, e := range entries {
			ids[i] = e.ID
		}
		known := map[string]string{}
		err = queryEach(ctx, tx, func(scan func(...any) error) error {
			var id string
			var sealed []byte
			if err := scan(&id, &sealed); err != nil {
				return err
			}
			body, err := s.open(directoryBody, sealed, connectionID, string(kind), id)
			known[id] = string(body)
			return err
		}, `SELECT id, body FROM directory WHERE connection_id = $1 AND kind = $2 AND gone_at = 0 AND id IN (`+placeholders(&args, ids)+`)`, args...)
		if err != nil {
			return err
		}
		insert := newUpsert("directory", []string{"connection_id", "kind", "id"}, "body", "seen_at", "gone_at", "change", "first_change", "history")
		insert.keep["first_change"] = `CASE WHEN directory.gone_at = 0 THEN directory.first_change ELSE excluded.first_change END`
		insert.keep["history"] = `CASE WHEN directory.gone_at = 0 THEN directory.history ELSE excluded.history END`
		readAt, err := directoryReadAt(ctx, tx, connectionID)
		if err != nil {
			return err
		}
		listed := map[string]bool{}
		for _, e := range entries {
			id := e.ID
			if listed[id] {
				continue // Dixa may list an entry on two pages
			}
			listed[id] = true
			e.Kind, e.ID = "", ""
			if e.CompleteAt.IsZero() {
				if err := keepUnlisted(&e, known[id]); err != nil {
					return fmt.Errorf("merge %s %s: %w", kind, id, err)
				}
			}
			body, err := json.Marshal(e)
			if err != nil {
				return fmt.Errorf("encode %s %s: %w", kind, id, err)
			}
			old, ok := known[id]
			switch {
			case !ok:
				counts.Added++
			case !bytes.Equal(body, []byte(old)):
				counts.Changed++
			default:
				continue
			}
			change++
			sealed, err := s.seal(directoryBody, body, connectionID, string(kind), id)
			if err != nil {
				return err
			}
			insert.add(connectionID, kind, id, sealed, micros(seenAt), 0, change, change, readAt == 0)
		}
		if err := insert.run(ctx, tx, s.dialect); err != nil {
			return err
		}
		seen := arguments{connectionID, kind, micros(seenAt)}
		if _, err := exec(ctx, tx, `UPDATE directory SET seen_at = $3 WHERE connection_id = $1 AND kind = $2 AND id IN (`+placeholders(&seen, ids)+`)`, seen...); err != nil {
			return err
		}
		return saveChange(ctx, tx, connectionID, change)
	})
	return counts, err
}

// keepUnlisted adds to an entry from a list what only a read of the entry itself says.
// known is the stored entry; empty if there is none.
func keepUnlisted(e *mirror.DirectoryEntry, known string) error {
	const member = "customAttributes"
	if !strings.Contains(known, member) {
		return nil
	}
	var old mirror.DirectoryEntry
	var before, now map[string]json.RawMessage
	if err := json.Unmarshal([]byte(known), &old); err != nil || old.CompleteAt.IsZero() {
		return err
	}
	if err := errors.Join(json.Unmarshal(old.Object, &before), json.Unmarshal(e.Object, &now)); err != nil {
		return err
	}
	value, had := before[member]
	if _, listed := now[member]; listed || !had {
		return nil
	}
	now[member] = value
	e.CompleteAt = old.CompleteAt
	if maps.EqualFunc(before, now, func(a, b json.RawMessage) bool { return bytes.Equal(a, b) }) {
		e.Object = old.Object // the same members in another order are no change
		return nil
	}
	object, err := json.Marshal(now)
	if err != nil {
		return err
	}
	e.Object = object
	return nil
}

// MarkGone records that Dixa no longer lists the entries of a kind that it did not
// list at or after a time.
func (s Mirror) MarkGone(ctx context.Context, connectionID string, kind mirror.DirectoryKind, since time.Time) error {
	return s.write(ctx, fmt.Sprintf("mark entries of the directory as gone, %s", kind), func(tx *sql.Tx) error {
		change, err := s.lockMirror(ctx, tx, connectionID)
		if err != nil {
			return err
		}
		ids, err := collect(ctx, tx, single[string], `SELECT id FROM directory WHERE connection_id = $1 AND kind = $2 AND seen_at < $3 AND gone_at = 0 ORDER BY id`,
			connectionID, kind, micros(since))
		if err != nil {
			return err
		}
		for _, id := range ids {
			change++
			_, err := exec(ctx, tx, `UPDATE directory SET gone_at = $4, change = $5 WHERE connection_id = $1 AND kind = $2 AND id = $3`,
				connectionID, kind, id, s.now(), change)
			if err != nil {
				return err
			}
		}
		return saveChange(ctx, tx, connectionID, change)
	})
}

// Directory lists the entries of a kind, including those that Dixa no longer lists.
func (s Mirror) Directory(ctx context.Context, connectionID string, kind mirror.DirectoryKind) ([]mirror.DirectoryEntry, error) {
	return list(ctx, s.core, fmt.Sprintf("read the directory, %s", kind), s.scanDirectory(connectionID),
		`SELECT kind, id, body FROM directory WHERE connection_id = $1 AND kind = $2 ORDER BY id`, connectionID, kind)
}

func (s *core) scanDirectory(connectionID string) func(scan func(...any) error) (mirror.DirectoryEntry, error) {
	return func(scan func(...any) error) (mirror.DirectoryEntry, error) {
		var e mirror.DirectoryEntry
		var sealed []byte
		var kind mirror.DirectoryKind
		var id string
		if err := scan(&kind, &id, &sealed); err != nil {
			return e, err
		}
		err := s.openJSON(directoryBody, sealed, &e, connectionID, string(kind), id)
		e.Kind, e.ID = kind, id
		return e, err
	}
}

// lockMirror locks a connection's mirror until the transaction ends, and returns the
// number of its last change. The lock makes changes commit in the order of their
// numbers.
func (s *core) lockMirror(ctx context.Context, tx *sql.Tx, connectionID string) (change int64, err error) {
	err = queryOne(ctx, tx, ErrNotFound, []any{&change}, `INSERT INTO mirrors (connection_id) VALUES ($1)
		ON CONFLICT (connection_id) DO UPDATE SET change = mirrors.change RETURNING change`, connectionID)
	return change, err
}

// saveChange records the number of a mirror's last change.
func saveChange(ctx context.Context, tx *sql.Tx, connectionID string, change int64) error {
	_, err := exec(ctx, tx, `UPDATE mirrors SET change = $2 WHERE connection_id = $1 AND change < $2`, connectionID, change)
	return err
}
