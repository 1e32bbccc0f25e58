package dixa

import (
	"context"
	"net/http"
)

// OrganizationService reads the organisation that the token belongs to.
type OrganizationService struct{ service }

// Organization is a Dixa organisation.
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
func (o *Organization) UnmarshalJSON(b []byte) error {
	type plain Organization
	return decodeOpen(b, (*plain)(o), &o.Extra)
}

// MarshalJSON writes the members in Extra as well.
func (o Organization) MarshalJSON() ([]byte, error) {
	type plain Organization
	return encodeOpen(plain(o), o.Extra)
}

// Get returns the token's organisation. Organisations on an older version of
// the API may answer 404 (IsNotFound).
//
// Dixa: GET /v1/organization.
func (s *OrganizationService) Get(ctx context.Context) (*Organization, error) {
	op := Operation{"Organization.Get", http.MethodGet, "/organization"}
	return fetch[Organization](ctx, s.client, op, Params{})
}
