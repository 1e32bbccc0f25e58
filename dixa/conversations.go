package dixa

import (
	"context"
	"fmt"
	"net/http"
)

// ConversationsService creates, reads and changes conversations and their contents.
type ConversationsService struct{ service }

// Channel is the channel of a conversation. The set is open.
type Channel string

// The channels that Dixa lists for conversations. Search uses other names.
const (
	ChannelCallback          Channel = "Callback"
	ChannelContactForm       Channel = "ContactForm"
	ChannelEmail             Channel = "Email"
	ChannelFacebookMessenger Channel = "FacebookMessenger"
	ChannelMessenger         Channel = "Messenger"
	ChannelPstnPhone         Channel = "PstnPhone"
	ChannelSms               Channel = "Sms"
	ChannelTwitter           Channel = "Twitter"
	ChannelVoicemail         Channel = "Voicemail"
	ChannelWhatsApp          Channel = "WhatsApp"
	ChannelWidgetChat        Channel = "WidgetChat"
)

// Direction is the direction of a conversation or message. The set is open.
type Direction string

// Inbound is from the customer, Outbound from an agent.
const (
	Inbound  Direction = "Inbound"
	Internal Direction = "Internal"
	Outbound Direction = "Outbound"
)

// ConversationState is the state of a conversation. The set is open.
type ConversationState string

// The states that Dixa lists. The difference between AwaitingPending and Pending is
// not documented.
const (
	StateAwaitingPending ConversationState = "AwaitingPending"
	StateClosed          ConversationState = "Closed"
	StateOpen            ConversationState = "Open"
	StatePending         ConversationState = "Pending"
)

// Conversation is a conversation of any kind. Members after the first group are
// present only for some kinds. It does not include messages, notes, tags or the
// closing time.
type Conversation struct {
	// Type is the kind, such as "EmailConversation" or "AnonymizedConversation". It
	// may differ from Channel.
	Type               string             `json:"_type"`
	ID                 int64              `json:"id"`
	RequesterID        string             `json:"requesterId,omitempty"`
	Channel            Channel            `json:"channel,omitempty"`
	CreatedAt          Time               `json:"createdAt,omitzero"`
	Direction          Direction          `json:"direction,omitempty"`
	State              ConversationState  `json:"state,omitempty"`
	StateUpdatedAt     Time               `json:"stateUpdatedAt,omitzero"`
	Assignment         *Assignment        `json:"assignment,omitempty"`
	Queue              *ConversationQueue `json:"queue,omitempty"`
	Link               *ConversationLink  `json:"link,omitempty"`
	TransportExpiresAt Time               `json:"transportExpiresAt,omitzero"`
	// CustomAttributes is absent from lists.
	CustomAttributes []CustomAttribute `json:"customAttributes,omitzero"`

	// Email and contact form.
	FromEmail        string `json:"fromEmail,omitempty"`
	IntegrationEmail string `json:"integrationEmail,omitempty"`
	Subject          string `json:"subject,omitempty"`
	ToEmail          string `json:"toEmail,omitempty"`

	// Email, contact form, chat and messenger.
	Language string `json:"language,omitempty"`

	// Chat and messenger.
	BrowserInfo *BrowserInfo `json:"browserInfo,omitempty"`

	// SMS.
	FromNumber string `json:"fromNumber,omitempty"`
	ToNumber   string `json:"toNumber,omitempty"`

	// Twitter.
	ConversationType      string `json:"conversationType,omitempty"`
	ContactPointTwitterID string `json:"contactPointTwitterId,omitempty"`
	EndUserTwitterID      string `json:"endUserTwitterId,omitempty"`

	// Generic.
	FromContactPointID string `json:"fromContactPointId,omitempty"`
	ToContactPointID   string `json:"toContactPointId,omitempty"`

	// Anonymized.
	AnonymizedAt Time `json:"anonymizedAt,omitzero"`

	Extra Extra `json:"-"`
}

func (c *Conversation) identified() bool { return c.ID > 0 }

// UnmarshalJSON keeps unknown members in Extra.
func (c *Conversation) UnmarshalJSON(b []byte) error { return decodeOpen(b, c) }

// MarshalJSON also writes the members in Extra.
func (c Conversation) MarshalJSON() ([]byte, error) { return encodeOpen(c) }

// Assignment is the agent to whom a conversation is assigned.
type Assignment struct {
	AgentID    string `json:"agentId"`
	AssignedAt Time   `json:"assignedAt,omitzero"`
}

// ConversationQueue is the conversation's current or former queue.
type ConversationQueue struct {
	ID       string `json:"id"`
	QueuedAt Time   `json:"queuedAt,omitzero"`
}

// ConversationLink links a conversation to its parent.
type ConversationLink struct {
	// Type is "EmailForward", "FollowUp" or "SideConversation".
	Type     string `json:"_type"`
	ParentID int64  `json:"parentId"`
	Extra    Extra  `json:"-"`
}

// UnmarshalJSON keeps unknown members in Extra.
func (l *ConversationLink) UnmarshalJSON(b []byte) error { return decodeOpen(b, l) }

// MarshalJSON also writes the members in Extra.
func (l ConversationLink) MarshalJSON() ([]byte, error) { return encodeOpen(l) }

// BrowserInfo describes the browser of a chat.
type BrowserInfo struct {
	Name           string `json:"name"`
	Version        string `json:"version,omitempty"`
	IPAddress      string `json:"ipAddress,omitempty"`
	OriginatingURL string `json:"originatingUrl,omitempty"`
}

// Kinds of conversation that Create accepts.
const (
	NewCallback    = "Callback"
	NewChat        = "Chat"
	NewContactForm = "ContactForm"
	NewEmail       = "Email"
	NewSms         = "Sms"
)

// NewConversation is a conversation to create. Type determines which fields apply:
//
//   - Email, ContactForm: RequesterID, EmailIntegrationID, Subject, Message; Language optional
//   - Chat: RequesterID, WidgetID, Message; BrowserInfo, Language optional
//   - Sms: RequesterID, ContactEndpointID, Message
//   - Callback: RequesterID, Direction, ContactEndpointID, QueueID
type NewConversation struct {
	Type        string `json:"_type"`
	RequesterID string `json:"requesterId"`
	// EmailIntegrationID is the address of a contact endpoint of type EmailEndpoint.
	EmailIntegrationID string `json:"emailIntegrationId,omitempty"`
	// ContactEndpointID is a phone number of the organization, in E.164 format.
	ContactEndpointID string    `json:"contactEndpointId,omitempty"`
	WidgetID          string    `json:"widgetId,omitempty"`
	QueueID           string    `json:"queueId,omitempty"`
	Direction         Direction `json:"direction,omitempty"`
	Subject           string    `json:"subject,omitempty"`
	// Message is the first message. An Inbound message is from the requester. An
	// Outbound message is sent to the requester on behalf of its agent.
	Message     MessageInput `json:"message,omitzero"`
	BrowserInfo *BrowserInfo `json:"browserInfo,omitempty"`
	// Language is a two-letter ISO 639-1 code.
	Language string `json:"language,omitempty"`
}

func (n NewConversation) check() error {
	if n.Type == "" || n.RequesterID == "" {
		return fmt.Errorf("%w: a conversation requires Type and RequesterID", ErrInvalidArgument)
	}
	if n.Type == NewCallback {
		return nil
	}
	return n.Message.check()
}

// conversationID is the complete response data of a create.
type conversationID struct {
	ID int64 `json:"id"`
}

func (c *conversationID) identified() bool { return c.ID > 0 }

// Create creates a conversation with its first message and returns its id. It has no
// idempotency key: after an Ambiguous error, check for the conversation first. Dixa
// may reject a repeated Message.ExternalID (IsDuplicateExternalID). It rejects an
// attachment that it cannot fetch (IsAttachmentDownload).
//
// Dixa: POST /v1/conversations.
func (s *ConversationsService) Create(ctx context.Context, in NewConversation) (int64, error) {
	op := Operation{"Conversations.Create", http.MethodPost, "/conversations"}
	if err := in.check(); err != nil {
		return 0, invalid(op, err)
	}
	created, err := fetch[conversationID](ctx, s.client, op, Params{Body: in})
	if err != nil {
		return 0, err
	}
	return created.ID, nil
}

// Get returns one conversation with its custom attributes.
//
// Dixa: GET /v1/conversations/{conversationId}.
func (s *ConversationsService) Get(ctx context.Context, id int64) (*Conversation, error) {
	op := Operation{"Conversations.Get", http.MethodGet, "/conversations/{conversationId}"}
	return fetch[Conversation](ctx, s.client, op, Params{Path: []any{id}})
}

// Linked returns the children of a conversation, such as side conversations.
//
// Dixa: GET /v1/conversations/{conversationId}/linked.
func (s *ConversationsService) Linked(ctx context.Context, id int64) ([]*Conversation, error) {
	op := Operation{"Conversations.Linked", http.MethodGet, "/conversations/{conversationId}/linked"}
	return fetchAll[Conversation](ctx, s.client, op, Params{Path: []any{id}})
}

// SetCustomAttributes sets the attributes with the given definition ids and leaves
// the others unchanged.
//
// Dixa: PATCH /v1/conversations/{conversationId}/custom-attributes.
func (s *ConversationsService) SetCustomAttributes(ctx context.Context, id int64, values map[string]AttributeValue) ([]*CustomAttribute, error) {
	op := Operation{"Conversations.SetCustomAttributes", http.MethodPatch, "/conversations/{conversationId}/custom-attributes"}
	return fetchAll[CustomAttribute](ctx, s.client, op, Params{Path: []any{id}, Body: attributesBody(values)})
}

// Flow is a routing path for conversations of a channel.
type Flow struct {
	ID                string  `json:"id"`
	Name              string  `json:"name"`
	Channel           Channel `json:"channel"`
	ContactEndpointID string  `json:"contactEndpointId"`
}

// Flows returns the flows of a channel. An empty channel means PstnPhone.
//
// Dixa: GET /v1/conversations/flows.
func (s *ConversationsService) Flows(ctx context.Context, channel Channel) ([]*Flow, error) {
	op := Operation{"Conversations.Flows", http.MethodGet, "/conversations/flows"}
	query := pageQuery(0)
	setNonEmpty(query, "channel", string(channel))
	return fetchAll[Flow](ctx, s.client, op, Params{Query: query})
}
