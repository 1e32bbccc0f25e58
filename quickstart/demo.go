package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/emulator/server"
)

// connectAndSubmit does through the API what a platform and a shop's staff do: it
// adds the shop, saves its Dixa token and mailbox, adds the endpoint that receives
// events about claims, enables the shop and submits claims. It is safe to repeat
// after an earlier run.
func (s *stack) connectAndSubmit(ctx context.Context, p pace) error {
	_, err := s.api.AddShop(ctx, client.NewShop{Slug: demoShop, Name: "Demo Shop"})
	if err != nil && !client.HasCode(err, client.CodeConflict) {
		return fmt.Errorf("add the demo shop: %w", err)
	}
	if _, err := s.api.Connect(ctx, demoShop, demoToken); err != nil {
		return fmt.Errorf("connect the demo shop to Dixa: %w", err)
	}
	settings, err := json.Marshal(map[string]any{"email_integration_id": server.SeedMailbox, "quiet_period": p.quiet.String()})
	if err != nil {
		return err
	}
	if _, err := s.api.UpdateSettings(ctx, demoShop, settings); err != nil {
		return fmt.Errorf("save the demo shop's settings: %w", err)
	}
	if err := s.register(ctx); err != nil {
		return fmt.Errorf("add the demo endpoint: %w", err)
	}
	if _, err := s.api.Enable(ctx, demoShop); err != nil {
		return fmt.Errorf("enable the demo shop: %w", err)
	}
	for _, c := range s.samples {
		// The photo URLs contain the address of the emulated Dixa, so a claim of an
		// earlier run may differ in them.
		if _, err := s.api.SubmitBody(ctx, demoShop, c.body); err != nil && !client.HasCode(err, client.CodeDiffers) {
			return fmt.Errorf("submit sample claim %s: %w", c.ref.ID, err)
		}
	}
	return nil
}

// claims returns the records of the sample claims, in the order of their files.
func (s *stack) claims(ctx context.Context) ([]claim.Record, error) {
	known := map[string]claim.Record{}
	for r, err := range s.api.Claims(ctx, demoShop, client.Filter{}) {
		if err != nil {
			return nil, err
		}
		known[r.ID] = r
	}
	out := make([]claim.Record, len(s.samples))
	for i, c := range s.samples {
		r, ok := known[c.ref.ID]
		if !ok {
			r = claim.Record{Ref: c.ref, WorkflowID: c.ref.WorkflowID()}
		}
		out[i] = r
	}
	return out, nil
}
