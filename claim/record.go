package claim

import (
	"encoding/json"
	"fmt"
	"strings"
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
	TokenPreview string `json:"token_preview,omitempty"`
	// TokenSavedAt is when the token was saved.
	TokenSavedAt time.Time `json:"token_saved_at,omitzero" doc:"When the token was saved."`
	UpdatedAt    time.Time `json:"updated_at"`
}

// TokenInWords says by what a person knows the saved token: what is shown of it, and
// the day on which it was saved. Of a short token nothing but the day is left.
func (c Connection) TokenInWords() string {
	if c.TokenPreview == "" {
		return "none"
	}
	if c.TokenSavedAt.IsZero() {
		return c.TokenPreview
	}
	day := "saved on " + c.TokenSavedAt.UTC().Format(time.DateOnly)
	first, last, _ := strings.Cut(c.TokenPreview, "…")
	switch {
	case first != "":
		return c.TokenPreview + ", " + day
	case last != "":
		return day + ", ends in " + last
	default:
		return day
	}
}

// ConnectionState is whether a connection's token is good.
type ConnectionState string

// The states of a connection.
const (
	ConnectionActive     ConnectionState = "active"
	ConnectionNeedsToken ConnectionState = "needs_token"
)

// TokenShare is how much Dixa leaves to Claimflow of a token's requests. Dixa
// refused requests lately that Claimflow's own pace allowed, so another program
// uses the token too.
type TokenShare struct {
	// PerSecond are the requests a second that get through, as far as is known.
	PerSecond float64 `json:"per_second" doc:"How many requests a second Dixa lets through, as far as is known."`
	// RefusedAt is when Dixa last refused one.
	RefusedAt time.Time `json:"refused_at" doc:"When Dixa last refused a request for its limit."`
}

// String is the share in words for an operator.
func (s TokenShare) String() string {
	return fmt.Sprintf("Dixa refuses requests that Claimflow's own pace allows, last at %s: another program uses the token too. About %.1f requests a second are left",
		s.RefusedAt.UTC().Format(time.RFC3339), s.PerSecond)
}

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
	// TokenShare is set while another program seems to use the shop's token.
	TokenShare *TokenShare `json:"token_share,omitempty" doc:"Set while Dixa refuses requests that Claimflow's own pace allows, so that another program seems to use the token."`
	// Version grows with every change that parked claims may be waiting for.
	Version int64 `json:"settings_version"`
}
