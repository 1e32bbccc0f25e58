package process

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/internal/unify"
	"github.com/claimflow/claimflow/store"
)

const (
	// operationStartTime bounds the start of an operation's workflow, so that a request
	// does not wait for a Temporal that is away.
	operationStartTime = 5 * time.Second
	// lostAfter is how old an operation is before its workflow is started again. It does
	// nothing if the workflow is running.
	lostAfter = 30 * time.Second
)

// unified returns the service of the unified API.
func (p *Parts) unified() *unify.Service {
	return &unify.Service{Store: p.Store, Clients: p.Clients, PublicURL: p.Config.PublicURL, Start: p.startOperation}
}

// startOperation starts the workflow of an operation, unless it is running.
func (p *Parts) startOperation(ctx context.Context, ref store.OperationRef) error {
	ctx, cancel := context.WithTimeout(ctx, operationStartTime)
	defer cancel()
	if err := p.bind(ctx); err != nil {
		return fmt.Errorf("start operation %s: %w", ref.ID, err)
	}
	_, err := p.Temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: claim.OperationWorkflowID(ref.ID), TaskQueue: claim.TaskQueueClaims, StaticSummary: "Write to Dixa through the unified API",
	}, claim.OperationWorkflowName, ref)
	if err != nil {
		return fmt.Errorf("start operation %s: %w", ref.ID, err)
	}
	return nil
}

// startOperations starts the workflows of operations that have none.
func (p *Parts) startOperations(ctx context.Context) error {
	running, err := p.Store.Operations.Running(ctx, time.Now().Add(-lostAfter))
	for _, ref := range running {
		err = errors.Join(err, p.startOperation(ctx, ref))
	}
	return err
}
