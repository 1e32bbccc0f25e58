package portal_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

func TestOwnDashboards(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.fill(40, 20)
	p := b.enter(client.NewPortalLink{})
	require.Contains(t, p.get("/portal/dashboards").text, `href="/portal/dashboards/new"`)
	require.Contains(t, p.get("/portal/dashboards/new").text, "Backlog by queue – bars")

	for name, form := range map[string]url.Values{
		"Enter a name.":             {"name": {" "}, "tile": {"backlog line "}},
		"Choose at least one tile.": {"name": {"My <board>"}, "tile": {"", ""}},
		"must be a key figure":      {"name": {"My <board>"}, "tile": {"luck line "}},
	} {
		refused := p.post("/portal/dashboards/new", form)
		require.Equal(t, http.StatusUnprocessableEntity, refused.status)
		require.Contains(t, refused.text, name)
		if strings.TrimSpace(form.Get("name")) != "" {
			require.Contains(t, refused.text, `value="My &lt;board&gt;"`, "what was typed stays")
		}
	}

	saved := p.post("/portal/dashboards/new", url.Values{"name": {"My <board>"}, "tile": {"csat ranking agent", "", "backlog line ", "csat ranking agent", "claim_volume bars reason"}})
	require.Equal(t, http.StatusOK, saved.status, saved.text)
	require.Contains(t, saved.text, "<h1>My &lt;board&gt;</h1>")
	require.Less(t, strings.Index(saved.text, `id="csat-by-agent"`), strings.Index(saved.text, `id="backlog"`), "in the chosen order")
	require.Contains(t, saved.text, `<select id="queue"`)
	require.Contains(t, saved.text, `<select id="reason"`)
	all, err := b.client.Dashboards(t.Context(), shop)
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.Equal(t, []claim.DashboardTile{{KPI: "csat", Chart: "ranking", By: "agent"}, {KPI: "backlog", Chart: "line"}, {KPI: "claim_volume", Chart: "bars", By: "reason"}}, all[0].Tiles)
	path := "/portal/dashboards/own-" + all[0].ID
	require.Equal(t, http.StatusOK, p.get(path+"/backlog/csv").status)

	require.Contains(t, p.get(path+"/edit").text, `<option value="csat ranking agent" selected>`)
	changed := p.post(path+"/edit", url.Values{"name": {"Other"}, "tile": {"backlog line "}})
	require.Contains(t, changed.text, "<h1>Other</h1>")
	require.NotContains(t, changed.text, `id="csat-by-agent"`)

	reader := b.enter(client.NewPortalLink{Capabilities: []claim.PortalCapability{}})
	require.Contains(t, reader.get("/portal/dashboards").text, ">Other</a>")
	require.NotContains(t, reader.get(path).text, "/edit")
	require.Equal(t, http.StatusForbidden, reader.get(path+"/edit").status)
	require.Equal(t, http.StatusForbidden, reader.post(path+"/delete", nil).status)

	require.Equal(t, http.StatusNotFound, p.get("/portal/dashboards/overview/edit").status, "boards for every shop stay")
	deleted := p.post(path+"/delete", nil)
	require.Contains(t, deleted.text, "The dashboard is deleted.")
	require.Equal(t, http.StatusNotFound, p.get(path).status)
}
