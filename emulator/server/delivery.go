package server

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// parcel is an event in transit to one subscription.
type parcel struct {
	webhookID string
	event     string
	eventID   string
	payload   []byte
	attempt   int // attempts already made
}

// deliveryQueue sends parcels one at a time. Without injected misbehavior or
// failures, they arrive in the order in which the events happened.
type deliveryQueue struct {
	mu      sync.Mutex
	changed *sync.Cond
	waiting []parcel
	held    []parcel // held back until after the next parcel
	open    int      // queued or late parcels that are not finished
	stopped bool
	done    chan struct{}
}

func (q *deliveryQueue) start(s *Server) {
	q.changed = sync.NewCond(&q.mu)
	q.done = make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-s.closing
		cancel()
		q.mu.Lock()
		q.stopped = true
		q.changed.Broadcast()
		q.mu.Unlock()
	}()
	go func() {
		defer close(q.done)
		for {
			next, more := q.next()
			if !more {
				return
			}
			s.send(ctx, next)
			q.finished()
		}
	}()
}

func (q *deliveryQueue) wait() { <-q.done }

func (q *deliveryQueue) next() (parcel, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting) == 0 && !q.stopped {
		q.changed.Wait()
	}
	if q.stopped {
		return parcel{}, false
	}
	next := q.waiting[0]
	q.waiting = q.waiting[1:]
	return next, true
}

func (q *deliveryQueue) add(held bool, parcels ...parcel) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.open += len(parcels)
	if held {
		q.held = append(q.held, parcels...)
		return
	}
	q.waiting = append(q.waiting, parcels...)
	q.waiting = append(q.waiting, q.held...)
	q.held = nil
	q.changed.Broadcast()
}

// expect counts n parcels that are added later.
func (q *deliveryQueue) expect(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.open += n
}

func (q *deliveryQueue) finished() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.open--
	q.changed.Broadcast()
}

// FlushDeliveries releases the events that the switch webhooks.reorder holds back
// and waits until all deliveries are finished or ctx ends. Late events count too, so
// a clock that stands still keeps it waiting.
func (s *Server) FlushDeliveries(ctx context.Context) error {
	q := &s.deliveries
	q.add(false)
	stop := context.AfterFunc(ctx, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.changed.Broadcast()
	})
	defer stop()
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.open > 0 && !q.stopped && ctx.Err() == nil {
		q.changed.Wait()
	}
	return ctx.Err()
}

// dispatch queues an event for a subscription, with the misbehavior that the
// switches request. The caller holds s.mu.
func (s *Server) dispatch(webhook *Webhook, event string, payload []byte) {
	how := s.switches.Webhooks
	struck := func(share float64) bool { return share > 0 && s.chance.Float64() < share }
	var envelope struct {
		EventID string `json:"event_id"`
	}
	_ = json.Unmarshal(payload, &envelope) // cannot fail: the payload was just marshaled
	if struck(how.Lose) {
		if how.LogLost {
			webhook.log(Delivery{Event: event, EventID: envelope.EventID, At: s.clock(), Text: noResponse, Payload: string(payload)}, how.KeptDeliveries)
		}
		return
	}
	parcels := []parcel{{webhookID: webhook.ID, event: event, eventID: envelope.EventID, payload: payload}}
	if struck(how.Duplicate) {
		parcels = append(parcels, parcels[0])
	}
	if struck(how.Late) {
		s.sendLater(time.Duration(how.LateBy), parcels...)
		return
	}
	s.deliveries.add(struck(how.Reorder), parcels...)
}

// Sign returns the X-DIXA-SIGNATURE value for a body: the time in milliseconds and
// the HMAC-SHA256 of "time.body" under the hex-decoded secret.
func Sign(secret string, at time.Time, body []byte) string {
	key, err := hex.DecodeString(secret)
	if err != nil {
		key = []byte(secret)
	}
	stamp := strconv.FormatInt(at.UnixMilli(), 10)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(stamp + "."))
	mac.Write(body)
	return "t=" + stamp + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

// sendLater queues parcels after a delay. The caller holds s.mu.
func (s *Server) sendLater(delay time.Duration, parcels ...parcel) {
	s.deliveries.expect(len(parcels))
	s.at(s.clock().Add(delay), func(time.Time) {
		s.deliveries.add(false, parcels...)
		s.deliveries.expect(-len(parcels))
	})
}

// send makes one delivery attempt. If it fails and attempts remain, send schedules
// the next one.
func (s *Server) send(ctx context.Context, p parcel) {
	s.mu.Lock()
	webhook, how, at := s.webhook(p.webhookID), s.switches.Webhooks, s.clock()
	var request *http.Request
	if webhook != nil && webhook.Enabled {
		request = webhook.request(ctx, at, p.payload)
	}
	s.mu.Unlock()
	if request == nil {
		return // deleted or disabled in the meantime
	}
	delivery := Delivery{Event: p.event, EventID: p.eventID, At: at, Payload: string(p.payload)}
	delivery.Code, delivery.Text = s.post(request, time.Duration(how.Timeout))
	delivery.Success = succeeds(how.Success, delivery.Code)

	s.mu.Lock()
	defer s.mu.Unlock()
	if webhook = s.webhook(p.webhookID); webhook == nil {
		return
	}
	webhook.log(delivery, how.KeptDeliveries)
	p.attempt++
	switch {
	case delivery.Success:
		webhook.GivenUp = 0
	case p.attempt < how.Attempts:
		s.sendLater(time.Duration(how.RetryDelay), p)
	default:
		webhook.GivenUp++
		if how.DisableAfter > 0 && webhook.GivenUp >= how.DisableAfter {
			webhook.Enabled = false
		}
	}
}

// succeeds reports whether the switch webhooks.success accepts a status code. Code 0
// means no response.
func succeeds(success string, code int) bool {
	switch success {
	case "200":
		return code == http.StatusOK
	case "any":
		return code != 0
	default:
		return code/100 == 2
	}
}

// log adds a delivery to the delivery logs and keeps only the latest ones, up to
// kept.
func (w *Webhook) log(delivery Delivery, kept int) {
	w.Deliveries = append([]Delivery{delivery}, w.Deliveries[:min(len(w.Deliveries), kept-1)]...)
}

func (w *Webhook) request(ctx context.Context, at time.Time, payload []byte) *http.Request {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(payload))
	if err != nil {
		return nil
	}
	for name, value := range w.Custom {
		request.Header.Set(name, value)
	}
	for name, value := range w.Headers {
		request.Header.Set(name, value)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "AHC/2.1")
	request.Header.Set("Accept", "*/*")
	request.Header.Set("X-Dixa-Signature", Sign(w.Secret, at, payload))
	request.Header.Set("X-Dixa-Subscription-Id", w.ID)
	return request
}

// noResponse is the text of an attempt without a response.
const noResponse = "no response"

func (s *Server) post(request *http.Request, timeout time.Duration) (code int, text string) {
	ctx, cancel := context.WithTimeout(request.Context(), timeout)
	defer cancel()
	response, err := s.client.Do(request.WithContext(ctx))
	if err != nil {
		return 0, noResponse
	}
	defer func() { _ = response.Body.Close() }() // the body is read as far as needed
	_, _ = io.CopyN(io.Discard, response.Body, 1<<16)
	return response.StatusCode, http.StatusText(response.StatusCode)
}

func lowerSnake(value string) string { return strings.ToLower(upperSnake(value)) }
