package claim

import (
	"slices"
	"strings"
	"time"
)

// Stream is a kind of records of a Dixa organization.
type Stream string

// Streams of records. Ratings and tags of a conversation are part of
// StreamConversations, but can be listed by themselves.
const (
	StreamConversations Stream = "conversations"
	StreamMessages      Stream = "messages" // with internal notes
	StreamActivityLogs  Stream = "activity_logs"
	StreamRatings       Stream = "ratings"
	StreamDirectory     Stream = "directory"
)

// Streams returns all streams.
func Streams() []Stream {
	return []Stream{StreamConversations, StreamMessages, StreamActivityLogs, StreamRatings, StreamDirectory}
}

// RecordDate is the time that places a record in a period.
type RecordDate string

// Times that place records. A conversation without that time, because it is not
// closed or not rated, is placed by its last activity.
const (
	DateCreated  RecordDate = "created"
	DateClosed   RecordDate = "closed"
	DateRated    RecordDate = "rated"
	DateActivity RecordDate = "last_activity"
)

// RecordDates returns all times that place records.
func RecordDates() []RecordDate {
	return []RecordDate{DateCreated, DateClosed, DateRated, DateActivity}
}

// DataSource selects records of a Dixa organization. Records that no source of the
// connection selects are not stored, except those of claims' own conversations.
type DataSource struct {
	ID    string `json:"id,omitempty"`
	Title string `json:"title" validate:"required,max=200"`
	// Streams are what to store. Empty means all.
	Streams []Stream `json:"streams,omitempty" validate:"max=5,unique,dive,oneof=conversations messages activity_logs ratings directory"`
	// Fields limits the members of listed records. Empty means all.
	Fields []string `json:"fields,omitempty" validate:"max=100,unique,dive,required,max=60"`
	// Channels and QueueIDs are allow-lists by the conversation's channel and current
	// queue. Empty allows all.
	Channels []string `json:"channels,omitempty" validate:"max=50,unique,dive,required,max=60"`
	QueueIDs []string `json:"queue_ids,omitempty" validate:"max=500,unique,dive,required,max=60"`
	// Date is the default date of the records. Defaults to created.
	Date RecordDate `json:"date,omitempty" validate:"omitempty,oneof=created closed rated last_activity"`
	// From is how far back records are stored. Zero means a year before the source
	// was created.
	From time.Time `json:"from,omitzero"`
	// RetentionDays is how many days records stay after their date; 0 keeps them.
	RetentionDays int `json:"retention_days,omitempty" validate:"min=0,max=36500"`
	// KeepFigures keeps the figures of conversations whose records were deleted.
	KeepFigures bool `json:"keep_figures,omitempty"`

	CreatedAt time.Time `json:"created_at,omitzero"`
	UpdatedAt time.Time `json:"updated_at,omitzero"`
}

// DefaultHistory is how far back a source without From reaches.
const DefaultHistory = 365 * 24 * time.Hour

// Has reports whether the source selects a stream.
func (s *DataSource) Has(stream Stream) bool {
	return len(s.Streams) == 0 || slices.Contains(s.Streams, stream)
}

// Since returns the date before which the source has no records, as of now.
func (s *DataSource) Since(now time.Time) time.Time {
	from := s.From
	if from.IsZero() {
		from = s.CreatedAt.Add(-DefaultHistory)
	}
	if s.RetentionDays > 0 {
		from = latest(from, now.AddDate(0, 0, -s.RetentionDays))
	}
	return from
}

// Selectable is what decides whether a source selects a conversation.
type Selectable struct {
	Channel, QueueID                             string
	CreatedAt, ClosedAt, RatedAt, LastActivityAt time.Time
}

// At returns the time that places a conversation.
func (c Selectable) At(date RecordDate) time.Time {
	var at time.Time
	switch date {
	case DateClosed:
		at = c.ClosedAt
	case DateRated:
		at = c.RatedAt
	case DateActivity:
	default:
		at = c.CreatedAt
	}
	if at.IsZero() {
		at = c.LastActivityAt
	}
	return at
}

// Selects reports whether the source selects a conversation, as of now.
func (s *DataSource) Selects(c Selectable, now time.Time) bool {
	return s.Allows(c) && !c.At(s.Date).Before(s.Since(now))
}

// Allows reports whether the source's filters allow a conversation, whatever its
// date.
func (s *DataSource) Allows(c Selectable) bool {
	return (len(s.Channels) == 0 || slices.ContainsFunc(s.Channels, func(name string) bool { return strings.EqualFold(name, c.Channel) })) &&
		(len(s.QueueIDs) == 0 || slices.ContainsFunc(s.QueueIDs, func(id string) bool { return strings.EqualFold(id, c.QueueID) }))
}

// Includes reports whether the source's streams and filters select everything that
// those of other do, whatever the dates.
func (s *DataSource) Includes(other DataSource) bool {
	for _, stream := range Streams() {
		if other.Has(stream) && !s.Has(stream) {
			return false
		}
	}
	return includes(s.Channels, other.Channels) && includes(s.QueueIDs, other.QueueIDs)
}

// includes reports whether an allow-list allows everything that another one does.
func includes(list, other []string) bool {
	if len(list) == 0 || len(other) == 0 {
		return len(list) == 0
	}
	return !slices.ContainsFunc(other, func(o string) bool {
		return !slices.ContainsFunc(list, func(l string) bool { return strings.EqualFold(l, o) })
	})
}
