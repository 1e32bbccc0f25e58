// Package reporting evaluates KPIs over an organization's figures in the store, with
// the names of its agents and queues, its business hours, and how fresh the data is.
// It compares them with Dixa's own metrics.
package reporting

import (
	"context"
	"errors"
	"fmt"
	"time"

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
}

// Evaluate answers a request about a connection. schedule is the id of the business
// hours for figures that count them; empty for the only one. The error is a
// [*claim.InvalidError] for a request that the definition does not allow.
func (s *Service) Evaluate(ctx context.Context, connectionID string, d kpi.Definition, r kpi.Request, schedule string) (*kpi.Result, error) {
	e := kpi.Evaluator{Source: s.Store.Mirror.Figures(connectionID)}
	var err error
	if e.Directory, err = s.directory(ctx, connectionID); err != nil {
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
	result.Freshness, err = s.Freshness(ctx, connectionID)
	return result, err
}

// directory reads the names of agents and queues, and the teams.
func (s *Service) directory(ctx context.Context, connectionID string) (kpi.Directory, error) {
	d := kpi.Directory{AgentNames: map[string]string{}, QueueNames: map[string]string{}, AgentTeams: map[string][]string{}}
	for kind, add := range map[mirror.DirectoryKind]func(mirror.DirectoryEntry){
		mirror.KindAgent: func(e mirror.DirectoryEntry) { d.AgentNames[e.ID] = e.Name },
		mirror.KindQueue: func(e mirror.DirectoryEntry) { d.QueueNames[e.ID] = e.Name },
		mirror.KindTeam: func(e mirror.DirectoryEntry) {
			for _, agent := range e.MemberIDs {
				d.AgentTeams[agent] = append(d.AgentTeams[agent], e.Name)
			}
		},
	} {
		entries, err := s.Store.Mirror.Directory(ctx, connectionID, kind)
		if err != nil {
			return d, err
		}
		for _, e := range entries {
			add(e)
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
		return nil, &claim.InvalidError{What: "request", Errors: []claim.FieldError{
			{Field: "schedule", Problem: fmt.Sprintf("must be the id of one of the organization's schedules: %v", ids)},
		}}
	}
	return byID[schedule], nil
}

// Freshness says how complete the data of a connection is.
func (s *Service) Freshness(ctx context.Context, connectionID string) (*kpi.Freshness, error) {
	newest, err := s.Store.Mirror.NewestChange(ctx, connectionID)
	if err != nil {
		return nil, err
	}
	f := &kpi.Freshness{NewestAt: newest}
	_, err = s.Store.Imports.Current(ctx, connectionID)
	if f.Importing = err == nil; err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	periods, err := s.Store.Imports.Coverage(ctx, connectionID)
	if err != nil {
		return nil, err
	}
	f.CompleteFrom = completeFrom(periods)
	return f, nil
}

// completeFrom returns the time since which all imported streams are known without a
// gap.
func completeFrom(periods map[claim.Stream][]store.Period) time.Time {
	var from time.Time
	for _, known := range periods {
		if len(known) > 0 && known[0].From.After(from) {
			from = known[0].From
		}
	}
	return from
}
