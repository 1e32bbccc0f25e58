package unify

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/claimflow/claimflow/claim"
)

// mirrored reports whether the mirror answers a request for conversations: it has all of
// them since a time, with their messages and activity log, and is not too old.
func (s *Service) mirrored(ctx context.Context, r *Request) (Source, bool, error) {
	if r.asksDixa() {
		return Source{}, false, nil
	}
	sources, err := s.Store.DataSources.List(ctx, r.Account)
	if err != nil || !slices.ContainsFunc(sources, everyConversation) {
		return Source{}, false, err
	}
	f, err := s.Store.Mirror.Freshness(ctx, r.Account)
	if err != nil || f.CompleteFrom.IsZero() || !s.recent(f.NewestAt) {
		return Source{}, false, err
	}
	return Source{At: f.NewestAt, From: f.CompleteFrom}, true, nil
}

// everyConversation reports whether a data source selects conversations of every channel
// and queue with what tickets are made of.
func everyConversation(d claim.DataSource) bool {
	return len(d.Channels) == 0 && len(d.QueueIDs) == 0 && d.Has(claim.StreamConversations) && d.Has(claim.StreamMessages) && d.Has(claim.StreamActivityLogs)
}

// mirroredDirectory reports whether the mirror answers a request for the directory.
func (s *Service) mirroredDirectory(ctx context.Context, r *Request) (Source, bool, error) {
	if r.asksDixa() {
		return Source{}, false, nil
	}
	return s.directoryRead(ctx, r.Account)
}

// directoryRead reports whether an import has read the directory recently.
func (s *Service) directoryRead(ctx context.Context, account string) (Source, bool, error) {
	at, err := s.Store.Mirror.DirectoryReadAt(ctx, account)
	return Source{At: at}, err == nil && s.recent(at), err
}

func (s *Service) recent(at time.Time) bool {
	return !at.IsZero() && time.Since(at) <= cmp.Or(s.MaxAge, DefaultMaxAge)
}
