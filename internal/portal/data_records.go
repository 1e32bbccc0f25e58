package portal

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

const (
	// recordsShown is the length of a page of records, columnsShown its width and
	// cellShown the length of a text in it. The CSV has everything.
	recordsShown = 25
	columnsShown = 12
	cellShown    = 160
)

// recordColumns are the members of records that the table shows unless the source names
// its own.
var recordColumns = map[claim.Stream][]string{
	claim.StreamConversations: {"id", "created_at", "status", "channel", "subject", "queue_name", "assignee_name", "tags", "first_response_seconds", "last_closed_at"},
	claim.StreamMessages:      {"conversation_id", "created_at", "kind", "direction", "author_name", "text"},
	claim.StreamActivityLogs:  {"conversation_id", "at", "type", "author_name", "detail"},
	claim.StreamRatings:       {"conversation_id", "type", "status", "score", "comment", "rated_at"},
	claim.StreamDirectory:     {"kind", "name", "id", "seen_at", "gone_at"},
}

// recordsData is what the page of a source's records shows.
type recordsData struct {
	Source claim.DataSource
	// Streams are those of the source.
	Streams []claim.Stream
	Stream  claim.Stream
	Dates   []claim.RecordDate
	Filter  form
	Columns []string
	Rows    [][]recordCell
	// First, Next and CSV are addresses; empty if there is no such page.
	First, Next, CSV string
}

// recordCell is a member of a record.
type recordCell struct {
	Text string
	At   time.Time
	// Claim is the id of the claim that the record is about; empty for none.
	Claim string
}

// recordsQuery reads what a page of records selects from its address.
func (v *visit) recordsQuery(source claim.DataSource) (client.RecordsQuery, form) {
	query := v.r.URL.Query()
	q := client.RecordsQuery{Cursor: query.Get("cursor"), Limit: recordsShown}
	for _, stream := range claim.Streams() {
		if source.Has(stream) && (q.Stream == "" || string(stream) == query.Get("stream")) {
			q.Stream = stream
		}
	}
	if date := claim.RecordDate(query.Get("date")); slices.Contains(claim.RecordDates(), date) {
		q.Date = date
	}
	f := form{Values: map[string]string{"from": query.Get("from"), "to": query.Get("to"), "date": string(q.Date)}, Faults: map[string]string{}}
	zone := v.zoneOfForm()
	var ok bool
	if q.From, ok = timeOfForm(query.Get("from"), zone); !ok {
		f.Faults["from"] = v.words.say("fault.import.from")
	}
	if q.To, ok = timeOfForm(query.Get("to"), zone); !ok {
		f.Faults["to"] = v.words.say("fault.import.from")
	} else if !q.To.IsZero() {
		q.To = q.To.AddDate(0, 0, 1) // the last day is part of the period
		if !q.From.Before(q.To) {
			f.Faults["to"] = v.words.say("fault.import.to")
		}
	}
	return q, f
}

func (v *visit) records(connection string) error {
	source, err := v.api.DataSource(v.r.Context(), connection, v.r.PathValue("source"))
	if err != nil {
		return err
	}
	q, f := v.recordsQuery(source)
	d := recordsData{Source: source, Stream: q.Stream, Dates: claim.RecordDates(), Filter: f, Columns: columnsOf(source, q.Stream)}
	for _, stream := range claim.Streams() {
		if source.Has(stream) {
			d.Streams = append(d.Streams, stream)
		}
	}
	title := source.Title
	if len(f.Faults) > 0 {
		v.show(http.StatusUnprocessableEntity, "records", view{Title: title, Data: d})
		return nil
	}
	page, err := v.api.RecordsPage(v.r.Context(), connection, source.ID, q)
	if err != nil {
		return v.refusedFields(err, "fault.import.", []string{"from", "to"}, func(refused form) error {
			d.Filter.Faults, d.Filter.Summary = refused.Faults, refused.Summary
			v.show(http.StatusUnprocessableEntity, "records", view{Title: title, Data: d})
			return nil
		})
	}
	for _, record := range page.Records {
		row, err := v.rowOf(record, d.Columns)
		if err != nil {
			return err
		}
		d.Rows = append(d.Rows, row)
	}
	if err := v.addClaims(&d); err != nil {
		return err
	}
	at := func(path, cursor string) string {
		query := v.r.URL.Query()
		return "/portal/data/sources/" + url.PathEscape(source.ID) + path + "?" + address(
			"stream", string(q.Stream), "date", string(q.Date), "from", f.Values["from"], "to", f.Values["to"], "zone", query.Get("zone"), "cursor", cursor)
	}
	d.CSV = at("/records.csv", "")
	if page.More {
		d.Next = at("", page.Next)
	}
	if q.Cursor != "" {
		d.First = at("", "")
	}
	v.show(http.StatusOK, "records", view{Title: title, Data: d})
	return nil
}

// addClaims names the claims of the conversations that the rows are about, if the person
// may see claims.
func (v *visit) addClaims(d *recordsData) error {
	column := slices.Index(d.Columns, "conversation_id")
	if d.Stream == claim.StreamConversations {
		column = slices.Index(d.Columns, "id")
	}
	if column < 0 || !v.shows(claim.PageClaims) {
		return nil
	}
	var conversations []int64
	for _, row := range d.Rows {
		if id, err := strconv.ParseInt(row[column].Text, 10, 64); err == nil && id > 0 && !slices.Contains(conversations, id) {
			conversations = append(conversations, id)
		}
	}
	if len(conversations) == 0 {
		return nil
	}
	records, err := v.api.ClaimsOf(v.r.Context(), v.session.Shop, conversations)
	claims := map[string]string{} // by conversation
	for _, r := range records {
		claims[strconv.FormatInt(r.ConversationID, 10)] = r.ID
	}
	for _, row := range d.Rows {
		row[column].Claim = claims[row[column].Text]
	}
	return err
}

// columnsOf returns the members of a source's records that the table shows.
func columnsOf(source claim.DataSource, stream claim.Stream) []string {
	if len(source.Fields) == 0 {
		return recordColumns[stream]
	}
	var columns []string
	for _, name := range claim.RecordFields(stream) {
		if slices.Contains(source.Fields, name) && len(columns) < columnsShown {
			columns = append(columns, name)
		}
	}
	return columns
}

func (v *visit) rowOf(record json.RawMessage, columns []string) ([]recordCell, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(record, &members); err != nil {
		return nil, fmt.Errorf("show a record: %w", err)
	}
	row := make([]recordCell, len(columns))
	for i, name := range columns {
		row[i] = v.cellOf(name, members[name])
	}
	return row, nil
}

// cellOf returns a member for people: a time, or a text that is not too long.
func (v *visit) cellOf(name string, value json.RawMessage) recordCell {
	var text string
	var list []string
	var seconds float64
	switch {
	case len(value) == 0 || string(value) == "null":
		return recordCell{}
	case json.Unmarshal(value, &text) == nil:
		if at, err := time.Parse(time.RFC3339, text); err == nil {
			return recordCell{At: at}
		}
		if name == "channel" {
			text = v.words.sayOr("channel."+text, text)
		}
		text = v.words.sayOr("cell."+name+"."+text, text)
	case strings.HasSuffix(name, "_seconds") && json.Unmarshal(value, &seconds) == nil:
		text = v.duration(seconds)
	case json.Unmarshal(value, &list) == nil:
		text = strings.Join(list, ", ")
	default:
		text = string(value)
	}
	return recordCell{Text: shortened(text, cellShown)}
}

// recordsCSV downloads the records as CSV, as the API sends them.
func (v *visit) recordsCSV(connection string) error {
	source, err := v.api.DataSource(v.r.Context(), connection, v.r.PathValue("source"))
	if err != nil {
		return err
	}
	q, f := v.recordsQuery(source)
	if len(f.Faults) > 0 {
		return v.redirect("data/sources/" + url.PathEscape(source.ID) + "?" + v.r.URL.RawQuery)
	}
	q.Limit, q.Cursor = 0, ""
	w := &download{w: v.w, name: source.Title + " " + string(q.Stream) + ".csv"}
	err = v.api.ExportRecords(v.r.Context(), connection, source.ID, client.FormatCSV, q, w)
	if err != nil && w.begun {
		note(v.r.Context()).err = err
		panic(http.ErrAbortHandler) // a part must not pass for the whole
	}
	return err
}

// download is a file that is sent while it is made. Its first write begins the answer, so
// that an error before it is still shown as a page.
type download struct {
	w     http.ResponseWriter
	name  string
	begun bool
	until time.Time
}

// downloadPatience is how long a browser may take to read a part of a file.
const downloadPatience = time.Minute

// Write implements [io.Writer].
func (d *download) Write(data []byte) (int, error) {
	if !d.begun {
		d.begun = true
		d.w.Header().Set("Content-Type", "text/csv; charset=utf-8")
		d.w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": d.name}))
	}
	if now := time.Now(); d.until.Sub(now) < downloadPatience/2 {
		d.until = now.Add(downloadPatience)
		_ = http.NewResponseController(d.w).SetWriteDeadline(d.until) // without it the server's own deadline holds
	}
	return d.w.Write(data)
}
