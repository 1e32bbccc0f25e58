package activities_test

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/internal/seal"
	"github.com/claimflow/claimflow/internal/todixa/connection"
	"github.com/claimflow/claimflow/store"
)

const (
	conversationExport = "GET /exports/v1/conversation_export"
	messageExport      = "GET /exports/v1/message_export"
	activityLog        = "GET /conversations/activitylog"
	everySource        = 60 * 24 * time.Hour // the history of most tests is shorter
)

// importSetup configures an importBench.
type importSetup struct {
	conversations int
	switches      server.Switches
	span          time.Duration
	// clock is the store's; nil is the machine's.
	clock func() time.Time
	// url is the store's. The default is in memory.
	url string
}

// importBench is a store, a connection and an emulated organization with a history.
type importBench struct {
	testing.TB
	store      *store.Store
	dixa       *server.Server
	host       string
	connection string
	imports    *activities.Imports

	mu sync.Mutex
	// asked is called with each request before it is served; may be nil.
	asked func(http.ResponseWriter, *http.Request) (answered bool)
	// beat holds the last heartbeat details of the step that ran last.
	beat []byte
}

func newImportBench(tb testing.TB, conversations int, switches server.Switches, span time.Duration) *importBench {
	tb.Helper()
	return setupImport(tb, importSetup{conversations: conversations, switches: switches, span: span})
}

func setupImport(tb testing.TB, o importSetup) *importBench {
	tb.Helper()
	emulated := server.New(server.Options{Switches: o.switches, Limit: server.Limit{Reading: server.LimitOff}})
	tb.Cleanup(emulated.Close)
	require.NoError(tb, emulated.Fill(tb.Context(), server.FillOptions{Conversations: o.conversations, Seed: 1, Until: time.Now(), Span: o.span}))
	b := &importBench{TB: tb, dixa: emulated}
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		asked := b.asked
		b.mu.Unlock()
		if asked == nil || !asked(w, r) {
			emulated.ServeHTTP(w, r)
		}
	}))
	tb.Cleanup(host.Close)
	b.host = host.URL
	b.open(o)
	return b
}

// open gives the bench an empty store.
func (b *importBench) open(o importSetup) {
	b.Helper()
	ctx := b.Context()
	keys, err := seal.Generate()
	require.NoError(b, err)
	ring, err := seal.Parse(keys)
	require.NoError(b, err)
	var options []store.Option
	if o.clock != nil {
		options = append(options, store.WithClock(o.clock))
	}
	s, err := store.Open(ctx, cmp.Or(o.url, "sqlite::memory:"), ring, options...)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, s.Close()) })
	_, err = s.Shops.Create(ctx, store.NewShop{Slug: "acme", Feature: true})
	require.NoError(b, err)
	c, err := s.Connections.SaveToken(ctx, "acme", "demo-token", store.Organization{ID: server.SeedOrganization})
	require.NoError(b, err)
	clients := connection.New(s, connection.Options{
		BaseURL: b.host + "/v1/", ExportsURL: b.host + "/exports/v1/", ExportsPace: time.Microsecond,
		Limits: store.BudgetLimits{Interval: time.Microsecond, MaxWait: time.Second},
	})
	b.store, b.connection, b.imports = s, c.ID, &activities.Imports{Store: s, Clients: clients}
}

// fresh returns a bench with an empty store and the same organization.
func (b *importBench) fresh() *importBench {
	b.Helper()
	other := &importBench{TB: b.TB, dixa: b.dixa, host: b.host}
	other.open(importSetup{})
	return other
}

// ask sets what happens with each request.
func (b *importBench) ask(f func(http.ResponseWriter, *http.Request) bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked = f
}

func (b *importBench) source(d claim.DataSource) claim.DataSource {
	b.Helper()
	d, err := b.store.DataSources.Create(b.Context(), b.connection, d)
	require.NoError(b, err)
	return d
}

// everything creates a source that selects everything.
func (b *importBench) everything() {
	b.Helper()
	b.source(claim.DataSource{Title: "Everything", From: time.Now().Add(-everySource)})
}

// environment returns a worker for one activity. ctx ends when the worker is killed. If
// resumed is set, the activity continues at the last heartbeat.
func (b *importBench) environment(ctx context.Context, resumed bool) *testsuite.TestActivityEnvironment {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestActivityEnvironment()
	env.SetTestTimeout(10 * time.Minute)
	env.RegisterActivity(b.imports)
	env.RegisterActivity(&activities.ImportStore{Store: b.store})
	env.SetWorkerOptions(worker.Options{BackgroundActivityContext: ctx})
	b.mu.Lock()
	defer b.mu.Unlock()
	if !resumed {
		b.beat = nil
	}
	if b.beat != nil {
		env.SetHeartbeatDetails(rawDetails(b.beat))
	}
	env.SetOnActivityHeartbeatListener(func(_ *activity.Info, details converter.EncodedValues) {
		var raw rawDetails
		if details.Get(&raw) == nil {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.beat = raw
		}
	})
	return env
}

// rawDetails are heartbeat details as encoded.
type rawDetails []byte

func (d rawDetails) MarshalJSON() ([]byte, error) { return d, nil }

func (d *rawDetails) UnmarshalJSON(data []byte) error {
	*d = append(rawDetails(nil), data...)
	return nil
}

func importAttempt[R any](ctx context.Context, b *importBench, resumed bool, step, in any) (R, error) {
	b.Helper()
	var out R
	value, err := b.environment(ctx, resumed).ExecuteActivity(step, in)
	if err == nil {
		err = value.Get(&out)
	}
	return out, err
}

// importStep runs a step once.
func importStep[R any](b *importBench, step, in any) (R, error) {
	b.Helper()
	return importAttempt[R](b.Context(), b, false, step, in)
}

// persist runs a step as Temporal does, without the waits: until it ends or fails for
// good.
func persist[R any](b *importBench, step, in any) (R, error) {
	b.Helper()
	for attempt := 1; ; attempt++ {
		out, err := importAttempt[R](b.Context(), b, attempt > 1, step, in)
		if err == nil || applicationError(b, err).NonRetryable() {
			return out, err
		}
		require.Less(b, attempt, 100, "the step must not be repeated for ever: %v", err)
	}
}

// applicationError requires that Temporal sees what the activity decided: only the
// outermost error counts.
func applicationError(tb testing.TB, err error) *temporal.ApplicationError {
	tb.Helper()
	var app *temporal.ApplicationError
	require.ErrorAs(tb, err, &app)
	require.Contains(tb, []string{
		claim.ErrorRateLimited, claim.ErrorUnavailable, claim.ErrorAmbiguous, claim.ErrorBusy, claim.ErrorPark, claim.ErrorStore, claim.ErrorInternal,
	}, app.Type(), "%v", err)
	return app
}

func (b *importBench) plan(r claim.ImportRequest) claim.Import {
	b.Helper()
	i, err := persist[claim.Import](b, b.imports.PlanImport, activities.ImportPlan{ConnectionID: b.connection, Request: r, Cause: "request"})
	require.NoError(b, err)
	require.NotEmpty(b, i.ID, "no source selects anything")
	return i
}

func (b *importBench) waiting(i claim.Import) []claim.ImportWindow {
	b.Helper()
	var steps *activities.ImportStore
	state, err := importStep[activities.ImportState](b, steps.LoadImport, activities.ImportRef{ConnectionID: b.connection, ImportID: i.ID})
	require.NoError(b, err)
	return state.Next
}

func (b *importBench) window(i claim.Import, w claim.ImportWindow) activities.ImportWindowInput {
	return activities.ImportWindowInput{ConnectionID: b.connection, ImportID: i.ID, Access: i.Access, Window: w}
}

// importAll imports what is missing and returns the import. It does what the workflow
// does.
func (b *importBench) importAll(r claim.ImportRequest) claim.Import {
	b.Helper()
	i := b.plan(r)
	for {
		next := b.waiting(i)
		if len(next) == 0 {
			return b.end(i)
		}
		for _, w := range next {
			b.finish(i, w)
		}
	}
}

// finish runs a window to its end, or parks it.
func (b *importBench) finish(i claim.Import, w claim.ImportWindow) {
	b.Helper()
	_, err := persist[claim.ImportCounts](b, b.imports.ImportWindow, b.window(i, w))
	if err == nil {
		return
	}
	app := applicationError(b, err)
	var park activities.Park
	require.NoError(b, app.Details(&park))
	require.NotEqual(b, claim.CauseConnection, park.Cause, "%v", err)
	var steps *activities.ImportStore
	_, err = b.environment(b.Context(), false).ExecuteActivity(steps.ParkWindow, activities.EndWindow{
		ConnectionID: b.connection, ImportID: i.ID, Window: w, Why: app.Message(),
	})
	require.NoError(b, err)
}

func (b *importBench) end(i claim.Import) claim.Import {
	b.Helper()
	_, err := persist[claim.ImportCounts](b, b.imports.EndImport, activities.ImportRef{ConnectionID: b.connection, ImportID: i.ID})
	require.NoError(b, err)
	i = b.read(i)
	require.Equal(b, claim.ImportDone, i.State)
	return i
}

func (b *importBench) read(i claim.Import) claim.Import {
	b.Helper()
	i, err := b.store.Imports.Get(b.Context(), b.connection, i.ID)
	require.NoError(b, err)
	return i
}

var errKilled = errors.New("the worker was killed")

// kill ends the worker at its nth request.
func (b *importBench) kill(n int) context.Context {
	ctx, cancel := context.WithCancelCause(b.Context())
	b.ask(func(_ http.ResponseWriter, r *http.Request) bool {
		if n--; n == 0 {
			_, _ = io.Copy(io.Discard, r.Body) // the server notices the end of the client only then
			cancel(errKilled)
			<-r.Context().Done()
			return true
		}
		return false
	})
	return ctx
}
