package process

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
)

// startErasure starts the workflow of an erasure, unless it is running.
func (p *Parts) startErasure(ctx context.Context, e claim.Erasure) error {
	if err := p.bind(ctx); err != nil {
		return fmt.Errorf("start erasure %s: %w", e.ID, err)
	}
	_, err := p.Temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: e.WorkflowID(), TaskQueue: claim.TaskQueueClaims, StaticSummary: "Erase a customer of shop " + e.Shop,
	}, claim.ErasureWorkflowName, activities.ErasureRef{Shop: e.Shop, ID: e.ID}, e.DryRun)
	if err != nil {
		return fmt.Errorf("start erasure %s: %w", e.ID, err)
	}
	return nil
}

// startErasures starts the workflows of all erasures that have not ended.
func (p *Parts) startErasures(ctx context.Context) error {
	running, err := p.Store.Erasures.Running(ctx)
	for _, e := range running {
		err = errors.Join(err, p.startErasure(ctx, e))
	}
	return err
}

// deleteOldClaims deletes the content of claims that ended longer ago than their shop
// keeps it. A failure of one shop does not stop the others.
func (s *server) deleteOldClaims(ctx context.Context) error {
	kept, err := s.Store.Settings.Retentions(ctx)
	claims := 0
	for shop, age := range kept {
		n, failure := s.Store.Claims.DeleteContent(ctx, shop, time.Now().Add(-age))
		claims, err = claims+n, errors.Join(err, failure)
	}
	bodies, failure := s.Store.Inbox.DropAnonymizedBodies(ctx)
	if claims+bodies > 0 {
		s.Telemetry.Log.Info("deleted the content of old claims", "claims", claims, "events", bodies)
	}
	return errors.Join(err, failure)
}

// deleteExpiredRecords deletes the records that no data source selects any more.
func (s *server) deleteExpiredRecords(ctx context.Context) error {
	mirrored, err := s.Store.Mirror.Mirrored(ctx)
	conversations := 0
	for _, connection := range mirrored {
		n, failure := s.Store.Mirror.DeleteExpired(ctx, connection)
		conversations, err = conversations+n, errors.Join(err, failure)
	}
	if conversations > 0 {
		s.Telemetry.Log.Info("deleted records that no data source selects", "conversations", conversations)
	}
	return err
}
