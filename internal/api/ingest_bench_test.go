package api_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/claimflow/claimflow/dixa"
	emulator "github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/integration/pgtest"
	"github.com/claimflow/claimflow/internal/api"
	"github.com/claimflow/claimflow/internal/onboarding"
	"github.com/claimflow/claimflow/internal/seal"
	"github.com/claimflow/claimflow/internal/telemetry"
	"github.com/claimflow/claimflow/internal/todixa/connection"
	"github.com/claimflow/claimflow/store"
)

const (
	// ingestSenders is the maximum number of events in flight.
	ingestSenders = 64
	// ingestEventBytes is the approximate size of an event with a message's text.
	ingestEventBytes = 2048
	// ingestStep is how long each rate is tried. ingestLong is how long the rate
	// runs at which latencies are measured.
	ingestStep = 3 * time.Second
	ingestLong = 10 * time.Second
	// ingestSlow is the highest p99 at which a rate counts as sustained.
	ingestSlow = 250 * time.Millisecond
	// ingestSlowest and ingestDoublings bound the search for the highest rate.
	// ingestHalvings sets its precision: within 2^(1/8), about a tenth.
	ingestSlowest   = 250.0
	ingestDoublings = 9
	ingestHalvings  = 3

	ingestSecret = "a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90"
)

// BenchmarkIngest finds the highest rate of signed events that the route for Dixa's
// webhooks sustains. It compares that with a bare handler, which verifies the
// signature and inserts one row with ID and body in its own transaction, on a
// database with the same driver and settings:
//
//	go test ./internal/api -run '^$' -bench Ingest
//
// A rate is sustained if every event of a few seconds is accepted and p99 is at most
// 250 ms. Events are sent when they are due, without waiting for the previous
// answer. Latency counts from the due time: a slow answer delays those behind it, as
// it would for Dixa. The reported latencies are for one rate for both, four fifths
// of the lower sustained rate.
//
// The senders share the machine with the code under test, so the ratio is more
// meaningful than the rates.
func BenchmarkIngest(b *testing.B) {
	for name, database := range map[string]func(testing.TB) string{"sqlite": ingestFile, "postgres": pgtest.Durable} {
		b.Run(name, func(b *testing.B) {
			subjects := []*ingest{newIngest(b, database(b)), newBareIngest(b, database(b))}
			names := []string{"claimflow", "bare"}
			for b.Loop() {
				held := make([]float64, len(subjects))
				for i, s := range subjects {
					held[i] = s.highest(b)
					b.ReportMetric(held[i], names[i]+"-events/s")
				}
				b.ReportMetric(held[0]/held[1], "ratio")
				for i, s := range subjects {
					m := s.at(b, slices.Min(held)*0.8, ingestLong)
					b.ReportMetric(m.p50.Seconds()*1000, names[i]+"-p50-ms")
					b.ReportMetric(m.p99.Seconds()*1000, names[i]+"-p99-ms")
				}
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

func ingestFile(tb testing.TB) string {
	tb.Helper()
	return "sqlite:" + filepath.Join(tb.TempDir(), "claimflow.db")
}

// ingest is a target for events.
type ingest struct {
	url    string
	client *http.Client
}

func serveIngest(tb testing.TB, handler http.Handler, path string) *ingest {
	tb.Helper()
	server := httptest.NewServer(handler)
	tb.Cleanup(server.Close)
	transport := &http.Transport{MaxIdleConnsPerHost: ingestSenders}
	tb.Cleanup(transport.CloseIdleConnections)
	return &ingest{url: server.URL + path, client: &http.Client{Transport: transport, Timeout: waitFor}}
}

// newIngest is Claimflow as `starter serve` runs it, with logs and metrics.
func newIngest(tb testing.TB, database string) *ingest {
	tb.Helper()
	ctx := tb.Context()
	text, err := seal.Generate()
	require.NoError(tb, err)
	keys, err := seal.Parse(text)
	require.NoError(tb, err)
	s, err := store.Open(ctx, database, keys)
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = s.Close() })
	_, err = s.Shops.Create(ctx, store.NewShop{Slug: "acme", Name: "Acme"})
	require.NoError(tb, err)
	c, err := s.Connections.SaveToken(ctx, "acme", token, store.Organization{ID: emulator.SeedOrganization, Name: "Demo Shop"})
	require.NoError(tb, err)
	require.NoError(tb, s.Subscriptions.Save(ctx, c.ID, store.SavedSubscription{ID: "s-1", URL: "https://claimflow.example", Secret: ingestSecret, Active: true}))

	nowhere, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = nowhere.Close() })
	seen, err := telemetry.Start(ctx, telemetry.Options{Service: "test", Log: telemetry.LogOptions{Output: nowhere}})
	require.NoError(tb, err)
	handler, err := api.New(api.Options{
		Store: s, Onboarding: onboarding.New(onboarding.Options{Store: s, Dixa: connection.New(s, connection.Options{})}),
		Log: seen.Log, Meters: seen.Meters, Metrics: seen.Metrics, Traces: seen.Traces, Propagator: seen.Propagator,
	})
	require.NoError(tb, err)
	return serveIngest(tb, handler, "/webhooks/dixa/"+c.ID)
}

// newBareIngest is the minimal implementation.
func newBareIngest(tb testing.TB, database string) *ingest {
	tb.Helper()
	db := bareDatabase(tb, database)
	_, err := db.ExecContext(tb.Context(), `CREATE TABLE events (id TEXT PRIMARY KEY, body BYTEA NOT NULL)`)
	require.NoError(tb, err)
	return serveIngest(tb, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, "cut off", http.StatusBadRequest)
			return
		}
		if dixa.VerifySignature(r.Header.Get(dixa.SignatureHeader), body, []dixa.Secret{ingestSecret}, time.Now(), 0) != nil {
			http.Error(w, "not signed", http.StatusUnauthorized)
			return
		}
		var event struct {
			ID string `json:"event_id"`
		}
		if json.Unmarshal(body, &event) != nil {
			http.Error(w, "no event", http.StatusUnprocessableEntity)
			return
		}
		if _, err := db.ExecContext(r.Context(), `INSERT INTO events (id, body) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING`, event.ID, body); err != nil {
			http.Error(w, "not kept", http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}), "/")
}

// bareDatabase opens a database with the store's settings.
func bareDatabase(tb testing.TB, address string) *sql.DB {
	tb.Helper()
	driver, connections := "pgx", 20
	if path, ok := strings.CutPrefix(address, "sqlite:"); ok {
		driver, connections = "sqlite", 1
		address = (&url.URL{Scheme: "file", Path: path, RawQuery: url.Values{
			"_busy_timeout": {"10000"}, "_journal_mode": {"WAL"}, "_synchronous": {"FULL"}, "_foreign_keys": {"on"}, "_txlock": {"immediate"}, "_dqs": {"0"},
		}.Encode()}).String()
	}
	db, err := sql.Open(driver, address)
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = db.Close() })
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db
}

// timed is the outcome of the events of one rate.
type timed struct {
	held     bool
	p50, p99 time.Duration
}

// highest searches for the highest sustained rate, in events per second.
func (in *ingest) highest(tb testing.TB) float64 {
	tb.Helper()
	rate := ingestSlowest
	for range ingestDoublings {
		if !in.holds(tb, rate*2) {
			break
		}
		rate *= 2
	}
	factor := 2.0
	for range ingestHalvings {
		factor = math.Sqrt(factor)
		if in.holds(tb, rate*factor) {
			rate *= factor
		}
	}
	return rate
}

// holds tries a rate, and retries it once on failure because other work on the
// machine may be the cause.
func (in *ingest) holds(tb testing.TB, rate float64) bool {
	tb.Helper()
	for range 2 {
		if in.at(tb, rate, ingestStep).held {
			return true
		}
	}
	return false
}

// at sends events at a rate for a time span. It stops early if the rate is far from
// sustained.
func (in *ingest) at(tb testing.TB, rate float64, span time.Duration) timed {
	tb.Helper()
	took := make([]time.Duration, int(rate*span.Seconds()))
	var next, refused atomic.Int64
	var senders sync.WaitGroup
	start := time.Now()
	for range ingestSenders {
		senders.Go(func() {
			wait := time.NewTimer(0)
			defer wait.Stop()
			for {
				i := next.Add(1) - 1
				if i >= int64(len(took)) || refused.Load() > 0 {
					return
				}
				due := start.Add(time.Duration(float64(i) / rate * float64(time.Second)))
				wait.Reset(time.Until(due))
				<-wait.C
				if err := in.send(tb.Context()); err != nil || time.Since(due) > 4*ingestSlow {
					refused.Add(1)
					return
				}
				took[i] = time.Since(due)
			}
		})
	}
	senders.Wait()
	slices.Sort(took)
	m := timed{p50: took[len(took)/2], p99: took[len(took)*99/100]}
	m.held = refused.Load() == 0 && m.p99 <= ingestSlow
	if tb.Context().Err() != nil {
		tb.Fatal("the benchmark was interrupted")
	}
	return m
}

var ingestText = strings.Repeat("The vase arrived in pieces. ", ingestEventBytes/28)

// send sends a new event.
func (in *ingest) send(ctx context.Context) error {
	body := strings.Replace(event(uuid.NewString(), emulator.SeedOrganization, "CONVERSATION_MESSAGE_ADDED"), `"data":{`, `"data":{"text":"`+ingestText+`",`, 1)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, in.url, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(dixa.SignatureHeader, emulator.Sign(ingestSecret, time.Now(), []byte(body)))
	resp, err := in.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusNoContent {
		return fmt.Errorf("unexpected status %s", resp.Status)
	}
	return nil
}
