package claim

import (
	"encoding/json"
	"time"
)

// Record is what Claimflow knows about a claim, as its API tells it. It holds no
// personal data: the claim's own body is read separately.
type Record struct {
	Ref
	State  State  `json:"state"`
	Cause  Cause  `json:"cause,omitempty"`
	Advice string `json:"advice,omitempty"`
	// LastError is the last thing that went wrong, in words, without personal
	// data. It stays after the claim went on.
	LastError   string `json:"last_error,omitempty"`
	Reason      string `json:"reason"`
	Flow        string `json:"flow"`
	Preference  string `json:"resolution_preference,omitempty"`
	Phase       string `json:"phase,omitempty"`
	OrderNumber string `json:"order_number,omitempty"`
	// Template is the template that won, such as "shop/damaged/de".
	Template string `json:"template,omitempty"`
	Language string `json:"language,omitempty"`
	// Route names the routing rule that matched.
	Route string `json:"route,omitempty"`
	// OrganizationID and ConversationID name the conversation in Dixa; zero
	// until it is open.
	OrganizationID string `json:"organization_id,omitempty"`
	ConversationID int64  `json:"conversation_id,omitempty"`
	// Status is what the claim's owner is told of it, such as "pending" or
	// "accepted", and StatusBy who set it: [ByDixa] or [ByOwner].
	Status   string `json:"status,omitempty"`
	StatusBy string `json:"status_by,omitempty"`
	// Attached counts the files in the conversation, LeftOut those that could
	// not be.
	Attached int `json:"attached"`
	LeftOut  int `json:"left_out"`
	// DixaRequests counts the requests to Dixa that the claim has cost.
	DixaRequests int `json:"dixa_requests"`
	// FallbackUsed says that the claim was not open by its deadline and its
	// fallback was raised.
	FallbackUsed bool      `json:"fallback_used,omitempty"`
	WorkflowID   string    `json:"workflow_id"`
	AcceptedAt   time.Time `json:"accepted_at"`
	OpenedAt     time.Time `json:"opened_at,omitzero"`
	UpdatedAt    time.Time `json:"updated_at"`
	// OtherClaims are the order's other claims.
	OtherClaims []OtherClaim `json:"other_claims,omitempty"`
}

// OtherClaim is another claim of the same order.
type OtherClaim struct {
	ID             string `json:"claim_id"`
	State          State  `json:"state"`
	ConversationID int64  `json:"conversation_id,omitempty"`
}

// Shop is a shop as the API tells it.
type Shop struct {
	Slug string `json:"slug"`
	Name string `json:"name,omitempty"`
	// Feature says whether the platform offers Dixa to the shop at all.
	Feature bool `json:"dixa_feature"`
	// Enabled says whether new claims become conversations.
	Enabled bool `json:"enabled"`
	// Paused says whether claims wait in [StateReceived].
	Paused bool `json:"paused"`
	// Connection is the Dixa connection; nil before a token was saved.
	Connection *Connection `json:"connection,omitempty"`
	// Counts are the shop's claims by state.
	Counts    map[State]int `json:"claims,omitempty"`
	CreatedAt time.Time     `json:"created_at"`
	UpdatedAt time.Time     `json:"updated_at"`
	// Warnings say what may be wrong; only the answer to enabling has them.
	Warnings []string `json:"warnings,omitempty"`
}

// Connection is one Dixa organisation and the token to it, as the API tells it.
type Connection struct {
	ID               string          `json:"id"`
	OrganizationID   string          `json:"organization_id,omitempty"`
	OrganizationName string          `json:"organization_name,omitempty"`
	State            ConnectionState `json:"state"`
	// TokenPreview is the only form in which a token ever comes out: "dx_…4f2a".
	TokenPreview string    `json:"token_preview,omitempty"`
	UpdatedAt    time.Time `json:"updated_at"`
}

// ConnectionState is whether a connection's token is good.
type ConnectionState string

// The states of a connection.
const (
	ConnectionActive     ConnectionState = "active"
	ConnectionNeedsToken ConnectionState = "needs_token"
)

// Integration is a shop's Dixa integration as the API tells it: the shop, its
// own layer of settings and what it comes to.
type Integration struct {
	Shop
	// Own is the shop's own layer of settings.
	Own json.RawMessage `json:"own_settings"`
	// Effective is what holds after inheritance.
	Effective Settings `json:"settings"`
	// Subscription is how Dixa tells of what happens; nil before a token was
	// saved.
	Subscription *Subscription `json:"subscription,omitempty"`
	// LastSweep is the last look for what no webhook told; nil before the first,
	// and in the answers to changes.
	LastSweep *Sweep `json:"last_sweep,omitempty"`
	// Version grows with every change that parked claims may be waiting for.
	Version int64 `json:"settings_version"`
}
