package portal_test

import (
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/emulator/server"
)

// answers answers the questions of the browser in turn, and reports each kind.
func (t *tab) answers(leave ...bool) <-chan page.DialogType {
	t.Helper()
	asked, kinds := make(chan page.DialogType, len(leave)+1), make(chan page.DialogType, len(leave)+1)
	require.NoError(t, chromedp.Listen(t.ctx, func(event any) {
		if dialog, is := event.(*page.EventJavascriptDialogOpening); is {
			asked <- dialog.Type
		}
	}))
	go func() {
		defer close(kinds)
		for _, accept := range leave {
			select {
			case kind := <-asked:
				_, _ = chromedp.Call(t.ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: accept}) // else the test does not go on
				kinds <- kind
			case <-t.ctx.Done():
				return
			}
		}
	}()
	return kinds
}

// click presses what a selector names, without waiting for what follows.
func (t *tab) click(selector string) {
	t.Helper()
	t.run(chromedp.WaitReady(selector))
	evaluate[chromedp.Void](t, fmt.Sprintf(`void setTimeout(() => document.querySelector(%q).click())`, selector))
}

// The browser asks before a person leaves what they typed, and a form that was shown again
// but not saved. It does not ask about what was sent.
func TestBrowserAsksBeforeWorkIsLost(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect()
	w := b.window(1400, "light")
	w.enter(client.NewPortalLink{})
	asked := w.answers(false, true, true, true)

	w.open("/portal/templates/damaged?language=en")
	w.typeInto("#note", "Look at it")
	w.click(`nav a[href="/portal/rules"]`)
	require.Equal(t, page.DialogTypeBeforeunload, <-asked)
	require.Equal(t, "Look at it", evaluate[string](w, `document.querySelector("#note").value`))
	w.click(`nav a[href="/portal/rules"]`)
	require.Equal(t, page.DialogTypeBeforeunload, <-asked)
	w.see("How new conversations begin")

	// A draft of rules is carried by the form, so it is lost with the page.
	w.open("/portal/rules/routing")
	w.press(`button[value="add"]`)
	w.typeInto("#name", "Broken")
	w.press(`button[value="close"].hidden + input + input ~ fieldset button[value="close"]`)
	w.until(`document.querySelector("#name") ? "open" : "closed"`, "close the rule", func(rule string) bool { return rule == "closed" })
	w.see("Your changes are not saved yet.")
	w.press("#list h2") // a person has done something on the page
	w.click(`nav a[href="/portal/setup"]`)
	require.Equal(t, page.DialogTypeBeforeunload, <-asked)
	w.see("API token")

	// Choosing what the preview shows is no work.
	w.open("/portal/templates/damaged?language=en")
	w.press("h1") // a person has done something on the page
	evaluate[chromedp.Void](w, `document.querySelector("#on").dispatchEvent(new Event("change", { bubbles: true }))`)
	w.press(`nav a[href="/portal/setup"]`)
	w.see("API token")

	// Saving is not leaving.
	w.choose("#email_integration_id", server.SeedMailbox)
	w.press(`form[action$="/settings"] button`)
	w.see("Saved.")
	w.press("h1")
	w.press(`nav a[href="/portal/rules"]`)
	w.see("How new conversations begin")
	require.Empty(t, asked)
}

// News do not take away what a refused form says and what was typed in it.
func TestBrowserKeepsFaultsWhenNewsCome(t *testing.T) {
	t.Parallel()
	work := &engine{}
	b := newBench(t, work.options)
	_, err := b.client.CreateDataSource(t.Context(), b.organization(), claim.DataSource{Title: "Everything"})
	require.NoError(t, err)
	w := b.window(1400, "light")
	w.enter(client.NewPortalLink{})
	// news are what a second stream of the page hears, as often as the page itself.
	news := func() {
		t.Helper()
		evaluate[bool](w, `new Promise((heard) => {
			const source = new EventSource("/portal/live?page=" + encodeURIComponent(location.pathname + location.search));
			source.addEventListener("news", () => { source.close(); setTimeout(() => heard(true), 200); });
		})`, chromedp.EvalAwaitPromise)
	}

	w.open("/portal/data")
	evaluate[chromedp.Void](w, `(() => {
		document.querySelector("#from").value = "2026-02-02";
		document.querySelector("#to").value = "2026-02-01";
		document.querySelector("#to").form.requestSubmit();
	})()`)
	const fault = "The end must not be before the beginning"
	w.see(fault)
	news()
	w.see(fault)
	require.Equal(t, "2026-02-02", evaluate[string](w, `document.querySelector("#from").value`))

	// Without a mailbox, the button is disabled, but the form may be older than that.
	w.open("/portal/setup")
	evaluate[chromedp.Void](w, `document.querySelector('form[action$="/enable"]').submit()`)
	w.until("location.pathname", "keep the address of the command", func(path string) bool { return path == "/portal/setup/enable" })
	told := evaluate[string](w, `document.querySelector("#switch-fault").innerText`)
	require.NotEmpty(t, told)
	news()
	require.Equal(t, told, evaluate[string](w, `document.querySelector("#switch-fault").innerText`))
}

// Placeholders are written where the person typed last; those for agents only into the
// note.
func TestBrowserInsertsPlaceholders(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := b.window(1400, "light")
	w.enter(client.NewPortalLink{})
	w.open("/portal/templates/damaged?language=en")
	w.see("A click writes one where you typed last.")
	button := func(code string) string {
		return fmt.Sprintf(`(() => { const b = [...document.querySelectorAll("[data-insert] button")].find((b) => b.querySelector("code").textContent === %q); b.focus(); b.click(); })()`, code)
	}
	w.typeInto("#body", "Order ")
	evaluate[chromedp.Void](w, button("{{.Order.Number}}"))
	require.Equal(t, "Order {{.Order.Number}}", evaluate[string](w, `document.querySelector("#body").value`))
	w.shows("#preview", "Order 10001")
	w.typeInto("#subject", "From ")
	evaluate[chromedp.Void](w, button("{{.Customer.FirstName}}"))
	require.Equal(t, "From {{.Customer.FirstName}}", evaluate[string](w, `document.querySelector("#subject").value`))
	evaluate[chromedp.Void](w, button("{{.Internal.Value}}"))
	require.Equal(t, "{{.Internal.Value}}", evaluate[string](w, `document.querySelector("#note").value`))
	require.Equal(t, "Order {{.Order.Number}}", evaluate[string](w, `document.querySelector("#body").value`))
	w.choose("#on", "sample:sample-not-received")
	evaluate[chromedp.Void](w, `document.querySelector("#on").dispatchEvent(new Event("input"))`)
	w.shows("#preview", "Order 10005")
}

// The pages take one line of the header, or a second one where they do not fit beside the
// shop.
func TestBrowserShowsShortHeaders(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := b.window(1280, "light")
	w.enter(client.NewPortalLink{Language: "de"})
	for width, most := range map[int64]float64{360: 125, 800: 125, 1280: 75, 1400: 75, 3840: 75} {
		w.resize(width)
		w.open("/portal/dashboards")
		require.Less(t, evaluate[float64](w, `document.querySelector(".top").getBoundingClientRect().height`), most, "at %d px", width)
		require.True(t, evaluate[bool](w, `(() => { const r = document.querySelector(".top [aria-current]").getBoundingClientRect(); return r.left >= 0 && r.right <= innerWidth; })()`), "the page is in sight at %d px", width)
	}
}
