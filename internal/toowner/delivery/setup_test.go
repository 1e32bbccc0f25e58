package delivery_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/integration/pgtest"
	"github.com/claimflow/claimflow/internal/seal"
	"github.com/claimflow/claimflow/internal/toowner/delivery"
	"github.com/claimflow/claimflow/store"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// databases are all databases that the store supports.
var databases = map[string]func(t *testing.T) string{
	"memory":   func(*testing.T) string { return "sqlite::memory:" },
	"file":     fileURL,
	"postgres": pgtest.Postgres,
}

func fileURL(t *testing.T) string {
	t.Helper()
	return "sqlite:" + filepath.Join(t.TempDir(), "claimflow.db")
}

// bench is a store with the shop acme and a clock that tests advance.
type bench struct {
	*testing.T
	store *store.Store
	clock *clock
	log   *locked
	out   *delivery.Deliverer
}

func newBench(t *testing.T, database func(t *testing.T) string) *bench {
	t.Helper()
	text, err := seal.Generate()
	require.NoError(t, err)
	keys, err := seal.Parse(text)
	require.NoError(t, err)
	b := &bench{T: t, clock: &clock{t: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}, log: &locked{}}
	b.store, err = store.Open(t.Context(), database(t), keys, store.WithClock(b.clock.Now))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.store.Close()) })
	_, err = b.store.Shops.Create(t.Context(), store.NewShop{Slug: "acme", Feature: true})
	require.NoError(t, err)
	b.out = b.deliverer()
	return b
}

func (b *bench) deliverer(edit ...func(*delivery.Options)) *delivery.Deliverer {
	o := delivery.Options{Log: slog.New(slog.NewJSONHandler(b.log, nil)), AllowPrivate: true}
	for _, e := range edit {
		e(&o)
	}
	return delivery.New(b.store, o)
}

// endpoint adds an endpoint of the shop acme.
func (b *bench) endpoint(r *receiver, types ...string) claim.Endpoint {
	b.Helper()
	e, secret, err := b.store.Endpoints.Create(b.Context(), "acme", claim.NewEndpoint{URL: r.URL, EventTypes: types})
	require.NoError(b, err)
	r.trust(secret)
	return e
}

func (b *bench) read(e claim.Endpoint) claim.Endpoint {
	b.Helper()
	e, err := b.store.Endpoints.Get(b.Context(), e.Shop, e.ID)
	require.NoError(b, err)
	return e
}

const (
	customer = "ada@customer.example"
	surname  = "Lovelace"
)

func (b *bench) claim(id string) claim.Ref {
	b.Helper()
	accepted, err := b.store.Claims.Accept(b.Context(), &claim.Claim{
		ID: id, Shop: "acme", Reason: "damaged", Description: "The vase arrived in pieces.", Order: claim.Order{Number: "#" + id},
		Customer: claim.Customer{Email: customer, FirstName: "Ada", LastName: surname},
	})
	require.NoError(b, err)
	b.change(accepted.Record.Ref, claim.EventStart, store.ClaimUpdate{})
	return accepted.Record.Ref
}

func (b *bench) change(ref claim.Ref, event claim.Event, set store.ClaimUpdate) {
	b.Helper()
	_, err := b.store.Claims.Change(b.Context(), ref, event, set)
	require.NoError(b, err)
}

// events makes n changes to a claim, each with an event.
func (b *bench) events(ref claim.Ref, n int) {
	b.Helper()
	for range n {
		b.change(ref, claim.EventPark, store.ClaimUpdate{Cause: claim.CauseDeadline, Outbox: []store.OutboxEvent{{Type: claim.OutboundNeedsAttention}}})
	}
}

// deliver makes the deliveries that are due.
func (b *bench) deliver() int {
	b.Helper()
	n, err := b.out.Once(b.Context())
	require.NoError(b, err)
	return n
}

// until advances the clock, an hour at a time, and delivers until done returns true.
func (b *bench) until(done func() bool, words string) {
	b.Helper()
	for range 400 {
		b.deliver()
		if done() {
			return
		}
		b.clock.Turn(time.Hour)
	}
	require.Fail(b, "condition never met: "+words)
}

// receiver is an endpoint's server. It verifies every signature.
type receiver struct {
	*httptest.Server
	t       *testing.T
	mu      sync.Mutex
	secrets []string
	got     []message
	// reply replaces the default 204 answer.
	reply func(w http.ResponseWriter, r *http.Request, m message)
}

// message is a received message.
type message struct {
	id      string
	body    []byte
	header  http.Header
	notice  claim.Notice
	refused bool
}

func newReceiver(t *testing.T, reply func(http.ResponseWriter, *http.Request, message)) *receiver {
	t.Helper()
	r := &receiver{t: t, reply: reply}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) trust(secret string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.secrets = append(r.secrets, secret)
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	m := message{id: req.Header.Get("Webhook-Id"), body: body, header: req.Header.Clone()}
	err = errors.Join(err, json.Unmarshal(body, &m.notice), r.verify(m))
	if err != nil {
		r.t.Errorf("the request is not a signed event: %v", err)
	}
	status := &recorder{ResponseWriter: w}
	if r.reply != nil {
		r.reply(status, req, m)
	}
	m.refused = status.status >= 300
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, m)
}

func (r *receiver) verify(m message) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	err := errors.New("no secret is trusted")
	for _, s := range r.secrets {
		var webhook *standardwebhooks.Webhook
		if webhook, err = standardwebhooks.NewWebhook(s); err == nil {
			err = webhook.Verify(m.body, m.header)
		}
		if err == nil {
			return nil
		}
	}
	return err
}

// all returns the received messages; taken returns those that were not rejected.
func (r *receiver) all() []message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]message(nil), r.got...)
}

func (r *receiver) taken() []message {
	var out []message
	for _, m := range r.all() {
		if !m.refused {
			out = append(out, m)
		}
	}
	return out
}

// sequences returns the sequence numbers of the accepted messages by claim, in order
// of arrival.
func (r *receiver) sequences() map[string][]int64 {
	out := map[string][]int64{}
	for _, m := range r.taken() {
		out[m.notice.Data.ID] = append(out[m.notice.Data.ID], m.notice.Data.Sequence)
	}
	return out
}

type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func answering(status int, headers ...string) func(http.ResponseWriter, *http.Request, message) {
	return func(w http.ResponseWriter, _ *http.Request, _ message) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "body of the endpoint's response")
	}
}

// clock is a time source that stands still until a test advances it.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) Turn(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

type locked struct {
	mu sync.Mutex
	to bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.to.Write(p)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.to.String()
}

// onEach runs a test on every database.
func onEach(t *testing.T, test func(b *bench)) {
	t.Helper()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(newBench(t, database))
		})
	}
}
