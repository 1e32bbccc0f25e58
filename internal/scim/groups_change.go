package scim

import (
	"context"

	"github.com/claimflow/claimflow/internal/unify"
	"github.com/claimflow/claimflow/store"
	"github.com/claimflow/claimflow/unified"
)

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
			name = d.nameOfObject(g.ID)
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
