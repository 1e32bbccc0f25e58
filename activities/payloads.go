package activities

import (
	"time"

	"github.com/claimflow/claimflow/claim"
)

// What activities take and give. All of it enters workflow histories, so it
// holds ids, counts and words of ours, never anything of a customer.

// Resolved is what [Tickets.ResolveTemplate] decided.
type Resolved struct {
	// Template is the template that won, such as "shop/damaged/de".
	Template string `json:"template"`
	Language string `json:"language"`
	// Route names the routing rule that matched.
	Route string `json:"route,omitempty"`
	// Note, Assign and Attributes say which of the optional steps there are.
	Note       bool `json:"note,omitempty"`
	Assign     bool `json:"assign,omitempty"`
	Attributes bool `json:"attributes,omitempty"`
}

// Checked is what [Evidence.CheckEvidence] decided.
type Checked struct {
	Files   int `json:"files"`
	LeftOut int `json:"left_out"`
}

// Customer is what [Dixa.FindOrCreateCustomer] found.
type Customer struct {
	EndUserID string `json:"end_user_id"`
	// Revision is that of the claim's body which names the customer.
	Revision int64 `json:"revision,omitempty"`
	// Note says that something about the customer belongs into the internal note.
	Note bool `json:"note,omitempty"`
}

// Tagged is what came of a ticket's tags.
type Tagged struct {
	// Note says that Dixa refused a tag, which belongs into the internal note.
	Note bool `json:"note,omitempty"`
}

// ConversationInput is what [Dixa.CreateConversation] needs. A claim that has its
// conversation needs no end user.
type ConversationInput struct {
	claim.Ref
	EndUserID string `json:"end_user_id,omitempty"`
	// Revision is that of [Customer].
	Revision int64 `json:"revision,omitempty"`
}

// Conversation is what [Dixa.CreateConversation] opened or found.
type Conversation struct {
	ID int64 `json:"conversation_id"`
	// Attached counts the files that went with it, LeftOut those that did not.
	Attached int `json:"attached"`
	LeftOut  int `json:"left_out"`
	// Separately says that Dixa did not take all of it in one message, so that
	// [Dixa.SendSeparately] has to send the rest.
	Separately bool `json:"separately,omitempty"`
}

// Separate is what [Dixa.SendSeparately] could send.
type Separate struct {
	Attached int `json:"attached"`
	LeftOut  int `json:"left_out"`
	// Note says that a part of the text is missing, which the internal note tells.
	Note bool `json:"note,omitempty"`
}

// StatusChange is what [Claims.SyncStatus] writes.
type StatusChange struct {
	claim.Ref
	Event claim.Event `json:"event"`
	// Cause and LastError say why a claim is parked.
	Cause     claim.Cause `json:"cause,omitempty"`
	LastError string      `json:"last_error,omitempty"`
	// SettingsVersion is the version of the settings that the claim was parked
	// with.
	SettingsVersion int64 `json:"settings_version,omitempty"`
	// Fallback raises the claim's fallback, once.
	Fallback bool `json:"fallback,omitempty"`
	// RetriedAt is the [claim.Standing.RetriedAt] that the workflow acts upon. A
	// claim that was retried since is not changed: the workflow must read it.
	RetriedAt time.Time `json:"retried_at,omitzero"`
}

// Park is the detail of an error of type [claim.ErrorPark].
type Park struct {
	Cause claim.Cause `json:"cause"`
}
