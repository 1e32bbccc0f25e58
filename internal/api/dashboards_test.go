package api_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

func TestDashboards(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.shop("acme")
	b.shop("other")
	all, err := b.client.Dashboards(t.Context(), "acme")
	require.NoError(t, err)
	require.Empty(t, all)

	mine := claim.Dashboard{ID: "mine", Name: "Mine", Tiles: []claim.DashboardTile{{KPI: "backlog", Chart: "line"}, {KPI: "csat", Chart: "ranking", By: "agent"}}}
	saved, err := b.client.SaveDashboard(t.Context(), "acme", mine)
	require.NoError(t, err)
	require.Equal(t, mine, saved)
	mine.Name, mine.Tiles = "Changed", mine.Tiles[1:]
	_, err = b.client.SaveDashboard(t.Context(), "acme", mine)
	require.NoError(t, err)
	all, err = b.client.Dashboards(t.Context(), "acme")
	require.NoError(t, err)
	require.Equal(t, []claim.Dashboard{mine}, all)
	others, err := b.client.Dashboards(t.Context(), "other")
	require.NoError(t, err)
	require.Empty(t, others)

	for i := range claim.MaxDashboards - 1 {
		_, err := b.client.SaveDashboard(t.Context(), "acme", claim.Dashboard{ID: fmt.Sprint("d", i), Name: "More", Tiles: mine.Tiles})
		require.NoError(t, err)
	}
	_, err = b.client.SaveDashboard(t.Context(), "acme", claim.Dashboard{ID: "one-too-many", Name: "More", Tiles: mine.Tiles})
	_ = refusal(t, err, http.StatusConflict, client.CodeConflict)
	_, err = b.client.SaveDashboard(t.Context(), "acme", mine)
	require.NoError(t, err, "one that exists can be replaced")

	require.NoError(t, b.client.DeleteDashboard(t.Context(), "acme", "mine"))
	require.Error(t, b.client.DeleteDashboard(t.Context(), "acme", "mine"))
	_, err = b.client.Dashboards(t.Context(), "nobody")
	_ = refusal(t, err, http.StatusNotFound, client.CodeNotFound)
	_, err = b.client.SaveDashboard(t.Context(), "nobody", mine)
	_ = refusal(t, err, http.StatusNotFound, client.CodeNotFound)
	require.Equal(t, http.StatusForbidden, b.send("PUT", "/v1/shops/acme/dashboards/mine", b.key("acme", client.ScopeShopsRead), `{"name":"x","tiles":[{"kpi":"backlog","chart":"line"}]}`).StatusCode)
}

func TestInvalidDashboardsAreRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.shop("acme")
	for name, test := range map[string]struct{ id, body, field string }{
		"no name":              {"x", `{"name": "", "tiles": [{"kpi": "backlog", "chart": "line"}]}`, "name"},
		"no tiles":             {"x", `{"name": "x", "tiles": []}`, "tiles"},
		"an unknown figure":    {"x", `{"name": "x", "tiles": [{"kpi": "luck", "chart": "line"}]}`, "tiles[0].kpi"},
		"an unknown chart":     {"x", `{"name": "x", "tiles": [{"kpi": "backlog", "chart": "pie"}]}`, "tiles[0].chart"},
		"a foreign dimension":  {"x", `{"name": "x", "tiles": [{"kpi": "backlog", "chart": "bars", "by": "agent"}]}`, "tiles[0].by"},
		"a ranking of nothing": {"x", `{"name": "x", "tiles": [{"kpi": "backlog", "chart": "ranking"}]}`, "tiles[0].by"},
		"a line by something":  {"x", `{"name": "x", "tiles": [{"kpi": "csat", "chart": "line", "by": "agent"}]}`, "tiles[0].by"},
		"no hours of the week": {"x", `{"name": "x", "tiles": [{"kpi": "backlog", "chart": "heat"}]}`, "tiles[0].chart"},
		"a tile twice":         {"x", `{"name": "x", "tiles": [{"kpi": "csat", "chart": "line"}, {"kpi": "csat", "chart": "bars"}]}`, "tiles[1]"},
		"a bad id":             {"X.Y", `{"name": "x", "tiles": [{"kpi": "backlog", "chart": "line"}]}`, "dashboard"},
	} {
		answer := b.send("PUT", "/v1/shops/acme/dashboards/"+test.id, b.secret, test.body)
		require.Equal(t, http.StatusUnprocessableEntity, answer.StatusCode, "%s: %s", name, answer.text)
		require.Contains(t, answer.text, test.field, name)
	}
}
