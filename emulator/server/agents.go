package server

import (
	"net/http"
	"slices"
)

// agentBody is Dixa's Agent.
type agentBody struct {
	ID          string   `json:"id"`
	CreatedAt   string   `json:"createdAt"`
	DisplayName string   `json:"displayName"`
	Email       string   `json:"email"`
	AvatarURL   string   `json:"avatarUrl,omitempty"`
	Person               // its other fields
	Roles       []string `json:"roles"`
}

// agentBody renders an agent, with roles as set by the switch agentRoles.
func (s *Server) agentBody(a *Agent) agentBody {
	roles := a.Roles
	switch s.switches.AgentRoles {
	case "many":
		roles = []string{"Admin", "TeamLead", "SystemAdmin", "Agent"}
	case "upper":
		roles = []string{"AGENT"}
	}
	return agentBody{a.ID, seconds(a.CreatedAt), a.DisplayName, a.Email, a.AvatarURL, a.Person, roles}
}

func (a *Agent) isAdmin() bool { return slices.Contains(a.Roles, "Admin") }

func (s *Server) agent(id string) *Agent {
	return first(s.state.Agents, func(a *Agent) bool { return sameID(a.ID, id) })
}

func (s *Server) pathAgent(c *call) (*Agent, error) { return named(c, "agentId", s.agent) }

func (s *Server) listAgents(c *call) (reply, error) {
	email, phone := c.filter("email"), c.filter("phone")
	if email != "" && phone != "" {
		return reply{}, bad("Invalid filters: Cannot provide both phone number and email address")
	}
	bodies := []agentBody{}
	for _, agent := range s.state.Agents {
		if email != "" && !sameEmail(agent.Email, email, c.switches.EmailFilter) ||
			phone != "" && !slices.Contains(agent.phones(), phone) {
			continue
		}
		bodies = append(bodies, s.agentBody(agent))
	}
	return page(c, "/agents", 1000, inOrder(s, bodies))
}

func (s *Server) getAgent(_ *call, agent *Agent) (reply, error) {
	return ok(s.agentBody(agent))
}

func (s *Server) createAgent(c *call, input personInput) (reply, error) {
	if input.DisplayName == nil || input.Email == nil {
		return reply{}, bad(messageDecoding)
	}
	agent, clash := s.addAgent(c, input)
	if clash != "" {
		return reply{}, bad("Create Agent failed with [errors:" + clash + "]")
	}
	return created(s.agentBody(agent))
}

func (s *Server) addAgent(c *call, input personInput) (*Agent, string) {
	agent := &Agent{Person: input.patch(Person{CreatedAt: c.now}), Roles: []string{"Agent"}}
	former := first(s.state.EndUsers, func(u *EndUser) bool {
		return s.switches.AgentOfEndUser == "promoted" && sameEmail(u.Email, agent.Email, s.switches.EmailUniqueness)
	})
	if former != nil {
		agent.Person = input.patch(former.Person)
	}
	if clash := s.clash(agent.Person); clash != "" {
		return nil, clash
	}
	if former != nil {
		s.state.EndUsers = slices.DeleteFunc(s.state.EndUsers, func(u *EndUser) bool { return u == former })
	} else {
		agent.ID = s.newID()
	}
	agent.Person = s.rehosted(c, agent.Person)
	s.state.Agents = append(s.state.Agents, agent)
	return agent, ""
}

func (s *Server) createAgents(c *call, input bulkInput[personInput]) (reply, error) {
	outcomes := []outcome{}
	for _, item := range input.Data {
		if item.DisplayName == nil || item.Email == nil {
			return reply{}, bad(messageDecoding)
		}
		agent, clash := s.addAgent(c, item)
		if clash != "" {
			outcomes = append(outcomes, failed("Validation", "", "Create Agent failed with [errors:"+clash+"]"))
			continue
		}
		outcomes = append(outcomes, succeeded(s.agentBody(agent)))
	}
	return created(outcomes)
}

// changeAgent applies a patch or replacement and returns the clash, if any. An
// agent's email address never changes.
func (s *Server) changeAgent(c *call, agent *Agent, input personInput) string {
	input.Email = &agent.Email
	person := input.patch(agent.Person)
	if c.replaces() {
		person = input.replace(agent.Person)
	}
	if clash := s.clash(person); clash != "" {
		return clash
	}
	agent.Person = s.rehosted(c, person)
	return ""
}

func (s *Server) updateAgent(c *call, agent *Agent, input personInput) (reply, error) {
	if c.replaces() && input.DisplayName == nil {
		return reply{}, bad(messageDecoding)
	}
	if clash := s.changeAgent(c, agent, input); clash != "" {
		return reply{}, bad("Updating Agent [id:" + agent.ID + "] failed with [errors:" + clash + "]")
	}
	return ok(s.agentBody(agent))
}

type agentChange struct {
	ID string `json:"id" validate:"required,uuid"`
	personInput
}

// updateAgents takes a bare array, unlike the bulk operations on end users.
func (s *Server) updateAgents(c *call, input []agentChange) (reply, error) {
	outcomes := []outcome{}
	for _, item := range input {
		agent := s.agent(item.ID)
		switch {
		case agent == nil:
			outcomes = append(outcomes, failed("NotFound", item.ID, "Agent not found"))
		case c.replaces() && item.DisplayName == nil:
			return reply{}, bad(messageDecoding)
		default:
			if clash := s.changeAgent(c, agent, item.personInput); clash != "" {
				outcomes = append(outcomes, failed("Validation", item.ID, s.updateFailure("Agent", item.ID, clash)))
				continue
			}
			outcomes = append(outcomes, succeeded(s.agentBody(agent)))
		}
	}
	return ok(outcomes)
}

// deleteAgent converts an agent to an end user.
func (s *Server) deleteAgent(c *call, agent *Agent) (reply, error) {
	s.state.Agents = slices.DeleteFunc(s.state.Agents, func(a *Agent) bool { return a.ID == agent.ID })
	leave := func(members []string) []string {
		return slices.DeleteFunc(members, func(id string) bool { return id == agent.ID })
	}
	for _, team := range s.state.Teams {
		team.Members = leave(team.Members)
	}
	for _, queue := range s.state.Queues {
		queue.Members = leave(queue.Members)
	}
	s.state.EndUsers = append(s.state.EndUsers, &EndUser{Person: agent.Person, VisibleAt: c.now})
	return empty(http.StatusNoContent)
}

func (s *Server) listAgentTeams(_ *call, agent *Agent) (reply, error) {
	teams := []map[string]string{}
	for _, team := range s.state.Teams {
		if slices.Contains(team.Members, agent.ID) {
			teams = append(teams, map[string]string{"id": team.ID})
		}
	}
	return ok(teams)
}

type presenceBody struct {
	UserID           string   `json:"userId"`
	RequestTime      string   `json:"requestTime"`
	LastSeen         string   `json:"lastSeen,omitempty"`
	PresenceStatus   string   `json:"presenceStatus,omitempty"`
	ConnectionStatus string   `json:"connectionStatus"`
	ActiveChannels   []string `json:"activeChannels"`
}

func (a *Agent) presence(c *call) presenceBody {
	body := presenceBody{
		UserID: a.ID, RequestTime: zoneless(c.now), LastSeen: zoneless(c.now),
		PresenceStatus: "Working", ConnectionStatus: "Online", ActiveChannels: []string{"Email"},
	}
	if a.Away {
		body.PresenceStatus = "Away"
	}
	if a.Offline {
		body.PresenceStatus, body.ConnectionStatus, body.ActiveChannels = "", "Offline", []string{}
	}
	return body
}

// listPresence returns a bare array. It is the only list without an envelope.
func (s *Server) listPresence(c *call) (reply, error) {
	return reply{status: http.StatusOK, body: each(s.state.Agents, func(a *Agent) presenceBody { return a.presence(c) })}, nil
}

func (s *Server) getPresence(c *call, agent *Agent) (reply, error) {
	return ok(agent.presence(c))
}

type workingChannelInput struct {
	Channel string `json:"channel" validate:"required,oneof=Email InteractiveChat Messaging Speak"`
	Working *bool  `json:"working" validate:"required"`
}

func (s *Server) setWorkingChannel(_ *call, agent *Agent, input workingChannelInput) (reply, error) {
	agent.WorkingChannels = slices.DeleteFunc(agent.WorkingChannels, func(name string) bool { return name == input.Channel })
	if *input.Working {
		agent.WorkingChannels = append(agent.WorkingChannels, input.Channel)
	}
	return empty(http.StatusNoContent)
}
