package unify_test

import (
	"bytes"
	"database/sql"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/store"
)

// connects adds a connection to another organization with n conversations.
func (w *world) connects(shop string, n int) string {
	w.Helper()
	_, err := w.store.Shops.Create(w.Context(), store.NewShop{Slug: shop, Feature: true})
	require.NoError(w, err)
	c, err := w.store.Connections.SaveToken(w.Context(), shop, "token of "+shop, store.Organization{ID: "org of " + shop})
	require.NoError(w, err)
	_, err = w.store.DataSources.Create(w.Context(), c.ID, claim.DataSource{Title: "Everything", From: time.Now().AddDate(0, 0, -30)})
	require.NoError(w, err)
	other := *w
	other.account = c.ID
	other.tickets(1, n)
	return c.ID
}

func (w *world) waiting(endpoint string) int {
	w.Helper()
	e, err := w.store.Endpoints.Get(w.Context(), "", endpoint)
	require.NoError(w, err)
	return e.Waiting
}

// A connection whose records cannot be read delays no other, and is logged once.
func TestFeedThatFailsDelaysNoOther(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "claimflow.db")
	w := newWorldOn(t, 1, "sqlite:"+path)
	broken, other := w.connects("broken", 3), w.connects("other", 250)
	h := w.hears(claim.NewEndpoint{EventTypes: claim.RecordTypes(), Resources: []string{"ticketing/tickets"}, History: true})
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	change := func(query string) {
		_, err := db.ExecContext(t.Context(), query, broken)
		require.NoError(t, err)
	}
	change(`CREATE TABLE kept AS SELECT conversation_id, body FROM conversations WHERE connection_id = $1`)
	change(`UPDATE conversations SET body = x'00' WHERE connection_id = $1`)

	var log bytes.Buffer
	f := w.feeder()
	f.Log = slog.New(slog.NewTextHandler(&log, nil))
	require.NoError(t, f.Feed(t.Context()))
	require.Equal(t, 250, w.waiting(h.id), "all batches of the other connection")
	require.NoError(t, f.Feed(t.Context()))
	require.Equal(t, 1, strings.Count(log.String(), "level=WARN"), log.String())
	require.Contains(t, log.String(), broken)
	require.NotContains(t, log.String(), other)

	change(`UPDATE conversations SET body = (SELECT k.body FROM kept k WHERE k.conversation_id = conversations.conversation_id) WHERE connection_id = $1`)
	require.NoError(t, f.Feed(t.Context()))
	require.Equal(t, 253, w.waiting(h.id))
	require.Equal(t, 1, strings.Count(log.String(), "level=INFO"), log.String())
}

// The connections that an endpoint reads share its room in turns.
func TestRoomIsSharedByConnections(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	connections := []string{w.connects("one", 8), w.connects("two", 8), w.connects("three", 8)}
	h := w.hears(claim.NewEndpoint{EventTypes: claim.RecordTypes(), Resources: []string{"ticketing/tickets"}, History: true})
	f := w.feeder()
	f.MaxQueued = 2
	for range connections {
		require.NoError(t, f.Feed(t.Context()))
		require.Equal(t, 2, w.waiting(h.id), "the queue outgrew its bound")
		w.send()
	}
	sent := map[string]int{}
	for _, e := range h.taken() {
		sent[e.Data.IntegratedAccountID]++
	}
	for _, c := range connections {
		require.Equal(t, 2, sent[c], "connections wait for another's history")
	}
}
