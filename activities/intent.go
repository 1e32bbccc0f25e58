package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/store"
)

// intentLog records the intents of one step.
type intentLog interface {
	// begin is [store.Intents.Begin].
	begin(context.Context) (in store.Intent, outstanding bool, err error)
	// Resend, Refuse and Withdraw are those of [store.Intents].
	Resend(context.Context, store.Intent) (in store.Intent, mine bool, err error)
	Refuse(context.Context, store.Intent) error
	Withdraw(context.Context, store.Intent) error
	// finish records the result.
	finish(ctx context.Context, result any) error
	// key is the key of a try for Dixa.
	key(try int) string
}

// claimIntents records the intents of a claim's step.
type claimIntents struct {
	store.Intents
	ref  claim.Ref
	step string
	// revision is [write.revision].
	revision *int64
}

func (l claimIntents) begin(ctx context.Context) (in store.Intent, outstanding bool, err error) {
	if l.revision == nil {
		return l.Begin(ctx, l.ref, l.step)
	}
	return l.BeginForRevision(ctx, l.ref, l.step, *l.revision)
}

func (l claimIntents) finish(ctx context.Context, result any) error {
	return l.Finish(ctx, l.ref, l.step, result)
}
func (l claimIntents) key(try int) string { return l.ref.ExternalID(l.step, try) }

// write is one write to Dixa that must not happen twice. Dixa has no idempotency
// keys, so the intent is committed before the request is sent. An intent without a
// result means: search Dixa before sending again.
type write[R any] struct {
	ref  claim.Ref
	step string
	// revision is the revision of the claim's body from which the request was built.
	// The write does not begin with an outdated revision. Nil if the request was not
	// built from the body.
	revision *int64
	// window is how long after an unanswered send its effect may first appear in
	// Dixa.
	window time.Duration
	// find searches Dixa for the effect of an earlier send.
	find func(context.Context) (result R, found bool, err error)
	// send sends the request under a key.
	send func(ctx context.Context, key string) (R, error)
	// isDuplicate reports whether a refusal says that Dixa already has it. Nil if Dixa
	// never says so.
	isDuplicate func(error) bool
	// finish records the result together with the intent. Nil records the result in
	// the intent alone.
	finish func(context.Context, R) error
	// unknown is the cause with which the claim parks if Dixa says that it already
	// has the write and the write cannot be found.
	unknown claim.Cause
	// forcedAt is when an operator asked to send it regardless of the outcome of
	// earlier sends. After one more search it is sent under a new key.
	forcedAt time.Time
}

// executeOnce performs a write unless it is already done. It returns the result of this
// send or of an earlier one, by this process or another.
//
// An unanswered write is sent a second time only after a search that started after
// the window and found nothing. If Dixa rejects a write because it already has it,
// and the write cannot be found, executeOnce never sends it again: the claim parks.
func executeOnce[R any](ctx context.Context, s *store.Store, w write[R]) (R, error) {
	return sendOnce(ctx, claimIntents{s.Intents, w.ref, w.step, w.revision}, w)
}

// sendOnce is executeOnce with the log of the step's intents.
func sendOnce[R any](ctx context.Context, log intentLog, w write[R]) (R, error) {
	var none R
	intent, outstanding, err := w.begin(ctx, log)
	if err != nil {
		return none, err
	}
	if !intent.DoneAt.IsZero() {
		return w.resultOf(intent)
	}
	if outstanding {
		lookedAt := time.Now()
		result, found, err := w.find(ctx)
		if err != nil {
			return none, fmt.Errorf("check whether step %s succeeded: %w", w.step, err)
		}
		if found {
			return result, w.record(ctx, log, result)
		}
		if wait := intent.SentAt.Add(w.window).Sub(lookedAt); wait > 0 {
			return none, retryable(claim.ErrorAmbiguous, fmt.Sprintf(
				"Dixa did not answer step %s, and its effect is not visible yet; the next check is in %s", w.step, wait.Round(time.Second)), nil, wait)
		}
		var mine bool
		if intent, mine, err = w.prepareResend(ctx, log, intent); err != nil {
			return none, err
		}
		switch {
		case mine:
		case !intent.DoneAt.IsZero():
			return w.resultOf(intent)
		default:
			// Temporal considered this attempt's worker, or the other's, dead.
			return none, retryable(claim.ErrorAmbiguous, "another attempt at step "+w.step+" is in progress", nil, w.window)
		}
	}

	result, err := w.send(ctx, log.key(intent.Try))
	switch {
	case err == nil:
		return result, w.record(ctx, log, result)
	case w.isDuplicate != nil && w.isDuplicate(err):
		return w.resolveDuplicate(ctx, log, outstanding, err)
	case dixa.OutcomeOf(err) == dixa.Unsent:
		return none, joinRecordError(err, log.Withdraw(ctx, intent))
	case dixa.OutcomeOf(err) == dixa.Rejected:
		return none, joinRecordError(err, log.Refuse(ctx, intent))
	default:
		return none, err
	}
}

func (w write[R]) begin(ctx context.Context, log intentLog) (intent store.Intent, outstanding bool, err error) {
	intent, outstanding, err = log.begin(ctx)
	var stale *store.StaleError
	if errors.As(err, &stale) {
		return intent, false, edited(w.ref)
	}
	if err != nil {
		err = fmt.Errorf("record the intent of step %s: %w", w.step, err)
	}
	return intent, outstanding, err
}

// prepareResend prepares another send after a search found nothing. mine says that this
// attempt has to send it.
func (w write[R]) prepareResend(ctx context.Context, log intentLog, intent store.Intent) (_ store.Intent, mine bool, err error) {
	if intent.SentAt.Before(w.forcedAt) {
		if err := log.Refuse(ctx, intent); err != nil {
			return intent, false, fmt.Errorf("abandon the last try of step %s: %w", w.step, err)
		}
		begun, outstanding, err := w.begin(ctx, log)
		if err != nil {
			return intent, false, err
		}
		return begun, !outstanding && begun.DoneAt.IsZero(), nil
	}
	intent, mine, err = log.Resend(ctx, intent)
	if err != nil {
		return intent, false, fmt.Errorf("renew the intent of step %s: %w", w.step, err)
	}
	return intent, mine, nil
}

func (w write[R]) resultOf(intent store.Intent) (R, error) {
	var result R
	if err := json.Unmarshal(intent.Result, &result); err != nil {
		return result, fmt.Errorf("read the result of step %s: %w", w.step, err)
	}
	return result, nil
}

// resolveDuplicate handles a refusal because Dixa already has the write.
func (w write[R]) resolveDuplicate(ctx context.Context, log intentLog, waited bool, refusal error) (R, error) {
	result, found, err := w.find(ctx)
	switch {
	case err != nil:
		return result, fmt.Errorf("search for the duplicate of step %s: %w", w.step, err)
	case found:
		return result, w.record(ctx, log, result)
	case !waited:
		// Lists may lag. The intent stays open, and the next search runs when they
		// must have caught up.
		return result, retryable(claim.ErrorAmbiguous, "Dixa reports step "+w.step+" as a duplicate, but the original is not visible yet: "+refusal.Error(), refusal, w.window)
	default:
		return result, parked(w.unknown, "Dixa reports step "+w.step+" as a duplicate, but the original cannot be found: "+refusal.Error())
	}
}

func (w write[R]) record(ctx context.Context, log intentLog, result R) error {
	if w.finish != nil {
		return w.finish(ctx, result)
	}
	if err := log.finish(ctx, result); err != nil {
		return fmt.Errorf("record step %s as done: %w", w.step, err)
	}
	return nil
}

// joinRecordError returns the Dixa error, unless the store failed to record it. Then it
// returns both, and the next attempt searches Dixa before it sends.
func joinRecordError(dixaErr, storeErr error) error {
	if storeErr != nil {
		return fmt.Errorf("record that Dixa did not perform the write (%w): %w", dixaErr, storeErr)
	}
	return dixaErr
}
