package api

import (
	"cmp"
	"context"
	"encoding/json"
	"reflect"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/store"
	"github.com/claimflow/claimflow/templates"
)

type settingsPreviewInput struct {
	InShop
	RawBody []byte `contentType:"application/json"`
}

// previewSettings plans the shop's newest claims with other settings.
func (a *api) previewSettings(ctx context.Context, in *settingsPreviewInput) (*body[client.SettingsPreview], error) {
	if err := a.mayReadClaims(ctx); err != nil {
		return nil, err
	}
	var request client.SettingsPreviewRequest
	if err := json.Unmarshal(in.RawBody, &request); err != nil || len(request.Settings) == 0 {
		return nil, invalid("preview", "settings", "must be a JSON object with the settings to try")
	}
	if request.Claims < 0 || request.Claims > maxTriedClaims {
		return nil, invalid("preview", "claims", "must be between 0 and %d", maxTriedClaims)
	}
	integration, err := a.Store.Settings.Integration(ctx, in.Shop)
	if err != nil {
		return nil, err
	}
	changed, err := a.Onboarding.Merge(ctx, integration, request.Settings)
	if err != nil {
		return nil, err
	}
	records, _, err := a.Store.Claims.List(ctx, store.ClaimFilter{Shop: in.Shop, Limit: cmp.Or(request.Claims, triedClaims)})
	if err != nil {
		return nil, err
	}
	place, err := a.place(ctx, &InTemplate{InShop: in.InShop})
	if err != nil {
		return nil, err
	}
	out := client.SettingsPreview{
		Claims: len(records), Different: []client.OpeningDifference{}, UnusedTexts: unusedTexts(changed.Voice(), place.candidates),
	}
	for _, r := range records {
		c, record, err := a.storedClaim(ctx, r.Ref)
		if err != nil {
			return nil, err
		}
		input := templates.PlanInput{Stored: place.candidates, ShopName: place.shopName, Reference: record.Reference(), OtherClaims: record.OtherClaims}
		is, would := planned(c, input, &integration.Effective), planned(c, input, &changed)
		if !reflect.DeepEqual(is, would) {
			out.Different = append(out.Different, client.OpeningDifference{ClaimID: r.ID, State: r.State, Is: is, Would: would})
		}
	}
	return ok(out, nil)
}

// maxTriedClaims is how many claims settings can be tried on at once.
const maxTriedClaims = 500

func planned(c *claim.Claim, in templates.PlanInput, s *claim.Settings) client.Opening {
	in.Settings = s
	p, err := templates.NewPlan(c, in)
	out := client.Opening{
		Kind: s.Opening, Template: p.Template.Name(), Language: p.Template.Language, Rule: p.Route.Rule,
		EmailIntegrationID: p.Route.EmailIntegrationID, QueueID: p.Route.QueueID, AgentID: p.Route.AgentID,
		Tags: append([]string{}, p.Ticket.Tags...),
	}
	if err != nil {
		out.Problem = err.Error()
	}
	return out
}
