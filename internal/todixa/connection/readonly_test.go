package connection_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/store"
)

func TestReadOnlyShopClientRejectsWrites(t *testing.T) {
	t.Parallel()
	b := setup(t, store.BudgetLimits{})
	ctx := t.Context()
	reader, err := b.clients.For(ctx, b.id, claim.Settings{ReadOnly: true})
	require.NoError(t, err)
	writer, err := b.clients.For(ctx, b.id, claim.Settings{})
	require.NoError(t, err)
	again, err := b.clients.For(ctx, b.id, claim.Settings{ReadOnly: true})
	require.NoError(t, err)
	require.Same(t, reader, again)

	_, err = reader.Organization.Get(ctx)
	require.NoError(t, err)
	for _, err := range reader.Conversations.Search(ctx, dixa.SearchQuery{Text: "nothing"}) {
		require.NoError(t, err)
	}
	_, err = reader.EndUsers.Create(ctx, dixa.EndUserInput{Email: "a@example.org"})
	require.ErrorIs(t, err, dixa.ErrReadOnly)
	require.Equal(t, dixa.Unsent, dixa.OutcomeOf(err))
	require.Zero(t, b.dixa.Stats().Writes())
	_, err = writer.EndUsers.Create(ctx, dixa.EndUserInput{Email: "a@example.org"})
	require.NoError(t, err)
	require.Equal(t, 1, b.dixa.Stats().Writes())
	require.Equal(t, 3, b.dixa.Stats().ByToken["demo-token"].Requests)

	// A token counts once, no matter which client reports it as rejected.
	first, err := b.clients.TokenRefused(ctx, b.id, reader)
	require.NoError(t, err)
	require.True(t, first)
	_, err = b.clients.For(ctx, b.id, claim.Settings{})
	require.ErrorContains(t, err, "needs a new Dixa token")
}

// The subscription and the sweep serve all shops of a Dixa, so one writable shop is
// enough.
func TestConnectionIsReadOnlyIfAllShopsAre(t *testing.T) {
	t.Parallel()
	b := setup(t, store.BudgetLimits{})
	ctx := t.Context()
	readOnly := func(shop, value string) {
		_, err := b.store.Settings.Save(ctx, shop, json.RawMessage(`{"read_only": `+value+`}`))
		require.NoError(t, err)
	}
	writes := func() bool {
		client, err := b.clients.Client(ctx, b.id)
		require.NoError(t, err)
		_, err = client.Tags.Create(ctx, dixa.TagInput{Name: "x"})
		if err != nil {
			require.ErrorIs(t, err, dixa.ErrReadOnly)
		}
		return err == nil
	}
	require.True(t, writes())
	readOnly("", "true")
	require.False(t, writes(), "inherited from the platform")
	readOnly("acme", "false")
	require.True(t, writes())

	_, err := b.store.Shops.Create(ctx, store.NewShop{Slug: "beta", Feature: true})
	require.NoError(t, err)
	_, err = b.store.Connections.SaveToken(ctx, "beta", "demo-token", store.Organization{ID: server.SeedOrganization})
	require.NoError(t, err)
	require.True(t, writes(), "acme allows writes")
	readOnly("acme", "null")
	require.False(t, writes())
	require.NoError(t, b.store.Shops.Delete(ctx, "acme"))
	require.NoError(t, b.store.Shops.Delete(ctx, "beta"))
	require.True(t, writes(), "no shop is read-only")
}
