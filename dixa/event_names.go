package dixa

import "strings"

// EventName is what the API calls a kind of event, such as
// "ConversationClosed". A subscription asks for events by these names; the
// payloads have another spelling, see FQN. The set is open.
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
	EventConversationPending                      EventName = "ConversationPending"        // a follow-up was set
	EventConversationPendingExpired               EventName = "ConversationPendingExpired" // the follow-up is due
	EventConversationRated                        EventName = "ConversationRated"          // also once more for the rating's comment
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

// eventNames lists the events with what their payloads call them. A name is
// confirmed where Dixa's documentation or a payload of Dixa's shows it; the
// others are this package's reading.
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

// transferNames are what Dixa's web app suggests that the payloads of
// ConversationTransferred may call it instead.
var transferNames = []string{"ConversationTransferredToAgent", "ConversationTransferredToQueue"}

// EventNames returns the events that Dixa's API lists, in alphabetical order.
func EventNames() []EventName {
	names := make([]EventName, len(eventNames))
	for i, event := range eventNames {
		names[i] = event.name
	}
	return names
}

// FQN returns what the payload of an event of this name has as its event_fqn,
// such as "CONVERSATION_CLOSED". It is confirmed if Dixa's documentation or a
// payload of Dixa's shows it. Otherwise it is this package's reading and Dixa
// may write another: to tell what a payload is about use Event.Name, which does
// not rest on it. For a name that EventNames does not have fqn is empty.
func (n EventName) FQN() (fqn string, confirmed bool) {
	for _, event := range eventNames {
		if event.name == n {
			return event.fqn, event.confirmed
		}
	}
	return "", false
}

// eventNamed returns the name of the event that a payload calls fqn, "" for one
// that is not known. Since most fqns are not documented, neither case nor where
// the underscores stand matters.
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

// spelled returns the one of the known values that value is another spelling
// of, or value itself. Webhooks write OPEN, inbound and WIDGET_CHAT where the
// API writes Open, Inbound and WidgetChat.
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
