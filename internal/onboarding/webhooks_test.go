package onboarding_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	emulator "github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/internal/onboarding"
	"github.com/claimflow/claimflow/internal/todixa/connection"
	"github.com/claimflow/claimflow/store"
)

var secret = strings.Repeat("ab", 32)

func (b *bench) subscription() claim.Subscription {
	b.t.Helper()
	in, err := b.service.Integration(b.t.Context(), shop)
	require.NoError(b.t, err)
	return *in.Subscription
}

func (b *bench) enabled() bool {
	b.t.Helper()
	s, err := b.store.Shops.Get(b.t.Context(), shop)
	require.NoError(b.t, err)
	return s.Enabled
}

func TestEnableFailsIfDixaRejectsSubscription(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fault emulator.Fault
		kind  onboarding.Kind
		words string
	}{
		"no permission to read":  {emulator.Fault{Operation: "GET /webhooks", Kind: emulator.FaultStatus, Status: 403}, onboarding.SubscriptionRefused, "Dixa rejected the request (status 403"},
		"no permission to write": {emulator.Fault{Operation: "POST /webhooks", Kind: emulator.FaultStatus, Status: 401}, onboarding.SubscriptionRefused, "Dixa rejected the request (status 401"},
		"unsupported event":      {emulator.Fault{Operation: "POST /webhooks", Kind: emulator.FaultStatus, Status: 400}, onboarding.SubscriptionRefused, "starter shop webhook-secret acme"},
		"not enabled in Dixa":    {emulator.Fault{Operation: "PATCH /webhooks/{webhookSubscriptionId}", Kind: emulator.FaultStatus, Status: 400}, onboarding.SubscriptionRefused, publicURL + "/webhooks/dixa/"},
		"server error":           {emulator.Fault{Operation: "POST /webhooks", Kind: emulator.FaultStatus, Status: 503}, onboarding.Unreachable, "You can safely enable the shop again"},
		"no response":            {emulator.Fault{Operation: "GET /webhooks", Kind: emulator.FaultDropBefore}, onboarding.Unreachable, "Dixa could not be reached"},
		"rate limit":             {emulator.Fault{Operation: "POST /webhooks", Kind: emulator.FaultStatus, Status: 429}, onboarding.Unreachable, "is exhausted"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, emulator.Options{})
			b.ready()
			b.dixa.Inject(tt.fault)
			r := refused(t, b.service.Enable(t.Context(), shop), tt.kind)
			require.Contains(t, r.Words, tt.words)
			require.Contains(t, r.Words, "The shop was not enabled")
			require.False(t, b.enabled())

			// A webhook created by hand needs no request to Dixa.
			saved, err := b.service.SaveWebhookSecret(t.Context(), shop, secret)
			require.NoError(t, err)
			require.Equal(t, claim.SubscriptionByHand, saved.State)
			require.NoError(t, b.service.Enable(t.Context(), shop))
			require.True(t, b.enabled())
		})
	}
}

func TestDisableSucceedsWithoutDixa(t *testing.T) {
	t.Parallel()
	b := newBench(t, emulator.Options{})
	b.ready()
	require.NoError(t, b.service.Enable(t.Context(), shop))
	require.Equal(t, claim.SubscriptionActive, b.subscription().State)
	b.dixa.Inject(emulator.Fault{Operation: "DELETE /webhooks/{webhookSubscriptionId}", Kind: emulator.FaultStatus, Status: 500, Times: 1})
	require.NoError(t, b.service.Disable(t.Context(), shop))
	require.False(t, b.enabled())
	require.Contains(t, b.log.String(), "disable the shop again to retry")
	require.Len(t, b.dixa.State().Webhooks, 1)
	require.NoError(t, b.service.Disable(t.Context(), shop))
	require.Empty(t, b.dixa.State().Webhooks)
	require.Equal(t, claim.SubscriptionNone, b.subscription().State)
	require.ErrorIs(t, b.service.Disable(t.Context(), "nobody"), store.ErrNotFound)
	require.ErrorIs(t, b.service.Delete(t.Context(), "nobody"), store.ErrNotFound)
}

func TestReadOnlyShopSendsNoWrites(t *testing.T) {
	t.Parallel()
	b := newBench(t, emulator.Options{})
	ctx := t.Context()
	b.ready()
	b.settings(`{"read_only": true}`)
	require.NoError(t, b.service.Enable(ctx, shop))
	require.True(t, b.enabled())
	require.Equal(t, claim.SubscriptionNone, b.subscription().State)
	unseen, err := b.service.MissingEventsWarning(ctx, shop)
	require.NoError(t, err)
	require.Contains(t, unseen, "does not report events")
	require.Contains(t, unseen, b.subscription().URL)
	report, err := b.service.Validate(ctx, shop)
	require.NoError(t, err)
	require.Equal(t, claim.CheckWarning, row(t, report, "webhooks").Result)
	require.Contains(t, row(t, report, "webhooks").Detail, "Dixa has no webhook subscription with the address "+b.subscription().URL)
	require.Contains(t, row(t, report, "webhooks").Detail, "starter shop webhook-secret acme")

	// Creating the webhook by hand is the only way left.
	_, err = b.service.SaveWebhookSecret(ctx, shop, secret)
	require.NoError(t, err)
	unseen, err = b.service.MissingEventsWarning(ctx, shop)
	require.NoError(t, err)
	require.Empty(t, unseen)
	require.NoError(t, b.service.Disable(ctx, shop))
	require.Zero(t, b.dixa.Stats().Writes())
}

func TestSubscriptionIsCreatedWhenWritesAreAllowed(t *testing.T) {
	t.Parallel()
	b := newBench(t, emulator.Options{})
	ctx := t.Context()
	b.ready()
	b.settings(`{"read_only": true}`)
	require.NoError(t, b.service.Enable(ctx, shop))
	b.dixa.Inject(emulator.Fault{Operation: "POST /webhooks", Kind: emulator.FaultStatus, Status: 401, Times: 1})
	b.settings(`{"read_only": false}`)
	require.Equal(t, claim.SubscriptionNone, b.subscription().State, "the settings must be saved although Dixa rejected the subscription")
	require.Contains(t, b.log.String(), "enable the shop again to retry")

	b.settings(`{"read_only": true}`)
	b.settings(`{"language": "de"}`)
	require.Equal(t, claim.SubscriptionNone, b.subscription().State)
	b.settings(`{"read_only": null}`)
	require.Equal(t, claim.SubscriptionActive, b.subscription().State)
	require.Len(t, b.dixa.State().Webhooks, 1)

	// An existing subscription stays when the shop becomes read-only.
	b.settings(`{"read_only": true}`)
	before := b.dixa.Stats().Writes()
	require.NoError(t, b.service.Disable(ctx, shop))
	require.NoError(t, b.service.Delete(ctx, shop))
	require.Len(t, b.dixa.State().Webhooks, 1)
	require.Equal(t, before, b.dixa.Stats().Writes())
}

func TestValidateChecksWebhooks(t *testing.T) {
	t.Parallel()
	b := newBench(t, emulator.Options{})
	b.ready()
	ctx := t.Context()
	validate := func(s *onboarding.Service, name string) claim.Check {
		report, err := s.Validate(ctx, shop)
		require.NoError(t, err)
		return row(t, report, name)
	}
	require.Equal(t, claim.CheckSkipped, validate(b.service, "webhooks").Result, "the shop is not enabled")
	require.Equal(t, claim.CheckWarning, validate(b.service, "public address").Result)
	require.Contains(t, validate(b.service, "public address").Detail, "reachable only from this network")
	require.NoError(t, b.service.Enable(ctx, shop))
	require.Equal(t, claim.CheckOK, validate(b.service, "webhooks").Result)
	report, err := b.service.Validate(ctx, shop)
	require.NoError(t, err)
	require.True(t, report.OK, "a warning must not be a failure")

	moved := onboarding.New(onboarding.Options{
		Store: b.store, Dixa: connection.New(b.store, connection.Options{BaseURL: b.server.URL + "/v1/"}), PublicURL: "https://claims.example",
	})
	require.Equal(t, claim.CheckOK, validate(moved, "public address").Result)
	require.Equal(t, claim.CheckFailed, validate(moved, "webhooks").Result)
	require.Contains(t, validate(moved, "webhooks").Detail, "the subscription's address is not https://claims.example/webhooks/dixa/")
	require.Contains(t, validate(moved, "webhooks").Detail, "Run `starter shop enable acme` to correct this")
	require.NoError(t, moved.Enable(ctx, shop))
	require.Equal(t, claim.CheckOK, validate(moved, "webhooks").Result)

	b.dixa.Inject(emulator.Fault{Operation: "GET /webhooks", Kind: emulator.FaultStatus, Status: 403})
	require.Contains(t, validate(moved, "webhooks").Detail, "Dixa rejected the token for this request (403)")
	_, err = b.service.SaveWebhookSecret(ctx, shop, secret)
	require.NoError(t, err)
	require.Contains(t, validate(moved, "webhooks").Detail, "created manually; its secret is aba…abab")
}

// revoking revokes the token before the connection's client is created.
type revoking struct {
	*connection.Clients
	revoke func() error
}

func (r *revoking) Client(ctx context.Context, id string) (*dixa.Client, error) {
	if err := r.revoke(); err != nil {
		return nil, err
	}
	return r.Clients.Client(ctx, id)
}

// TestEnableWithTokenRevokedMeanwhile revokes the token between the checks and the
// subscription.
func TestEnableWithTokenRevokedMeanwhile(t *testing.T) {
	t.Parallel()
	b := newBench(t, emulator.Options{})
	b.ready()
	s, err := b.store.Shops.Get(t.Context(), shop)
	require.NoError(t, err)
	_, hash, err := b.store.Connections.Token(t.Context(), s.Connection.ID)
	require.NoError(t, err)
	clients := &revoking{Clients: connection.New(b.store, connection.Options{BaseURL: b.server.URL + "/v1/"}), revoke: func() error {
		_, err := b.store.Connections.MarkNeedsToken(t.Context(), s.Connection.ID, hash)
		return err
	}}
	service := onboarding.New(onboarding.Options{Store: b.store, Dixa: clients, PublicURL: publicURL})
	r := refused(t, service.Enable(t.Context(), shop), onboarding.NotConnected)
	require.Contains(t, r.Words, "starter shop connect acme")
	require.False(t, b.enabled())
}
