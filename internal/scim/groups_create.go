package scim

import (
	"context"
	"strconv"
	"strings"

	"github.com/claimflow/claimflow/internal/unify"
	"github.com/claimflow/claimflow/store"
	"github.com/claimflow/claimflow/unified"
)

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
			return nil, groupExists(t.ID)
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
	done, err := d.createOnce(ctx, d.c, creation{link, unify.WriteRequest{Resource: "groups", Method: unified.MethodCreate}, content, d.current})
	if err != nil {
		return nil, err
	}
	if done.answer == nil {
		return nil, groupExists(done.link.ObjectID)
	}
	return d.get(ctx, done.link.ObjectID)
}

func groupExists(id string) *Error {
	return taken("The group " + strconv.Quote(id) + " has this displayName.")
}

// current reads the name of a team from Dixa. ok is false if it is gone.
func (d *groupRequests) current(ctx context.Context, object string) (name string, ok bool, err error) {
	e, err := d.Unified.Team(ctx, d.c.Account, object, false)
	if isNotFound(err) {
		return "", false, nil
	}
	return e.Name, err == nil, err
}
