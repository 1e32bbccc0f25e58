package claim

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Record is a claim as the API returns it. It contains no personal data; the claim's
// body is read separately.
type Record struct {
	Ref
	State  State  `json:"state"`
	Cause  Cause  `json:"cause,omitempty"`
	Advice string `json:"advice,omitempty"`
	// LastError is the last error in words, without personal data. It remains after
	// the claim proceeds.
	LastError   string `json:"last_error,omitempty"`
	Reason      string `json:"reason"`
	Flow        string `json:"flow"`
	Preference  string `json:"resolution_preference,omitempty"`
	Phase       string `json:"phase,omitempty"`
	OrderNumber string `json:"order_number,omitempty"`
	// Template is the template that was selected, such as "shop/damaged/de".
	Template string `json:"template,omitempty"`
	Language string `json:"language,omitempty"`
	// Route is the name of the routing rule that matched.
	Route string `json:"route,omitempty"`
	// OrganizationID and ConversationID identify the conversation in Dixa. Both are
	// zero until it is open.
	OrganizationID string `json:"organization_id,omitempty"`
	ConversationID int64  `json:"conversation_id,omitempty"`
	// Status is the status reported to the claim's owner, such as "pending" or
	// "accepted". StatusBy is who set it: [ByDixa] or [ByOwner].
	Status   string `json:"status,omitempty"`
	StatusBy string `json:"status_by,omitempty"`
	// Attached counts the files in the conversation, LeftOut those that could not be
	// attached.
	Attached int `json:"attached"`
	LeftOut  int `json:"left_out"`
	// DixaRequests counts the requests to Dixa made for the claim.
	DixaRequests int `json:"dixa_requests"`
	// FallbackUsed says that the claim was not open by its deadline and its fallback
	// was raised.
	FallbackUsed bool      `json:"fallback_used,omitempty"`
	WorkflowID   string    `json:"workflow_id"`
	AcceptedAt   time.Time `json:"accepted_at"`
	OpenedAt     time.Time `json:"opened_at,omitzero"`
	UpdatedAt    time.Time `json:"updated_at"`
	// OtherClaims are the other claims of the same order.
	OtherClaims []OtherClaim `json:"other_claims,omitempty"`
}

// OtherClaim is another claim of the same order.
type OtherClaim struct {
	ID             string `json:"claim_id"`
	State          State  `json:"state"`
	ConversationID int64  `json:"conversation_id,omitempty"`
}

// Shop is a shop as the API returns it.
type Shop struct {
	Slug string `json:"slug"`
	Name string `json:"name,omitempty"`
	// Feature says whether the platform offers Dixa to the shop.
	Feature bool `json:"dixa_feature"`
	// Enabled says whether new claims become conversations.
	Enabled bool `json:"enabled"`
	// Paused says whether claims wait in [StateReceived].
	Paused bool `json:"paused"`
	// Connection is the Dixa connection; nil before a token is saved.
	Connection *Connection `json:"connection,omitempty"`
	// Counts are the numbers of the shop's claims by state.
	Counts    map[State]int `json:"claims,omitempty"`
	CreatedAt time.Time     `json:"created_at"`
	UpdatedAt time.Time     `json:"updated_at"`
	// Warnings list possible problems. Only the response to enabling sets them.
	Warnings []string `json:"warnings,omitempty"`
}

// Attention is what waits for a person in a shop.
type Attention struct {
	// Enabled says whether new claims become conversations.
	Enabled bool `json:"enabled" doc:"Whether new claims become conversations."`
	// Parked are the numbers of the claims in [StateNeedsAttention] by cause.
	Parked map[Cause]int `json:"parked" doc:"The numbers of the claims that need attention, by cause."`
	// Skipped is the number of the claims that arrived while the integration was off.
	Skipped int `json:"skipped" doc:"The number of the claims that arrived while the integration was off."`
}

// ShopPatch is a change to a shop; nil members stay unchanged.
type ShopPatch struct {
	Name    *string `json:"name,omitempty" doc:"The display name of the shop."`
	Feature *bool   `json:"dixa_feature,omitempty" doc:"Whether the platform offers Dixa to the shop."`
}

// Connection is a Dixa organization with its token, as the API returns it.
type Connection struct {
	ID               string          `json:"id"`
	OrganizationID   string          `json:"organization_id,omitempty"`
	OrganizationName string          `json:"organization_name,omitempty"`
	State            ConnectionState `json:"state"`
	// TokenPreview is the only form in which a token is ever returned: "dx_…4f2a".
	TokenPreview string `json:"token_preview,omitempty"`
	// TokenSavedAt is when the token was saved.
	TokenSavedAt time.Time `json:"token_saved_at,omitzero" doc:"When the token was saved."`
	CreatedAt    time.Time `json:"created_at"`
	UpdatedAt    time.Time `json:"updated_at"`
	// Shared says that several shops use the organization or used it before.
	Shared bool `json:"shared" doc:"Whether several shops use the Dixa organization or used it before. Its data cannot be divided by shop, so it is shown to platform keys only; a shop sees the figures of its own claims."`
}

// TokenInWords describes the saved token so that a person can recognize it: its
// preview and the day on which it was saved. For a short token, only the day
// remains.
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

// ConnectionState says whether a connection's token works.
type ConnectionState string

// States of a connection.
const (
	ConnectionActive     ConnectionState = "active"
	ConnectionNeedsToken ConnectionState = "needs_token"
)

// TokenShare is how much of a token's rate limit Dixa leaves to Claimflow. Dixa
// recently rejected requests within Claimflow's own pace, so another program uses the
// token too.
type TokenShare struct {
	// PerSecond is the rate of requests per second that succeed, as far as is known.
	PerSecond float64 `json:"per_second" doc:"The estimated rate of requests per second that Dixa accepts."`
	// RefusedAt is when Dixa last rejected a request.
	RefusedAt time.Time `json:"refused_at" doc:"When Dixa last rate limited a request."`
}

// String describes the share for an operator.
func (s TokenShare) String() string {
	return fmt.Sprintf("Dixa rate limits requests within Claimflow's own pace, last at %s, because another program uses the token. About %.1f requests per second remain",
		s.RefusedAt.UTC().Format(time.RFC3339), s.PerSecond)
}

// Integration is a shop's Dixa integration as the API returns it: the shop, its own
// layer of settings and the resulting settings.
type Integration struct {
	Shop
	// Own is the shop's own layer of settings.
	Own json.RawMessage `json:"own_settings"`
	// Effective are the settings after inheritance.
	Effective Settings `json:"settings"`
	// Subscription is the webhook subscription through which Dixa sends events; nil
	// before a token is saved.
	Subscription *Subscription `json:"subscription,omitempty"`
	// LastSweep is the last sweep for events that no webhook delivered; nil before
	// the first sweep and in responses to changes.
	LastSweep *Sweep `json:"last_sweep,omitempty"`
	// TokenShare is set while another program seems to use the shop's token.
	TokenShare *TokenShare `json:"token_share,omitempty" doc:"Set while Dixa rate limits requests within Claimflow's own pace, because another program seems to use the token."`
	// UnusedTexts names the texts of the shop and the platform whose subject or body speaks
	// in another voice than the one in which the settings open conversations, such as
	// "shop/damaged/de". Standard texts are used instead.
	UnusedTexts []string `json:"unused_texts,omitempty" doc:"The texts of the shop and the platform whose subject or body speaks in another voice than the one in which conversations open, such as shop/damaged/de. Standard texts are used instead."`
	// Warnings say what else the settings lack.
	Warnings []string `json:"warnings,omitempty" doc:"What a person should look at after this change of the settings."`
	// Version grows with every change that parked claims may be waiting for.
	Version int64 `json:"settings_version"`
}
