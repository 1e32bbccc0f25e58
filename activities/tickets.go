package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/internal/evidence"
	"github.com/claimflow/claimflow/store"
	"github.com/claimflow/claimflow/templates"
)

// The working documents of a claim. They are sealed in the store and go with the
// claim when it is erased.
const (
	draftTicket   = "ticket"
	draftEvidence = "evidence"
)

// ticket is what a claim's conversation consists of, rendered.
type ticket struct {
	templates.Ticket
	Language           string            `json:"language"`
	EmailIntegrationID string            `json:"email_integration_id"`
	QueueID            string            `json:"queue_id,omitempty"`
	AgentID            string            `json:"agent_id,omitempty"`
	Outbound           bool              `json:"outbound,omitempty"`
	Attributes         map[string]string `json:"attributes,omitempty"`
}

// evidenceDraft is which of a claim's files are offered.
type evidenceDraft struct {
	evidence.Verdict
	// Separate: Dixa refused the files together, so each is a message of its own.
	Separate bool `json:"separate,omitempty"`
	// Refused are the files, by index, that Dixa then refused one by one.
	Refused map[int]string `json:"refused,omitempty"`
}

// Tickets turns claims into tickets.
type Tickets struct {
	Store *store.Store
}

// ResolveTemplate chooses the template for a claim, renders it with the shop's
// settings of this moment and keeps the ticket in the store. A template that
// does not render parks the claim as [claim.CauseTemplate].
func (a *Tickets) ResolveTemplate(ctx context.Context, ref claim.Ref) (Resolved, error) {
	r, err := a.resolve(ctx, ref)
	return r, toTemporal("resolve the template", err)
}

func (a *Tickets) resolve(ctx context.Context, ref claim.Ref) (Resolved, error) {
	c, err := a.Store.Body(ctx, ref)
	if err != nil {
		return Resolved{}, fmt.Errorf("read the claim: %w", err)
	}
	record, err := a.Store.Record(ctx, ref)
	if err != nil {
		return Resolved{}, fmt.Errorf("read the claim's record: %w", err)
	}
	integration, err := a.Store.Integration(ctx, ref.Shop)
	if err != nil {
		return Resolved{}, fmt.Errorf("read the shop's settings: %w", err)
	}
	stored, err := a.Store.Templates(ctx, ref.Shop)
	if err != nil {
		return Resolved{}, fmt.Errorf("read the shop's templates: %w", err)
	}
	settings := &integration.Effective

	candidates, err := candidates(stored)
	if err != nil {
		return Resolved{}, parked(claim.CauseTemplate, err.Error())
	}
	chosen := templates.Choose(c, templates.Languages(c, settings), candidates)
	rendered, err := render(chosen, c, record, integration)
	if err != nil {
		return Resolved{}, parked(claim.CauseTemplate, "template "+chosen.Name()+": "+err.Error())
	}
	route := settings.RouteFor(c, chosen.Language)
	t := ticket{
		Ticket: rendered, Language: chosen.Language,
		EmailIntegrationID: route.EmailIntegrationID, QueueID: route.QueueID, AgentID: route.AgentID,
		Outbound: settings.Opening == "outbound", Attributes: attributesOf(c, settings),
	}
	if err := a.Store.SaveDraft(ctx, ref, draftTicket, t); err != nil {
		return Resolved{}, fmt.Errorf("keep the ticket: %w", err)
	}
	name := chosen.Name()
	if _, err := a.Store.Change(ctx, ref, "", store.Set{Template: name, Language: chosen.Language, Route: route.Rule}); err != nil {
		return Resolved{}, fmt.Errorf("record which template won: %w", err)
	}
	return Resolved{
		Template: name, Language: chosen.Language, Route: route.Rule,
		Note: t.Note != "", Assign: t.AgentID != "" || t.QueueID != "", Attributes: len(t.Attributes) > 0,
	}, nil
}

func candidates(stored []store.StoredTemplate) ([]templates.Candidate, error) {
	out := make([]templates.Candidate, len(stored))
	for i, s := range stored {
		out[i] = templates.Candidate{Scope: s.Scope, Key: s.Key, Language: s.Language}
		if err := json.Unmarshal(s.Doc, &out[i].Source); err != nil {
			return nil, fmt.Errorf("template %s: it cannot be read: %w", out[i].Name(), err)
		}
	}
	return out, nil
}

func render(chosen templates.Candidate, c *claim.Claim, record claim.Record, in claim.Integration) (templates.Ticket, error) {
	compiled, err := templates.Compile(chosen.Source)
	if err != nil {
		return templates.Ticket{}, err
	}
	view := templates.NewView(c, templates.ViewInput{
		ShopName: in.Name, Language: chosen.Language, Reference: record.Reference(), OtherClaims: record.OtherClaims,
	})
	t, err := compiled.Render(view)
	if err != nil {
		return templates.Ticket{}, err
	}
	t.Tags = templates.Tags(c, &in.Effective, len(record.OtherClaims) > 0, t.Tags)
	return t, nil
}

// attributesOf are the values of the custom attributes that the shop names.
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

// Evidence looks at the claims' files.
type Evidence struct {
	Store   *store.Store
	Checker *evidence.Checker
}

// CheckEvidence looks at every file that the claim names and that the template
// wants, and keeps which of them are offered to Dixa. A file that cannot be
// offered is left out with a reason; it never stops a claim.
func (a *Evidence) CheckEvidence(ctx context.Context, ref claim.Ref) (Checked, error) {
	c, err := a.check(ctx, ref)
	return c, toTemporal("check the evidence", err)
}

func (a *Evidence) check(ctx context.Context, ref claim.Ref) (Checked, error) {
	var kept evidenceDraft
	err := a.Store.Draft(ctx, ref, draftEvidence, &kept)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return Checked{}, fmt.Errorf("read what was decided before: %w", err)
	}
	// Once Dixa was offered files one by one their numbers are keys.
	if kept.Separate {
		return Checked{Files: len(kept.Files), LeftOut: len(kept.LeftOut)}, nil
	}
	c, err := a.Store.Body(ctx, ref)
	if err != nil {
		return Checked{}, fmt.Errorf("read the claim: %w", err)
	}
	integration, err := a.Store.Integration(ctx, ref.Shop)
	if err != nil {
		return Checked{}, fmt.Errorf("read the shop's settings: %w", err)
	}
	var t ticket
	if err := a.Store.Draft(ctx, ref, draftTicket, &t); err != nil {
		return Checked{}, fmt.Errorf("read the ticket: %w", err)
	}
	limits := evidence.Limits{Files: integration.Effective.Evidence.MaxFiles, Bytes: integration.Effective.Evidence.MaxBytes}
	verdict, err := a.Checker.Check(ctx, evidence.Candidates(photosOf(c, t.Evidence)), limits)
	if err != nil {
		return Checked{}, err
	}
	if err := a.Store.SaveDraft(ctx, ref, draftEvidence, evidenceDraft{Verdict: verdict}); err != nil {
		return Checked{}, fmt.Errorf("keep what was decided: %w", err)
	}
	return Checked{Files: len(verdict.Files), LeftOut: len(verdict.LeftOut)}, nil
}

// photosOf lists a claim's photos of the kinds that the template wants, in the
// order item, claim, optional, signature.
func photosOf(c *claim.Claim, kinds []string) []evidence.Photos {
	wanted := map[string]bool{}
	for _, k := range kinds {
		wanted[k] = true
	}
	var out []evidence.Photos
	add := func(p evidence.Photos) {
		if wanted[p.Kind] {
			out = append(out, p)
		}
	}
	for _, i := range c.Items {
		sku := i.SKU
		if sku == "" {
			sku = i.Title
		}
		add(evidence.Photos{Kind: evidence.KindItem, SKU: sku, URLs: i.ImageURLs})
	}
	add(evidence.Photos{Kind: evidence.KindClaim, URLs: c.ImageURLs})
	add(evidence.Photos{Kind: evidence.KindOptional, URLs: c.OptionalImageURLs})
	add(evidence.Photos{Kind: evidence.KindSignature, URLs: []string{c.SignatureURL}})
	return out
}
