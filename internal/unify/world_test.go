package unify_test

import (
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/internal/seal"
	"github.com/claimflow/claimflow/internal/todixa/connection"
	"github.com/claimflow/claimflow/internal/unify"
	"github.com/claimflow/claimflow/store"
)

// world is an emulated organization, and a store that may mirror it.
type world struct {
	testing.TB
	dixa    *server.Server
	store   *store.Store
	service *unify.Service
	clients *connection.Clients
	account string
	// host is the address of the emulator.
	host string
	// imported says that the store has a mirror.
	imported bool
}

// on returns the world for a part of its test.
func (w *world) on(t *testing.T) *world {
	t.Helper()
	part := *w
	part.TB = t
	return &part
}

func newWorld(t *testing.T, conversations int) *world {
	t.Helper()
	return newWorldOn(t, conversations, "sqlite::memory:")
}

// newWorldOn returns a world whose store is at an address.
func newWorldOn(tb testing.TB, conversations int, database string) *world {
	tb.Helper()
	w := &world{TB: tb, dixa: server.New(server.Options{Limit: server.Limit{Reading: server.LimitOff}})}
	tb.Cleanup(w.dixa.Close)
	require.NoError(tb, w.dixa.Fill(tb.Context(), server.FillOptions{Conversations: conversations, Seed: 1, Until: time.Now(), Span: 20 * 24 * time.Hour}))
	host := httptest.NewServer(w.dixa)
	tb.Cleanup(host.Close)
	keys, err := seal.Generate()
	require.NoError(tb, err)
	ring, err := seal.Parse(keys)
	require.NoError(tb, err)
	w.store, err = store.Open(tb.Context(), database, ring)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, w.store.Close()) })
	_, err = w.store.Shops.Create(tb.Context(), store.NewShop{Slug: "acme", Feature: true})
	require.NoError(tb, err)
	c, err := w.store.Connections.SaveToken(tb.Context(), "acme", "demo-token", store.Organization{ID: server.SeedOrganization})
	require.NoError(tb, err)
	w.account, w.host = c.ID, host.URL
	w.clients = connection.New(w.store, connection.Options{
		BaseURL: host.URL + "/v1/", ExportsURL: host.URL + "/exports/v1/", ExportsPace: time.Microsecond,
		Limits: store.BudgetLimits{Interval: time.Microsecond, MaxWait: time.Second},
	})
	w.service = &unify.Service{
		Store: w.store, Clients: w.clients,
		PublicURL: "https://claimflow.example",
	}
	return w
}

// mirror imports the organization.
func (w *world) mirror() {
	w.Helper()
	_, err := w.store.DataSources.Create(w.Context(), w.account, claim.DataSource{Title: "Everything", From: time.Now().AddDate(0, 0, -30)})
	require.NoError(w, err)
	w.importAgain()
}

// importAgain imports what changed.
func (w *world) importAgain() {
	w.Helper()
	imports := &activities.Imports{Store: w.store, Clients: w.clients}
	steps := &activities.ImportStore{Store: w.store}
	i := step[claim.Import](w, imports.PlanImport, activities.ImportPlan{ConnectionID: w.account, Cause: "request"})
	ref := activities.ImportRef{ConnectionID: w.account, ImportID: i.ID}
	for {
		state := step[activities.ImportState](w, steps.LoadImport, ref)
		if len(state.Next) == 0 {
			break
		}
		for _, window := range state.Next {
			step[claim.ImportCounts](w, imports.ImportWindow, activities.ImportWindowInput{
				ConnectionID: w.account, ImportID: i.ID, Access: i.Access, Window: window,
			})
		}
	}
	step[claim.ImportCounts](w, imports.EndImport, ref)
	w.imported = true
}

// step runs a step of an import.
func step[R any](w *world, activity, in any) R {
	w.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(activity)
	var out R
	value, err := env.ExecuteActivity(activity, in)
	require.NoError(w, err)
	require.NoError(w, value.Get(&out))
	return out
}

// page is an answer to a list.
type page struct {
	Result   []map[string]any `json:"result"`
	Next     *string          `json:"next_cursor"`
	Previous *string          `json:"prev_cursor"`
	Count    int              `json:"result_count"`
}

func (w *world) list(resource, query string) page {
	w.Helper()
	answer, err := w.service.List(w.Context(), w.account, "ticketing", resource, query)
	require.NoError(w, err)
	var p page
	require.NoError(w, json.Unmarshal(answer.Body, &p))
	require.Len(w, p.Result, p.Count)
	return p
}

func (w *world) get(resource, id, query string) (map[string]any, unify.Source) {
	w.Helper()
	answer, err := w.service.Get(w.Context(), w.account, "ticketing", resource, id, query)
	require.NoError(w, err)
	var o map[string]any
	require.NoError(w, json.Unmarshal(answer.Body, &o))
	return o, answer.Source
}
