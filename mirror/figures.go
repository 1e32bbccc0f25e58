package mirror

import "time"

// Figures are what is computed about a conversation from its records. They hold no
// personal data. A pointer is nil, and a time zero, if a record that it needs is
// missing; the comment of each names those.
//
// Messages are complete if the earliest known one is at most five minutes younger
// than the conversation; the activity log is complete by the same rule.
type Figures struct {
	ConversationID int64
	CreatedAt      time.Time
	// Channel and Direction are as in [Origin]. Status is the current one.
	Channel, Direction, Status string
	// QueueID, AssigneeID and RequesterID are the current ones.
	QueueID, AssigneeID, RequesterID string
	Tags                             []string

	// FirstInboundAt is when the customer first wrote. Needs complete messages;
	// CreatedAt if the conversation is inbound and has no message of the customer.
	FirstInboundAt time.Time
	// FirstResponseAt is the first message to the customer that is not automatic and
	// not before FirstInboundAt. Needs complete messages. Zero also if nobody has
	// replied yet, and for conversations that the shop began.
	FirstResponseAt time.Time
	// FirstResponseBy is the agent who wrote it, if known.
	FirstResponseBy string
	// AgentReplies, AutomatedMessages, CustomerMessages and Notes are counts. They
	// need complete messages.
	AgentReplies, AutomatedMessages, CustomerMessages, Notes *int

	// QueueTime is how long the conversation was open without an assigned agent, in
	// total up to LastActivityAt. Needs a complete log; otherwise it is AssignedAt -
	// QueuedAt as Dixa reports them, which counts only the last time in a queue.
	QueueTime *time.Duration
	// QueueTimeFromLog says that QueueTime comes from the activity log.
	QueueTimeFromLog bool
	// HandlingTime is how long the conversation was open with an assigned agent, in
	// total up to LastActivityAt. Needs a complete log.
	HandlingTime *time.Duration
	// FirstAssignedAt needs a complete log; otherwise as Dixa reports it.
	FirstAssignedAt time.Time

	// FirstClosedAt and LastClosedAt are the first and last close. The first needs a
	// complete log or events, the last may be as Dixa reports it. LastClosedAt is
	// zero while the conversation is not closed.
	FirstClosedAt, LastClosedAt time.Time
	// Closes, Reopens, Transfers and Assignments are counts. They need a complete log.
	Closes, Reopens, Transfers, Assignments *int
	// LastActivityAt is the newest time in any record of the conversation.
	LastActivityAt time.Time

	// Dixa's own durations, in a unit that it does not document.
	DixaTotalDuration, DixaHandlingDuration *int64
	AnonymizedAt                            time.Time

	// Events are the dated occurrences of the conversation, oldest first.
	Events []FigureEvent
}

// EventKind is a kind of [FigureEvent].
type EventKind string

// Kinds of dated occurrences.
const (
	KindClosed        EventKind = "closed"         // became closed; AgentID is who closed it
	KindReopened      EventKind = "reopened"       // left the closed state
	KindAssigned      EventKind = "assigned"       // AgentID is the assigned agent
	KindUnassigned    EventKind = "unassigned"     // AgentID is empty
	KindTransferred   EventKind = "transferred"    // QueueID or AgentID is the destination
	KindReply         EventKind = "reply"          // a message to the customer that is not automatic
	KindRatingOffered EventKind = "rating_offered" // Type is the kind of rating
	KindRated         EventKind = "rated"          // Type is the kind of rating, Value its score
	KindSLAAchieved   EventKind = "sla_achieved"
	KindSLABreached   EventKind = "sla_breached"
)

// FigureEvent is a dated occurrence in a conversation.
type FigureEvent struct {
	At   time.Time
	Kind EventKind
	// AgentID and QueueID are those of the occurrence: the agent who replied or
	// closed, the assigned agent and the queue at the time. For ratings they are as
	// of the offer.
	AgentID, QueueID string
	// Type and Value belong to ratings.
	Type  string
	Value int
}
