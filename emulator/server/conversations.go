package server

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Origins of a conversation, as webhook filters name them.
const (
	originAPI    = "Api"
	originImport = "ApiImport"
)

// conversationInput is the union of the inputs of POST /conversations. Type
// determines which fields apply.
type conversationInput struct {
	Type              string        `json:"_type" validate:"required,oneof=Email ContactForm Chat Sms Callback"`
	RequesterID       string        `json:"requesterId" validate:"required,uuid"`
	EmailIntegration  *string       `json:"emailIntegrationId" validate:"required_if=Type Email,required_if=Type ContactForm"`
	Subject           *string       `json:"subject" validate:"required_if=Type Email,required_if=Type ContactForm"`
	Message           *messageInput `json:"message" validate:"required_unless=Type Callback"`
	Language          string        `json:"language"`
	WidgetID          *string       `json:"widgetId" validate:"required_if=Type Chat,omitempty,uuid"`
	BrowserInfo       *BrowserInfo  `json:"browserInfo"`
	ContactEndpointID *string       `json:"contactEndpointId" validate:"required_if=Type Sms,required_if=Type Callback"`
	Direction         string        `json:"direction" validate:"required_if=Type Callback,omitempty,oneof=Inbound Outbound"`
	QueueID           *string       `json:"queueId" validate:"required_if=Type Callback,omitempty,uuid"`
}

// kinds maps the input's _type to the channel and the output's _type.
var kinds = map[string]struct{ channel, output string }{
	"Email":       {"Email", "EmailConversation"},
	"ContactForm": {"ContactForm", "ContactFormConversation"},
	"Chat":        {"WidgetChat", "ChatConversation"},
	"Sms":         {"Sms", "SmsConversation"},
	"Callback":    {"Callback", "PstnPhoneConversation"},
}

func (s *Server) createConversation(c *call, input conversationInput) (reply, error) {
	requester := s.endUser(input.RequesterID)
	if requester == nil {
		return reply{}, refusedWith(c.switches.UnknownRequester, "Requester does not exist")
	}
	kind := kinds[input.Type]
	conversation := &Conversation{
		Type: kind.output, Channel: kind.channel, Origin: originAPI, RequesterID: requester.ID,
		Direction: input.Direction, State: StateOpen, StateUpdatedAt: c.now, CreatedAt: c.now,
		VisibleAt: c.now.Add(time.Duration(c.switches.ListLag)),
		Language:  input.Language, BrowserInfo: input.BrowserInfo,
		TagIDs: []string{}, Messages: []*Message{}, Notes: []*Note{}, Ratings: []*Rating{},
	}
	set(&conversation.Subject, input.Subject)
	if len(conversation.Subject) > s.textLimit() {
		return reply{}, bad("Invalid input for Message")
	}
	if err := s.placeContactPoint(c, conversation, requester, input); err != nil {
		return reply{}, err
	}
	var message *Message
	if input.Message != nil && input.Type != "Callback" {
		conversation.Direction = input.Message.Type
		var err error
		if message, err = s.newMessage(c, conversation, *input.Message); err != nil {
			return reply{}, err
		}
	}
	queue := ""
	if input.QueueID != nil {
		named := s.queue(*input.QueueID)
		if named == nil {
			return reply{}, notFound()
		}
		queue = named.ID
	} else if conversation.Direction == Inbound && c.switches.QueueOnCreate == "default" {
		queue = s.defaultQueue()
	}

	s.begin(c, conversation)
	if message != nil {
		s.append(c, conversation, message)
	}
	if queue != "" {
		s.enqueue(c, conversation, queue)
	}
	if message != nil && message.Direction == Outbound && !c.switches.OutboundUnassigned {
		s.assign(c, conversation, message.AuthorID, message.AuthorID, "ConversationAssigned")
	}
	if message != nil && message.Direction == Inbound && c.switches.AutoReply && conversation.mail() {
		s.autoReply(c, conversation)
	}
	return created(map[string]int64{"id": conversation.ID})
}

// placeContactPoint sets the mailbox, number or widget and the addresses that the
// channel shows. It refuses an unknown mailbox or number.
func (s *Server) placeContactPoint(c *call, conversation *Conversation, requester *EndUser, input conversationInput) error {
	switch input.Type {
	case "Email", "ContactForm":
		endpoint, found := s.contactEndpoint(*input.EmailIntegration)
		if !found || endpoint.Address == "" {
			return refusedWith(c.switches.UnknownContactEndpoint, "Invalid input for Message")
		}
		if requester.Email == "" && c.switches.RequesterWithoutEmail == Rejected {
			return bad("Invalid input for Message")
		}
		conversation.ContactPoint = endpoint.Address
		conversation.FromAddress, conversation.ToAddress = requester.Email, endpoint.Address
		if input.Message.Type == Outbound {
			conversation.FromAddress, conversation.ToAddress = endpoint.Address, requester.Email
		}
	case "Sms", "Callback":
		endpoint, found := s.contactEndpoint(*input.ContactEndpointID)
		if !found || endpoint.Number == "" {
			return refusedWith(c.switches.UnknownContactEndpoint, "Invalid input for Message")
		}
		if input.Type == "Sms" && input.Message.Type != Outbound {
			return bad("Unsupported ConversationChannel")
		}
		conversation.ContactPoint = endpoint.Number
		conversation.FromAddress, conversation.ToAddress = endpoint.Number, requester.PhoneNumber
	case "Chat":
		conversation.ContactPoint = strings.ToLower(*input.WidgetID)
	}
	return nil
}

// begin assigns the conversation its id, records its creation and emits the events.
func (s *Server) begin(c *call, conversation *Conversation) {
	conversation.ID = s.conversation
	s.conversation++
	s.state.Conversations = append(s.state.Conversations, conversation)
	activity, author := "ConversationCreatedByCustomer", conversation.RequesterID
	if conversation.Direction == Outbound {
		activity, author = "ConversationCreatedByAgent", c.actor
	}
	s.record(c, conversation, activity, author, "ConversationCreatedAttribute", map[string]any{"subject": conversation.Subject})
	s.emit(c, conversation, "ConversationCreated", nil)
	s.emitOther(c, conversation, eventSLA, eventBan, eventUnban)
}

func (c *Conversation) mail() bool { return c.Channel == "Email" || c.Channel == "ContactForm" }

func (s *Server) findConversation(id int64) (*Conversation, error) {
	// Ids are assigned in ascending order, so the list is sorted.
	at, found := slices.BinarySearchFunc(s.state.Conversations, id, func(c *Conversation, id int64) int {
		return int(min(1, max(-1, c.ID-id)))
	})
	if !found {
		return nil, notFound()
	}
	return s.state.Conversations[at], nil
}

func (s *Server) pathConversation(c *call) (*Conversation, error) {
	id, err := c.int64("conversationId")
	if err != nil {
		return nil, err
	}
	conversation, err := s.findConversation(id)
	if err == nil && c.now.Before(conversation.CreatedAt.Add(time.Duration(c.switches.NewConversationLag))) {
		return nil, notFound()
	}
	return conversation, err
}

func (s *Server) getConversation(_ *call, conversation *Conversation) (reply, error) {
	return ok(s.conversationBody(conversation, true))
}

func (s *Server) patchConversationAttributes(c *call, conversation *Conversation) (reply, error) {
	changed, err := s.patchedAttributes(c, "Conversation", conversation.Attributes)
	if err != nil {
		return reply{}, err
	}
	s.setAttributes(c, conversation, changed)
	return ok(s.attributeBodies(changed))
}

// setAttributes replaces a conversation's custom attributes.
func (s *Server) setAttributes(c *call, conversation *Conversation, changed map[string]any) {
	conversation.Attributes = changed
	s.record(c, conversation, "ConversationCustomAttributesUpdated", c.actor, "ConversationCustomAttributesUpdatedAttribute",
		map[string]any{"updatedAttributeIds": append([]string{}, slices.Sorted(maps.Keys(changed))...), "updatedAttributeValues": maps.Clone(changed)})
	s.emit(c, conversation, "ConversationCustomAttributeUpdated", func() map[string]any {
		return map[string]any{"author": s.webhookUser(c.actor)}
	})
}

type linkInput struct {
	ParentID *int64 `json:"parentId" validate:"required"`
	LinkType string `json:"linkType" validate:"required,oneof=Related SideConversation"`
}

func (s *Server) linkConversation(c *call, child *Conversation, input linkInput) (reply, error) {
	parent, err := s.findConversation(*input.ParentID)
	if err != nil {
		return reply{}, err
	}
	children := func(id int64) (count int) {
		for _, other := range s.state.Conversations {
			if other.ParentID == id {
				count++
			}
		}
		return count
	}
	switch {
	case child.ID == parent.ID, child.ParentID != 0, parent.ParentID != 0, children(child.ID) > 0, children(parent.ID) >= 100:
		return reply{}, bad(messageInvalid)
	}
	child.ParentID, child.LinkType = parent.ID, input.LinkType
	link := map[string]any{"child": child.ID, "parent": parent.ID, "linkType": input.LinkType}
	s.record(c, child, "ConversationLinkedToParent", c.actor, "ConversationLinkedAttribute", link)
	s.record(c, parent, "ConversationLinkedFromChild", c.actor, "ConversationLinkedAttribute", link)
	return empty(http.StatusNoContent)
}

func (s *Server) listLinked(_ *call, parent *Conversation) (reply, error) {
	linked := []conversationBody{}
	for _, child := range s.state.Conversations {
		if child.ParentID == parent.ID {
			linked = append(linked, s.conversationBody(child, true))
		}
	}
	return ok(linked)
}
