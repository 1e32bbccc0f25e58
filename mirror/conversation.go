package mirror

import (
	"encoding/json"
	"time"

	"github.com/claimflow/claimflow/claim"
)

// Conversation is what is known of a conversation in Dixa: the newest known value of
// each part, by Dixa's clock. The embedded part is what a claim follows.
//
// Names, addresses, the subject and texts are personal data.
type Conversation struct {
	claim.Conversation

	Origin   Origin   `json:"origin,omitzero"`
	Reported Reported `json:"reported,omitzero"`
	// TagInfo describes the tags in Tags by name, as far as a source does.
	TagInfo map[string]TagInfo `json:"tag_info,omitempty"`
	// Ratings are those of the newest complete list of them, by key: an export row or
	// the API's list. [Conversation.KnownRatings] adds what Answers know.
	Ratings map[string]Rating `json:"ratings,omitempty"`
	// RatingPeople are the parts of ratings that only the API's list has, by key.
	RatingPeople map[string]RatingPerson `json:"rating_people,omitempty"`
	// Answers are offers and answers that events and the activity log report, by the
	// event's or entry's id. Those not newer than Ratings are removed: Ratings has
	// them too.
	Answers map[string]Rating `json:"answers,omitempty"`
	// Attributes are the values of custom attributes, by the definition's id.
	Attributes map[string]Attribute `json:"attributes,omitempty"`
	// Changes are changes of state known from events, by the event's id. Those not
	// newer than the conversation's newest activity log entry are removed, except
	// those about SLAs: the log has the others too.
	Changes map[string]StateChange `json:"changes,omitempty"`
	// LoggedAt is the time of the newest known activity log entry. It is not encoded,
	// because the entries tell it.
	LoggedAt time.Time `json:"-"`

	// Stamps of the parts above, compared with later facts.
	// OriginAt is the newest of Origin; parts of Origin from older facts are in
	// OriginParts by their JSON names.
	OriginAt       claim.Stamp            `json:"origin_at,omitzero"`
	OriginParts    map[string]claim.Stamp `json:"origin_parts,omitempty"`
	RequesterAt    claim.Stamp            `json:"requester_at,omitzero"`
	ReportedAt     claim.Stamp            `json:"reported_at,omitzero"`
	RatingsAt      claim.Stamp            `json:"ratings_at,omitzero"`
	RatingPeopleAt claim.Stamp            `json:"rating_people_at,omitzero"`
	AttributesAt   claim.Stamp            `json:"attributes_at,omitzero"`
}

// Origin is how a conversation began. A part that one source leaves out is taken
// from another.
type Origin struct {
	CreatedAt time.Time `json:"created_at,omitzero"`
	// Channel is the initial channel in the API's spelling, such as "Email". It is
	// kept as received if the spelling is unknown.
	Channel string `json:"channel,omitempty"`
	// Direction is inbound or outbound, from the shop's point of view.
	Direction string `json:"direction,omitempty"`
	// ContactPoint is the shop's mailbox, number or widget.
	ContactPoint string `json:"contact_point,omitempty"`
	Subject      string `json:"subject,omitempty"`
	Language     string `json:"language,omitempty"`
	// Email and Phone are the requester's.
	Email string `json:"email,omitempty"`
	Phone string `json:"phone,omitempty"`
}

// Reported are times, durations and counts of the newest export row. Zero or nil means not
// reported. AnonymizedAt may come from any source and never becomes zero again.
type Reported struct {
	UpdatedAt     time.Time `json:"updated_at,omitzero"`
	QueuedAt      time.Time `json:"queued_at,omitzero"`
	AssignedAt    time.Time `json:"assigned_at,omitzero"`
	ClosedAt      time.Time `json:"closed_at,omitzero"`
	LastMessageAt time.Time `json:"last_message_at,omitzero"`
	AnonymizedAt  time.Time `json:"anonymized_at,omitzero"`
	// TotalDuration and HandlingDuration are in a unit that Dixa does not document.
	// They are never mixed with computed durations.
	TotalDuration    *int64 `json:"total_duration,omitempty"`
	HandlingDuration *int64 `json:"handling_duration,omitempty"`
	// Notes is the number of notes. Exports have their texts only.
	Notes int `json:"notes,omitempty"`
}

// TagInfo describes a tag of a conversation.
type TagInfo struct {
	ID          string `json:"id,omitempty"`
	Deactivated bool   `json:"deactivated,omitempty"`
}

// Kinds of ratings, in the API's spelling.
const (
	RatingCSAT   = "Csat"           // 1 to 5
	RatingNPS    = "Nps"            // 0 to 10
	RatingThumbs = "ThumbsUpOrDown" // 0 or 1
)

// RatingStatusRated is the status of an answered rating.
const RatingStatusRated = "Rated"

// Rating is a rating that was offered to the customer. The comment is personal data.
type Rating struct {
	// ID is empty if only sources without it know the rating: exports, events and the
	// activity log.
	ID   string `json:"id,omitempty"`
	Type string `json:"type,omitempty"`
	// Status is in the API's spelling: Unscheduled, Scheduled, Offered, Rated or
	// Cancelled.
	Status  string `json:"status,omitempty"`
	Score   *int   `json:"score,omitempty"`
	Comment string `json:"comment,omitempty"`
	// AgentID is the agent that is rated, as far as known.
	AgentID   string    `json:"agent_id,omitempty"`
	CreatedAt time.Time `json:"created_at,omitzero"`
	OfferedAt time.Time `json:"offered_at,omitzero"`
	RatedAt   time.Time `json:"rated_at,omitzero"`
}

// RatingPerson is what only the API says about a rating.
type RatingPerson struct {
	ID      string `json:"id,omitempty"`
	AgentID string `json:"agent_id,omitempty"`
}

// Attribute is the value of a custom attribute.
type Attribute struct {
	Identifier string `json:"identifier,omitempty"`
	// Value is a JSON string or array.
	Value json.RawMessage `json:"value,omitempty"`
}

// StateChange is a change of a conversation that an event reports.
type StateChange struct {
	At time.Time `json:"at"`
	// Kind is an activity type, such as "ConversationClosed".
	Kind    string `json:"kind"`
	AgentID string `json:"agent_id,omitempty"`
	QueueID string `json:"queue_id,omitempty"`
}

// Fact is what one source says about a conversation at one time. Parts that it says
// nothing about are nil or empty.
type Fact struct {
	claim.Fact

	Origin   *Origin
	Reported *Reported
	// AnonymizedAt is when Dixa anonymized the conversation; zero if it did not or if
	// the fact does not say.
	AnonymizedAt time.Time
	// TagInfo describes tags in Tags.
	TagInfo map[string]TagInfo
	// Ratings are all ratings of the conversation; nil if the fact does not include
	// them. Those of the API include RatingPeople.
	Ratings      []Rating
	RatingPeople bool
	// Answer is an offered or answered rating that an event or a log entry reports,
	// under the fact's id.
	Answer *Rating
	// Attributes is nil if the fact does not include them.
	Attributes map[string]Attribute
	// Change is the change that an event reports, under the fact's id.
	Change *StateChange
	// LoggedAt is the time of an activity log entry.
	LoggedAt time.Time
}
