package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/internal/fromowner"
	"github.com/claimflow/claimflow/internal/fromowner/karla"
	"github.com/claimflow/claimflow/internal/seal"
	"github.com/claimflow/claimflow/store"
)

const karlaSecret = "karla-secret-of-acme"

// karlaBench returns a bench with a platform secret and a secret of the shop "acme".
func karlaBench(t *testing.T) *bench {
	t.Helper()
	b := newBench(t)
	b.shop("acme")
	_, err := b.client.SaveKarlaSecret(t.Context(), "", karlaSecret)
	require.NoError(t, err)
	return b
}

// karlaSays sends an event signed with the platform's secret.
func (b *bench) karlaSays(body string) int {
	b.t.Helper()
	return b.send("POST", "/webhooks/karla", "", body, karla.SignatureHeader, karla.Sign([]byte(body), karlaSecret, time.Now())).StatusCode
}

// apply applies pending events, as a process does.
func (b *bench) apply() {
	b.t.Helper()
	require.NoError(b.t, fromowner.New(b.store, slog.New(slog.DiscardHandler), nil).Apply(b.t.Context()))
}

// karlaClaim returns an event about a claim.
func karlaClaim(verb, id, updatedAt, more string) string {
	if more != "" {
		more = "," + more
	}
	return fmt.Sprintf(`{"source":"claims","ref":"claims/%s","triggered_at":%q,"event_group":"claim_%s",
		"event_data":{"claim_id":%q,"updated_at":%q,"reason":"damaged","resolution_preference":"refund","description":"The vase is in pieces.",
			"selected_items":[{"sku":"VASE-1","title":"Vase","quantity":1,"image_urls":[]}],"image_urls":[]%s},
		"context":{"order":{"order_number":"10001","external_customer_id":null},"customer":{"external_id":null,"email":"ada.customer@example.org","first_name":"Ada","last_name":"Lovelace"},
			"shipments":[],"claims":[]},"shop_slug":"acme"}`, verb, updatedAt, verb, id, updatedAt, more)
}

func (b *bench) karlaEvents(state string) []client.KarlaEvent {
	b.t.Helper()
	events, err := b.client.KarlaEvents(b.t.Context(), "acme", state)
	require.NoError(b.t, err)
	return events
}

func TestKarlaCreatesAndUpdatesAClaim(t *testing.T) {
	t.Parallel()
	b := karlaBench(t)
	created := karlaClaim("created", "c-1", "2026-03-01T12:00:00Z", `"status":"pending"`)
	require.Equal(t, http.StatusOK, b.karlaSays(created))
	require.Equal(t, http.StatusOK, b.karlaSays(created), "equal bodies must be deduplicated")
	require.Len(t, b.karlaEvents(""), 1)
	require.Equal(t, "waiting", b.karlaEvents("")[0].State)
	b.apply()
	require.Equal(t, "applied", b.karlaEvents("")[0].State)

	// REST submits the same claim. Karla then reports it again with another time.
	again, err := b.client.Submit(t.Context(), aClaim("c-1", func(c *claim.Claim) { c.Status, c.Order.Currency = "pending", "" }))
	require.NoError(t, err)
	require.False(t, again.New)

	require.Equal(t, http.StatusOK, b.karlaSays(karlaClaim("updated", "c-1", "2026-03-01T12:05:00Z", `"status":"pending","resolution_preference":"reorder"`)))
	b.apply()
	kept, err := b.client.Claim(t.Context(), refC1)
	require.NoError(t, err)
	require.Equal(t, "reorder", kept.Preference)

	// Late events change nothing, and neither does a create that arrives last.
	require.Equal(t, http.StatusOK, b.karlaSays(karlaClaim("updated", "c-1", "2026-03-01T12:04:00Z", `"resolution_preference":"voucher"`)))
	require.Equal(t, http.StatusOK, b.karlaSays(created+" "))
	b.apply()
	kept, err = b.client.Claim(t.Context(), refC1)
	require.NoError(t, err)
	require.Equal(t, "reorder", kept.Preference)
	require.Len(t, b.karlaEvents("ignored"), 2)
}

func TestKarlaUpdateArrivesBeforeCreate(t *testing.T) {
	t.Parallel()
	b := karlaBench(t)
	require.Equal(t, http.StatusOK, b.karlaSays(karlaClaim("updated", "c-1", "2026-03-01T12:05:00Z", `"resolution_preference":"reorder"`)))
	require.Equal(t, http.StatusOK, b.karlaSays(karlaClaim("created", "c-1", "2026-03-01T12:00:00Z", "")))
	b.apply()
	kept, err := b.client.Claim(t.Context(), refC1)
	require.NoError(t, err)
	require.Equal(t, "reorder", kept.Preference)
}

// A status that we sent comes back with everything else that Karla knows.
func TestEchoOfOwnStatusIsIgnored(t *testing.T) {
	t.Parallel()
	b := karlaBench(t)
	b.karlaSays(karlaClaim("created", "c-1", "2026-03-01T12:00:00Z", `"status":"pending"`))
	b.apply()
	_, _, err := b.store.Intents.BeginForRevision(t.Context(), refC1, claim.StepConversation, 0)
	require.NoError(t, err)
	_, err = b.store.Claims.Change(t.Context(), refC1, "", store.ClaimUpdate{Status: "accepted", StatusBy: claim.ByDixa})
	require.NoError(t, err)

	b.karlaSays(karlaClaim("updated", "c-1", "2026-03-01T12:06:00Z", `"status":"accepted"`))
	b.karlaSays(karlaClaim("updated", "c-1", "2026-03-01T12:07:00Z", `"status":"accepted","phase":"delivered"`))
	b.apply()
	require.Len(t, b.karlaEvents("ignored"), 1, "only the echo may be ignored")
	kept, err := b.client.Claim(t.Context(), refC1)
	require.NoError(t, err)
	require.Equal(t, "accepted", kept.Status)
	require.Equal(t, claim.ByDixa, kept.StatusBy)

	b.karlaSays(karlaClaim("updated", "c-1", "2026-03-01T12:08:00Z", `"status":"rejected","phase":"delivered"`))
	b.apply()
	kept, err = b.client.Claim(t.Context(), refC1)
	require.NoError(t, err)
	require.Equal(t, "rejected", kept.Status)
	require.Equal(t, claim.ByOwner, kept.StatusBy)
}

func TestKarlaShipmentUpdatesBecomeNotes(t *testing.T) {
	t.Parallel()
	b := karlaBench(t)
	b.submit("c-1")
	b.submit("c-2", func(c *claim.Claim) { c.Order.Number = "10002" })
	event := func(phase, at string) string {
		return fmt.Sprintf(`{"ref":"shipments/%s","event_group":"shipment_%s","triggered_at":%q,"event_data":{"shipment_id":"s-1","phase":%q,"tracking_number":"4711"},
			"context":{"order":{"order_number":"10001"}},"shop_slug":"acme"}`, phase, phase, at, phase)
	}
	for _, body := range []string{event("delivered", "2026-03-01T12:00:00Z"), event("delivered", "2026-03-01T12:00:09Z"), event("in_transit", "2026-03-01T11:00:00Z"), event("return_received", "2026-03-05T11:00:00Z")} {
		require.Equal(t, http.StatusOK, b.karlaSays(body))
	}
	b.apply()
	w, err := b.store.Claims.Load(t.Context(), refC1)
	require.NoError(t, err)
	require.True(t, w.Instructed)
	require.Len(t, b.karlaEvents("applied"), 2, "each configured phase must be applied once")
	other, err := b.store.Claims.Load(t.Context(), claim.Ref{Shop: "acme", ID: "c-2"})
	require.NoError(t, err)
	require.False(t, other.Instructed)
}

func TestInvalidKarlaEventsAreStoredAndListed(t *testing.T) {
	t.Parallel()
	b := karlaBench(t)
	require.Equal(t, http.StatusOK, b.karlaSays(`{"ref":"claims/created","event_data":{"claim_id":"c-1","selected_items":[{"quantity":0}]},"context":{"customer":{"email":"secret-customer"}},"shop_slug":"acme"}`))
	require.Equal(t, http.StatusOK, b.karlaSays(`{"ref":"campaigns/opened","shop_slug":"acme"}`))
	require.Equal(t, http.StatusOK, b.karlaSays(`{"ref":"claims/created","event_data":{"claim_id":"c-1","reason":"damaged"},"shop_slug":"nobody"}`))
	require.Equal(t, http.StatusUnprocessableEntity, b.karlaSays(`[]`))
	b.apply()
	bad := b.karlaEvents("invalid")
	require.Len(t, bad, 1)
	require.Contains(t, bad[0].Why, "event_data.selected_items[0].quantity")
	require.NotContains(t, bad[0].Why, "secret-customer")
	require.Len(t, b.karlaEvents("ignored"), 1)
	nobody, err := b.store.OwnerInbox.List(t.Context(), "nobody", "", 10)
	require.NoError(t, err)
	require.Equal(t, store.OwnerEventIgnored, nobody[0].State)
	waiting, err := b.store.OwnerInbox.Waiting(t.Context(), 10)
	require.NoError(t, err)
	require.Empty(t, waiting, "no event may wait forever")
}

func TestKarlaEventsRequireASignature(t *testing.T) {
	t.Parallel()
	b := karlaBench(t)
	saved, err := b.client.SaveKarlaSecret(t.Context(), "acme", "secret-of-the-shop-acme")
	require.NoError(t, err)
	require.Equal(t, "/webhooks/karla/acme", saved.Path)
	require.NotContains(t, saved.Preview, "secret-of-the-shop")
	body := karlaClaim("created", "c-1", "2026-03-01T12:00:00Z", "")
	sign := func(secret seal.Secret, at time.Time) string { return karla.Sign([]byte(body), secret, at) }
	now := time.Now()
	answers := map[string]*reply{}
	for name, test := range map[string]struct{ path, header string }{
		"missing":             {"/webhooks/karla", ""},
		"malformed":           {"/webhooks/karla", "v1=00"},
		"another secret":      {"/webhooks/karla", sign("no-secret-of-anybody", now)},
		"too old":             {"/webhooks/karla", sign(karlaSecret, now.Add(-6*time.Minute))},
		"from the future":     {"/webhooks/karla", sign(karlaSecret, now.Add(6*time.Minute))},
		"platform secret":     {"/webhooks/karla/acme", sign(karlaSecret, now)},
		"shop secret":         {"/webhooks/karla", sign("secret-of-the-shop-acme", now)},
		"shop without secret": {"/webhooks/karla/other", sign(karlaSecret, now)},
		"stand-in secret":     {"/webhooks/karla/other", sign("-", now)},
		"invalid shop":        {"/webhooks/karla/No%20Shop", sign(karlaSecret, now)},
	} {
		answers[name] = b.send("POST", test.path, "", body, karla.SignatureHeader, test.header)
	}
	words := answers["missing"].problem(t).Detail
	for name, a := range answers {
		require.Equal(t, http.StatusUnauthorized, a.StatusCode, name)
		require.Equal(t, words, a.problem(t).Detail, "%s: the response must not reveal the reason", name)
	}
	require.Empty(t, b.karlaEvents(""))
	require.Equal(t, http.StatusOK, b.send("POST", "/webhooks/karla/acme", "", body, karla.SignatureHeader, sign("secret-of-the-shop-acme", now)).StatusCode)

	// During a rotation, both secrets are valid.
	_, err = b.client.SaveKarlaSecret(t.Context(), "acme", "the-new-secret-of-acme")
	require.NoError(t, err)
	for _, secret := range []seal.Secret{"secret-of-the-shop-acme", "the-new-secret-of-acme"} {
		require.Equal(t, http.StatusOK, b.send("POST", "/webhooks/karla/acme", "", body, karla.SignatureHeader, sign(secret, now)).StatusCode)
	}
	large := `{"a":"` + strings.Repeat("x", 1<<20) + `"}`
	require.Equal(t, http.StatusRequestEntityTooLarge, b.send("POST", "/webhooks/karla", "", large, karla.SignatureHeader, karla.Sign([]byte(large), karlaSecret, now)).StatusCode)
	require.NoError(t, b.store.Close())
	require.Equal(t, http.StatusServiceUnavailable, b.send("POST", "/webhooks/karla", "", body, karla.SignatureHeader, sign(karlaSecret, now)).StatusCode)
}

func TestKarlaSecretsAreValidated(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.shop("acme")
	for _, body := range []string{`{"secret": "short"}`, `{}`, `{"secret": 5}`, `[]`} {
		p := b.send("PUT", "/v1/karla/webhook-secret", b.secret, body).problem(t)
		require.Equal(t, http.StatusUnprocessableEntity, p.Status, body)
	}
	require.Equal(t, http.StatusNotFound, b.send("PUT", "/v1/shops/nobody/karla/webhook-secret", b.secret, `{"secret": "a-secret-of-some-length"}`).problem(t).Status)
	require.Equal(t, http.StatusForbidden, b.send("PUT", "/v1/karla/webhook-secret", b.key("acme", client.ScopeShopsWrite), `{"secret": "a-secret-of-some-length"}`).problem(t).Status)
	var entries []client.AuditEntry
	_, err := b.client.SaveKarlaSecret(t.Context(), "acme", "a-secret-of-some-length")
	require.NoError(t, err)
	for e, err := range b.client.AuditLog(t.Context(), client.AuditFilter{Action: "save-karla-secret"}) {
		require.NoError(t, err)
		entries = append(entries, e)
	}
	require.Len(t, entries, 1)
	text, err := json.Marshal(entries)
	require.NoError(t, err)
	require.NotContains(t, string(text), "a-secret-of-some-length")
}

// Two processes apply the same events at once. Each event takes effect once.
func TestTwoProcessesApplyKarlaEventsOnce(t *testing.T) {
	t.Parallel()
	b := karlaBench(t)
	b.submit("c-1")
	_, _, err := b.store.Intents.BeginForRevision(t.Context(), refC1, claim.StepConversation, 0)
	require.NoError(t, err)
	for i := range 20 {
		b.karlaSays(karlaClaim("updated", "c-1", "2026-03-01T12:00:00Z", fmt.Sprintf(`"resolution_preference":"wish-%d"`, i)))
	}
	errs := make(chan error, 2)
	for range 2 {
		go func() {
			errs <- fromowner.New(b.store, slog.New(slog.DiscardHandler), nil).Apply(context.WithoutCancel(t.Context()))
		}()
	}
	require.NoError(t, <-errs)
	require.NoError(t, <-errs)
	require.Len(t, b.karlaEvents("applied"), 20)
	latest, err := b.store.Claims.LatestBody(t.Context(), refC1)
	require.NoError(t, err)
	require.Equal(t, "wish-19", latest.Preference, "events must be applied in order of arrival")
}

// A name truncated at a multi-byte character is still valid text.
func TestLongNamesInKarlaEventsAreCut(t *testing.T) {
	t.Parallel()
	b := karlaBench(t)
	require.Equal(t, http.StatusOK, b.karlaSays(`{"ref":"x`+strings.Repeat("ä", 150)+`","event_data":{"claim_id":"`+strings.Repeat("ö", 150)+`"},"shop_slug":"acme"}`))
	events := b.karlaEvents("")
	require.Len(t, events, 1)
	require.True(t, utf8.ValidString(events[0].Ref))
	require.Equal(t, "x"+strings.Repeat("ä", 99), events[0].Ref)
}
