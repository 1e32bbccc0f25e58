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
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/internal/telemetry"
	"github.com/claimflow/claimflow/internal/toowner/delivery"
	"github.com/claimflow/claimflow/store"
)

const (
	// countEvery is how long a count is reused before the store is queried again,
	// countWithin how long that query may take.
	countEvery  = 30 * time.Second
	countWithin = 5 * time.Second
)

// storeGauges shows what read returned, no older than fresh, as metrics until hide is
// called. It shows nothing while read fails.
func storeGauges[T any](p *Parts, what string, fresh time.Duration, read func(context.Context) (T, error),
	show func(metric.Observer, T), instruments ...metric.Observable,
) (hide func(), err error) {
	var mu sync.Mutex
	var at time.Time
	var last T
	var lastErr error
	registration, err := meter(p.Telemetry).RegisterCallback(func(ctx context.Context, to metric.Observer) error {
		mu.Lock()
		defer mu.Unlock()
		if time.Since(at) >= fresh {
			ctx, cancel := context.WithTimeout(ctx, countWithin)
			defer cancel()
			if last, lastErr = read(ctx); lastErr != nil {
				p.Telemetry.Log.Warn("cannot read the store for the metrics", "metrics", what, "error", lastErr)
			}
			at = time.Now()
		}
		if lastErr == nil {
			show(to, last)
		}
		return nil
	}, instruments...)
	if err != nil {
		return nil, fmt.Errorf("set up the %s metrics: %w", what, err)
	}
	return func() {
		if err := registration.Unregister(); err != nil {
			p.Telemetry.Log.Warn("cannot unregister metrics", "metrics", what, "error", err)
		}
	}, nil
}

func meter(t *telemetry.Telemetry) metric.Meter { return t.Meters.Meter("claimflow") }

func label(key, value string) metric.MeasurementOption {
	return metric.WithAttributes(attribute.String(key, value))
}

// claimGauges show the number of claims, and of those that wait.
func (p *Parts) claimGauges() (hide func(), err error) {
	meter := meter(p.Telemetry)
	claims, err1 := meter.Int64ObservableGauge("claimflow.claims",
		metric.WithDescription("Claims by state and, for those that need attention, by cause."))
	undelivered, err2 := meter.Int64ObservableGauge("claimflow.undelivered.claims",
		metric.WithDescription("Claims with changes that their workflow has not received yet."))
	oldest, err3 := meter.Float64ObservableGauge("claimflow.oldest.unopened", metric.WithUnit("s"),
		metric.WithDescription("How long the oldest claim that is received or opening has waited; 0 if there is none."))
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, fmt.Errorf("set up the claim metrics: %w", err)
	}
	return storeGauges(p, "claim", countEvery, p.Store.Claims.Counts, func(to metric.Observer, now store.ClaimCounts) {
		for of, n := range now.Claims {
			to.ObserveInt64(claims, int64(n), label("state", string(of.State)), label("cause", string(of.Cause)))
		}
		to.ObserveInt64(undelivered, int64(now.Undelivered))
		to.ObserveFloat64(oldest, now.OldestUnopened.Seconds())
	}, claims, undelivered, oldest)
}

// deliveryGauges show waiting and dead deliveries and paused endpoints.
func (p *Parts) deliveryGauges() (hide func(), err error) {
	meter := meter(p.Telemetry)
	waiting, err1 := meter.Int64ObservableGauge("claimflow.deliveries.waiting",
		metric.WithDescription("Pending deliveries, including those to paused endpoints, by endpoint kind."))
	oldest, err2 := meter.Float64ObservableGauge("claimflow.deliveries.oldest.waiting", metric.WithUnit("s"),
		metric.WithDescription("Age of the oldest pending delivery; 0 if there is none."))
	dead, err3 := meter.Int64ObservableGauge("claimflow.deliveries.dead",
		metric.WithDescription("Dead deliveries that were not replayed, by endpoint kind."))
	paused, err4 := meter.Int64ObservableGauge("claimflow.endpoints.paused",
		metric.WithDescription("Paused endpoints, by kind."))
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return nil, fmt.Errorf("set up the delivery metrics: %w", err)
	}
	return storeGauges(p, "delivery", countEvery, p.Store.Deliveries.Counts, func(to metric.Observer, now map[claim.EndpointKind]store.DeliveryCounts) {
		for kind, n := range now {
			of := label("kind", string(kind))
			to.ObserveInt64(waiting, int64(n.Waiting), of)
			to.ObserveFloat64(oldest, n.Oldest.Seconds(), of)
			to.ObserveInt64(dead, int64(n.Dead), of)
			to.ObserveInt64(paused, int64(n.Paused), of)
		}
	}, waiting, oldest, dead, paused)
}

// connectionGauges show the lag of each connection's sweeps and the share of a token's
// requests that Dixa leaves to Claimflow.
func (p *Parts) connectionGauges() (hide func(), err error) {
	meter := meter(p.Telemetry)
	lag, err1 := meter.Float64ObservableGauge("claimflow.sweep.lag", metric.WithUnit("s"),
		metric.WithDescription("Time since a connection's activity log in Dixa was last read to its end."))
	share, err2 := meter.Float64ObservableGauge("claimflow.dixa.token.share", metric.WithUnit("{request}/s"),
		metric.WithDescription("Requests per second that Dixa leaves to Claimflow, by connection. Present only while Dixa rate-limits requests within Claimflow's own pace, which suggests that another program uses the token."))
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("set up the connection metrics: %w", err)
	}
	type connections struct {
		lags   map[string]time.Duration
		shares map[string]claim.TokenShare
	}
	read := func(ctx context.Context) (connections, error) {
		lags, err1 := p.Store.Sweeps.Lags(ctx)
		shares, err2 := p.Store.Budget.Shares(ctx)
		return connections{lags, shares}, errors.Join(err1, err2)
	}
	return storeGauges(p, "connection", 0, read, func(to metric.Observer, now connections) {
		for id, behind := range now.lags {
			to.ObserveFloat64(lag, behind.Seconds(), label("connection", id))
		}
		for id, left := range now.shares {
			to.ObserveFloat64(share, left.PerSecond, label("connection", id))
		}
	}, lag, share)
}

// observeDeliveries counts attempts to deliver an event.
func (p *Parts) observeDeliveries() (func(delivery.Attempt), error) {
	attempts, err := meter(p.Telemetry).Int64Counter("claimflow.deliveries",
		metric.WithDescription("Attempts to deliver an event, by endpoint kind and result."))
	if err != nil {
		return nil, fmt.Errorf("set up the delivery metrics: %w", err)
	}
	return func(a delivery.Attempt) {
		attempts.Add(context.Background(), 1, label("kind", string(a.Kind)), label("result", string(a.Result)))
	}, nil
}

// observeSweeps counts what sweeps repaired and requested, and measures their duration.
func (p *Parts) observeSweeps() (func(connectionID string, sweep claim.Sweep), error) {
	meter := meter(p.Telemetry)
	repaired, err1 := meter.Int64Counter("claimflow.sweep.repaired",
		metric.WithDescription("Changes that no webhook reported and subscriptions that sweeps repaired, by connection and kind."))
	duration, err2 := meter.Float64Histogram("claimflow.sweep.duration", metric.WithUnit("s"),
		metric.WithDescription("Duration of a sweep, by connection and whether it was complete."),
		metric.WithExplicitBucketBoundaries(1, 5, 15, 60, 300, 900, 3600))
	requests, err3 := meter.Int64Counter("claimflow.sweep.requests",
		metric.WithDescription("Requests that sweeps sent to Dixa, by connection."))
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, fmt.Errorf("set up the sweep metrics: %w", err)
	}
	return func(connectionID string, sweep claim.Sweep) {
		ctx, of := context.Background(), label("connection", connectionID)
		for kind, n := range sweep.Report.Repaired() {
			repaired.Add(ctx, int64(n), of, label("kind", kind))
		}
		requests.Add(ctx, int64(sweep.Report.Requests), of)
		duration.Record(ctx, sweep.FinishedAt.Sub(sweep.StartedAt).Seconds(),
			of, metric.WithAttributes(attribute.Bool("complete", sweep.Report.Trouble == "" && sweep.Report.Failed == 0)))
		if sweep.Report.Trouble != "" {
			p.Telemetry.Log.Warn("a sweep was incomplete; the next one continues from there", "connection", connectionID, "error", sweep.Report.Trouble)
		}
	}, nil
}

// observeCalls counts requests to Dixa by operation and outcome and measures their
// duration.
func observeCalls(t *telemetry.Telemetry) (func(dixa.Call), error) {
	duration, err := meter(t).Float64Histogram("claimflow.dixa.request.duration",
		metric.WithUnit("s"), metric.WithDescription("Duration of a request to Dixa, including the wait for the request budget."),
		metric.WithExplicitBucketBoundaries(0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30))
	if err != nil {
		return nil, fmt.Errorf("set up the Dixa request metric: %w", err)
	}
	return func(c dixa.Call) {
		outcome := "ok"
		if c.Err != nil {
			outcome = dixa.OutcomeOf(c.Err).String()
		}
		duration.Record(context.Background(), c.Duration.Seconds(), metric.WithAttributes(
			attribute.String("operation", c.Operation), attribute.Int("status", c.Status), attribute.String("outcome", outcome)))
		t.Log.Debug("request to Dixa", "operation", c.Operation, "status", c.Status, "outcome", outcome, "duration", c.Duration)
	}, nil
}
