package api_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	emulator "github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/internal/onboarding"
	"github.com/claimflow/claimflow/store"
)

// aClaim returns a valid claim; edit changes it.
func aClaim(id string, edit ...func(*claim.Claim)) *claim.Claim {
	c := &claim.Claim{
		ID: id, Shop: "acme", Reason: "damaged", Preference: "refund", Description: "The vase is in pieces.",
		Items:    []claim.Item{{SKU: "VASE-1", Title: "Vase", Quantity: 1}},
		Customer: claim.Customer{Email: "ada.customer@example.org", FirstName: "Ada", LastName: "Lovelace"},
		Order:    claim.Order{Number: "10001", Currency: "EUR"},
	}
	for _, e := range edit {
		e(c)
	}
	return c
}

func TestSubmitIsIdempotent(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.shop("acme")
	before := b.kicks.Load()

	first, err := b.client.Submit(t.Context(), aClaim("c-1"))
	require.NoError(t, err)
	require.True(t, first.New)
	require.Equal(t, claim.StateReceived, first.Claim.State)
	require.Equal(t, "claim:acme:c-1", first.Claim.WorkflowID)
	require.Greater(t, b.kicks.Load(), before, "the dispatcher must be kicked at once")

	again, err := b.client.Submit(t.Context(), aClaim("c-1"))
	require.NoError(t, err)
	require.False(t, again.New)
	require.Equal(t, first.Claim, again.Claim)

	body, err := json.Marshal(aClaim("c-2"))
	require.NoError(t, err)
	require.Equal(t, http.StatusAccepted, b.send("POST", "/v1/shops/acme/claims", b.secret, string(body)).StatusCode)
	require.Equal(t, http.StatusOK, b.send("POST", "/v1/shops/acme/claims", b.secret, string(body)).StatusCode)
}

func TestConcurrentSubmitsAreNewOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.shop("acme")
	const callers = 20
	results := make([]client.Submitted, callers)
	errs := make([]error, callers)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() { results[i], errs[i] = b.client.Submit(t.Context(), aClaim("c-1")) })
	}
	wg.Wait()
	fresh := 0
	for i := range callers {
		require.NoError(t, errs[i])
		if results[i].New {
			fresh++
		}
	}
	require.Equal(t, 1, fresh)
}

func TestDifferentContentNamesTheFields(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.shop("acme")
	_, err := b.client.Submit(t.Context(), aClaim("c-1", func(c *claim.Claim) { c.ImageURLs = []string{"https://cdn.example/1.jpg?sig=a"} }))
	require.NoError(t, err)

	_, err = b.client.Submit(t.Context(), aClaim("c-1", func(c *claim.Claim) { c.ImageURLs = []string{"https://cdn.example/1.jpg?sig=b"} }))
	require.NoError(t, err, "a new URL signature is the same content")

	_, err = b.client.Submit(t.Context(), aClaim("c-1", func(c *claim.Claim) {
		c.Preference, c.Order.Number = "reorder", "10002"
		c.ImageURLs = []string{"https://cdn.example/1.jpg?sig=a"}
	}))
	e := refusal(t, err, http.StatusConflict, client.CodeDiffers)
	require.Equal(t, []string{"order.order_number", "resolution_preference"}, fields(e.Problem))
	require.Contains(t, e.Detail, "already exists with different content")
	require.NotContains(t, e.Error(), "10002", "the error must name fields, not values")

	kept, err := b.client.Claim(t.Context(), claim.Ref{Shop: "acme", ID: "c-1"})
	require.NoError(t, err)
	require.Equal(t, "10001", kept.OrderNumber)
}

func TestInvalidClaimListsEveryError(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.shop("acme")
	p := b.send("POST", "/v1/shops/acme/claims", b.secret, `{
		"claim_id": "has spaces", "shop_slug": "other",
		"selected_items": [{"sku": "A", "quantity": 0}, {"quantity": 2}], "locale": 7,
		"customer": {"email": "secret-customer-at-example"},
		"order": {"currency": "Euro"}
	}`).problem(t)
	require.Equal(t, http.StatusUnprocessableEntity, p.Status)
	require.Equal(t, client.CodeInvalid, p.Code)
	require.Subset(t, fields(p), []string{
		"claim_id", "shop_slug", "reason", "selected_items[0].quantity", "selected_items[1].sku", "customer.email", "order.currency",
	}, "every error at once: %v", p.Errors)
	for _, e := range p.Errors {
		require.NotEmpty(t, e.Message)
		require.NotContains(t, e.Message, "secret-customer")
	}

	for name, body := range map[string]string{"no JSON": `{"claim_id":`, "a list": `[]`, "nothing": ``} {
		p := b.send("POST", "/v1/shops/acme/claims", b.secret, body, "Content-Type", "application/json").problem(t)
		require.GreaterOrEqual(t, p.Status, 400, name)
		require.NotEmpty(t, p.Errors, name)
	}
}

func TestTooLargeClaim(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.shop("acme")
	p := b.send("POST", "/v1/shops/acme/claims", b.secret, `{"description":"`+strings.Repeat("x", claim.MaxBodyBytes)+`"}`).problem(t)
	require.Equal(t, http.StatusRequestEntityTooLarge, p.Status)
	require.Equal(t, client.CodeTooLarge, p.Code)
}

func TestClaimOfUnknownShop(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, err := b.client.Submit(t.Context(), aClaim("c-1"))
	_ = refusal(t, err, http.StatusNotFound, client.CodeNotFound)
	_, err = b.client.ClaimsPage(t.Context(), "acme", client.Filter{}, "")
	_ = refusal(t, err, http.StatusNotFound, client.CodeNotFound)
}

func TestStoreDownRefusesClaims(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.shop("acme")
	require.NoError(t, b.store.Close())
	body, err := json.Marshal(aClaim("c-1"))
	require.NoError(t, err)

	r := b.send("POST", "/v1/shops/acme/claims", b.secret, string(body))
	p := r.problem(t)
	require.Equal(t, http.StatusServiceUnavailable, p.Status)
	require.Equal(t, client.CodeUnavailable, p.Code)
	require.Equal(t, "5", r.Header.Get("Retry-After"))
	require.Contains(t, p.Detail, "nothing was saved")

	r = b.send("GET", "/readyz", "", "")
	require.Equal(t, http.StatusServiceUnavailable, r.StatusCode)
	require.Equal(t, http.StatusOK, b.send("GET", "/healthz", "", "").StatusCode, "the process must be alive")
}

func TestListFiltersAndPages(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	connection := b.connection("acme")
	for i := range 7 {
		_, err := b.client.Submit(t.Context(), aClaim(fmt.Sprintf("c-%d", i), func(c *claim.Claim) {
			c.Order.Number = fmt.Sprintf("1000%d", i%2)
		}))
		require.NoError(t, err)
	}
	list := func(f client.Filter) (ids []string) {
		for r, err := range b.client.Claims(t.Context(), "acme", f) {
			require.NoError(t, err)
			ids = append(ids, r.ID)
		}
		return ids
	}
	require.Equal(t, []string{"c-6", "c-5", "c-4", "c-3", "c-2", "c-1", "c-0"}, list(client.Filter{PageSize: 3}), "pages must be newest first")
	require.Equal(t, []string{"c-5", "c-3", "c-1"}, list(client.Filter{OrderNumber: "10001"}))
	require.Empty(t, list(client.Filter{State: claim.StateOpen}))
	require.Len(t, list(client.Filter{State: claim.StateReceived, Reason: "Damaged"}), 7)
	require.Empty(t, list(client.Filter{Until: time.Now().Add(-time.Hour)}))

	for i := range 3 {
		ref := claim.Ref{Shop: "acme", ID: fmt.Sprintf("c-%d", i)}
		require.NoError(t, b.store.Links.Create(t.Context(), store.LinkInput{Ref: ref, ConnectionID: connection, ConversationID: int64(70 + i)}))
	}
	require.Equal(t, []string{"c-1"}, list(client.Filter{ConversationID: 71}))
	records, err := b.client.ClaimsOf(t.Context(), "acme", []int64{70, 72, 999})
	require.NoError(t, err)
	require.Len(t, records, 2)
	require.Equal(t, []string{"c-2", "c-0"}, []string{records[0].ID, records[1].ID})

	for query, field := range map[string]string{
		"conversation_id=0": "conversation_id", "conversation_id=70,-1": "conversation_id", "conversation_id=x": "conversation_id",
		"conversation_id=" + strings.Repeat("70,", 500) + "71": "conversation_id",
		"state=lost": "state", "cause=bad_luck": "cause", "cursor=nonsense": "cursor", "limit=0": "limit",
		"since=yesterday": "since", "colour=red": "colour",
	} {
		p := b.send("GET", "/v1/shops/acme/claims?"+query, b.secret, "").problem(t)
		require.Equal(t, http.StatusUnprocessableEntity, p.Status, query)
		require.Equal(t, []string{field}, fields(p), query)
	}
}

func TestCSVIsCompleteAndInert(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.shop("acme")
	for i := range 55 {
		_, err := b.client.Submit(t.Context(), aClaim(fmt.Sprintf("c-%02d", i), func(c *claim.Claim) {
			c.Order.Number, c.Reason = `=HYPERLINK("https://evil.example","10001")`, "@damaged"
		}))
		require.NoError(t, err)
	}
	for _, how := range [][2]string{{"", "text/csv"}, {"?format=csv", "application/json"}} {
		r := b.send("GET", "/v1/shops/acme/claims"+how[0], b.secret, "", "Accept", how[1])
		require.Equal(t, http.StatusOK, r.StatusCode)
		require.Equal(t, "text/csv; charset=utf-8", r.Header.Get("Content-Type"))
		rows, err := csv.NewReader(strings.NewReader(r.text)).ReadAll()
		require.NoError(t, err)
		require.Len(t, rows, 56, "the CSV must contain a header and every claim")
		require.Equal(t, []string{"shop", "claim_id", "state"}, rows[0][:3])
		for _, row := range rows[1:] {
			for i, cell := range row {
				require.NotRegexp(t, `^[=+\-@]`, cell, "column %s", rows[0][i])
			}
		}
		require.Contains(t, rows[1], `'=HYPERLINK("https://evil.example","10001")`)
	}
	require.Equal(t, "application/json", b.send("GET", "/v1/shops/acme/claims?format=json", b.secret, "", "Accept", "text/csv").Header.Get("Content-Type"))
}

func TestOperatorCommandsAndTimeline(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connected("acme")
	_, err := b.client.Submit(t.Context(), aClaim("c-1"))
	require.NoError(t, err)
	ref := claim.Ref{Shop: "acme", ID: "c-1"}

	abandoned, err := b.client.Abandon(t.Context(), ref)
	require.NoError(t, err)
	require.Equal(t, claim.StateAbandoned, abandoned.State)
	taken, err := b.client.Retry(t.Context(), ref, client.RetryRequest{CreateAnyway: true})
	require.NoError(t, err)
	require.Equal(t, claim.StateReceived, taken.State)
	require.Equal(t, http.StatusOK, b.send("POST", "/v1/shops/acme/claims/c-1/retry", b.secret, "").StatusCode, "the body must be optional")
	conversation := b.conversation()
	linked, err := b.client.Link(t.Context(), ref, conversation)
	require.NoError(t, err)
	require.Equal(t, conversation, linked.ConversationID)
	p := b.send("POST", "/v1/shops/acme/claims/c-1/link", b.secret, `{"conversation_id": 0}`).problem(t)
	require.Equal(t, []string{"conversation_id"}, fields(p))

	detail, err := b.client.Claim(t.Context(), ref)
	require.NoError(t, err)
	var what []string
	for _, entry := range detail.Timeline {
		what = append(what, entry.What)
	}
	require.Equal(t, []string{"accepted", "claim.abandoned", "abandon", "retry", "retry", "link"}, what)
	require.Equal(t, "test admin", detail.Timeline[2].By)
	require.Equal(t, ref.Reference(), detail.Reference, "the detail must contain the reference")

	_, err = b.client.Retry(t.Context(), claim.Ref{Shop: "acme", ID: "nobody"}, client.RetryRequest{})
	_ = refusal(t, err, http.StatusNotFound, client.CodeNotFound)
}

func TestLinkChecksDixaAndCanBeUndone(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connected("acme")
	wrong, right := b.conversation(), b.conversation()
	_, err := b.client.Submit(t.Context(), aClaim("c-1"))
	require.NoError(t, err)
	link := func(id int64) (claim.Record, error) { return b.client.Link(t.Context(), refOf("c-1"), id) }
	kept := func() int64 {
		detail, err := b.client.Claim(t.Context(), refOf("c-1"))
		require.NoError(t, err)
		return detail.ConversationID
	}

	_, err = link(999_999)
	e := refusal(t, err, http.StatusUnprocessableEntity, client.CodeInvalid)
	require.Equal(t, []string{"conversation_id"}, fields(e.Problem))
	require.Contains(t, e.Errors[0].Message, "not a conversation in the shop's Dixa")
	require.Zero(t, kept())

	asked := dixaRequests(b)
	_, err = b.client.Link(t.Context(), refOf("nobody"), right)
	_ = refusal(t, err, http.StatusNotFound, client.CodeNotFound)
	require.Equal(t, asked, dixaRequests(b), "an unknown claim must not reach Dixa")

	_, err = link(wrong)
	require.NoError(t, err)
	require.Equal(t, asked+1, dixaRequests(b), "the check must cost one request")

	b.dixa.Inject(emulator.Fault{Operation: "GET /conversations/{conversationId}", Kind: emulator.FaultStatus, Status: 503, Times: 1})
	_, err = link(right)
	e = refusal(t, err, http.StatusBadGateway, string(onboarding.Unreachable))
	require.Equal(t, "Dixa could not be queried, so nothing was changed: Dixa returned a server error (status 503). Try again when Dixa responds.", e.Detail)
	require.Equal(t, wrong, kept())

	linked, err := link(right)
	require.NoError(t, err, "a wrong link must be replaceable")
	require.Equal(t, right, linked.ConversationID)

	require.NoError(t, b.store.Intents.Finish(t.Context(), refOf("c-1"), claim.StepTags, nil))
	_, err = link(wrong)
	e = refusal(t, err, http.StatusConflict, client.CodeConflict)
	require.Contains(t, e.Detail, strconv.FormatInt(right, 10))
	require.Equal(t, right, kept())
}

func TestLinkRequiresAConnection(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.shop("acme")
	_, err := b.client.Submit(t.Context(), aClaim("c-1"))
	require.NoError(t, err)
	_, err = b.client.Link(t.Context(), refOf("c-1"), 4711)
	e := refusal(t, err, http.StatusConflict, string(onboarding.NotConnected))
	require.Contains(t, e.Detail, "The shop has no Dixa token")
}

func TestInapplicableCommandIsRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.shop("acme")
	_, err := b.client.Submit(t.Context(), aClaim("c-1"))
	require.NoError(t, err)
	ref := claim.Ref{Shop: "acme", ID: "c-1"}
	for _, event := range []claim.Event{claim.EventStart, claim.EventOpened} {
		_, err := b.store.Claims.Change(t.Context(), ref, event, store.ClaimUpdate{})
		require.NoError(t, err)
	}
	_, err = b.client.Retry(t.Context(), ref, client.RetryRequest{})
	e := refusal(t, err, http.StatusConflict, client.CodeConflict)
	require.Equal(t, `A claim in state open does not allow "retry".`, e.Detail)
}

func TestShopWideCommands(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.shop("acme")
	for i, event := range []claim.Event{claim.EventPark, claim.EventPark, claim.EventSkip} {
		id := fmt.Sprintf("c-%d", i)
		_, err := b.client.Submit(t.Context(), aClaim(id))
		require.NoError(t, err)
		set := store.ClaimUpdate{}
		if event == claim.EventPark {
			set.Cause = []claim.Cause{claim.CauseTemplate, claim.CauseNoContact}[i]
		}
		_, err = b.store.Claims.Change(t.Context(), claim.Ref{Shop: "acme", ID: id}, event, set)
		require.NoError(t, err)
	}
	n, err := b.client.RetryShop(t.Context(), "acme", claim.CauseTemplate)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	n, err = b.client.RetryShop(t.Context(), "acme")
	require.NoError(t, err)
	require.Equal(t, 1, n)
	n, err = b.client.OpenSkipped(t.Context(), "acme", time.Time{})
	require.NoError(t, err)
	require.Equal(t, 1, n)
	_, err = b.client.RetryShop(t.Context(), "acme", "bad_luck")
	_ = refusal(t, err, http.StatusUnprocessableEntity, client.CodeInvalid)

	paused, err := b.client.Pause(t.Context(), "acme")
	require.NoError(t, err)
	require.True(t, paused.Paused)
	require.Equal(t, 3, paused.Counts[claim.StateReceived])
	resumed, err := b.client.Resume(t.Context(), "acme")
	require.NoError(t, err)
	require.False(t, resumed.Paused)
}

func TestSearchFindsByIDOrderAndCustomer(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.shop("acme")
	for _, c := range []*claim.Claim{
		aClaim("c-1"),
		aClaim("c-2", func(c *claim.Claim) {
			c.Customer.Email, c.Order.Number, c.Phase = "Bob@Example.org", "10002", "in_transit"
			c.Shipments = []claim.Shipment{{Phase: "delivered"}, {Carrier: "DHL"}, {Carrier: "UPS"}}
		}),
		aClaim("c-3", func(c *claim.Claim) {
			c.Customer, c.Order.Number = claim.Customer{Phone: "+49 30 1234"}, "c-1"
			c.Shipments = []claim.Shipment{{Phase: "Delivered"}}
		}),
	} {
		_, err := b.client.Submit(t.Context(), c)
		require.NoError(t, err)
	}
	b.shop("other")
	_, err := b.client.Submit(t.Context(), aClaim("c-1", func(c *claim.Claim) { c.Shop = "other" }))
	require.NoError(t, err)
	for _, test := range []struct {
		filter client.Filter
		want   []string
	}{
		{client.Filter{Search: "c-1"}, []string{"c-3", "c-1"}},
		{client.Filter{Search: "10002"}, []string{"c-2"}},
		{client.Filter{Search: "#10002", Customers: true}, []string{"c-2"}},
		{client.Filter{Search: " bob@example.org "}, []string{"c-2"}},
		{client.Filter{Search: "+49 30 1234"}, []string{"c-3"}},
		{client.Filter{Search: "ob@example.org"}, nil},
		{client.Filter{Search: "c-1", OrderNumber: "10001"}, []string{"c-1"}},
		{client.Filter{Phase: "inTransit"}, []string{"c-2"}},
		{client.Filter{Phase: "delivered"}, []string{"c-3"}},
		{client.Filter{Carrier: "dhl"}, []string{"c-2"}},
		{client.Filter{Carrier: "UPS"}, nil},
	} {
		var ids []string
		for r, err := range b.client.Claims(t.Context(), "acme", test.filter) {
			require.NoError(t, err)
			ids = append(ids, r.ID)
		}
		require.Equal(t, test.want, ids, "%+v", test.filter)
	}
}

func TestContentIsTheLatest(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.shop("acme")
	_, err := b.client.Submit(t.Context(), aClaim("c-1"))
	require.NoError(t, err)
	_, err = b.client.Update(t.Context(), refOf("c-1"), []byte(`{"description": "It was the mug."}`))
	require.NoError(t, err)
	content, err := b.client.Content(t.Context(), refOf("c-1"))
	require.NoError(t, err)
	require.Equal(t, "It was the mug.", content.Description)
	require.Equal(t, "ada.customer@example.org", content.Customer.Email)
	_, err = b.client.Content(t.Context(), refOf("nobody"))
	_ = refusal(t, err, http.StatusNotFound, client.CodeNotFound)
	require.Equal(t, http.StatusForbidden, b.send("GET", "/v1/shops/acme/claims/c-1/content", b.key("acme", client.ScopeShopsRead), "").StatusCode)
}

func TestAttentionCountsParkedClaimsByCause(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.shop("acme")
	for i, cause := range []claim.Cause{claim.CauseTemplate, claim.CauseTemplate, claim.CauseNoContact, ""} {
		id := fmt.Sprintf("c-%d", i)
		_, err := b.client.Submit(t.Context(), aClaim(id))
		require.NoError(t, err)
		if cause != "" {
			_, err = b.store.Claims.Change(t.Context(), refOf(id), claim.EventPark, store.ClaimUpdate{Cause: cause})
			require.NoError(t, err)
		}
	}
	s, err := b.client.Attention(t.Context(), "acme")
	require.NoError(t, err)
	require.Equal(t, map[claim.Cause]int{claim.CauseTemplate: 2, claim.CauseNoContact: 1}, s.Parked)
	_, err = b.client.RetryShop(t.Context(), "acme")
	require.NoError(t, err)
	s, err = b.client.Attention(t.Context(), "acme")
	require.NoError(t, err)
	require.Empty(t, s.Parked)
}

// An id is a name and never leads to another route.
func TestIDsDoNotClimb(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.shop("acme")
	_, err := b.client.Submit(t.Context(), aClaim("c-1"))
	require.NoError(t, err)
	_, err = b.store.Claims.Change(t.Context(), refOf("c-1"), claim.EventPark, store.ClaimUpdate{Cause: claim.CauseTemplate})
	require.NoError(t, err)
	for _, id := range []string{"..", ".", "../retry", "x/../.."} {
		_, err := b.client.Claim(t.Context(), refOf(id))
		_ = refusal(t, err, http.StatusNotFound, client.CodeNotFound)
		_, err = b.client.Retry(t.Context(), refOf(id), client.RetryRequest{})
		_ = refusal(t, err, http.StatusNotFound, client.CodeNotFound)
	}
	kept, err := b.client.Claim(t.Context(), refOf("c-1"))
	require.NoError(t, err)
	require.Equal(t, claim.StateNeedsAttention, kept.State)
}
