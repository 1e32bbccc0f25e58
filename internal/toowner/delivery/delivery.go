// Package delivery sends events to the endpoints of shops and of the platform: as
// signed Standard Webhooks, as claim statuses to Karla, or as emails.
//
// Events of one claim reach an endpoint in order: each waits until the previous one
// is delivered or dead-lettered. The same holds for the events of a connection.
// Claims do not wait for each other, nor do endpoints. An event may arrive twice,
// with the same webhook-id. All delivery state is in the store, so any number of
// deliverers may run, and be killed, at any time.
package delivery

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/internal/toowner/mail"
	"github.com/claimflow/claimflow/store"
)

const (
	// every is how often the store is polled without a kick.
	every = time.Second
	// perEndpoint bounds concurrent requests to one endpoint, inAll those to all.
	perEndpoint = 4
	inAll       = 256
	// defaultTimeout bounds an attempt from connecting to the end of the answer.
	defaultTimeout = 10 * time.Second
	// margin is how much longer a delivery's lease is than an attempt may take.
	margin = 30 * time.Second
	// noteWithin bounds recording the result of an attempt.
	noteWithin = 20 * time.Second
)

// Options configure a Deliverer.
type Options struct {
	// Log records paused endpoints, dead-lettered events and store errors. Required.
	Log *slog.Logger
	// AllowPrivate also sends to this machine and to private networks.
	AllowPrivate bool
	// Timeout bounds one attempt. Defaults to 10 s.
	Timeout time.Duration
	// Now returns the time used in signatures. Defaults to [time.Now].
	Now func() time.Time
	// Mail sends the emails. Without it they wait.
	Mail *mail.Server
	// Observe is called after every attempt, for metrics.
	Observe func(Attempt)
}

// Attempt is one attempt at a delivery.
type Attempt struct {
	Kind   claim.EndpointKind
	Result Result
}

// Result is the outcome of an attempt.
type Result string

// The results of an attempt.
const (
	Delivered Result = "delivered"
	Skipped   Result = "skipped" // nothing to send
	Failed    Result = "failed"  // will be retried
	Dead      Result = "dead"    // dead-lettered
)

// Deliverer sends due events. Create one with [New].
type Deliverer struct {
	store   *store.Store
	log     *slog.Logger
	senders map[claim.EndpointKind]sender
	observe func(Attempt)
	lease   time.Duration
	kick    chan struct{}

	running sync.WaitGroup
	mu      sync.Mutex
	busy    map[string]int // in-flight requests by endpoint
	total   int
	down    bool
}

// New creates a deliverer. Call Run to start it.
func New(s *store.Store, o Options) *Deliverer {
	o.Timeout = cmp.Or(o.Timeout, defaultTimeout)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Observe == nil {
		o.Observe = func(Attempt) {}
	}
	return &Deliverer{
		store: s, log: o.Log, senders: newSenders(s, o), observe: o.Observe, lease: mailPatience*o.Timeout + margin,
		kick: make(chan struct{}, 1), busy: map[string]int{},
	}
}

// Kick makes the deliverer poll the store now. It never blocks.
func (d *Deliverer) Kick() {
	select {
	case d.kick <- struct{}{}:
	default:
	}
}

// Run delivers until ctx ends, then waits for in-flight attempts. It logs store
// errors once when they start and once when they end.
func (d *Deliverer) Run(ctx context.Context) {
	defer d.running.Wait()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		_, err := d.start(ctx)
		if ctx.Err() != nil {
			return
		}
		d.report(err)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-d.kick:
		}
	}
}

func (d *Deliverer) report(err error) {
	if err != nil && !d.down {
		d.log.Warn("cannot deliver events to claim owners; they stay queued in the store", "error", err)
	}
	if err == nil && d.down {
		d.log.Info("event delivery has resumed")
	}
	d.down = err != nil
}

// start starts due attempts while there is room.
func (d *Deliverer) start(ctx context.Context) (int, error) {
	endpoints, err := d.store.Deliveries.DueEndpoints(ctx)
	if err != nil {
		return 0, err
	}
	started := 0
	for _, id := range endpoints {
		room := d.reserve(id)
		if room == 0 {
			continue
		}
		// A holder per lease keeps the result of an attempt with an expired lease
		// from counting as the next attempt's.
		holder := uuid.NewString()
		parcels, err := d.store.Deliveries.Lease(ctx, id, holder, room, d.lease)
		d.release(id, room-len(parcels))
		if err != nil {
			return started, err
		}
		started += len(parcels)
		for _, p := range parcels {
			d.running.Go(func() {
				defer d.Kick()
				defer d.release(id, 1)
				d.attempt(context.WithoutCancel(ctx), holder, p)
			})
		}
	}
	return started, nil
}

// reserve reserves the available room for an endpoint.
func (d *Deliverer) reserve(id string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	room := max(0, min(perEndpoint-d.busy[id], inAll-d.total))
	d.busy[id] += room
	d.total += room
	return room
}

func (d *Deliverer) release(id string, n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.total -= n
	if d.busy[id] -= n; d.busy[id] == 0 {
		delete(d.busy, id)
	}
}

// attempt sends a parcel and records the result. Shutdown does not interrupt it,
// because an unrecorded answer means a second attempt.
func (d *Deliverer) attempt(ctx context.Context, holder string, p store.LeasedDelivery) {
	a := d.senders[p.Kind].send(ctx, p)
	ctx, cancel := context.WithTimeout(ctx, noteWithin)
	defer cancel()
	if a.skip != "" || a.ok() {
		d.recordDelivered(ctx, holder, p, a)
		return
	}
	f := a.failure(p.Attempts + 1)
	paused, err := d.store.Deliveries.MarkFailed(ctx, p.ID, holder, f)
	if err != nil {
		d.log.Warn("cannot record a failed delivery attempt; the delivery will be retried soon", "endpoint", p.EndpointID, "delivery", p.ID, "error", err)
		return
	}
	result := Failed
	if f.Dead {
		result = Dead
	}
	d.observe(Attempt{Kind: p.Kind, Result: result})
	if f.Dead {
		d.log.Warn("delivery dead-lettered; replay the event to send it again", "endpoint", p.EndpointID, "delivery", p.ID,
			"shop", p.Ref.Shop, "claim", p.Ref.ID, "sequence", p.Sequence, "type", p.Type, "problem", f.Error)
	}
	if paused != "" {
		d.notePause(ctx, p, paused)
	}
}

func (d *Deliverer) recordDelivered(ctx context.Context, holder string, p store.LeasedDelivery, a attemptResult) {
	result := Delivered
	var err error
	if a.skip != "" {
		result, err = Skipped, d.store.Deliveries.MarkSkipped(ctx, p.ID, holder, a.skip)
	} else {
		err = d.store.Deliveries.MarkDelivered(ctx, p.ID, holder, a.status)
	}
	if err != nil {
		d.log.Warn("cannot record a successful delivery; the event will be sent again", "endpoint", p.EndpointID, "delivery", p.ID, "error", err)
		return
	}
	d.observe(Attempt{Kind: p.Kind, Result: result})
}

// notePause reports a paused endpoint in the log and the audit log.
func (d *Deliverer) notePause(ctx context.Context, p store.LeasedDelivery, reason string) {
	d.log.Warn("endpoint paused; its events stay queued", "endpoint", p.EndpointID, "shop", p.Shop, "reason", reason)
	err := d.store.AuditLog.Append(ctx, claim.AuditEntry{
		Actor: "claimflow", Action: "pause-endpoint", Shop: p.Shop, Target: p.EndpointID, Details: map[string]string{"reason": reason},
	})
	if err != nil {
		d.log.Warn("cannot write the endpoint pause to the audit log", "endpoint", p.EndpointID, "error", err)
	}
}
