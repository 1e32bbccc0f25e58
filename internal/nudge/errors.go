package nudge

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"go.temporal.io/api/serviceerror"
)

// roundErrors collects the first error of each kind in a round.
type roundErrors struct {
	mu    sync.Mutex
	first map[string]error
	gone  bool
}

// add records an error. It ignores nil.
func (t *roundErrors) add(err error) {
	if err == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.first == nil {
		t.first = map[string]error{}
	}
	if k := kind(err); t.first[k] == nil {
		t.first[k] = err
	}
	t.gone = t.gone || isFatal(err)
}

// stop reports whether the rest of the round's claims should be skipped.
func (t *roundErrors) stop() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.gone
}

func (t *roundErrors) err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var errs []error
	for _, k := range slices.Sorted(maps.Keys(t.first)) {
		errs = append(errs, t.first[k])
	}
	return errors.Join(errs...)
}

// kind groups errors whose messages differ by claim and connection. It returns the
// type of the innermost error.
func kind(err error) string {
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return fmt.Sprintf("%T", err)
}

// isFatal reports whether every other claim would get the same error.
func isFatal(err error) bool {
	var unavailable *serviceerror.Unavailable
	var late *serviceerror.DeadlineExceeded
	var missing *serviceerror.NamespaceNotFound
	var denied *serviceerror.PermissionDenied
	return errors.As(err, &unavailable) || errors.As(err, &late) || errors.As(err, &missing) || errors.As(err, &denied) ||
		errors.Is(err, context.DeadlineExceeded)
}
