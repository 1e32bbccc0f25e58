package claim

import (
	"slices"
	"time"
)

// WorkflowState is the input by which a claim's workflow decides what to do next. It
// contains only plain facts, so it may be stored in the workflow's history.
type WorkflowState struct {
	State State `json:"state"`
	Cause Cause `json:"cause,omitempty"`
	// LastError is the last error, without personal data.
	LastError      string `json:"last_error,omitempty"`
	Reason         string `json:"reason"`
	OrderNumber    string `json:"order_number,omitempty"`
	ConversationID int64  `json:"conversation_id,omitempty"`
	// Offered says that the platform offers Dixa to the shop and the shop has it
	// enabled.
	Offered bool `json:"offered"`
	// Paused says that the shop's claims wait.
	Paused bool `json:"paused,omitempty"`
	// ConnectionID is the shop's connection; empty if it has none.
	ConnectionID string `json:"connection_id,omitempty"`
	// TokenShare is set while another program seems to use the connection's token.
	TokenShare *TokenShare `json:"token_share,omitempty"`
	// SettingsVersion is the shop's current version, ParkedVersion the version with
	// which the claim was parked.
	SettingsVersion int64 `json:"settings_version"`
	ParkedVersion   int64 `json:"parked_version,omitempty"`
	// Deadline is when the fallback is triggered unless the claim is open.
	Deadline time.Time `json:"deadline"`
	// FallbackUsed says that the fallback was triggered.
	FallbackUsed bool `json:"fallback_used,omitempty"`
	// AwaitsRetry says that the fallback was triggered and nobody has retried the claim
	// since. Only a retry opens it now.
	AwaitsRetry bool `json:"awaits_retry,omitempty"`
	// Unanswered says that a create was sent to Dixa and its outcome is unknown.
	Unanswered bool `json:"unanswered,omitempty"`
	// RetriedAt is when a person last retried the claim; zero if never.
	RetriedAt time.Time `json:"retried_at,omitzero"`
	// Cursor is the position up to which the claim has applied events from Dixa.
	Cursor int64 `json:"cursor,omitempty"`
	// Unread says that events from Dixa wait to be applied and should be applied now,
	// because no nudge is scheduled for them.
	Unread bool `json:"unread,omitempty"`
	// DoubtAt is the time since which Dixa may have a status or tags other than the known
	// ones; zero if there is no doubt.
	DoubtAt time.Time `json:"doubt_at,omitzero"`
	// Instructed says that instructions wait to be carried out.
	Instructed bool `json:"instructed,omitempty"`
	// SettleAt is when a closed claim is settled; zero while it is not closed.
	SettleAt time.Time `json:"settle_at,omitzero"`
	// Status is the last status reported to the owner, AssigneeID the agent assigned
	// to the conversation, and QueueID its queue.
	Status     string `json:"status,omitempty"`
	AssigneeID string `json:"assignee_id,omitempty"`
	QueueID    string `json:"queue_id,omitempty"`
	// Recent are the last events, newest last, in words without names.
	Recent []RecentEvent `json:"recent,omitempty"`
	// Done lists the steps of opening that are complete.
	Done []string `json:"done,omitempty"`
}

// RecentEvent is an event with its time.
type RecentEvent struct {
	At   time.Time `json:"at"`
	What string    `json:"what"`
}

// Action is the next action of a claim's workflow.
type Action string

// Actions of a claim's workflow.
const (
	ActionOpen     Action = "open"     // open the conversation, or continue to open it
	ActionRead     Action = "read"     // apply events from Dixa
	ActionInstruct Action = "instruct" // carry out the oldest instruction
	ActionFollow   Action = "follow"   // the conversation exists: wait for its events
	ActionWait     Action = "wait"     // parked or paused: wait for a person
	ActionSkip     Action = "skip"     // the integration is off
	ActionPark     Action = "park"     // there is no connection
	ActionFinish   Action = "finish"   // there is nothing left to wait for
)

// Next returns the next action of the claim's workflow. Opening continues even if the
// shop is disabled or paused in the meantime, because a create may be in flight.
func (s WorkflowState) Next() Action {
	if s.Unread && s.State != StateOpening {
		return ActionRead
	}
	switch s.State {
	case StateOpen, StatePending, StateClosed, StateSettled:
		if s.Instructed {
			return ActionInstruct
		}
	}
	switch s.State {
	case StateSettled, StateSkipped, StateAbandoned:
		return ActionFinish
	case StateOpen, StatePending, StateClosed:
		return ActionFollow
	case StateNeedsAttention:
		// A retry moves the claim back to received, so here only new settings wake
		// it. After the fallback not even those do, because the customer may have
		// been helped by other means.
		if s.ParkedVersion >= s.SettingsVersion || s.AwaitsRetry && s.ConversationID == 0 {
			return ActionWait
		}
		// Disabling or pausing the shop is no reason to open the claim.
		if (!s.Offered || s.Paused) && s.ConversationID == 0 {
			return ActionWait
		}
	case StateReceived:
		if !s.Offered {
			return ActionSkip
		}
		if s.Paused {
			return ActionWait
		}
	}
	if s.ConnectionID == "" {
		return ActionPark
	}
	return ActionOpen
}

// FallbackDue reports whether the fallback must be triggered at the deadline: the claim
// has no conversation, the fallback was not triggered before, and the shop did not
// pause the claim.
func (s WorkflowState) FallbackDue() bool {
	waiting := s.State == StateOpening || s.State == StateNeedsAttention || s.State == StateReceived && !s.Paused
	return waiting && s.ConversationID == 0 && !s.FallbackUsed
}

// HasDone reports whether a step of opening is complete.
func (s WorkflowState) HasDone(step string) bool { return slices.Contains(s.Done, step) }

// Steps of a claim that write to Dixa. An intent of the same name guards each step.
const (
	StepCustomer     = "customer"
	StepConversation = "conversation"
	StepText         = "text"       // followed by the part number
	StepAttachment   = "attachment" // followed by the file number
	StepTags         = "tags"
	StepAssign       = "assign"
	StepAttributes   = "attributes"
	StepNote         = "note"
	// StepInstruction is followed by the id of an [Instruction].
	StepInstruction = "instruction"
)
