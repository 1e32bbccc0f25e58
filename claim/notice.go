package claim

import "time"

// ToldTypes lists every type of event that a claim's owner is told, those that
// are of no claim included.
func ToldTypes() []string {
	return []string{
		ToldOpened, ToldNeedsAttention, ToldFallback, ToldSkipped, ToldPending, ToldClosed, ToldReopened, ToldSettled,
		ToldStatus, ToldConflict, ToldMessage, ToldAbandoned,
		ToldConnectionNeedsToken, ToldConnectionRecovered, ToldEndpointPaused,
	}
}

// AlarmTypes lists the types of events after which a person has to do something,
// or need not any more.
func AlarmTypes() []string {
	return []string{ToldNeedsAttention, ToldFallback, ToldConflict, ToldConnectionNeedsToken, ToldConnectionRecovered, ToldEndpointPaused}
}

// Notice is what an endpoint is sent: one event of one claim in the form of a
// Standard Webhooks payload (https://www.standardwebhooks.com). It holds no
// personal data.
type Notice struct {
	Type string `json:"type"`
	// Timestamp is when it happened, not when it was sent.
	Timestamp time.Time  `json:"timestamp"`
	Data      NoticeData `json:"data"`
}

// NoticeData is how a claim stood after the change that the event is about.
type NoticeData struct {
	Ref
	// Sequence counts the claim's events from 1 without a gap.
	Sequence       int64  `json:"sequence"`
	State          State  `json:"state"`
	Cause          Cause  `json:"cause,omitempty"`
	Advice         string `json:"advice,omitempty"`
	Reason         string `json:"reason"`
	OrderNumber    string `json:"order_number,omitempty"`
	OrganizationID string `json:"organization_id,omitempty"`
	ConversationID int64  `json:"conversation_id,omitempty"`
	// Status is what the shop's status rules, or its owner, say of the claim,
	// StatusBy who of them, see [ByDixa]; empty before it is open.
	Status   string `json:"status,omitempty"`
	StatusBy string `json:"status_by,omitempty"`
	// Preference is what the customer wants.
	Preference string `json:"resolution_preference,omitempty"`
	// Message is the message that a [ToldMessage] is about.
	Message      *MessageNotice `json:"message,omitempty"`
	Attached     int            `json:"attached"`
	LeftOut      int            `json:"left_out"`
	FallbackUsed bool           `json:"fallback_used"`
	WorkflowID   string         `json:"workflow_id"`
	// Reference is what people search for in Dixa to find the claim.
	Reference string `json:"reference"`
}

// MessageNotice names a message without its words, which the API has.
type MessageNotice struct {
	ID        string    `json:"id"`
	Kind      string    `json:"kind"`
	Direction string    `json:"direction,omitempty"`
	At        time.Time `json:"at"`
}

// Notice is the event of a type and number about the claim as it now is.
func (r Record) Notice(kind string, sequence int64, at time.Time) Notice {
	return Notice{Type: kind, Timestamp: at, Data: NoticeData{
		Ref: r.Ref, Sequence: sequence, State: r.State, Cause: r.Cause, Advice: r.Advice, Reason: r.Reason,
		Status: r.Status, StatusBy: r.StatusBy, Preference: r.Preference,
		OrderNumber: r.OrderNumber, OrganizationID: r.OrganizationID, ConversationID: r.ConversationID,
		Attached: r.Attached, LeftOut: r.LeftOut, FallbackUsed: r.FallbackUsed,
		WorkflowID: r.WorkflowID, Reference: r.Reference(),
	}}
}
