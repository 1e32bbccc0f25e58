package store_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/kpi"
	"github.com/claimflow/claimflow/store"
)

// A connection is shared from the moment that a second shop uses it until that shop is
// deleted, whether or not it still uses the connection.
func TestConnectionStaysSharedAfterAShopHasLeft(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, _ *clock) {
		ctx := t.Context()
		addShop(t, s, "sister")
		shared := func(id string) bool {
			t.Helper()
			c, err := s.Connections.Get(ctx, id)
			require.NoError(t, err)
			shop, err := s.Shops.Get(ctx, "acme")
			require.NoError(t, err)
			require.Equal(t, c.Shared, shop.Connection.Shared)
			all, err := s.Connections.List(ctx)
			require.NoError(t, err)
			i := slices.IndexFunc(all, func(c store.ConnectionShops) bool { return c.ID == id })
			require.Equal(t, c.Shared, all[i].Shared)
			return c.Shared
		}
		id := connect(t, s, "acme", "org-1").ID
		require.False(t, shared(id))
		require.Equal(t, id, connect(t, s, "sister", "org-1").ID)
		require.True(t, shared(id))
		require.NoError(t, s.Connections.RemoveToken(ctx, "sister"))
		require.True(t, shared(id))
		connect(t, s, "sister", "org-2")
		require.True(t, shared(id))
		require.NoError(t, s.Shops.Delete(ctx, "sister"))
		require.False(t, shared(id))
	})
}

func TestMergedConnectionIsSharedByTheShopsOfBoth(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, _ *clock) {
		ctx := t.Context()
		addShop(t, s, "sister")
		_, err := s.Connections.SaveToken(ctx, "acme", tokenA, store.Organization{})
		require.NoError(t, err)
		_, err = s.Connections.SaveToken(ctx, "sister", tokenA, store.Organization{})
		require.NoError(t, err)
		require.NoError(t, s.Connections.RemoveToken(ctx, "sister"))
		addShop(t, s, "known")
		_, err = s.Connections.SaveToken(ctx, "known", tokenB, store.Organization{ID: "org-1"})
		require.NoError(t, err)
		require.NoError(t, s.Shops.Delete(ctx, "known"))
		merged, err := s.Connections.SaveToken(ctx, "acme", tokenA, store.Organization{ID: "org-1"})
		require.NoError(t, err)
		require.True(t, merged.Shared, "sister used the connection that was merged")
	})
}

// Figures for a shop count its claims only; all claims belong to those of everyone.
func TestFiguresForAShop(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, _ *clock) {
		ctx := t.Context()
		addShop(t, s, "sister")
		id := connect(t, s, "acme", "org-1").ID
		connect(t, s, "sister", "org-1")
		for _, of := range []struct{ shop, id string }{{"acme", "1"}, {"acme", "2"}, {"sister", "1"}} {
			c := sample(of.id)
			c.Shop = of.shop
			r := accept(t, s, c)
			_, err := s.Claims.Change(ctx, r, claim.EventPark, store.ClaimUpdate{Cause: claim.CauseRouting})
			require.NoError(t, err)
		}
		seen := func(shop string, q kpi.Query) map[string]int {
			t.Helper()
			shops := map[string]int{}
			for o, err := range s.Mirror.FiguresFor(id, shop).Observe(ctx, q) {
				require.NoError(t, err)
				shops[o.Group]++
			}
			return shops
		}
		for _, q := range []kpi.Query{
			{Table: kpi.Claims, Date: kpi.ClaimAcceptedAt, Group: kpi.ClaimShop},
			{Table: kpi.Parkings, Date: kpi.ParkingAt, Group: kpi.ClaimShop},
		} {
			require.Equal(t, map[string]int{"acme": 2, "sister": 1}, seen("", q))
			require.Equal(t, map[string]int{"acme": 2}, seen("acme", q))
			require.Equal(t, map[string]int{"sister": 1}, seen("sister", q))
			require.Empty(t, seen("nobody", q))
			q.Where = []kpi.Condition{{Column: kpi.ClaimShop, Operator: kpi.OneOf, Texts: []string{"sister"}}}
			require.Empty(t, seen("acme", q), "a filter must not widen what a shop sees")
		}
	})
}
