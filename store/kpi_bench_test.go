package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/integration/pgtest"
	"github.com/claimflow/claimflow/kpi"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
)

const (
	kpiConversations = 1_000_000
	kpiQueues        = 12
	kpiAgents        = 40
)

// kpiUntil is the end of the two years of the conversations.
var kpiUntil = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// BenchmarkKPI measures typical questions over a million conversations of two years on
// PostgreSQL, as the API asks them at 18:00 of the last day: when nothing is kept, when
// everything is that can be, and after changes to 200 conversations of the last two weeks.
func BenchmarkKPI(b *testing.B) {
	url := pgtest.Durable(b)
	s := open(b, url, newKeys(b))
	const connection = "bench"
	fillFigures(b, s, url, connection)
	zone, err := time.LoadLocation("Europe/Copenhagen")
	require.NoError(b, err)
	e := kpi.Evaluator{Source: s.Mirror.Figures(connection), NotKept: func(err error) { require.NoError(b, err) }}
	now := time.Date(2026, 10, 31, 18, 0, 0, 0, zone)
	month, years := time.Date(2026, 10, 2, 0, 0, 0, 0, zone), time.Date(2024, 11, 1, 0, 0, 0, 0, zone)
	random := rand.New(rand.NewPCG(3, 4))
	for _, q := range []struct {
		id     string
		from   time.Time
		bucket kpi.Bucket
		by     kpi.Dimension
	}{
		{"conversation_volume", month, kpi.BucketDay, kpi.ByQueue},
		{"first_response_time", month, kpi.BucketDay, kpi.ByQueue},
		{"closed_conversations", month, kpi.BucketDay, kpi.ByQueue},
		{"csat", month, kpi.BucketDay, kpi.ByQueue},
		{"backlog", month, kpi.BucketDay, kpi.ByQueue},
		{"conversation_volume", month, kpi.BucketDay, kpi.ByTag},
		{"conversation_volume", years, kpi.BucketMonth, kpi.ByQueue},
		{"first_response_time", years, kpi.BucketMonth, kpi.ByQueue},
		{"closed_conversations", years, kpi.BucketMonth, kpi.ByQueue},
		{"csat", years, kpi.BucketMonth, kpi.ByQueue},
		{"conversation_volume", years, kpi.BucketDay, ""},
		{"first_response_time", years, kpi.BucketDay, ""},
		{"closed_conversations", years, kpi.BucketDay, ""},
		{"csat", years, kpi.BucketDay, ""},
		{"backlog", years, kpi.BucketDay, ""},
		{"arrivals_per_hour", years, kpi.BucketHourOfWeek, ""},
		{"conversation_volume", years, kpi.BucketMonth, kpi.ByTag},
	} {
		d, _ := kpi.ByID(q.id)
		ask := func(b *testing.B) {
			b.Helper()
			_, err := e.Evaluate(b.Context(), d, kpi.Request{From: q.from, To: now, Zone: zone, Bucket: q.bucket, By: q.by})
			require.NoError(b, err)
		}
		span := map[bool]string{true: "month", false: "years"}[q.from.Equal(month)]
		for _, state := range []struct {
			name    string
			prepare func(b *testing.B)
		}{
			{"first", func(b *testing.B) {
				b.Helper()
				_, err := s.DB().ExecContext(b.Context(), `DELETE FROM kpi_series`)
				require.NoError(b, err)
			}},
			{"kept", func(*testing.B) {}},
			{"changed", func(b *testing.B) {
				b.Helper()
				markChanges(b, s, connection, random, 200)
			}},
		} {
			b.Run(fmt.Sprintf("%s/%s/%s/%s/%s", span, q.id, q.bucket, q.by, state.name), func(b *testing.B) {
				if state.name != "first" {
					ask(b)
				}
				var took []time.Duration
				for b.Loop() {
					state.prepare(b)
					start := time.Now()
					ask(b)
					took = append(took, time.Since(start))
				}
				slices.Sort(took)
				b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
				b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "p95-ms")
			})
		}
	}
}

// markChanges marks the days of conversations of the last two weeks, as if they had
// changed.
func markChanges(b *testing.B, s *store.Store, connection string, random *rand.Rand, n int) {
	b.Helper()
	ids := make([]int64, n)
	for i := range ids {
		ids[i] = kpiConversations - random.Int64N(kpiConversations*14/730)
	}
	_, err := s.DB().ExecContext(b.Context(), `UPDATE mirrors SET change = change + 1 WHERE connection_id = $1`, connection)
	require.NoError(b, err)
	_, err = s.DB().ExecContext(b.Context(), `UPDATE figure_days SET change = m.change FROM mirrors m WHERE figure_days.connection_id = $1 AND m.connection_id = $1
		AND day IN (SELECT at - at % 86400000000 FROM figure_events WHERE connection_id = $1 AND conversation_id = ANY ($2)
			UNION SELECT created_at - created_at % 86400000000 FROM figures WHERE connection_id = $1 AND conversation_id = ANY ($2))`, connection, ids)
	require.NoError(b, err)
}

// fillFigures writes the figures of [kpiConversations] conversations. The figures only,
// because nothing else is read for a KPI.
func fillFigures(b *testing.B, s *store.Store, url, connection string) {
	b.Helper()
	ctx := b.Context()
	conn, err := pgx.Connect(ctx, url)
	require.NoError(b, err)
	defer func() { require.NoError(b, conn.Close(ctx)) }()
	_, err = s.DB().ExecContext(ctx, `INSERT INTO connections (id, state, created_at, updated_at) VALUES ($1, 'active', 0, 0)`, connection)
	require.NoError(b, err)
	made := madeFigures{connection: connection}
	for _, table := range []string{"figures", "figure_events", "conversation_tags"} {
		made.copy(ctx, b, conn, table)
	}
	_, err = conn.Exec(ctx, `INSERT INTO mirrors (connection_id, change) VALUES ($1, 1)`, connection)
	require.NoError(b, err)
	_, err = conn.Exec(ctx, `INSERT INTO figure_days (connection_id, day, change)
		SELECT DISTINCT connection_id, at - at % 86400000000, 1 FROM figure_events UNION SELECT connection_id, created_at - created_at % 86400000000, 1 FROM figures`)
	require.NoError(b, err)
	for _, table := range []string{"figures", "figure_events", "conversation_tags"} {
		_, err = conn.Exec(ctx, "VACUUM ANALYZE "+table)
		require.NoError(b, err)
	}
}

// madeFigures makes conversations. Two runs make the same ones.
type madeFigures struct{ connection string }

// copy writes the rows of a table.
func (m madeFigures) copy(ctx context.Context, b *testing.B, conn *pgx.Conn, table string) {
	b.Helper()
	columns := map[string][]string{
		"figures": {
			"connection_id", "conversation_id", "created_at", "channel", "direction", "status", "queue_id", "assignee_id", "requester_id", "first_inbound_at",
			"first_response_at", "first_response_by", "agent_replies", "automated_messages", "customer_messages", "notes", "queue_time", "queue_time_from_log",
			"handling_time", "first_assigned_at", "first_closed_at", "last_closed_at", "closes", "reopens", "transfers", "assignments", "last_activity_at",
			"dixa_total_duration", "dixa_handling_duration", "anonymized_at", "digest",
		},
		"figure_events":     {"connection_id", "conversation_id", "n", "at", "kind", "agent_id", "queue_id", "type", "value", "channel", "direction", "created_at"},
		"conversation_tags": {"connection_id", "conversation_id", "tag"},
	}[table]
	random := rand.New(rand.NewPCG(1, 2))
	id := int64(0)
	var rows [][]any
	n, err := conn.CopyFrom(ctx, pgx.Identifier{table}, columns, pgx.CopyFromFunc(func() ([]any, error) {
		for len(rows) == 0 {
			if id == kpiConversations {
				return nil, nil
			}
			id++
			rows = m.conversation(random, id)[table]
		}
		row := rows[0]
		rows = rows[1:]
		return row, nil
	}))
	require.NoError(b, err)
	b.Logf("%d rows of %s", n, table)
}

// conversation returns the rows of a conversation by table: a tenth begun by the shop,
// nearly all closed, a tenth reopened, a third rated, one tag on average.
func (m madeFigures) conversation(random *rand.Rand, id int64) map[string][][]any {
	span := 2 * 365 * 24 * time.Hour
	created := kpiUntil.Add(-span).Add(time.Duration(float64(id) / kpiConversations * float64(span)))
	queue, agent := fmt.Sprintf("00000000-0000-4000-8000-%012d", random.IntN(kpiQueues)), fmt.Sprintf("00000000-0000-4000-9000-%012d", random.IntN(kpiAgents))
	channel := []string{"Email", "Email", "Email", "WidgetChat", "PstnPhone"}[random.IntN(5)]
	direction := "inbound"
	if random.IntN(10) == 0 {
		direction = "outbound"
	}
	after := func(hours float64) time.Time {
		return created.Add(time.Duration(random.ExpFloat64() * hours * float64(time.Hour)))
	}
	micros := func(t time.Time) int64 {
		if t.IsZero() {
			return 0
		}
		return t.UnixMicro()
	}
	var firstInbound, response, lastClosed time.Time
	var responder string
	if direction == "inbound" {
		firstInbound, response, responder = created, after(3), agent
	}
	assigned, closed := after(1), after(30)
	lastClosed = closed
	reopens, status := 0, "closed"
	var events [][]any
	add := func(at time.Time, kind mirror.EventKind, ratingType string, value int) {
		events = append(events, []any{m.connection, id, len(events), at.UnixMicro(), string(kind), agent, queue, ratingType, value, channel, direction, created.UnixMicro()})
	}
	add(assigned, mirror.KindAssigned, "", 0)
	if direction == "inbound" {
		add(response, mirror.KindReply, "", 0)
	}
	add(closed, mirror.KindClosed, "", 0)
	if random.IntN(10) == 0 {
		reopened := closed.Add(time.Hour)
		lastClosed = reopened.Add(time.Duration(random.ExpFloat64() * 20 * float64(time.Hour)))
		reopens = 1
		add(reopened, mirror.KindReopened, "", 0)
		add(lastClosed, mirror.KindClosed, "", 0)
	}
	if random.IntN(100) == 0 || lastClosed.After(kpiUntil) {
		status, lastClosed, closed = "open", time.Time{}, time.Time{}
		events = slices.DeleteFunc(events, func(e []any) bool { return e[4] == string(mirror.KindClosed) })
		reopens = 0
	} else if random.IntN(3) == 0 {
		add(lastClosed, mirror.KindRatingOffered, mirror.RatingCSAT, 0)
		if random.IntN(2) == 0 {
			add(lastClosed.Add(time.Hour), mirror.KindRated, mirror.RatingCSAT, 1+random.IntN(5))
		}
	}
	var tags [][]any
	first := random.IntN(30)
	for i := range random.IntN(3) {
		tags = append(tags, []any{m.connection, id, fmt.Sprintf("tag %d", first+i)})
	}
	figures := []any{
		m.connection, id, created.UnixMicro(), channel, direction, status, queue, agent, "user", micros(firstInbound),
		micros(response), responder, 1 + random.IntN(3), 1, 1 + random.IntN(3), 0, assigned.Sub(created).Microseconds(), true,
		int64(random.IntN(1e9)), assigned.UnixMicro(), micros(closed), micros(lastClosed), 1 + reopens, reopens, random.IntN(2), 1, assigned.UnixMicro(),
		nil, nil, 0, make([]byte, 16),
	}
	return map[string][][]any{"figures": {figures}, "figure_events": events, "conversation_tags": tags}
}
