package dixa

import (
	"context"
	"net/http"
)

// OrganizationService reads the token's organization.
type OrganizationService struct{ service }

// Organization is a Dixa organization.
type Organization struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Subdomain string `json:"subdomain"`
	// Status is "Active" or "Suspended".
	Status    string `json:"status"`
	AvatarURL string `json:"avatarUrl,omitempty"`
	Extra     Extra  `json:"-"`
}

func (o *Organization) identified() bool { return o.ID != "" }

// UnmarshalJSON keeps unknown members in Extra.
func (o *Organization) UnmarshalJSON(b []byte) error { return decodeOpen(b, o) }

// MarshalJSON also writes the members in Extra.
func (o Organization) MarshalJSON() ([]byte, error) { return encodeOpen(o) }

// Get returns the token's organization. It may fail with a 404 (IsNotFound) for
// organizations on an older version of the API.
//
// Dixa: GET /v1/organization.
func (s *OrganizationService) Get(ctx context.Context) (*Organization, error) {
	op := Operation{"Organization.Get", http.MethodGet, "/organization"}
	return fetch[Organization](ctx, s.client, op, Params{})
}
