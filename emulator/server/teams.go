package server

import (
	"net/http"
	"slices"
)

type teamBody struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

func (t *Team) body() teamBody { return teamBody{t.ID, t.Name} }

func (s *Server) team(id string) *Team {
	return first(s.state.Teams, func(t *Team) bool { return sameID(t.ID, id) })
}

func (s *Server) pathTeam(c *call) (*Team, error) { return named(c, "teamId", s.team) }

func (s *Server) listTeams(*call) (reply, error) {
	return ok(inOrder(s, each(s.state.Teams, (*Team).body)))
}

type teamInput struct {
	Name *string `json:"name" validate:"required"`
}

func (s *Server) createTeam(_ *call, input teamInput) (reply, error) {
	team := &Team{ID: s.newID(), Name: *input.Name, Members: []string{}}
	s.state.Teams = append(s.state.Teams, team)
	return created(team.body())
}

func (s *Server) getTeam(_ *call, team *Team) (reply, error) {
	return ok(team.body())
}

func (s *Server) deleteTeam(_ *call, team *Team) (reply, error) {
	s.state.Teams = slices.DeleteFunc(s.state.Teams, func(t *Team) bool { return t.ID == team.ID })
	return empty(http.StatusNoContent)
}

func (s *Server) listTeamAgents(_ *call, team *Team) (reply, error) {
	return ok(each(team.Members, s.activityUser)) // the same fields: id, name, email, phoneNumber
}

type teamAgentsInput struct {
	AgentIDs []string `json:"agentIds" validate:"dive,uuid"`
}

func (s *Server) addTeamAgents(_ *call, team *Team, input teamAgentsInput) (reply, error) {
	for _, id := range input.AgentIDs {
		if s.agent(id) == nil {
			return reply{}, bad(messageInvalid)
		}
	}
	for _, id := range input.AgentIDs {
		if agent := s.agent(id); !containsID(team.Members, agent.ID) {
			team.Members = append(team.Members, agent.ID)
		}
	}
	return empty(http.StatusOK)
}

func (s *Server) removeTeamAgents(_ *call, team *Team, input teamAgentsInput) (reply, error) {
	team.Members = slices.DeleteFunc(team.Members, func(id string) bool { return containsID(input.AgentIDs, id) })
	return empty(http.StatusNoContent)
}

func (s *Server) listTeamPresence(c *call, team *Team) (reply, error) {
	bodies := []presenceBody{}
	for _, id := range team.Members {
		if agent := s.agent(id); agent != nil {
			bodies = append(bodies, agent.presence(c))
		}
	}
	return page(c, "/teams/"+team.ID+"/presence", 1000, bodies)
}
