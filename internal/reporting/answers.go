package reporting

import (
	"container/list"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/claimflow/claimflow/kpi"
	"github.com/claimflow/claimflow/store"
)

const (
	// maxAnswers and maxAnswered bound the answers that are kept in memory, and the values
	// in them: about 100 bytes each.
	maxAnswers  = 4000
	maxAnswered = 400_000
	// answerTimeout bounds an answer that several callers wait for.
	answerTimeout = time.Minute
)

// answers keeps answers to questions that were just asked. A key has everything that an
// answer depends on, among it the number of the last change of the rows, so an answer is
// never used again after a change: its key is not asked for any more. The answers that
// were not asked for the longest time make room. The zero value is ready to use.
type answers struct {
	asking singleflight.Group

	mu     sync.Mutex
	byKey  map[string]*list.Element
	recent list.List // of *keptAnswer, the most recently asked first
	values int
}

type keptAnswer struct {
	key    string
	result *kpi.Result
	values int
}

// get returns the answer of a key, which compute computes. Of callers who ask for the same
// at once, one computes it; it is not cancelled with the caller who happened to be first.
// The result is shared, so nobody may change it.
func (a *answers) get(ctx context.Context, key string, compute func(context.Context) (*kpi.Result, error)) (*kpi.Result, error) {
	if result := a.kept(key); result != nil {
		return result, nil
	}
	answer := a.asking.DoChan(key, func() (_ any, err error) {
		defer func() {
			if cause := recover(); cause != nil {
				err = fmt.Errorf("panic while computing a key figure: %v\n%s", cause, debug.Stack())
			}
		}()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerTimeout)
		defer cancel()
		result, err := compute(ctx)
		if err == nil {
			a.keep(key, result)
		}
		return result, err
	})
	select {
	case got := <-answer:
		result, _ := got.Val.(*kpi.Result)
		return result, got.Err
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the answer of a key figure: %w", errors.Join(ctx.Err(), context.Cause(ctx)))
	}
}

// answerKey returns what the answer of a complete request depends on. The number of the
// last change is read before the rows, so an answer is at least as new as its key says.
// Claims have no such number, so their answers are reusable within a minute only, by who
// accepts this.
func (s *Service) answerKey(ctx context.Context, connectionID string, d *kpi.Definition, r kpi.Request, hours []store.ScheduleVersion, maxAge time.Duration) (key string, reusable bool, err error) {
	minute, change := r.Now.Truncate(time.Minute), int64(0)
	if d.AboutClaims() {
		if maxAge < time.Minute {
			return "", false, nil
		}
	} else {
		if change, err = s.Store.Mirror.LastChange(ctx, connectionID); err != nil {
			return "", false, err
		}
		// Of a period that has ended, the answer does not depend on the time.
		if !r.To.AddDate(0, 0, r.WithinDays+1).After(r.Now) {
			minute = time.Time{}
		}
	}
	r.Now = minute
	text, err := json.Marshal([]any{connectionID, limitOf(ctx), change, d.ID, r, hours})
	return string(text), true, err
}

func (a *answers) kept(key string) *kpi.Result {
	a.mu.Lock()
	defer a.mu.Unlock()
	e := a.byKey[key]
	if e == nil {
		return nil
	}
	a.recent.MoveToFront(e)
	k, _ := e.Value.(*keptAnswer) // the list has nothing else
	return k.result
}

func (a *answers) keep(key string, result *kpi.Result) {
	k := &keptAnswer{key: key, result: result, values: 1}
	for i := range result.Series {
		k.values += 1 + len(result.Series[i].Buckets)
	}
	if k.values > maxAnswered {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.byKey == nil {
		a.byKey = map[string]*list.Element{}
	}
	if e := a.byKey[key]; e != nil {
		a.drop(e)
	}
	a.byKey[key] = a.recent.PushFront(k)
	a.values += k.values
	for a.values > maxAnswered || a.recent.Len() > maxAnswers {
		a.drop(a.recent.Back())
	}
}

func (a *answers) drop(e *list.Element) {
	k, _ := a.recent.Remove(e).(*keptAnswer) // the list has nothing else
	a.values -= k.values
	delete(a.byKey, k.key)
}
