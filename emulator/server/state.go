package server

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// States of a conversation.
const (
	StateOpen            = "Open"
	StatePending         = "Pending"
	StateAwaitingPending = "AwaitingPending"
	StateClosed          = "Closed"
)

// Directions of a conversation or message.
const (
	Inbound  = "Inbound"
	Outbound = "Outbound"
)

// State is everything that exists in the emulator, in its own shapes (not Dixa's),
// for inspection by tests and people.
type State struct {
	Organization     Organization           `json:"organization"`
	EndUsers         []*EndUser             `json:"endUsers"`
	Agents           []*Agent               `json:"agents"`
	Teams            []*Team                `json:"teams"`
	Queues           []*Queue               `json:"queues"`
	ContactEndpoints []ContactEndpoint      `json:"contactEndpoints"`
	Attributes       []*AttributeDefinition `json:"attributes"`
	Tags             []*Tag                 `json:"tags"`
	Conversations    []*Conversation        `json:"conversations"`
	Activity         []*Activity            `json:"activity"`
	Webhooks         []*Webhook             `json:"webhooks"`
	Anonymizations   []*Anonymization       `json:"anonymizations"`
	Schedules        []*Schedule            `json:"schedules"`
	Templates        []*Template            `json:"templates"`
	Knowledge        Knowledge              `json:"knowledge"`
}

// Organization is the organization that every token belongs to.
type Organization struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Subdomain string `json:"subdomain"`
	Status    string `json:"status"`
}

// Person holds the fields that end users and agents share.
type Person struct {
	ID                     string    `json:"id"`
	CreatedAt              time.Time `json:"createdAt"`
	DisplayName            string    `json:"displayName,omitempty"`
	Email                  string    `json:"email,omitempty"`
	PhoneNumber            string    `json:"phoneNumber,omitempty"`
	AdditionalEmails       []string  `json:"additionalEmails"`
	AdditionalPhoneNumbers []string  `json:"additionalPhoneNumbers"`
	FirstName              string    `json:"firstName,omitempty"`
	LastName               string    `json:"lastName,omitempty"`
	MiddleNames            []string  `json:"middleNames"`
	AvatarURL              string    `json:"avatarUrl,omitempty"`
}

// EndUser is a customer.
type EndUser struct {
	Person
	ExternalID   string         `json:"externalId,omitempty"`
	Attributes   map[string]any `json:"attributes,omitempty"`
	AnonymizedAt time.Time      `json:"anonymizedAt,omitzero"`
	VisibleAt    time.Time      `json:"visibleAt"`
}

// Agent is a member of the organization.
type Agent struct {
	Person
	Roles []string `json:"roles"`
	// Offline and Away are the agent's presence. WorkingChannels are the channels
	// that the agent works on.
	Offline         bool     `json:"offline,omitempty"`
	Away            bool     `json:"away,omitempty"`
	WorkingChannels []string `json:"workingChannels,omitempty"`
}

// Team is a group of agents.
type Team struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Members []string `json:"members"`
}

// Queue is a queue in which conversations wait to be offered.
type Queue struct {
	ID        string         `json:"id"`
	Name      string         `json:"name"`
	IsDefault bool           `json:"isDefault"`
	Members   []string       `json:"members"`
	Settings  map[string]any `json:"settings,omitempty"`
}

// ContactEndpoint is a mailbox (Address) or a phone number (Number).
type ContactEndpoint struct {
	Address        string   `json:"address,omitempty"`
	SenderOverride string   `json:"senderOverride,omitempty"`
	Number         string   `json:"number,omitempty"`
	Functionality  []string `json:"functionality,omitempty"`
	Name           string   `json:"name,omitempty"`
}

// AttributeDefinition is a custom attribute of conversations or contacts.
type AttributeDefinition struct {
	ID          string `json:"id"`
	EntityType  string `json:"entityType"`
	Identifier  string `json:"identifier"`
	Label       string `json:"label"`
	Description string `json:"description,omitempty"`
	// Options make it a Select attribute. Without options it is a Text attribute.
	Options       []AttributeOption `json:"options,omitempty"`
	Placeholder   string            `json:"placeholder,omitempty"`
	CreatedAt     time.Time         `json:"createdAt"`
	UpdatedAt     time.Time         `json:"updatedAt,omitzero"`
	IsRequired    bool              `json:"isRequired"`
	IsArchived    bool              `json:"isArchived"`
	IsDeactivated bool              `json:"isDeactivated"`
}

// AttributeOption is a choice of a Select attribute. Its JSON matches Dixa's.
type AttributeOption struct {
	ID            string            `json:"id"`
	Label         string            `json:"label"`
	Value         string            `json:"value"`
	NestedOptions []AttributeOption `json:"nestedOptions"`
	IsDeactivated bool              `json:"isDeactivated"`
	OrderIndex    int               `json:"orderIndex"`
}

// Tag is a label for conversations.
type Tag struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Color    string `json:"color,omitempty"`
	Inactive bool   `json:"inactive,omitempty"`
}

// Conversation is a conversation with everything that belongs to it.
type Conversation struct {
	ID             int64     `json:"id"`
	Type           string    `json:"type"`
	Channel        string    `json:"channel"`
	Origin         string    `json:"origin"`
	RequesterID    string    `json:"requesterId"`
	Direction      string    `json:"direction"`
	State          string    `json:"state"`
	StateUpdatedAt time.Time `json:"stateUpdatedAt"`
	CreatedAt      time.Time `json:"createdAt"`
	VisibleAt      time.Time `json:"visibleAt"`
	// UpdatedAt is the time of the last change that the activity log shows.
	UpdatedAt time.Time `json:"updatedAt,omitzero"`
	ClosedAt  time.Time `json:"closedAt,omitzero"`
	// LastClosedAt is ClosedAt, but survives a reopening.
	LastClosedAt time.Time `json:"lastClosedAt,omitzero"`
	FollowupAt   time.Time `json:"followupAt,omitzero"`
	FollowupBy   string    `json:"followupBy,omitempty"`
	AnonymizedAt time.Time `json:"anonymizedAt,omitzero"`
	// ContactPoint is the mailbox, number or widget that the conversation came in
	// through.
	ContactPoint string       `json:"contactPoint,omitempty"`
	FromAddress  string       `json:"fromAddress,omitempty"`
	ToAddress    string       `json:"toAddress,omitempty"`
	Subject      string       `json:"subject,omitempty"`
	Language     string       `json:"language,omitempty"`
	BrowserInfo  *BrowserInfo `json:"browserInfo,omitempty"`
	ExternalID   string       `json:"externalId,omitempty"`
	AssigneeID   string       `json:"assigneeId,omitempty"`
	AssignedAt   time.Time    `json:"assignedAt,omitzero"`
	QueueID      string       `json:"queueId,omitempty"`
	QueuedAt     time.Time    `json:"queuedAt,omitzero"`
	ParentID     int64        `json:"parentId,omitempty"`
	LinkType     string       `json:"linkType,omitempty"`
	TagIDs       []string     `json:"tagIds"`
	TagNames     []string     `json:"tagNames"`
	// PendingTags are bulk tags that have not taken effect yet.
	PendingTags []*PendingTags `json:"pendingTags,omitempty"`
	Attributes  map[string]any `json:"attributes,omitempty"`
	Messages    []*Message     `json:"messages"`
	Notes       []*Note        `json:"notes"`
	Ratings     []*Rating      `json:"ratings"`
}

// PendingTags is a bulk tag that has not taken effect yet.
type PendingTags struct {
	Names []string  `json:"names"`
	Actor string    `json:"actor"`
	DueAt time.Time `json:"dueAt"`
}

// BrowserInfo describes the browser and page in which a chat started. Its JSON
// matches Dixa's.
type BrowserInfo struct {
	Name           string `json:"name"`
	Version        string `json:"version,omitempty"`
	IPAddress      string `json:"ipAddress,omitempty"`
	OriginatingURL string `json:"originatingUrl,omitempty"`
}

// Content is a text with its format: Html, Markdown or Text. Its JSON matches
// Dixa's.
type Content struct {
	Type  string `json:"_type"`
	Value string `json:"value"`
}

// Contact is an email address with an optional name. Its JSON matches Dixa's.
type Contact struct {
	Email string `json:"email"`
	Name  string `json:"name,omitempty"`
}

// File is a stored copy of an attachment.
type File struct {
	// Path is the path of the file under /files, for example
	// /private/<organization>/attachment/<id>.
	Path        string `json:"path"`
	PrettyName  string `json:"prettyName,omitempty"`
	ContentType string `json:"contentType"`
	Bytes       int64  `json:"bytes"`
	// Source is the URL that the file was copied from.
	Source string `json:"source"`
}

// Image reports whether the file is an image.
func (f File) Image() bool { return strings.HasPrefix(f.ContentType, "image/") }

// Message is one message of a conversation.
type Message struct {
	ID          string    `json:"id"`
	AuthorID    string    `json:"authorId"`
	ExternalID  string    `json:"externalId,omitempty"`
	Direction   string    `json:"direction"`
	CreatedAt   time.Time `json:"createdAt"`
	VisibleAt   time.Time `json:"visibleAt"`
	Content     *Content  `json:"content,omitempty"`
	Attachments []File    `json:"attachments"`
	From        Contact   `json:"from,omitzero"`
	To          []Contact `json:"to"`
	CC          []Contact `json:"cc"`
	BCC         []Contact `json:"bcc"`
	AutoReply   bool      `json:"autoReply,omitempty"`
}

// Note is an internal note.
type Note struct {
	ID        string    `json:"id"`
	AuthorID  string    `json:"authorId"`
	CreatedAt time.Time `json:"createdAt"`
	VisibleAt time.Time `json:"visibleAt"`
	Text      string    `json:"text"`
}

// Rating is a question of a satisfaction survey for the customer, with its answer. The
// questions of one survey share an ID.
type Rating struct {
	ID       string `json:"id"`
	Type     string `json:"type"`
	UserID   string `json:"userId"`
	AgentID  string `json:"agentId,omitempty"`
	Status   string `json:"status"`
	Score    *int   `json:"score,omitempty"`
	Comment  string `json:"comment,omitempty"`
	Language string `json:"language,omitempty"`
	// A rating that was offered directly has only OfferedAt and, once it is answered,
	// SubmittedAt. One that was scheduled has the other times too.
	OfferedAt     time.Time `json:"offeredAt,omitzero"`
	SubmittedAt   time.Time `json:"submittedAt,omitzero"`
	ScheduledAt   time.Time `json:"scheduledAt,omitzero"`
	ScheduledFor  time.Time `json:"scheduledFor,omitzero"`
	UnscheduledAt time.Time `json:"unscheduledAt,omitzero"`
	CancelledAt   time.Time `json:"cancelledAt,omitzero"`
}

// Activity is an entry of the activity log.
type Activity struct {
	ID             string         `json:"id"`
	ConversationID int64          `json:"conversationId"`
	At             time.Time      `json:"at"`
	VisibleAt      time.Time      `json:"visibleAt"`
	Type           string         `json:"type"`
	AuthorID       string         `json:"authorId,omitempty"`
	Attributes     map[string]any `json:"attributes,omitempty"`
	// QueueID and AssigneeID are the conversation's queue and agent at that time. Dixa's
	// activity log does not show them.
	QueueID    string `json:"queueId,omitempty"`
	AssigneeID string `json:"assigneeId,omitempty"`
}

// Anonymization is a request to remove personal data.
type Anonymization struct {
	ID          string    `json:"id"`
	Type        string    `json:"type"`
	TargetID    string    `json:"targetId"`
	RequestedBy string    `json:"requestedBy"`
	InitiatedAt time.Time `json:"initiatedAt"`
	DueAt       time.Time `json:"dueAt"`
	ProcessedAt time.Time `json:"processedAt,omitzero"`
}

// State returns a deep copy of everything that exists.
func (s *Server) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	for _, conversation := range s.state.Conversations {
		conversation.TagNames = s.tagNames(conversation)
	}
	return clone(s.state)
}

// clone returns a deep copy of a state.
func clone(state State) State {
	encoded, err := json.Marshal(state)
	if err != nil {
		panic(fmt.Sprintf("emulator: copy state: %v", err)) // the state contains only values that JSON can encode
	}
	var copied State
	if err := json.Unmarshal(encoded, &copied); err != nil {
		panic(fmt.Sprintf("emulator: copy state: %v", err))
	}
	return copied
}

// Conversation returns the conversation with the given id.
func (s State) Conversation(id int64) (*Conversation, bool) {
	for _, conversation := range s.Conversations {
		if conversation.ID == id {
			return conversation, true
		}
	}
	return nil, false
}
