package dixa

import (
	"bytes"

	jsonv1 "github.com/go-json-experiment/json/v1"
)

// MessageAddedEvent is the data of EventConversationMessageAdded.
type MessageAddedEvent struct {
	Conversation *EventConversation `json:"conversation,omitempty"`
	Author       *EventUser         `json:"author,omitempty"`
	CreatedAt    Time               `json:"created_at,omitzero"`
	// MessageID is the id of the Message that Conversations.Messages lists.
	MessageID string `json:"message_id,omitempty"`
	Text      string `json:"text,omitempty"`
	// Direction and Channel use the API's spelling, as in EventConversation.
	Direction   Direction           `json:"direction,omitempty"`
	Channel     Channel             `json:"channel,omitempty"`
	Content     EventMessageContent `json:"content,omitzero"`
	Attachments []EventAttachment   `json:"attachments,omitzero"`
	// ExternalID is the key that the sender assigned to the message.
	ExternalID string `json:"external_id,omitempty"`
	Extra      Extra  `json:"-"`
}

// MessageAdded returns the data of an EventConversationMessageAdded. ok is false for
// another event and for data without a message id; use Data in that case.
func (e *Event) MessageAdded() (data *MessageAddedEvent, ok bool) {
	data = eventData[MessageAddedEvent](e, EventConversationMessageAdded)
	if data == nil || data.MessageID == "" {
		return nil, false
	}
	return data, true
}

// UnmarshalJSON keeps members that it cannot decode in Extra.
func (m *MessageAddedEvent) UnmarshalJSON(b []byte) error {
	if err := decodeLenient(b, m); err != nil {
		return err
	}
	m.Direction = spelled(m.Direction, Inbound, Internal, Outbound)
	m.Channel = spelled(m.Channel, channels...)
	return nil
}

// MarshalJSON also writes the members in Extra.
func (m MessageAddedEvent) MarshalJSON() ([]byte, error) { return encodeOpen(m) }

// EventMessageContent is the text of a message and the locations of its stored
// forms.
type EventMessageContent struct {
	Text string `json:"text,omitempty"`
	// Type has been observed as "Text" and, for inbound messages, empty.
	Type string `json:"content_type,omitempty"`
	// OriginalURL and ProcessedURL locate the text in Dixa's storage. They have been
	// observed without a host ("/private/…"); the API's messages have the same path
	// below https://files.dixa.io.
	OriginalURL  string `json:"original_content_url,omitempty"`
	ProcessedURL string `json:"processed_content_url,omitempty"`
	Extra        Extra  `json:"-"`
}

// IsZero reports whether the content is empty.
func (c EventMessageContent) IsZero() bool {
	return c.Text == "" && c.Type == "" && c.OriginalURL == "" && c.ProcessedURL == "" && len(c.Extra) == 0
}

// UnmarshalJSON keeps members that it cannot decode in Extra.
func (c *EventMessageContent) UnmarshalJSON(b []byte) error { return decodeLenient(b, c) }

// MarshalJSON also writes the members in Extra.
func (c EventMessageContent) MarshalJSON() ([]byte, error) { return encodeOpen(c) }

// EventAttachment is a file of a message. Dixa does not document its format in
// events. This type decodes a bare URL and an object with the members url and
// pretty_name or prettyName. All members of any other object go to Extra.
type EventAttachment struct {
	// URL has the same form as the URLs of EventMessageContent.
	URL        string `json:"url,omitempty"`
	PrettyName string `json:"pretty_name,omitempty"`
	Extra      Extra  `json:"-"`
}

// UnmarshalJSON keeps members that it cannot decode in Extra.
func (a *EventAttachment) UnmarshalJSON(b []byte) error {
	if bytes.HasPrefix(b, []byte(`"`)) {
		*a = EventAttachment{}
		return jsonv1.Unmarshal(b, &a.URL)
	}
	if err := decodeLenient(b, a); err != nil {
		return err
	}
	if camel := a.Extra["prettyName"]; a.PrettyName == "" && jsonv1.Unmarshal(camel, &a.PrettyName) == nil {
		if delete(a.Extra, "prettyName"); len(a.Extra) == 0 {
			a.Extra = nil
		}
	}
	return nil
}

// MarshalJSON writes an object that includes the members in Extra.
func (a EventAttachment) MarshalJSON() ([]byte, error) { return encodeOpen(a) }

// NoteAddedEvent is the data of EventConversationNoteAdded.
type NoteAddedEvent struct {
	Conversation *EventConversation `json:"conversation,omitempty"`
	// NoteID is the id of the Note that Conversations.Notes lists.
	NoteID    string     `json:"note_id,omitempty"`
	Text      string     `json:"text,omitempty"`
	CreatedAt Time       `json:"created_at,omitzero"`
	Author    *EventUser `json:"author,omitempty"`
	Extra     Extra      `json:"-"`
}

// NoteAdded returns the data of an EventConversationNoteAdded. ok is false for
// another event and for data without a note id.
func (e *Event) NoteAdded() (data *NoteAddedEvent, ok bool) {
	data = eventData[NoteAddedEvent](e, EventConversationNoteAdded)
	if data == nil || data.NoteID == "" {
		return nil, false
	}
	return data, true
}

// UnmarshalJSON keeps members that it cannot decode in Extra.
func (n *NoteAddedEvent) UnmarshalJSON(b []byte) error { return decodeLenient(b, n) }

// MarshalJSON also writes the members in Extra.
func (n NoteAddedEvent) MarshalJSON() ([]byte, error) { return encodeOpen(n) }

// TagAddedEvent is the data of EventConversationTagAdded.
type TagAddedEvent struct {
	// Conversation already has the tag in its Tags.
	Conversation *EventConversation `json:"conversation,omitempty"`
	Author       *EventUser         `json:"author,omitempty"`
	// Tag is the tag's name.
	Tag   string `json:"tag,omitempty"`
	Extra Extra  `json:"-"`
}

// TagAdded returns the data of an EventConversationTagAdded. ok is false for another
// event and for data without a tag name.
func (e *Event) TagAdded() (data *TagAddedEvent, ok bool) {
	data = eventData[TagAddedEvent](e, EventConversationTagAdded)
	if data == nil || data.Tag == "" {
		return nil, false
	}
	return data, true
}

// UnmarshalJSON keeps members that it cannot decode in Extra.
func (t *TagAddedEvent) UnmarshalJSON(b []byte) error { return decodeLenient(b, t) }

// MarshalJSON also writes the members in Extra.
func (t TagAddedEvent) MarshalJSON() ([]byte, error) { return encodeOpen(t) }

// RatedEvent is the data of EventConversationRated. Dixa sends the event for the
// score and again for the comment if they arrive separately.
type RatedEvent struct {
	Conversation *EventConversation `json:"conversation,omitempty"`
	// Agent is the rated agent.
	Agent *EventUser `json:"agent,omitempty"`
	// Score is on the scale of Type; nil if there is none.
	Score   *int   `json:"score,omitempty"`
	Comment string `json:"comment,omitempty"`
	// Type is the kind of rating, such as RatingCsat.
	Type  string `json:"type,omitempty"`
	Extra Extra  `json:"-"`
}

// Rated returns the data of an EventConversationRated. ok is false for another event
// and for data with neither score nor comment.
func (e *Event) Rated() (data *RatedEvent, ok bool) {
	data = eventData[RatedEvent](e, EventConversationRated)
	if data == nil || data.Score == nil && data.Comment == "" {
		return nil, false
	}
	return data, true
}

// UnmarshalJSON keeps members that it cannot decode in Extra.
func (r *RatedEvent) UnmarshalJSON(b []byte) error { return decodeLenient(b, r) }

// MarshalJSON also writes the members in Extra.
func (r RatedEvent) MarshalJSON() ([]byte, error) { return encodeOpen(r) }

// PendingExpiredEvent is the data of EventConversationPendingExpired.
type PendingExpiredEvent struct {
	Conversation *EventConversation `json:"conversation,omitempty"`
	// PendingBy is the user who set the follow-up; nil if Dixa does not report it.
	PendingBy *EventUser `json:"pendingByUser,omitempty"`
	Extra     Extra      `json:"-"`
}

// PendingExpired returns the data of an EventConversationPendingExpired. ok is false
// for another event and for data that is not an object.
func (e *Event) PendingExpired() (data *PendingExpiredEvent, ok bool) {
	data = eventData[PendingExpiredEvent](e, EventConversationPendingExpired)
	return data, data != nil
}

// UnmarshalJSON keeps members that it cannot decode in Extra.
func (p *PendingExpiredEvent) UnmarshalJSON(b []byte) error { return decodeLenient(b, p) }

// MarshalJSON also writes the members in Extra.
func (p PendingExpiredEvent) MarshalJSON() ([]byte, error) { return encodeOpen(p) }

// AbandonedEvent is the data of EventConversationAbandoned.
type AbandonedEvent struct {
	Conversation *EventConversation `json:"conversation,omitempty"`
	// Queue is the queue in which the conversation waited; nil if none.
	Queue *EventQueue `json:"queue,omitempty"`
	Extra Extra       `json:"-"`
}

// Abandoned returns the data of an EventConversationAbandoned. ok is false for
// another event and for data that is not an object.
func (e *Event) Abandoned() (data *AbandonedEvent, ok bool) {
	data = eventData[AbandonedEvent](e, EventConversationAbandoned)
	return data, data != nil
}

// UnmarshalJSON keeps members that it cannot decode in Extra.
func (a *AbandonedEvent) UnmarshalJSON(b []byte) error { return decodeLenient(b, a) }

// MarshalJSON also writes the members in Extra.
func (a AbandonedEvent) MarshalJSON() ([]byte, error) { return encodeOpen(a) }
