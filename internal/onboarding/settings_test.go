package onboarding_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	emulator "github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/internal/connection"
	"github.com/claimflow/claimflow/internal/onboarding"
	"github.com/claimflow/claimflow/store"
)

// interrupted is a store in which another change is saved between the look at
// the settings and the save.
type interrupted struct {
	*store.Store
	other json.RawMessage
}

func (s *interrupted) SaveSettings(ctx context.Context, slug string, patch json.RawMessage, rules ...func(claim.Settings) error) (int64, error) {
	if _, err := s.Store.SaveSettings(ctx, slug, s.other); err != nil {
		return 0, err
	}
	return s.Store.SaveSettings(ctx, slug, patch, rules...)
}

func TestSettingsAreJudgedTogetherWithThoseThatCameBetween(t *testing.T) {
	t.Parallel()
	b := newBench(t, emulator.Options{})
	_, err := b.store.SaveSettings(t.Context(), shop, json.RawMessage(`{"default_agent_id": "`+emulator.SeedAgentAnna+`"}`))
	require.NoError(t, err)
	between := func(other string) *onboarding.Service {
		return onboarding.New(onboarding.Options{
			Store: &interrupted{b.store, json.RawMessage(other)}, Dixa: connection.New(b.store, connection.Options{BaseURL: b.server.URL + "/v1/"}),
		})
	}

	in, err := between(`{"tag": "x"}`).ChangeSettings(t.Context(), shop, json.RawMessage(`{"default_language": "fr"}`))
	require.NoError(t, err)
	require.Equal(t, "x", in.Effective.Tag, "the other change was taken back")
	require.Equal(t, "fr", in.Effective.DefaultLanguage)

	_, err = between(`{"default_agent_id": null}`).ChangeSettings(t.Context(), shop, json.RawMessage(`{"opening": "outbound"}`))
	var invalid *claim.InvalidError
	require.ErrorAs(t, err, &invalid)
	require.Equal(t, "default_agent_id", invalid.Faults[0].Field, "conversations would open with a message of nobody")
	in, err = b.store.Integration(t.Context(), shop)
	require.NoError(t, err)
	require.Equal(t, "inbound", in.Effective.Opening)
}
