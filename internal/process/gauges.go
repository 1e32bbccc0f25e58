package process

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/claimflow/claimflow/store"
)

const (
	// countEvery is how long a count is reused before the store is queried again,
	// countWithin how long that query may take.
	countEvery  = 30 * time.Second
	countWithin = 5 * time.Second
)

// claimCountCache is the last count of claims.
type claimCountCache struct {
	mu    sync.Mutex
	at    time.Time
	known bool
	last  store.ClaimCounts
}

// countClaims shows the number of claims, and of those that wait, as metrics. It
// omits them while the store cannot be read. The returned function unregisters them.
func (p *Parts) countClaims() (stop func(), err error) {
	meter := p.Telemetry.Meters.Meter("claimflow")
	claims, err1 := meter.Int64ObservableGauge("claimflow.claims",
		metric.WithDescription("Claims by state and, for those that need attention, by cause."))
	undelivered, err2 := meter.Int64ObservableGauge("claimflow.undelivered.claims",
		metric.WithDescription("Claims with changes that their workflow has not received yet."))
	oldest, err3 := meter.Float64ObservableGauge("claimflow.oldest.unopened", metric.WithUnit("s"),
		metric.WithDescription("How long the oldest claim that is received or opening has waited; 0 if there is none."))
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, fmt.Errorf("set up the claim metrics: %w", err)
	}
	var count claimCountCache
	registration, err := meter.RegisterCallback(func(ctx context.Context, to metric.Observer) error {
		now, known := p.count(ctx, &count)
		if !known {
			return nil
		}
		for of, n := range now.Claims {
			to.ObserveInt64(claims, int64(n), metric.WithAttributes(
				attribute.String("state", string(of.State)), attribute.String("cause", string(of.Cause))))
		}
		to.ObserveInt64(undelivered, int64(now.Undelivered))
		to.ObserveFloat64(oldest, now.OldestUnopened.Seconds())
		return nil
	}, claims, undelivered, oldest)
	if err != nil {
		return nil, fmt.Errorf("set up the claim metrics: %w", err)
	}
	return func() {
		if err := registration.Unregister(); err != nil {
			p.Telemetry.Log.Warn("cannot unregister the claim metrics", "error", err)
		}
	}, nil
}

// count reads the store if the last count is old, and reports whether the last read
// succeeded.
func (p *Parts) count(ctx context.Context, t *claimCountCache) (store.ClaimCounts, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if time.Since(t.at) < countEvery {
		return t.last, t.known
	}
	ctx, cancel := context.WithTimeout(ctx, countWithin)
	defer cancel()
	last, err := p.Store.Claims.Counts(ctx)
	if err != nil {
		p.Telemetry.Log.Warn("cannot count claims for the metrics", "error", err)
	}
	t.last, t.known, t.at = last, err == nil, time.Now()
	return t.last, t.known
}
