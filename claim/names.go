package claim

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"strings"
)

// Task queues. Dixa's queue has one partition, so that fairness and its rate limit
// are exact. Everything that does not call Dixa runs on the other queue.
const (
	TaskQueueClaims = "claims"
	TaskQueueDixa   = "dixa"
)

// WorkflowName is the registered name of the claim workflow.
const WorkflowName = "Claim"

// SignalNudge notifies a claim's workflow that its claim changed in the store. It
// has no payload: the workflow reads the store.
const SignalNudge = "nudge"

// QueryStatus is the query that a claim's workflow answers with a [RunStatus],
// while it runs and after it ended.
const QueryStatus = "status"

// Search attributes by which operators find claims in the Temporal UI. They are
// indexed in plain text, so they never contain personal data.
const (
	AttributeShop         = "ClaimShop"         // Keyword: the shop's slug
	AttributeID           = "ClaimId"           // Keyword: the claim's id
	AttributeReason       = "ClaimReason"       // Keyword: see [Claim.ReasonKey]
	AttributeOrder        = "ClaimOrder"        // Keyword: the order number
	AttributeState        = "ClaimState"        // Keyword: a [State]
	AttributeCause        = "ClaimCause"        // Keyword: a [Cause], empty unless parked
	AttributeConversation = "ClaimConversation" // Keyword: Dixa's conversation id
	AttributeConnection   = "DixaConnection"    // Keyword: the id of an import's connection
	AttributeImportState  = "ImportState"       // Keyword: an [ImportState]
)

// SearchAttributes lists every search attribute. All are keywords.
func SearchAttributes() []string {
	return []string{
		AttributeShop, AttributeID, AttributeReason, AttributeOrder,
		AttributeState, AttributeCause, AttributeConversation,
		AttributeConnection, AttributeImportState,
	}
}

// Types of the errors that cross from activities to workflows. Callers decide by
// type, never by text.
const (
	// ErrorUnavailable: Dixa failed or could not be reached. A retry can help.
	ErrorUnavailable = "Unavailable"
	// ErrorRateLimited: the token's request budget is exhausted for now. A retry
	// helps.
	ErrorRateLimited = "RateLimited"
	// ErrorAmbiguous: it is unknown whether Dixa performed the write. The next
	// attempt checks.
	ErrorAmbiguous = "Ambiguous"
	// ErrorBusy: a concurrent caller is doing the work, or Dixa has not applied a
	// write yet. A retry can help.
	ErrorBusy = "Busy"
	// ErrorPark: the claim cannot proceed without a person. The details hold the
	// [Cause]. Never retried.
	ErrorPark = "Park"
	// ErrorWithdrawn: the claim was abandoned in the meantime. Never retried.
	ErrorWithdrawn = "Withdrawn"
	// ErrorEdited: the owner changed the claim before its conversation was created,
	// so it must be rendered again. Never retried.
	ErrorEdited = "Edited"
	// ErrorStore: Claimflow's store failed. A retry can help.
	ErrorStore = "Store"
	// ErrorInternal: a bug. Never retried.
	ErrorInternal = "Internal"
)

// Types of the events that a claim's owner receives.
const (
	OutboundOpened         = "claim.opened"          // its conversation exists in Dixa
	OutboundNeedsAttention = "claim.needs_attention" // it is parked
	OutboundFallback       = "claim.fallback"        // it was not open by its deadline
	OutboundSkipped        = "claim.skipped"         // the shop's integration was off
	OutboundPending        = "claim.pending"         // its conversation waits for a follow-up
	OutboundClosed         = "claim.closed"          // its conversation was closed
	OutboundReopened       = "claim.reopened"        // its conversation is open again
	OutboundSettled        = "claim.settled"         // it stayed closed for the quiet period
	OutboundStatusChanged  = "claim.status_changed"  // its status changed, its state did not
	OutboundStatusConflict = "claim.status_conflict" // its conversation contradicts itself
	OutboundMessageAdded   = "claim.message_added"   // its conversation has a new message or note
	OutboundAbandoned      = "claim.abandoned"       // it was withdrawn, or an operator abandoned it
)

// Ref identifies a claim. It is the key of all data about the claim.
type Ref struct {
	Shop string `json:"shop"`
	ID   string `json:"claim_id"`
}

func (r Ref) String() string { return r.Shop + "/" + r.ID }

const workflowPrefix = "claim:"

// WorkflowID returns the id of the claim's workflow. Both parts are identifiers and
// a slug contains no colon, so [ParseWorkflowID] can split it again.
func (r Ref) WorkflowID() string { return workflowPrefix + r.Shop + ":" + r.ID }

// ParseWorkflowID parses an id returned by [Ref.WorkflowID].
func ParseWorkflowID(id string) (Ref, error) {
	rest, ok := strings.CutPrefix(id, workflowPrefix)
	shop, claim, found := strings.Cut(rest, ":")
	if !ok || !found || shop == "" || claim == "" {
		return Ref{}, fmt.Errorf("workflow id %q must have the form claim:<shop>:<claim id>", id)
	}
	return Ref{Shop: shop, ID: claim}, nil
}

// Reference returns a short code for the claim that people can read aloud. The
// claim's conversation contains it, so the conversation can be identified even if
// Dixa stores no externalId. It depends only on shop and id.
func (r Ref) Reference() string {
	sum := sha256.Sum256([]byte("reference\x00" + r.Shop + "\x00" + r.ID))
	return "CF-" + base32.StdEncoding.EncodeToString(sum[:10])[:12]
}

// ExternalID returns the externalId under which a step of the claim is sent to Dixa. try
// increases each time the step is known not to have happened: a rejected try may have
// consumed its key, and an unanswered try must keep it.
func (r Ref) ExternalID(step string, try int) string {
	return fmt.Sprintf("%s%d", r.ExternalIDPrefix(step), try)
}

// ExternalIDPrefix is the prefix of every key that Claimflow generates.
const ExternalIDPrefix = "cf-"

// ExternalIDPrefix returns the common prefix of the keys of all tries of a step.
func (r Ref) ExternalIDPrefix(step string) string {
	sum := sha256.Sum256([]byte("step\x00" + r.Shop + "\x00" + r.ID + "\x00" + step))
	return ExternalIDPrefix + hex.EncodeToString(sum[:12]) + "-"
}
