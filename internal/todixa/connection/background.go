package connection

import (
	"cmp"
	"context"
	"time"

	"github.com/claimflow/claimflow/store"
)

const (
	// backgroundMaxWait is how far ahead such a request's slot may be. If claims have taken
	// more than that, it retries later.
	backgroundMaxWait = 250 * time.Millisecond
	// backgroundTurnTimeout is how long such work waits for its own next turn.
	backgroundTurnTimeout = 2 * time.Second
	// backgroundMaxInterval bounds the distance between two such requests.
	backgroundMaxInterval = time.Minute
)

type backgroundKey struct{}

// background is the part of a token's budget that a kind of background work may use.
type background struct {
	// name is the suffix of its row in the store.
	name string
	// share is the part of the budget: one request in this many.
	share int
	// yields makes every request yield to claims, not only the first of an attempt.
	yields bool
}

// WithBackgroundRate returns a context whose requests use at most a tenth of the token's budget,
// evenly spaced, though always at least one a minute. They yield to claims: if an
// attempt, see [Count], finds others waiting at its first request, it gets an error
// with a retry time. A claim waits for at most one such request at a time.
func WithBackgroundRate(ctx context.Context) context.Context {
	return context.WithValue(ctx, backgroundKey{}, background{name: "/gently", share: 10})
}

// WithSpareRate returns a context whose requests use at most half of the token's budget
// and nothing while a claim waits: a request that finds others waiting gets an error
// with a retry time. It is for long work that can continue where it stopped.
func WithSpareRate(ctx context.Context) context.Context {
	return context.WithValue(ctx, backgroundKey{}, background{name: "/spare", share: 2, yields: true})
}

// WithProxyRate returns a context whose requests use at most half of the token's budget
// and nothing while a claim waits, like those of [WithSpareRate]. Their turns are their
// own, so that an import does not take them.
func WithProxyRate(ctx context.Context) context.Context {
	return context.WithValue(ctx, backgroundKey{}, background{name: "/proxy", share: 2, yields: true})
}

func backgroundOf(ctx context.Context) (background, bool) {
	b, ok := ctx.Value(backgroundKey{}).(background)
	return b, ok
}

// throttle waits for a turn among the yielding requests. Those of one kind share a row
// of their own, so that together they keep to their share, including their share of
// what another program that uses the token leaves.
func (b *budget) throttle(ctx context.Context, work background, first bool) error {
	apart := max(time.Duration(b.interval.Load()), cmp.Or(b.limits.Interval, store.DefaultInterval))
	interval := min(time.Duration(work.share)*apart, backgroundMaxInterval)
	wait := backgroundTurnTimeout
	if !first {
		wait = max(wait, interval)
	}
	_, _, err := b.await(ctx, b.tokenHash+work.name, store.BudgetLimits{
		Interval: interval, MaxWait: wait, PerDay: max(1, cmp.Or(b.limits.PerDay, store.DefaultPerDay)/work.share),
	})
	return err
}
