package claim

import "time"

// Kinds of messages.
const (
	MessageKind = "message" // to or from the customer
	NoteKind    = "note"    // internal: only agents see it
)

// Directions of messages, from the shop's point of view.
const (
	DirectionInbound  = "inbound"
	DirectionOutbound = "outbound"
)

// Message is one message or internal note of a claim's conversation.
type Message struct {
	// ID is the message's id in Dixa.
	ID   string `json:"id"`
	Kind string `json:"kind"`
	// Direction is inbound (from the customer) or outbound; empty for a note.
	Direction string `json:"direction,omitempty"`
	// Channel is Dixa's name for the channel, such as Email.
	Channel string    `json:"channel,omitempty"`
	Author  *Person   `json:"author,omitempty"`
	At      time.Time `json:"at"`
	// Text is the plain text, HTML the formatted text. Either may be empty.
	Text string `json:"text,omitempty"`
	HTML string `json:"html,omitempty"`
	// Attachments are the files of the message. Fetch them through Claimflow.
	Attachments []MessageAttachment `json:"attachments,omitempty"`
	// Automated says that no person wrote the message.
	Automated bool `json:"automated,omitempty"`
	// ExternalID is the key that the sender of the message assigned to it.
	ExternalID string `json:"external_id,omitempty"`
	// Ours says that Claimflow wrote the message.
	Ours bool `json:"ours,omitempty"`
	// Listed says that the message comes from Dixa's message list, which has more
	// detail than the event.
	Listed bool `json:"-"`
}

// MessageAttachment is a file of a message.
type MessageAttachment struct {
	// ID identifies the file within its message.
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
	// Source is the file's address in Dixa. It is never exposed: fetching it
	// requires the token.
	Source string `json:"-"`
}

// TimelineEntry is one event in a claim's history.
type TimelineEntry struct {
	At time.Time `json:"at"`
	// What describes the event, such as "accepted", "claim.opened" or "closed in
	// Dixa".
	What string `json:"what"`
	// By is who caused the event, if known: the name of an API key or of an agent.
	By string `json:"by,omitempty"`
	// Detail adds information, such as the name of a tag or queue.
	Detail string `json:"detail,omitempty"`
}
