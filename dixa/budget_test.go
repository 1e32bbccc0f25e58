package dixa_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/dixa"
)

type budgetFunc func() error

func (f budgetFunc) Take(context.Context) error { return f() }

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
