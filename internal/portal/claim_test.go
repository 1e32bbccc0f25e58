package portal_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/internal/api"
	"github.com/claimflow/claimflow/internal/toowner/files"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
)

// linked submits a claim that has a conversation in the connected shop's Dixa.
func (b *bench) linked(id string, conversation int64, messages ...claim.Message) claim.Ref {
	b.Helper()
	b.connect()
	ref := b.submit(id)
	in, err := b.client.Integration(b.Context(), shop)
	require.NoError(b, err)
	require.NoError(b, b.store.Links.Create(b.Context(), store.LinkInput{Ref: ref, ConnectionID: in.Connection.ID, ConversationID: conversation, Step: claim.StepConversation}))
	effects := store.EventEffects{Ref: ref, State: claim.StateReceived, ConversationID: conversation}
	for _, m := range messages {
		effects.Messages = append(effects.Messages, mirror.Message{Message: m})
	}
	require.NoError(b, b.store.Conversations.Apply(b.Context(), effects))
	return ref
}

// settings changes settings of the shop.
func (b *bench) settings(patch string) {
	b.Helper()
	_, err := b.client.UpdateSettings(b.Context(), shop, []byte(patch))
	require.NoError(b, err)
}

func TestClaimIsShownWithItsContext(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ref := b.submit("c-1", func(c *claim.Claim) {
		c.Answers = []claim.Answer{{Question: "When?", Answer: "Yesterday"}}
		c.ImageURLs = []string{"https://cdn.example/1.jpg?sig=a&b=c"}
		c.Shipments[0].TrackingURL = "https://track.example/1"
		c.Order.Address = claim.Address{Name: "Ada Lovelace", Street: "Main Street 1", City: "London"}
	})
	b.submit("c-2")
	p := b.enter(client.NewPortalLink{})
	shown := p.get("/portal/claims/c-1")
	require.Equal(t, http.StatusOK, shown.status)
	for _, text := range []string{
		"<h1>Claim c-1</h1>", "The vase is in pieces.", "Vase", "VASE-1", "Ada Lovelace", "ada.customer@example.org", "10001", "19.90 EUR", "Main Street 1",
		"When?", "Yesterday", `href="https://cdn.example/1.jpg?sig=a&amp;b=c" target="_blank" rel="noopener noreferrer">File at cdn.example`,
		`href="https://track.example/1"`, "00340434161094015902", "DHL", "Damaged", "Refund", "Delivered", ref.Reference(), `href="/portal/claims/c-2">c-2`,
	} {
		require.Contains(t, shown.text, text)
	}
	german := b.enter(client.NewPortalLink{Language: "de"}).get("/portal/claims/c-1").text
	require.Contains(t, german, "<h1>Reklamation c-1</h1>")
	require.Contains(t, german, "Beschädigt")

	for _, path := range []string{
		"c-9", "..", "%2e%2e", "c-1%2f..%2f..", "%2e%2e%2facme", "-", "c-9/retry", "c-1?messages=%21",
	} {
		missing := p.get("/portal/claims/" + path)
		if path != ".." { // the browser itself goes up
			require.Equal(t, http.StatusNotFound, missing.status, path)
		}
	}
	require.Equal(t, "/portal/claims/c-1", p.get("/portal/claims/c-1/retry").url.Path, "a command leads to its page")
	for _, path := range []string{"c-9/retry", "c-9/abandon", "%2e%2e/retry", "c-9/link", "c-9"} {
		form := url.Values{"conversation_id": {"1"}, "kind": {"note"}, "note": {"x"}, "key": {"k"}}
		require.Equal(t, http.StatusNotFound, p.post("/portal/claims/"+path, form).status, path)
	}
}

func TestClaimOfAnotherShopIsNotFound(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, err := b.client.AddShop(t.Context(), client.NewShop{Slug: "other"})
	require.NoError(t, err)
	_, err = b.client.Submit(t.Context(), &claim.Claim{ID: "theirs", Shop: "other", Reason: "damaged", Order: claim.Order{Number: "777"}, Customer: claim.Customer{Email: "eve@example.org"}})
	require.NoError(t, err)
	theirs := claim.Ref{Shop: "other", ID: "theirs"}
	b.park(theirs, claim.CauseTemplate)
	p := b.enter(client.NewPortalLink{})
	for _, path := range []string{"theirs", "other%2ftheirs", "..%2f..%2fother%2fclaims%2ftheirs"} {
		missing := p.get("/portal/claims/" + path)
		require.Equal(t, http.StatusNotFound, missing.status, path)
		require.NotContains(t, missing.text, "777")
	}
	for _, command := range []string{"/retry", "/abandon", "/link", ""} {
		form := url.Values{"conversation_id": {"1"}, "kind": {"note"}, "note": {"x"}, "key": {"k"}}
		require.Equal(t, http.StatusNotFound, p.post("/portal/claims/theirs"+command, form).status, command)
	}
	for _, cause := range claim.Causes() {
		p.post("/portal/claims/mend", url.Values{"cause": {string(cause)}, "shop": {"other"}})
	}
	require.Equal(t, claim.StateNeedsAttention, b.stateOf(theirs))
	for _, query := range []string{"", "?q=777", "?q=theirs", "?q=eve@example.org", "?shop=other"} {
		require.Empty(t, listed(p.get("/portal/claims"+query)), query)
	}
}

// What customers write is text, wherever it stands.
func TestClaimRunsNoScript(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const script = `"'><script>alert(1)</script><img src=x onerror=alert(1)>`
	addresses := []string{"javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,<script>alert(1)</script>", "https://x.example/\"><script>alert(1)</script>", " javascript:alert(1)"}
	at := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	hostile := func(id string) claim.Message {
		return claim.Message{
			ID: id, Kind: claim.MessageKind, Direction: claim.DirectionInbound, At: at, Author: &claim.Person{ID: "u", Name: script},
			Attachments: []claim.MessageAttachment{{ID: "1", Name: script + ".html"}, {ID: "../../x", Name: "x"}},
		}
	}
	plain, formatted := hostile(`m"><script>`), hostile("m-2")
	plain.Text = script
	formatted.HTML = "<p>Hello</p>" + script
	exported := hostile("m-3")
	exported.Text = "<p>From an <b>export</b></p>" + script
	b.linked("c-1", 100, plain, formatted, exported)
	b.submit("c-2", func(c *claim.Claim) {
		c.Reason, c.Preference, c.Phase, c.Status, c.Description = script, script, script, script, script
		c.Items = []claim.Item{{SKU: script, Title: script, Quantity: 1, ImageURLs: addresses}}
		c.Answers = []claim.Answer{{Question: script, Answer: script}}
		c.Customer = claim.Customer{FirstName: script, LastName: script, Phone: script[:40], ExternalID: script}
		c.Order = claim.Order{Number: script, ExternalID: script, Address: claim.Address{Name: script, Street: script, ZIPCode: script[:40], City: script, Country: script}}
		c.Shipments = []claim.Shipment{{Carrier: script, TrackingNumber: script, TrackingURL: addresses[0], Phase: script}, {TrackingURL: addresses[2]}}
		c.ImageURLs, c.SignatureURL = addresses, addresses[0]
	})
	p := b.enter(client.NewPortalLink{})
	for _, path := range []string{"claims", "claims/c-1", "claims/c-2", "claims?q=" + url.QueryEscape(script) + "&carrier=" + url.QueryEscape(script), "claims/c-1?sent=" + url.QueryEscape(script)} {
		shown := p.get("/portal/" + path)
		require.Equal(t, http.StatusOK, shown.status, path)
		require.NotContains(t, strings.ReplaceAll(shown.text, `<script src="/portal/assets/portal.js" defer></script>`, ""), "<script", path)
		require.NotContains(t, shown.text, "<img", path)
		require.NotRegexp(t, `(?i)href="\s*(javascript|data):`, shown.text, path)
		require.NotRegexp(t, `href="[^"]*/files/\.\./`, shown.text, path)
	}
	require.Contains(t, p.get("/portal/claims/c-1").text, "Hello")
	require.Contains(t, p.get("/portal/claims/c-1").text, "From an export")
	require.Contains(t, p.get("/portal/claims/c-2").text, "A file whose address cannot be opened")
}

// The largest claims and messages that the API accepts leave the page small.
func TestLargestClaimIsASmallPage(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var messages []claim.Message
	for i := range 25 {
		messages = append(messages, claim.Message{
			ID: fmt.Sprintf("m-%02d", i), Kind: claim.NoteKind, At: time.Date(2026, 3, 1, 9, i, 0, 0, time.UTC), Text: fmt.Sprintf("text %02d ", i) + strings.Repeat("long ", 10_000),
		})
	}
	b.linked("c-1", 100, messages...)
	b.submit("c-2", func(c *claim.Claim) {
		c.Description = strings.Repeat("long ", 40_000)
		for range 100 {
			c.Items = append(c.Items, claim.Item{SKU: strings.Repeat("x", 200), Title: strings.Repeat("y", 500), Quantity: 1})
			c.Answers = append(c.Answers, claim.Answer{Question: strings.Repeat("q", 1000), Answer: strings.Repeat("a", 1000)})
			c.ImageURLs = append(c.ImageURLs, "https://cdn.example/"+strings.Repeat("u", 4000))
		}
	})
	p := b.enter(client.NewPortalLink{})
	large := p.get("/portal/claims/c-2").text
	require.Less(t, len(large), 100_000)
	require.Contains(t, large, "More that are not shown here: 71")

	newest := p.get("/portal/claims/c-1").text
	require.Less(t, len(newest), 100_000)
	require.Contains(t, newest, "text 24")
	require.NotContains(t, newest, "text 14")
	older := regexp.MustCompile(`href="([^"#]+)#messages">Older messages`).FindStringSubmatch(newest)
	require.NotEmpty(t, older)
	next := p.get(older[1]).text
	require.Contains(t, next, "text 14")
	require.Contains(t, next, "text 05")
	require.NotContains(t, next, "text 04")
	require.Contains(t, next, "Newest messages")
}

func TestParkedClaimIsMended(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect()
	b.settings(`{"email_integration_id": "` + server.SeedMailbox + `"}`)
	ref := b.submit("c-1")
	b.park(ref, claim.CauseOutcomeUnknown)
	b.park(b.submit("c-2"), claim.CauseContactEndpoint)
	p := b.enter(client.NewPortalLink{})

	require.Contains(t, p.get("/portal/claims/c-2").text, `href="/portal/setup">Mend it on the page`)
	require.NotContains(t, b.enter(client.NewPortalLink{Pages: []claim.PortalPage{claim.PageClaims}}).get("/portal/claims/c-2").text, "/portal/setup")
	reader := b.enter(client.NewPortalLink{Capabilities: []claim.PortalCapability{}}).get("/portal/claims/c-1").text
	require.Contains(t, reader, "It is unclear whether the conversation was opened")
	for _, control := range []string{"/retry", "/abandon", "/link", "<textarea"} {
		require.NotContains(t, reader, control)
	}

	shown := p.get("/portal/claims/c-1").text
	require.Contains(t, shown, "Search Dixa for "+ref.Reference())
	for _, given := range []string{"", "abc", "-1", "999999999", "99999999999999999999"} {
		refused := p.post("/portal/claims/c-1/link", url.Values{"conversation_id": {given}})
		require.Equal(t, http.StatusUnprocessableEntity, refused.status, given)
		require.Contains(t, refused.text, `id="conversation_id-fault"`, given)
		require.Contains(t, refused.text, `value="`+given+`"`, "what was typed is kept")
		require.Contains(t, refused.text, `<details id="link" data-keep open>`)
	}
	report, err := b.client.Test(t.Context(), shop, client.TestRequest{Email: "tester@example.org"})
	require.NoError(t, err)
	linked := p.post("/portal/claims/c-1/link", url.Values{"conversation_id": {fmt.Sprintf(" #%d ", report.ConversationID)}})
	require.Contains(t, linked.text, "now belongs to this conversation")
	require.Contains(t, linked.text, fmt.Sprint("<dd>", report.ConversationID, "</dd>"))
	taken := p.post("/portal/claims/c-2/link", url.Values{"conversation_id": {fmt.Sprint(report.ConversationID)}})
	require.Contains(t, taken.text, "it belongs to another claim")

	b.park(ref, claim.CauseOutcomeUnknown)
	retried := p.post("/portal/claims/c-1/retry", url.Values{"anyway": {"yes"}})
	require.Contains(t, retried.text, "The claim is being tried again")
	require.Equal(t, claim.StateReceived, b.stateOf(ref))

	abandoned := p.post("/portal/claims/c-1/abandon", nil)
	require.Contains(t, abandoned.text, "The claim is abandoned")
	require.Contains(t, abandoned.text, "Take up again")
	require.Contains(t, abandoned.text, "(you)", "the history says who did it")
	require.Contains(t, b.enter(client.NewPortalLink{Subject: "staff-2"}).get("/portal/claims/c-1").text, "(staff-1)")
	again := p.post("/portal/claims/c-1/abandon", nil)
	require.Equal(t, http.StatusOK, again.status, "a double submit does no harm")

	open := b.submit("c-3")
	b.move(open, claim.EventStart, store.ClaimUpdate{})
	b.move(open, claim.EventOpened, store.ClaimUpdate{})
	stale := p.post("/portal/claims/c-3/retry", nil)
	require.Equal(t, http.StatusConflict, stale.status)
	require.Contains(t, stale.text, "The claim has changed in the meantime")
}

var keyField = regexp.MustCompile(`name="key" value="([^"]+)"`)

func TestMessageIsSentOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ref := b.linked("c-1", 100)
	p := b.enter(client.NewPortalLink{})
	shown := p.get("/portal/claims/c-1").text
	require.Contains(t, shown, "choose a default agent")
	b.settings(`{"email_integration_id": "` + server.SeedMailbox + `", "default_agent_id": "` + server.SeedAgentAnna + `"}`)
	shown = p.get("/portal/claims/c-1").text
	require.NotContains(t, shown, "choose a default agent")
	key := keyField.FindStringSubmatch(shown)[1]
	reply := url.Values{"kind": {"reply"}, "key": {key}, "reply": {"Hello\r\nAda"}}
	for range 2 {
		sent := p.post("/portal/claims/c-1", reply)
		require.Equal(t, http.StatusOK, sent.status)
		require.Contains(t, sent.text, "on its way to Dixa")
	}
	first, err := b.client.Instruction(t.Context(), ref, key)
	require.NoError(t, err)
	require.EqualValues(t, 1, first.Number)
	require.Equal(t, "portal staff-1", first.By)

	reply.Set("reply", "Goodbye")
	refused := p.post("/portal/claims/c-1", reply)
	require.Equal(t, http.StatusUnprocessableEntity, refused.status)
	require.Contains(t, refused.text, "Not sent: a different text was already sent")
	require.Contains(t, refused.text, ">Goodbye</textarea>")
	fresh := keyField.FindStringSubmatch(refused.text)[1]
	require.NotEqual(t, key, fresh)
	reply.Set("key", fresh)
	require.Equal(t, http.StatusOK, p.post("/portal/claims/c-1", reply).status)

	note := url.Values{"kind": {"note"}, "key": {"note-1"}, "note": {"  \r\n "}}
	refused = p.post("/portal/claims/c-1", note)
	require.Contains(t, refused.text, `id="note-fault"`)
	note.Set("note", strings.Repeat("x", claim.MaxReply+1))
	require.Equal(t, http.StatusUnprocessableEntity, p.post("/portal/claims/c-1", note).status)
	note.Set("note", "Look at this")
	require.Equal(t, http.StatusOK, p.post("/portal/claims/c-1", note).status)
	third, err := b.client.Instruction(t.Context(), ref, "note-1")
	require.NoError(t, err)
	require.EqualValues(t, 3, third.Number, "the refused messages were not stored")
	for _, bad := range []url.Values{
		{"kind": {"shout"}, "shout": {"x"}, "key": {"k"}}, {"kind": {"note"}, "note": {"x"}}, {"kind": {"note"}, "note": {"x"}, "key": {"a/b c"}},
	} {
		require.GreaterOrEqual(t, p.post("/portal/claims/c-1", bad).status, http.StatusBadRequest)
	}

	b.settings(`{"read_only": true}`)
	require.Contains(t, p.get("/portal/claims/c-1").text, "may only read from Dixa")
	reply.Set("key", "k-4")
	require.Contains(t, p.post("/portal/claims/c-1", reply).text, "nothing can be sent there")
}

// Sending a reply keeps a half-written note, and the other way round. The page has the
// address of the page after the message, so that it goes on showing news.
func TestSendingKeepsTheOtherText(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ref := b.linked("c-1", 100)
	b.settings(`{"email_integration_id": "` + server.SeedMailbox + `", "default_agent_id": "` + server.SeedAgentAnna + `"}`)
	p := b.enter(client.NewPortalLink{})
	action := regexp.MustCompile(`<form method="post" action="([^"]+)\?sent=([^"]+)">`)
	area := regexp.MustCompile(`(?s)<textarea id="(reply|note)"[^>]*>(.*?)</textarea>`)
	typed := func(page string) map[string]string {
		texts := map[string]string{}
		for _, m := range area.FindAllStringSubmatch(page, -1) {
			texts[m[1]] = m[2]
		}
		return texts
	}
	for i, kind := range []string{"reply", "note"} {
		other := []string{"note", "reply"}[i]
		page := p.get("/portal/claims/c-1").text
		form := action.FindStringSubmatch(page)
		require.NotEmpty(t, form)
		key := keyField.FindStringSubmatch(page)[1]
		require.Equal(t, key, form[2])
		values := url.Values{"kind": {kind}, "key": {key}, kind: {"Finished."}, other: {"Half <a> thought"}}
		sent := p.post(form[1]+"?sent="+form[2], values)
		require.Equal(t, http.StatusOK, sent.status)
		require.Equal(t, "/portal/claims/c-1?sent="+key, sent.url.RequestURI())
		require.Contains(t, sent.text, "on its way to Dixa")
		require.NotContains(t, sent.text, "Saved.")
		require.Equal(t, map[string]string{kind: "", other: "Half &lt;a&gt; thought"}, typed(sent.text))
		require.NotEqual(t, key, keyField.FindStringSubmatch(sent.text)[1])

		again := p.post(form[1]+"?sent="+form[2], values) // the page is loaded again
		require.Equal(t, typed(sent.text), typed(again.text))
		in, err := b.client.Instruction(t.Context(), ref, key)
		require.NoError(t, err)
		require.EqualValues(t, i+1, in.Number, "it was sent once")

		values.Set(other, " ")
		require.Equal(t, map[string]string{"reply": "", "note": ""}, typed(p.post(form[1]+"?sent="+form[2], values).text))
		values.Set(other, "Half")
		values.Set(kind, "")
		refused := p.post(form[1]+"?sent="+form[2], values)
		require.Equal(t, http.StatusUnprocessableEntity, refused.status)
		require.Contains(t, refused.text, `id="`+kind+`-fault"`)
		require.Equal(t, "Half", typed(refused.text)[other])
	}
}

// The history names each message once, and messages are as they were written.
func TestMessagesAreShownAsWritten(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	at := time.Now().Add(time.Hour)
	message := func(id, text, html string) claim.Message {
		return claim.Message{ID: id, Kind: claim.MessageKind, Direction: claim.DirectionOutbound, At: at, Text: text, HTML: html}
	}
	note := claim.Message{ID: "m-note", Kind: claim.NoteKind, At: at}
	ref := claim.Ref{Shop: shop, ID: "c-1"}
	note.Text = "Check the packing.\n\nClaimflow " + ref.Reference() + " #2a92386f"
	foreign := note
	foreign.ID, foreign.Text = "m-foreign", "Claimflow is slow today."
	b.linked("c-1", 100, message("m-1", "", "<p>This is affected:</p>\n<ul>\n<li>2 × Mug</li>\n<li>1 × Plate</li>\n</ul>\n<p>Reason: Damaged</p>"), note, foreign)
	b.settings(`{"email_integration_id": "` + server.SeedMailbox + `", "default_agent_id": "` + server.SeedAgentAnna + `"}`)
	p := b.enter(client.NewPortalLink{})
	page := p.get("/portal/claims/c-1").text
	require.Contains(t, page, `<p class="said">Check the packing.</p>`)
	require.Contains(t, page, `<p class="said">Claimflow is slow today.</p>`)
	require.Contains(t, page, "This is affected:\n• 2 × Mug\n• 1 × Plate\n\nReason: Damaged</p>")

	for _, key := range []string{"k-1", "k-2"} {
		require.Equal(t, http.StatusOK, p.post("/portal/claims/c-1", url.Values{"kind": {"reply"}, "key": {key}, "reply": {"Hello"}}).status)
	}
	written := func() []int {
		page := p.get("/portal/claims/c-1").text
		return []int{strings.Count(page, "Message or note written here (you)"), strings.Count(page, "· Reply to the customer")}
	}
	require.Equal(t, []int{2, 0}, written())
	require.NoError(t, b.store.Conversations.Apply(t.Context(), store.EventEffects{
		Ref: ref, State: claim.StateReceived, ConversationID: 100,
		Timeline: []store.TimelineEntry{{ID: "e-1", TimelineEntry: claim.TimelineEntry{At: at, What: "reply to the customer", By: "Anna"}}},
	}))
	require.Equal(t, []int{1, 1}, written())
}

func TestMessageFilesAreDownloads(t *testing.T) {
	t.Parallel()
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/private/1":
		case "/private/half":
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte("half"))
			return
		default:
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Set-Cookie", "theirs=1")
		_, _ = w.Write([]byte("<script>alert(1)</script>"))
	}))
	t.Cleanup(host.Close)
	b := newBench(t, func(o *api.Options) {
		kept, err := files.New(files.Options{Store: o.Store, BaseURL: host.URL, AllowLoopback: true})
		require.NoError(t, err)
		o.Files = kept
	})
	b.linked("c-1", 100, claim.Message{
		ID: "m-1", Kind: claim.MessageKind, Direction: claim.DirectionInbound, At: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC), Text: "See the file",
		Attachments: []claim.MessageAttachment{{ID: "1", Name: "../broken \"mug\".html", Source: "/private/1"}, {ID: "2", Name: "gone.png", Source: "/private/2"}, {ID: "3", Name: "half.png", Source: "/private/half"}},
	})
	p := b.enter(client.NewPortalLink{Capabilities: []claim.PortalCapability{}})
	links := regexp.MustCompile(`<a href="([^"]+)" download>`).FindAllStringSubmatch(p.get("/portal/claims/c-1").text, -1)
	require.Len(t, links, 3)

	file := p.get(links[0][1])
	require.Equal(t, http.StatusOK, file.status)
	require.Equal(t, "<script>alert(1)</script>", file.text)
	require.Equal(t, "text/html; charset=utf-8", file.header.Get("Content-Type"))
	require.Equal(t, `attachment; filename="_broken \"mug\".html"`, file.header.Get("Content-Disposition"))
	require.Equal(t, "nosniff", file.header.Get("X-Content-Type-Options"))
	require.Equal(t, "default-src 'none'; sandbox", file.header.Get("Content-Security-Policy"))
	require.Equal(t, "no-store", file.header.Get("Cache-Control"))
	require.Empty(t, file.header.Values("Set-Cookie"))

	for _, path := range []string{"c-1/messages/m-1/files/9", "c-1/messages/m-9/files/1", "c-9/messages/m-1/files/1", "c-1/messages/%2e%2e/files/%2e%2e", "c-1/messages/m-1/files/%2e%2e"} {
		require.Equal(t, http.StatusNotFound, p.get("/portal/claims/"+path).status, path)
	}
	gone := p.get(links[1][1])
	require.Equal(t, http.StatusNotFound, gone.status)
	require.Contains(t, gone.text, "Not found")
	require.NotContains(t, gone.text, "private")

	response, err := p.http.Do(p.request(http.MethodGet, links[2][1], nil))
	if err == nil {
		_, err = io.ReadAll(response.Body)
		require.NoError(t, response.Body.Close())
	}
	require.Error(t, err, "a part of a file must not pass for the file")
}
