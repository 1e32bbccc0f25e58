package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/internal/fromdixa/directory"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
	"github.com/claimflow/claimflow/unified"
)

// createTag creates a tag. Dixa returns the one that has the name, so a repeat is
// harmless.
func (o *operation) createTag(ctx context.Context, step string, s unified.CreateTag) error {
	id, err := repeat(ctx, o.intents(step, ""), func(bool) (string, error) {
		t, err := o.client.Tags.Create(ctx, s.Input)
		if err != nil {
			return "", err
		}
		return t.ID, nil
	})
	o.made(id)
	return err
}

func (o *operation) setTagActive(ctx context.Context, step string, s unified.SetTagActive) error {
	return o.repeatable(ctx, step, func(bool) error {
		t, err := o.client.Tags.Get(ctx, o.object)
		if err != nil || t.Inactive() != s.Active {
			return err
		}
		if s.Active {
			return o.client.Tags.Activate(ctx, o.object)
		}
		return o.client.Tags.Deactivate(ctx, o.object)
	})
}

func (o *operation) createTeam(ctx context.Context, step string, s unified.CreateTeam) error {
	id, err := o.create(ctx, creation{
		step: step, kind: "team",
		alike: func(ctx context.Context) (ids []string, err error) {
			teams, err := o.client.Teams.List(ctx)
			for _, t := range teams {
				if t.Name == s.Name {
					ids = append(ids, t.ID)
				}
			}
			return ids, err
		},
		send: func(ctx context.Context) (string, error) {
			t, err := o.client.Teams.Create(ctx, s.Name)
			if err != nil {
				return "", err
			}
			return t.ID, nil
		},
	})
	o.made(id)
	return err
}

func (o *operation) createQueue(ctx context.Context, step string, s unified.CreateQueue) error {
	id, err := o.create(ctx, creation{
		step: step, kind: "queue",
		alike: func(ctx context.Context) (ids []string, err error) {
			queues, err := o.client.Queues.List(ctx)
			for _, q := range queues {
				if q.Name == s.Input.Name {
					ids = append(ids, q.ID)
				}
			}
			return ids, err
		},
		send: func(ctx context.Context) (string, error) {
			q, err := o.client.Queues.Create(ctx, s.Input)
			if err != nil {
				return "", err
			}
			return q.ID, nil
		},
	})
	o.made(id)
	return err
}

func (o *operation) teamMembers(ctx context.Context, id string) ([]string, error) {
	members, err := o.client.Teams.Members(ctx, id)
	var ids []string
	for _, m := range members {
		ids = append(ids, m.ID)
	}
	return ids, err
}

func (o *operation) queueMembers(ctx context.Context, id string) ([]string, error) {
	members, err := o.client.Queues.Members(ctx, id)
	var ids []string
	for _, m := range members {
		ids = append(ids, m.AgentID)
	}
	return ids, err
}

// membersAtOnce is how many members Dixa takes in one request.
const membersAtOnce = 10

// changeMembers brings the members of a team or queue to the wanted state.
func (o *operation) changeMembers(ctx context.Context, step string, s unified.ChangeMembers) error {
	id := s.ID
	if id == "" {
		id = o.object
	}
	list, add, remove := o.teamMembers, o.client.Teams.AddMembers, o.client.Teams.RemoveMembers
	if s.Queue {
		list, add, remove = o.queueMembers, o.addToQueue, o.client.Queues.RemoveMembers
	}
	named := func(ids []string) []string { // an empty id is the agent of an earlier step
		ids = slices.Clone(ids)
		for i := range ids {
			if ids[i] == "" {
				ids[i] = o.object
			}
		}
		return ids
	}
	return o.repeatable(ctx, step, func(bool) error {
		now, err := list(ctx, id)
		if err != nil {
			return err
		}
		adding, removing := named(s.Add), named(s.Remove)
		if s.Whole {
			adding = named(s.All)
			removing = slices.DeleteFunc(slices.Clone(now), func(m string) bool { return containsID(adding, m) })
		}
		adding = slices.DeleteFunc(adding, func(m string) bool { return containsID(now, m) })
		removing = slices.DeleteFunc(removing, func(m string) bool { return !containsID(now, m) })
		for ids := range slices.Chunk(adding, membersAtOnce) {
			if err := add(ctx, id, ids...); err != nil {
				return err
			}
		}
		for ids := range slices.Chunk(removing, membersAtOnce) {
			if err := remove(ctx, id, ids...); err != nil {
				return err
			}
		}
		return nil
	})
}

func containsID(ids []string, id string) bool {
	return slices.ContainsFunc(ids, func(other string) bool { return strings.EqualFold(other, id) })
}

// addToQueue adds agents to a queue. Dixa answers for each of them.
func (o *operation) addToQueue(ctx context.Context, id string, agents ...string) error {
	outcomes, err := o.client.Queues.AddMembers(ctx, id, agents...)
	if err != nil {
		return err
	}
	var faults []unified.Failure
	for i, outcome := range outcomes {
		if outcome.Err() != nil && i < len(agents) {
			reason := outcome.Err().Error()
			if outcome.Error != nil {
				reason = outcome.Error.Message
			}
			faults = append(faults, unified.Failure{Field: "user_ids", Message: agents[i] + " was refused by Dixa: " + reason})
		}
	}
	if len(faults) == 0 {
		return nil
	}
	e := unified.Refused(http.StatusBadRequest, "Dixa did not add all agents to the queue.")
	e.Details = &unified.Failures{Failures: faults}
	return e
}

// setTeams puts an agent into exactly the wanted teams.
func (o *operation) setTeams(ctx context.Context, step string, s unified.SetTeams) error {
	return o.repeatable(ctx, step, func(bool) error {
		now, err := o.client.Agents.Teams(ctx, o.object)
		if err != nil {
			return err
		}
		var in []string
		for _, t := range now {
			in = append(in, t.ID)
		}
		for _, team := range s.TeamIDs {
			if containsID(in, team) {
				continue
			}
			if err := o.client.Teams.AddMembers(ctx, team, o.object); err != nil {
				return err
			}
		}
		for _, team := range in {
			if containsID(s.TeamIDs, team) {
				continue
			}
			if err := o.client.Teams.RemoveMembers(ctx, team, o.object); err != nil && !dixa.IsNotFound(err) {
				return err
			}
		}
		return nil
	})
}

// agentKind is the kind of agents in the intents of operations.
const agentKind = "agent"

// createAgent creates an agent. Dixa keeps addresses unique.
func (o *operation) createAgent(ctx context.Context, step string, input dixa.AgentInput) error {
	id, err := o.create(ctx, creation{
		step: step, kind: agentKind,
		alike: func(ctx context.Context) (ids []string, err error) {
			for a, err := range o.client.Agents.List(ctx, dixa.AgentFilter{Email: input.Email}) {
				if dixa.IsNotFound(err) {
					break
				}
				if err != nil {
					return nil, err
				}
				if strings.EqualFold(a.Email, input.Email) {
					ids = append(ids, a.ID)
				}
			}
			return ids, nil
		},
		exists: func(ids []string) error {
			e := unified.NewError(http.StatusConflict, "The user "+ids[0]+" has this email address.")
			e.Details = &unified.Failures{Failures: []unified.Failure{{Field: "emails", Message: "belongs to the user " + ids[0]}}}
			return e
		},
		send: func(ctx context.Context) (string, error) {
			a, err := o.client.Agents.Create(ctx, input)
			if err != nil {
				return "", err
			}
			// A person who lost their rights in Dixa may have been created by an operation.
			return a.ID, o.Store.Operations.DisownObject(ctx, o.ConnectionID, agentKind+":"+a.ID)
		},
	})
	if dixa.IsEmailExists(err) {
		e, _ := dixa.AsError(err)
		refused := unified.Refused(e.Status, e.Error())
		refused.Message = "Dixa refused the request: a contact has this email address, and Dixa has no operation that makes an agent of a contact. Invite the person as an agent in Dixa."
		refused.Details = &unified.Failures{Failures: []unified.Failure{{Field: "emails", Message: "belongs to a contact"}}}
		return refused
	}
	o.made(id)
	return err
}

// updateAgent changes an agent. The address cannot change.
func (o *operation) updateAgent(ctx context.Context, step string, s unified.UpdateAgent) error {
	return o.repeatable(ctx, step, func(bool) error {
		input := s.Input
		if input.Email != "" {
			now, err := o.client.Agents.Get(ctx, o.object)
			if err != nil {
				return err
			}
			if !strings.EqualFold(now.Email, input.Email) {
				e := unified.NewError(http.StatusNotImplemented, "Dixa cannot do what the body asks for.")
				e.Details = &unified.Failures{Failures: []unified.Failure{{Field: "emails", Message: "Dixa has no operation that changes the address of an agent; create another user"}}}
				return e
			}
			input.Email = ""
		}
		_, err := o.client.Agents.Update(ctx, o.object, input)
		return err
	})
}

// downgradeAgent takes an agent's rights. What is known of the agent stays in the store
// as of one who is gone, so that reads answer that the user is not active.
func (o *operation) downgradeAgent(ctx context.Context, step string, s unified.DowngradeAgent) error {
	seenAt := time.Now()
	e, err := directory.Get(ctx, o.client, mirror.KindAgent, s.ID)
	if dixa.IsNotFound(err) {
		known, err := o.Store.Mirror.DirectoryRow(ctx, o.ConnectionID, mirror.KindAgent, s.ID)
		if errors.Is(err, store.ErrNotFound) {
			return unified.NewError(http.StatusNotFound, "There is no user with this id.")
		}
		if err != nil {
			return err
		}
		return o.Store.Mirror.MarkEntryGone(ctx, o.ConnectionID, mirror.KindAgent, known.ID)
	}
	if err != nil {
		return err
	}
	if _, err := o.Store.Mirror.SaveDirectory(ctx, o.ConnectionID, mirror.KindAgent, []mirror.DirectoryEntry{e}, seenAt); err != nil {
		return fmt.Errorf("remember the agent: %w", err)
	}
	if err := o.repeatable(ctx, step, deleting(func() error { return o.client.Agents.Delete(ctx, s.ID) })); err != nil {
		return err
	}
	// Dixa may give the agent the same id if they return.
	if err := o.Store.Operations.DisownObject(ctx, o.ConnectionID, agentKind+":"+s.ID); err != nil {
		return err
	}
	return o.Store.Mirror.MarkEntryGone(ctx, o.ConnectionID, mirror.KindAgent, s.ID)
}

// restoreAgent makes a former agent an agent again, unless the person is one. The agent
// may get another id.
func (o *operation) restoreAgent(ctx context.Context, step string, s unified.RestoreAgent) error {
	log := o.intents(step, agentKind)
	done, err := log.done(ctx)
	if err != nil {
		return err
	}
	if !done.DoneAt.IsZero() {
		return json.Unmarshal(done.Result, &o.object)
	}
	_, err = o.client.Agents.Get(ctx, s.ID)
	if !dixa.IsNotFound(err) {
		return err
	}
	row, err := o.Store.Mirror.DirectoryRow(ctx, o.ConnectionID, mirror.KindAgent, s.ID)
	if errors.Is(err, store.ErrNotFound) {
		return unified.NewError(http.StatusNotFound, "There is no user with this id.")
	}
	if err != nil {
		return err
	}
	var a dixa.Agent
	if json.Unmarshal(row.Object, &a) != nil {
		return fmt.Errorf("decode the stored agent %s", s.ID)
	}
	o.personal = append(o.personal, a.DisplayName, a.Email, a.PhoneNumber, a.FirstName, a.LastName)
	o.personal = append(o.personal, slices.Concat(a.AdditionalEmails, a.AdditionalPhoneNumbers, a.MiddleNames)...)
	return o.createAgent(ctx, step, dixa.AgentInput{
		DisplayName: a.DisplayName, Email: a.Email, PhoneNumber: a.PhoneNumber, AdditionalEmails: a.AdditionalEmails,
		AdditionalPhoneNumbers: a.AdditionalPhoneNumbers, FirstName: a.FirstName, LastName: a.LastName, MiddleNames: a.MiddleNames,
	})
}
