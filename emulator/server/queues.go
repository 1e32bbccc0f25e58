package server

import (
	"maps"
	"net/http"
	"slices"
)

func (s *Server) queue(id string) *Queue {
	return first(s.state.Queues, func(q *Queue) bool { return sameID(q.ID, id) })
}

// defaultQueue returns the id of the organization's default queue, or an empty
// string if there is none.
func (s *Server) defaultQueue() string {
	for _, queue := range s.state.Queues {
		if queue.IsDefault {
			return queue.ID
		}
	}
	return ""
}

func (s *Server) pathQueue(c *call) (*Queue, error) { return named(c, "queueId", s.queue) }

func (s *Server) queueBody(queue *Queue) map[string]any {
	body := map[string]any{
		"queueThresholds": map[string]int{}, "slaCalculationMethod": "AbandonedIgnored",
		"doNotOfferTimeouts": map[string]int{}, "isDoNotOfferEnabled": false,
		"offeringAlgorithm": "AllAtOnce", "memberListType": "Default",
	}
	maps.Copy(body, queue.Settings)
	maps.Copy(body, map[string]any{
		"id": queue.ID, "name": queue.Name, "isDefault": queue.IsDefault,
		"organizationId": s.state.Organization.ID,
		"usages":         map[string]any{"queueId": queue.ID, "usages": map[string][]string{}},
	})
	return body
}

func (s *Server) listQueues(*call) (reply, error) {
	return ok(inOrder(s, each(s.state.Queues, s.queueBody)))
}

func (s *Server) getQueue(_ *call, queue *Queue) (reply, error) {
	return ok(s.queueBody(queue))
}

type queueInput struct {
	Request *struct {
		Name                *string `json:"name" validate:"required"`
		CallFunctionality   *bool   `json:"callFunctionality" validate:"required"`
		IsDefault           *bool   `json:"isDefault" validate:"required"`
		IsDoNotOfferEnabled *bool   `json:"isDoNotOfferEnabled" validate:"required"`

		QueueThresholds              map[string]int `json:"queueThresholds"`
		OfferTimeout                 *int           `json:"offerTimeout"`
		OfferAlgorithm               *string        `json:"offerAlgorithm" validate:"omitempty,oneof=AgentPriorityOneAtATimeRandom AllAtOnce AgentPriorityLongestIdle AgentPriorityAllAtOnce LongestIdle OneAtATimeRandom"`
		WrapupTimeout                *int           `json:"wrapupTimeout"`
		Priority                     *int           `json:"priority"`
		OfferAbandonedConversations  *bool          `json:"offerAbandonedConversations"`
		DoNotOfferTimeouts           map[string]int `json:"doNotOfferTimeouts"`
		PreferredAgentTimeouts       map[string]int `json:"preferredAgentTimeouts"`
		IsPreferredAgentEnabled      *bool          `json:"isPreferredAgentEnabled"`
		PreferredAgentOfflineTimeout *int           `json:"preferredAgentOfflineTimeout"`
		PersonalAgentOfflineTimeout  *int           `json:"personalAgentOfflineTimeout"`
		IsRestricted                 *bool          `json:"isRestricted"`
	} `json:"request" validate:"required"`
}

// createQueue expects its body wrapped in "request" and returns some fields under
// other names.
func (s *Server) createQueue(_ *call, wrapped queueInput) (reply, error) {
	in := wrapped.Request
	settings := map[string]any{"isDoNotOfferEnabled": *in.IsDoNotOfferEnabled}
	keep(settings, "offerTimeout", in.OfferTimeout)
	keep(settings, "offeringAlgorithm", in.OfferAlgorithm)
	keep(settings, "wrapupTimeout", in.WrapupTimeout)
	keep(settings, "priority", in.Priority)
	keep(settings, "offerAbandonedConversations", in.OfferAbandonedConversations)
	keep(settings, "isPreferredAgentEnabled", in.IsPreferredAgentEnabled)
	keep(settings, "preferredAgentOfflineTimeout", in.PreferredAgentOfflineTimeout)
	keep(settings, "personalAgentOfflineTimeout", in.PersonalAgentOfflineTimeout)
	keep(settings, "isRestricted", in.IsRestricted)
	for name, value := range map[string]map[string]int{
		"queueThresholds": in.QueueThresholds, "doNotOfferTimeouts": in.DoNotOfferTimeouts,
		"preferredAgentTimeouts": in.PreferredAgentTimeouts,
	} {
		if value != nil {
			settings[name] = value
		}
	}
	if *in.IsDefault {
		for _, other := range s.state.Queues {
			other.IsDefault = false
		}
	}
	queue := &Queue{ID: s.newID(), Name: *in.Name, IsDefault: *in.IsDefault, Members: []string{}, Settings: settings}
	s.state.Queues = append(s.state.Queues, queue)
	return created(s.queueBody(queue))
}

func keep[T any](settings map[string]any, name string, value *T) {
	if value != nil {
		settings[name] = *value
	}
}

func (s *Server) listQueueMembers(_ *call, queue *Queue) (reply, error) {
	members := []map[string]any{}
	for i, id := range queue.Members {
		members = append(members, map[string]any{"agentId": id, "priority": i + 1})
	}
	return ok(members)
}

type queueMembersInput struct {
	AgentIDs []string `json:"agentIds" validate:"max=10,unique,dive,uuid"`
}

func (s *Server) addQueueMembers(c *call, queue *Queue, input queueMembersInput) (reply, error) {
	return ok(each(input.AgentIDs, func(id string) outcome {
		agent := s.agent(id)
		switch {
		case agent == nil && s.endUser(id) != nil:
			return failed("Validation", id, "Member is neither Agent or Admin")
		case agent == nil:
			return failed("NotFound", id, "User not found")
		case !containsID(queue.Members, agent.ID):
			queue.Members = append(queue.Members, agent.ID)
		}
		return succeeded(agent.ID)
	}))
}

func (s *Server) removeQueueMembers(c *call, queue *Queue, input queueMembersInput) (reply, error) {
	queue.Members = slices.DeleteFunc(queue.Members, func(id string) bool { return containsID(input.AgentIDs, id) })
	return empty(http.StatusNoContent)
}

// queueAvailability responds with 409, because the emulated organization has none of
// the generic channels that the operation reports on.
func (s *Server) queueAvailability(c *call) (reply, error) {
	if _, err := s.pathQueue(c); err != nil {
		return reply{}, bad("queue does not exist")
	}
	return reply{}, conflict("The request could not be completed due to no supported channels configured for this organization")
}

func (s *Server) queuePosition(c *call) (reply, error) {
	id, err := c.int64("csid")
	if err != nil {
		return reply{}, err
	}
	conversation, err := s.findConversation(id)
	if err != nil || conversation.QueueID == "" || conversation.State != StateOpen || conversation.AssigneeID != "" {
		return reply{}, notFound()
	}
	position := 1
	for _, other := range s.state.Conversations {
		waiting := other.State == StateOpen && other.AssigneeID == "" && other.QueueID == conversation.QueueID
		if waiting && other.QueuedAt.Before(conversation.QueuedAt) {
			position++
		}
	}
	return ok(map[string]any{"position": position, "queuedAt": millis(conversation.QueuedAt)})
}
