package activities_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/integration/pgtest"
	"github.com/claimflow/claimflow/internal/seal"
	"github.com/claimflow/claimflow/internal/todixa/connection"
	"github.com/claimflow/claimflow/store"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const (
	benchConversations = 12_000
	benchMessages      = 60_000
	// benchEntries is the number of log entries of each conversation.
	benchEntries = 5
	// benchPage is the number of log entries on a page.
	benchPage = 1000
)

var benchTables = map[claim.Stream]string{
	claim.StreamConversations: "conversations", claim.StreamMessages: "messages", claim.StreamActivityLogs: "activities",
}

// BenchmarkImport imports a period into PostgreSQL as the workflow does: the
// conversations, their messages, the activity log, and then the figures of all. In the
// same run it
//
//   - copies the rows that were stored into equal tables with COPY,
//   - reads the same answers and discards their rows, with a minimal client.
//
// It reports the rows of each stream alone, the figures alone, and the whole period.
func BenchmarkImport(b *testing.B) {
	exports := newBenchExports()
	host := httptest.NewServer(exports)
	b.Cleanup(host.Close)
	for b.Loop() {
		url := pgtest.Durable(b)
		bench := openPostgres(b, host.URL, url)
		bench.everything()
		i, _, err := bench.store.Imports.Begin(b.Context(), claim.Import{ConnectionID: bench.connection, Cause: "request", Access: claim.AccessExports, Windows: exports.windows()})
		require.NoError(b, err)
		var all benchResult
		for n, w := range i.Windows {
			in := bench.window(i, w)
			in.FiguresLater = n+1 < len(i.Windows)
			name, tables := string(w.Stream), []string{benchTables[w.Stream]}
			if !in.FiguresLater { // the last window has no rows of its own
				name, tables = "figures", []string{"figures", "figure_events", "conversation_tags"}
			}
			var one benchResult
			one.took = timed(func() {
				counts, err := importStep[claim.ImportCounts](bench, bench.imports.ImportWindow, in)
				require.NoError(b, err)
				require.Equal(b, exports.rows(w), counts.Added)
			})
			one.read = timed(func() { exports.discard(b, bench.host, w) })
			for _, table := range tables {
				rows, took := copyTable(b, url, table)
				one.rows, one.copied = one.rows+rows, one.copied+took
			}
			one.report(b, name)
			all = benchResult{all.rows + one.rows, all.took + one.took, all.copied + one.copied, all.read + one.read}
		}
		all.report(b, "period")
	}
}

// benchResult is how long rows took to import, to copy, and to read alone.
type benchResult struct {
	rows               int
	took, copied, read time.Duration
}

func (r benchResult) report(b *testing.B, name string) {
	b.Helper()
	rate := func(d time.Duration) float64 { return float64(r.rows) / d.Seconds() }
	b.ReportMetric(rate(r.took), name+"-rows/s")
	b.ReportMetric(r.copied.Seconds()/r.took.Seconds(), name+"/COPY")
	b.ReportMetric(r.read.Seconds()/r.took.Seconds(), name+"/read")
	b.Logf("%s: %d rows, imported %.0f, copied %.0f rows/s (%.2f), read in %v of %v", name, r.rows, rate(r.took), rate(r.copied), r.copied.Seconds()/r.took.Seconds(), r.read.Round(time.Millisecond), r.took.Round(time.Millisecond))
}

func timed(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}

// openPostgres returns a bench with an empty store on PostgreSQL and the organization
// at host.
func openPostgres(tb testing.TB, host, url string) *importBench {
	tb.Helper()
	ctx := tb.Context()
	keys, err := seal.Generate()
	require.NoError(tb, err)
	ring, err := seal.Parse(keys)
	require.NoError(tb, err)
	s, err := store.Open(ctx, url, ring)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, s.Close()) })
	_, err = s.Shops.Create(ctx, store.NewShop{Slug: "acme", Feature: true})
	require.NoError(tb, err)
	c, err := s.Connections.SaveToken(ctx, "acme", "demo-token", store.Organization{ID: server.SeedOrganization})
	require.NoError(tb, err)
	clients := connection.New(s, connection.Options{
		BaseURL: host + "/v1/", ExportsURL: host + "/exports/v1/", ExportsPace: time.Microsecond, Limits: store.BudgetLimits{Interval: time.Microsecond, MaxWait: time.Second},
	})
	return &importBench{TB: tb, host: host, store: s, connection: c.ID, imports: &activities.Imports{Store: s, Clients: clients}}
}

// PostgreSQL counts figures itself.
func TestKPIsOnPostgresEqualThoseOfRows(t *testing.T) {
	t.Parallel()
	organization := newImportBench(t, 300, server.Switches{}, 60*24*time.Hour)
	b := openPostgres(t, organization.host, pgtest.Postgres(t))
	b.dixa = organization.dixa
	b.source(claim.DataSource{Title: "Everything"})
	b.importAll(claim.ImportRequest{})
	now := time.Now()
	requireEqualKPIs(t, b.oracle(), b.store.Mirror.Figures(b.connection), now.AddDate(0, 0, -62), now)
}

// benchExports serves exports and the activity log of a month, made once.
type benchExports struct {
	from   time.Time
	bodies map[claim.Stream][]byte
	// log has the pages of the activity log.
	log [][]byte
}

func newBenchExports() *benchExports {
	e := &benchExports{from: time.Now().Add(-30 * 24 * time.Hour), bodies: map[claim.Stream][]byte{}}
	random := rand.New(rand.NewPCG(1, 2))
	at := func(n, of int) time.Time {
		return e.from.Add(time.Duration(n) * 30 * 24 * time.Hour / time.Duration(of))
	}
	words := strings.Fields("the vase arrived in pieces and I would like to have another one sent as soon as you can please see the photo that is attached to this mail thank you for your help")
	text := func() string {
		said := make([]string, 10+random.IntN(70))
		for i := range said {
			said[i] = words[random.IntN(len(words))]
		}
		return strings.Join(said, " ")
	}
	var rows []any
	for i := range benchConversations {
		created := at(i, benchConversations)
		rows = append(rows, dixa.ExportedConversation{
			ID: int64(i + 1), CreatedAt: dixa.Time{Time: created}, UpdatedAt: dixa.Time{Time: created.Add(time.Hour)}, LastMessageCreatedAt: dixa.Time{Time: created.Add(time.Hour)},
			QueuedAt: dixa.Time{Time: created}, AssignedAt: dixa.Time{Time: created.Add(time.Minute)}, ClosedAt: dixa.Time{Time: created.Add(time.Hour)},
			InitialChannel: "email", Direction: "inbound", Status: "closed", Subject: text()[:30],
			RequesterID: fmt.Sprintf("u-%d", random.IntN(9000)), RequesterName: "Ada Lovelace", RequesterEmail: "ada@customer.example",
			QueueID: fmt.Sprintf("q-%d", random.IntN(9)), QueueName: "Claims", AssigneeID: "a-1", AssigneeName: "Anna", Tags: []string{"claim"},
		})
	}
	e.bodies[claim.StreamConversations] = encodeExport(rows)
	rows = nil
	for i := range benchMessages {
		direction := []string{"inbound", "outbound"}[i%2]
		rows = append(rows, dixa.ExportedMessage{
			ID: fmt.Sprintf("%08x-0000-4000-8000-%012x", random.Uint32(), i), ConversationID: int64(i/(benchMessages/benchConversations) + 1),
			CreatedAt: dixa.Time{Time: at(i, benchMessages)}, InitialChannel: "email", Direction: direction, AuthorName: "Ada Lovelace", AuthorEmail: "ada@customer.example",
			Text: text(), From: "ada@customer.example", To: []string{"help@shop.example"},
		})
	}
	e.bodies[claim.StreamMessages] = encodeExport(rows)
	e.addLog(at)
	return e
}

// addLog adds the activity log.
func (e *benchExports) addLog(at func(n, of int) time.Time) {
	var entries []dixa.Activity
	for i := range benchConversations {
		for n, kind := range []string{"ConversationCreatedByCustomer", "ConversationOffered", "ConversationClaimed", "TagAdded", "ConversationClosed"} {
			entries = append(entries, dixa.Activity{
				ID: fmt.Sprintf("%08x-0000-4000-8000-%012x", i, n), ConversationID: int64(i + 1), At: dixa.NewTime(at(i, benchConversations).Add(time.Duration(n) * time.Minute)),
				Type: kind, Author: &dixa.ActivityUser{ID: "a-1", Name: "Anna"},
				Attributes: fmt.Appendf(nil, `{"_type":"%sAttributes","agentId":"a-1","agentName":"Anna","queueId":"q-%d","queueName":"Claims","tag":"claim"}`, kind, i%9),
			})
		}
	}
	slices.SortStableFunc(entries, func(a, b dixa.Activity) int { return a.At.Compare(b.At.Time) })
	for page := range slices.Chunk(entries, benchPage) {
		answer := map[string]any{"data": page}
		if n := len(e.log) + 1; n < len(entries)/benchPage {
			answer["meta"] = map[string]string{"next": fmt.Sprintf("/v1/conversations/activitylog?pageKey=%d", n)}
		}
		body, err := json.Marshal(answer)
		if err != nil {
			panic(err)
		}
		e.log = append(e.log, body)
	}
}

// encodeExport writes rows as exports do: times are in milliseconds.
func encodeExport(rows []any) []byte {
	var out bytes.Buffer
	for i, row := range rows {
		data, err := json.Marshal(row)
		if err != nil {
			panic(err)
		}
		var members map[string]any
		if err := json.Unmarshal(data, &members); err != nil {
			panic(err)
		}
		for name, value := range members {
			if at, err := time.Parse(time.RFC3339Nano, fmt.Sprint(value)); err == nil {
				members[name] = at.UnixMilli()
			}
		}
		if data, err = json.Marshal(members); err != nil {
			panic(err)
		}
		out.WriteByte("[,"[min(i, 1)])
		out.Write(data)
	}
	out.WriteByte(']')
	return out.Bytes()
}

// windows are those of one period, as the workflow reads them. That of the log is
// followed by an empty one, so that the figures are measured apart from its entries.
func (e *benchExports) windows() []claim.ImportWindow {
	var all []claim.ImportWindow
	for n, stream := range []claim.Stream{claim.StreamConversations, claim.StreamMessages, claim.StreamActivityLogs, claim.StreamActivityLogs} {
		all = append(all, claim.ImportWindow{N: n, Stream: stream, From: e.from, To: e.from.Add(30 * 24 * time.Hour), State: claim.WindowWaiting})
	}
	last := &all[len(all)-1]
	last.From, last.To = e.from.Add(-time.Hour), e.from
	return all
}

// rows is the number of rows of a window.
func (e *benchExports) rows(w claim.ImportWindow) int {
	switch {
	case w.From.Before(e.from):
		return 0
	case w.Stream == claim.StreamConversations:
		return benchConversations
	case w.Stream == claim.StreamMessages:
		return benchMessages
	default:
		return benchConversations * benchEntries
	}
}

func (e *benchExports) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := e.bodies[claim.StreamConversations]
	switch {
	case strings.HasSuffix(r.URL.Path, "/message_export"):
		body = e.bodies[claim.StreamMessages]
	case strings.HasSuffix(r.URL.Path, "/activitylog"):
		page, _ := strconv.Atoi(r.URL.Query().Get("pageKey")) // the first page has no key
		body = e.log[page]
		if from, err := time.Parse(time.RFC3339, r.URL.Query().Get("fromDatetime")); err == nil && from.Before(e.from.Add(-time.Minute)) {
			body = []byte(`{"data":[]}`)
		}
	}
	w.Header().Set("Content-Type", "application/json")
	for part := range slices.Chunk(body, 32<<10) {
		if _, err := w.Write(part); err != nil {
			return
		}
	}
}

// discard reads the answers of a window as a minimal client does.
func (e *benchExports) discard(b *testing.B, host string, w claim.ImportWindow) {
	b.Helper()
	switch {
	case w.From.Before(e.from):
	case w.Stream == claim.StreamActivityLogs:
		for page := range e.log {
			get(b, fmt.Sprintf("%s/v1/conversations/activitylog?pageKey=%d", host, page), func(body io.Reader) {
				var answer struct{ Data []map[string]any }
				require.NoError(b, json.NewDecoder(body).Decode(&answer))
			})
		}
	default:
		get(b, host+"/exports/v1/"+strings.TrimSuffix(benchTables[w.Stream], "s")+"_export", func(body io.Reader) {
			rows := json.NewDecoder(body)
			_, err := rows.Token()
			require.NoError(b, err)
			for rows.More() {
				var row map[string]any
				require.NoError(b, rows.Decode(&row))
			}
		})
	}
}

func get(b *testing.B, url string, read func(io.Reader)) {
	b.Helper()
	request, err := http.NewRequestWithContext(b.Context(), http.MethodGet, url, nil)
	require.NoError(b, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(b, err)
	defer func() { require.NoError(b, response.Body.Close()) }()
	read(response.Body)
	_, err = io.Copy(io.Discard, response.Body)
	require.NoError(b, err)
}

// copyTable returns the number of rows of a table, and how long COPY takes to write
// them into an equal empty one, with equal indices and the reference to the connection.
func copyTable(b *testing.B, url, table string) (int, time.Duration) {
	b.Helper()
	ctx := b.Context()
	conn, err := pgx.Connect(ctx, url)
	require.NoError(b, err)
	defer func() { require.NoError(b, conn.Close(context.WithoutCancel(ctx))) }()
	rows, err := conn.Query(ctx, `SELECT * FROM `+table)
	require.NoError(b, err)
	var columns []string
	for _, f := range rows.FieldDescriptions() {
		columns = append(columns, f.Name)
	}
	values, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) ([]any, error) { return row.Values() })
	require.NoError(b, err)
	onPostgres(b, url,
		`DROP TABLE IF EXISTS equal`, `CREATE TABLE equal (LIKE `+table+` INCLUDING ALL)`, `ALTER TABLE equal ADD FOREIGN KEY (connection_id) REFERENCES connections (id)`)
	return len(values), timed(func() {
		_, err := conn.CopyFrom(ctx, pgx.Identifier{"equal"}, columns, pgx.CopyFromRows(values))
		require.NoError(b, err)
	})
}

func onPostgres(b *testing.B, url string, statements ...string) {
	b.Helper()
	conn, err := pgx.Connect(b.Context(), url)
	require.NoError(b, err)
	for _, statement := range statements {
		_, err = conn.Exec(b.Context(), statement)
		require.NoError(b, err)
	}
	require.NoError(b, conn.Close(b.Context()))
}
