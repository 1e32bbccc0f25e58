package dixa

import (
	"context"
	"iter"
	"net/http"
)

// TeamsService manages teams of agents.
type TeamsService struct{ service }

// Team is a group of agents.
type Team struct {
	ID    string `json:"id"`
	Name  string `json:"name,omitempty"`
	Extra Extra  `json:"-"`
}

func (t *Team) identified() bool { return t.ID != "" }

// UnmarshalJSON keeps unknown members in Extra.
func (t *Team) UnmarshalJSON(b []byte) error { return decodeOpen(b, t) }

// MarshalJSON also writes the members in Extra.
func (t Team) MarshalJSON() ([]byte, error) { return encodeOpen(t) }

// TeamMember is an agent or admin in a team.
type TeamMember struct {
	ID          string `json:"id"`
	Name        string `json:"name,omitempty"`
	Email       string `json:"email,omitempty"`
	PhoneNumber string `json:"phoneNumber,omitempty"`
	Extra       Extra  `json:"-"`
}

func (m *TeamMember) identified() bool { return m.ID != "" }

// UnmarshalJSON keeps unknown members in Extra.
func (m *TeamMember) UnmarshalJSON(b []byte) error { return decodeOpen(b, m) }

// MarshalJSON also writes the members in Extra.
func (m TeamMember) MarshalJSON() ([]byte, error) { return encodeOpen(m) }

// agentIDs is the request body of the member operations.
type agentIDs struct {
	AgentIDs []string `json:"agentIds"`
}

// List returns all teams.
//
// Dixa: GET /v1/teams.
func (s *TeamsService) List(ctx context.Context) ([]*Team, error) {
	op := Operation{"Teams.List", http.MethodGet, "/teams"}
	return fetchAll[Team](ctx, s.client, op, Params{})
}

// Get returns one team.
//
// Dixa: GET /v1/teams/{teamId}.
func (s *TeamsService) Get(ctx context.Context, id string) (*Team, error) {
	op := Operation{"Teams.Get", http.MethodGet, "/teams/{teamId}"}
	return fetch[Team](ctx, s.client, op, Params{Path: []any{id}})
}

// Create creates a team.
//
// Dixa: POST /v1/teams.
func (s *TeamsService) Create(ctx context.Context, name string) (*Team, error) {
	op := Operation{"Teams.Create", http.MethodPost, "/teams"}
	body := struct {
		Name string `json:"name"`
	}{name}
	return fetch[Team](ctx, s.client, op, Params{Body: body})
}

// Delete deletes a team.
//
// Dixa: DELETE /v1/teams/{teamId}.
func (s *TeamsService) Delete(ctx context.Context, id string) error {
	op := Operation{"Teams.Delete", http.MethodDelete, "/teams/{teamId}"}
	return run(ctx, s.client, op, Params{Path: []any{id}})
}

// Members returns a team's agents and admins.
//
// Dixa: GET /v1/teams/{teamId}/agents.
func (s *TeamsService) Members(ctx context.Context, id string) ([]*TeamMember, error) {
	op := Operation{"Teams.Members", http.MethodGet, "/teams/{teamId}/agents"}
	return fetchAll[TeamMember](ctx, s.client, op, Params{Path: []any{id}})
}

// AddMembers adds agents and admins to a team.
//
// Dixa: PATCH /v1/teams/{teamId}/agents.
func (s *TeamsService) AddMembers(ctx context.Context, id string, ids ...string) error {
	op := Operation{"Teams.AddMembers", http.MethodPatch, "/teams/{teamId}/agents"}
	return run(ctx, s.client, op, Params{Path: []any{id}, Body: agentIDs{orEmpty(ids)}})
}

// RemoveMembers removes agents and admins from a team.
//
// Dixa: DELETE /v1/teams/{teamId}/agents, with a body.
func (s *TeamsService) RemoveMembers(ctx context.Context, id string, ids ...string) error {
	op := Operation{"Teams.RemoveMembers", http.MethodDelete, "/teams/{teamId}/agents"}
	return run(ctx, s.client, op, Params{Path: []any{id}, Body: agentIDs{orEmpty(ids)}})
}

// Presences yields the presence of a team's agents and admins.
//
// Dixa: GET /v1/teams/{teamId}/presence.
func (s *TeamsService) Presences(ctx context.Context, id string) iter.Seq2[*Presence, error] {
	op := Operation{"Teams.Presences", http.MethodGet, "/teams/{teamId}/presence"}
	return fetchPages[Presence](ctx, s.client, op, Params{Path: []any{id}})
}
