package portal_test

import (
	"context"
	"encoding/csv"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/internal/api"
	"github.com/claimflow/claimflow/internal/todixa/connection"
	"github.com/claimflow/claimflow/store"
)

// engine records what the API asks of Temporal.
type engine struct {
	mu    sync.Mutex
	asked []claim.ImportRequest
	woken int
}

func (e *engine) options(o *api.Options) {
	o.Import = func(_ context.Context, _ string, r claim.ImportRequest) error {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.asked = append(e.asked, r)
		return nil
	}
	o.WakeImport = func(context.Context, string) error {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.woken++
		return nil
	}
}

// organization connects the shop and returns the id of its connection.
func (b *bench) organization() string {
	b.Helper()
	b.connect()
	s, err := b.client.Shop(b.Context(), shop)
	require.NoError(b, err)
	return s.Connection.ID
}

// importAll imports what the data sources select, as a worker would. watch hears how many
// windows are finished.
func (b *bench) importAll(connectionID string, watch ...func(finished int)) {
	b.Helper()
	clients := connection.New(b.store, connection.Options{
		BaseURL: b.host + "/v1/", ExportsURL: b.host + "/exports/v1/", ExportsPace: time.Microsecond,
		Limits: store.BudgetLimits{Interval: time.Microsecond, MaxWait: time.Second},
	})
	imports := &activities.Imports{Store: b.store, Clients: clients}
	steps := &activities.ImportStore{Store: b.store}
	i := step[claim.Import](b, imports.PlanImport, activities.ImportPlan{ConnectionID: connectionID, Cause: claim.ImportRequested})
	ref := activities.ImportRef{ConnectionID: connectionID, ImportID: i.ID}
	finished := 0
	tell := func() {
		for _, w := range watch {
			w(finished)
		}
	}
	tell()
	for {
		state := step[activities.ImportState](b, steps.LoadImport, ref)
		if len(state.Next) == 0 {
			break
		}
		for _, window := range state.Next {
			step[claim.ImportCounts](b, imports.ImportWindow, activities.ImportWindowInput{ConnectionID: connectionID, ImportID: i.ID, Access: i.Access, Window: window})
			finished++
			tell()
		}
	}
	step[claim.ImportCounts](b, imports.EndImport, ref)
}

// step runs a step of an import.
func step[R any](b *bench, activity, in any) R {
	b.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(activity)
	var out R
	value, err := env.ExecuteActivity(activity, in)
	require.NoError(b, err)
	require.NoError(b, value.Get(&out))
	return out
}

func TestDataWithoutAConnection(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.enter(client.NewPortalLink{})
	require.Contains(t, p.get("/portal/data").text, "not connected to Dixa yet")
	require.Equal(t, "/portal/data", p.get("/portal/data/sources/new").url.Path)
}

func TestDataOfASharedOrganization(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect()
	_, err := b.client.AddShop(t.Context(), client.NewShop{Slug: "other"})
	require.NoError(t, err)
	_, err = b.client.Connect(t.Context(), "other", token)
	require.NoError(t, err)
	p := b.enter(client.NewPortalLink{})
	seen := p.get("/portal/data")
	require.Equal(t, http.StatusOK, seen.status)
	require.Contains(t, seen.text, "Other shops use your Dixa organization too")
	require.NotContains(t, seen.text, "<form method=\"post\" action=\"/portal/data")
	again := p.post("/portal/data/sources/new", url.Values{"title": {"mine"}})
	require.Contains(t, again.text, "Other shops use your Dixa organization too")
}

func TestDataWithARefusedToken(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.organization()
	require.NotContains(t, b.enter(client.NewPortalLink{}).get("/portal/data").text, "nothing can be imported")
	_, err := b.store.Connections.MarkNeedsToken(t.Context(), id, b.store.Connections.TokenHash(token))
	require.NoError(t, err)
	require.Contains(t, b.enter(client.NewPortalLink{}).get("/portal/data").text, "nothing can be imported")
}

func TestDataSource(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.organization()
	p := b.enter(client.NewPortalLink{})
	require.Contains(t, p.get("/portal/data").text, "Nothing is kept yet")
	asked := p.get("/portal/data/sources/new")
	require.Contains(t, asked.text, `name="queue_ids" value="`)
	require.Contains(t, asked.text, "Time to first response")
	queue := regexp.MustCompile(`name="queue_ids" value="([^"]+)"`).FindStringSubmatch(asked.text)[1]

	tomorrow := time.Now().Add(48 * time.Hour).Format(time.DateOnly)
	typed := url.Values{
		"title": {"Mail & <more>"}, "streams": {"conversations", "messages"}, "channels": {"Email"}, "queue_ids": {queue}, "date": {"closed"},
		"fields": {"subject", "score"}, "from": {tomorrow}, "retention_days": {"90"}, "keep_figures": {"1"},
	}
	refused := p.post("/portal/data/sources/new", typed)
	require.Equal(t, http.StatusUnprocessableEntity, refused.status)
	require.Contains(t, refused.text, "A chosen column belongs to a kind of data that is not chosen")
	require.Contains(t, refused.text, "not in the future")
	require.Contains(t, refused.text, `value="Mail &amp; &lt;more&gt;"`)
	for _, kept := range []string{`value="messages" checked`, `value="Email" checked`, `value="subject" checked`, `value="` + queue + `" checked`, `value="closed" selected`, `value="90"`} {
		require.Contains(t, refused.text, kept)
	}

	typed.Set("from", "2026-01-02")
	typed["fields"] = []string{"subject", "id"}
	added := p.post("/portal/data/sources/new", typed)
	require.Equal(t, http.StatusOK, added.status, added.text)
	require.Contains(t, added.text, "Start an import")
	sources, err := b.client.DataSources(t.Context(), id)
	require.NoError(t, err)
	require.Len(t, sources, 1)
	s := sources[0]
	require.Equal(t, claim.DataSource{
		ID: s.ID, Title: "Mail & <more>", Streams: []claim.Stream{claim.StreamConversations, claim.StreamMessages}, Channels: []string{"Email"}, QueueIDs: []string{queue},
		Fields: []string{"subject", "id"}, Date: claim.DateClosed, From: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC), RetentionDays: 90, KeepFigures: true,
		CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt,
	}, s)
	require.Contains(t, p.get("/portal/data").text, "Mail &amp; &lt;more&gt;")

	at := "/portal/data/sources/" + s.ID
	form := p.get(at + "/edit")
	require.Contains(t, form.text, `value="2026-01-02"`)
	require.Contains(t, form.text, `value="Email" checked`)
	typed.Set("title", "Support")
	typed.Del("channels")
	require.Contains(t, p.post(at+"/edit", typed).text, "Saved.")
	s, err = b.client.DataSource(t.Context(), id, s.ID)
	require.NoError(t, err)
	require.Equal(t, "Support", s.Title)
	require.Empty(t, s.Channels)

	require.Contains(t, p.post(at+"/delete", nil).text, "Deleted.")
	require.Equal(t, http.StatusNotFound, p.get(at).status)
}

func TestImportIsFollowedAndControlled(t *testing.T) {
	t.Parallel()
	work := &engine{}
	b := newBench(t, work.options)
	id := b.organization()
	p := b.enter(client.NewPortalLink{})
	require.Contains(t, p.post("/portal/data/imports", nil).text, "there is no data source")
	_, err := b.client.CreateDataSource(t.Context(), id, claim.DataSource{Title: "Everything"})
	require.NoError(t, err)
	require.Contains(t, p.get("/portal/data").text, "Nothing was imported yet")

	refused := p.post("/portal/data/imports", url.Values{"from": {"2026-02-02"}, "to": {"2026-02-01"}, "streams": {"ratings"}})
	require.Equal(t, http.StatusUnprocessableEntity, refused.status)
	require.Contains(t, refused.text, "The end must not be before the beginning")
	require.Contains(t, refused.text, `value="ratings" checked`)
	for _, day := range []string{"9999-12-31", "0000-01-01", "soon"} {
		refused = p.post("/portal/data/imports", url.Values{"to": {day}})
		require.Equal(t, http.StatusUnprocessableEntity, refused.status, day)
		require.Contains(t, refused.text, `aria-invalid="true"`, day)
		require.Equal(t, http.StatusUnprocessableEntity, p.get("/portal/claims?to="+day).status, day)
	}
	started := p.post("/portal/data/imports", url.Values{"from": {"2026-02-01"}, "to": {"2026-02-01"}, "zone": {"Europe/Berlin"}})
	require.Contains(t, started.text, "The import starts")
	require.Equal(t, "after=none", started.url.RawQuery)
	from := time.Date(2026, 1, 31, 23, 0, 0, 0, time.UTC)
	require.Len(t, work.asked, 1)
	require.True(t, from.Equal(work.asked[0].From), work.asked[0].From)
	require.True(t, from.AddDate(0, 0, 1).Equal(work.asked[0].To), work.asked[0].To)

	day := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	var windows []claim.ImportWindow
	for n := range 4 {
		windows = append(windows, claim.ImportWindow{Stream: claim.StreamConversations, From: day.AddDate(0, 0, n), To: day.AddDate(0, 0, n+1)})
	}
	i, _, err := b.store.Imports.Begin(t.Context(), claim.Import{ConnectionID: id, Cause: claim.ImportRequested, Access: claim.AccessSearch, Windows: windows})
	require.NoError(t, err)
	finish := func(n int, r store.WindowResult) {
		b.Helper()
		require.NoError(b, b.store.Imports.FinishWindow(b.Context(), id, i.ID, claim.ImportWindow{N: n, Stream: claim.StreamConversations, From: windows[n].From, To: windows[n].To}, r))
	}
	b.later(85 * time.Second)
	finish(0, store.WindowResult{State: claim.WindowDone, ImportCounts: claim.ImportCounts{Read: 120000, Added: 90}})
	seen := p.get("/portal/data?after=none")
	require.NotContains(t, seen.text, "The import starts", "its progress says so")
	require.Contains(t, seen.text, `max="4" value="1"`)
	require.Contains(t, seen.text, "25 % – 1 of 4 steps")
	require.Contains(t, seen.text, "120,000")
	require.Contains(t, seen.text, "about 5 minutes") // three times 85 s, and as long as the test takes
	require.Contains(t, seen.text, "records per second")
	require.Contains(t, seen.text, "may not read Dixa’s exports")
	require.Contains(t, p.post("/portal/data/imports", nil).text, "An import has not ended yet")

	at := "/portal/data/imports/" + i.ID
	require.Contains(t, p.post(at+"/pause", url.Values{"from": {"data"}}).text, "Paused. The current requests end first.")
	resumed := p.post(at+"/resume", url.Values{"from": {"import"}})
	require.Equal(t, at, resumed.url.Path)
	require.Contains(t, resumed.text, "Running")
	finish(1, store.WindowResult{State: claim.WindowParked, Why: "Dixa answered <500>"})
	finish(2, store.WindowResult{State: claim.WindowDone, ImportCounts: claim.ImportCounts{Rejected: 1}, Rejects: map[int]string{3: "the row has no id"}})
	details := p.get(at)
	require.Contains(t, details.text, "Dixa answered &lt;500&gt;")
	require.Contains(t, details.text, "the row has no id")
	require.NotContains(t, details.text, "Tried again soon")
	finish(3, store.WindowResult{State: claim.WindowWaiting, Why: "Dixa answers 503"})
	require.Contains(t, p.get(at).text, "Dixa answers 503")
	require.NotContains(t, details.text, `action="/portal/data/imports/retry"`, "gaps are tried again once the import has ended")

	require.Equal(t, http.StatusNotFound, p.post(at+"/explode", nil).status)
	require.Contains(t, p.post(at+"/cancel", url.Values{"from": {"data"}}).text, "Cancelled. What was read stays.")
	require.Equal(t, 3, work.woken)
	over := p.post(at+"/pause", nil)
	require.Equal(t, http.StatusConflict, over.status)
	require.Contains(t, over.text, "the import has ended")

	require.Contains(t, p.get("/portal/data?after=none").text, "not everything was read")
	overview := p.get("/portal/data?after=" + i.ID)
	require.Contains(t, overview.text, "The import starts", "the next one")
	require.Contains(t, overview.text, "Some steps of the last import could not be read")
	require.Contains(t, p.post("/portal/data/imports/retry", nil).text, "The import starts")
	require.True(t, work.asked[len(work.asked)-1].Retry)
}

func TestImportIsWatchedToItsEnd(t *testing.T) {
	t.Parallel()
	work := &engine{}
	b := newBench(t, work.options)
	id := b.organization()
	_, err := b.client.CreateDataSource(t.Context(), id, claim.DataSource{Title: "Everything"})
	require.NoError(t, err)
	p := b.enter(client.NewPortalLink{})
	next := p.stream("/portal/data")
	require.Contains(t, next(), "Nothing was imported yet")
	windows := []claim.ImportWindow{{N: 0, Stream: claim.StreamMessages}, {N: 1, Stream: claim.StreamMessages}}
	i, _, err := b.store.Imports.Begin(t.Context(), claim.Import{ConnectionID: id, Cause: claim.ImportScheduled, Access: claim.AccessExports, Windows: windows})
	require.NoError(t, err)
	until := func(words string) {
		t.Helper()
		for seen := ""; !strings.Contains(seen, words); {
			seen = next()
			require.NotContains(t, seen, "<main", "only the live part is sent")
		}
	}
	until("0 % – 0 of 2 steps")
	require.NoError(t, b.store.Imports.FinishWindow(t.Context(), id, i.ID, windows[0], store.WindowResult{State: claim.WindowDone}))
	until("50 % – 1 of 2 steps")
	require.NoError(t, b.store.Imports.SetState(t.Context(), id, i.ID, claim.ImportDone))
	until("Import everything that is missing")
}

func TestImportWithoutAnEngine(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, err := b.client.CreateDataSource(t.Context(), b.organization(), claim.DataSource{Title: "Everything"})
	require.NoError(t, err)
	p := b.enter(client.NewPortalLink{})
	require.Contains(t, p.post("/portal/data/imports", nil).text, "Imports cannot be controlled at the moment")
}

func TestExportsToken(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.organization()
	p := b.enter(client.NewPortalLink{})
	const exports = "exports-token-0123456789abcdef9b1c"
	refused := p.post("/portal/data/token", url.Values{"exports_token": {"Token: " + exports}})
	require.Equal(t, http.StatusUnprocessableEntity, refused.status)
	require.Contains(t, refused.text, "Paste only the token")
	require.NotContains(t, refused.text, exports)
	saved := p.post("/portal/data/token", url.Values{"exports_token": {" " + exports + "\n"}})
	require.Contains(t, saved.text, "9b1c</code>")
	require.NotContains(t, saved.text, exports)
	require.Contains(t, p.post("/portal/data/token/remove", nil).text, "None: the token of the connection")
	require.NotContains(t, b.log.String(), exports)
}

func TestRecords(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const conversations = 60
	require.NoError(t, b.dixa.Fill(t.Context(), server.FillOptions{Conversations: conversations, Seed: 1, Until: time.Now(), Span: 20 * 24 * time.Hour}))
	id := b.organization()
	source, err := b.client.CreateDataSource(t.Context(), id, claim.DataSource{Title: "Support: “mail”", Streams: []claim.Stream{claim.StreamConversations, claim.StreamMessages}})
	require.NoError(t, err)
	p := b.enter(client.NewPortalLink{})
	at := "/portal/data/sources/" + source.ID
	require.Contains(t, p.get(at).text, "There are no records here")
	b.importAll(id)
	require.Contains(t, p.get("/portal/data").text, ">Done<")
	require.Regexp(t, `The import is done\. New: \d+; changed: 0\.`, p.get("/portal/data?after=none").text)
	first, err := b.client.Imports(t.Context(), id, 1)
	require.NoError(t, err)
	b.later(time.Minute)
	b.importAll(id)
	require.Contains(t, p.get("/portal/data?after="+first[0].ID).text, "Nothing was missing")
	again, err := b.client.Imports(t.Context(), id, 1)
	require.NoError(t, err)
	require.Contains(t, p.get("/portal/data/imports/"+again[0].ID).text, "Nothing was missing")
	require.NotContains(t, p.get("/portal/data/imports/"+first[0].ID).text, "Nothing was missing")

	rows := 0
	page := p.get(at)
	for pages := 1; ; pages++ {
		require.Equal(t, http.StatusOK, page.status, page.text)
		require.Less(t, len(page.text), 100<<10)
		require.Contains(t, page.text, `<th scope="col">Subject</th>`)
		rows += strings.Count(page.text, "<tr><td>")
		next := regexp.MustCompile(`href="([^"]*)" rel="next"`).FindStringSubmatch(page.text)
		if next == nil {
			require.Greater(t, pages, 1)
			require.Contains(t, page.text, "First page")
			break
		}
		page = p.get(strings.ReplaceAll(next[1], "&amp;", "&"))
	}
	download := p.get(at + "/records.csv")
	require.Equal(t, "text/csv; charset=utf-8", download.header.Get("Content-Type"))
	require.Contains(t, download.header.Get("Content-Disposition"), "attachment; filename")
	lines, err := csv.NewReader(strings.NewReader(download.text)).ReadAll()
	require.NoError(t, err)
	require.Len(t, lines, rows+1)
	require.GreaterOrEqual(t, rows, conversations)
	require.Equal(t, claim.RecordFields(claim.StreamConversations), lines[0])

	// A conversation leads to its claim, for those who may see claims.
	list := p.get(at).text
	require.Regexp(t, `<td>\d+ (h \d+ min|min|days|s)</td>`, list, "a duration as people write it")
	number := regexp.MustCompile(`<tr><td>(\d+)</td>`).FindStringSubmatch(list)
	require.NotEmpty(t, number)
	conversation, err := strconv.ParseInt(number[1], 10, 64)
	require.NoError(t, err)
	ref := b.submit("c-mine")
	require.NoError(t, b.store.Links.Create(t.Context(), store.LinkInput{Ref: ref, ConnectionID: id, ConversationID: conversation, Step: claim.StepConversation}))
	link := `<td><a href="/portal/claims/c-mine">` + number[1] + `</a></td>`
	require.Equal(t, 1, strings.Count(p.get(at).text, `href="/portal/claims/`))
	require.Contains(t, p.get(at).text, link)
	require.Contains(t, p.get(at+"?stream=messages").text, link)
	dataOnly := b.enter(client.NewPortalLink{Pages: []claim.PortalPage{claim.PageData}}).get(at).text
	require.NotContains(t, dataOnly, "/portal/claims")
	require.Contains(t, dataOnly, "<td>"+number[1]+"</td>")

	messages := p.get(at + "?stream=messages&from=2000-01-01&to=2000-01-02")
	require.Contains(t, messages.text, "There are no records here")
	require.NotContains(t, messages.text, `value="ratings"`, "the source does not have them")
	require.Contains(t, p.get(at+"?stream=messages").text, `<th scope="col">Author</th>`)
	wrong := p.get(at + "?from=yesterday")
	require.Equal(t, http.StatusUnprocessableEntity, wrong.status)
	require.Contains(t, wrong.text, "Enter a date.")
	wrong = p.get(at + "/records.csv?from=2026-02-02&to=2026-01-01")
	require.NotEqual(t, "text/csv; charset=utf-8", wrong.header.Get("Content-Type"))
	require.Equal(t, http.StatusNotFound, p.get("/portal/data/sources/unknown/records.csv").status)
}

func TestDataNeedsCapabilities(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.organization()
	source, err := b.client.CreateDataSource(t.Context(), id, claim.DataSource{Title: "Everything"})
	require.NoError(t, err)
	at := "/portal/data/sources/" + source.ID
	reader := b.enter(client.NewPortalLink{Capabilities: []claim.PortalCapability{}})
	seen := reader.get("/portal/data").text + reader.get(at).text
	for _, control := range []string{`method="post" action="/portal/data`, "/edit", "/new"} {
		require.NotContains(t, seen, control)
	}
	for _, path := range []string{"/portal/data/imports", "/portal/data/token", "/portal/data/sources/new", at + "/edit", at + "/delete"} {
		require.Equal(t, http.StatusForbidden, reader.post(path, nil).status, path)
	}
	operator := b.enter(client.NewPortalLink{Capabilities: []claim.PortalCapability{claim.MayOperate}})
	require.Equal(t, http.StatusForbidden, operator.post(at+"/delete", nil).status)
	require.Equal(t, http.StatusForbidden, b.enter(client.NewPortalLink{Pages: []claim.PortalPage{claim.PageSetup}}).get(at).status)
}
