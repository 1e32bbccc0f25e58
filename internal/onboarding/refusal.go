package onboarding

import (
	"fmt"

	"github.com/claimflow/claimflow/claim"
)

// Kind says why something was refused.
type Kind string

// The kinds of refusal.
const (
	TokenMalformed    Kind = "token_malformed"    // the token cannot be one: space around it, for instance
	TokenRefused      Kind = "token_refused"      // Dixa refuses it
	OtherOrganization Kind = "other_organization" // it is of another organisation than the shop's
	Unreachable       Kind = "dixa_unreachable"   // Dixa gave no usable answer
	NotConnected      Kind = "not_connected"      // the shop has no token that Dixa takes
	NotReady          Kind = "not_ready"          // no live contact endpoint, or settings that name what is not there
	FeatureOff        Kind = "feature_off"        // the platform does not offer Dixa to the shop

	SubscriptionRefused Kind = "subscription_refused" // Dixa takes no webhook subscription with the token
)

// Refusal says that something was not done, why, and what to do. Its text is for
// people and holds no token.
type Refusal struct {
	Kind  Kind
	Words string
	// Faults are the settings that are wrong, where that is the reason.
	Faults []claim.Fault
	// Err is what Dixa or the way to it said, where that is the reason.
	Err error
}

func (r *Refusal) Error() string { return r.Words }

// Unwrap returns Err.
func (r *Refusal) Unwrap() error { return r.Err }

func refuse(kind Kind, err error, format string, args ...any) *Refusal {
	return &Refusal{Kind: kind, Words: fmt.Sprintf(format, args...), Err: err}
}
