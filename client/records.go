package client

import (
	"context"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"time"

	"github.com/claimflow/claimflow/claim"
)

// Orders of records.
const (
	RecordsByDate   = "date"   // by the time that places them
	RecordsByChange = "change" // by their last change, to follow what changes
)

// RecordsQuery selects records of a data source.
type RecordsQuery struct {
	// Stream defaults to conversations.
	Stream claim.Stream
	// Order is [RecordsByDate], the default, or [RecordsByChange].
	Order string
	// Date places conversations and their ratings. Defaults to the source's.
	Date claim.RecordDate
	// From (inclusive) and To (exclusive) are the period, only by date.
	From, To time.Time
	// Cursor continues an earlier list.
	Cursor string
	// Limit is the number of records: of a page for [Client.Records] and
	// [Client.RecordsPage], in total for [Client.ExportRecords]. 0 is the service's
	// default or all.
	Limit int
}

func (q RecordsQuery) query(format string) url.Values {
	return query("stream", string(q.Stream), "order", q.Order, "date", string(q.Date), "from", instant(q.From), "to", instant(q.To),
		"cursor", q.Cursor, "limit", number(max(q.Limit, 0)), "format", format)
}

// Records lists the records of a data source and fetches pages on demand. It ends
// after an error, and by change when nothing else has changed. Then the Cursor of the
// last record continues the list.
func (c *Client) Records(ctx context.Context, connectionID, sourceID string, q RecordsQuery) iter.Seq2[claim.SourceRecord, error] {
	if q.Stream == "" {
		q.Stream = claim.StreamConversations
	}
	return func(yield func(claim.SourceRecord, error) bool) {
		for {
			page, err := c.RecordsPage(ctx, connectionID, sourceID, q)
			if err != nil {
				yield(claim.SourceRecord{}, err)
				return
			}
			for _, data := range page.Records {
				record, err := claim.ParseSourceRecord(q.Stream, data)
				if !yield(record, err) || err != nil {
					return
				}
			}
			if !page.More {
				return
			}
			q.Cursor = page.Next
		}
	}
}

// RecordsPage returns one page of records, encoded, with the members that the source's
// fields name.
func (c *Client) RecordsPage(ctx context.Context, connectionID, sourceID string, q RecordsQuery) (claim.RecordPage, error) {
	return ask[claim.RecordPage](ctx, c, recordsCall(connectionID, sourceID, q, ""))
}

func recordsCall(connectionID, sourceID string, q RecordsQuery, format string) call {
	return call{method: http.MethodGet, path: connectionPath(connectionID, "sources", sourceID, "records"), query: q.query(format), slow: true}
}

// Formats of [Client.ExportRecords].
const (
	FormatNDJSON = "ndjson" // one JSON object per line
	FormatCSV    = "csv"    // with a line of column names
)

// ExportRecords writes the records of a data source to w as they arrive, in
// [FormatNDJSON] or [FormatCSV]. It is bounded by ctx only, and not retried. After an
// error, w may have a part of the records; by change, the cursor of the last complete
// one continues.
func (c *Client) ExportRecords(ctx context.Context, connectionID, sourceID, format string, q RecordsQuery, w io.Writer) error {
	k := recordsCall(connectionID, sourceID, q, format)
	resp, err := c.stream(ctx, k)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // read to the end or abandoned
	if _, err := io.Copy(w, resp.Body); err != nil {
		return fmt.Errorf("claimflow: %s %s: %w: the response was cut off: %w", k.method, k.route(), ErrNoAnswer, err)
	}
	return nil
}
