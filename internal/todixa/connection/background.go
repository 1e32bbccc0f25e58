package connection

import (
	"cmp"
	"context"
	"time"

	"github.com/claimflow/claimflow/store"
)

const (
	// backgroundShare is the part of a token's budget for background work: one request
	// in this many.
	backgroundShare = 10
	// backgroundMaxWait is how far ahead such a request's slot may be. If claims have taken
	// more than that, it retries later.
	backgroundMaxWait = 250 * time.Millisecond
	// backgroundTurnTimeout is how long such work waits for its own next turn.
	backgroundTurnTimeout = 2 * time.Second
	// backgroundMaxInterval bounds the distance between two such requests.
	backgroundMaxInterval = time.Minute
)

type backgroundKey struct{}

// WithBackgroundRate returns a context whose requests use at most a tenth of the token's budget,
// evenly spaced, though always at least one a minute. They yield to claims: if an
// attempt, see [Count], finds others waiting at its first request, it gets an error
// with a retry time. A claim waits for at most one such request at a time.
func WithBackgroundRate(ctx context.Context) context.Context {
	return context.WithValue(ctx, backgroundKey{}, true)
}

func isBackground(ctx context.Context) bool { return ctx.Value(backgroundKey{}) != nil }

// throttle waits for a turn among the yielding requests. They share a row of their
// own, so that together they keep to their share, including their share of what
// another program that uses the token leaves.
func (b *budget) throttle(ctx context.Context, first bool) error {
	apart := max(time.Duration(b.interval.Load()), cmp.Or(b.limits.Interval, store.DefaultInterval))
	interval := min(backgroundShare*apart, backgroundMaxInterval)
	wait := backgroundTurnTimeout
	if !first {
		wait = max(wait, interval)
	}
	_, _, err := b.await(ctx, b.tokenHash+"/gently", store.BudgetLimits{
		Interval: interval, MaxWait: wait, PerDay: max(1, cmp.Or(b.limits.PerDay, store.DefaultPerDay)/backgroundShare),
	})
	return err
}
