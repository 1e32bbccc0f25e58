package store_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/store"
)

func TestOpenedOmitsClaimsBeingOpened(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, _ *clock) {
		for _, id := range []string{"received", "opening", "skipped", "parked", "of nobody's interest"} {
			accept(t, s, sample(id))
		}
		for id, events := range map[string][]claim.Event{
			"opening": {claim.EventStart}, "skipped": {claim.EventSkip}, "parked": {claim.EventStart, claim.EventPark},
		} {
			for _, e := range events {
				_, err := s.Claims.Change(t.Context(), ref(id), e, store.ClaimUpdate{Cause: claim.CauseUnexpected})
				require.NoError(t, err)
			}
		}
		opened, err := s.Claims.Opened(t.Context(), []claim.Ref{ref("received"), ref("opening"), ref("skipped"), ref("parked"), ref("unknown")})
		require.NoError(t, err)
		require.ElementsMatch(t, []claim.Ref{ref("skipped"), ref("parked"), ref("unknown")}, opened)
	})
}
