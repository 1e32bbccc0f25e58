package api

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/internal/fromowner/karla"
	"github.com/claimflow/claimflow/internal/seal"
	"github.com/claimflow/claimflow/store"
)

// karlaPath is where Karla sends its webhooks: the path itself serves all shops;
// with a shop's slug appended it serves that shop.
const karlaPath = "/webhooks/karla"

// keepKarlaEvent verifies an event of Karla's and stores it.
func (a *api) keepKarlaEvent(ctx context.Context, r *http.Request, body []byte) (kind string, fresh bool, err error) {
	shop := r.PathValue("shop")
	var known []string
	if shop == "" || claim.IsSlug(shop) {
		if known, err = a.Store.OwnerInbox.Secrets(ctx, shop); err != nil {
			return "", false, err
		}
	}
	err = verifySignature(known, "-", "unknown_shop", func(secrets []seal.Secret) error {
		return karla.VerifySignature(r.Header.Get(karla.SignatureHeader), body, secrets, time.Now())
	})
	if err != nil {
		return "", false, err
	}
	event, err := karla.ParseEvent(body)
	if err != nil {
		return "", false, malformedEvent("The body is not a Karla event.", fmt.Errorf("store an event of shop %q: %w", shop, err))
	}
	// Events of unknown shops are stored, too; the row says so.
	fresh, err = a.Store.OwnerInbox.Receive(ctx, store.OwnerEvent{
		Shop: cut(cmp.Or(shop, event.Shop)), ID: event.ID, Ref: cut(event.Ref), ClaimID: cut(event.ClaimID), TriggeredAt: event.TriggeredAt, Body: body,
	})
	return string(event.Kind), fresh, err
}

// maxForeignWord bounds names that come from another system, in bytes.
const maxForeignWord = 200

func cut(s string) string {
	return strings.ToValidUTF8(s[:min(len(s), maxForeignWord)], "") // drops a character that the cut splits
}

// saveKarlaSecret saves the secret of a shop or of the platform.
func (a *api) saveKarlaSecret(ctx context.Context, in *settingsInput) (*body[client.KarlaSecret], error) {
	// Parsed by hand because the router's own errors would reveal the value.
	var request struct{ Secret string }
	if err := json.Unmarshal(in.RawBody, &request); err != nil {
		return nil, invalid("webhook secret", "secret", `must have the form {"secret": "…"}`)
	}
	if len(request.Secret) < minKarlaSecret {
		return nil, invalid("webhook secret", "secret", "must have at least %d characters", minKarlaSecret)
	}
	preview := seal.Mask(request.Secret)
	if err := a.Store.OwnerInbox.SaveSecret(ctx, in.Shop, request.Secret, preview); err != nil {
		return nil, err
	}
	recordChange(ctx, "preview", preview)
	path := karlaPath
	if in.Shop != "" {
		path += "/" + in.Shop
	}
	return ok(client.KarlaSecret{Preview: preview, Path: path}, nil)
}

// minKarlaSecret rejects guessable secrets.
const minKarlaSecret = 16

type karlaEventsInput struct {
	InShop
	State string `query:"state" enum:"waiting,applied,ignored,invalid" doc:"Only events in this state."`
}

// maxKarlaEvents bounds how many events are listed.
const maxKarlaEvents = 200

func (a *api) karlaEvents(ctx context.Context, in *karlaEventsInput) (*body[client.KarlaEventList], error) {
	if err := a.known(ctx, in.Shop); err != nil {
		return nil, err
	}
	events, err := a.Store.OwnerInbox.List(ctx, in.Shop, store.OwnerEventState(in.State), maxKarlaEvents)
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
	spec.Components.SecuritySchemes[karlaSignatureScheme] = &huma.SecurityScheme{
		Type: "apiKey", In: "header", Name: karla.SignatureHeader,
		Description: "t=<Unix seconds>,v1=<hexadecimal HMAC-SHA256 of t, a dot and the body> under the secret.",
	}
	for _, op := range []huma.Operation{{
		OperationID: "receive-karla-event", Path: karlaPath, Summary: "Receive a Karla event for any shop",
		Description: "Called by Karla. The shop_slug in the body identifies the shop. The signature covers the body as sent. Events with the same bytes are deduplicated.",
	}, {
		OperationID: "receive-karla-event-of-shop", Path: karlaPath + "/{shop}", Summary: "Receive a Karla event for one shop",
		Description: "Called by Karla. The address identifies the shop and has its own secret.",
		Parameters:  []*huma.Param{{Name: "shop", In: "path", Required: true, Description: "The shop's slug.", Schema: &huma.Schema{Type: "string"}}},
	}} {
		documentReceiver(spec, op, "200", karlaSignatureScheme, map[string]string{
			"401": "The signature is missing, malformed, wrong or too old, or the address has no secret.",
		}, &huma.Schema{
			Type: "object",
			Properties: map[string]*huma.Schema{
				"ref":          {Type: "string", Examples: []any{"claims/updated"}},
				"event_group":  {Type: "string", Examples: []any{"claim_updated"}},
				"triggered_at": {Type: "string", Format: "date-time"},
				"event_data":   {Type: "object"},
				"context":      {Type: "object"},
				"shop_slug":    {Type: "string"},
			},
		})
	}
}
