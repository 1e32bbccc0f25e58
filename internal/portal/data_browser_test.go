package portal_test

import (
	"encoding/csv"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/emulator/server"
)

// A person chooses what is kept, starts an import, watches it to its end, and takes the
// records home.
func TestBrowserImportsData(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		language                             string
		width                                int64
		script                               bool
		none, starts, running, done, subject string
	}{
		{"en", 1400, true, "Nothing was imported yet", "The import starts", "Running", "Done", "Subject"},
		{"de", 360, false, "Noch wurde nichts importiert", "Der Import startet", "Läuft", "Fertig", "Betreff"},
	} {
		t.Run(fmt.Sprint(test.language, test.width), func(t *testing.T) {
			t.Parallel()
			work := &engine{}
			b := newBench(t, work.options)
			require.NoError(t, b.dixa.Fill(t.Context(), server.FillOptions{Conversations: 30, Seed: 1, Until: time.Now(), Span: 20 * 24 * time.Hour}))
			id := b.organization()
			w := b.window(test.width, "light")
			if !test.script {
				w.withoutScript()
			}
			w.enter(client.NewPortalLink{Language: test.language, Pages: []claim.PortalPage{claim.PageData}})
			w.press(`a[href="/portal/data/sources/new"]`)
			w.typeInto("#title", "Support")
			w.press(`input[name="streams"][value="conversations"]`)
			w.press("main form button.primary")
			w.leaves("/portal/data/sources/new")
			w.press(`a.button[href="/portal/data"]`)
			w.shows("#live", test.none)
			w.press(`form[action="/portal/data/imports"] button.primary`)
			w.see(test.starts)
			require.Len(t, work.asked, 1)

			refresh := func() {
				if !test.script {
					w.run(chromedp.Reload(), chromedp.WaitReady("h1"))
				}
			}
			parts := 0
			b.importAll(id, func(finished int) {
				parts = finished
				refresh()
				w.shows("#live", test.running)
				w.until(`String(document.querySelector("#progress")?.value)`, fmt.Sprint("show ", finished, " parts"), func(value string) bool { return value == strconv.Itoa(finished) })
			})
			require.Positive(t, parts)
			refresh()
			w.shows("#live td .badge", test.done)

			w.press(`th a[href^="/portal/data/sources/"]`)
			w.shows("main table thead", test.subject)
			address := evaluate[string](w, `document.querySelector("a[download]").href`)
			text, err := chromedp.Run(w.ctx, chromedp.Evaluate[string](fmt.Sprintf(`fetch(%q).then((r) => r.ok && r.headers.get("Content-Disposition").startsWith("attachment") ? r.text() : "")`, address), chromedp.EvalAwaitPromise))
			require.NoError(t, err)
			lines, err := csv.NewReader(strings.NewReader(text)).ReadAll()
			require.NoError(t, err)
			require.Greater(t, len(lines), 30)
		})
	}
}
