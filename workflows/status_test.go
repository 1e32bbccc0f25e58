package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
)

// status returns the result of the status query.
func (w *world) status(t *testing.T) claim.RunStatus {
	t.Helper()
	value, err := w.env.QueryWorkflow(claim.QueryStatus)
	require.NoError(t, err)
	var s claim.RunStatus
	require.NoError(t, value.Get(&s))
	return s
}

func TestStatusQuery(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fail["CreateConversation"] = once(park(claim.CauseContactEndpoint))
	w.at(time.Hour, func() {
		s := w.status(t)
		require.Equal(t, claim.StateNeedsAttention, s.State)
		require.Equal(t, claim.CauseContactEndpoint, s.Cause)
		require.Equal(t, claim.CauseContactEndpoint.Advice(), s.Advice)
		require.Equal(t, "an operator: see the cause", s.WaitingFor)
		require.Equal(t, "because", s.LastError)
		require.Zero(t, s.ConversationID)
		w.state.SettingsVersion++
	})
	w.at(2*time.Hour, func() {
		s := w.status(t)
		require.Equal(t, claim.StateOpen, s.State)
		require.EqualValues(t, 4711, s.ConversationID)
		require.Equal(t, "events from Dixa or the owner", s.WaitingFor)
		require.Empty(t, s.Cause)
	})
	w.at(3*time.Hour, w.tell(claim.EventClose))
	require.Equal(t, claim.StateSettled, w.run(t))
	s := w.status(t)
	require.Equal(t, claim.StateSettled, s.State, "the query must work after the run has ended")
	require.Empty(t, s.WaitingFor)
}

func TestStatusQueryReportsSlowAttempts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fail["CreateConversation"] = downFromNow()
	w.env.RegisterDelayedCallback(func() {
		s := w.status(t)
		require.Equal(t, claim.StateOpening, s.State)
		require.Contains(t, s.WaitingFor, "Dixa, in slow attempts")
		require.Contains(t, s.LastError, "Dixa returned 503")
		require.Empty(t, s.StepsDone)
	}, time.Hour)
	w.at(10*time.Hour, w.abandon)
	w.run(t)
}
