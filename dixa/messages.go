package dixa

import (
	"bytes"
	"context"
	"fmt"
	"net/http"

	jsonv1 "github.com/go-json-experiment/json/v1"
)

// Content is the text of a message in one format.
type Content struct {
	// Type is "Html", "Markdown" (WhatsApp only) or "Text".
	Type  string `json:"_type"`
	Value string `json:"value"`
	Extra Extra  `json:"-"`
}

// HTMLContent returns content in HTML.
func HTMLContent(s string) Content { return Content{Type: "Html", Value: s} }

// MarkdownContent returns content in Markdown, which only WhatsApp accepts.
func MarkdownContent(s string) Content { return Content{Type: "Markdown", Value: s} }

// TextContent returns content in plain text.
func TextContent(s string) Content { return Content{Type: "Text", Value: s} }

// IsZero reports whether the content has no type.
func (c Content) IsZero() bool { return c.Type == "" }

// UnmarshalJSON keeps unknown members in Extra.
func (c *Content) UnmarshalJSON(b []byte) error { return decodeOpen(b, c) }

// MarshalJSON also writes the members in Extra.
func (c Content) MarshalJSON() ([]byte, error) { return encodeOpen(c) }

// Attachment is a file identified by its URL. In a request, Dixa fetches the URL and
// stores a copy. In a response, URL is Dixa's copy, which may require the token.
type Attachment struct {
	URL        string `json:"url"`
	PrettyName string `json:"prettyName,omitempty"`
}

// MessageInput is a message to add.
type MessageInput struct {
	// Type is Inbound (written by the requester) or Outbound (sent to the
	// requester).
	Type Direction
	// AgentID is the author of an Outbound message.
	AgentID string
	Content Content
	// Attachments must be reachable by Dixa. An unreachable one fails the whole
	// message (IsAttachmentDownload).
	Attachments []Attachment
	// IntegrationEmail is an "<name>@email.dixa.io" address of the organization.
	IntegrationEmail string
	// ExternalID is the caller's own key for the message. A repeat fails
	// (IsDuplicateExternalID). The scope of uniqueness is unknown.
	ExternalID string
	// CC and BCC apply to Outbound messages. Dixa's contract says user ids, but its
	// examples show email addresses.
	CC, BCC []string
}

func (m MessageInput) check() error {
	switch {
	case m.Type == "":
		return fmt.Errorf("%w: a message requires a Type: Inbound or Outbound", ErrInvalidArgument)
	case m.Type == Outbound && m.AgentID == "":
		return fmt.Errorf("%w: an Outbound message requires an AgentID", ErrInvalidArgument)
	case m.Content.IsZero() && (m.Type != Outbound || len(m.Attachments) == 0):
		return fmt.Errorf("%w: a message requires Content", ErrInvalidArgument)
	}
	return nil
}

// MarshalJSON writes the members that apply to the message's type, including empty
// lists.
func (m MessageInput) MarshalJSON() ([]byte, error) {
	common := messageMembers{m.Type, m.Content, orEmpty(m.Attachments), m.IntegrationEmail, m.ExternalID}
	if m.Type == Inbound {
		return encodeJSON(common)
	}
	return encodeJSON(struct {
		messageMembers
		AgentID string   `json:"agentId"`
		CC      []string `json:"cc"`
		BCC     []string `json:"bcc"`
	}{common, m.AgentID, orEmpty(m.CC), orEmpty(m.BCC)})
}

// messageMembers are the members that both message types have.
type messageMembers struct {
	Type             Direction    `json:"_type"`
	Content          Content      `json:"content,omitzero"`
	Attachments      []Attachment `json:"attachments"`
	IntegrationEmail string       `json:"integrationEmail,omitempty"`
	ExternalID       string       `json:"externalId,omitempty"`
}

func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// AddedMessage is the response to an added message. Its format differs from that of
// a listed Message.
type AddedMessage struct {
	MessageID  string    `json:"messageId,omitempty"`
	ExternalID string    `json:"externalId,omitempty"`
	AuthorID   string    `json:"authorId"`
	Direction  Direction `json:"direction"`
	Content    Content   `json:"content,omitzero"`
	CreatedAt  Time      `json:"createdAt,omitzero"`
	Extra      Extra     `json:"-"`
}

// UnmarshalJSON keeps unknown members in Extra.
func (m *AddedMessage) UnmarshalJSON(b []byte) error { return decodeOpen(b, m) }

// MarshalJSON also writes the members in Extra.
func (m AddedMessage) MarshalJSON() ([]byte, error) { return encodeOpen(m) }

// Message is a message of a conversation.
type Message struct {
	ID         string            `json:"id"`
	AuthorID   string            `json:"authorId"`
	ExternalID string            `json:"externalId,omitempty"`
	CreatedAt  Time              `json:"createdAt,omitzero"`
	Attributes MessageAttributes `json:"attributes"`
	Extra      Extra             `json:"-"`
}

func (m *Message) identified() bool { return m.ID != "" }

// UnmarshalJSON keeps unknown members in Extra.
func (m *Message) UnmarshalJSON(b []byte) error { return decodeOpen(b, m) }

// MarshalJSON also writes the members in Extra.
func (m Message) MarshalJSON() ([]byte, error) { return encodeOpen(m) }

// MessageAttributes are the type-specific attributes of a message. Type determines
// which are present.
type MessageAttributes struct {
	// Type is the kind, such as "EmailAttributes", "ContactFormAttributes",
	// "ChatAttributes" or "PhoneAttributes".
	Type        string       `json:"_type"`
	Direction   Direction    `json:"direction,omitempty"`
	Content     *Content     `json:"content,omitempty"`
	Attachments []Attachment `json:"attachments,omitzero"`

	// Email and contact form. From and To also apply to phone calls.
	EmailContent          *EmailContent `json:"emailContent,omitempty"`
	From                  *Party        `json:"from,omitempty"`
	To                    Parties       `json:"to,omitzero"`
	CC                    Parties       `json:"cc,omitzero"`
	BCC                   Parties       `json:"bcc,omitzero"`
	ReplyDefaultToEmails  Parties       `json:"replyDefaultToEmails,omitzero"`
	IsAutoReply           *bool         `json:"isAutoReply,omitempty"`
	InlineImages          []Attachment  `json:"inlineImages,omitzero"`
	DeliveryFailureReason string        `json:"deliveryFailureReason,omitempty"`
	OriginalContentURL    *Attachment   `json:"originalContentUrl,omitempty"`

	// Chat.
	IsAutomated *bool `json:"isAutomated,omitempty"`

	// Phone and call recording. The duration is in seconds.
	Duration  *int   `json:"duration,omitempty"`
	Recording string `json:"recording,omitempty"`

	// Transcript, in milliseconds.
	UtteranceStart *int64 `json:"utterance_start_ms,omitempty"`
	UtteranceEnd   *int64 `json:"utterance_end_ms,omitempty"`

	// Extra also holds the formSubmission of a messenger form.
	Extra Extra `json:"-"`
}

// UnmarshalJSON keeps unknown members in Extra.
func (a *MessageAttributes) UnmarshalJSON(b []byte) error { return decodeOpen(b, a) }

// MarshalJSON also writes the members in Extra.
func (a MessageAttributes) MarshalJSON() ([]byte, error) { return encodeOpen(a) }

// Text returns the message's content for any type. ok is false if the message does
// not include it, for example because an email was too large.
func (a MessageAttributes) Text() (content Content, ok bool) {
	switch {
	case a.EmailContent != nil && a.EmailContent.Content != nil:
		return *a.EmailContent.Content, true
	case a.Content != nil:
		return *a.Content, true
	}
	return Content{}, false
}

// EmailContent is the text of an email, or the file that contains it.
type EmailContent struct {
	// Type is "Regular" (Content is set) or "TooLarge" (File is set).
	Type    string      `json:"_type"`
	Content *Content    `json:"content,omitempty"`
	File    *Attachment `json:"file,omitempty"`
	Extra   Extra       `json:"-"`
}

// UnmarshalJSON keeps unknown members in Extra.
func (e *EmailContent) UnmarshalJSON(b []byte) error { return decodeOpen(b, e) }

// MarshalJSON also writes the members in Extra.
func (e EmailContent) MarshalJSON() ([]byte, error) { return encodeOpen(e) }

// Party is the sender or a recipient of a message: an email contact, or a number
// for a phone call.
type Party struct {
	Email string `json:"email"`
	Name  string `json:"name,omitempty"`
	// Phone is set instead of the other fields. Dixa writes it as a string or a
	// number.
	Phone string `json:"-"`
	Extra Extra  `json:"-"`
}

// UnmarshalJSON accepts a contact object, a string or a number.
func (p *Party) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] != '{' {
		*p = Party{}
		if b[0] == '"' {
			return jsonv1.Unmarshal(b, &p.Phone)
		}
		var number jsonv1.Number
		err := jsonv1.Unmarshal(b, &number)
		p.Phone = number.String()
		return err
	}
	return decodeOpen(b, p)
}

// MarshalJSON writes a phone number as a string, and any other party as an object.
func (p Party) MarshalJSON() ([]byte, error) {
	if p.Phone != "" {
		return encodeJSON(p.Phone)
	}
	return encodeOpen(p)
}

// Parties is a list of parties. For a phone call, Dixa sends a single party without
// a list.
type Parties []Party

// UnmarshalJSON accepts a list or a single party.
func (p *Parties) UnmarshalJSON(b []byte) error {
	if bytes.HasPrefix(b, []byte("[")) || bytes.Equal(b, []byte("null")) {
		return jsonv1.Unmarshal(b, (*[]Party)(p))
	}
	*p = make(Parties, 1)
	return jsonv1.Unmarshal(b, &(*p)[0])
}

// MarshalJSON writes a single phone number by itself, and anything else as a list.
func (p Parties) MarshalJSON() ([]byte, error) {
	if len(p) == 1 && p[0].Phone != "" {
		return p[0].MarshalJSON()
	}
	return encodeJSON([]Party(p))
}

// Messages returns all messages of a conversation, oldest first.
//
// Dixa: GET /v1/conversations/{conversationId}/messages.
func (s *ConversationsService) Messages(ctx context.Context, id int64) ([]*Message, error) {
	op := Operation{"Conversations.Messages", http.MethodGet, "/conversations/{conversationId}/messages"}
	return fetchAll[Message](ctx, s.client, op, Params{Path: []any{id}})
}

// AddMessage adds a message to a conversation. After an Ambiguous error, check for
// its ExternalID before sending it again.
//
// Dixa: POST /v1/conversations/{conversationId}/messages.
func (s *ConversationsService) AddMessage(ctx context.Context, id int64, in MessageInput) (*AddedMessage, error) {
	op := Operation{"Conversations.AddMessage", http.MethodPost, "/conversations/{conversationId}/messages"}
	if err := in.check(); err != nil {
		return nil, invalid(op, err)
	}
	return fetch[AddedMessage](ctx, s.client, op, Params{Path: []any{id}, Body: in})
}
