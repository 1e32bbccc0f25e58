package delivery_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/internal/toowner/delivery"
	"github.com/claimflow/claimflow/store"
)

func TestEventContainsStateAtItsChange(t *testing.T) {
	t.Parallel()
	onEach(t, func(b *bench) {
		r := newReceiver(b.T, nil)
		b.endpoint(r)
		ref := b.claim("c-1")
		b.events(ref, 1)
		b.change(ref, claim.EventPark, store.ClaimUpdate{
			Cause: claim.CauseDeadline, FallbackUsed: true, LastError: "internal error text",
			Outbox: []store.OutboxEvent{{Type: claim.OutboundNeedsAttention}, {Type: claim.OutboundFallback}},
		})
		require.Equal(b, 3, b.deliver())

		got := r.taken()
		require.Len(b, got, 3)
		first, last := got[0].notice, got[2].notice
		require.Equal(b, claim.OutboundNeedsAttention, first.Type)
		require.Equal(b, b.clock.Now(), first.Timestamp)
		require.Equal(b, claim.NoticeData{
			Ref: ref, Sequence: 1, State: claim.StateNeedsAttention, Cause: claim.CauseDeadline, Advice: claim.CauseDeadline.Advice(),
			Reason: "damaged", OrderNumber: "#c-1", WorkflowID: ref.WorkflowID(), Reference: ref.Reference(),
		}, first.Data, "the event must contain the state at its change")
		require.Equal(b, claim.OutboundFallback, last.Type)
		require.True(b, last.Data.FallbackUsed)
		require.EqualValues(b, 3, last.Data.Sequence)
		for _, m := range got {
			for _, personal := range []string{customer, "Ada", surname, "vase", "internal error text"} {
				require.NotContains(b, string(m.body), personal)
			}
			require.True(b, strings.HasPrefix(m.id, "msg_"))
			require.Equal(b, "application/json", m.header.Get("Content-Type"))
		}
		require.Zero(b, b.deliver(), "an event was sent twice")
	})
}

func TestOrderIsKeptDespiteFailures(t *testing.T) {
	t.Parallel()
	onEach(t, func(b *bench) {
		var mu sync.Mutex
		random := rand.New(rand.NewPCG(1, 2))
		left := map[string]int{} // how often each event still fails, less than until it is given up
		r := newReceiver(b.T, func(w http.ResponseWriter, _ *http.Request, m message) {
			mu.Lock()
			defer mu.Unlock()
			if _, known := left[m.id]; !known {
				left[m.id] = random.IntN(4)
			}
			if left[m.id]--; left[m.id] >= 0 {
				w.WriteHeader([]int{500, 503, 429, 302, 408}[random.IntN(5)])
			}
		})
		b.endpoint(r)
		const claims, each = 6, 5
		want := map[string][]int64{}
		for i := range claims {
			ref := b.claim(fmt.Sprintf("c-%d", i))
			b.events(ref, each)
			want[ref.ID] = []int64{1, 2, 3, 4, 5}
		}
		b.until(func() bool { return len(r.taken()) == claims*each }, "every event is accepted")
		require.Equal(b, want, r.sequences())
	})
}

func TestFailingClaimDoesNotBlockOthers(t *testing.T) {
	t.Parallel()
	onEach(t, func(b *bench) {
		r := newReceiver(b.T, func(w http.ResponseWriter, _ *http.Request, m message) {
			if m.notice.Data.ID == "stuck" {
				w.WriteHeader(http.StatusInternalServerError)
			}
		})
		b.endpoint(r)
		b.events(b.claim("stuck"), 2)
		b.events(b.claim("free"), 3)
		b.deliver()
		require.Equal(b, map[string][]int64{"free": {1, 2, 3}}, r.sequences())
	})
}

func TestSlowEndpointDoesNotDelayOthers(t *testing.T) {
	t.Parallel()
	b := newBench(t, databases["memory"])
	release := make(chan struct{})
	slow := newReceiver(t, func(_ http.ResponseWriter, r *http.Request, _ message) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	took := make(chan struct{}, 10)
	quick := newReceiver(t, func(http.ResponseWriter, *http.Request, message) { took <- struct{}{} })
	b.endpoint(slow)
	b.endpoint(quick)
	for i := range 8 {
		b.events(b.claim(fmt.Sprintf("c-%d", i)), 1)
	}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { b.out.Run(ctx) })
	for range 8 {
		<-took
	}
	require.Empty(t, slow.taken())
	close(release)
	stop()
	running.Wait()
	require.NotEmpty(t, slow.taken(), "Run must wait for attempts in progress")
}

func TestResponseStatuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status   int
		attempts int // until it is dead-lettered
		problem  string
	}{
		"refused":           {http.StatusBadRequest, 3, "returned 400"},
		"not found":         {http.StatusNotFound, 3, "returned 404"},
		"redirect":          {http.StatusMovedPermanently, 12, "a redirect"},
		"server error":      {http.StatusBadGateway, 12, "returned 502"},
		"too many requests": {http.StatusTooManyRequests, 12, "returned 429"},
		"too early":         {http.StatusTooEarly, 12, "returned 425"},
		"request timeout":   {http.StatusRequestTimeout, 12, "returned 408"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, databases["memory"])
			answer := answering(test.status, "Location", "/elsewhere")
			r := newReceiver(t, func(w http.ResponseWriter, r *http.Request, m message) {
				if r.URL.Path != "/" {
					t.Errorf("followed a redirect to %s", r.URL.Path)
				}
				if m.notice.Data.ID == "bad" && m.notice.Data.Sequence == 1 {
					answer(w, r, m)
				}
			})
			r.URL += "/"
			e := b.endpoint(r)
			bad := b.claim("bad")
			b.events(bad, 2)
			// Other events keep the endpoint from being paused.
			good := b.claim("good")
			b.until(func() bool {
				b.events(good, 1)
				b.deliver()
				return b.read(e).Dead == 1
			}, "the delivery is dead-lettered")
			dead, _, err := b.store.Deliveries.List(t.Context(), "acme", e.ID, claim.DeliveryFilter{State: claim.DeliveryDead})
			require.NoError(t, err)
			require.Len(t, dead, 1)
			require.Equal(t, test.attempts, dead[0].Attempts)
			require.Equal(t, test.status, dead[0].LastStatus)
			require.Contains(t, dead[0].LastError, test.problem)
			require.NotContains(t, dead[0].LastError, "body of the endpoint's response")
			require.Contains(t, string(dead[0].Body), `"claim_id":"bad"`)
			b.deliver()
			require.Equal(t, []int64{2}, r.sequences()["bad"], "the next event was not delivered")
			require.Contains(t, b.log.String(), "dead-lettered")
		})
	}
}

func TestInvalidResponses(t *testing.T) {
	t.Parallel()
	hijack := func(text string) func(http.ResponseWriter, *http.Request, message) {
		return func(w http.ResponseWriter, _ *http.Request, _ message) {
			rec, ok := w.(*recorder)
			if !ok {
				return
			}
			rec.status = http.StatusInternalServerError // for the receiver's own count
			conn, _, err := http.NewResponseController(rec.ResponseWriter).Hijack()
			if err == nil {
				_, _ = conn.Write([]byte(text))
				_ = conn.Close()
			}
		}
	}
	for name, reply := range map[string]func(http.ResponseWriter, *http.Request, message){
		"garbage":            hijack("this is not HTTP\r\n\r\n"),
		"connection closed":  hijack(""),
		"truncated response": hijack("HTTP/1.1 2"),
		"too slow": func(w http.ResponseWriter, r *http.Request, _ message) {
			<-r.Context().Done()
			w.WriteHeader(http.StatusInternalServerError)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, databases["memory"])
			b.out = b.deliverer(func(o *delivery.Options) { o.Timeout = 200 * time.Millisecond })
			var well atomic.Bool
			r := newReceiver(t, func(w http.ResponseWriter, r *http.Request, m message) {
				if !well.Load() {
					reply(w, r, m)
				}
			})
			e := b.endpoint(r)
			b.events(b.claim("c-1"), 1)
			require.Equal(t, 1, b.deliver())
			waiting, _, err := b.store.Deliveries.List(t.Context(), "acme", e.ID, claim.DeliveryFilter{})
			require.NoError(t, err)
			require.Equal(t, claim.DeliveryWaiting, waiting[0].State)
			require.Zero(t, waiting[0].LastStatus)
			require.NotEmpty(t, waiting[0].LastError)
			require.NotContains(t, waiting[0].LastError, r.URL, "the error contains the endpoint's URL")
			well.Store(true)
			b.out = b.deliverer()
			b.clock.Turn(6 * time.Second)
			require.Equal(t, 1, b.deliver())
			require.Equal(t, map[string][]int64{"c-1": {1}}, r.sequences())
		})
	}
}

func TestScheduleAndRetryAfter(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		header   string
		min, max time.Duration
	}{
		"schedule":     {"", 4 * time.Second, 6 * time.Second},
		"seconds":      {"600", 10 * time.Minute, 10 * time.Minute},
		"capped":       {"86400", time.Hour, time.Hour},
		"not a number": {"soon", 4 * time.Second, 6 * time.Second},
		"negative":     {"-5", 4 * time.Second, 6 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, databases["memory"])
			r := newReceiver(t, answering(http.StatusServiceUnavailable, "Retry-After", test.header))
			e := b.endpoint(r)
			b.events(b.claim("c-1"), 1)
			require.Equal(t, 1, b.deliver())
			waiting, _, err := b.store.Deliveries.List(t.Context(), "acme", e.ID, claim.DeliveryFilter{})
			require.NoError(t, err)
			wait := waiting[0].NextAttemptAt.Sub(b.clock.Now())
			require.GreaterOrEqual(t, wait, test.min)
			require.LessOrEqual(t, wait, test.max)
			require.Zero(t, b.deliver(), "the delivery must not be due yet")
		})
	}
}

func TestRestartDuringDelivery(t *testing.T) {
	t.Parallel()
	onEach(t, func(b *bench) {
		r := newReceiver(b.T, nil)
		e := b.endpoint(r)
		ref := b.claim("c-1")
		b.events(ref, 3)
		// A process leased the first event and was killed before or after sending
		// it.
		parcels, err := b.store.Deliveries.Lease(b.Context(), e.ID, "killed", 10, time.Minute)
		require.NoError(b, err)
		require.Len(b, parcels, 1, "only one delivery per claim may be leased")
		require.Zero(b, b.deliver(), "an event overtook a leased delivery")
		b.clock.Turn(time.Minute)
		b.out = b.deliverer()
		require.Equal(b, 3, b.deliver())
		require.Equal(b, map[string][]int64{"c-1": {1, 2, 3}}, r.sequences())
		require.Equal(b, parcels[0].ID, r.taken()[0].id, "the retry changed the id")
		// Reports from the killed process have no effect.
		require.NoError(b, b.store.Deliveries.MarkDelivered(b.Context(), parcels[0].ID, "killed", 204))
		_, err = b.store.Deliveries.MarkFailed(b.Context(), parcels[0].ID, "killed", store.DeliveryFailure{Dead: true})
		require.NoError(b, err)
		require.Zero(b, b.read(e).Dead)
	})
}

func TestConcurrentDeliverers(t *testing.T) {
	t.Parallel()
	onEach(t, func(b *bench) {
		var n atomic.Int64
		r := newReceiver(b.T, func(w http.ResponseWriter, _ *http.Request, _ message) {
			if n.Add(1)%5 == 0 {
				w.WriteHeader(http.StatusBadGateway)
			}
		})
		b.endpoint(r)
		const claims, each = 10, 6
		want := map[string][]int64{}
		for i := range claims {
			ref := b.claim(fmt.Sprintf("c-%d", i))
			b.events(ref, each)
			want[ref.ID] = []int64{1, 2, 3, 4, 5, 6}
		}
		for len(r.taken()) < claims*each {
			var running sync.WaitGroup
			for range 3 {
				d := b.deliverer()
				running.Go(func() {
					if _, err := d.Once(b.Context()); err != nil {
						b.Errorf("deliver: %v", err)
					}
				})
			}
			running.Wait()
			b.clock.Turn(20 * time.Minute)
		}
		require.Equal(b, want, r.sequences(), "events arrived out of order or twice")
	})
}

func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	onEach(t, func(b *bench) {
		var well atomic.Bool
		r := newReceiver(b.T, func(w http.ResponseWriter, r *http.Request, m message) {
			if !well.Load() {
				answering(http.StatusInternalServerError)(w, r, m)
			}
		})
		e := b.endpoint(r)
		ref := b.claim("c-1")
		b.events(ref, 2)
		began := b.clock.Now()
		b.until(func() bool { return b.read(e).State == claim.EndpointPaused }, "the endpoint is paused")
		require.GreaterOrEqual(b, b.clock.Now().Sub(began), 24*time.Hour)
		require.Contains(b, b.read(e).Reason, "24 hours")
		require.Contains(b, b.log.String(), "endpoint paused")
		log, _, err := b.store.AuditLog.List(b.Context(), claim.AuditFilter{Action: "pause-endpoint"})
		require.NoError(b, err)
		require.Len(b, log, 1)
		require.Equal(b, e.ID, log[0].Target)

		b.events(ref, 1)
		well.Store(true)
		b.clock.Turn(48 * time.Hour)
		require.Zero(b, b.deliver(), "a paused endpoint received an event")
		resumed, err := b.store.Endpoints.Resume(b.Context(), "acme", e.ID)
		require.NoError(b, err)
		require.Equal(b, claim.EndpointActive, resumed.State)
		require.Empty(b, resumed.Reason)
		require.Equal(b, 3, resumed.Waiting)
		require.Equal(b, 3, b.deliver())
		require.Equal(b, map[string][]int64{"c-1": {1, 2, 3}}, r.sequences(), "delivery must resume where it stopped")
		require.Zero(b, b.read(e).FailingSince)
	})
}

func TestOldFailureDoesNotPause(t *testing.T) {
	t.Parallel()
	b := newBench(t, databases["memory"])
	r := newReceiver(t, answering(http.StatusNotFound))
	e := b.endpoint(r)
	for i := range 2 {
		b.events(b.claim(fmt.Sprintf("c-%d", i)), 1)
		b.until(func() bool { return b.read(e).Dead == i+1 }, "the delivery is dead-lettered")
		require.Equal(t, claim.EndpointActive, b.read(e).State, "a month without events must not pause the endpoint")
		b.clock.Turn(30 * 24 * time.Hour)
	}
}

func TestGonePausesEndpoint(t *testing.T) {
	t.Parallel()
	b := newBench(t, databases["memory"])
	r := newReceiver(t, answering(http.StatusGone))
	e := b.endpoint(r)
	b.events(b.claim("c-1"), 1)
	require.Equal(t, 1, b.deliver())
	e = b.read(e)
	require.Equal(t, claim.EndpointPaused, e.State)
	require.Contains(t, e.Reason, "410")
	require.Equal(t, 1, e.Waiting)
}

func TestRotationSignsWithBothSecrets(t *testing.T) {
	t.Parallel()
	onEach(t, func(b *bench) {
		old, fresh := newReceiver(b.T, nil), newReceiver(b.T, nil)
		e := b.endpoint(old)
		ref := b.claim("c-1")
		_, secret, err := b.store.Endpoints.RotateSecret(b.Context(), "acme", e.ID, 24*time.Hour)
		require.NoError(b, err)
		fresh.trust(secret)

		b.events(ref, 1)
		b.deliver() // the receiver knows only the old secret
		moved := fresh.URL
		_, err = b.store.Endpoints.Patch(b.Context(), "acme", e.ID, claim.EndpointPatch{URL: &moved}, "")
		require.NoError(b, err)
		b.events(ref, 1)
		b.deliver() // and this one only the new secret
		b.clock.Turn(24 * time.Hour)
		b.events(ref, 1)
		b.deliver()
		require.Len(b, old.taken(), 1)
		require.Len(b, fresh.taken(), 2)
		require.Len(b, strings.Fields(fresh.taken()[0].header.Get("Webhook-Signature")), 2)
		require.Len(b, strings.Fields(fresh.taken()[1].header.Get("Webhook-Signature")), 1, "the old secret must have expired")

		_, secret, err = b.store.Endpoints.RotateSecret(b.Context(), "acme", e.ID, 0)
		require.NoError(b, err)
		fresh.trust(secret)
		b.events(ref, 1)
		b.deliver()
		require.Len(b, strings.Fields(fresh.taken()[2].header.Get("Webhook-Signature")), 1, "the old secret must expire immediately")
		_, err = b.store.CountOutdated(b.Context())
		require.NoError(b, err, "encrypted values must be re-encryptable")
	})
}

func TestReplay(t *testing.T) {
	t.Parallel()
	onEach(t, func(b *bench) {
		ref := b.claim("c-1")
		b.events(ref, 1) // before the endpoint existed
		r := newReceiver(b.T, nil)
		e := b.endpoint(r)
		b.clock.Turn(time.Hour)
		since := b.clock.Now()
		b.events(ref, 2)
		b.clock.Turn(time.Hour)
		until := b.clock.Now()
		b.events(ref, 1)
		require.Equal(b, 3, b.deliver())
		ids := map[int64]string{}
		for _, m := range r.taken() {
			ids[m.notice.Data.Sequence] = m.id
		}

		n, err := b.store.Deliveries.Replay(b.Context(), "acme", e.ID, since, until)
		require.NoError(b, err)
		require.Equal(b, 2, n)
		require.Equal(b, 2, b.deliver())
		require.Equal(b, []int64{2, 3, 4, 2, 3}, r.sequences()["c-1"])
		for _, m := range r.taken() {
			require.Equal(b, ids[m.notice.Data.Sequence], m.id, "the replay changed the id")
		}
		n, err = b.store.Deliveries.Replay(b.Context(), "acme", e.ID, time.Time{}, time.Time{})
		require.NoError(b, err)
		require.Equal(b, 4, n)
		require.Equal(b, 4, b.deliver())
		require.Equal(b, []int64{2, 3, 4, 2, 3, 1, 2, 3, 4}, r.sequences()["c-1"], "the replay must include events from before the endpoint existed")
	})
}

func TestReplayDoesNotOvertakeAttemptInProgress(t *testing.T) {
	t.Parallel()
	onEach(t, func(b *bench) {
		r := newReceiver(b.T, nil)
		e := b.endpoint(r)
		ref := b.claim("c-1")
		b.events(ref, 1)
		require.Equal(b, 1, b.deliver())
		b.events(ref, 1)
		parcels, err := b.store.Deliveries.Lease(b.Context(), e.ID, "another process", 1, time.Minute)
		require.NoError(b, err)
		require.EqualValues(b, 2, parcels[0].Sequence)
		_, err = b.store.Deliveries.Replay(b.Context(), "acme", e.ID, time.Time{}, time.Time{})
		require.NoError(b, err)
		require.Zero(b, b.deliver(), "the first event must wait while the second is being sent")
		require.NoError(b, b.store.Deliveries.MarkDelivered(b.Context(), parcels[0].ID, "another process", 204))
		require.Equal(b, 1, b.deliver())
	})
}

func TestEndpointReceivesOnlyItsTypes(t *testing.T) {
	t.Parallel()
	onEach(t, func(b *bench) {
		_, err := b.store.Shops.Create(b.Context(), store.NewShop{Slug: "other", Feature: true})
		require.NoError(b, err)
		mine, platform, foreign := newReceiver(b.T, nil), newReceiver(b.T, nil), newReceiver(b.T, nil)
		b.endpoint(mine, claim.OutboundFallback)
		_, secret, err := b.store.Endpoints.Create(b.Context(), "", claim.NewEndpoint{URL: platform.URL})
		require.NoError(b, err)
		platform.trust(secret)
		_, _, err = b.store.Endpoints.Create(b.Context(), "other", claim.NewEndpoint{URL: foreign.URL})
		require.NoError(b, err)
		ref := b.claim("c-1")
		b.events(ref, 1)
		b.change(ref, claim.EventPark, store.ClaimUpdate{Cause: claim.CauseDeadline, Outbox: []store.OutboxEvent{{Type: claim.OutboundFallback}}})
		b.deliver()
		require.Equal(b, map[string][]int64{"c-1": {2}}, mine.sequences())
		require.Equal(b, map[string][]int64{"c-1": {1, 2}}, platform.sequences())
		require.Empty(b, foreign.all())
	})
}

func TestPrivateAddressIsBlocked(t *testing.T) {
	t.Parallel()
	b := newBench(t, databases["memory"])
	b.out = b.deliverer(func(o *delivery.Options) { o.AllowPrivate = false })
	r := newReceiver(t, nil)
	e := b.endpoint(r)
	b.events(b.claim("c-1"), 1)
	require.Equal(t, 1, b.deliver())
	require.Empty(t, r.all())
	got, _, err := b.store.Deliveries.List(t.Context(), "acme", e.ID, claim.DeliveryFilter{})
	require.NoError(t, err)
	require.Contains(t, got[0].LastError, "non-public")
}

func TestGuard(t *testing.T) {
	t.Parallel()
	for address, problem := range map[string]string{
		"https://203.0.113.7/":                         "non-public",
		"https://8.8.8.8/hook":                         "",
		"https://[2606:4700::1111]/":                   "",
		"http://8.8.8.8/hook":                          "https://",
		"https://127.0.0.1/":                           "non-public",
		"https://localhost/":                           "non-public",
		"https://localhost./":                          "non-public",
		"https://10.1.2.3:8443/":                       "non-public",
		"https://169.254.169.254/":                     "non-public",
		"https://[::1]/":                               "non-public",
		"https://[::ffff:127.0.0.1]/":                  "non-public",
		"https://[fe80::1%25eth0]/":                    "non-public",
		"https://user:secret@8.8.8.8/":                 "user name",
		"https://8.8.8.8/#part":                        "fragment",
		"ftp://8.8.8.8/":                               "must be a URL",
		"hook":                                         "must be a URL",
		"https://8.8.8.8/" + strings.Repeat("x", 2000): "must be a URL",
	} {
		err := delivery.NewGuard(false).Check(t.Context(), address)
		if problem == "" {
			require.NoError(t, err, address)
			continue
		}
		require.ErrorContains(t, err, problem, address)
		require.NotContains(t, err.Error(), "secret")
	}
	private := delivery.NewGuard(true)
	require.NoError(t, private.Check(t.Context(), "http://127.0.0.1:8080/"))
	require.NoError(t, private.Check(t.Context(), "http://10.1.2.3/"))
	require.Error(t, private.Check(t.Context(), "http://169.254.169.254/"), "the cloud metadata address must stay blocked")
}

func TestSecretsAreEncryptedAtRest(t *testing.T) {
	t.Parallel()
	dir := ""
	b := newBench(t, func(t *testing.T) string {
		t.Helper()
		dir = t.TempDir()
		return "sqlite:" + filepath.Join(dir, "claimflow.db")
	})
	e, first, err := b.store.Endpoints.Create(t.Context(), "acme", claim.NewEndpoint{URL: "https://hooks.example/token-in-the-path"})
	require.NoError(t, err)
	_, second, err := b.store.Endpoints.RotateSecret(t.Context(), "acme", e.ID, time.Hour)
	require.NoError(t, err)
	require.NotEqual(t, first, second)
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, secret := range []string{first, second, "token-in-the-path"} {
			require.NotContains(t, string(data), strings.TrimPrefix(secret, "whsec_"), file)
		}
	}
}

func TestScheduleMatchesDocumentation(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../docs/webhooks-out.md")
	require.NoError(t, err)
	words := make([]string, 0, 11)
	for _, d := range delivery.Schedule() {
		switch {
		case d < time.Minute:
			words = append(words, fmt.Sprintf("%d s", d/time.Second))
		case d < time.Hour:
			words = append(words, fmt.Sprintf("%d min", d/time.Minute))
		default:
			words = append(words, fmt.Sprintf("%d h", d/time.Hour))
		}
	}
	require.Contains(t, string(text), strings.Join(words, ", "))
	for _, kind := range claim.OutboundTypes() {
		require.Contains(t, string(text), "`"+kind+"`")
	}
}
