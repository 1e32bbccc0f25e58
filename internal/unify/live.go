package unify

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"

	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/internal/fromdixa/directory"
	"github.com/claimflow/claimflow/internal/todixa/connection"
	"github.com/claimflow/claimflow/mirror"
)

const (
	// readsAtOnce is how many objects are read from Dixa at the same time.
	readsAtOnce = 4
	// cacheFor is how long the answers of Dixa are reused.
	cacheFor = 30 * time.Second
	// maxCached bounds the cache.
	maxCached = 10_000
)

// cache keeps what Dixa listed for a short time. The zero value is empty.
type cache struct {
	mu   sync.Mutex
	kept map[cacheKey]cached
	// writes counts the writes of each account. What was read before a write is not
	// given after it.
	writes map[string]int
	loads  singleflight.Group
}

// cacheKey says what was asked: a list, or an entry by its id.
type cacheKey struct {
	account string
	kind    mirror.DirectoryKind
	detail  directory.Detail
	one     bool
	id      string
}

type cached struct {
	entries []mirror.DirectoryEntry
	at      time.Time
}

// read returns what load returned within an age, or loads it again. Concurrent calls
// share one load, unless a write was between them.
func (c *cache) read(key cacheKey, age time.Duration, load func() ([]mirror.DirectoryEntry, error)) ([]mirror.DirectoryEntry, time.Time, error) {
	c.mu.Lock()
	have, ok := c.kept[key]
	writes := c.writes[key.account]
	c.mu.Unlock()
	if ok && time.Since(have.at) <= age {
		return have.entries, have.at, nil
	}
	loaded, err, _ := c.loads.Do(fmt.Sprintf("%d %#v", writes, key), func() (any, error) {
		at := time.Now()
		entries, err := load()
		if err != nil {
			return cached{}, err
		}
		now := cached{entries, at}
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.writes[key.account] != writes {
			return now, nil // Dixa may have answered before the write
		}
		if c.kept == nil || len(c.kept) >= maxCached {
			c.kept = map[cacheKey]cached{}
		}
		c.kept[key] = now
		return now, nil
	})
	now, _ := loaded.(cached)
	return now.entries, now.at, err
}

// Forget removes what this process keeps of an account or is reading of it, after a write.
func (s *Service) Forget(account string) {
	s.cache.mu.Lock()
	defer s.cache.mu.Unlock()
	if s.cache.writes == nil {
		s.cache.writes = map[string]int{}
	}
	s.cache.writes[account]++
	maps.DeleteFunc(s.cache.kept, func(key cacheKey, _ cached) bool { return key.account == account })
}

// listed returns what Dixa lists of a kind, by id. It asks Dixa if the answer is older
// than age.
func (s *Service) listed(ctx context.Context, account string, kind mirror.DirectoryKind, detail directory.Detail, age time.Duration) ([]mirror.DirectoryEntry, time.Time, error) {
	key := cacheKey{account: account, kind: kind, detail: detail}
	// A caller that gives up must not fail the others that wait for the same list.
	loading := context.WithoutCancel(ctx)
	return s.cache.read(key, age, func() ([]mirror.DirectoryEntry, error) {
		client, err := s.Clients.Client(loading, account)
		if err != nil {
			return nil, err
		}
		var all []mirror.DirectoryEntry
		counted, _ := connection.Count(loading)
		for e, err := range directory.List(counted, client, kind, detail) {
			if err != nil {
				return nil, err
			}
			e.Kind = kind
			all = append(all, e)
		}
		// Dixa may list an entry on two pages.
		slices.SortStableFunc(all, func(a, b mirror.DirectoryEntry) int { return cmp.Compare(a.ID, b.ID) })
		return slices.CompactFunc(all, func(a, b mirror.DirectoryEntry) bool { return a.ID == b.ID }), nil
	})
}

// maxAge returns how old a list of Dixa may be to answer a request.
func maxAge(r *Request) time.Duration {
	if r.Live {
		return 0
	}
	return cacheFor
}

// readOne reads an entry from Dixa, or reuses one that was read a moment ago.
func (s *Service) readOne(ctx context.Context, account string, kind mirror.DirectoryKind, id string, age time.Duration) (mirror.DirectoryEntry, time.Time, error) {
	loading := context.WithoutCancel(ctx)
	found, at, err := s.cache.read(cacheKey{account: account, kind: kind, one: true, id: id}, age, func() ([]mirror.DirectoryEntry, error) {
		client, err := s.Clients.Client(loading, account)
		if err != nil {
			return nil, err
		}
		e, err := directory.Get(loading, client, kind, id)
		e.Kind = kind
		return []mirror.DirectoryEntry{e}, err
	})
	if err != nil {
		return mirror.DirectoryEntry{}, at, err
	}
	return found[0], at, nil
}

// each calls fn with every index below n, a few at the same time. ctx bounds all of
// them, and they count as one piece of work to the request budget.
func each(ctx context.Context, n int, fn func(ctx context.Context, i int) error) error {
	counted, _ := connection.Count(ctx)
	group, ctx := errgroup.WithContext(counted)
	group.SetLimit(readsAtOnce)
	for i := range n {
		group.Go(func() error { return fn(ctx, i) })
	}
	return group.Wait()
}

// unreadable reports whether Dixa does not have something, or does not show it to the
// token.
func unreadable(err error) bool {
	e, ok := dixa.AsError(err)
	return ok && (e.Status == 401 || e.Status == 403 || e.Status == 404)
}
