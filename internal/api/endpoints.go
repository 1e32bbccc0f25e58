package api

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/internal/toowner/delivery"
	"github.com/claimflow/claimflow/store"
	"github.com/claimflow/claimflow/unified"
)

// InEndpoint names an endpoint of a shop or of the platform.
type InEndpoint struct {
	InShop
	Endpoint string `path:"endpoint" doc:"The id of the endpoint."`
}

// keepSecret is how long the previous secret keeps signing if a rotation does not
// specify it.
const keepSecret = 24 * time.Hour

type newEndpointInput struct {
	InShop
	Body client.NewEndpoint
}

func (a *api) addEndpoint(ctx context.Context, in *newEndpointInput) (*body[client.EndpointWithSecret], error) {
	e := in.Body
	e.Kind = cmp.Or(e.Kind, claim.EndpointWebhook)
	invalid := &claim.InvalidError{What: "endpoint"}
	a.checkEndpointAddress(ctx, e.Kind, &e.URL, invalid)
	checkEventTypes(e.Kind, e.EventTypes, invalid)
	if err := a.checkRecords(ctx, in.Shop, e.Kind, e.EventTypes, e.Resources, invalid); err != nil {
		return nil, err
	}
	if e.History && !claim.WantsRecords(e.EventTypes) {
		invalid.Errors = append(invalid.Errors, claim.FieldError{Field: "history", Problem: "is valid only with event types of records"})
	}
	checkKarla(e, invalid)
	if e.Kind == claim.EndpointEmail && !a.Mails {
		invalid.Errors = append(invalid.Errors, claim.FieldError{Field: "kind", Problem: "cannot be email: no mail server is configured; set CLAIMFLOW_SMTP_URL for `starter serve`"})
	}
	if len(invalid.Errors) > 0 {
		return nil, invalid
	}
	e.EventTypes, e.Resources = unique(e.EventTypes), unique(e.Resources)
	added, secret, err := a.Store.Endpoints.Create(ctx, in.Shop, e)
	recordChange(ctx, "id", added.ID)
	recordChange(ctx, "kind", string(added.Kind))
	recordChange(ctx, "event_types", strings.Join(added.EventTypes, ", "))
	return ok(client.EndpointWithSecret{Endpoint: added, Secret: secret}, err)
}

// checkEndpointAddress validates an endpoint's address and normalizes an email
// address.
func (a *api) checkEndpointAddress(ctx context.Context, kind claim.EndpointKind, address *string, invalid *claim.InvalidError) {
	var err error
	if kind == claim.EndpointEmail {
		var person string
		if person, err = delivery.Mailto(*address); err == nil {
			*address = person
		}
	} else {
		err = a.endpoints.Check(ctx, *address)
	}
	if err != nil {
		invalid.Errors = append(invalid.Errors, claim.FieldError{Field: "url", Problem: err.Error()})
	}
}

func checkEventTypes(kind claim.EndpointKind, types []string, invalid *claim.InvalidError) {
	for i, t := range types {
		field := fmt.Sprintf("event_types[%d]", i)
		switch {
		case !slices.Contains(claim.OutboundTypes(), t) && !slices.Contains(claim.RecordTypes(), t):
			known := slices.Concat(claim.OutboundTypes(), claim.RecordTypes())
			invalid.Errors = append(invalid.Errors, claim.FieldError{Field: field, Problem: "must be one of " + strings.Join(known, ", ")})
		case kind == claim.EndpointEmail && slices.Contains(claim.RecordTypes(), t):
			invalid.Errors = append(invalid.Errors, claim.FieldError{Field: field, Problem: "must not be of records, because emails are for people"})
		case !kind.Wants(types, t):
			invalid.Errors = append(invalid.Errors, claim.FieldError{Field: field, Problem: "must be a claim event, because Karla receives no other events"})
		}
	}
}

// checkRecords validates what an endpoint wants of records. The records of an
// organization cannot be divided by shop, and reading them takes a scope. The error is for
// the caller.
func (a *api) checkRecords(ctx context.Context, shop string, kind claim.EndpointKind, types, resources []string, invalid *claim.InvalidError) error {
	for i, r := range resources {
		if !slices.Contains(unified.EventResources(), r) {
			invalid.Errors = append(invalid.Errors, claim.FieldError{
				Field: fmt.Sprintf("resources[%d]", i), Problem: "must be one of " + strings.Join(unified.EventResources(), ", "),
			})
		}
	}
	if !claim.WantsRecords(types) {
		if len(resources) > 0 {
			invalid.Errors = append(invalid.Errors, claim.FieldError{Field: "resources", Problem: "is valid only with event types of records"})
		}
		return nil
	}
	if !kind.Signs() {
		return nil // refused with the types
	}
	if key := of(ctx).key; key == nil || !may(key, client.ScopeUnifiedRead) {
		return newProblem(http.StatusForbidden, "", "Events about records need an API key with the scope "+client.ScopeUnifiedRead+".")
	}
	if shop == "" {
		return nil
	}
	connections, err := a.Store.Connections.List(ctx)
	if slices.ContainsFunc(connections, func(c store.ConnectionShops) bool { return c.Shared && slices.Contains(c.Shops, shop) }) {
		invalid.Errors = append(invalid.Errors, claim.FieldError{
			Field: "event_types", Problem: "must not be of records: other shops use the same Dixa organization or did before, and its records cannot be divided by shop. Add an endpoint of the platform",
		})
	}
	return err
}

func checkKarla(e claim.NewEndpoint, invalid *claim.InvalidError) {
	for _, member := range []struct {
		field, value string
		required     bool
	}{{"user", e.User, true}, {"password", e.Password, true}, {"karla_shop", e.KarlaShop, false}} {
		switch {
		case e.Kind == claim.EndpointKarla && member.required && member.value == "":
			invalid.Errors = append(invalid.Errors, claim.FieldError{Field: member.field, Problem: "is required for kind karla"})
		case e.Kind != claim.EndpointKarla && member.value != "":
			invalid.Errors = append(invalid.Errors, claim.FieldError{Field: member.field, Problem: "is valid only for kind karla"})
		}
	}
}

func unique(types []string) []string { return slices.Compact(slices.Sorted(slices.Values(types))) }

func (a *api) listEndpoints(ctx context.Context, in *InShop) (*body[client.EndpointList], error) {
	if err := a.known(ctx, in.Shop); err != nil {
		return nil, err
	}
	endpoints, err := a.Store.Endpoints.List(ctx, in.Shop)
	return ok(client.EndpointList{Endpoints: notNil(endpoints)}, err)
}

func (a *api) getEndpoint(ctx context.Context, in *InEndpoint) (*body[client.Endpoint], error) {
	return ok(a.Store.Endpoints.Get(ctx, in.Shop, in.Endpoint))
}

type patchEndpointInput struct {
	InEndpoint
	Body client.EndpointPatch
}

func (a *api) updateEndpoint(ctx context.Context, in *patchEndpointInput) (*body[client.Endpoint], error) {
	e, err := a.Store.Endpoints.Get(ctx, in.Shop, in.Endpoint)
	if err != nil {
		return nil, err
	}
	p := in.Body
	invalid := &claim.InvalidError{What: "endpoint"}
	if p.EventTypes != nil {
		types := unique(*p.EventTypes)
		p.EventTypes = &types
		checkEventTypes(e.Kind, types, invalid)
		recordChange(ctx, "event_types", strings.Join(types, ", "))
	}
	if p.EventTypes != nil || p.Resources != nil || p.URL != nil {
		types, resources := e.EventTypes, e.Resources
		if p.EventTypes != nil {
			types = *p.EventTypes
		}
		if p.Resources != nil {
			resources = unique(*p.Resources)
			p.Resources = &resources
			recordChange(ctx, "resources", strings.Join(resources, ", "))
		}
		if err := a.checkRecords(ctx, in.Shop, e.Kind, types, resources, invalid); err != nil {
			return nil, err
		}
	}
	if p.URL != nil {
		a.checkEndpointAddress(ctx, e.Kind, p.URL, invalid)
		recordChange(ctx, "url", "changed")
	}
	if len(invalid.Errors) > 0 {
		return nil, invalid
	}
	if p.User != nil || p.Password != nil || p.KarlaShop != nil {
		recordChange(ctx, "karla", "changed")
	}
	if p.State != nil {
		recordChange(ctx, "state", string(*p.State))
	}
	return ok(a.Store.Endpoints.Patch(ctx, in.Shop, in.Endpoint, p, "paused by "+of(ctx).key.Name))
}

func (a *api) deleteEndpoint(ctx context.Context, in *InEndpoint) (*struct{}, error) {
	return nil, a.Store.Endpoints.Delete(ctx, in.Shop, in.Endpoint)
}

type rotateInput struct {
	InEndpoint
	Body *client.RotateRequest
}

func (a *api) rotateEndpoint(ctx context.Context, in *rotateInput) (*body[client.EndpointWithSecret], error) {
	keep := keepSecret
	if in.Body != nil && in.Body.KeepHours != nil {
		keep = time.Duration(*in.Body.KeepHours) * time.Hour
	}
	e, secret, err := a.Store.Endpoints.RotateSecret(ctx, in.Shop, in.Endpoint, keep)
	recordChange(ctx, "both_until", instant(e.PreviousSecretUntil))
	return ok(client.EndpointWithSecret{Endpoint: e, Secret: secret}, err)
}

func (a *api) resumeEndpoint(ctx context.Context, in *InEndpoint) (*body[client.Endpoint], error) {
	return ok(a.Store.Endpoints.Resume(ctx, in.Shop, in.Endpoint))
}

type replayInput struct {
	InEndpoint
	Body *client.ReplayRequest
}

func (a *api) replayEndpoint(ctx context.Context, in *replayInput) (*body[client.EventCount], error) {
	r := orZero(in.Body)
	if !r.Until.IsZero() && !r.Since.Before(r.Until) {
		return nil, invalid("range", "until", "must be after since")
	}
	n, err := a.Store.Deliveries.Replay(ctx, in.Shop, in.Endpoint, r.Since, r.Until)
	recordChange(ctx, "events", strconv.Itoa(n))
	recordChange(ctx, "since", instant(r.Since))
	recordChange(ctx, "until", instant(r.Until))
	return ok(client.EventCount{Events: n}, err)
}

type deliveriesInput struct {
	InEndpoint
	claim.DeliveryFilter
}

func (a *api) listDeliveries(ctx context.Context, in *deliveriesInput) (*body[client.DeliveryPage], error) {
	if _, err := a.Store.Endpoints.Get(ctx, in.Shop, in.Endpoint); err != nil {
		return nil, err
	}
	deliveries, next, err := a.Store.Deliveries.List(ctx, in.Shop, in.Endpoint, in.DeliveryFilter)
	for i := range deliveries {
		hideRecord(ctx, &deliveries[i])
	}
	return ok(client.DeliveryPage{Deliveries: notNil(deliveries), Next: next}, err)
}

// InDelivery names a delivery of an endpoint.
type InDelivery struct {
	InEndpoint
	Delivery string `path:"delivery" doc:"The id of the delivery, which is its webhook-id."`
}

func (a *api) getDelivery(ctx context.Context, in *InDelivery) (*body[client.Delivery], error) {
	d, err := a.Store.Deliveries.Get(ctx, in.Shop, in.Endpoint, in.Delivery)
	hideRecord(ctx, &d)
	return ok(d, err)
}

func (a *api) replayDelivery(ctx context.Context, in *InDelivery) (*body[client.Delivery], error) {
	if err := a.Store.Deliveries.ReplayOne(ctx, in.Shop, in.Endpoint, in.Delivery); err != nil {
		return nil, err
	}
	return a.getDelivery(ctx, in)
}

func (a *api) testEndpoint(ctx context.Context, in *InEndpoint) (*body[client.Delivery], error) {
	id, err := a.Store.Deliveries.AddTest(ctx, in.Shop, in.Endpoint)
	if err != nil {
		return nil, err
	}
	return a.getDelivery(ctx, &InDelivery{*in, id})
}

// hideRecord removes the body of an event about a record, unless the key may read it.
func hideRecord(ctx context.Context, d *claim.Delivery) {
	if key := of(ctx).key; slices.Contains(claim.RecordTypes(), d.Type) && (key == nil || !may(key, client.ScopeUnifiedRead)) {
		d.Body = json.RawMessage("null")
	}
}

// noListenerWarning returns a warning if no active endpoint is notified of the shop's claims.
func (a *api) noListenerWarning(ctx context.Context, shop string) ([]string, error) {
	heard, err := a.Store.Endpoints.AnyActive(ctx, shop)
	if err != nil || heard {
		return nil, err
	}
	return []string{"No endpoint reports claims of this shop that need attention: neither the shop nor the platform has an active webhook or email endpoint for these events. Add one with `starter endpoint add --shop " + shop + " URL`."}, nil
}
