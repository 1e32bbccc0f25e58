package portal_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

// Channels and reasons have words in both languages; what has none keeps its name.
func TestDashboardsHaveWordsForValues(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.fill(60, 20)
	for i, reason := range []string{"not_received", "Melted"} {
		_, err := b.store.Claims.Accept(t.Context(), &claim.Claim{
			ID: []string{"c-1", "c-2"}[i], Shop: shop, Reason: reason, Preference: "refund", Phase: "delivered", Items: []claim.Item{{SKU: "VASE-1", Quantity: 1}},
			Customer: claim.Customer{Email: "ada@customer.example", FirstName: "Ada"}, Order: claim.Order{Number: "1"},
		})
		require.NoError(t, err)
	}
	for _, test := range []struct{ language, email, received string }{{"en", "Email", "Not received"}, {"de", "E-Mail", "Nicht angekommen"}} {
		p := b.enter(client.NewPortalLink{Language: test.language})
		overview := p.get("/portal/dashboards/overview").text
		require.Contains(t, overview, `<option value="Email">`+test.email+`</option>`)
		require.Contains(t, p.get("/portal/dashboards/overview?channel=Semaphore").text, `<option value="Semaphore" selected>Semaphore</option>`)
		require.Contains(t, tileOf(t, overview, "conversation_volume-by-channel"), test.email)
		claims := p.get("/portal/dashboards/claims").text
		require.Contains(t, claims, `<option value="not_received">`+test.received+`</option>`)
		require.Contains(t, tileOf(t, claims, "claim_volume-by-reason"), test.received)
		require.Contains(t, tileOf(t, claims, "claim_volume-by-reason"), "melted")
	}
}

// Without a zone in the address, a board shows that of the browser, and the address has it.
func TestDashboardsInTheZoneOfTheBrowser(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.fill(20, 20)
	p := b.enter(client.NewPortalLink{})
	get := func(path, zone string) answer {
		r := p.request(http.MethodGet, path, nil)
		r.AddCookie(&http.Cookie{Name: "claimflow-portal-zone", Value: url.QueryEscape(zone)})
		return p.send(r)
	}
	page := get("/portal/dashboards/ratings?period=7", "Asia/Tokyo")
	require.Equal(t, url.Values{"period": {"7"}, "zone": {"Asia/Tokyo"}}, page.url.Query())
	require.Equal(t, "/portal/dashboards/ratings", page.url.Path)
	require.Contains(t, page.text, `value="Asia/Tokyo"`)
	require.Contains(t, page.text, "/portal/dashboards/backlog?period=7&amp;zone=Asia%2FTokyo")
	for _, path := range []string{"/portal/dashboards/ratings?zone=Europe/Berlin", "/portal/dashboards/ratings?zone="} {
		require.Equal(t, path, get(path, "Asia/Tokyo").url.RequestURI(), "who chose a zone keeps it")
	}
	for _, wrong := range []string{"", "Local", "Nowhere/Land", "../../etc/passwd", "https://elsewhere.example"} {
		page := get("/portal/dashboards/ratings", wrong)
		require.Equal(t, http.StatusOK, page.status)
		require.Equal(t, "/portal/dashboards/ratings", page.url.RequestURI(), wrong)
	}
}
