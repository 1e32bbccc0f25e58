package onboarding_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	emulator "github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/internal/onboarding"
	"github.com/claimflow/claimflow/internal/todixa/connection"
)

// interrupting is a Dixa that, while it is asked about settings, has another caller
// save other settings.
type interrupting struct {
	onboarding.Dixa
	save func()
}

func (d *interrupting) For(ctx context.Context, connectionID string, settings claim.Settings) (*dixa.Client, error) {
	d.save()
	return d.Dixa.For(ctx, connectionID, settings)
}

func TestConcurrentSettingsAreValidatedTogether(t *testing.T) {
	t.Parallel()
	b := newBench(t, emulator.Options{})
	b.connect()
	_, err := b.store.Settings.Save(t.Context(), shop, json.RawMessage(`{"default_agent_id": "`+emulator.SeedAgentAnna+`"}`))
	require.NoError(t, err)
	between := func(other string) *onboarding.Service {
		clients := connection.New(b.store, connection.Options{BaseURL: b.server.URL + "/v1/"})
		return onboarding.New(onboarding.Options{Store: b.store, Dixa: &interrupting{clients, func() {
			_, err := b.store.Settings.Save(t.Context(), shop, json.RawMessage(other))
			require.NoError(t, err)
		}}})
	}

	in, err := between(`{"tag": "x"}`).UpdateSettings(t.Context(), shop, json.RawMessage(`{"default_language": "fr", "order_number_attribute": "`+emulator.SeedAttrOrderNumber+`"}`))
	require.NoError(t, err)
	require.Equal(t, "x", in.Effective.Tag, "the concurrent change was reverted")
	require.Equal(t, "fr", in.Effective.DefaultLanguage)

	_, err = between(`{"default_agent_id": null}`).UpdateSettings(t.Context(), shop, json.RawMessage(`{"opening": "outbound", "claim_id_attribute": "`+emulator.SeedAttrClaimID+`"}`))
	var invalid *claim.InvalidError
	require.ErrorAs(t, err, &invalid)
	require.Equal(t, "default_agent_id", invalid.Errors[0].Field, "outbound conversations must have an author")
	in, err = b.store.Settings.Integration(t.Context(), shop)
	require.NoError(t, err)
	require.Equal(t, "inbound", in.Effective.Opening)
}
