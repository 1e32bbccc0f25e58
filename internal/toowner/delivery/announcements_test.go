package delivery_test

import (
	"encoding/json"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/integration/mailtest"
	"github.com/claimflow/claimflow/store"
)

// hears adds an endpoint of a shop, or of the platform if shop is empty.
func (b *bench) hears(shop string, types ...string) *receiver {
	b.Helper()
	r := newReceiver(b.T, nil)
	_, secret, err := b.store.Endpoints.Create(b.Context(), shop, claim.NewEndpoint{URL: r.URL, EventTypes: types})
	require.NoError(b, err)
	r.trust(secret)
	return r
}

func (r *receiver) connections(t *testing.T) []claim.ConnectionNotice {
	t.Helper()
	var out []claim.ConnectionNotice
	for _, m := range r.taken() {
		var n claim.ConnectionNotice
		require.NoError(t, json.Unmarshal(m.body, &n))
		out = append(out, n)
	}
	return out
}

func TestConnectionEventsAreSentOnce(t *testing.T) {
	t.Parallel()
	onEach(t, func(b *bench) {
		ctx := b.Context()
		org := store.Organization{ID: "org-1", Name: "Acme Group"}
		for _, shop := range []string{"berlin", "foreign"} {
			_, err := b.store.Shops.Create(ctx, store.NewShop{Slug: shop, Feature: true})
			require.NoError(b, err)
		}
		own, second, platform, foreign := b.hears("acme"), b.hears("berlin"), b.hears(""), b.hears("foreign")
		picky := b.hears("acme", claim.OutboundFallback)
		k := newKarla(b.T)
		b.karla(k, "")
		server := mailtest.New(b.T)
		b.mailTo(server, "staff@acme.example", "acme")

		_, err := b.store.Connections.SaveToken(ctx, "acme", "the-first-token", org)
		require.NoError(b, err)
		connection, err := b.store.Connections.SaveToken(ctx, "berlin", "the-second-token", org)
		require.NoError(b, err)
		require.Zero(b, b.deliver(), "saving a token for a working connection must not send an event")

		for range 2 { // twice: it fails and is fixed
			_, hash, err := b.store.Connections.Token(ctx, connection.ID)
			require.NoError(b, err)
			for range 3 { // many report it
				_, err = b.store.Connections.MarkNeedsToken(ctx, connection.ID, hash)
				require.NoError(b, err)
			}
			b.clock.Turn(time.Hour)
			_, err = b.store.Connections.SaveToken(ctx, "acme", "a-token-of-"+b.clock.Now().String(), org)
			require.NoError(b, err)
		}
		require.Equal(b, 4*4, b.deliver(), "four events to each of four endpoints")
		for _, r := range []*receiver{own, second, platform} {
			got := r.connections(b.T)
			require.Len(b, got, 4)
			for i, n := range got {
				require.EqualValues(b, i+1, n.Data.Sequence, "events arrived out of order")
				require.Equal(b, []string{"acme", "berlin"}, n.Data.Shops)
				require.Equal(b, "Acme Group", n.Data.OrganizationName)
				require.Equal(b, connection.ID, n.Data.ConnectionID)
				require.NotEmpty(b, n.Data.Advice)
			}
			require.Equal(b, claim.OutboundConnectionNeedsToken, got[0].Type)
			require.Equal(b, claim.ConnectionNeedsToken, got[0].Data.State)
			require.Equal(b, claim.OutboundConnectionRecovered, got[3].Type)
			require.Equal(b, claim.ConnectionActive, got[3].Data.State)
		}
		require.Empty(b, foreign.all())
		require.Empty(b, picky.all())
		require.Empty(b, k.all(), "Karla must receive only claim events")
		require.Len(b, server.Messages(), 4)
		require.Contains(b, server.Messages()[0].Header.Get("Subject"), "Acme Group needs a new API token")
		require.Contains(b, server.Messages()[0].Body, "starter shop connect")

		late := b.hears("berlin")
		endpoints, err := b.store.Endpoints.List(ctx, "berlin")
		require.NoError(b, err)
		n, err := b.store.Deliveries.Replay(ctx, "berlin", endpoints[1].ID, time.Time{}, time.Time{})
		require.NoError(b, err)
		require.Equal(b, 4, n)
		require.Equal(b, 4, b.deliver())
		require.Equal(b, second.connections(b.T), late.connections(b.T), "the replay must contain the connection events")
	})
}

func TestPauseNotifiesOtherEndpoints(t *testing.T) {
	t.Parallel()
	onEach(t, func(b *bench) {
		gone := newReceiver(b.T, answering(http.StatusGone))
		e := b.endpoint(gone)
		other, platform := b.hears("acme", claim.OutboundEndpointPaused), b.hears("", claim.OutboundEndpointPaused)
		b.events(b.claim("c-1"), 1)
		require.Equal(b, 3, b.deliver())
		require.Equal(b, claim.EndpointPaused, b.read(e).State)
		require.Equal(b, 1, b.read(e).Waiting, "the paused endpoint must not queue its own pause notice")
		for _, r := range []*receiver{other, platform} {
			require.Len(b, r.taken(), 1)
			var n claim.EndpointNotice
			require.NoError(b, json.Unmarshal(r.taken()[0].body, &n))
			require.Equal(b, claim.OutboundEndpointPaused, n.Type)
			require.Equal(b, e.ID, n.Data.EndpointID)
			require.Equal(b, "acme", n.Data.Shop)
			require.Contains(b, n.Data.Reason, "410")
			require.NotContains(b, string(r.taken()[0].body), gone.URL, "the notice contains the endpoint's URL")
		}
		tallies, err := b.store.Deliveries.Counts(b.Context())
		require.NoError(b, err)
		b.clock.Turn(time.Minute)
		require.Equal(b, 1, tallies[claim.EndpointWebhook].Paused)
		require.Equal(b, 1, tallies[claim.EndpointWebhook].Waiting)
	})
}

func TestPlatformEndpointPauseNotifiesOnlyPlatform(t *testing.T) {
	t.Parallel()
	b := newBench(t, databases["memory"])
	r := newReceiver(t, answering(http.StatusGone))
	_, secret, err := b.store.Endpoints.Create(t.Context(), "", claim.NewEndpoint{URL: r.URL})
	require.NoError(t, err)
	r.trust(secret)
	shop, platform := b.hears("acme", claim.OutboundEndpointPaused), b.hears("", claim.OutboundEndpointPaused)
	b.events(b.claim("c-1"), 1)
	b.deliver()
	require.Empty(t, shop.all())
	require.Len(t, platform.taken(), 1)
}

func TestOldDeliveriesAreDeleted(t *testing.T) {
	t.Parallel()
	onEach(t, func(b *bench) {
		var refuse atomic.Bool
		r := newReceiver(b.T, func(w http.ResponseWriter, r *http.Request, m message) {
			if refuse.Load() {
				answering(http.StatusBadRequest)(w, r, m)
			}
		})
		e := b.endpoint(r)
		ref := b.claim("c-1")
		b.events(ref, 3)
		b.deliver()
		refuse.Store(true)
		b.events(ref, 1)
		b.until(func() bool { return b.read(e).Dead == 1 }, "the delivery is dead-lettered")
		refuse.Store(false)
		b.clock.Turn(31 * 24 * time.Hour)
		b.events(b.claim("c-2"), 1)
		before := b.clock.Now().Add(-30 * 24 * time.Hour)
		n, err := b.store.Deliveries.DeleteDelivered(b.Context(), before)
		require.NoError(b, err)
		require.Equal(b, 2, n)
		log, _, err := b.store.Deliveries.List(b.Context(), "acme", e.ID, claim.DeliveryFilter{ClaimID: "c-1"})
		require.NoError(b, err)
		left := map[int64]claim.DeliveryState{}
		for _, d := range log {
			left[d.Sequence] = d.State
		}
		require.Equal(b, map[int64]claim.DeliveryState{3: claim.DeliveryDelivered, 4: claim.DeliveryDead}, left, "the last delivered and the dead delivery must stay")
		n, err = b.store.Deliveries.DeleteDelivered(b.Context(), before)
		require.NoError(b, err)
		require.Zero(b, n)

		ids := map[int64]string{}
		for _, m := range r.taken() {
			ids[m.notice.Data.Sequence] = m.id
		}
		b.deliver()
		_, err = b.store.Deliveries.Replay(b.Context(), "acme", e.ID, time.Time{}, before)
		require.NoError(b, err)
		seen := len(r.taken())
		b.deliver()
		replayed := r.taken()[seen:]
		require.Len(b, replayed, 4)
		for _, m := range replayed[:3] {
			require.Equal(b, ids[m.notice.Data.Sequence], m.id, "the replay changed the id")
		}
	})
}

func TestTestEvent(t *testing.T) {
	t.Parallel()
	onEach(t, func(b *bench) {
		r := newReceiver(b.T, nil)
		e := b.endpoint(r, claim.OutboundFallback) // a test needs no type
		other := b.hears("acme")
		id, err := b.store.Deliveries.AddTest(b.Context(), "acme", e.ID)
		require.NoError(b, err)
		again, err := b.store.Deliveries.AddTest(b.Context(), "acme", e.ID)
		require.NoError(b, err)
		require.NotEqual(b, id, again, "a receiver ignores an id that it knows")
		require.Equal(b, 2, b.deliver(), "tests do not wait for each other")
		got := map[string]bool{}
		for _, m := range r.taken() {
			got[m.id] = true
			var n claim.EndpointNotice
			require.NoError(b, json.Unmarshal(m.body, &n))
			require.Equal(b, claim.OutboundEndpointTest, n.Type)
			require.Equal(b, e.ID, n.Data.EndpointID)
			require.Equal(b, "acme", n.Data.Shop)
		}
		require.Equal(b, map[string]bool{id: true, again: true}, got)
		require.Empty(b, other.all())

		n, err := b.store.Deliveries.Replay(b.Context(), "acme", e.ID, time.Time{}, time.Time{})
		require.NoError(b, err)
		require.Zero(b, n, "a replay leaves tests out")
		_, err = b.store.Deliveries.AddTest(b.Context(), "other", e.ID)
		require.ErrorIs(b, err, store.ErrNotFound)

		require.NoError(b, b.store.Deliveries.ReplayOne(b.Context(), "acme", e.ID, id))
		require.ErrorIs(b, b.store.Deliveries.ReplayOne(b.Context(), "other", e.ID, id), store.ErrNotFound)
		require.Equal(b, 1, b.deliver())
		last := r.taken()[2]
		require.Equal(b, id, last.id)
	})
}
