package dixa

import (
	"context"
	"net/http"
)

// Kinds of rating.
const (
	RatingCsat           = "Csat"           // 1 to 5
	RatingNps            = "Nps"            // 0 to 10
	RatingThumbsUpOrDown = "ThumbsUpOrDown" // 0 or 1
)

// Rating is a given or pending rating of a conversation. The questions of one survey
// are ratings with the same id.
type Rating struct {
	ID string `json:"id"`
	// Score is nil until the customer rates.
	Score   *int    `json:"ratingScore,omitempty"`
	Type    string  `json:"ratingType"`
	Comment string  `json:"ratingComment,omitempty"`
	Channel Channel `json:"conversationChannel"`
	AgentID string  `json:"agentId,omitempty"`
	UserID  string  `json:"userId"`
	// Status is "Unscheduled", "Scheduled", "Offered", "Rated" or "Cancelled".
	Status   string `json:"ratingStatus"`
	Language string `json:"language,omitempty"`
	// Timestamps has keys such as "offered_at" and "rated_at".
	Timestamps map[string]Time `json:"timestamps"`
	Extra      Extra           `json:"-"`
}

func (r *Rating) identified() bool { return r.ID != "" }

// UnmarshalJSON keeps unknown members in Extra.
func (r *Rating) UnmarshalJSON(b []byte) error { return decodeOpen(b, r) }

// MarshalJSON also writes the members in Extra.
func (r Rating) MarshalJSON() ([]byte, error) { return encodeOpen(r) }

// RatingOfferInput offers a rating to a customer.
type RatingOfferInput struct {
	Type string `json:"ratingType"`
	// UserID and AgentID are required by v1 of the API. Later versions default to
	// the requester and the most likely agent.
	UserID    string `json:"userId,omitempty"`
	AgentID   string `json:"agentId,omitempty"`
	OfferedAt Time   `json:"offeredAt,omitzero"`
}

// RatingOffer is an offered rating.
type RatingOffer struct {
	ID        string `json:"id"`
	UserID    string `json:"userId"`
	AgentID   string `json:"agentId"`
	Type      string `json:"ratingType"`
	OfferedAt Time   `json:"offeredAt,omitzero"`
	Extra     Extra  `json:"-"`
}

func (r *RatingOffer) identified() bool { return r.ID != "" }

// UnmarshalJSON keeps unknown members in Extra.
func (r *RatingOffer) UnmarshalJSON(b []byte) error { return decodeOpen(b, r) }

// MarshalJSON also writes the members in Extra.
func (r RatingOffer) MarshalJSON() ([]byte, error) { return encodeOpen(r) }

// RatingScore is a score on the scale of a kind of rating.
type RatingScore struct {
	Type  string `json:"_type"`
	Value int    `json:"value"`
}

// RatingResultInput is a customer's answer to an offered rating.
type RatingResultInput struct {
	Result      RatingScore `json:"ratingResult"`
	Comment     string      `json:"comment,omitempty"`
	SubmittedAt Time        `json:"submittedAt,omitzero"`
}

// RatingResult is a customer's answer as recorded by Dixa.
type RatingResult struct {
	RatingID    string      `json:"ratingId"`
	UserID      string      `json:"userId,omitempty"`
	Result      RatingScore `json:"ratingResult"`
	Comment     string      `json:"comment,omitempty"`
	SubmittedAt Time        `json:"submittedAt,omitzero"`
	Extra       Extra       `json:"-"`
}

// UnmarshalJSON keeps unknown members in Extra.
func (r *RatingResult) UnmarshalJSON(b []byte) error { return decodeOpen(b, r) }

// MarshalJSON also writes the members in Extra.
func (r RatingResult) MarshalJSON() ([]byte, error) { return encodeOpen(r) }

// Ratings returns the current ratings of a conversation.
//
// Dixa: GET /v1/conversations/{conversationId}/ratings.
func (s *ConversationsService) Ratings(ctx context.Context, id int64) ([]*Rating, error) {
	op := Operation{"Conversations.Ratings", http.MethodGet, "/conversations/{conversationId}/ratings"}
	return fetchAll[Rating](ctx, s.client, op, Params{Path: []any{id}})
}

// OfferRating records that a rating was offered to the customer.
//
// Dixa: POST /v1/conversations/{conversationId}/ratings/offer.
func (s *ConversationsService) OfferRating(ctx context.Context, id int64, in RatingOfferInput) (*RatingOffer, error) {
	op := Operation{"Conversations.OfferRating", http.MethodPost, "/conversations/{conversationId}/ratings/offer"}
	return fetch[RatingOffer](ctx, s.client, op, Params{Path: []any{id}, Body: in})
}

// SubmitRating records the customer's answer to the rating offer with the given id.
//
// Dixa: POST /v1/conversations/{conversationId}/ratings/{ratingId}/submit.
func (s *ConversationsService) SubmitRating(ctx context.Context, id int64, ratingID string, in RatingResultInput) (*RatingResult, error) {
	op := Operation{"Conversations.SubmitRating", http.MethodPost, "/conversations/{conversationId}/ratings/{ratingId}/submit"}
	return fetch[RatingResult](ctx, s.client, op, Params{Path: []any{id, ratingID}, Body: in})
}
