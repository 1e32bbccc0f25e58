package server

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// eventNames are the 32 events that a subscription can name.
var eventNames = []string{
	"AgentBannedEnduser", "AgentBannedIp", "AgentUnbannedEnduser", "AgentUnbannedIp",
	"ConversationAbandoned", "ConversationAssigned", "ConversationClosed", "ConversationCreated",
	"ConversationCustomAttributeUpdated", "ConversationEndUserReplaced", "ConversationEnqueued",
	"ConversationMessageAdded", "ConversationMessageDeliveryDelivered", "ConversationMessageDeliveryFailed",
	"ConversationMessageDeliveryInfo", "ConversationMessageDeliverySeen", "ConversationMessageDeliverySent",
	"ConversationMessageDeliverySpamComplaint", "ConversationNoteAdded", "ConversationOpen",
	"ConversationPending", "ConversationPendingExpired", "ConversationRated", "ConversationTagAdded",
	"ConversationTagRemoved", "ConversationTransferred", "ConversationUnassigned",
	"SLAEvaluationAchieved", "SLAEvaluationBreached", "SLAEvaluationPending", "SLAEvaluationVoided",
	"TypingStarted",
}

// EventNames lists the events that a subscription can name.
func EventNames() []string { return slices.Clone(eventNames) }

// guessedEvents are the events for which neither a published event_fqn nor
// documentation of the data beyond the conversation was found. The switches
// webhooks.unconfirmedNames and webhooks.guessedMembers decide about them.
var guessedEvents = []string{
	"ConversationAssigned", "ConversationUnassigned", "ConversationTransferred",
	"ConversationTagRemoved", "ConversationCustomAttributeUpdated", "ConversationEndUserReplaced",
}

// eventPayload is the body of a delivery. Its members are in the order of a captured
// delivery.
type eventPayload struct {
	EventID        string         `json:"event_id"`
	EventFQN       string         `json:"event_fqn"`
	EventVersion   string         `json:"event_version"`
	EventTimestamp string         `json:"event_timestamp"`
	Organization   map[string]any `json:"organization"`
	Data           map[string]any `json:"data"`
}

// upperSnake converts an event's name or a value of the API to the notation of
// webhooks: ConversationTagAdded becomes CONVERSATION_TAG_ADDED.
func upperSnake(value string) string {
	var out strings.Builder
	runes := []rune(value)
	for i, r := range runes {
		startsWord := i > 0 && unicode.IsUpper(r) &&
			(!unicode.IsUpper(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1]))
		if startsWord {
			out.WriteByte('_')
		}
		out.WriteRune(unicode.ToUpper(r))
	}
	return out.String()
}

// Events with neither a published name nor published data. The switch
// webhooks.otherEvents sends them.
const (
	eventTyping    = "TypingStarted"
	eventSent      = "ConversationMessageDeliverySent"
	eventDelivered = "ConversationMessageDeliveryDelivered"
	eventSLA       = "SLAEvaluationPending"
	eventSLAMet    = "SLAEvaluationAchieved"
	eventBan       = "AgentBannedEnduser"
	eventUnban     = "AgentUnbannedEnduser"
)

// emit sends an event to its subscriptions. members returns the data beyond the
// conversation. It is called only if a subscription receives the event.
func (s *Server) emit(c *call, conversation *Conversation, event string, members func() map[string]any) {
	name := upperSnake(event)
	if s.switches.Webhooks.UnconfirmedNames == "api" && slices.Contains(guessedEvents, event) {
		name = event
	}
	s.emitAs(c, conversation, event, name, members)
}

// emitOther emits events about which nothing is published, if the switch
// webhooks.otherEvents is set.
func (s *Server) emitOther(c *call, conversation *Conversation, events ...string) {
	if !s.switches.Webhooks.OtherEvents {
		return
	}
	for _, event := range events {
		s.emit(c, conversation, event, nil)
	}
}

// emitAs is emit for an event whose payload may use another name.
func (s *Server) emitAs(c *call, conversation *Conversation, event, name string, members func() map[string]any) {
	if s.switches.Webhooks.Off {
		return
	}
	var payload []byte
	for _, webhook := range s.state.Webhooks {
		if !webhook.Enabled || !slices.Contains(webhook.Events, event) || !webhook.lets(conversation) {
			continue
		}
		if payload == nil {
			payload = s.eventPayload(c, conversation, event, name, members)
		}
		s.dispatch(webhook, event, payload)
	}
}

func (s *Server) eventPayload(c *call, conversation *Conversation, event, name string, members func() map[string]any) []byte {
	data := map[string]any{"conversation": s.webhookConversation(conversation)}
	if members != nil && (s.switches.Webhooks.GuessedMembers || !slices.Contains(guessedEvents, event)) {
		maps.Copy(data, members())
	}
	payload, err := json.Marshal(eventPayload{
		EventID: s.newID(), EventFQN: name, EventVersion: "1", EventTimestamp: millis(c.now),
		Organization: map[string]any{"id": s.state.Organization.ID, "name": s.state.Organization.Name},
		Data:         data,
	})
	if err != nil {
		panic("emulator: encode event: " + err.Error()) // events contain only values that JSON can encode
	}
	return payload
}

// orNull returns nil for an empty text. Webhooks write empty values as null; the API
// omits them.
func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func (s *Server) webhookConversation(conversation *Conversation) map[string]any {
	tags := []map[string]any{}
	for _, id := range conversation.TagIDs {
		if tag := s.tag(id); tag != nil {
			tags = append(tags, map[string]any{"id": tag.ID, "name": tag.Name, "is_deactivated": tag.Inactive})
		}
	}
	status := map[string]string{StateOpen: "OPEN", StateClosed: "CLOSED", StatePending: "PENDING"}[conversation.State]
	body := map[string]any{
		"csid": conversation.ID, "channel": upperSnake(conversation.Channel),
		"status":    cmp.Or(status, upperSnake(conversation.State)),
		"direction": upperSnake(conversation.Direction), "queue": s.webhookQueue(conversation),
		"contact_point": conversation.ContactPoint, "requester": s.webhookUser(conversation.RequesterID),
		"assignee": s.webhookUser(conversation.AssigneeID), "subject": orNull(conversation.Subject),
		"tags": tags, "created_at": millis(conversation.CreatedAt),
	}
	if !s.switches.Webhooks.CustomAttributesAbsent {
		body["custom_attributes"] = s.webhookAttributes(conversation)
	}
	return body
}

// webhookAttributes returns a conversation's custom attributes in the shape set by
// the switch webhooks.customAttributeItems.
func (s *Server) webhookAttributes(conversation *Conversation) any {
	byIdentifier, items := map[string]any{}, []map[string]any{}
	for _, value := range s.attributeBodies(conversation.Attributes) {
		byIdentifier[value.Identifier] = value.Value
		item := map[string]any{"name": value.Name, "value": value.Value}
		if s.switches.Webhooks.CustomAttributeItems != "pairs" {
			item["id"], item["identifier"] = value.ID, value.Identifier
		}
		items = append(items, item)
	}
	if s.switches.Webhooks.CustomAttributeItems == "map" {
		return byIdentifier
	}
	return items
}

func (s *Server) webhookQueue(conversation *Conversation) any {
	queue := s.queue(conversation.QueueID)
	if queue == nil {
		return nil
	}
	return map[string]any{"id": queue.ID, "name": queue.Name}
}

func (s *Server) webhookUser(id string) any {
	if person := s.person(id); person != nil {
		kind, roles := "Contact", []string{}
		if s.switches.Webhooks.UserRoles == "filled" {
			roles = []string{"Enduser"}
		}
		if agent := s.agent(id); agent != nil {
			kind = "Member"
			if s.switches.Webhooks.UserRoles == "filled" {
				roles = s.agentBody(agent).Roles
			}
		}
		return map[string]any{
			"id": person.ID, "name": orNull(person.DisplayName), "email": orNull(person.Email),
			"phone": orNull(person.PhoneNumber), "roles": roles, "user_type": kind,
		}
	}
	return nil
}

func (s *Server) messageEvent(conversation *Conversation, message *Message) map[string]any {
	text, kind := "", any(nil)
	if message.Content != nil {
		text = message.Content.Value
		if message.Content.Type == "Html" && s.switches.Webhooks.HTMLText == "text" {
			text = markup.ReplaceAllString(text, "")
		}
		if message.Direction == Outbound {
			kind = message.Content.Type
		}
	}
	original := any(nil)
	if conversation.mail() {
		original = s.eventFileLink(s.contentPath("email_original_data", message))
	}
	event := map[string]any{
		"author": s.webhookUser(message.AuthorID), "created_at": millis(message.CreatedAt),
		"message_id": message.ID, "text": text, "direction": strings.ToLower(message.Direction),
		"channel": upperSnake(conversation.Channel),
		"content": map[string]any{
			"text": text, "content_type": kind, "original_content_url": original, "processed_content_url": nil,
		},
		"attachments": s.eventAttachments(message),
	}
	switch s.switches.Webhooks.ExternalIDs {
	case "absent":
	case "null":
		event["external_id"] = nil
	case "text":
		event["external_id"] = cmp.Or(message.ExternalID, "null")
	default:
		event["external_id"] = orNull(message.ExternalID)
	}
	return event
}

func (s *Server) eventAttachments(message *Message) []any {
	items := []any{}
	for _, file := range message.Attachments {
		address := s.eventFileLink(file.Path)
		switch s.switches.Webhooks.AttachmentItems {
		case "empty":
		case "strings":
			items = append(items, address)
		case "camel":
			items = append(items, map[string]any{"url": address, "prettyName": orNull(file.PrettyName)})
		default:
			items = append(items, map[string]any{"url": address, "pretty_name": orNull(file.PrettyName)})
		}
	}
	return items
}
