package connection_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/internal/todixa/connection"
	"github.com/claimflow/claimflow/store"
)

func TestBackgroundWorkUsesATenthOfTheBudget(t *testing.T) {
	t.Parallel()
	b := setup(t, store.BudgetLimits{Interval: time.Second, MaxWait: time.Minute, PerDay: 1000})
	c, err := b.clients.Client(t.Context(), b.id)
	require.NoError(t, err)
	patient, _ := connection.Count(connection.WithBackgroundRate(t.Context()))
	_, err = c.Organization.Get(patient)
	require.NoError(t, err)
	// Its next turn is ten seconds away, too long to hold a slot.
	other, count := connection.Count(connection.WithBackgroundRate(t.Context()))
	_, err = c.Organization.Get(other)
	require.True(t, dixa.IsRateLimited(err), "%v", err)
	e, ok := dixa.AsError(err)
	require.True(t, ok)
	require.Equal(t, dixa.Unsent, e.Outcome)
	require.Greater(t, e.RetryAfter, 5*time.Second)
	require.Zero(t, count.Load())
	// A claim continues at the token's own pace.
	_, err = c.Organization.Get(t.Context())
	require.NoError(t, err)
	require.Equal(t, 2, b.dixa.Stats().Requests)
}

func TestBackgroundWorkYieldsToClaims(t *testing.T) {
	t.Parallel()
	b := setup(t, store.BudgetLimits{Interval: 10 * time.Second, MaxWait: time.Minute, PerDay: 1000})
	c, err := b.clients.Client(t.Context(), b.id)
	require.NoError(t, err)
	_, err = c.Organization.Get(t.Context())
	require.NoError(t, err)
	patient, _ := connection.Count(connection.WithBackgroundRate(t.Context()))
	_, err = c.Organization.Get(patient)
	require.True(t, dixa.IsRateLimited(err), "the next slot must go to a claim: %v", err)
	require.Equal(t, 1, b.dixa.Stats().Requests)
}
