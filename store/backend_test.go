package store_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/integration/pgtest"
	"github.com/claimflow/claimflow/internal/seal"
	"github.com/claimflow/claimflow/store"
)

func TestMain(m *testing.M) {
	if task := os.Getenv(childTask); task != "" {
		os.Exit(runChild(task))
	}
	pgtest.Main(m)
}

// databases lists every supported backend. Each call returns the URL of a new, empty
// database.
var databases = map[string]func(t *testing.T) string{
	"memory":   func(*testing.T) string { return memory },
	"file":     fileURL,
	"postgres": pgtest.Postgres,
}

const memory = "sqlite::memory:"

// setup opens the store at url with a manual clock and adds the shop "acme".
func setup(t *testing.T, url string) (*store.Store, *clock) {
	t.Helper()
	now := newClock()
	s := open(t, url, newKeys(t), store.WithClock(now.Now))
	addShop(t, s, "acme")
	return s, now
}

// onEach runs test against every database.
func onEach(t *testing.T, test func(t *testing.T, s *store.Store, now *clock)) {
	t.Helper()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, now := setup(t, database(t))
			test(t, s, now)
		})
	}
}

func fileURL(t *testing.T) string {
	t.Helper()
	return "sqlite:" + filepath.Join(t.TempDir(), "claim flow?%41.db")
}

func newKeys(tb testing.TB) *seal.Keyring {
	tb.Helper()
	text, err := seal.Generate()
	require.NoError(tb, err)
	return parseKeys(tb, text)
}

func parseKeys(tb testing.TB, text string) *seal.Keyring {
	tb.Helper()
	keys, err := seal.Parse(text)
	require.NoError(tb, err)
	return keys
}

func open(tb testing.TB, url string, keys *seal.Keyring, opts ...store.Option) *store.Store {
	tb.Helper()
	s, err := store.Open(tb.Context(), url, keys, opts...)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, s.Close()) })
	return s
}

func addShop(tb testing.TB, s *store.Store, slug string) {
	tb.Helper()
	_, err := s.Shops.Create(tb.Context(), store.NewShop{Slug: slug, Name: "The " + slug, Feature: true})
	require.NoError(tb, err)
}

// connect saves a token of the organization for a shop and returns the connection.
func connect(t *testing.T, s *store.Store, shop, organization string) claim.Connection {
	t.Helper()
	c, err := s.Connections.SaveToken(t.Context(), shop, "dx-live-token-of-"+organization, store.Organization{ID: organization, Name: "Org " + organization})
	require.NoError(t, err)
	return c
}

func sample(id string) *claim.Claim {
	return &claim.Claim{
		ID: id, Shop: "acme", Reason: "partialDamage", Preference: "refund", Phase: "delivered",
		Description: "The vase arrived in pieces.",
		Items:       []claim.Item{{SKU: "VASE-1", Quantity: 1, ImageURLs: []string{"https://img.example/a.jpg?sig=1"}}},
		Customer:    claim.Customer{Email: "ada@customer.example", FirstName: "Ada", LastName: "Lovelace"},
		Order:       claim.Order{Number: "#" + id, Total: "19.90", Currency: "EUR"},
	}
}

func ref(id string) claim.Ref { return claim.Ref{Shop: "acme", ID: id} }

func accept(t *testing.T, s *store.Store, c *claim.Claim) claim.Ref {
	t.Helper()
	accepted, err := s.Claims.Accept(t.Context(), c)
	require.NoError(t, err)
	require.True(t, accepted.New)
	return accepted.Record.Ref
}

func change(t *testing.T, s *store.Store, r claim.Ref, events ...claim.Event) {
	t.Helper()
	for _, e := range events {
		_, err := s.Claims.Change(t.Context(), r, e, store.ClaimUpdate{})
		require.NoError(t, err, "claim %s, event %s", r, e)
	}
}

func load(t *testing.T, s *store.Store, r claim.Ref) store.Snapshot {
	t.Helper()
	w, err := s.Claims.Load(t.Context(), r)
	require.NoError(t, err)
	return w
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	require.NoError(t, err)
	return string(data)
}

// clock is a manual clock: time advances only through Turn.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

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

// atOnce runs fn n times concurrently and returns the errors.
func atOnce(n int, fn func(i int) error) []error {
	errs := make([]error, n)
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	ready.Add(n)
	for i := range n {
		done.Go(func() {
			ready.Done()
			<-start
			errs[i] = fn(i)
		})
	}
	ready.Wait()
	close(start)
	done.Wait()
	return errs
}
