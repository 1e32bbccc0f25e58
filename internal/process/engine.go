package process

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/claimflow/claimflow/internal/nudge"
)

const (
	// askEvery is how often to retry while Temporal is unavailable, remindEvery how
	// often to log it.
	askEvery    = time.Second
	remindEvery = time.Minute
)

// reachEngine queries Temporal for the namespace, because a reachable Temporal may
// still lack it, and ensures that the namespace belongs to this store.
func (p *Parts) reachEngine(ctx context.Context) error {
	_, err := p.Temporal.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: p.Namespace})
	if err == nil {
		err = p.bind(ctx)
	}
	var foreign *ForeignNamespaceError
	if err == nil || errors.As(err, &foreign) {
		return err
	}
	switch _, advice := explain(err); advice {
	case "":
		return fmt.Errorf("Temporal cannot be reached at %s: %w", p.engineAddress, err) //nolint:staticcheck // Temporal is a name
	default:
		return fmt.Errorf("namespace %s on %s: %w: %s", p.Namespace, p.engineAddress, err, advice)
	}
}

// explain describes a namespace error briefly and advises a fix. The advice is empty
// if Temporal is unreachable.
func explain(err error) (state, advice string) {
	var missing *serviceerror.NamespaceNotFound
	var notFound *serviceerror.NotFound
	var denied *serviceerror.PermissionDenied
	var foreign *ForeignNamespaceError
	switch {
	case errors.As(err, &foreign):
		return "the namespace belongs to another store", "set TEMPORAL_NAMESPACE"
	case errors.As(err, &missing), errors.As(err, &notFound):
		return "the namespace does not exist", "create it or set TEMPORAL_NAMESPACE"
	case errors.As(err, &denied):
		return "the credentials have no access to the namespace", "correct TEMPORAL_API_KEY or the TLS certificate, or set TEMPORAL_NAMESPACE"
	default:
		return "unreachable", ""
	}
}

// engineState is the state for /readyz: whether claims reach Temporal.
func (p *Parts) engineState(ctx context.Context, d *nudge.Dispatcher) (string, error) {
	if err := p.reachEngine(ctx); err != nil {
		state, _ := explain(err)
		return state, err
	}
	if err := d.Err(); err != nil {
		return "reachable, but some claims could not be submitted", err
	}
	return "reachable", nil
}

// waitForEngine returns when the namespace is reachable and belongs to this store,
// or with a [ForeignNamespaceError] if it belongs to another. Until then it logs the
// reason when it changes, and every minute.
func (p *Parts) waitForEngine(ctx context.Context) error {
	var said string
	var at time.Time
	for {
		attempt, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := p.reachEngine(attempt)
		cancel()
		var foreign *ForeignNamespaceError
		if err == nil || errors.As(err, &foreign) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if state, _ := explain(err); state != said || time.Since(at) >= remindEvery {
			p.Telemetry.Log.Warn("waiting for Temporal and the namespace; claims are not processed until then (TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE)", "error", err)
			said, at = state, time.Now()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(askEvery):
		}
	}
}
