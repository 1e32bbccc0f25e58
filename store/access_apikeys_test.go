package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/store"
)

func TestAPIKeys(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		ctx := t.Context()
		key, secret, err := s.APIKeys.Create(ctx, claim.NewKey{Name: "shop's key", Shop: "acme", Scopes: []string{"claims:write", "claims:read"}})
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(secret, "cfk_"))
		require.Len(t, secret, 4+43, "the secret must have 256 bits")
		require.Equal(t, "cfk_…"+secret[len(secret)-4:], key.Preview)
		now.Turn(time.Second)
		platform, other, err := s.APIKeys.Create(ctx, claim.NewKey{Name: "platform", Scopes: []string{"admin"}})
		require.NoError(t, err)
		require.NotEqual(t, secret, other)

		found, err := s.APIKeys.BySecret(ctx, secret)
		require.NoError(t, err)
		require.Equal(t, key, found)
		for _, wrong := range []string{"", "cfk_", secret + "x", key.ID} {
			_, err = s.APIKeys.BySecret(ctx, wrong)
			require.ErrorIs(t, err, store.ErrNotFound)
		}

		keys, err := s.APIKeys.List(ctx, "")
		require.NoError(t, err)
		require.Equal(t, []claim.Key{platform, key}, keys)
		keys, err = s.APIKeys.List(ctx, "acme")
		require.NoError(t, err)
		require.Equal(t, []claim.Key{key}, keys)

		require.NoError(t, s.APIKeys.Revoke(ctx, key.ID))
		revoked := now.Now()
		now.Turn(time.Second)
		require.NoError(t, s.APIKeys.Revoke(ctx, key.ID))
		_, err = s.APIKeys.BySecret(ctx, secret)
		require.ErrorIs(t, err, store.ErrNotFound)
		keys, err = s.APIKeys.List(ctx, "acme")
		require.NoError(t, err)
		require.Equal(t, revoked, keys[0].RevokedAt)
		require.ErrorIs(t, s.APIKeys.Revoke(ctx, "unknown"), store.ErrNotFound)
	})
}

func TestAuditLogRedactsSecrets(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, _ *clock) {
		details := map[string]string{"token": tokenA, "Client_Secret": "s3", "note": "used cfk_abc", "agent": "a-1"}
		require.NoError(t, s.AuditLog.Append(t.Context(), claim.AuditEntry{Actor: "cli", Action: "token.save", Shop: "acme", Target: "c-1", Details: details}))
		require.Equal(t, tokenA, details["token"], "the caller's details must not change")
		entries, next, err := s.AuditLog.List(t.Context(), claim.AuditFilter{})
		require.NoError(t, err)
		require.Empty(t, next)
		require.Len(t, entries, 1)
		require.Equal(t, map[string]string{"token": "[redacted]", "Client_Secret": "[redacted]", "note": "[redacted]", "agent": "a-1"}, entries[0].Details)
	})
}

func TestAuditLogFiltersAndPages(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		ctx := t.Context()
		start := now.Now()
		for i, e := range []claim.AuditEntry{
			{Actor: "ann", Action: "claim.retry", Shop: "acme", Target: "1"},
			{Actor: "bob", Action: "claim.retry", Shop: "acme", Target: "2"},
			{Actor: "bob", Action: "shop.pause", Shop: "other", Target: "3"},
			{Actor: "bob", Action: "key.create", Target: "4\x00"},
		} {
			require.NoError(t, s.AuditLog.Append(ctx, e))
			if i == 1 {
				now.Turn(time.Second)
			}
		}
		targets := func(f claim.AuditFilter) (all []string) {
			for {
				entries, next, err := s.AuditLog.List(ctx, f)
				require.NoError(t, err)
				for _, e := range entries {
					require.NotEmpty(t, e.ID)
					all = append(all, e.Target)
				}
				if next == "" {
					return all
				}
				f.Cursor = next
			}
		}
		require.ElementsMatch(t, []string{"1", "2", "3", "4"}, targets(claim.AuditFilter{Limit: 1}))
		require.ElementsMatch(t, []string{"1", "2"}, targets(claim.AuditFilter{Shop: "acme"}))
		require.ElementsMatch(t, []string{"2", "3", "4"}, targets(claim.AuditFilter{Actor: "bob", Limit: 2}))
		require.Equal(t, []string{"3"}, targets(claim.AuditFilter{Action: "shop.pause"}))
		require.ElementsMatch(t, []string{"3", "4"}, targets(claim.AuditFilter{Since: start.Add(time.Second)}))
		require.ElementsMatch(t, []string{"1", "2"}, targets(claim.AuditFilter{Until: start.Add(time.Second)}))
		_, _, err := s.AuditLog.List(ctx, claim.AuditFilter{Cursor: "?"})
		require.ErrorAs(t, err, new(*claim.InvalidError))
	})
}
