package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	emulator "github.com/claimflow/claimflow/emulator/server"
)

// What is unknown of Dixa does not change what a provider sees of a user's life, except
// whether Dixa makes an agent of a person who was one.
func TestScimWhateverDixaDoes(t *testing.T) {
	t.Parallel()
	all := emulator.NamedSettings()
	all["emailFilterAdditional"] = []string{"false", "true"}
	for name, values := range all {
		if strings.HasPrefix(name, "webhooks.") {
			continue
		}
		for _, value := range values[1:] { // the first is the default
			t.Run(name+" "+value, func(t *testing.T) {
				t.Parallel()
				setting := strconv.Quote(value)
				if name == "emailFilterAdditional" {
					setting = value
				}
				var switches emulator.Switches
				require.NoError(t, json.Unmarshal(fmt.Appendf(nil, `{%q: %s}`, name, setting), &switches))
				switches.LimitReading = emulator.LimitOff
				b := newWriteBench(t, switches)
				require.Empty(t, b.usersBy(`userName eq "mary@example.org"`))
				made := b.scimDone(http.StatusCreated, "POST", "/Users", oktaUser)
				path := "/Users/" + text(made["id"])
				b.scimRefused(http.StatusConflict, "uniqueness", "POST", "/Users", strings.ReplaceAll(oktaUser, "mary@", "MARY@"))
				now := b.scimDone(http.StatusOK, "PATCH", path, patchOps(`{"op": "Add", "path": "phoneNumbers[type eq \"work\"].value", "value": "+4520304050"},
					{"op": "Add", "path": "emails[type eq \"home\"].value", "value": "home@example.org"}`))
				require.Len(t, now["emails"], 2)
				require.Equal(t, []map[string]any{now}, b.usersBy(`userName eq "mary@example.org"`))
				team := text(b.scimDone(http.StatusCreated, "POST", "/Groups", `{"displayName": "Night", "members": `+member(anna, text(made["id"]))+`}`)["id"])
				b.scimDone(http.StatusOK, "PATCH", "/Groups/"+team, patchOps(`{"op": "Remove", "path": "members", "value": `+member(anna)+`}`))
				require.Equal(t, []string{text(made["id"])}, b.team(team).Members)
				now["active"] = false
				require.Equal(t, now, b.scimDone(http.StatusOK, "PATCH", path, patchOps(`{"op": "Replace", "path": "active", "value": "False"}`)))
				require.Equal(t, now, b.scimDone(http.StatusOK, "GET", path, ""))
				require.Equal(t, []map[string]any{now}, b.usersBy(`externalId eq "00ujl29u0le5T6Aj10h7"`))
				r := b.scim("PATCH", path, patchOps(`{"op": "Replace", "path": "active", "value": "True"}`))
				if r.status == http.StatusOK {
					now["active"] = true
					require.Equal(t, now, r.body)
				} else {
					r.scimError(b, http.StatusConflict, "uniqueness")
				}
				require.Equal(t, now, b.scimDone(http.StatusOK, "GET", path, ""))
				b.scimRefused(http.StatusNotFound, "", "GET", "/Users/3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d9999", "")
				b.scimRefused(http.StatusNotFound, "", "GET", "/Groups/made-up", "")
				b.scimDone(http.StatusNoContent, "DELETE", path, "")
				require.Empty(t, b.usersBy(`userName eq "mary@example.org"`))
			})
		}
	}
}
