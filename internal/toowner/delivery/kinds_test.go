package delivery_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/integration/mailtest"
	"github.com/claimflow/claimflow/internal/toowner/delivery"
	"github.com/claimflow/claimflow/internal/toowner/mail"
	"github.com/claimflow/claimflow/store"
)

// karlaAPI stores what is written to it.
type karlaAPI struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	puts   []put
}

type put struct{ path, user, password, body string }

func newKarla(t *testing.T) *karlaAPI {
	t.Helper()
	k := &karlaAPI{status: http.StatusOK}
	k.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPut {
			t.Errorf("%s: %v", r.Method, err)
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		k.puts = append(k.puts, put{r.URL.Path, user, password, string(body)})
		w.WriteHeader(k.status)
	}))
	t.Cleanup(k.Close)
	return k
}

func (k *karlaAPI) answer(status int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.status = status
}

func (k *karlaAPI) all() []put {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]put(nil), k.puts...)
}

func (b *bench) karla(k *karlaAPI, shop string) claim.Endpoint {
	b.Helper()
	e, secret, err := b.store.Endpoints.Create(b.Context(), "acme", claim.NewEndpoint{
		Kind: claim.EndpointKarla, URL: k.URL, KarlaShop: shop, User: "acme-user", Password: "acme-password",
	})
	require.NoError(b, err)
	require.Empty(b, secret)
	return e
}

// status adds an event that carries a status.
func (b *bench) status(ref claim.Ref, status, by, preference string) {
	b.Helper()
	body, err := json.Marshal(claim.Notice{Type: claim.OutboundOpened, Data: claim.NoticeData{Ref: ref, Status: status, StatusBy: by, Preference: preference}})
	require.NoError(b, err)
	b.change(ref, "", store.ClaimUpdate{Outbox: []store.OutboxEvent{{Type: claim.OutboundOpened, Body: body}}})
}

func TestKarlaReceivesStatus(t *testing.T) {
	t.Parallel()
	onEach(t, func(b *bench) {
		k := newKarla(b.T)
		e := b.karla(k, "acme-at-karla")
		ref := b.claim("c-1")
		b.owner(ref, `{"resolution_preference": "refund"}`)
		b.events(ref, 1) // carries no status
		b.status(ref, "pending", "dixa", "")
		b.status(ref, "closed", "owner", "")
		b.status(ref, "accepted", "dixa", "")
		require.Equal(b, 4, b.deliver())
		const path = "/v1/shops/acme-at-karla/claims/c-1"
		require.Equal(b, []put{
			{path, "acme-user", "acme-password", `{"status":"pending","resolution_preference":"refund"}`},
			{path, "acme-user", "acme-password", `{"status":"accepted","resolution_preference":"refund"}`},
		}, k.all())
		log, _, err := b.store.Deliveries.List(b.Context(), "acme", e.ID, claim.DeliveryFilter{State: claim.DeliveryDelivered})
		require.NoError(b, err)
		require.Len(b, log, 4)
		notes := map[int64]bool{}
		for _, d := range log {
			notes[d.Sequence] = strings.Contains(d.Note, "skipped: ")
		}
		require.Equal(b, map[int64]bool{1: true, 2: false, 3: true, 4: false}, notes)
		require.NotContains(b, b.log.String(), "acme-password")
	})
}

// owner applies a change by the claim's owner.
func (b *bench) owner(ref claim.Ref, change string) {
	b.Helper()
	_, err := b.store.Claims.UpdateFromOwner(b.Context(), store.OwnerUpdate{
		Ref: ref, By: "test", Read: func(current *claim.Claim) (*claim.Claim, error) { return claim.DecodeUpdate([]byte(change), current) },
	})
	require.NoError(b, err)
}

// A delayed event does not undo what the owner has since decided.
func TestKarlaKeepsNewerOwnerStatus(t *testing.T) {
	t.Parallel()
	onEach(t, func(b *bench) {
		k := newKarla(b.T)
		b.karla(k, "")
		ref := b.claim("c-1")
		b.status(ref, "pending", claim.ByDixa, "refund")
		b.owner(ref, `{"resolution_preference": "voucher"}`)
		require.Equal(b, 1, b.deliver())
		b.status(ref, "pending", claim.ByDixa, "voucher")
		b.owner(ref, `{"status": "rejected"}`)
		require.Equal(b, 1, b.deliver())
		puts := k.all()
		require.Len(b, puts, 1, "the owner's status was overwritten")
		require.JSONEq(b, `{"status":"pending","resolution_preference":"voucher"}`, puts[0].body)
	})
}

func TestKarlaRejections(t *testing.T) {
	t.Parallel()
	b := newBench(t, databases["memory"])
	k := newKarla(t)
	e := b.karla(k, "")
	ref := b.claim("c-1")
	k.answer(http.StatusNotFound)
	b.status(ref, "accepted", "dixa", "")
	b.until(func() bool { return b.read(e).Dead == 1 }, "the delivery is dead-lettered")
	require.Len(t, k.all(), 3, "a permanent rejection must be attempted three times")
	require.Equal(t, "/v1/shops/acme/claims/c-1", k.all()[0].path, "the shop must default to the claim's shop")

	k.answer(http.StatusGone)
	b.status(ref, "rejected", "dixa", "")
	b.until(func() bool { return b.read(e).Dead == 2 }, "the delivery is dead-lettered and the endpoint stays active")

	k.answer(http.StatusServiceUnavailable)
	b.status(ref, "closed", "dixa", "")
	require.Equal(t, 1, b.deliver())
	require.Equal(t, 1, b.read(e).Waiting, "the delivery must be retried")

	k.answer(http.StatusUnauthorized)
	b.clock.Turn(time.Hour)
	require.Equal(t, 1, b.deliver())
	e = b.read(e)
	require.Equal(t, claim.EndpointPaused, e.State)
	require.Contains(t, e.Reason, "user and password")
	require.Equal(t, 1, e.Waiting, "the delivery must stay queued")

	k.answer(http.StatusOK)
	password, active := "another", claim.EndpointActive
	_, err := b.store.Endpoints.Patch(t.Context(), "acme", e.ID, claim.EndpointPatch{Password: &password, State: &active}, "")
	require.NoError(t, err)
	require.Equal(t, 1, b.deliver())
	last := k.all()[len(k.all())-1]
	require.Equal(t, put{"/v1/shops/acme/claims/c-1", "acme-user", "another", `{"status":"closed"}`}, last, "the user must not change")
	_, _, err = b.store.Endpoints.RotateSecret(t.Context(), "acme", e.ID, 0)
	var conflict *store.ConflictError
	require.ErrorAs(t, err, &conflict, "a Karla endpoint has no signing secret")
	_, err = b.store.CountOutdated(t.Context())
	require.NoError(t, err, "encrypted values must be re-encryptable")
}

func (b *bench) mailTo(server *mailtest.Server, address, shop string, types ...string) claim.Endpoint {
	b.Helper()
	parsed, err := mail.Parse(server.URL())
	require.NoError(b, err)
	b.out = b.deliverer(func(o *delivery.Options) { o.Mail = parsed })
	to, err := delivery.Mailto(address)
	require.NoError(b, err)
	e, secret, err := b.store.Endpoints.Create(b.Context(), shop, claim.NewEndpoint{Kind: claim.EndpointEmail, URL: to, EventTypes: types})
	require.NoError(b, err)
	require.Empty(b, secret)
	return e
}

func TestStaffReceivesEmails(t *testing.T) {
	t.Parallel()
	onEach(t, func(b *bench) {
		server := mailtest.New(b.T)
		b.mailTo(server, "staff@acme.example", "acme")
		ref := b.claim("c-1")
		b.change(ref, claim.EventPark, store.ClaimUpdate{
			Cause: claim.CauseDeadline, FallbackUsed: true, LastError: "internal error text",
			Outbox: []store.OutboxEvent{{Type: claim.OutboundOpened}, {Type: claim.OutboundNeedsAttention}, {Type: claim.OutboundFallback}},
		})
		require.Equal(b, 2, b.deliver(), "an opened claim must not send an email")
		got := server.Messages()
		require.Len(b, got, 2)
		for _, m := range got {
			require.Equal(b, "staff@acme.example", m.To)
			require.Contains(b, m.Header.Get("Subject"), "acme: claim "+ref.Reference())
			for _, part := range []string{ref.Reference(), "#c-1", ref.WorkflowID(), "starter claim retry", "deadline_passed"} {
				require.Contains(b, m.Body, part)
			}
			for _, personal := range []string{customer, "Ada", surname, "vase", "internal error text"} {
				require.NotContains(b, m.Header.Get("Subject")+m.Body, personal)
			}
			require.Contains(b, m.Header.Get("Message-Id"), "msg_")
		}
		require.Contains(b, got[0].Header.Get("Subject"), "needs attention")
		require.Contains(b, got[1].Header.Get("Subject"), "not open in Dixa")
	})
}

func TestEmailOfATest(t *testing.T) {
	t.Parallel()
	b := newBench(t, databases["memory"])
	server := mailtest.New(t)
	e := b.mailTo(server, "staff@acme.example", "acme")
	_, err := b.store.Deliveries.AddTest(t.Context(), "acme", e.ID)
	require.NoError(t, err)
	require.Equal(t, 1, b.deliver())
	require.Len(t, server.Messages(), 1)
	m := server.Messages()[0]
	require.Contains(t, m.Header.Get("Subject"), "acme: test of an email endpoint")
	require.Contains(t, m.Body, "No action is needed")
}

func TestRejectedMailbox(t *testing.T) {
	t.Parallel()
	b := newBench(t, databases["memory"])
	server := mailtest.New(t)
	e := b.mailTo(server, "gone@acme.example", "acme")
	refusal := "550 5.1.1 <gone@acme.example> unknown"
	server.Answer("RCPT", "451 later", refusal, refusal)
	b.events(b.claim("c-1"), 2)
	b.until(func() bool { return b.read(e).Dead == 1 }, "the delivery is dead-lettered")
	dead, _, err := b.store.Deliveries.List(t.Context(), "acme", e.ID, claim.DeliveryFilter{State: claim.DeliveryDead})
	require.NoError(t, err)
	require.Equal(t, 3, dead[0].Attempts)
	require.Contains(t, dead[0].LastError, "550")
	require.NotContains(t, dead[0].LastError, "acme.example")
	b.deliver()
	require.Len(t, server.Messages(), 1, "the next email was not sent")
}

func TestEmailsWaitWithoutMailServer(t *testing.T) {
	t.Parallel()
	b := newBench(t, databases["memory"])
	server := mailtest.New(t)
	e := b.mailTo(server, "staff@acme.example", "acme")
	configured := b.out
	b.out = b.deliverer()
	b.events(b.claim("c-1"), 1)
	require.Equal(t, 1, b.deliver())
	waiting, _, err := b.store.Deliveries.List(t.Context(), "acme", e.ID, claim.DeliveryFilter{})
	require.NoError(t, err)
	require.Contains(t, waiting[0].LastError, "CLAIMFLOW_SMTP_URL")
	b.out = configured
	b.clock.Turn(time.Minute)
	require.Equal(t, 1, b.deliver())
	require.Len(t, server.Messages(), 1)
}

func TestMailto(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"staff@acme.example", " mailto:staff@acme.example "} {
		got, err := delivery.Mailto(address)
		require.NoError(t, err)
		require.Equal(t, "mailto:staff@acme.example", got)
	}
	for _, address := range []string{"", "staff", "a@b.example,c@d.example", "Staff <a@b.example>", "mailto:a@b.example?bcc=c@d.example", "a@b.example\r\nBcc: c@d.example", "https://acme.example"} {
		_, err := delivery.Mailto(address)
		require.Error(t, err, address)
	}
}

func TestAttemptsAreObserved(t *testing.T) {
	t.Parallel()
	b := newBench(t, databases["memory"])
	var mu sync.Mutex
	seen := map[delivery.Attempt]int{}
	b.out = b.deliverer(func(o *delivery.Options) {
		o.Observe = func(a delivery.Attempt) {
			mu.Lock()
			defer mu.Unlock()
			seen[a]++
		}
	})
	b.karla(newKarla(t), "")
	r := newReceiver(t, answering(http.StatusBadRequest))
	e := b.endpoint(r)
	b.endpoint(newReceiver(t, nil))
	b.events(b.claim("c-1"), 1)
	b.until(func() bool { return b.read(e).Dead == 1 }, "the delivery is dead-lettered")
	require.Equal(t, map[delivery.Attempt]int{
		{Kind: claim.EndpointKarla, Result: delivery.Skipped}:     1,
		{Kind: claim.EndpointWebhook, Result: delivery.Delivered}: 1,
		{Kind: claim.EndpointWebhook, Result: delivery.Failed}:    2,
		{Kind: claim.EndpointWebhook, Result: delivery.Dead}:      1,
	}, seen)
}
