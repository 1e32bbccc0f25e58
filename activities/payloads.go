package activities

import (
	"time"

	"github.com/claimflow/claimflow/claim"
)

// Inputs and results of the activities. All of them enter workflow histories, so
// they hold ids, counts and our own words, never customer data.

// ResolveResult is the result of [Tickets.ResolveTemplate].
type ResolveResult struct {
	// Template is the chosen template, such as "shop/damaged/de".
	Template string `json:"template"`
	Language string `json:"language"`
	// Route names the routing rule that matched.
	Route string `json:"route,omitempty"`
	// Note, Assign and Attributes say which optional steps apply.
	Note       bool `json:"note,omitempty"`
	Assign     bool `json:"assign,omitempty"`
	Attributes bool `json:"attributes,omitempty"`
}

// EvidenceResult is the result of [Evidence.CheckEvidence].
type EvidenceResult struct {
	Files   int `json:"files"`
	LeftOut int `json:"left_out"`
}

// Conversation is what [Dixa.CreateConversation] created or found.
type Conversation struct {
	ID int64 `json:"conversation_id"`
	// Attached counts the files in the conversation, LeftOut the others.
	Attached int `json:"attached"`
	LeftOut  int `json:"left_out"`
}

// Completed is the result of [Dixa.CompleteConversation].
type Completed struct {
	// Attached counts the files in the conversation, LeftOut the others.
	Attached int `json:"attached"`
	LeftOut  int `json:"left_out"`
	// State is the resulting state of the claim.
	State claim.WorkflowState `json:"state"`
}

// StatusChange is what [Claims.SyncStatus] writes.
type StatusChange struct {
	claim.Ref
	Event claim.Event `json:"event"`
	// Cause and LastError say why a claim is parked.
	Cause     claim.Cause `json:"cause,omitempty"`
	LastError string      `json:"last_error,omitempty"`
	// SettingsVersion is the version of the settings with which the claim was
	// parked.
	SettingsVersion int64 `json:"settings_version,omitempty"`
	// Fallback triggers the claim's fallback, once.
	Fallback bool `json:"fallback,omitempty"`
	// RetriedAt is the [claim.WorkflowState.RetriedAt] on which the workflow acts. A
	// claim that was retried since is not changed: the workflow must read it first.
	RetriedAt time.Time `json:"retried_at,omitzero"`
}

// Park is the detail of an error of type [claim.ErrorPark].
type Park struct {
	Cause claim.Cause `json:"cause"`
}
