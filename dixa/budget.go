package dixa

import (
	"context"
	"errors"
	"fmt"
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

// budgetExceeded finds a BudgetExceededError, by pointer or by value.
func budgetExceeded(err error) (exceeded BudgetExceededError, ok bool) {
	if pointer := (*BudgetExceededError)(nil); errors.As(err, &pointer) {
		return *pointer, true
	}
	ok = errors.As(err, &exceeded)
	return exceeded, ok
}
