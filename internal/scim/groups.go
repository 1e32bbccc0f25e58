package scim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/claimflow/claimflow/internal/unify"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
	"github.com/claimflow/claimflow/unified"
)

// groupRequests carries out requests for groups.
type groupRequests struct {
	*Service
	c     *Caller
	shown shown
}

// people translates between the ids of users and those of agents.
type people struct{ byID, byObject map[string]*user }

func (d *groupRequests) people(ctx context.Context) (people, error) {
	all, err := d.population(ctx, d.c.Account)
	p := people{map[string]*user{}, map[string]*user{}}
	for _, u := range all {
		p.byID[u.id], p.byObject[u.object] = u, u
	}
	return p, err
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
	} else if link := known.byName[d.Store.Provisioned.NameOf(e.Name)]; link != nil && link.ObjectID == "" {
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
			if name := u.want().Display; name != "" {
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
	var refused *unified.Error
	if errors.As(err, &refused) && refused.StatusCode == http.StatusNotFound {
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

// groupInput is what a provider says of a group.
type groupInput struct {
	display, externalID *string
	members             []entry
	hasMembers          bool
}

func parseGroup(raw map[string]any) (*groupInput, error) {
	in := &groupInput{}
	if err := readText(raw, attrDisplayName, attrDisplayName, &in.display); err != nil {
		return nil, err
	}
	if err := readText(raw, attrExternalID, attrExternalID, &in.externalID); err != nil {
		return nil, err
	}
	var err error
	in.members, in.hasMembers, err = readEntries(raw, attrMembers)
	return in, err
}

// agents returns the ids of the agents that are members. Every one must be an active user.
func (p *people) agents(members []string) ([]string, error) {
	ids := []string{}
	for _, id := range members {
		u := p.byID[id]
		if u == nil {
			return nil, wrong(invalidValue, "members has "+strconv.Quote(id)+", which is the id of no user.")
		}
		if !u.active {
			return nil, wrong(invalidValue, "members has the user "+strconv.Quote(id)+", who is not active. Activate the user first.")
		}
		ids = append(ids, u.object)
	}
	return ids, nil
}

func values(entries []entry) (all []string) {
	for _, e := range entries {
		all = append(all, e.Value)
	}
	return all
}

func (d *groupRequests) create(ctx context.Context, raw map[string]any) (map[string]any, error) {
	in, err := parseGroup(raw)
	if err != nil {
		return nil, err
	}
	if in.display == nil || *in.display == "" {
		return nil, wrong(invalidValue, "displayName is missing. It is the name of the team.")
	}
	teams, err := d.Unified.Teams(ctx, d.c.Account, false)
	if err != nil {
		return nil, err
	}
	for _, t := range teams {
		if strings.EqualFold(t.Name, *in.display) {
			return nil, taken("The group " + strconv.Quote(t.ID) + " has this displayName.")
		}
	}
	p, err := d.people(ctx)
	if err != nil {
		return nil, err
	}
	content := map[string]any{"name": *in.display}
	if len(in.members) > 0 {
		if content["user_ids"], err = p.agents(values(in.members)); err != nil {
			return nil, err
		}
	}
	k := kept{}
	if in.externalID != nil {
		k.ExternalID = *in.externalID
	}
	link, err := linkOf(d.c.Account, store.ProvisionedGroup, d.Store.Provisioned.NameOf(*in.display), &k)
	if err != nil {
		return nil, err
	}
	_, link, err = d.createOnce(ctx, d.c, link, unify.WriteRequest{Resource: "groups", Method: unified.MethodCreate}, content)
	if err != nil {
		return nil, err
	}
	return d.get(ctx, link.ObjectID)
}

// emptied refuses requests that would take all members out of a group without naming
// them.
func emptied(g *group) error {
	if len(g.MemberIDs) == 0 {
		return nil
	}
	return wrong(invalidValue, `This would remove all members of the group without naming one. Remove members by their value, such as with the path members[value eq "…"], or delete the group.`)
}

func (d *groupRequests) replace(ctx context.Context, id string, raw map[string]any) (map[string]any, error) {
	in, err := parseGroup(raw)
	if err != nil {
		return nil, err
	}
	return d.change(ctx, id, in, func(g *group) (membership, error) {
		if !in.hasMembers {
			return membership{}, nil
		}
		if len(in.members) == 0 {
			return membership{}, emptied(g)
		}
		return membership{whole: true, all: values(in.members)}, nil
	})
}

// membership is a change of the members of a group, by ids of users.
type membership struct {
	// whole says that all is the whole list. Otherwise add and remove change it.
	whole            bool
	all, add, remove []string
}

func (m *membership) adds(id string) {
	m.remove = minus(m.remove, id)
	if m.whole {
		m.all = append(minus(m.all, id), id)
		return
	}
	m.add = append(minus(m.add, id), id)
}

func (m *membership) removes(id string) {
	m.add = minus(m.add, id)
	if m.whole {
		m.all = minus(m.all, id)
		return
	}
	m.remove = append(minus(m.remove, id), id)
}

func minus(ids []string, id string) []string {
	return slices.DeleteFunc(slices.Clone(ids), func(other string) bool { return other == id })
}

func (d *groupRequests) patch(ctx context.Context, id string, ops []operation) (map[string]any, error) {
	in := &groupInput{}
	for _, o := range ops {
		switch {
		case o.attribute == nil || o.attribute.Name == attrMembers:
			continue
		case o.op == opRemove && o.attribute.Name == attrDisplayName:
			return nil, wrong(mutability, "The attribute displayName cannot be removed.")
		case o.op == opRemove:
			o.value = ""
		}
		into := &in.externalID
		if o.attribute.Name == attrDisplayName {
			into = &in.display
		}
		if err := readText(map[string]any{attrValue: o.value}, attrValue, o.attribute.Name, into); err != nil {
			return nil, err
		}
	}
	return d.change(ctx, id, in, func(g *group) (membership, error) {
		var m membership
		for i := range ops {
			if ops[i].attribute == nil || ops[i].attribute.Name != attrMembers {
				continue
			}
			if err := d.patchMembers(ctx, g, &m, &ops[i]); err != nil {
				return m, err
			}
		}
		return m, nil
	})
}

// patchMembers adds an operation on members to a change of them. A removal names the
// members; one that names none is refused, because read literally it empties the group.
func (d *groupRequests) patchMembers(ctx context.Context, g *group, m *membership, o *operation) error {
	if o.sub != nil && (o.op != opRemove || o.sub.Name != attrValue) {
		return wrong(mutability, "The parts of a member cannot be changed. Add and remove members.")
	}
	elements, err := o.elements()
	if err != nil {
		return err
	}
	var named []string
	for _, e := range elements {
		id := scalarOr(e[attrValue])
		if id == "" {
			return wrong(invalidValue, "Every member must have a value, which is the id of a user.")
		}
		named = append(named, id)
	}
	switch {
	case o.op == opRemove && o.where != nil:
		p, err := d.people(ctx)
		if err != nil {
			return err
		}
		now, _ := g.resource(d.c, &p)[attrMembers].([]any)
		for _, v := range now {
			member, _ := v.(map[string]any)
			if !holds(groups, o.where, o.attribute.SubAttributes, member) {
				continue
			}
			if id := scalar(member[attrValue]); len(named) == 0 || slices.Contains(named, id) {
				m.removes(id)
			}
		}
	case o.where != nil:
		return wrong(invalidPath, "Members can only be selected to remove them. Add members with the path members.")
	case len(named) == 0 && o.op == opAdd:
	case len(named) == 0:
		return emptied(g)
	case o.op == opRemove:
		for _, id := range named {
			m.removes(id)
		}
	case o.op == opReplace:
		*m = membership{whole: true, all: named}
	default:
		for _, id := range named {
			m.adds(id)
		}
	}
	return nil
}

// change changes a group. members says how, once the group is read.
func (d *groupRequests) change(ctx context.Context, id string, in *groupInput, members func(*group) (membership, error)) (map[string]any, error) {
	g, err := d.group(ctx, id, true)
	if err != nil {
		return nil, err
	}
	if in.display != nil && *in.display != g.Name {
		return nil, wrong(mutability, "Dixa has no operation that renames a team. Rename it in Dixa under Settings > Team > Teams.")
	}
	m, err := members(g)
	if err != nil {
		return nil, err
	}
	content, err := d.content(ctx, g, &m)
	if err != nil {
		return nil, err
	}
	if content != nil {
		written, err := d.write(ctx, d.c, unify.WriteRequest{Resource: "groups", Method: unified.MethodUpdate, ID: g.ID}, content, "")
		if err != nil {
			return nil, err
		}
		if _, err := outcome(written); err != nil {
			return nil, err
		}
	}
	if in.externalID != nil && *in.externalID != g.externalID {
		name := g.link.Name
		if name == "" {
			name = d.Store.Provisioned.NameOf("id " + g.ID)
		}
		link, err := linkOf(d.c.Account, store.ProvisionedGroup, name, &kept{ExternalID: *in.externalID})
		if err != nil {
			return nil, err
		}
		link.ID, link.ObjectID = g.ID, g.ID
		if err := d.Store.Provisioned.Save(context.WithoutCancel(ctx), link); err != nil {
			return nil, err
		}
	}
	return d.get(ctx, g.ID)
}

// content returns the body of the update for a change of members; nil for no change.
func (d *groupRequests) content(ctx context.Context, g *group, m *membership) (map[string]any, error) {
	if !m.whole && len(m.add)+len(m.remove) == 0 {
		return nil, nil
	}
	p, err := d.people(ctx)
	if err != nil {
		return nil, err
	}
	if m.whole {
		if len(m.all) == 0 {
			return nil, emptied(g)
		}
		all, err := p.agents(m.all)
		return map[string]any{"user_ids": all}, err
	}
	content := map[string]any{}
	if len(m.add) > 0 {
		if content["add_user_ids"], err = p.agents(m.add); err != nil {
			return nil, err
		}
	}
	var gone []string
	for _, id := range m.remove {
		object := id // an agent that is no user
		if u := p.byID[id]; u != nil {
			object = u.object
		}
		if slices.Contains(g.MemberIDs, object) {
			gone = append(gone, object)
		}
	}
	if len(gone) > 0 {
		content["remove_user_ids"] = gone
	}
	if len(content) == 0 {
		return nil, nil
	}
	return content, nil
}

func (d *groupRequests) remove(ctx context.Context, id string) error {
	g, err := d.group(ctx, id, false)
	if err != nil {
		return err
	}
	written, err := d.write(ctx, d.c, unify.WriteRequest{Resource: "groups", Method: unified.MethodDelete, ID: g.ID}, nil, "")
	if err != nil {
		return err
	}
	if _, err := outcome(written); err != nil || g.link.Name == "" {
		return err
	}
	return d.Store.Provisioned.Delete(context.WithoutCancel(ctx), d.c.Account, store.ProvisionedGroup, g.link.Name)
}
