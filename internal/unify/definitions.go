package unify

import (
	"context"
	"slices"
	"strings"

	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/internal/fromdixa/directory"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
	"github.com/claimflow/claimflow/unified"
)

// definitions reads resources that are small enough to be read as a whole.
type definitions struct {
	*Service
	// all reads all objects.
	all func(ctx context.Context, r *Request) ([]unified.Object, Source, error)
	// one reads an object from Dixa; nil if there is no operation for one.
	one func(ctx context.Context, r *Request, id string) (unified.Object, error)
}

func (d *definitions) list(ctx context.Context, r *Request, cursor string) (page unified.Page, source Source, err error) {
	all, source, err := d.all(ctx, r)
	if err != nil {
		return page, source, err
	}
	page, err = paginate(r, all, cursor)
	return page, source, err
}

func (d *definitions) get(ctx context.Context, r *Request, id string) (unified.Object, Source, error) {
	if r.Live && d.one != nil {
		o, err := d.one(ctx, r, id)
		return o, liveNow(), err
	}
	all, source, err := d.all(ctx, r)
	if err != nil && d.one == nil {
		return nil, source, err
	}
	if i := slices.IndexFunc(all, func(o unified.Object) bool { return o.Key() == id }); i >= 0 {
		return all[i], source, nil
	}
	if d.one == nil || source.Live && err == nil {
		return nil, source, notFound()
	}
	o, err := d.one(ctx, r, id) // newer than the mirror
	return o, liveNow(), err
}

// definitions returns the reader of a resource.
func (s *Service) definitions(resource string) reader {
	switch resource {
	case "ticket_status":
		return fixed(s, unified.Statuses())
	case "ticket_types":
		return fixed(s, unified.TicketTypes())
	case "users":
		return s.users()
	case "roles":
		return &definitions{Service: s, all: s.roles}
	case "collections":
		return s.collections()
	case "teams":
		return kind(s, mirror.KindTeam, certain(unified.TeamOf))
	case "groups":
		return kind(s, mirror.KindTeam, certain(unified.GroupOf))
	case "tags":
		return s.tags()
	default:
		fields := kind(s, mirror.KindAttribute, unified.FieldOf)
		fields.one = nil // Dixa's read of one does not say that it does not exist
		return fields
	}
}

func fixed[T unified.Object](s *Service, list []T) reader {
	return &definitions{Service: s, all: func(context.Context, *Request) ([]unified.Object, Source, error) {
		return objects(list), Source{}, nil
	}}
}

func objects[T unified.Object](list []T) []unified.Object {
	all := make([]unified.Object, len(list))
	for i, o := range list {
		all[i] = o
	}
	return all
}

func certain[T any](f func(mirror.DirectoryEntry) T) func(mirror.DirectoryEntry) (T, error) {
	return func(e mirror.DirectoryEntry) (T, error) { return f(e), nil }
}

// rows returns the entries of a kind: from the mirror, otherwise from Dixa. A kind that
// the mirror does not have may be one that the token of the import could not read.
func (s *Service) rows(ctx context.Context, r *Request, kind mirror.DirectoryKind, detail directory.Detail) ([]store.DirectoryRow, Source, error) {
	source, mirrored, err := s.mirroredDirectory(ctx, r)
	if err != nil {
		return nil, source, err
	}
	if mirrored {
		rows, err := s.Store.Mirror.DirectoryRows(ctx, r.Account, kind)
		if err != nil || len(rows) > 0 {
			return rows, source, err
		}
	}
	entries, at, err := s.listed(ctx, r.Account, kind, detail, maxAge(r))
	return asRows(entries), Source{Live: true, At: at}, err
}

func asRows(entries []mirror.DirectoryEntry) []store.DirectoryRow {
	rows := make([]store.DirectoryRow, len(entries))
	for i, e := range entries {
		rows[i].DirectoryEntry = e
	}
	return rows
}

// present returns the objects of the rows that Dixa lists.
func present[T unified.Object](rows []store.DirectoryRow, of func(mirror.DirectoryEntry) (T, error)) ([]unified.Object, error) {
	var all []unified.Object
	for i := range rows {
		if !rows[i].GoneAt.IsZero() {
			continue
		}
		o, err := of(rows[i].DirectoryEntry)
		if err != nil {
			return nil, err
		}
		all = append(all, o)
	}
	return all, nil
}

// kind returns the reader of a resource whose objects are the entries of a kind.
func kind[T unified.Object](s *Service, k mirror.DirectoryKind, of func(mirror.DirectoryEntry) (T, error)) *definitions {
	return &definitions{
		Service: s,
		all: func(ctx context.Context, r *Request) ([]unified.Object, Source, error) {
			rows, source, err := s.rows(ctx, r, k, directory.Listed)
			if err != nil {
				return nil, source, err
			}
			all, err := present(rows, of)
			return all, source, err
		},
		one: func(ctx context.Context, r *Request, id string) (unified.Object, error) {
			e, _, err := s.readOne(ctx, r.Account, k, id, maxAge(r))
			if err != nil {
				return nil, err
			}
			return of(e)
		},
	}
}

// tags returns the reader of tags. remote_query[includeDeactivated] asks Dixa.
func (s *Service) tags() reader {
	read := kind(s, mirror.KindTag, unified.TagOf)
	usual := read.all
	read.all = func(ctx context.Context, r *Request) ([]unified.Object, Source, error) {
		all, source, err := usual(ctx, r)
		if include := r.Remote.Get("includeDeactivated"); err != nil || include == "" || include == "true" {
			return all, source, err
		} else if include != "false" {
			return nil, source, unified.Invalid("remote_query[includeDeactivated]", "must be true or false")
		}
		return slices.DeleteFunc(all, func(o unified.Object) bool {
			tag, _ := o.(*unified.Tag)
			return tag.Status == unified.StatusInactive
		}), source, nil
	}
	return read
}

// collections returns the reader of queues and contact endpoints.
// remote_query[_type] asks Dixa for contact endpoints of a type.
func (s *Service) collections() reader {
	of := certain(unified.CollectionOf)
	queues, endpoints := kind(s, mirror.KindQueue, of), kind(s, mirror.KindContactEndpoint, of)
	return &definitions{
		Service: s,
		all: func(ctx context.Context, r *Request) ([]unified.Object, Source, error) {
			if endpointType := r.Remote.Get("_type"); endpointType != "" {
				all, source, err := endpoints.all(ctx, r)
				return slices.DeleteFunc(all, func(o unified.Object) bool { return !isEndpoint(o, endpointType) }), source, err
			}
			all, source, err := queues.all(ctx, r)
			if err != nil {
				return nil, source, err
			}
			more, other, err := endpoints.all(ctx, r)
			if other.Live && !source.Live {
				source = other
			}
			return append(all, more...), source, err
		},
		one: func(ctx context.Context, r *Request, id string) (unified.Object, error) {
			if strings.ContainsAny(id, "@+") {
				return endpoints.one(ctx, r, id)
			}
			return queues.one(ctx, r, id)
		},
	}
}

// isEndpoint reports whether a collection is a contact endpoint of a type.
func isEndpoint(o unified.Object, endpointType string) bool {
	c, _ := o.(*unified.Collection)
	var e dixa.ContactEndpoint
	return e.UnmarshalJSON(c.RemoteData) == nil && e.Type == endpointType
}

// users returns the reader of agents. Those that Dixa no longer lists are known from the
// mirror only. Lists have them if a filter asks for them.
func (s *Service) users() reader {
	return &definitions{
		Service: s,
		all: func(ctx context.Context, r *Request) ([]unified.Object, Source, error) {
			rows, source, err := s.agents(ctx, r)
			if err == nil && source.Live && len(r.Remote) == 0 {
				rows, err = s.withFormer(ctx, r.Account, rows)
			}
			if err != nil {
				return nil, source, err
			}
			teams, other, err := s.rows(ctx, r, mirror.KindTeam, directory.WithMembers)
			if unreadable(err) {
				err = nil
			}
			if err != nil {
				return nil, source, err
			}
			if other.Live && !source.Live {
				source = other
			}
			all, err := usersOf(rows, teams)
			gone := slices.ContainsFunc(r.Where, func(c unified.Condition) bool { return c.Field == "is_active" || c.Field == "status" })
			if r.SortBy != "" && !gone { // a list
				all = slices.DeleteFunc(all, func(o unified.Object) bool { user, _ := o.(*unified.User); return !user.IsActive })
			}
			return all, source, err
		},
		one: s.user,
	}
}

// withFormer adds the agents that lost their rights, whom Dixa does not list.
func (s *Service) withFormer(ctx context.Context, account string, agents []store.DirectoryRow) ([]store.DirectoryRow, error) {
	known, err := s.Store.Mirror.DirectoryRows(ctx, account, mirror.KindAgent)
	for _, row := range known {
		listed := slices.ContainsFunc(agents, func(a store.DirectoryRow) bool { return a.ID == row.ID })
		if !listed && !row.GoneAt.IsZero() {
			agents = append(agents, row)
		}
	}
	return agents, err
}

// agents returns the agents that a request asks for.
func (s *Service) agents(ctx context.Context, r *Request) ([]store.DirectoryRow, Source, error) {
	email, phone := r.Remote.Get("email"), r.Remote.Get("phone")
	if email == "" && phone == "" {
		return s.rows(ctx, r, mirror.KindAgent, directory.Listed)
	}
	source := liveNow()
	client, err := s.Clients.Client(ctx, r.Account)
	if err != nil {
		return nil, source, err
	}
	var entries []mirror.DirectoryEntry
	for e, err := range directory.Agents(client.Agents.List(ctx, dixa.AgentFilter{Email: email, Phone: phone})) {
		if err != nil {
			return nil, source, err
		}
		entries = append(entries, e)
	}
	return asRows(entries), source, nil
}

func usersOf(agents, teams []store.DirectoryRow) ([]unified.Object, error) {
	var present []mirror.DirectoryEntry
	for i := range teams {
		if teams[i].GoneAt.IsZero() {
			present = append(present, teams[i].DirectoryEntry)
		}
	}
	all := make([]unified.Object, len(agents))
	for i := range agents {
		user, err := unified.UserOf(agents[i].DirectoryEntry, present, !agents[i].GoneAt.IsZero())
		if err != nil {
			return nil, err
		}
		all[i] = user
	}
	return all, nil
}

// user reads an agent from Dixa. One that Dixa no longer has is answered as deleted if
// the mirror knows it.
func (s *Service) user(ctx context.Context, r *Request, id string) (unified.Object, error) {
	agent, _, err := s.readOne(ctx, r.Account, mirror.KindAgent, id, maxAge(r))
	if dixa.IsNotFound(err) {
		row, err := s.former(ctx, r.Account, id, err)
		if err != nil {
			return nil, err
		}
		all, err := usersOf([]store.DirectoryRow{row}, nil)
		if err != nil {
			return nil, err
		}
		return all[0], nil
	}
	if err != nil {
		return nil, err
	}
	teams, _, err := s.listed(ctx, r.Account, mirror.KindTeam, directory.WithMembers, maxAge(r))
	if unreadable(err) {
		err = nil
	}
	if err != nil {
		return nil, err
	}
	all, err := usersOf(asRows([]mirror.DirectoryEntry{agent}), asRows(teams))
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// roles returns the roles that agents have.
func (s *Service) roles(ctx context.Context, r *Request) ([]unified.Object, Source, error) {
	rows, source, err := s.rows(ctx, r, mirror.KindAgent, directory.Listed)
	if err != nil {
		return nil, source, err
	}
	var agents []mirror.DirectoryEntry
	for i := range rows {
		if rows[i].GoneAt.IsZero() {
			agents = append(agents, rows[i].DirectoryEntry)
		}
	}
	all, err := unified.RolesOf(agents)
	return objects(all), source, err
}
