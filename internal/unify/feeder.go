package unify

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/claimflow/claimflow/store"
)

const (
	// feedEvery is how often changes are looked for.
	feedEvery = time.Second
	// feedBatch bounds the changes that are read at once for an endpoint.
	feedBatch = 100
	// DefaultMaxQueued is how many events about records wait for an endpoint at most.
	DefaultMaxQueued = 1000
)

// Feeder makes events about records from the changes of mirrors and queues them for the
// endpoints that want them. It reads on where each endpoint stopped, in the order of the
// changes, and not further than the endpoint's queue has room: a slow or paused endpoint
// stays behind and delays nobody. Any number of feeders may run at once.
type Feeder struct {
	Service *Service
	Log     *slog.Logger
	// Queued is called after events were queued; nil is allowed.
	Queued func()
	// MaxQueued is how many events may wait for an endpoint. Defaults to
	// [DefaultMaxQueued]. A change of a message with files may exceed it by its files.
	MaxQueued int

	// down says that no feed can be read.
	down  bool
	feeds map[feedID]*feedState
	turn  int
}

// feedID names a feed.
type feedID struct{ endpoint, connection string }

// feedState is what a process knows of a feed.
type feedState struct {
	failing bool
	// turn grows with every time that the feed queued events: the feeds of an endpoint
	// take its room in turns.
	turn int
}

// state returns the state of a feed, to be changed.
func (f *Feeder) state(feed *store.RecordFeed) *feedState {
	id := feedID{feed.EndpointID, feed.ConnectionID}
	if f.feeds == nil {
		f.feeds = map[feedID]*feedState{}
	}
	if f.feeds[id] == nil {
		f.feeds[id] = new(feedState)
	}
	return f.feeds[id]
}

// Run feeds until ctx ends. It logs errors, of all feeds or of one, once when they start
// and once when they end.
func (f *Feeder) Run(ctx context.Context) {
	tick := time.NewTicker(feedEvery)
	defer tick.Stop()
	for {
		err := f.Feed(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil && !f.down {
			f.Log.Warn("cannot make events about records; the changes stay in the store", "error", err)
		}
		if err == nil && f.down {
			f.Log.Info("events about records have resumed")
		}
		f.down = err != nil
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Feed queues events for every endpoint until it has no more changes to read or no room.
// A feed that fails is logged and left to the next call, and the others go on.
func (f *Feeder) Feed(ctx context.Context) error {
	s := f.Service.Store
	if err := s.Feeds.StartMissing(ctx); err != nil {
		return err
	}
	failed := map[*feedState]bool{}
	for {
		behind, err := s.Feeds.Behind(ctx, cmp.Or(f.MaxQueued, DefaultMaxQueued))
		if err != nil {
			return err
		}
		slices.SortStableFunc(behind, func(a, b store.RecordFeed) int { return cmp.Compare(f.state(&a).turn, f.state(&b).turn) })
		// One batch each, so that none waits for another's history.
		advanced := false
		queued := map[string]int{}
		for i := range behind {
			feed := &behind[i]
			state := f.state(feed)
			feed.Room -= queued[feed.EndpointID]
			if failed[state] || feed.Room <= 0 {
				continue
			}
			n, moved, err := f.feed(ctx, feed)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			f.report(feed, state, err)
			failed[state] = err != nil
			queued[feed.EndpointID] += n
			advanced = advanced || moved
		}
		if !advanced {
			return nil
		}
	}
}

// report logs that a feed begins or ceases to fail.
func (f *Feeder) report(feed *store.RecordFeed, state *feedState, err error) {
	switch {
	case err != nil && !state.failing:
		f.Log.Warn("cannot make events about records for an endpoint; the changes stay in the store", "endpoint", feed.EndpointID, "connection", feed.ConnectionID, "error", err)
	case err == nil && state.failing:
		f.Log.Info("events about records for an endpoint have resumed", "endpoint", feed.EndpointID, "connection", feed.ConnectionID)
	}
	state.failing = err != nil
}

// feed queues the events of one batch of changes, and returns their number. It reports
// whether the feed moved.
func (f *Feeder) feed(ctx context.Context, feed *store.RecordFeed) (queued int, moved bool, err error) {
	changes, until, head, err := f.Service.Store.Mirror.Changes(ctx, feed.ConnectionID, feed.Place, min(feedBatch, feed.Room))
	if err != nil || until == feed.Place {
		return 0, false, err
	}
	m := &eventMaker{Service: f.Service, log: f.Log, feed: feed, at: time.Now()}
	events, err := m.make(ctx, changes)
	if err != nil {
		return 0, false, err
	}
	// What changed meanwhile is read again by the next call.
	lost, err := f.Service.Store.Feeds.Advance(ctx, feed, until, head, events)
	if err != nil || lost || len(events) == 0 {
		return 0, err == nil && !lost, err
	}
	f.turn++
	f.state(feed).turn = f.turn
	if f.Queued != nil {
		f.Queued()
	}
	return len(events), true, nil
}
