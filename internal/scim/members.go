package scim

import (
	"context"
	"slices"
	"strconv"
)

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

// emptied refuses requests that would take all members out of a group without naming
// them.
func emptied(g *group) error {
	if len(g.MemberIDs) == 0 {
		return nil
	}
	return wrong(invalidValue, `This would remove all members of the group without naming one. Remove members by their value, such as with the path members[value eq "…"], or delete the group.`)
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
