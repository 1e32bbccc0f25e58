package claim

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// EndpointKind says how an endpoint receives events.
type EndpointKind string

// Kinds of endpoints.
const (
	EndpointWebhook EndpointKind = "webhook" // receives events as signed webhooks
	EndpointKarla   EndpointKind = "karla"   // receives claim statuses through Karla's API
	EndpointEmail   EndpointKind = "email"   // a person, who receives alerts by email (see AlertTypes)
	EndpointTruto   EndpointKind = "truto"   // receives events as webhooks in Truto's form
)

// Signs reports whether requests to endpoints of this kind are signed with a secret.
func (k EndpointKind) Signs() bool { return k == EndpointWebhook || k == EndpointTruto }

// Wants reports whether an endpoint of this kind with the given types wants an event
// of a type. Without types, a webhook wants every event, an email endpoint wants the
// events that require a person to act, and Karla wants the events of claims, which are
// the only ones that it can receive.
func (k EndpointKind) Wants(types []string, event string) bool {
	if k == EndpointKarla && !strings.HasPrefix(event, "claim.") {
		return false
	}
	if len(types) > 0 {
		return slices.Contains(types, event)
	}
	return k != EndpointEmail || slices.Contains(AlertTypes(), event)
}

// EndpointState says whether events are sent to an endpoint.
type EndpointState string

// States of an endpoint. Events that happen while an endpoint is paused wait.
const (
	EndpointActive EndpointState = "active"
	EndpointPaused EndpointState = "paused"
)

// NewEndpoint is the address of a new recipient of claim events.
type NewEndpoint struct {
	// Kind defaults to [EndpointWebhook].
	Kind        EndpointKind `json:"kind,omitempty" enum:"webhook,karla,email,truto" doc:"webhook (default): receives events as Standard Webhooks. truto: receives events as webhooks in Truto's form. karla: Karla's API, which receives the status of claims. email: a person, who receives email when action is required."`
	URL         string       `json:"url" minLength:"1" maxLength:"2000" example:"https://shop.example/claimflow" doc:"The address that receives events: a public https URL; for kind karla the URL of the API without /v1; for kind email an email address."`
	Description string       `json:"description,omitempty" maxLength:"200" doc:"A free-text description."`
	// EventTypes are the types to receive; empty means the default of the kind, see
	// [EndpointKind.Wants].
	EventTypes []string `json:"event_types,omitempty" maxItems:"50" doc:"The event types to send. If omitted or empty: all types but those of records; for kind email the types that require action."`
	// Resources narrows the events about records; empty is every resource.
	Resources []string `json:"resources,omitempty" maxItems:"50" example:"[\"ticketing/tickets\"]" doc:"For the types record:created, record:updated and record:deleted: the resources of the unified API. If omitted or empty: all."`
	// History asks for records from before the endpoint was added.
	History bool `json:"history,omitempty" doc:"For the types of records: also send every record that is stored, or imported later, from before the endpoint was added."`
	// KarlaShop, User and Password apply to kind karla.
	KarlaShop string `json:"karla_shop,omitempty" maxLength:"200" doc:"Kind karla: the slug of the shop at Karla; the slug of the claim's shop if omitted."`
	User      string `json:"user,omitempty" maxLength:"200" doc:"Kind karla: the user for HTTP Basic. It is never returned."`
	Password  string `json:"password,omitempty" maxLength:"500" doc:"Kind karla: the password for HTTP Basic. It is never returned."`
}

// EndpointPatch is a change to an endpoint; nil members stay unchanged.
type EndpointPatch struct {
	URL         *string        `json:"url,omitempty" minLength:"1" maxLength:"2000"`
	Description *string        `json:"description,omitempty" maxLength:"200"`
	EventTypes  *[]string      `json:"event_types,omitempty" maxItems:"50" doc:"If empty, the default types of the kind."`
	Resources   *[]string      `json:"resources,omitempty" maxItems:"50" doc:"The resources of the unified API whose events are sent; if empty, all. It applies to changes that were not read yet."`
	KarlaShop   *string        `json:"karla_shop,omitempty" maxLength:"200" doc:"Kind karla: the slug of the shop at Karla; if empty, the slug of the claim's shop."`
	User        *string        `json:"user,omitempty" minLength:"1" maxLength:"200" doc:"Kind karla."`
	Password    *string        `json:"password,omitempty" minLength:"1" maxLength:"500" doc:"Kind karla."`
	State       *EndpointState `json:"state,omitempty" enum:"active,paused"`
}

// Endpoint is the address of a recipient of claim events.
type Endpoint struct {
	ID   string       `json:"id"`
	Kind EndpointKind `json:"kind" enum:"webhook,karla,email,truto"`
	// Shop is the shop whose claims the endpoint receives events about; empty for
	// all shops.
	Shop string `json:"shop,omitempty"`
	// URL is a mailto address for kind email and the address of the API for kind
	// karla.
	URL         string        `json:"url" doc:"A mailto URL for kind email."`
	Description string        `json:"description,omitempty"`
	EventTypes  []string      `json:"event_types" doc:"If empty, the default types of the kind."`
	Resources   []string      `json:"resources,omitempty" doc:"The resources of the unified API whose events are sent; all if absent."`
	History     bool          `json:"history,omitempty" doc:"Whether records from before the endpoint are sent."`
	KarlaShop   string        `json:"karla_shop,omitempty" doc:"The slug of the shop at Karla, if it differs from the slug of the claim's shop."`
	State       EndpointState `json:"state" enum:"active,paused"`
	// Reason says why the endpoint is paused.
	Reason string `json:"reason,omitempty" doc:"Why the endpoint is paused."`
	// PreviousSecretUntil is the time until which the secret before the last
	// rotation also signs; zero once it has expired.
	PreviousSecretUntil time.Time `json:"previous_secret_until,omitzero"`
	// FailingSince is the time of the first failure in the current series; zero
	// after a success.
	FailingSince time.Time `json:"failing_since,omitzero"`
	// SucceededAt is when the endpoint last accepted an event, to the minute.
	SucceededAt time.Time `json:"succeeded_at,omitzero"`
	// RecordsMissedAt is when the endpoint, after a long pause, came too late to learn of
	// all records that were deleted meanwhile; zero if it never did.
	RecordsMissedAt time.Time `json:"records_missed_at,omitzero" doc:"When the endpoint came too late to learn of all deleted records, because it was paused for too long."`
	// Waiting and Dead count deliveries.
	Waiting   int       `json:"waiting"`
	Dead      int       `json:"dead"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// DeliveryState is the state of a delivery.
type DeliveryState string

// States of a delivery.
const (
	// DeliveryWaiting: it is attempted when due, after the earlier events of the
	// same claim.
	DeliveryWaiting DeliveryState = "waiting"
	// DeliveryDelivered: the endpoint accepted it.
	DeliveryDelivered DeliveryState = "delivered"
	// DeliveryDead: its last attempt failed; later events proceed without it.
	DeliveryDead DeliveryState = "dead"
)

// Delivery is one event for one endpoint.
type Delivery struct {
	// ID is the webhook-id, which is the same for every attempt and replay.
	ID string `json:"id"`
	// Shop and ClaimID are empty for an event that does not belong to a claim.
	Shop     string        `json:"shop,omitempty"`
	ClaimID  string        `json:"claim_id,omitempty"`
	Sequence int64         `json:"sequence"`
	Type     string        `json:"type"`
	State    DeliveryState `json:"state" enum:"waiting,delivered,dead"`
	Attempts int           `json:"attempts"`
	// NextAttemptAt is zero unless the delivery is waiting.
	NextAttemptAt time.Time `json:"next_attempt_at,omitzero"`
	// LastStatus is the HTTP status of the last response; zero if there was none.
	LastStatus int `json:"last_status,omitempty"`
	// LastError describes the last error, never with the endpoint's response.
	LastError   string    `json:"last_error,omitempty"`
	Note        string    `json:"note,omitempty" doc:"Why a delivery counts as delivered although nothing was sent."`
	DeliveredAt time.Time `json:"delivered_at,omitzero"`
	CreatedAt   time.Time `json:"created_at"`
	// Body is the payload. That of an event about a record is null without the scope
	// unified:read.
	Body json.RawMessage `json:"body"`
}

// DeliveryFilter narrows the list of deliveries. Zero members have no effect.
type DeliveryFilter struct {
	State   DeliveryState `query:"state" enum:"waiting,delivered,dead" doc:"Only deliveries in this state."`
	ClaimID string        `query:"claim_id" doc:"Only deliveries of this claim."`
	// Limit is the number of deliveries per page. The default is 50, the maximum 500.
	Limit int `query:"limit" minimum:"1" maximum:"500" default:"50" doc:"The number of deliveries per page."`
	// Cursor continues an earlier list from where it ended.
	Cursor string `query:"cursor" doc:"The cursor from the previous page."`
}
