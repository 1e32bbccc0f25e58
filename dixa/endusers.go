package dixa

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"
)

// EndUsersService finds, creates and changes end users, which are the customers.
type EndUsersService struct{ service }

// EndUser is a customer of the organization.
type EndUser struct {
	ID                     string   `json:"id"`
	CreatedAt              Time     `json:"createdAt,omitzero"`
	DisplayName            string   `json:"displayName,omitempty"`
	Email                  string   `json:"email,omitempty"`
	PhoneNumber            string   `json:"phoneNumber,omitempty"`
	AdditionalEmails       []string `json:"additionalEmails,omitzero"`
	AdditionalPhoneNumbers []string `json:"additionalPhoneNumbers,omitzero"`
	FirstName              string   `json:"firstName,omitempty"`
	LastName               string   `json:"lastName,omitempty"`
	MiddleNames            []string `json:"middleNames,omitzero"`
	AvatarURL              string   `json:"avatarUrl,omitempty"`
	ExternalID             string   `json:"externalId,omitempty"`
	// CustomAttributes is absent from lists.
	CustomAttributes []CustomAttribute `json:"customAttributes,omitzero"`
	Extra            Extra             `json:"-"`
}

func (u *EndUser) identified() bool { return u.ID != "" }

// UnmarshalJSON keeps unknown members in Extra.
func (u *EndUser) UnmarshalJSON(b []byte) error { return decodeOpen(b, u) }

// MarshalJSON also writes the members in Extra.
func (u EndUser) MarshalJSON() ([]byte, error) { return encodeOpen(u) }

// EndUserInput holds the fields of a create, update or replacement. Empty fields are
// omitted.
type EndUserInput struct {
	DisplayName string `json:"displayName,omitempty"`
	Email       string `json:"email,omitempty"`
	// PhoneNumber is in E.164 format, such as "+4512345678".
	PhoneNumber            string   `json:"phoneNumber,omitempty"`
	AdditionalEmails       []string `json:"additionalEmails,omitzero"`
	AdditionalPhoneNumbers []string `json:"additionalPhoneNumbers,omitzero"`
	FirstName              string   `json:"firstName,omitempty"`
	LastName               string   `json:"lastName,omitempty"`
	MiddleNames            []string `json:"middleNames,omitzero"`
	// AvatarURL is the address from which Dixa fetches and copies the avatar.
	AvatarURL  string `json:"avatarUrl,omitempty"`
	ExternalID string `json:"externalId,omitempty"`
}

// EndUserChange is one item of a bulk update or replacement.
type EndUserChange struct {
	ID string `json:"id"`
	EndUserInput
}

// EndUserFilter selects end users by at most one criterion; Dixa rejects two. It is
// unknown whether the email address is case-sensitive.
type EndUserFilter struct {
	Email      string
	Phone      string
	ExternalID string
	// PageLimit is the page size; 0 uses Dixa's default.
	PageLimit int
}

func (f EndUserFilter) query() (url.Values, error) {
	q := pageQuery(f.PageLimit)
	criteria := setNonEmpty(q, "email", f.Email) + setNonEmpty(q, "phone", f.Phone) + setNonEmpty(q, "externalId", f.ExternalID)
	if criteria > 1 {
		return nil, fmt.Errorf("%w: set only one of Email, Phone and ExternalID", ErrInvalidArgument)
	}
	return q, nil
}

// List yields the matching end users, page by page. If there is no match, the
// sequence is empty, but Dixa may also return a 404 (IsNotFound).
//
// Dixa: GET /v1/endusers.
func (s *EndUsersService) List(ctx context.Context, filter EndUserFilter) iter.Seq2[*EndUser, error] {
	query, err := filter.query()
	if err != nil {
		return failed[EndUser](invalid(endUsersOperation, err))
	}
	return fetchPages[EndUser](ctx, s.client, endUsersOperation, Params{Query: query})
}

// Get returns one end user with custom attributes.
//
// Dixa: GET /v1/endusers/{userId}.
func (s *EndUsersService) Get(ctx context.Context, id string) (*EndUser, error) {
	op := Operation{"EndUsers.Get", http.MethodGet, "/endusers/{userId}"}
	return fetch[EndUser](ctx, s.client, op, Params{Path: []any{id}})
}

// Create creates an end user. It fails if another user has the email address
// (IsEmailExists) or phone number (IsPhoneExists).
//
// Dixa: POST /v1/endusers.
func (s *EndUsersService) Create(ctx context.Context, in EndUserInput) (*EndUser, error) {
	op := Operation{"EndUsers.Create", http.MethodPost, "/endusers"}
	return fetch[EndUser](ctx, s.client, op, Params{Body: in})
}

// Update changes the given fields of an end user and leaves the others unchanged.
//
// Dixa: PATCH /v1/endusers/{userId}.
func (s *EndUsersService) Update(ctx context.Context, id string, in EndUserInput) (*EndUser, error) {
	op := Operation{"EndUsers.Update", http.MethodPatch, "/endusers/{userId}"}
	return fetch[EndUser](ctx, s.client, op, Params{Path: []any{id}, Body: in})
}

// Replace sets an end user to the given fields. DisplayName is required.
//
// Dixa: PUT /v1/endusers/{userId}.
func (s *EndUsersService) Replace(ctx context.Context, id string, in EndUserInput) (*EndUser, error) {
	op := Operation{"EndUsers.Replace", http.MethodPut, "/endusers/{userId}"}
	return fetch[EndUser](ctx, s.client, op, Params{Path: []any{id}, Body: in})
}

// CreateBulk creates several end users. Each has its own outcome.
//
// Dixa: POST /v1/endusers/bulk.
func (s *EndUsersService) CreateBulk(ctx context.Context, in []EndUserInput) ([]*BulkOutcome[EndUser], error) {
	op := Operation{"EndUsers.CreateBulk", http.MethodPost, "/endusers/bulk"}
	return fetchAll[BulkOutcome[EndUser]](ctx, s.client, op, Params{Body: bulkOf(in)})
}

// UpdateBulk changes the given fields of several end users.
//
// Dixa: PATCH /v1/endusers.
func (s *EndUsersService) UpdateBulk(ctx context.Context, in []EndUserChange) ([]*BulkOutcome[EndUser], error) {
	op := Operation{"EndUsers.UpdateBulk", http.MethodPatch, "/endusers"}
	return fetchAll[BulkOutcome[EndUser]](ctx, s.client, op, Params{Body: bulkOf(in)})
}

// ReplaceBulk sets several end users to the given fields.
//
// Dixa: PUT /v1/endusers.
func (s *EndUsersService) ReplaceBulk(ctx context.Context, in []EndUserChange) ([]*BulkOutcome[EndUser], error) {
	op := Operation{"EndUsers.ReplaceBulk", http.MethodPut, "/endusers"}
	return fetchAll[BulkOutcome[EndUser]](ctx, s.client, op, Params{Body: bulkOf(in)})
}

// Anonymize requests the anonymization of an end user, which runs asynchronously;
// see AnonymizationService.Get. Without force it fails (IsConflict) if the end user
// has a conversation that is not closed. With force, Dixa closes those
// conversations.
//
// Dixa: PATCH /v1/endusers/{userId}/anonymize.
func (s *EndUsersService) Anonymize(ctx context.Context, id string, force bool) (*AnonymizationRequest, error) {
	op := Operation{"EndUsers.Anonymize", http.MethodPatch, "/endusers/{userId}/anonymize"}
	return fetch[AnonymizationRequest](ctx, s.client, op, Params{Path: []any{id}, Query: forceQuery(force)})
}

// SetCustomAttributes sets the attributes with the given definition ids and leaves
// the others unchanged.
//
// Dixa: PATCH /v1/endusers/{userId}/custom-attributes.
func (s *EndUsersService) SetCustomAttributes(ctx context.Context, id string, values map[string]AttributeValue) ([]*CustomAttribute, error) {
	op := Operation{"EndUsers.SetCustomAttributes", http.MethodPatch, "/endusers/{userId}/custom-attributes"}
	return fetchAll[CustomAttribute](ctx, s.client, op, Params{Path: []any{id}, Body: attributesBody(values)})
}

// Conversations yields every conversation that the end user requested, page by page,
// without custom attributes and in an unspecified order.
//
// Dixa: GET /v1/endusers/{userId}/conversations.
func (s *EndUsersService) Conversations(ctx context.Context, id string) iter.Seq2[*Conversation, error] {
	op := Operation{"EndUsers.Conversations", http.MethodGet, "/endusers/{userId}/conversations"}
	return fetchPages[Conversation](ctx, s.client, op, Params{Path: []any{id}})
}

// attributesBody prevents a nil map from being encoded as null.
func attributesBody(values map[string]AttributeValue) map[string]AttributeValue {
	if values == nil {
		return map[string]AttributeValue{}
	}
	return values
}

func forceQuery(force bool) url.Values {
	return url.Values{"force": {strconv.FormatBool(force)}}
}
