package portal_test

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/store"
)

// submit submits a claim; edit changes it.
func (b *bench) submit(id string, edit ...func(*claim.Claim)) claim.Ref {
	b.Helper()
	c := &claim.Claim{
		ID: id, Shop: shop, Reason: "damaged", Preference: "refund", Phase: "delivered", Description: "The vase is in pieces.",
		Items:     []claim.Item{{SKU: "VASE-1", Title: "Vase", Quantity: 1}},
		Customer:  claim.Customer{Email: "ada.customer@example.org", FirstName: "Ada", LastName: "Lovelace"},
		Order:     claim.Order{Number: "10001", Currency: "EUR", Total: "19.90"},
		Shipments: []claim.Shipment{{Carrier: "DHL", TrackingNumber: "00340434161094015902"}},
	}
	for _, e := range edit {
		e(c)
	}
	_, err := b.client.Submit(b.Context(), c)
	require.NoError(b, err)
	return claim.Ref{Shop: shop, ID: id}
}

// move moves a claim as its workflow would.
func (b *bench) move(ref claim.Ref, event claim.Event, set store.ClaimUpdate) {
	b.Helper()
	_, err := b.store.Claims.Change(b.Context(), ref, event, set)
	require.NoError(b, err)
}

func (b *bench) park(ref claim.Ref, cause claim.Cause) {
	b.Helper()
	b.move(ref, claim.EventPark, store.ClaimUpdate{Cause: cause})
}

func (b *bench) stateOf(ref claim.Ref) claim.State {
	b.Helper()
	detail, err := b.client.Claim(b.Context(), ref)
	require.NoError(b, err)
	return detail.State
}

var claimLink = regexp.MustCompile(`<th scope="row"><a href="/portal/claims/([^"?]+)">`)

// listed returns the ids of the claims that a page lists.
func listed(a answer) (ids []string) {
	for _, match := range claimLink.FindAllStringSubmatch(a.text, -1) {
		ids = append(ids, match[1])
	}
	return ids
}

func TestClaimsAreFound(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.enter(client.NewPortalLink{Language: "en"})
	require.Contains(t, p.get("/portal/claims").text, "No claims yet")

	b.submit("c-1")
	b.submit("c-2", func(c *claim.Claim) {
		c.Reason, c.Phase, c.Order.Number, c.Customer.Email = "notReceived", "in_transit", "10002", "Bob@Example.org"
		c.Shipments = []claim.Shipment{{Carrier: "UPS"}}
	})
	b.park(b.submit("c-3"), claim.CauseTemplate)
	b.submit("c-4", func(c *claim.Claim) {
		c.Reason, c.Phase, c.Order.Number, c.Shipments = "support", "", "#10003", nil
		c.Customer = claim.Customer{Email: "carol@example.org", FirstName: "Carol <b>"}
	})
	first, err := b.client.Claim(t.Context(), claim.Ref{Shop: shop, ID: "c-1"})
	require.NoError(t, err)
	today := first.AcceptedAt.UTC()
	day := func(n int) string { return today.AddDate(0, 0, n).Format(time.DateOnly) }
	for query, want := range map[string][]string{
		"":                                  {"c-4", "c-3", "c-2", "c-1"},
		"q=10002":                           {"c-2"},
		"q=c-3":                             {"c-3"},
		"q=%20%2310002":                     {"c-2"},
		"q=10003":                           {"c-4"},
		"q=%23+10003+":                      {"c-4"},
		"q=+bob%40example.org+":             {"c-2"},
		"q=ada.customer%40example.org":      {"c-3", "c-1"},
		"q=nobody%40example.org":            nil,
		"state=needs_attention":             {"c-3"},
		"cause=template_broken":             {"c-3"},
		"reason=not_received":               {"c-2"},
		"phase=in_transit":                  {"c-2"},
		"carrier=dhl":                       {"c-3", "c-1"},
		"from=" + day(1):                    nil,
		"from=" + day(-1) + "&to=" + day(1): {"c-4", "c-3", "c-2", "c-1"},
		"to=" + day(-2):                     nil,
		"reason=damaged&state=received&phase=delivered&carrier=DHL": {"c-1"},
	} {
		found := p.get("/portal/claims?" + query)
		require.Equal(t, http.StatusOK, found.status, query)
		require.Equal(t, want, listed(found), query)
		if want == nil {
			require.Contains(t, found.text, "No claim matches", query)
		}
	}
	for query, words := range map[string]string{
		"from=yesterday":                "Enter a date",
		"from=2026-02-01&to=2026-01-01": "This day is before the first day",
		"state=lost":                    "not valid any more",
		"cause=lost":                    "not valid any more",
		"cursor=%21":                    "not valid any more",
	} {
		refused := p.get("/portal/claims?" + query)
		require.Equal(t, http.StatusUnprocessableEntity, refused.status, query)
		require.Contains(t, refused.text, words, query)
		require.NotContains(t, refused.text, "No claim matches", query)
	}
	list := p.get("/portal/claims").text
	require.Contains(t, list, ">Ada Lovelace</td>")
	require.Contains(t, list, ">Carol &lt;b&gt;</td>")

	// Days are those of the zone that the form names.
	midnight := today.Truncate(24 * time.Hour)
	east, west := "zone=Etc/GMT-14&", "zone=Etc/GMT%2B12&" // 14 hours ahead, 12 behind
	hours := today.Sub(midnight).Hours()
	require.Equal(t, hours >= 10, len(listed(p.get("/portal/claims?"+east+"from="+day(1)))) > 0)
	require.Equal(t, hours < 12, len(listed(p.get("/portal/claims?"+west+"to="+day(-1)))) > 0)
	require.Contains(t, p.get("/portal/claims?"+west+"to="+day(1)).text, "zone=Etc%2FGMT%2B12", "the CSV has the same filters")

	typed := p.get("/portal/claims?q=10001&state=open&carrier=%22%3E%3Cscript%3E").text
	require.Contains(t, typed, `value="10001"`)
	require.Contains(t, typed, `<option value="open" selected>`)
	require.Contains(t, typed, `value="&#34;&gt;&lt;script&gt;"`)
}

func TestClaimsAreListedInPagesAndAsCSV(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for i := range 55 {
		b.submit(fmt.Sprintf("c-%02d", i), func(c *claim.Claim) { c.Order.Number = "=1+1" })
	}
	b.submit("other", func(c *claim.Claim) { c.Reason = "support" })
	p := b.enter(client.NewPortalLink{})
	first := p.get("/portal/claims?reason=damaged")
	require.Less(t, len(first.text), 100_000)
	require.Len(t, listed(first), 50)
	next := regexp.MustCompile(`rel="next" href="([^"]+)"`).FindStringSubmatch(first.text)
	require.NotEmpty(t, next)
	second := p.get(strings.ReplaceAll(next[1], "&amp;", "&"))
	require.Equal(t, []string{"c-04", "c-03", "c-02", "c-01", "c-00"}, listed(second))
	require.Contains(t, second.text, `href="/portal/claims?reason=damaged">First page`)

	file := p.get("/portal/claims.csv?reason=damaged")
	require.Equal(t, http.StatusOK, file.status)
	require.Equal(t, "text/csv; charset=utf-8", file.header.Get("Content-Type"))
	require.Equal(t, `attachment; filename="claims-acme.csv"`, file.header.Get("Content-Disposition"))
	rows, err := csv.NewReader(strings.NewReader(file.text)).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 56)
	require.Contains(t, rows[1], "'=1+1")
	require.Equal(t, http.StatusConflict, p.get("/portal/claims.csv?state=lost").status)
}

func TestParkedClaimsAreMended(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.park(b.submit("c-1"), claim.CauseTemplate)
	b.park(b.submit("c-2"), claim.CauseTemplate)
	deadline := b.submit("c-3")
	b.park(deadline, claim.CauseDeadline)
	skipped := b.submit("c-4")
	b.move(skipped, claim.EventSkip, store.ClaimUpdate{})

	reader := b.enter(client.NewPortalLink{Capabilities: []claim.PortalCapability{}})
	seen := reader.get("/portal/claims")
	require.Contains(t, seen.text, "The text for this reason has a fault")
	require.NotContains(t, seen.text, "/portal/claims/mend")
	require.Equal(t, http.StatusForbidden, reader.post("/portal/claims/mend", url.Values{"cause": {"template_broken"}}).status)
	require.Equal(t, http.StatusForbidden, reader.post("/portal/claims/c-3/abandon", nil).status)

	p := b.enter(client.NewPortalLink{})
	seen = p.get("/portal/claims")
	require.Regexp(t, `The text for this reason has a fault(?s:.*?)Claims: </span>2<`, seen.text)
	require.Regexp(t, `It was not opened in time(?s:.*?)Claims: </span>1<`, seen.text)
	require.Contains(t, seen.text, "Turning Dixa on does not create their conversations")
	require.NotContains(t, seen.text, `id="open-skipped"`)
	off := p.get("/portal/claims/c-4").text
	require.Contains(t, off, "Turn Dixa on first")
	require.NotContains(t, off, `id="retry"`, "it would be skipped again")

	mended := p.post("/portal/claims/mend", url.Values{"cause": {"template_broken"}})
	require.Contains(t, mended.text, "The claims are being tried again")
	require.Equal(t, []claim.State{claim.StateReceived, claim.StateReceived, claim.StateNeedsAttention},
		[]claim.State{b.stateOf(claim.Ref{Shop: shop, ID: "c-1"}), b.stateOf(claim.Ref{Shop: shop, ID: "c-2"}), b.stateOf(deadline)})
	require.NotContains(t, mended.text, `name="cause" value="template_broken"`)
	require.Contains(t, p.post("/portal/claims/mend", url.Values{"cause": {"template_broken"}}).text, "No claim was waiting")
	for _, cause := range []string{"", "lost"} {
		refused := p.post("/portal/claims/mend", url.Values{"cause": {cause}})
		require.GreaterOrEqual(t, refused.status, http.StatusBadRequest, "cause %q must not mend everything", cause)
	}
	require.Equal(t, claim.StateNeedsAttention, b.stateOf(deadline))

	opened := p.post("/portal/claims/open-skipped", nil)
	require.Contains(t, opened.text, "are being created in Dixa")
	require.Equal(t, claim.StateReceived, b.stateOf(skipped))
}

func TestNewClaimsAppearLive(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ref := b.submit("c-1")
	p := b.enter(client.NewPortalLink{})
	list, detail := p.stream("/portal/claims?reason=damaged"), p.stream("/portal/claims/c-1")
	require.Contains(t, list(), "c-1")
	first := detail()
	require.Contains(t, first, `<div id="send" data-keep></div>`)
	require.NotContains(t, first, `name="key"`, "a key would make every look news")
	require.NotContains(t, first, "ada.customer@example.org")

	b.submit("c-2", func(c *claim.Claim) { c.Order.Number = "10002" })
	require.Contains(t, list(), "c-2")
	b.park(ref, claim.CauseTemplate)
	require.Contains(t, list(), "The text for this reason has a fault")
	require.Contains(t, detail(), "The text for this reason has a fault")
}
