// Package directory reads the directory of a Dixa organization: agents, teams, queues
// with their members, contact endpoints, custom attribute definitions, tags, business
// hours and end users.
package directory

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/mirror"
)

// Entries are directory entries. An error ends them.
type Entries = iter.Seq2[mirror.DirectoryEntry, error]

// Detail is how much of the entries to read.
type Detail int

// Details.
const (
	// Listed is what Dixa's list of the kind says.
	Listed Detail = iota
	// WithMembers adds the members of teams and queues. It takes a request for each.
	WithMembers
)

// List lists the entries of a kind, in Dixa's order.
//
// Dixa: GET /v1/agents, /v1/teams, /v1/queues, /v1/contact-endpoints,
// /v1/custom-attributes, /v1/tags, /v1/business-hours/schedules or /v1/endusers.
func List(ctx context.Context, c *dixa.Client, kind mirror.DirectoryKind, detail Detail) Entries {
	switch kind {
	case mirror.KindAgent:
		return Agents(c.Agents.List(ctx, dixa.AgentFilter{}))
	case mirror.KindTeam:
		return convert(whole(c.Teams.List(ctx)), func(t *dixa.Team) (mirror.DirectoryEntry, error) {
			e := teamEntry(t)
			if detail != WithMembers {
				return e, nil
			}
			var err error
			e.MemberIDs, err = TeamMembers(ctx, c, t.ID)
			return e, err
		})
	case mirror.KindQueue:
		return convert(whole(c.Queues.List(ctx)), func(q *dixa.Queue) (mirror.DirectoryEntry, error) {
			e := queueEntry(q)
			if detail != WithMembers {
				return e, nil
			}
			var err error
			e.MemberIDs, err = QueueMembers(ctx, c, q.ID)
			return e, err
		})
	case mirror.KindContactEndpoint:
		return convert(whole(c.ContactEndpoints.List(ctx, "")), certain(endpointEntry))
	case mirror.KindAttribute:
		return convert(whole(c.CustomAttributes.List(ctx)), certain(attributeEntry))
	case mirror.KindTag:
		return convert(whole(c.Tags.List(ctx, true)), certain(tagEntry))
	case mirror.KindSchedule:
		return convert(whole(c.BusinessHours.Schedules(ctx)), func(s *dixa.BusinessHoursSchedule) (mirror.DirectoryEntry, error) {
			definition, err := c.BusinessHours.Definition(ctx, s.ID)
			return entry(s.ID, s.Name, definition), err
		})
	case mirror.KindEndUser:
		return convert(c.EndUsers.List(ctx, dixa.EndUserFilter{}), certain(EndUser))
	default:
		return failed(fmt.Errorf("the directory has no kind %q", kind))
	}
}

// TeamMembers returns the ids of the agents of a team.
//
// Dixa: GET /v1/teams/{teamId}/agents.
func TeamMembers(ctx context.Context, c *dixa.Client, id string) (ids []string, err error) {
	members, err := c.Teams.Members(ctx, id)
	for _, m := range members {
		ids = append(ids, m.ID)
	}
	return ids, err
}

// QueueMembers returns the ids of the agents of a queue.
//
// Dixa: GET /v1/queues/{queueId}/members.
func QueueMembers(ctx context.Context, c *dixa.Client, id string) (ids []string, err error) {
	members, err := c.Queues.Members(ctx, id)
	for _, m := range members {
		ids = append(ids, m.AgentID)
	}
	return ids, err
}

// Get reads one entry. Teams and queues have no members, and end users are complete.
//
// Dixa: GET /v1/agents/{agentId}, /v1/teams/{teamId}, /v1/queues/{queueId},
// /v1/contact-endpoints/{contactEndpointId}, /v1/custom-attributes/{customAttributeId},
// /v1/tags/{tagId} or /v1/endusers/{userId}.
func Get(ctx context.Context, c *dixa.Client, kind mirror.DirectoryKind, id string) (mirror.DirectoryEntry, error) {
	switch kind {
	case mirror.KindAgent:
		return one(agentEntry)(c.Agents.Get(ctx, id))
	case mirror.KindTeam:
		return one(teamEntry)(c.Teams.Get(ctx, id))
	case mirror.KindQueue:
		return one(queueEntry)(c.Queues.Get(ctx, id))
	case mirror.KindContactEndpoint:
		return one(endpointEntry)(c.ContactEndpoints.Get(ctx, id))
	case mirror.KindAttribute:
		return one(attributeEntry)(c.CustomAttributes.Get(ctx, id))
	case mirror.KindTag:
		return one(tagEntry)(c.Tags.Get(ctx, id))
	case mirror.KindEndUser:
		readAt := time.Now()
		e, err := one(EndUser)(c.EndUsers.Get(ctx, id))
		e.CompleteAt = readAt.UTC()
		return e, err
	default:
		return mirror.DirectoryEntry{}, fmt.Errorf("the directory cannot read one entry of kind %q", kind)
	}
}

// Agents converts a list of agents.
func Agents(all iter.Seq2[*dixa.Agent, error]) Entries { return convert(all, certain(agentEntry)) }

// EndUser converts an end user.
func EndUser(u *dixa.EndUser) mirror.DirectoryEntry { return entry(u.ID, u.DisplayName, u) }

func agentEntry(a *dixa.Agent) mirror.DirectoryEntry { return entry(a.ID, a.DisplayName, a) }
func teamEntry(t *dixa.Team) mirror.DirectoryEntry   { return entry(t.ID, t.Name, t) }
func queueEntry(q *dixa.Queue) mirror.DirectoryEntry { return entry(q.ID, q.Name, q) }
func tagEntry(t *dixa.Tag) mirror.DirectoryEntry     { return entry(t.ID, t.Name, t) }

func endpointEntry(e *dixa.ContactEndpoint) mirror.DirectoryEntry { return entry(e.ID(), e.Name, e) }

func attributeEntry(a *dixa.CustomAttributeDefinition) mirror.DirectoryEntry {
	return entry(a.ID, a.Label, a)
}

// one converts the result of a read.
func one[T any](convert func(*T) mirror.DirectoryEntry) func(*T, error) (mirror.DirectoryEntry, error) {
	return func(x *T, err error) (mirror.DirectoryEntry, error) {
		if err != nil {
			return mirror.DirectoryEntry{}, err
		}
		return convert(x), nil
	}
}

// certain is a conversion that cannot fail.
func certain[T any](f func(T) mirror.DirectoryEntry) func(T) (mirror.DirectoryEntry, error) {
	return func(x T) (mirror.DirectoryEntry, error) { return f(x), nil }
}

// convert converts the elements of a sequence. It ends after an error.
func convert[T any](all iter.Seq2[T, error], one func(T) (mirror.DirectoryEntry, error)) Entries {
	return func(yield func(mirror.DirectoryEntry, error) bool) {
		for x, err := range all {
			var e mirror.DirectoryEntry
			if err == nil {
				e, err = one(x)
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// whole is the sequence of a list.
func whole[T any](list []T, err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, x := range list {
			if !yield(x, nil) {
				return
			}
		}
		if err != nil {
			var none T
			yield(none, err)
		}
	}
}

func failed(err error) Entries {
	return func(yield func(mirror.DirectoryEntry, error) bool) { yield(mirror.DirectoryEntry{}, err) }
}

// entry returns a directory entry of an object as Dixa returns it.
func entry(id, name string, object any) mirror.DirectoryEntry {
	body, _ := json.Marshal(object) //nolint:errchkjson // the client's types can be encoded
	return mirror.DirectoryEntry{ID: id, Name: name, Object: body}
}
