package api_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	emulator "github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/integration/pgtest"
	"github.com/claimflow/claimflow/internal/api"
	"github.com/claimflow/claimflow/store"
)

// enabled adds an enabled shop. It returns the shop's connection and the secret that
// Dixa signs with.
func (b *bench) enabled(slug string) (connection, secret string) {
	b.t.Helper()
	b.connected(slug)
	shop, err := b.client.Enable(b.t.Context(), slug)
	require.NoError(b.t, err)
	secrets, err := b.store.Subscriptions.Secrets(b.t.Context(), shop.Connection.ID)
	require.NoError(b.t, err)
	return shop.Connection.ID, secrets[0]
}

// event returns the body of an event.
func event(id, organization, name string) string {
	return `{"event_id":"` + id + `","event_fqn":"` + name + `","event_version":"1","event_timestamp":"2026-03-21T06:00:00.000Z",` +
		`"organization":{"id":"` + organization + `","name":"Demo Shop"},"data":{"conversation":{"csid":4711,"status":"CLOSED",` +
		`"requester":{"id":"u-1","name":"Ada Lovelace","email":"ada@customer.example"}}}}`
}

const (
	eventID = "8967e0c6-fe64-4105-bf71-14ae0c256004"
	never   = "00000000-0000-4000-8000-000000000000"
)

// deliver sends an event signed with the given secret.
func (b *bench) deliver(connection, secret, body string) *reply {
	b.t.Helper()
	return b.send("POST", "/webhooks/dixa/"+connection, "", body, "X-Dixa-Signature", emulator.Sign(secret, time.Now(), []byte(body)))
}

// kept reads a stored event.
func (b *bench) kept(connection, id string) store.DixaEvent {
	b.t.Helper()
	e, err := b.store.Inbox.Event(b.t.Context(), connection, id)
	require.NoError(b.t, err)
	return e
}

func (b *bench) nothingKept(connection, id string) {
	b.t.Helper()
	_, err := b.store.Inbox.Event(b.t.Context(), connection, id)
	require.ErrorIs(b.t, err, store.ErrNotFound)
}

func TestWebhookIsStoredOnce(t *testing.T) {
	t.Parallel()
	for name, database := range map[string]func(t *testing.T) string{
		"sqlite":   func(t *testing.T) string { t.Helper(); return "sqlite:" + filepath.Join(t.TempDir(), "claimflow.db") },
		"postgres": pgtest.Postgres,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBenchOn(t, database(t))
			connection, secret := b.enabled("acme")
			kicks := b.kicks.Load()
			body := event(eventID, emulator.SeedOrganization, "CONVERSATION_CLOSED")
			statuses := make([]int, 20)
			var wg sync.WaitGroup
			for i := range statuses {
				wg.Go(func() { statuses[i] = b.deliver(connection, secret, body).StatusCode })
			}
			wg.Wait()
			require.Equal(t, slices.Repeat([]int{http.StatusNoContent}, len(statuses)), statuses)
			require.EqualValues(t, 1, b.kicks.Load()-kicks, "exactly one event must be new")
			e := b.kept(connection, eventID)
			require.Equal(t, body, string(e.Body), "the body must be stored as received")
			require.Equal(t, "ConversationClosed", e.Name)
			require.EqualValues(t, 4711, e.ConversationID)
			require.Equal(t, time.Date(2026, 3, 21, 6, 0, 0, 0, time.UTC), e.HappenedAt)
		})
	}
}

func TestWebhookWithInvalidSignatureIsRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	connection, secret := b.enabled("acme")
	body := event(eventID, emulator.SeedOrganization, "CONVERSATION_CLOSED")
	sign := func(age time.Duration) string { return emulator.Sign(secret, time.Now().Add(-age), []byte(body)) }
	good := sign(0)
	oneOff := good[:len(good)-1] + string("0123456789abcdef"[(strings.IndexByte("0123456789abcdef", good[len(good)-1])+1)%16])
	for reason, tt := range map[string]struct{ connection, body, signature string }{
		"missing":              {connection, body, ""},
		"malformed":            {connection, body, "v1"},
		"wrong":                {connection, body, oneOff},
		"wrong: other body":    {connection, body + " ", good},
		"wrong: no JSON":       {connection, "{", good},
		"wrong: other secret":  {connection, body, emulator.Sign(strings.Repeat("ab", 32), time.Now(), []byte(body))},
		"wrong: empty secret":  {connection, body, emulator.Sign("", time.Now(), []byte(body))},
		"too_old":              {connection, body, sign(73 * time.Hour)},
		"too_old: ahead":       {connection, body, sign(-73 * time.Hour)},
		"unknown_connection":   {never, body, good},
		"unknown_connection: ": {"acme", body, good},
		"unknown_connection:2": {strings.ToUpper(connection), body, good},
		"unknown_connection:3": {"%00", body, good},
		"unknown_connection:4": {never, body, emulator.Sign("00", time.Now(), []byte(body))},
	} {
		headers := []string{"X-Dixa-Signature", tt.signature}
		if tt.signature == "" {
			headers = nil
		}
		r := b.send("POST", "/webhooks/dixa/"+tt.connection, "", tt.body, headers...)
		p := r.problem(t)
		require.Equal(t, http.StatusUnauthorized, p.Status, reason)
		require.Equal(t, "The signature is not valid for this address.", p.Detail, "%s: the response must not reveal the reason", reason)
		require.Equal(t, []string{"X-DIXA-SIGNATURE"}, r.Header.Values("Www-Authenticate"))
		word, _, _ := strings.Cut(reason, ":")
		require.Contains(t, b.log.String(), `"refused":"`+word+`"`)
	}
	b.nothingKept(connection, eventID)
	require.Equal(t, http.StatusNoContent, b.send("POST", "/webhooks/dixa/"+connection, "", body, "X-Dixa-Signature", sign(71*time.Hour)).StatusCode, "a late signature must be accepted")
	require.NotContains(t, b.log.String(), secret)
	require.NotContains(t, b.log.String(), "ada@customer.example")
	require.Equal(t, http.StatusMethodNotAllowed, b.send("GET", "/webhooks/dixa/"+connection, "", "").StatusCode)
}

func TestWebhookOfAnotherOrganization(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	connection, secret := b.enabled("acme")
	for _, organization := range []string{never, ""} {
		p := b.deliver(connection, secret, event(eventID, organization, "CONVERSATION_CLOSED")).problem(t)
		require.Equal(t, http.StatusForbidden, p.Status)
		require.NotContains(t, p.Detail, emulator.SeedOrganization)
	}
	b.nothingKept(connection, eventID)
}

func TestUnknownWebhookIsStored(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	connection, secret := b.enabled("acme")
	for id, name := range map[string]string{
		"e-1": "SOMETHING_NEW", "e-2": strings.Repeat("VERY_LONG_", 30), "e-3": "CONVERSATION_MERGED_WITH_ADA",
	} {
		body := strings.Replace(event(id, emulator.SeedOrganization, name), `"data":`, `"surprise":[{}],"data":`, 1)
		require.Equal(t, http.StatusNoContent, b.deliver(connection, secret, body).StatusCode, name)
		e := b.kept(connection, id)
		require.Equal(t, body, string(e.Body))
		require.Equal(t, name[:min(len(name), 100)], e.Name)
	}
	for id, data := range map[string]string{"n-1": `null`, "n-2": `{"agent":"x"}`, "n-3": `{"conversation":{"csid":"four"}}`, "n-4": `[]`} {
		body := `{"event_id":"` + id + `","event_fqn":"AGENT_BANNED_IP","organization":{"id":"` + emulator.SeedOrganization + `"},"data":` + data + `}`
		require.Equal(t, http.StatusNoContent, b.deliver(connection, secret, body).StatusCode, data)
		require.Zero(t, b.kept(connection, id).ConversationID)
		require.Zero(t, b.kept(connection, id).HappenedAt)
	}
	for name, body := range map[string]string{
		"no JSON":   "hello",
		"no id":     `{"event_fqn":"X","organization":{"id":"` + emulator.SeedOrganization + `"}}`,
		"long id":   event(strings.Repeat("e", 201), emulator.SeedOrganization, "X"),
		"zero byte": event(`e\u0000`, emulator.SeedOrganization, "X"),
	} {
		p := b.deliver(connection, secret, body).problem(t)
		require.Equal(t, http.StatusUnprocessableEntity, p.Status, name)
	}
}

func TestTooLargeWebhook(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	connection, secret := b.enabled("acme")
	body := event(eventID, emulator.SeedOrganization, "CONVERSATION_CLOSED")
	fits := body + strings.Repeat(" ", 1<<20-len(body))
	require.Equal(t, http.StatusRequestEntityTooLarge, b.deliver(connection, secret, fits+" ").problem(t).Status)
	b.nothingKept(connection, eventID)
	require.Equal(t, http.StatusNoContent, b.deliver(connection, secret, fits).StatusCode)
}

func TestIncompleteWebhook(t *testing.T) {
	t.Parallel()
	b := newBenchOn(t, "sqlite::memory:", func(o *api.Options) { o.WebhookReadTimeout = 200 * time.Millisecond })
	connection, _ := b.enabled("acme")
	// More concurrent requests than fit in memory; none sends the end of its body.
	senders := make([]net.Conn, 129)
	for i := range senders {
		sender, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(b.url, "http://"))
		require.NoError(t, err)
		defer sender.Close()
		require.NoError(t, sender.SetDeadline(time.Now().Add(waitFor)))
		_, err = fmt.Fprintf(sender, "POST /webhooks/dixa/%s HTTP/1.1\r\nHost: claimflow\r\nContent-Length: 100\r\n\r\n{", connection)
		require.NoError(t, err)
		senders[i] = sender
	}
	answers := map[string]int{}
	for _, sender := range senders {
		status, err := bufio.NewReader(sender).ReadString('\n')
		require.NoError(t, err, "a slow sender must get a response")
		answers[strings.TrimSpace(status)]++
	}
	delete(answers, "HTTP/1.1 503 Service Unavailable") // requests over the limit, if any overlapped
	require.Len(t, answers, 1)
	require.Positive(t, answers["HTTP/1.1 400 Bad Request"])
}

func TestWebhookWhileTheStoreIsDown(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	connection, secret := b.enabled("acme")
	require.NoError(t, b.store.Close())
	r := b.deliver(connection, secret, event(eventID, emulator.SeedOrganization, "CONVERSATION_CLOSED"))
	require.Equal(t, http.StatusServiceUnavailable, r.problem(t).Status)
	require.Equal(t, "5", r.Header.Get("Retry-After"))
}

func TestWebhookDuringSecretRotation(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connected("acme")
	ctx := t.Context()
	first, second, third := strings.Repeat("a1", 32), strings.Repeat("b2", 32), "4g4h988p468g785965b780684bde5546c52gge658d76b4q33fb69c526ea4bdbc"
	deliver := func(secret, id string) int {
		in, err := b.client.Integration(ctx, "acme")
		require.NoError(t, err)
		return b.deliver(in.Connection.ID, secret, event(id, emulator.SeedOrganization, "CONVERSATION_CLOSED")).StatusCode
	}
	require.Equal(t, http.StatusUnauthorized, deliver(first, "e-0"), "no secret is saved yet")
	saved, err := b.client.SaveWebhookSecret(ctx, "acme", first)
	require.NoError(t, err)
	require.Equal(t, claim.SubscriptionByHand, saved.State)
	require.Equal(t, "a1a…a1a1", saved.SecretPreview)
	require.Regexp(t, "^"+b.url+"/webhooks/dixa/", saved.URL, "the URL must be the address for Dixa")
	require.Equal(t, http.StatusNoContent, deliver(first, "e-1"))
	_, err = b.client.SaveWebhookSecret(ctx, "acme", second)
	require.NoError(t, err)
	require.Equal(t, http.StatusNoContent, deliver(second, "e-2"))
	require.Equal(t, http.StatusNoContent, deliver(first, "e-3"), "both secrets must be valid")
	_, err = b.client.SaveWebhookSecret(ctx, "acme", third)
	require.NoError(t, err)
	require.Equal(t, http.StatusNoContent, deliver(third, "e-4"), "a secret need not be hexadecimal")
	require.Equal(t, http.StatusUnauthorized, deliver(first, "e-5"), "an older secret must be invalid")

	for _, wrong := range []string{"short", " " + first, first + "\n", strings.Repeat("ä", 32), strings.Repeat("a", 513)} {
		_, err := b.client.SaveWebhookSecret(ctx, "acme", wrong)
		require.Equal(t, []string{"secret"}, fields(refusal(t, err, http.StatusUnprocessableEntity, client.CodeInvalid).Problem))
	}
	require.Equal(t, 422, b.send("PUT", "/v1/shops/acme/integrations/dixa/webhook-secret", b.secret, `{}`).StatusCode)
	require.Equal(t, 422, b.send("PUT", "/v1/shops/acme/integrations/dixa/webhook-secret", b.secret, `{"secret": ["`+first+`"]}`).StatusCode)
	b.shop("other")
	_, err = b.client.SaveWebhookSecret(ctx, "other", first)
	_ = refusal(t, err, http.StatusConflict, client.CodeNotConnected)
	for _, path := range []string{"/v1/shops/acme", "/v1/shops/acme/integrations/dixa", "/v1/audit-log"} {
		text := b.send("GET", path, b.secret, "").text
		for _, secret := range []string{first, second, third} {
			require.NotContains(t, text, secret, path)
			require.NotContains(t, b.log.String(), secret)
		}
	}
}

func TestFirstWebhookPinsTheOrganization(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.dixa.SetSwitches(emulator.Switches{OrganizationAbsent: true})
	connection, secret := b.enabled("acme")
	c, err := b.store.Connections.Get(t.Context(), connection)
	require.NoError(t, err)
	require.Empty(t, c.OrganizationID, "the organization must be unknown")
	body := event("e-1", never, "CONVERSATION_CLOSED")
	require.Equal(t, http.StatusUnauthorized, b.deliver(connection, strings.Repeat("ab", 32), body).StatusCode)
	c, err = b.store.Connections.Get(t.Context(), connection)
	require.NoError(t, err)
	require.Empty(t, c.OrganizationID, "an unverified event must not pin the organization")

	require.Equal(t, http.StatusNoContent, b.deliver(connection, secret, event("e-2", emulator.SeedOrganization, "CONVERSATION_CLOSED")).StatusCode)
	in, err := b.client.Integration(t.Context(), "acme")
	require.NoError(t, err)
	require.Equal(t, emulator.SeedOrganization, in.Connection.OrganizationID)
	require.Equal(t, http.StatusForbidden, b.deliver(connection, secret, body).StatusCode)

	// Another connection that turns out to belong to the same organization.
	b.shop("second")
	b.dixa.AddToken(token + "-2")
	second, err := b.client.Connect(t.Context(), "second", token+"-2")
	require.NoError(t, err)
	require.NotEqual(t, connection, second.ID)
	_, err = b.client.SaveWebhookSecret(t.Context(), "second", secret)
	require.NoError(t, err)
	require.Equal(t, http.StatusConflict, b.deliver(second.ID, secret, event("e-3", emulator.SeedOrganization, "CONVERSATION_CLOSED")).StatusCode)
	require.Contains(t, b.log.String(), "which already has connection "+connection, "the log must say what to do")
	// A token of an organization that now belongs to another connection is refused.
	b.dixa.SetSwitches(emulator.Switches{})
	other, err := b.store.Connections.SaveToken(t.Context(), "acme", token, store.Organization{ID: never})
	var foreign *store.OtherOrganizationError
	require.ErrorAs(t, err, &foreign, "%v", other)
}

// TestDeliveriesFromDixa has the emulator deliver events with every misbehavior, and
// compares the stored events with those it sent.
func TestDeliveriesFromDixa(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]emulator.WebhookSwitches{
		"no faults":               {},
		"each twice":              {Duplicate: 1},
		"in another order":        {Reorder: 0.5, Duplicate: 0.3},
		"late":                    {Late: 0.5, LateBy: emulator.Duration(time.Millisecond)},
		"guessed, two names":      {GuessedMembers: true, TransferredNames: "two", AttachmentItems: "strings", CustomAttributesAbsent: true},
		"one in five lost":        {Lose: 0.2},
		"all faults":              {Duplicate: 0.5, Reorder: 0.5, Late: 0.3, LateBy: emulator.Duration(time.Millisecond), Lose: 0.2},
		"all faults, other rates": {Duplicate: 0.2, Reorder: 0.2, Late: 0.6, LateBy: emulator.Duration(2 * time.Millisecond), Lose: 0.1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			connection, _ := b.enabled("acme")
			b.dixa.SetSwitches(emulator.Switches{Webhooks: how})
			conversation := b.conversation()
			for i := range 5 {
				require.NoError(t, b.dixa.Agent(t.Context(),
					emulator.Step{Action: emulator.PlayReopen}, emulator.Step{Action: emulator.PlayClaim},
					emulator.Step{Action: emulator.PlayReply, Text: "Hello"}, emulator.Step{Action: emulator.PlayTag, Tag: fmt.Sprint("tag-", i)},
					emulator.Step{Action: emulator.PlayTransfer, Queue: emulator.SeedQueueClaims},
					emulator.Step{Action: emulator.PlayNote, Text: "Checked"}, emulator.Step{Action: emulator.PlayClose}))
				require.NoError(t, b.dixa.Customer(t.Context(), emulator.Step{Action: emulator.PlayReply, Text: "Still broken"}))
			}
			b.settle()
			webhook := b.dixa.State().Webhooks[0]
			sent := map[string]string{}
			for _, d := range webhook.Deliveries {
				require.True(t, d.Success, "%s: status %d", d.Event, d.Code)
				sent[d.EventID] = d.Payload
			}
			require.Greater(t, len(sent), 20)
			for id, payload := range sent {
				e := b.kept(connection, id)
				require.JSONEq(t, payload, string(e.Body))
				require.Equal(t, conversation, e.ConversationID)
				require.Regexp(t, "^Conversation", e.Name)
			}
		})
	}
}

// settle waits until Dixa has delivered everything.
func (b *bench) settle() {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), waitFor)
	defer cancel()
	require.NoError(b.t, b.dixa.FlushDeliveries(ctx))
}

func TestEventsAreEncryptedOnDisk(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	b := newBenchOn(t, "sqlite:"+filepath.Join(folder, "claimflow.db"))
	connection, secret := b.enabled("acme")
	require.Equal(t, http.StatusNoContent, b.deliver(connection, secret, event(eventID, emulator.SeedOrganization, "CONVERSATION_CLOSED")).StatusCode)
	grep := func() {
		var all []byte
		files, err := filepath.Glob(filepath.Join(folder, "*"))
		require.NoError(t, err)
		for _, name := range files {
			data, err := os.ReadFile(name)
			require.NoError(t, err)
			all = append(all, data...)
		}
		require.Contains(t, string(all), eventID, "the test must see the written data")
		for _, personal := range []string{"ada@customer.example", "Lovelace", secret} {
			require.False(t, bytes.Contains(bytes.ToLower(all), []byte(strings.ToLower(personal))), personal)
		}
	}
	grep()
	_, err := b.store.Inbox.DropBodies(t.Context(), time.Now().Add(time.Hour))
	require.NoError(t, err)
	require.Nil(t, b.kept(connection, eventID).Body)
	grep()
}

func TestEnableSubscribesAndDisableUnsubscribes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	connection, _ := b.enabled("acme")
	b.connected("second")
	_, err := b.client.Enable(t.Context(), "second")
	require.NoError(t, err)
	require.Len(t, b.dixa.State().Webhooks, 1, "shops of one organization must share a subscription")
	in, err := b.client.Integration(t.Context(), "second")
	require.NoError(t, err)
	require.Equal(t, claim.SubscriptionActive, in.Subscription.State)
	require.Equal(t, b.url+"/webhooks/dixa/"+connection, in.Subscription.URL)
	require.Equal(t, b.dixa.State().Webhooks[0].ID, in.Subscription.ID)
	require.Regexp(t, "^...…....$", in.Subscription.SecretPreview)

	_, err = b.client.Disable(t.Context(), "acme")
	require.NoError(t, err)
	require.Len(t, b.dixa.State().Webhooks, 1, "the subscription must stay for the other shop")
	require.NoError(t, b.client.DeleteShop(t.Context(), "second"))
	require.Empty(t, b.dixa.State().Webhooks)
}

func TestEventsAreCounted(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	connection, secret := b.enabled("acme")
	for _, id := range []string{"e-1", "e-1", "e-2"} {
		require.Equal(t, http.StatusNoContent, b.deliver(connection, secret, event(id, emulator.SeedOrganization, "CONVERSATION_CLOSED")).StatusCode)
	}
	_ = b.deliver(connection, secret, event("e-3", emulator.SeedOrganization, "MADE_UP_BY_SOMEBODY"))
	_ = b.deliver(connection, strings.Repeat("ab", 32), event("e-4", emulator.SeedOrganization, "CONVERSATION_CLOSED"))
	_ = b.deliver(connection, secret, event("e-5", never, "CONVERSATION_OPEN"))
	counted := map[string]string{}
	for _, m := range eventCount.FindAllStringSubmatch(b.send("GET", "/metrics", "", "").text, -1) {
		counted[strings.TrimSpace(m[1]+" "+m[3]+" "+m[2])] = m[4]
	}
	require.Equal(t, map[string]string{
		"ConversationClosed verified": "2", "ConversationClosed duplicate": "1",
		"unknown verified": "1", // callers cannot invent metrics
		"refused wrong":    "1", "ConversationOpen refused other_organization": "1",
	}, counted)
}

var eventCount = regexp.MustCompile(`(?m)^claimflow_webhook_events_total\{event="([^"]*)",.*reason="([^"]*)",result="([^"]*)"\} (\d+)$`)

func TestDocumentShowsTheWebhook(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var document struct {
		Paths map[string]map[string]struct {
			Security  []map[string][]string
			Responses map[string]any
		}
		Components struct {
			SecuritySchemes map[string]map[string]string
		}
	}
	require.NoError(t, json.Unmarshal([]byte(b.send("GET", "/openapi.json", "", "").text), &document))
	route := document.Paths["/webhooks/dixa/{connection}"]["post"]
	require.Equal(t, []string{"204", "400", "401", "403", "409", "413", "422", "503"}, slices.Sorted(maps.Keys(route.Responses)))
	require.Equal(t, []map[string][]string{{"dixaSignature": {}}}, route.Security)
	require.Equal(t, "X-DIXA-SIGNATURE", document.Components.SecuritySchemes["dixaSignature"]["name"])
	require.Contains(t, document.Paths, "/v1/shops/{shop}/integrations/dixa/webhook-secret")
}
