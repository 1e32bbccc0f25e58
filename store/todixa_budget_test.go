package store_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/store"
)

func TestBudgetSpacesSlots(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := database(t)
			s := open(t, url, newKeys(t))
			const takers, interval = 20, 10 * time.Second
			waits := make([]time.Duration, takers)
			errs := atOnce(takers, func(i int) error {
				slot, err := s.Budget.Take(t.Context(), "token", store.BudgetLimits{Interval: interval, MaxWait: 5 * time.Minute})
				waits[i] = slot.Wait
				return err
			})
			require.NoError(t, errors.Join(errs...))
			slices.Sort(waits)
			// Each wait is shorter than its slot's distance from the first by the
			// duration of the call, which is far less than an interval.
			for i, wait := range waits {
				require.LessOrEqual(t, wait, time.Duration(i)*interval, "slot %d", i)
				require.Greater(t, wait, time.Duration(i-1)*interval, "slot %d must keep its distance", i)
			}
			slot, err := s.Budget.Take(t.Context(), "another token", store.BudgetLimits{})
			require.NoError(t, err)
			require.LessOrEqual(t, slot.Wait, time.Duration(0), "tokens must have separate budgets")
		})
	}
}

func TestRefusedCallerTakesNoSlot(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := database(t)
			s := open(t, url, newKeys(t))
			const interval = time.Minute
			slot, err := s.Budget.Take(t.Context(), "token", store.BudgetLimits{Interval: interval})
			require.NoError(t, err)
			require.LessOrEqual(t, slot.Wait, time.Duration(0), "the first slot must be free")
			for range 5 {
				_, err = s.Budget.Take(t.Context(), "token", store.BudgetLimits{Interval: interval, MaxWait: time.Second})
				var budget *store.BudgetError
				require.ErrorAs(t, err, &budget)
				require.False(t, budget.Day)
				require.Positive(t, budget.RetryAfter)
				require.LessOrEqual(t, budget.RetryAfter, interval)
			}
			slot, err = s.Budget.Take(t.Context(), "token", store.BudgetLimits{Interval: interval, MaxWait: 2 * interval})
			require.NoError(t, err)
			require.LessOrEqual(t, slot.Wait, interval, "a refused caller must not take a slot")
			require.Positive(t, slot.Wait)
		})
	}
}

func TestDailyBudget(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := database(t)
			s := open(t, url, newKeys(t))
			limits := store.BudgetLimits{Interval: time.Microsecond, MaxWait: time.Second, PerDay: 3}
			var err error
			for range 7 { // three more if midnight passes
				if _, err = s.Budget.Take(t.Context(), "token", limits); err != nil {
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

// The budget uses the test's clock only on SQLite. PostgreSQL uses the database's clock.
func TestBudgetWithClockSkew(t *testing.T) {
	t.Parallel()
	take := func(t *testing.T, s *store.Store, limits store.BudgetLimits) time.Duration {
		t.Helper()
		slot, err := s.Budget.Take(t.Context(), "token", limits)
		require.NoError(t, err)
		return slot.Wait
	}
	t.Run("slots of a flood are exact", func(t *testing.T) {
		t.Parallel()
		s, now := setup(t, memory)
		limits := store.BudgetLimits{MaxWait: time.Second}
		for i := range 10 {
			require.Equal(t, time.Duration(i)*104*time.Millisecond, take(t, s, limits))
		}
		_, err := s.Budget.Take(t.Context(), "token", limits)
		var budget *store.BudgetError
		require.ErrorAs(t, err, &budget)
		require.Equal(t, 1040*time.Millisecond-limits.MaxWait/2, budget.RetryAfter)
		now.Turn(budget.RetryAfter)
		require.Equal(t, limits.MaxWait/2, take(t, s, limits))
	})
	t.Run("slots of the past are lost", func(t *testing.T) {
		t.Parallel()
		s, now := setup(t, memory)
		take(t, s, store.BudgetLimits{})
		now.Turn(time.Hour)
		require.Zero(t, take(t, s, store.BudgetLimits{}))
		require.Equal(t, store.DefaultInterval, take(t, s, store.BudgetLimits{MaxWait: time.Second}))
	})
	t.Run("a slot right at the end of the wait is given", func(t *testing.T) {
		t.Parallel()
		s, _ := setup(t, memory)
		take(t, s, store.BudgetLimits{})
		require.Equal(t, store.DefaultInterval, take(t, s, store.BudgetLimits{MaxWait: store.DefaultInterval}))
	})
	t.Run("the day ends at midnight UTC", func(t *testing.T) {
		t.Parallel()
		s, now := setup(t, memory) // noon
		limits := store.BudgetLimits{PerDay: 1}
		take(t, s, limits)
		now.Turn(11*time.Hour + 59*time.Minute)
		_, err := s.Budget.Take(t.Context(), "token", limits)
		require.Equal(t, &store.BudgetError{RetryAfter: time.Minute, Day: true}, errors.Unwrap(err))
		now.Turn(time.Minute)
		require.Zero(t, take(t, s, limits))
	})
	t.Run("a clock that is set back does not stop everything", func(t *testing.T) {
		t.Parallel()
		s, now := setup(t, memory)
		take(t, s, store.BudgetLimits{})
		now.Turn(-3 * time.Hour)
		require.Zero(t, take(t, s, store.BudgetLimits{}))
	})
}

// Another program uses nine of ten of the token's requests, then stops. Dixa is a
// token bucket with a capacity of four, refilled at ten per second.
func TestBudgetAdaptsToAnotherProgram(t *testing.T) {
	t.Parallel()
	s, now := setup(t, memory)
	dixa := bucket{level: 4}
	const step = time.Millisecond
	var otherAt, ourAt time.Duration
	run := func(from, to time.Duration, others bool) (sent, refused int) {
		for at := from; at < to; at += step {
			if others && at >= otherAt {
				dixa.admit(at)
				otherAt = at + time.Second/9
			}
			if at >= ourAt {
				sent++
				if !dixa.admit(at) {
					refused++
					require.NoError(t, s.Budget.RecordRefusal(t.Context(), "token", store.BudgetLimits{}, 0))
				}
				slot, err := s.Budget.Take(t.Context(), "token", store.BudgetLimits{MaxWait: time.Minute})
				require.NoError(t, err)
				ourAt = at + max(slot.Wait, step)
			}
			now.Turn(step)
		}
		return sent, refused
	}
	run(0, 20*time.Second, true) // adapts
	sent, refused := run(20*time.Second, 3*time.Minute, true)
	t.Logf("with another program: %d sent, %d refused in 160 s", sent, refused)
	require.Greater(t, sent-refused, 160*6/10, "the token must get most of the remaining request per second")
	require.Less(t, refused, sent/8, "few requests may be refused")

	run(3*time.Minute, 5*time.Minute, false) // recovers
	sent, refused = run(5*time.Minute, 6*time.Minute, false)
	require.Zero(t, refused)
	require.InDelta(t, time.Minute/store.DefaultInterval, sent, 2, "the token must return to its own pace")
}

// bucket models Dixa's rate limit as a token bucket.
type bucket struct {
	level float64
	at    time.Duration
}

func (b *bucket) admit(at time.Duration) bool {
	b.level = min(4, b.level+(at-b.at).Seconds()*10)
	b.at = at
	if b.level < 1 {
		return false
	}
	b.level--
	return true
}

func TestRefusalsSlowTheToken(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := setup(t, database(t)) // refusals count once if they come at the same time
			c, err := s.Connections.SaveToken(t.Context(), "acme", "dixa-token", store.Organization{ID: "org"})
			require.NoError(t, err)
			hash, limits := s.Connections.TokenHash("dixa-token"), store.BudgetLimits{Interval: time.Second, MaxWait: 5 * time.Minute}
			take := func() store.BudgetSlot {
				slot, err := s.Budget.Take(t.Context(), hash, limits)
				require.NoError(t, err)
				return slot
			}
			share := func() *claim.TokenShare {
				share, err := s.Budget.Share(t.Context(), c.ID)
				require.NoError(t, err)
				return share
			}
			require.NoError(t, s.Budget.RecordRefusal(t.Context(), hash, limits, 0), "recording a refusal must not require a row")
			require.Equal(t, time.Second, take().Interval)
			require.Nil(t, share())

			for range 3 {
				require.NoError(t, s.Budget.RecordRefusal(t.Context(), hash, limits, 30*time.Second))
			}
			require.InDelta(t, 0.5, share().PerSecond, 0.001, "concurrent refusals must count once")
			slot := take()
			require.Equal(t, 2*time.Second*97/100, slot.Interval, "each later request must shorten the interval")
			require.Greater(t, slot.Wait, 20*time.Second, "the slot must respect Retry-After")
			require.LessOrEqual(t, slot.Wait, 30*time.Second)
			shares, err := s.Budget.Shares(t.Context())
			require.NoError(t, err)
			require.Contains(t, shares, c.ID)
			for range 23 {
				take()
			}
			require.Equal(t, time.Second, take().Interval)
			require.Nil(t, share(), "the share must expire")
		})
	}
}

func TestRefusalsExpire(t *testing.T) {
	t.Parallel()
	s, now := setup(t, memory)
	_, err := s.Budget.Take(t.Context(), "token", store.BudgetLimits{})
	require.NoError(t, err)
	for range 12 {
		require.NoError(t, s.Budget.RecordRefusal(t.Context(), "token", store.BudgetLimits{}, 0))
		now.Turn(time.Second)
	}
	slot, err := s.Budget.Take(t.Context(), "token", store.BudgetLimits{})
	require.NoError(t, err)
	require.Equal(t, 4*time.Second*97/100, slot.Interval, "the interval must not exceed its maximum")
	now.Turn(10 * time.Minute)
	slot, err = s.Budget.Take(t.Context(), "token", store.BudgetLimits{})
	require.NoError(t, err)
	require.Equal(t, store.DefaultInterval, slot.Interval)
}
