package store_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
)

func TestTeamsOfAnAgentAreSavedAtOnce(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		c := connect(t, s, "acme", "org-1").ID
		team := func(id string, members ...string) mirror.DirectoryEntry {
			return mirror.DirectoryEntry{ID: id, Name: id, Object: []byte(`{"id":"` + id + `"}`), MemberIDs: members}
		}
		_, err := s.Mirror.SaveDirectory(t.Context(), c, mirror.KindTeam, []mirror.DirectoryEntry{
			team("join", "other"), team("leave", "ada", "other"), team("stay", "ada"), team("gone", "ada"),
		}, now.Now())
		require.NoError(t, err)
		require.NoError(t, s.Mirror.MarkEntryGone(t.Context(), c, mirror.KindTeam, "gone"))
		require.NoError(t, s.Mirror.SaveTeamsOf(t.Context(), c, "ada", []string{"JOIN", "stay", "unknown"}))

		for id, members := range map[string][]string{"join": {"other", "ada"}, "leave": {"other"}, "stay": {"ada"}, "gone": {"ada"}} {
			row, err := s.Mirror.DirectoryRow(t.Context(), c, mirror.KindTeam, id)
			require.NoError(t, err)
			require.Equal(t, members, row.MemberIDs, id)
			require.Equal(t, id == "gone", !row.GoneAt.IsZero(), id)
			require.Equal(t, id, row.Name)
		}
		_, err = s.Mirror.DirectoryRow(t.Context(), c, mirror.KindTeam, "unknown")
		require.ErrorIs(t, err, store.ErrNotFound)
	})
}
