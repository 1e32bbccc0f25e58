package portal_test

import (
	"bufio"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

// wall creates a wall link on the page of a board and returns its address.
func (p *person) wall(board string, form url.Values) string {
	p.Helper()
	answer := p.post("/portal/dashboards/"+board+"/walls", form)
	require.Equal(p, http.StatusOK, answer.status, answer.text)
	found := regexp.MustCompile(`<code class="secret"[^>]*>([^<]+)</code>`).FindStringSubmatch(answer.text)
	require.Len(p, found, 2, answer.text)
	return html.UnescapeString(found[1])
}

func TestWall(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.fill(60, 20)
	staff := b.enter(client.NewPortalLink{Language: "de"})
	require.Contains(t, staff.get("/portal/dashboards/overview?period=7&channel=Email").text, `name="query" value="channel=Email&amp;period=7"`)
	address := staff.wall("overview", url.Values{"name": {"Support <room>"}, "query": {"period=7&channel=Email&nothing=x"}})
	require.True(t, strings.HasPrefix(address, b.url+"/portal/wall/cfw_"), address)

	screen := b.browser()
	page := screen.get(address)
	require.Equal(t, http.StatusOK, page.status, page.text)
	for name, want := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY", "Set-Cookie": ""} {
		require.Equal(t, want, page.header.Get(name), name)
	}
	require.Contains(t, page.header.Get("Content-Security-Policy"), "frame-ancestors 'none'")
	require.Contains(t, page.text, `<html lang="de">`, "in the language of who created it")
	require.Contains(t, page.text, "Kanal: E-Mail", "the screen says how it is filtered")
	require.Contains(t, page.text, `<noscript><meta http-equiv="refresh" content="60"></noscript>`)
	require.Contains(t, page.text, `<svg class="chart"`)
	for _, absent := range []string{"<form", "<button", "<a ", "<nav", "<details", "role=\"alert\"", "/conversations", "/csv", "cfw_", " style="} {
		require.NotContains(t, page.text, absent)
	}
	want := staff.get("/portal/dashboards/overview?period=7&channel=Email").text
	require.Equal(t, figureOf(t, tileOf(t, want, "conversation_volume-by-channel")), figureOf(t, tileOf(t, page.text, "conversation_volume-by-channel")))

	walls, err := b.client.Walls(t.Context(), shop)
	require.NoError(t, err)
	require.Len(t, walls, 1)
	require.Equal(t, "Support <room>", walls[0].Name)
	require.Equal(t, "channel=Email&period=7", walls[0].Query)
	require.Equal(t, "portal staff-1", walls[0].CreatedBy)
	require.WithinDuration(t, b.clock(), walls[0].LastUsedAt, time.Minute)
	list := staff.get("/portal/dashboards")
	require.Contains(t, list.text, "Support &lt;room&gt;")
	require.NotContains(t, list.text, "cfw_", "the secret is shown once")
	require.NotContains(t, b.log.String(), "cfw_")

	// It ends at once, also in what is open.
	stream, err := screen.http.Do(screen.request(http.MethodGet, address+"/live", nil))
	require.NoError(t, err)
	defer func() { require.NoError(t, stream.Body.Close()) }()
	seen := bufio.NewScanner(stream.Body)
	seen.Buffer(nil, 1<<20)
	await := func(text string) {
		for seen.Scan() {
			require.NotContains(t, seen.Text(), "<form")
			if strings.Contains(seen.Text(), text) {
				return
			}
		}
		require.Fail(t, "the stream ended without "+text)
	}
	await(`<p class="figure">`)
	revoked := staff.post("/portal/dashboards/overview/walls/"+walls[0].ID+"/revoke", nil)
	require.Equal(t, http.StatusOK, revoked.status)
	require.NotContains(t, revoked.text, "Support &lt;room&gt;")
	await("event: ended")
	require.Equal(t, http.StatusNotFound, screen.get(address).status)
	require.Contains(t, screen.get(address+"/live").text, "event: ended")
	require.Equal(t, http.StatusNotFound, staff.post("/portal/dashboards/overview/walls/"+walls[0].ID+"/revoke", nil).status)
}

// No board tells a screen who wrote or about what.
func TestWallsNameNoCustomer(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	account := b.fill(60, 20)
	type named struct {
		Name *string `json:"name"`
	}
	var hidden []string
	for _, kind := range []string{"contacts", "tickets"} {
		page, err := client.ResourceOf[named](b.client, account, client.ModelTicketing, kind).Page(t.Context(), url.Values{"truto_ignore_remote_data": {"true"}})
		require.NoError(t, err)
		require.NotEmpty(t, page.Items, kind)
		for _, item := range page.Items {
			if item.Name != nil && *item.Name != "" {
				hidden = append(hidden, html.EscapeString(*item.Name))
			}
		}
	}
	require.NotEmpty(t, hidden)
	for _, board := range claim.PortalBoards() {
		link, err := b.client.CreateWall(t.Context(), shop, client.NewWall{Name: "Room", Board: board, Language: "en"})
		require.NoError(t, err)
		page := b.browser().get(link.URL)
		require.Equal(t, http.StatusOK, page.status, board)
		require.NotContains(t, page.text, "%!")
		require.Empty(t, regexp.MustCompile(`\b(dash|kpi|board|wall)\.[a-z0-9_.]+`).FindAllString(page.text, -1), board)
		for _, name := range hidden {
			require.NotContains(t, page.text, name, board)
		}
	}
}

// A wall link opens the wall and nothing else, in whatever way it is presented.
func TestWallOpensNothingElse(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect()
	link, err := b.client.CreateWall(t.Context(), shop, client.NewWall{Name: "Room", Board: "backlog"})
	require.NoError(t, err)
	_, secret, _ := strings.Cut(link.URL, "/wall/")
	screen := b.browser()
	require.Equal(t, http.StatusOK, screen.get(link.URL).status)

	post := screen.post(link.URL, url.Values{"name": {"x"}})
	require.Equal(t, http.StatusUnauthorized, post.status)
	paths := []string{
		"GET /portal/", "GET /portal/wall/" + secret + "/csv", "GET /portal/dashboards/backlog/backlog/csv",
		"GET /portal/dashboards/backlog/backlog/conversations", "GET /portal/dashboards/backlog/behind?v=0.", "POST /portal/wall/" + secret + "/live", "POST /portal/dashboards/backlog/walls",
		"POST /portal/dashboards/backlog/walls/" + link.ID + "/revoke", "POST /portal/dashboards/new", "POST /portal/leave",
	}
	for _, page := range claim.PortalPages() {
		paths = append(paths, "GET /portal/"+string(page))
	}
	for _, action := range []string{"setup/token", "setup/disconnect", "setup/settings", "setup/enable", "setup/disable", "setup/test"} {
		paths = append(paths, "POST /portal/"+action)
	}
	for _, path := range paths {
		method, path, _ := strings.Cut(path, " ")
		r := screen.request(method, path, url.Values{})
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		require.Equal(t, http.StatusUnauthorized, screen.send(r).status, path)
	}
	require.Equal(t, "event: ended\ndata:\n\n", screen.get("/portal/live?page=/portal/dashboards/backlog").text)
	cookie := screen.request(http.MethodGet, "/portal/setup", nil)
	cookie.AddCookie(&http.Cookie{Name: "claimflow-portal", Value: secret})
	require.Equal(t, http.StatusUnauthorized, screen.send(cookie).status)
	require.Equal(t, http.StatusNotFound, screen.get("/portal/enter/"+secret).status)
	key, err := client.New(b.url, secret, client.WithRetries(0, 0))
	require.NoError(t, err)
	_, err = key.Shop(t.Context(), shop)
	require.Error(t, err)
	session := b.enter(client.NewPortalLink{})
	require.NotContains(t, session.get("/portal/live?page=/portal/wall/"+secret+"/live").text, "event: news")
}

func TestUnknownWalls(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	screen := b.browser()
	for i := range 40 {
		path := fmt.Sprint("/portal/wall/cfw_", i)
		if i%2 == 1 {
			path += "/live"
		}
		answer := screen.get(path)
		if answer.status == http.StatusTooManyRequests {
			require.Greater(t, i, 20)
			return
		}
		require.NotContains(t, answer.text, "event: news")
		if i%2 == 0 {
			require.Equal(t, http.StatusNotFound, answer.status)
		}
	}
	require.Fail(t, "unknown wall links can be tried without end")
}

func TestWallsOfShopsAreApart(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect()
	_, err := b.client.AddShop(t.Context(), client.NewShop{Slug: "other", Name: "Other"})
	require.NoError(t, err)
	_, err = b.client.SaveDashboard(t.Context(), "other", claim.Dashboard{ID: "mine", Name: "Theirs", Tiles: []claim.DashboardTile{{KPI: "backlog", Chart: "line"}}})
	require.NoError(t, err)
	staff := b.enter(client.NewPortalLink{})
	require.Equal(t, http.StatusNotFound, staff.post("/portal/dashboards/own-mine/walls", url.Values{"name": {"x"}}).status, "a board of another shop")
	require.Equal(t, http.StatusNotFound, staff.post("/portal/dashboards/nothing/walls", url.Values{"name": {"x"}}).status)
	refused := staff.post("/portal/dashboards/backlog/walls", url.Values{"name": {" "}, "query": {"period=7"}})
	require.Equal(t, http.StatusUnprocessableEntity, refused.status)
	require.Contains(t, refused.text, "Enter a name")
	require.Contains(t, refused.text, `<option value="7" selected>`, "the selection stays")

	theirs, err := b.client.CreateWall(t.Context(), "other", client.NewWall{Name: "Theirs", Board: "own-mine"})
	require.NoError(t, err)
	require.Equal(t, http.StatusNotFound, staff.post("/portal/dashboards/backlog/walls/"+theirs.ID+"/revoke", nil).status)
	screen := b.browser()
	page := screen.get(theirs.URL)
	require.Contains(t, page.text, "No Dixa connection yet")
	require.NotContains(t, page.text, "Acme")
	require.NotContains(t, page.text, "<a ")

	reader := b.enter(client.NewPortalLink{Capabilities: []claim.PortalCapability{}})
	require.NotContains(t, reader.get("/portal/dashboards/backlog").text, "/walls")
	require.Equal(t, http.StatusForbidden, reader.post("/portal/dashboards/backlog/walls", url.Values{"name": {"x"}}).status)

	// The figures of a shared connection stay hidden.
	_, err = b.client.Connect(t.Context(), "other", token)
	require.NoError(t, err)
	require.Contains(t, screen.get(theirs.URL).text, "shared with other shops")

	require.NoError(t, b.client.DeleteDashboard(t.Context(), "other", "mine"))
	require.Equal(t, http.StatusNotFound, screen.get(theirs.URL).status, "the board is gone")
	require.Equal(t, "event: ended\ndata:\n\n", screen.get(theirs.URL+"/live").text, "so the screen loads the wall again and says it")
	last, err := b.client.CreateWall(t.Context(), "other", client.NewWall{Name: "Theirs", Board: "backlog"})
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, screen.get(last.URL).status)
	require.NoError(t, b.client.DeleteShop(t.Context(), "other"))
	require.Equal(t, http.StatusNotFound, screen.get(last.URL).status, "the shop is gone")
}
