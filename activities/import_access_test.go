package activities_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/store"
)

// A token that may not read exports makes the import search instead, and it says so.
// The end state is the same, and so it stays when something happens later.
func TestImportWithoutExports(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			b := newImportBench(t, 15, server.Switches{}, 10*24*time.Hour)
			for _, operation := range []string{conversationExport, messageExport} {
				b.dixa.Inject(server.Fault{Operation: operation, Kind: server.FaultStatus, Status: status})
			}
			b.source(claim.DataSource{Title: "Everything", From: time.Now().AddDate(0, 0, -11)})
			i := b.importAll(claim.ImportRequest{})
			require.Equal(t, claim.AccessSearch, i.Access)
			require.Contains(t, i.Why, "may not read exports")
			require.Zero(t, i.WindowsParked)
			b.requireTruth(true)

			ids := b.written()
			b.act(ids[len(ids)-1],
				server.Step{Action: server.PlayTag, Tag: "later"}, server.Step{Action: server.PlayReply, Text: "Hello"}, server.Step{Action: server.PlayNote, Text: "Look"})
			b.act(ids[len(ids)-2], server.Step{Action: server.PlayTag, Tag: "only a tag"})
			b.dixa.Settle()
			later := b.importAll(claim.ImportRequest{})
			require.Positive(t, later.Added)
			b.requireTruth(true)

			// What was read before its log entries is stamped anew once.
			b.importAll(claim.ImportRequest{From: time.Now().AddDate(0, 0, -2)})
			again := b.importAll(claim.ImportRequest{From: time.Now().AddDate(0, 0, -2)})
			require.Positive(t, again.Read)
			require.Zero(t, again.Added+again.Changed, "%+v", again)
		})
	}
}

// If Dixa refuses the token everywhere, another access does not help.
func TestRefusedTokenIsNoLackOfExports(t *testing.T) {
	t.Parallel()
	b := newImportBench(t, 60, server.Switches{}, 5*24*time.Hour) // some have notes
	b.everything()
	b.dixa.Revoke("demo-token")
	_, err := importStep[claim.Import](b, b.imports.PlanImport, activities.ImportPlan{ConnectionID: b.connection})
	b.requireParked(err, claim.CauseConnection)
	_, err = b.store.Imports.Current(t.Context(), b.connection)
	require.ErrorIs(t, err, store.ErrNotFound)

	// A token of its own for exports does not help with the rest.
	b.dixa.AddToken("exports-token")
	require.NoError(t, b.store.Connections.SaveExportsToken(t.Context(), b.connection, "exports-token"))
	i := b.plan(claim.ImportRequest{})
	require.Equal(t, claim.AccessExports, i.Access)
	for _, w := range b.waiting(i) {
		_, err := importStep[claim.ImportCounts](b, b.imports.ImportWindow, b.window(i, w))
		if w.Stream == claim.StreamConversations || w.Stream == claim.StreamMessages {
			require.NoError(t, err)
			continue
		}
		b.requireParked(err, claim.CauseConnection)
	}
	_, err = importStep[claim.ImportCounts](b, b.imports.EndImport, activities.ImportRef{ConnectionID: b.connection, ImportID: i.ID})
	b.requireParked(err, claim.CauseConnection) // notes are due
}

// A token that is refused for exports again and again although their test succeeds
// must not begin one import after another.
func TestRepeatedRefusalsEndExports(t *testing.T) {
	t.Parallel()
	b := newImportBench(t, 5, server.Switches{}, 5*24*time.Hour)
	b.dixa.Inject(server.Fault{Operation: messageExport, Kind: server.FaultStatus, Status: http.StatusUnauthorized})
	b.source(claim.DataSource{Title: "Everything", From: time.Now().AddDate(0, 0, -6)})
	plan := activities.ImportPlan{ConnectionID: b.connection}
	for ; ; plan.Refusals++ {
		require.LessOrEqual(t, plan.Refusals, 2)
		i, err := importStep[claim.Import](b, b.imports.PlanImport, plan)
		require.NoError(t, err)
		if i.Access == claim.AccessSearch {
			require.Contains(t, i.Why, "may not read exports")
			break
		}
		for _, w := range b.waiting(i) {
			_, err := importStep[claim.ImportCounts](b, b.imports.ImportWindow, b.window(i, w))
			if w.Stream == claim.StreamMessages {
				b.requireParked(err, claim.CauseConnection)
			}
		}
		require.NoError(t, b.store.Imports.SetState(t.Context(), b.connection, i.ID, claim.ImportCancelled))
	}
	b.importAll(claim.ImportRequest{})
	b.requireTruth(true)
}

// A token that is replaced in the middle of an import is used at once.
func TestTokenReplacedMidway(t *testing.T) {
	t.Parallel()
	b := newImportBench(t, 30, server.Switches{}, 40*24*time.Hour)
	b.everything()
	i := b.plan(claim.ImportRequest{})
	for n, w := range b.waiting(i) {
		if n == 2 {
			b.dixa.Revoke("demo-token")
			_, err := importStep[claim.ImportCounts](b, b.imports.ImportWindow, b.window(i, w))
			b.requireParked(err, claim.CauseConnection)
			b.dixa.AddToken("new-token")
			_, err = b.store.Connections.SaveToken(t.Context(), "acme", "new-token", store.Organization{ID: server.SeedOrganization})
			require.NoError(t, err)
		}
		b.finish(i, w)
	}
	b.end(i)
	b.requireTruth(true)
}

// Two plans at once, or one after the other, are one import.
func TestOneImportAtATime(t *testing.T) {
	t.Parallel()
	b := newImportBench(t, 5, server.Switches{}, 5*24*time.Hour)
	b.everything()
	var ids [4]string
	done := make(chan error, len(ids))
	for n := range ids {
		env := b.environment(t.Context(), false)
		go func() {
			var i claim.Import
			value, err := env.ExecuteActivity(b.imports.PlanImport, activities.ImportPlan{ConnectionID: b.connection})
			if err == nil {
				err = value.Get(&i)
			}
			ids[n] = i.ID
			done <- err
		}()
	}
	for range ids {
		require.NoError(t, <-done)
	}
	for _, id := range ids {
		require.Equal(t, ids[0], id)
	}
	i := b.importAll(claim.ImportRequest{})
	require.Equal(t, ids[0], i.ID)
	all, err := b.store.Imports.List(t.Context(), b.connection, 10)
	require.NoError(t, err)
	require.Len(t, all, 1)
}

// Exports have a token and a budget of their own.
func TestExportsTokenIsUsedForExportsOnly(t *testing.T) {
	t.Parallel()
	b := newImportBench(t, 5, server.Switches{}, 5*24*time.Hour)
	b.dixa.AddToken("exports-token")
	require.NoError(t, b.store.Connections.SaveExportsToken(t.Context(), b.connection, "exports-token"))
	b.everything()
	var wrong atomic.Int64
	b.ask(func(_ http.ResponseWriter, r *http.Request) bool {
		export := len(r.URL.Path) > 9 && r.URL.Path[:9] == "/exports/"
		if export != (r.Header.Get("Authorization") == "Bearer exports-token") {
			wrong.Add(1)
		}
		return false
	})
	b.importAll(claim.ImportRequest{})
	require.Zero(t, wrong.Load())
	b.requireTruth(true)
}
