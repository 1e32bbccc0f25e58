package portal_test

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/integration/pgtest"
	"github.com/claimflow/claimflow/internal/portal"
	"github.com/claimflow/claimflow/mirror"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const (
	boardConversations = 100_000
	boardDays          = 180
)

// BenchmarkPagesOfBoards measures the time until the first and until the last byte of every
// board, and of a board on a screen, of a shop with 100,000 conversations and as many claims
// of half a year:
//
//   - first: no value of a figure is kept
//   - changed: a conversation of today and a claim changed since the last request
//   - again: nothing changed
//
// Run it with
//
//	go test ./internal/portal -run '^$' -bench PagesOfBoards -benchtime 10x
func BenchmarkPagesOfBoards(b *testing.B) {
	for _, database := range []struct {
		name, driver string
		address      func(b *testing.B) string
	}{
		{"SQLite", "sqlite", func(b *testing.B) string {
			b.Helper()
			return "sqlite:" + filepath.Join(b.TempDir(), "store.db")
		}},
		{"PostgreSQL", "pgx", func(b *testing.B) string {
			b.Helper()
			return pgtest.Durable(b)
		}},
	} {
		b.Run(database.name, func(b *testing.B) {
			address := database.address(b)
			w := newBenchOn(b, address, portal.OpenID{})
			db, err := sql.Open(database.driver, strings.TrimPrefix(address, "sqlite:"))
			require.NoError(b, err)
			b.Cleanup(func() { require.NoError(b, db.Close()) })
			s := boardSeed{w, db, w.fill(20, 10)}
			s.plant()
			if database.driver == "pgx" {
				s.exec(`ANALYZE`) // the server would do it soon by itself
			}
			s.measure(b)
		})
	}
}

// boardSeed writes what figures are computed from straight into the tables.
type boardSeed struct {
	*bench
	db         *sql.DB
	connection string
}

func (s boardSeed) exec(query string, args ...any) {
	s.Helper()
	_, err := s.db.ExecContext(s.Context(), query, args...)
	require.NoError(s, err, query)
}

// measure requests every board in every state.
func (s boardSeed) measure(b *testing.B) {
	b.Helper()
	p := s.enter(client.NewPortalLink{})
	wall, err := s.client.CreateWall(b.Context(), shop, claim.NewWall{Name: "Screen", Board: "overview", Query: "zone=Europe/Berlin"})
	require.NoError(b, err)
	pages := []string{strings.TrimPrefix(wall.URL, s.url)}
	for _, board := range []string{"overview", "backlog", "agents", "claims", "ratings", "staffing"} {
		pages = append(pages, "/portal/dashboards/"+board+"?zone=Europe/Berlin")
	}
	for i, page := range pages {
		name := "wall"
		if i > 0 {
			name, _, _ = strings.Cut(strings.TrimPrefix(page, "/portal/dashboards/"), "?")
		}
		for _, state := range []struct {
			name    string
			prepare func()
		}{
			{"first", func() { s.change(); s.exec(`DELETE FROM kpi_series`) }},
			{"changed", s.change},
			{"again", func() {}},
		} {
			b.Run(name+"/"+state.name, func(b *testing.B) {
				on := &person{s.on(b), p.http}
				load := func() (first, whole time.Duration, size int) {
					r := on.request(http.MethodGet, page, nil)
					start := time.Now()
					response, err := p.http.Do(r)
					first = time.Since(start) // the headers come with the first byte
					require.NoError(b, err)
					require.Equal(b, http.StatusOK, response.StatusCode)
					text, err := io.ReadAll(response.Body)
					require.NoError(b, err)
					whole = time.Since(start)
					require.NoError(b, response.Body.Close())
					require.NotContains(b, string(text), `role="alert"`)
					return first, whole, len(text)
				}
				load()
				var firsts, wholes []time.Duration
				size := 0
				for b.Loop() {
					state.prepare()
					first, whole, n := load()
					firsts, wholes, size = append(firsts, first), append(wholes, whole), n
				}
				for name, all := range map[string][]time.Duration{"first": firsts, "whole": wholes} {
					b.ReportMetric(float64(percentile(all, 50).Microseconds())/1000, name+"-p50-ms")
					b.ReportMetric(float64(percentile(all, 95).Microseconds())/1000, name+"-p95-ms")
				}
				b.ReportMetric(float64(size)/1000, "kB")
			})
		}
	}
}

// change changes a conversation of today and a claim.
func (s boardSeed) change() {
	s.Helper()
	day := time.Now().UTC().Truncate(24 * time.Hour).UnixMicro()
	s.exec(`UPDATE mirrors SET change = change + 1 WHERE connection_id = $1`, s.connection)
	s.exec(`INSERT INTO figure_days (connection_id, day, change) SELECT connection_id, CAST($2 AS BIGINT), change FROM mirrors WHERE connection_id = $1
		ON CONFLICT (connection_id, day) DO UPDATE SET change = excluded.change`, s.connection, day)
	s.exec(`UPDATE claims SET updated_at = updated_at + 1 WHERE shop = $1 AND id = $2`, shop, "c-7")
}

// one returns SQL that chooses one of the values by an expression.
func one(expression string, values []string) string {
	var text strings.Builder
	fmt.Fprintf(&text, "CASE (%s) %% %d", expression, len(values))
	for i, v := range values {
		fmt.Fprintf(&text, " WHEN %d THEN '%s'", i, v)
	}
	return text.String() + " END"
}

// ids lists the ids of a kind of the directory.
func (s boardSeed) ids(ctx context.Context, kind mirror.DirectoryKind) (ids []string) {
	entries, err := s.store.Mirror.Directory(ctx, s.connection, kind)
	require.NoError(s, err)
	for _, e := range entries {
		ids = append(ids, e.ID)
	}
	require.NotEmpty(s, ids)
	return ids
}

// plant writes conversations, evenly over the days: a tenth begun by the shop, nearly all
// closed within five days, a tenth reopened, a third rated, one tag on average. Each has a
// claim.
func (s boardSeed) plant() {
	s.Helper()
	const second = int64(time.Second / time.Microsecond)
	now := time.Now().UnixMicro()
	begin := now - boardDays*24*3600*second
	s.exec(fmt.Sprintf(`CREATE TABLE seed AS WITH RECURSIVE n (i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < %d),
		c AS (SELECT i, %d + i * %d AS created, i %% 10 <> 0 AS inbound, i %% 10 = 3 AS reopened FROM n),
		d AS (SELECT c.*, created + (i * 37 %% 3600 + 1) * %[4]d AS assigned, created + (i * 7919 %% 20000 + 60) * %[4]d AS replied, created + (i * 104729 %% 400000 + 20000) * %[4]d AS closing FROM c),
		e AS (SELECT d.*, CASE WHEN reopened THEN closing + (3600 + i * 31 %% 100000) * %[4]d ELSE closing END AS ending FROM d)
		SELECT e.*, CASE WHEN i %% 100 = 0 OR ending > %[5]d THEN 0 ELSE ending END AS closed, %[6]s AS queue, %[7]s AS agent, %[8]s AS channel FROM e`,
		boardConversations, begin, (now-begin)/boardConversations, second, now,
		one("i / 3", s.ids(s.Context(), mirror.KindQueue)), one("i / 7", s.ids(s.Context(), mirror.KindAgent)), one("i", []string{"Email", "Email", "Email", "WidgetChat", "PstnPhone"})))
	const number = "i + 1000000000"
	s.exec(`INSERT INTO figures (connection_id, conversation_id, created_at, channel, direction, status, queue_id, assignee_id, requester_id, first_inbound_at, first_response_at,
			first_response_by, agent_replies, automated_messages, customer_messages, notes, queue_time, queue_time_from_log, handling_time, first_assigned_at, first_closed_at,
			last_closed_at, closes, reopens, transfers, assignments, last_activity_at, anonymized_at, digest)
		SELECT $1, `+number+`, created, channel, CASE WHEN inbound THEN 'inbound' ELSE 'outbound' END, CASE WHEN closed > 0 THEN 'closed' ELSE 'open' END, queue, agent, 'user',
			CASE WHEN inbound THEN created ELSE 0 END, CASE WHEN inbound THEN replied ELSE 0 END, CASE WHEN inbound THEN agent ELSE '' END, 1 + i % 3, 1, 1 + i % 4, 0, assigned - created, TRUE,
			i * 7 % 1000000000, assigned, CASE WHEN closed > 0 THEN closing ELSE 0 END, closed, CASE WHEN closed = 0 THEN 0 WHEN reopened THEN 2 ELSE 1 END,
			CASE WHEN closed > 0 AND reopened THEN 1 ELSE 0 END, i % 2, 1, assigned, 0, $2 FROM seed`, s.connection, []byte{})
	for i, e := range []struct{ kind, at, kindOf, value, where string }{
		{"assigned", "assigned", "", "0", "TRUE"},
		{"reply", "replied", "", "0", "inbound"},
		{"closed", "closing", "", "0", "closed > 0"},
		{"reopened", "closing + 3600000000", "", "0", "closed > 0 AND reopened"},
		{"closed", "closed", "", "0", "closed > 0 AND reopened"},
		{"rating_offered", "closed", mirror.RatingCSAT, "0", "closed > 0 AND i % 3 = 0"},
		{"rated", "closed + 3600000000", mirror.RatingCSAT, "1 + i / 6 % 5", "closed > 0 AND i % 6 = 0"},
		{"sla_achieved", "replied", "", "0", "inbound AND i % 7 <> 1"},
		{"sla_breached", "replied", "", "0", "inbound AND i % 7 = 1"},
	} {
		s.exec(fmt.Sprintf(`INSERT INTO figure_events (connection_id, conversation_id, n, at, kind, agent_id, queue_id, type, value, channel, direction, created_at)
			SELECT $1, `+number+`, %d, %s, '%s', agent, queue, '%s', %s, channel, CASE WHEN inbound THEN 'inbound' ELSE 'outbound' END, created FROM seed WHERE %s`,
			i, e.at, e.kind, e.kindOf, e.value, e.where), s.connection)
	}
	for n := range 2 {
		s.exec(fmt.Sprintf(`INSERT INTO conversation_tags (connection_id, conversation_id, tag) SELECT $1, `+number+`, %s FROM seed WHERE i %% 3 > %d`,
			one(fmt.Sprintf("i / 5 + %d", n), []string{"return", "damaged", "late", "refund", "vip"}), n), s.connection)
	}
	s.exec(`INSERT INTO claims (shop, id, state, reason, reason_key, flow, preference, phase, order_number, connection_id, conversation_id, body, accepted_at, opened_at, updated_at,
			carrier_key, phase_key, preference_key, status_key, customer, settled_at)
		SELECT CAST($1 AS TEXT), 'c-' || i, CASE WHEN closed > 0 THEN 'settled' ELSE 'open' END, reason, reason, 'claim', 'refund', 'delivered', CAST(i AS TEXT), CAST($2 AS TEXT), `+number+`, $3, created, created + 5000000,
			created, `+one("i / 2", []string{"dhl", "dpd", "ups", ""})+`, 'delivered', `+one("i / 4", []string{"refund", "reorder", ""})+`, `+one("i / 5", []string{"accepted", "rejected", ""})+`,
			'customer-' || (i % 60000), CASE WHEN closed > 0 THEN closed + 86400000000 ELSE 0 END
		FROM (SELECT seed.*, `+one("i", []string{"damaged", "not_received", "return"})+` AS reason FROM seed) s`, shop, s.connection, []byte{})
	s.exec(`INSERT INTO claim_parkings (shop, claim_id, at, cause) SELECT $1, 'c-' || i, created + 60000000, `+one("i / 20", []string{"no_mailbox", "unreachable"})+` FROM seed WHERE i % 20 = 0`, shop)
	s.exec(`INSERT INTO presence_samples (connection_id, at, agent_id, working) SELECT $1, created, agent, i % 2 FROM seed WHERE i % 10 = 0`, s.connection)
	s.exec(`DELETE FROM coverage WHERE connection_id = $1`, s.connection)
	s.exec(`INSERT INTO coverage (connection_id, stream, from_at, to_at) VALUES ($1, 'conversations', $2, $3)`, s.connection, begin, now)
	s.exec(`UPDATE mirrors SET change = change + 1 WHERE connection_id = $1`, s.connection)
	s.exec(`INSERT INTO figure_days (connection_id, day, change)
		SELECT m.connection_id, d.day, m.change FROM mirrors m JOIN (SELECT created - created % 86400000000 AS day FROM seed UNION SELECT closed - closed % 86400000000 FROM seed) d ON TRUE WHERE m.connection_id = $1
		ON CONFLICT (connection_id, day) DO UPDATE SET change = excluded.change`, s.connection)
	s.exec(`DROP TABLE seed`)
}
