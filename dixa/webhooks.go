package dixa

import (
	"context"
	"net/http"
)

// WebhooksService manages webhook subscriptions and reads the results of their
// deliveries.
type WebhooksService struct{ service }

// WebhookSubscription is a subscription to events.
type WebhookSubscription struct {
	ID               string      `json:"id"`
	Name             string      `json:"name"`
	SubscribedEvents []EventName `json:"subscribedEvents"`
	URL              string      `json:"url"`
	// Headers are the headers that Dixa adds to each delivery, including the one
	// generated from the authorization.
	Headers map[string]Secret `json:"headers"`
	// SecretKey is the signing key in hexadecimal, for VerifySignature.
	SecretKey Secret                    `json:"secretKey"`
	Enabled   bool                      `json:"enabled"`
	CreatedAt Time                      `json:"createdAt,omitzero"`
	CreatedBy string                    `json:"createdBy,omitempty"`
	UpdatedAt Time                      `json:"updatedAt,omitzero"`
	UpdatedBy string                    `json:"updatedBy,omitempty"`
	Filters   map[string]WebhookFilters `json:"filters,omitzero"`
	Extra     Extra                     `json:"-"`
}

func (w *WebhookSubscription) identified() bool { return w.ID != "" }

// UnmarshalJSON keeps unknown members in Extra.
func (w *WebhookSubscription) UnmarshalJSON(b []byte) error { return decodeOpen(b, w) }

// MarshalJSON also writes the members in Extra. It writes the secrets in plain text.
func (w WebhookSubscription) MarshalJSON() ([]byte, error) { return encodeOpen(w) }

// WebhookFilters restrict the events of a kind. The only documented key is
// "Conversation".
type WebhookFilters struct {
	// Type is "CombinedFilters".
	Type string `json:"_type"`
	// Strategy is "All" or "Any".
	Strategy   string             `json:"strategy"`
	Conditions []WebhookCondition `json:"conditions"`
}

// WebhookCondition is one condition of a filter.
type WebhookCondition struct {
	// Type is "IsOneOf" or "IsNotOneOf".
	Type string `json:"_type"`
	// Field is "InitialChannel", "OperationOrigin" or "QueueId".
	Field  string   `json:"field"`
	Values []string `json:"values"`
}

// WebhookAuthorization is the authentication method of deliveries.
type WebhookAuthorization struct {
	// Type is "BasicAuth", "NoAuth" or "TokenAuth".
	Type     string `json:"_type"`
	Username string `json:"username,omitempty"`
	Password Secret `json:"password,omitempty"`
	Value    Secret `json:"value,omitempty"`
}

// BasicAuth adds a user name and password to deliveries.
func BasicAuth(username, password string) *WebhookAuthorization {
	return &WebhookAuthorization{Type: "BasicAuth", Username: username, Password: Secret(password)}
}

// NoAuth adds no authorization to deliveries. They are still signed.
func NoAuth() *WebhookAuthorization { return &WebhookAuthorization{Type: "NoAuth"} }

// TokenAuth adds a bearer token to deliveries.
func TokenAuth(token string) *WebhookAuthorization {
	return &WebhookAuthorization{Type: "TokenAuth", Value: Secret(token)}
}

// WebhookInput is a subscription to create, or the changes to an existing one. An
// update omits nil and empty fields.
type WebhookInput struct {
	Name   string      `json:"name,omitempty"`
	Events []EventName `json:"events,omitzero"`
	URL    string      `json:"url,omitempty"`
	// Authorization defaults to NoAuth on create.
	Authorization *WebhookAuthorization `json:"authorization,omitempty"`
	// CustomHeaders defaults to an empty object on create.
	CustomHeaders map[string]Secret `json:"customHeaders,omitzero"`
	// Enabled defaults to true on create.
	Enabled *bool                     `json:"enabled,omitempty"`
	Filters map[string]WebhookFilters `json:"filters,omitzero"`
}

// List returns all subscriptions.
//
// Dixa: GET /v1/webhooks.
func (s *WebhooksService) List(ctx context.Context) ([]*WebhookSubscription, error) {
	op := Operation{"Webhooks.List", http.MethodGet, "/webhooks"}
	return fetchAll[WebhookSubscription](ctx, s.client, op, Params{})
}

// Get returns one subscription.
//
// Dixa: GET /v1/webhooks/{webhookSubscriptionId}.
func (s *WebhooksService) Get(ctx context.Context, id string) (*WebhookSubscription, error) {
	op := Operation{"Webhooks.Get", http.MethodGet, "/webhooks/{webhookSubscriptionId}"}
	return fetch[WebhookSubscription](ctx, s.client, op, Params{Path: []any{id}})
}

// Create creates a subscription. Name and URL are required.
//
// Dixa: POST /v1/webhooks.
func (s *WebhooksService) Create(ctx context.Context, in WebhookInput) (*WebhookSubscription, error) {
	op := Operation{"Webhooks.Create", http.MethodPost, "/webhooks"}
	if in.Authorization == nil {
		in.Authorization = NoAuth()
	}
	if in.CustomHeaders == nil {
		in.CustomHeaders = map[string]Secret{}
	}
	return fetch[WebhookSubscription](ctx, s.client, op, Params{Body: in})
}

// Update changes the given fields of a subscription and leaves the others unchanged.
//
// Dixa: PATCH /v1/webhooks/{webhookSubscriptionId}.
func (s *WebhooksService) Update(ctx context.Context, id string, in WebhookInput) (*WebhookSubscription, error) {
	op := Operation{"Webhooks.Update", http.MethodPatch, "/webhooks/{webhookSubscriptionId}"}
	return fetch[WebhookSubscription](ctx, s.client, op, Params{Path: []any{id}, Body: in})
}

// Delete deletes a subscription.
//
// Dixa: DELETE /v1/webhooks/{webhookSubscriptionId}.
func (s *WebhooksService) Delete(ctx context.Context, id string) error {
	op := Operation{"Webhooks.Delete", http.MethodDelete, "/webhooks/{webhookSubscriptionId}"}
	return run(ctx, s.client, op, Params{Path: []any{id}})
}

// Delivery is the result of one delivery.
type Delivery struct {
	// Type is "DeliveryDetail", "NoRecentDelivery" (no other field is set) or, in
	// logs, empty.
	Type         string `json:"_type,omitempty"`
	DeliveredAt  Time   `json:"deliveryTimestamp,omitzero"`
	Success      bool   `json:"success,omitempty"`
	ResponseCode int    `json:"responseCode,omitempty"`
	ResponseText string `json:"responseText,omitempty"`
	Extra        Extra  `json:"-"`
}

// UnmarshalJSON keeps unknown members in Extra.
func (d *Delivery) UnmarshalJSON(b []byte) error { return decodeOpen(b, d) }

// MarshalJSON also writes the members in Extra.
func (d Delivery) MarshalJSON() ([]byte, error) { return encodeOpen(d) }

// EventDelivery is the latest delivery of one kind of event.
type EventDelivery struct {
	Event  EventName `json:"event"`
	Status Delivery  `json:"deliveryStatus"`
}

// DeliveryLog is one delivery with its payload.
type DeliveryLog struct {
	Delivery Delivery `json:"deliveryDetail"`
	// Payload is the event's JSON, for ParseEvent.
	Payload string `json:"payload"`
}

// DeliveryStatus returns the latest delivery of each kind of event.
//
// Dixa: GET /v1/webhooks/{webhookSubscriptionId}/delivery-status.
func (s *WebhooksService) DeliveryStatus(ctx context.Context, id string) ([]*EventDelivery, error) {
	op := Operation{"Webhooks.DeliveryStatus", http.MethodGet, "/webhooks/{webhookSubscriptionId}/delivery-status"}
	return fetchAll[EventDelivery](ctx, s.client, op, Params{Path: []any{id}})
}

// DeliveryLogs returns the latest deliveries of one kind of event. It is unknown how
// many deliveries Dixa stores.
//
// Dixa: GET /v1/webhooks/{webhookSubscriptionId}/delivery-status/logs/{event}.
func (s *WebhooksService) DeliveryLogs(ctx context.Context, id string, event EventName) ([]*DeliveryLog, error) {
	op := Operation{"Webhooks.DeliveryLogs", http.MethodGet, "/webhooks/{webhookSubscriptionId}/delivery-status/logs/{event}"}
	return fetchAll[DeliveryLog](ctx, s.client, op, Params{Path: []any{id, string(event)}})
}
