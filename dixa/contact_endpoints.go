package dixa

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
)

// ContactEndpointsService reads the addresses and numbers at which customers contact
// the organization.
type ContactEndpointsService struct{ service }

// Kinds of contact endpoint.
const (
	EmailEndpoint     = "EmailEndpoint"
	TelephonyEndpoint = "TelephonyEndpoint"
)

// ContactEndpoint is an email address or a phone number of the organization.
type ContactEndpoint struct {
	// Type is EmailEndpoint or TelephonyEndpoint.
	Type string `json:"_type"`
	Name string `json:"name,omitempty"`
	// Address is the address of an EmailEndpoint, for
	// NewConversation.EmailIntegrationID.
	Address string `json:"address,omitempty"`
	// SenderOverride is the sender address of an EmailEndpoint.
	SenderOverride string `json:"senderOverride,omitempty"`
	// Number is the number of a TelephonyEndpoint, in E.164 format.
	Number string `json:"number,omitempty"`
	// Functionality of a TelephonyEndpoint has values such as "VoiceInbound".
	Functionality []string `json:"functionality,omitzero"`
	Extra         Extra    `json:"-"`
}

// ID returns the address or number, which Dixa uses as the endpoint's id.
func (e *ContactEndpoint) ID() string { return cmp.Or(e.Address, e.Number) }

// UnmarshalJSON keeps unknown members in Extra.
func (e *ContactEndpoint) UnmarshalJSON(b []byte) error { return decodeOpen(b, e) }

// MarshalJSON also writes the members in Extra.
func (e ContactEndpoint) MarshalJSON() ([]byte, error) { return encodeOpen(e) }

// List returns the contact endpoints of one type, or all if the type is empty.
//
// Dixa: GET /v1/contact-endpoints.
func (s *ContactEndpointsService) List(ctx context.Context, endpointType string) ([]*ContactEndpoint, error) {
	op := Operation{"ContactEndpoints.List", http.MethodGet, "/contact-endpoints"}
	query := url.Values{}
	setNonEmpty(query, "_type", endpointType)
	return fetchAll[ContactEndpoint](ctx, s.client, op, Params{Query: query})
}

// Get returns the endpoint with the given email address or E.164 number.
//
// Dixa: GET /v1/contact-endpoints/{contactEndpointId}.
func (s *ContactEndpointsService) Get(ctx context.Context, id string) (*ContactEndpoint, error) {
	op := Operation{"ContactEndpoints.Get", http.MethodGet, "/contact-endpoints/{contactEndpointId}"}
	return fetch[ContactEndpoint](ctx, s.client, op, Params{Path: []any{id}})
}
