// Package dispatch brings what changed in the store to the workflows: it starts
// the workflow of any claim that has none, or has lost it, and nudges that of any
// claim that changed. The store is the truth and comes first, so that a claim is
// accepted while the engine is down, and starts when it is back.
package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
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
	ExecuteWorkflow(ctx context.Context, options client.StartWorkflowOptions, workflow any, args ...any) (client.WorkflowRun, error)
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
	// silence is how long nothing may be heard of a claim until its workflow is
	// made sure of, searchEvery how often such claims are looked for.
	silence     = 10 * time.Minute
	searchEvery = time.Minute
)

// Dispatcher carries changes from the store to the engine. Any number of them may
// run at once: a nudge has no content, so one too many does no harm.
type Dispatcher struct {
	store  *store.Store
	engine Engine
	log    *slog.Logger
	kick   chan struct{}

	searchEvery time.Duration

	mu       sync.Mutex
	down     bool
	searched time.Time
}

// Option changes a default of [New].
type Option func(*Dispatcher)

// SearchEvery sets how often claims that have lost their workflow are looked
// for. Defaults to a minute; zero looks in every round.
func SearchEvery(d time.Duration) Option { return func(to *Dispatcher) { to.searchEvery = d } }

// New makes a dispatcher; Run starts it.
func New(s *store.Store, e Engine, log *slog.Logger, opts ...Option) *Dispatcher {
	d := &Dispatcher{store: s, engine: e, log: log, kick: make(chan struct{}, 1), searchEvery: searchEvery}
	for _, o := range opts {
		o(d)
	}
	return d
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

// Once wakes parked claims whose settings changed, brings every claim that
// changed to its workflow and, now and then, starts workflows that were lost. A
// claim that the engine refuses does not keep the others back; an engine that
// cannot be reached is not asked for each of them.
func (d *Dispatcher) Once(ctx context.Context) error {
	if _, err := d.store.WakeParked(ctx); err != nil {
		return err
	}
	err := d.nudgeChanged(ctx)
	if unreachable(err) || ctx.Err() != nil || !d.searchDue() {
		return err
	}
	for {
		lost, listErr := d.store.Stranded(ctx, silence, batch)
		if listErr != nil {
			return errors.Join(err, listErr)
		}
		err = errors.Join(err, each(ctx, lost, d.ensure))
		if err != nil || len(lost) < batch {
			return err
		}
		// What came meanwhile does not wait for the end of the search.
		if err := d.nudgeChanged(ctx); err != nil {
			return err
		}
	}
}

// nudgeChanged brings every claim that changed to its workflow.
func (d *Dispatcher) nudgeChanged(ctx context.Context) error {
	for {
		nudges, err := d.store.Unsignalled(ctx, batch)
		if err != nil {
			return err
		}
		if err := each(ctx, nudges, d.nudge); err != nil || len(nudges) < batch {
			return err
		}
	}
}

// searchDue reports whether lost workflows are to be looked for, at most once in
// every searchEvery.
func (d *Dispatcher) searchDue() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	if now.Sub(d.searched) < d.searchEvery {
		return false
	}
	d.searched = now
	return true
}

// each brings claims to their workflows and returns the first error.
func each(ctx context.Context, nudges []store.Nudge, do func(context.Context, store.Nudge) error) error {
	var g errgroup.Group
	g.SetLimit(parallel)
	var gone atomic.Bool
	for _, n := range nudges {
		g.Go(func() error {
			if gone.Load() || ctx.Err() != nil {
				return ctx.Err()
			}
			err := do(ctx, n)
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

// nudge tells the claim's workflow that something changed, and starts it where
// it does not run.
func (d *Dispatcher) nudge(ctx context.Context, n store.Nudge) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	o := options(n)
	if _, err := d.engine.SignalWithStartWorkflow(ctx, o.ID, claim.SignalNudge, nil, o, claim.WorkflowName, n.Ref); err != nil {
		return fmt.Errorf("nudge the workflow of claim %s: %w", n.Ref, err)
	}
	return d.store.Signalled(ctx, n.Ref, n.Revision)
}

// ensure starts the claim's workflow where it does not run. One that runs does
// not notice, however often it is made sure of.
func (d *Dispatcher) ensure(ctx context.Context, n store.Nudge) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	o := options(n)
	o.WorkflowIDConflictPolicy = enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING
	if _, err := d.engine.ExecuteWorkflow(ctx, o, claim.WorkflowName, n.Ref); err != nil {
		return fmt.Errorf("make sure of the workflow of claim %s: %w", n.Ref, err)
	}
	return d.store.Signalled(ctx, n.Ref, n.Revision)
}

func options(n store.Nudge) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID:                    n.Ref.WorkflowID(),
		TaskQueue:             claim.TaskQueueClaims,
		StaticSummary:         workflows.Summary(n.Ref, n.Reason, n.OrderNumber),
		TypedSearchAttributes: workflows.StartAttributes(n.Ref, n.Reason, n.OrderNumber),
	}
}
