package store

import (
	"context"
	"sync"
	"time"
)

const (
	// maxBatchSize bounds the number of calls in a round.
	maxBatchSize = 128
	// gatheredPatience bounds the work on a round. A round serves several callers,
	// so it cannot use the context of any one of them.
	gatheredPatience = 10 * time.Second
)

// batcher lets calls that arrive while a round of the same work is running share the
// next round. The first call starts a round at once. The calls of a round share its
// fixed costs, such as a commit.
type batcher[T any] struct {
	// work processes the calls and stores the results in them. It runs in one
	// goroutine at a time.
	work func(ctx context.Context, calls []T)

	mu      sync.Mutex
	waiting []batched[T]
	working bool
}

type batched[T any] struct {
	call T
	done chan struct{}
}

// add submits a call. The channel is closed once a round that began after the call
// was submitted has processed it.
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

// run works until no calls are waiting.
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
	n := min(len(g.waiting), maxBatchSize)
	batch := g.waiting[:n:n]
	g.waiting = g.waiting[n:]
	if n == 0 {
		g.waiting, g.working = nil, false
	}
	return batch
}
