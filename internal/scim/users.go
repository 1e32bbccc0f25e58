package scim

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/claimflow/claimflow/store"
	"github.com/claimflow/claimflow/unified"
)

// userRequests carries out requests for users.
type userRequests struct {
	*Service
	c *Caller
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
	objects, changing := []string{id}, ""
	i := slices.IndexFunc(all, func(u *user) bool { return u.id == id })
	if i >= 0 {
		// Before Dixa is asked: what it answers afterwards has what ended until now.
		var link store.ProvisionedObject
		if link, changing, err = d.settle(ctx, all[i].link); err != nil {
			return nil, err
		}
		objects = []string{all[i].object}
		if linked := link.ObjectID; linked != "" && linked != all[i].object {
			objects = append(objects, linked)
		}
	}
	row, err := d.agent(ctx, objects)
	if isNotFound(err) {
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
	u.changing = changing
	return u, nil
}

// agent returns the one of a person's ids in Dixa that is an agent now, or else the last
// that was.
func (d *userRequests) agent(ctx context.Context, objects []string) (row store.DirectoryRow, err error) {
	known := false
	for _, object := range objects {
		found, e := d.Unified.Agent(ctx, d.c.Account, object)
		switch {
		case e == nil:
			if row, known = found, true; row.GoneAt.IsZero() {
				return row, nil
			}
		case !isNotFound(e):
			return row, e
		case !known:
			err = e
		}
	}
	if known {
		return row, nil
	}
	return row, err
}

func isNotFound(err error) bool {
	var refused *unified.Error
	return errors.As(err, &refused) && refused.StatusCode == http.StatusNotFound
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
