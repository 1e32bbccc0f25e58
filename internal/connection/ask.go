package connection

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/claimflow/claimflow/dixa"
)

// Patience is how long a person is kept waiting for a place in the token's
// request budget, which claims under way use as well.
const Patience = 15 * time.Second

// Ask makes a call of Dixa for a person, again while nothing of it was sent for
// want of budget. Nothing else is tried again: a person is looking on and can.
func Ask[T any](ctx context.Context, call func() (T, error)) (T, error) {
	var last error
	out, err := backoff.Retry(ctx, func() (T, error) {
		v, err := call()
		last = err
		e, ok := dixa.AsError(err)
		if err == nil || !ok || e.Outcome != dixa.Unsent || !dixa.IsRateLimited(err) {
			return v, permanent(err)
		}
		return v, errors.Join(err, &backoff.RetryAfterError{Duration: e.RetryAfter})
	}, backoff.WithMaxElapsedTime(Patience))
	if err != nil && last != nil {
		return out, last
	}
	return out, err
}

// Do is [Ask] for a call without a result.
func Do(ctx context.Context, call func() error) error {
	_, err := Ask(ctx, func() (struct{}, error) { return struct{}{}, call() })
	return err
}

func permanent(err error) error {
	if err == nil {
		return nil
	}
	return backoff.Permanent(err)
}
