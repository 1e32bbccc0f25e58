package store_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/store"
)

const (
	adaMail  = "email:ada@customer.example"
	adaPhone = "phone:+4915112345678"
)

// endUser returns the end user of an identity; empty if none is stored.
func endUser(t *testing.T, s *store.Store, connectionID, identity string) string {
	t.Helper()
	r, err := s.Customers.Reserve(t.Context(), connectionID, identity, "reader", time.Minute)
	require.NoError(t, err)
	require.NoError(t, s.Customers.Release(t.Context(), connectionID, identity, "reader"))
	return r.EndUserID
}

func TestCustomerIsReservedRememberedAndForgotten(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, _ *clock) {
		ctx := t.Context()
		id := connect(t, s, "acme", "org-1").ID
		require.Empty(t, endUser(t, s, id, adaMail))

		r, err := s.Customers.Reserve(ctx, id, adaMail, "claim-1", time.Minute)
		require.NoError(t, err)
		require.Equal(t, store.Reservation{Held: true}, r)
		require.Empty(t, endUser(t, s, id, adaMail), "a reservation must not count as a customer")
		r, err = s.Customers.Reserve(ctx, id, adaMail, "claim-2", time.Minute)
		require.NoError(t, err)
		require.Equal(t, store.Reservation{}, r)
		r, err = s.Customers.Reserve(ctx, id, adaMail, "claim-1", time.Minute)
		require.NoError(t, err)
		require.True(t, r.Held, "a holder must be able to renew")

		require.NoError(t, s.Customers.Remember(ctx, id, []string{adaMail, adaPhone, adaMail}, "eu-1", "claim-1"))
		for _, identity := range []string{adaMail, adaPhone} {
			require.Equal(t, "eu-1", endUser(t, s, id, identity))
		}
		r, err = s.Customers.Reserve(ctx, id, adaPhone, "claim-2", time.Minute)
		require.NoError(t, err)
		require.Equal(t, store.Reservation{EndUserID: "eu-1"}, r)
		addShop(t, s, "far")
		require.Empty(t, endUser(t, s, connect(t, s, "far", "org-2").ID, adaMail), "customers of one organization must not be known in another")

		require.NoError(t, s.Customers.Forget(ctx, id, "eu-1"))
		require.Empty(t, endUser(t, s, id, adaPhone))
		require.Error(t, s.Customers.Remember(ctx, id, []string{adaMail}, "", "claim-1"))
		require.Error(t, s.Customers.Forget(ctx, id, ""))
		_, err = s.Customers.Reserve(ctx, id, adaMail, "", time.Minute)
		require.Error(t, err)
	})
}

func TestReservationEndsByReleaseOrExpiry(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		ctx := t.Context()
		id := connect(t, s, "acme", "org-1").ID
		held := func(identity, holder string) bool {
			r, err := s.Customers.Reserve(ctx, id, identity, holder, time.Minute)
			require.NoError(t, err)
			require.Empty(t, r.EndUserID)
			return r.Held
		}
		require.True(t, held(adaMail, "claim-1"))
		require.NoError(t, s.Customers.Release(ctx, id, adaMail, "claim-2"))
		require.False(t, held(adaMail, "claim-2"), "only the holder may release")
		require.NoError(t, s.Customers.Release(ctx, id, adaMail, "claim-1"))
		require.True(t, held(adaMail, "claim-2"))

		now.Turn(59 * time.Second)
		require.False(t, held(adaMail, "claim-3"))
		now.Turn(time.Second)
		require.True(t, held(adaMail, "claim-3"), "a lease must expire")

		// Remembering one identity releases the other identities that the claim holds.
		require.True(t, held(adaPhone, "claim-3"))
		require.NoError(t, s.Customers.Remember(ctx, id, []string{adaMail}, "eu-1", "claim-3"))
		require.True(t, held(adaPhone, "claim-4"))
	})
}

func TestConcurrentReservationsHaveOneHolder(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := database(t)
			s := open(t, url, newKeys(t))
			addShop(t, s, "acme")
			id := connect(t, s, "acme", "org-1").ID
			var holders atomic.Int32
			errs := atOnce(20, func(i int) error {
				r, err := s.Customers.Reserve(t.Context(), id, adaMail, fmt.Sprint("claim-", i), time.Hour)
				if r.Held {
					holders.Add(1)
				}
				return err
			})
			require.NoError(t, errors.Join(errs...))
			require.EqualValues(t, 1, holders.Load())
		})
	}
}
