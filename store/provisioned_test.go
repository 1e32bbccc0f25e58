package store_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/store"
)

func TestOneCreationOfAProvisionedObject(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		c := connect(t, s, "acme", "org-1").ID
		name := s.Provisioned.NameOf("Ada@example.org")
		require.Equal(t, name, s.Provisioned.NameOf("ada@EXAMPLE.org"))
		o := store.ProvisionedObject{ConnectionID: c, Kind: store.ProvisionedUser, Name: name, Body: []byte(`{"externalId":"e-1"}`)}
		begun := make([]store.ProvisionedObject, 8)
		for _, err := range atOnce(8, func(i int) (err error) {
			begun[i], err = s.Provisioned.Begin(t.Context(), o)
			return err
		}) {
			require.NoError(t, err)
		}
		for _, b := range begun {
			require.NotEmpty(t, b.Creating)
			require.Equal(t, begun[0].Creating, b.Creating, "all who create an object must use one key")
		}
		made := begun[0]
		made.ID, made.ObjectID = "1", "1"
		require.NoError(t, s.Provisioned.End(t.Context(), made))
		require.NoError(t, s.Provisioned.Abandon(t.Context(), made), "an ended creation cannot be abandoned")
		made.Creating = ""
		found, err := s.Provisioned.ByID(t.Context(), c, store.ProvisionedUser, "1")
		require.NoError(t, err)
		require.Equal(t, made, found)

		returning, err := s.Provisioned.Begin(t.Context(), made)
		require.NoError(t, err)
		require.NotEqual(t, begun[0].Creating, returning.Creating)
		changed := made
		changed.Body, changed.DeletedAt = []byte(`{}`), now.Now()
		require.NoError(t, s.Provisioned.Save(t.Context(), changed))
		require.NoError(t, s.Provisioned.Abandon(t.Context(), returning))
		found, err = s.Provisioned.ByID(t.Context(), c, store.ProvisionedUser, "1")
		require.NoError(t, err)
		require.Empty(t, found.Creating)
		require.Equal(t, changed.DeletedAt.UTC(), found.DeletedAt.UTC())
		require.JSONEq(t, `{}`, string(found.Body))

		_, err = s.Provisioned.ByID(t.Context(), c, store.ProvisionedGroup, "1")
		require.ErrorIs(t, err, store.ErrNotFound)
		all, err := s.Provisioned.List(t.Context(), c, store.ProvisionedUser)
		require.NoError(t, err)
		require.Len(t, all, 1)
		require.NoError(t, s.Provisioned.Delete(t.Context(), c, store.ProvisionedUser, name))
		never, err := s.Provisioned.Begin(t.Context(), o)
		require.NoError(t, err)
		require.NoError(t, s.Provisioned.Abandon(t.Context(), never))
		all, err = s.Provisioned.List(t.Context(), c, store.ProvisionedUser)
		require.NoError(t, err)
		require.Empty(t, all, "an object that never was must be forgotten")
	})
}
