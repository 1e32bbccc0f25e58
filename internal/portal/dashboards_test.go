package portal_test

import (
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/internal/api"
	"github.com/claimflow/claimflow/internal/portal"
)

// fill connects the shop to an organization with conversations of the last days and
// imports it. It returns the connection.
func (b *bench) fill(conversations, days int) string {
	b.Helper()
	require.NoError(b, b.dixa.Fill(b.Context(), server.FillOptions{Conversations: conversations, Seed: 1, Until: time.Now(), Span: time.Duration(days) * 24 * time.Hour}))
	b.connect()
	shop, err := b.client.Shop(b.Context(), shop)
	require.NoError(b, err)
	account := shop.Connection.ID
	_, err = b.client.CreateDataSource(b.Context(), account, claim.DataSource{Title: "Everything", From: time.Now().AddDate(0, 0, -days-10)})
	require.NoError(b, err)
	b.importAll(account)
	return account
}

// tileOf returns the part of a page that is the tile with an id.
func tileOf(t *testing.T, page, id string) string {
	t.Helper()
	_, after, found := strings.Cut(page, `aria-labelledby="`+id+`">`)
	require.True(t, found, "no tile %s", id)
	tile, _, _ := strings.Cut(after, "</section>")
	return html.UnescapeString(tile)
}

func figureOf(t *testing.T, tile string) string {
	t.Helper()
	found := regexp.MustCompile(`<p class="figure">(?:<a [^>]*>)?([^<]*)<`).FindStringSubmatch(tile)
	require.Len(t, found, 2, tile)
	return found[1]
}

func TestDashboards(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	account := b.fill(120, 20)
	p := b.enter(client.NewPortalLink{Pages: []claim.PortalPage{claim.PageDashboards}})

	t.Run("every board", func(t *testing.T) {
		t.Parallel()
		p := &person{b.on(t), p.http}
		for _, board := range []string{"", "/overview", "/backlog", "/agents", "/claims", "/ratings", "/staffing"} {
			for _, language := range []string{"en", "de"} {
				r := p.request(http.MethodGet, "/portal/dashboards"+board, nil)
				r.AddCookie(&http.Cookie{Name: "claimflow-portal-language", Value: language})
				page := p.send(r)
				require.Equal(t, http.StatusOK, page.status)
				require.Contains(t, page.text, `<html lang="`+language+`">`)
				require.Less(t, len(page.text), 100_000, "%s in %s", board, language)
				require.NotContains(t, page.text, `role="alert"`, board)
				require.Empty(t, regexp.MustCompile(`\b(dash|kpi|board|day)\.[a-z0-9_.]+`).FindAllString(page.text, -1), board)
				require.NotContains(t, page.text, "%!")
				require.NotContains(t, page.text, " style=")
				if board != "/claims" { // there are none
					require.Contains(t, page.text, `<svg class="chart"`)
				}
			}
		}
	})

	t.Run("the number is the API's", func(t *testing.T) {
		t.Parallel()
		p := &person{b.on(t), p.http}
		from, to := time.Now().UTC().AddDate(0, 0, -12).Format(time.DateOnly), time.Now().UTC().AddDate(0, 0, -5)
		for _, filter := range []string{"", "channel:Email"} {
			q := client.KPIQuery{From: from, To: to.AddDate(0, 0, 1).Format(time.DateOnly), Timezone: "Europe/Berlin", Bucket: "none"}
			address := url.Values{"period": {"custom"}, "from": {from}, "to": {to.Format(time.DateOnly)}, "zone": {"Europe/Berlin"}}
			if filter != "" {
				q.Filters = []string{filter}
				address.Set("channel", "Email")
			}
			want, err := b.client.KPI(t.Context(), account, "conversation_volume", q)
			require.NoError(t, err)
			value := *want.Series[0].Buckets[0].Value
			require.Positive(t, value)
			page := p.get("/portal/dashboards/overview?" + address.Encode())
			tile := tileOf(t, page.text, "conversation_volume-by-channel")
			require.Equal(t, strconv.FormatFloat(value, 'f', -1, 64), figureOf(t, tile))
			require.Contains(t, tile, "Conversations behind it: "+figureOf(t, tile))

			csv := regexp.MustCompile(`href="([^"]*/csv[^"]*)"`).FindStringSubmatch(tile)
			require.Len(t, csv, 2)
			file := p.get(csv[1])
			require.Equal(t, http.StatusOK, file.status)
			require.Equal(t, "text/csv; charset=utf-8", file.header.Get("Content-Type"))
			q.Bucket, q.By = "day", "channel"
			wantFile, err := b.client.KPICSV(t.Context(), account, "conversation_volume", q)
			require.NoError(t, err)
			require.Equal(t, string(wantFile), file.text)
		}
	})

	t.Run("filters stay in the address and are offered", func(t *testing.T) {
		t.Parallel()
		p := &person{b.on(t), p.http}
		page := p.get("/portal/dashboards/backlog?period=7&zone=Asia/Tokyo&channel=Email&agent=%3Cb%3E,x")
		require.Contains(t, page.text, `<option value="7" selected>`)
		require.Contains(t, page.text, `<option value="Email" selected>`)
		require.Contains(t, page.text, `<option value="&lt;b&gt;,x" selected>&lt;b&gt;,x</option>`)
		require.Contains(t, page.text, `/portal/dashboards/ratings?agent=%3Cb%3E%2Cx&amp;channel=Email&amp;period=7&amp;zone=Asia%2FTokyo`)
		require.Contains(t, tileOf(t, page.text, "backlog_age"), "Not filtered by: Agent")
		require.NotContains(t, tileOf(t, page.text, "sla_attainment"), "Not filtered by")
	})

	t.Run("dates are one's own period", func(t *testing.T) {
		t.Parallel()
		p := &person{b.on(t), p.http}
		day := time.Now().UTC().AddDate(0, 0, -3).Format(time.DateOnly)
		own := p.get("/portal/dashboards?shown=30&period=30&from=" + day + "&to=" + day)
		require.Contains(t, own.text, `<option value="custom" selected>`)
		require.Contains(t, own.text, `value="`+day+`"`)
		other := p.get("/portal/dashboards?shown=custom&period=7&from=" + day + "&to=" + day)
		require.Contains(t, other.text, `<option value="7" selected>`)
		require.NotContains(t, other.text, `value="`+day+`"`)
	})

	t.Run("the period before counts if it was imported", func(t *testing.T) {
		t.Parallel()
		p := &person{b.on(t), p.http}
		week := tileOf(t, p.get("/portal/dashboards?period=7").text, "closed_conversations")
		require.Regexp(t, `[+−±][0-9.]+% against the period before \([0-9]+\)`, week)
		month := tileOf(t, p.get("/portal/dashboards?period=30").text, "closed_conversations")
		require.Contains(t, month, "The period before has not been imported completely")
	})

	t.Run("faults stand at their fields", func(t *testing.T) {
		t.Parallel()
		p := &person{b.on(t), p.http}
		for query, field := range map[string]string{
			"zone=Nowhere/Land": "zone", "zone=Local": "zone", "period=custom": "from", "period=custom&from=2026-01-02&to=2026-01-01": "to",
			"period=custom&from=2999-01-01&to=2999-01-02": "from", "period=custom&from=2001-01-01&to=2026-01-01": "from", "period=90&bucket=hour": "bucket",
		} {
			page := p.get("/portal/dashboards?" + query)
			require.Equal(t, http.StatusOK, page.status)
			require.Contains(t, page.text, `id="`+field+`-fault"`, query)
			require.Contains(t, page.text, `<svg class="chart"`, "the default is shown")
		}
	})

	t.Run("what is not there", func(t *testing.T) {
		t.Parallel()
		p := &person{b.on(t), p.http}
		for _, path := range []string{"/portal/dashboards/nothing", "/portal/dashboards/overview/nothing/csv", "/portal/dashboards/nothing/backlog/csv"} {
			require.Equal(t, http.StatusNotFound, p.get(path).status, path)
		}
		other := b.enter(client.NewPortalLink{Pages: []claim.PortalPage{claim.PageSetup}})
		require.Equal(t, http.StatusForbidden, other.get("/portal/dashboards").status)
	})
}

// The tiles of a live board renew themselves, without the form.
func TestLiveDashboard(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	account := b.fill(300, 20) // so many that some are open at any time of the day
	p := b.enter(client.NewPortalLink{})
	require.Contains(t, p.get("/portal/dashboards/backlog").text, "data-live")
	require.NotContains(t, p.get("/portal/dashboards/overview").text, "data-live")
	backlog := func() float64 {
		answer, err := b.client.KPI(t.Context(), account, "backlog", client.KPIQuery{Bucket: "none"})
		require.NoError(t, err)
		require.NotNil(t, answer.Series[0].Buckets[0].Value)
		return *answer.Series[0].Buckets[0].Value
	}
	next := p.stream("/portal/dashboards/backlog")
	await := func(figure float64) {
		t.Helper()
		words := `/backlog-by-queue/conversations?period=30">` + strconv.FormatFloat(figure, 'f', -1, 64) + `<span`
		for event := ""; !strings.Contains(event, words); {
			event = next()
			require.NotContains(t, event, "<form")
		}
	}
	before := backlog()
	require.Positive(t, before)
	await(before)
	truths := b.dixa.Truth()
	open := slices.IndexFunc(truths, func(c server.Truth) bool { return c.State != server.StateClosed })
	require.NoError(t, b.dixa.Agent(t.Context(), server.Step{Conversation: truths[open].ID, Action: server.PlayClose}))
	b.dixa.Settle()
	b.importAll(account)
	require.InDelta(t, before-1, backlog(), 0)
	await(before - 1)
}

// A page stays small with as many parts as it may have, and with every group.
func TestDashboardsAreSmall(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.fill(600, 53)
	p := b.enter(client.NewPortalLink{Language: "de"})
	from, to := time.Now().UTC().AddDate(0, 0, -52).Format(time.DateOnly), time.Now().UTC().Format(time.DateOnly)
	for _, board := range []string{"overview", "backlog", "agents", "ratings", "staffing"} {
		page := p.get("/portal/dashboards/" + board + "?period=custom&bucket=day&from=" + from + "&to=" + to)
		require.Less(t, len(page.text), 100_000, board)
		require.NotContains(t, page.text, "bucket-fault")
		t.Log(board, len(page.text))
	}
}

// A figure that cannot be computed does not take the others with it.
func TestDashboardsWithAFault(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.fill(20, 20)
	pages, err := portal.New(portal.Options{
		Store: b.store, Acting: api.Acting, Scopes: api.PortalScopes, WallScopes: api.WallScopes(), Log: slog.New(slog.DiscardHandler), PublicURL: b.url,
		API: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/kpis/backlog") {
				panic("cannot count")
			}
			b.api.ServeHTTP(w, r)
		}),
	})
	require.NoError(t, err)
	web := httptest.NewServer(pages)
	t.Cleanup(web.Close)
	p := b.browser()
	link := b.link(client.NewPortalLink{})
	require.Equal(t, http.StatusOK, p.post(web.URL+strings.TrimPrefix(link.URL, b.url), nil).status)
	page := p.get(web.URL + "/portal/dashboards")
	require.Equal(t, http.StatusOK, page.status)
	require.Contains(t, tileOf(t, page.text, "backlog"), `role="alert"`)
	require.Equal(t, "20", figureOf(t, tileOf(t, page.text, "conversation_volume-by-channel")))
}

// held returns the address of pages that compute no figure until release is called.
func (b *bench) held() (address string, release func()) {
	b.Helper()
	computed := make(chan struct{})
	release = sync.OnceFunc(func() { close(computed) })
	pages, err := portal.New(portal.Options{
		Store: b.store, Acting: api.Acting, Scopes: api.PortalScopes, WallScopes: api.WallScopes(), Log: slog.New(slog.DiscardHandler), PublicURL: b.url,
		API: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "/kpis/") {
				<-computed
			}
			b.api.ServeHTTP(w, r)
		}),
	})
	require.NoError(b, err)
	web := httptest.NewServer(pages)
	b.Cleanup(web.Close)
	b.Cleanup(release) // before the server waits for its handlers
	return web.URL, release
}

// A board is sent up to its figures while they are computed.
func TestBoardIsSentBeforeItsFigures(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.fill(20, 20)
	address, release := b.held()
	p := b.enter(client.NewPortalLink{})

	stuck := time.AfterFunc(time.Minute, release)
	defer stuck.Stop()
	answer, err := p.http.Do(p.request(http.MethodGet, address+"/portal/dashboards/overview?zone=UTC", nil))
	require.NoError(t, err)
	defer func() { _ = answer.Body.Close() }()
	require.Equal(t, http.StatusOK, answer.StatusCode)
	head := ""
	for chunk := make([]byte, 4096); !strings.Contains(head, "The figures are being computed"); {
		n, err := answer.Body.Read(chunk)
		head += string(chunk[:n])
		require.NoError(t, err, head)
	}
	require.True(t, stuck.Stop(), "the head must be there before the figures")
	require.NotContains(t, head, `class="figure"`)
	require.Contains(t, head, `href="/portal/dashboards/staffing?`)
	require.Equal(t, strings.Count(head, `method="post"`), strings.Count(head, `name="portal_shop"`), "every form names its shop")
	release()
	rest, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.Equal(t, "20", figureOf(t, tileOf(t, string(rest), "conversation_volume-by-channel")))
	require.Contains(t, string(rest), `method="post"`)
	require.Equal(t, strings.Count(string(rest), `method="post"`), strings.Count(string(rest), `name="portal_shop"`))
	require.True(t, strings.HasSuffix(strings.TrimSpace(string(rest)), "</html>"))
}

func TestDashboardsWithoutData(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.enter(client.NewPortalLink{})
	page := p.get("/portal/dashboards")
	require.Equal(t, http.StatusOK, page.status)
	require.Contains(t, page.text, "No Dixa connection yet")
	require.Contains(t, page.text, `href="/portal/setup"`)
	require.NotContains(t, page.text, "<svg")
	b.connect()
	page = p.get("/portal/dashboards")
	require.Contains(t, page.text, "No conversations imported yet")

	_, err := b.client.AddShop(t.Context(), client.NewShop{Slug: "other"})
	require.NoError(t, err)
	_, err = b.client.Connect(t.Context(), "other", token)
	require.NoError(t, err)
	page = p.get("/portal/dashboards/overview")
	require.Contains(t, page.text, "Your Dixa is shared with other shops")
	require.NotContains(t, page.text, "<svg")
}
