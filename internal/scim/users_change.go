package scim

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/claimflow/claimflow/internal/unify"
	"github.com/claimflow/claimflow/store"
	"github.com/claimflow/claimflow/unified"
)

func (d *userRequests) replace(ctx context.Context, id string, raw map[string]any) (map[string]any, error) {
	in, err := parseUser(raw)
	if err != nil {
		return nil, err
	}
	u, err := d.user(ctx, id)
	if err != nil {
		return nil, err
	}
	return d.update(ctx, u, in)
}

func (d *userRequests) patch(ctx context.Context, id string, ops []operation) (map[string]any, error) {
	u, err := d.user(ctx, id)
	if err != nil {
		return nil, err
	}
	resource := u.resource(d.c)
	touched := map[string]bool{}
	for i := range ops {
		if err := ops[i].apply(users, resource); err != nil {
			return nil, err
		}
		if a := ops[i].attribute; a != nil {
			touched[a.Name] = true
		}
	}
	raw := map[string]any{}
	for name := range touched {
		v, has := resource[name]
		switch {
		case has:
			raw[name] = v
		case name == attrUserName, name == attrActive:
			return nil, wrong(mutability, "The attribute "+name+" cannot be removed.")
		case name == attrDisplayName, name == attrExternalID:
			raw[name] = ""
		}
	}
	if touched[attrName] { // parts that are gone are cleared
		parts, _ := raw[attrName].(map[string]any)
		for _, part := range []string{"givenName", "familyName"} {
			if parts != nil && parts[part] == nil {
				parts[part] = ""
			}
		}
	}
	in, err := parseUser(raw)
	if err != nil {
		return nil, err
	}
	if touched[attrRoles] && in.roles == nil {
		in.roles = []string{}
	}
	return d.update(ctx, u, in)
}

// update brings a user to the state that the provider wants. A user without rights keeps
// changes of the profile until they return, because Dixa has no agent to change.
func (d *userRequests) update(ctx context.Context, u *user, in *input) (map[string]any, error) {
	p, k, err := u.apply(in)
	if err != nil {
		return nil, err
	}
	was, active := u.active, u.active
	if in.active != nil {
		active = *in.active
	}
	if u.changing != "" && active == was {
		return nil, &stillRunningError{u.changing}
	}
	link := d.linked(u)
	request := unify.WriteRequest{Resource: "users", Method: unified.MethodUpdate, ID: u.object}
	if active && !was {
		done, err := d.createOnce(ctx, d.c, creation{link, request, map[string]any{"is_active": true}, d.current})
		if err != nil {
			return nil, err
		}
		link, request.ID = done.link, done.link.ObjectID
		link.ID = u.id
		now, err := d.now(ctx, done.answer, &link)
		if err != nil {
			return nil, err
		}
		u.now, u.active, u.object, u.roles, u.created = now.now, true, now.object, now.roles, now.created
	}
	if was && !active {
		if err := d.leave(ctx, u, link, request, map[string]any{"is_active": false}); err != nil {
			return nil, err
		}
	}
	if content := changes(u.userName, &u.now, &p); active && content != nil {
		written, err := d.write(ctx, d.c, request, content, "")
		if err != nil {
			return nil, err
		}
		answer, err := outcome(written)
		if err != nil {
			return nil, err
		}
		now, err := d.now(ctx, answer, &link) // Dixa may write a value in another way, such as a number
		if err != nil {
			return nil, err
		}
		u.now = now.now
	}
	if u.active = active; active {
		k.Pending = nil
	} else if k.Pending = &p; p.equals(&u.now) {
		k.Pending = nil
	}
	if link.Body, err = json.Marshal(k); err != nil {
		return nil, err
	}
	u.kept = k
	return u.resource(d.c), d.Store.Provisioned.Save(context.WithoutCancel(ctx), link)
}

// remove takes the agent's rights and hides the user from the provider.
func (d *userRequests) remove(ctx context.Context, id string) error {
	u, err := d.user(ctx, id)
	if err != nil {
		return err
	}
	link := d.linked(u)
	switch {
	case u.active:
		if err := d.leave(ctx, u, link, unify.WriteRequest{Resource: "users", Method: unified.MethodDelete, ID: u.object}, nil); err != nil {
			return err
		}
	case u.changing != "":
		return &stillRunningError{u.changing}
	}
	link.DeletedAt, link.Body = time.Now(), nil
	return d.Store.Provisioned.Save(context.WithoutCancel(ctx), link)
}

// leave takes the rights of an agent. Whoever asks for the same meanwhile waits for it, and
// whoever asks for something else comes back later.
func (d *userRequests) leave(ctx context.Context, u *user, link store.ProvisionedObject, r unify.WriteRequest, content map[string]any) error {
	if u.link.Name == "" && u.id == u.object { // a refused write leaves nothing
		link.ID, link.ObjectID = "", ""
	}
	stored, _, err := d.begin(ctx, link)
	if err != nil {
		return err
	}
	written, err := d.write(ctx, d.c, r, content, stored.Changing)
	if isConflict(err) {
		return &stillRunningError{stored.Changing}
	}
	if err == nil {
		_, err = outcome(written)
	}
	if _, known := AsError(err); isRunning(err) || err != nil && !known {
		return err
	}
	return errors.Join(err, d.Store.Provisioned.Abandon(context.WithoutCancel(ctx), stored))
}

// linked returns the link of a user whom the provider has not deleted.
func (d *userRequests) linked(u *user) store.ProvisionedObject {
	link := u.link
	if link.Name == "" {
		link = store.ProvisionedObject{ConnectionID: d.c.Account, Kind: store.ProvisionedUser, Name: d.Store.Provisioned.NameOf(u.userName)}
	}
	link.ID, link.ObjectID, link.DeletedAt = u.id, u.object, time.Time{}
	return link
}
