package api_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	emulator "github.com/claimflow/claimflow/emulator/server"
)

func TestShopsAreAddedUpdatedAndDeleted(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx := t.Context()
	added, err := b.client.AddShop(ctx, client.NewShop{Slug: "acme", Name: "Acme"})
	require.NoError(t, err)
	require.True(t, added.Feature)
	require.False(t, added.Enabled)
	_, err = b.client.AddShop(ctx, client.NewShop{Slug: "acme"})
	_ = refusal(t, err, http.StatusConflict, client.CodeConflict)
	_, err = b.client.AddShop(ctx, client.NewShop{Slug: "Not A Slug"})
	require.Equal(t, []string{"slug"}, fields(refusal(t, err, 422, client.CodeInvalid).Problem))

	off, name := false, "Acme Ltd"
	changed, err := b.client.UpdateShop(ctx, "acme", client.ShopPatch{Name: &name, Feature: &off})
	require.NoError(t, err)
	require.Equal(t, "Acme Ltd", changed.Name)
	require.False(t, changed.Feature)
	shops, err := b.client.Shops(ctx)
	require.NoError(t, err)
	require.Len(t, shops, 1)

	require.NoError(t, b.client.DeleteShop(ctx, "acme"))
	_, err = b.client.Shop(ctx, "acme")
	_ = refusal(t, err, 404, client.CodeNotFound)
	_ = refusal(t, b.client.DeleteShop(ctx, "acme"), 404, client.CodeNotFound)
}

func TestSettingsAreMergedAndInherited(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx := t.Context()
	b.shop("acme")
	platform, err := b.client.UpdatePlatformSettings(ctx, json.RawMessage(`{"tag": "reklamation", "default_language": "de"}`))
	require.NoError(t, err)
	require.Equal(t, "reklamation", platform.Effective.Tag)
	b.settings("acme", `{"default_language": "fr", "extra_tags": ["vip"]}`)
	b.settings("acme", `{"open_within": "2h"}`)

	in, err := b.client.Integration(ctx, "acme")
	require.NoError(t, err)
	require.Equal(t, "reklamation", in.Effective.Tag, "the tag must be inherited from the platform")
	require.Equal(t, "fr", in.Effective.DefaultLanguage, "the shop's own setting must win")
	require.Equal(t, "inbound", in.Effective.Opening, "the default must be built in")
	require.JSONEq(t, `{"default_language": "fr", "extra_tags": ["vip"], "open_within": "2h"}`, string(in.Own), "the patch must be merged")

	b.settings("acme", `{"default_language": null}`)
	in, err = b.client.Integration(ctx, "acme")
	require.NoError(t, err)
	require.Equal(t, "de", in.Effective.DefaultLanguage, "null must restore inheritance")

	_, err = b.client.UpdateSettings(ctx, "acme", json.RawMessage(`{"default_agent_id": "anna", "opening": "sideways", "language": "klingonish!"}`))
	e := refusal(t, err, 422, client.CodeInvalid)
	require.ElementsMatch(t, []string{"default_agent_id", "opening", "language"}, fields(e.Problem), "all errors must be listed")
	_, err = b.client.UpdateSettings(ctx, "acme", json.RawMessage(`{"default_agnet_id": ""}`))
	require.Equal(t, []string{"default_agnet_id"}, fields(refusal(t, err, 422, client.CodeInvalid).Problem), "unknown settings must be refused")
	_, err = b.client.UpdateSettings(ctx, "acme", json.RawMessage(`[]`))
	_ = refusal(t, err, 422, client.CodeInvalid)
	_, err = b.client.UpdatePlatformSettings(ctx, json.RawMessage(`{"tag": ""}`))
	require.Equal(t, []string{"tag"}, fields(refusal(t, err, 422, client.CodeInvalid).Problem))
	_, err = b.client.UpdateSettings(ctx, "acme", json.RawMessage(`{"opening": "outbound"}`))
	require.Contains(t, refusal(t, err, 422, client.CodeInvalid).Error(), "default_agent_id: is required if opening is outbound")
}

func TestConcurrentSettingsAreAllKept(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connected("acme")
	patches := []string{
		`{"default_agent_id": "` + emulator.SeedAgentAnna + `"}`, `{"tag": "reklamation"}`, `{"default_language": "fr"}`,
		`{"extra_tags": ["vip"]}`, `{"evidence": {"max_files": 3}}`, `{"evidence": {"types": {"pdf": 4}}}`, `{"open_within": "2h"}`,
	}
	errs := make([]error, 2*len(patches))
	var wg sync.WaitGroup
	for i, patch := range patches {
		wg.Go(func() { _, errs[i] = b.client.UpdateSettings(t.Context(), "acme", json.RawMessage(patch)) })
		if i > 0 { // the platform has no agents
			wg.Go(func() {
				_, errs[len(patches)+i] = b.client.UpdatePlatformSettings(t.Context(), json.RawMessage(patch))
			})
		}
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))

	all := map[string]any{
		"tag": "reklamation", "default_language": "fr", "extra_tags": []any{"vip"},
		"evidence": map[string]any{"max_files": 3.0, "types": map[string]any{"pdf": 4.0}}, "open_within": "2h",
	}
	own := func(layer json.RawMessage) (members map[string]any) {
		require.NoError(t, json.Unmarshal(layer, &members))
		return members
	}
	platform, err := b.client.PlatformSettings(t.Context())
	require.NoError(t, err)
	require.Equal(t, all, own(platform.Own))
	in, err := b.client.Integration(t.Context(), "acme")
	require.NoError(t, err)
	all["default_agent_id"], all["email_integration_id"] = emulator.SeedAgentAnna, emulator.SeedMailbox
	require.Equal(t, all, own(in.Own))
}

func TestTokenIsNeverReturned(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connected("acme")
	for _, path := range []string{"/v1/shops", "/v1/shops/acme", "/v1/shops/acme/integrations/dixa", "/v1/audit-log"} {
		r := b.send("GET", path, b.secret, "")
		require.Equal(t, 200, r.StatusCode)
		require.NotContains(t, r.text, token, path)
		require.Contains(t, r.text, "dix…4f2a", path)
	}
	for _, body := range []string{`{"token": " ` + token + `"}`, `{"token": "wrong-` + token + `"}`, `{"token": ["` + token + `"]}`, `{"tokn": "` + token + `"}`} {
		r := b.send("PUT", "/v1/shops/acme/integrations/dixa/token", b.secret, body)
		require.Equal(t, 422, r.StatusCode, body)
		require.NotContains(t, r.text, token)
	}
	require.NotContains(t, b.log.String(), token)
}

func TestEnableByAPI(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.shop("acme")
	_, err := b.client.Enable(t.Context(), "acme")
	_ = refusal(t, err, http.StatusConflict, client.CodeNotConnected)
	_, err = b.client.Connect(t.Context(), "acme", token)
	require.NoError(t, err)
	_, err = b.client.Enable(t.Context(), "acme")
	e := refusal(t, err, http.StatusConflict, client.CodeNotReady)
	require.Contains(t, e.Detail, emulator.SeedMailbox, "the error must list the mailboxes")
	b.settings("acme", `{"email_integration_id": "`+emulator.SeedMailbox+`"}`)
	shop, err := b.client.Enable(t.Context(), "acme")
	require.NoError(t, err)
	require.True(t, shop.Enabled)
	require.Equal(t, claim.ConnectionActive, shop.Connection.State)
	shop, err = b.client.Disable(t.Context(), "acme")
	require.NoError(t, err)
	require.False(t, shop.Enabled)

	report, err := b.client.Validate(t.Context(), "acme")
	require.NoError(t, err)
	require.True(t, report.OK)
	report, err = b.client.Test(t.Context(), "acme", client.TestRequest{Email: "tester@example.org"})
	require.NoError(t, err)
	require.True(t, report.OK, "%+v", report.Checks)
	require.NotZero(t, report.ConversationID)
	_, err = b.client.Test(t.Context(), "acme", client.TestRequest{Email: "nobody"})
	require.Equal(t, []string{"email"}, fields(refusal(t, err, 422, client.CodeInvalid).Problem))
}

func TestUnreachableDixaIsABadGateway(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.shop("acme")
	b.dixa.Inject(emulator.Fault{Operation: "GET /organization", Kind: emulator.FaultDropBefore})
	_, err := b.client.Connect(t.Context(), "acme", token)
	e := refusal(t, err, http.StatusBadGateway, client.CodeDixaUnreachable)
	require.Contains(t, e.Detail, "nothing was saved")
}

// A token is compared by fingerprint, without sending it.
func TestTokenIsComparedByFingerprint(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.shop("acme")
	same := func(token string) bool {
		same, err := b.client.HasToken(t.Context(), "acme", token)
		require.NoError(t, err)
		return same
	}
	require.False(t, same(token), "no token is saved")
	_, err := b.client.Connect(t.Context(), "acme", token)
	require.NoError(t, err)
	require.True(t, same(token))
	require.False(t, same(token[1:]))
	require.NotContains(t, b.log.String(), token)
	_, err = b.client.HasToken(t.Context(), "nobody", token)
	require.True(t, client.HasCode(err, client.CodeNotFound), "%v", err)
}
