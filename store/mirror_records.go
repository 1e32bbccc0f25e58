package store

import (
	"context"
	"encoding/base64"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/claimflow/claimflow/claim"
)

// RecordsOrder is the order in which records are listed.
type RecordsOrder string

// Orders of records.
const (
	// OrderDate is by the time that places the records; that of entries of the
	// directory is by kind and id.
	OrderDate RecordsOrder = "date"
	// OrderChange is by the records' last change. Who reads on from the last cursor
	// receives every record that changed since, in its current state, and those that were
	// deleted, until they are forgotten.
	OrderChange RecordsOrder = "change"
)

// RecordsQuery selects the records of a data source.
type RecordsQuery struct {
	Source claim.DataSource
	Stream claim.Stream
	// Order defaults to [OrderDate].
	Order RecordsOrder
	// Date places conversations, and the ratings of each. Defaults to the source's.
	// Messages are placed by their creation and log entries by their time.
	Date claim.RecordDate
	// From (inclusive) and To (exclusive) are the period in [OrderDate]. Zero is no
	// bound.
	From, To time.Time
	// Cursor continues an earlier list with the same stream, order and date.
	Cursor string
}

const (
	// recordBatch is how many rows are read at once.
	recordBatch = 500
	// keyBatch is how many keys are read at once in an order that has no index.
	keyBatch = 20_000
	// maxScanned bounds the rows that one page reads to find records that the source
	// selects.
	maxScanned = 20_000
)

// Records lists the records that a data source selects. It reads a few hundred rows at
// a time. Records of claims' own conversations are among them only if the source
// selects those too. The error, a [*claim.InvalidError] for an invalid query, ends the
// list.
func (s Mirror) Records(ctx context.Context, connectionID string, q RecordsQuery) iter.Seq2[claim.SourceRecord, error] {
	return func(yield func(claim.SourceRecord, error) bool) {
		r, err := s.recordReader(connectionID, q)
		for more := true; more && err == nil; {
			var found []placedRecord
			if found, more, err = r.read(ctx, recordBatch); err != nil {
				break
			}
			for _, f := range found {
				if !yield(f.SourceRecord, nil) {
					return
				}
			}
		}
		if err != nil {
			yield(claim.SourceRecord{}, err)
		}
	}
}

// RecordsPage returns up to limit records, the cursor after them, and whether there may
// be more now. In [OrderChange], next is never empty. A page can have fewer records
// than limit, or none, although there are more.
func (s Mirror) RecordsPage(ctx context.Context, connectionID string, q RecordsQuery, limit int) (records []claim.SourceRecord, next string, more bool, err error) {
	r, err := s.recordReader(connectionID, q)
	if err != nil {
		return nil, "", false, err
	}
	limit = pageSize(limit)
	more = true
	for scanned := 0; more && scanned < maxScanned; {
		n := min(recordBatch, limit+1)
		var found []placedRecord
		if found, more, err = r.read(ctx, n); err != nil {
			return nil, "", false, err
		}
		scanned += n
		for _, f := range found {
			if len(records) == limit {
				return records, next, true, nil
			}
			records, next = append(records, f.SourceRecord), r.cursor(f.place)
		}
	}
	if more || r.Order == OrderChange {
		next = r.cursor(r.place)
	} else {
		next = ""
	}
	return records, next, more, nil
}

// recordReader reads records in order.
type recordReader struct {
	*core
	RecordsQuery
	connectionID string
	now          time.Time
	// place is after the last row that was read.
	place recordPlace
	// head is the change up to which a read in [OrderChange] goes.
	head int64
	// keys are the next conversations, read in advance, and last says that no others
	// follow them.
	keys []recordPlace
	last bool
}

// recordPlace is the position of a record: its date or change in n, and its key.
type recordPlace struct {
	n, conversationID int64
	// key is a message's or entry's id, kind and id of an entry of the directory, or
	// the number of ratings of the conversation that were listed.
	key string
}

// placedRecord is a record with the position after it.
type placedRecord struct {
	claim.SourceRecord
	place recordPlace
}

func (s Mirror) recordReader(connectionID string, q RecordsQuery) (*recordReader, error) {
	if q.Order == "" {
		q.Order = OrderDate
	}
	if q.Date == "" {
		q.Date = q.Source.Date
	}
	if q.Date == "" {
		q.Date = claim.DateCreated
	}
	r := &recordReader{core: s.core, RecordsQuery: q, connectionID: connectionID, now: timeOf(s.now()), place: recordPlace{n: -1, conversationID: -1}}
	period := !q.From.IsZero() || !q.To.IsZero()
	wrong := func(field, problem string) (*recordReader, error) {
		return nil, &claim.InvalidError{What: "list", Errors: []claim.FieldError{{Field: field, Problem: problem}}}
	}
	switch {
	case !q.Source.Has(q.Stream):
		return wrong("stream", "must be one that the data source selects")
	case q.Order == OrderChange && period:
		return wrong("from", "and to cannot be combined with the order of changes")
	case q.Stream == claim.StreamDirectory && period:
		return wrong("from", "and to cannot be combined with the directory, whose entries have no date")
	}
	if q.Cursor != "" {
		place, ok := r.parse(q.Cursor)
		if !ok {
			return wrong("cursor", "must be a cursor from an earlier page of the same stream in the same order")
		}
		r.place = place
	}
	return r, nil
}

// read reads up to n rows and returns the records that the source selects, and whether
// there are more rows.
func (r *recordReader) read(ctx context.Context, n int) (found []placedRecord, more bool, err error) {
	if r.Order == OrderChange {
		return r.readChanges(ctx, n)
	}
	return r.rows(ctx, n)
}

// rows is [recordReader.read] for records that are stored.
func (r *recordReader) rows(ctx context.Context, n int) (found []placedRecord, more bool, err error) {
	switch r.Stream {
	case claim.StreamMessages:
		return r.messages(ctx, n)
	case claim.StreamActivityLogs:
		return r.activities(ctx, n)
	case claim.StreamDirectory:
		return r.directory(ctx, n)
	default:
		return r.conversations(ctx, n)
	}
}

// selects reports whether the source selects a conversation and its records.
func (r *recordReader) selects(row *conversationRow) bool {
	return row != nil && r.Source.Selects(row.Selectable(), r.now)
}

// placed returns a record with its position and, in the order of changes, its cursor.
func (r *recordReader) placed(record claim.SourceRecord, place recordPlace) placedRecord {
	record.Stream = r.Stream
	if r.Order == OrderChange {
		record.Cursor = r.cursor(place)
	}
	return placedRecord{record, place}
}

// kind names the order in which a cursor is valid.
func (r *recordReader) kind() string {
	kind := string(r.Stream) + "/" + string(r.Order)
	if r.Order == OrderDate && (r.Stream == claim.StreamConversations || r.Stream == claim.StreamRatings) {
		kind += "-" + string(r.Date)
	}
	return kind
}

func (r *recordReader) cursor(p recordPlace) string {
	return base64.RawURLEncoding.EncodeToString([]byte(r.kind() + "/" + strconv.FormatInt(p.n, 10) + "/" + strconv.FormatInt(p.conversationID, 10) + "/" + p.key))
}

func (r *recordReader) parse(cursor string) (p recordPlace, ok bool) {
	data, err := base64.RawURLEncoding.DecodeString(cursor)
	rest, same := strings.CutPrefix(string(data), r.kind()+"/")
	parts := strings.SplitN(rest, "/", 3)
	if err != nil || !same || len(parts) != 3 {
		return p, false
	}
	var invalid error
	p.key = plain(parts[2])
	if p.n, err = strconv.ParseInt(parts[0], 10, 64); err != nil {
		return p, false
	}
	p.conversationID, invalid = strconv.ParseInt(parts[1], 10, 64)
	return p, invalid == nil
}

// known returns a pointer to a time, or nil if it is unknown.
func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
