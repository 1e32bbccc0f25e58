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
	"time"

	"github.com/claimflow/claimflow/internal/unify"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
	"github.com/claimflow/claimflow/unified"
)

// userRequests carries out requests for users.
type userRequests struct {
	*Service
	c     *Caller
	shown shown
}

// population returns the users of an account. A person is known by their address: an
// agent with the address of a former agent is the same user, even if Dixa gave the agent
// another id.
func (s *Service) population(ctx context.Context, account string) ([]*user, error) {
	rows, err := s.Unified.Agents(ctx, account)
	if err != nil {
		return nil, err
	}
	links, err := s.Store.Provisioned.List(ctx, account, store.ProvisionedUser)
	if err != nil {
		return nil, err
	}
	known := newLinks(links)
	byName := map[string]*user{}
	// Agents come before those who lost their rights, of whom the latest counts.
	slices.SortStableFunc(rows, func(a, b store.DirectoryRow) int {
		if a.GoneAt.IsZero() != b.GoneAt.IsZero() {
			if a.GoneAt.IsZero() {
				return -1
			}
			return 1
		}
		return b.GoneAt.Compare(a.GoneAt)
	})
	var all []*user
	for i := range rows {
		u, err := s.userWith(&rows[i], known)
		if err != nil {
			return nil, err
		}
		name := strings.ToLower(u.userName)
		if u.userName == "" {
			continue
		}
		if first, seen := byName[name]; seen {
			if first.link.ID == "" && !u.active {
				first.id = u.id // the id that the provider may know
			}
			continue
		}
		byName[name] = u
		all = append(all, u)
	}
	return slices.DeleteFunc(all, func(u *user) bool { return !u.active && !u.link.DeletedAt.IsZero() }), nil
}

// links finds what was provisioned by the id in Dixa or by the name.
type links struct {
	byObject, byName map[string]*store.ProvisionedObject
}

func newLinks(all []store.ProvisionedObject) links {
	l := links{map[string]*store.ProvisionedObject{}, map[string]*store.ProvisionedObject{}}
	for i := range all {
		if all[i].ObjectID != "" {
			l.byObject[all[i].ObjectID] = &all[i]
		}
		l.byName[all[i].Name] = &all[i]
	}
	return l
}

func (s *Service) userWith(row *store.DirectoryRow, known links) (*user, error) {
	u, err := userOf(row, known.byObject[row.ID])
	if err != nil || u.link.Name != "" {
		return u, err
	}
	if link := known.byName[s.Store.Provisioned.NameOf(u.userName)]; link != nil {
		return userOf(row, link)
	}
	return u, nil
}

// user finds a user by id, as Dixa has the agent now.
func (d *userRequests) user(ctx context.Context, id string) (*user, error) {
	all, err := d.population(ctx, d.c.Account)
	if err != nil {
		return nil, err
	}
	object := id
	i := slices.IndexFunc(all, func(u *user) bool { return u.id == id })
	if i >= 0 {
		object = all[i].object
		if linked := all[i].link.ObjectID; linked != "" && !all[i].active {
			object = linked
		}
	}
	row, err := d.Unified.Agent(ctx, d.c.Account, object)
	var refused *unified.Error
	if errors.As(err, &refused) && refused.StatusCode == http.StatusNotFound {
		return nil, missing("user", id)
	}
	if err != nil {
		return nil, err
	}
	provisioned, err := d.Store.Provisioned.List(ctx, d.c.Account, store.ProvisionedUser)
	if err != nil {
		return nil, err
	}
	u, err := d.userWith(&row, newLinks(provisioned))
	if err != nil {
		return nil, err
	}
	if i >= 0 {
		u.id = id
	}
	// An id that is not the user's belongs to no one, such as Dixa's new one of a user
	// who returned.
	if u.id != id || u.userName == "" || !u.active && !u.link.DeletedAt.IsZero() {
		return nil, missing("user", id)
	}
	return u, nil
}

func (d *userRequests) list(ctx context.Context, _ *match) ([]map[string]any, error) {
	all, err := d.population(ctx, d.c.Account)
	if err != nil {
		return nil, err
	}
	out := make([]map[string]any, len(all))
	for i, u := range all {
		out[i] = u.resource(d.c)
	}
	return out, nil
}

func (d *userRequests) get(ctx context.Context, id string) (map[string]any, error) {
	u, err := d.user(ctx, id)
	if err != nil {
		return nil, err
	}
	return u.resource(d.c), nil
}

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
	answer, link, err := d.createOnce(ctx, d.c, link, unify.WriteRequest{Resource: "users", Method: unified.MethodCreate}, content)
	if err != nil {
		return nil, err
	}
	made, err := d.now(ctx, answer, &link)
	if err != nil {
		return nil, err
	}
	return made.resource(d.c), nil
}

func exists(u *user) *Error {
	if u.active {
		return taken("The user " + strconv.Quote(u.id) + " has this userName.")
	}
	return taken("The user " + strconv.Quote(u.id) + " has this userName and is not active. Set active to true instead.")
}

// linkOf returns a link with what is kept.
func linkOf(account string, kind store.ProvisionedKind, name string, keep any) (store.ProvisionedObject, error) {
	text, err := json.Marshal(keep)
	return store.ProvisionedObject{ConnectionID: account, Kind: kind, Name: name, Body: text}, err
}

// createOnce carries out a write that creates the object of a link. Requests for the same
// name at once are one write: the first decides, and the others wait for it if they ask
// for the same.
func (s *Service) createOnce(ctx context.Context, c *Caller, link store.ProvisionedObject, r unify.WriteRequest, content map[string]any) (json.RawMessage, store.ProvisionedObject, error) {
	began := time.Now()
	for {
		begun, err := s.Store.Provisioned.Begin(ctx, link)
		if err != nil {
			return nil, link, err
		}
		link.Creating = begun.Creating
		written, err := s.write(ctx, c, r, content, begun.Creating)
		if err != nil {
			if _, refused := AsError(err); refused && !isConflict(err) { // nothing was stored
				err = errors.Join(err, s.Store.Provisioned.Abandon(context.WithoutCancel(ctx), link))
			}
			return nil, link, err
		}
		after := context.WithoutCancel(ctx) // what was done must be remembered
		if !written.Fresh && !written.FinishedAt.IsZero() && written.FinishedAt.Before(began) {
			// A process ended before it noted the end of an earlier creation.
			if err := s.Store.Provisioned.Abandon(after, link); err != nil {
				return nil, link, err
			}
			began = time.Time{}
			continue
		}
		answer, err := outcome(written)
		var running *stillRunningError
		if errors.As(err, &running) {
			return nil, link, err
		}
		if err != nil {
			return nil, link, errors.Join(err, s.Store.Provisioned.Abandon(after, link))
		}
		var made struct{ ID string }
		if err := json.Unmarshal(answer, &made); err != nil || made.ID == "" {
			return nil, link, fmt.Errorf("read the answer of operation %s: it has no id", written.ID)
		}
		if link.ObjectID = made.ID; link.ID == "" {
			link.ID = made.ID
		}
		err = s.Store.Provisioned.End(after, link)
		link.Creating = ""
		return answer, link, err
	}
}

func isConflict(err error) bool {
	var u *unified.Error
	return errors.As(err, &u) && u.StatusCode == http.StatusConflict
}

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
	link := u.link
	if link.Name == "" {
		link = store.ProvisionedObject{ConnectionID: d.c.Account, Kind: store.ProvisionedUser, Name: d.Store.Provisioned.NameOf(u.userName)}
	}
	link.ID, link.ObjectID, link.DeletedAt = u.id, u.object, time.Time{}
	request := unify.WriteRequest{Resource: "users", Method: unified.MethodUpdate, ID: u.object}
	if active && !was {
		if link.Body, err = json.Marshal(k); err != nil {
			return nil, err
		}
		answer, restored, err := d.createOnce(ctx, d.c, link, request, map[string]any{"is_active": true})
		if err != nil {
			return nil, err
		}
		link, request.ID = restored, restored.ObjectID
		now, err := d.now(ctx, answer, &link)
		if err != nil {
			return nil, err
		}
		u.now, u.active, u.object, u.roles, u.created = now.now, true, now.object, now.roles, now.created
	}
	var content map[string]any
	switch {
	case was && !active:
		content = map[string]any{"is_active": false}
	case active:
		content = changes(u.userName, &u.now, &p)
	}
	if content != nil {
		written, err := d.write(ctx, d.c, request, content, "")
		if err != nil {
			return nil, err
		}
		answer, err := outcome(written)
		if err != nil {
			return nil, err
		}
		if active { // Dixa may write a value in another way, such as a number
			now, err := d.now(ctx, answer, &link)
			if err != nil {
				return nil, err
			}
			u.now = now.now
		}
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

// remove takes the agent's rights and hides the user from the provider.
func (d *userRequests) remove(ctx context.Context, id string) error {
	u, err := d.user(ctx, id)
	if err != nil {
		return err
	}
	if u.active {
		written, err := d.write(ctx, d.c, unify.WriteRequest{Resource: "users", Method: unified.MethodDelete, ID: u.object}, nil, "")
		if err != nil {
			return err
		}
		if _, err := outcome(written); err != nil {
			return err
		}
	}
	link := u.link
	if link.Name == "" {
		link = store.ProvisionedObject{ConnectionID: d.c.Account, Kind: store.ProvisionedUser, Name: d.Store.Provisioned.NameOf(u.userName)}
	}
	link.ID, link.ObjectID, link.DeletedAt, link.Body = u.id, u.object, time.Now(), nil
	return d.Store.Provisioned.Save(context.WithoutCancel(ctx), link)
}
