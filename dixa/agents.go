package dixa

import (
	"context"
	"fmt"
	"iter"
	"net/http"
)

// AgentsService manages the organization's agents and admins.
type AgentsService struct{ service }

// Agent is an agent or admin.
type Agent struct {
	ID                     string   `json:"id"`
	CreatedAt              Time     `json:"createdAt,omitzero"`
	DisplayName            string   `json:"displayName"`
	Email                  string   `json:"email"`
	AvatarURL              string   `json:"avatarUrl,omitempty"`
	PhoneNumber            string   `json:"phoneNumber,omitempty"`
	AdditionalEmails       []string `json:"additionalEmails,omitzero"`
	AdditionalPhoneNumbers []string `json:"additionalPhoneNumbers,omitzero"`
	FirstName              string   `json:"firstName,omitempty"`
	LastName               string   `json:"lastName,omitempty"`
	MiddleNames            []string `json:"middleNames,omitzero"`
	// Roles has values such as "Agent". The set is not documented.
	Roles []string `json:"roles,omitzero"`
	Extra Extra    `json:"-"`
}

func (a *Agent) identified() bool { return a.ID != "" }

// UnmarshalJSON keeps unknown members in Extra.
func (a *Agent) UnmarshalJSON(b []byte) error { return decodeOpen(b, a) }

// MarshalJSON also writes the members in Extra.
func (a Agent) MarshalJSON() ([]byte, error) { return encodeOpen(a) }

// AgentInput holds the fields of a create, update or replacement. Empty fields are
// omitted.
type AgentInput struct {
	DisplayName string `json:"displayName,omitempty"`
	// Email can only be set on create: Dixa has no operation to change it.
	Email string `json:"email,omitempty"`
	// PhoneNumber is in E.164 format.
	PhoneNumber            string   `json:"phoneNumber,omitempty"`
	AdditionalEmails       []string `json:"additionalEmails,omitzero"`
	AdditionalPhoneNumbers []string `json:"additionalPhoneNumbers,omitzero"`
	FirstName              string   `json:"firstName,omitempty"`
	LastName               string   `json:"lastName,omitempty"`
	MiddleNames            []string `json:"middleNames,omitzero"`
	AvatarURL              string   `json:"avatarUrl,omitempty"`
}

// AgentChange is one item of a bulk update or replacement.
type AgentChange struct {
	ID string `json:"id"`
	AgentInput
}

// AgentFilter selects agents by at most one criterion.
type AgentFilter struct {
	Email string
	Phone string
	// PageLimit is the page size; 0 uses Dixa's default.
	PageLimit int
}

// List yields the matching agents and admins, page by page.
//
// Dixa: GET /v1/agents.
func (s *AgentsService) List(ctx context.Context, filter AgentFilter) iter.Seq2[*Agent, error] {
	op := Operation{"Agents.List", http.MethodGet, "/agents"}
	query := pageQuery(filter.PageLimit)
	if setNonEmpty(query, "email", filter.Email)+setNonEmpty(query, "phone", filter.Phone) > 1 {
		return failed[Agent](invalid(op, fmt.Errorf("%w: set only one of Email and Phone", ErrInvalidArgument)))
	}
	return fetchPages[Agent](ctx, s.client, op, Params{Query: query})
}

// Get returns one agent or admin. The response for an end user's id is not
// documented.
//
// Dixa: GET /v1/agents/{agentId}.
func (s *AgentsService) Get(ctx context.Context, id string) (*Agent, error) {
	op := Operation{"Agents.Get", http.MethodGet, "/agents/{agentId}"}
	return fetch[Agent](ctx, s.client, op, Params{Path: []any{id}})
}

// Create creates an agent. DisplayName and Email are required.
//
// Dixa: POST /v1/agents.
func (s *AgentsService) Create(ctx context.Context, in AgentInput) (*Agent, error) {
	op := Operation{"Agents.Create", http.MethodPost, "/agents"}
	return fetch[Agent](ctx, s.client, op, Params{Body: in})
}

// Update changes the given fields of an agent and leaves the others unchanged.
//
// Dixa: PATCH /v1/agents/{agentId}.
func (s *AgentsService) Update(ctx context.Context, id string, in AgentInput) (*Agent, error) {
	op := Operation{"Agents.Update", http.MethodPatch, "/agents/{agentId}"}
	return fetch[Agent](ctx, s.client, op, Params{Path: []any{id}, Body: in})
}

// Replace sets an agent to the given fields. DisplayName is required.
//
// Dixa: PUT /v1/agents/{agentId}.
func (s *AgentsService) Replace(ctx context.Context, id string, in AgentInput) (*Agent, error) {
	op := Operation{"Agents.Replace", http.MethodPut, "/agents/{agentId}"}
	return fetch[Agent](ctx, s.client, op, Params{Path: []any{id}, Body: in})
}

// CreateBulk creates several agents. Each has its own outcome.
//
// Dixa: POST /v1/agents/bulk.
func (s *AgentsService) CreateBulk(ctx context.Context, in []AgentInput) ([]*BulkOutcome[Agent], error) {
	op := Operation{"Agents.CreateBulk", http.MethodPost, "/agents/bulk"}
	return fetchAll[BulkOutcome[Agent]](ctx, s.client, op, Params{Body: bulkOf(in)})
}

// UpdateBulk changes the given fields of several agents.
//
// Dixa: PATCH /v1/agents, whose body is a bare list.
func (s *AgentsService) UpdateBulk(ctx context.Context, in []AgentChange) ([]*BulkOutcome[Agent], error) {
	op := Operation{"Agents.UpdateBulk", http.MethodPatch, "/agents"}
	return fetchAll[BulkOutcome[Agent]](ctx, s.client, op, Params{Body: orEmpty(in)})
}

// ReplaceBulk sets several agents to the given fields.
//
// Dixa: PUT /v1/agents, whose body is a bare list.
func (s *AgentsService) ReplaceBulk(ctx context.Context, in []AgentChange) ([]*BulkOutcome[Agent], error) {
	op := Operation{"Agents.ReplaceBulk", http.MethodPut, "/agents"}
	return fetchAll[BulkOutcome[Agent]](ctx, s.client, op, Params{Body: orEmpty(in)})
}

// Delete turns an agent or admin into an end user.
//
// Dixa: DELETE /v1/agents/{agentId}.
func (s *AgentsService) Delete(ctx context.Context, id string) error {
	op := Operation{"Agents.Delete", http.MethodDelete, "/agents/{agentId}"}
	return run(ctx, s.client, op, Params{Path: []any{id}})
}

// Teams returns an agent's teams with only their ids set.
//
// Dixa: GET /v1/agents/{agentId}/teams.
func (s *AgentsService) Teams(ctx context.Context, id string) ([]*Team, error) {
	op := Operation{"Agents.Teams", http.MethodGet, "/agents/{agentId}/teams"}
	return fetchAll[Team](ctx, s.client, op, Params{Path: []any{id}})
}

// Presence reports whether an agent is online and working.
type Presence struct {
	UserID      string `json:"userId"`
	RequestTime Time   `json:"requestTime,omitzero"`
	LastSeen    Time   `json:"lastSeen,omitzero"`
	// PresenceStatus is "Away", "Working" or empty.
	PresenceStatus string `json:"presenceStatus,omitempty"`
	// ConnectionStatus is "Offline" or "Online".
	ConnectionStatus string    `json:"connectionStatus"`
	ActiveChannels   []Channel `json:"activeChannels,omitzero"`
	Extra            Extra     `json:"-"`
}

// UnmarshalJSON keeps unknown members in Extra.
func (p *Presence) UnmarshalJSON(b []byte) error { return decodeOpen(b, p) }

// MarshalJSON also writes the members in Extra.
func (p Presence) MarshalJSON() ([]byte, error) { return encodeOpen(p) }

// Presence returns an agent's presence.
//
// Dixa: GET /v1/agents/{agentId}/presence.
func (s *AgentsService) Presence(ctx context.Context, id string) (*Presence, error) {
	op := Operation{"Agents.Presence", http.MethodGet, "/agents/{agentId}/presence"}
	return fetch[Presence](ctx, s.client, op, Params{Path: []any{id}})
}

// Presences returns the presence of every agent and admin.
//
// Dixa: GET /v1/agents/presence, the only response without an envelope.
func (s *AgentsService) Presences(ctx context.Context) ([]*Presence, error) {
	op := Operation{"Agents.Presences", http.MethodGet, "/agents/presence"}
	req, err := s.client.NewRequest(ctx, op, Params{})
	if err != nil {
		return nil, err
	}
	var reply presenceList
	if _, err := s.client.Do(req, &reply); err != nil {
		return nil, err
	}
	return reply, nil
}

// presenceList also accepts a list in an envelope, in case Dixa fixes the exception.
type presenceList []*Presence

// UnmarshalJSON decodes both forms.
func (l *presenceList) UnmarshalJSON(b []byte) error {
	if len(b) == 0 || b[0] != '[' {
		var reply checked[list[Presence]]
		err := decode(b, &reply)
		if err == nil {
			*l = presenceList(*reply.Data)
		}
		return err
	}
	var items list[Presence]
	if err := decode(b, &items); err != nil {
		return err
	}
	if !items.identified() {
		return fmt.Errorf("%w: a list item is null", ErrMalformedResponse)
	}
	*l = presenceList(items)
	return nil
}

// SetWorkingChannel sets whether an agent works on a kind of channel: "Email",
// "InteractiveChat", "Messaging" or "Speak".
//
// Dixa: PUT /v1/agents/{agentId}/presence/working-channel.
func (s *AgentsService) SetWorkingChannel(ctx context.Context, id, channel string, working bool) error {
	op := Operation{"Agents.SetWorkingChannel", http.MethodPut, "/agents/{agentId}/presence/working-channel"}
	body := struct {
		Channel string `json:"channel"`
		Working bool   `json:"working"`
	}{channel, working}
	return run(ctx, s.client, op, Params{Path: []any{id}, Body: body})
}
