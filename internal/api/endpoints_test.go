package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/internal/api"
	"github.com/claimflow/claimflow/store"
)

const hook = "https://8.8.8.8/claimflow"

func TestEndpointsOfShopAndPlatform(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.shop("acme")
	b.shop("other")
	for _, shop := range []string{"acme", ""} {
		added, err := b.client.AddEndpoint(t.Context(), shop, client.NewEndpoint{URL: hook, Description: "the shop's", EventTypes: []string{claim.OutboundFallback}})
		require.NoError(t, err)
		require.Regexp(t, `^whsec_[A-Za-z0-9+/]{43}=$`, added.Secret, "the secret must have at least 24 random bytes")
		require.Equal(t, claim.EndpointActive, added.State)
		require.Equal(t, shop, added.Shop)

		list, err := b.client.Endpoints(t.Context(), shop)
		require.NoError(t, err)
		require.Equal(t, []client.Endpoint{added.Endpoint}, list)
		none, paused := []string{}, claim.EndpointPaused
		changed, err := b.client.UpdateEndpoint(t.Context(), shop, added.ID, client.EndpointPatch{EventTypes: &none, State: &paused})
		require.NoError(t, err)
		require.Empty(t, changed.EventTypes)
		require.Equal(t, claim.EndpointPaused, changed.State)
		require.Contains(t, changed.Reason, "paused by test admin")
		require.Equal(t, hook, changed.URL, "omitted members must stay")
		resumed, err := b.client.ResumeEndpoint(t.Context(), shop, added.ID)
		require.NoError(t, err)
		require.Equal(t, claim.EndpointActive, resumed.State)

		rotated, err := b.client.RotateEndpoint(t.Context(), shop, added.ID, 2)
		require.NoError(t, err)
		require.NotEqual(t, added.Secret, rotated.Secret)
		require.WithinDuration(t, time.Now().Add(2*time.Hour), rotated.PreviousSecretUntil, time.Minute)
		again := b.send("POST", endpointAt(shop)+"/"+added.ID+"/rotate", b.secret, "")
		require.Equal(t, http.StatusOK, again.StatusCode, again.text)

		_, err = b.client.Endpoint(t.Context(), "other", added.ID)
		_ = refusal(t, err, http.StatusNotFound, client.CodeNotFound)
		shown := b.send("GET", endpointAt(shop)+"/"+added.ID, b.secret, "").text + b.send("GET", "/v1/audit-log", b.secret, "").text + b.log.String()
		for _, secret := range []string{added.Secret, rotated.Secret} {
			require.NotContains(t, shown, strings.TrimPrefix(secret, "whsec_"), "a secret must be returned once")
		}
		require.Contains(t, shown, "rotate-")
		require.NoError(t, b.client.RemoveEndpoint(t.Context(), shop, added.ID))
		require.Error(t, b.client.RemoveEndpoint(t.Context(), shop, added.ID))
	}
	_, err := b.client.Endpoints(t.Context(), "nobody")
	_ = refusal(t, err, http.StatusNotFound, client.CodeNotFound)
}

func endpointAt(shop string) string {
	if shop == "" {
		return "/v1/endpoints"
	}
	return "/v1/shops/" + shop + "/endpoints"
}

func TestInvalidEndpointIsRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.shop("acme")
	for _, address := range []string{"https://127.0.0.1/", "https://10.0.0.1/", "http://8.8.8.8/", "https://localhost/", "nothing", "https://u:p@8.8.8.8/"} {
		_, err := b.client.AddEndpoint(t.Context(), "acme", client.NewEndpoint{URL: address, EventTypes: []string{"claim.unknown"}})
		e := refusal(t, err, http.StatusUnprocessableEntity, client.CodeInvalid)
		require.Equal(t, []string{"url", "event_types[0]"}, fields(e.Problem), address)
	}
	added, err := b.client.AddEndpoint(t.Context(), "acme", client.NewEndpoint{URL: hook})
	require.NoError(t, err)
	private := "https://192.168.1.1/"
	_, err = b.client.UpdateEndpoint(t.Context(), "acme", added.ID, client.EndpointPatch{URL: &private})
	_ = refusal(t, err, http.StatusUnprocessableEntity, client.CodeInvalid)

	// A shop's key sees neither the platform's endpoints nor another shop's.
	b.shop("other")
	for path, status := range map[string]int{"/v1/endpoints": 403, "/v1/shops/other/endpoints": 403, "/v1/shops/acme/endpoints": 200} {
		r := b.send("GET", path, b.key("acme", client.ScopeShopsRead), "")
		require.Equal(t, status, r.StatusCode, path)
	}
	r := b.send("GET", "/v1/shops/acme/endpoints/"+added.ID+"/deliveries", b.key("acme", client.ScopeShopsRead), "")
	require.Equal(t, http.StatusForbidden, r.StatusCode, "delivery bodies require claims:read")
}

func TestDeliveriesAndReplay(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.shop("acme")
	added, err := b.client.AddEndpoint(t.Context(), "acme", client.NewEndpoint{URL: hook})
	require.NoError(t, err)
	_, err = b.client.Submit(t.Context(), aClaim("c-1"))
	require.NoError(t, err)
	_, err = b.store.Claims.Change(t.Context(), refOf("c-1"), claim.EventStart, store.ClaimUpdate{})
	require.NoError(t, err)
	const events = 60 // more than one page
	for range events {
		_, err = b.store.Claims.Change(t.Context(), refOf("c-1"), claim.EventPark, store.ClaimUpdate{
			Cause: claim.CauseDeadline, Outbox: []store.OutboxEvent{{Type: claim.OutboundNeedsAttention}},
		})
		require.NoError(t, err)
	}
	parcels, err := b.store.Deliveries.Lease(t.Context(), added.ID, "test", 1, time.Minute)
	require.NoError(t, err)
	_, err = b.store.Deliveries.MarkFailed(t.Context(), parcels[0].ID, "test", store.DeliveryFailure{Status: 404, Error: "the endpoint returned 404", Dead: true})
	require.NoError(t, err)

	seen := map[int64]bool{}
	for d, err := range b.client.Deliveries(t.Context(), "acme", added.ID, client.DeliveryFilter{ClaimID: "c-1"}) {
		require.NoError(t, err)
		require.False(t, seen[d.Sequence])
		seen[d.Sequence] = true
	}
	require.Len(t, seen, events)
	dead := 0
	for d, err := range b.client.Deliveries(t.Context(), "acme", added.ID, client.DeliveryFilter{State: "dead"}) {
		require.NoError(t, err)
		dead++
		require.Equal(t, claim.OutboundNeedsAttention, d.Type)
		require.Equal(t, 404, d.LastStatus)
		var notice claim.Notice
		require.NoError(t, json.Unmarshal(d.Body, &notice))
		require.Equal(t, "c-1", notice.Data.ID)
	}
	require.Equal(t, 1, dead)

	n, err := b.client.Replay(t.Context(), "acme", added.ID, client.ReplayRequest{Since: time.Now().Add(-time.Hour)})
	require.NoError(t, err)
	require.Equal(t, events, n)
	e, err := b.client.Endpoint(t.Context(), "acme", added.ID)
	require.NoError(t, err)
	require.Equal(t, events, e.Waiting)
	require.Zero(t, e.Dead)
	_, err = b.client.Replay(t.Context(), "acme", added.ID, client.ReplayRequest{Since: time.Now(), Until: time.Now().Add(-time.Hour)})
	_ = refusal(t, err, http.StatusUnprocessableEntity, client.CodeInvalid)
}

func TestShopWithoutListenersIsWarned(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connected("acme")
	shop, err := b.client.Enable(t.Context(), "acme")
	require.NoError(t, err)
	require.Len(t, shop.Warnings, 1)
	require.Contains(t, shop.Warnings[0], "No endpoint reports claims")
	report, err := b.client.Validate(t.Context(), "acme")
	require.NoError(t, err)
	require.True(t, report.OK)
	require.Len(t, report.Warnings, 1)

	_, err = b.client.AddEndpoint(t.Context(), "", client.NewEndpoint{URL: hook})
	require.NoError(t, err)
	shop, err = b.client.Enable(t.Context(), "acme")
	require.NoError(t, err)
	require.Empty(t, shop.Warnings, "the platform's endpoint must count")
	report, err = b.client.Validate(t.Context(), "acme")
	require.NoError(t, err)
	require.Empty(t, report.Warnings)
}

func TestKarlaAndEmailEndpoints(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connected("acme")
	const password = "a-password-at-karla"
	added, err := b.client.AddEndpoint(t.Context(), "acme", client.NewEndpoint{
		Kind: client.EndpointKarla, URL: "https://8.8.8.8/api", KarlaShop: "acme-there", User: "a-user-at-karla", Password: password,
	})
	require.NoError(t, err)
	require.Empty(t, added.Secret)
	require.Equal(t, claim.EndpointKarla, added.Kind)
	require.Equal(t, "acme-there", added.KarlaShop)
	shop, err := b.client.Enable(t.Context(), "acme")
	require.NoError(t, err)
	require.Len(t, shop.Warnings, 1, "a Karla endpoint must not count")

	user, other, none := "another-user", "another-password", ""
	changed, err := b.client.UpdateEndpoint(t.Context(), "acme", added.ID, client.EndpointPatch{User: &user, Password: &other, KarlaShop: &none})
	require.NoError(t, err)
	require.Empty(t, changed.KarlaShop)
	_, err = b.client.RotateEndpoint(t.Context(), "acme", added.ID, 1)
	_ = refusal(t, err, http.StatusConflict, client.CodeConflict)

	staff, err := b.client.AddEndpoint(t.Context(), "acme", client.NewEndpoint{Kind: client.EndpointEmail, URL: "staff@acme.example"})
	require.NoError(t, err)
	require.Empty(t, staff.Secret)
	require.Equal(t, "mailto:staff@acme.example", staff.URL)
	_, err = b.client.UpdateEndpoint(t.Context(), "acme", staff.ID, client.EndpointPatch{Password: &other})
	_ = refusal(t, err, http.StatusConflict, client.CodeConflict)
	shop, err = b.client.Enable(t.Context(), "acme")
	require.NoError(t, err)
	require.Empty(t, shop.Warnings, "an email endpoint must count")

	shown := b.send("GET", "/v1/shops/acme/endpoints", b.secret, "").text + b.send("GET", "/v1/audit-log", b.secret, "").text + b.log.String()
	for _, secret := range []string{password, other, user, "a-user-at-karla"} {
		require.NotContains(t, shown, secret)
	}

	for name, test := range map[string]struct {
		e      client.NewEndpoint
		fields []string
	}{
		"no credentials":    {client.NewEndpoint{Kind: client.EndpointKarla, URL: hook}, []string{"user", "password"}},
		"a private address": {client.NewEndpoint{Kind: client.EndpointKarla, URL: "https://10.0.0.1/", User: "u", Password: "p"}, []string{"url"}},
		"no claim event": {
			client.NewEndpoint{Kind: client.EndpointKarla, URL: hook, User: "u", Password: "p", EventTypes: []string{claim.OutboundConnectionRecovered}},
			[]string{"event_types[0]"},
		},
		"a webhook with a password": {client.NewEndpoint{URL: hook, Password: "p"}, []string{"password"}},
		"no email address":          {client.NewEndpoint{Kind: client.EndpointEmail, URL: hook}, []string{"url"}},
		"unknown":                   {client.NewEndpoint{Kind: "fax", URL: hook}, []string{"kind"}},
	} {
		_, err := b.client.AddEndpoint(t.Context(), "acme", test.e)
		e := refusal(t, err, http.StatusUnprocessableEntity, client.CodeInvalid)
		require.Equal(t, test.fields, fields(e.Problem), name)
		require.NotContains(t, e.Error(), "\"p\"")
	}
}

func TestEmailEndpointRequiresAMailServer(t *testing.T) {
	t.Parallel()
	b := newBenchOn(t, "sqlite::memory:", func(o *api.Options) { o.Mails = false })
	b.shop("acme")
	_, err := b.client.AddEndpoint(t.Context(), "acme", client.NewEndpoint{Kind: client.EndpointEmail, URL: "staff@acme.example"})
	e := refusal(t, err, http.StatusUnprocessableEntity, client.CodeInvalid)
	require.Contains(t, e.Error()+b.send("POST", "/v1/shops/acme/endpoints", b.secret, `{"kind":"email","url":"staff@acme.example"}`).text, "CLAIMFLOW_SMTP_URL")
}

func TestTestEventAndReplayOfADelivery(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.shop("acme")
	for _, shop := range []string{"acme", ""} {
		added, err := b.client.AddEndpoint(t.Context(), shop, client.NewEndpoint{URL: hook, EventTypes: []string{claim.OutboundFallback}})
		require.NoError(t, err)
		sent, err := b.client.TestEndpoint(t.Context(), shop, added.ID)
		require.NoError(t, err)
		require.Equal(t, claim.OutboundEndpointTest, sent.Type)
		require.Equal(t, claim.DeliveryWaiting, sent.State)
		require.Contains(t, string(sent.Body), `"type":"endpoint.test"`)
		parcels, err := b.store.Deliveries.Lease(t.Context(), added.ID, "test", 1, time.Minute)
		require.NoError(t, err)
		require.Len(t, parcels, 1)
		require.NoError(t, b.store.Deliveries.MarkDelivered(t.Context(), sent.ID, "test", 204))
		seen, err := b.client.Delivery(t.Context(), shop, added.ID, sent.ID)
		require.NoError(t, err)
		require.Equal(t, claim.DeliveryDelivered, seen.State)
		require.Equal(t, 204, seen.LastStatus)
		again, err := b.client.ReplayDelivery(t.Context(), shop, added.ID, sent.ID)
		require.NoError(t, err)
		require.Equal(t, claim.DeliveryWaiting, again.State)
		require.Equal(t, sent.ID, again.ID)
		_, err = b.client.ReplayDelivery(t.Context(), shop, added.ID, "msg_unknown")
		_ = refusal(t, err, http.StatusNotFound, client.CodeNotFound)
		_, err = b.client.TestEndpoint(t.Context(), shop, "unknown")
		_ = refusal(t, err, http.StatusNotFound, client.CodeNotFound)
	}
	karla, err := b.client.AddEndpoint(t.Context(), "acme", client.NewEndpoint{Kind: client.EndpointKarla, URL: "https://8.8.8.8", User: "u", Password: "p"})
	require.NoError(t, err)
	_, err = b.client.TestEndpoint(t.Context(), "acme", karla.ID)
	_ = refusal(t, err, http.StatusConflict, client.CodeConflict)
	r := b.send("POST", "/v1/shops/acme/endpoints/"+karla.ID+"/test", b.key("acme", client.ScopeShopsWrite), "")
	require.Equal(t, http.StatusForbidden, r.StatusCode)
}
