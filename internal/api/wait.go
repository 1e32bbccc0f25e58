package api

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/store"
)

const (
	// waitPoll is how often the store is asked about all claims that requests wait
	// for, with one query.
	waitPoll = 200 * time.Millisecond
	// waitBatch bounds the claims of one query.
	waitBatch = 1000
	// waitCheck is how often Temporal is checked while requests wait, waitCheckTime
	// bounds one check.
	waitCheck     = time.Second
	waitCheckTime = time.Second
)

// preferredWait reads the preference "wait" of a Prefer header (RFC 7240, section
// 4.3), at most [client.MaxWait]. Zero if there is none. A malformed preference is
// ignored, as the RFC says.
func preferredWait(header string) time.Duration {
	for preference := range strings.SplitSeq(header, ",") {
		preference, _, _ = strings.Cut(preference, ";")
		name, value, _ := strings.Cut(preference, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "wait") {
			continue
		}
		seconds, err := strconv.ParseUint(strings.Trim(strings.TrimSpace(value), `"`), 10, 31)
		if err != nil {
			return 0
		}
		return min(time.Duration(seconds)*time.Second, client.MaxWait)
	}
	return 0
}

// openings lets requests wait until claims are opened, parked or skipped. One
// goroutine polls the store for all of them, and none runs while nobody waits.
// Polling costs Temporal nothing and works whichever process runs the worker.
type openings struct {
	store *store.Store
	// temporal reports whether claims reach Temporal; nil counts as always.
	temporal func(context.Context) (string, error)
	log      *slog.Logger

	mu      sync.Mutex
	waiting map[claim.Ref]map[chan struct{}]bool
	running bool
}

// wait returns when the claim is no longer received or opening, when ctx ends, or
// when claims do not reach Temporal, so that waiting is pointless.
func (o *openings) wait(ctx context.Context, ref claim.Ref) {
	done := make(chan struct{})
	o.add(ref, done)
	defer o.remove(ref, done)
	select {
	case <-done:
	case <-ctx.Done():
	}
}

func (o *openings) add(ref claim.Ref, done chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.waiting == nil {
		o.waiting = map[claim.Ref]map[chan struct{}]bool{}
	}
	if o.waiting[ref] == nil {
		o.waiting[ref] = map[chan struct{}]bool{}
	}
	o.waiting[ref][done] = true
	if !o.running {
		o.running = true
		go o.poll()
	}
}

func (o *openings) remove(ref claim.Ref, done chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.waiting[ref], done)
	if len(o.waiting[ref]) == 0 {
		delete(o.waiting, ref)
	}
}

// poll runs until nobody waits.
func (o *openings) poll() {
	tick := time.NewTicker(waitPoll)
	defer tick.Stop()
	var checked time.Time
	var down bool
	for {
		refs := o.next()
		if refs == nil {
			return
		}
		if time.Since(checked) >= waitCheck {
			down, checked = o.temporalIsDown(), time.Now()
		}
		if down {
			o.release(refs)
		} else {
			ctx, cancel := context.WithTimeout(context.Background(), waitCheckTime)
			opened, err := o.store.Claims.Opened(ctx, refs)
			cancel()
			if err != nil {
				o.log.Warn("cannot read the claims that requests wait for; retrying", "error", err)
			}
			o.release(opened)
		}
		<-tick.C
	}
}

// next returns the claims that requests wait for. If there are none it returns nil,
// and the next waiter starts a new poll.
func (o *openings) next() []claim.Ref {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.waiting) == 0 {
		o.running = false
		return nil
	}
	refs := make([]claim.Ref, 0, len(o.waiting))
	for ref := range o.waiting {
		if refs = append(refs, ref); len(refs) == waitBatch {
			break // the order of a map is random, so that none starves
		}
	}
	return refs
}

func (o *openings) release(refs []claim.Ref) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, ref := range refs {
		for done := range o.waiting[ref] {
			close(done)
		}
		delete(o.waiting, ref)
	}
}

func (o *openings) temporalIsDown() bool {
	if o.temporal == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), waitCheckTime)
	defer cancel()
	_, err := o.temporal(ctx)
	return err != nil
}

// waitForOpening waits as long as the caller prefers and returns the claim as it is
// then. ok is false if the caller prefers not to wait.
func (a *api) waitForOpening(ctx context.Context, prefer string, ref claim.Ref) (record claim.Record, applied string, ok bool, err error) {
	wait := preferredWait(prefer)
	if wait == 0 {
		return record, "", false, nil
	}
	a.Kick() // now, not after the response
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	a.openings.wait(waiting, ref)
	record, err = a.Store.Claims.Record(ctx, ref)
	return record, "wait=" + strconv.Itoa(int(wait/time.Second)), true, err
}

// submitStatus is the status of a response to a submitted claim.
func submitStatus(isNew bool, state claim.State) int {
	if isNew && state.Opening() {
		return http.StatusAccepted
	}
	return http.StatusOK
}
