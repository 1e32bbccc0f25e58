package dixa

import "encoding/json"

// ExportedConversation is a row of the conversation export. Every field but ID may be
// missing. Times that are missing are zero.
type ExportedConversation struct {
	ID        int64 `json:"id"`
	CreatedAt Time  `json:"created_at,omitzero"`
	UpdatedAt Time  `json:"updated_at,omitzero"`
	// LastMessageCreatedAt is when the last message was created.
	LastMessageCreatedAt Time `json:"last_message_created_at,omitzero"`
	QueuedAt             Time `json:"queued_at,omitzero"`
	AssignedAt           Time `json:"assigned_at,omitzero"`
	ClosedAt             Time `json:"closed_at,omitzero"`
	AnonymizedAt         Time `json:"anonymized_at,omitzero"`

	// InitialChannel, Direction and Status are open sets in a notation that Dixa does
	// not document, such as "email", "inbound" and "open".
	InitialChannel string `json:"initial_channel,omitempty"`
	Direction      string `json:"direction,omitempty"`
	Status         string `json:"status,omitempty"`
	Subject        string `json:"subject,omitempty"`

	RequesterID                     string   `json:"requester_id,omitempty"`
	RequesterName                   string   `json:"requester_name,omitempty"`
	RequesterEmail                  string   `json:"requester_email,omitempty"`
	RequesterPhoneNumber            string   `json:"requester_phone_number,omitempty"`
	RequesterAdditionalEmails       []string `json:"requester_additional_emails,omitempty"`
	RequesterAdditionalPhoneNumbers []string `json:"requester_additional_phone_numbers,omitempty"`

	QueueID       string `json:"queue_id,omitempty"`
	QueueName     string `json:"queue_name,omitempty"`
	AssigneeID    string `json:"assignee_id,omitempty"`
	AssigneeName  string `json:"assignee_name,omitempty"`
	AssigneeEmail string `json:"assignee_email,omitempty"`

	// RatingScore and RatingMessage are those of the last rating. Ratings lists all of
	// them, also those that were only offered.
	RatingScore   *int             `json:"rating_score,omitempty"`
	RatingMessage string           `json:"rating_message,omitempty"`
	Ratings       []ExportedRating `json:"ratings,omitempty"`

	// TotalDuration and HandlingDuration are in a unit that Dixa does not document.
	TotalDuration    *int64 `json:"total_duration,omitempty"`
	HandlingDuration *int64 `json:"handling_duration,omitempty"`

	EmailIntegrationID string `json:"dixa_email_integration_id,omitempty"`

	// Tags are names.
	Tags         []string              `json:"tags,omitempty"`
	TagsInfo     []ExportedTag         `json:"tags_info,omitempty"`
	WrapupNotes  []string              `json:"conversation_wrapup_notes,omitempty"`
	CustomFields []ExportedCustomField `json:"custom_fields,omitempty"`
	Extra        Extra                 `json:"-"`
}

// UnmarshalJSON keeps unknown members in Extra.
func (c *ExportedConversation) UnmarshalJSON(b []byte) error { return decodeOpen(b, c) }

// MarshalJSON also writes the members in Extra.
func (c ExportedConversation) MarshalJSON() ([]byte, error) { return encodeOpen(c) }

// ExportedRating is a rating of an exported conversation. Type and Status are open
// sets in a notation that Dixa does not document, such as "stars".
type ExportedRating struct {
	Score     *int   `json:"rating_score,omitempty"`
	Message   string `json:"rating_message,omitempty"`
	Type      string `json:"rating_type,omitempty"`
	Status    string `json:"rating_status,omitempty"`
	CreatedAt Time   `json:"rating_created_timestamp,omitzero"`
	OfferedAt Time   `json:"rating_offered_timestamp,omitzero"`
	RatedAt   Time   `json:"rating_rated_timestamp,omitzero"`
	Extra     Extra  `json:"-"`
}

// UnmarshalJSON keeps unknown members in Extra.
func (r *ExportedRating) UnmarshalJSON(b []byte) error { return decodeOpen(b, r) }

// MarshalJSON also writes the members in Extra.
func (r ExportedRating) MarshalJSON() ([]byte, error) { return encodeOpen(r) }

// ExportedTag is a tag of an exported conversation.
type ExportedTag struct {
	ID            string `json:"id"`
	Name          string `json:"name"`
	IsDeactivated bool   `json:"is_deactivated"`
}

// ExportedCustomField is the value of a custom attribute.
type ExportedCustomField struct {
	AttributeID string `json:"attribute_id"`
	Identifier  string `json:"identifier"`
	// Value is a string or an array.
	Value    json.RawMessage `json:"value,omitempty"`
	DataType string          `json:"data_type,omitempty"`
	Archived bool            `json:"archived"`
}

// ExportedMessage is a row of the message export. Every field but ID and
// ConversationID may be missing.
type ExportedMessage struct {
	ID             string   `json:"id"`
	ConversationID int64    `json:"csid"`
	CreatedAt      Time     `json:"created_at,omitzero"`
	InitialChannel string   `json:"initial_channel,omitempty"`
	Direction      string   `json:"direction,omitempty"`
	AuthorName     string   `json:"author_name,omitempty"`
	AuthorEmail    string   `json:"author_email,omitempty"`
	Text           string   `json:"text,omitempty"`
	From           string   `json:"from,omitempty"`
	To             []string `json:"to,omitempty"`
	CC             []string `json:"cc,omitempty"`
	BCC            []string `json:"bcc,omitempty"`
	// AttachedFiles are URLs.
	AttachedFiles      []string `json:"attached_files,omitempty"`
	IsAutomatedMessage bool     `json:"is_automated_message"`
	Extra              Extra    `json:"-"`
}

// UnmarshalJSON keeps unknown members in Extra.
func (m *ExportedMessage) UnmarshalJSON(b []byte) error { return decodeOpen(b, m) }

// MarshalJSON also writes the members in Extra.
func (m ExportedMessage) MarshalJSON() ([]byte, error) { return encodeOpen(m) }
