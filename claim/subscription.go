package claim

import "time"

// Subscription is how Dixa tells a connection of what happens: a webhook
// subscription in Dixa, and the secret that Dixa signs with.
type Subscription struct {
	State SubscriptionState `json:"state" enum:"none,unfinished,active,by_hand" doc:"none: Dixa tells nothing. unfinished: it was made but not switched on; enabling the shop again finishes it. active: made and switched on. by_hand: a person made it in Dixa and saved its secret here."`
	// ID is the subscription's in Dixa; empty where a person made it.
	ID string `json:"id,omitempty" doc:"The subscription's id in Dixa; missing where a person made it."`
	// URL is the address that Dixa sends to, or would have to.
	URL string `json:"url,omitempty" doc:"The address that Dixa sends to, or has to for a subscription that is made by hand."`
	// SecretPreview is the only form in which the secret ever comes out.
	SecretPreview string    `json:"secret_preview,omitempty" doc:"What is shown of the secret that Dixa signs with."`
	UpdatedAt     time.Time `json:"updated_at,omitzero"`
}

// SubscriptionState is how far a subscription is.
type SubscriptionState string

// The states of a subscription.
const (
	SubscriptionNone       SubscriptionState = "none"       // Dixa tells nothing
	SubscriptionUnfinished SubscriptionState = "unfinished" // made, but not switched on
	SubscriptionActive     SubscriptionState = "active"     // made and switched on
	SubscriptionByHand     SubscriptionState = "by_hand"    // a person made it and saved its secret
)
