package portal

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
)

// What the pages of claims name by a word of the API has a text.
func TestWordsOfClaims(t *testing.T) {
	t.Parallel()
	w, err := readWords("en")
	require.NoError(t, err)
	for _, state := range claim.States() {
		require.True(t, w.has("state."+string(state)), state)
	}
	for _, cause := range claim.Causes() {
		require.True(t, w.has("cause."+string(cause)), cause)
		require.True(t, w.has("cause."+string(cause)+".help"), cause)
		require.NotContains(t, w.say("cause."+string(cause)+".help"), "starter ", "staff have no terminal")
	}
	for _, reason := range claim.Reasons() {
		require.True(t, w.has("reason."+reason), reason)
	}
	for _, phase := range claim.Phases() {
		require.True(t, w.has("phase."+phase), phase)
	}
	for _, event := range claim.OutboundTypes() {
		if strings.HasPrefix(event, "claim.") {
			require.NotEqual(t, event, w.term("timeline", event))
		}
	}
	for _, status := range []string{claim.StatusPending, claim.StatusAccepted, claim.StatusRejected, claim.StatusClosed} {
		require.True(t, w.has("status."+status), status)
	}
	for _, state := range []claim.InstructionState{claim.InstructionWaiting, claim.InstructionDone, claim.InstructionRefused} {
		require.True(t, w.has("claim.sent."+string(state)), state)
	}
	require.Equal(t, "the shop's own", w.term("reason", "the shop's own"))
}
