package unify

import (
	"context"
	"slices"

	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
)

// names are entries of the directory that a page refers to.
type names map[mirror.DirectoryKind]map[string]mirror.DirectoryEntry

// Entry implements [github.com/claimflow/claimflow/unified.Names].
func (n names) Entry(kind mirror.DirectoryKind, id string) (mirror.DirectoryEntry, bool) {
	e, ok := n[kind][id]
	return e, ok
}

// load reads entries. Those that are unknown are left out.
func (s *Service) load(ctx context.Context, account string, wanted map[mirror.DirectoryKind][]string) (names, error) {
	out := names{}
	for kind, ids := range wanted {
		slices.Sort(ids)
		entries, err := s.Store.Mirror.DirectoryByID(ctx, account, kind, slices.Compact(ids))
		if err != nil {
			return nil, err
		}
		out[kind] = make(map[string]mirror.DirectoryEntry, len(entries))
		for _, e := range entries {
			out[kind][e.ID] = e
		}
	}
	return out, nil
}

// namesOf reads the entries that tickets refer to.
func (s *Service) namesOf(ctx context.Context, account string, tickets []store.Ticket) (names, error) {
	wanted := map[mirror.DirectoryKind][]string{}
	add := func(kind mirror.DirectoryKind, id string) {
		if id != "" {
			wanted[kind] = append(wanted[kind], id)
		}
	}
	for i := range tickets {
		t := &tickets[i]
		if t.Assignee != nil {
			add(mirror.KindAgent, t.Assignee.ID)
		}
		if t.Requester != nil {
			add(mirror.KindEndUser, t.Requester.ID)
		}
		if t.Queue != nil {
			add(mirror.KindQueue, t.Queue.ID)
		}
		add(mirror.KindContactEndpoint, t.Origin.ContactPoint)
	}
	return s.load(ctx, account, wanted)
}
