package api_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/internal/api"
)

// connection adds a connected shop and returns its connection's id.
func (b *bench) connection(slug string) string {
	b.t.Helper()
	b.connected(slug)
	shop, err := b.client.Shop(b.t.Context(), slug)
	require.NoError(b.t, err)
	return shop.Connection.ID
}

func (b *bench) source(connection string, d claim.DataSource) claim.DataSource {
	b.t.Helper()
	created, err := b.client.CreateDataSource(b.t.Context(), connection, d)
	require.NoError(b.t, err)
	return created
}

func TestDataSources(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx := t.Context()
	id := b.connection("acme")
	connections, err := b.client.Connections(ctx)
	require.NoError(t, err)
	require.Len(t, connections, 1)
	require.Equal(t, id, connections[0].ID)
	require.Equal(t, []string{"acme"}, connections[0].Shops)
	require.Equal(t, claim.ConnectionActive, connections[0].State)

	created := b.source(id, claim.DataSource{ID: "mine", Title: "Email", Channels: []string{"Email"}, Fields: []string{"id", "status", "text"}, CreatedAt: time.Unix(1, 0)})
	require.NotEqual(t, "mine", created.ID)
	require.WithinDuration(t, time.Now(), created.CreatedAt, time.Minute)
	created.Title, created.RetentionDays = "Mail", 30
	changed, err := b.client.ReplaceDataSource(ctx, id, created)
	require.NoError(t, err)
	require.Equal(t, "Mail", changed.Title)
	require.Equal(t, created.CreatedAt, changed.CreatedAt)
	got, err := b.client.DataSource(ctx, id, created.ID)
	require.NoError(t, err)
	require.Equal(t, changed, got)
	list, err := b.client.DataSources(ctx, id)
	require.NoError(t, err)
	require.Equal(t, []claim.DataSource{got}, list)

	_, err = b.client.CreateDataSource(ctx, id, claim.DataSource{
		Streams: []claim.Stream{claim.StreamRatings}, Fields: []string{"score", "subject"}, From: time.Now().Add(time.Hour),
	})
	require.Equal(t, []string{"title", "fields[1]", "from"}, fields(refusal(t, err, http.StatusUnprocessableEntity, client.CodeInvalid).Problem))
	_, err = b.client.CreateDataSource(ctx, id, claim.DataSource{Title: "x", Streams: []claim.Stream{"everything"}})
	_ = refusal(t, err, http.StatusUnprocessableEntity, client.CodeInvalid)
	_, err = b.client.CreateDataSource(ctx, "unknown", claim.DataSource{Title: "x"})
	_ = refusal(t, err, http.StatusNotFound, client.CodeNotFound)
	require.Contains(t, b.send("GET", "/v1/audit-log", b.secret, "").text, `"action":"change-source"`)

	require.NoError(t, b.client.DeleteDataSource(ctx, id, created.ID))
	_ = refusal(t, b.client.DeleteDataSource(ctx, id, created.ID), http.StatusNotFound, client.CodeNotFound)
}

func TestImports(t *testing.T) {
	t.Parallel()
	var asked []claim.ImportRequest
	var trouble error
	woken := 0
	b := newBenchOn(t, "sqlite::memory:", func(o *api.Options) {
		o.Import = func(_ context.Context, _ string, r claim.ImportRequest) error {
			asked = append(asked, r)
			return trouble
		}
		o.WakeImport = func(context.Context, string) error {
			woken++
			return trouble
		}
	})
	ctx := t.Context()
	id := b.connection("acme")
	_, err := b.client.StartImport(ctx, id, claim.ImportRequest{})
	require.Contains(t, refusal(t, err, http.StatusConflict, client.CodeConflict).Detail, "no data source")
	b.source(id, claim.DataSource{Title: "all"})
	for field, at := range map[string]string{"from": "0001-01-01T00:30:00+01:00", "to": "9999-12-31T23:59:59-01:00"} {
		r := b.send("POST", "/v1/connections/"+id+"/imports", b.secret, `{"`+field+`": "`+at+`"}`)
		require.Equal(t, http.StatusUnprocessableEntity, r.StatusCode, r.text)
		require.Equal(t, field, r.problem(t).Errors[0].Field)
	}
	r := b.send("POST", "/v1/connections/"+id+"/imports", b.secret, "")
	require.Equal(t, http.StatusAccepted, r.StatusCode, r.text)
	require.JSONEq(t, `{"state": "starting"}`, r.text)
	_, err = b.client.StartImport(ctx, id, claim.ImportRequest{From: time.Now(), To: time.Now().Add(-time.Hour)})
	require.Equal(t, []string{"to"}, fields(refusal(t, err, http.StatusUnprocessableEntity, client.CodeInvalid).Problem))

	begun, _, err := b.store.Imports.Begin(ctx, claim.Import{ConnectionID: id, Cause: "request", Access: claim.AccessExports, Windows: []claim.ImportWindow{{Stream: claim.StreamMessages}}})
	require.NoError(t, err)
	again, err := b.client.StartImport(ctx, id, claim.ImportRequest{Retry: true})
	require.NoError(t, err)
	require.Equal(t, claim.ImportRunning, again.State)
	require.Equal(t, begun.ID, again.Import.ID)
	require.Len(t, asked, 1, "only one import may run")

	paused, err := b.client.PauseImport(ctx, id, begun.ID)
	require.NoError(t, err)
	require.Equal(t, claim.ImportPaused, paused.State)
	resumed, err := b.client.ResumeImport(ctx, id, begun.ID)
	require.NoError(t, err)
	require.Equal(t, claim.ImportRunning, resumed.State)
	require.Len(t, resumed.Windows, 1)
	trouble = errors.New("the engine is away")
	_, err = b.client.CancelImport(ctx, id, begun.ID)
	require.NotContains(t, refusal(t, err, http.StatusServiceUnavailable, client.CodeUnavailable).Error(), trouble.Error())
	trouble = nil
	cancelled, err := b.client.CancelImport(ctx, id, begun.ID)
	require.NoError(t, err)
	require.Equal(t, claim.ImportCancelled, cancelled.State)
	require.Equal(t, 4, woken)
	_, err = b.client.ResumeImport(ctx, id, begun.ID)
	require.Contains(t, refusal(t, err, http.StatusConflict, client.CodeConflict).Detail, "has ended")
	_, err = b.client.PauseImport(ctx, id, "unknown")
	_ = refusal(t, err, http.StatusNotFound, client.CodeNotFound)

	next, err := b.client.StartImport(ctx, id, claim.ImportRequest{Streams: []claim.Stream{claim.StreamRatings}})
	require.NoError(t, err)
	require.Equal(t, client.ImportRequested{State: client.ImportStarting, LastID: begun.ID}, next)
	list, err := b.client.Imports(ctx, id, 10)
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Empty(t, list[0].Windows)
	for i, err := range b.client.FollowImport(ctx, id, begun.ID, time.Millisecond) {
		require.NoError(t, err)
		require.Equal(t, cancelled.State, i.State)
	}
}

func TestImportsNeedTemporal(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.connection("acme")
	b.source(id, claim.DataSource{Title: "all"})
	_, err := b.client.StartImport(t.Context(), id, claim.ImportRequest{})
	_ = refusal(t, err, http.StatusServiceUnavailable, client.CodeUnavailable)
	_, err = b.client.PauseImport(t.Context(), id, "any")
	_ = refusal(t, err, http.StatusServiceUnavailable, client.CodeUnavailable)
}

func TestExportsTokenIsNeverReturned(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx := t.Context()
	id := b.connection("acme")
	const exports = "exports-token-of-the-demo-shop-9b1c"
	none, err := b.client.ExportsToken(ctx, id)
	require.NoError(t, err)
	require.Empty(t, none.Preview)
	saved, err := b.client.SaveExportsToken(ctx, id, exports)
	require.NoError(t, err)
	require.Contains(t, saved.Preview, "9b1c")
	stored, _, err := b.store.Connections.ExportsToken(ctx, id)
	require.NoError(t, err)
	require.Equal(t, exports, stored)
	for _, wrong := range []string{"", " " + exports, exports + "\n", "Bearer " + exports} {
		_, err = b.client.SaveExportsToken(ctx, id, wrong)
		require.NotContains(t, refusal(t, err, http.StatusUnprocessableEntity, client.CodeTokenMalformed).Error(), exports)
	}
	r := b.send("PUT", "/v1/connections/"+id+"/exports-token", b.secret, `{"token": ["`+exports+`"]}`)
	require.Equal(t, http.StatusUnprocessableEntity, r.StatusCode)
	shown := r.text + b.send("GET", "/v1/audit-log", b.secret, "").text + b.send("GET", "/v1/connections/"+id+"/exports-token", b.secret, "").text + b.log.String()
	require.NotContains(t, shown, exports)
	require.Contains(t, shown, "save-exports-token")
	require.NoError(t, b.client.RemoveExportsToken(ctx, id))
	stored, _, err = b.store.Connections.ExportsToken(ctx, id)
	require.NoError(t, err)
	require.Equal(t, token, stored, "the shop's own token must read the exports")
}

func TestAccessToOrganizationData(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.connection("acme")
	source := b.source(id, claim.DataSource{Title: "all"})
	b.shop("other")
	base := "/v1/connections/" + id
	status := func(key, path string) int { return b.send("GET", path, key, "").StatusCode }
	all := b.key("acme", client.ScopeShopsRead, client.ScopeClaimsRead)
	for path, want := range map[string]int{"/sources": 200, "/sources/" + source.ID + "/records": 200, "/imports": 200, "/kpis": 200} {
		require.Equal(t, want, status(all, base+path), path)
		require.Equal(t, http.StatusForbidden, status(b.key("other", client.ScopeAdmin), base+path), path)
	}
	require.Equal(t, http.StatusForbidden, status(all, "/v1/connections"))
	require.Equal(t, http.StatusForbidden, status(b.key("", client.ScopeShopsRead), base+"/sources/"+source.ID+"/records"), "records require claims:read")
	require.Equal(t, http.StatusForbidden, status(b.key("", client.ScopeShopsRead), base+"/kpis/backlog"), "figures require claims:read")
	for path, body := range map[string]string{"/sources": `{"title": "x"}`, "/imports": `{}`} {
		require.Equal(t, http.StatusForbidden, b.send("POST", base+path, all, body).StatusCode, path)
	}
	_, err := b.client.Connect(t.Context(), "other", token)
	require.NoError(t, err)
	p := b.send("GET", base+"/sources", all, "").problem(t)
	require.Equal(t, http.StatusForbidden, p.Status)
	require.Contains(t, p.Detail, "serves other shops too")
}
