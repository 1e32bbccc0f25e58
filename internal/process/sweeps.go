package process

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/internal/fromdixa/subscription"
)

const (
	// scheduleEvery is how often schedules are reconciled with the connections.
	scheduleEvery = time.Minute
	// scheduleWithin bounds one reconciliation.
	scheduleWithin = 30 * time.Second
	// sweepCatchUp is how late a sweep may start after Temporal was unavailable; one
	// sweep makes up for all missed ones.
	sweepCatchUp = time.Minute
	// sweepNote is what the Temporal UI shows beside the schedule.
	sweepNote = "Finds what no webhook reported about this Dixa organisation. " +
		"Trigger it to reconcile now; pause it to spend no requests on it."
)

// sweeps returns the sweep activities with their metrics.
func (p *Parts) sweeps() (*activities.Sweeps, error) {
	meter := p.Telemetry.Meters.Meter("claimflow")
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
	return &activities.Sweeps{
		Store: p.Store, Clients: p.Clients, Subscriptions: subscription.New(p.Store.Subscriptions, p.Clients, p.Config.PublicURL),
		OnEnd: func(connectionID string, sweep claim.Sweep) {
			ctx, of := context.Background(), attribute.String("connection", connectionID)
			for kind, n := range sweep.Report.Repaired() {
				repaired.Add(ctx, int64(n), metric.WithAttributes(of, attribute.String("kind", kind)))
			}
			requests.Add(ctx, int64(sweep.Report.Requests), metric.WithAttributes(of))
			duration.Record(ctx, sweep.FinishedAt.Sub(sweep.StartedAt).Seconds(),
				metric.WithAttributes(of, attribute.Bool("complete", sweep.Report.Trouble == "" && sweep.Report.Failed == 0)))
			if sweep.Report.Trouble != "" {
				p.Telemetry.Log.Warn("a sweep was incomplete; the next one continues from there", "connection", connectionID, "error", sweep.Report.Trouble)
			}
		},
	}, nil
}

// observeConnections shows, as metrics, the lag of each connection's sweeps and the
// share of a token's requests that Dixa leaves to Claimflow. The returned function
// unregisters them.
func (p *Parts) observeConnections() (stop func(), err error) {
	meter := p.Telemetry.Meters.Meter("claimflow")
	lag, err1 := meter.Float64ObservableGauge("claimflow.sweep.lag", metric.WithUnit("s"),
		metric.WithDescription("Time since a connection's activity log in Dixa was last read to its end."))
	share, err2 := meter.Float64ObservableGauge("claimflow.dixa.token.share", metric.WithUnit("{request}/s"),
		metric.WithDescription("Requests per second that Dixa leaves to Claimflow, by connection. Present only while Dixa rate-limits requests within Claimflow's own pace, which suggests that another program uses the token."))
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("set up the connection metrics: %w", err)
	}
	registration, err := meter.RegisterCallback(func(ctx context.Context, to metric.Observer) error {
		ctx, cancel := context.WithTimeout(ctx, countWithin)
		defer cancel()
		lags, err1 := p.Store.Sweeps.Lags(ctx)
		shares, err2 := p.Store.Budget.Shares(ctx)
		if err := errors.Join(err1, err2); err != nil {
			p.Telemetry.Log.Warn("cannot read the connections for the metrics", "error", err)
			return nil
		}
		for id, behind := range lags {
			to.ObserveFloat64(lag, behind.Seconds(), metric.WithAttributes(attribute.String("connection", id)))
		}
		for id, left := range shares {
			to.ObserveFloat64(share, left.PerSecond, metric.WithAttributes(attribute.String("connection", id)))
		}
		return nil
	}, lag, share)
	if err != nil {
		return nil, fmt.Errorf("set up the connection metrics: %w", err)
	}
	return func() {
		if err := registration.Unregister(); err != nil {
			p.Telemetry.Log.Warn("cannot unregister the connection metrics", "error", err)
		}
	}, nil
}

// maintainSchedules maintains one schedule per connection that an enabled shop uses,
// until ctx ends. The worker does this because it sets up Temporal for its work, and
// without a worker no sweep runs. Any number of workers may do it at once.
func (p *Parts) maintainSchedules(ctx context.Context) {
	tick := time.NewTicker(scheduleEvery)
	defer tick.Stop()
	made := map[string]bool{}
	failing := false
	for {
		err := p.reconcileSchedules(ctx, made)
		if ctx.Err() != nil {
			return
		}
		if err != nil && !failing {
			p.Telemetry.Log.Warn("cannot reconcile the sweep schedules; retrying", "error", err)
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// reconcileSchedules creates missing schedules, updates those with another interval
// and deletes those that are not needed. made are the schedules that this process
// has already ensured.
func (p *Parts) reconcileSchedules(ctx context.Context, made map[string]bool) error {
	ctx, cancel := context.WithTimeout(ctx, scheduleWithin)
	defer cancel()
	wanted := map[string]bool{}
	if p.Config.SweepEvery > 0 {
		ids, err := p.Store.Sweeps.Connections(ctx)
		if err != nil {
			return err
		}
		for _, id := range ids {
			wanted[claim.SweepWorkflowID(id)] = true
		}
	}
	for id := range made {
		if !wanted[id] {
			delete(made, id)
		}
	}
	there, err := p.listSchedules(ctx)
	if err != nil {
		return err
	}
	for _, id := range there {
		if wanted[id] {
			continue
		}
		err := p.Temporal.ScheduleClient().GetHandle(ctx, id).Delete(ctx)
		if notFound := (*serviceerror.NotFound)(nil); err != nil && !errors.As(err, &notFound) {
			return fmt.Errorf("delete schedule %s: %w", id, err)
		}
	}
	for id := range wanted {
		if made[id] {
			continue
		}
		if err := p.ensureSchedule(ctx, id); err != nil {
			return fmt.Errorf("ensure schedule %s: %w", id, err)
		}
		made[id] = true
	}
	return nil
}

// listSchedules lists the schedules of sweeps. Temporal's list may lag: the next
// reconciliation deletes one that this one misses.
func (p *Parts) listSchedules(ctx context.Context) ([]string, error) {
	all, err := p.Temporal.ScheduleClient().List(ctx, client.ScheduleListOptions{PageSize: 1000})
	if err != nil {
		return nil, fmt.Errorf("list the schedules: %w", err)
	}
	var ids []string
	for all.HasNext() {
		entry, err := all.Next()
		if err != nil {
			return nil, fmt.Errorf("list the schedules: %w", err)
		}
		if strings.HasPrefix(entry.ID, claim.SweepWorkflowID("")) {
			ids = append(ids, entry.ID)
		}
	}
	return ids, nil
}

// ensureSchedule creates a schedule or updates it to the configured interval. A
// schedule that a person paused stays paused.
func (p *Parts) ensureSchedule(ctx context.Context, id string) error {
	every := p.Config.SweepEvery
	spec := client.ScheduleSpec{
		Intervals: []client.ScheduleIntervalSpec{{Every: every}},
		// Jitter keeps connections from starting at once.
		Jitter: every / 2,
	}
	schedules := p.Temporal.ScheduleClient()
	_, err := schedules.Create(ctx, client.ScheduleOptions{
		ID: id, Spec: spec,
		Action: &client.ScheduleWorkflowAction{
			ID: id, Workflow: claim.SweepWorkflowName, Args: []any{strings.TrimPrefix(id, claim.SweepWorkflowID(""))},
			TaskQueue: claim.TaskQueueClaims, StaticSummary: "Find events in Dixa that no webhook reported",
		},
		Note:          sweepNote,
		Overlap:       enumspb.SCHEDULE_OVERLAP_POLICY_SKIP,
		CatchupWindow: sweepCatchUp,
	})
	if !errors.Is(err, temporal.ErrScheduleAlreadyRunning) {
		return err
	}
	return schedules.GetHandle(ctx, id).Update(ctx, client.ScheduleUpdateOptions{
		DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
			now := in.Description.Schedule
			same := now.Spec != nil && len(now.Spec.Intervals) == 1 && now.Spec.Intervals[0].Every == every
			if now.State == nil {
				now.State = &client.ScheduleState{}
			}
			// The note of a paused schedule says who paused it and why.
			if same && (now.State.Paused || now.State.Note == sweepNote) {
				return nil, temporal.ErrSkipScheduleUpdate
			}
			now.Spec = &spec
			if !now.State.Paused {
				now.State.Note = sweepNote
			}
			return &client.ScheduleUpdate{Schedule: &now}, nil
		},
	})
}

// sweepNow starts a sweep of a connection. If one is running, another follows,
// because the running one may be about to end.
func (p *Parts) sweepNow(ctx context.Context, connectionID string) error {
	if err := p.bind(ctx); err != nil {
		return fmt.Errorf("start a sweep of connection %s: %w", connectionID, err)
	}
	id := claim.SweepWorkflowID(connectionID)
	_, err := p.Temporal.SignalWithStartWorkflow(ctx, id, claim.SignalSweep, nil, client.StartWorkflowOptions{
		ID: id, TaskQueue: claim.TaskQueueClaims, StaticSummary: "Find events in Dixa that no webhook reported",
	}, claim.SweepWorkflowName, connectionID)
	if err != nil {
		return fmt.Errorf("start a sweep of connection %s: %w", connectionID, err)
	}
	return nil
}
