package api

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/internal/fromdixa/fold"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
)

const (
	// triedClaims is how many claims to try rules on by default; triedEvents is how
	// many events of each claim to read.
	triedClaims = 100
	triedEvents = 2000
)

type statusRulesInput struct {
	InShop
	Body client.StatusRulesRequest
}

// previewStatusRules evaluates past events with other rules.
func (a *api) previewStatusRules(ctx context.Context, in *statusRulesInput) (*body[client.StatusRulesPreview], error) {
	if err := a.mayReadClaims(ctx); err != nil {
		return nil, err
	}
	integration, err := a.Store.Settings.Integration(ctx, in.Shop)
	if err != nil {
		return nil, err
	}
	changed, err := withStatusRules(integration.Effective, in.Body.StatusRules)
	if err != nil {
		return nil, err
	}
	limit := in.Body.Claims
	if limit == 0 {
		limit = triedClaims
	}
	records, _, err := a.Store.Claims.List(ctx, store.ClaimFilter{
		Shop: in.Shop, Limit: limit,
		States: []claim.State{claim.StateOpen, claim.StatePending, claim.StateClosed, claim.StateSettled},
	})
	if err != nil {
		return nil, err
	}
	out := client.StatusRulesPreview{Claims: len(records), Different: []client.StatusDifference{}}
	for _, r := range records {
		events, err := a.Store.Inbox.EventsOf(ctx, r.Ref, triedEvents)
		if err != nil {
			return nil, err
		}
		readings := make([]fold.Reading, len(events))
		for i, e := range events {
			readings[i] = fold.Read(e.ID, e.Name, e.HappenedAt, e.Body)
		}
		fold.SortOldestFirst(readings)
		is, would := notifiedStatuses(integration.Effective, readings), notifiedStatuses(changed, readings)
		if !slices.Equal(is, would) {
			out.Different = append(out.Different, client.StatusDifference{ClaimID: r.ID, State: r.State, Is: is, Would: would})
		}
	}
	return ok(out, nil)
}

// withStatusRules returns the settings with other status rules, validated as if they
// were saved.
func withStatusRules(s claim.Settings, rules []claim.StatusRule) (claim.Settings, error) {
	s.StatusRules = rules
	layer, err := json.Marshal(map[string]any{"status_rules": rules, "tag": s.Tag})
	if err != nil {
		return s, err
	}
	_, err = claim.Resolve(layer)
	return s, err
}

// notifiedStatuses returns the statuses that the claim's owner is notified of, in order.
func notifiedStatuses(s claim.Settings, readings []fold.Reading) []string {
	story := fold.Projection{State: claim.StateOpen, Settings: s}
	statuses := []string{}
	note := func(_ fold.Reading, changes []fold.Change) {
		for _, c := range changes {
			if c.Status != "" {
				statuses = append(statuses, c.Status)
			}
		}
	}
	note(fold.Reading{}, story.Apply(mirror.Fact{}))
	story.ApplyAll(readings, note)
	return statuses
}
