package claim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"
)

// ConversationRecord is a conversation of a data source with its figures. A time or
// number that is unknown is null, and so is one that does not exist, such as the time
// of a close that did not happen. Texts are then empty. Durations are in seconds.
type ConversationRecord struct {
	ID             int64  `json:"id"`
	Status         string `json:"status"`
	Channel        string `json:"channel"`
	Direction      string `json:"direction"`
	ContactPoint   string `json:"contact_point"`
	Subject        string `json:"subject"`
	Language       string `json:"language"`
	RequesterID    string `json:"requester_id"`
	RequesterName  string `json:"requester_name"`
	RequesterEmail string `json:"requester_email"`
	RequesterPhone string `json:"requester_phone"`
	// AssigneeID and QueueID are the current ones.
	AssigneeID   string            `json:"assignee_id"`
	AssigneeName string            `json:"assignee_name"`
	QueueID      string            `json:"queue_id"`
	QueueName    string            `json:"queue_name"`
	Tags         []string          `json:"tags"`
	Attributes   []AttributeRecord `json:"attributes"`

	CreatedAt       *time.Time `json:"created_at"`
	LastActivityAt  *time.Time `json:"last_activity_at"`
	FirstInboundAt  *time.Time `json:"first_inbound_at"`
	FirstResponseAt *time.Time `json:"first_response_at"`
	FirstResponseBy string     `json:"first_response_by"`
	// FirstResponseSeconds is from the first inbound message to the first response.
	FirstResponseSeconds *float64   `json:"first_response_seconds"`
	FirstAssignedAt      *time.Time `json:"first_assigned_at"`
	FirstClosedAt        *time.Time `json:"first_closed_at"`
	LastClosedAt         *time.Time `json:"last_closed_at"`
	QueueSeconds         *float64   `json:"queue_seconds"`
	// QueueFromLog is false if QueueSeconds are Dixa's times, which count only the
	// last time in a queue.
	QueueFromLog      bool     `json:"queue_seconds_from_log"`
	HandlingSeconds   *float64 `json:"handling_seconds"`
	AgentReplies      *int64   `json:"agent_replies"`
	AutomatedMessages *int64   `json:"automated_messages"`
	CustomerMessages  *int64   `json:"customer_messages"`
	Notes             *int64   `json:"notes"`
	Closes            *int64   `json:"closes"`
	Reopens           *int64   `json:"reopens"`
	Transfers         *int64   `json:"transfers"`
	Assignments       *int64   `json:"assignments"`
	// DixaTotalDuration and DixaHandlingDuration are Dixa's own, in a unit that it
	// does not document.
	DixaTotalDuration    *int64     `json:"dixa_total_duration"`
	DixaHandlingDuration *int64     `json:"dixa_handling_duration"`
	AnonymizedAt         *time.Time `json:"anonymized_at"`
}

// AttributeRecord is the value of a custom attribute.
type AttributeRecord struct {
	// ID is the definition's.
	ID         string `json:"id"`
	Identifier string `json:"identifier"`
	// Value is a text or a list of texts.
	Value json.RawMessage `json:"value"`
}

// MessageRecord is a message or internal note of a data source.
type MessageRecord struct {
	ID             string     `json:"id"`
	ConversationID int64      `json:"conversation_id"`
	CreatedAt      *time.Time `json:"created_at"`
	// Kind is [MessageKind] or [NoteKind].
	Kind string `json:"kind"`
	// Direction is inbound or outbound; empty for a note.
	Direction   string              `json:"direction"`
	Channel     string              `json:"channel"`
	AuthorID    string              `json:"author_id"`
	AuthorName  string              `json:"author_name"`
	AuthorEmail string              `json:"author_email"`
	From        string              `json:"from"`
	To          []string            `json:"to"`
	CC          []string            `json:"cc"`
	BCC         []string            `json:"bcc"`
	Text        string              `json:"text"`
	HTML        string              `json:"html"`
	Attachments []MessageAttachment `json:"attachments"`
	// Automated is null if no source says whether a person wrote the message.
	Automated  *bool  `json:"automated"`
	ExternalID string `json:"external_id"`
	// Redacted says that Dixa no longer has the text.
	Redacted bool `json:"redacted"`
}

// ActivityRecord is an entry of the activity log in a data source.
type ActivityRecord struct {
	ID             string     `json:"id"`
	ConversationID int64      `json:"conversation_id"`
	At             *time.Time `json:"at"`
	// Type is in Dixa's spelling, such as "ConversationClosed".
	Type       string `json:"type"`
	AuthorID   string `json:"author_id"`
	AuthorName string `json:"author_name"`
	// AgentID and QueueID are those that the entry names.
	AgentID   string `json:"agent_id"`
	QueueID   string `json:"queue_id"`
	MessageID string `json:"message_id"`
	Detail    string `json:"detail"`
	// Attributes are the entry's attributes as received; null if there are none.
	Attributes json.RawMessage `json:"attributes"`
}

// RatingRecord is a rating of a data source.
type RatingRecord struct {
	ConversationID int64 `json:"conversation_id"`
	// ID is empty until the API was asked for the conversation's ratings.
	ID string `json:"id"`
	// Type and Status are in Dixa's spelling, such as "Csat" and "Rated".
	Type      string     `json:"type"`
	Status    string     `json:"status"`
	Score     *int       `json:"score"`
	Comment   string     `json:"comment"`
	AgentID   string     `json:"agent_id"`
	CreatedAt *time.Time `json:"created_at"`
	OfferedAt *time.Time `json:"offered_at"`
	RatedAt   *time.Time `json:"rated_at"`
}

// DirectoryRecord is an agent, team, queue, end user or definition of an organization.
type DirectoryRecord struct {
	// Kind is agent, team, queue, contact_endpoint, custom_attribute, tag,
	// business_hours or end_user.
	Kind string `json:"kind"`
	ID   string `json:"id"`
	Name string `json:"name"`
	// MemberIDs are the agents of a team or queue.
	MemberIDs []string `json:"member_ids"`
	// Object is the entry as Dixa returns it.
	Object json.RawMessage `json:"object"`
	SeenAt *time.Time      `json:"seen_at"`
	// GoneAt is when Dixa stopped listing the entry.
	GoneAt *time.Time `json:"gone_at"`
}

// SourceRecord is a record of a data source. Of the pointers, that of its stream is
// set. Its JSON form is the record's.
type SourceRecord struct {
	Stream       Stream
	Conversation *ConversationRecord
	Message      *MessageRecord
	Activity     *ActivityRecord
	Rating       *RatingRecord
	Directory    *DirectoryRecord
	// Deleted says that the record was deleted, and that only its identity is known. Of
	// ratings and activity logs, all of the conversation were. Its JSON form has the
	// identity and "deleted".
	Deleted bool
	// Cursor continues after this record. Its JSON member is "cursor", present if the
	// records are in the order of their changes.
	Cursor string
}

// ParseSourceRecord decodes a record of a stream.
func ParseSourceRecord(stream Stream, data []byte) (SourceRecord, error) {
	r := SourceRecord{Stream: stream}
	target, err := r.target()
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(data, target); err != nil {
		return r, fmt.Errorf("record of the stream %s: %w", stream, err)
	}
	var with struct {
		Deleted bool   `json:"deleted"`
		Cursor  string `json:"cursor"`
	}
	err = json.Unmarshal(data, &with)
	r.Deleted, r.Cursor = with.Deleted, with.Cursor
	return r, err
}

// target returns a pointer to the new, empty record of the stream.
func (r *SourceRecord) target() (any, error) {
	switch r.Stream {
	case StreamConversations:
		r.Conversation = &ConversationRecord{}
		return r.Conversation, nil
	case StreamMessages:
		r.Message = &MessageRecord{}
		return r.Message, nil
	case StreamActivityLogs:
		r.Activity = &ActivityRecord{}
		return r.Activity, nil
	case StreamRatings:
		r.Rating = &RatingRecord{}
		return r.Rating, nil
	case StreamDirectory:
		r.Directory = &DirectoryRecord{}
		return r.Directory, nil
	}
	return nil, fmt.Errorf("unknown stream %q", r.Stream)
}

// value returns the record of the stream.
func (r SourceRecord) value() any {
	switch r.Stream {
	case StreamMessages:
		return r.Message
	case StreamActivityLogs:
		return r.Activity
	case StreamRatings:
		return r.Rating
	case StreamDirectory:
		return r.Directory
	default:
		return r.Conversation
	}
}

// identity returns what is known of a deleted record.
func (r SourceRecord) identity() any {
	out := struct {
		Kind           string `json:"kind,omitempty"`
		ConversationID int64  `json:"conversation_id,omitempty"`
		ID             any    `json:"id,omitempty"`
		Deleted        bool   `json:"deleted"`
	}{Deleted: true}
	switch r.Stream {
	case StreamMessages:
		out.ConversationID, out.ID = r.Message.ConversationID, r.Message.ID
	case StreamActivityLogs:
		out.ConversationID = r.Activity.ConversationID
	case StreamRatings:
		out.ConversationID = r.Rating.ConversationID
	case StreamDirectory:
		out.Kind, out.ID = r.Directory.Kind, r.Directory.ID
	default:
		out.ID = r.Conversation.ID
	}
	return out
}

// MarshalJSON encodes the record, with all members.
func (r SourceRecord) MarshalJSON() ([]byte, error) {
	value := r.value()
	if r.Deleted {
		value = r.identity()
	}
	data, err := plainJSON(value)
	if err != nil || r.Cursor == "" {
		return data, err
	}
	cursor, err := json.Marshal(r.Cursor)
	return append(append(append(data[:len(data)-1], `,"cursor":`...), cursor...), '}'), err
}

// Members returns the values of the record by their names in [RecordFields], and of
// "deleted" and "cursor" if it has them.
func (r SourceRecord) Members() (map[string]json.RawMessage, error) {
	data, err := r.MarshalJSON()
	if err != nil {
		return nil, err
	}
	var members map[string]json.RawMessage
	err = json.Unmarshal(data, &members)
	return members, err
}

// plainJSON encodes a value without escaping HTML, which most texts are.
func plainJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(v)
	return bytes.TrimRight(b.Bytes(), "\n"), err
}

// RecordFields returns the names of the members of a stream's records, in order.
func RecordFields(stream Stream) []string {
	r := SourceRecord{Stream: stream}
	target, err := r.target()
	if err != nil {
		return nil
	}
	shape := reflect.TypeOf(target).Elem()
	names := make([]string, shape.NumField())
	for i := range names {
		names[i], _, _ = strings.Cut(shape.Field(i).Tag.Get("json"), ",")
	}
	return names
}

// RecordPage is a page of records, encoded.
type RecordPage struct {
	Records []json.RawMessage `json:"data"`
	// Next continues after the page. In the order of changes it is always set, so that
	// what changes later can be followed.
	Next string `json:"next,omitempty" doc:"The cursor of the next page. With order=change it is always set: keep it, and ask again later for what changed since."`
	// More says that there are more records now.
	More bool `json:"more" doc:"Whether there are more records now."`
}
