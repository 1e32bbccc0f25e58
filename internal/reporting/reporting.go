// Package reporting evaluates KPIs over an organization's figures in the store, with
// the names of its agents and queues, its business hours, and how fresh the data is.
// It compares them with Dixa's own metrics.
package reporting

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/internal/todixa/connection"
	"github.com/claimflow/claimflow/kpi"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
)

// Service evaluates KPIs. Create it with its fields.
type Service struct {
	Store *store.Store
	// Clients ask Dixa for its own metrics.
	Clients *connection.Clients
	// Log receives a warning if values could not be kept. Defaults to none.
	Log *slog.Logger
}

// Evaluate answers a request about a connection. schedule is the id of the business
// hours for figures that count them; empty for the only one. The error is a
// [*claim.InvalidError] for a request that the definition does not allow. Finished
// buckets are kept in the store.
func (s *Service) Evaluate(ctx context.Context, connectionID string, d kpi.Definition, r kpi.Request, schedule string) (*kpi.Result, error) {
	e := kpi.Evaluator{Source: s.figures(ctx, connectionID), NotKept: func(err error) {
		if s.Log != nil {
			s.Log.WarnContext(ctx, "values of key figures were not kept", slog.String("connection", connectionID), slog.Any("error", err))
		}
	}}
	var err error
	if e.Directory, err = s.directory(ctx, connectionID, r); err != nil {
		return nil, err
	}
	if r.Hours == kpi.BusinessHours {
		if e.Hours, err = s.hours(ctx, connectionID, schedule); err != nil {
			return nil, err
		}
	}
	result, err := e.Evaluate(ctx, d, r)
	if err != nil {
		return nil, err
	}
	freshness, err := s.Store.Mirror.Freshness(ctx, connectionID)
	result.Freshness = &freshness
	return result, err
}

// Verify computes the kept values of a figure of a connection from the rows and compares
// them. It changes nothing.
func (s *Service) Verify(ctx context.Context, connectionID string, d kpi.Definition) (kpi.Verification, error) {
	return (&kpi.Evaluator{Source: s.figures(ctx, connectionID)}).Verify(ctx, d)
}

// directory reads the names and teams that a request needs.
func (s *Service) directory(ctx context.Context, connectionID string, r kpi.Request) (kpi.Directory, error) {
	d := kpi.Directory{AgentNames: map[string]string{}, QueueNames: map[string]string{}, AgentTeams: map[string][]string{}}
	for _, need := range []struct {
		dimension kpi.Dimension
		kind      mirror.DirectoryKind
		add       func(mirror.DirectoryEntry)
	}{
		{kpi.ByAgent, mirror.KindAgent, func(e mirror.DirectoryEntry) { d.AgentNames[e.ID] = e.Name }},
		{kpi.ByQueue, mirror.KindQueue, func(e mirror.DirectoryEntry) { d.QueueNames[e.ID] = e.Name }},
		{kpi.ByTeam, mirror.KindTeam, func(e mirror.DirectoryEntry) {
			for _, agent := range e.MemberIDs {
				d.AgentTeams[agent] = append(d.AgentTeams[agent], e.Name)
			}
		}},
	} {
		if r.By != need.dimension && r.Filters[need.dimension] == nil {
			continue
		}
		entries, err := s.Store.Mirror.Directory(ctx, connectionID, need.kind)
		if err != nil {
			return d, err
		}
		for _, e := range entries {
			need.add(e)
		}
	}
	return d, nil
}

// hours returns the versions of a schedule of business hours.
func (s *Service) hours(ctx context.Context, connectionID, schedule string) (kpi.History, error) {
	versions, err := s.Store.Mirror.Schedules(ctx, connectionID)
	if err != nil {
		return nil, err
	}
	ids := []string{}
	byID := map[string]kpi.History{}
	for _, v := range versions {
		parsed, err := kpi.ParseSchedule(v.Definition, v.ValidFrom)
		if err != nil {
			return nil, fmt.Errorf("read the business hours %s: %w", v.ID, err)
		}
		if byID[v.ID] == nil {
			ids = append(ids, v.ID)
		}
		byID[v.ID] = append(byID[v.ID], parsed)
	}
	if schedule == "" && len(ids) == 1 {
		schedule = ids[0]
	}
	if byID[schedule] == nil && len(ids) > 0 {
		return nil, &claim.InvalidError{What: "KPI request", Errors: []claim.FieldError{
			{Field: "schedule", Problem: "must be one of " + strings.Join(ids, ", ")},
		}}
	}
	return byID[schedule], nil
}
