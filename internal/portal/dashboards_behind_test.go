package portal_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

var (
	figureLink = regexp.MustCompile(`<p class="figure"><a href="([^"]+)"`)
	placeLink  = regexp.MustCompile(`<button name="v" value="([^"]+)">([^<]+)</button>`)
	morePages  = regexp.MustCompile(`<p class="pages"><a class="button" href="([^"]+)"`)
)

// behind follows a list to its end and returns its pages and how many it lists.
func (p *person) behind(address string) (listed int, pages string) {
	p.Helper()
	for address != "" {
		page := p.get(address)
		require.Equal(p, http.StatusOK, page.status, page.text)
		require.NotContains(p, page.text, "%!")
		require.Empty(p, regexp.MustCompile(`\b(behind|dash|kpi)\.[a-z0-9_.]+`).FindAllString(page.text, -1))
		listed += strings.Count(page.text, `<th scope="row">`)
		pages += page.text
		address = ""
		if more := morePages.FindStringSubmatch(page.text); more != nil && strings.Contains(more[1], "cursor=") {
			address = html.UnescapeString(more[1])
		}
	}
	return listed, pages
}

const firstPage = "First page"

// fieldsOf are the hidden fields of the form that the numbers of the tables belong to.
func fieldsOf(t *testing.T, page string) url.Values {
	t.Helper()
	_, form, found := strings.Cut(page, `/behind">`)
	require.True(t, found)
	form, _, _ = strings.Cut(form, "<div")
	q := url.Values{}
	for _, field := range regexp.MustCompile(`name="([^"]+)" value="([^"]*)"`).FindAllStringSubmatch(form, -1) {
		q.Add(field[1], html.UnescapeString(field[2]))
	}
	return q
}

// Every number of every board leads to as many conversations or claims as it says.
func TestEveryNumberLeadsToWhatIsBehindIt(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.fill(120, 20)
	for _, id := range []string{"c-1", "c-2"} {
		b.park(b.submit(id), claim.CauseNoContact)
	}
	account := must(b.client.Shop(t.Context(), shop)).Connection.ID
	agents, err := b.client.KPI(t.Context(), account, "closed_conversations", client.KPIQuery{By: "agent", Bucket: "none"})
	require.NoError(t, err)
	agent := agents.Series[len(agents.Series)-1].Group
	p := b.enter(client.NewPortalLink{Language: "en"})
	for _, board := range []string{"overview", "backlog", "agents", "claims", "ratings", "staffing"} {
		for _, filter := range []string{"", "&channel=Email&tag=return", "&agent=" + agent, "&team=Returns", "&reason=damaged"} {
			t.Run(board+filter, func(t *testing.T) {
				t.Parallel()
				p := &person{b.on(t), p.http}
				page := p.get("/portal/dashboards/" + board + "?zone=Europe/Berlin" + filter).text
				fields := fieldsOf(t, page)
				for _, id := range regexp.MustCompile(`<section class="card" aria-labelledby="([^"]+)">`).FindAllStringSubmatch(page, -1) {
					tile := tileOf(t, page, id[1])
					behind := regexp.MustCompile(`(?:Conversations|Claims) behind it: (\d+)`).FindStringSubmatch(tile)
					link := figureLink.FindStringSubmatch(tile)
					if behind == nil || behind[1] == "0" {
						require.Nil(t, link, "%s: %s", id[1], tile)
						continue
					}
					require.NotNil(t, link, id[1])
					listed, pages := p.behind(link[1])
					require.Equal(t, behind[1], strconv.Itoa(listed), id[1])
					require.Contains(t, html.UnescapeString(pages), behind[0])
					require.Contains(t, pages, html.EscapeString("#"+id[1]), "the way back")
					require.Contains(t, html.UnescapeString(pages), strings.ReplaceAll("zone=Europe/Berlin", "/", "%2F"))
					places := placeLink.FindAllStringSubmatch(tile, -1)
					require.NotEmpty(t, places, id[1])
					for _, place := range []int{0, len(places) / 2, len(places) - 1} {
						fields.Set("v", places[place][1])
						listed, pages := p.behind("/portal/dashboards/" + board + "/behind?" + fields.Encode())
						require.Contains(t, pages, "behind it: "+strconv.Itoa(listed), "%s %s", id[1], places[place])
						if strings.HasPrefix(id[1], "conversation_volume") || id[1] == "backlog-by-queue" || !strings.Contains(id[1], "-by-") && board != "staffing" {
							require.Equal(t, places[place][2], strconv.Itoa(listed), "%s %s", id[1], places[place])
						}
					}
				}
			})
		}
	}
}

// A list keeps its period, has its pages, and leads to claims.
func TestBehindPages(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	account := b.fill(120, 20)
	conversations, err := b.client.KPIBehind(t.Context(), account, "conversation_volume", client.KPIBehindQuery{})
	require.NoError(t, err)
	newest := conversations.Members[0].ConversationID
	b.linked("c-1", newest)
	p := b.enter(client.NewPortalLink{Language: "en"})
	address := "/portal/dashboards/overview/conversation_volume-by-channel/conversations"
	first := p.get(address)
	require.Contains(t, first.text, `<a href="/portal/claims/c-1">`+strconv.FormatInt(newest, 10))
	require.NotContains(t, first.text, firstPage)
	second := p.get(html.UnescapeString(morePages.FindStringSubmatch(first.text)[1]))
	require.Contains(t, second.text, firstPage)
	require.NotContains(t, second.text, ">"+strconv.FormatInt(newest, 10)+"<")
	require.NotContains(t, second.text, "Subject")

	csat, _ := p.behind("/portal/dashboards/ratings/csat/conversations")
	require.Positive(t, csat)
	rated := p.get("/portal/dashboards/ratings/csat/conversations").text
	require.Contains(t, rated, `<th scope="col">Counts</th>`)
	require.Contains(t, rated, `<td data-label="Counts">Yes</td>`)
	require.Regexp(t, `<td data-label="Value">[1-5]</td>`, rated)

	without := b.enter(client.NewPortalLink{Language: "en", Pages: []claim.PortalPage{claim.PageDashboards}})
	require.NotContains(t, without.get(address).text, "/portal/claims/", "the session does not show claims")
	for _, path := range []string{
		"overview/behind", "overview/behind?v=x", "overview/behind?v=99.", "overview/behind?v=-1.", "agents/behind?v=2.0", "overview/behind?v=1.1.x",
		"nothing/behind?v=0.", "staffing/agent_presence/conversations", "overview/nothing/conversations", "staffing/behind?v=2.1",
	} {
		require.Equal(t, http.StatusNotFound, p.get("/portal/dashboards/"+path).status, path)
	}
	for _, path := range []string{"overview/behind?v=1.9999", "overview/csat/conversations?cursor=x"} {
		require.NotEqual(t, http.StatusInternalServerError, p.get("/portal/dashboards/"+path).status, path)
	}
	old := p.get(address + "?now=" + time.Now().AddDate(0, 0, -40).UTC().Format(time.RFC3339))
	require.Contains(t, old.text, "No conversations in this period.")
}

// The page says how many it cannot list.
func TestBehindSaysWhatIsGone(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	account := b.fill(40, 20)
	sources, err := b.client.DataSources(t.Context(), account)
	require.NoError(t, err)
	sources[0].From, sources[0].KeepFigures = time.Now().AddDate(0, 0, -5), true
	_, err = b.client.ReplaceDataSource(t.Context(), account, sources[0])
	require.NoError(t, err)
	_, err = b.store.Mirror.DeleteExpired(t.Context(), account)
	require.NoError(t, err)
	p := b.enter(client.NewPortalLink{Language: "en"})
	listed, pages := p.behind("/portal/dashboards/staffing/conversation_volume/conversations")
	gone := regexp.MustCompile(`Not listed: (\d+)`).FindStringSubmatch(pages)
	require.Len(t, gone, 2)
	n, err := strconv.Atoi(gone[1])
	require.NoError(t, err)
	require.Positive(t, listed)
	require.Equal(t, 40, listed+n)
	require.Contains(t, pages, "behind it: 40")
}
