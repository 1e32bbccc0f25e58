package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/store"
)

func TestWalls(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		ctx := t.Context()
		addShop(t, s, "other")
		n := claim.NewWall{Name: "Support\x00 room", Board: "backlog", Query: "period=7&zone=Europe/Berlin", Language: "de"}
		wall, secret, err := s.Walls.Create(ctx, "acme", "portal staff-1", n)
		require.NoError(t, err)
		require.Regexp(t, `^cfw_[\w-]{40,}$`, secret)
		require.Equal(t, "Support room", wall.Name)
		require.True(t, now.Now().Equal(wall.CreatedAt))
		second, another, err := s.Walls.Create(ctx, "acme", "portal staff-1", n)
		require.NoError(t, err)
		require.NotEqual(t, secret, another)
		require.NotEqual(t, wall.ID, second.ID)

		var stored string
		require.NoError(t, s.DB().QueryRowContext(ctx, `SELECT hash FROM portal_walls WHERE id = $1`, wall.ID).Scan(&stored))
		require.NotContains(t, stored, secret[len("cfw_"):])

		found, err := s.Walls.BySecret(ctx, secret)
		require.NoError(t, err)
		require.Equal(t, wall.ID, found.ID)
		require.Equal(t, "acme", found.Shop)
		require.Equal(t, wall.NewWall, found.NewWall)
		require.Equal(t, "portal staff-1", found.CreatedBy)
		require.True(t, found.LastUsedAt.IsZero())
		for _, wrong := range []string{"", "cfw_", secret + "x", secret[:len(secret)-1], stored, wall.ID} {
			_, err := s.Walls.BySecret(ctx, wrong)
			require.ErrorIs(t, err, store.ErrWall, "%q", wrong)
		}

		// The use is recorded to the minute.
		require.NoError(t, s.Walls.Used(ctx, found))
		first := now.Now()
		used := func() claim.Wall {
			w, err := s.Walls.BySecret(ctx, secret)
			require.NoError(t, err)
			return w
		}
		now.Turn(59 * time.Second)
		require.NoError(t, s.Walls.Used(ctx, used()))
		require.True(t, first.Equal(used().LastUsedAt))
		now.Turn(time.Second)
		require.NoError(t, s.Walls.Used(ctx, used()))
		require.True(t, now.Now().Equal(used().LastUsedAt))

		// A wall does not expire by itself.
		now.Turn(5 * 365 * 24 * time.Hour)
		used()

		// A shop neither sees nor revokes the walls of others.
		others, err := s.Walls.List(ctx, "other")
		require.NoError(t, err)
		require.Empty(t, others)
		require.ErrorIs(t, s.Walls.Revoke(ctx, "other", wall.ID), store.ErrNotFound)
		used()
		list, err := s.Walls.List(ctx, "acme")
		require.NoError(t, err)
		require.ElementsMatch(t, []string{wall.ID, second.ID}, []string{list[0].ID, list[1].ID})

		require.NoError(t, s.Walls.Revoke(ctx, "acme", wall.ID))
		_, err = s.Walls.BySecret(ctx, secret)
		require.ErrorIs(t, err, store.ErrWall)
		require.ErrorIs(t, s.Walls.Used(ctx, wall), store.ErrWall)
		require.ErrorIs(t, s.Walls.Revoke(ctx, "acme", wall.ID), store.ErrNotFound)
		_, err = s.Walls.BySecret(ctx, another)
		require.NoError(t, err, "the other link stays")
	})
}

func TestWallsOfWhatDoesNotExist(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, _ *clock) {
		ctx := t.Context()
		_, _, err := s.Walls.Create(ctx, "nobody", "", claim.NewWall{Name: "a", Board: "backlog"})
		require.ErrorIs(t, err, store.ErrNotFound)
		_, err = s.Walls.List(ctx, "nobody")
		require.ErrorIs(t, err, store.ErrNotFound)
		_, _, err = s.Walls.Create(ctx, "acme", "", claim.NewWall{Name: "a", Board: claim.OwnBoardPrefix + "nothing"})
		require.ErrorIs(t, err, store.ErrNotFound)
		for range claim.MaxWalls {
			_, _, err := s.Walls.Create(ctx, "acme", "", claim.NewWall{Name: "a", Board: "backlog"})
			require.NoError(t, err)
		}
		_, _, err = s.Walls.Create(ctx, "acme", "", claim.NewWall{Name: "a", Board: "backlog"})
		require.ErrorIs(t, err, store.ErrWalls)

		// A shop that is deleted takes its walls with it.
		addShop(t, s, "other")
		_, secret, err := s.Walls.Create(ctx, "other", "", claim.NewWall{Name: "a", Board: "backlog"})
		require.NoError(t, err)
		require.NoError(t, s.Shops.Delete(ctx, "other"))
		_, err = s.Walls.BySecret(ctx, secret)
		require.ErrorIs(t, err, store.ErrWall)
	})
}
