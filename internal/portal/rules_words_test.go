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

// A browser goes to the fragment of the address that a form is sent to, or of the address
// that the answer leads to. What the person asked for stands there.
func TestResultsOfRulesAreInSight(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect()
	b.submitFor("c-1", "damaged")
	p := b.enter(client.NewPortalLink{})
	for path, test := range map[string]struct{ tries, fits, refused url.Values }{
		"/portal/rules/voice": {url.Values{"opening": {""}, "language": {"de"}}, url.Values{"opening": {""}}, url.Values{"opening": {""}, "default_country": {"Atlantis"}}},
		"/portal/rules/tags":  {url.Values{"tag": {"karla"}}, url.Values{"tag": {""}}, url.Values{"tag": {strings.Repeat("x", 60)}}},
		routingPath: {
			url.Values{"rules": {`[{"name": "all"}]`}}, url.Values{"rules": {"[]"}}, url.Values{"rules": {`[{"name": ""}]`}},
		},
		statusPath: {
			url.Values{"rules": {`[{"name": "all", "then": {"status": "done"}}]`}}, url.Values{"rules": {`[{"name": "all", "then": {"status": "done"}}]`}}, url.Values{"rules": {`[{"name": ""}]`}},
		},
	} {
		shown := strings.TrimSuffix(strings.TrimSuffix(path, "/voice"), "/tags")
		require.Contains(t, p.get(shown).text, path+`#tried"`, "both buttons lead to the result")

		test.tries.Set("do", "try")
		tried := p.post(path, test.tries)
		require.Equal(t, http.StatusOK, tried.status)
		require.Equal(t, 1, strings.Count(tried.text, `id="tried"`), path)
		require.Equal(t, 1, strings.Count(tried.text, " data-unsaved"), "the script asks before such a form is left")

		test.refused.Set("do", "save")
		refused := p.post(path, test.refused)
		require.Equal(t, http.StatusUnprocessableEntity, refused.status)
		require.Equal(t, 1, strings.Count(refused.text, `id="tried" role="alert"`), path)
		require.Equal(t, 1, strings.Count(refused.text, " data-unsaved"))

		test.fits.Set("do", "save")
		p.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		saved := p.post(path, test.fits)
		p.http.CheckRedirect = nil
		require.Equal(t, http.StatusSeeOther, saved.status)
		require.True(t, strings.HasSuffix(saved.header.Get("Location"), "#top"), saved.header.Get("Location"))
		require.NotContains(t, p.get(shown).text, " data-unsaved")
	}
}

func TestStandardStatusRulesAreInThePersonsLanguage(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect()
	p := b.enter(client.NewPortalLink{Language: "de"})
	page := p.get(statusPath)
	require.Contains(t, page.text, `<th scope="row">angenommen und abgelehnt</th>`)
	require.Contains(t, page.text, "Status: Ausstehend (pending)")
	require.NotContains(t, page.text, "noch nicht gespeichert")
	saved := p.post(statusPath, pressed(page, "save", nil))
	require.Contains(t, saved.text, "behält ihren Status")
	require.Equal(t, "angenommen", b.effective().StatusRules[1].Name)
	require.Equal(t, claim.DefaultStatusRules("claim")[1].When, b.effective().StatusRules[1].When)

	english := b.enter(client.NewPortalLink{}).get(statusPath)
	require.Contains(t, english.text, "Status: Pending<", "the word alone if it is the system's")
}

// Reasons that people cannot tell apart are one choice.
func TestReasonsWithOneNameAreOneChoice(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect()
	p := b.enter(client.NewPortalLink{})
	page := p.post(routingPath, url.Values{"rules": {"[]"}, "open": {"-1"}, "do": {"add"}})
	require.Contains(t, page.text, `name="reason" value="damage,damaged"> Damaged<`)
	require.Contains(t, page.text, `name="reason" value="defective"> Defective<`)
	require.Contains(t, page.text, `name="flow" value="defective"> Damaged or defective<`)
	require.Contains(t, page.text, "<code>damage,damaged</code>")
	saved := p.post(routingPath, pressed(page, "save", url.Values{"name": {"Broken"}, "reason": {"damage,damaged", "return"}, "other_reason": {"kaputt"}}))
	require.Contains(t, saved.text, "Saved.")
	require.Equal(t, []string{"damage", "damaged", "return", "kaputt"}, b.effective().Routing[0].When.Reason)
	page = p.post(routingPath, pressed(saved, "edit:0", nil))
	require.Contains(t, page.text, `name="reason" value="damage,damaged" checked>`)

	one := p.post(routingPath, url.Values{"rules": {`[{"name": "one", "when": {"reason": ["damaged"]}}]`}, "open": {"-1"}, "do": {"edit:0"}})
	require.Contains(t, one.text, `name="reason" value="damaged" checked> Damaged (damaged)<`, "a rule for one of them stays one")
	require.Contains(t, one.text, `name="reason" value="damage"> Damaged (damage)<`)
}

// Who looks for the tags of a reason is told where they are.
func TestRulesLeadToTagsOfReasons(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.enter(client.NewPortalLink{})
	require.Contains(t, p.get("/portal/rules").text, `<a href="/portal/templates">Choose the text</a>`)
	require.Contains(t, p.get(routingPath).text, "tags for one reason belong to its text")
	without := b.enter(client.NewPortalLink{Pages: []claim.PortalPage{claim.PageRules}}).get("/portal/rules")
	require.Contains(t, without.text, "belong to its text")
	require.NotContains(t, without.text, `href="/portal/templates"`)
}
