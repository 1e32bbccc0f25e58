package claim

import "time"

// The kinds of messages.
const (
	MessageKind = "message" // it can reach the customer, or is from the customer
	NoteKind    = "note"    // internal: only agents see it
)

// The directions of messages as seen from the shop.
const (
	DirectionInbound  = "inbound"
	DirectionOutbound = "outbound"
)

// Message is one message or internal note of a claim's conversation.
type Message struct {
	// ID is Dixa's id of it.
	ID   string `json:"id"`
	Kind string `json:"kind"`
	// Direction is inbound, from the customer, or outbound; empty for a note.
	Direction string `json:"direction,omitempty"`
	// Channel is Dixa's name of the channel, such as Email.
	Channel string    `json:"channel,omitempty"`
	Author  *Person   `json:"author,omitempty"`
	At      time.Time `json:"at"`
	// Text is the plain text, HTML the formatted text; one of them may be empty.
	Text string `json:"text,omitempty"`
	HTML string `json:"html,omitempty"`
	// Attachments are files, to be fetched through Claimflow.
	Attachments []MessageAttachment `json:"attachments,omitempty"`
	// Automated says that no person wrote it.
	Automated bool `json:"automated,omitempty"`
	// ExternalID is the key that whoever added the message gave it.
	ExternalID string `json:"external_id,omitempty"`
	// Ours says that Claimflow wrote it.
	Ours bool `json:"ours,omitempty"`
	// Listed says that this is how Dixa's list has it, which tells more than the
	// event of it.
	Listed bool `json:"-"`
}

// MessageAttachment is a file of a message.
type MessageAttachment struct {
	// ID names the file within its message.
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
	// Source is where Dixa keeps it. It is never told: it opens with the token.
	Source string `json:"-"`
}

// TimelineEntry is one thing that happened to a claim.
type TimelineEntry struct {
	At time.Time `json:"at"`
	// What happened, in words such as "accepted", "claim.opened" or "closed in
	// Dixa".
	What string `json:"what"`
	// By is who did it, where that is known: an API key's name, an agent's.
	By string `json:"by,omitempty"`
	// Detail says more, such as the name of a tag or queue.
	Detail string `json:"detail,omitempty"`
}
