package store

import (
	"context"
	"sync"
	"time"
)

const (
	// gatheredAtOnce bounds how many calls are worked on at once.
	gatheredAtOnce = 128
	// gatheredPatience bounds their work, which is nobody's alone and ends with
	// nobody's context.
	gatheredPatience = 10 * time.Second
)

// batcher lets calls that are made while the same work is under way share the
// next round of it. The first call is worked on at once; what a round costs
// whatever its size, such as a commit, is then for all of them.
type batcher[T any] struct {
	// work does what the calls ask for and keeps in them what came of it. It runs
	// in one goroutine at a time.
	work func(ctx context.Context, calls []T)

	mu      sync.Mutex
	waiting []batched[T]
	working bool
}

type batched[T any] struct {
	call T
	done chan struct{}
}

// add hands a call over. The channel is closed once it was worked on, all of it
// after the call was made.
func (g *batcher[T]) add(call T) <-chan struct{} {
	done := make(chan struct{})
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = append(g.waiting, batched[T]{call, done})
	if !g.working {
		g.working = true
		go g.run()
	}
	return done
}

// run works until nobody waits.
func (g *batcher[T]) run() {
	for batch := g.next(); len(batch) > 0; batch = g.next() {
		calls := make([]T, len(batch))
		for i, b := range batch {
			calls[i] = b.call
		}
		ctx, cancel := context.WithTimeout(context.Background(), gatheredPatience)
		g.work(ctx, calls)
		cancel()
		for _, b := range batch {
			close(b.done)
		}
	}
}

func (g *batcher[T]) next() []batched[T] {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := min(len(g.waiting), gatheredAtOnce)
	batch := g.waiting[:n:n]
	g.waiting = g.waiting[n:]
	if n == 0 {
		g.waiting, g.working = nil, false
	}
	return batch
}
