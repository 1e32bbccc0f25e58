package portal_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/store"
)

// A person finds claims by what is wrong with them, and mends one by trying again and one
// by naming its conversation.
func TestBrowserMendsClaims(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		language                                                      string
		width                                                         int64
		script                                                        bool
		unclear, unavailable, retried, opening, unknown, linked, open string
	}{
		{
			"en", 1400, true, "It is unclear whether the conversation was opened", "Dixa did not answer", "The claim is being tried again.", "Being opened",
			"Your Dixa has no conversation with this number.", "The claim now belongs to this conversation.", "Open",
		},
		{
			"de", 360, false, "Es ist unklar, ob die", "Dixa hat nicht geantwortet", "Die Reklamation wird noch einmal versucht.", "Wird eröffnet",
			"In Ihrem Dixa gibt es keine", "Die Reklamation gehört jetzt zu dieser", "Offen",
		},
	} {
		t.Run(fmt.Sprint(test.language, test.width), func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.connect()
			b.settings(`{"email_integration_id": "` + server.SeedMailbox + `"}`)
			unclear, unavailable := b.submit("c-unclear"), b.submit("c-unavailable")
			b.park(unclear, claim.CauseOutcomeUnknown)
			b.park(unavailable, claim.CauseUnavailable)
			report, err := b.client.Test(t.Context(), shop, client.TestRequest{Email: "tester@example.org"})
			require.NoError(t, err)
			w := b.window(test.width, "light")
			if !test.script {
				w.withoutScript()
			}
			w.enter(client.NewPortalLink{Language: test.language, Pages: []claim.PortalPage{claim.PageClaims}})
			find := func(cause claim.Cause, words, id string) {
				w.see(words)
				w.press(`a[href$="cause=` + string(cause) + `"]`)
				w.until("location.search", "list the claims of one cause", func(query string) bool { return strings.Contains(query, "cause="+string(cause)) })
				w.press(`th a[href="/portal/claims/` + id + `"]`)
				w.shows("h1", id)
				w.shows("#live", words)
			}
			state := "#live .facts .badge"

			find(claim.CauseUnavailable, test.unavailable, "c-unavailable")
			w.press("#retry")
			w.see(test.retried)
			require.Equal(t, claim.StateReceived, b.stateOf(unavailable))
			b.move(unavailable, claim.EventStart, store.ClaimUpdate{})
			if !test.script {
				w.run(chromedp.Reload(), chromedp.WaitReady("h1"))
			}
			w.shows(state, test.opening)
			b.move(unavailable, claim.EventOpened, store.ClaimUpdate{})
			if !test.script {
				w.run(chromedp.Reload(), chromedp.WaitReady("h1"))
			}
			w.shows(state, test.open)

			w.press(`nav a[href="/portal/claims"]`)
			find(claim.CauseOutcomeUnknown, test.unclear, "c-unclear")
			w.shows("#link summary", "Dixa")
			w.press("#link summary")
			w.typeInto("#conversation_id", "999999999")
			w.press("#link button")
			w.shows("#conversation_id-fault", test.unknown)
			require.Equal(t, "999999999", evaluate[string](w, `document.querySelector("#conversation_id").value`))
			w.typeInto("#conversation_id", fmt.Sprint("#", report.ConversationID))
			w.press("#link button")
			w.see(test.linked)
			w.shows("#live .facts", fmt.Sprint(report.ConversationID))
			require.NotEqual(t, claim.StateNeedsAttention, b.stateOf(unclear))
		})
	}
}

// pressTwice presses a button twice, as fast as a person can. The browser may send the form
// only once; TestMessageIsSentOnce sends it twice.
func (t *tab) pressTwice(selector string) {
	t.Helper()
	t.run(chromedp.ScrollIntoView(selector))
	at := evaluate[[]float64](t, fmt.Sprintf("(({x, y, width, height}) => [x + width / 2, y + height / 2])(document.querySelector(%q).getBoundingClientRect())", selector))
	t.run(chromedp.MouseClickXY(at[0], at[1]), chromedp.MouseClickXY(at[0], at[1]))
}

// A reply is sent once, however often the person presses the button. A half-written note
// stays, and the page goes on showing news.
func TestBrowserSendsAReplyOnce(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		language string
		width    int64
		script   bool
		waiting  string
	}{
		{"en", 1400, true, "Your message is on its way to Dixa."},
		{"de", 360, false, "Ihre Nachricht ist auf dem Weg zu Dixa."},
	} {
		t.Run(fmt.Sprint(test.language, test.width), func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			ref := b.linked("c-1", 100)
			b.settings(`{"email_integration_id": "` + server.SeedMailbox + `", "default_agent_id": "` + server.SeedAgentAnna + `"}`)
			w := b.window(test.width, "light")
			if !test.script {
				w.withoutScript()
			}
			w.enter(client.NewPortalLink{Language: test.language, Pages: []claim.PortalPage{claim.PageClaims}})
			w.press(`th a[href="/portal/claims/c-1"]`)
			w.typeInto("#note", "Half a thought")
			w.typeInto("#reply", "Your new vase is on its way.")
			w.pressTwice(`#send button[value="reply"]`)
			w.see(test.waiting)
			first, err := b.client.Instruction(t.Context(), ref, evaluate[string](w, `new URLSearchParams(location.search).get("sent")`))
			require.NoError(t, err)
			require.EqualValues(t, 1, first.Number)
			next, err := b.client.Send(t.Context(), ref, "next", client.NewMessage{Kind: claim.InstructNote, Text: "Only one before me."})
			require.NoError(t, err)
			require.EqualValues(t, 2, next.Number)
			require.Equal(t, "/Half a thought", evaluate[string](w, `document.querySelector("#reply").value + "/" + document.querySelector("#note").value`))
			if test.script {
				b.park(ref, claim.CauseTemplate)
				w.shows("#live", "The text for this reason has a fault")
				require.Equal(t, "Half a thought", evaluate[string](w, `document.querySelector("#note").value`))
			}
			w.pressTwice(`#send button[value="note"]`)
			w.until(`document.querySelector("#note").value === "" ? "sent" : ""`, "send the note", func(seen string) bool { return seen == "sent" })
		})
	}
}

// After the answer to a refused form, and after the person stayed on a page with unsaved
// work, the page shows news again.
func TestBrowserShowsNewsAfterRefusedAndCanceledForms(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.settings(`{"default_agent_id": "` + server.SeedAgentAnna + `"}`)
	ref := b.linked("c-1", 100)
	b.park(ref, claim.CauseTemplate)
	w := b.window(1400, "light")
	w.enter(client.NewPortalLink{Pages: []claim.PortalPage{claim.PageClaims}})
	asked := w.answers(false)
	w.open("/portal/claims/c-1")
	w.press("#note") // news wait for whoever types
	b.move(ref, claim.EventStart, store.ClaimUpdate{})
	b.move(ref, claim.EventOpened, store.ClaimUpdate{})
	w.click("#retry")
	w.see("The claim has changed in the meantime")
	w.until("location.pathname", "keep the address of the command", func(path string) bool { return path == "/portal/claims/c-1/retry" })
	b.park(ref, claim.CauseUnavailable)
	w.shows("#live", "Dixa did not answer")
	w.see("The claim has changed in the meantime")

	w.typeInto("#note", "Half a thought")
	w.press("h1")
	w.click("#retry")
	require.Equal(t, page.DialogTypeBeforeunload, <-asked)
	b.move(ref, claim.EventStart, store.ClaimUpdate{})
	b.park(ref, claim.CauseTemplate)
	w.shows("#live", "The text for this reason has a fault")
	require.Equal(t, "Half a thought", evaluate[string](w, `document.querySelector("#note").value`))
}

// News that come while a person presses a button wait until it is pressed.
func TestBrowserKeepsWhatIsPressed(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ref := b.submit("c-1")
	b.park(ref, claim.CauseTemplate)
	w := b.window(1400, "light")
	w.enter(client.NewPortalLink{Pages: []claim.PortalPage{claim.PageClaims}})
	w.open("/portal/claims/c-1")
	w.shows("#live", "The text for this reason has a fault")
	at := evaluate[[]float64](w, `(({x, y, width, height}) => [x + width / 2, y + height / 2])(document.querySelector("#retry").getBoundingClientRect())`)
	w.run(chromedp.MouseEvent(chromedp.MousePressed, at[0], at[1], chromedp.ButtonLeft, chromedp.ClickCount(1)))
	b.move(ref, claim.EventStart, store.ClaimUpdate{})
	b.park(ref, claim.CauseUnavailable)
	// The page hears of it as often as this second stream.
	heard := evaluate[string](w, `new Promise((heard) => {
		const source = new EventSource("/portal/live?page=" + encodeURIComponent(location.pathname));
		source.addEventListener("news", (event) => {
			if (event.data.includes("Dixa did not answer")) {
				source.close();
				setTimeout(() => heard(document.querySelector("#live").innerText), 100);
			}
		});
	})`, chromedp.EvalAwaitPromise)
	require.Contains(t, heard, "The text for this reason has a fault", "the button must not be replaced now")
	w.run(chromedp.MouseEvent(chromedp.MouseReleased, at[0], at[1], chromedp.ButtonLeft, chromedp.ClickCount(1)))
	w.see("The claim is being tried again.")
	require.Equal(t, claim.StateReceived, b.stateOf(ref))
}
