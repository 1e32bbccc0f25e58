package dixa

import (
	"context"
	"net/http"
)

// ImportInput is a past conversation to bring into Dixa.
type ImportInput struct {
	// Channel is "email" or "genericapimessaging".
	Channel     string `json:"genericChannelName"`
	RequesterID string `json:"requesterId"`
	// RequesterConnectionStatus is "Connected" or "Disconnected"; optional.
	RequesterConnectionStatus string          `json:"requesterConnectionStatus,omitempty"`
	Direction                 Direction       `json:"direction"`
	Messages                  []ImportMessage `json:"messages"`
	CreatedAt                 Time            `json:"createdAt"`
	Assignment                *Assignment     `json:"assignment,omitempty"`
	ExternalID                string          `json:"externalId,omitempty"`
	// Closing closes the conversation.
	Closing *ImportClosing `json:"closing,omitempty"`
	// Attributes depend on the channel, such as emailIntegrationId and subject.
	Attributes map[string]any `json:"attributes,omitzero"`
}

// MarshalJSON adds the type that Dixa's examples carry.
func (in ImportInput) MarshalJSON() ([]byte, error) {
	type plain ImportInput
	in.Messages = orEmpty(in.Messages)
	return encodeJSON(struct {
		Type string `json:"_type"`
		plain
	}{"GenericConversationImport", plain(in)})
}

// ImportClosing says when and by whom a conversation was closed.
type ImportClosing struct {
	ClosedAt Time   `json:"closedAt"`
	ClosedBy string `json:"closedBy"`
}

// ImportMessage is a message of a past conversation.
type ImportMessage struct {
	// Type is "InboundImport" or "OutboundImport".
	Type    string  `json:"_type"`
	Content Content `json:"content"`
	// AgentID is the author of an OutboundImport.
	AgentID     string       `json:"agentId,omitempty"`
	Attachments []Attachment `json:"attachments"`
	ExternalID  string       `json:"externalId,omitempty"`
	CreatedAt   Time         `json:"createdAt"`
	// Attributes depend on the channel, such as emailIntegrationId, cc and bcc.
	Attributes map[string]any `json:"attributes,omitzero"`
}

// MarshalJSON writes an empty list of attachments as one.
func (m ImportMessage) MarshalJSON() ([]byte, error) {
	type plain ImportMessage
	m.Attachments = orEmpty(m.Attachments)
	return encodeJSON(plain(m))
}

// ImportedConversation is what an import answers.
type ImportedConversation struct {
	ID int64 `json:"id"`
	// PartialErrors are what went wrong without stopping the import.
	PartialErrors []ImportError `json:"partialErrors,omitzero"`
	Extra         Extra         `json:"-"`
}

// ImportError is one thing that went wrong in an import.
type ImportError struct {
	Message string `json:"message"`
}

func (i *ImportedConversation) identified() bool { return i.ID > 0 }

// UnmarshalJSON keeps unknown members in Extra.
func (i *ImportedConversation) UnmarshalJSON(b []byte) error {
	type plain ImportedConversation
	return decodeOpen(b, (*plain)(i), &i.Extra)
}

// MarshalJSON writes the members in Extra as well.
func (i ImportedConversation) MarshalJSON() ([]byte, error) {
	type plain ImportedConversation
	return encodeOpen(plain(i), i.Extra)
}

// Import brings a past conversation into Dixa.
//
// Dixa: POST /v1/conversations/import.
func (s *ConversationsService) Import(ctx context.Context, in ImportInput) (*ImportedConversation, error) {
	op := Operation{"Conversations.Import", http.MethodPost, "/conversations/import"}
	return fetch[ImportedConversation](ctx, s.client, op, Params{Body: in})
}
