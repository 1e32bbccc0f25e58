package store_test

import (
	"database/sql"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/store"
)

// TestDeliveriesOutliveTheChangeToLanes takes a store back to the schema before
// lanes and forth again.
func TestDeliveriesOutliveTheChangeToLanes(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := database(t)
			if url == memory {
				t.Skip("a store in memory is gone when it is closed")
			}
			keys := newKeys(t)
			s, err := store.Open(t.Context(), url, keys)
			require.NoError(t, err)
			addShop(t, s, "acme")
			e, _, err := s.Endpoints.Create(t.Context(), store.NewEndpoint{Shop: "acme", URL: "https://shop.example/hook"})
			require.NoError(t, err)
			accept(t, s, sample("1"))
			for range 2 {
				_, err = s.Claims.Change(t.Context(), ref("1"), "", store.ClaimUpdate{Outbox: []store.OutboxEvent{{Type: claim.ToldOpened}}})
				require.NoError(t, err)
			}
			before, _, err := s.Deliveries.List(t.Context(), "acme", e.ID, store.DeliveryFilter{})
			require.NoError(t, err)
			require.Len(t, before, 2)
			require.NoError(t, s.Close())

			driver, dialect, address := "pgx", goose.DialectPostgres, url
			if file, found := strings.CutPrefix(url, "sqlite:"); found {
				driver, dialect, address = "sqlite", goose.DialectSQLite3, "file:"+file+"?_foreign_keys=on"
			}
			db, err := sql.Open(driver, address)
			require.NoError(t, err)
			provider, err := goose.NewProvider(dialect, db, os.DirFS("migrations"), goose.WithDisableGlobalRegistry(true))
			require.NoError(t, err)
			_, err = provider.DownTo(t.Context(), 5)
			require.NoError(t, err)
			_, err = db.ExecContext(t.Context(), `SELECT lane FROM deliveries`)
			require.Error(t, err, "the schema is the one before")
			require.NoError(t, db.Close())

			s = open(t, url, keys)
			after, _, err := s.Deliveries.List(t.Context(), "acme", e.ID, store.DeliveryFilter{})
			require.NoError(t, err)
			require.Equal(t, before, after)
			parcels, err := s.Deliveries.Lease(t.Context(), e.ID, "holder", 10, time.Minute)
			require.NoError(t, err)
			require.Len(t, parcels, 1, "the order within the claim holds")
			require.EqualValues(t, 1, parcels[0].Sequence)
			_, err = s.Claims.Change(t.Context(), ref("1"), "", store.ClaimUpdate{Outbox: []store.OutboxEvent{{Type: claim.ToldOpened}}})
			require.NoError(t, err)
			n, err := s.Deliveries.Replay(t.Context(), "acme", e.ID, time.Time{}, time.Time{})
			require.NoError(t, err)
			require.Equal(t, 3, n)
			again, _, err := s.Deliveries.List(t.Context(), "acme", e.ID, store.DeliveryFilter{})
			require.NoError(t, err)
			require.Len(t, again, 3, "nothing is there twice")
		})
	}
}
