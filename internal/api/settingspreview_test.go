package api_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	emulator "github.com/claimflow/claimflow/emulator/server"
)

func TestSettingsPreviewPlansPastClaims(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx := t.Context()
	b.connected("acme")
	for id, reason := range map[string]string{"c-1": "damaged", "c-2": "support"} {
		c := aClaim(id)
		c.Reason = reason
		_, err := b.client.Submit(ctx, c)
		require.NoError(t, err)
	}
	before := dixaRequests(b)
	try := func(patch string) client.SettingsPreview {
		t.Helper()
		tried, err := b.client.PreviewSettings(ctx, "acme", client.SettingsPreviewRequest{Settings: json.RawMessage(patch)})
		require.NoError(t, err)
		require.Equal(t, 2, tried.Claims)
		return tried
	}
	require.Empty(t, try(`{}`).Different)

	const queue = "3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d0030"
	routed := try(`{"routing": [{"name": "broken", "when": {"reason": ["Damaged"]}, "then": {"queue_id": "` + queue + `"}}]}`)
	require.Len(t, routed.Different, 1)
	one := routed.Different[0]
	require.Equal(t, "c-1", one.ClaimID)
	require.Equal(t, claim.StateReceived, one.State)
	require.Equal(t, client.Opening{
		Kind: "inbound", Template: "built-in/defective/en", Language: "en", EmailIntegrationID: emulator.SeedMailbox, Tags: one.Is.Tags,
	}, one.Is)
	require.Contains(t, one.Is.Tags, "claim-reason-damaged")
	require.Equal(t, "broken", one.Would.Rule)
	require.Equal(t, queue, one.Would.QueueID)

	tagged := try(`{"tag": "karla", "extra_tags": ["vip"]}`)
	require.Len(t, tagged.Different, 2)
	require.Subset(t, tagged.Different[0].Would.Tags, []string{"karla", "vip"})

	spoken := try(`{"language": "de"}`)
	require.Len(t, spoken.Different, 2)
	require.Equal(t, "de", spoken.Different[0].Would.Language)
	require.Equal(t, before, dixaRequests(b), "nothing may be asked of Dixa")

	integration, err := b.client.Integration(ctx, "acme")
	require.NoError(t, err)
	require.Equal(t, "claim", integration.Effective.Tag, "nothing may be saved")
}

func TestSettingsPreviewRefuses(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connected("acme")
	for patch, field := range map[string]string{
		`{"settings": {"tag": ""}}`:                 "tag",
		`{"settings": {"routing": [{"name": ""}]}}`: "routing[0].name",
		`{"settings": {"opening": "outbound"}}`:     "default_agent_id",
		`{"settings": {"colour": "red"}}`:           "colour",
		`{"settings": []}`:                          "body",
		`{}`:                                        "settings",
		`{"settings": {}, "claims": 100000}`:        "claims",
		`{"settings": {}, "claims": -1}`:            "claims",
	} {
		r := b.send("POST", "/v1/shops/acme/integrations/dixa/preview", b.secret, patch)
		require.Equal(t, 422, r.StatusCode, patch)
		require.Equal(t, []string{field}, fields(r.problem(t)), patch)
	}
	r := b.send("POST", "/v1/shops/acme/integrations/dixa/preview", b.key("acme", client.ScopeShopsRead), `{"settings": {}}`)
	require.Equal(t, 403, r.StatusCode)
}
