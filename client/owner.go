package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/claimflow/claimflow/claim"
)

// Results of a change to a claim.
const (
	UpdateUnchanged  = "unchanged"     // the claim already has these values
	UpdateOlder      = "ignored_older" // a newer change is known
	UpdateEdited     = "edited"        // the claim was edited before its conversation was created
	UpdateWithdrawn  = "withdrawn"     // the claim was withdrawn before its conversation was created
	UpdateInstructed = "instructed"    // the change rules are carried out in its conversation
	UpdateKept       = "kept"          // the claim is abandoned, so there is no further effect
)

// Updated is the result of a change to a claim.
type Updated struct {
	// Result is one of the Update constants, such as [UpdateUnchanged].
	Result string `json:"result" enum:"unchanged,ignored_older,edited,withdrawn,instructed,kept" doc:"What was done about the change."`
	// Changed lists the fields that changed, by JSON path.
	Changed []string `json:"changed,omitempty" doc:"The fields that changed, by JSON path."`
	// InstructionID is the instruction for the conversation.
	InstructionID string       `json:"instruction_id,omitempty" doc:"What is to be done in the conversation; missing where nothing is."`
	Claim         claim.Record `json:"claim"`
	// Cut and Ignored are as in [Submitted].
	Cut     []claim.Truncation `json:"cut,omitempty" doc:"What was shortened or left out because it is too long."`
	Ignored []string           `json:"ignored,omitempty" doc:"Members that the contract does not know, by JSON path, up to 20."`
}

// Update applies a change that the owner made to a claim. change is a JSON object
// with the members of the claim that changed, see [claim.DecodeUpdate]. If it has
// "updated_at", a change that arrives out of order is ignored. Update is safe to
// repeat.
func (c *Client) Update(ctx context.Context, ref claim.Ref, change json.RawMessage) (Updated, error) {
	return ask[Updated](ctx, c, call{method: http.MethodPatch, path: oneClaim(ref), body: change})
}

// KarlaSecretRequest is the secret with which Karla signs its webhooks.
type KarlaSecretRequest struct {
	Secret string `json:"secret" doc:"The secret as Karla shows it. The one that it replaces stays good for three days."`
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
	path := []string{"v1", "karla", "webhook-secret"}
	if shop != "" {
		path = []string{"v1", "shops", shop, "karla", "webhook-secret"}
	}
	return ask[KarlaSecret](ctx, c, call{method: http.MethodPut, path: path, body: KarlaSecretRequest{Secret: secret}})
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
	q := url.Values{}
	if state != "" {
		q.Set("state", state)
	}
	out, err := ask[KarlaEventList](ctx, c, call{method: http.MethodGet, path: []string{"v1", "shops", shop, "karla", "events"}, query: q})
	return out.Events, err
}
