package store_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/store"
)

func TestBudgetGivesSlotsThatAreApart(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := database(t)
			s := open(t, url, newKeys(t))
			const takers, interval = 20, 10 * time.Second
			waits := make([]time.Duration, takers)
			errs := atOnce(takers, func(i int) (err error) {
				waits[i], err = s.TakeBudget(t.Context(), "token", store.Limits{Interval: interval, MaxWait: 5 * time.Minute})
				return err
			})
			require.NoError(t, errors.Join(errs...))
			slices.Sort(waits)
			// Each wait is short of its slot's distance from the first by what the
			// call itself took, which is far less than an interval.
			for i, wait := range waits {
				require.LessOrEqual(t, wait, time.Duration(i)*interval, "slot %d", i)
				require.Greater(t, wait, time.Duration(i-1)*interval, "slot %d is too near to the one before", i)
			}
			wait, err := s.TakeBudget(t.Context(), "another token", store.Limits{})
			require.NoError(t, err)
			require.LessOrEqual(t, wait, time.Duration(0), "tokens share a budget")
		})
	}
}

func TestBudgetThatIsTakenConsumesNothing(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := database(t)
			s := open(t, url, newKeys(t))
			const interval = time.Minute
			wait, err := s.TakeBudget(t.Context(), "token", store.Limits{Interval: interval})
			require.NoError(t, err)
			require.LessOrEqual(t, wait, time.Duration(0), "the first slot is free at once")
			for range 5 {
				_, err = s.TakeBudget(t.Context(), "token", store.Limits{Interval: interval, MaxWait: time.Second})
				var budget *store.BudgetError
				require.ErrorAs(t, err, &budget)
				require.False(t, budget.Day)
				require.Positive(t, budget.RetryAfter)
				require.LessOrEqual(t, budget.RetryAfter, interval)
			}
			wait, err = s.TakeBudget(t.Context(), "token", store.Limits{Interval: interval, MaxWait: 2 * interval})
			require.NoError(t, err)
			require.LessOrEqual(t, wait, interval, "a refused caller took a slot")
			require.Positive(t, wait)
		})
	}
}

func TestBudgetOfADay(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := database(t)
			s := open(t, url, newKeys(t))
			limits := store.Limits{Interval: time.Microsecond, MaxWait: time.Second, PerDay: 3}
			var err error
			for range 7 { // should midnight pass, there are three more
				if _, err = s.TakeBudget(t.Context(), "token", limits); err != nil {
					break
				}
			}
			var budget *store.BudgetError
			require.ErrorAs(t, err, &budget)
			require.True(t, budget.Day)
			require.Positive(t, budget.RetryAfter)
			require.LessOrEqual(t, budget.RetryAfter, 24*time.Hour)
		})
	}
}

// The clock can only be turned where it is the process's own.
func TestBudgetOnAClockOfItsOwn(t *testing.T) {
	t.Parallel()
	take := func(t *testing.T, s *store.Store, limits store.Limits) time.Duration {
		t.Helper()
		wait, err := s.TakeBudget(t.Context(), "token", limits)
		require.NoError(t, err)
		return wait
	}
	t.Run("slots of a flood are exact", func(t *testing.T) {
		t.Parallel()
		s, now := setup(t, memory)
		limits := store.Limits{MaxWait: time.Second}
		for i := range 10 {
			require.Equal(t, time.Duration(i)*104*time.Millisecond, take(t, s, limits))
		}
		_, err := s.TakeBudget(t.Context(), "token", limits)
		var budget *store.BudgetError
		require.ErrorAs(t, err, &budget)
		require.Equal(t, 1040*time.Millisecond-limits.MaxWait/2, budget.RetryAfter)
		now.Turn(budget.RetryAfter)
		require.Equal(t, limits.MaxWait/2, take(t, s, limits))
	})
	t.Run("slots of the past are lost", func(t *testing.T) {
		t.Parallel()
		s, now := setup(t, memory)
		take(t, s, store.Limits{})
		now.Turn(time.Hour)
		require.Zero(t, take(t, s, store.Limits{}))
		require.Equal(t, store.DefaultInterval, take(t, s, store.Limits{MaxWait: time.Second}))
	})
	t.Run("a slot right at the end of the wait is given", func(t *testing.T) {
		t.Parallel()
		s, _ := setup(t, memory)
		take(t, s, store.Limits{})
		require.Equal(t, store.DefaultInterval, take(t, s, store.Limits{MaxWait: store.DefaultInterval}))
	})
	t.Run("the day ends at midnight UTC", func(t *testing.T) {
		t.Parallel()
		s, now := setup(t, memory) // noon
		limits := store.Limits{PerDay: 1}
		take(t, s, limits)
		now.Turn(11*time.Hour + 59*time.Minute)
		_, err := s.TakeBudget(t.Context(), "token", limits)
		require.Equal(t, &store.BudgetError{RetryAfter: time.Minute, Day: true}, errors.Unwrap(err))
		now.Turn(time.Minute)
		require.Zero(t, take(t, s, limits))
	})
	t.Run("a clock that is set back does not stop everything", func(t *testing.T) {
		t.Parallel()
		s, now := setup(t, memory)
		take(t, s, store.Limits{})
		now.Turn(-3 * time.Hour)
		require.Zero(t, take(t, s, store.Limits{}))
	})
}
