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
		begun, fresh := make([]store.ProvisionedObject, 8), make(chan struct{}, 8)
		for _, err := range atOnce(8, func(i int) error {
			stored, first, err := s.Provisioned.Begin(t.Context(), o)
			if begun[i] = stored; first {
				fresh <- struct{}{}
			}
			return err
		}) {
			require.NoError(t, err)
		}
		require.Len(t, fresh, 1)
		for _, b := range begun {
			require.NotEmpty(t, b.Changing)
			require.Equal(t, begun[0].Changing, b.Changing, "all who create an object must use one operation")
		}
		made := begun[0]
		made.ID, made.ObjectID = "1", "1"
		require.NoError(t, s.Provisioned.End(t.Context(), made))
		require.NoError(t, s.Provisioned.Abandon(t.Context(), made), "an ended creation cannot be abandoned")
		made.Changing = ""
		only := func() store.ProvisionedObject {
			all, err := s.Provisioned.List(t.Context(), c, store.ProvisionedUser)
			require.NoError(t, err)
			require.Len(t, all, 1)
			return all[0]
		}
		require.Equal(t, made, only())

		returning, first, err := s.Provisioned.Begin(t.Context(), o)
		require.NoError(t, err)
		require.True(t, first)
		require.NotEqual(t, begun[0].Changing, returning.Changing)
		require.Equal(t, only(), returning)
		require.Equal(t, made.ID, returning.ID, "what is known must stay: the creation may be refused")
		require.NoError(t, s.Provisioned.Renew(t.Context(), begun[0]), "an ended creation changes nothing")
		require.JSONEq(t, `{"externalId":"e-1"}`, string(only().Body))
		next := returning
		next.Body = []byte(`{"externalId":"e-2"}`)
		require.NoError(t, s.Provisioned.Renew(t.Context(), next))
		require.JSONEq(t, `{"externalId":"e-2"}`, string(only().Body))
		changed := made
		changed.Body, changed.DeletedAt = []byte(`{}`), now.Now()
		require.NoError(t, s.Provisioned.Save(t.Context(), changed))
		require.NoError(t, s.Provisioned.Abandon(t.Context(), returning))
		found := only()
		require.Equal(t, "1", found.ID)
		require.Empty(t, found.Changing)
		require.Equal(t, changed.DeletedAt.UTC(), found.DeletedAt.UTC())
		require.JSONEq(t, `{}`, string(found.Body))

		require.NoError(t, s.Provisioned.Delete(t.Context(), c, store.ProvisionedUser, name))
		never, _, err := s.Provisioned.Begin(t.Context(), o)
		require.NoError(t, err)
		require.NoError(t, s.Provisioned.Abandon(t.Context(), never))
		all, err := s.Provisioned.List(t.Context(), c, store.ProvisionedUser)
		require.NoError(t, err)
		require.Empty(t, all, "an object that never was must be forgotten")
	})
}
