package dixa

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	// DefaultExportsURL is the base URL of the Exports API. It is a host of its own.
	DefaultExportsURL = "https://exports.dixa.io/v1/"
	// DefaultExportTimeout bounds one export, from connecting to its last row.
	DefaultExportTimeout = 10 * time.Minute
	// MaxExportSpan is the longest period of one export.
	MaxExportSpan = 31 * 24 * time.Hour
	// MaxExportIDs is how many conversations one export may name.
	MaxExportIDs = 10
)

// Exports reads the Exports API: all conversations or messages of a period, without
// pages. Create it with [NewExports]. It is safe for concurrent use.
//
// The API allows 10 requests per minute and token, apart from the limit of the other
// API, so it needs a [Budget] of its own.
type Exports struct{ client *Client }

// NewExports returns a client of the Exports API. It takes the options of [New]. The
// token is sent as a bearer token.
func NewExports(token string, opts ...Option) (*Exports, error) {
	defaults := []Option{WithBaseURL(DefaultExportsURL), WithTimeout(DefaultExportTimeout), func(c *Client) error {
		c.authorize = func(h http.Header) { h.Set("Authorization", "Bearer "+token) }
		return nil
	}}
	c, err := New(token, append(defaults, opts...)...)
	if err != nil {
		return nil, err
	}
	return &Exports{c}, nil
}

// ExportField is a time of a conversation that bounds an export.
type ExportField string

// Times that bound an export. Messages can only be exported by their creation.
const (
	ExportByCreated     ExportField = "created"
	ExportByClosed      ExportField = "closed"
	ExportByUpdated     ExportField = "updated"
	ExportByLastMessage ExportField = "last_message_created"
)

// ExportQuery selects the rows of an export: a period, named conversations, or both.
type ExportQuery struct {
	// By is the time that After and Before bound. Defaults to [ExportByCreated].
	By ExportField
	// After and Before bound the period, at most [MaxExportSpan] apart, in
	// milliseconds. Dixa does not document whether a row at a bound belongs to it.
	After, Before time.Time
	// ConversationIDs are at most [MaxExportIDs].
	ConversationIDs []int64
}

func (q ExportQuery) values() (url.Values, error) {
	values := url.Values{}
	by := string(q.By)
	if by == "" {
		by = string(ExportByCreated)
	}
	switch span := q.Before.Sub(q.After); {
	case len(q.ConversationIDs) > MaxExportIDs:
		return nil, fmt.Errorf("%w: an export may name at most %d conversations, got %d", ErrInvalidArgument, MaxExportIDs, len(q.ConversationIDs))
	case q.After.IsZero() != q.Before.IsZero():
		return nil, fmt.Errorf("%w: an export needs both bounds of a period", ErrInvalidArgument)
	case q.After.IsZero() && len(q.ConversationIDs) == 0:
		return nil, fmt.Errorf("%w: an export needs a period or conversation ids", ErrInvalidArgument)
	case span < 0 || span > MaxExportSpan:
		return nil, fmt.Errorf("%w: an export may span at most %s, got %s", ErrInvalidArgument, MaxExportSpan, span)
	}
	if !q.After.IsZero() {
		values.Set(by+"_after", strconv.FormatInt(q.After.UnixMilli(), 10))
		values.Set(by+"_before", strconv.FormatInt(q.Before.UnixMilli(), 10))
	}
	var ids []string
	for _, id := range q.ConversationIDs {
		ids = append(ids, strconv.FormatInt(id, 10))
	}
	if len(ids) > 0 {
		values.Set("csids", strings.Join(ids, ","))
	}
	return values, nil
}

// ExportRowError says that one row of an export does not have the documented shape.
// The rows after it can still be read.
type ExportRowError struct {
	// Row is the row's position in the export, from 0.
	Row int
	Err error
}

func (e *ExportRowError) Error() string {
	return fmt.Sprintf("dixa: row %d of the export: %v", e.Row, e.Err)
}

func (e *ExportRowError) Unwrap() error { return e.Err }

// Conversations returns the conversations of an export while it arrives, so that an
// export of any size takes little memory. A row that cannot be decoded yields an
// [*ExportRowError], and the iteration continues. Any other error is an [*Error] and
// ends it: rows before it are valid, rows after it are missing.
//
// Dixa: GET https://exports.dixa.io/v1/conversation_export.
func (e *Exports) Conversations(ctx context.Context, q ExportQuery) iter.Seq2[*ExportedConversation, error] {
	op := Operation{"Exports.Conversations", http.MethodGet, "/conversation_export"}
	return exportRows[ExportedConversation](ctx, e.client, op, q)
}

// Messages returns the messages of an export as [Exports.Conversations] does. Dixa
// documents only [ExportByCreated] for messages.
//
// Dixa: GET https://exports.dixa.io/v1/message_export.
func (e *Exports) Messages(ctx context.Context, q ExportQuery) iter.Seq2[*ExportedMessage, error] {
	op := Operation{"Exports.Messages", http.MethodGet, "/message_export"}
	return exportRows[ExportedMessage](ctx, e.client, op, q)
}

func exportRows[T any, P interface {
	*T
	json.Unmarshaler
}](ctx context.Context, c *Client, op Operation, q ExportQuery) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		values, err := q.values()
		if err != nil {
			yield(nil, failure(op, Error{Outcome: Unsent, Err: err}))
			return
		}
		req, err := c.NewRequest(ctx, op, Params{Query: values})
		if err != nil {
			yield(nil, err)
			return
		}
		stopped := false
		_, err = c.Do(req, &arrayStream{limit: c.maxBytes, row: func(i int, raw []byte) bool {
			row := new(T)
			// The row is valid JSON, which json.Unmarshal would verify again.
			if err := P(row).UnmarshalJSON(raw); err != nil {
				stopped = !yield(nil, &ExportRowError{i, fmt.Errorf("%w: %w", ErrMalformedResponse, describeJSONError(err))})
			} else {
				stopped = !yield(row, nil)
			}
			return !stopped
		}})
		if err != nil && !stopped {
			yield(nil, err)
		}
	}
}

// arrayStream reads a body that is a JSON array, one element at a time.
type arrayStream struct {
	// limit bounds one element, in bytes.
	limit int64
	// row takes an element, which is valid until it returns. It returns false to read no
	// further.
	row func(i int, raw []byte) bool
}

// readBody reads elements until the array ends or row returns false.
func (s *arrayStream) readBody(body io.Reader) error {
	bounded := &io.LimitedReader{R: body, N: s.limit}
	// The row's decoder decides about these two, as encoding/json does.
	rows := jsontext.NewDecoder(bounded, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	wrong := func(err error) error {
		var syntax *jsontext.SyntacticError
		switch {
		case bounded.N <= 0:
			return fmt.Errorf("%w: a row has more than %d bytes", ErrResponseTooLarge, s.limit)
		case errors.As(err, &syntax), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return fmt.Errorf("%w: the export is not a complete JSON array", ErrMalformedResponse)
		default:
			return fmt.Errorf("read the response: %w", err)
		}
	}
	first, err := rows.ReadToken()
	if err != nil {
		return wrong(err)
	}
	if first.Kind() != jsontext.KindBeginArray {
		return fmt.Errorf("%w: the export is not a JSON array", ErrMalformedResponse)
	}
	for i := 0; rows.PeekKind() != jsontext.KindEndArray; i++ {
		raw, err := rows.ReadValue()
		if err != nil {
			return wrong(err)
		}
		if !s.row(i, raw) {
			return nil
		}
		bounded.N = s.limit
	}
	if _, err := rows.ReadToken(); err != nil {
		return wrong(err)
	}
	return nil
}
