package activities

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/internal/todixa/connection"
	"github.com/claimflow/claimflow/store"
)

// maxDelay bounds the retry delay that an activity requests, so that the wait always
// fits in the time that a claim has.
const (
	maxDelay = 15 * time.Minute
	// rateLimitWait is how long a step waits if Dixa rate-limits it without saying
	// how long to wait. The budget in the store finds the pace. A growing wait would
	// let later steps overtake this one.
	rateLimitWait = time.Second
)

// toTemporal is the last call of every activity. Temporal inspects only the
// outermost error, so that error must say whether and when to retry.
func toTemporal(doing string, err error) error {
	if err == nil {
		return nil
	}
	var done *temporal.ApplicationError
	if errors.As(err, &done) {
		return done
	}
	message := doing + ": " + err.Error()
	switch e, ok := dixa.AsError(err); {
	case ok && dixa.IsRateLimited(err):
		return retryable(claim.ErrorRateLimited, message, err, cmp.Or(e.RetryAfter, rateLimitWait))
	case ok && e.Outcome == dixa.Ambiguous:
		return retryable(claim.ErrorAmbiguous, message, err, e.RetryAfter)
	case ok && e.Retryable:
		return retryable(claim.ErrorUnavailable, message, err, e.RetryAfter)
	case ok && errors.Is(err, dixa.ErrReadOnly):
		return parked(claim.CauseReadOnly, message)
	case ok:
		return parked(claim.CauseRefused, message)
	}
	var conflict *store.ConflictError
	var needsToken *connection.NeedsTokenError
	var moved *claim.TransitionError
	switch {
	case errors.As(err, &conflict):
		// The claim already has another conversation, or the conversation belongs to
		// another claim. Only an operator can decide which is right.
		return parked(claim.CauseUnexpected, message)
	case errors.As(err, &needsToken):
		return parked(claim.CauseConnection, message)
	case errors.As(err, &moved):
		// Someone else moved the claim between our read and our write. The next
		// attempt reads it again.
		return retryable(claim.ErrorBusy, message, err, 0)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return retryable(claim.ErrorUnavailable, message, err, 0)
	case errors.Is(err, store.ErrNotFound):
		return temporal.NewNonRetryableApplicationError(message, claim.ErrorInternal, err)
	}
	return retryable(claim.ErrorStore, message, err, 0)
}

// retryable returns an error that Temporal retries: after the given delay, with
// jitter to spread the retries, or by the retry policy if the delay is zero. A full
// budget is not a failure, so it does not count as one.
func retryable(kind, message string, cause error, after time.Duration) error {
	options := temporal.ApplicationErrorOptions{NextRetryDelay: jittered(after)}
	if cause != nil {
		options.Cause = redactedError{cause}
	}
	if kind == claim.ErrorRateLimited || kind == claim.ErrorBusy {
		options.Category = temporal.ApplicationErrorCategoryBenign
	}
	return temporal.NewApplicationErrorWithOptions(message, kind, options)
}

// redactedError keeps the type of an error and drops its text, which the message already
// contains. It does not unwrap: the error for Temporal is decided, and an underlying
// error must not change that.
type redactedError struct{ error }

func (b redactedError) Error() string { return fmt.Sprintf("%T", b.error) }

func jittered(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	d = min(d, maxDelay)
	return d + time.Duration(rand.Int64N(int64(d)/4+int64(50*time.Millisecond))) //nolint:gosec // spreads retries, guards nothing
}

// parked returns the error that parks the claim.
func parked(cause claim.Cause, message string) error {
	return temporal.NewApplicationErrorWithOptions(message, claim.ErrorPark, temporal.ApplicationErrorOptions{
		NonRetryable: true, Details: []any{Park{Cause: cause}},
	})
}

// inStep says in which step of an activity an error occurred. It keeps the error's
// type and details, which decide what happens to the claim.
func inStep(doing string, err error) error {
	var app *temporal.ApplicationError
	if !errors.As(err, &app) {
		return fmt.Errorf("%s: %w", doing, err)
	}
	message := doing + ": " + app.Message()
	var p Park
	switch {
	case app.Type() == claim.ErrorPark && app.HasDetails() && app.Details(&p) == nil:
		return parked(p.Cause, message)
	case app.NonRetryable():
		return app
	default:
		return temporal.NewApplicationErrorWithOptions(message, app.Type(), temporal.ApplicationErrorOptions{
			NextRetryDelay: app.NextRetryDelay(), Category: app.Category(), Cause: app.Unwrap(),
		})
	}
}

// edited reports that the owner changed the claim before its conversation was
// created.
func edited(ref claim.Ref) error {
	return temporal.NewNonRetryableApplicationError("claim "+ref.String()+" changed before its conversation was created, so it is rendered again", claim.ErrorEdited, nil)
}

// withdrawn reports that the claim was abandoned before anything was sent.
func withdrawn(ref claim.Ref) error {
	return temporal.NewNonRetryableApplicationError("claim "+ref.String()+" was abandoned or linked to another conversation", claim.ErrorWithdrawn, nil)
}
