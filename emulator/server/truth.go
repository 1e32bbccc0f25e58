package server

import (
	"maps"
	"slices"
	"time"
)

// Truth is what the emulator knows about one conversation, as plain values, so that a
// test can compare them with what a client found out through the API. It is read
// directly from the state: no switch affects it, and nothing is computed.
type Truth struct {
	ID                 int64
	CreatedAt          time.Time
	Channel, Direction string
	Subject, Language  string
	State              string
	StateUpdatedAt     time.Time
	// UpdatedAt is the time of the last change that the activity log shows.
	UpdatedAt time.Time
	// ClosedAt is the time of the last close, also if the conversation was reopened.
	ClosedAt     time.Time
	AnonymizedAt time.Time
	FollowupAt   time.Time
	RequesterID  string
	QueueID      string
	QueuedAt     time.Time
	AssigneeID   string
	AssignedAt   time.Time
	// Tags are the names of the tags.
	Tags       []string
	Attributes map[string]any // by the id of the attribute
	Messages   []MessageTruth
	Notes      []Note
	// Activity is in the order of the log.
	Activity []Activity
	Ratings  []Rating
}

// MessageTruth is a message of a Truth.
type MessageTruth struct {
	ID, AuthorID, Direction string
	CreatedAt               time.Time
	// Automated means that nobody wrote the message.
	Automated bool
	Text      string
	Files     int
}

// Truth returns what the emulator knows about the conversations with the given ids, or
// about all if none are given, in the order of their ids. Unknown ids are skipped.
func (s *Server) Truth(ids ...int64) []Truth {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	var truths []Truth
	for _, conversation := range s.state.Conversations {
		if len(ids) == 0 || slices.Contains(ids, conversation.ID) {
			truths = append(truths, s.truth(conversation))
		}
	}
	return truths
}

// Conversations returns the number of conversations.
func (s *Server) Conversations() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.state.Conversations)
}

func (s *Server) truth(c *Conversation) Truth {
	return Truth{
		ID: c.ID, CreatedAt: c.CreatedAt, Channel: c.Channel, Direction: c.Direction, Subject: c.Subject, Language: c.Language,
		State: c.State, StateUpdatedAt: c.StateUpdatedAt, UpdatedAt: c.UpdatedAt, ClosedAt: c.LastClosedAt,
		AnonymizedAt: c.AnonymizedAt, FollowupAt: c.FollowupAt, RequesterID: c.RequesterID,
		QueueID: c.QueueID, QueuedAt: c.QueuedAt, AssigneeID: c.AssigneeID, AssignedAt: c.AssignedAt,
		Tags: s.tagNames(c), Attributes: maps.Clone(c.Attributes),
		Messages: each(c.Messages, func(m *Message) MessageTruth {
			text := ""
			if m.Content != nil {
				text = m.Content.Value
			}
			return MessageTruth{m.ID, m.AuthorID, m.Direction, m.CreatedAt, m.AutoReply, text, len(m.Attachments)}
		}),
		Notes: each(c.Notes, func(n *Note) Note { return *n }),
		Activity: each(s.conversationActivity(c.ID), func(entry *Activity) Activity {
			copied := *entry
			copied.Attributes = maps.Clone(entry.Attributes)
			return copied
		}),
		Ratings: each(c.Ratings, func(r *Rating) Rating { return *r }),
	}
}
