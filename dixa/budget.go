package dixa

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Budget holds requests to Dixa's limits: 10 a second with a burst of 4 and
// 864,000 a day, per token. All clients of one token must share one budget.
type Budget interface {
	// Take is called once per HTTP request just before it is sent, and may wait.
	// Its error fails the call with the outcome Unsent; a *BudgetExceededError
	// also says when to try again.
	Take(ctx context.Context) error
}

// BudgetExceededError says that the budget has nothing to give soon.
type BudgetExceededError struct {
	// RetryAfter is how long to wait before asking again.
	RetryAfter time.Duration
}

// Error names the wait.
func (e BudgetExceededError) Error() string {
	return fmt.Sprintf("the Dixa request budget is used up; ask again in %s", e.RetryAfter.Round(time.Millisecond))
}

// BudgetLimits configures a MemoryBudget. A zero field has its default.
type BudgetLimits struct {
	// Burst is how many requests may go at once after a pause. Defaults to 1: with
	// more, 10 could be exceeded within some second.
	Burst int
	// Daily is the most requests in 24 hours, counted from the first. Defaults to
	// 864,000.
	Daily int
	// Interval is the pace: one request per interval. Defaults to 104 ms, 9.6 a
	// second, which neither a bucket of 4 refilled at 10 a second nor a count of
	// 10 in any second refuses.
	Interval time.Duration
	// MaxWait is the longest that Take waits; a request that would have to wait
	// longer fails with a *BudgetExceededError at once. Defaults to 2 s; negative
	// never waits.
	MaxWait time.Duration
}

// MemoryBudget is a Budget for one process. It spaces requests evenly (the
// generic cell rate algorithm) and serves waiting callers in their order.
type MemoryBudget struct {
	limits BudgetLimits

	mu       sync.Mutex
	next     time.Time // theoretical arrival time of the next request
	dayStart time.Time
	dayCount int
}

var _ Budget = (*MemoryBudget)(nil)

// NewMemoryBudget returns a full budget. A Burst, Daily or Interval that is
// not positive has its default.
func NewMemoryBudget(limits BudgetLimits) *MemoryBudget {
	if limits.Burst <= 0 {
		limits.Burst = 1
	}
	if limits.Daily <= 0 {
		limits.Daily = 864_000
	}
	if limits.Interval <= 0 {
		limits.Interval = 104 * time.Millisecond
	}
	if limits.MaxWait == 0 {
		limits.MaxWait = 2 * time.Second
	}
	return &MemoryBudget{limits: limits}
}

// Take waits for the caller's turn, at most MaxWait and never beyond the
// context's deadline. It returns a *BudgetExceededError without waiting where
// the turn comes later than that, or the context's error when it ends first.
func (b *MemoryBudget) Take(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	turn, wait, err := b.reserve(ctx)
	if err != nil || wait <= 0 {
		return err
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		b.release(turn)
		return ctx.Err()
	}
}

func (b *MemoryBudget) reserve(ctx context.Context) (turn time.Time, wait time.Duration, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if b.dayStart.IsZero() || now.Sub(b.dayStart) >= 24*time.Hour {
		b.dayStart, b.dayCount = now, 0
	}
	if b.dayCount >= b.limits.Daily {
		return time.Time{}, 0, &BudgetExceededError{RetryAfter: b.dayStart.Add(24 * time.Hour).Sub(now)}
	}
	start := b.next
	if start.Before(now) {
		start = now
	}
	wait = start.Add(-time.Duration(b.limits.Burst-1) * b.limits.Interval).Sub(now)
	deadline, limited := ctx.Deadline()
	if wait > 0 && (wait > b.limits.MaxWait || limited && now.Add(wait).After(deadline)) {
		return time.Time{}, 0, &BudgetExceededError{RetryAfter: wait}
	}
	b.next = start.Add(b.limits.Interval)
	b.dayCount++
	return b.next, wait, nil
}

// release gives an unused turn back where nobody has queued behind it.
func (b *MemoryBudget) release(turn time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dayCount--
	if b.next.Equal(turn) {
		b.next = turn.Add(-b.limits.Interval)
	}
}
