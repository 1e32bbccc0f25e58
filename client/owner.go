package client

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/claimflow/claimflow/claim"
)

// Results of a change to a claim.
const (
	UpdateUnchanged  = claim.UpdateUnchanged
	UpdateOlder      = claim.UpdateOlder
	UpdateEdited     = claim.UpdateEdited
	UpdateWithdrawn  = claim.UpdateWithdrawn
	UpdateInstructed = claim.UpdateInstructed
	UpdateKept       = claim.UpdateKept
	UpdateErased     = claim.UpdateErased
)

// Updated is the result of a change to a claim.
type Updated = claim.Updated

// Update applies a change that the owner made to a claim. change is a JSON object
// with the members of the claim that changed, see [claim.DecodeUpdate]. If it has
// "updated_at", a change that arrives out of order is ignored. Update is safe to
// repeat.
func (c *Client) Update(ctx context.Context, ref claim.Ref, change json.RawMessage) (Updated, error) {
	return ask[Updated](ctx, c, call{method: http.MethodPatch, path: oneClaim(ref), body: change})
}

// KarlaSecretRequest is the secret with which Karla signs its webhooks.
type KarlaSecretRequest struct {
	Secret string `json:"secret" doc:"The secret as Karla shows it. The previous secret stays valid for three days."`
}

// KarlaSecret is a saved secret, masked.
type KarlaSecret struct {
	Preview string `json:"secret_preview"`
	// Path is the path, below the public address, to which Karla sends its webhooks.
	Path string `json:"path"`
}

// SaveKarlaSecret saves the secret of Karla's webhooks for a shop, or for the
// platform if shop is empty.
func (c *Client) SaveKarlaSecret(ctx context.Context, shop, secret string) (KarlaSecret, error) {
	return ask[KarlaSecret](ctx, c, call{method: http.MethodPut, path: shopPath(shop, "karla", "webhook-secret"), body: KarlaSecretRequest{Secret: secret}})
}

// KarlaEvent is an event from Karla with its outcome.
type KarlaEvent struct {
	ID      string `json:"id"`
	Ref     string `json:"ref,omitempty" example:"claims/updated"`
	ClaimID string `json:"claim_id,omitempty"`
	// State is waiting, applied, ignored or invalid. Why gives the reason.
	State       string    `json:"state" enum:"waiting,applied,ignored,invalid"`
	Why         string    `json:"why,omitempty"`
	TriggeredAt time.Time `json:"triggered_at,omitzero"`
	ReceivedAt  time.Time `json:"received_at"`
}

// KarlaEventList is a list of events, newest first.
type KarlaEventList struct {
	Events []KarlaEvent `json:"data"`
}

// KarlaEvents lists up to 200 of the newest events from Karla for a shop. An empty
// state matches any state.
func (c *Client) KarlaEvents(ctx context.Context, shop, state string) ([]KarlaEvent, error) {
	out, err := ask[KarlaEventList](ctx, c, call{method: http.MethodGet, path: shopPath(shop, "karla", "events"), query: query("state", state)})
	return out.Events, err
}
