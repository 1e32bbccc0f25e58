package server

import (
	"net/http"
	"slices"
	"strings"
)

type teamBody struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

func (s *Server) team(id string) *Team {
	return first(s.state.Teams, func(t *Team) bool { return t.ID == id })
}

func (s *Server) pathTeam(c *call) (*Team, error) { return named(c, "teamId", s.team) }

// knownTeam is pathTeam for operations that document no 404.
func (s *Server) knownTeam(c *call) (*Team, error) {
	team, err := s.pathTeam(c)
	if err != nil {
		return nil, bad(messageInvalid)
	}
	return team, nil
}

func (s *Server) listTeams(*call) (reply, error) {
	bodies := []teamBody{}
	for _, team := range s.state.Teams {
		bodies = append(bodies, teamBody{team.ID, team.Name})
	}
	return ok(inOrder(s, bodies))
}

func (s *Server) createTeam(c *call) (reply, error) {
	input, err := decode[struct {
		Name *string `json:"name" validate:"required"`
	}](c)
	if err != nil {
		return reply{}, err
	}
	team := &Team{ID: s.newID(), Name: *input.Name, Members: []string{}}
	s.state.Teams = append(s.state.Teams, team)
	return created(teamBody{team.ID, team.Name})
}

func (s *Server) getTeam(_ *call, team *Team) (reply, error) {
	return ok(teamBody{team.ID, team.Name})
}

func (s *Server) deleteTeam(c *call) (reply, error) {
	team, err := s.knownTeam(c)
	if err != nil {
		return reply{}, err
	}
	s.state.Teams = slices.DeleteFunc(s.state.Teams, func(t *Team) bool { return t.ID == team.ID })
	return empty(http.StatusNoContent)
}

func (s *Server) listTeamAgents(c *call) (reply, error) {
	team, err := s.knownTeam(c)
	if err != nil {
		return reply{}, err
	}
	members := []activityUserBody{} // the same fields: id, name, email, phoneNumber
	for _, id := range team.Members {
		members = append(members, s.activityUser(id))
	}
	return ok(members)
}

type teamAgentsInput struct {
	AgentIDs []string `json:"agentIds" validate:"dive,uuid"`
}

func (s *Server) addTeamAgents(c *call) (reply, error) {
	team, err := s.knownTeam(c)
	if err != nil {
		return reply{}, err
	}
	input, err := decode[teamAgentsInput](c)
	if err != nil {
		return reply{}, err
	}
	for _, id := range input.AgentIDs {
		if s.agent(strings.ToLower(id)) == nil {
			return reply{}, bad(messageInvalid)
		}
	}
	for _, id := range input.AgentIDs {
		if id = strings.ToLower(id); !slices.Contains(team.Members, id) {
			team.Members = append(team.Members, id)
		}
	}
	return empty(http.StatusOK)
}

func (s *Server) removeTeamAgents(c *call) (reply, error) {
	team, err := s.knownTeam(c)
	if err != nil {
		return reply{}, err
	}
	input, err := decode[teamAgentsInput](c)
	if err != nil {
		return reply{}, err
	}
	team.Members = slices.DeleteFunc(team.Members, func(id string) bool { return slices.Contains(input.AgentIDs, id) })
	return empty(http.StatusNoContent)
}

func (s *Server) listTeamPresence(c *call, team *Team) (reply, error) {
	bodies := []presenceBody{}
	for _, id := range team.Members {
		if agent := s.agent(id); agent != nil {
			bodies = append(bodies, agent.presence(c))
		}
	}
	body, err := page(c, "/teams/"+team.ID+"/presence", 1000, bodies)
	return reply{status: http.StatusOK, body: body}, err
}
