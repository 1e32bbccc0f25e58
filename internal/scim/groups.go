package scim

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
)

// groupRequests carries out requests for groups.
type groupRequests struct {
	*Service
	c     *Caller
	shown shown
}

// group is a team of Dixa as a group of SCIM.
type group struct {
	mirror.DirectoryEntry
	externalID string
	link       store.ProvisionedObject
}

func (d *groupRequests) groupOf(e mirror.DirectoryEntry, links []store.ProvisionedObject) (*group, error) {
	g := &group{DirectoryEntry: e}
	known := newLinks(links)
	if link := known.byObject[e.ID]; link != nil {
		g.link = *link
	} else if link := known.byName[d.Store.Provisioned.NameOf(e.Name)]; link != nil && link.Changing != "" {
		g.link = *link // nobody noted that the creation ended
	}
	var k kept
	if len(g.link.Body) > 0 && json.Unmarshal(g.link.Body, &k) != nil {
		return nil, fmt.Errorf("decode what was provisioned of the team %s", e.ID)
	}
	g.externalID = k.ExternalID
	return g, nil
}

// resource returns the group in SCIM's form; without members if p is nil.
func (g *group) resource(c *Caller, p *people) map[string]any {
	out := map[string]any{attrSchemas: []string{schemaGroup}, attrID: g.ID, attrDisplayName: g.Name, attrMeta: metaOf(c, groups, g.ID, "")}
	if g.externalID != "" {
		out[attrExternalID] = g.externalID
	}
	if p == nil {
		return out
	}
	members := []any{}
	for _, id := range g.MemberIDs {
		member := map[string]any{attrValue: id, attrKind: users.name}
		if u := p.byObject[id]; u != nil {
			member[attrValue] = u.id
			if name := u.shown().Display; name != "" {
				member["display"] = name
			}
		}
		member["$ref"] = locationOf(map[string]any{attrMeta: metaOf(c, users, scalar(member[attrValue]), "")})
		members = append(members, member)
	}
	out[attrMembers] = members
	return out
}

func (d *groupRequests) list(ctx context.Context, m *match) ([]map[string]any, error) {
	withMembers := d.shown.has(groups, attrMembers) || m.uses(attrMembers)
	teams, err := d.Unified.Teams(ctx, d.c.Account, withMembers)
	if err != nil {
		return nil, err
	}
	links, err := d.Store.Provisioned.List(ctx, d.c.Account, store.ProvisionedGroup)
	if err != nil {
		return nil, err
	}
	var p *people
	if withMembers {
		all, err := d.people(ctx)
		if err != nil {
			return nil, err
		}
		p = &all
	}
	var out []map[string]any
	for _, e := range teams {
		g, err := d.groupOf(e, links)
		if err != nil {
			return nil, err
		}
		out = append(out, g.resource(d.c, p))
	}
	return out, nil
}

// group reads a group from Dixa now.
func (d *groupRequests) group(ctx context.Context, id string, members bool) (*group, error) {
	e, err := d.Unified.Team(ctx, d.c.Account, id, members)
	if isNotFound(err) {
		return nil, missing("group", id)
	}
	if err != nil {
		return nil, err
	}
	links, err := d.Store.Provisioned.List(ctx, d.c.Account, store.ProvisionedGroup)
	if err != nil {
		return nil, err
	}
	return d.groupOf(e, links)
}

func (d *groupRequests) get(ctx context.Context, id string) (map[string]any, error) {
	withMembers := d.shown.has(groups, attrMembers)
	g, err := d.group(ctx, id, withMembers)
	if err != nil || !withMembers {
		if g == nil {
			return nil, err
		}
		return g.resource(d.c, nil), err
	}
	p, err := d.people(ctx)
	return g.resource(d.c, &p), err
}
