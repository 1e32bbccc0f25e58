package portal_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/emulator/server"
)

func TestSetup(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.enter(client.NewPortalLink{})
	first := p.get("/portal/setup")
	require.Contains(t, first.text, "Save a token first")

	b.dixa.Revoke("revoked-token-0123456789")
	for given, words := range map[string]string{
		" " + token:                "Paste only the token",
		"":                         "Paste only the token",
		"revoked-token-0123456789": "Dixa does not accept this token",
	} {
		refused := p.post("/portal/setup/token", url.Values{"token": {given}})
		require.Equal(t, http.StatusUnprocessableEntity, refused.status, given)
		require.Contains(t, refused.text, words, given)
		if given != "" {
			require.NotContains(t, refused.text, given, "a token is never shown")
		}
	}

	saved := p.post("/portal/setup/token", url.Values{"token": {token}})
	require.Equal(t, http.StatusOK, saved.status)
	require.Contains(t, saved.text, "The token works")
	require.Contains(t, saved.text, "dix…4f2a")
	require.NotContains(t, saved.text, token)
	require.Contains(t, saved.text, "Save a mailbox first")
	require.Contains(t, saved.text, `<option value="`+server.SeedMailbox+`"`)

	refused := p.post("/portal/setup/enable", nil)
	require.Equal(t, http.StatusConflict, refused.status)

	refused = p.post("/portal/setup/settings", url.Values{"email_integration_id": {"nobody@acme.example"}})
	require.Equal(t, http.StatusUnprocessableEntity, refused.status)
	require.Contains(t, refused.text, `id="email_integration_id-fault"`)

	saved = p.post("/portal/setup/settings", url.Values{"email_integration_id": {server.SeedMailbox}, "default_agent_id": {""}})
	require.Contains(t, saved.text, "Saved.")
	on := p.post("/portal/setup/enable", nil)
	require.Contains(t, on.text, "Dixa is on.")
	require.Contains(t, on.text, `<meta name="claimflow-event" content="enabled">`)
	in, err := b.client.Integration(t.Context(), shop)
	require.NoError(t, err)
	require.True(t, in.Enabled)
	require.Equal(t, server.SeedMailbox, in.Effective.EmailIntegrationID)

	tested := p.post("/portal/setup/test", url.Values{"email": {"me@acme.example"}})
	require.Equal(t, http.StatusOK, tested.status, tested.text)
	require.Contains(t, tested.text, "Results of the test")

	off := p.post("/portal/setup/disable", nil)
	require.Contains(t, off.text, "Dixa is off.")

	p.post("/portal/setup/enable", nil)
	removed := p.post("/portal/setup/disconnect", nil)
	require.Contains(t, removed.text, "The token was removed")
	require.Contains(t, removed.text, "Save a token first")
	in, err = b.client.Integration(t.Context(), shop)
	require.NoError(t, err)
	require.Nil(t, in.Connection)
	require.False(t, in.Enabled)
	require.Equal(t, server.SeedMailbox, in.Effective.EmailIntegrationID, "the settings stay")
}
