package store

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"strings"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/mirror"
)

// readChanges is [recordReader.read] in the order of changes: rows and deleted records.
// No row of a stream has the number of a change that deleted a record of it.
func (r *recordReader) readChanges(ctx context.Context, n int) (found []placedRecord, more bool, err error) {
	deleted, err := r.deleted(ctx, n)
	if err != nil {
		return nil, false, err
	}
	found, more, err = r.rows(ctx, n)
	if err != nil {
		return nil, false, err
	}
	// Both are complete up to the place that the one with more has reached.
	end := recordPlace{n: r.head}
	if more {
		end = r.place
	}
	if len(deleted) == n {
		more = true
		if last := deleted[n-1].place; last.n <= end.n {
			end = last
		}
	}
	found = slices.DeleteFunc(append(found, deleted...), func(f placedRecord) bool { return f.place.n > end.n })
	slices.SortStableFunc(found, func(a, b placedRecord) int { return cmp.Compare(a.place.n, b.place.n) })
	switch {
	case more:
		r.place = end
	case len(deleted) > 0 && deleted[len(deleted)-1].place.n > r.place.n:
		r.place = deleted[len(deleted)-1].place
	}
	return found, more, nil
}

// deleted reads up to n records of the stream that were deleted after the place, and sets
// the change up to which rows are read with them: later ones may follow a deletion that
// this read did not see.
func (r *recordReader) deleted(ctx context.Context, n int) (found []placedRecord, err error) {
	id := r.place.key
	kinds := `kind = '` + tombConversation + `'`
	switch r.Stream {
	case claim.StreamMessages:
		kinds = `kind = '` + tombMessage + `'`
	case claim.StreamDirectory:
		kinds = `kind NOT IN ('` + tombConversation + `', '` + tombMessage + `')`
		_, id, _ = strings.Cut(id, "/")
	}
	err = r.core.read(ctx, "list deleted records", func(db *sql.DB) error {
		if err := queryOne(ctx, db, nil, []any{&r.head}, `SELECT COALESCE(MAX(change), 0) FROM mirrors WHERE connection_id = $1`, r.connectionID); err != nil {
			return err
		}
		found, err = collect(ctx, db, r.scanDeleted, `SELECT change, kind, conversation_id, id FROM tombstones WHERE connection_id = $1 AND `+kinds+`
			AND change >= $2 AND (change, conversation_id, id) > ($2, $3, $4) AND change <= $5 ORDER BY change, conversation_id, id LIMIT $6`,
			r.connectionID, r.place.n, r.place.conversationID, id, r.head, n)
		return err
	})
	return found, err
}

// scanDeleted reads a deleted record. Of ratings and log entries, all of the conversation
// were deleted.
func (r *recordReader) scanDeleted(scan func(...any) error) (placedRecord, error) {
	var p recordPlace
	var kind mirror.DirectoryKind
	var id string
	err := scan(&p.n, &kind, &p.conversationID, &id)
	record := claim.SourceRecord{Deleted: true}
	switch r.Stream {
	case claim.StreamMessages:
		p.key = id
		record.Message = &claim.MessageRecord{ConversationID: p.conversationID, ID: id}
	case claim.StreamActivityLogs:
		record.Activity = &claim.ActivityRecord{ConversationID: p.conversationID}
	case claim.StreamRatings:
		record.Rating = &claim.RatingRecord{ConversationID: p.conversationID}
	case claim.StreamDirectory:
		p.key = string(kind) + "/" + id
		record.Directory = &claim.DirectoryRecord{Kind: string(kind), ID: id}
	default:
		record.Conversation = &claim.ConversationRecord{ID: p.conversationID}
	}
	return r.placed(record, p), err
}

// upToHead returns the condition that a change is one up to which deleted records were read.
func (r *recordReader) upToHead(args *arguments) string {
	if r.Order != OrderChange {
		return ""
	}
	return ` AND change <= ` + args.add(r.head)
}
