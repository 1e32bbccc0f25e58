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

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
)

const (
	// scheduleWithin bounds one reconciliation.
	scheduleWithin = 30 * time.Second
	// scheduleCatchUp is how late a run may start after Temporal was unavailable; one
	// run makes up for all missed ones.
	scheduleCatchUp = time.Minute
)

// scheduled is a workflow that runs on a schedule per connection. The schedule has the
// id of the workflow.
type scheduled struct {
	workflow string
	// id returns the id of a connection's schedule.
	id func(connectionID string) string
	// input returns the workflow's argument.
	input func(connectionID string) any
	// every is the interval; 0 for no schedules.
	every time.Duration
	// connections lists the connections that need it.
	connections func(context.Context) ([]string, error)
	// summary is shown with each run, note beside the schedule.
	summary, note string
}

// scheduledWorkflows lists what runs on a schedule.
func (p *Parts) scheduledWorkflows() []scheduled {
	return []scheduled{
		{
			workflow: claim.SweepWorkflowName, id: claim.SweepWorkflowID, every: p.Config.SweepEvery,
			input:       func(connectionID string) any { return connectionID },
			connections: p.Store.Sweeps.Connections,
			summary:     "Find events in Dixa that no webhook reported",
			note: "Finds what no webhook reported about this Dixa organization. " +
				"Trigger it to reconcile now; pause it to spend no requests on it.",
		},
		{
			workflow: claim.ImportWorkflowName, id: claim.ImportWorkflowID, every: p.Config.ImportEvery,
			input: func(connectionID string) any {
				return activities.ImportPlan{ConnectionID: connectionID, Cause: claim.ImportScheduled}
			},
			connections: p.Store.DataSources.Connections,
			summary:     "Import what changed in this Dixa organization",
			note: "Imports what changed in this Dixa organization since the last import, for its data sources. " +
				"Trigger it to import now; pause it to spend no requests on it.",
		},
	}
}

// schedules maintains one schedule per connection of each scheduled workflow. The
// worker does this because without a worker nothing runs.
type schedules struct {
	*Parts
	made map[string]bool // the schedules that this process has already ensured
}

// reconcile creates missing schedules, updates those with another interval and deletes
// those that are not needed.
func (s *schedules) reconcile(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, scheduleWithin)
	defer cancel()
	there, err := s.list(ctx)
	if err != nil {
		return err
	}
	for _, w := range s.scheduledWorkflows() {
		if err := s.reconcileWorkflow(ctx, w, there); err != nil {
			return err
		}
	}
	return nil
}

func (s *schedules) reconcileWorkflow(ctx context.Context, w scheduled, there []string) error {
	wanted := map[string]string{} // connections by the ids of their schedules
	if w.every > 0 {
		ids, err := w.connections(ctx)
		if err != nil {
			return err
		}
		for _, id := range ids {
			wanted[w.id(id)] = id
		}
	}
	for _, id := range there {
		if !strings.HasPrefix(id, w.id("")) || wanted[id] != "" {
			continue
		}
		err := s.Temporal.ScheduleClient().GetHandle(ctx, id).Delete(ctx)
		if err != nil && !isA[*serviceerror.NotFound](err) {
			return fmt.Errorf("delete schedule %s: %w", id, err)
		}
	}
	maps.DeleteFunc(s.made, func(id string, _ bool) bool { return strings.HasPrefix(id, w.id("")) && wanted[id] == "" })
	for id, connection := range wanted {
		if s.made[id] {
			continue
		}
		if err := s.ensure(ctx, w, id, connection); err != nil {
			return fmt.Errorf("ensure schedule %s: %w", id, err)
		}
		s.made[id] = true
	}
	return nil
}

// list lists the schedules. Temporal's list may lag: the next reconciliation deletes
// one that this one misses.
func (s *schedules) list(ctx context.Context) ([]string, error) {
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
		ids = append(ids, entry.ID)
	}
	return ids, nil
}

// ensure creates a schedule or updates it to the configured interval. A schedule that
// a person paused stays paused.
func (s *schedules) ensure(ctx context.Context, w scheduled, id, connectionID string) error {
	spec := client.ScheduleSpec{
		Intervals: []client.ScheduleIntervalSpec{{Every: w.every}},
		// Jitter keeps connections from starting at once.
		Jitter: w.every / 2,
	}
	schedules := s.Temporal.ScheduleClient()
	_, err := schedules.Create(ctx, client.ScheduleOptions{
		ID: id, Spec: spec,
		Action: &client.ScheduleWorkflowAction{
			ID: id, Workflow: w.workflow, Args: []any{w.input(connectionID)},
			TaskQueue: claim.TaskQueueClaims, StaticSummary: w.summary,
		},
		Note:          w.note,
		Overlap:       enumspb.SCHEDULE_OVERLAP_POLICY_SKIP,
		CatchupWindow: scheduleCatchUp,
	})
	if !errors.Is(err, temporal.ErrScheduleAlreadyRunning) {
		return err
	}
	return schedules.GetHandle(ctx, id).Update(ctx, client.ScheduleUpdateOptions{
		DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
			now := in.Description.Schedule
			same := now.Spec != nil && len(now.Spec.Intervals) == 1 && now.Spec.Intervals[0].Every == w.every
			if now.State == nil {
				now.State = &client.ScheduleState{}
			}
			// The note of a paused schedule says who paused it and why.
			if same && (now.State.Paused || now.State.Note == w.note) {
				return nil, temporal.ErrSkipScheduleUpdate
			}
			now.Spec = &spec
			if !now.State.Paused {
				now.State.Note = w.note
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

// importNow requests an import of a connection. If one is running, another follows.
func (p *Parts) importNow(ctx context.Context, connectionID string, r claim.ImportRequest) error {
	return p.signalImport(ctx, activities.ImportPlan{ConnectionID: connectionID, Cause: claim.ImportRequested}, claim.SignalImportRequest, r)
}

// wakeImport makes a connection's import read its state again. An import whose workflow
// is lost starts again. If there is none, none begins.
func (p *Parts) wakeImport(ctx context.Context, connectionID string) error {
	return p.signalImport(ctx, activities.ImportPlan{ConnectionID: connectionID, Cause: claim.ImportRequested, Resume: true}, claim.SignalImport, nil)
}

func (p *Parts) signalImport(ctx context.Context, plan activities.ImportPlan, signal string, arg any) error {
	connectionID := plan.ConnectionID
	if err := p.bind(ctx); err != nil {
		return fmt.Errorf("reach the import of connection %s: %w", connectionID, err)
	}
	id := claim.ImportWorkflowID(connectionID)
	_, err := p.Temporal.SignalWithStartWorkflow(ctx, id, signal, arg, client.StartWorkflowOptions{
		ID: id, TaskQueue: claim.TaskQueueClaims, StaticSummary: "Import a Dixa organization",
	}, claim.ImportWorkflowName, plan)
	if err != nil {
		return fmt.Errorf("reach the import of connection %s: %w", connectionID, err)
	}
	return nil
}
