package dixa

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	jsonv1 "github.com/go-json-experiment/json/v1"
)

// ErrMalformedEvent means that the body of a webhook delivery is not an event.
var ErrMalformedEvent = errors.New("the webhook event is malformed")

// Event is the content of a webhook delivery. Deliveries may repeat and arrive out
// of order: deduplicate events by ID and order them by Timestamp, which is Dixa's
// clock.
type Event struct {
	// ID is the event's own id. A repeated delivery of the event has the same ID.
	ID string `json:"event_id"`
	// FQN is the event's name as spelled in the payload, such as
	// "CONVERSATION_CLOSED".
	FQN string `json:"event_fqn"`
	// Name is the API's name for the event, matched from any spelling of FQN. Empty
	// if this package does not know the event.
	Name EventName `json:"-"`
	// Version is "1".
	Version string `json:"event_version,omitempty"`
	// Timestamp is when the event occurred, or zero if it could not be decoded.
	Timestamp Time `json:"event_timestamp,omitzero"`
	// Organization is where the event occurred. Compare its ID with the
	// subscription's organization: a signature does not identify the organization.
	Organization EventOrganization `json:"organization,omitzero"`
	// Data is the unmodified event-specific data. Conversation and the methods named
	// after events decode it.
	Data  json.RawMessage `json:"data,omitempty"`
	Extra Extra           `json:"-"`
}

// ParseEvent decodes the body of a webhook delivery, or a DeliveryLog's Payload.
// Verify the signature first. ParseEvent keeps unknown names, values and members. It
// fails only if the body is not UTF-8, is not a JSON object or has no event_id or
// event_fqn. The error wraps ErrMalformedEvent and contains nothing from the body.
//
// Dixa: "Webhooks payloads" in its documentation.
func ParseEvent(body []byte) (*Event, error) {
	if !utf8.Valid(body) {
		return nil, fmt.Errorf("dixa: %w: the body is not valid UTF-8", ErrMalformedEvent)
	}
	var event Event
	if err := jsonv1.Unmarshal(bytes.TrimPrefix(body, []byte("\uFEFF")), &event); err != nil {
		return nil, fmt.Errorf("dixa: %w: the body is not a JSON object", ErrMalformedEvent)
	}
	switch {
	case event.ID == "":
		return nil, fmt.Errorf("dixa: %w: event_id is missing", ErrMalformedEvent)
	case event.FQN == "":
		return nil, fmt.Errorf("dixa: %w: event_fqn is missing", ErrMalformedEvent)
	}
	return &event, nil
}

// UnmarshalJSON sets Name and keeps members that it cannot decode in Extra.
func (e *Event) UnmarshalJSON(b []byte) error {
	if err := decodeLenient(b, e); err != nil {
		return err
	}
	e.Name = eventNamed(e.FQN)
	return nil
}

// MarshalJSON also writes the members in Extra.
func (e Event) MarshalJSON() ([]byte, error) { return encodeOpen(e) }

// Conversation returns the event's conversation as of the event. Any event may have
// one, including events with unknown names. ok is false if there is no conversation
// with an id.
func (e *Event) Conversation() (conversation *EventConversation, ok bool) {
	var data struct {
		Conversation *EventConversation `json:"conversation"`
	}
	if err := jsonv1.Unmarshal(e.Data, &data); err != nil || data.Conversation == nil || data.Conversation.ID <= 0 {
		return nil, false
	}
	return data.Conversation, true
}

// eventData decodes the data of an event with the given name. It returns nil for
// another event and for data that is not an object.
func eventData[T any](e *Event, name EventName) *T {
	if e.Name != name || !bytes.HasPrefix(bytes.TrimSpace(e.Data), []byte("{")) {
		return nil
	}
	data := new(T)
	if err := jsonv1.Unmarshal(e.Data, data); err != nil {
		return nil
	}
	return data
}

// EventOrganization is the organization of an event.
type EventOrganization struct {
	ID    string `json:"id,omitempty"`
	Name  string `json:"name,omitempty"`
	Extra Extra  `json:"-"`
}

// IsZero reports whether the organization is empty.
func (o EventOrganization) IsZero() bool { return o.ID == "" && o.Name == "" && len(o.Extra) == 0 }

// UnmarshalJSON keeps members that it cannot decode in Extra.
func (o *EventOrganization) UnmarshalJSON(b []byte) error { return decodeLenient(b, o) }

// MarshalJSON also writes the members in Extra.
func (o EventOrganization) MarshalJSON() ([]byte, error) { return encodeOpen(o) }

// EventConversation is a conversation in the format of events, which differs from
// the API's Conversation. State, Channel and Direction use the API's spelling if the
// value matches one of this package's constants (events write OPEN, WIDGET_CHAT and
// INBOUND). Other values stay unmodified.
type EventConversation struct {
	ID        int64             `json:"csid,omitempty"`
	Channel   Channel           `json:"channel,omitempty"`
	State     ConversationState `json:"status,omitempty"`
	Direction Direction         `json:"direction,omitempty"`
	// Queue is nil if the conversation is not in a queue.
	Queue *EventQueue `json:"queue,omitempty"`
	// ContactPoint is the organization's address or number that received the
	// conversation, or the channel's equivalent.
	ContactPoint string     `json:"contact_point,omitempty"`
	Requester    *EventUser `json:"requester,omitempty"`
	// Assignee is nil if the conversation is not assigned to an agent.
	Assignee *EventUser `json:"assignee,omitempty"`
	Subject  string     `json:"subject,omitempty"`
	Tags     []EventTag `json:"tags,omitzero"`
	// CustomAttributes is a list whose items are not documented. Older events do not
	// have it.
	CustomAttributes json.RawMessage `json:"custom_attributes,omitempty"`
	CreatedAt        Time            `json:"created_at,omitzero"`
	Extra            Extra           `json:"-"`
}

// UnmarshalJSON keeps members that it cannot decode in Extra.
func (c *EventConversation) UnmarshalJSON(b []byte) error {
	if err := decodeLenient(b, c); err != nil {
		return err
	}
	c.Channel = spelled(c.Channel, channels...)
	c.State = spelled(c.State, StateAwaitingPending, StateClosed, StateOpen, StatePending)
	c.Direction = spelled(c.Direction, Inbound, Internal, Outbound)
	return nil
}

// MarshalJSON also writes the members in Extra.
func (c EventConversation) MarshalJSON() ([]byte, error) { return encodeOpen(c) }

// channels are the channels that spelled recognizes in events.
var channels = []Channel{
	ChannelCallback, ChannelContactForm, ChannelEmail, ChannelFacebookMessenger, ChannelMessenger, ChannelPstnPhone,
	ChannelSms, ChannelTwitter, ChannelVoicemail, ChannelWhatsApp, ChannelWidgetChat,
}

// EventQueue is a queue in the format of events.
type EventQueue struct {
	ID    string `json:"id,omitempty"`
	Name  string `json:"name,omitempty"`
	Extra Extra  `json:"-"`
}

// UnmarshalJSON keeps members that it cannot decode in Extra.
func (q *EventQueue) UnmarshalJSON(b []byte) error { return decodeLenient(b, q) }

// MarshalJSON also writes the members in Extra.
func (q EventQueue) MarshalJSON() ([]byte, error) { return encodeOpen(q) }

// EventTag is a tag of an event's conversation.
type EventTag struct {
	ID            string `json:"id,omitempty"`
	Name          string `json:"name,omitempty"`
	IsDeactivated bool   `json:"is_deactivated,omitempty"`
	Extra         Extra  `json:"-"`
}

// UnmarshalJSON keeps members that it cannot decode in Extra.
func (t *EventTag) UnmarshalJSON(b []byte) error { return decodeLenient(b, t) }

// MarshalJSON also writes the members in Extra.
func (t EventTag) MarshalJSON() ([]byte, error) { return encodeOpen(t) }

// EventUser is an end user or agent in the format of events. Every field except ID
// may be empty: a customer on a messenger has no name or email address.
type EventUser struct {
	ID    string `json:"id,omitempty"`
	Name  string `json:"name,omitempty"`
	Email string `json:"email,omitempty"`
	Phone string `json:"phone,omitempty"`
	// Roles has been observed empty and with values such as "Agent" and "Enduser".
	Roles []string `json:"roles,omitzero"`
	// Type is "Contact" (an end user) or "Member" (an agent). The requester can be a
	// Member if a colleague writes in.
	Type  string `json:"user_type,omitempty"`
	Extra Extra  `json:"-"`
}

// UnmarshalJSON keeps members that it cannot decode in Extra.
func (u *EventUser) UnmarshalJSON(b []byte) error { return decodeLenient(b, u) }

// MarshalJSON also writes the members in Extra.
func (u EventUser) MarshalJSON() ([]byte, error) { return encodeOpen(u) }
