package unify_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/unified"
)

// What is unknown of Dixa's reads does not change that both sources give the same
// objects.
func TestBothSourcesAgreeWhateverDixaDoes(t *testing.T) {
	t.Parallel()
	named := server.NamedSettings()
	for _, name := range []string{
		"activityEntries", "activityOrder", "agentRoles", "conversationOrder", "fileLinks", "listOrder", "nextLinks", "noEndUser", "noteFormat",
		"pageLimitTooLarge", "timePrecision", "unknownContactEndpoint", "unknownQuery", "zonedTimes",
	} {
		require.Contains(t, named, name)
		for _, value := range named[name][1:] { // the first is the default
			t.Run(name+" "+value, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, 24)
				var switches server.Switches
				require.NoError(t, json.Unmarshal(fmt.Appendf(nil, `{%q:%q}`, name, value), &switches))
				switches.LimitReading = server.LimitOff
				w.dixa.SetSwitches(switches)
				w.enrich()
				w.mirror()
				for _, r := range unified.Resources() {
					if slices.Contains([]string{"comments", "attachments"}, r.Name) {
						w.objects(r, "live=true")
					}
					mirrored, live := byID(t, w.objects(r, "")), byID(t, w.objects(r, "live=true"))
					require.Len(t, live, len(mirrored), r.Name)
					for id, listed := range mirrored {
						same(t, listed, live[id])
					}
				}
				contacts, err := unified.ResourceOf(unified.ModelTicketing, "contacts")
				require.NoError(t, err)
				require.Empty(t, w.walk(contacts.Model, contacts.Name, "email=nobody@example.com"))
				require.Len(t, w.walk(contacts.Model, contacts.Name, "email=nora@example.com"), 1)
				require.Len(t, w.walk(contacts.Model, contacts.Name, "external_id=shop-77,nothing"), 1)
			})
		}
	}
}
