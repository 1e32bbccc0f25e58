package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/store"
)

func TestAccountTokens(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		ctx := t.Context()
		key, secret, err := s.APIKeys.Create(ctx, claim.NewKey{Name: "key", Shop: "acme", Scopes: []string{"proxy"}})
		require.NoError(t, err)
		token, err := s.APIKeys.IssueAccountToken(key.ID, "account-1", now.Now().Add(time.Minute))
		require.NoError(t, err)
		require.Contains(t, token, store.AccountTokenPrefix)
		require.NotContains(t, token, "account-1")
		another, err := s.APIKeys.IssueAccountToken(key.ID, "account-1", now.Now().Add(time.Minute))
		require.NoError(t, err)
		require.NotEqual(t, token, another)

		found, account, err := s.APIKeys.ByAccountToken(ctx, token)
		require.NoError(t, err)
		require.Equal(t, key, found, "with the scopes that the key has now")
		require.Equal(t, "account-1", account)
		for _, wrong := range []string{"", store.AccountTokenPrefix, secret, token + "x", token[1:]} {
			_, _, err = s.APIKeys.ByAccountToken(ctx, wrong)
			require.ErrorIs(t, err, store.ErrAccountToken)
		}
		_, err = s.APIKeys.BySecret(ctx, token)
		require.ErrorIs(t, err, store.ErrNotFound, "a token is not a key")

		require.NoError(t, s.APIKeys.Revoke(ctx, key.ID))
		_, _, err = s.APIKeys.ByAccountToken(ctx, another)
		require.ErrorIs(t, err, store.ErrAccountToken)

		key, _, err = s.APIKeys.Create(ctx, claim.NewKey{Name: "key", Scopes: []string{"proxy"}})
		require.NoError(t, err)
		token, err = s.APIKeys.IssueAccountToken(key.ID, "account-1", now.Now().Add(time.Minute))
		require.NoError(t, err)
		now.Turn(time.Minute)
		_, _, err = s.APIKeys.ByAccountToken(ctx, token)
		require.ErrorIs(t, err, store.ErrAccountToken, "it ends at its end")
	})
}
