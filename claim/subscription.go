package claim

import "time"

// Subscription is the webhook subscription through which Dixa sends a connection's
// events, with the secret that signs them.
type Subscription struct {
	State SubscriptionState `json:"state" enum:"none,unfinished,active,by_hand" doc:"none: Dixa sends no events. unfinished: created but not enabled; enable the shop again to finish it. active: created and enabled. by_hand: a person created it in Dixa and saved its secret here."`
	// ID is the subscription's id in Dixa; empty if a person created it.
	ID string `json:"id,omitempty" doc:"The id of the subscription in Dixa; omitted if a person created it."`
	// URL is the address to which Dixa sends, or must send if a person creates the
	// subscription.
	URL string `json:"url,omitempty" doc:"The URL to which Dixa sends events. To create the subscription manually, use this URL."`
	// SecretPreview is the only form in which the secret is ever returned.
	SecretPreview string    `json:"secret_preview,omitempty" doc:"The masked secret with which Dixa signs."`
	UpdatedAt     time.Time `json:"updated_at,omitzero"`
}

// SubscriptionState is the state of a subscription.
type SubscriptionState string

// States of a subscription.
const (
	SubscriptionNone       SubscriptionState = "none"       // Dixa sends no events
	SubscriptionUnfinished SubscriptionState = "unfinished" // created but not enabled
	SubscriptionActive     SubscriptionState = "active"     // created and enabled
	SubscriptionByHand     SubscriptionState = "by_hand"    // a person created it and saved its secret
)
