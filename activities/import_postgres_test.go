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
)

// BenchmarkImport imports a window of conversations and one of messages into
// PostgreSQL, and in the same run
//
//   - copies the rows that were stored into an equal table with COPY,
//   - reads the same export and discards its rows, with a minimal client.
//
// The rates of a window include the figures that are computed at its end, except for
// messages that come before their conversations: those are the plain import of rows.
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
		for n, name := range []string{"unknown", "conversations", "messages"} {
			rows, table := benchMessages, "messages"
			if name == "conversations" {
				rows, table = benchConversations, "conversations"
			}
			took := timed(func() {
				counts, err := importStep[claim.ImportCounts](bench, bench.imports.ImportWindow, bench.window(i, i.Windows[n]))
				require.NoError(b, err)
				require.Equal(b, rows, counts.Added)
			})
			read := timed(func() { exports.discard(b, bench.host, table) })
			copied := copyTable(b, url, table)
			rate := func(d time.Duration) float64 { return float64(rows) / d.Seconds() }
			b.ReportMetric(rate(took), name+"-rows/s")
			b.ReportMetric(copied.Seconds()/took.Seconds(), name+"/COPY")
			b.ReportMetric(read.Seconds()/took.Seconds(), name+"/read")
			b.Logf("%s: imported %.0f, copied %.0f, read %.0f rows/s", name, rate(took), rate(copied), rate(read))
			if name == "unknown" {
				onPostgres(b, url, `TRUNCATE messages`)
			}
		}
	}
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

// benchExports serves exports of a month, made once.
type benchExports struct {
	from   time.Time
	bodies map[string][]byte
}

func newBenchExports() *benchExports {
	e := &benchExports{from: time.Now().Add(-30 * 24 * time.Hour), bodies: map[string][]byte{}}
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
	e.bodies["conversations"] = encodeExport(rows)
	rows = nil
	for i := range benchMessages {
		direction := []string{"inbound", "outbound"}[i%2]
		rows = append(rows, dixa.ExportedMessage{
			ID: fmt.Sprintf("%08x-0000-4000-8000-%012x", random.Uint32(), i), ConversationID: int64(i/(benchMessages/benchConversations) + 1),
			CreatedAt: dixa.Time{Time: at(i, benchMessages)}, InitialChannel: "email", Direction: direction, AuthorName: "Ada Lovelace", AuthorEmail: "ada@customer.example",
			Text: text(), From: "ada@customer.example", To: []string{"help@shop.example"},
		})
	}
	e.bodies["messages"] = encodeExport(rows)
	return e
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

func (e *benchExports) windows() []claim.ImportWindow {
	var all []claim.ImportWindow
	for n, stream := range []claim.Stream{claim.StreamMessages, claim.StreamConversations, claim.StreamMessages} {
		all = append(all, claim.ImportWindow{N: n, Stream: stream, From: e.from, To: e.from.Add(30 * 24 * time.Hour), State: claim.WindowWaiting})
	}
	return all
}

func (e *benchExports) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for table, body := range e.bodies {
		if strings.HasSuffix(r.URL.Path, strings.TrimSuffix(table, "s")+"_export") {
			w.Header().Set("Content-Type", "application/json")
			for len(body) > 0 {
				n := min(len(body), 32<<10)
				if _, err := w.Write(body[:n]); err != nil {
					return
				}
				body = body[n:]
			}
			return
		}
	}
	http.NotFound(w, r)
}

// discard reads an export as a minimal client does.
func (e *benchExports) discard(b *testing.B, host, table string) {
	b.Helper()
	request, err := http.NewRequestWithContext(b.Context(), http.MethodGet, host+"/exports/v1/"+strings.TrimSuffix(table, "s")+"_export", nil)
	require.NoError(b, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(b, err)
	defer func() { require.NoError(b, response.Body.Close()) }()
	rows := json.NewDecoder(response.Body)
	_, err = rows.Token()
	require.NoError(b, err)
	for rows.More() {
		var row map[string]any
		require.NoError(b, rows.Decode(&row))
	}
	_, err = io.Copy(io.Discard, response.Body)
	require.NoError(b, err)
}

// copyTable returns how long COPY takes to write the rows of a table into an equal
// empty one, with equal indices and the reference to the connection.
func copyTable(b *testing.B, url, table string) time.Duration {
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
	return timed(func() {
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
