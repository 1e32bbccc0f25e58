package dixa

import (
	"context"
	"net/http"
)

// AnonymizationService tracks anonymization requests. EndUsersService.Anonymize,
// ConversationsService.Anonymize and ConversationsService.AnonymizeMessage create
// them.
type AnonymizationService struct{ service }

// AnonymizationRequest is an anonymization request and its progress.
type AnonymizationRequest struct {
	ID string `json:"id"`
	// Type is "Conversation", "Message" or "User".
	Type string `json:"_type"`
	// TargetEntityID is the end user's id, the conversation's id as a string, or
	// "<conversation id>_<message id>".
	TargetEntityID string `json:"targetEntityId"`
	InitiatedAt    Time   `json:"initiatedAt,omitzero"`
	RequestedBy    string `json:"requestedBy"`
	// ProcessedAt is set once the request is completed.
	ProcessedAt Time  `json:"processedAt,omitzero"`
	Extra       Extra `json:"-"`
}

func (r *AnonymizationRequest) identified() bool { return r.ID != "" }

// UnmarshalJSON keeps unknown members in Extra.
func (r *AnonymizationRequest) UnmarshalJSON(b []byte) error { return decodeOpen(b, r) }

// MarshalJSON also writes the members in Extra.
func (r AnonymizationRequest) MarshalJSON() ([]byte, error) { return encodeOpen(r) }

// Get returns the current state of an anonymization request.
//
// Dixa: GET /v1/anonymization/request/{requestId}.
func (s *AnonymizationService) Get(ctx context.Context, id string) (*AnonymizationRequest, error) {
	op := Operation{"Anonymization.Get", http.MethodGet, "/anonymization/request/{requestId}"}
	return fetch[AnonymizationRequest](ctx, s.client, op, Params{Path: []any{id}})
}
