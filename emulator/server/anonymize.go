package server

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

func (a *Anonymization) body() map[string]any {
	body := map[string]any{
		"id": a.ID, "entityType": a.Type + "AnonymizationType", "_type": a.Type,
		"initiatedAt": zoned(a.InitiatedAt), "targetEntityId": a.TargetID, "requestedBy": a.RequestedBy,
	}
	if !a.ProcessedAt.IsZero() {
		body["processedAt"] = zoned(a.ProcessedAt)
	}
	return body
}

// request notes an anonymization and processes it later.
func (s *Server) requestAnonymization(c *call, kind, target string, process func(*call)) *Anonymization {
	request := &Anonymization{
		ID: s.newID(), Type: kind, TargetID: target, RequestedBy: c.actor, InitiatedAt: c.now,
	}
	s.state.Anonymizations = append(s.state.Anonymizations, request)
	actor := c.actor
	s.later(time.Duration(c.switches.AnonymizationDelay), func() {
		request.ProcessedAt = s.clock()
		process(&call{now: s.clock(), actor: actor, switches: s.switches})
	})
	return request
}

func (s *Server) getAnonymization(c *call) (reply, error) {
	id, err := c.uuid("requestId")
	if err != nil {
		return reply{}, err
	}
	at := slices.IndexFunc(s.state.Anonymizations, func(a *Anonymization) bool { return a.ID == id })
	if at < 0 {
		return reply{}, notFound()
	}
	return ok(s.state.Anonymizations[at].body())
}

func (s *Server) anonymizeEndUser(c *call) (reply, error) {
	user, err := s.pathEndUser(c)
	if err != nil {
		return reply{}, err
	}
	force, err := c.flag("force")
	if err != nil {
		return reply{}, err
	}
	request, err := s.forgetUser(c, user, force)
	if err != nil {
		return reply{}, err
	}
	return data(http.StatusAccepted, request.body())
}

func (s *Server) forgetUser(c *call, user *EndUser, force bool) (*Anonymization, error) {
	var theirs []*Conversation
	for _, conversation := range s.state.Conversations {
		if conversation.RequesterID != user.ID {
			continue
		}
		if conversation.State != StateClosed && !force {
			return nil, conflict("The end user has conversations that are not closed")
		}
		theirs = append(theirs, conversation)
	}
	return s.requestAnonymization(c, "User", user.ID, func(then *call) {
		for _, conversation := range theirs {
			s.forgetConversation(then, conversation)
		}
		user.Person = Person{ID: user.ID, CreatedAt: user.CreatedAt, DisplayName: "Anonymized"}.tidy()
		user.ExternalID, user.Attributes, user.AnonymizedAt = "", nil, then.now
	}), nil
}

func (s *Server) anonymizeConversation(c *call) (reply, error) {
	conversation, err := s.pathConversation(c)
	if err != nil {
		return reply{}, err
	}
	force, err := c.flag("force")
	if err != nil {
		return reply{}, err
	}
	if conversation.State != StateClosed && !force {
		return reply{}, conflict("The conversation is not closed")
	}
	target := strconv.FormatInt(conversation.ID, 10)
	request := s.requestAnonymization(c, "Conversation", target, func(then *call) { s.forgetConversation(then, conversation) })
	return data(http.StatusAccepted, request.body())
}

func (s *Server) anonymizeMessage(c *call) (reply, error) {
	conversation, err := s.pathConversation(c)
	if err != nil {
		return reply{}, err
	}
	id, err := c.uuid("messageId")
	if err != nil {
		return reply{}, err
	}
	at := slices.IndexFunc(conversation.Messages, func(m *Message) bool { return m.ID == id })
	if at < 0 {
		return reply{}, notFound()
	}
	message := conversation.Messages[at]
	target := strconv.FormatInt(conversation.ID, 10) + "_" + message.ID
	request := s.requestAnonymization(c, "Message", target, func(then *call) {
		files := len(message.Attachments)
		s.forgetMessage(message)
		s.record(then, conversation, "ConversationMessageRedacted", then.actor, "MessageRedactedAttribute",
			map[string]any{"messageId": message.ID, "wasTextRedacted": true, "numberOfDeletedFiles": files})
	})
	return data(http.StatusAccepted, request.body())
}

func (s *Server) forgetConversation(c *call, conversation *Conversation) {
	if conversation.State != StateClosed {
		s.shut(c, conversation, c.actor)
	}
	conversation.AnonymizedAt, conversation.Subject, conversation.Attributes = c.now, "", nil
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

// anonymize is the deprecated operation for any kind of entity.
func (s *Server) anonymize(c *call) (reply, error) {
	input, err := decode[struct {
		EntityID string `json:"entityId" validate:"required"`
		Kind     string `json:"entityType"`
		Force    bool   `json:"forceAnonymization"`
		Type     string `json:"_type" validate:"omitempty,oneof=Conversation Message User"`
	}](c)
	if err != nil {
		return reply{}, err
	}
	kind := input.Type
	if kind == "" {
		kind = strings.TrimSuffix(input.Kind, "AnonymizationType")
	}
	mismatch := bad("The entityId doesn't match the expected format for the specified type")
	switch kind {
	case "User":
		user, err := s.findEndUser(input.EntityID)
		if err != nil {
			return reply{}, mismatch
		}
		request, err := s.forgetUser(c, user, input.Force)
		if err != nil {
			return reply{}, bad(messageInvalid) // the operation documents no 409
		}
		return ok(request.body())
	case "Conversation":
		id, err := strconv.ParseInt(input.EntityID, 10, 64)
		if err != nil {
			return reply{}, mismatch
		}
		conversation, err := s.findConversation(id)
		if err != nil || conversation.State != StateClosed && !input.Force {
			return reply{}, bad(messageInvalid)
		}
		request := s.requestAnonymization(c, "Conversation", input.EntityID, func(then *call) { s.forgetConversation(then, conversation) })
		return ok(request.body())
	case "":
		return reply{}, bad("The entity type is missing")
	}
	return reply{}, mismatch
}
