package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/internal/fromowner/karla"
	"github.com/claimflow/claimflow/internal/seal"
	"github.com/claimflow/claimflow/store"
)

// karlaPath is where Karla sends its webhooks: the path itself serves all shops;
// with a shop's slug appended it serves that shop.
const karlaPath = "/webhooks/karla"

// karlaWebhooks receives events from Karla.
type karlaWebhooks struct {
	store    *store.Store
	patience time.Duration
	kick     func()
	slots    chan struct{}
	events   metric.Int64Counter
}

func newKarlaWebhooks(o Options) (*karlaWebhooks, error) {
	if o.Meters == nil {
		o.Meters = noop.NewMeterProvider()
	}
	events, err := o.Meters.Meter("claimflow").Int64Counter("claimflow.karla.events",
		metric.WithDescription("Events that arrived from Karla, by kind, result and, where they were refused, reason."))
	if err != nil {
		return nil, fmt.Errorf("set up the metric of Karla's events: %w", err)
	}
	kick := o.KickOwner
	if kick == nil {
		kick = func() {}
	}
	return &karlaWebhooks{
		store: o.Store, patience: cmp.Or(o.WebhookPatience, eventPatience), kick: kick,
		slots: make(chan struct{}, maxEventsAtOnce), events: events,
	}, nil
}

// ServeHTTP answers 200, as Karla requires, once an event is durable, including
// duplicates and events without effect. Any problem with the signature or with the
// shop in the address gets the same 401.
func (h *karlaWebhooks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
	defer cancel()
	kind, fresh, err := h.receive(ctx, w, r)
	result, reason := eventDuplicate, ""
	switch {
	case err != nil:
		result, reason = refuseEvent(ctx, w, err, karla.SignatureHeader)
	case fresh:
		result = eventVerified
		h.kick()
	}
	h.events.Add(ctx, 1, metric.WithAttributes(
		attribute.String("event", string(kind)), attribute.String("result", result), attribute.String("reason", reason)))
	if err == nil {
		w.WriteHeader(http.StatusOK)
	}
}

func (h *karlaWebhooks) receive(ctx context.Context, w http.ResponseWriter, r *http.Request) (kind karla.Kind, fresh bool, err error) {
	// For the deadline, see webhooks.receive.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(h.patience))
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	default:
		return "", false, &eventRefusal{status: http.StatusServiceUnavailable, reason: "busy", words: "Too many events arrive at once. Sending it again is safe."}
	}
	body, err := readEvent(w, r)
	if err != nil {
		return "", false, err
	}
	shop := r.PathValue("shop")
	if err := h.verify(ctx, shop, r.Header.Get(karla.SignatureHeader), body); err != nil {
		return "", false, err
	}
	event, err := karla.ParseEvent(body)
	if err != nil {
		return "", false, &eventRefusal{
			status: http.StatusUnprocessableEntity, reason: "malformed_event", words: "The body is not an event of Karla's.",
			err: fmt.Errorf("keep an event of shop %q: %w", shop, err),
		}
	}
	// Events of unknown shops are stored, too; the row says so.
	fresh, err = h.store.OwnerInbox.Receive(ctx, store.OwnerEvent{
		Shop: cut(cmp.Or(shop, event.Shop)), ID: event.ID, Ref: cut(event.Ref), ClaimID: cut(event.ClaimID), TriggeredAt: event.TriggeredAt, Body: body,
	})
	return event.Kind, fresh, err
}

// maxForeignWord bounds names that come from another system, in bytes.
const maxForeignWord = 200

func cut(s string) string {
	return strings.ToValidUTF8(s[:min(len(s), maxForeignWord)], "") // drops a character that the cut splits
}

// nobodysKarlaSecret stands in if there is no secret, so that verification takes
// equally long.
const nobodysKarlaSecret = seal.Secret("-")

func (h *karlaWebhooks) verify(ctx context.Context, shop, signature string, body []byte) error {
	var known []string
	var err error
	if shop == "" || claim.IsSlug(shop) {
		if known, err = h.store.OwnerInbox.Secrets(ctx, shop); err != nil {
			return err
		}
	}
	secrets := make([]seal.Secret, 0, len(known)+1)
	for _, secret := range known {
		secrets = append(secrets, seal.Secret(secret))
	}
	if len(known) == 0 {
		secrets = append(secrets, nobodysKarlaSecret)
	}
	err = karla.VerifySignature(signature, body, secrets, time.Now(), 0)
	switch {
	case len(known) == 0:
		return unverified("unknown_shop")
	case err == nil:
		return nil
	case errors.Is(err, karla.ErrSignatureMissing):
		return unverified("missing")
	case errors.Is(err, karla.ErrSignatureMalformed):
		return unverified("malformed")
	case errors.Is(err, karla.ErrSignatureTooOld):
		return unverified("too_old")
	default:
		return unverified("wrong")
	}
}

// saveKarlaSecret saves the secret of a shop or, if shop is empty, of the platform.
func (a *api) saveKarlaSecret(ctx context.Context, shop string, raw []byte) (*body[client.KarlaSecret], error) {
	// Parsed by hand because the router's own errors would reveal the value.
	var request struct{ Secret string }
	if err := json.Unmarshal(raw, &request); err != nil {
		return nil, invalid("webhook secret", "secret", `is not given as {"secret": "…"}`)
	}
	if len(request.Secret) < minKarlaSecret {
		return nil, invalid("webhook secret", "secret", "must have at least %d characters", minKarlaSecret)
	}
	preview := seal.Mask(request.Secret)
	if err := a.store.OwnerInbox.SaveSecret(ctx, shop, request.Secret, preview); err != nil {
		return nil, err
	}
	recordChange(ctx, "preview", preview)
	path := karlaPath
	if shop != "" {
		path += "/" + shop
	}
	return ok(client.KarlaSecret{Preview: preview, Path: path}, nil)
}

// minKarlaSecret rejects guessable secrets.
const minKarlaSecret = 16

func (a *api) saveShopKarlaSecret(ctx context.Context, in *settingsInput) (*body[client.KarlaSecret], error) {
	return a.saveKarlaSecret(ctx, in.Shop, in.RawBody)
}

func (a *api) savePlatformKarlaSecret(ctx context.Context, in *struct {
	RawBody []byte `contentType:"application/json"`
},
) (*body[client.KarlaSecret], error) {
	return a.saveKarlaSecret(ctx, "", in.RawBody)
}

type karlaEventsInput struct {
	InShop
	State string `query:"state" enum:"waiting,applied,ignored,invalid" doc:"Only events in this state."`
}

// maxKarlaEvents bounds how many events are listed.
const maxKarlaEvents = 200

func (a *api) karlaEvents(ctx context.Context, in *karlaEventsInput) (*body[client.KarlaEventList], error) {
	if _, err := a.store.Shops.Get(ctx, in.Shop); err != nil {
		return nil, err
	}
	events, err := a.store.OwnerInbox.List(ctx, in.Shop, store.OwnerEventState(in.State), maxKarlaEvents)
	out := client.KarlaEventList{Events: []client.KarlaEvent{}}
	for _, e := range events {
		out.Events = append(out.Events, client.KarlaEvent{
			ID: e.ID, Ref: e.Ref, ClaimID: e.ClaimID, State: string(e.State), Why: e.Why, TriggeredAt: e.TriggeredAt, ReceivedAt: e.ReceivedAt,
		})
	}
	return ok(out, err)
}

// karlaSignatureScheme names the signature of Karla's events in the OpenAPI
// document.
const karlaSignatureScheme = "karlaSignature"

// documentKarla describes the webhook routes in the OpenAPI document.
func documentKarla(spec *huma.OpenAPI) {
	problem := map[string]*huma.MediaType{problemType: {Schema: spec.Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "Problem")}}
	responses := map[string]*huma.Response{"200": {Description: "The event is kept, or was before."}}
	for status, words := range map[string]string{
		"400": "The event did not arrive whole.",
		"401": "The signature is missing, malformed, wrong or too old, or nobody saved a secret for the address.",
		"413": "The event is larger than 1 MiB.",
		"422": "The signature is right, but the body is no event.",
		"503": "The event was not taken; send it again.",
	} {
		responses[status] = &huma.Response{Description: words, Content: problem}
	}
	spec.Components.SecuritySchemes[karlaSignatureScheme] = &huma.SecurityScheme{
		Type: "apiKey", In: "header", Name: karla.SignatureHeader,
		Description: "t=<Unix seconds>,v1=<hexadecimal HMAC-SHA256 of t, a dot and the body> under the secret.",
	}
	operation := huma.Operation{
		OperationID: "receive-karla-event", Method: http.MethodPost, Path: karlaPath,
		Summary: "Receive an event of Karla's, of any shop", Tags: []string{tagWebhooks},
		Description: "For Karla. The shop_slug of the body says which shop it is for. The signature is verified over the body as it came. The same bytes are kept once.",
		Security:    []map[string][]string{{karlaSignatureScheme: {}}},
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: &huma.Schema{
			Type: "object",
			Properties: map[string]*huma.Schema{
				"ref":          {Type: "string", Examples: []any{"claims/updated"}},
				"event_group":  {Type: "string", Examples: []any{"claim_updated"}},
				"triggered_at": {Type: "string", Format: "date-time"},
				"event_data":   {Type: "object"},
				"context":      {Type: "object"},
				"shop_slug":    {Type: "string"},
			},
		}}}},
		Responses: responses,
	}
	ofShop := operation
	ofShop.OperationID, ofShop.Path = "receive-karla-event-of-shop", karlaPath+"/{shop}"
	ofShop.Summary = "Receive an event of Karla's for one shop"
	ofShop.Description = "For Karla. The address says which shop it is for, and has a secret of its own."
	ofShop.Parameters = []*huma.Param{{Name: "shop", In: "path", Required: true, Description: "The shop's slug.", Schema: &huma.Schema{Type: "string"}}}
	spec.AddOperation(&operation)
	spec.AddOperation(&ofShop)
}
