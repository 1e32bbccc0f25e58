package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/store"
)

func TestOpenedOmitsClaimsBeingOpened(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, _ *clock) {
		for _, id := range []string{"received", "opening", "skipped", "parked", "of nobody's interest"} {
			accept(t, s, sample(id))
		}
		for id, events := range map[string][]claim.Event{
			"opening": {claim.EventStart}, "skipped": {claim.EventSkip}, "parked": {claim.EventStart, claim.EventPark},
		} {
			for _, e := range events {
				_, err := s.Claims.Change(t.Context(), ref(id), e, store.ClaimUpdate{Cause: claim.CauseUnexpected})
				require.NoError(t, err)
			}
		}
		opened, err := s.Claims.Opened(t.Context(), []claim.Ref{ref("received"), ref("opening"), ref("skipped"), ref("parked"), ref("unknown")})
		require.NoError(t, err)
		require.ElementsMatch(t, []claim.Ref{ref("skipped"), ref("parked"), ref("unknown")}, opened)
	})
}

func TestClaimsAreFoundByWhatTheyAreAbout(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		accept(t, s, sample("c-1"))
		now.Turn(time.Minute)
		other := sample("c-2")
		other.Customer.Email, other.Order.Number, other.Phase = "Bob@Customer.example", "c-1", "inTransit"
		other.Shipments = []claim.Shipment{{Carrier: "DHL Express"}}
		accept(t, s, other)
		same := sample("same")
		same.Customer, same.Order.Number = claim.Customer{ExternalID: "same"}, "same"
		accept(t, s, same)
		hash, none := sample("hash"), sample("none")
		hash.Customer, hash.Order.Number = claim.Customer{Email: "eve@customer.example", LastName: "Eve"}, "#20001"
		none.Customer, none.Order.Number = claim.Customer{Email: "none@customer.example"}, ""
		accept(t, s, hash)
		accept(t, s, none)
		names, err := s.Claims.CustomerNames(t.Context(), "acme", []string{"c-1", "hash", "none", "unknown"})
		require.NoError(t, err)
		require.Equal(t, map[string]string{"c-1": sample("c-1").Customer.FirstName + " " + sample("c-1").Customer.LastName, "hash": "Eve"}, names)
		for _, test := range []struct {
			filter store.ClaimFilter
			want   []string
		}{
			{store.ClaimFilter{Search: "c-1"}, []string{"c-2", "c-1"}},
			{store.ClaimFilter{Search: "same"}, []string{"same"}},
			{store.ClaimFilter{Search: " #same"}, []string{"same"}},
			{store.ClaimFilter{Search: "20001"}, []string{"hash"}},
			{store.ClaimFilter{Search: "#20001 "}, []string{"hash"}},
			{store.ClaimFilter{Search: "# 20001"}, []string{"hash"}},
			{store.ClaimFilter{Search: "#"}, nil},
			{store.ClaimFilter{Search: "bob@customer.EXAMPLE"}, []string{"c-2"}},
			{store.ClaimFilter{Search: "ada@customer.example", Phase: "Delivered"}, []string{"c-1"}},
			{store.ClaimFilter{Carrier: "dhl-express"}, []string{"c-2"}},
			{store.ClaimFilter{Search: "x\x00"}, nil},
		} {
			test.filter.Shop = "acme"
			records, _, err := s.Claims.List(t.Context(), test.filter)
			require.NoError(t, err)
			var ids []string
			for _, r := range records {
				ids = append(ids, r.ID)
			}
			require.Equal(t, test.want, ids, "%+v", test.filter)
		}
		_, err = s.Claims.Change(t.Context(), ref("c-2"), claim.EventPark, store.ClaimUpdate{Cause: claim.CauseTemplate})
		require.NoError(t, err)
		_, err = s.Claims.Change(t.Context(), ref("c-1"), claim.EventSkip, store.ClaimUpdate{})
		require.NoError(t, err)
		waiting, err := s.Shops.Attention(t.Context(), "acme")
		require.NoError(t, err)
		require.Equal(t, claim.Attention{Parked: map[claim.Cause]int{claim.CauseTemplate: 1}, Skipped: 1}, waiting)
		_, err = s.Shops.Attention(t.Context(), "nobody")
		require.ErrorIs(t, err, store.ErrNotFound)
	})
}
