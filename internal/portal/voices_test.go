package portal_test

import (
	"html"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/emulator/server"
)

// The pages of texts and rules say who speaks and which texts are not used, and a text that
// is saved speaks as the one who writes first.
func TestTextsHaveTheVoiceInForce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect()
	p := b.enter(client.NewPortalLink{})
	const path = "/portal/templates/damaged?language=en"
	save := func(body string) answer {
		t.Helper()
		return p.post(path, url.Values{"subject": {""}, "body": {body}, "format": {"html"}, "note": {""}, "tags": {""}, "evidence": {"item", "claim", "optional", "signature"}})
	}
	text := func(path string) string {
		t.Helper()
		seen := p.get(path)
		require.Equal(t, http.StatusOK, seen.status)
		return html.UnescapeString(seen.text)
	}
	require.Equal(t, http.StatusOK, save("<p>My mug is in pieces.</p>").status)
	require.Contains(t, text(path), "Written as if by the customer.")
	require.Contains(t, text("/portal/templates"), "The first message speaks as the customer")
	require.NotContains(t, text("/portal/templates"), "These texts speak as")

	opening := url.Values{"opening": {"outbound"}, "language": {""}, "default_language": {""}, "default_country": {""}}
	b.settings(`{"default_agent_id": "` + server.SeedAgentAnna + `"}`)
	opening.Set("do", "try")
	require.Contains(t, p.post("/portal/rules/voice", opening).text, "These texts would not be used")
	opening.Set("do", "save")
	changed := p.post("/portal/rules/voice", opening)
	require.Equal(t, http.StatusOK, changed.status)
	const unused = "These texts speak as the customer."
	require.Contains(t, changed.text, unused)
	require.Contains(t, text("/portal/templates"), unused)
	require.Contains(t, text("/portal/templates"), "emailed to the customer at once")

	seen := text(path)
	require.Contains(t, seen, "Your own text for this speaks as the customer.")
	require.Contains(t, seen, "<pre><p>My mug is in pieces.</p></pre>", "the text is not lost")
	require.Contains(t, seen, "We are looking into it and will reply here.")
	require.Contains(t, seen, "Written by the agent to the customer")
	inherited, err := b.client.Template(t.Context(), shop, "damaged", "en")
	require.NoError(t, err)
	require.Equal(t, http.StatusUnprocessableEntity, save(inherited.Inherited.Body).status, "saving without a change must not delete the text")

	require.Equal(t, http.StatusOK, save("<p>We are sorry about your mug.</p>").status)
	own, err := b.client.Template(t.Context(), shop, "damaged", "en")
	require.NoError(t, err)
	require.Equal(t, claim.VoiceAgent, own.Own.Voice)
	require.Equal(t, "shop", own.Scope)
	require.NotContains(t, text(path), "Your own text for this speaks as")
	require.NotContains(t, text("/portal/rules"), unused)
	b.settings(`{"opening": "inbound"}`)
	require.Contains(t, text("/portal/rules"), "These texts speak as the agent.")
	require.Contains(t, text(path), "Your own text for this speaks as the agent.")
}
