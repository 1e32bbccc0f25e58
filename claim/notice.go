package claim

import "time"

// OutboundTypes lists every type of event that a claim's owner receives, including those
// that do not belong to a claim.
func OutboundTypes() []string {
	return []string{
		OutboundOpened, OutboundNeedsAttention, OutboundFallback, OutboundSkipped, OutboundPending, OutboundClosed, OutboundReopened, OutboundSettled,
		OutboundStatusChanged, OutboundStatusConflict, OutboundMessageAdded, OutboundAbandoned,
		OutboundConnectionNeedsToken, OutboundConnectionRecovered, OutboundEndpointPaused,
	}
}

// AlertTypes lists the types of events after which a person must act, or no longer
// needs to.
func AlertTypes() []string {
	return []string{OutboundNeedsAttention, OutboundFallback, OutboundStatusConflict, OutboundConnectionNeedsToken, OutboundConnectionRecovered, OutboundEndpointPaused}
}

// Notice is the event payload about one claim that endpoints receive. It follows the
// Standard Webhooks format (https://www.standardwebhooks.com). It contains no
// personal data.
type Notice struct {
	Type string `json:"type"`
	// Timestamp is when the event happened, not when it was sent.
	Timestamp time.Time  `json:"timestamp"`
	Data      NoticeData `json:"data"`
}

// NoticeData is the state of a claim after the change that the event reports.
type NoticeData struct {
	Ref
	// Sequence numbers the claim's events from 1 without gaps.
	Sequence       int64  `json:"sequence"`
	State          State  `json:"state"`
	Cause          Cause  `json:"cause,omitempty"`
	Advice         string `json:"advice,omitempty"`
	Reason         string `json:"reason"`
	OrderNumber    string `json:"order_number,omitempty"`
	OrganizationID string `json:"organization_id,omitempty"`
	ConversationID int64  `json:"conversation_id,omitempty"`
	// Status is the claim's status, set by the shop's status rules or by its owner.
	// StatusBy says by which of them, see [ByDixa]. Both are empty before the claim
	// is open.
	Status   string `json:"status,omitempty"`
	StatusBy string `json:"status_by,omitempty"`
	// Preference is what the customer wants.
	Preference string `json:"resolution_preference,omitempty"`
	// Message is the message that a [OutboundMessageAdded] reports.
	Message      *MessageNotice `json:"message,omitempty"`
	Attached     int            `json:"attached"`
	LeftOut      int            `json:"left_out"`
	FallbackUsed bool           `json:"fallback_used"`
	WorkflowID   string         `json:"workflow_id"`
	// Reference is the code to search for in Dixa to find the claim.
	Reference string `json:"reference"`
}

// MessageNotice identifies a message without its text. The API returns the text.
type MessageNotice struct {
	ID        string    `json:"id"`
	Kind      string    `json:"kind"`
	Direction string    `json:"direction,omitempty"`
	At        time.Time `json:"at"`
}

// Notice returns the event of the given type and sequence number for the claim's
// current state.
func (r Record) Notice(kind string, sequence int64, at time.Time) Notice {
	return Notice{Type: kind, Timestamp: at, Data: NoticeData{
		Ref: r.Ref, Sequence: sequence, State: r.State, Cause: r.Cause, Advice: r.Advice, Reason: r.Reason,
		Status: r.Status, StatusBy: r.StatusBy, Preference: r.Preference,
		OrderNumber: r.OrderNumber, OrganizationID: r.OrganizationID, ConversationID: r.ConversationID,
		Attached: r.Attached, LeftOut: r.LeftOut, FallbackUsed: r.FallbackUsed,
		WorkflowID: r.WorkflowID, Reference: r.Reference(),
	}}
}
