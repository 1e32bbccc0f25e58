package api

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/internal/toowner/delivery"
	"github.com/claimflow/claimflow/store"
)

// Inputs of the platform's endpoint routes. The inputs of a shop's routes add the
// shop.
type (
	// NewEndpointBody is an endpoint to add.
	NewEndpointBody struct{ Body client.NewEndpoint }
	// InEndpoint names an endpoint.
	InEndpoint struct {
		Endpoint string `path:"endpoint" doc:"The endpoint's id."`
	}
	// InEndpointPatch names an endpoint and what to change.
	InEndpointPatch struct {
		InEndpoint
		Body client.EndpointPatch
	}
	// InEndpointRotate names an endpoint and how long its previous secret keeps
	// signing.
	InEndpointRotate struct {
		InEndpoint
		Body *client.RotateRequest
	}
	// InEndpointReplay names an endpoint and the events to replay.
	InEndpointReplay struct {
		InEndpoint
		Body *client.ReplayRequest
	}
	// InDeliveries selects the deliveries to list.
	InDeliveries struct {
		InEndpoint
		State   string `query:"state" enum:"waiting,delivered,dead" doc:"Only deliveries in this state. Dead ones were given up."`
		ClaimID string `query:"claim_id" doc:"Only deliveries of this claim."`
		Limit   int    `query:"limit" minimum:"1" maximum:"500" default:"50" doc:"How many deliveries a page holds."`
		Cursor  string `query:"cursor" doc:"The cursor that the last page gave."`
	}
	shopNewEndpoint struct {
		InShop
		NewEndpointBody
	}
	shopEndpoint struct {
		InShop
		InEndpoint
	}
	shopEndpointPatch struct {
		InShop
		InEndpointPatch
	}
	shopEndpointRotate struct {
		InShop
		InEndpointRotate
	}
	shopEndpointReplay struct {
		InShop
		InEndpointReplay
	}
	shopDeliveries struct {
		InShop
		InDeliveries
	}
)

func (in *shopNewEndpoint) split() (string, *NewEndpointBody)   { return in.Shop, &in.NewEndpointBody }
func (in *shopEndpoint) split() (string, *InEndpoint)           { return in.Shop, &in.InEndpoint }
func (in *shopEndpointPatch) split() (string, *InEndpointPatch) { return in.Shop, &in.InEndpointPatch }

func (in *shopEndpointRotate) split() (string, *InEndpointRotate) {
	return in.Shop, &in.InEndpointRotate
}

func (in *shopEndpointReplay) split() (string, *InEndpointReplay) {
	return in.Shop, &in.InEndpointReplay
}
func (in *shopDeliveries) split() (string, *InDeliveries) { return in.Shop, &in.InDeliveries }

// keepSecret is how long the previous secret keeps signing if a rotation does not
// specify it.
const keepSecret = 24 * time.Hour

func (a *api) addEndpoint(ctx context.Context, shop string, in *NewEndpointBody) (*body[client.EndpointWithSecret], error) {
	e := store.NewEndpoint{
		Kind: store.EndpointKind(cmp.Or(in.Body.Kind, client.EndpointWebhook)), Shop: shop, URL: in.Body.URL,
		Description: in.Body.Description, Types: unique(in.Body.EventTypes),
		Karla: store.KarlaAccess{Shop: in.Body.KarlaShop, User: in.Body.User, Password: in.Body.Password},
	}
	faults := &claim.InvalidError{What: "endpoint"}
	a.checkEndpointAddress(ctx, e.Kind, &e.URL, faults)
	checkEventTypes(e.Kind, in.Body.EventTypes, faults)
	checkKarla(e.Kind, e.Karla, faults)
	if e.Kind == store.EndpointEmail && !a.mails {
		faults.Faults = append(faults.Faults, claim.Fault{Field: "kind", Problem: "cannot be email here: no mail server is configured; set CLAIMFLOW_SMTP_URL for `starter serve`"})
	}
	if len(faults.Faults) > 0 {
		return nil, faults
	}
	added, secret, err := a.store.Endpoints.Create(ctx, e)
	recordChange(ctx, "id", added.ID)
	recordChange(ctx, "kind", string(added.Kind))
	recordChange(ctx, "event_types", strings.Join(added.Types, ", "))
	return ok(client.EndpointWithSecret{Endpoint: shownEndpoint(added), Secret: secret}, err)
}

// checkEndpointAddress validates an endpoint's address and normalizes an e-mail
// address.
func (a *api) checkEndpointAddress(ctx context.Context, kind store.EndpointKind, address *string, faults *claim.InvalidError) {
	var err error
	if kind == store.EndpointEmail {
		var person string
		if person, err = delivery.Mailto(*address); err == nil {
			*address = person
		}
	} else {
		err = a.endpoints.Check(ctx, *address)
	}
	if err != nil {
		faults.Faults = append(faults.Faults, claim.Fault{Field: "url", Problem: err.Error()})
	}
}

func checkEventTypes(kind store.EndpointKind, types []string, faults *claim.InvalidError) {
	for i, t := range types {
		field := fmt.Sprintf("event_types[%d]", i)
		switch {
		case !slices.Contains(claim.OutboundTypes(), t):
			faults.Faults = append(faults.Faults, claim.Fault{Field: field, Problem: "must be one of " + strings.Join(claim.OutboundTypes(), ", ")})
		case !kind.Wants(types, t):
			faults.Faults = append(faults.Faults, claim.Fault{Field: field, Problem: "is not of a claim, which is all that Karla can be told of"})
		}
	}
}

func checkKarla(kind store.EndpointKind, access store.KarlaAccess, faults *claim.InvalidError) {
	for _, member := range []struct {
		field, value string
		required     bool
	}{{"user", access.User, true}, {"password", access.Password, true}, {"karla_shop", access.Shop, false}} {
		switch {
		case kind == store.EndpointKarla && member.required && member.value == "":
			faults.Faults = append(faults.Faults, claim.Fault{Field: member.field, Problem: "is required for kind karla"})
		case kind != store.EndpointKarla && member.value != "":
			faults.Faults = append(faults.Faults, claim.Fault{Field: member.field, Problem: "is for kind karla alone"})
		}
	}
}

func unique(types []string) []string {
	sorted := slices.Clone(types)
	slices.Sort(sorted)
	return slices.Compact(sorted)
}

func (a *api) listEndpoints(ctx context.Context, shop string, _ *struct{}) (*body[client.EndpointList], error) {
	if err := a.known(ctx, shop); err != nil {
		return nil, err
	}
	endpoints, err := a.store.Endpoints.List(ctx, shop)
	out := make([]client.Endpoint, 0, len(endpoints))
	for _, e := range endpoints {
		out = append(out, shownEndpoint(e))
	}
	return ok(client.EndpointList{Endpoints: out}, err)
}

func (a *api) getEndpoint(ctx context.Context, shop string, in *InEndpoint) (*body[client.Endpoint], error) {
	return endpointAnswer(a.store.Endpoints.Get(ctx, shop, in.Endpoint))
}

func (a *api) patchEndpoint(ctx context.Context, shop string, in *InEndpointPatch) (*body[client.Endpoint], error) {
	e, err := a.store.Endpoints.Get(ctx, shop, in.Endpoint)
	if err != nil {
		return nil, err
	}
	p := store.EndpointPatch{
		URL: in.Body.URL, Description: in.Body.Description, Reason: "paused by " + of(ctx).key.Name,
		KarlaShop: in.Body.KarlaShop, User: in.Body.User, Password: in.Body.Password,
	}
	faults := &claim.InvalidError{What: "endpoint"}
	if in.Body.EventTypes != nil {
		types := unique(*in.Body.EventTypes)
		p.Types = &types
		checkEventTypes(e.Kind, types, faults)
		recordChange(ctx, "event_types", strings.Join(types, ", "))
	}
	if p.URL != nil {
		a.checkEndpointAddress(ctx, e.Kind, p.URL, faults)
		recordChange(ctx, "url", "changed")
	}
	if len(faults.Faults) > 0 {
		return nil, faults
	}
	if p.User != nil || p.Password != nil || p.KarlaShop != nil {
		recordChange(ctx, "karla", "changed")
	}
	if in.Body.State != nil {
		state := store.EndpointState(*in.Body.State)
		p.State = &state
		recordChange(ctx, "state", *in.Body.State)
	}
	return endpointAnswer(a.store.Endpoints.Patch(ctx, shop, in.Endpoint, p))
}

func (a *api) deleteEndpoint(ctx context.Context, shop string, in *InEndpoint) (*struct{}, error) {
	return nil, a.store.Endpoints.Delete(ctx, shop, in.Endpoint)
}

func (a *api) rotateEndpoint(ctx context.Context, shop string, in *InEndpointRotate) (*body[client.EndpointWithSecret], error) {
	keep := keepSecret
	if in.Body != nil && in.Body.KeepHours != nil {
		keep = time.Duration(*in.Body.KeepHours) * time.Hour
	}
	e, secret, err := a.store.Endpoints.RotateSecret(ctx, shop, in.Endpoint, keep)
	recordChange(ctx, "both_until", instant(e.PreviousUntil))
	return ok(client.EndpointWithSecret{Endpoint: shownEndpoint(e), Secret: secret}, err)
}

func (a *api) resumeEndpoint(ctx context.Context, shop string, in *InEndpoint) (*body[client.Endpoint], error) {
	return endpointAnswer(a.store.Endpoints.Resume(ctx, shop, in.Endpoint))
}

func (a *api) replayEndpoint(ctx context.Context, shop string, in *InEndpointReplay) (*body[client.EventCount], error) {
	var r client.ReplayRequest
	if in.Body != nil {
		r = *in.Body
	}
	if !r.Until.IsZero() && !r.Since.Before(r.Until) {
		return nil, invalid("range", "until", "must be after since")
	}
	n, err := a.store.Deliveries.Replay(ctx, shop, in.Endpoint, r.Since, r.Until)
	recordChange(ctx, "events", strconv.Itoa(n))
	recordChange(ctx, "since", instant(r.Since))
	recordChange(ctx, "until", instant(r.Until))
	return ok(client.EventCount{Events: n}, err)
}

func (a *api) listDeliveries(ctx context.Context, shop string, in *InDeliveries) (*body[client.DeliveryPage], error) {
	if _, err := a.store.Endpoints.Get(ctx, shop, in.Endpoint); err != nil {
		return nil, err
	}
	deliveries, next, err := a.store.Deliveries.List(ctx, shop, in.Endpoint, store.DeliveryFilter{
		State: store.DeliveryState(in.State), ClaimID: in.ClaimID, Limit: in.Limit, Cursor: in.Cursor,
	})
	out := make([]client.Delivery, 0, len(deliveries))
	for _, d := range deliveries {
		out = append(out, client.Delivery{
			ID: d.ID, Shop: d.Ref.Shop, ClaimID: d.Ref.ID, Sequence: d.Sequence, Type: d.Type, State: string(d.State),
			Attempts: d.Attempts, NextAttemptAt: d.NextAttemptAt, LastStatus: d.LastStatus, LastError: d.LastError, Note: d.Note,
			DeliveredAt: d.DeliveredAt, CreatedAt: d.CreatedAt, Body: d.Body,
		})
	}
	return ok(client.DeliveryPage{Deliveries: out, Next: next}, err)
}

func endpointAnswer(e store.Endpoint, err error) (*body[client.Endpoint], error) {
	return ok(shownEndpoint(e), err)
}

func shownEndpoint(e store.Endpoint) client.Endpoint {
	types := e.Types
	if types == nil {
		types = []string{}
	}
	return client.Endpoint{
		ID: e.ID, Kind: string(e.Kind), KarlaShop: e.KarlaShop, Shop: e.Shop, URL: e.URL, Description: e.Description, EventTypes: types, State: string(e.State), Reason: e.Reason,
		PreviousSecretUntil: e.PreviousUntil, FailingSince: e.FailingSince, SucceededAt: e.SucceededAt,
		Waiting: e.Waiting, Dead: e.Dead, CreatedAt: e.CreatedAt, UpdatedAt: e.UpdatedAt,
	}
}

// noListenerWarning returns a warning if no active endpoint is notified of the shop's claims.
func (a *api) noListenerWarning(ctx context.Context, shop string) ([]string, error) {
	heard, err := a.store.Endpoints.AnyActive(ctx, shop)
	if err != nil || heard {
		return nil, err
	}
	return []string{"Nobody is told what becomes of this shop's claims, not even of those that need attention: neither the shop nor the platform has an active webhook or e-mail endpoint that wants such events. Add one with `starter endpoint add --shop " + shop + " URL`."}, nil
}
