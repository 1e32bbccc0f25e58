package unified

import (
	"encoding/json"
	"strconv"
	"time"
)

// Ref refers to another object.
type Ref struct {
	ID   string  `json:"id"`
	Name *string `json:"name"`
}

// MappedRef refers to a value that may have a category, see [Mapping].
type MappedRef struct {
	ID       string  `json:"id"`
	Name     *string `json:"name"`
	Category *string `json:"category"`
}

// CollectionRef refers to a queue or contact endpoint, which may have a category.
type CollectionRef struct {
	ID       string  `json:"id"`
	Name     *string `json:"name"`
	Type     string  `json:"type"`
	Category *string `json:"category"`
}

// TypedRef refers to an object whose kind is in Type.
type TypedRef struct {
	ID   string  `json:"id"`
	Name *string `json:"name"`
	Type string  `json:"type"`
}

// Email is an address of a person. Type is primary or additional.
type Email struct {
	Email     string `json:"email"`
	Type      string `json:"type"`
	IsPrimary bool   `json:"is_primary"`
}

// Phone is a number of a person, in E.164 format. Type is primary or additional.
type Phone struct {
	Number string `json:"number"`
	Type   string `json:"type"`
}

// PersonRef refers to a person, with what identifies the person elsewhere.
type PersonRef struct {
	ID        string  `json:"id"`
	Name      *string `json:"name"`
	FirstName *string `json:"first_name"`
	LastName  *string `json:"last_name"`
	Emails    []Email `json:"emails"`
	Phones    []Phone `json:"phones"`
}

// Ticket is a conversation in Dixa.
type Ticket struct {
	ID     string    `json:"id"`
	Number string    `json:"number"`
	Name   *string   `json:"name"`
	Status MappedRef `json:"status"`
	// Assignees has one agent at most.
	Assignees []PersonRef `json:"assignees"`
	CreatedBy *TypedRef   `json:"created_by"`
	Contact   *PersonRef  `json:"contact"`
	// Collections are the queue and the contact endpoint.
	Collections []CollectionRef            `json:"collections"`
	TicketType  *MappedRef                 `json:"ticket_type"`
	Tags        []Ref                      `json:"tags"`
	Fields      map[string]json.RawMessage `json:"custom_fields"`
	CreatedAt   *time.Time                 `json:"created_at"`
	UpdatedAt   *time.Time                 `json:"updated_at"`
	ClosedAt    *time.Time                 `json:"closed_at"`
	RemoteData  json.RawMessage            `json:"remote_data,omitempty"`
}

// Comment is a message or an internal note of a conversation.
type Comment struct {
	ID       string    `json:"id"`
	Ticket   TicketRef `json:"ticket"`
	Author   *TypedRef `json:"author"`
	Receiver *TypedRef `json:"receiver"`
	// Body is the plain text and HTMLBody the formatted text.
	Body        *string      `json:"body"`
	HTMLBody    *string      `json:"html_body"`
	Attachments []Attachment `json:"attachments"`
	// IsInternal and IsPrivate are true for internal notes.
	IsInternal bool            `json:"is_internal"`
	IsPrivate  bool            `json:"is_private"`
	Channel    *TypedRef       `json:"channel"`
	CreatedAt  *time.Time      `json:"created_at"`
	RemoteData json.RawMessage `json:"remote_data,omitempty"`
}

// TicketRef refers to a ticket.
type TicketRef struct {
	ID string `json:"id"`
}

// Attachment is a file of a message. Its id is the message's and the file's place in
// it.
type Attachment struct {
	ID          string          `json:"id"`
	TicketID    string          `json:"ticket_id"`
	FileName    *string         `json:"file_name"`
	FileURL     *string         `json:"file_url"`
	ContentType *string         `json:"content_type"`
	UploadedBy  *Ref            `json:"uploaded_by"`
	UploaderIs  *string         `json:"uploaded_by_type"`
	CreatedAt   *time.Time      `json:"created_at"`
	RemoteData  json.RawMessage `json:"remote_data,omitempty"`
}

// Contact is an end user in Dixa.
type Contact struct {
	ID         string                     `json:"id"`
	Name       *string                    `json:"name"`
	FirstName  *string                    `json:"first_name"`
	LastName   *string                    `json:"last_name"`
	Emails     []Email                    `json:"emails"`
	Phones     []Phone                    `json:"phones"`
	Avatar     *string                    `json:"avatar"`
	ExternalID *string                    `json:"external_id"`
	Fields     map[string]json.RawMessage `json:"custom_fields"`
	CreatedAt  *time.Time                 `json:"created_at"`
	RemoteData json.RawMessage            `json:"remote_data,omitempty"`
}

// User is an agent or admin in Dixa, of both models.
type User struct {
	ID         string          `json:"id"`
	Name       *string         `json:"name"`
	FirstName  *string         `json:"first_name"`
	LastName   *string         `json:"last_name"`
	Username   *string         `json:"username"`
	Emails     []Email         `json:"emails"`
	Phones     []Phone         `json:"phones"`
	Avatar     *string         `json:"avatar"`
	IsActive   bool            `json:"is_active"`
	Status     string          `json:"status"`
	TeamIDs    []string        `json:"team_ids"`
	Groups     []Ref           `json:"groups"`
	Roles      []Ref           `json:"roles"`
	CreatedAt  *time.Time      `json:"created_at"`
	RemoteData json.RawMessage `json:"remote_data,omitempty"`
}

// Team is a team of agents.
type Team struct {
	ID         string          `json:"id"`
	Name       *string         `json:"name"`
	RemoteData json.RawMessage `json:"remote_data,omitempty"`
}

// Group is a team in the user directory.
type Group struct {
	ID   string  `json:"id"`
	Name *string `json:"name"`
	// Type and GroupType are the same under the names of two versions of the API.
	Type       string          `json:"type"`
	GroupType  string          `json:"group_type"`
	RemoteData json.RawMessage `json:"remote_data,omitempty"`
}

// Role is a role of agents. Dixa has no operation that lists roles.
type Role struct {
	ID           string          `json:"id"`
	Name         string          `json:"name"`
	ApplicableIn string          `json:"applicable_in"`
	RemoteData   json.RawMessage `json:"remote_data,omitempty"`
}

// Tag is a tag.
type Tag struct {
	ID   string  `json:"id"`
	Name *string `json:"name"`
	// Color has the form "#00aaff".
	Color *string `json:"color"`
	// Status is active or inactive.
	Status     string          `json:"status"`
	RemoteData json.RawMessage `json:"remote_data,omitempty"`
}

// Collection is a queue or a contact endpoint.
type Collection struct {
	ID         string  `json:"id"`
	Name       *string `json:"name"`
	Type       string  `json:"type"`
	EntityType string  `json:"entity_type"`
	// Category is the caller's own, see [Mapping].
	Category   *string         `json:"category"`
	RemoteData json.RawMessage `json:"remote_data,omitempty"`
}

// Values of the type of objects that a definition is for.
const (
	EntityTicket  = "ticket"
	EntityContact = "contact"
)

// Types of collections.
const (
	CollectionQueue    = "queue"
	CollectionEndpoint = "contact_endpoint"
)

// Field is the definition of a custom attribute.
type Field struct {
	ID            string          `json:"id"`
	Name          string          `json:"name"`
	Label         *string         `json:"label"`
	Description   *string         `json:"description"`
	Type          string          `json:"type"`
	IsRequired    bool            `json:"is_required"`
	IsHidden      bool            `json:"is_hidden"`
	IsUserDefined bool            `json:"is_user_defined"`
	EntityType    string          `json:"entity_type"`
	Options       []FieldOption   `json:"options"`
	CreatedAt     *time.Time      `json:"created_at"`
	UpdatedAt     *time.Time      `json:"updated_at"`
	RemoteData    json.RawMessage `json:"remote_data,omitempty"`
}

// FieldOption is a value of a field. Nested options of Dixa follow their parent.
type FieldOption struct {
	Label    string `json:"label"`
	Value    string `json:"value"`
	IsHidden bool   `json:"is_hidden"`
}

// Status is a state of conversations.
type Status struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// Category is the caller's own, see [Mapping].
	Category   *string         `json:"category"`
	RemoteData json.RawMessage `json:"remote_data,omitempty"`
}

// TicketType is a channel of conversations.
type TicketType struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// Category is the caller's own, see [Mapping].
	Category   *string         `json:"category"`
	RemoteData json.RawMessage `json:"remote_data,omitempty"`
}

// Key implements [Object].
func (o *Ticket) Key() string { return o.ID }

// Key implements [Object].
func (o *Comment) Key() string { return o.ID }

// Key implements [Object].
func (o *Attachment) Key() string { return o.ID }

// Key implements [Object].
func (o *Contact) Key() string { return o.ID }

// Key implements [Object].
func (o *User) Key() string { return o.ID }

// Key implements [Object].
func (o *Team) Key() string { return o.ID }

// Key implements [Object].
func (o *Group) Key() string { return o.ID }

// Key implements [Object].
func (o *Role) Key() string { return o.ID }

// Key implements [Object].
func (o *Tag) Key() string { return o.ID }

// Key implements [Object].
func (o *Collection) Key() string { return o.ID }

// Key implements [Object].
func (o *Field) Key() string { return o.ID }

// Key implements [Object].
func (o *Status) Key() string { return o.ID }

// Key implements [Object].
func (o *TicketType) Key() string { return o.ID }

func (o *Ticket) remote() *json.RawMessage     { return &o.RemoteData }
func (o *Comment) remote() *json.RawMessage    { return &o.RemoteData }
func (o *Attachment) remote() *json.RawMessage { return &o.RemoteData }
func (o *Contact) remote() *json.RawMessage    { return &o.RemoteData }
func (o *User) remote() *json.RawMessage       { return &o.RemoteData }
func (o *Team) remote() *json.RawMessage       { return &o.RemoteData }
func (o *Group) remote() *json.RawMessage      { return &o.RemoteData }
func (o *Role) remote() *json.RawMessage       { return &o.RemoteData }
func (o *Tag) remote() *json.RawMessage        { return &o.RemoteData }
func (o *Collection) remote() *json.RawMessage { return &o.RemoteData }
func (o *Field) remote() *json.RawMessage      { return &o.RemoteData }
func (o *Status) remote() *json.RawMessage     { return &o.RemoteData }
func (o *TicketType) remote() *json.RawMessage { return &o.RemoteData }

// text returns a pointer to a text, or nil if it is empty.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// instant returns a pointer to a time in UTC, or nil if it is zero. It is in whole
// seconds, because the same time has milliseconds in Dixa's exports and events and none
// in its API.
func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Second)
	return &t
}

func conversationID(id int64) string { return strconv.FormatInt(id, 10) }
