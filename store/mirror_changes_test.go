package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
)

// An entry of the directory that was added and is gone has one change, wherever a reader
// begins.
func TestEntryThatIsGoneIsDeletedOnce(t *testing.T) {
	t.Parallel()
	onEachMirror(t, func(t *testing.T, s *store.Store, _ *clock, connection string) {
		_, err := s.Mirror.SaveDirectory(t.Context(), connection, mirror.KindTag, []mirror.DirectoryEntry{{ID: "t-1", Name: "vip"}, {ID: "t-2", Name: "claim"}}, time.Now())
		require.NoError(t, err)
		require.NoError(t, s.Mirror.MarkEntryGone(t.Context(), connection, mirror.KindTag, "t-1"))
		told := func(after store.ChangePlace) (all []string) {
			changes, _, _, err := s.Mirror.Changes(t.Context(), connection, after, 100)
			require.NoError(t, err)
			for _, c := range changes {
				kind := claim.RecordUpdated
				switch {
				case c.Deleted:
					kind = claim.RecordDeleted
				case c.Added:
					kind = claim.RecordCreated
				}
				all = append(all, c.ID+" "+kind)
			}
			return all
		}
		require.Equal(t, []string{"t-2 " + claim.RecordCreated, "t-1 " + claim.RecordDeleted}, told(store.ChangePlace{}))
		require.Equal(t, []string{"t-1 " + claim.RecordDeleted}, told(store.ChangePlace{Change: 2, Stream: store.DeletedRecords}))
	})
}
