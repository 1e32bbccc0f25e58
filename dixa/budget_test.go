package dixa_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/dixa"
)

type budgetFunc func() error

func (f budgetFunc) Take(context.Context) error { return f() }

func TestMemoryBudgetStaysWithinBothInterpretationsOfLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		budget := dixa.NewMemoryBudget(dixa.BudgetLimits{MaxWait: time.Hour})
		var mu sync.Mutex
		var granted []time.Time
		var wg sync.WaitGroup
		began := time.Now()
		for range 200 {
			wg.Go(func() {
				if err := budget.Take(t.Context()); err != nil {
					t.Errorf("take: %v", err)
				}
				mu.Lock()
				defer mu.Unlock()
				granted = append(granted, time.Now())
			})
		}
		wg.Wait()

		level := 4.0 // a bucket of 4, refilled at 10 per second
		last := began
		for i, at := range granted {
			level = min(4, level+at.Sub(last).Seconds()*10) - 1
			last = at
			require.GreaterOrEqual(t, level, 0.0, "a bucket of 4 refuses request %d", i)
			if i >= 10 {
				require.Greater(t, at.Sub(granted[i-10]), time.Second, "11 requests in the second before request %d", i)
			}
		}
		require.Equal(t, 199*104*time.Millisecond, last.Sub(began), "requests were slower than the configured pace")
	})
}

func TestMemoryBudgetAllowsBurst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		budget := dixa.NewMemoryBudget(dixa.BudgetLimits{Burst: 3, Interval: time.Second, MaxWait: time.Minute})
		began := time.Now()
		var at []time.Duration
		for range 5 {
			require.NoError(t, budget.Take(t.Context()))
			at = append(at, time.Since(began))
		}
		require.Equal(t, []time.Duration{0, 0, 0, time.Second, 2 * time.Second}, at)
	})
}

func TestMemoryBudgetRefusesLongWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		budget := dixa.NewMemoryBudget(dixa.BudgetLimits{Interval: time.Second, MaxWait: -1})
		require.NoError(t, budget.Take(t.Context()))
		began := time.Now()
		var exceeded *dixa.BudgetExceededError
		require.ErrorAs(t, budget.Take(t.Context()), &exceeded)
		require.Equal(t, time.Second, exceeded.RetryAfter)
		require.Zero(t, time.Since(began), "the budget waited before refusing")

		<-time.After(exceeded.RetryAfter)
		require.NoError(t, budget.Take(t.Context()), "the refused request consumed budget")
	})
}

func TestMemoryBudgetDoesNotWaitPastDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		budget := dixa.NewMemoryBudget(dixa.BudgetLimits{Interval: time.Second})
		require.NoError(t, budget.Take(t.Context()))
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		var exceeded *dixa.BudgetExceededError
		require.ErrorAs(t, budget.Take(ctx), &exceeded)
	})
}

func TestMemoryBudgetRefundsCanceledWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		budget := dixa.NewMemoryBudget(dixa.BudgetLimits{Interval: time.Second, MaxWait: time.Minute})
		began := time.Now()
		require.NoError(t, budget.Take(t.Context()))
		ctx, cancel := context.WithCancel(t.Context())
		waiting := make(chan error)
		go func() { waiting <- budget.Take(ctx) }()
		synctest.Wait()
		cancel()
		require.ErrorIs(t, <-waiting, context.Canceled)
		require.ErrorIs(t, budget.Take(ctx), context.Canceled)

		require.NoError(t, budget.Take(t.Context()))
		require.Equal(t, time.Second, time.Since(began))
	})
}

func TestMemoryBudgetEnforcesDailyLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		budget := dixa.NewMemoryBudget(dixa.BudgetLimits{Daily: 2, Interval: time.Second})
		require.NoError(t, budget.Take(t.Context()))
		require.NoError(t, budget.Take(t.Context()))
		var exceeded *dixa.BudgetExceededError
		require.ErrorAs(t, budget.Take(t.Context()), &exceeded)
		require.Equal(t, 24*time.Hour-time.Second, exceeded.RetryAfter)
		<-time.After(exceeded.RetryAfter)
		require.NoError(t, budget.Take(t.Context()))
	})
}

func TestBudgetRefusalLeavesRequestUnsent(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		err     error
		wait    time.Duration
		limited bool
	}{
		"exceeded":          {&dixa.BudgetExceededError{RetryAfter: 3 * time.Second}, 3 * time.Second, true},
		"exceeded by value": {dixa.BudgetExceededError{RetryAfter: time.Second}, time.Second, true},
		"store down":        {errors.New("store unavailable"), 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			baseURL, requests := newServer(t, answer(http.StatusOK, `{}`))
			client := newClient(t, baseURL, dixa.WithBudget(budgetFunc(func() error { return tc.err })))
			_, err := client.Conversations.Create(t.Context(), newEmail())
			failure, ok := dixa.AsError(err)
			require.True(t, ok)
			require.Equal(t, dixa.Unsent, failure.Outcome)
			require.True(t, failure.Retryable)
			require.Equal(t, tc.wait, failure.RetryAfter)
			require.Equal(t, tc.limited, dixa.IsRateLimited(err))
			require.ErrorIs(t, err, tc.err)
			require.Zero(t, requests.Load())
		})
	}
}
