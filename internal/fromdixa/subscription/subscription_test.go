package subscription_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	emulator "github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/internal/fromdixa/subscription"
	"github.com/claimflow/claimflow/internal/seal"
	"github.com/claimflow/claimflow/internal/todixa/connection"
	"github.com/claimflow/claimflow/store"
)

const (
	token  = "dixa-token-of-the-demo-shop-4f2a"
	public = "http://127.0.0.1:1"
)

// bench is the connection of an enabled shop, with a real store and an emulated
// Dixa.
type bench struct {
	t          *testing.T
	store      *store.Store
	dixa       *emulator.Server
	client     *dixa.Client
	clients    *connection.Clients
	connection string
	*subscription.Service

	mu sync.Mutex
	// before runs before each request reaches Dixa.
	before func(*http.Request)
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, before: func(*http.Request) {}}
	text, err := seal.Generate()
	require.NoError(t, err)
	keys, err := seal.Parse(text)
	require.NoError(t, err)
	b.store, err = store.Open(t.Context(), "sqlite::memory:", keys)
	require.NoError(t, err)
	t.Cleanup(func() { _ = b.store.Close() })
	b.dixa = emulator.New(emulator.Options{Token: token, Limit: emulator.Limit{Reading: emulator.LimitOff}})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		b.before(r)
		b.mu.Unlock()
		b.dixa.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { server.Close(); b.dixa.Close() })

	ctx := t.Context()
	_, err = b.store.Shops.Create(ctx, store.NewShop{Slug: "acme", Feature: true})
	require.NoError(t, err)
	c, err := b.store.Connections.SaveToken(ctx, "acme", token, store.Organization{ID: emulator.SeedOrganization})
	require.NoError(t, err)
	require.NoError(t, b.store.Shops.SetEnabled(ctx, "acme", true))
	b.connection = c.ID
	b.clients = connection.New(b.store, connection.Options{
		BaseURL: server.URL + "/v1/", Limits: store.BudgetLimits{Interval: time.Microsecond, MaxWait: time.Minute, PerDay: 1000},
	})
	b.client, err = b.clients.Client(ctx, c.ID)
	require.NoError(t, err)
	b.Service = b.at(public)
	return b
}

// at returns the service with another public address.
func (b *bench) at(public string) *subscription.Service {
	return subscription.New(b.store.Subscriptions, b.clients, public)
}

func (b *bench) ensure() {
	b.t.Helper()
	require.NoError(b.t, b.Ensure(b.t.Context(), b.connection, nil))
}

// only returns Dixa's only subscription.
func (b *bench) only() emulator.Webhook {
	b.t.Helper()
	all := b.dixa.State().Webhooks
	require.Len(b.t, all, 1)
	return *all[0]
}

func (b *bench) kept() claim.Subscription {
	b.t.Helper()
	s, err := b.store.Subscriptions.Get(b.t.Context(), b.connection)
	require.NoError(b.t, err)
	return s
}

func (b *bench) secrets() []string {
	b.t.Helper()
	all, err := b.store.Subscriptions.Secrets(b.t.Context(), b.connection)
	require.NoError(b.t, err)
	return all
}

// whole asserts that Dixa has exactly one subscription, that it is correct, and that
// its secret is stored.
func (b *bench) whole() {
	b.t.Helper()
	w := b.only()
	require.Equal(b.t, b.URL(b.connection), w.URL)
	require.True(b.t, w.Enabled)
	for _, name := range subscription.Events() {
		require.Contains(b.t, w.Events, string(name))
	}
	require.Empty(b.t, w.Filters)
	require.NotContains(b.t, w.Headers, "Authorization")
	require.Equal(b.t, w.Secret, b.secrets()[0])
	require.Equal(b.t, claim.SubscriptionActive, b.kept().State)
	require.Equal(b.t, w.ID, b.kept().ID)
	problems, err := b.Inspect(b.t.Context(), b.connection)
	require.NoError(b.t, err)
	require.Empty(b.t, problems)
}

func TestEnsureStoresSecretBeforeEnabling(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var made []*emulator.Webhook
	var kept claim.Subscription
	var secrets []string
	b.before = func(r *http.Request) {
		if r.Method == http.MethodPatch {
			made = b.dixa.State().Webhooks
			kept, _ = b.store.Subscriptions.Get(r.Context(), b.connection)
			secrets, _ = b.store.Subscriptions.Secrets(r.Context(), b.connection)
		}
	}
	ran := false
	require.NoError(t, b.Ensure(t.Context(), b.connection, func(context.Context) error {
		ran = true
		b.whole()
		return nil
	}))
	require.True(t, ran)
	require.Len(t, made, 1)
	require.False(t, made[0].Enabled, "the subscription was created enabled")
	require.Equal(t, []string{made[0].Secret}, secrets, "the secret was not stored before enabling")
	require.Equal(t, claim.SubscriptionUnfinished, kept.State)
	require.Equal(t, subscription.Name, b.only().Name)
	require.Len(t, subscription.Events(), 23)

	before := b.dixa.Stats().Requests
	b.ensure()
	b.whole()
	require.Equal(t, 1+1, b.dixa.Stats().Requests-before, "one request by Ensure and one by the test")
	failed := errors.New("store unavailable")
	require.ErrorIs(t, b.Ensure(t.Context(), b.connection, func(context.Context) error { return failed }), failed)
}

func TestEnsureRepairsChangedSubscription(t *testing.T) {
	t.Parallel()
	off := false
	for name, tt := range map[string]struct {
		change dixa.WebhookInput
		words  string
	}{
		"disabled": {dixa.WebhookInput{Enabled: &off}, "the subscription is disabled in Dixa"},
		"events":   {dixa.WebhookInput{Events: []dixa.EventName{dixa.EventConversationClosed}}, "the subscription lacks required events"},
		"address":  {dixa.WebhookInput{URL: "https://elsewhere.example/hook"}, "the subscription's address is not"},
		"authorization": {
			dixa.WebhookInput{Authorization: dixa.BasicAuth("a", "b")}, "the subscription has an authorization",
		},
		"filters": {dixa.WebhookInput{Filters: map[string]dixa.WebhookFilters{"Conversation": {
			Type: "CombinedFilters", Strategy: "All", Conditions: []dixa.WebhookCondition{{Type: "IsOneOf", Field: "InitialChannel", Values: []string{"email"}}},
		}}}, "the subscription's filters exclude conversations"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.ensure()
			id := b.only().ID
			_, err := b.client.Webhooks.Update(t.Context(), id, tt.change)
			require.NoError(t, err)
			problems, err := b.Inspect(t.Context(), b.connection)
			require.NoError(t, err)
			require.Len(t, problems, 1)
			require.Contains(t, problems[0], tt.words)
			b.ensure()
			b.whole()
			require.Equal(t, id, b.only().ID, "the subscription was replaced")
		})
	}
}

func TestEnsureAdoptsExistingSubscription(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	name := "Renamed, with extra events"
	_, err := b.client.Webhooks.Create(t.Context(), dixa.WebhookInput{
		Name: name, URL: "HTTP://127.0.0.1:1" + subscription.Path + b.connection + "/", Events: dixa.EventNames(),
		CustomHeaders: map[string]dixa.Secret{"X-Route": "shop"},
	})
	require.NoError(t, err)
	before := b.dixa.Stats().ByOperation["PATCH /webhooks/{webhookSubscriptionId}"]
	b.ensure()
	require.Equal(t, name, b.only().Name)
	require.Equal(t, map[string]string{"X-Route": "shop"}, b.only().Custom)
	require.Equal(t, before, b.dixa.Stats().ByOperation["PATCH /webhooks/{webhookSubscriptionId}"], "Ensure sent an unnecessary update")
	require.Equal(t, []string{b.only().Secret}, b.secrets())
}

func TestEnsureRecreatesDeletedSubscription(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.ensure()
	old := b.only()
	require.NoError(t, b.client.Webhooks.Delete(t.Context(), old.ID))
	problems, err := b.Inspect(t.Context(), b.connection)
	require.NoError(t, err)
	require.Contains(t, problems[0], "Dixa has no webhook subscription")
	b.ensure()
	b.whole()
	require.Equal(t, []string{b.only().Secret, old.Secret}, b.secrets(), "the old secret must still verify")
}

func TestEnsureUpdatesPublicAddress(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.ensure()
	id := b.only().ID
	b.Service = b.at("https://claims.example/dixa/")
	b.ensure()
	b.whole()
	require.Equal(t, id, b.only().ID)
	require.Equal(t, "https://claims.example/dixa/webhooks/dixa/"+b.connection, b.only().URL)
	require.Equal(t, b.only().URL, b.kept().URL)
}

func TestEnsureDeletesDuplicates(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	create := func(url string) string {
		w, err := b.client.Webhooks.Create(t.Context(), dixa.WebhookInput{Name: "Claimflow", URL: url})
		require.NoError(t, err)
		return w.ID
	}
	for range 3 {
		create(b.URL(b.connection))
	}
	other := create("https://elsewhere.example/hook")
	b.ensure()
	var left []string
	for _, w := range b.dixa.State().Webhooks {
		left = append(left, w.ID)
	}
	require.Len(t, left, 2)
	require.Contains(t, left, b.kept().ID)
	require.Contains(t, left, other, "a foreign subscription was deleted")
	require.NoError(t, b.client.Webhooks.Delete(t.Context(), other))
	b.whole()
}

func TestLostResponseLeavesOneSubscription(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]emulator.Fault{
		"create, response dropped":      {Operation: "POST /webhooks", Kind: emulator.FaultDropAfter},
		"create, invalid response":      {Operation: "POST /webhooks", Kind: emulator.FaultGarbage},
		"create, truncated response":    {Operation: "POST /webhooks", Kind: emulator.FaultTruncate},
		"create, two responses dropped": {Operation: "*", Kind: emulator.FaultDropAfter, Skip: 1},
		"enable, response dropped":      {Operation: "PATCH /webhooks/{webhookSubscriptionId}", Kind: emulator.FaultDropAfter},
		"create, request dropped":       {Operation: "POST /webhooks", Kind: emulator.FaultDropBefore},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			fault.Times = 1
			if fault.Skip > 0 {
				fault.Times = 2
			}
			b.dixa.Inject(fault)
			// The first call may fail, but it leaves what the second needs.
			_ = b.Ensure(t.Context(), b.connection, nil)
			require.Equal(t, fault.Times, b.dixa.Stats().Struck)
			b.ensure()
			b.whole()
		})
	}
}

func TestConcurrentEnsureCreatesOneSubscription(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		// Each acts like a process of its own.
		wg.Go(func() { errs[i] = b.at(public).Ensure(t.Context(), b.connection, nil) })
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	b.whole()
	require.Equal(t, 1, b.dixa.Stats().ByOperation["POST /webhooks"])
}

func TestRemove(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx := t.Context()
	b.ensure()
	require.NoError(t, b.Remove(ctx, b.connection))
	b.whole() // an enabled shop uses it

	require.NoError(t, b.store.Shops.SetEnabled(ctx, "acme", false))
	b.dixa.Inject(emulator.Fault{Operation: "DELETE /webhooks/{webhookSubscriptionId}", Kind: emulator.FaultDropAfter, Times: 1})
	require.Error(t, b.Remove(ctx, b.connection))
	require.Equal(t, claim.SubscriptionActive, b.kept().State, "the subscription may still exist in Dixa")
	require.NoError(t, b.Remove(ctx, b.connection))
	require.Empty(t, b.dixa.State().Webhooks)
	require.Equal(t, claim.SubscriptionNone, b.kept().State)

	before := b.dixa.Stats().Requests
	require.NoError(t, b.Remove(ctx, b.connection))
	require.Equal(t, before, b.dixa.Stats().Requests, "Remove sent a request although nothing was left")
	b.ensure()
	b.whole()
}

func TestManualSubscriptionIsLeftAlone(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx := t.Context()
	made, err := b.client.Webhooks.Create(ctx, dixa.WebhookInput{Name: "By hand", URL: "https://proxy.example/hook", Events: []dixa.EventName{dixa.EventConversationClosed}})
	require.NoError(t, err)
	_, err = b.store.Subscriptions.SaveSecret(ctx, "acme", made.SecretKey.Reveal())
	require.NoError(t, err)
	before := b.dixa.Stats().Requests
	b.ensure()
	require.NoError(t, b.store.Shops.SetEnabled(ctx, "acme", false))
	require.NoError(t, b.Remove(ctx, b.connection))
	require.Equal(t, before, b.dixa.Stats().Requests)
	require.Equal(t, claim.SubscriptionByHand, b.kept().State)

	_, err = b.store.Subscriptions.SaveSecret(ctx, "acme", "")
	require.NoError(t, err)
	b.ensure()
	require.Len(t, b.dixa.State().Webhooks, 2, "Ensure must create its own subscription, because the manual one has another address")
	require.Equal(t, claim.SubscriptionActive, b.kept().State)
}

func TestEnsureFailsWithoutSecret(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.dixa.Inject(emulator.Fault{Operation: "GET /webhooks", Kind: emulator.FaultStatus, Status: 200, Body: `{"data":[{"id":"3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d0001","url":"` + b.URL(b.connection) + `","enabled":true}]}`})
	require.ErrorIs(t, b.Ensure(t.Context(), b.connection, nil), subscription.ErrNoSecret)
	require.Empty(t, b.secrets())
}

func TestReachabilityWarning(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for address, words := range map[string]string{
		"http://localhost:8080":         "reachable only from this network",
		"https://127.0.0.1":             "reachable only from this network",
		"https://10.1.2.3/x":            "reachable only from this network",
		"https://[::1]:8080":            "reachable only from this network",
		"https://[fd00::1]":             "reachable only from this network",
		"https://[::ffff:192.168.1.1]":  "reachable only from this network",
		"https://169.254.1.1":           "reachable only from this network",
		"https://starter":               "reachable only from this network",
		"https://starter.shop.internal": "reachable only from this network",
		"https://Claims.LOCAL.":         "reachable only from this network",
		"http://claims.example":         "unencrypted",
		"nonsense":                      "is not a valid URL",
		"https://claims.example":        "",
		"https://93.184.216.34":         "",
	} {
		got := b.at(address).ReachabilityWarning()
		if words == "" {
			require.Empty(t, got, address)
		} else {
			require.Contains(t, got, words, address)
		}
	}
}
