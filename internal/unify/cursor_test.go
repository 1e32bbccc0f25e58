package unify_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/integration/pgtest"
	"github.com/claimflow/claimflow/internal/unify"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// databases return the address of a new database.
var databases = map[string]func(*testing.T) string{
	"sqlite":   func(*testing.T) string { return "sqlite::memory:" },
	"postgres": func(t *testing.T) string { t.Helper(); return pgtest.Postgres(t) },
}

// tickets stores n tickets with ids from first on, spread over the last ten days.
func (w *world) tickets(first, n int) {
	w.Helper()
	now := time.Now()
	size := w.store.Mirror.BatchSize()
	for from := 0; from < n; from += size {
		batch := store.MirrorBatch{ConnectionID: w.account}
		for i := from; i < min(n, from+size); i++ {
			id := int64(first + i)
			// Several are of the same second, and new ones come in everywhere.
			at := now.Add(-time.Duration(id*7919%(10*24*3600/3)) * 3 * time.Second).Truncate(time.Second)
			f := mirror.Fact{Origin: &mirror.Origin{CreatedAt: at, Channel: "Email", Direction: claim.DirectionInbound, Subject: "Ticket " + strconv.FormatInt(id, 10)}}
			f.Fact = claim.Fact{Stamp: claim.Stamp{At: at, ID: fmt.Sprint(id)}, Status: claim.ConversationOpen, Requester: &claim.Person{ID: "u-" + strconv.FormatInt(id%500, 10)}}
			batch.Facts = append(batch.Facts, store.ConversationFact{ID: id, Fact: f})
		}
		_, err := w.store.Mirror.Merge(w.Context(), batch)
		require.NoError(w, err)
	}
}

// Walking 10,000 tickets while others come in neither loses nor repeats one, forwards and
// backwards.
func TestCursorsAreStableWhileTicketsComeIn(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorldOn(t, 1, database(t))
			w.mirror()
			const first, n = 100_000, 10_000
			w.tickets(first, n)
			next := first + n
			for _, query := range []string{"", "sort_by[updated_at]=asc&"} {
				forwards, back := map[string]bool{}, map[string]bool{}
				var last page
				for cursor := ""; ; cursor = *last.Next {
					last = w.list("tickets", query+"limit=500&next_cursor="+url.QueryEscape(cursor))
					once(t, forwards, last)
					w.tickets(next, 10)
					next += 10
					if last.Next == nil {
						break
					}
				}
				once(t, back, last)
				for last.Previous != nil {
					last = w.list("tickets", query+"limit=500&prev_cursor="+url.QueryEscape(*last.Previous))
					once(t, back, last)
					w.tickets(next, 10)
					next += 10
				}
				for id := first; id < first+n; id++ {
					require.True(t, forwards[strconv.Itoa(id)], "%sticket %d was lost", query, id)
					require.True(t, back[strconv.Itoa(id)], "%sticket %d was lost on the way back", query, id)
				}
			}
		})
	}
}

// once adds the tickets of a page to those that were seen.
func once(t *testing.T, seen map[string]bool, p page) {
	t.Helper()
	require.NotEmpty(t, p.Result)
	for _, o := range p.Result {
		id, _ := o["id"].(string)
		require.False(t, seen[id], "ticket %s was listed twice", id)
		seen[id] = true
	}
}

// A page from the mirror takes no request to Dixa.
func TestPagesFromTheMirrorAskNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 120)
	w.mirror()
	before := w.dixa.Stats().Requests
	answer, err := w.service.List(t.Context(), w.account, "ticketing", "tickets", "limit=50")
	require.NoError(t, err)
	var p page
	require.NoError(t, json.Unmarshal(answer.Body, &p))
	require.Len(t, p.Result, 50)
	require.False(t, answer.Live)
	require.False(t, answer.From.IsZero())
	for _, resource := range []string{"users", "teams", "tags", "fields", "collections", "ticket_types"} {
		_, err := w.service.List(t.Context(), w.account, "ticketing", resource, "")
		require.NoError(t, err)
	}
	require.Equal(t, before, w.dixa.Stats().Requests)
}

// Without a mirror, directories are read once within the time of the cache, and tickets
// of a page take four requests each.
func TestLiveReadsAreFew(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 40)
	ask := func(resource, query string) int {
		before := w.dixa.Stats().Requests
		_, err := w.service.List(t.Context(), w.account, "ticketing", resource, query)
		require.NoError(t, err)
		return w.dixa.Stats().Requests - before
	}
	require.Equal(t, 1, ask("tags", ""))
	require.Zero(t, ask("tags", "status=active"), "the same list a moment later")
	require.Equal(t, 1, ask("tags", "live=true"))
	require.Equal(t, 1, ask("teams", ""))
	teams := len(w.list("teams", "").Result)
	require.Equal(t, 2+teams, ask("users", ""), "agents, teams and the members of each")
	require.Zero(t, ask("users", "email=anna@demo-shop.example"))
	answer := w.list("tickets", "limit=500")
	require.Len(t, answer.Result, 20)
	require.Equal(t, 1+20*4, ask("tickets", ""), "a search and four parts of each; names are known")
}

// An account whose mirror is too old, or does not have every conversation, is answered by
// Dixa.
func TestStaleMirrorsAreNotRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 10)
	w.mirror()
	live := func(resource string) bool {
		answer, err := w.service.List(t.Context(), w.account, "ticketing", resource, "")
		require.NoError(t, err)
		return answer.Live
	}
	require.False(t, live("tickets"))
	require.False(t, live("tags"))
	w.service = &unify.Service{Store: w.store, Clients: w.clients, MaxAge: time.Nanosecond}
	require.True(t, live("tickets"))
	require.True(t, live("tags"))
	w.service = &unify.Service{Store: w.store, Clients: w.clients}
	sources, err := w.store.DataSources.List(t.Context(), w.account)
	require.NoError(t, err)
	sources[0].Channels = []string{string(dixa.ChannelEmail)}
	_, err = w.store.DataSources.Update(t.Context(), w.account, sources[0])
	require.NoError(t, err)
	require.True(t, live("tickets"), "the source selects some channels only")
	require.False(t, live("tags"))
}
