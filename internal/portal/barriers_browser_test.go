package portal_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/emulator/server"
)

// pagesToInspect are the pages of a shop that is set up and has claims, an endpoint and a
// data source.
func (b *bench) pagesToInspect() []string {
	b.Helper()
	day := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	b.linked("c-talk", 100,
		claim.Message{ID: "m-1", Kind: claim.MessageKind, Direction: claim.DirectionInbound, At: day, Author: &claim.Person{ID: "u", Name: "Ada Lovelace"}, Text: "It is in pieces.", Attachments: []claim.MessageAttachment{{ID: "1", Name: "vase.jpg"}}},
		claim.Message{ID: "m-2", Kind: claim.MessageKind, Direction: claim.DirectionOutbound, At: day.Add(time.Hour), Text: "We are sorry."},
		claim.Message{ID: "m-3", Kind: claim.NoteKind, At: day.Add(2 * time.Hour), Text: strings.Repeat("Very long ", 30)},
	)
	b.settings(`{"email_integration_id": "` + server.SeedMailbox + `"}`)
	_, err := b.client.Enable(b.Context(), shop)
	require.NoError(b, err)
	b.park(b.submit("c-unclear"), claim.CauseOutcomeUnknown)
	b.park(b.submit("c-text"), claim.CauseTemplate)
	_, err = b.client.SetTemplate(b.Context(), shop, "damaged", "en", client.TemplateSource{Subject: "Broken"})
	require.NoError(b, err)

	e, err := b.client.AddEndpoint(b.Context(), shop, client.NewEndpoint{URL: hook, Description: "Warehouse"})
	require.NoError(b, err)
	delivery, err := b.client.TestEndpoint(b.Context(), shop, e.ID)
	require.NoError(b, err)
	_, err = b.store.Deliveries.Lease(b.Context(), e.ID, "test", 9, time.Minute)
	require.NoError(b, err)
	require.NoError(b, b.store.Deliveries.MarkDelivered(b.Context(), delivery.ID, "test", 204))
	_, err = b.client.TestEndpoint(b.Context(), shop, e.ID)
	require.NoError(b, err)

	in, err := b.client.Integration(b.Context(), shop)
	require.NoError(b, err)
	source, err := b.client.CreateDataSource(b.Context(), in.Connection.ID, claim.DataSource{Title: "Support"})
	require.NoError(b, err)
	return []string{
		"setup", "templates", "templates/damaged", "templates/damaged?language=en", "rules", "rules/routing", "rules/status",
		"claims", "claims?state=needs_attention&cause=outcome_unknown&from=1", "claims/c-talk", "claims/c-unclear", "claims/c-text", "claims/unknown",
		"endpoints", "endpoints/new?kind=webhook", "endpoints/new?kind=karla", "endpoints/" + e.ID, "endpoints/" + e.ID + "/edit", "endpoints/" + e.ID + "/deliveries/" + delivery.ID,
		"data", "data/sources/new", "data/sources/" + source.ID, "data/sources/" + source.ID + "/edit", "dashboards",
	}
}

// refusedForms are forms with what is typed into them that the API refuses.
var refusedForms = []struct{ page, form, field, typed string }{
	{"setup", `form[action$="/token"]`, "#token", "two words"},
	{"templates/damaged?language=en", "form[data-preview]", "#body", "{{.Order.Nummer}}"},
	{"claims/c-unclear", "#link form", "#conversation_id", "abc"},
	{"claims/c-talk", "#send form:has(#note)", "#note", "   "},
	{"endpoints/new?kind=webhook", "main form", "#url", "https://127.0.0.1/"},
	{"data/sources/new", "main form", "#retention_days", "90000"},
}

func TestPagesHaveNoBarriers(t *testing.T) {
	t.Parallel()
	b, _, _ := newOperatorBench(t)
	pages := b.pagesToInspect()
	wall, err := b.client.CreateWall(t.Context(), shop, client.NewWall{Name: "Room", Board: "overview"})
	require.NoError(t, err)
	for theme, widths := range map[string][]int64{"light": {360, 1400, 3840}, "dark": {360, 1400}} {
		for _, width := range widths {
			t.Run(fmt.Sprint(theme, width), func(t *testing.T) {
				t.Parallel()
				b := b.on(t)
				w := b.window(width, theme)
				name := func(page string) string { return fmt.Sprintf("%s-%s-%d", page, theme, width) }
				w.open("/portal/enter/unknown")
				w.inspect(name("unknown"))
				w.open(b.link(client.NewPortalLink{}).URL)
				w.inspect(name("enter"))
				w.press("main form button")
				w.leaves("/portal/enter/")
				for i, page := range pages {
					w.open("/portal/" + page)
					w.unfold()
					section := strings.FieldsFunc(page, func(r rune) bool { return strings.ContainsRune("/?", r) })[0]
					w.inspect(name(fmt.Sprintf("%02d-%s", i, section)))
				}
				for i, refused := range refusedForms {
					w.open("/portal/" + refused.page)
					w.submit(refused.form, refused.field, refused.typed)
					w.unfold()
					w.inspect(name(fmt.Sprintf("refused-%d", i)))
				}
				w.open(wall.URL)
				w.inspect(name("wall"))
				w.open("/portal/operators")
				w.inspect(name("operators-out"))
				w.press(`form[action="/portal/operators/sign-in"] button`)
				w.see("Acme & Sons")
				w.inspect(name("operators"))
				w.open("/portal/operators?q=nobody")
				w.inspect(name("operators-none"))
			})
		}
	}
}

// unfold opens what the page folds up.
func (t *tab) unfold() {
	t.Helper()
	evaluate[bool](t, `[...document.querySelectorAll("details")].every((d) => d.open = true)`)
}

// submit sends a form that the browser itself would refuse, and waits for the service's
// refusal.
func (t *tab) submit(form, field, typed string) {
	t.Helper()
	t.run(chromedp.WaitReady(field))
	evaluate[chromedp.Void](t, fmt.Sprintf(`{
		const form = document.querySelector(%q);
		form.noValidate = true;
		document.querySelector(%q).value = %q;
		form.querySelector("button:enabled").click();
	}`, form, field, typed))
	t.until(`document.querySelector("main .fault, main .note.bad[role=alert]") ? "refused" : ""`, "refuse "+typed, func(seen string) bool { return seen != "" })
}
