// Package reporting evaluates KPIs over an organization's figures in the store, with
// the names of its agents and queues, its business hours, and how fresh the data is.
// It compares them with Dixa's own metrics.
package reporting

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
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
	// Log receives a warning if values could not be kept. Defaults to none.
	Log *slog.Logger

	answers answers
}

// Evaluate answers a request about a connection. schedule is the id of the business
// hours for figures that count them; empty for the only one. The error is a
// [*claim.InvalidError] for a request that the definition does not allow. Finished
// buckets are kept in the store.
//
// The answer may be one that was given before, if nothing changed since and the period has
// ended, or the answer is of the same minute. maxAge is how old an answer about claims may
// be: if it is at least a minute, one of the same minute may be given again, although
// claims changed since.
func (s *Service) Evaluate(ctx context.Context, connectionID string, d kpi.Definition, r kpi.Request, schedule string, maxAge time.Duration) (*kpi.Result, error) {
	r = d.Complete(r)
	hours, versions, err := s.hours(ctx, connectionID, r, schedule)
	if err != nil {
		return nil, err
	}
	key, reusable, err := s.answerKey(ctx, connectionID, &d, r, versions, maxAge)
	if err != nil {
		return nil, err
	}
	compute := func(ctx context.Context) (*kpi.Result, error) { return s.compute(ctx, connectionID, d, r, hours) }
	var shared *kpi.Result
	if reusable {
		shared, err = s.answers.get(ctx, key, compute)
	} else {
		shared, err = compute(ctx)
	}
	if err != nil {
		return nil, err
	}
	result := *shared
	freshness, err := s.Store.Mirror.Freshness(ctx, connectionID)
	result.Freshness = &freshness
	return &result, err
}

// compute answers a complete request from the store.
func (s *Service) compute(ctx context.Context, connectionID string, d kpi.Definition, r kpi.Request, hours kpi.History) (*kpi.Result, error) {
	e, err := s.evaluator(ctx, connectionID, r, hours)
	if err != nil {
		return nil, err
	}
	e.NotKept = func(err error) {
		if s.Log != nil {
			s.Log.WarnContext(ctx, "values of key figures were not kept", slog.String("connection", connectionID), slog.Any("error", err))
		}
	}
	return e.Evaluate(ctx, d, r)
}

// evaluator returns what evaluates a request about a connection, which has the business
// hours. named are dimensions of which it needs the names beside those of the request.
func (s *Service) evaluator(ctx context.Context, connectionID string, r kpi.Request, hours kpi.History, named ...kpi.Dimension) (e *kpi.Evaluator, err error) {
	e = &kpi.Evaluator{Source: s.figures(ctx, connectionID), Hours: hours}
	e.Directory, err = s.directory(ctx, connectionID, r, named)
	return e, err
}

// Verify computes the kept values of a figure of a connection from the rows and compares
// them. It changes nothing.
func (s *Service) Verify(ctx context.Context, connectionID string, d kpi.Definition) (kpi.Verification, error) {
	return (&kpi.Evaluator{Source: s.figures(ctx, connectionID)}).Verify(ctx, d)
}

// directory reads the names and teams that a request needs.
func (s *Service) directory(ctx context.Context, connectionID string, r kpi.Request, named []kpi.Dimension) (kpi.Directory, error) {
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
		if r.By != need.dimension && r.Filters[need.dimension] == nil && !slices.Contains(named, need.dimension) {
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

// hours returns the versions of a schedule of business hours, also as they are stored; nil
// if the complete request does not need them.
func (s *Service) hours(ctx context.Context, connectionID string, r kpi.Request, schedule string) (kpi.History, []store.ScheduleVersion, error) {
	if r.Hours != kpi.BusinessHours {
		return nil, nil, nil
	}
	versions, err := s.Store.Mirror.Schedules(ctx, connectionID)
	if err != nil {
		return nil, nil, err
	}
	ids := []string{}
	byID := map[string]kpi.History{}
	for _, v := range versions {
		parsed, err := kpi.ParseSchedule(v.Definition, v.ValidFrom)
		if err != nil {
			return nil, nil, fmt.Errorf("read the business hours %s: %w", v.ID, err)
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
		return nil, nil, &claim.InvalidError{What: "KPI request", Errors: []claim.FieldError{
			{Field: "schedule", Problem: "must be one of " + strings.Join(ids, ", ")},
		}}
	}
	return byID[schedule], slices.DeleteFunc(versions, func(v store.ScheduleVersion) bool { return v.ID != schedule }), nil
}
