package process

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/internal/toowner/delivery"
	"github.com/claimflow/claimflow/internal/toowner/mail"
	"github.com/claimflow/claimflow/store"
)

const (
	// deliveredFor is how long successful deliveries stay in the store. The last one
	// of each claim at an endpoint stays longer.
	deliveredFor = 30 * 24 * time.Hour
	// forgetEvery is how often old deliveries are deleted.
	forgetEvery = time.Hour
)

// mailServer returns the server that sends e-mails, or nil if none is configured.
func (p *Parts) mailServer() (*mail.Server, error) {
	address := p.Config.SMTPURL.Reveal()
	if address == "" {
		return nil, nil //nolint:nilnil // no server is no error
	}
	server, err := mail.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("CLAIMFLOW_SMTP_URL %w", err)
	}
	return server, nil
}

// countDeliveries counts attempts by endpoint kind and result, and shows waiting and
// dead deliveries and paused endpoints as metrics. The returned function unregisters
// the metrics.
func (p *Parts) countDeliveries() (observe func(delivery.Attempt), stop func(), err error) {
	meter := p.Telemetry.Meters.Meter("claimflow")
	attempts, err1 := meter.Int64Counter("claimflow.deliveries",
		metric.WithDescription("Attempts to deliver an event, by endpoint kind and result."))
	waiting, err2 := meter.Int64ObservableGauge("claimflow.deliveries.waiting",
		metric.WithDescription("Pending deliveries, including those to paused endpoints, by endpoint kind."))
	oldest, err3 := meter.Float64ObservableGauge("claimflow.deliveries.oldest.waiting", metric.WithUnit("s"),
		metric.WithDescription("Age of the oldest pending delivery; 0 if there is none."))
	dead, err4 := meter.Int64ObservableGauge("claimflow.deliveries.dead",
		metric.WithDescription("Dead deliveries that were not replayed, by endpoint kind."))
	paused, err5 := meter.Int64ObservableGauge("claimflow.endpoints.paused",
		metric.WithDescription("Paused endpoints, by kind."))
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		return nil, nil, fmt.Errorf("set up the delivery metrics: %w", err)
	}
	var count deliveryCount
	registration, err := meter.RegisterCallback(func(ctx context.Context, to metric.Observer) error {
		for kind, t := range count.read(ctx, p) {
			of := metric.WithAttributes(attribute.String("kind", string(kind)))
			to.ObserveInt64(waiting, int64(t.Waiting), of)
			to.ObserveFloat64(oldest, t.Oldest.Seconds(), of)
			to.ObserveInt64(dead, int64(t.Dead), of)
			to.ObserveInt64(paused, int64(t.Paused), of)
		}
		return nil
	}, waiting, oldest, dead, paused)
	if err != nil {
		return nil, nil, fmt.Errorf("set up the delivery metrics: %w", err)
	}
	observe = func(a delivery.Attempt) {
		attempts.Add(context.Background(), 1, metric.WithAttributes(
			attribute.String("kind", string(a.Kind)), attribute.String("result", string(a.Result))))
	}
	return observe, func() {
		if err := registration.Unregister(); err != nil {
			p.Telemetry.Log.Warn("cannot unregister the delivery metrics", "error", err)
		}
	}, nil
}

// deliveryCount is the last count of deliveries.
type deliveryCount struct {
	mu   sync.Mutex
	at   time.Time
	last map[claim.EndpointKind]store.DeliveryCounts
}

// read counts again if the last count is old. It returns nil while the store cannot
// be read.
func (c *deliveryCount) read(ctx context.Context, p *Parts) map[claim.EndpointKind]store.DeliveryCounts {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.at) < countEvery {
		return c.last
	}
	ctx, cancel := context.WithTimeout(ctx, countWithin)
	defer cancel()
	last, err := p.Store.Deliveries.Counts(ctx)
	if err != nil {
		p.Telemetry.Log.Warn("cannot count deliveries for the metrics", "error", err)
		last = nil
	}
	c.last, c.at = last, time.Now()
	return last
}

// forgetDelivered deletes old deliveries until ctx ends. It logs errors once when
// they start.
func (p *Parts) forgetDelivered(ctx context.Context) {
	tick := time.NewTicker(forgetEvery)
	defer tick.Stop()
	failing := false
	for {
		n, err := p.Store.Deliveries.DeleteDelivered(ctx, time.Now().Add(-deliveredFor))
		if ctx.Err() != nil {
			return
		}
		if err != nil && !failing {
			p.Telemetry.Log.Warn("cannot delete old deliveries; they will be deleted when the store is available", "error", err)
		}
		failing = err != nil
		if n > 0 {
			p.Telemetry.Log.Debug("deleted old deliveries", "deliveries", n)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
