package dixa

import (
	"context"
	"net/http"
)

// ImportInput is a past conversation to import into Dixa.
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

// MarshalJSON adds the type that Dixa's examples have.
func (in ImportInput) MarshalJSON() ([]byte, error) {
	type plain ImportInput
	in.Messages = orEmpty(in.Messages)
	return encodeJSON(struct {
		Type string `json:"_type"`
		plain
	}{"GenericConversationImport", plain(in)})
}

// ImportClosing is the time and author of a conversation's closing.
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

// MarshalJSON writes nil attachments as an empty list.
func (m ImportMessage) MarshalJSON() ([]byte, error) {
	type plain ImportMessage
	m.Attachments = orEmpty(m.Attachments)
	return encodeJSON(plain(m))
}

// ImportedConversation is the response to an import.
type ImportedConversation struct {
	ID int64 `json:"id"`
	// PartialErrors are the errors that did not stop the import.
	PartialErrors []ImportError `json:"partialErrors,omitzero"`
	Extra         Extra         `json:"-"`
}

// ImportError is one error of an import.
type ImportError struct {
	Message string `json:"message"`
}

func (i *ImportedConversation) identified() bool { return i.ID > 0 }

// UnmarshalJSON keeps unknown members in Extra.
func (i *ImportedConversation) UnmarshalJSON(b []byte) error { return decodeOpen(b, i) }

// MarshalJSON also writes the members in Extra.
func (i ImportedConversation) MarshalJSON() ([]byte, error) { return encodeOpen(i) }

// Import imports a past conversation into Dixa.
//
// Dixa: POST /v1/conversations/import.
func (s *ConversationsService) Import(ctx context.Context, in ImportInput) (*ImportedConversation, error) {
	op := Operation{"Conversations.Import", http.MethodPost, "/conversations/import"}
	return fetch[ImportedConversation](ctx, s.client, op, Params{Body: in})
}
