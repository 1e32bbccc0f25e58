package kpi

import (
	"hash/fnv"
	"time"

	"github.com/claimflow/claimflow/claim"
)

// ClaimFact is what the figures of claims are computed from. It contains no personal
// data. Times are zero if they have not come or are unknown.
type ClaimFact struct {
	ID, Shop string
	// Reason, Carrier and Phase are in the spelling of [claim.NormalizeKey]. Carrier
	// is that of the first shipment.
	Reason, Carrier, Phase string
	// Status is the status reported to the claim's owner, such as
	// [claim.StatusAccepted].
	Status string
	// Resolution is the resolution that the claim records, such as "refund" or
	// "reorder": the customer's preference as last updated. Empty if unknown.
	Resolution string
	// Customer is the same for all claims of a customer, without revealing who it is:
	// a keyed hash. Empty if unknown.
	Customer string

	// AcceptedAt is when Claimflow accepted the claim for processing. It says nothing
	// about the shop's decision.
	AcceptedAt time.Time
	// OpenedAt is when its conversation was open.
	OpenedAt time.Time
	// FirstReplyAt is when an agent first replied in the conversation.
	FirstReplyAt time.Time
	// ClosedAt is when the conversation last closed; zero while it is not closed.
	ClosedAt time.Time
	// SettledAt is when the claim last became settled, the quiet period included; zero
	// while it is not settled.
	SettledAt time.Time

	// Parkings are the times that the claim was parked.
	Parkings []Parking
}

// Parking is a time that a claim was parked.
type Parking struct {
	Cause claim.Cause
	At    time.Time
}

// ClaimNumber identifies a claim in an [Observation]: the 64-bit FNV-1a hash of the
// shop, a zero byte and the claim's id.
func ClaimNumber(shop, id string) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(shop + "\x00" + id)) // never fails
	return int64(h.Sum64())
}

// PresenceSample says whether an agent was working at the time of a sample.
type PresenceSample struct {
	AgentID string
	At      time.Time
	// Working says that the agent was online and not away.
	Working bool
}
