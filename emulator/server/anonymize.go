package server

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"
	"time"
)

func (s *Server) anonymizationBody(a *Anonymization) map[string]any {
	body := map[string]any{
		"id": a.ID, "entityType": a.Type + "AnonymizationType", "_type": a.Type,
		"initiatedAt": s.zoned(a.InitiatedAt), "targetEntityId": a.TargetID, "requestedBy": a.RequestedBy,
	}
	if !a.ProcessedAt.IsZero() {
		body["processedAt"] = s.zoned(a.ProcessedAt)
	}
	return body
}

// requestAnonymization records a request and schedules its processing.
func (s *Server) requestAnonymization(c *call, kind, target string) *Anonymization {
	request := &Anonymization{
		ID: s.newID(), Type: kind, TargetID: target, RequestedBy: c.actor, InitiatedAt: c.now,
		DueAt: c.now.Add(time.Duration(c.switches.AnonymizationDelay)),
	}
	s.state.Anonymizations = append(s.state.Anonymizations, request)
	s.armAnonymization(request)
	return request
}

// armAnonymization schedules the processing of a request for its due time.
func (s *Server) armAnonymization(request *Anonymization) {
	s.at(request.DueAt, func(at time.Time) {
		request.ProcessedAt = at
		then := &call{now: at, actor: request.RequestedBy, switches: s.switches}
		if request.Type == "User" {
			if user := s.endUser(request.TargetID); user != nil {
				s.forgetUser(then, user)
			}
			return
		}
		id, messageID, _ := strings.Cut(request.TargetID, "_")
		number, err := strconv.ParseInt(id, 10, 64)
		if err != nil {
			return
		}
		conversation, err := s.findConversation(number)
		if err != nil {
			return
		}
		if request.Type == "Conversation" {
			s.forgetConversation(then, conversation)
			return
		}
		for _, message := range conversation.Messages {
			if message.ID == messageID {
				s.redactMessage(then, conversation, message)
			}
		}
	})
}

func (s *Server) getAnonymization(c *call) (reply, error) {
	request, err := named(c, "requestId", func(id string) *Anonymization {
		return first(s.state.Anonymizations, func(a *Anonymization) bool { return a.ID == id })
	})
	if err != nil {
		return reply{}, err
	}
	return ok(s.anonymizationBody(request))
}

func (s *Server) anonymizeEndUser(c *call, user *EndUser) (reply, error) {
	force, err := c.flag("force")
	if err != nil {
		return reply{}, err
	}
	request, err := s.requestForUser(c, user, force)
	if err != nil {
		return reply{}, err
	}
	return data(http.StatusAccepted, s.anonymizationBody(request))
}

// requestForUser refuses a request if a conversation of the user is not closed,
// unless force is set.
func (s *Server) requestForUser(c *call, user *EndUser, force bool) (*Anonymization, error) {
	for _, conversation := range s.state.Conversations {
		if conversation.RequesterID == user.ID && conversation.State != StateClosed && !force {
			return nil, conflict("The end user has conversations that are not closed")
		}
	}
	return s.requestAnonymization(c, "User", user.ID), nil
}

func (s *Server) forgetUser(c *call, user *EndUser) {
	for _, conversation := range s.state.Conversations {
		if conversation.RequesterID == user.ID {
			s.forgetConversation(c, conversation)
		}
	}
	user.Person = Person{ID: user.ID, CreatedAt: user.CreatedAt, DisplayName: "Anonymized"}.tidy()
	user.ExternalID, user.Attributes, user.AnonymizedAt = "", nil, c.now
}

func (s *Server) anonymizeConversation(c *call, conversation *Conversation) (reply, error) {
	force, err := c.flag("force")
	if err != nil {
		return reply{}, err
	}
	if conversation.State != StateClosed && !force {
		return reply{}, conflict("The conversation is not closed")
	}
	target := strconv.FormatInt(conversation.ID, 10)
	request := s.requestAnonymization(c, "Conversation", target)
	return data(http.StatusAccepted, s.anonymizationBody(request))
}

func (s *Server) anonymizeMessage(c *call, conversation *Conversation) (reply, error) {
	message, err := named(c, "messageId", func(id string) *Message {
		return first(conversation.Messages, func(m *Message) bool { return m.ID == id })
	})
	if err != nil {
		return reply{}, err
	}
	target := strconv.FormatInt(conversation.ID, 10) + "_" + message.ID
	return data(http.StatusAccepted, s.anonymizationBody(s.requestAnonymization(c, "Message", target)))
}

func (s *Server) redactMessage(c *call, conversation *Conversation, message *Message) {
	files := len(message.Attachments)
	s.forgetMessage(message)
	s.record(c, conversation, "ConversationMessageRedacted", c.actor, "MessageRedactedAttribute",
		map[string]any{"messageId": message.ID, "wasTextRedacted": true, "numberOfDeletedFiles": files})
}

func (s *Server) forgetConversation(c *call, conversation *Conversation) {
	if conversation.State != StateClosed {
		s.shut(c, conversation, c.actor)
	}
	conversation.AnonymizedAt, conversation.UpdatedAt = c.now, c.now
	conversation.Subject, conversation.Attributes = "", nil
	conversation.FromAddress, conversation.ToAddress, conversation.BrowserInfo = "", "", nil
	for _, message := range conversation.Messages {
		s.forgetMessage(message)
	}
	conversation.Notes = []*Note{}
	for _, rating := range conversation.Ratings {
		rating.Comment = ""
	}
}

func (s *Server) forgetMessage(message *Message) {
	for _, file := range message.Attachments {
		delete(s.files, file.Path)
	}
	if message.Content != nil {
		message.Content = &Content{Type: "Text", Value: ""}
	}
	message.Attachments = []File{}
	message.From, message.To, message.CC, message.BCC = Contact{Email: "anonymized"}, []Contact{}, []Contact{}, []Contact{}
}

type anonymizeInput struct {
	EntityID string `json:"entityId" validate:"required"`
	Kind     string `json:"entityType"`
	Force    bool   `json:"forceAnonymization"`
	Type     string `json:"_type" validate:"omitempty,oneof=Conversation Message User"`
}

// anonymize is the deprecated operation that anonymizes any kind of entity.
func (s *Server) anonymize(c *call, input anonymizeInput) (reply, error) {
	kind := cmp.Or(input.Type, strings.TrimSuffix(input.Kind, "AnonymizationType"))
	mismatch := bad("The entityId doesn't match the expected format for the specified type")
	switch kind {
	case "User":
		user := s.endUser(input.EntityID)
		if user == nil {
			return reply{}, mismatch
		}
		request, err := s.requestForUser(c, user, input.Force)
		if err != nil {
			return reply{}, bad(messageInvalid) // the operation documents no 409
		}
		return ok(s.anonymizationBody(request))
	case "Conversation":
		id, err := strconv.ParseInt(input.EntityID, 10, 64)
		if err != nil {
			return reply{}, mismatch
		}
		conversation, err := s.findConversation(id)
		if err != nil || conversation.State != StateClosed && !input.Force {
			return reply{}, bad(messageInvalid)
		}
		request := s.requestAnonymization(c, "Conversation", input.EntityID)
		return ok(s.anonymizationBody(request))
	case "":
		return reply{}, bad("The entity type is missing")
	}
	return reply{}, mismatch
}
