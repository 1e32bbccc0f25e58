package server

import "time"

// transfer moves a conversation to a queue and unassigns its agent.
func (s *Server) transfer(c *call, conversation *Conversation, queue *Queue, actor string) {
	s.unassign(c, conversation, actor)
	attributes := map[string]any{
		"transferType": "Queue", "destinationType": "Queue", "destinationId": queue.ID, "destinationLabel": queue.Name,
	}
	s.record(c, conversation, "TransferInitiated", actor, "ConversationTransferredAttribute", attributes)
	s.enqueue(c, conversation, queue.ID)
	s.record(c, conversation, "TransferSuccessful", actor, "ConversationTransferredAttribute", attributes)
	s.tellTransfer(c, conversation, "Queue", func() map[string]any {
		return map[string]any{"queue": s.webhookQueue(conversation), "author": s.webhookUser(actor)}
	})
}

// transferToAgent transfers a conversation to an agent. The API has no such
// operation; agents do it in Dixa's UI.
func (s *Server) transferToAgent(c *call, conversation *Conversation, agent *Agent, actor string) {
	attributes := map[string]any{
		"transferType": "Agent", "destinationType": "Agent", "destinationId": agent.ID, "destinationLabel": agent.DisplayName,
	}
	s.record(c, conversation, "TransferInitiated", actor, "ConversationTransferredAttribute", attributes)
	s.assign(c, conversation, agent.ID, actor, "ConversationAssigned")
	s.record(c, conversation, "TransferSuccessful", actor, "ConversationTransferredAttribute", attributes)
	s.tellTransfer(c, conversation, "Agent", func() map[string]any {
		return map[string]any{"assignee": s.webhookUser(agent.ID), "author": s.webhookUser(actor)}
	})
}

func (s *Server) tellTransfer(c *call, conversation *Conversation, to string, members func() map[string]any) {
	const event = "ConversationTransferred"
	name := upperSnake(event)
	if s.switches.Webhooks.UnconfirmedNames == "api" {
		name = event
	}
	if s.switches.Webhooks.TransferredNames == "two" {
		name = upperSnake(event + "To" + to)
	}
	s.emitAs(c, conversation, event, name, members)
}

func (s *Server) enqueue(c *call, conversation *Conversation, queue string) {
	conversation.QueueID, conversation.QueuedAt = queue, c.now
	s.record(c, conversation, "ConversationOffered", c.actor, "ConversationOfferedAttribute",
		map[string]any{"agentNames": []string{}, "queueLabel": s.queue(queue).Name})
	s.emit(c, conversation, "ConversationEnqueued", nil)
}

// assign assigns a conversation to an agent on behalf of actor. activity is
// ConversationAssigned or ConversationClaimed.
func (s *Server) assign(c *call, conversation *Conversation, agentID, actor, activity string) {
	if conversation.AssigneeID == agentID {
		return
	}
	s.unassign(c, conversation, actor)
	conversation.AssigneeID, conversation.AssignedAt = agentID, c.now
	agent := s.agent(agentID)
	if activity == "ConversationClaimed" {
		s.record(c, conversation, activity, actor, "ConversationClaimedAttribute", map[string]any{})
	}
	s.record(c, conversation, "ConversationAssigned", actor, "ConversationAssignedAttribute",
		map[string]any{"agentId": agentID, "agentName": agent.DisplayName})
	s.emit(c, conversation, "ConversationAssigned", func() map[string]any {
		return map[string]any{"assignee": s.webhookUser(agentID)}
	})
}

func (s *Server) unassign(c *call, conversation *Conversation, actor string) {
	if conversation.AssigneeID == "" {
		return
	}
	former := conversation.AssigneeID
	conversation.AssigneeID, conversation.AssignedAt = "", time.Time{}
	s.record(c, conversation, "ConversationUnassigned", actor, "ConversationUnassignedAttribute",
		map[string]any{"agent": s.activityUser(former)})
	s.emit(c, conversation, "ConversationUnassigned", func() map[string]any {
		return map[string]any{"unassigned": s.webhookUser(former)}
	})
}

// replaceEndUser moves a conversation to another customer, as agents do when they
// find out who is writing. Addresses and messages stay unchanged.
func (s *Server) replaceEndUser(c *call, conversation *Conversation, user *EndUser, actor string) {
	former := conversation.RequesterID
	conversation.RequesterID = user.ID
	s.record(c, conversation, "ConversationEndUserReplaced", actor, "ConversationEndUserReplacedAttribute",
		map[string]any{"oldUser": s.activityUser(former), "newUser": s.activityUser(user.ID)})
	s.emit(c, conversation, "ConversationEndUserReplaced", func() map[string]any {
		return map[string]any{"author": s.webhookUser(actor), "previous_requester": s.webhookUser(former)}
	})
}
