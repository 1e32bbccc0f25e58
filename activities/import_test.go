package activities_test

import (
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/internal/seal"
	"github.com/claimflow/claimflow/internal/todixa/connection"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
)

// importBench is a store, a connection and an emulated organization with a history.
type importBench struct {
	testing.TB
	store      *store.Store
	dixa       *server.Server
	connection string
	imports    *activities.Imports
	env        *testsuite.TestActivityEnvironment
}

func newImportBench(t testing.TB, conversations int, switches server.Switches, span time.Duration) *importBench {
	t.Helper()
	ctx := t.Context()
	keys, err := seal.Generate()
	require.NoError(t, err)
	ring, err := seal.Parse(keys)
	require.NoError(t, err)
	s, err := store.Open(ctx, "sqlite::memory:", ring)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	emulated := server.New(server.Options{Switches: switches, Limit: server.Limit{Reading: server.LimitOff}})
	t.Cleanup(emulated.Close)
	require.NoError(t, emulated.Fill(ctx, server.FillOptions{Conversations: conversations, Seed: 1, Until: time.Now(), Span: span}))
	host := httptest.NewServer(emulated)
	t.Cleanup(host.Close)
	_, err = s.Shops.Create(ctx, store.NewShop{Slug: "acme", Feature: true})
	require.NoError(t, err)
	c, err := s.Connections.SaveToken(ctx, "acme", "demo-token", store.Organization{ID: server.SeedOrganization})
	require.NoError(t, err)
	clients := connection.New(s, connection.Options{
		BaseURL: host.URL + "/v1/", ExportsURL: host.URL + "/exports/v1/", ExportsPace: time.Microsecond, Limits: store.BudgetLimits{Interval: time.Microsecond, MaxWait: time.Second},
	})
	b := &importBench{TB: t, store: s, dixa: emulated, connection: c.ID, imports: &activities.Imports{Store: s, Clients: clients}}
	var suite testsuite.WorkflowTestSuite
	b.env = suite.NewTestActivityEnvironment()
	b.env.SetTestTimeout(10 * time.Minute)
	b.env.RegisterActivity(b.imports)
	b.env.RegisterActivity(&activities.ImportStore{Store: s})
	return b
}

func (b *importBench) source(d claim.DataSource) claim.DataSource {
	d, err := b.store.DataSources.Create(b.Context(), b.connection, d)
	require.NoError(b, err)
	return d
}

func importStep[R any](b *importBench, activity, in any) (R, error) {
	b.Helper()
	var out R
	value, err := b.env.ExecuteActivity(activity, in)
	if err == nil {
		err = value.Get(&out)
	}
	return out, err
}

// importAll imports what is missing and returns the import.
func (b *importBench) importAll(r claim.ImportRequest) claim.Import {
	b.Helper()
	i, err := importStep[claim.Import](b, b.imports.PlanImport, activities.ImportPlan{ConnectionID: b.connection, Request: r, Cause: "request"})
	require.NoError(b, err)
	require.NotEmpty(b, i.ID, "no source selects anything")
	ref := activities.ImportRef{ConnectionID: b.connection, ImportID: i.ID}
	var steps *activities.ImportStore
	for {
		state, err := importStep[activities.ImportState](b, steps.LoadImport, ref)
		require.NoError(b, err)
		if len(state.Next) == 0 {
			break
		}
		for _, w := range state.Next {
			in := activities.ImportWindowInput{ConnectionID: b.connection, ImportID: i.ID, Access: i.Access, Window: w}
			_, err := importStep[claim.ImportCounts](b, b.imports.ImportWindow, in)
			require.NoError(b, err, "window %+v", w)
		}
	}
	_, err = importStep[claim.ImportCounts](b, b.imports.EndImport, ref)
	require.NoError(b, err)
	i, err = b.store.Imports.Get(b.Context(), b.connection, i.ID)
	require.NoError(b, err)
	require.Equal(b, claim.ImportDone, i.State)
	return i
}

// requireTruth compares everything stored with what the emulator knows.
func (b *importBench) requireTruth(log bool) {
	b.Helper()
	ctx := b.Context()
	for _, want := range b.dixa.Truth() {
		got, err := b.store.Mirror.Conversation(ctx, b.connection, want.ID)
		require.NoError(b, err)
		require.Equal(b, want.CreatedAt.UnixMilli(), got.Origin.CreatedAt.UnixMilli(), "creation of %d", want.ID)
		require.Equal(b, want.Channel, got.Origin.Channel, "channel of %d", want.ID)
		require.Equal(b, mirror.Status(dixa.ConversationState(want.State)), got.Status, "status of %d", want.ID)
		tags := slices.Sorted(slices.Values(want.Tags))
		require.ElementsMatch(b, tags, got.Tags, "tags of %d", want.ID)
		messages, err := b.store.Mirror.Messages(ctx, b.connection, want.ID)
		require.NoError(b, err)
		found := map[string]mirror.Message{}
		for _, m := range messages {
			if m.Kind == claim.MessageKind {
				found[m.ID] = m
			}
		}
		require.Len(b, found, len(want.Messages), "messages of %d", want.ID)
		for _, m := range want.Messages {
			require.Equal(b, m.CreatedAt.UnixMilli(), found[m.ID].At.UnixMilli(), "time of message %s", m.ID)
			require.Equal(b, m.Automated, found[m.ID].Automated, "automation of message %s", m.ID)
		}
		if !log {
			continue
		}
		activities, err := b.store.Mirror.Activities(ctx, b.connection, want.ID)
		require.NoError(b, err)
		require.Len(b, activities, len(want.Activity), "activities of %d", want.ID)
	}
}

func TestImportEqualsDixa(t *testing.T) {
	t.Parallel()
	b := newImportBench(t, 400, server.Switches{}, 90*24*time.Hour)
	b.source(claim.DataSource{Title: "Everything", From: time.Now().AddDate(0, 0, -100)})
	i := b.importAll(claim.ImportRequest{})
	require.Equal(t, claim.AccessExports, i.Access, i.Why)
	require.Zero(t, i.Rejected)
	b.requireTruth(true)
	again := b.importAll(claim.ImportRequest{From: time.Now().AddDate(0, 0, -100)})
	require.Positive(t, again.Read)
	require.Zero(t, again.Added, "%+v", again)
	require.Zero(t, again.Changed, "%+v", again)
}
