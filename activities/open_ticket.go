package activities

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/store"
	"github.com/claimflow/claimflow/templates"
)

// The working documents of a claim. The store encrypts them and deletes them when
// the claim is erased.
const (
	draftTicket   = "ticket"
	draftEvidence = "evidence"
)

// ticket is the rendered content of a claim's conversation.
type ticket struct {
	templates.Ticket
	// Revision is the revision of the claim's body that the ticket was rendered
	// from.
	Revision           int64             `json:"revision,omitempty"`
	Language           string            `json:"language"`
	EmailIntegrationID string            `json:"email_integration_id"`
	QueueID            string            `json:"queue_id,omitempty"`
	AgentID            string            `json:"agent_id,omitempty"`
	Outbound           bool              `json:"outbound,omitempty"`
	Attributes         map[string]string `json:"attributes,omitempty"`
	// Inactive lists the tags that are deactivated in Dixa. Dixa omits them
	// silently.
	Inactive []string `json:"inactive,omitempty"`
	// DefaultCountry comes from the shop's settings.
	DefaultCountry string `json:"default_country,omitempty"`
	// Cut lists what was too long in the claim.
	Cut []claim.Truncation `json:"cut,omitempty"`
}

// Tickets turns claims into tickets.
type Tickets struct {
	Store *store.Store
}

// ResolveTemplate chooses the template for a claim, renders it with the shop's
// current settings and stores the ticket. A template that does not render parks the
// claim as [claim.CauseTemplate].
func (a *Tickets) ResolveTemplate(ctx context.Context, ref claim.Ref) (ResolveResult, error) {
	r, err := a.resolve(ctx, ref)
	return r, toTemporal("resolve the template", err)
}

func (a *Tickets) resolve(ctx context.Context, ref claim.Ref) (ResolveResult, error) {
	c, revision, err := a.Store.Claims.OpeningBody(ctx, ref)
	if err != nil {
		return ResolveResult{}, fmt.Errorf("read the claim: %w", err)
	}
	record, err := a.Store.Claims.Record(ctx, ref)
	if err != nil {
		return ResolveResult{}, fmt.Errorf("read the claim's record: %w", err)
	}
	integration, err := a.Store.Settings.Integration(ctx, ref.Shop)
	if err != nil {
		return ResolveResult{}, fmt.Errorf("read the shop's settings: %w", err)
	}
	stored, err := a.Store.Templates.List(ctx, ref.Shop)
	if err != nil {
		return ResolveResult{}, fmt.Errorf("read the shop's templates: %w", err)
	}
	settings := &integration.Effective

	candidates, err := candidates(stored)
	if err != nil {
		return ResolveResult{}, parked(claim.CauseTemplate, err.Error())
	}
	plan, err := templates.NewPlan(c, templates.PlanInput{
		Settings: settings, Stored: candidates, ShopName: integration.Name, Reference: record.Reference(), OtherClaims: record.OtherClaims,
	})
	chosen, route := plan.Template, plan.Route
	if err != nil {
		return ResolveResult{}, parked(claim.CauseTemplate, "template "+chosen.Name()+": "+err.Error())
	}
	t := ticket{
		Ticket: plan.Ticket, Revision: revision, Language: chosen.Language,
		EmailIntegrationID: route.EmailIntegrationID, QueueID: route.QueueID, AgentID: route.AgentID,
		Outbound: settings.Opening == "outbound", Attributes: attributesOf(c, settings), Cut: c.Cut, DefaultCountry: settings.DefaultCountry,
	}
	if in := integration.Connection; in != nil {
		if t.Inactive, err = inactive(ctx, a.Store, in.ID, t.Tags); err != nil {
			return ResolveResult{}, err
		}
	}
	if err := a.Store.Claims.SaveDraft(ctx, ref, draftTicket, t); err != nil {
		return ResolveResult{}, fmt.Errorf("save the ticket: %w", err)
	}
	name := chosen.Name()
	set := store.ClaimUpdate{Template: name, Language: chosen.Language, Route: route.Rule}
	if len(t.Inactive) > 0 {
		set.Timeline = []store.TimelineEntry{{ID: "inactive-tags", TimelineEntry: claim.TimelineEntry{
			At: time.Now().UTC(), What: "tags omitted", Detail: strings.Join(t.Inactive, ", ") + ": deactivated in Dixa",
		}}}
	}
	if _, err := a.Store.Claims.Change(ctx, ref, "", set); err != nil {
		return ResolveResult{}, fmt.Errorf("record the chosen template: %w", err)
	}
	refused, err := readRefused(ctx, a.Store, ref)
	if err != nil {
		return ResolveResult{}, err
	}
	return ResolveResult{
		Template: name, Language: chosen.Language, Route: route.Rule,
		Note: t.Note != "" || len(t.Inactive) > 0 || len(t.Cut) > 0 || refused.inWords() != "", Assign: t.AgentID != "" || t.QueueID != "", Attributes: len(t.Attributes) > 0,
	}, nil
}

// inactive returns those tags that were deactivated in Dixa at the last check.
func inactive(ctx context.Context, s *store.Store, connectionID string, tags []string) ([]string, error) {
	known, err := s.Sweeps.InactiveTags(ctx, connectionID)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(tags), func(tag string) bool {
		return !slices.Contains(known, tag)
	}), nil
}

func candidates(stored []store.StoredTemplate) ([]templates.Candidate, error) {
	out := make([]templates.Candidate, len(stored))
	for i, s := range stored {
		out[i] = templates.Candidate{Scope: s.Scope, Key: s.Key, Language: s.Language}
		if err := json.Unmarshal(s.Doc, &out[i].Source); err != nil {
			return nil, fmt.Errorf("template %s cannot be decoded: %w", out[i].Name(), err)
		}
	}
	return out, nil
}

// attributesOf returns the values of the custom attributes that the shop names.
func attributesOf(c *claim.Claim, s *claim.Settings) map[string]string {
	values := map[string]string{}
	if s.OrderNumberAttribute != "" && c.Order.Number != "" {
		values[s.OrderNumberAttribute] = c.Order.Number
	}
	if s.ClaimIDAttribute != "" {
		values[s.ClaimIDAttribute] = c.ID
	}
	return values
}
