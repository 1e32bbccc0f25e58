package unify_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/internal/toowner/delivery"
	"github.com/claimflow/claimflow/internal/unify"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
)

// hearer is an endpoint that receives events about records.
type hearer struct {
	*httptest.Server
	id, secret string
	// status is what it answers; 0 is 204.
	status atomic.Int64

	mu     sync.Mutex
	events []heard
}

// heard is an accepted event.
type heard struct {
	id string
	claim.RecordNotice
	header http.Header
	body   []byte
}

func (h *hearer) taken() []heard {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.events)
}

// hears adds an endpoint of the platform.
func (w *world) hears(e claim.NewEndpoint) *hearer {
	w.Helper()
	h := &hearer{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if status := int(h.status.Load()); status != 0 {
			rw.WriteHeader(status)
			return
		}
		event := heard{id: r.Header.Get("Webhook-Id"), header: r.Header, body: body}
		if json.Unmarshal(body, &event.RecordNotice) != nil {
			rw.WriteHeader(http.StatusBadRequest)
			return
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.events = append(h.events, event)
		rw.WriteHeader(http.StatusNoContent)
	}))
	w.Cleanup(h.Close)
	e.URL = h.URL
	added, secret, err := w.store.Endpoints.Create(w.Context(), "", e)
	require.NoError(w, err)
	h.id, h.secret = added.ID, secret
	return h
}

// feeder returns a new process that makes events.
func (w *world) feeder() *unify.Feeder {
	return &unify.Feeder{Service: w.service, Log: slog.New(slog.DiscardHandler)}
}

// deliver makes events of all changes and sends what is due.
func (w *world) deliver() {
	w.Helper()
	require.NoError(w, w.feeder().Feed(w.Context()))
	w.send()
}

// send sends what is due until nothing waits at an active endpoint.
func (w *world) send() {
	w.Helper()
	ctx, stop := context.WithCancel(w.Context())
	var running sync.WaitGroup
	d := delivery.New(w.store, delivery.Options{Log: slog.New(slog.DiscardHandler), AllowPrivate: true})
	running.Go(func() { d.Run(ctx) })
	require.Eventually(w, func() bool {
		endpoints, err := w.store.Endpoints.List(ctx, "")
		return err == nil && !slices.ContainsFunc(endpoints, func(e claim.Endpoint) bool { return e.State == claim.EndpointActive && e.Waiting > 0 })
	}, time.Minute, 5*time.Millisecond, "events wait that nobody sends")
	stop()
	running.Wait()
}

// refresh merges what Dixa says of a conversation into the mirror.
func (w *world) refresh(id int64) {
	w.Helper()
	client := w.client()
	at := time.Now()
	object, err := client.Conversations.Get(w.Context(), id)
	require.NoError(w, err)
	messages, err := client.Conversations.Messages(w.Context(), id)
	require.NoError(w, err)
	batch := store.MirrorBatch{ConnectionID: w.account, Facts: []store.ConversationFact{{ID: id, Fact: mirror.ConversationFromObject(object, nil, nil, at)}}}
	for _, m := range messages {
		batch.Messages = append(batch.Messages, mirror.MessageFromList(id, m, at))
	}
	_, err = w.store.Mirror.Merge(w.Context(), batch)
	require.NoError(w, err)
}

func (w *world) client() *dixa.Client {
	w.Helper()
	client, err := w.clients.Client(w.Context(), w.account)
	require.NoError(w, err)
	return client
}

// opens creates a conversation in Dixa that the mirror knows.
func (w *world) opens(subject string) int64 {
	w.Helper()
	client := w.client()
	customer, err := client.EndUsers.Create(w.Context(), dixa.EndUserInput{DisplayName: "Ada", Email: strings.ReplaceAll(subject, " ", ".") + "@customer.example"})
	require.NoError(w, err)
	id, err := client.Conversations.Create(w.Context(), dixa.NewConversation{
		Type: dixa.NewEmail, RequesterID: customer.ID, EmailIntegrationID: server.SeedMailbox, Subject: subject, Language: "en",
		Message: dixa.MessageInput{Type: dixa.Inbound, Content: dixa.HTMLContent("<p>It is broken.</p>")},
	})
	require.NoError(w, err)
	w.refresh(id)
	return id
}

func kinds(events []heard) []string {
	var all []string
	for _, e := range events {
		all = append(all, e.Type+" "+e.Data.Resource)
	}
	return all
}

func TestTicketEventsReachEndpoints(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorldOn(t, 5, database(t))
			w.mirror()
			h := w.hears(claim.NewEndpoint{EventTypes: claim.RecordTypes(), Resources: []string{"ticketing/tickets"}})
			all := w.hears(claim.NewEndpoint{EventTypes: []string{claim.RecordCreated}})
			claims := w.hears(claim.NewEndpoint{})
			w.deliver()
			require.Empty(t, kinds(h.taken()), "records from before the endpoint were sent")

			id := w.opens("lamp")
			w.deliver()
			require.NoError(t, w.client().Conversations.Close(t.Context(), id, ""))
			w.refresh(id)
			w.deliver()

			events := h.taken()
			require.Equal(t, []string{claim.RecordCreated + " ticketing/tickets", claim.RecordUpdated + " ticketing/tickets"}, kinds(events))
			hook, err := standardwebhooks.NewWebhook(h.secret)
			require.NoError(t, err)
			for _, e := range events {
				require.NoError(t, hook.Verify(e.body, e.header))
				require.Equal(t, w.account, e.Data.IntegratedAccountID)
				require.Equal(t, "ticketing/tickets", e.Data.Resource)
				require.Equal(t, strconv.FormatInt(id, 10), e.Data.ID)
			}
			require.Less(t, events[0].Data.Change, events[1].Data.Change)
			now, source := w.get("tickets", strconv.FormatInt(id, 10), "")
			require.False(t, source.Live)
			var record map[string]any
			require.NoError(t, json.Unmarshal(events[1].Data.Record, &record))
			require.Equal(t, now, record, "the event differs from what a read answers")

			resources := map[string]int{}
			for _, e := range all.taken() {
				resources[e.Data.Resource]++
			}
			require.Equal(t, map[string]int{"ticketing/tickets": 1, "ticketing/comments": 1}, resources)
			require.Empty(t, claims.taken(), "an endpoint got records that it does not name")
		})
	}
}

func TestImportedHistoryIsSentOnlyOnRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 12)
	start := time.Now()
	quiet := w.hears(claim.NewEndpoint{EventTypes: claim.RecordTypes()})
	curious := w.hears(claim.NewEndpoint{EventTypes: claim.RecordTypes(), History: true})
	w.mirror()
	w.deliver()
	for _, e := range quiet.taken() {
		var record struct {
			CreatedAt time.Time `json:"created_at"`
			UpdatedAt time.Time `json:"updated_at"`
		}
		require.NoError(t, json.Unmarshal(e.Data.Record, &record))
		require.GreaterOrEqual(t, max(record.CreatedAt.Unix(), record.UpdatedAt.Unix()), start.Add(-2*time.Minute).Unix(), "history was sent: %s", e.body)
	}
	created := map[string][]string{}
	for _, e := range curious.taken() {
		if e.Type == claim.RecordCreated {
			created[e.Data.Resource] = append(created[e.Data.Resource], e.Data.ID)
		}
	}
	for _, resource := range []string{"tickets", "contacts", "tags", "collections", "teams", "users"} {
		var want []string
		for _, o := range w.list(resource, "limit=500").Result {
			want = append(want, o["id"].(string)) //nolint:errcheck,forcetypeassert // ids are texts
		}
		require.ElementsMatch(t, want, created["ticketing/"+resource], resource)
	}
	require.NotEmpty(t, created["ticketing/comments"])
	require.NotEmpty(t, created["user-directory/groups"])

	w.deliver() // reading contacts stored their attributes
	before := len(curious.taken())
	w.importAgain()
	w.deliver()
	require.Empty(t, kinds(curious.taken()[before:]), "an import without changes made events")
}

// Without events from Dixa, the imports that repeat bring what is new.
func TestImportsBringNewRecords(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 8)
	w.mirror()
	h := w.hears(claim.NewEndpoint{EventTypes: claim.RecordTypes()})
	client := w.client()
	customer, err := client.EndUsers.Create(t.Context(), dixa.EndUserInput{DisplayName: "Ada", Email: "ada@customer.example"})
	require.NoError(t, err)
	tag, err := client.Tags.Create(t.Context(), dixa.TagInput{Name: "brand new", Color: "#ff8800"})
	require.NoError(t, err)
	id, err := client.Conversations.Create(t.Context(), dixa.NewConversation{
		Type: dixa.NewEmail, RequesterID: customer.ID, EmailIntegrationID: server.SeedMailbox, Subject: "lamp", Language: "en",
		Message: dixa.MessageInput{Type: dixa.Inbound, Content: dixa.HTMLContent("<p>It is broken.</p>")},
	})
	require.NoError(t, err)
	w.importAgain()
	w.deliver()
	created := map[string][]string{}
	for _, e := range h.taken() {
		if e.Type == claim.RecordCreated {
			created[e.Data.Resource] = append(created[e.Data.Resource], e.Data.ID)
		}
	}
	require.Equal(t, []string{strconv.FormatInt(id, 10)}, created["ticketing/tickets"])
	require.Equal(t, []string{customer.ID}, created["ticketing/contacts"])
	require.Equal(t, []string{tag.ID}, created["ticketing/tags"])
	require.Len(t, created["ticketing/comments"], 1)
	require.Len(t, created, 4, "an import announced what was known: %v", created)
}

func TestEventsGoOnAfterARestart(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorldOn(t, 12, database(t))
			w.mirror()
			h := w.hears(claim.NewEndpoint{EventTypes: claim.RecordTypes(), Resources: []string{"ticketing/tickets", "ticketing/comments"}, History: true})
			for range 200 {
				// Every process stops after a few events, as if it were killed.
				f := w.feeder()
				f.MaxQueued = 3
				require.NoError(t, f.Feed(t.Context()))
				e, err := w.store.Endpoints.Get(t.Context(), "", h.id)
				require.NoError(t, err)
				require.LessOrEqual(t, e.Waiting, 3, "the queue outgrew its bound")
				if e.Waiting == 0 {
					break
				}
				w.send()
			}
			ids, created := map[string]bool{}, map[string]bool{}
			last := map[string]int64{}
			for _, e := range h.taken() {
				require.False(t, ids[e.id], "an event was sent twice")
				ids[e.id] = true
				lane := e.Data.Resource + "/" + e.Data.ID
				require.Greater(t, e.Data.Change, last[lane], "events of %s are not in order", lane)
				last[lane] = e.Data.Change
				if e.Type == claim.RecordCreated {
					created[lane] = true
				}
				require.True(t, created[lane], "%s was updated before it was created", lane)
			}
			for _, ticket := range w.list("tickets", "limit=500").Result {
				require.True(t, created["ticketing/tickets/"+ticket["id"].(string)]) //nolint:errcheck,forcetypeassert // ids are texts
			}

			n, err := w.store.Deliveries.Replay(t.Context(), "", h.id, time.Time{}, time.Time{})
			require.NoError(t, err)
			require.Equal(t, len(ids), n)
			w.send()
			for _, e := range h.taken() {
				require.True(t, ids[e.id], "a replayed event has another id")
			}
		})
	}
}

func TestPausedEndpointMissesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3)
	w.mirror()
	h := w.hears(claim.NewEndpoint{EventTypes: claim.RecordTypes(), Resources: []string{"ticketing/tickets"}})
	other := w.hears(claim.NewEndpoint{EventTypes: claim.RecordTypes(), Resources: []string{"ticketing/tickets"}})
	first := w.opens("first")
	h.status.Store(http.StatusGone)
	w.deliver() // and the endpoint is paused
	second := w.opens("second")
	require.NoError(t, w.client().Conversations.Close(t.Context(), first, ""))
	w.refresh(first)
	w.deliver()
	require.Empty(t, h.taken())
	require.Len(t, kinds(other.taken()), 3, "a paused endpoint delayed another")

	h.status.Store(0)
	_, err := w.store.Endpoints.Resume(t.Context(), "", h.id)
	require.NoError(t, err)
	w.deliver()
	of := map[string][]string{}
	for _, e := range h.taken() {
		of[e.Data.ID] = append(of[e.Data.ID], e.Type)
	}
	require.Equal(t, map[string][]string{
		strconv.FormatInt(first, 10): {claim.RecordCreated, claim.RecordUpdated}, strconv.FormatInt(second, 10): {claim.RecordCreated},
	}, of)
}

func TestDeletedRecordsAreTold(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorldOn(t, 6, database(t))
			w.mirror()
			tickets := w.list("tickets", "limit=500").Result
			tag := w.list("tags", "limit=1").Result[0]["id"].(string) //nolint:errcheck,forcetypeassert // ids are texts
			h := w.hears(claim.NewEndpoint{EventTypes: claim.RecordTypes()})
			late := w.hears(claim.NewEndpoint{EventTypes: []string{claim.RecordDeleted}, Resources: []string{"ticketing/tickets"}})
			paused := claim.EndpointPaused
			_, err := w.store.Endpoints.Patch(t.Context(), "", late.id, claim.EndpointPatch{State: &paused}, "")
			require.NoError(t, err)

			id := w.opens("soon gone")
			require.NoError(t, w.feeder().Feed(t.Context())) // its events wait
			sources, err := w.store.DataSources.List(t.Context(), w.account)
			require.NoError(t, err)
			for _, s := range sources {
				require.NoError(t, w.store.DataSources.Delete(t.Context(), w.account, s.ID))
			}
			n, err := w.store.Mirror.DeleteExpired(t.Context(), w.account)
			require.NoError(t, err)
			require.Equal(t, len(tickets)+1, n)
			require.NoError(t, w.store.Mirror.MarkEntryGone(t.Context(), w.account, mirror.KindTag, tag))
			w.deliver()

			deleted := map[string][]string{}
			for _, e := range h.taken() {
				require.Equal(t, claim.RecordDeleted, e.Type, "an event was kept of a conversation that is deleted: %s", e.body)
				require.JSONEq(t, `{"id": "`+e.Data.ID+`"}`, string(e.Data.Record))
				deleted[e.Data.Resource] = append(deleted[e.Data.Resource], e.Data.ID)
			}
			want := []string{strconv.FormatInt(id, 10)}
			for _, ticket := range tickets {
				want = append(want, ticket["id"].(string)) //nolint:errcheck,forcetypeassert // ids are texts
			}
			require.ElementsMatch(t, want, deleted["ticketing/tickets"])
			require.NotEmpty(t, deleted["ticketing/comments"])
			require.Equal(t, []string{tag}, deleted["ticketing/tags"])

			_, err = w.store.Mirror.ForgetDeleted(t.Context(), time.Now().Add(time.Hour))
			require.NoError(t, err)
			_, err = w.store.Endpoints.Resume(t.Context(), "", late.id)
			require.NoError(t, err)
			w.deliver()
			e, err := w.store.Endpoints.Get(t.Context(), "", late.id)
			require.NoError(t, err)
			require.False(t, e.RecordsMissedAt.IsZero(), "nobody says that deletions were missed")
			e, err = w.store.Endpoints.Get(t.Context(), "", h.id)
			require.NoError(t, err)
			require.True(t, e.RecordsMissedAt.IsZero())
		})
	}
}

func TestWaitingEventsForgetWhatIsAnonymized(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	w.mirror()
	h := w.hears(claim.NewEndpoint{EventTypes: claim.RecordTypes()})
	id := w.opens("a secret")
	require.NoError(t, w.feeder().Feed(t.Context())) // its events wait
	slow := w.hears(claim.NewEndpoint{EventTypes: claim.RecordTypes(), History: true})
	behind, err := w.store.Feeds.Behind(t.Context(), 10)
	require.NoError(t, err)
	require.Len(t, behind, 1)
	_, until, head, err := w.store.Mirror.Changes(t.Context(), w.account, behind[0].Place, 1000)
	require.NoError(t, err)

	fact := store.ConversationFact{ID: id, Fact: mirror.Fact{AnonymizedAt: time.Now()}}
	_, err = w.store.Mirror.Merge(t.Context(), store.MirrorBatch{ConnectionID: w.account, Facts: []store.ConversationFact{fact}})
	require.NoError(t, err)
	event := store.RecordEvent{Type: claim.RecordCreated, Resource: "ticketing/tickets", ID: "x", Change: head, ConversationID: id, Body: json.RawMessage(`"a secret"`)}
	moved, err := w.store.Feeds.Advance(t.Context(), &behind[0], until, head, []store.RecordEvent{event})
	require.NoError(t, err)
	require.True(t, moved, "an event was queued that was made before the conversation was anonymized")
	w.deliver()
	require.NotEmpty(t, slow.taken())
	for _, e := range slow.taken() {
		require.NotContains(t, string(e.body), "a secret")
	}
	require.NotEmpty(t, h.taken())
	for _, e := range h.taken() {
		require.Equal(t, claim.RecordUpdated, e.Type)
		require.NotContains(t, string(e.body), "secret")
		require.NotContains(t, string(e.body), "It is broken")
	}
}

func TestEventsInTrutosForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	w.mirror()
	h := w.hears(claim.NewEndpoint{Kind: claim.EndpointTruto, EventTypes: claim.RecordTypes(), Resources: []string{"ticketing/tickets"}})
	id := w.opens("lamp")
	w.deliver()
	require.Len(t, kinds(h.taken()), 1)
	got := h.taken()[0]
	mac := hmac.New(sha256.New, []byte(h.secret))
	mac.Write(got.body)
	require.Equal(t, "format=sha256,v="+hex.EncodeToString(mac.Sum(nil)), got.header.Get("X-Truto-Signature"))
	var body map[string]any
	require.NoError(t, json.Unmarshal(got.body, &body))
	require.ElementsMatch(t, []string{"id", "event", "payload", "environment_id", "webhook_id", "created_at"}, slices.Collect(maps.Keys(body)))
	require.Equal(t, claim.RecordCreated, body["event"])
	require.Equal(t, h.id, body["webhook_id"])
	payload, _ := body["payload"].(map[string]any)
	require.Equal(t, strconv.FormatInt(id, 10), payload["id"])
}
