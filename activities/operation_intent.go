package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/store"
)

// operationIntents records the intents of an operation's step.
type operationIntents struct {
	store.Intents
	operations store.Operations
	ref        OperationRef
	step       string
	// object is the kind of the object that the step creates, such as note. The
	// step's result is its id.
	object string
}

func (o *operation) intents(step, object string) operationIntents {
	return operationIntents{o.Store.Intents, o.Store.Operations, o.OperationRef, step, object}
}

func (l operationIntents) begin(ctx context.Context) (store.Intent, bool, error) {
	return l.operations.BeginStep(ctx, l.ref, l.step)
}

// done reads the intent of the step. It is the zero one if the step was never begun.
func (l operationIntents) done(ctx context.Context) (store.Intent, error) {
	intent, err := l.operations.Step(ctx, l.ref, l.step)
	if errors.Is(err, store.ErrNotFound) {
		return store.Intent{}, nil
	}
	return intent, err
}

func (l operationIntents) finish(ctx context.Context, result any) error {
	object := ""
	if id, ok := result.(string); ok && id != "" && l.object != "" {
		object = l.object + ":" + id
	}
	return l.operations.FinishStep(ctx, l.ref, l.step, object, result)
}

// key is the external id under which a try is sent. Its prefix is that of all tries.
func (l operationIntents) key(try int) string { return fmt.Sprintf("%s%d", l.keyPrefix(), try) }

func (l operationIntents) keyPrefix() string {
	return claim.Ref{Shop: "operation", ID: l.ref.ID}.ExternalIDPrefix(l.step)
}

// owned reports whether an object in Dixa belongs to another operation.
func (l operationIntents) owned(ctx context.Context, id string) (bool, error) {
	of, err := l.operations.ObjectOf(ctx, l.ref.ConnectionID, l.object+":"+id)
	return of != "" && of != l.ref.ID, err
}

// repeatable performs a write that is harmless to repeat. again says that an earlier
// send may have taken effect.
func (o *operation) repeatable(ctx context.Context, step string, send func(again bool) error) error {
	_, err := repeat(ctx, o.intents(step, ""), func(again bool) (any, error) { return nil, send(again) })
	return err
}

// repeat is [operation.repeatable] for a write with a result.
func repeat[R any](ctx context.Context, log operationIntents, send func(again bool) (R, error)) (result R, err error) {
	intent, outstanding, err := log.begin(ctx)
	if err != nil {
		return result, err
	}
	if !intent.DoneAt.IsZero() {
		return result, json.Unmarshal(intent.Result, &result)
	}
	if outstanding {
		var mine bool
		intent, mine, err = log.Resend(ctx, intent)
		if err != nil {
			return result, err
		}
		if !mine {
			return result, retryable(claim.ErrorBusy, "another attempt at step "+log.step+" is in progress", nil, time.Second)
		}
	}
	result, err = send(outstanding)
	switch dixa.OutcomeOf(err) {
	case 0:
		return result, log.finish(ctx, result)
	case dixa.Unsent:
		if !outstanding {
			err = joinRecordError(err, log.Withdraw(ctx, intent))
		}
	case dixa.Rejected:
		if !outstanding { // it says nothing about an earlier send
			err = joinRecordError(err, log.Refuse(ctx, intent))
		}
	}
	return result, err
}

// deleting is a send that deletes something: it is gone if an earlier send may have
// deleted it.
func deleting(send func() error) func(again bool) error {
	return func(again bool) error {
		err := send()
		if again && dixa.IsNotFound(err) {
			return nil
		}
		return err
	}
}

// creation creates an object of which Dixa keeps no key of ours.
type creation struct {
	step string
	// kind is the kind of object, such as team.
	kind string
	// alike lists the ids of the objects in Dixa that look like the wanted one.
	alike func(context.Context) ([]string, error)
	// exists is called before the first send with the objects that look alike. It
	// returns an error to refuse the creation.
	exists func(ids []string) error
	send   func(context.Context) (id string, err error)
}

// create creates an object once. What looks like it before the first send is not it: an
// object that appears after an unanswered send is.
func (o *operation) create(ctx context.Context, c creation) (id string, err error) {
	before, err := o.before(ctx, c)
	if err != nil {
		return "", err
	}
	log := o.intents(c.step, c.kind)
	return sendOnce(ctx, log, write[string]{
		step: c.step, window: o.window(), unknown: claim.CauseOutcomeUnknown,
		find: func(ctx context.Context) (string, bool, error) {
			ids, err := c.alike(ctx)
			for _, id := range ids {
				if slices.Contains(before, id) {
					continue
				}
				taken, ownErr := log.owned(ctx, id)
				if ownErr != nil {
					return "", false, ownErr
				}
				if !taken {
					return id, true, nil
				}
			}
			return "", false, err
		},
		send: func(ctx context.Context, _ string) (string, error) { return c.send(ctx) },
	})
}

// before returns the objects that looked like the wanted one before it was first sent.
func (o *operation) before(ctx context.Context, c creation) (ids []string, err error) {
	log := o.intents(c.step+":before", "")
	seen, err := log.done(ctx)
	if err != nil {
		return nil, err
	}
	if !seen.DoneAt.IsZero() {
		return ids, json.Unmarshal(seen.Result, &ids)
	}
	if ids, err = c.alike(ctx); err != nil {
		return nil, err
	}
	if c.exists != nil && len(ids) > 0 {
		if err := c.exists(ids); err != nil {
			return nil, err
		}
	}
	return ids, log.finish(ctx, ids)
}
