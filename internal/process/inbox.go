package process

import (
	"context"
	"time"
)

const (
	// bodiesFor is how long to keep the body of an event whose conversation belongs
	// to no claim. Its claim may arrive shortly after the event.
	bodiesFor = 24 * time.Hour
	// dropEvery is how often old bodies are deleted.
	dropEvery = time.Minute
)

// dropOldBodies deletes the bodies of events that belong to no claim, until ctx
// ends. It logs errors once when they start.
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
			p.Telemetry.Log.Warn("cannot delete the bodies of old events; they will be deleted when the store is available", "error", err)
		}
		failing = err != nil
		if n > 0 {
			p.Telemetry.Log.Debug("deleted the bodies of events that belong to no claim", "events", n)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
