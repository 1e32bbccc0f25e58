package activities

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/internal/todixa/connection"
	"github.com/claimflow/claimflow/kpi"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
)

// readDirectory reads the directory: agents, teams and queues with their members,
// contact endpoints, custom attribute definitions, tags, business hours and end users.
// A kind that the token may not read, or that Dixa does not serve, is left out. A
// repeated attempt continues with the kind at which the one before it failed.
func (r *windowRun) readDirectory(ctx context.Context) error {
	client, err := r.Clients.Client(ctx, r.ConnectionID)
	if err != nil {
		return err
	}
	ctx = connection.WithSpareRate(ctx)
	for n, kind := range mirror.DirectoryKinds() {
		if n < r.place.Kinds {
			continue
		}
		err := r.readKind(ctx, client, kind)
		if notServed(err, kind) {
			r.setAside(r.total.Read, fmt.Sprintf("%s: %v", kind, err))
			err = nil
		}
		if err != nil {
			return fmt.Errorf("read the directory, %s: %w", kind, err)
		}
		r.advance(func(p *windowPlace) { p.Kinds = n + 1 })
	}
	return nil
}

// notServed reports whether Dixa does not have a kind, or the token may not read it. A
// token that may not even read agents is refused as a whole.
func notServed(err error, kind mirror.DirectoryKind) bool {
	e, ok := dixa.AsError(err)
	if !ok || tokenRefused(err) && kind == mirror.KindAgent {
		return false
	}
	return e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden || e.Status == http.StatusNotFound
}

// readKind reads the entries of a kind. Those that Dixa no longer lists are marked.
func (r *windowRun) readKind(ctx context.Context, client *dixa.Client, kind mirror.DirectoryKind) error {
	var batch []mirror.DirectoryEntry
	seenAt := time.Now()
	save := func() error {
		counts, err := r.Store.Mirror.SaveDirectory(ctx, r.ConnectionID, kind, batch, seenAt)
		r.count(claim.ImportCounts{Read: len(batch), Added: counts.Added, Changed: counts.Changed})
		batch = nil
		return err
	}
	for e, err := range directoryReaders[kind](ctx, client) {
		if err != nil {
			return err
		}
		if !claim.IsID(e.ID) {
			r.setAside(r.total.Read+len(batch), fmt.Sprintf("%s without a usable id", kind))
			continue
		}
		if kind == mirror.KindSchedule {
			version := store.ScheduleVersion{ID: e.ID, ValidFrom: seenAt, Definition: e.Object}
			if err := r.Store.Mirror.SaveSchedule(ctx, r.ConnectionID, version); err != nil {
				return err
			}
		}
		if batch = append(batch, e); len(batch) == r.Store.Mirror.BatchSize() {
			if err := save(); err != nil {
				return err
			}
		}
	}
	if err := save(); err != nil {
		return err
	}
	if kind == mirror.KindAgent {
		if err := r.samplePresence(ctx, client, seenAt); err != nil {
			return err
		}
	}
	return r.Store.Mirror.MarkGone(ctx, r.ConnectionID, kind, seenAt)
}

// samplePresence stores which agents are working now. Dixa does not tell earlier
// presence.
func (r *windowRun) samplePresence(ctx context.Context, client *dixa.Client, at time.Time) error {
	presences, err := client.Agents.Presences(ctx)
	if dixa.IsNotFound(err) || tokenRefused(err) {
		r.setAside(r.total.Read, fmt.Sprintf("presence of agents: %v", err))
		return nil
	}
	if err != nil {
		return err
	}
	samples := make([]kpi.PresenceSample, 0, len(presences))
	for _, p := range presences {
		samples = append(samples, kpi.PresenceSample{AgentID: p.UserID, Working: p.ConnectionStatus == "Online" && p.PresenceStatus == "Working"})
	}
	return r.Store.Mirror.SavePresence(ctx, r.ConnectionID, at, samples)
}

type entries = iter.Seq2[mirror.DirectoryEntry, error]

// directoryReaders list the entries of each kind.
var directoryReaders = map[mirror.DirectoryKind]func(context.Context, *dixa.Client) entries{
	mirror.KindAgent: func(ctx context.Context, c *dixa.Client) entries {
		return convert(c.Agents.List(ctx, dixa.AgentFilter{}), func(a *dixa.Agent) (mirror.DirectoryEntry, error) {
			return entry(a.ID, a.DisplayName, a), nil
		})
	},
	mirror.KindTeam: func(ctx context.Context, c *dixa.Client) entries {
		return convert(whole(c.Teams.List(ctx)), func(t *dixa.Team) (mirror.DirectoryEntry, error) {
			e := entry(t.ID, t.Name, t)
			members, err := c.Teams.Members(ctx, t.ID)
			for _, m := range members {
				e.MemberIDs = append(e.MemberIDs, m.ID)
			}
			return e, err
		})
	},
	mirror.KindQueue: func(ctx context.Context, c *dixa.Client) entries {
		return convert(whole(c.Queues.List(ctx)), func(q *dixa.Queue) (mirror.DirectoryEntry, error) {
			e := entry(q.ID, q.Name, q)
			members, err := c.Queues.Members(ctx, q.ID)
			for _, m := range members {
				e.MemberIDs = append(e.MemberIDs, m.AgentID)
			}
			return e, err
		})
	},
	mirror.KindContactEndpoint: func(ctx context.Context, c *dixa.Client) entries {
		return convert(whole(c.ContactEndpoints.List(ctx, "")), func(e *dixa.ContactEndpoint) (mirror.DirectoryEntry, error) {
			return entry(e.ID(), e.Name, e), nil
		})
	},
	mirror.KindAttribute: func(ctx context.Context, c *dixa.Client) entries {
		return convert(whole(c.CustomAttributes.List(ctx)), func(a *dixa.CustomAttributeDefinition) (mirror.DirectoryEntry, error) {
			return entry(a.ID, a.Label, a), nil
		})
	},
	mirror.KindTag: func(ctx context.Context, c *dixa.Client) entries {
		return convert(whole(c.Tags.List(ctx, true)), func(t *dixa.Tag) (mirror.DirectoryEntry, error) {
			return entry(t.ID, t.Name, t), nil
		})
	},
	mirror.KindSchedule: func(ctx context.Context, c *dixa.Client) entries {
		return convert(whole(c.BusinessHours.Schedules(ctx)), func(s *dixa.BusinessHoursSchedule) (mirror.DirectoryEntry, error) {
			definition, err := c.BusinessHours.Definition(ctx, s.ID)
			return entry(s.ID, s.Name, definition), err
		})
	},
	mirror.KindEndUser: func(ctx context.Context, c *dixa.Client) entries {
		return convert(c.EndUsers.List(ctx, dixa.EndUserFilter{}), func(u *dixa.EndUser) (mirror.DirectoryEntry, error) {
			return entry(u.ID, u.DisplayName, u), nil
		})
	},
}

// convert converts the elements of a sequence. It ends after an error.
func convert[T any](all iter.Seq2[T, error], one func(T) (mirror.DirectoryEntry, error)) entries {
	return func(yield func(mirror.DirectoryEntry, error) bool) {
		for x, err := range all {
			var e mirror.DirectoryEntry
			if err == nil {
				e, err = one(x)
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// whole is the sequence of a list.
func whole[T any](list []T, err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, x := range list {
			if !yield(x, nil) {
				return
			}
		}
		if err != nil {
			var none T
			yield(none, err)
		}
	}
}

// entry returns a directory entry of an object as Dixa returns it.
func entry(id, name string, object any) mirror.DirectoryEntry {
	body, _ := json.Marshal(object) //nolint:errchkjson // the client's types can be encoded
	return mirror.DirectoryEntry{ID: id, Name: name, Object: body}
}
