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

const textPath = "/portal/templates/damaged?language=en"

// typed is the form as the page shows it, with changes.
func typed(changes url.Values) url.Values {
	form := url.Values{"subject": {""}, "body": {""}, "format": {"html"}, "note": {""}, "tags": {""}, "evidence": {"item", "claim", "optional", "signature"}, "on": {""}}
	for name, values := range changes {
		form[name] = values
	}
	return form
}

func TestTemplatesShowWhatIsOwn(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.enter(client.NewPortalLink{})
	list := p.get("/portal/templates")
	require.Equal(t, http.StatusOK, list.status)
	require.Contains(t, list.text, `href="/portal/templates/defective?language=en"`)
	require.NotContains(t, list.text, "Your own</span>")

	page := p.get(textPath)
	require.Equal(t, http.StatusOK, page.status, page.text)
	require.Contains(t, page.text, "Standard: Damaged or defective, English")
	require.NotContains(t, page.text, "Yes, use the inherited text", "nothing is own")
	require.Contains(t, page.text, "{{.Order.Number}}", "the inherited text is in the form")
	require.Contains(t, page.text, "<code>.Customer.FirstName</code>")
	require.NotContains(t, page.text, ">key.", "every placeholder is explained")
	require.Less(t, len(page.text), 100_000)

	saved := p.post(textPath, typed(url.Values{"subject": {" Broken {{.Order.Number}} "}, "tags": {"vip\r\n\r\nfragile"}}))
	require.Equal(t, http.StatusOK, saved.status, saved.text)
	require.Contains(t, saved.text, "New conversations use this text")
	require.Contains(t, saved.text, `value="Broken {{.Order.Number}}"`)
	require.Contains(t, saved.text, "Inherited: Subject")
	own, err := b.client.Template(t.Context(), shop, "damaged", "en")
	require.NoError(t, err)
	require.Equal(t, client.TemplateSource{Subject: "Broken {{.Order.Number}}", Tags: []string{"vip", "fragile"}}, *own.Own, "only what differs becomes own")
	list = p.get("/portal/templates")
	require.Contains(t, list.text, "Your own</span>")
	require.Contains(t, list.text, "Subject, Additional tags")

	inherited := p.post("/portal/templates/damaged/inherit?language=en", nil)
	require.Contains(t, inherited.text, "The inherited text applies again")
	require.NotContains(t, inherited.text, "Broken {{.Order.Number}}")
	again := p.post("/portal/templates/damaged/inherit?language=en", nil)
	require.Equal(t, http.StatusOK, again.status, "somebody else may have been faster")
}

func TestSavingTheInheritedTextInheritsIt(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.enter(client.NewPortalLink{})
	current, err := b.client.Template(t.Context(), shop, "damaged", "en")
	require.NoError(t, err)
	same := typed(url.Values{"subject": {current.Source.Subject}, "body": {strings.ReplaceAll(current.Source.Body, "\n", "\r\n")}})
	nothing := p.post(textPath, same)
	require.Equal(t, http.StatusUnprocessableEntity, nothing.status)
	require.Contains(t, nothing.text, "there is nothing to save")

	_, err = b.client.SetTemplate(t.Context(), shop, "damaged", "en", client.TemplateSource{Note: "Look at {{.Internal.ClaimID}}", Evidence: []string{"item"}})
	require.NoError(t, err)
	back := p.post(textPath, same)
	require.Contains(t, back.text, "The inherited text applies again")
	current, err = b.client.Template(t.Context(), shop, "damaged", "en")
	require.NoError(t, err)
	require.Nil(t, current.Own)
}

func TestTemplateWithoutNoteTagsAndFiles(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx := t.Context()
	_, err := b.client.SetTemplate(ctx, "", "damaged", "en", client.TemplateSource{Note: "Check it", Tags: []string{"platform"}})
	require.NoError(t, err)
	p := b.enter(client.NewPortalLink{})
	page := p.get(textPath)
	require.Contains(t, page.text, "Write no note")
	saved := p.post(textPath, typed(url.Values{"no_note": {"1"}, "evidence": {}}))
	require.Contains(t, saved.text, "New conversations use this text", saved.text)
	require.Contains(t, saved.text, `name="no_note" value="1" checked`)
	ticket, err := b.client.PreviewTemplate(ctx, shop, "damaged", "en", client.PreviewRequest{})
	require.NoError(t, err)
	require.Empty(t, ticket.Note)
	require.Empty(t, ticket.Evidence)
	require.NotContains(t, ticket.Tags, "platform")
}

func TestTemplateFaultsStandAtTheirFields(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.enter(client.NewPortalLink{})
	for name, test := range map[string]struct {
		field, value, fault string
	}{
		"unknown placeholder": {"body", "x\r\n{{.Order.Nummer}}", "Line 2, column 9: There is no placeholder .Order.Nummer"},
		"no end":              {"body", "{{if .Signed}}", "Line 1, column 1: An {{if}}"},
		"not closed":          {"subject", "Order {{.Order.Number", "Line 1, column 7: The closing }}"},
		"nonsense":            {"subject", "{{ ??? }}", "Line 1, column 1: What stands between"},
		"extra end":           {"note", "a\r\nb {{end}}", "Line 2, column 3: {{end}} has no"},
		"function":            {"note", "{{now}}", "Line 1, column 3: “now” cannot be used"},
		"script":              {"body", "<p>a</p><script>alert(1)</script>", "Line 1, column 9: &lt;script&gt; is not allowed"},
		"secret":              {"body", "{{.Internal.Value}}", "only in the internal note"},
		"tag":                 {"tags", "fine\r\n{{.Nope}}", "Entry 2: Line 1, column 3: There is no placeholder .Nope"},
		"format":              {"format", "pdf", "Only these are possible"},
		"files":               {"evidence", "passport", "Only these are possible"},
		"long subject":        {"subject", strings.Repeat("x", 3000), "At most 2048 characters"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			form := typed(url.Values{"body": {"My own body"}, test.field: {test.value}})
			for _, path := range []string{textPath, "/portal/templates/damaged/try?language=en"} {
				refused := p.post(path, form)
				if path == textPath {
					require.Equal(t, http.StatusUnprocessableEntity, refused.status)
				}
				text := strings.ReplaceAll(refused.text, "&#34;", `"`)
				require.Contains(t, text, `id="`+test.field+`-fault"`)
				require.Contains(t, text, test.fault)
				if test.field != "format" && test.field != "evidence" {
					require.Contains(t, refused.text, escaped(strings.ReplaceAll(test.value, "\r\n", "\n")), "what was typed stays")
				}
			}
			fragment := p.post("/portal/templates/damaged/preview?language=en", form)
			require.Equal(t, http.StatusUnprocessableEntity, fragment.status)
			require.Contains(t, fragment.text, test.fault)
			require.NotContains(t, fragment.text, "<html")
			current, err := b.client.Template(t.Context(), shop, "damaged", "en")
			require.NoError(t, err)
			require.Nil(t, current.Own, "nothing may be saved")
		})
	}
}

func escaped(s string) string {
	return strings.NewReplacer("<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;", "&", "&amp;").Replace(s)
}

func TestTemplatePreviewIsSafeOnClaims(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, err := b.client.Submit(t.Context(), &claim.Claim{
		ID: "c-1", Shop: shop, Reason: "damaged", Description: `<script>alert(1)</script><img src=x onerror=alert(1)>`,
		Customer: claim.Customer{Email: "ada@customer.example", FirstName: `<b onclick="x">Ada`}, Order: claim.Order{Number: "10001"},
	})
	require.NoError(t, err)
	p := b.enter(client.NewPortalLink{Language: "en"})
	page := p.get(textPath)
	require.Contains(t, page.text, `<option value="claim:c-1"`)
	require.NotContains(t, page.text, "alert(1)", "the preview begins with a sample")
	form := typed(url.Values{
		"on": {"claim:c-1"}, "body": {`<h1>Hello {{.Customer.FirstName}}</h1><p style="color: red">{{.Description}} <a href="https://example.com/{{.Order.Number}}">track</a></p>`},
	})
	for _, path := range []string{"/portal/templates/damaged/preview?language=en", "/portal/templates/damaged/try?language=en"} {
		shown := p.post(path, form)
		require.Equal(t, http.StatusOK, shown.status, shown.text)
		require.Contains(t, shown.text, "&lt;script&gt;alert(1)&lt;/script&gt;")
		require.Contains(t, shown.text, `<strong>Hello &lt;b onclick=`)
		require.Contains(t, shown.text, `<a href="https://example.com/10001" rel="noreferrer noopener" target="_blank">track</a>`)
		_, preview, _ := strings.Cut(shown.text, `class="mail"`)
		for _, bad := range []string{"<script", "<img", "<b ", "style="} {
			require.NotContains(t, preview, bad)
		}
	}
	gone := p.post("/portal/templates/damaged/preview?language=en", typed(url.Values{"on": {"claim:c-2"}}))
	require.Contains(t, gone.text, "does not exist any more")
	others := b.enter(client.NewPortalLink{Language: "en", Pages: []claim.PortalPage{claim.PageTemplates}})
	require.NotContains(t, others.get(textPath).text, "c-1", "who does not see claims sees none here")
	for _, hidden := range []answer{
		others.post("/portal/templates/damaged/preview?language=en", form), others.post("/portal/templates/damaged/try?language=en", form), others.get(textPath + "&on=claim:c-1"),
	} {
		require.NotContains(t, hidden.text, "alert(1)")
		require.Contains(t, hidden.text, "does not exist any more")
	}
	current, err := b.client.Template(t.Context(), shop, "damaged", "en")
	require.NoError(t, err)
	require.Nil(t, current.Own, "a preview saves nothing")
}

func TestTemplatesForOtherReasonsAndLanguages(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.enter(client.NewPortalLink{Language: "de"})
	require.Contains(t, p.get("/portal/templates").text, "Texte nach Grund und Sprache")
	opened := p.get("/portal/templates?reason=Zerbrochen+(Glas)&language=fr")
	require.Equal(t, "/portal/templates/zerbrochen_glas?language=fr", opened.url.RequestURI())
	require.Equal(t, http.StatusOK, opened.status)
	require.Contains(t, opened.text, "Zerbrochen glas (Französisch)")
	refused := p.get("/portal/templates?reason=%3F%3F&language=fr")
	require.Contains(t, refused.text, `id="reason-fault"`)
	require.Contains(t, refused.text, `value="??"`)
	for _, bad := range []string{"/portal/templates/" + strings.Repeat("x", 300), "/portal/templates/damaged?language=!!", "/portal/templates/%3F"} {
		require.GreaterOrEqual(t, p.get(bad).status, 400, bad)
		require.Less(t, p.get(bad).status, 500, bad)
	}
}

func TestTemplatesNeedTheCapability(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, err := b.client.SetTemplate(t.Context(), shop, "damaged", "en", client.TemplateSource{Subject: "Ours"})
	require.NoError(t, err)
	reader := b.enter(client.NewPortalLink{Capabilities: []claim.PortalCapability{}})
	page := reader.get(textPath)
	require.Equal(t, http.StatusOK, page.status)
	require.Contains(t, page.text, "<fieldset disabled>")
	require.NotContains(t, page.text, "Yes, use the inherited text")
	require.NotContains(t, page.text, ">Save<")
	require.Equal(t, http.StatusForbidden, reader.post(textPath, typed(nil)).status)
	require.Equal(t, http.StatusForbidden, reader.post("/portal/templates/damaged/inherit?language=en", nil).status)
	for _, path := range []string{"/portal/templates/damaged/try?language=en", "/portal/templates/damaged/preview?language=en"} {
		shown := reader.post(path, url.Values{"on": {"sample:sample-full"}})
		require.Equal(t, http.StatusOK, shown.status)
		require.Contains(t, shown.text, "Ours")
	}
	other := b.enter(client.NewPortalLink{Pages: []claim.PortalPage{claim.PageSetup}})
	require.Equal(t, http.StatusForbidden, other.get("/portal/templates").status)
}
