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

// reachTemporal queries Temporal for the namespace, because a reachable Temporal may
// still lack it, and ensures that the namespace belongs to this store.
func (p *Parts) reachTemporal(ctx context.Context) error {
	_, err := p.Temporal.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: p.Namespace})
	if err == nil {
		err = p.bind(ctx)
	}
	if err == nil || isA[*ForeignNamespaceError](err) {
		return err
	}
	if _, advice := explain(err); advice != "" {
		return fmt.Errorf("namespace %s on %s: %w: %s", p.Namespace, p.temporalAddress, err, advice)
	}
	return fmt.Errorf("Temporal cannot be reached at %s: %w", p.temporalAddress, err) //nolint:staticcheck // Temporal is a name
}

// explain describes a namespace error briefly and advises a fix. The advice is empty
// if Temporal is unreachable.
func explain(err error) (state, advice string) {
	switch {
	case isA[*ForeignNamespaceError](err):
		return "the namespace belongs to another store", "set TEMPORAL_NAMESPACE"
	case isA[*serviceerror.NamespaceNotFound](err), isA[*serviceerror.NotFound](err):
		return "the namespace does not exist", "create it or set TEMPORAL_NAMESPACE"
	case isA[*serviceerror.PermissionDenied](err):
		return "the credentials have no access to the namespace", "correct TEMPORAL_API_KEY or the TLS certificate, or set TEMPORAL_NAMESPACE"
	default:
		return "unreachable", ""
	}
}

// temporalState is the state for /readyz: whether claims reach Temporal.
func (p *Parts) temporalState(ctx context.Context, d *nudge.Dispatcher) (string, error) {
	if err := p.reachTemporal(ctx); err != nil {
		state, _ := explain(err)
		return state, err
	}
	if err := d.Err(); err != nil {
		return "reachable, but some claims could not be submitted", err
	}
	return "reachable", nil
}

// waitForTemporal returns when the namespace is reachable and belongs to this store,
// or when ctx ends, or with a [ForeignNamespaceError] if the namespace belongs to
// another store. Until then it logs the reason when it changes, and every minute.
func (p *Parts) waitForTemporal(ctx context.Context) error {
	var said string
	var at time.Time
	for {
		attempt, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := p.reachTemporal(attempt)
		cancel()
		if err == nil || isA[*ForeignNamespaceError](err) {
			return err
		}
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the end of ctx is no failure
		}
		if state, _ := explain(err); state != said || time.Since(at) >= remindEvery {
			p.Telemetry.Log.Warn("waiting for Temporal; no claims are processed until the server and the namespace are available (TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE)", "error", err)
			said, at = state, time.Now()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(askEvery):
		}
	}
}

func isA[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}
