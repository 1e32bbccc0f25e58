package server

import (
	"cmp"
	"math"
	"net/mail"
	"strconv"
	"time"
)

// messageInput is CreateMessageInput, the union of Inbound and Outbound.
type messageInput struct {
	Type             string        `json:"_type" validate:"required,oneof=Inbound Outbound"`
	Content          *contentInput `json:"content" validate:"required_if=Type Inbound"`
	Attachments      []fileInput   `json:"attachments" validate:"dive"`
	IntegrationEmail string        `json:"integrationEmail"`
	ExternalID       string        `json:"externalId"`
	AgentID          string        `json:"agentId" validate:"required_if=Type Outbound,omitempty,uuid"`
	CC               []string      `json:"cc"`
	BCC              []string      `json:"bcc"`
}

type contentInput struct {
	Type  string  `json:"_type" validate:"required,oneof=Html Markdown Text"`
	Value *string `json:"value" validate:"required"`
}

type fileInput struct {
	URL        string `json:"url" validate:"required"`
	PrettyName string `json:"prettyName"`
}

func (s *Server) textLimit() int {
	if s.switches.MaxTextBytes > 0 {
		return s.switches.MaxTextBytes
	}
	return math.MaxInt
}

// newMessage validates and creates a message without adding it. The conversation of
// an opening message has no id yet.
func (s *Server) newMessage(c *call, conversation *Conversation, input messageInput) (*Message, error) {
	switch conversation.Channel {
	case "Email", "ContactForm", "WidgetChat", "Messenger":
	case "Sms", "WhatsApp":
		if input.Type != Outbound {
			return nil, bad("Unsupported ConversationChannel")
		}
	default:
		return nil, bad("Unsupported ConversationChannel")
	}
	if input.Content == nil || len(*input.Content.Value) > s.textLimit() ||
		input.Content.Type == "Markdown" && conversation.Channel != "WhatsApp" && !c.switches.MarkdownAnywhere {
		return nil, bad("Invalid input for Message")
	}
	author := conversation.RequesterID
	if input.Type == Outbound {
		agent := s.agent(input.AgentID)
		if agent == nil {
			if conversation.ID == 0 {
				return nil, bad("Invalid input for Message")
			}
			return nil, bad("AddMessageError.EndUserNotFound")
		}
		author = agent.ID
	}
	if input.IntegrationEmail != "" {
		if endpoint, found := s.contactEndpoint(input.IntegrationEmail); !found || endpoint.Address == "" {
			return nil, bad("Invalid input for Message")
		}
	}
	cc, err := s.copies(input.CC)
	if err != nil {
		return nil, err
	}
	bcc, err := s.copies(input.BCC)
	if err != nil {
		return nil, err
	}
	if s.externalIDTaken(conversation, input.ExternalID) {
		return nil, bad("Duplicate externalId")
	}
	attachments, err := s.storeAttachments(c, input.Attachments)
	if err == nil || c.switches.FailedCreateBurnsExternalID {
		s.takeExternalID(conversation, input.ExternalID)
	}
	if err != nil {
		return nil, err
	}

	message := &Message{
		ID: s.newID(), AuthorID: author, Direction: input.Type, CreatedAt: c.now,
		VisibleAt:   c.now.Add(time.Duration(c.switches.ListLag)),
		Content:     &Content{Type: input.Content.Type, Value: *input.Content.Value},
		Attachments: attachments, CC: cc, BCC: bcc, To: []Contact{},
	}
	if c.switches.ExternalID != ExternalIDDropped {
		message.ExternalID = input.ExternalID
	}
	if conversation.mail() {
		s.address(conversation, message, cmp.Or(input.IntegrationEmail, conversation.ContactPoint))
	}
	return message, nil
}

// address sets the sender and recipient of a mail.
func (s *Server) address(conversation *Conversation, message *Message, mailbox string) {
	endpoint, _ := s.contactEndpoint(mailbox)
	shop := Contact{Email: mailbox, Name: endpoint.Name}
	customer := Contact{}
	if user := s.endUser(conversation.RequesterID); user != nil {
		customer = Contact{Email: user.Email, Name: user.DisplayName}
	}
	message.From, message.To = customer, []Contact{shop}
	if message.Direction == Outbound {
		message.From, message.To = shop, []Contact{customer}
	}
}

// externalKeys returns the keys of an externalId in the organization and in its
// conversation. Both are stored, so that the reading can change at run time.
func (s *Server) externalKeys(conversation *Conversation, externalID string) (organization, own string) {
	id := conversation.ID
	if id == 0 {
		id = s.conversation // the id that begin assigns next
	}
	return "/" + externalID, strconv.FormatInt(id, 10) + "/" + externalID
}

func (s *Server) externalIDTaken(conversation *Conversation, externalID string) bool {
	organization, own := s.externalKeys(conversation, externalID)
	switch s.switches.ExternalID {
	case ExternalIDOrganization:
		return externalID != "" && s.externalIDs[organization]
	case ExternalIDConversation:
		return externalID != "" && s.externalIDs[own]
	}
	return false
}

func (s *Server) takeExternalID(conversation *Conversation, externalID string) {
	if externalID != "" {
		organization, own := s.externalKeys(conversation, externalID)
		s.externalIDs[organization], s.externalIDs[own] = true, true
	}
}

// copies reads cc or bcc. Dixa's schema specifies user ids, but its examples use
// addresses. The switch copyAddresses selects what is accepted.
func (s *Server) copies(values []string) ([]Contact, error) {
	contacts := []Contact{}
	for _, value := range values {
		if isUUID(value) && s.switches.CopyAddresses != "email" {
			user := s.endUser(value)
			if user == nil || user.Email == "" {
				return nil, bad("Invalid input for Message")
			}
			contacts = append(contacts, Contact{Email: user.Email, Name: user.DisplayName})
			continue
		}
		if _, err := mail.ParseAddress(value); err != nil || s.switches.CopyAddresses == "uuid" {
			return nil, bad(messageDecoding)
		}
		contacts = append(contacts, Contact{Email: value})
	}
	return contacts, nil
}

// append adds a message to a conversation and records and emits it.
func (s *Server) append(c *call, conversation *Conversation, message *Message) {
	conversation.Messages = append(conversation.Messages, message)
	kind := "MessageAddedByCustomer"
	if message.Direction == Outbound {
		kind = "MessageAddedByAgent"
	}
	s.record(c, conversation, kind, message.AuthorID, "MessageAddedAttribute",
		map[string]any{"messageId": message.ID, "fromEndpoint": cmp.Or(message.From.Email, conversation.ContactPoint)})
	if message.Direction == Outbound {
		s.emitOther(c, conversation, eventTyping)
	}
	s.emit(c, conversation, "ConversationMessageAdded", func() map[string]any {
		return s.messageEvent(conversation, message)
	})
	if message.Direction == Outbound {
		s.emitOther(c, conversation, eventSent, eventDelivered, eventSLAMet)
	}
}

// autoReply replies to new mail as an organization's template would.
func (s *Server) autoReply(c *call, conversation *Conversation) {
	message := &Message{
		ID: s.newID(), AuthorID: c.actor, Direction: Outbound, CreatedAt: c.now,
		VisibleAt:   c.now.Add(time.Duration(c.switches.ListLag)),
		Content:     &Content{Type: "Text", Value: automaticReplyText},
		Attachments: []File{}, To: []Contact{}, CC: []Contact{}, BCC: []Contact{}, AutoReply: true,
	}
	if conversation.mail() {
		s.address(conversation, message, conversation.ContactPoint)
	}
	conversation.Messages = append(conversation.Messages, message)
	s.record(c, conversation, "ConversationAutoreplySent", c.actor, "ConversationAutoReplySentAttribute",
		map[string]any{"templateName": automaticReply})
	s.emit(c, conversation, "ConversationMessageAdded", func() map[string]any {
		return s.messageEvent(conversation, message)
	})
}

func (s *Server) createMessage(c *call, conversation *Conversation, input messageInput) (reply, error) {
	message, err := s.deliver(c, conversation, input)
	if err != nil {
		return reply{}, err
	}
	return ok(struct {
		Content    *Content `json:"content"`
		Direction  string   `json:"direction"`
		AuthorID   string   `json:"authorId"`
		ExternalID string   `json:"externalId,omitempty"`
		MessageID  string   `json:"messageId"`
		CreatedAt  string   `json:"createdAt"`
	}{message.Content, message.Direction, message.AuthorID, message.ExternalID, message.ID, millis(message.CreatedAt)})
}

// deliver adds a message to an existing conversation. It reopens the conversation if
// the switch messageOnClosed or messageOnPending says so.
func (s *Server) deliver(c *call, conversation *Conversation, input messageInput) (*Message, error) {
	if !conversation.AnonymizedAt.IsZero() {
		return nil, bad("Invalid input for Message")
	}
	closed := conversation.State == StateClosed
	if closed && c.switches.MessageOnClosed == Rejected {
		return nil, bad("Invalid input for Message")
	}
	message, err := s.newMessage(c, conversation, input)
	if err != nil {
		return nil, err
	}
	s.append(c, conversation, message)
	reopens := c.switches.MessageOnClosed == Reopens ||
		c.switches.MessageOnClosed == InboundReopens && message.Direction == Inbound
	switch {
	case closed && reopens:
		s.open(c, conversation, message.AuthorID)
	case conversation.State == StatePending && message.Direction == Inbound && c.switches.MessageOnPending == InboundReopens:
		s.removeFollowup(c, conversation, message.AuthorID)
	}
	return message, nil
}

func (s *Server) listMessages(c *call, conversation *Conversation) (reply, error) {
	bodies := []messageBody{}
	for _, message := range conversation.Messages {
		if !message.VisibleAt.After(c.now) {
			bodies = append(bodies, s.messageBody(c, conversation, message))
		}
	}
	return ok(bodies)
}
