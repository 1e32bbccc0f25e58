package connection

import (
	"cmp"
	"context"
	"time"

	"github.com/claimflow/claimflow/store"
)

const (
	// gentleShare is the part of a token's budget that work nobody waits for may
	// use: one request in so many.
	gentleShare = 10
	// gentleWait is how far ahead such a request's slot may be. Where claims have
	// taken more than that, it comes back later.
	gentleWait = 250 * time.Millisecond
	// gentleTurn is how long such work waits for its own next turn.
	gentleTurn = 2 * time.Second
	// gentleInterval bounds the distance of two such requests.
	gentleInterval = time.Minute
)

type gentleKey struct{}

// Gently returns a context under which requests keep to a tenth of the token's
// budget, evenly, though one a minute may always be sent, and stand back while
// claims use the rest: an attempt, see [Count], whose first request finds others
// waiting is told when to come back. A claim waits for at most one such request
// at a time.
func Gently(ctx context.Context) context.Context { return context.WithValue(ctx, gentleKey{}, true) }

func isGentle(ctx context.Context) bool { return ctx.Value(gentleKey{}) != nil }

// standBack waits for the turn among the requests that stand back. They share a
// row of their own, so that together they keep to their part, also of what another
// program that uses the token leaves.
func (b *budget) standBack(ctx context.Context, first bool) error {
	apart := max(time.Duration(b.interval.Load()), cmp.Or(b.limits.Interval, store.DefaultInterval))
	interval := min(gentleShare*apart, gentleInterval)
	wait := gentleTurn
	if !first {
		wait = max(wait, interval)
	}
	_, _, err := b.await(ctx, b.tokenHash+"/gently", store.BudgetLimits{
		Interval: interval, MaxWait: wait, PerDay: max(1, cmp.Or(b.limits.PerDay, store.DefaultPerDay)/gentleShare),
	})
	return err
}
