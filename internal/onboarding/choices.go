package onboarding

import (
	"cmp"
	"context"
	"slices"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/internal/todixa/connection"
)

// maxChoices bounds each list of [Service.Choices].
const maxChoices = 1000

// Choices lists what the settings of a shop can name in its Dixa: email contact endpoints,
// agents, queues and text attributes of conversations, sorted by name. The error is a
// [*Refusal] if Dixa cannot be queried: [NotConnected] or [Unreachable].
func (s *Service) Choices(ctx context.Context, shop string) (claim.Choices, error) {
	var c claim.Choices
	in, err := s.store.Settings.Integration(ctx, shop)
	if err != nil {
		return c, err
	}
	client, err := s.client(ctx, in)
	if err != nil {
		return c, err
	}
	d := newDirectory(client)
	if err := d.choices(ctx, &c); err != nil {
		return c, dixaRefusal(err)
	}
	for _, list := range [][]claim.Choice{c.Mailboxes, c.Agents, c.Queues, c.Attributes} {
		slices.SortFunc(list, func(a, b claim.Choice) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	}
	return c, nil
}

func (d *directory) choices(ctx context.Context, c *claim.Choices) error {
	boxes, err := d.mailboxes(ctx)
	if err != nil {
		return err
	}
	for _, address := range boxes {
		c.Mailboxes = append(c.Mailboxes, claim.Choice{ID: address, Name: address})
	}
	agents, err := connection.Call(ctx, func() (all []*dixa.Agent, err error) {
		for agent, err := range d.client.Agents.List(ctx, dixa.AgentFilter{}) {
			if err != nil || len(all) == maxChoices {
				return all, err
			}
			all = append(all, agent)
		}
		return all, nil
	})
	if err != nil {
		return err
	}
	for _, a := range agents {
		c.Agents = append(c.Agents, claim.Choice{ID: a.ID, Name: cmp.Or(a.DisplayName, a.Email, a.ID), Email: a.Email})
	}
	if err := d.readQueues(ctx); err != nil {
		return err
	}
	c.Queues = append(c.Queues, d.queueChoices...)
	if err := d.readAttributes(ctx); err != nil {
		return err
	}
	for id, a := range d.attributes {
		if d.attributeProblem(id) == "" {
			c.Attributes = append(c.Attributes, claim.Choice{ID: id, Name: cmp.Or(a.Label, id)})
		}
	}
	return nil
}
