package client

import (
	"cmp"
	"context"
	"iter"
	"net/http"
	"time"

	"github.com/claimflow/claimflow/claim"
)

// Kinds of endpoints.
const (
	EndpointWebhook = claim.EndpointWebhook
	EndpointKarla   = claim.EndpointKarla
	EndpointEmail   = claim.EndpointEmail
	EndpointTruto   = claim.EndpointTruto
)

// Types that the service shares with its clients.
type (
	// NewEndpoint is the address of a new recipient of claim events.
	NewEndpoint = claim.NewEndpoint
	// EndpointPatch is a change to an endpoint; nil members stay unchanged.
	EndpointPatch = claim.EndpointPatch
	// Endpoint is the address of a recipient of claim events.
	Endpoint = claim.Endpoint
	// Delivery is one event for one endpoint.
	Delivery = claim.Delivery
	// DeliveryFilter narrows the list of deliveries.
	DeliveryFilter = claim.DeliveryFilter
)

// EndpointWithSecret is an endpoint with its secret, which is shown only once.
type EndpointWithSecret struct {
	Endpoint
	// Secret is empty unless the endpoint is a webhook.
	Secret string `json:"secret,omitempty" doc:"The signing secret, as defined by Standard Webhooks. It is returned only once. Only webhooks have one."`
}

// EndpointList is a list of endpoints.
type EndpointList struct {
	Endpoints []Endpoint `json:"data"`
}

// RotateRequest sets how long the current secret stays valid after the rotation.
type RotateRequest struct {
	KeepHours *int `json:"keep_hours,omitempty" minimum:"0" maximum:"720" doc:"The number of hours for which the current secret also signs. The default is 24; 0 revokes it immediately."`
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

// DeliveryPage is a page of deliveries, newest first.
type DeliveryPage struct {
	Deliveries []Delivery `json:"data"`
	// Next is the cursor of the next page; empty on the last page.
	Next string `json:"next,omitempty"`
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

// UpdateEndpoint changes an endpoint.
func (c *Client) UpdateEndpoint(ctx context.Context, shop, id string, p EndpointPatch) (Endpoint, error) {
	return ask[Endpoint](ctx, c, call{method: http.MethodPatch, path: endpointPath(shop, id), body: p})
}

// RemoveEndpoint deletes an endpoint and its deliveries.
func (c *Client) RemoveEndpoint(ctx context.Context, shop, id string) error {
	_, err := c.send(ctx, call{method: http.MethodDelete, path: endpointPath(shop, id)})
	return err
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

// TestEndpoint queues a test event for an endpoint and returns its delivery. It is not
// retried if no response arrives.
func (c *Client) TestEndpoint(ctx context.Context, shop, id string) (Delivery, error) {
	return ask[Delivery](ctx, c, call{method: http.MethodPost, path: endpointPath(shop, id, "test"), once: true})
}

// Delivery returns a delivery of an endpoint.
func (c *Client) Delivery(ctx context.Context, shop, id, deliveryID string) (Delivery, error) {
	return ask[Delivery](ctx, c, call{method: http.MethodGet, path: endpointPath(shop, id, "deliveries", deliveryID)})
}

// ReplayDelivery sends a delivery to its endpoint again.
func (c *Client) ReplayDelivery(ctx context.Context, shop, id, deliveryID string) (Delivery, error) {
	return ask[Delivery](ctx, c, call{method: http.MethodPost, path: endpointPath(shop, id, "deliveries", deliveryID, "replay")})
}

// DeliveriesPage returns one page of an endpoint's deliveries, newest first.
func (c *Client) DeliveriesPage(ctx context.Context, shop, id string, f DeliveryFilter) (DeliveryPage, error) {
	return ask[DeliveryPage](ctx, c, call{
		method: http.MethodGet, path: endpointPath(shop, id, "deliveries"),
		query: query("state", string(f.State), "claim_id", f.ClaimID, "limit", number(f.Limit), "cursor", f.Cursor),
	})
}

// Deliveries lists an endpoint's past and pending deliveries, newest first, and
// fetches pages on demand. It ends after an error.
func (c *Client) Deliveries(ctx context.Context, shop, id string, f DeliveryFilter) iter.Seq2[Delivery, error] {
	return pages(func(cursor string) ([]Delivery, string, error) {
		f.Cursor = cmp.Or(cursor, f.Cursor)
		page, err := c.DeliveriesPage(ctx, shop, id, f)
		return page.Deliveries, page.Next, err
	})
}

func endpointPath(shop string, tail ...string) []string {
	return append(shopPath(shop, "endpoints"), tail...)
}
