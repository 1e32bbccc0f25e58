package onboarding_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	emulator "github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/internal/onboarding"
	"github.com/claimflow/claimflow/internal/seal"
	"github.com/claimflow/claimflow/internal/todixa/connection"
	"github.com/claimflow/claimflow/store"
)

const (
	token = "dixa-token-of-the-demo-shop-4f2a"
	shop  = "acme"
)

// bench is a shop with a real store and an emulated Dixa.
type bench struct {
	t       *testing.T
	store   *store.Store
	dixa    *emulator.Server
	server  *httptest.Server
	service *onboarding.Service
	log     *bytes.Buffer
}

// publicURL is an address without a listener, because other tests cover Dixa's
// deliveries.
const publicURL = "http://127.0.0.1:1"

func newBench(t *testing.T, o emulator.Options) *bench {
	t.Helper()
	text, err := seal.Generate()
	require.NoError(t, err)
	keys, err := seal.Parse(text)
	require.NoError(t, err)
	b := &bench{t: t, log: &bytes.Buffer{}}
	b.store, err = store.Open(t.Context(), "sqlite::memory:", keys)
	require.NoError(t, err)
	t.Cleanup(func() { _ = b.store.Close() })
	_, err = b.store.Shops.Create(t.Context(), store.NewShop{Slug: shop, Name: "Acme", Feature: true})
	require.NoError(t, err)
	o.Token = token
	b.dixa = emulator.New(o)
	b.server = httptest.NewServer(b.dixa)
	t.Cleanup(func() { b.server.Close(); b.dixa.Close() })
	b.service = b.at(b.server.URL + "/v1/")
	return b
}

// at returns the service with a Dixa at another address.
func (b *bench) at(address string) *onboarding.Service {
	return onboarding.New(onboarding.Options{
		Store: b.store, Dixa: connection.New(b.store, connection.Options{BaseURL: address}), AutoReplyWait: -1,
		PublicURL: publicURL, Log: slog.New(slog.NewTextHandler(b.log, nil)),
	})
}

func (b *bench) connect() {
	b.t.Helper()
	_, err := b.service.Connect(b.t.Context(), shop, token)
	require.NoError(b.t, err)
}

func (b *bench) settings(patch string) {
	b.t.Helper()
	_, err := b.service.UpdateSettings(b.t.Context(), shop, json.RawMessage(patch))
	require.NoError(b.t, err)
}

func (b *bench) ready() {
	b.t.Helper()
	b.connect()
	b.settings(`{"email_integration_id": "` + emulator.SeedMailbox + `"}`)
}

// unconnected asserts that no connection was saved.
func (b *bench) unconnected() {
	b.t.Helper()
	s, err := b.store.Shops.Get(b.t.Context(), shop)
	require.NoError(b.t, err)
	require.Nil(b.t, s.Connection, "nothing was saved")
}

func refused(t *testing.T, err error, kind onboarding.Kind) *onboarding.Refusal {
	t.Helper()
	var r *onboarding.Refusal
	require.ErrorAs(t, err, &r)
	require.Equal(t, kind, r.Kind, r.Words)
	require.NotContains(t, r.Words, token)
	return r
}

func TestConnect(t *testing.T) {
	t.Parallel()
	b := newBench(t, emulator.Options{})
	c, err := b.service.Connect(t.Context(), shop, token)
	require.NoError(t, err)
	require.Equal(t, emulator.SeedOrganization, c.OrganizationID)
	require.Equal(t, "Demo Shop", c.OrganizationName)
	require.Equal(t, claim.ConnectionActive, c.State)
	require.Equal(t, "dix…4f2a", c.TokenPreview)
	_, err = b.service.Connect(t.Context(), "nobody", token)
	require.ErrorIs(t, err, store.ErrNotFound)
}

func TestConnectRejectsMalformedToken(t *testing.T) {
	t.Parallel()
	b := newBench(t, emulator.Options{})
	for given, words := range map[string]string{
		" " + token:       "it has leading or trailing whitespace; paste only the token; nothing was saved",
		token + "\n":      "it has leading or trailing whitespace; paste only the token; nothing was saved",
		"Bearer " + token: "it contains a space; paste only the token, without a prefix such as Bearer; nothing was saved",
		"":                "it is empty",
	} {
		_, err := b.service.Connect(t.Context(), shop, given)
		require.Contains(t, refused(t, err, onboarding.TokenMalformed).Words, words)
	}
	require.Zero(t, b.dixa.Stats().Requests, "Dixa must not be queried")
	b.unconnected()
}

func TestConnectRejectsRevokedToken(t *testing.T) {
	t.Parallel()
	b := newBench(t, emulator.Options{})
	b.dixa.Revoke(token)
	_, err := b.service.Connect(t.Context(), shop, token)
	r := refused(t, err, onboarding.TokenRefused)
	require.Equal(t, `Dixa rejected this token (401): it is wrong, revoked or not a Dixa API token; nothing was saved. An administrator can create a token in Dixa under Settings > Integrations > API Tokens, version "Dixa API".`, r.Words)
	b.unconnected()
}

func TestConnectRejectsTokenOfAnotherOrganization(t *testing.T) {
	t.Parallel()
	b := newBench(t, emulator.Options{})
	b.connect()
	other := emulator.New(emulator.Options{
		Token: token + "-2", OrganizationID: "11111111-2222-4333-8444-555555555555", OrganizationName: "Rival",
	})
	server := httptest.NewServer(other)
	t.Cleanup(func() { server.Close(); other.Close() })

	_, err := b.at(server.URL+"/v1/").Connect(t.Context(), shop, token+"-2")
	r := refused(t, err, onboarding.OtherOrganization)
	require.Equal(t, "The token belongs to the Dixa organization 11111111-2222-4333-8444-555555555555 (Rival), but the shop is connected to "+
		emulator.SeedOrganization+"; nothing was saved. Use a token of "+emulator.SeedOrganization+
		". To move to another Dixa organization, add a new shop.", r.Words)
	s, err := b.store.Shops.Get(t.Context(), shop)
	require.NoError(t, err)
	require.Equal(t, emulator.SeedOrganization, s.Connection.OrganizationID)
}

func TestConnectWithUnreachableDixa(t *testing.T) {
	t.Parallel()
	b := newBench(t, emulator.Options{})
	for name, tt := range map[string]struct {
		fault emulator.Fault
		words string
	}{
		"dropped connection": {emulator.Fault{Kind: emulator.FaultDropBefore}, "Dixa could not be reached"},
		"server error":       {emulator.Fault{Kind: emulator.FaultStatus, Status: 503}, "Dixa returned a server error (status 503)"},
		"invalid response":   {emulator.Fault{Kind: emulator.FaultGarbage}, "the response is not from Dixa (status 200)"},
		"truncated response": {emulator.Fault{Kind: emulator.FaultTruncate}, "the response is not from Dixa (status 200)"},
		"rate limit":         {emulator.Fault{Kind: emulator.FaultStatus, Status: 429}, "is exhausted"},
	} {
		b.dixa.ClearFaults()
		tt.fault.Operation = "GET /organization"
		b.dixa.Inject(tt.fault)
		_, err := b.service.Connect(t.Context(), shop, token)
		r := refused(t, err, onboarding.Unreachable)
		require.Contains(t, r.Words, tt.words, name)
		require.Contains(t, r.Words, "The token could not be checked, so nothing was saved", name)
		b.unconnected()
	}
	b.server.Close()
	_, err := b.service.Connect(t.Context(), shop, token)
	require.Contains(t, refused(t, err, onboarding.Unreachable).Words, "Dixa could not be reached. Try again when Dixa responds at "+b.server.URL)
}

func TestConnectWithAddressOutsideDixa(t *testing.T) {
	t.Parallel()
	b := newBench(t, emulator.Options{})
	_, err := b.at(b.server.URL+"/elsewhere/").Connect(t.Context(), shop, token)
	require.Contains(t, refused(t, err, onboarding.Unreachable).Words, "is not a Dixa API (status 404)")
}

func TestConnectWithoutOrganization(t *testing.T) {
	t.Parallel()
	b := newBench(t, emulator.Options{Switches: emulator.Switches{OrganizationAbsent: true}})
	c, err := b.service.Connect(t.Context(), shop, token)
	require.NoError(t, err)
	require.Empty(t, c.OrganizationID)
	require.Equal(t, claim.ConnectionActive, c.State)

	b.dixa.Revoke(token)
	_, err = b.service.Connect(t.Context(), shop, token)
	_ = refused(t, err, onboarding.TokenRefused)
}

func TestSettingsRejectUnknownDixaObjects(t *testing.T) {
	t.Parallel()
	b := newBench(t, emulator.Options{})
	b.connect()
	const nobody = "99999999-9999-4999-8999-999999999999"
	for name, tt := range map[string]struct{ patch, field, words string }{
		"unknown contact endpoint": {
			`{"email_integration_id": "support@acme.example"}`, "email_integration_id",
			"is not a contact endpoint in the shop's Dixa organization, which has " + emulator.SeedMailbox + ", " + emulator.SeedReturnsMailbox,
		},
		"unknown agent": {
			`{"default_agent_id": "` + nobody + `"}`, "default_agent_id", "is not an agent in the shop's Dixa organization",
		},
		"unknown queue": {
			`{"default_queue_id": "` + nobody + `"}`, "default_queue_id",
			"is not a queue in the shop's Dixa organization, which has Support (" + emulator.SeedQueueSupport + "), Claims (" + emulator.SeedQueueClaims + ")",
		},
		"unknown attribute": {
			`{"claim_id_attribute": "` + nobody + `"}`, "claim_id_attribute",
			"is not a custom attribute in the shop's Dixa organization, which has these text attributes for conversations: Claim id (" + emulator.SeedAttrClaimID + "), Order number (" + emulator.SeedAttrOrderNumber + ")",
		},
		"attribute of contacts": {
			`{"claim_id_attribute": "` + emulator.SeedAttrLoyalty + `"}`, "claim_id_attribute",
			`is the attribute "Loyalty tier", which does not apply to conversations`,
		},
		"selection attribute": {
			`{"order_number_attribute": "` + emulator.SeedAttrReason + `"}`, "order_number_attribute",
			`is the attribute "Contact reason", which is a selection, not a text`,
		},
		"routing rule": {
			`{"routing": [{"name": "r", "when": {}, "then": {"agent_id": "` + nobody + `"}}]}`, "routing[0].then.agent_id", "is not an agent",
		},
	} {
		_, err := b.service.UpdateSettings(t.Context(), shop, json.RawMessage(tt.patch))
		var invalid *claim.InvalidError
		require.ErrorAs(t, err, &invalid, name)
		require.Len(t, invalid.Errors, 1, name)
		require.Equal(t, tt.field, invalid.Errors[0].Field, name)
		require.Contains(t, invalid.Errors[0].Problem, tt.words, name)
	}
	in, err := b.store.Settings.Integration(t.Context(), shop)
	require.NoError(t, err)
	require.JSONEq(t, `{}`, string(in.Own), "nothing was saved")

	b.settings(`{"email_integration_id": "` + strings.ToUpper(emulator.SeedMailbox) + `", "default_agent_id": "` + emulator.SeedAgentAnna +
		`", "claim_id_attribute": "` + emulator.SeedAttrClaimID + `"}`)
}

func TestOnlyChangedSettingsAreChecked(t *testing.T) {
	t.Parallel()
	b := newBench(t, emulator.Options{})
	b.settings(`{"email_integration_id": "later@acme.example"}`) // no token yet: checked when enabled
	b.ready()
	b.server.Close()
	b.settings(`{"default_language": "de"}`)
	_, err := b.service.UpdateSettings(t.Context(), shop, json.RawMessage(`{"default_agent_id": "`+emulator.SeedAgentAnna+`"}`))
	require.Contains(t, refused(t, err, onboarding.Unreachable).Words, "so nothing was changed")
}

func TestEnableRequiresLiveContactEndpoint(t *testing.T) {
	t.Parallel()
	b := newBench(t, emulator.Options{})
	ctx := t.Context()
	enabled := func() bool {
		s, err := b.store.Shops.Get(ctx, shop)
		require.NoError(t, err)
		return s.Enabled
	}

	require.Contains(t, refused(t, b.service.Enable(ctx, shop), onboarding.NotConnected).Words, "The shop has no Dixa token")
	b.connect()
	r := refused(t, b.service.Enable(ctx, shop), onboarding.NotReady)
	require.Equal(t, "No contact endpoint is set, so conversations have no mailbox. Set email_integration_id first; the Dixa organization has "+
		emulator.SeedMailbox+", "+emulator.SeedReturnsMailbox+".", r.Words)

	// A mailbox that existed when it was saved and is deleted now.
	_, err := b.store.Settings.Save(ctx, shop, json.RawMessage(`{"email_integration_id": "gone@demo.email.dixa.io"}`))
	require.NoError(t, err)
	r = refused(t, b.service.Enable(ctx, shop), onboarding.NotReady)
	require.Equal(t, "email_integration_id", r.Errors[0].Field)
	require.Contains(t, r.Errors[0].Problem, "is not a contact endpoint in the shop's Dixa organization")

	b.settings(`{"email_integration_id": "` + emulator.SeedMailbox + `"}`)
	off, on := false, true
	_, err = b.store.Shops.Patch(ctx, shop, claim.ShopPatch{Feature: &off})
	require.NoError(t, err)
	_ = refused(t, b.service.Enable(ctx, shop), onboarding.FeatureOff)
	_, err = b.store.Shops.Patch(ctx, shop, claim.ShopPatch{Feature: &on})
	require.NoError(t, err)

	b.dixa.Revoke(token)
	require.Contains(t, refused(t, b.service.Enable(ctx, shop), onboarding.NotConnected).Words, "Dixa rejected the shop's token (401)")
	b.dixa.AddToken(token)
	require.False(t, enabled())
	require.NoError(t, b.service.Enable(ctx, shop))
	require.True(t, enabled())
	require.NoError(t, b.service.Disable(ctx, shop))
	require.False(t, enabled())
}

func TestEnableFailsIfConnectionNeedsToken(t *testing.T) {
	t.Parallel()
	b := newBench(t, emulator.Options{})
	b.ready()
	s, err := b.store.Shops.Get(t.Context(), shop)
	require.NoError(t, err)
	_, hash, err := b.store.Connections.Token(t.Context(), s.Connection.ID)
	require.NoError(t, err)
	_, err = b.store.Connections.MarkNeedsToken(t.Context(), s.Connection.ID, hash)
	require.NoError(t, err)
	r := refused(t, b.service.Enable(t.Context(), shop), onboarding.NotConnected)
	require.Regexp(t, "^Dixa rejected the shop's token \\(dix…4f2a, saved on [-0-9]+\\)\\. Save a new one with `starter shop connect acme`\\.$", r.Words)
	report, err := b.service.Validate(t.Context(), shop)
	require.NoError(t, err)
	require.False(t, report.OK)
}

func TestCheckConversation(t *testing.T) {
	t.Parallel()
	b := newBench(t, emulator.Options{})
	require.ErrorIs(t, b.service.CheckConversation(t.Context(), "nobody", 1), store.ErrNotFound)
	_ = refused(t, b.service.CheckConversation(t.Context(), shop, 1), onboarding.NotConnected)
	b.ready()
	report, err := b.service.Test(t.Context(), shop, "tester@example.org", "")
	require.NoError(t, err)
	require.NoError(t, b.service.CheckConversation(t.Context(), shop, report.ConversationID))

	err = b.service.CheckConversation(t.Context(), shop, report.ConversationID+1000)
	var invalid *claim.InvalidError
	require.ErrorAs(t, err, &invalid)
	require.Equal(t, "conversation_id", invalid.Errors[0].Field)

	for _, status := range []int{401, 403} {
		b.dixa.Inject(emulator.Fault{Operation: "GET /conversations/{conversationId}", Kind: emulator.FaultStatus, Status: status, Times: 1})
		r := refused(t, b.service.CheckConversation(t.Context(), shop, report.ConversationID), onboarding.NotConnected)
		require.Contains(t, r.Words, "Dixa rejected the shop's token")
	}
	b.server.Close()
	r := refused(t, b.service.CheckConversation(t.Context(), shop, report.ConversationID), onboarding.Unreachable)
	require.Contains(t, r.Words, "nothing was changed: Dixa could not be reached")
}
