package store

import (
	"context"
	"database/sql"
	"strconv"
	"strings"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/mirror"
)

// recordDates are the times that place conversations, of figures f, by the rule of
// [claim.Selectable.At].
var recordDates = map[claim.RecordDate]string{
	claim.DateCreated: `f.created_at`, // indexed; 0 if unknown
	claim.DateClosed:  `CASE WHEN f.last_closed_at > 0 THEN f.last_closed_at ELSE f.last_activity_at END`,
	claim.DateRated: `COALESCE((SELECT MAX(e.at) FROM figure_events e WHERE e.connection_id = f.connection_id
		AND e.conversation_id = f.conversation_id AND e.kind = '` + string(mirror.KindRated) + `'), f.last_activity_at)`,
	claim.DateActivity: `f.last_activity_at`,
}

// nextKeys returns the positions of up to n next conversations.
func (r *recordReader) nextKeys(ctx context.Context, n int) ([]recordPlace, error) {
	if len(r.keys) == 0 {
		batch := n
		if r.Order == OrderDate && r.Date != claim.DateCreated {
			batch = keyBatch
		}
		var err error
		if r.keys, err = r.readKeys(ctx, batch); err != nil {
			return nil, err
		}
		r.last = len(r.keys) < batch
	}
	n = min(n, len(r.keys))
	next := r.keys[:n]
	r.keys = r.keys[n:]
	return next, nil
}

func (r *recordReader) readKeys(ctx context.Context, n int) ([]recordPlace, error) {
	after := " > "
	if r.place.key != "" {
		after = " >= " // not all ratings of that conversation were listed
	}
	args := arguments{r.connectionID, r.place.n, r.place.conversationID, n}
	query := `SELECT change, conversation_id FROM conversations WHERE connection_id = $1 AND (change, conversation_id)` + after + `($2, $3)` + r.upToHead(&args) + `
		ORDER BY change, conversation_id LIMIT $4`
	if r.Order == OrderDate {
		at := recordDates[r.Date]
		query = `SELECT ` + at + `, f.conversation_id FROM figures f
			JOIN conversations c ON c.connection_id = f.connection_id AND c.conversation_id = f.conversation_id
			WHERE f.connection_id = $1 AND (` + at + `, f.conversation_id)` + after + `($2, $3)` + r.within(at, &args) + ` ORDER BY 1, 2 LIMIT $4`
	}
	return list(ctx, r.core, "list conversations", func(scan func(...any) error) (p recordPlace, err error) {
		err = scan(&p.n, &p.conversationID)
		return p, err
	}, query, args...)
}

// within returns the condition that a time is in the period.
func (r *recordReader) within(at string, args *arguments) string {
	condition := ""
	if !r.From.IsZero() {
		condition += " AND " + at + " >= " + args.add(micros(r.From))
	}
	if !r.To.IsZero() {
		condition += " AND " + at + " < " + args.add(micros(r.To))
	}
	return condition
}

// conversations reads the conversations at the next n positions, or their ratings.
func (r *recordReader) conversations(ctx context.Context, n int) (found []placedRecord, more bool, err error) {
	places, err := r.nextKeys(ctx, n)
	if err != nil || len(places) == 0 {
		return nil, false, err
	}
	listed := 0
	if places[0].conversationID == r.place.conversationID {
		listed, _ = strconv.Atoi(r.place.key) // 0 if the cursor was changed
	}
	ids := make([]int64, len(places))
	for i, p := range places {
		ids[i] = p.conversationID
	}
	var rows map[int64]*conversationRow
	figures := map[int64]*claim.ConversationRecord{}
	err = r.core.read(ctx, "read conversations", func(db *sql.DB) (err error) {
		if rows, err = r.conversationRows(ctx, db, r.connectionID, ids); err != nil || r.Stream == claim.StreamRatings {
			return err
		}
		figures, err = r.figuresOf(ctx, db, r.connectionID, ids)
		return err
	})
	if err != nil {
		return nil, false, err
	}
	for _, p := range places {
		row := rows[p.conversationID]
		// A conversation that changed meanwhile follows at its new position.
		if r.selects(row) && (r.Order == OrderDate || row.change == p.n) {
			if r.Stream == claim.StreamConversations {
				record := conversationRecord(row, figures[p.conversationID])
				found = append(found, r.placed(claim.SourceRecord{Conversation: record}, p))
			} else {
				found = append(found, r.ratings(row, p, listed)...)
			}
		}
		r.place, listed = p, 0
	}
	return found, len(r.keys) > 0 || !r.last, nil
}

// ratings returns the ratings of a conversation after those that were listed.
func (r *recordReader) ratings(row *conversationRow, p recordPlace, listed int) (found []placedRecord) {
	all := row.KnownRatings()
	for i := max(listed, 0); i < len(all); i++ {
		after := p
		if i+1 < len(all) {
			after.key = strconv.Itoa(i + 1)
		}
		found = append(found, r.placed(claim.SourceRecord{Rating: ratingRecord(row.id, all[i])}, after))
	}
	return found
}

// messages reads the next n messages.
func (r *recordReader) messages(ctx context.Context, n int) (found []placedRecord, more bool, err error) {
	place, order := "(change, conversation_id, id)", "change"
	args := arguments{r.connectionID, r.place.n, r.place.conversationID, r.place.key, n}
	after := "($2, $3, $4)"
	if r.Order == OrderDate {
		place, order, after = "(at, id, conversation_id)", "at", "($2, $4, $3)"
	}
	query := `SELECT connection_id, conversation_id, id, listed, body, ` + order + ` FROM messages WHERE connection_id = $1 AND ` + place + ` > ` + after +
		r.within("at", &args) + r.upToHead(&args) + ` ORDER BY ` + strings.Trim(place, "()") + ` LIMIT $5`
	read := func(scan func(...any) error) (placedRecord, error) {
		var p recordPlace
		m, err := r.scanMessage(func(dest ...any) error { return scan(append(dest, &p.n)...) })
		p.conversationID, p.key = m.ConversationID, m.ID
		return r.placed(claim.SourceRecord{Message: messageRecord(&m)}, p), err
	}
	return r.parts(ctx, n, "list messages", read, query, args)
}

// activities reads the next n entries of the activity log.
func (r *recordReader) activities(ctx context.Context, n int) (found []placedRecord, more bool, err error) {
	order := "change"
	if r.Order == OrderDate {
		order = "at"
	}
	args := arguments{r.connectionID, r.place.n, r.place.key, n}
	query := `SELECT ` + activityColumns + `, ` + order + ` FROM activities WHERE connection_id = $1 AND (` + order + `, id) > ($2, $3)` +
		r.within("at", &args) + r.upToHead(&args) + ` ORDER BY ` + order + `, id LIMIT $4`
	scanActivity := r.scanActivity(r.connectionID)
	read := func(scan func(...any) error) (placedRecord, error) {
		var p recordPlace
		a, err := scanActivity(func(dest ...any) error { return scan(append(dest, &p.n)...) })
		p.conversationID, p.key = a.ConversationID, a.ID
		return r.placed(claim.SourceRecord{Activity: activityRecord(&a)}, p), err
	}
	return r.parts(ctx, n, "list the activity log", read, query, args)
}

// parts reads n records of conversations and returns those of conversations that the
// source selects.
func (r *recordReader) parts(ctx context.Context, n int, doing string, read func(scan func(...any) error) (placedRecord, error), query string, args arguments) (found []placedRecord, more bool, err error) {
	var rows map[int64]*conversationRow
	err = r.core.read(ctx, doing, func(db *sql.DB) (err error) {
		if found, err = collect(ctx, db, read, query, args...); err != nil {
			return err
		}
		seen := map[int64]bool{}
		var ids []int64
		for _, f := range found {
			if id := f.place.conversationID; !seen[id] {
				seen[id] = true
				ids = append(ids, id)
			}
		}
		rows, err = r.conversationRows(ctx, db, r.connectionID, ids)
		return err
	})
	if err != nil || len(found) == 0 {
		return nil, false, err
	}
	more, r.place = len(found) == n, found[len(found)-1].place
	kept := found[:0]
	for _, f := range found {
		if r.selects(rows[f.place.conversationID]) {
			kept = append(kept, f)
		}
	}
	return kept, more, nil
}

// directory reads the next n entries of the directory.
func (r *recordReader) directory(ctx context.Context, n int) (found []placedRecord, more bool, err error) {
	kind, id, _ := strings.Cut(r.place.key, "/")
	args := arguments{r.connectionID, kind, id, n}
	condition, order := `(kind, id) > ($2, $3)`, `kind, id`
	if r.Order == OrderChange {
		condition, order = `(change, kind, id) > (`+args.add(r.place.n)+`, $2, $3)`, `change, kind, id`
	}
	read := func(scan func(...any) error) (placedRecord, error) {
		var p recordPlace
		var seen, gone int64
		e, err := r.scanDirectory(r.connectionID)(func(dest ...any) error { return scan(append(dest, &p.n, &seen, &gone)...) })
		p.key = string(e.Kind) + "/" + e.ID
		record := &claim.DirectoryRecord{
			Kind: string(e.Kind), ID: e.ID, Name: e.Name, MemberIDs: texts(e.MemberIDs), Object: document(e.Object), SeenAt: known(timeOf(seen)), GoneAt: known(timeOf(gone)),
		}
		return r.placed(claim.SourceRecord{Directory: record}, p), err
	}
	found, err = list(ctx, r.core, "list the directory", read, `SELECT kind, id, body, change, seen_at, gone_at FROM directory
		WHERE connection_id = $1 AND `+condition+r.upToHead(&args)+` ORDER BY `+order+` LIMIT $4`, args...)
	if len(found) > 0 {
		r.place = found[len(found)-1].place
	}
	return found, len(found) == n, err
}
