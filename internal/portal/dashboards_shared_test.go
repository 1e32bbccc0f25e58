package portal_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

// A shop whose Dixa is or was shared is told so where it connects, sees the figures of its
// own claims, and is offered nothing that would show nothing.
func TestDashboardsOfASharedOrganization(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.fill(5, 5)
	for _, id := range []string{"c-1", "c-2"} {
		b.submit(id)
	}
	p := b.enter(client.NewPortalLink{})
	own := func(name, tiles string) string {
		t.Helper()
		saved := p.post("/portal/dashboards/new", url.Values{"name": {name}, "tile": strings.Split(tiles, ",")})
		require.Equal(t, http.StatusOK, saved.status)
		return saved.url.Path
	}
	mixed, conversations := own("Mixed", "conversation_volume bars channel,claim_volume bars reason"), own("Only conversations", "backlog line ")
	require.NotContains(t, p.get("/portal/setup").text, "Other shops use this Dixa organization")

	_, err := b.client.AddShop(t.Context(), client.NewShop{Slug: "other", Name: "Secret rival"})
	require.NoError(t, err)
	_, err = b.client.Connect(t.Context(), "other", token)
	require.NoError(t, err)
	for _, id := range []string{"o-1", "o-2", "o-3"} {
		_, err := b.client.Submit(t.Context(), &claim.Claim{
			ID: id, Shop: "other", Reason: "secret_reason", Order: claim.Order{Number: "9"}, Customer: claim.Customer{Email: "eve@example.org"},
		})
		require.NoError(t, err)
	}
	submitted := time.Now()
	require.Eventually(t, func() bool { return time.Now().Truncate(time.Second).After(submitted) }, 10*time.Second, 10*time.Millisecond,
		"boards show what came before the current second")
	restricted := func(t *testing.T) {
		t.Helper()
		setup := p.get("/portal/setup").text
		require.Contains(t, setup, "Other shops use this Dixa organization too")
		require.NotContains(t, setup, "rival")

		page := p.get("/portal/dashboards").text
		require.Contains(t, page, "you see the figures of your own claims here")
		for _, tile := range []string{"claim_volume-by-reason", "claim_parkings-by-cause", "claim_repeat_share"} {
			require.NotEmpty(t, tileOf(t, page, tile))
		}
		require.Equal(t, "2", figureOf(t, tileOf(t, page, "claim_volume-by-reason")))
		require.NotContains(t, page, "secret")
		require.NotContains(t, page, "/portal/dashboards/overview")
		require.NotContains(t, page, "No conversations imported yet")
		require.Contains(t, page, "/portal/dashboards/claims/walls")

		page = p.get(mixed).text
		require.Equal(t, "2", figureOf(t, tileOf(t, page, "claim_volume-by-reason")))
		require.NotContains(t, page, "conversation_volume-by-channel")
		require.Contains(t, p.get(mixed+"/edit").text, `<option value="conversation_volume bars channel" selected>`, "saving again must not drop a tile")
		require.Equal(t, http.StatusNotFound, p.get(mixed+"/conversation_volume-by-channel/csv").status)

		for _, board := range []string{"/portal/dashboards/overview", conversations} {
			page = p.get(board).text
			require.Contains(t, page, "Your Dixa is shared with other shops")
			require.Contains(t, page, "A screen would show nothing")
			require.NotContains(t, page, board+"/walls")
			require.NotContains(t, page, "<svg")
		}
		form := p.get("/portal/dashboards/new").text
		require.Contains(t, form, "Only figures of your own claims can be chosen")
		require.Contains(t, form, `value="claim_volume bars reason"`)
		require.NotContains(t, form, `value="backlog line "`)
	}
	restricted(t)
	require.NoError(t, b.store.Connections.RemoveToken(t.Context(), "other"))
	restricted(t)
	wall, err := b.client.CreateWall(t.Context(), shop, client.NewWall{Name: "Wall", Board: "claims"})
	require.NoError(t, err)
	screen := b.browser().get(wall.URL).text
	require.Equal(t, "2", figureOf(t, tileOf(t, screen, "claim_volume-by-reason")))
	require.NotContains(t, screen, "secret")

	require.NoError(t, b.client.DeleteShop(t.Context(), "other"))
	require.NotContains(t, p.get("/portal/setup").text, "Other shops use this Dixa organization")
	require.Equal(t, "2", figureOf(t, tileOf(t, p.get("/portal/dashboards/claims").text, "claim_volume-by-reason")))
	require.Contains(t, p.get("/portal/dashboards").text, "conversation_volume-by-channel")
}
