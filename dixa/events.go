package dixa

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// ErrMalformedEvent: the body of a webhook delivery is no event.
var ErrMalformedEvent = errors.New("the webhook event is malformed")

// Event is what a webhook delivery carries. Deliveries repeat and overtake each
// other: handle an ID once and order events by Timestamp, which is Dixa's clock.
type Event struct {
	// ID is the event's own id; a delivery of the same event again has it too.
	ID string `json:"event_id"`
	// FQN is the event's name as the payload spells it, such as
	// "CONVERSATION_CLOSED".
	FQN string `json:"event_fqn"`
	// Name is the API's name of the event that FQN stands for, in whichever
	// spelling; empty where it is none that this package knows.
	Name EventName `json:"-"`
	// Version is "1".
	Version string `json:"event_version,omitempty"`
	// Timestamp is when it happened, zero where that could not be read.
	Timestamp Time `json:"event_timestamp,omitzero"`
	// Organization is where it happened. Compare its ID with the subscription's
	// organisation: a signature does not say whose event it is.
	Organization EventOrganization `json:"organization,omitzero"`
	// Data is the event's own part as it came. Conversation and the methods
	// named after events read it.
	Data  json.RawMessage `json:"data,omitempty"`
	Extra Extra           `json:"-"`
}

// ParseEvent reads the body of a webhook delivery, or a DeliveryLog's Payload.
// Verify the signature first. Names, values and members that are not known are
// kept, so that the error, which wraps ErrMalformedEvent and contains nothing
// of the body, is left for a body that is not UTF-8, is no JSON object or has no
// event_id or event_fqn.
//
// Dixa: "Webhooks payloads" in its documentation.
func ParseEvent(body []byte) (*Event, error) {
	if !utf8.Valid(body) {
		return nil, fmt.Errorf("dixa: %w: it is not UTF-8", ErrMalformedEvent)
	}
	var event Event
	if err := json.Unmarshal(bytes.TrimPrefix(body, []byte("\uFEFF")), &event); err != nil {
		return nil, fmt.Errorf("dixa: %w: it is not a JSON object", ErrMalformedEvent)
	}
	switch {
	case event.ID == "":
		return nil, fmt.Errorf("dixa: %w: it has no event_id", ErrMalformedEvent)
	case event.FQN == "":
		return nil, fmt.Errorf("dixa: %w: it has no event_fqn", ErrMalformedEvent)
	}
	return &event, nil
}

// UnmarshalJSON sets Name and keeps what it cannot read in Extra.
func (e *Event) UnmarshalJSON(b []byte) error {
	type plain Event
	if err := decodeLenient(b, (*plain)(e), &e.Extra); err != nil {
		return err
	}
	e.Name = eventNamed(e.FQN)
	return nil
}

// MarshalJSON writes the members in Extra as well.
func (e Event) MarshalJSON() ([]byte, error) {
	type plain Event
	return encodeOpen(plain(e), e.Extra)
}

// Conversation returns the conversation that the event is about, as it stood
// then. Events of any name may have one, unknown ones included. ok is false
// where there is none with an id.
func (e *Event) Conversation() (conversation *EventConversation, ok bool) {
	var data struct {
		Conversation *EventConversation `json:"conversation"`
	}
	if err := json.Unmarshal(e.Data, &data); err != nil || data.Conversation == nil || data.Conversation.ID <= 0 {
		return nil, false
	}
	return data.Conversation, true
}

// eventData decodes the data of an event of the given name; nil for another
// event and for data that is no object.
func eventData[T any](e *Event, name EventName) *T {
	if e.Name != name || !bytes.HasPrefix(bytes.TrimSpace(e.Data), []byte("{")) {
		return nil
	}
	data := new(T)
	if err := json.Unmarshal(e.Data, data); err != nil {
		return nil
	}
	return data
}

// EventOrganization is the organisation of an event.
type EventOrganization struct {
	ID    string `json:"id,omitempty"`
	Name  string `json:"name,omitempty"`
	Extra Extra  `json:"-"`
}

// IsZero reports an organisation of which nothing is known.
func (o EventOrganization) IsZero() bool { return o.ID == "" && o.Name == "" && len(o.Extra) == 0 }

// UnmarshalJSON keeps what it cannot read in Extra.
func (o *EventOrganization) UnmarshalJSON(b []byte) error {
	type plain EventOrganization
	return decodeLenient(b, (*plain)(o), &o.Extra)
}

// MarshalJSON writes the members in Extra as well.
func (o EventOrganization) MarshalJSON() ([]byte, error) {
	type plain EventOrganization
	return encodeOpen(plain(o), o.Extra)
}

// EventConversation is a conversation as events carry it, which is unlike the
// API's Conversation. State, Channel and Direction are in the API's spelling
// where the value is one of this package's constants (events write OPEN,
// WIDGET_CHAT and INBOUND), and otherwise as they came.
type EventConversation struct {
	ID        int64             `json:"csid,omitempty"`
	Channel   Channel           `json:"channel,omitempty"`
	State     ConversationState `json:"status,omitempty"`
	Direction Direction         `json:"direction,omitempty"`
	// Queue is nil outside of any queue.
	Queue *EventQueue `json:"queue,omitempty"`
	// ContactPoint is the address or number of the organisation's that was
	// written to, or what else the channel has.
	ContactPoint string     `json:"contact_point,omitempty"`
	Requester    *EventUser `json:"requester,omitempty"`
	// Assignee is nil where no agent has the conversation.
	Assignee *EventUser `json:"assignee,omitempty"`
	Subject  string     `json:"subject,omitempty"`
	Tags     []EventTag `json:"tags,omitzero"`
	// CustomAttributes are a list whose items are documented nowhere; absent
	// from older events.
	CustomAttributes json.RawMessage `json:"custom_attributes,omitempty"`
	CreatedAt        Time            `json:"created_at,omitzero"`
	Extra            Extra           `json:"-"`
}

// UnmarshalJSON keeps what it cannot read in Extra.
func (c *EventConversation) UnmarshalJSON(b []byte) error {
	type plain EventConversation
	if err := decodeLenient(b, (*plain)(c), &c.Extra); err != nil {
		return err
	}
	c.Channel = spelled(c.Channel, channels...)
	c.State = spelled(c.State, StateAwaitingPending, StateClosed, StateOpen, StatePending)
	c.Direction = spelled(c.Direction, Inbound, Internal, Outbound)
	return nil
}

// MarshalJSON writes the members in Extra as well.
func (c EventConversation) MarshalJSON() ([]byte, error) {
	type plain EventConversation
	return encodeOpen(plain(c), c.Extra)
}

// channels are those that spelled knows.
var channels = []Channel{
	ChannelCallback, ChannelContactForm, ChannelEmail, ChannelFacebookMessenger, ChannelMessenger, ChannelPstnPhone,
	ChannelSms, ChannelTwitter, ChannelVoicemail, ChannelWhatsApp, ChannelWidgetChat,
}

// EventQueue is a queue as events carry it.
type EventQueue struct {
	ID    string `json:"id,omitempty"`
	Name  string `json:"name,omitempty"`
	Extra Extra  `json:"-"`
}

// UnmarshalJSON keeps what it cannot read in Extra.
func (q *EventQueue) UnmarshalJSON(b []byte) error {
	type plain EventQueue
	return decodeLenient(b, (*plain)(q), &q.Extra)
}

// MarshalJSON writes the members in Extra as well.
func (q EventQueue) MarshalJSON() ([]byte, error) {
	type plain EventQueue
	return encodeOpen(plain(q), q.Extra)
}

// EventTag is a tag of an event's conversation.
type EventTag struct {
	ID            string `json:"id,omitempty"`
	Name          string `json:"name,omitempty"`
	IsDeactivated bool   `json:"is_deactivated,omitempty"`
	Extra         Extra  `json:"-"`
}

// UnmarshalJSON keeps what it cannot read in Extra.
func (t *EventTag) UnmarshalJSON(b []byte) error {
	type plain EventTag
	return decodeLenient(b, (*plain)(t), &t.Extra)
}

// MarshalJSON writes the members in Extra as well.
func (t EventTag) MarshalJSON() ([]byte, error) {
	type plain EventTag
	return encodeOpen(plain(t), t.Extra)
}

// EventUser is an end user or agent as events carry them. Anything but the ID
// may be empty: a customer on a messenger has neither name nor e-mail address.
type EventUser struct {
	ID    string `json:"id,omitempty"`
	Name  string `json:"name,omitempty"`
	Email string `json:"email,omitempty"`
	Phone string `json:"phone,omitempty"`
	// Roles has been seen empty and with values such as "Agent" and "Enduser".
	Roles []string `json:"roles,omitzero"`
	// Type is "Contact" (an end user) or "Member" (an agent). A Member can be
	// the requester: a colleague who writes in.
	Type  string `json:"user_type,omitempty"`
	Extra Extra  `json:"-"`
}

// UnmarshalJSON keeps what it cannot read in Extra.
func (u *EventUser) UnmarshalJSON(b []byte) error {
	type plain EventUser
	return decodeLenient(b, (*plain)(u), &u.Extra)
}

// MarshalJSON writes the members in Extra as well.
func (u EventUser) MarshalJSON() ([]byte, error) {
	type plain EventUser
	return encodeOpen(plain(u), u.Extra)
}
