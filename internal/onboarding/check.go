package onboarding

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/internal/todixa/connection"
)

// kind is a kind of Dixa object that settings name.
type kind string

const (
	mailbox   kind = "contact endpoint"
	agent     kind = "agent"
	queue     kind = "queue"
	attribute kind = "custom attribute"
)

// reference is a setting that names a Dixa object.
type reference struct {
	field string
	kind  kind
	id    string
}

// references lists the Dixa objects that the settings name, by JSON path.
func references(s claim.Settings) []reference {
	all := []reference{
		{"email_integration_id", mailbox, s.EmailIntegrationID},
		{"default_agent_id", agent, s.DefaultAgentID},
		{"default_queue_id", queue, s.DefaultQueueID},
		{"order_number_attribute", attribute, s.OrderNumberAttribute},
		{"claim_id_attribute", attribute, s.ClaimIDAttribute},
	}
	for i, rule := range s.Routing {
		then := fmt.Sprintf("routing[%d].then.", i)
		all = append(all,
			reference{then + "email_integration_id", mailbox, rule.Then.EmailIntegrationID},
			reference{then + "queue_id", queue, rule.Then.QueueID},
			reference{then + "agent_id", agent, rule.Then.AgentID})
	}
	return slices.DeleteFunc(all, func(r reference) bool { return r.id == "" })
}

// directory looks up objects in one Dixa. It reads each list once.
type directory struct {
	client       *dixa.Client
	boxes        []string
	queues       map[string]bool
	queueNames   []string
	queueChoices []claim.Choice
	attributes   map[string]*dixa.CustomAttributeDefinition
	agents       map[string]bool
}

func newDirectory(client *dixa.Client) *directory {
	return &directory{client: client, agents: map[string]bool{}}
}

// check lists the references to missing or unsuitable objects. The error is a
// [*Refusal] if Dixa could not be queried.
func (d *directory) check(ctx context.Context, refs []reference) ([]claim.FieldError, error) {
	var fieldErrors []claim.FieldError
	for _, r := range refs {
		problem, err := d.problem(ctx, r)
		if err != nil {
			return nil, dixaRefusal(err)
		}
		if problem != "" {
			fieldErrors = append(fieldErrors, claim.FieldError{Field: r.field, Problem: problem})
		}
	}
	return fieldErrors, nil
}

// problem says in words what is wrong with a reference; empty if it is valid.
func (d *directory) problem(ctx context.Context, r reference) (string, error) {
	switch r.kind {
	case mailbox:
		boxes, err := d.mailboxes(ctx)
		if err != nil || containsFold(boxes, r.id) {
			return "", err
		}
		return "is not a contact endpoint in the shop's Dixa organization, which has " + listed(boxes), nil
	case agent:
		is, err := d.isAgent(ctx, r.id)
		if err != nil || is {
			return "", err
		}
		return "is not an agent in the shop's Dixa organization; find the agent's id in Dixa under Settings > Team > Agents", nil
	case queue:
		if err := d.readQueues(ctx); err != nil || d.queues[r.id] {
			return "", err
		}
		return "is not a queue in the shop's Dixa organization, which has " + listed(d.queueNames), nil
	default:
		if err := d.readAttributes(ctx); err != nil {
			return "", err
		}
		return d.attributeProblem(r.id), nil
	}
}

func (d *directory) mailboxes(ctx context.Context) ([]string, error) {
	if d.boxes != nil {
		return d.boxes, nil
	}
	endpoints, err := connection.Call(ctx, func() ([]*dixa.ContactEndpoint, error) {
		return d.client.ContactEndpoints.List(ctx, dixa.EmailEndpoint)
	})
	if err != nil {
		return nil, err
	}
	d.boxes = []string{}
	for _, e := range endpoints {
		if e.Address != "" {
			d.boxes = append(d.boxes, e.Address)
		}
	}
	return d.boxes, nil
}

func (d *directory) isAgent(ctx context.Context, id string) (bool, error) {
	if is, known := d.agents[id]; known {
		return is, nil
	}
	_, err := connection.Call(ctx, func() (*dixa.Agent, error) { return d.client.Agents.Get(ctx, id) })
	if err != nil && !dixa.IsNotFound(err) {
		return false, err
	}
	d.agents[id] = err == nil
	return d.agents[id], nil
}

func (d *directory) readQueues(ctx context.Context) error {
	if d.queues != nil {
		return nil
	}
	queues, err := connection.Call(ctx, func() ([]*dixa.Queue, error) { return d.client.Queues.List(ctx) })
	if err != nil {
		return err
	}
	d.queues = map[string]bool{}
	for _, q := range queues {
		d.queues[q.ID] = true
		d.queueChoices = append(d.queueChoices, claim.Choice{ID: q.ID, Name: q.Name})
		d.queueNames = append(d.queueNames, fmt.Sprintf("%s (%s)", q.Name, q.ID))
	}
	return nil
}

func (d *directory) readAttributes(ctx context.Context) error {
	if d.attributes != nil {
		return nil
	}
	definitions, err := connection.Call(ctx, func() ([]*dixa.CustomAttributeDefinition, error) {
		return d.client.CustomAttributes.List(ctx)
	})
	if err != nil {
		return err
	}
	d.attributes = map[string]*dixa.CustomAttributeDefinition{}
	for _, a := range definitions {
		d.attributes[a.ID] = a
	}
	return nil
}

func (d *directory) attributeProblem(id string) string {
	a := d.attributes[id]
	switch {
	case a == nil:
		var names []string
		for _, other := range d.attributes {
			if other.EntityType == "Conversation" && other.InputDefinition.Type == "Text" {
				names = append(names, fmt.Sprintf("%s (%s)", other.Label, other.ID))
			}
		}
		slices.Sort(names)
		return "is not a custom attribute in the shop's Dixa organization, which has these text attributes for conversations: " + listed(names)
	case a.EntityType != "Conversation":
		return fmt.Sprintf("is the attribute %q, which does not apply to conversations", a.Label)
	case a.InputDefinition.Type != "" && a.InputDefinition.Type != "Text":
		return fmt.Sprintf("is the attribute %q, which is a selection, not a text", a.Label)
	case a.IsArchived || a.IsDeactivated:
		return fmt.Sprintf("is the attribute %q, which is archived or deactivated", a.Label)
	default:
		return ""
	}
}

const listedAtMost = 10

func listed(names []string) string {
	switch {
	case len(names) == 0:
		return "none"
	case len(names) > listedAtMost:
		return fmt.Sprintf("%s and %d more", strings.Join(names[:listedAtMost], ", "), len(names)-listedAtMost)
	default:
		return strings.Join(names, ", ")
	}
}

func containsFold(list []string, s string) bool {
	return slices.ContainsFunc(list, func(e string) bool { return strings.EqualFold(e, s) })
}
