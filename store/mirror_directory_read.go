package store

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/mirror"
)

// DirectoryRow is an entry of the directory. GoneAt is when Dixa stopped listing it;
// zero while it does.
type DirectoryRow struct {
	mirror.DirectoryEntry
	GoneAt time.Time
}

// DirectoryReadAt returns when an import last read the whole directory; zero if none
// did.
func (s Mirror) DirectoryReadAt(ctx context.Context, connectionID string) (time.Time, error) {
	return get(ctx, s.core, "read when the directory of connection "+connectionID+" was imported", func(db *sql.DB) (time.Time, error) {
		at, err := directoryReadAt(ctx, db, connectionID)
		return timeOf(at), err
	})
}

// directoryReadAt is [Mirror.DirectoryReadAt]; 0 if no import did.
func directoryReadAt(ctx context.Context, q querier, connectionID string) (at int64, err error) {
	err = queryOne(ctx, q, nil, []any{&at}, `SELECT COALESCE(MAX(w.finished_at), 0) FROM imports i JOIN import_windows w ON w.import_id = i.id
		WHERE i.connection_id = $1 AND w.stream = $2 AND w.state = $3`, connectionID, claim.StreamDirectory, claim.WindowDone)
	return at, err
}

// DirectoryRows lists the entries of a kind by id, including those that Dixa no longer
// lists.
func (s Mirror) DirectoryRows(ctx context.Context, connectionID string, kind mirror.DirectoryKind) ([]DirectoryRow, error) {
	return list(ctx, s.core, fmt.Sprintf("read the directory, %s", kind), s.scanDirectoryRow(connectionID),
		`SELECT kind, id, body, gone_at FROM directory WHERE connection_id = $1 AND kind = $2 ORDER BY id`, connectionID, kind)
}

// DirectoryRow reads an entry. It returns [ErrNotFound] if it is not known.
func (s Mirror) DirectoryRow(ctx context.Context, connectionID string, kind mirror.DirectoryKind, id string) (DirectoryRow, error) {
	found, err := list(ctx, s.core, fmt.Sprintf("read an entry of the directory, %s", kind), s.scanDirectoryRow(connectionID),
		`SELECT kind, id, body, gone_at FROM directory WHERE connection_id = $1 AND kind = $2 AND id = $3`, connectionID, kind, id)
	return only(found, err, notFound(string(kind)+" "+id))
}

// DirectoryPage lists up to limit entries that Dixa lists, by id: those after the given
// id or, if backward, those before it. An empty id is the start, or the end. more says
// whether others follow in the direction of reading.
func (s Mirror) DirectoryPage(ctx context.Context, connectionID string, kind mirror.DirectoryKind, id string, backward bool, limit int) (entries []mirror.DirectoryEntry, more bool, err error) {
	args := arguments{connectionID, kind, limit + 1}
	where, order := "", "id"
	switch {
	case backward && id != "":
		where, order = " AND id < "+args.add(id), "id DESC"
	case backward:
		order = "id DESC"
	case id != "":
		where = " AND id > " + args.add(id)
	}
	entries, err = list(ctx, s.core, fmt.Sprintf("list the directory, %s", kind), s.scanDirectory(connectionID),
		`SELECT kind, id, body FROM directory WHERE connection_id = $1 AND kind = $2 AND gone_at = 0`+where+` ORDER BY `+order+` LIMIT $3`, args...)
	if more = len(entries) > limit; more {
		entries = entries[:limit]
	}
	if backward {
		slices.Reverse(entries)
	}
	return entries, more, err
}

// DirectoryByID reads the entries with the given ids of each kind.
func (s Mirror) DirectoryByID(ctx context.Context, connectionID string, wanted map[mirror.DirectoryKind][]string) ([]mirror.DirectoryEntry, error) {
	args := arguments{connectionID}
	either := directoryIDs(&args, wanted)
	if either == "" {
		return nil, nil
	}
	return list(ctx, s.core, "read entries of the directory", s.scanDirectory(connectionID),
		`SELECT kind, id, body FROM directory WHERE connection_id = $1 AND (`+either+`)`, args...)
}

// directoryIDs returns the condition that an entry is one of those; empty if there are
// none.
func directoryIDs(args *arguments, wanted map[mirror.DirectoryKind][]string) string {
	var either []string
	for _, kind := range slices.Sorted(maps.Keys(wanted)) {
		if ids := wanted[kind]; len(ids) > 0 {
			either = append(either, "kind = "+args.add(kind)+" AND id IN ("+placeholders(args, ids)+")")
		}
	}
	return strings.Join(either, " OR ")
}

func (s *core) scanDirectoryRow(connectionID string) func(scan func(...any) error) (DirectoryRow, error) {
	read := s.scanDirectory(connectionID)
	return func(scan func(...any) error) (row DirectoryRow, err error) {
		var gone int64
		row.DirectoryEntry, err = read(func(dest ...any) error { return scan(append(dest, &gone)...) })
		row.GoneAt = timeOf(gone)
		return row, err
	}
}
