package process

import (
	"context"
	"time"
)

const (
	// bodiesFor is how long the body of an event is kept whose conversation is
	// no claim's. Its claim may be a moment behind the event.
	bodiesFor = 24 * time.Hour
	// dropEvery is how often old bodies are looked for.
	dropEvery = time.Minute
)

// dropOldBodies forgets the bodies of events that are no claim's until ctx ends.
// Trouble is logged once when it begins.
func (p *Parts) dropOldBodies(ctx context.Context) {
	tick := time.NewTicker(dropEvery)
	defer tick.Stop()
	failing := false
	for {
		n, err := p.Store.Inbox.DropBodies(ctx, time.Now().Add(-bodiesFor))
		if ctx.Err() != nil {
			return
		}
		if err != nil && !failing {
			p.Telemetry.Log.Warn("bodies of old events could not be dropped; they are dropped when the store is back", "error", err)
		}
		failing = err != nil
		if n > 0 {
			p.Telemetry.Log.Debug("dropped bodies of events that are no claim's", "events", n)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
