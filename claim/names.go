package claim

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"strings"
)

// The task queues. Dixa's has one partition, so that fairness and its rate limit
// are exact; everything that does not talk to Dixa runs on the other.
const (
	TaskQueueClaims = "claims"
	TaskQueueDixa   = "dixa"
)

// WorkflowName is the name under which the claim workflow is registered.
const WorkflowName = "Claim"

// SignalNudge tells a claim's workflow that something of its claim changed in
// the store. It carries no content: the workflow reads the store.
const SignalNudge = "nudge"

// The search attributes by which operators find claims in the Temporal UI. None
// of them ever holds personal data: they are indexed in plain text.
const (
	AttributeShop         = "ClaimShop"         // Keyword: the shop's slug
	AttributeID           = "ClaimId"           // Keyword: the claim's id
	AttributeReason       = "ClaimReason"       // Keyword: see [Claim.ReasonKey]
	AttributeOrder        = "ClaimOrder"        // Keyword: the order number
	AttributeState        = "ClaimState"        // Keyword: a [State]
	AttributeCause        = "ClaimCause"        // Keyword: a [Cause], empty unless parked
	AttributeConversation = "ClaimConversation" // Keyword: Dixa's conversation id
)

// SearchAttributes lists every search attribute. All are keywords.
func SearchAttributes() []string {
	return []string{
		AttributeShop, AttributeID, AttributeReason, AttributeOrder,
		AttributeState, AttributeCause, AttributeConversation,
	}
}

// The types of errors that cross from activities to workflows. A caller decides
// by the type, never by the text.
const (
	// ErrorUnavailable: Dixa or the way to it is in trouble; a retry can help.
	ErrorUnavailable = "Unavailable"
	// ErrorRateLimited: the token's budget is used up for now; a retry helps.
	ErrorRateLimited = "RateLimited"
	// ErrorAmbiguous: it is not known whether Dixa did it; the next attempt looks.
	ErrorAmbiguous = "Ambiguous"
	// ErrorBusy: somebody else does the same for another claim right now.
	ErrorBusy = "Busy"
	// ErrorPark: the claim cannot go on without a person; the details hold the
	// [Cause]. Never retried.
	ErrorPark = "Park"
	// ErrorWithdrawn: the claim was abandoned meanwhile. Never retried.
	ErrorWithdrawn = "Withdrawn"
	// ErrorEdited: the claim's owner changed it before its conversation was
	// created, so that it has to be rendered anew. Never retried.
	ErrorEdited = "Edited"
	// ErrorCustomerGone: the remembered customer no longer exists. Never retried.
	ErrorCustomerGone = "CustomerGone"
	// ErrorStore: our own store failed; a retry can help.
	ErrorStore = "Store"
	// ErrorInternal: a defect. Never retried.
	ErrorInternal = "Internal"
)

// The types of the events that a claim's owner is told.
const (
	ToldOpened         = "claim.opened"          // it is a conversation in Dixa
	ToldNeedsAttention = "claim.needs_attention" // it is parked
	ToldFallback       = "claim.fallback"        // it was not open by its deadline
	ToldSkipped        = "claim.skipped"         // the shop's integration was off
	ToldPending        = "claim.pending"         // its conversation waits for a follow-up
	ToldClosed         = "claim.closed"          // its conversation was closed
	ToldReopened       = "claim.reopened"        // its conversation is open again
	ToldSettled        = "claim.settled"         // it stayed closed for the quiet period
	ToldStatus         = "claim.status_changed"  // its status changed without its state
	ToldConflict       = "claim.status_conflict" // its conversation contradicts itself
	ToldMessage        = "claim.message_added"   // its conversation has a new message or note
	ToldAbandoned      = "claim.abandoned"       // it was withdrawn, or an operator gave it up
)

// Ref names a claim: the key of everything that is kept about it.
type Ref struct {
	Shop string `json:"shop"`
	ID   string `json:"claim_id"`
}

func (r Ref) String() string { return r.Shop + "/" + r.ID }

const workflowPrefix = "claim:"

// WorkflowID is the id of the claim's workflow. Both parts are identifiers, and
// a shop's slug holds no colon, so it can be taken apart again.
func (r Ref) WorkflowID() string { return workflowPrefix + r.Shop + ":" + r.ID }

// ParseWorkflowID takes an id of [Ref.WorkflowID] apart.
func ParseWorkflowID(id string) (Ref, error) {
	rest, ok := strings.CutPrefix(id, workflowPrefix)
	shop, claim, found := strings.Cut(rest, ":")
	if !ok || !found || shop == "" || claim == "" {
		return Ref{}, fmt.Errorf("workflow id %q is not of the form claim:<shop>:<claim id>", id)
	}
	return Ref{Shop: shop, ID: claim}, nil
}

// Reference is a short code of the claim that people can read out and that is
// put into its conversation, so that the conversation can be recognised even
// where Dixa keeps no externalId. It is derived from shop and id alone.
func (r Ref) Reference() string {
	sum := sha256.Sum256([]byte("reference\x00" + r.Shop + "\x00" + r.ID))
	return "CF-" + base32.StdEncoding.EncodeToString(sum[:10])[:12]
}

// Key is the externalId under which a step of the claim is sent to Dixa. try
// counts how often the step was given up as not done: a refused try may have
// used its key up, an unanswered one must keep it.
func (r Ref) Key(step string, try int) string {
	return fmt.Sprintf("%s%d", r.KeyPrefix(step), try)
}

// KeyMark is what every key of ours begins with.
const KeyMark = "cf-"

// KeyPrefix is what the keys of all tries of a step begin with.
func (r Ref) KeyPrefix(step string) string {
	sum := sha256.Sum256([]byte("step\x00" + r.Shop + "\x00" + r.ID + "\x00" + step))
	return KeyMark + hex.EncodeToString(sum[:12]) + "-"
}
