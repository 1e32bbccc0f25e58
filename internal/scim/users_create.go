package scim

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/claimflow/claimflow/internal/unify"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
	"github.com/claimflow/claimflow/unified"
)

func (d *userRequests) create(ctx context.Context, raw map[string]any) (map[string]any, error) {
	in, err := parseUser(raw)
	switch {
	case err != nil:
		return nil, err
	case in.userName == nil || *in.userName == "":
		return nil, wrong(invalidValue, "userName is missing. It is the email address of the agent.")
	case !isAddress(*in.userName):
		return nil, wrong(invalidValue, "userName must be an email address: it is that of the agent in Dixa.")
	case in.active != nil && !*in.active:
		return nil, wrong(invalidValue, "active must be true: Dixa's agents are active.")
	case len(in.roles) > 0:
		return nil, unsupported(noRoles)
	}
	all, err := d.population(ctx, d.c.Account)
	if err != nil {
		return nil, err
	}
	for _, u := range all {
		if strings.EqualFold(u.userName, *in.userName) {
			return nil, exists(u)
		}
	}
	u := &user{userName: *in.userName}
	p, k, err := u.apply(in)
	if err != nil {
		return nil, err
	}
	if p.Display == "" && in.formatted != nil {
		p.Display = *in.formatted
	}
	for _, otherwise := range []string{strings.TrimSpace(p.Given + " " + p.Family), u.userName} {
		if p.Display == "" {
			p.Display = otherwise
		}
	}
	content := changes(u.userName, &profile{}, &p)
	if content["emails"] == nil {
		content["emails"] = addresses("email", []string{u.userName})
	}
	link, err := linkOf(d.c.Account, store.ProvisionedUser, d.Store.Provisioned.NameOf(u.userName), &k)
	if err != nil {
		return nil, err
	}
	done, err := d.createOnce(ctx, d.c, creation{link, unify.WriteRequest{Resource: "users", Method: unified.MethodCreate}, content, d.current})
	if err != nil {
		return nil, err
	}
	made, err := d.now(ctx, done.answer, &done.link)
	if err != nil {
		return nil, err
	}
	if done.answer == nil {
		return nil, exists(made)
	}
	return made.resource(d.c), nil
}

func exists(u *user) *Error {
	if u.active {
		return taken("The user " + strconv.Quote(u.id) + " has this userName.")
	}
	return taken("The user " + strconv.Quote(u.id) + " has this userName and is not active. Set active to true instead.")
}

// current reads the address of an agent from Dixa. ok is false for a person who is none.
func (d *userRequests) current(ctx context.Context, object string) (address string, ok bool, err error) {
	row, err := d.Unified.Agent(ctx, d.c.Account, object)
	if isNotFound(err) || err == nil && !row.GoneAt.IsZero() {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	u, err := userOf(&row, nil)
	if err != nil {
		return "", false, err
	}
	return u.userName, true, nil
}

// now returns the user of a write's answer, which has Dixa's object unless it could not
// be read.
func (d *userRequests) now(ctx context.Context, answer json.RawMessage, link *store.ProvisionedObject) (*user, error) {
	var made struct {
		Object json.RawMessage `json:"remote_data"`
	}
	row := store.DirectoryRow{DirectoryEntry: mirror.DirectoryEntry{ID: link.ObjectID, Kind: mirror.KindAgent}}
	if json.Unmarshal(answer, &made) == nil && len(made.Object) > 0 {
		row.Object = made.Object
		return userOf(&row, link)
	}
	row, err := d.Unified.Agent(ctx, d.c.Account, link.ObjectID)
	if err != nil {
		return nil, err
	}
	return userOf(&row, link)
}
