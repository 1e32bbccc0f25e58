package api

import (
	"context"
	"crypto/hmac"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/store"
)

func (a *api) listShops(ctx context.Context, _ *struct{}) (*body[client.ShopList], error) {
	shops, err := a.Store.Shops.List(ctx)
	return ok(client.ShopList{Shops: notNil(shops)}, err)
}

type addShopInput struct{ Body client.NewShop }

func (a *api) addShop(ctx context.Context, in *addShopInput) (*body[claim.Shop], error) {
	s := store.NewShop{Slug: in.Body.Slug, Name: in.Body.Name, Feature: in.Body.Feature == nil || *in.Body.Feature}
	if fieldErrors := claim.ValidateStruct(&in.Body); len(fieldErrors) > 0 {
		return nil, &claim.InvalidError{What: "shop", Errors: fieldErrors}
	}
	recordChange(ctx, "slug", s.Slug)
	return ok(a.Store.Shops.Create(ctx, s))
}

type shopInput struct {
	InShop
	Counts bool `query:"counts" default:"true" doc:"Whether to count the claims by state. With many claims, the answer comes sooner without."`
}

func (a *api) getShop(ctx context.Context, in *shopInput) (*body[claim.Shop], error) {
	if !in.Counts {
		return ok(a.Store.Shops.Plain(ctx, in.Shop))
	}
	return ok(a.Store.Shops.Get(ctx, in.Shop))
}

func (a *api) getAttention(ctx context.Context, in *InShop) (*body[claim.Attention], error) {
	return ok(a.Store.Shops.Attention(ctx, in.Shop))
}

type patchShopInput struct {
	InShop
	Body client.ShopPatch
}

func (a *api) updateShop(ctx context.Context, in *patchShopInput) (*body[claim.Shop], error) {
	if in.Body.Name != nil {
		recordChange(ctx, "name", *in.Body.Name)
	}
	if in.Body.Feature != nil {
		recordChange(ctx, "dixa_feature", strconv.FormatBool(*in.Body.Feature))
	}
	return ok(a.Store.Shops.Patch(ctx, in.Shop, in.Body))
}

func (a *api) deleteShop(ctx context.Context, in *InShop) (*struct{}, error) {
	return nil, a.Onboarding.Delete(ctx, in.Shop)
}

func (a *api) pauseShop(ctx context.Context, in *InShop) (*body[claim.Shop], error) {
	return a.switched(ctx, in.Shop, a.Store.Shops.Pause(ctx, in.Shop))
}

func (a *api) resumeShop(ctx context.Context, in *InShop) (*body[claim.Shop], error) {
	return a.switched(ctx, in.Shop, a.Store.Shops.Resume(ctx, in.Shop))
}

func (a *api) enable(ctx context.Context, in *InShop) (*body[claim.Shop], error) {
	out, err := a.switched(ctx, in.Shop, a.Onboarding.Enable(ctx, in.Shop))
	if err != nil {
		return nil, err
	}
	if out.Body.Warnings, err = a.noListenerWarning(ctx, in.Shop); err != nil {
		return nil, err
	}
	unseen, err := a.Onboarding.MissingEventsWarning(ctx, in.Shop)
	if unseen != "" {
		out.Body.Warnings = append(out.Body.Warnings, unseen)
	}
	return out, err
}

func (a *api) disable(ctx context.Context, in *InShop) (*body[claim.Shop], error) {
	return a.switched(ctx, in.Shop, a.Onboarding.Disable(ctx, in.Shop))
}

// switched answers a command with the shop's current state.
func (a *api) switched(ctx context.Context, shop string, err error) (*body[claim.Shop], error) {
	if err != nil {
		return nil, err
	}
	return ok(a.Store.Shops.Get(ctx, shop))
}

type retryShopInput struct {
	InShop
	Body *client.RetryShopRequest
}

func (a *api) retryShop(ctx context.Context, in *retryShopInput) (*body[client.Count], error) {
	causes := orZero(in.Body).Causes
	for _, c := range causes {
		if !slices.Contains(claim.Causes(), c) {
			return nil, invalid("command", "causes", "must each be one of %s", join(claim.Causes()))
		}
	}
	n, err := a.Store.Claims.RetryShop(ctx, in.Shop, causes...)
	recordChange(ctx, "claims", strconv.Itoa(n))
	recordChange(ctx, "causes", join(causes))
	return ok(client.Count{Claims: n}, err)
}

type openSkippedInput struct {
	InShop
	Body *client.OpenSkippedRequest
}

func (a *api) openSkipped(ctx context.Context, in *openSkippedInput) (*body[client.Count], error) {
	since := orZero(in.Body).Since
	n, err := a.Store.Claims.OpenSkipped(ctx, in.Shop, since)
	recordChange(ctx, "claims", strconv.Itoa(n))
	recordChange(ctx, "since", instant(since))
	return ok(client.Count{Claims: n}, err)
}

func (a *api) getIntegration(ctx context.Context, in *InShop) (*body[claim.Integration], error) {
	integration, err := a.Onboarding.Integration(ctx, in.Shop)
	if integration, err = a.withVoices(ctx, integration, err); err != nil || integration.Connection == nil {
		return ok(integration, err)
	}
	if integration.TokenShare, err = a.Store.Budget.Share(ctx, integration.Connection.ID); err != nil {
		return nil, err
	}
	last, err := a.Store.Sweeps.Last(ctx, integration.Connection.ID)
	if errors.Is(err, store.ErrNotFound) {
		return ok(integration, nil)
	}
	integration.LastSweep = &last
	return ok(integration, err)
}

func (a *api) sweepShop(ctx context.Context, in *InShop) (*body[client.SweepRequested], error) {
	shop, err := a.Store.Shops.Get(ctx, in.Shop)
	if err != nil {
		return nil, err
	}
	if shop.Connection == nil || !shop.Enabled {
		return nil, newProblem(http.StatusConflict, "", "The shop is not enabled. Only enabled shops are swept.")
	}
	var asked client.SweepRequested
	last, err := a.Store.Sweeps.Last(ctx, shop.Connection.ID)
	switch {
	case err == nil:
		asked.LastStartedAt = last.StartedAt
	case !errors.Is(err, store.ErrNotFound):
		return nil, err
	}
	if a.Sweep == nil {
		return nil, newProblem(http.StatusServiceUnavailable, "", "This service has no Temporal connection, so it cannot start sweeps.")
	}
	if err := a.Sweep(ctx, shop.Connection.ID); err != nil {
		note(ctx, err)
		return nil, newProblem(http.StatusServiceUnavailable, "", "Temporal is unavailable, so no sweep was started. It is safe to retry.")
	}
	return ok(asked, nil)
}

type settingsInput struct {
	InShop
	RawBody []byte `contentType:"application/json"`
}

func (a *api) updateSettings(ctx context.Context, in *settingsInput) (*body[claim.Integration], error) {
	recordChange(ctx, "fields", members(in.RawBody))
	saved, err := a.Onboarding.UpdateSettings(ctx, in.Shop, slices.Clone(in.RawBody))
	return ok(a.withVoices(ctx, saved, err))
}

// members lists the members of a patch for the audit log.
func members(patch []byte) string {
	var object map[string]json.RawMessage
	_ = json.Unmarshal(patch, &object) // saving reports what is invalid
	return strings.Join(slices.Sorted(maps.Keys(object)), ", ")
}

func (a *api) saveToken(ctx context.Context, in *settingsInput) (*body[claim.Connection], error) {
	// Parsed by hand because the router's own errors would reveal the value.
	var request client.TokenRequest
	if err := json.Unmarshal(in.RawBody, &request); err != nil {
		return nil, invalid("token", "token", `must have the form {"token": "…"}`)
	}
	connection, err := a.Onboarding.Connect(ctx, in.Shop, request.Token)
	recordChange(ctx, "preview", connection.TokenPreview)
	recordChange(ctx, "organization_id", connection.OrganizationID)
	return ok(connection, err)
}

func (a *api) removeToken(ctx context.Context, in *InShop) (*struct{}, error) {
	return nil, a.Onboarding.Disconnect(ctx, in.Shop)
}

type compareTokenInput struct {
	InShop
	Body client.TokenComparison
}

func (a *api) compareToken(ctx context.Context, in *compareTokenInput) (*body[client.TokenComparisonResult], error) {
	shop, err := a.Store.Shops.Get(ctx, in.Shop)
	if err != nil || shop.Connection == nil {
		return ok(client.TokenComparisonResult{}, err)
	}
	token, _, err := a.Store.Connections.Token(ctx, shop.Connection.ID)
	if errors.Is(err, store.ErrNotFound) {
		return ok(client.TokenComparisonResult{}, nil)
	}
	same := hmac.Equal([]byte(client.TokenFingerprint(in.Body.Nonce, token)), []byte(in.Body.Fingerprint))
	return ok(client.TokenComparisonResult{Same: err == nil && same}, err)
}

func (a *api) saveWebhookSecret(ctx context.Context, in *settingsInput) (*body[claim.Subscription], error) {
	// Parsed by hand, like the token.
	var request struct{ Secret *string }
	if err := json.Unmarshal(in.RawBody, &request); err != nil || request.Secret == nil {
		return nil, invalid("webhook secret", "secret", `must have the form {"secret": "…"}`)
	}
	saved, err := a.Onboarding.SaveWebhookSecret(ctx, in.Shop, *request.Secret)
	recordChange(ctx, "preview", saved.SecretPreview)
	recordChange(ctx, "state", string(saved.State))
	return ok(saved, err)
}

func (a *api) validate(ctx context.Context, in *InShop) (*body[claim.Report], error) {
	report, err := a.Onboarding.Validate(ctx, in.Shop)
	if err != nil {
		return nil, err
	}
	if report.Warnings, err = a.noListenerWarning(ctx, in.Shop); err != nil {
		return nil, err
	}
	integration, err := a.Onboarding.Integration(ctx, in.Shop)
	integration, err = a.withVoices(ctx, integration, err)
	report.Warnings = append(report.Warnings, integration.Warnings...)
	return ok(report, err)
}

func (a *api) choices(ctx context.Context, in *InShop) (*body[claim.Choices], error) {
	c, err := a.Onboarding.Choices(ctx, in.Shop)
	c.Mailboxes, c.Agents, c.Queues, c.Attributes = notNil(c.Mailboxes), notNil(c.Agents), notNil(c.Queues), notNil(c.Attributes)
	return ok(c, err)
}
