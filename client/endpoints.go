package client

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"time"
)

// Kinds of endpoints.
const (
	EndpointWebhook = "webhook" // receives every event as a signed webhook
	EndpointKarla   = "karla"   // Karla's API: receives the status of claims
	EndpointEmail   = "email"   // a person who receives e-mail
)

// NewEndpoint is the address of a new recipient of claim events.
type NewEndpoint struct {
	// Kind defaults to [EndpointWebhook].
	Kind        string `json:"kind,omitempty" enum:"webhook,karla,email" doc:"webhook (missing: this): is sent events as Standard Webhooks. karla: Karla's API, which is told the status of claims. email: a person, who is written to when something has to be done."`
	URL         string `json:"url" minLength:"1" maxLength:"2000" example:"https://shop.example/claimflow" doc:"Where events are sent: a public https address; for kind karla that of the API without its /v1; for kind email an e-mail address."`
	Description string `json:"description,omitempty" maxLength:"200" doc:"What it is, for people."`
	// EventTypes are the types to receive; empty means the default of the kind.
	EventTypes []string `json:"event_types,omitempty" maxItems:"50" doc:"The types of events that it wants. Missing or empty: all; for kind email those after which a person has to do something."`
	// KarlaShop, User and Password apply to kind karla.
	KarlaShop string `json:"karla_shop,omitempty" maxLength:"200" doc:"Kind karla: the shop's slug there. Missing: that of the claim's shop."`
	User      string `json:"user,omitempty" maxLength:"200" doc:"Kind karla: the user of HTTP Basic. It never comes out again."`
	Password  string `json:"password,omitempty" maxLength:"500" doc:"Kind karla: the password of HTTP Basic. It never comes out again."`
}

// EndpointPatch is a change to an endpoint; nil members stay unchanged.
type EndpointPatch struct {
	URL         *string   `json:"url,omitempty" minLength:"1" maxLength:"2000"`
	Description *string   `json:"description,omitempty" maxLength:"200"`
	EventTypes  *[]string `json:"event_types,omitempty" maxItems:"50" doc:"Empty: those of the kind."`
	KarlaShop   *string   `json:"karla_shop,omitempty" maxLength:"200" doc:"Kind karla. Empty: that of the claim's shop."`
	User        *string   `json:"user,omitempty" minLength:"1" maxLength:"200" doc:"Kind karla."`
	Password    *string   `json:"password,omitempty" minLength:"1" maxLength:"500" doc:"Kind karla."`
	State       *string   `json:"state,omitempty" enum:"active,paused"`
}

// Endpoint is the address of a recipient of claim events.
type Endpoint struct {
	ID   string `json:"id"`
	Kind string `json:"kind" enum:"webhook,karla,email"`
	// Shop is the shop whose claims the endpoint receives events about; empty for
	// all shops.
	Shop        string   `json:"shop,omitempty"`
	URL         string   `json:"url" doc:"For kind email a mailto address."`
	Description string   `json:"description,omitempty"`
	EventTypes  []string `json:"event_types" doc:"Empty: those of the kind."`
	KarlaShop   string   `json:"karla_shop,omitempty" doc:"The shop's slug at Karla, where it is not that of the claim's shop."`
	State       string   `json:"state" enum:"active,paused"`
	// Reason says why the endpoint is paused.
	Reason string `json:"reason,omitempty" doc:"Why it is paused."`
	// PreviousSecretUntil is the time until which the secret before the last
	// rotation also signs.
	PreviousSecretUntil time.Time `json:"previous_secret_until,omitzero"`
	// FailingSince is zero unless the last attempts failed.
	FailingSince time.Time `json:"failing_since,omitzero"`
	// SucceededAt is when the endpoint last accepted an event, to the minute.
	SucceededAt time.Time `json:"succeeded_at,omitzero"`
	// Waiting and Dead count deliveries.
	Waiting   int       `json:"waiting"`
	Dead      int       `json:"dead"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// EndpointWithSecret is an endpoint with its secret, which is shown only once.
type EndpointWithSecret struct {
	Endpoint
	// Secret is empty unless the endpoint is a webhook.
	Secret string `json:"secret,omitempty" doc:"The key of the signatures, as Standard Webhooks has it. It is shown this once. Only webhooks have one."`
}

// EndpointList is a list of endpoints.
type EndpointList struct {
	Endpoints []Endpoint `json:"data"`
}

// RotateRequest says how long the previous secret also signs.
type RotateRequest struct {
	KeepHours *int `json:"keep_hours,omitempty" minimum:"0" maximum:"720" doc:"For how many hours the present secret signs beside the new one. Missing: 24; 0 ends it at once."`
}

// ReplayRequest selects the events to send again by time. Since is inclusive, Until
// exclusive. A zero time is no limit.
type ReplayRequest struct {
	Since time.Time `json:"since,omitzero"`
	Until time.Time `json:"until,omitzero"`
}

// EventCount is a number of events.
type EventCount struct {
	Events int `json:"events"`
}

// Delivery is one event for one endpoint.
type Delivery struct {
	// ID is the webhook-id, which is the same for every attempt and replay.
	ID string `json:"id"`
	// Shop and ClaimID are empty for an event that does not belong to a claim.
	Shop     string `json:"shop,omitempty"`
	ClaimID  string `json:"claim_id,omitempty"`
	Sequence int64  `json:"sequence"`
	Type     string `json:"type"`
	State    string `json:"state" enum:"waiting,delivered,dead"`
	Attempts int    `json:"attempts"`
	// NextAttemptAt is zero unless the delivery is waiting.
	NextAttemptAt time.Time `json:"next_attempt_at,omitzero"`
	// LastStatus is the HTTP status of the last response; zero if there was none.
	LastStatus  int       `json:"last_status,omitempty"`
	LastError   string    `json:"last_error,omitempty"`
	Note        string    `json:"note,omitempty" doc:"Why nothing was sent of one that counts as delivered."`
	DeliveredAt time.Time `json:"delivered_at,omitzero"`
	CreatedAt   time.Time `json:"created_at"`
	// Body is the payload.
	Body json.RawMessage `json:"body"`
}

// DeliveryPage is a page of deliveries, newest first.
type DeliveryPage struct {
	Deliveries []Delivery `json:"data"`
	// Next is the cursor of the next page; empty on the last page.
	Next string `json:"next,omitempty"`
}

// DeliveryFilter narrows the list of deliveries. Zero members have no effect.
type DeliveryFilter struct {
	// State is "waiting", "delivered" or "dead".
	State   string
	ClaimID string
}

// AddEndpoint adds an endpoint to a shop, or to the platform if shop is empty. It is
// not retried if no response arrives.
func (c *Client) AddEndpoint(ctx context.Context, shop string, e NewEndpoint) (EndpointWithSecret, error) {
	return ask[EndpointWithSecret](ctx, c, call{method: http.MethodPost, path: endpointPath(shop), body: e, once: true})
}

// Endpoints lists the endpoints of a shop, or of the platform if shop is empty.
func (c *Client) Endpoints(ctx context.Context, shop string) ([]Endpoint, error) {
	out, err := ask[EndpointList](ctx, c, call{method: http.MethodGet, path: endpointPath(shop)})
	return out.Endpoints, err
}

// Endpoint returns an endpoint.
func (c *Client) Endpoint(ctx context.Context, shop, id string) (Endpoint, error) {
	return ask[Endpoint](ctx, c, call{method: http.MethodGet, path: endpointPath(shop, id)})
}

// PatchEndpoint changes an endpoint.
func (c *Client) PatchEndpoint(ctx context.Context, shop, id string, p EndpointPatch) (Endpoint, error) {
	return ask[Endpoint](ctx, c, call{method: http.MethodPatch, path: endpointPath(shop, id), body: p})
}

// RemoveEndpoint deletes an endpoint and its deliveries.
func (c *Client) RemoveEndpoint(ctx context.Context, shop, id string) error {
	return c.do(ctx, call{method: http.MethodDelete, path: endpointPath(shop, id)}, nil)
}

// RotateEndpoint creates a new secret for an endpoint. The current secret also signs
// for keepHours. It is not retried if no response arrives.
func (c *Client) RotateEndpoint(ctx context.Context, shop, id string, keepHours int) (EndpointWithSecret, error) {
	return ask[EndpointWithSecret](ctx, c, call{method: http.MethodPost, path: endpointPath(shop, id, "rotate"), body: RotateRequest{KeepHours: &keepHours}, once: true})
}

// ResumeEndpoint resumes a paused endpoint where it stopped.
func (c *Client) ResumeEndpoint(ctx context.Context, shop, id string) (Endpoint, error) {
	return ask[Endpoint](ctx, c, call{method: http.MethodPost, path: endpointPath(shop, id, "resume")})
}

// Replay sends the events of a time range to an endpoint again and returns their
// number.
func (c *Client) Replay(ctx context.Context, shop, id string, r ReplayRequest) (int, error) {
	out, err := ask[EventCount](ctx, c, call{method: http.MethodPost, path: endpointPath(shop, id, "replay"), body: r})
	return out.Events, err
}

// Deliveries lists an endpoint's past and pending deliveries, newest first, and
// fetches pages on demand. It ends after an error.
func (c *Client) Deliveries(ctx context.Context, shop, id string, f DeliveryFilter) iter.Seq2[Delivery, error] {
	q := url.Values{}
	for name, value := range map[string]string{"state": f.State, "claim_id": f.ClaimID} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return func(yield func(Delivery, error) bool) {
		for {
			var page DeliveryPage
			if err := c.do(ctx, call{method: http.MethodGet, path: endpointPath(shop, id, "deliveries"), query: q}, &page); err != nil {
				yield(Delivery{}, err)
				return
			}
			for _, d := range page.Deliveries {
				if !yield(d, nil) {
					return
				}
			}
			if page.Next == "" {
				return
			}
			q.Set("cursor", page.Next)
		}
	}
}

func endpointPath(shop string, tail ...string) []string {
	if shop == "" {
		return append([]string{"v1", "endpoints"}, tail...)
	}
	return shopPath(shop, append([]string{"endpoints"}, tail...)...)
}
