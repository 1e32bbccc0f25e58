package portal_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

// A person filters a dashboard and finds the API's number, with and without a script.
func TestBrowserFiltersADashboard(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	account := b.fill(80, 20)
	for _, script := range []bool{true, false} {
		t.Run(fmt.Sprint("script ", script), func(t *testing.T) {
			t.Parallel()
			b := b.on(t)
			w := b.window(1400, "light")
			if !script {
				w.withoutScript()
			}
			w.enter(client.NewPortalLink{Pages: []claim.PortalPage{claim.PageDashboards}})
			w.press(`a[href^="/portal/dashboards/staffing"]`)
			w.see("Arrivals per hour")
			w.choose("#period", "90")
			w.choose("#channel", "Email")
			w.typeInto("#zone", "Europe/Berlin")
			w.press(`form[action="/portal/dashboards/staffing"] button`)
			w.until("location.search", "keep the filters", func(query string) bool { return strings.Contains(query, "channel=Email") })
			want, err := b.client.KPI(t.Context(), account, "conversation_volume", client.KPIQuery{
				From: time.Now().AddDate(0, 0, -60).Format(time.DateOnly), Bucket: "none", Filters: []string{"channel:Email"},
			})
			require.NoError(t, err)
			w.see("Conversations behind it: " + strconv.Itoa(want.Series[0].Buckets[0].Count))
			w.press(`section[aria-labelledby="conversation_volume"] .figure a`)
			w.see("Behind the figure: Conversations")
			w.press(`main a.button`)
			w.see("Arrivals per hour")
			w.press(`#conversation_volume-summary`)
			behind := evaluate[string](w, `document.querySelector("#conversation_volume-table button").textContent`)
			w.press(`#conversation_volume-table button`)
			w.see("Conversations behind it: " + behind)
			w.see("Channel: Email")
			require.Equal(t, behind, strconv.Itoa(evaluate[int](w, `document.querySelectorAll("tbody tr").length`)))
			w.press(`main a.button`)
			w.until("location.pathname + location.search", "keep the filters", func(address string) bool {
				return strings.HasPrefix(address, "/portal/dashboards/staffing?") && strings.Contains(address, "channel=Email")
			})
		})
	}
}

// While its figures are computed, a board says so, where the figures will be.
func TestBrowserShowsThatFiguresAreComputed(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.fill(20, 20)
	address, release := b.held()
	w := b.window(1400, "light")
	w.enter(client.NewPortalLink{})
	// chromedp.Navigate would wait until the page is whole.
	w.run(chromedp.Evaluate[chromedp.Void](fmt.Sprintf("void setTimeout(() => location.assign(%q))", address+"/portal/dashboards/overview?zone=UTC")))
	place := `(document.querySelector("h1")?.getBoundingClientRect().x ?? "")`
	// Before its style is loaded, a page can be asked, but nobody sees it.
	waiting := `(location.pathname.includes("overview") && document.styleSheets.length && document.querySelector(".waiting")?.checkVisibility({ opacityProperty: true }))`
	var at string
	w.poll(waiting+` ? document.readyState + " at " + `+place+` : ""`, "say that figures are computed", func(seen string) bool {
		at = seen
		return seen != ""
	})
	require.True(t, strings.HasPrefix(at, "loading at "), at)
	release()
	w.see("Conversations")
	w.until(waiting+` ? "waiting" : "figures"`, "show the figures", func(s string) bool { return s == "figures" })
	require.Equal(t, strings.TrimPrefix(at, "loading at "), evaluate[string](w, `"" + `+place), "the heading must not move")
}

func TestDashboardsHaveNoBarriers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.fill(200, 20)
	for _, theme := range []string{"light", "dark"} {
		for _, width := range []int64{360, 1400, 3840} {
			t.Run(fmt.Sprint(theme, width), func(t *testing.T) {
				t.Parallel()
				w := b.on(t).window(width, theme)
				w.enter(client.NewPortalLink{Language: "de"})
				for i, page := range []string{"", "/backlog?zone=nowhere", "/agents", "/claims", "/ratings", "/staffing", "/overview/conversation_volume-by-channel/conversations", "/ratings/csat/conversations", "/overview/closed_conversations/conversations?period=7", "/new"} {
					w.open("/portal/dashboards" + page)
					evaluate[bool](w, `[...document.querySelectorAll("details")].every((d) => d.open = true)`)
					w.inspect(fmt.Sprintf("dashboards-%d-%s-%d", i, theme, width))
				}
			})
		}
	}
}
