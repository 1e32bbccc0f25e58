package server

import (
	"slices"
	"time"
)

// fact is one event that metrics aggregate and records show.
type fact struct {
	at           time.Time
	conversation *Conversation
	agent, queue string
	// value is a score or a duration, in the unit of the record.
	value *int64
	// closedBy is set for a closing.
	closedBy string
}

// values returns a fact's values of a filter's attribute.
func (f fact) values(attribute string) []string {
	var value string
	switch attribute {
	case byAgent:
		value = f.agent
	case byQueue:
		value = f.queue
	case byChannel:
		value = upperSnake(f.conversation.Channel)
	case byDirection:
		value = upperSnake(f.conversation.Direction)
	case byTag:
		return f.conversation.TagIDs
	case byContactPoint:
		value = f.conversation.ContactPoint
	}
	if value == "" {
		return nil
	}
	return []string{value}
}

// closeFacts lists every closing, so a conversation that was reopened has several.
func (s *Server) closeFacts(*call) []fact {
	var facts []fact
	for _, entry := range s.state.Activity {
		conversation, err := s.findConversation(entry.ConversationID)
		if entry.Type != "ConversationClosed" || err != nil {
			continue
		}
		closing := fact{at: entry.At, conversation: conversation, queue: entry.QueueID, closedBy: "Unknown"}
		switch {
		case entry.AuthorID == conversation.RequesterID:
			closing.closedBy = "Enduser"
		case s.person(entry.AuthorID) != nil: // a removed agent is an end user from then on
			closing.agent, closing.closedBy = entry.AuthorID, "Agent"
		}
		facts = append(facts, closing)
	}
	return facts
}

// ratingFacts lists every answered Csat rating.
func (s *Server) ratingFacts(c *call) []fact {
	offers := s.placesByTime("ConversationRatingOffered")
	answers := s.placesByTime("ConversationRated")
	var facts []fact
	for _, conversation := range s.state.Conversations {
		for _, rating := range conversation.Ratings {
			if rating.Type != "Csat" || rating.Score == nil {
				continue
			}
			score := int64(*rating.Score)
			answered := fact{
				at: rating.SubmittedAt, conversation: conversation, value: &score,
				agent: conversation.AssigneeID, queue: conversation.QueueID,
			}
			if c.switches.Analytics.RatingTime == "offered" {
				answered.at = rating.OfferedAt
			}
			// A survey that was answered at once has no entry for the offer.
			answer := answers.last(conversation.ID, rating.SubmittedAt)
			offer := answer
			if found := offers.last(conversation.ID, rating.OfferedAt); found != nil {
				offer = found
			}
			if answer != nil {
				answered.agent = answer.AssigneeID
			}
			if offer != nil {
				answered.queue = offer.QueueID
			}
			facts = append(facts, answered)
		}
	}
	return facts
}

// responseFacts lists the first reply of an agent in every conversation that its
// customer started. An automatic reply does not count.
func (s *Server) responseFacts(c *call) []fact {
	replies := s.placesByTime("MessageAddedByAgent")
	var facts []fact
	for _, conversation := range s.state.Conversations {
		if conversation.Direction != Inbound {
			continue
		}
		at := slices.IndexFunc(conversation.Messages, func(m *Message) bool { return m.Direction == Outbound && !m.AutoReply })
		if at < 0 {
			continue
		}
		message := conversation.Messages[at]
		took := message.CreatedAt.Sub(conversation.CreatedAt)
		value := int64(took / time.Second)
		if c.switches.Analytics.ResponseUnit == "millis" {
			value = took.Milliseconds()
		}
		response := fact{at: message.CreatedAt, conversation: conversation, agent: message.AuthorID, queue: conversation.QueueID, value: &value}
		if c.switches.Analytics.ResponseTime == "created" {
			response.at = conversation.CreatedAt
		}
		if entry := replies.last(conversation.ID, message.CreatedAt); entry != nil {
			response.queue = entry.QueueID
		}
		facts = append(facts, response)
	}
	return facts
}

// assignmentFacts lists every assignment of a conversation to an agent.
func (s *Server) assignmentFacts(*call) []fact {
	var facts []fact
	for _, entry := range s.state.Activity {
		conversation, err := s.findConversation(entry.ConversationID)
		if entry.Type == "ConversationAssigned" && err == nil {
			facts = append(facts, fact{at: entry.At, conversation: conversation, agent: entry.AssigneeID, queue: entry.QueueID})
		}
	}
	return facts
}

// places are entries of the activity log, by conversation, in order.
type places map[int64][]*Activity

func (s *Server) placesByTime(activity string) places {
	found := places{}
	for _, entry := range s.state.Activity {
		if entry.Type == activity {
			found[entry.ConversationID] = append(found[entry.ConversationID], entry)
		}
	}
	return found
}

// last returns the last entry of a conversation at or before a time or, if there is
// none, its first entry. It returns nil without entries.
func (p places) last(conversation int64, at time.Time) *Activity {
	entries := p[conversation]
	if len(entries) == 0 {
		return nil
	}
	found := entries[0]
	for _, entry := range entries[1:] {
		if !entry.At.After(at) {
			found = entry
		}
	}
	return found
}
