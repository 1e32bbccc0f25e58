package claim_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
)

func TestWorkflowStateNext(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		state claim.WorkflowState
		want  claim.Action
	}{
		"new":                           {claim.WorkflowState{State: claim.StateReceived, Offered: true, ConnectionID: "c"}, claim.ActionOpen},
		"switched off":                  {claim.WorkflowState{State: claim.StateReceived, ConnectionID: "c"}, claim.ActionSkip},
		"off and paused":                {claim.WorkflowState{State: claim.StateReceived, Paused: true, ConnectionID: "c"}, claim.ActionSkip},
		"paused":                        {claim.WorkflowState{State: claim.StateReceived, Offered: true, Paused: true, ConnectionID: "c"}, claim.ActionWait},
		"no connection":                 {claim.WorkflowState{State: claim.StateReceived, Offered: true}, claim.ActionPark},
		"opening continues when off":    {claim.WorkflowState{State: claim.StateOpening, ConnectionID: "c"}, claim.ActionOpen},
		"opening continues when paused": {claim.WorkflowState{State: claim.StateOpening, Offered: true, Paused: true, ConnectionID: "c"}, claim.ActionOpen},
		"parked":                        {claim.WorkflowState{State: claim.StateNeedsAttention, SettingsVersion: 3, ParkedVersion: 3, ConnectionID: "c"}, claim.ActionWait},
		"parked, new settings":          {claim.WorkflowState{State: claim.StateNeedsAttention, SettingsVersion: 4, ParkedVersion: 3, ConnectionID: "c", Offered: true}, claim.ActionOpen},
		"parked, switched off":          {claim.WorkflowState{State: claim.StateNeedsAttention, SettingsVersion: 4, ParkedVersion: 3, ConnectionID: "c"}, claim.ActionWait},
		"parked, paused":                {claim.WorkflowState{State: claim.StateNeedsAttention, SettingsVersion: 4, ParkedVersion: 3, ConnectionID: "c", Offered: true, Paused: true}, claim.ActionWait},
		"parked after fallback":         {claim.WorkflowState{State: claim.StateNeedsAttention, SettingsVersion: 4, ParkedVersion: 3, ConnectionID: "c", FallbackUsed: true, AwaitsRetry: true}, claim.ActionWait},
		"parked again after retry":      {claim.WorkflowState{State: claim.StateNeedsAttention, SettingsVersion: 4, ParkedVersion: 3, ConnectionID: "c", FallbackUsed: true, Offered: true}, claim.ActionOpen},
		"parked, fallback, open":        {claim.WorkflowState{State: claim.StateNeedsAttention, SettingsVersion: 4, ParkedVersion: 3, ConnectionID: "c", FallbackUsed: true, AwaitsRetry: true, ConversationID: 1, Offered: true}, claim.ActionOpen},
		"open":                          {claim.WorkflowState{State: claim.StateOpen}, claim.ActionFollow},
		"pending":                       {claim.WorkflowState{State: claim.StatePending}, claim.ActionFollow},
		"closed":                        {claim.WorkflowState{State: claim.StateClosed}, claim.ActionFollow},
		"settled":                       {claim.WorkflowState{State: claim.StateSettled, Offered: true}, claim.ActionFinish},
		"skipped":                       {claim.WorkflowState{State: claim.StateSkipped, Offered: true}, claim.ActionFinish},
		"abandoned":                     {claim.WorkflowState{State: claim.StateAbandoned, Offered: true}, claim.ActionFinish},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.want, test.state.Next())
		})
	}
}

func TestFallbackDue(t *testing.T) {
	t.Parallel()
	due := map[claim.State]bool{claim.StateReceived: true, claim.StateOpening: true, claim.StateNeedsAttention: true}
	for _, s := range claim.States() {
		require.Equal(t, due[s], claim.WorkflowState{State: s}.FallbackDue(), s)
		require.False(t, claim.WorkflowState{State: s, ConversationID: 1}.FallbackDue(), "%s with a conversation", s)
		require.False(t, claim.WorkflowState{State: s, FallbackUsed: true}.FallbackDue(), "%s with a fallback already triggered", s)
	}
	require.False(t, claim.WorkflowState{State: claim.StateReceived, Paused: true}.FallbackDue(), "a paused shop must not trigger the fallback")
}

func TestHasDone(t *testing.T) {
	t.Parallel()
	s := claim.WorkflowState{Done: []string{claim.StepTags}}
	require.True(t, s.HasDone(claim.StepTags))
	require.False(t, s.HasDone(claim.StepNote))
}
