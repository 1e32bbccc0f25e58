package docs_test

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
)

var settingRow = regexp.MustCompile("(?m)^\\| (`[a-z_`, ]+`) \\| (.*?) ?\\|")

// Every setting is on its page with its default, and nothing else is.
func TestSettingsAreDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("settings.md")
	require.NoError(t, err)
	table, _, _ := strings.Cut(string(text), "\n## ")
	documented := map[string]string{}
	for _, row := range settingRow.FindAllStringSubmatch(table, -1) {
		for name := range strings.SplitSeq(row[1], ", ") {
			documented[strings.Trim(name, "`")] = strings.Trim(row[2], "`")
		}
	}
	holds, err := json.Marshal(claim.DefaultSettings())
	require.NoError(t, err)
	var members map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(holds, &members))
	for name, value := range members {
		got, found := documented[name]
		require.True(t, found, "settings.md has no row for %s", name)
		delete(documented, name)
		switch {
		case strings.Contains(got, "]("): // a link to the defaults
		case string(value) == `""` || string(value) == "null":
			require.Empty(t, got, "nothing is built in for %s", name)
		default:
			require.JSONEq(t, string(value), got, name)
		}
	}
	require.Empty(t, documented, "settings.md has rows for what is no setting")
}
