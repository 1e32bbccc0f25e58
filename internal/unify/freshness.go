package unify

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/claimflow/claimflow/claim"
)

// freshFor is how long the answer that a mirror is fresh is reused.
const freshFor = time.Second

// freshness keeps which mirrors were fresh a moment ago. The zero value is empty.
type freshness struct {
	mu   sync.Mutex
	kept map[string]freshSource
}

type freshSource struct {
	Source
	until time.Time
}

// read returns the source if it was found fresh a moment ago, otherwise what find says.
func (f *freshness) read(key string, find func() (Source, bool, error)) (Source, bool, error) {
	now := time.Now()
	f.mu.Lock()
	have, ok := f.kept[key]
	f.mu.Unlock()
	if ok && now.Before(have.until) {
		return have.Source, true, nil
	}
	source, fresh, err := find()
	if err != nil || !fresh {
		return Source{}, false, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.kept == nil || len(f.kept) >= maxCached {
		f.kept = map[string]freshSource{}
	}
	f.kept[key] = freshSource{source, now.Add(freshFor)}
	return source, true, nil
}

// mirrored reports whether the mirror answers a request for conversations: it has all of
// them since a time, with their messages and activity log, and is not too old.
func (s *Service) mirrored(ctx context.Context, r *Request) (Source, bool, error) {
	if r.asksDixa() {
		return Source{}, false, nil
	}
	return s.fresh.read(r.Account+"/conversations", func() (Source, bool, error) {
		sources, err := s.Store.DataSources.List(ctx, r.Account)
		if err != nil || !slices.ContainsFunc(sources, everyConversation) {
			return Source{}, false, err
		}
		f, err := s.Store.Mirror.Freshness(ctx, r.Account)
		return Source{At: f.NewestAt, From: f.CompleteFrom}, err == nil && !f.CompleteFrom.IsZero() && s.recent(f.NewestAt), err
	})
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
	return s.fresh.read(account+"/directory", func() (Source, bool, error) {
		at, err := s.Store.Mirror.DirectoryReadAt(ctx, account)
		return Source{At: at}, err == nil && s.recent(at), err
	})
}

func (s *Service) recent(at time.Time) bool {
	return !at.IsZero() && time.Since(at) <= cmp.Or(s.MaxAge, DefaultMaxAge)
}
