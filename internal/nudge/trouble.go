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

// trouble is what went wrong in a round: the first error of each kind.
type trouble struct {
	mu    sync.Mutex
	first map[string]error
	gone  bool
}

// add notes an error; nil is none.
func (t *trouble) add(err error) {
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
	t.gone = t.gone || hopeless(err)
}

// stop reports whether the engine need not be asked for other claims.
func (t *trouble) stop() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.gone
}

func (t *trouble) err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var errs []error
	for _, k := range slices.Sorted(maps.Keys(t.first)) {
		errs = append(errs, t.first[k])
	}
	return errors.Join(errs...)
}

// kind tells errors apart whose words differ with the claim and the connection:
// it is the type of the innermost.
func kind(err error) string {
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return fmt.Sprintf("%T", err)
}

// hopeless reports whether an error would meet every other claim, too.
func hopeless(err error) bool {
	var unavailable *serviceerror.Unavailable
	var late *serviceerror.DeadlineExceeded
	var missing *serviceerror.NamespaceNotFound
	var denied *serviceerror.PermissionDenied
	return errors.As(err, &unavailable) || errors.As(err, &late) || errors.As(err, &missing) || errors.As(err, &denied) ||
		errors.Is(err, context.DeadlineExceeded)
}
