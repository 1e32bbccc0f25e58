package onboarding

import (
	"fmt"

	"github.com/claimflow/claimflow/claim"
)

// Kind says why something was rejected.
type Kind string

// The kinds of refusal.
const (
	TokenMalformed    Kind = "token_malformed"    // the token has an invalid format, for instance surrounding space
	TokenRefused      Kind = "token_refused"      // Dixa rejects the token
	OtherOrganization Kind = "other_organization" // the token belongs to a different organization than the shop's
	Unreachable       Kind = "dixa_unreachable"   // Dixa gave no usable answer
	NotConnected      Kind = "not_connected"      // the shop has no token that Dixa accepts
	NotReady          Kind = "not_ready"          // no live contact endpoint, or settings that name missing objects
	FeatureOff        Kind = "feature_off"        // the platform does not offer Dixa to the shop

	SubscriptionRefused Kind = "subscription_refused" // Dixa accepts no webhook subscription with the token
)

// Refusal says that something was not done, why, and what to do. Its text is for
// people and contains no token.
type Refusal struct {
	Kind  Kind
	Words string
	// Errors are the invalid settings, if they are the reason.
	Errors []claim.FieldError
	// Err is the error from Dixa or from reaching it, if that is the reason.
	Err error
}

func (r *Refusal) Error() string { return r.Words }

// Unwrap returns Err.
func (r *Refusal) Unwrap() error { return r.Err }

func refuse(kind Kind, err error, format string, args ...any) *Refusal {
	return &Refusal{Kind: kind, Words: fmt.Sprintf(format, args...), Err: err}
}
