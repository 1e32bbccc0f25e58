package claim

import (
	"slices"
	"time"
)

// Standing is everything by which a claim's workflow decides what to do next. It
// holds plain facts only, so it may enter a workflow's history.
type Standing struct {
	State State `json:"state"`
	Cause Cause `json:"cause,omitempty"`
	// LastError is the last thing that went wrong, without personal data.
	LastError      string `json:"last_error,omitempty"`
	Reason         string `json:"reason"`
	OrderNumber    string `json:"order_number,omitempty"`
	ConversationID int64  `json:"conversation_id,omitempty"`
	// Offered: the platform offers Dixa to the shop and the shop has it on.
	Offered bool `json:"offered"`
	// Paused: the shop lets its claims wait.
	Paused bool `json:"paused,omitempty"`
	// ConnectionID is the shop's connection; empty where it has none.
	ConnectionID string `json:"connection_id,omitempty"`
	// TokenShare is set while another program seems to use the connection's token.
	TokenShare *TokenShare `json:"token_share,omitempty"`
	// SettingsVersion is the shop's current one, ParkedVersion the one that the
	// claim was parked with.
	SettingsVersion int64 `json:"settings_version"`
	ParkedVersion   int64 `json:"parked_version,omitempty"`
	// Deadline is when the fallback is raised unless the claim is open.
	Deadline time.Time `json:"deadline"`
	// FallbackUsed: the fallback was raised.
	FallbackUsed bool `json:"fallback_used,omitempty"`
	// AwaitsRetry: the fallback was raised and nobody retried the claim since.
	// Only a retry opens it now.
	AwaitsRetry bool `json:"awaits_retry,omitempty"`
	// Unanswered: a create was sent to Dixa and it is not known what became of
	// it.
	Unanswered bool `json:"unanswered,omitempty"`
	// RetriedAt is when a person last retried the claim; zero for never.
	RetriedAt time.Time `json:"retried_at,omitzero"`
	// Cursor is how far the claim has taken in what Dixa told.
	Cursor int64 `json:"cursor,omitempty"`
	// Unread says that there is word from Dixa that the claim has not taken in.
	Unread bool `json:"unread,omitempty"`
	// DoubtAt is since when Dixa may have another state than the one that is
	// known; zero where nothing speaks against it.
	DoubtAt time.Time `json:"doubt_at,omitzero"`
	// Instructed says that instructions wait to be carried out.
	Instructed bool `json:"instructed,omitempty"`
	// SettleAt is when a closed claim is settled; zero while it is not closed.
	SettleAt time.Time `json:"settle_at,omitzero"`
	// Status is what the owner was told last, AssigneeID the agent who has the
	// conversation and QueueID the queue that it is in.
	Status     string `json:"status,omitempty"`
	AssigneeID string `json:"assignee_id,omitempty"`
	QueueID    string `json:"queue_id,omitempty"`
	// Recent is what happened last, newest last, in words without names.
	Recent []Moment `json:"recent,omitempty"`
	// Done are the steps of opening that are done for good.
	Done []string `json:"done,omitempty"`
}

// Moment is a thing that happened.
type Moment struct {
	At   time.Time `json:"at"`
	What string    `json:"what"`
}

// Move is what a claim's workflow does next.
type Move string

// The moves.
const (
	MoveOpen     Move = "open"     // open the conversation, or go on with it
	MoveRead     Move = "read"     // take in what Dixa told
	MoveInstruct Move = "instruct" // carry out the oldest instruction
	MoveFollow   Move = "follow"   // the conversation is there: wait for news of it
	MoveWait     Move = "wait"     // parked or paused: wait for a person
	MoveSkip     Move = "skip"     // the integration is off
	MovePark     Move = "park"     // there is no connection
	MoveFinish   Move = "finish"   // nothing is left to wait for
)

// Next says what the workflow of a claim does next. A claim that is being opened
// goes on even when the shop was switched off or paused meanwhile: a create may
// be on its way.
func (s Standing) Next() Move {
	if s.Unread && s.State != StateOpening {
		return MoveRead
	}
	switch s.State {
	case StateOpen, StatePending, StateClosed, StateSettled:
		if s.Instructed {
			return MoveInstruct
		}
	}
	switch s.State {
	case StateSettled, StateSkipped, StateAbandoned:
		return MoveFinish
	case StateOpen, StatePending, StateClosed:
		return MoveFollow
	case StateNeedsAttention:
		// A retry puts the claim back to received, so only new settings wake it
		// here, and not even those once its customer was told by other means.
		if s.ParkedVersion >= s.SettingsVersion || s.AwaitsRetry && s.ConversationID == 0 {
			return MoveWait
		}
		// Switching the shop off or pausing it is no reason to open the claim.
		if (!s.Offered || s.Paused) && s.ConversationID == 0 {
			return MoveWait
		}
	case StateReceived:
		if !s.Offered {
			return MoveSkip
		}
		if s.Paused {
			return MoveWait
		}
	}
	if s.ConnectionID == "" {
		return MovePark
	}
	return MoveOpen
}

// FallbackDue reports whether the fallback has to be raised at the deadline: the
// claim has no conversation, nobody raised it before, and the shop did not ask
// the claim to wait.
func (s Standing) FallbackDue() bool {
	waiting := s.State == StateOpening || s.State == StateNeedsAttention || s.State == StateReceived && !s.Paused
	return waiting && s.ConversationID == 0 && !s.FallbackUsed
}

// HasDone reports whether a step of opening is done for good.
func (s Standing) HasDone(step string) bool { return slices.Contains(s.Done, step) }

// The steps of a claim that write to Dixa. Each is guarded by an intent of this
// name.
const (
	StepCustomer     = "customer"
	StepConversation = "conversation"
	StepText         = "text"       // followed by the number of the part
	StepAttachment   = "attachment" // followed by the file's number
	StepTags         = "tags"
	StepAssign       = "assign"
	StepAttributes   = "attributes"
	StepNote         = "note"
	// StepInstruction is followed by the id of an [Instruction].
	StepInstruction = "instruction"
)
