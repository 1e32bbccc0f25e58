package connection_test

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/internal/seal"
	"github.com/claimflow/claimflow/internal/todixa/connection"
	"github.com/claimflow/claimflow/store"
)

type bundle struct {
	store   *store.Store
	dixa    *server.Server
	clients *connection.Clients
	id      string
}

func setup(t *testing.T, limits store.BudgetLimits) *bundle {
	t.Helper()
	ctx := t.Context()
	text, err := seal.Generate()
	require.NoError(t, err)
	keys, err := seal.Parse(text)
	require.NoError(t, err)
	s, err := store.Open(ctx, "sqlite::memory:", keys)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	d := server.New(server.Options{Limit: server.Limit{Reading: server.LimitBoth}, Tokens: []string{"second-token"}})
	t.Cleanup(d.Close)
	api := httptest.NewServer(d)
	t.Cleanup(api.Close)
	_, err = s.Shops.Create(ctx, store.NewShop{Slug: "acme", Feature: true})
	require.NoError(t, err)
	c, err := s.Connections.SaveToken(ctx, "acme", "demo-token", store.Organization{ID: server.SeedOrganization})
	require.NoError(t, err)
	return &bundle{store: s, dixa: d, id: c.ID, clients: connection.New(s, connection.Options{BaseURL: api.URL + "/v1/", Limits: limits})}
}

func TestClientIsCachedUntilTokenChanges(t *testing.T) {
	t.Parallel()
	b := setup(t, store.BudgetLimits{})
	ctx := t.Context()
	one, err := b.clients.Client(ctx, b.id)
	require.NoError(t, err)
	two, err := b.clients.Client(ctx, b.id)
	require.NoError(t, err)
	require.Same(t, one, two)
	_, err = b.store.Connections.SaveToken(ctx, "acme", "second-token", store.Organization{ID: server.SeedOrganization})
	require.NoError(t, err)
	three, err := b.clients.Client(ctx, b.id)
	require.NoError(t, err)
	require.NotSame(t, one, three)
	_, err = three.Organization.Get(ctx)
	require.NoError(t, err)
	require.Equal(t, 1, b.dixa.Stats().ByToken["second-token"].Requests, "the new token was not used")
}

func TestRefusedTokenIsNotUsedAgain(t *testing.T) {
	t.Parallel()
	b := setup(t, store.BudgetLimits{})
	ctx := t.Context()
	c, err := b.clients.Client(ctx, b.id)
	require.NoError(t, err)
	first, err := b.clients.TokenRefused(ctx, b.id, c)
	require.NoError(t, err)
	require.True(t, first)
	again, err := b.clients.TokenRefused(ctx, b.id, c)
	require.NoError(t, err)
	require.False(t, again, "only the first call may report the refusal")

	var needs *connection.NeedsTokenError
	_, err = b.clients.Client(ctx, b.id)
	require.ErrorAs(t, err, &needs)
	require.NotContains(t, err.Error(), "demo-token")

	_, err = b.store.Connections.SaveToken(ctx, "acme", "second-token", store.Organization{ID: server.SeedOrganization})
	require.NoError(t, err)
	_, err = b.clients.Client(ctx, b.id)
	require.NoError(t, err)
}

func TestRefusalOfReplacedTokenIsIgnored(t *testing.T) {
	t.Parallel()
	b := setup(t, store.BudgetLimits{})
	ctx := t.Context()
	old, err := b.clients.Client(ctx, b.id)
	require.NoError(t, err)
	_, err = b.store.Connections.SaveToken(ctx, "acme", "second-token", store.Organization{ID: server.SeedOrganization})
	require.NoError(t, err)
	_, err = b.clients.TokenRefused(ctx, b.id, old)
	require.NoError(t, err)
	_, err = b.clients.Client(ctx, b.id)
	require.NoError(t, err)
}

func TestClientsOfATokenShareBudget(t *testing.T) {
	t.Parallel()
	b := setup(t, store.BudgetLimits{})
	ctx, count := connection.Count(t.Context())
	saved, err := b.clients.Client(ctx, b.id)
	require.NoError(t, err)
	probe, err := b.clients.Probe("demo-token")
	require.NoError(t, err)
	for range 8 {
		for _, c := range []*dixa.Client{saved, probe} {
			if _, err := c.Organization.Get(ctx); !dixa.IsRateLimited(err) {
				require.NoError(t, err)
			}
		}
	}
	require.EqualValues(t, 16, count.Load())
	// Two budgets would send everything within half a second, and Dixa would reject
	// about half of it. A request that a busy machine delays may meet the next ones.
	require.LessOrEqual(t, b.dixa.Stats().Refused, 2, "Dixa rate-limited the requests")
}

func TestExhaustedBudgetReturnsRetryAfter(t *testing.T) {
	t.Parallel()
	b := setup(t, store.BudgetLimits{Interval: time.Minute, MaxWait: time.Second, PerDay: 100})
	ctx := t.Context()
	c, err := b.clients.Client(ctx, b.id)
	require.NoError(t, err)
	_, err = c.Organization.Get(ctx)
	require.NoError(t, err)
	_, err = c.Organization.Get(ctx)
	require.True(t, dixa.IsRateLimited(err), "%v", err)
	e, ok := dixa.AsError(err)
	require.True(t, ok)
	require.Equal(t, dixa.Unsent, e.Outcome)
	require.Positive(t, e.RetryAfter)
	require.Equal(t, 1, b.dixa.Stats().Requests)
}

// An attempt that stopped between two requests would resend the first one.
func TestStartedAttemptWaitsForNextSlot(t *testing.T) {
	t.Parallel()
	b := setup(t, store.BudgetLimits{Interval: 200 * time.Millisecond, MaxWait: time.Nanosecond, PerDay: 100})
	attempt, count := connection.Count(t.Context())
	c, err := b.clients.Client(attempt, b.id)
	require.NoError(t, err)
	_, err = c.Organization.Get(attempt)
	require.NoError(t, err)
	other, _ := connection.Count(t.Context())
	_, err = c.Organization.Get(other)
	require.True(t, dixa.IsRateLimited(err), "a new attempt must be refused: %v", err)
	_, err = c.Organization.Get(attempt)
	require.NoError(t, err)
	require.EqualValues(t, 2, count.Load())
}

func TestUnknownConnection(t *testing.T) {
	t.Parallel()
	b := setup(t, store.BudgetLimits{})
	_, err := b.clients.Client(t.Context(), "none")
	require.ErrorIs(t, err, store.ErrNotFound)
}

// Another program has used up the token's requests when one of ours arrives.
func TestRateLimitSlowsAllClientsOfAToken(t *testing.T) {
	t.Parallel()
	b := setup(t, store.BudgetLimits{Interval: time.Second, MaxWait: time.Minute, PerDay: 100})
	ctx := t.Context()
	c, err := b.clients.Client(ctx, b.id)
	require.NoError(t, err)
	b.dixa.Inject(server.Fault{Operation: "GET /organization", Kind: server.FaultStatus, Status: 429, Times: 1, Headers: map[string]string{"Retry-After": "1"}})
	_, err = c.Organization.Get(ctx)
	require.True(t, dixa.IsRateLimited(err), "%v", err)
	share, err := b.store.Budget.Share(ctx, b.id)
	require.NoError(t, err)
	require.NotNil(t, share)
	require.InDelta(t, 0.5, share.PerSecond, 0.001)
	require.WithinDuration(t, time.Now(), share.RefusedAt, time.Minute)

	probe, err := b.clients.Probe("demo-token")
	require.NoError(t, err)
	_, err = probe.Organization.Get(ctx)
	require.NoError(t, err)
	slot, err := b.store.Budget.Take(ctx, b.store.Connections.TokenHash("demo-token"), store.BudgetLimits{Interval: time.Second, MaxWait: time.Minute})
	require.NoError(t, err)
	require.Greater(t, slot.Interval, 1800*time.Millisecond, "the other client did not slow down")
}

// An operator's call waits for its turn beside another program, and gives up in
// time.
func TestCallRetriesWhenRateLimited(t *testing.T) {
	t.Parallel()
	b := setup(t, store.BudgetLimits{Interval: time.Millisecond, MaxWait: time.Second, PerDay: 100})
	ctx := t.Context()
	c, err := b.clients.Client(ctx, b.id)
	require.NoError(t, err)
	get := func() (*dixa.Organization, error) { return c.Organization.Get(ctx) }
	b.dixa.Inject(server.Fault{Operation: "GET /organization", Kind: server.FaultStatus, Status: 429, Times: 2})
	_, err = connection.Call(ctx, get)
	require.NoError(t, err)
	b.dixa.Inject(server.Fault{Operation: "GET /organization", Kind: server.FaultStatus, Status: 429, Headers: map[string]string{"Retry-After": "60"}})
	_, err = connection.Call(ctx, get)
	require.True(t, dixa.IsRateLimited(err), "%v", err)
}
