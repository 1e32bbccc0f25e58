package server_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/emulator/server"
)

// Every switch, fault and action is documented.
func TestReadmeDocumentsEverySwitch(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	switches := map[string]any{}
	encoded, err := json.Marshal(server.Switches{LimitReading: server.LimitOff}.WithDefaults())
	require.NoError(t, err)
	decode(t, encoded, &switches)
	groups := []map[string]any{switches}
	for _, name := range []string{"analytics", "businessHours", "exports", "knowledge", "webhooks"} {
		group, isMap := switches[name].(map[string]any)
		require.True(t, isMap)
		delete(switches, name)
		groups = append(groups, group)
	}
	for _, group := range groups {
		for name, value := range group {
			require.Contains(t, string(readme), "`"+name+"`", "the README does not document the switch")
			if setting, isText := value.(string); isText {
				require.Contains(t, string(readme), setting, "the README does not document the default of %s", name)
			}
		}
	}
	for _, name := range []string{
		server.FaultStatus, server.FaultDelay, server.FaultDropBefore, server.FaultDropAfter, server.FaultTruncate,
		server.FaultLate, server.FaultGarbage, server.PlayClaim, server.PlayReply, server.PlayTag, server.PlayUntag,
		server.PlayNote, server.PlayClose, server.PlayReopen, server.PlayPending, server.PlayTransfer, server.PlayRate,
		server.PlayUnpend, server.PlayExpire, server.PlayAssign, server.PlayUnassign, server.PlayEnqueue, server.PlayReplace,
	} {
		require.Contains(t, string(readme), "`"+name+"`")
	}
}
