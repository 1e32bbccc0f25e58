package dixa

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Budget enforces Dixa's rate limits per token: 10 requests a second with a burst of
// 4, and 864,000 a day. All clients of one token must share one budget.
type Budget interface {
	// Take is called once per HTTP request, just before it is sent. It may block. An
	// error fails the call with the outcome Unsent; a *BudgetExceededError also says
	// when to retry.
	Take(ctx context.Context) error
}

// BudgetExceededError means that the budget is exhausted for now.
type BudgetExceededError struct {
	// RetryAfter is how long to wait before the next attempt.
	RetryAfter time.Duration
}

// Error states the wait.
func (e BudgetExceededError) Error() string {
	return fmt.Sprintf("the Dixa request budget is exhausted; retry in %s", e.RetryAfter.Round(time.Millisecond))
}

// BudgetLimits configures a MemoryBudget. Zero fields use their defaults.
type BudgetLimits struct {
	// Burst is how many requests may start at once after a pause. The default is 1:
	// a larger burst could exceed 10 requests within one second.
	Burst int
	// Daily is the maximum number of requests in 24 hours, counted from the first.
	// The default is 864,000.
	Daily int
	// Interval is the time between two requests. The default is 104 ms, or 9.6
	// requests a second. That pace stays within both a bucket of 4 refilled at 10 a
	// second and a limit of 10 in any one second.
	Interval time.Duration
	// MaxWait is the longest time that Take waits. A request with a longer wait
	// fails immediately with a *BudgetExceededError. The default is 2 s; a negative
	// value never waits.
	MaxWait time.Duration
}

// MemoryBudget is a Budget for one process. It spaces requests evenly (the generic
// cell rate algorithm) and serves waiting callers in order.
type MemoryBudget struct {
	limits BudgetLimits

	mu       sync.Mutex
	next     time.Time // theoretical arrival time of the next request
	dayStart time.Time
	dayCount int
}

var _ Budget = (*MemoryBudget)(nil)

// NewMemoryBudget returns a full budget. If Burst, Daily or Interval is not
// positive, it uses the default.
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

// Take waits for the caller's turn, at most MaxWait and never past the context's
// deadline. If the turn comes later, it returns a *BudgetExceededError without
// waiting. If the context ends first, it returns the context's error.
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

// release returns an unused turn if no other caller has queued behind it.
func (b *MemoryBudget) release(turn time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dayCount--
	if b.next.Equal(turn) {
		b.next = turn.Add(-b.limits.Interval)
	}
}
