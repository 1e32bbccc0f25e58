// Package dispatch brings what changed in the store to the workflows: it starts
// the workflow of any claim that has none and nudges that of any claim that
// changed. The store is the truth and comes first, so that a claim is accepted
// while the engine is down, and starts when it is back.
package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/store"
	"github.com/claimflow/claimflow/workflows"
)

// Engine is what the dispatcher needs of a Temporal client.
type Engine interface {
	SignalWithStartWorkflow(ctx context.Context, workflowID, signalName string, signalArg any,
		options client.StartWorkflowOptions, workflow any, args ...any) (client.WorkflowRun, error)
}

const (
	// every is how often the store is looked at when nobody kicks.
	every = time.Second
	// batch is how many claims are read at once, parallel how many of them are
	// brought to the engine at once.
	batch    = 200
	parallel = 8
	// patience bounds one call to the engine.
	patience = 10 * time.Second
)

// Dispatcher carries changes from the store to the engine. Any number of them may
// run at once: a nudge has no content, so one too many does no harm.
type Dispatcher struct {
	store  *store.Store
	engine Engine
	log    *slog.Logger
	kick   chan struct{}

	mu   sync.Mutex
	down bool
}

// New makes a dispatcher; Run starts it.
func New(s *store.Store, e Engine, log *slog.Logger) *Dispatcher {
	return &Dispatcher{store: s, engine: e, log: log, kick: make(chan struct{}, 1)}
}

// Kick makes the dispatcher look at the store now. It never blocks.
func (d *Dispatcher) Kick() {
	select {
	case d.kick <- struct{}{}:
	default:
	}
}

// Run dispatches until ctx ends. Trouble with the store or the engine is logged
// once when it begins and once when it is over; nothing is lost by it.
func (d *Dispatcher) Run(ctx context.Context) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		err := d.Once(ctx)
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

func (d *Dispatcher) report(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case err != nil && !d.down:
		d.log.Warn("claims are accepted but not brought to Temporal; they wait in the store", "error", err)
	case err == nil && d.down:
		d.log.Info("claims are brought to Temporal again")
	}
	d.down = err != nil
}

// Once wakes parked claims whose settings changed and brings every claim that
// changed to its workflow. A claim that the engine refuses does not keep the
// others back; an engine that cannot be reached is not asked for each of them.
func (d *Dispatcher) Once(ctx context.Context) error {
	if _, err := d.store.WakeParked(ctx); err != nil {
		return err
	}
	for {
		nudges, err := d.store.Unsignalled(ctx, batch)
		if err != nil {
			return err
		}
		if err := d.nudgeAll(ctx, nudges); err != nil || len(nudges) < batch {
			return err
		}
	}
}

// nudgeAll brings claims to their workflows and returns the first error.
func (d *Dispatcher) nudgeAll(ctx context.Context, nudges []store.Nudge) error {
	var g errgroup.Group
	g.SetLimit(parallel)
	var gone atomic.Bool
	for _, n := range nudges {
		g.Go(func() error {
			if gone.Load() || ctx.Err() != nil {
				return ctx.Err()
			}
			err := d.nudge(ctx, n)
			if unreachable(err) {
				gone.Store(true)
			}
			return err
		})
	}
	return g.Wait()
}

func unreachable(err error) bool {
	var unavailable *serviceerror.Unavailable
	var late *serviceerror.DeadlineExceeded
	return errors.As(err, &unavailable) || errors.As(err, &late) || errors.Is(err, context.DeadlineExceeded)
}

func (d *Dispatcher) nudge(ctx context.Context, n store.Nudge) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	options := client.StartWorkflowOptions{
		ID:                    n.Ref.WorkflowID(),
		TaskQueue:             claim.TaskQueueClaims,
		StaticSummary:         workflows.Summary(n.Ref, n.Reason, n.OrderNumber),
		TypedSearchAttributes: workflows.StartAttributes(n.Ref, n.Reason, n.OrderNumber),
	}
	if _, err := d.engine.SignalWithStartWorkflow(ctx, options.ID, claim.SignalNudge, nil, options, claim.WorkflowName, n.Ref); err != nil {
		return fmt.Errorf("nudge the workflow of claim %s: %w", n.Ref, err)
	}
	return d.store.Signalled(ctx, n.Ref, n.Revision)
}
