package claim_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
)

func TestStandingNext(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		standing claim.Standing
		want     claim.Move
	}{
		"new":                      {claim.Standing{State: claim.StateReceived, Offered: true, ConnectionID: "c"}, claim.MoveOpen},
		"switched off":             {claim.Standing{State: claim.StateReceived, ConnectionID: "c"}, claim.MoveSkip},
		"off and paused":           {claim.Standing{State: claim.StateReceived, Paused: true, ConnectionID: "c"}, claim.MoveSkip},
		"paused":                   {claim.Standing{State: claim.StateReceived, Offered: true, Paused: true, ConnectionID: "c"}, claim.MoveWait},
		"no connection":            {claim.Standing{State: claim.StateReceived, Offered: true}, claim.MovePark},
		"opening goes on when off": {claim.Standing{State: claim.StateOpening, ConnectionID: "c"}, claim.MoveOpen},
		"opening goes on paused":   {claim.Standing{State: claim.StateOpening, Offered: true, Paused: true, ConnectionID: "c"}, claim.MoveOpen},
		"parked":                   {claim.Standing{State: claim.StateNeedsAttention, SettingsVersion: 3, ParkedVersion: 3, ConnectionID: "c"}, claim.MoveWait},
		"parked, new settings":     {claim.Standing{State: claim.StateNeedsAttention, SettingsVersion: 4, ParkedVersion: 3, ConnectionID: "c", Offered: true}, claim.MoveOpen},
		"parked, switched off":     {claim.Standing{State: claim.StateNeedsAttention, SettingsVersion: 4, ParkedVersion: 3, ConnectionID: "c"}, claim.MoveWait},
		"parked, paused":           {claim.Standing{State: claim.StateNeedsAttention, SettingsVersion: 4, ParkedVersion: 3, ConnectionID: "c", Offered: true, Paused: true}, claim.MoveWait},
		"parked after fallback":    {claim.Standing{State: claim.StateNeedsAttention, SettingsVersion: 4, ParkedVersion: 3, ConnectionID: "c", FallbackUsed: true, AwaitsRetry: true}, claim.MoveWait},
		"parked again after retry": {claim.Standing{State: claim.StateNeedsAttention, SettingsVersion: 4, ParkedVersion: 3, ConnectionID: "c", FallbackUsed: true, Offered: true}, claim.MoveOpen},
		"parked, fallback, open":   {claim.Standing{State: claim.StateNeedsAttention, SettingsVersion: 4, ParkedVersion: 3, ConnectionID: "c", FallbackUsed: true, AwaitsRetry: true, ConversationID: 1, Offered: true}, claim.MoveOpen},
		"open":                     {claim.Standing{State: claim.StateOpen}, claim.MoveFollow},
		"pending":                  {claim.Standing{State: claim.StatePending}, claim.MoveFollow},
		"closed":                   {claim.Standing{State: claim.StateClosed}, claim.MoveFollow},
		"settled":                  {claim.Standing{State: claim.StateSettled, Offered: true}, claim.MoveFinish},
		"skipped":                  {claim.Standing{State: claim.StateSkipped, Offered: true}, claim.MoveFinish},
		"abandoned":                {claim.Standing{State: claim.StateAbandoned, Offered: true}, claim.MoveFinish},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.want, test.standing.Next())
		})
	}
}

func TestFallbackDue(t *testing.T) {
	t.Parallel()
	due := map[claim.State]bool{claim.StateReceived: true, claim.StateOpening: true, claim.StateNeedsAttention: true}
	for _, s := range claim.States() {
		require.Equal(t, due[s], claim.Standing{State: s}.FallbackDue(), s)
		require.False(t, claim.Standing{State: s, ConversationID: 1}.FallbackDue(), "%s, but open", s)
		require.False(t, claim.Standing{State: s, FallbackUsed: true}.FallbackDue(), "%s, but raised before", s)
	}
	require.False(t, claim.Standing{State: claim.StateReceived, Paused: true}.FallbackDue(), "the shop asked it to wait")
}

func TestHasDone(t *testing.T) {
	t.Parallel()
	s := claim.Standing{Done: []string{claim.StepTags}}
	require.True(t, s.HasDone(claim.StepTags))
	require.False(t, s.HasDone(claim.StepNote))
}
