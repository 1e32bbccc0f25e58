package unify

import (
	"context"
	"slices"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/internal/fromdixa/directory"
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

// wanted are the ids of entries by kind.
type wanted map[mirror.DirectoryKind][]string

func (w wanted) add(kind mirror.DirectoryKind, id string) {
	if id != "" {
		w[kind] = append(w[kind], id)
	}
}

// ofTicket adds the entries that a ticket refers to.
func (w wanted) ofTicket(t *store.Ticket) {
	if t.Assignee != nil {
		w.add(mirror.KindAgent, t.Assignee.ID)
	}
	if t.Requester != nil {
		w.add(mirror.KindEndUser, t.Requester.ID)
	}
	if t.Queue != nil {
		w.add(mirror.KindQueue, t.Queue.ID)
	}
	w.add(mirror.KindContactEndpoint, t.Origin.ContactPoint)
}

// ofMessage adds the author of a message.
func (w wanted) ofMessage(m *mirror.Message) {
	switch {
	case m.Author == nil:
	case m.Direction == claim.DirectionInbound:
		w.add(mirror.KindEndUser, m.Author.ID)
	default:
		w.add(mirror.KindAgent, m.Author.ID)
	}
}

// unique removes ids that are there twice.
func (w wanted) unique() wanted {
	for kind, ids := range w {
		slices.Sort(ids)
		w[kind] = slices.Compact(ids)
	}
	return w
}

// lookUp reads entries: from the mirror if it has a recent directory, otherwise from
// Dixa. Those that are unknown, or that the token may not read, are left out.
func (s *Service) lookUp(ctx context.Context, account string, w wanted) (names, error) {
	_, mirrored, err := s.directoryRead(ctx, account)
	if err != nil {
		return nil, err
	}
	out := names{}
	for kind := range w.unique() {
		out[kind] = map[string]mirror.DirectoryEntry{}
	}
	var entries []mirror.DirectoryEntry
	if mirrored {
		entries, err = s.Store.Mirror.DirectoryByID(ctx, account, w)
	} else {
		entries, err = s.namesFromDixa(ctx, account, w)
	}
	for _, e := range entries {
		out[e.Kind][e.ID] = e
	}
	return out, err
}

// namesFromDixa reads entries from Dixa.
func (s *Service) namesFromDixa(ctx context.Context, account string, w wanted) ([]mirror.DirectoryEntry, error) {
	var all []mirror.DirectoryEntry
	for kind, ids := range w {
		entries, err := s.fromDixa(ctx, account, kind, ids)
		if err != nil {
			return nil, err
		}
		all = append(all, entries...)
	}
	return all, nil
}

// fromDixa reads entries from Dixa: end users one by one, others from the list.
func (s *Service) fromDixa(ctx context.Context, account string, kind mirror.DirectoryKind, ids []string) ([]mirror.DirectoryEntry, error) {
	if kind != mirror.KindEndUser {
		all, _, err := s.listed(ctx, account, kind, directory.Listed, cacheFor)
		if unreadable(err) {
			return nil, nil
		}
		return all, err
	}
	found := make([]mirror.DirectoryEntry, len(ids))
	err := each(ctx, len(ids), func(ctx context.Context, i int) (err error) {
		found[i], _, err = s.readOne(ctx, account, kind, ids[i], cacheFor)
		if unreadable(err) {
			err = nil
		}
		return err
	})
	return slices.DeleteFunc(found, func(e mirror.DirectoryEntry) bool { return e.ID == "" }), err
}

// namesOf reads the entries that tickets refer to.
func (s *Service) namesOf(ctx context.Context, account string, tickets []store.Ticket) (names, error) {
	w := wanted{}
	for i := range tickets {
		w.ofTicket(&tickets[i])
	}
	return s.lookUp(ctx, account, w)
}
