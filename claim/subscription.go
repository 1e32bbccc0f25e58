package claim

import "time"

// Subscription is the webhook subscription through which Dixa sends a connection's
// events, with the secret that signs them.
type Subscription struct {
	State SubscriptionState `json:"state" enum:"none,unfinished,active,by_hand" doc:"none: Dixa tells nothing. unfinished: it was made but not switched on; enabling the shop again finishes it. active: made and switched on. by_hand: a person made it in Dixa and saved its secret here."`
	// ID is the subscription's id in Dixa; empty if a person created it.
	ID string `json:"id,omitempty" doc:"The subscription's id in Dixa; missing where a person made it."`
	// URL is the address to which Dixa sends, or must send if a person creates the
	// subscription.
	URL string `json:"url,omitempty" doc:"The address that Dixa sends to, or has to for a subscription that is made by hand."`
	// SecretPreview is the only form in which the secret is ever returned.
	SecretPreview string    `json:"secret_preview,omitempty" doc:"What is shown of the secret that Dixa signs with."`
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
