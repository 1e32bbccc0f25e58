package mirror

import "time"

// Activity is an entry of Dixa's activity log. AuthorName and Detail are personal
// data.
type Activity struct {
	ID             string    `json:"-"`
	ConversationID int64     `json:"-"`
	At             time.Time `json:"-"`
	// Type is in Dixa's spelling, such as "ConversationClosed". The set is open.
	Type string `json:"-"`
	// AuthorID is who did it; empty for the system.
	AuthorID   string `json:"-"`
	AuthorName string `json:"author_name,omitempty"`
	// AgentID and QueueID are the agent and queue that the entry names: who was
	// assigned, where to the conversation was transferred.
	AgentID string `json:"agent_id,omitempty"`
	QueueID string `json:"queue_id,omitempty"`
	// QueueName is the name of the queue that the entry names.
	QueueName string `json:"-"`
	// MessageID is the message that the entry names.
	MessageID string `json:"message_id,omitempty"`
	// Detail is the tag, the queue's or agent's name, or the reason.
	Detail string `json:"detail,omitempty"`
	// Attributes are the entry's attributes as received.
	Attributes []byte `json:"attributes,omitempty"`
}
