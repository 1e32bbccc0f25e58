package dixa

import (
	"context"
	"net/http"
)

// QueuesService manages the queues that offer conversations to agents.
type QueuesService struct{ service }

// Queue is a queue of the organization. Times are in seconds.
type Queue struct {
	ID             string `json:"id"`
	Name           string `json:"name"`
	IsDefault      bool   `json:"isDefault"`
	OrganizationID string `json:"organizationId"`
	// QueueThresholds has keys such as "SlaPercentage" and "WaitingConversations".
	QueueThresholds      map[string]int `json:"queueThresholds,omitzero"`
	SLACalculationMethod string         `json:"slaCalculationMethod,omitempty"`
	OfferTimeout         *int           `json:"offerTimeout,omitempty"`
	// OfferingAlgorithm has values such as "AllAtOnce" and "LongestIdle".
	OfferingAlgorithm string `json:"offeringAlgorithm,omitempty"`
	// MemberListType is "Default" or "SkillBased".
	MemberListType               string          `json:"memberListType,omitempty"`
	Usages                       *QueueUsages    `json:"usages,omitempty"`
	WrapupTimeout                *int            `json:"wrapupTimeout,omitempty"`
	Priority                     *int            `json:"priority,omitempty"`
	OfferAbandonedConversations  *bool           `json:"offerAbandonedConversations,omitempty"`
	DoNotOfferTimeouts           map[Channel]int `json:"doNotOfferTimeouts,omitzero"`
	IsDoNotOfferEnabled          bool            `json:"isDoNotOfferEnabled"`
	IsPreferredAgentEnabled      *bool           `json:"isPreferredAgentEnabled,omitempty"`
	PreferredAgentTimeouts       map[Channel]int `json:"preferredAgentTimeouts,omitzero"`
	PreferredAgentOfflineTimeout *int            `json:"preferredAgentOfflineTimeout,omitempty"`
	PersonalAgentOfflineTimeout  *int            `json:"personalAgentOfflineTimeout,omitempty"`
	IsRestricted                 *bool           `json:"isRestricted,omitempty"`
	Extra                        Extra           `json:"-"`
}

func (q *Queue) identified() bool { return q.ID != "" }

// UnmarshalJSON keeps unknown members in Extra.
func (q *Queue) UnmarshalJSON(b []byte) error { return decodeOpen(b, q) }

// MarshalJSON also writes the members in Extra.
func (q Queue) MarshalJSON() ([]byte, error) { return encodeOpen(q) }

// QueueUsages are the endpoints that feed a queue, by channel.
type QueueUsages struct {
	QueueID string               `json:"queueId"`
	Usages  map[Channel][]string `json:"usages"`
}

// QueueInput is a queue to create. Nil fields use Dixa's defaults.
type QueueInput struct {
	Name                string         `json:"name"`
	CallFunctionality   bool           `json:"callFunctionality"`
	IsDefault           bool           `json:"isDefault"`
	IsDoNotOfferEnabled bool           `json:"isDoNotOfferEnabled"`
	QueueThresholds     map[string]int `json:"queueThresholds,omitzero"`
	OfferTimeout        *int           `json:"offerTimeout,omitempty"`
	// OfferAlgorithm is named offeringAlgorithm in responses.
	OfferAlgorithm               string          `json:"offerAlgorithm,omitempty"`
	WrapupTimeout                *int            `json:"wrapupTimeout,omitempty"`
	Priority                     *int            `json:"priority,omitempty"`
	OfferAbandonedConversations  *bool           `json:"offerAbandonedConversations,omitempty"`
	DoNotOfferTimeouts           map[Channel]int `json:"doNotOfferTimeouts,omitzero"`
	PreferredAgentTimeouts       map[Channel]int `json:"preferredAgentTimeouts,omitzero"`
	IsPreferredAgentEnabled      *bool           `json:"isPreferredAgentEnabled,omitempty"`
	PreferredAgentOfflineTimeout *int            `json:"preferredAgentOfflineTimeout,omitempty"`
	PersonalAgentOfflineTimeout  *int            `json:"personalAgentOfflineTimeout,omitempty"`
	IsRestricted                 *bool           `json:"isRestricted,omitempty"`
}

// List returns all queues.
//
// Dixa: GET /v1/queues.
func (s *QueuesService) List(ctx context.Context) ([]*Queue, error) {
	op := Operation{"Queues.List", http.MethodGet, "/queues"}
	return fetchAll[Queue](ctx, s.client, op, Params{})
}

// Get returns one queue.
//
// Dixa: GET /v1/queues/{queueId}.
func (s *QueuesService) Get(ctx context.Context, id string) (*Queue, error) {
	op := Operation{"Queues.Get", http.MethodGet, "/queues/{queueId}"}
	return fetch[Queue](ctx, s.client, op, Params{Path: []any{id}})
}

// Create creates a queue.
//
// Dixa: POST /v1/queues.
func (s *QueuesService) Create(ctx context.Context, in QueueInput) (*Queue, error) {
	op := Operation{"Queues.Create", http.MethodPost, "/queues"}
	body := struct {
		Request QueueInput `json:"request"`
	}{in}
	return fetch[Queue](ctx, s.client, op, Params{Body: body})
}

// QueueMember is an agent or admin in a queue.
type QueueMember struct {
	AgentID  string `json:"agentId"`
	Priority *int   `json:"priority,omitempty"`
	Extra    Extra  `json:"-"`
}

// UnmarshalJSON keeps unknown members in Extra.
func (m *QueueMember) UnmarshalJSON(b []byte) error { return decodeOpen(b, m) }

// MarshalJSON also writes the members in Extra.
func (m QueueMember) MarshalJSON() ([]byte, error) { return encodeOpen(m) }

// Members returns a queue's agents and admins.
//
// Dixa: GET /v1/queues/{queueId}/members.
func (s *QueuesService) Members(ctx context.Context, id string) ([]*QueueMember, error) {
	op := Operation{"Queues.Members", http.MethodGet, "/queues/{queueId}/members"}
	return fetchAll[QueueMember](ctx, s.client, op, Params{Path: []any{id}})
}

// AddMembers adds at most 10 agents or admins to a queue. A successful outcome
// contains the agent's id.
//
// Dixa: PATCH /v1/queues/{queueId}/members.
func (s *QueuesService) AddMembers(ctx context.Context, id string, ids ...string) ([]*BulkOutcome[string], error) {
	op := Operation{"Queues.AddMembers", http.MethodPatch, "/queues/{queueId}/members"}
	return fetchAll[BulkOutcome[string]](ctx, s.client, op, Params{Path: []any{id}, Body: agentIDs{orEmpty(ids)}})
}

// RemoveMembers removes at most 10 agents or admins from a queue.
//
// Dixa: DELETE /v1/queues/{queueId}/members, with a body.
func (s *QueuesService) RemoveMembers(ctx context.Context, id string, ids ...string) error {
	op := Operation{"Queues.RemoveMembers", http.MethodDelete, "/queues/{queueId}/members"}
	return run(ctx, s.client, op, Params{Path: []any{id}, Body: agentIDs{orEmpty(ids)}})
}

// QueuePosition is the approximate position of a conversation in its queue.
type QueuePosition struct {
	Position *int `json:"position,omitempty"`
	QueuedAt Time `json:"queuedAt,omitzero"`
}

// Position returns the position of a conversation in its queue.
//
// Dixa: GET /v1/queues/conversation-position/{csid}.
func (s *QueuesService) Position(ctx context.Context, conversationID int64) (*QueuePosition, error) {
	op := Operation{"Queues.Position", http.MethodGet, "/queues/conversation-position/{csid}"}
	return fetch[QueuePosition](ctx, s.client, op, Params{Path: []any{conversationID}})
}

// ChannelAvailability reports whether a queue currently accepts conversations of a
// channel.
type ChannelAvailability struct {
	// Type is "Success" or "Failure".
	Type string `json:"_type"`
	// Channel is set on success.
	Channel *GenericChannelAvailability `json:"channelAvailability,omitempty"`
	// Error is set on failure.
	Error *ChannelAvailabilityError `json:"error,omitempty"`
}

// GenericChannelAvailability is the availability of a channel that another system
// provides.
type GenericChannelAvailability struct {
	// Type is "GenericChannel".
	Type               string `json:"_type"`
	GenericChannelName string `json:"genericChannelName"`
	// Availability is "Available" or "NotAvailable".
	Availability string `json:"availability"`
	// QueueSize is present only if the channel is not available.
	QueueSize *int  `json:"queueSize,omitempty"`
	Extra     Extra `json:"-"`
}

// UnmarshalJSON keeps unknown members in Extra.
func (a *GenericChannelAvailability) UnmarshalJSON(b []byte) error { return decodeOpen(b, a) }

// MarshalJSON also writes the members in Extra.
func (a GenericChannelAvailability) MarshalJSON() ([]byte, error) { return encodeOpen(a) }

// ChannelAvailabilityError is the reason why a channel's availability is unknown.
type ChannelAvailabilityError struct {
	Type    string `json:"_type,omitempty"`
	Channel string `json:"channel"`
	Message string `json:"message"`
}

// Availability reports whether a queue accepts conversations, for generic channels
// only. If the queue has none, it fails (IsConflict).
//
// Dixa: GET /v1/queues/{queueId}/availability.
func (s *QueuesService) Availability(ctx context.Context, id string) ([]*ChannelAvailability, error) {
	op := Operation{"Queues.Availability", http.MethodGet, "/queues/{queueId}/availability"}
	return fetchAll[ChannelAvailability](ctx, s.client, op, Params{Path: []any{id}})
}
