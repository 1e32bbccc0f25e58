package api

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"io"
	"iter"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/store"
)

type recordsInput struct {
	InSource
	Accept string    `header:"Accept" hidden:"true"`
	Format string    `query:"format" enum:"json,ndjson,csv" doc:"ndjson and csv return all records at once, regardless of the Accept header."`
	Stream string    `query:"stream" enum:"conversations,messages,activity_logs,ratings,directory" default:"conversations" doc:"The kind of records."`
	Order  string    `query:"order" enum:"date,change" default:"date" doc:"change lists what changed last at the end, and deleted records by their ids with deleted: true. Keep the cursor and continue later, to follow without gap or repeat."`
	Date   string    `query:"date" enum:"created,closed,rated,last_activity" doc:"The time that places conversations and their ratings; the source's if omitted."`
	From   time.Time `query:"from" doc:"Only records at or after this time; not with order=change."`
	To     time.Time `query:"to" doc:"Only records before this time; not with order=change."`
	Limit  int       `query:"limit" minimum:"1" doc:"The number of records: per page for JSON (50 if omitted, at most 500), in total otherwise (all if omitted)."`
	Cursor string    `query:"cursor" doc:"The cursor from the previous page, or of a record."`
}

type streamOutput struct {
	Body func(huma.Context)
}

// Formats of records besides JSON pages.
const (
	typeNDJSON = "application/x-ndjson"
	typeCSV    = "text/csv"
)

// recordAnswers documents the forms of the records.
func recordAnswers(r *route) {
	r.document = func(spec huma.API, op *huma.Operation) {
		schemas := spec.OpenAPI().Components.Schemas
		for _, record := range []reflect.Type{
			reflect.TypeFor[claim.ConversationRecord](), reflect.TypeFor[claim.MessageRecord](), reflect.TypeFor[claim.ActivityRecord](),
			reflect.TypeFor[claim.RatingRecord](), reflect.TypeFor[claim.DirectoryRecord](),
		} {
			schemas.Schema(record, true, record.Name())
		}
		op.Responses["200"].Content = map[string]*huma.MediaType{
			"application/json": {Schema: schemas.Schema(reflect.TypeFor[claim.RecordPage](), true, "RecordPage")},
			typeNDJSON:         {Schema: &huma.Schema{Type: "string"}},
			typeCSV:            {Schema: &huma.Schema{Type: "string"}},
		}
	}
}

// format returns the requested format. The parameter takes precedence over the Accept
// header.
func format(parameter, accept string) string {
	switch {
	case parameter != "":
		return parameter
	case strings.HasPrefix(accept, typeCSV):
		return client.FormatCSV
	case strings.HasPrefix(accept, typeNDJSON):
		return client.FormatNDJSON
	default:
		return "json"
	}
}

func (a *api) listRecords(ctx context.Context, in *recordsInput) (*streamOutput, error) {
	source, err := a.Store.DataSources.Get(ctx, in.Connection, in.Source)
	if err != nil {
		return nil, err
	}
	q := store.RecordsQuery{
		Source: source, Stream: claim.Stream(in.Stream), Order: store.RecordsOrder(in.Order), Date: claim.RecordDate(in.Date),
		From: in.From, To: in.To, Cursor: in.Cursor,
	}
	fields := recordFields(source, q)
	kind := format(in.Format, in.Accept)
	if kind == "json" {
		return a.recordPage(ctx, in, q, fields)
	}
	// The first record is read before anything is sent, so that an invalid request is
	// refused.
	next, stop := iter.Pull2(a.Store.Mirror.Records(ctx, in.Connection, q))
	first, err, some := next()
	if err != nil {
		stop()
		return nil, err
	}
	records := func(yield func(claim.SourceRecord, error) bool) {
		record, err, more := first, error(nil), some
		for n := 1; more && yield(record, err) && n != in.Limit; n++ {
			record, err, more = next()
		}
	}
	return &streamOutput{Body: func(out huma.Context) {
		defer stop()
		write := writeRecords
		out.SetHeader("Content-Type", typeNDJSON)
		if kind == client.FormatCSV {
			write = writeRecordsCSV
			out.SetHeader("Content-Type", typeCSV+"; charset=utf-8")
			out.SetHeader("Content-Disposition", `attachment; filename="`+in.Stream+`.csv"`)
		}
		if err := write(newPatientWriter(out), fields, records); err != nil {
			note(ctx, err)
			panic(http.ErrAbortHandler) // a partial list must not pass for a complete one
		}
	}}, nil
}

// maxRecords is the largest page of records.
const maxRecords = 500

func (a *api) recordPage(ctx context.Context, in *recordsInput, q store.RecordsQuery, fields []string) (*streamOutput, error) {
	if in.Limit > maxRecords {
		return nil, invalid("list", "limit", "must be at most %d for JSON; use format=ndjson for more", maxRecords)
	}
	records, next, more, err := a.Store.Mirror.RecordsPage(ctx, in.Connection, q, in.Limit)
	if err != nil {
		return nil, err
	}
	page := claim.RecordPage{Records: []json.RawMessage{}, Next: next, More: more}
	for _, r := range records {
		data, err := recordJSON(r, fields)
		if err != nil {
			return nil, err
		}
		page.Records = append(page.Records, data)
	}
	return &streamOutput{Body: func(out huma.Context) {
		out.SetHeader("Content-Type", "application/json")
		_ = json.NewEncoder(out.BodyWriter()).Encode(page) // the caller may have disconnected
	}}, nil
}

// recordFields returns the members of the records of a query, in order.
func recordFields(source claim.DataSource, q store.RecordsQuery) []string {
	names := claim.RecordFields(q.Stream)
	if len(source.Fields) > 0 {
		names = slices.DeleteFunc(names, func(name string) bool { return !slices.Contains(source.Fields, name) })
	}
	if q.Order == store.OrderChange {
		names = append(names, "deleted", "cursor")
	}
	return names
}

// recordJSON encodes the members of a record that have the given names. A deleted record
// has those that identify it.
func recordJSON(r claim.SourceRecord, fields []string) (json.RawMessage, error) {
	all := len(claim.RecordFields(r.Stream))
	if r.Cursor != "" {
		all += 2 // deleted and cursor
	}
	if r.Deleted || len(fields) >= all {
		return r.MarshalJSON()
	}
	members, err := r.Members()
	if err != nil {
		return nil, err
	}
	data := []byte{'{'}
	for _, name := range fields {
		if members[name] == nil {
			continue
		}
		if len(data) > 1 {
			data = append(data, ',')
		}
		data = append(append(append(append(data, '"'), name...), '"', ':'), members[name]...)
	}
	return append(data, '}'), nil
}

// writeRecords writes one record per line.
func writeRecords(w io.Writer, fields []string, records iter.Seq2[claim.SourceRecord, error]) error {
	for r, err := range records {
		if err != nil {
			return err
		}
		data, err := recordJSON(r, fields)
		if err != nil {
			return err
		}
		if _, err := w.Write(append(data, '\n')); err != nil {
			return err
		}
	}
	return nil
}

// writeRecordsCSV writes a line of column names and one line per record. A cell with a
// list or an object is its JSON.
func writeRecordsCSV(w io.Writer, fields []string, records iter.Seq2[claim.SourceRecord, error]) error {
	out := csv.NewWriter(w)
	if err := out.Write(fields); err != nil {
		return err
	}
	row := make([]string, len(fields))
	for r, err := range records {
		if err != nil {
			return err
		}
		members, err := r.Members()
		if err != nil {
			return err
		}
		for i, name := range fields {
			row[i] = csvCell(members[name])
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// csvCell returns a JSON value as a cell.
func csvCell(value json.RawMessage) string {
	var text string
	switch {
	case len(value) == 0 || string(value) == "null":
		return ""
	case value[0] == '"' && json.Unmarshal(value, &text) == nil:
		return inert(text)
	default:
		return string(value)
	}
}

// writePatience is how long the caller of a long list may take to read a part of it.
const writePatience = time.Minute

// patientWriter extends the server's deadline with each write, so that a long list may
// take its time.
type patientWriter struct {
	io.Writer
	control *http.ResponseController
	until   time.Time
}

func newPatientWriter(out huma.Context) *patientWriter {
	w := &patientWriter{Writer: out.BodyWriter()}
	if response, ok := w.Writer.(http.ResponseWriter); ok {
		w.control = http.NewResponseController(response)
	}
	return w
}

// Write writes data and extends the deadline.
func (w *patientWriter) Write(data []byte) (int, error) {
	if now := time.Now(); w.control != nil && w.until.Sub(now) < writePatience/2 {
		w.until = now.Add(writePatience)
		_ = w.control.SetWriteDeadline(w.until) // without it the server's own deadline holds
	}
	return w.Writer.Write(data)
}
