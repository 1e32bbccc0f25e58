// Package nudge notifies Temporal of changed claims. It starts the workflow of each
// claim that has none or has lost it, and signals the workflow of each claim that
// changed. The store is written first: claims are accepted while Temporal is down,
// and their workflows start when it is back.
package nudge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/store"
	"github.com/claimflow/claimflow/workflows"
)

// Engine is the part of the Temporal client that the dispatcher uses.
type Engine interface {
	SignalWithStartWorkflow(ctx context.Context, workflowID, signalName string, signalArg any,
		options client.StartWorkflowOptions, workflow any, args ...any) (client.WorkflowRun, error)
	ExecuteWorkflow(ctx context.Context, options client.StartWorkflowOptions, workflow any, args ...any) (client.WorkflowRun, error)
}

const (
	// every is how often the store is polled without a kick.
	every = time.Second
	// batch is how many claims are read at once, parallel how many of them are
	// submitted to Temporal at once.
	batch    = 200
	parallel = 8
	// patience bounds one call to Temporal.
	patience = 10 * time.Second
	// silence is how long a claim may show no activity before its workflow is
	// ensured, searchEvery how often such claims are queried.
	silence     = 10 * time.Minute
	searchEvery = time.Minute
)

// Dispatcher carries changes from the store to Temporal. Any number of dispatchers
// may run at once: a nudge has no content, so a duplicate is harmless.
type Dispatcher struct {
	store  *store.Store
	engine Engine
	log    *slog.Logger
	kick   chan struct{}

	searchEvery time.Duration

	mu         sync.Mutex
	lastErrors *roundErrors // in the last round of Run
	searched   time.Time
}

// Option changes a default of [New].
type Option func(*Dispatcher)

// WithSearchInterval sets how often to search for claims that have lost their workflow.
// Defaults to a minute; zero searches in every round.
func WithSearchInterval(d time.Duration) Option { return func(to *Dispatcher) { to.searchEvery = d } }

// New creates a dispatcher. Call Run to start it.
func New(s *store.Store, e Engine, log *slog.Logger, opts ...Option) *Dispatcher {
	d := &Dispatcher{store: s, engine: e, log: log, kick: make(chan struct{}, 1), searchEvery: searchEvery, lastErrors: &roundErrors{}}
	for _, o := range opts {
		o(d)
	}
	return d
}

// Kick makes the dispatcher poll the store now. It never blocks.
func (d *Dispatcher) Kick() {
	select {
	case d.kick <- struct{}{}:
	default:
	}
}

// Run dispatches until ctx ends. It logs each kind of store or Temporal error once
// when it starts, and logs once when all errors have cleared. Errors lose no
// changes.
func (d *Dispatcher) Run(ctx context.Context) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		met := d.round(ctx)
		if ctx.Err() != nil {
			return
		}
		d.report(met)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-d.kick:
		}
	}
}

// Err returns the errors of the last round of Run, or nil if there were none.
func (d *Dispatcher) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.lastErrors.err()
}

func (d *Dispatcher) report(met *roundErrors) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for kind, err := range met.first {
		if _, known := d.lastErrors.first[kind]; !known {
			d.log.Warn("could not notify Temporal of changed claims; they wait in the store", "error", err)
		}
	}
	if len(met.first) == 0 && len(d.lastErrors.first) > 0 {
		d.log.Info("Temporal is being notified of changed claims again")
	}
	d.lastErrors = met
}

// Once wakes parked claims whose settings changed, assigns events from Dixa to their
// claims, signals the workflow of every claim that changed and, periodically,
// restarts lost workflows. If Temporal rejects a claim, the others still proceed. If
// Temporal is unreachable or lacks the namespace, the remaining claims are skipped.
// The error joins the first of each kind.
func (d *Dispatcher) Once(ctx context.Context) error { return d.round(ctx).err() }

func (d *Dispatcher) round(ctx context.Context) *roundErrors {
	met := &roundErrors{}
	if _, err := d.store.Nudges.WakeParked(ctx); err != nil {
		met.add(err)
		return met
	}
	for more := true; more && ctx.Err() == nil; {
		var err error
		if more, err = d.store.Inbox.Join(ctx, batch); err != nil {
			met.add(err)
			return met
		}
	}
	refused := map[claim.Ref]bool{}
	more := true
	for more {
		more = d.dispatchBatch(ctx, met, refused, d.store.Nudges.Due, d.nudge)
	}
	if met.stop() || ctx.Err() != nil || !d.searchDue() {
		return met
	}
	lost := func(ctx context.Context, limit int) ([]store.Nudge, error) {
		return d.store.Nudges.Stranded(ctx, silence, limit)
	}
	stillLost := map[claim.Ref]bool{}
	for d.dispatchBatch(ctx, met, stillLost, lost, d.ensureWorkflow) {
		// New changes do not wait for the end of the search.
		for d.dispatchBatch(ctx, met, refused, d.store.Nudges.Due, d.nudge) {
		}
	}
	return met
}

// dispatchBatch submits the next claims of a list to their workflows and reports whether
// there may be more. Rejected claims are remembered and stay in the list, so the
// limit grows by their number: rejected claims never block the ones after them.
func (d *Dispatcher) dispatchBatch(ctx context.Context, met *roundErrors, refused map[claim.Ref]bool,
	list func(ctx context.Context, limit int) ([]store.Nudge, error), do func(context.Context, store.Nudge) error,
) (more bool) {
	if met.stop() || ctx.Err() != nil {
		return false
	}
	limit := batch + len(refused)
	listed, err := list(ctx, limit)
	if err != nil {
		met.add(err)
		return false
	}
	more = len(listed) == limit
	var g errgroup.Group
	g.SetLimit(parallel)
	var mu sync.Mutex
	for _, n := range slices.DeleteFunc(listed, func(n store.Nudge) bool { return refused[n.Ref] }) {
		g.Go(func() error {
			if met.stop() || ctx.Err() != nil {
				return nil
			}
			if err := do(ctx, n); err != nil {
				met.add(err)
				mu.Lock()
				defer mu.Unlock()
				refused[n.Ref] = true
			}
			return nil
		})
	}
	met.add(g.Wait())
	return more
}

// searchDue reports whether to search for lost workflows now, at most once per
// searchEvery.
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

// nudge signals the claim's workflow that something changed, and starts the workflow
// if it is not running. A workflow that is started reads the claim first, so that a
// new claim needs no signal.
func (d *Dispatcher) nudge(ctx context.Context, n store.Nudge) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	o := options(n)
	if n.New {
		o.WorkflowIDConflictPolicy = enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL
		o.WorkflowExecutionErrorWhenAlreadyStarted = true
		_, err := d.engine.ExecuteWorkflow(ctx, o, claim.WorkflowName, n.Ref)
		var running *serviceerror.WorkflowExecutionAlreadyStarted
		if err == nil {
			return d.store.Nudges.MarkSent(ctx, n.Ref, n.Revision)
		}
		if !errors.As(err, &running) {
			return fmt.Errorf("start the workflow of claim %s: %w", n.Ref, err)
		}
		o = options(n)
	}
	if _, err := d.engine.SignalWithStartWorkflow(ctx, o.ID, claim.SignalNudge, nil, o, claim.WorkflowName, n.Ref); err != nil {
		return fmt.Errorf("nudge the workflow of claim %s: %w", n.Ref, err)
	}
	return d.store.Nudges.MarkSent(ctx, n.Ref, n.Revision)
}

// ensureWorkflow starts the claim's workflow if it is not running. A running workflow is
// unaffected.
func (d *Dispatcher) ensureWorkflow(ctx context.Context, n store.Nudge) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	o := options(n)
	o.WorkflowIDConflictPolicy = enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING
	if _, err := d.engine.ExecuteWorkflow(ctx, o, claim.WorkflowName, n.Ref); err != nil {
		return fmt.Errorf("ensure the workflow of claim %s: %w", n.Ref, err)
	}
	return d.store.Nudges.MarkSent(ctx, n.Ref, n.Revision)
}

func options(n store.Nudge) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID:                    n.Ref.WorkflowID(),
		TaskQueue:             claim.TaskQueueClaims,
		StaticSummary:         workflows.Summary(n.Ref, n.Reason, n.OrderNumber),
		TypedSearchAttributes: workflows.StartAttributes(n.Ref, n.Reason, n.OrderNumber),
	}
}
