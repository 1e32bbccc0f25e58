package dixa

import "strings"

// EventName is the API's name for a kind of event, such as "ConversationClosed".
// Subscriptions use these names; payloads use another spelling, see FQN. The set is
// open.
type EventName string

// The events that Dixa's API lists.
const (
	EventAgentBannedEnduser                       EventName = "AgentBannedEnduser"
	EventAgentBannedIP                            EventName = "AgentBannedIp"
	EventAgentUnbannedEnduser                     EventName = "AgentUnbannedEnduser"
	EventAgentUnbannedIP                          EventName = "AgentUnbannedIp"
	EventConversationAbandoned                    EventName = "ConversationAbandoned" // closed without an agent
	EventConversationAssigned                     EventName = "ConversationAssigned"
	EventConversationClosed                       EventName = "ConversationClosed"
	EventConversationCreated                      EventName = "ConversationCreated"
	EventConversationCustomAttributeUpdated       EventName = "ConversationCustomAttributeUpdated"
	EventConversationEndUserReplaced              EventName = "ConversationEndUserReplaced"
	EventConversationEnqueued                     EventName = "ConversationEnqueued"
	EventConversationMessageAdded                 EventName = "ConversationMessageAdded"
	EventConversationMessageDeliveryDelivered     EventName = "ConversationMessageDeliveryDelivered"
	EventConversationMessageDeliveryFailed        EventName = "ConversationMessageDeliveryFailed"
	EventConversationMessageDeliveryInfo          EventName = "ConversationMessageDeliveryInfo"
	EventConversationMessageDeliverySeen          EventName = "ConversationMessageDeliverySeen"
	EventConversationMessageDeliverySent          EventName = "ConversationMessageDeliverySent"
	EventConversationMessageDeliverySpamComplaint EventName = "ConversationMessageDeliverySpamComplaint"
	EventConversationNoteAdded                    EventName = "ConversationNoteAdded"
	EventConversationOpen                         EventName = "ConversationOpen"           // reopened
	EventConversationPending                      EventName = "ConversationPending"        // follow-up set
	EventConversationPendingExpired               EventName = "ConversationPendingExpired" // follow-up due
	EventConversationRated                        EventName = "ConversationRated"          // sent again for the rating's comment
	EventConversationTagAdded                     EventName = "ConversationTagAdded"
	EventConversationTagRemoved                   EventName = "ConversationTagRemoved"
	EventConversationTransferred                  EventName = "ConversationTransferred"
	EventConversationUnassigned                   EventName = "ConversationUnassigned"
	EventSLAEvaluationAchieved                    EventName = "SLAEvaluationAchieved"
	EventSLAEvaluationBreached                    EventName = "SLAEvaluationBreached"
	EventSLAEvaluationPending                     EventName = "SLAEvaluationPending"
	EventSLAEvaluationVoided                      EventName = "SLAEvaluationVoided"
	EventTypingStarted                            EventName = "TypingStarted"
)

// eventNames lists the events with their payload names. A name is confirmed if
// Dixa's documentation or a payload from Dixa shows it. The others are assumptions
// of this package.
var eventNames = []struct {
	name      EventName
	fqn       string
	confirmed bool
}{
	{EventAgentBannedEnduser, "AGENT_BANNED_ENDUSER", false},
	{EventAgentBannedIP, "AGENT_BANNED_IP", false},
	{EventAgentUnbannedEnduser, "AGENT_UNBANNED_ENDUSER", false},
	{EventAgentUnbannedIP, "AGENT_UNBANNED_IP", false},
	{EventConversationAbandoned, "CONVERSATION_ABANDONED", false},
	{EventConversationAssigned, "CONVERSATION_ASSIGNED", false},
	{EventConversationClosed, "CONVERSATION_CLOSED", false},
	{EventConversationCreated, "CONVERSATION_CREATED", true},
	{EventConversationCustomAttributeUpdated, "CONVERSATION_CUSTOM_ATTRIBUTE_UPDATED", false},
	{EventConversationEndUserReplaced, "CONVERSATION_END_USER_REPLACED", false},
	{EventConversationEnqueued, "CONVERSATION_ENQUEUED", false},
	{EventConversationMessageAdded, "CONVERSATION_MESSAGE_ADDED", true},
	{EventConversationMessageDeliveryDelivered, "CONVERSATION_MESSAGE_DELIVERY_DELIVERED", false},
	{EventConversationMessageDeliveryFailed, "CONVERSATION_MESSAGE_DELIVERY_FAILED", false},
	{EventConversationMessageDeliveryInfo, "CONVERSATION_MESSAGE_DELIVERY_INFO", false},
	{EventConversationMessageDeliverySeen, "CONVERSATION_MESSAGE_DELIVERY_SEEN", false},
	{EventConversationMessageDeliverySent, "CONVERSATION_MESSAGE_DELIVERY_SENT", false},
	{EventConversationMessageDeliverySpamComplaint, "CONVERSATION_MESSAGE_DELIVERY_SPAM_COMPLAINT", false},
	{EventConversationNoteAdded, "CONVERSATION_NOTE_ADDED", true},
	{EventConversationOpen, "CONVERSATION_OPEN", false},
	{EventConversationPending, "CONVERSATION_PENDING", true},
	{EventConversationPendingExpired, "CONVERSATION_PENDING_EXPIRED", false},
	{EventConversationRated, "CONVERSATION_RATED", true},
	{EventConversationTagAdded, "CONVERSATION_TAG_ADDED", true},
	{EventConversationTagRemoved, "CONVERSATION_TAG_REMOVED", false},
	{EventConversationTransferred, "CONVERSATION_TRANSFERRED", false},
	{EventConversationUnassigned, "CONVERSATION_UNASSIGNED", false},
	{EventSLAEvaluationAchieved, "SLA_EVALUATION_ACHIEVED", false},
	{EventSLAEvaluationBreached, "SLA_EVALUATION_BREACHED", false},
	{EventSLAEvaluationPending, "SLA_EVALUATION_PENDING", false},
	{EventSLAEvaluationVoided, "SLA_EVALUATION_VOIDED", false},
	{EventTypingStarted, "TYPING_STARTED", false},
}

// transferNames are alternative payload names for ConversationTransferred that
// Dixa's web app suggests.
var transferNames = []string{"ConversationTransferredToAgent", "ConversationTransferredToQueue"}

// EventNames returns the events that Dixa's API lists, in alphabetical order.
func EventNames() []EventName {
	names := make([]EventName, len(eventNames))
	for i, event := range eventNames {
		names[i] = event.name
	}
	return names
}

// FQN returns the event_fqn in payloads of this event, such as
// "CONVERSATION_CLOSED". It is confirmed if Dixa's documentation or a payload from
// Dixa shows it. Otherwise it is an assumption of this package, and Dixa may use
// another name. To identify a payload use Event.Name, which does not depend on it.
// fqn is empty for a name that EventNames does not list.
func (n EventName) FQN() (fqn string, confirmed bool) {
	for _, event := range eventNames {
		if event.name == n {
			return event.fqn, event.confirmed
		}
	}
	return "", false
}

// eventNamed returns the event name for a payload's fqn, or "" if it is unknown. It
// ignores case and underscores because most fqns are not documented.
func eventNamed(fqn string) EventName {
	for _, event := range eventNames {
		if sameWord(fqn, string(event.name)) {
			return event.name
		}
	}
	for _, name := range transferNames {
		if sameWord(fqn, name) {
			return EventConversationTransferred
		}
	}
	return ""
}

// spelled returns the known value that value spells differently, or value itself.
// Webhooks write OPEN, inbound and WIDGET_CHAT for the API's Open, Inbound and
// WidgetChat.
func spelled[T ~string](value T, known ...T) T {
	for _, k := range known {
		if sameWord(string(value), string(k)) {
			return k
		}
	}
	return value
}

func sameWord(snake, pascal string) bool {
	return strings.EqualFold(strings.ReplaceAll(snake, "_", ""), pascal)
}
