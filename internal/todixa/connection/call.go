package connection

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/claimflow/claimflow/dixa"
)

// InteractiveWait is how long a person waits for a slot in the token's request budget,
// which claims in progress also use.
const InteractiveWait = 15 * time.Second

// refusedWait is how long to wait after Dixa rate-limits a call without a
// Retry-After.
const refusedWait = 500 * time.Millisecond

// Call calls Dixa for a waiting person. It retries only if the budget was exhausted:
// ours, or Dixa's if another program uses the token. The person can retry anything
// else.
func Call[T any](ctx context.Context, call func() (T, error)) (T, error) {
	var last error
	out, err := backoff.Retry(ctx, func() (T, error) {
		v, err := call()
		last = err
		e, ok := dixa.AsError(err)
		if err == nil || !ok || !dixa.IsRateLimited(err) {
			return v, backoff.Permanent(err)
		}
		return v, errors.Join(err, &backoff.RetryAfterError{Duration: cmp.Or(e.RetryAfter, refusedWait)})
	}, backoff.WithMaxElapsedTime(InteractiveWait))
	if err != nil && last != nil {
		return out, last
	}
	return out, err
}

// Do is [Call] for a call without a result.
func Do(ctx context.Context, call func() error) error {
	_, err := Call(ctx, func() (struct{}, error) { return struct{}{}, call() })
	return err
}
