package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/store"
)

func TestCountsOfWaitingClaims(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		empty, err := s.Claims.Counts(t.Context())
		require.NoError(t, err)
		require.Equal(t, store.ClaimCounts{Claims: map[store.StateCause]int{}}, empty)

		for _, id := range []string{"parked", "abandoned", "waits", "young"} {
			accept(t, s, sample(id))
			now.Turn(time.Minute)
		}
		told(t, s)
		_, err = s.Claims.Change(t.Context(), ref("parked"), claim.EventPark, store.ClaimUpdate{Cause: claim.CauseTemplate})
		require.NoError(t, err)
		told(t, s)
		require.NoError(t, s.Claims.Abandon(t.Context(), ref("abandoned")))
		tally, err := s.Claims.Counts(t.Context())
		require.NoError(t, err)
		require.Equal(t, store.ClaimCounts{
			Claims: map[store.StateCause]int{
				{State: claim.StateNeedsAttention, Cause: claim.CauseTemplate}: 1,
				{State: claim.StateAbandoned}:                                  1,
				{State: claim.StateReceived}:                                   2,
			},
			Undelivered:    1,
			OldestUnopened: 2 * time.Minute,
		}, tally)
	})
}
