package server_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/emulator/server"
)

// receiver receives deliveries.
type receiver struct {
	mu     sync.Mutex
	got    []delivered
	status []int // statuses of the first answers; 200 after that
	url    string
}

type delivered struct {
	header http.Header
	body   []byte
	event  struct {
		ID           string            `json:"event_id"`
		Name         string            `json:"event_fqn"`
		Organization map[string]string `json:"organization"`
		Data         map[string]any    `json:"data"`
	}
}

func receive(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, _ := io.ReadAll(request.Body)
		d := delivered{header: request.Header, body: body}
		_ = json.Unmarshal(body, &d.event)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got = append(r.got, d)
		status := http.StatusOK
		if len(r.status) > 0 {
			status, r.status = r.status[0], r.status[1:]
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(web.Close)
	r.url = web.URL
	return r
}

func (r *receiver) names() (names []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, d := range r.got {
		names = append(names, d.event.Name)
	}
	return names
}

type subscription struct {
	ID        string            `json:"id"`
	SecretKey string            `json:"secretKey"`
	Headers   map[string]string `json:"headers"`
	Enabled   bool              `json:"enabled"`
	Events    []string          `json:"subscribedEvents"`
}

func (d *dixa) subscribe(url string, change object) subscription {
	d.t.Helper()
	body := object{
		"name": "Claims", "url": url, "customHeaders": object{"X-Team": "claims"},
		"authorization": object{"_type": "TokenAuth", "value": "secret"},
		"events": []string{
			"ConversationCreated", "ConversationMessageAdded", "ConversationNoteAdded", "ConversationTagAdded",
			"ConversationTagRemoved", "ConversationAssigned", "ConversationUnassigned", "ConversationTransferred",
			"ConversationEnqueued", "ConversationPending", "ConversationPendingExpired", "ConversationClosed",
			"ConversationAbandoned", "ConversationOpen", "ConversationRated", "ConversationCustomAttributeUpdated",
		},
	}
	for key, value := range change {
		body[key] = value
	}
	var created subscription
	d.do(http.MethodPost, "/webhooks", body, http.StatusCreated).data(&created)
	return created
}

func (d *dixa) flush() {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), 10*time.Second)
	defer cancel()
	require.NoError(d.t, d.FlushDeliveries(ctx), "deliveries are still in progress")
}

func TestEveryChangeSendsAnEvent(t *testing.T) {
	t.Parallel()
	hook := receive(t)
	clock := newClock()
	d := start(t, server.Options{Clock: clock.Now})
	subscribed := d.subscribe(hook.url, nil)
	requester := d.customer("a@example.org")
	d.open(requester)
	steps := []server.Step{
		{Action: server.PlayClaim},
		{Action: server.PlayReply, Text: "Hello"},
		{Action: server.PlayNote, Text: "Looks fine"},
		{Action: server.PlayTag, Tag: "claim-accepted"},
		{Action: server.PlayUntag, Tag: "claim-accepted"},
		{Action: server.PlayPending, Until: clock.Now().Add(time.Minute)},
	}
	require.NoError(t, d.Agent(t.Context(), steps...))
	clock.Advance(time.Minute)
	d.Settle()
	require.NoError(t, d.Agent(t.Context(), server.Step{Action: server.PlayTransfer, Queue: server.SeedQueueClaims}, server.Step{Action: server.PlayClose}))
	require.NoError(t, d.Customer(t.Context(), server.Step{Action: server.PlayReply, Text: "Still broken"}, server.Step{Action: server.PlayRate, Score: 2, Text: "Slow"}))
	d.do(http.MethodPatch, "/conversations/1001/custom-attributes", object{server.SeedAttrClaimID: "c-1"}, http.StatusOK)
	d.flush()

	require.Equal(t, []string{
		"CONVERSATION_CREATED", "CONVERSATION_MESSAGE_ADDED",
		"CONVERSATION_ASSIGNED", "CONVERSATION_MESSAGE_ADDED", "CONVERSATION_NOTE_ADDED",
		"CONVERSATION_TAG_ADDED", "CONVERSATION_TAG_REMOVED", "CONVERSATION_PENDING", "CONVERSATION_PENDING_EXPIRED",
		"CONVERSATION_UNASSIGNED", "CONVERSATION_ENQUEUED", "CONVERSATION_TRANSFERRED",
		"CONVERSATION_CLOSED", "CONVERSATION_ABANDONED",
		"CONVERSATION_MESSAGE_ADDED", "CONVERSATION_OPEN", "CONVERSATION_ENQUEUED",
		"CONVERSATION_RATED", "CONVERSATION_RATED", "CONVERSATION_CUSTOM_ATTRIBUTE_UPDATED",
	}, hook.names())

	ids := map[string]bool{}
	for _, got := range hook.got {
		ids[got.event.ID] = true
		require.Equal(t, "application/json", got.header.Get("Content-Type"))
		require.Equal(t, subscribed.ID, got.header.Get("X-DIXA-SUBSCRIPTION-ID"))
		require.Equal(t, "Bearer secret", got.header.Get("Authorization"))
		require.Equal(t, "claims", got.header.Get("X-Team"))
		require.Equal(t, server.SeedOrganization, got.event.Organization["id"])
		requireSignature(t, subscribed.SecretKey, got)
		conversation := part(t, got.event.Data, "conversation")
		require.EqualValues(t, 1001, conversation["csid"])
		require.Equal(t, "EMAIL", conversation["channel"])
	}
	require.Len(t, ids, len(hook.got), "event ids are not unique")

	message := hook.got[1].event.Data
	require.Equal(t, "inbound", message["direction"])
	require.Equal(t, "It broke", message["text"])
	require.Contains(t, message, "external_id", "null must be included")
	require.Equal(t, "Contact", part(t, message, "author")["user_type"])
	require.Equal(t, "Member", part(t, hook.got[3].event.Data, "author")["user_type"])
	require.Equal(t, "claim-accepted", hook.got[5].event.Data["tag"])
	require.Len(t, hook.got[6].event.Data, 1, "undocumented members were sent")
	require.Contains(t, hook.got[8].event.Data, "pendingByUser")
}

// part returns an object nested in an object.
func part(t *testing.T, whole map[string]any, name string) map[string]any {
	t.Helper()
	inner, isObject := whole[name].(map[string]any)
	require.True(t, isObject, "%s in %v", name, whole)
	return inner
}

// requireSignature verifies a delivery as Dixa's guide tells receivers to.
func requireSignature(t *testing.T, secret string, got delivered) {
	t.Helper()
	var stamp, signature string
	for part := range strings.SplitSeq(got.header.Get("X-DIXA-SIGNATURE"), ",") {
		name, value, _ := strings.Cut(part, "=")
		switch name {
		case "t":
			stamp = value
		case "v1":
			signature = value
		}
	}
	require.Len(t, stamp, 13, "milliseconds")
	key, err := hex.DecodeString(secret)
	require.NoError(t, err, "the secret is not hexadecimal")
	mac := hmac.New(sha256.New, key)
	_, _ = fmt.Fprintf(mac, "%s.%s", stamp, got.body)
	require.Equal(t, hex.EncodeToString(mac.Sum(nil)), signature)
}

func TestDeliverySwitches(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		how  server.WebhookSwitches
		want string
	}{
		"normal":     {server.WebhookSwitches{}, "CREATED MESSAGE_ADDED NOTE_ADDED"},
		"off":        {server.WebhookSwitches{Off: true}, ""},
		"lost":       {server.WebhookSwitches{Lose: 1}, ""},
		"duplicated": {server.WebhookSwitches{Duplicate: 1}, "CREATED CREATED MESSAGE_ADDED MESSAGE_ADDED NOTE_ADDED NOTE_ADDED"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hook := receive(t)
			d := start(t, server.Options{Switches: server.Switches{Webhooks: test.how}})
			d.subscribe(hook.url, nil)
			d.open(d.customer("a@example.org"))
			d.do(http.MethodPost, "/conversations/1001/notes", object{"message": "note"}, http.StatusOK)
			d.flush()
			require.Equal(t, test.want, strings.ReplaceAll(strings.Join(hook.names(), " "), "CONVERSATION_", ""))
		})
	}
	t.Run("reordered", func(t *testing.T) {
		t.Parallel()
		hook := receive(t)
		d := start(t, server.Options{Switches: server.Switches{Webhooks: server.WebhookSwitches{Reorder: 1}}})
		d.subscribe(hook.url, nil)
		d.open(d.customer("a@example.org"))
		d.SetSwitches(server.Switches{})
		d.do(http.MethodPost, "/conversations/1001/notes", object{"message": "note"}, http.StatusOK)
		d.flush()
		require.Equal(t, []string{"CONVERSATION_NOTE_ADDED", "CONVERSATION_CREATED", "CONVERSATION_MESSAGE_ADDED"}, hook.names())
	})
	t.Run("late", func(t *testing.T) {
		t.Parallel()
		hook := receive(t)
		clock := newClock()
		late := server.WebhookSwitches{Late: 1, LateBy: server.Duration(time.Hour)}
		d := start(t, server.Options{Clock: clock.Now, Switches: server.Switches{Webhooks: late}})
		d.subscribe(hook.url, object{"events": []string{"ConversationCreated"}})
		d.open(d.customer("a@example.org"))
		require.Empty(t, hook.names())
		clock.Advance(time.Hour)
		d.Settle()
		d.flush()
		require.Equal(t, []string{"CONVERSATION_CREATED"}, hook.names())
	})
	t.Run("guessed members and two names", func(t *testing.T) {
		t.Parallel()
		hook := receive(t)
		how := server.WebhookSwitches{GuessedMembers: true, TransferredNames: "two"}
		d := start(t, server.Options{Switches: server.Switches{Webhooks: how}})
		d.subscribe(hook.url, object{"events": []string{"ConversationAssigned", "ConversationTransferred"}})
		d.open(d.customer("a@example.org"))
		require.NoError(t, d.Agent(t.Context(), server.Step{Action: server.PlayClaim}, server.Step{Action: server.PlayTransfer, Queue: server.SeedQueueClaims}))
		d.flush()
		require.Equal(t, []string{"CONVERSATION_ASSIGNED", "CONVERSATION_TRANSFERRED_TO_QUEUE"}, hook.names())
		require.Contains(t, hook.got[0].event.Data, "assignee")
	})
}

func TestDeliveryRetries(t *testing.T) {
	t.Parallel()
	hook := receive(t)
	hook.status = []int{500, 503, 200, 500, 500}
	how := server.WebhookSwitches{Attempts: 3, RetryDelay: server.Duration(time.Millisecond)}
	d := start(t, server.Options{Switches: server.Switches{Webhooks: how}})
	subscribed := d.subscribe(hook.url, object{"events": []string{"ConversationCreated", "ConversationClosed"}})
	d.open(d.customer("a@example.org"))
	d.flush()
	require.Len(t, hook.names(), 3)
	require.Equal(t, hook.got[0].body, hook.got[2].body, "the retry sent a different body")

	path := "/webhooks/" + subscribed.ID + "/delivery-status"
	var statuses []struct {
		Event  string `json:"event"`
		Status object `json:"deliveryStatus"`
	}
	d.do(http.MethodGet, path, nil, http.StatusOK).data(&statuses)
	require.Equal(t, "DeliveryDetail", statuses[0].Status["_type"])
	require.EqualValues(t, 200, statuses[0].Status["responseCode"])
	require.Equal(t, object{"_type": "NoRecentDelivery"}, statuses[1].Status)
	var logs []struct {
		Detail  object `json:"deliveryDetail"`
		Payload string `json:"payload"`
	}
	d.do(http.MethodGet, path+"/logs/ConversationCreated", nil, http.StatusOK).data(&logs)
	require.Len(t, logs, 3)
	require.Equal(t, true, logs[0].Detail["success"], "newest first")
	require.JSONEq(t, string(hook.got[0].body), logs[0].Payload)
	d.do(http.MethodGet, path+"/logs/Nothing", nil, http.StatusBadRequest)
}

func TestUnresponsiveReceiver(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(func() { close(release); silent.Close() })
	how := server.WebhookSwitches{Attempts: 1, Timeout: server.Duration(time.Millisecond)}
	d := start(t, server.Options{Switches: server.Switches{Webhooks: how}})
	d.subscribe(silent.URL, object{"events": []string{"ConversationCreated"}})
	d.open(d.customer("a@example.org"))
	d.flush()
	deliveries := d.State().Webhooks[0].Deliveries
	require.Len(t, deliveries, 1)
	require.False(t, deliveries[0].Success)
	require.Zero(t, deliveries[0].Code)
}

func TestSubscriptionIsDisabledAfterFailures(t *testing.T) {
	t.Parallel()
	hook := receive(t)
	hook.status = []int{500, 200, 500, 500}
	d := start(t, server.Options{Switches: server.Switches{Webhooks: server.WebhookSwitches{Attempts: 1, DisableAfter: 2}}})
	d.subscribe(hook.url, object{"events": []string{"ConversationCreated"}})
	requester := d.customer("a@example.org")
	for n := range 6 {
		d.open(requester)
		d.flush()
		require.Equal(t, n < 3, d.State().Webhooks[0].Enabled, "after %d events", n+1)
	}
	require.Len(t, hook.names(), 4)
}

func TestUndocumentedEventShapes(t *testing.T) {
	t.Parallel()
	files := gallery(t)
	for shape, want := range map[string]any{
		"snake": map[string]any{"url": "path", "pretty_name": "photo.jpg"}, "camel": map[string]any{"url": "path", "prettyName": "photo.jpg"},
		"strings": "path", "empty": nil,
	} {
		hook := receive(t)
		d := start(t, server.Options{Switches: server.Switches{Webhooks: server.WebhookSwitches{
			AttachmentItems: shape, CustomAttributesAbsent: shape == "strings",
		}}})
		d.subscribe(hook.url, object{"events": []string{"ConversationMessageAdded"}})
		d.do(http.MethodPost, "/conversations", mail(d.customer("a@example.org"), "", files+"/photo.jpg"), http.StatusCreated)
		d.flush()
		got := hook.got[0].event.Data
		items, isList := got["attachments"].([]any)
		require.True(t, isList)
		path := d.State().Conversations[0].Messages[0].Attachments[0].Path
		if fields, ok := want.(map[string]any); ok {
			fields["url"] = path
		} else {
			want = path
		}
		if shape == "empty" {
			require.Empty(t, items)
			continue
		}
		require.Equal(t, []any{want}, items, shape)
		_, present := part(t, got, "conversation")["custom_attributes"]
		require.Equal(t, shape != "strings", present, shape)
	}
}

func TestSubscriptions(t *testing.T) {
	t.Parallel()
	hook := receive(t)
	d := start(t, server.Options{})
	imports := object{"Conversation": object{"_type": "CombinedFilters", "strategy": "All", "conditions": []object{
		{"_type": "IsOneOf", "field": "OperationOrigin", "values": []string{"ApiImport"}},
		{"_type": "IsOneOf", "field": "InitialChannel", "values": []string{"email"}},
	}}}
	created := d.subscribe(hook.url, object{"filters": imports, "authorization": object{"_type": "NoAuth"}})
	require.NotContains(t, created.Headers, "Authorization")
	requester := d.customer("a@example.org")
	d.open(requester)
	d.flush()
	require.Empty(t, hook.names(), "filtered out")

	d.do(http.MethodPatch, "/webhooks/"+created.ID, object{"filters": object{}, "events": []string{"ConversationCreated"}, "authorization": object{"_type": "BasicAuth", "username": "u", "password": "p"}}, http.StatusOK).data(&created)
	require.Equal(t, "Basic dTpw", created.Headers["Authorization"])
	d.open(requester)
	d.flush()
	require.Equal(t, []string{"CONVERSATION_CREATED"}, hook.names())

	d.do(http.MethodPatch, "/webhooks/"+created.ID, object{"enabled": false}, http.StatusOK)
	d.open(requester)
	d.do(http.MethodDelete, "/webhooks/"+created.ID, nil, http.StatusNoContent)
	d.open(requester)
	d.flush()
	require.Len(t, hook.names(), 1)
	d.do(http.MethodGet, "/webhooks/"+created.ID, nil, http.StatusNotFound)
	d.do(http.MethodPatch, "/webhooks/"+created.ID, object{}, http.StatusBadRequest)

	for _, wrong := range []object{
		{"name": nil},
		{"url": nil},
		{"authorization": nil},
		{"url": "nowhere"},
		{"events": []string{"Nothing"}},
		{"authorization": object{"_type": "BasicAuth"}},
		{"filters": object{"Conversation": object{"_type": "CombinedFilters", "strategy": "All", "conditions": []object{}}}},
	} {
		body := object{"name": "n", "url": hook.url, "authorization": object{"_type": "NoAuth"}, "customHeaders": object{}}
		for key, value := range wrong {
			body[key] = value
		}
		d.do(http.MethodPost, "/webhooks", body, http.StatusBadRequest)
	}
	d.contract = nil // customHeaders is required there but omitted in practice
	d.do(http.MethodPost, "/webhooks", object{"name": "n", "url": hook.url, "authorization": object{"_type": "NoAuth"}}, http.StatusCreated)
}
