package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
)

const (
	tokenA = "dx-live-aaaaaaaaaaaaaaaaaaaaaaaa1111"
	tokenB = "dx-live-bbbbbbbbbbbbbbbbbbbbbbbb2222"
)

func TestShopsOfOneOrganizationShareAConnection(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		ctx := t.Context()
		addShop(t, s, "sister")
		addShop(t, s, "other")
		org := store.Organization{ID: "org-1", Name: "Acme Group"}
		c, err := s.Connections.SaveToken(ctx, "acme", tokenA, org)
		require.NoError(t, err)
		require.Equal(t, claim.Connection{
			ID: c.ID, OrganizationID: "org-1", OrganizationName: "Acme Group", State: claim.ConnectionActive,
			TokenPreview: "dx-…1111", TokenSavedAt: now.Now(), CreatedAt: now.Now(), UpdatedAt: now.Now(),
		}, c)
		sister, err := s.Connections.SaveToken(ctx, "sister", tokenB, org)
		require.NoError(t, err)
		require.Equal(t, c.ID, sister.ID)
		require.Equal(t, "dx-…2222", sister.TokenPreview)
		shops, err := s.Connections.Shops(ctx, c.ID)
		require.NoError(t, err)
		require.Equal(t, []string{"acme", "sister"}, shops)
		token, _, err := s.Connections.Token(ctx, c.ID)
		require.NoError(t, err)
		require.Equal(t, tokenB, token)
		require.EqualValues(t, 3, version(t, s, "acme"), "a token of another shop must not wake claims here")

		_, err = s.Connections.SaveToken(ctx, "acme", tokenA, store.Organization{ID: "org-2"})
		var other *store.OtherOrganizationError
		require.ErrorAs(t, err, &other)
		require.Equal(t, store.OtherOrganizationError{Have: "org-1", Got: "org-2"}, *other)
		require.NotContains(t, err.Error(), tokenA)
		token, _, err = s.Connections.Token(ctx, c.ID)
		require.NoError(t, err)
		require.Equal(t, tokenB, token, "a refused token must not be saved")
		_, err = s.Connections.SaveToken(ctx, "acme", "  ", org)
		require.ErrorContains(t, err, "empty")

		// A token with an unknown organization keeps the shop's connection.
		same, err := s.Connections.SaveToken(ctx, "acme", tokenA, store.Organization{})
		require.NoError(t, err)
		require.Equal(t, c.ID, same.ID)
		require.Equal(t, "Acme Group", same.OrganizationName)
		require.EqualValues(t, 1, version(t, s, "other"))
	})
}

func TestUnknownOrganizationIsPinned(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, _ *clock) {
		ctx := t.Context()
		addShop(t, s, "sister")
		unknown, err := s.Connections.SaveToken(ctx, "acme", tokenA, store.Organization{})
		require.NoError(t, err)
		require.Empty(t, unknown.OrganizationID)
		twin, err := s.Connections.SaveToken(ctx, "sister", tokenA, store.Organization{})
		require.NoError(t, err)
		require.Equal(t, unknown.ID, twin.ID, "one token must have one connection")

		known, err := s.Connections.SaveToken(ctx, "acme", tokenB, store.Organization{ID: "org-1"})
		require.NoError(t, err)
		require.Equal(t, unknown.ID, known.ID)
		require.Equal(t, "org-1", known.OrganizationID)
	})
}

func TestConnectionsOfOneOrganizationAreMerged(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, _ *clock) {
		ctx := t.Context()
		addShop(t, s, "sister")
		r := accept(t, s, sample("1"))
		unknown, err := s.Connections.SaveToken(ctx, "acme", tokenA, store.Organization{})
		require.NoError(t, err)
		require.NoError(t, s.Links.Create(ctx, store.LinkInput{Ref: r, ConnectionID: unknown.ID, ConversationID: 5}))
		require.NoError(t, s.Customers.Remember(ctx, unknown.ID, []string{adaMail}, "eu-1", ""))
		require.NoError(t, s.Conversations.Apply(ctx, store.EventEffects{
			Ref: r, State: claim.StateReceived, ConversationID: 5, Messages: []mirror.Message{{Message: claim.Message{ID: "m-1", Kind: claim.MessageKind, Text: "Hello"}}},
		}))
		known, err := s.Connections.SaveToken(ctx, "sister", tokenB, store.Organization{ID: "org-1"})
		require.NoError(t, err)
		require.NotEqual(t, unknown.ID, known.ID)

		merged, err := s.Connections.SaveToken(ctx, "acme", tokenA, store.Organization{ID: "org-1"})
		require.NoError(t, err)
		require.Equal(t, known.ID, merged.ID)
		found, err := s.Links.ClaimOf(ctx, known.ID, 5)
		require.NoError(t, err)
		require.Equal(t, r, found)
		w := load(t, s, r)
		require.Equal(t, known.ID, w.ConnectionID)
		require.Equal(t, "org-1", w.OrganizationID)
		_, err = s.Connections.Get(ctx, unknown.ID)
		require.ErrorIs(t, err, store.ErrNotFound)
		shops, err := s.Connections.Shops(ctx, known.ID)
		require.NoError(t, err)
		require.Equal(t, []string{"acme", "sister"}, shops)
	})
}

// The mirror of a merged connection is imported again. Its data sources stay, so that
// what they select is missing from the remaining connection's imports.
func TestMirrorOfMergedConnectionIsDeleted(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		ctx := t.Context()
		addShop(t, s, "sister")
		unknown, err := s.Connections.SaveToken(ctx, "acme", tokenA, store.Organization{})
		require.NoError(t, err)
		known, err := s.Connections.SaveToken(ctx, "sister", tokenB, store.Organization{ID: "org-1"})
		require.NoError(t, err)
		moved := selecting(t, s, unknown.ID, claim.DataSource{})
		present := selecting(t, s, known.ID, claim.DataSource{Channels: []string{"Email"}})
		for _, connection := range []string{unknown.ID, known.ID} {
			merge(t, s, everything(t, connection, 7))
			_, err := s.Mirror.SaveDirectory(ctx, connection, mirror.KindAgent, []mirror.DirectoryEntry{{ID: "a-1", Name: "Anna"}}, now.Now())
			require.NoError(t, err)
			i, waiting := begin(t, s, connection, 0, 1, 1, 2)
			finish(t, s, i, waiting[0], claim.WindowDone)
			require.NotEmpty(t, covered(t, s, connection))
		}
		require.NoError(t, s.Connections.SaveExportsToken(ctx, unknown.ID, tokenA))
		now.Turn(time.Minute)

		merged, err := s.Connections.SaveToken(ctx, "acme", tokenA, store.Organization{ID: "org-1"})
		require.NoError(t, err)
		require.Equal(t, known.ID, merged.ID)
		tables := append([]string{"directory", "imports", "coverage", "mirrors", "sources"}, mirrorTables...)
		for _, table := range tables {
			require.Zero(t, value[int](t, s, `SELECT COUNT(*) FROM `+table+` WHERE connection_id = $1`, unknown.ID), table)
		}
		require.Equal(t, 2, value[int](t, s, `SELECT COUNT(*) FROM import_windows`), "windows of the merged connection stayed")
		require.Len(t, stored(t, s, known.ID, 7, mirrorTables...), len(mirrorTables), "the remaining connection keeps its records")
		sources, err := s.DataSources.List(ctx, known.ID)
		require.NoError(t, err)
		require.ElementsMatch(t, []string{moved.ID, present.ID}, []string{sources[0].ID, sources[1].ID})
		require.Empty(t, covered(t, s, known.ID))
	})
}

func TestConcurrentTokensCreateOneConnection(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := database(t)
			s := open(t, url, newKeys(t))
			const shops = 8
			slug := func(i int) string { return string(rune('a' + i)) }
			for i := range shops {
				addShop(t, s, slug(i))
			}
			ids := make([]string, shops)
			errs := atOnce(shops, func(i int) error {
				c, err := s.Connections.SaveToken(t.Context(), slug(i), tokenA, store.Organization{ID: "org-1"})
				ids[i] = c.ID
				return err
			})
			require.NoError(t, errors.Join(errs...))
			for _, id := range ids {
				require.Equal(t, ids[0], id)
			}
		})
	}
}

func TestRefusedTokenIsMarkedOnce(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, _ *clock) {
		ctx := t.Context()
		c, err := s.Connections.SaveToken(ctx, "acme", tokenA, store.Organization{ID: "org-1"})
		require.NoError(t, err)
		_, hash, err := s.Connections.Token(ctx, c.ID)
		require.NoError(t, err)
		require.NotContains(t, hash, tokenA)
		before := version(t, s, "acme")

		first, err := s.Connections.MarkNeedsToken(ctx, c.ID, hash)
		require.NoError(t, err)
		require.True(t, first)
		first, err = s.Connections.MarkNeedsToken(ctx, c.ID, hash)
		require.NoError(t, err)
		require.False(t, first, "the owner must be notified once")
		c, err = s.Connections.Get(ctx, c.ID)
		require.NoError(t, err)
		require.Equal(t, claim.ConnectionNeedsToken, c.State)
		require.Equal(t, before, version(t, s, "acme"), "a refused token must not wake claims")

		_, err = s.Connections.SaveToken(ctx, "acme", tokenB, store.Organization{ID: "org-1"})
		require.NoError(t, err)
		first, err = s.Connections.MarkNeedsToken(ctx, c.ID, hash)
		require.NoError(t, err)
		require.False(t, first, "a late refusal of the old token must not affect the new one")
		c, err = s.Connections.Get(ctx, c.ID)
		require.NoError(t, err)
		require.Equal(t, claim.ConnectionActive, c.State)
	})
}

func TestUnknownConnectionIsNotFound(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, _ *clock) {
		_, err := s.Connections.Get(t.Context(), "unknown")
		require.ErrorIs(t, err, store.ErrNotFound)
		_, _, err = s.Connections.Token(t.Context(), "unknown")
		require.ErrorIs(t, err, store.ErrNotFound)
	})
}

func TestRemovedToken(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, _ *clock) {
		ctx := t.Context()
		addShop(t, s, "sister")
		org := store.Organization{ID: "org-1"}
		for _, shop := range []string{"acme", "sister"} {
			_, err := s.Connections.SaveToken(ctx, shop, tokenA, org)
			require.NoError(t, err)
			require.NoError(t, s.Shops.SetEnabled(ctx, shop, true))
		}
		sister, err := s.Shops.Get(ctx, "sister")
		require.NoError(t, err)
		require.NoError(t, s.Connections.SaveExportsToken(ctx, sister.Connection.ID, tokenB))

		require.NoError(t, s.Connections.RemoveToken(ctx, "acme"))
		acme, err := s.Shops.Get(ctx, "acme")
		require.NoError(t, err)
		require.Nil(t, acme.Connection)
		require.False(t, acme.Enabled)
		_, _, err = s.Connections.Token(ctx, sister.Connection.ID)
		require.NoError(t, err, "the other shop keeps the token")

		require.NoError(t, s.Connections.RemoveToken(ctx, "sister"))
		for range 2 {
			_, _, err = s.Connections.Token(ctx, sister.Connection.ID)
			require.ErrorIs(t, err, store.ErrNotFound)
			_, _, err = s.Connections.ExportsToken(ctx, sister.Connection.ID)
			require.ErrorIs(t, err, store.ErrNotFound)
			require.NoError(t, s.Connections.RemoveToken(ctx, "sister"), "there is nothing left to remove")
		}
		require.ErrorIs(t, s.Connections.RemoveToken(ctx, "nobody"), store.ErrNotFound)

		back, err := s.Connections.SaveToken(ctx, "sister", tokenB, org)
		require.NoError(t, err)
		require.Equal(t, sister.Connection.ID, back.ID)
		require.Equal(t, claim.ConnectionActive, back.State)
	})
}
