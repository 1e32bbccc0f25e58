package api_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

// A change of who speaks first names the texts that speak as the other side. They are not
// used, and previews show what is.
func TestSettingsNameTextsOfTheOtherVoice(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx := t.Context()
	b.connected("acme")
	for _, of := range []struct{ shop, language, text string }{{"", "en", "Ours"}, {"acme", "de", "Kaputt"}} {
		saved, err := b.client.SetTemplate(ctx, of.shop, "damaged", of.language, client.TemplateSource{Body: of.text})
		require.NoError(t, err)
		require.Empty(t, saved.Warnings)
	}
	_, err := b.client.SetTemplate(ctx, "acme", "lost", "en", client.TemplateSource{Tags: []string{"no words"}})
	require.NoError(t, err)
	settings := func(patch string) claim.Integration {
		t.Helper()
		in, err := b.client.UpdateSettings(ctx, "acme", json.RawMessage(patch))
		require.NoError(t, err)
		return in
	}
	require.Empty(t, settings(`{"language": "de"}`).Warnings)

	tried, err := b.client.PreviewSettings(ctx, "acme", client.SettingsPreviewRequest{Settings: json.RawMessage(`{"opening": "outbound", "default_agent_id": "` + anna + `"}`)})
	require.NoError(t, err)
	unused := []string{"platform/damaged/en", "shop/damaged/de"}
	require.ElementsMatch(t, unused, tried.UnusedTexts)

	changed := settings(`{"opening": "outbound", "default_agent_id": "` + anna + `"}`)
	require.ElementsMatch(t, unused, changed.UnusedTexts)
	require.Len(t, changed.Warnings, 1)
	for _, part := range append(unused, "agent", "standard texts are used instead") {
		require.Contains(t, changed.Warnings[0], part)
	}
	read, err := b.client.Integration(ctx, "acme")
	require.NoError(t, err)
	require.Equal(t, changed.Warnings, read.Warnings, "the warning stays until the texts are changed")
	report, err := b.client.Validate(ctx, "acme")
	require.NoError(t, err)
	require.Contains(t, report.Warnings, changed.Warnings[0])

	preview := func(r client.PreviewRequest) client.Ticket {
		t.Helper()
		ticket, err := b.client.PreviewTemplate(ctx, "acme", "damaged", "de", r)
		require.NoError(t, err)
		return ticket
	}
	seen := preview(client.PreviewRequest{})
	require.Equal(t, "built-in/defective/de", seen.Template)
	require.Equal(t, claim.VoiceAgent, seen.Voice)
	require.Contains(t, seen.Body, "Wir kümmern uns darum")
	require.NotContains(t, preview(client.PreviewRequest{Template: &client.TemplateSource{Body: "Kaputt"}}).Body, "Kaputt")
	require.Contains(t, preview(client.PreviewRequest{Template: &client.TemplateSource{Voice: claim.VoiceAgent, Body: "Tut uns leid"}}).Body, "Tut uns leid")
	asCustomer := preview(client.PreviewRequest{Voice: claim.VoiceCustomer})
	require.Contains(t, asCustomer.Body, "Kaputt")
	require.Equal(t, claim.VoiceCustomer, asCustomer.Voice)

	again, err := b.client.SetTemplate(ctx, "acme", "damaged", "de", client.TemplateSource{Body: "Kaputt"})
	require.NoError(t, err)
	require.Len(t, again.Warnings, 1, "a text that is not used says so")
	own, err := b.client.SetTemplate(ctx, "acme", "damaged", "de", client.TemplateSource{Voice: claim.VoiceAgent, Body: "Tut uns leid"})
	require.NoError(t, err)
	require.Empty(t, own.Warnings)
	require.Equal(t, "shop/damaged/de", preview(client.PreviewRequest{}).Template)
	require.Equal(t, []string{"platform/damaged/en"}, settings(`{"tag": "claim"}`).UnusedTexts)
	require.Equal(t, []string{"shop/damaged/de"}, settings(`{"opening": "inbound"}`).UnusedTexts)

	_, err = b.client.SetTemplate(ctx, "acme", "damaged", "de", client.TemplateSource{Voice: "nobody", Body: "x"})
	require.ErrorContains(t, err, "voice")
	_, err = b.client.PreviewTemplate(ctx, "acme", "damaged", "de", client.PreviewRequest{Voice: "nobody"})
	require.ErrorContains(t, err, "voice")
}
