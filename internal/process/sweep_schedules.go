package process

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/claimflow/claimflow/claim"
)

const (
	// scheduleWithin bounds one reconciliation.
	scheduleWithin = 30 * time.Second
	// sweepCatchUp is how late a sweep may start after Temporal was unavailable; one
	// sweep makes up for all missed ones.
	sweepCatchUp = time.Minute
	// sweepNote is what the Temporal UI shows beside the schedule.
	sweepNote = "Finds what no webhook reported about this Dixa organization. " +
		"Trigger it to reconcile now; pause it to spend no requests on it."
)

// sweepSchedules maintains one schedule per connection that an enabled shop uses. The
// worker does this because without a worker no sweep runs.
type sweepSchedules struct {
	*Parts
	made map[string]bool // the schedules that this process has already ensured
}

// reconcile creates missing schedules, updates those with another interval and deletes
// those that are not needed.
func (s *sweepSchedules) reconcile(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, scheduleWithin)
	defer cancel()
	wanted := map[string]bool{}
	if s.Config.SweepEvery > 0 {
		ids, err := s.Store.Sweeps.Connections(ctx)
		if err != nil {
			return err
		}
		for _, id := range ids {
			wanted[claim.SweepWorkflowID(id)] = true
		}
	}
	maps.DeleteFunc(s.made, func(id string, _ bool) bool { return !wanted[id] })
	there, err := s.list(ctx)
	if err != nil {
		return err
	}
	for _, id := range there {
		if wanted[id] {
			continue
		}
		err := s.Temporal.ScheduleClient().GetHandle(ctx, id).Delete(ctx)
		if err != nil && !isA[*serviceerror.NotFound](err) {
			return fmt.Errorf("delete schedule %s: %w", id, err)
		}
	}
	for id := range wanted {
		if s.made[id] {
			continue
		}
		if err := s.ensure(ctx, id); err != nil {
			return fmt.Errorf("ensure schedule %s: %w", id, err)
		}
		s.made[id] = true
	}
	return nil
}

// list lists the schedules of sweeps. Temporal's list may lag: the next
// reconciliation deletes one that this one misses.
func (s *sweepSchedules) list(ctx context.Context) ([]string, error) {
	all, err := s.Temporal.ScheduleClient().List(ctx, client.ScheduleListOptions{PageSize: 1000})
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

// ensure creates a schedule or updates it to the configured interval. A schedule that
// a person paused stays paused.
func (s *sweepSchedules) ensure(ctx context.Context, id string) error {
	every := s.Config.SweepEvery
	spec := client.ScheduleSpec{
		Intervals: []client.ScheduleIntervalSpec{{Every: every}},
		// Jitter keeps connections from starting at once.
		Jitter: every / 2,
	}
	schedules := s.Temporal.ScheduleClient()
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
