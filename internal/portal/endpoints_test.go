package portal_test

import (
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

const hook = "https://8.8.8.8/claimflow"

var secretPattern = regexp.MustCompile(`whsec_[A-Za-z0-9+/]{43}=`)

// endpointID returns the id in the address of an endpoint's page.
func endpointID(u *url.URL) string { return strings.Split(u.Path, "/")[3] }

func TestEndpointIsAddedChangedAndDeleted(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.enter(client.NewPortalLink{})
	require.Contains(t, p.get("/portal/endpoints").text, "Nobody is notified yet")
	require.Contains(t, p.get("/portal/endpoints/new?kind=webhook").text, `name="event_types" value="claim.opened"`)
	require.NotContains(t, p.get("/portal/endpoints/new?kind=karla").text, "connection.needs_token", "Karla receives claims only")

	refused := p.post("/portal/endpoints/new", url.Values{"kind": {"webhook"}, "url": {"https://127.0.0.1/"}, "description": {"Our <shop>"}, "event_types": {claim.OutboundOpened}})
	require.Equal(t, http.StatusUnprocessableEntity, refused.status)
	require.Contains(t, refused.text, `id="url-fault"`)
	require.Contains(t, refused.text, `value="Our &lt;shop&gt;"`)
	require.Regexp(t, `value="claim.opened" checked`, refused.text)

	added := p.post("/portal/endpoints/new", url.Values{"kind": {"webhook"}, "url": {hook}, "description": {"Our <shop>"}, "event_types": {claim.OutboundOpened}})
	require.Equal(t, http.StatusOK, added.status, added.text)
	secret := secretPattern.FindString(strings.ReplaceAll(added.text, "&#43;", "+"))
	require.NotEmpty(t, secret)
	require.Contains(t, added.text, `data-copy="secret" hidden>Copy</button>`)
	require.NotContains(t, added.url.String(), "whsec_")
	list := p.get("/portal/endpoints")
	require.Contains(t, list.text, "Our &lt;shop&gt;")
	endpoints, err := b.client.Endpoints(t.Context(), shop)
	require.NoError(t, err)
	require.Len(t, endpoints, 1)
	at := "/portal/endpoints/" + endpoints[0].ID
	page := p.get(at)
	require.Contains(t, page.text, "Conversation opened")
	require.NotContains(t, page.text, "whsec_")

	saved := p.post(at+"/edit", url.Values{"url": {hook + "/2"}, "description": {"ERP"}})
	require.Contains(t, saved.text, "Saved.")
	require.Contains(t, saved.text, hook+"/2")
	require.Contains(t, saved.text, "All events")
	paused := p.post(at+"/pause", nil)
	require.Contains(t, paused.text, "Nothing is sent while")
	require.Contains(t, paused.text, "Paused by you.")
	require.NotContains(t, paused.text, at+"/test")
	require.Contains(t, b.enter(client.NewPortalLink{Subject: "staff-2"}).get(at).text, "Paused by staff-1.")
	require.Contains(t, p.post(at+"/resume", nil).text, "Waiting events are sent now")

	rotated := p.post(at+"/rotate", url.Values{"keep_hours": {"24"}})
	another := secretPattern.FindString(strings.ReplaceAll(rotated.text, "&#43;", "+"))
	require.NotEmpty(t, another)
	require.NotEqual(t, secret, another)
	require.Contains(t, rotated.text, "The previous secret stays valid until")
	for _, s := range []string{secret, another} {
		require.NotContains(t, b.log.String()+p.get(at).text, s)
	}

	deleted := p.post(at+"/delete", nil)
	require.Equal(t, "/portal/endpoints", deleted.url.Path)
	require.Equal(t, http.StatusNotFound, p.get(at).status)
}

func TestKarlaEndpoint(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.enter(client.NewPortalLink{Language: "de"})
	refused := p.post("/portal/endpoints/new", url.Values{"kind": {"karla"}, "url": {hook}, "user": {"acme"}})
	require.Equal(t, http.StatusUnprocessableEntity, refused.status)
	require.Contains(t, refused.text, "Geben Sie das Passwort ein.")
	added := p.post("/portal/endpoints/new", url.Values{"kind": {"karla"}, "url": {hook}, "user": {"acme"}, "password": {"s3cr3t"}})
	require.Equal(t, http.StatusOK, added.status, added.text)
	require.NotContains(t, added.text, "Test senden", "Karla receives claims only")
	at := "/portal/endpoints/" + endpointID(added.url)
	edit := p.get(at + "/edit")
	require.NotContains(t, edit.text, "s3cr3t")
	require.NotContains(t, p.post(at+"/edit", url.Values{"url": {"x"}, "password": {"another"}}).text, "another")
	require.Contains(t, p.post(at+"/edit", url.Values{"url": {hook}, "karla_shop": {"acme-eu"}}).text, "Gespeichert.")
	e, err := b.client.Endpoint(t.Context(), shop, endpointID(added.url))
	require.NoError(t, err)
	require.Equal(t, "acme-eu", e.KarlaShop)

	mail := p.post("/portal/endpoints/new", url.Values{"kind": {"email"}, "url": {"staff@acme.example"}})
	require.Equal(t, http.StatusUnprocessableEntity, mail.status)
	require.Contains(t, mail.text, "kann noch keine E-Mails senden", "no mail server is configured")
}

func TestDeliveriesOfAnEndpoint(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.enter(client.NewPortalLink{})
	e, err := b.client.AddEndpoint(t.Context(), shop, client.NewEndpoint{URL: hook})
	require.NoError(t, err)
	at := "/portal/endpoints/" + e.ID
	require.Contains(t, p.get(at).text, "Nothing was sent yet")

	tested := p.post(at+"/test", nil)
	require.Contains(t, tested.text, "The test is on its way")
	require.Contains(t, tested.text, "endpoint.test")
	require.NotContains(t, tested.text, "Send again", "it is being sent")
	require.Empty(t, tested.url.RawQuery, "what is said about it must end with it")
	id := tested.url.Path[strings.LastIndex(tested.url.Path, "/")+1:]
	lease := func() {
		b.later(time.Minute)
		_, err = b.store.Deliveries.Lease(t.Context(), e.ID, "test", 9, time.Minute)
		require.NoError(t, err)
	}
	lease()
	_, err = b.store.Deliveries.MarkFailed(t.Context(), id, "test", store.DeliveryFailure{Error: "the endpoint did not respond within 10s", Wait: time.Second})
	require.NoError(t, err)
	failed := p.get(tested.url.Path).text
	require.NotContains(t, failed, "The test is on its way")
	require.Contains(t, failed, `<p class="note bad" role="status">It has not arrived`)
	require.Contains(t, failed, "No answer within 10 seconds")
	p.post(at+"/pause", nil)
	require.Contains(t, p.get(tested.url.Path).text, "The recipient is paused")
	p.post(at+"/resume", nil)
	lease()
	require.NoError(t, b.store.Deliveries.MarkDelivered(t.Context(), id, "test", 204))
	arrived := p.get(tested.url.Path).text
	require.Contains(t, arrived, "HTTP status 204")
	require.Contains(t, arrived, `<p class="note ok" role="status">It has arrived`)
	again := p.post(tested.url.Path+"/replay", nil)
	require.Contains(t, again.text, "The test is on its way")
	d, err := b.client.Delivery(t.Context(), shop, e.ID, id)
	require.NoError(t, err)
	require.Equal(t, claim.DeliveryWaiting, d.State)

	// Thirty events are two pages.
	for range 30 {
		b.later(time.Second)
		_, err := b.client.TestEndpoint(t.Context(), shop, e.ID)
		require.NoError(t, err)
	}
	require.Contains(t, p.get(at+"?state=dead").text, "No event is in this state")
	first := p.get(at + "?state=waiting")
	older := regexp.MustCompile(`href="([^"]*cursor=[^"]*)"`).FindStringSubmatch(first.text)
	require.NotNil(t, older)
	second := p.get(strings.ReplaceAll(older[1], "&amp;", "&"))
	require.Equal(t, 25, strings.Count(first.text, "/deliveries/msg_"))
	require.Equal(t, 6, strings.Count(second.text, "/deliveries/msg_"))
	require.Contains(t, second.text, ">Newest<")
	require.Less(t, len(first.text), 100<<10)
}

func TestReplayOfAPeriod(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.enter(client.NewPortalLink{})
	e, err := b.client.AddEndpoint(t.Context(), shop, client.NewEndpoint{URL: hook})
	require.NoError(t, err)
	at := "/portal/endpoints/" + e.ID
	for since, words := range map[string]string{"": "Enter a date and a time.", "yesterday": "Enter a date and a time."} {
		refused := p.post(at+"/replay", url.Values{"since": {since}, "until": {"2026-03-01T12:00"}})
		require.Equal(t, http.StatusUnprocessableEntity, refused.status)
		require.Contains(t, refused.text, words)
		require.Contains(t, refused.text, `value="2026-03-01T12:00"`)
	}
	refused := p.post(at+"/replay", url.Values{"since": {"2026-03-02T12:00"}, "until": {"2026-03-01T12:00"}})
	require.Contains(t, refused.text, "The end must be after the beginning.")
	require.Contains(t, p.post(at+"/replay", url.Values{"since": {"2026-03-02T12:00"}, "zone": {"Europe/Berlin"}}).text, "Nothing happened in this period")
	seen := false
	for entry, err := range b.client.AuditLog(t.Context(), client.AuditFilter{Shop: shop}) {
		require.NoError(t, err)
		seen = seen || entry.Action == "replay-endpoint" && strings.Contains(fmt.Sprint(entry), "2026-03-02T11:00:00Z")
	}
	require.True(t, seen, "the time is in the person's zone")
}

func TestEndpointsNeedCapabilities(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	e, err := b.client.AddEndpoint(t.Context(), shop, client.NewEndpoint{URL: hook})
	require.NoError(t, err)
	at := "/portal/endpoints/" + e.ID
	reader := b.enter(client.NewPortalLink{Capabilities: []claim.PortalCapability{}})
	seen := reader.get("/portal/endpoints").text + reader.get(at).text
	for _, control := range []string{`action="` + at, "/edit", "/new"} {
		require.NotContains(t, seen, control)
	}
	for _, path := range []string{"/edit", "/pause", "/resume", "/rotate", "/delete", "/test", "/replay"} {
		require.Equal(t, http.StatusForbidden, reader.post(at+path, nil).status, path)
	}
	operator := b.enter(client.NewPortalLink{Capabilities: []claim.PortalCapability{claim.MayOperate}})
	require.Equal(t, http.StatusForbidden, operator.post(at+"/rotate", nil).status)
	require.Equal(t, http.StatusOK, operator.post(at+"/test", nil).status)
	require.Equal(t, http.StatusForbidden, b.enter(client.NewPortalLink{Pages: []claim.PortalPage{claim.PageSetup}}).get(at).status)

	_, err = b.client.AddShop(t.Context(), client.NewShop{Slug: "other"})
	require.NoError(t, err)
	foreign, err := b.client.AddEndpoint(t.Context(), "other", client.NewEndpoint{URL: hook})
	require.NoError(t, err)
	p := b.enter(client.NewPortalLink{})
	require.Equal(t, http.StatusNotFound, p.get("/portal/endpoints/"+foreign.ID).status)
	require.Equal(t, http.StatusNotFound, p.post("/portal/endpoints/"+foreign.ID+"/delete", nil).status)
}

// A shop cannot change what an endpoint receives of records, which the platform allowed.
func TestEndpointWithRecords(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	e, err := b.client.AddEndpoint(t.Context(), shop, client.NewEndpoint{URL: hook, EventTypes: []string{claim.RecordCreated}})
	require.NoError(t, err)
	p := b.enter(client.NewPortalLink{})
	at := "/portal/endpoints/" + e.ID
	require.Contains(t, p.get(at+"/edit").text, "Only the platform can change")
	require.Contains(t, p.post(at+"/edit", url.Values{"url": {hook + "/mine"}, "description": {"Warehouse"}}).text, "Saved.")
	changed, err := b.client.Endpoint(t.Context(), shop, e.ID)
	require.NoError(t, err)
	require.Equal(t, hook, changed.URL)
	require.Equal(t, "Warehouse", changed.Description)
	require.Equal(t, []string{claim.RecordCreated}, changed.EventTypes)
}
