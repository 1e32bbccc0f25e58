package store_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/store"
)

const (
	secretA = "aaaa000000000000000000000000000000000000000000000000000000001111"
	secretB = "bbbb000000000000000000000000000000000000000000000000000000002222"
	secretC = "cccc000000000000000000000000000000000000000000000000000000003333"
)

func TestReplacedSecretStaysValidForAWhile(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			s, now := setup(t, database(t))
			c := connect(t, s, "acme", "org-1")
			secrets := func() []string {
				all, err := s.Subscriptions.Secrets(ctx, c.ID)
				require.NoError(t, err)
				return all
			}
			save := func(secret string) {
				require.NoError(t, s.Subscriptions.Save(ctx, c.ID, store.SavedSubscription{ID: "sub-1", URL: "https://a.example/x", Secret: secret, Active: true}))
			}
			require.Empty(t, secrets())
			save(secretA)
			require.Equal(t, []string{secretA}, secrets())
			now.Turn(time.Hour)
			save(secretA)
			require.Equal(t, []string{secretA}, secrets(), "saving the same secret again must replace nothing")
			save(secretB)
			require.Equal(t, []string{secretB, secretA}, secrets())
			now.Turn(71 * time.Hour)
			require.Equal(t, []string{secretB, secretA}, secrets())
			now.Turn(2 * time.Hour)
			require.Equal(t, []string{secretB}, secrets())
			save(secretC)
			require.Equal(t, []string{secretC, secretB}, secrets(), "at most two secrets may be valid")
			require.ErrorContains(t, s.Subscriptions.Save(ctx, c.ID, store.SavedSubscription{ID: "sub-1", Secret: " "}), "must not be empty")
			none, err := s.Subscriptions.Secrets(ctx, "nobody")
			require.NoError(t, err)
			require.Empty(t, none)
		})
	}
}

func TestSubscriptionIsCreatedOrManual(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			s, _ := setup(t, database(t))
			var conflict *store.ConflictError
			_, err := s.Subscriptions.SaveSecret(ctx, "acme", secretA)
			require.ErrorAs(t, err, &conflict, "a secret requires a connection")
			_, err = s.Subscriptions.SaveSecret(ctx, "nobody", secretA)
			require.ErrorIs(t, err, store.ErrNotFound)
			c := connect(t, s, "acme", "org-1")
			shown := func() claim.Subscription {
				in, err := s.Settings.Integration(ctx, "acme")
				require.NoError(t, err)
				in.Subscription.UpdatedAt = time.Time{}
				return *in.Subscription
			}
			require.Equal(t, claim.Subscription{State: claim.SubscriptionNone}, shown())

			made := store.SavedSubscription{ID: "sub-1", URL: "https://a.example/x", Secret: secretA}
			require.NoError(t, s.Subscriptions.Save(ctx, c.ID, made))
			want := claim.Subscription{State: claim.SubscriptionUnfinished, ID: "sub-1", URL: "https://a.example/x", SecretPreview: "aaa…1111"}
			require.Equal(t, want, shown())
			made.Active, want.State = true, claim.SubscriptionActive
			require.NoError(t, s.Subscriptions.Save(ctx, c.ID, made))
			require.Equal(t, want, shown())

			id, err := s.Subscriptions.SaveSecret(ctx, "acme", secretB)
			require.NoError(t, err)
			require.Equal(t, c.ID, id)
			require.Equal(t, claim.Subscription{State: claim.SubscriptionByHand, SecretPreview: "bbb…2222"}, shown())
			_, err = s.Subscriptions.SaveSecret(ctx, "acme", "")
			require.NoError(t, err)
			require.Equal(t, claim.Subscription{State: claim.SubscriptionNone, SecretPreview: "bbb…2222"}, shown())

			require.NoError(t, s.Subscriptions.Save(ctx, c.ID, made))
			require.NoError(t, s.Subscriptions.Delete(ctx, c.ID))
			require.Equal(t, claim.SubscriptionNone, shown().State)
			secrets, err := s.Subscriptions.Secrets(ctx, c.ID)
			require.NoError(t, err)
			require.Contains(t, secrets, secretA, "events in flight must still be verified")
		})
	}
}

func TestSubscriptionIsWantedWhileAShopIsEnabled(t *testing.T) {
	t.Parallel()
	s, _ := setup(t, memory)
	ctx := t.Context()
	addShop(t, s, "second")
	c := connect(t, s, "acme", "org-1")
	require.Equal(t, c.ID, connect(t, s, "second", "org-1").ID)
	wanted := func() bool {
		w, err := s.Subscriptions.Wanted(ctx, c.ID)
		require.NoError(t, err)
		return w
	}
	require.False(t, wanted())
	require.NoError(t, s.Shops.SetEnabled(ctx, "acme", true))
	require.NoError(t, s.Shops.SetEnabled(ctx, "second", true))
	require.NoError(t, s.Shops.SetEnabled(ctx, "acme", false))
	require.True(t, wanted())
	require.NoError(t, s.Shops.Delete(ctx, "second"))
	require.False(t, wanted())
}

func TestSubscriptionLockHasOneHolder(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			s, now := setup(t, database(t))
			c := connect(t, s, "acme", "org-1")
			var holders atomic.Int32
			for _, err := range atOnce(8, func(i int) error {
				held, err := s.Subscriptions.Lock(ctx, c.ID, string(rune('a'+i)), time.Minute)
				if held {
					holders.Add(1)
				}
				return err
			}) {
				require.NoError(t, err)
			}
			require.EqualValues(t, 1, holders.Load())
			hold := func(holder string) bool {
				held, err := s.Subscriptions.Lock(ctx, c.ID, holder, time.Minute)
				require.NoError(t, err)
				return held
			}
			require.False(t, hold("x"))
			require.NoError(t, s.Subscriptions.Unlock(ctx, c.ID, "x"))
			require.False(t, hold("x"), "only the holder may unlock")
			now.Turn(time.Minute)
			require.True(t, hold("x"), "a lock must expire")
			require.False(t, hold("y"))
			require.NoError(t, s.Subscriptions.Unlock(ctx, c.ID, "x"))
			require.True(t, hold("y"))
			_, err := s.Subscriptions.Lock(ctx, "nobody", "x", time.Minute)
			require.ErrorIs(t, err, store.ErrNotFound)
		})
	}
}
