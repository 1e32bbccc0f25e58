package server

import (
	"cmp"
	"net/http"
	"time"
)

type actorInput struct {
	UserID string `json:"userId" validate:"omitempty,uuid"`
}

// acting returns the user who makes a state change: the named user or, if none is
// named, the token's.
func (s *Server) acting(c *call, userID string) (string, error) {
	if userID == "" {
		return c.actor, nil
	}
	if agent := s.agent(userID); agent != nil {
		return agent.ID, nil
	}
	if s.endUser(userID) != nil {
		return "", bad("User is not admin or agent")
	}
	return "", bad("User not found")
}

// acted reads the user who makes a close or reopen request.
func (s *Server) acted(c *call) (actor string, err error) {
	input, err := decodeOptional[actorInput](c)
	if err != nil {
		return "", err
	}
	return s.acting(c, input.UserID)
}

func (s *Server) closeConversation(c *call, conversation *Conversation) (reply, error) {
	actor, err := s.acted(c)
	switch {
	case err != nil:
		return reply{}, err
	case conversation.State != StateClosed:
		s.shut(c, conversation, actor)
	case c.switches.CloseClosed == Rejected:
		return reply{}, bad(messageInvalid)
	}
	return empty(http.StatusNoContent)
}

func (s *Server) reopenConversation(c *call, conversation *Conversation) (reply, error) {
	actor, err := s.acted(c)
	switch {
	case err != nil:
		return reply{}, err
	case conversation.State != StateOpen:
		s.open(c, conversation, actor)
	case c.switches.ReopenOpen == Rejected:
		return reply{}, bad(messageInvalid)
	}
	return empty(http.StatusNoContent)
}

type followupInput struct {
	actorInput
	Timestamp instant `json:"timestamp" validate:"required"`
}

func (s *Server) followupConversation(c *call, conversation *Conversation, input followupInput) (reply, error) {
	actor, err := s.acting(c, input.UserID)
	if err != nil {
		return reply{}, err
	}
	s.postpone(c, conversation, actor, input.Timestamp.Time)
	return empty(http.StatusNoContent)
}

type transferInput struct {
	actorInput
	QueueID string `json:"queueId" validate:"required,uuid"`
}

func (s *Server) transferConversation(c *call, conversation *Conversation, input transferInput) (reply, error) {
	actor, err := s.acting(c, input.UserID)
	if err != nil {
		return reply{}, err
	}
	queue := s.queue(input.QueueID)
	if queue == nil {
		return reply{}, bad("Queue does not exist")
	}
	if err := s.revive(c, conversation, actor); err != nil {
		return reply{}, err
	}
	s.transfer(c, conversation, queue, actor)
	return empty(http.StatusNoContent)
}

type claimInput struct {
	AgentID string `json:"agentId" validate:"required,uuid"`
	Force   *bool  `json:"force"`
}

func (s *Server) claimConversation(c *call, conversation *Conversation, input claimInput) (reply, error) {
	agent := s.agent(input.AgentID)
	if agent == nil {
		if s.endUser(input.AgentID) != nil {
			return reply{}, bad("User is not admin or agent")
		}
		return reply{}, notFound()
	}
	force := c.switches.ClaimForce == "true"
	set(&force, input.Force)
	if !force && conversation.AssigneeID != "" && conversation.AssigneeID != agent.ID {
		return reply{}, conflict("Conversation is already assigned")
	}
	if err := s.revive(c, conversation, agent.ID); err != nil {
		return reply{}, err
	}
	s.assign(c, conversation, agent.ID, agent.ID, "ConversationClaimed")
	return empty(http.StatusNoContent)
}

// revive applies the switch transferClosed to a closed conversation before a
// transfer or claim.
func (s *Server) revive(c *call, conversation *Conversation, actor string) error {
	if conversation.State != StateClosed || c.switches.TransferClosed == Stays {
		return nil
	}
	if c.switches.TransferClosed == Rejected {
		return bad(messageInvalid)
	}
	s.enter(c, conversation, StateOpen)
	s.record(c, conversation, "ConversationReopened", actor, "", nil)
	s.emit(c, conversation, "ConversationOpen", nil)
	return nil
}

func (s *Server) enter(c *call, conversation *Conversation, state string) {
	conversation.State, conversation.StateUpdatedAt = state, c.now
	conversation.ClosedAt, conversation.FollowupAt = time.Time{}, time.Time{}
	if state == StateClosed {
		conversation.ClosedAt, conversation.LastClosedAt = c.now, c.now
	}
}

// shut closes a conversation.
func (s *Server) shut(c *call, conversation *Conversation, actor string) {
	s.enter(c, conversation, StateClosed)
	s.record(c, conversation, "ConversationClosed", actor, "", nil)
	s.emit(c, conversation, "ConversationClosed", nil)
	if conversation.AssigneeID == "" {
		s.emit(c, conversation, "ConversationAbandoned", func() map[string]any {
			return map[string]any{"queue": s.webhookQueue(conversation)}
		})
	}
}

// open reopens a conversation and offers it in its queue or, if it has none, in the
// default queue.
func (s *Server) open(c *call, conversation *Conversation, actor string) {
	s.enter(c, conversation, StateOpen)
	s.record(c, conversation, "ConversationReopened", actor, "", nil)
	s.emit(c, conversation, "ConversationOpen", nil)
	queue := cmp.Or(conversation.QueueID, s.defaultQueue())
	if queue != "" {
		s.enqueue(c, conversation, queue)
	}
}

// postpone makes a conversation pending until its follow-up expires.
func (s *Server) postpone(c *call, conversation *Conversation, actor string, until time.Time) {
	s.pend(c, conversation, actor, until)
	s.armFollowup(conversation)
}

// pend makes a conversation pending. The caller arms or ends the follow-up.
func (s *Server) pend(c *call, conversation *Conversation, actor string, until time.Time) {
	s.enter(c, conversation, StatePending)
	conversation.FollowupAt, conversation.FollowupBy = until, actor
	s.record(c, conversation, "FollowupAdded", actor, "", nil)
	s.record(c, conversation, "ConversationPending", actor, "", nil)
	s.emit(c, conversation, "ConversationPending", nil)
}

// armFollowup schedules the expiry of a follow-up. The expiry has no effect if the
// conversation was closed, reopened or postponed again in the meantime.
func (s *Server) armFollowup(conversation *Conversation) {
	until, actor := conversation.FollowupAt, conversation.FollowupBy
	s.at(until, func(at time.Time) {
		if conversation.State != StatePending || !conversation.FollowupAt.Equal(until) {
			return
		}
		s.expireFollowup(&call{now: at, actor: actor, switches: s.switches}, conversation)
	})
}

// expireFollowup moves a pending conversation to the state set by the switch
// followupExpiry.
func (s *Server) expireFollowup(c *call, conversation *Conversation) {
	by := conversation.FollowupBy
	s.enter(c, conversation, s.switches.FollowupExpiry)
	s.record(c, conversation, "FollowupExpired", by, "", nil)
	s.emit(c, conversation, "ConversationPendingExpired", func() map[string]any {
		return map[string]any{"pendingByUser": s.webhookUser(by)}
	})
}

// removeFollowup opens a pending conversation before its follow-up is due. The event
// that Dixa sends, if any, is undocumented.
func (s *Server) removeFollowup(c *call, conversation *Conversation, actor string) {
	s.enter(c, conversation, StateOpen)
	s.record(c, conversation, "FollowupRemoved", actor, "", nil)
	if s.switches.Webhooks.FollowupRemoved == "open" {
		s.emit(c, conversation, "ConversationOpen", nil)
	}
}
