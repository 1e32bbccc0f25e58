package endtoend_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"image"
	"image/jpeg"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	temporal "go.temporal.io/sdk/client"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/internal/config"
	"github.com/claimflow/claimflow/internal/process"
	"github.com/claimflow/claimflow/internal/seal"
	"github.com/claimflow/claimflow/internal/telemetry"
	"github.com/claimflow/claimflow/store"
)

const (
	shop      = "acme"
	dixaToken = "dixa-token-of-the-tests"
)

// site is a Claimflow with its own emulated Dixa. The HTTP API and the dispatcher
// run in the test's process. Workers run there or as separate processes.
type site struct {
	t    *testing.T
	dixa *server.Server
	gate *gate
	// dixaURL and photos are the addresses of the emulated Dixa and of the
	// customers' photos.
	dixaURL, photos string
	engine          temporal.Options
	database, keys  string
	store           *store.Store
	parts           *process.Parts
	api             *client.Client
	apiURL, apiKey  string
	logs            *logBook
	everyStep       bool
	sweepEvery      time.Duration
	pace            time.Duration

	dial    sync.Once
	dialled temporal.Client
}

// siteOptions change a site's defaults.
type siteOptions struct {
	// engine is the Temporal to use. Defaults to a namespace of the shared engine.
	engine   temporal.Options
	switches server.Switches
	// database is the URL of the store. Defaults to a SQLite file.
	database string
	// limit is the request limit of the emulated Dixa, and pace the interval between
	// two requests. Defaults to no limit and almost no interval.
	limit server.Limit
	pace  time.Duration
	// settings override the shop's defaults.
	settings map[string]any
	// everyStep makes the opening of a claim include every step.
	everyStep bool
	// sweepEvery is the interval between sweeps. Defaults to never, because tests
	// count requests.
	sweepEvery time.Duration
}

// newSite starts the store, the emulated Dixa and the HTTP API, and connects a shop
// through the API.
func newSite(t *testing.T, o siteOptions) *site {
	t.Helper()
	if o.engine.HostPort == "" {
		o.engine = shared.engine.ClientOptions()
		o.engine.Namespace = newNamespace(t)
	}
	o.engine.Identity = "test"
	s := &site{t: t, engine: o.engine, logs: &logBook{}, sweepEvery: o.sweepEvery, pace: cmp.Or(o.pace, time.Microsecond)}
	s.database = cmp.Or(o.database, "sqlite:"+filepath.Join(t.TempDir(), "claimflow.db"))

	if o.limit.Reading == "" {
		o.limit.Reading = server.LimitOff
	}
	s.dixa = server.New(server.Options{Token: dixaToken, Switches: o.switches, Limit: o.limit})
	t.Cleanup(s.dixa.Close)
	s.gate = &gate{next: s.dixa}
	dixa := httptest.NewServer(s.gate)
	t.Cleanup(dixa.Close)
	s.dixaURL = dixa.URL
	s.photos = photoServer(t)

	var err error
	s.keys, err = seal.Generate()
	require.NoError(t, err)
	s.assemble()
	s.serve()
	s.connect(o.settings)
	if s.everyStep = o.everyStep; s.everyStep {
		s.save(map[string]any{
			"default_agent_id":       server.SeedAgentAnna,
			"order_number_attribute": server.SeedAttrOrderNumber,
			"claim_id_attribute":     server.SeedAttrClaimID,
		})
	}
	return s
}

// assemble opens the store and creates the parts of a process that uses it.
func (s *site) assemble() {
	s.t.Helper()
	ctx := s.t.Context()
	ring, err := seal.Parse(s.keys)
	require.NoError(s.t, err)
	s.store, err = store.Open(ctx, s.database, ring)
	require.NoError(s.t, err)
	logs, err := telemetry.Start(ctx, telemetry.Options{
		Service: "starter", Version: "test", Log: telemetry.LogOptions{Format: "json", Level: "debug", Output: s.logs},
	})
	require.NoError(s.t, err)
	c, err := config.LoadFrom(nil)
	require.NoError(s.t, err)
	c.DixaURL, c.AllowLoopbackEvidence, c.DixaPace = s.dixaURL+"/v1/", true, s.pace
	c.DixaExportsURL, c.ExportsPace = s.dixaURL+"/exports/v1/", s.pace
	c.SweepEvery, c.ImportEvery = s.sweepEvery, 0
	parts, err := process.Assemble(c, logs, s.store, s.engine)
	require.NoError(s.t, err)
	s.parts = parts
	s.t.Cleanup(func() { require.NoError(s.t, parts.Close(context.WithoutCancel(ctx))) })
}

// serve runs the HTTP API and the dispatcher until the test ends.
func (s *site) serve() {
	s.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(s.t, err)
	s.apiURL = "http://" + listener.Addr().String()
	s.parts.Config.PublicURL = s.apiURL
	s.background(func(ctx context.Context) error { return s.parts.Serve(ctx, listener, "test") })
	_, s.apiKey, err = s.store.APIKeys.Create(s.t.Context(), claim.NewKey{Name: "test", Scopes: client.Scopes()})
	require.NoError(s.t, err)
	s.api, err = client.New(s.apiURL, s.apiKey)
	require.NoError(s.t, err)
}

// work runs the worker in the test's process until the test ends or stop is called.
func (s *site) work() (stop func()) {
	s.t.Helper()
	return s.background(s.parts.Work)
}

func (s *site) background(run func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.t.Context()))
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(s.t, <-done)
	})
	s.t.Cleanup(stop)
	return stop
}

// connect adds the shop and connects it as its staff do.
func (s *site) connect(settings map[string]any) {
	s.t.Helper()
	ctx := s.t.Context()
	_, err := s.api.AddShop(ctx, client.NewShop{Slug: shop, Name: "Acme"})
	require.NoError(s.t, err)
	_, err = s.api.Connect(ctx, shop, dixaToken)
	require.NoError(s.t, err)
	s.save(map[string]any{"email_integration_id": server.SeedMailbox, "commit_window": "500ms", "list_lag": "500ms"})
	s.save(settings)
	_, err = s.api.Enable(ctx, shop)
	require.NoError(s.t, err)
}

// save merges settings into the shop's settings.
func (s *site) save(settings map[string]any) {
	s.t.Helper()
	if settings == nil {
		return
	}
	patch, err := json.Marshal(settings)
	require.NoError(s.t, err)
	_, err = s.api.UpdateSettings(s.t.Context(), shop, patch)
	require.NoError(s.t, err)
}

// sample returns a claim with two photos. One is missing, so that opening the claim
// needs a note.
func (s *site) sample(id string) *claim.Claim {
	return &claim.Claim{
		ID: id, Shop: shop, Reason: "damaged", Preference: "refund",
		Description: "Zerschellt-Marker: the mug broke into pieces.",
		Customer:    claim.Customer{Email: id + ".kundin@privat.example", FirstName: "Wilhelmine", LastName: "Grünspecht", Phone: phoneOf(id)},
		Order: claim.Order{
			Number: "10001", Currency: "EUR",
			Address: claim.Address{Street: "Heimlichgasse 17", City: "Irgendwo", CountryCode: "DE"},
		},
		Items:     []claim.Item{{SKU: "MUG-01", Title: "Mug", Quantity: 1, ImageURLs: []string{s.photos + "/front.jpg"}}},
		ImageURLs: []string{s.photos + "/gone/back.jpg"},
	}
}

// phoneOf returns a phone number unique to the claim's customer.
func phoneOf(id string) string {
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(id)) // a hash never fails
	return fmt.Sprintf("+4915112345%03d", sum.Sum32()%1000)
}

// submit submits a claim.
func (s *site) submit(c *claim.Claim) claim.Ref {
	s.t.Helper()
	taken, err := s.api.Submit(s.t.Context(), c)
	require.NoError(s.t, err)
	require.True(s.t, taken.New)
	return taken.Claim.Ref
}

// await waits until a claim matches the predicate.
func (s *site) await(ref claim.Ref, what string, is func(claim.Record) bool) claim.Record {
	s.t.Helper()
	var last client.ClaimDetail
	eventually(s.t, "claim "+ref.ID+" is "+what, func() (err error) {
		if last, err = s.api.Claim(s.t.Context(), ref); err != nil {
			return err
		}
		if !is(last.Record) {
			return fmt.Errorf("got %s %s %s %q, conversation %d; requests to Dixa: %v", last.State, last.Status, last.Cause, last.LastError, last.ConversationID, s.dixa.Stats().Outcomes)
		}
		return nil
	})
	return last.Record
}

func (s *site) awaitState(ref claim.Ref, state claim.State) claim.Record {
	s.t.Helper()
	return s.await(ref, string(state), func(r claim.Record) bool { return r.State == state })
}

// requireOne checks that Dixa has exactly one conversation and one new end user, and
// that no part of the conversation is missing or duplicated.
func (s *site) requireOne(r claim.Record) {
	s.t.Helper()
	state := s.dixa.State()
	require.Len(s.t, state.Conversations, 1, "each claim must have one conversation; requests to Dixa: %v", s.dixa.Stats().Outcomes)
	require.Len(s.t, state.EndUsers, 1)
	c := state.Conversations[0]
	require.Equal(s.t, c.ID, r.ConversationID)
	require.Equal(s.t, server.StateOpen, c.State)
	require.Contains(s.t, c.TagNames, "claim")
	require.Contains(s.t, c.TagNames, "claim-reason-damaged")
	names := map[string]int{}
	for _, m := range c.Messages {
		for _, f := range m.Attachments {
			names[f.PrettyName]++
		}
	}
	require.Equal(s.t, map[string]int{"MUG-01-photo-1.jpg": 1}, names)
	require.Len(s.t, c.Notes, 1, "the omitted photo must produce one note")
	if s.everyStep {
		require.Equal(s.t, server.SeedAgentAnna, c.AssigneeID)
		require.Equal(s.t, r.OrderNumber, c.Attributes[server.SeedAttrOrderNumber])
		require.Equal(s.t, r.ID, c.Attributes[server.SeedAttrClaimID])
	}
}

// temporal returns a client of the site's Temporal.
func (s *site) temporal() temporal.Client {
	s.t.Helper()
	s.dial.Do(func() {
		c, err := temporal.NewLazyClient(s.engine)
		require.NoError(s.t, err)
		s.t.Cleanup(c.Close)
		s.dialled = c
	})
	return s.dialled
}

// photoServer serves a picture under every name except below /gone/.
func photoServer(t *testing.T) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{name}", func(w http.ResponseWriter, r *http.Request) {
		img := image.NewGray(image.Rect(0, 0, 4, 4))
		for i := range img.Pix {
			img.Pix[i] = r.PathValue("name")[0] * 5 // another picture for another name
		}
		var out bytes.Buffer
		if err := jpeg.Encode(&out, img, nil); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_, _ = w.Write(out.Bytes()) // a disconnected reader is no test failure
	})
	mux.Handle("GET /gone/", http.NotFoundHandler())
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.URL
}

// logBook collects the logs of processes.
type logBook struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// moment is a point in the handling of a request, as seen from Dixa.
type moment string

const (
	// beforeCommit: the request was sent, but Dixa never sees it.
	beforeCommit moment = "before the commit"
	// afterCommit: Dixa committed the request, but its answer never arrives.
	afterCommit moment = "after the commit"
	// afterReply: Dixa committed the request and answered.
	afterReply moment = "after the reply"
)

// gate sits in front of the emulated Dixa and lets a test act on a request.
type gate struct {
	next http.Handler

	mu        sync.Mutex
	operation string
	moment    moment
	act       func()
}

// at calls act once, at the next request of an operation such as "POST
// /v1/conversations/*/notes", where * matches any one segment.
func (g *gate) at(operation string, m moment, act func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.operation, g.moment, g.act = operation, m, act
}

func (g *gate) take(r *http.Request) (moment, func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	method, pattern, _ := strings.Cut(g.operation, " ")
	if ok, err := filepath.Match(pattern, r.URL.Path); err != nil || !ok || method != r.Method || g.act == nil {
		return "", nil
	}
	act := g.act
	g.act = nil
	return g.moment, act
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m, act := g.take(r)
	switch m {
	case beforeCommit:
		act()
		panic(http.ErrAbortHandler)
	case afterCommit:
		// The client disconnects while Dixa works; its context must not cancel that
		// work.
		g.next.ServeHTTP(httptest.NewRecorder(), r.WithContext(context.WithoutCancel(r.Context())))
		act()
		panic(http.ErrAbortHandler)
	case afterReply:
		g.next.ServeHTTP(w, r)
		if f, ok := w.(http.Flusher); ok {
			f.Flush()
		}
		act()
	default:
		g.next.ServeHTTP(w, r)
	}
}

var errNotYet = errors.New("not yet")
