package endtoend_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/emulator/server"
)

// The examples do what they say, and running one again repeats nothing.
func TestExamples(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{})
	require.NoError(t, s.dixa.Fill(t.Context(), server.FillOptions{Conversations: 40, Seed: 4, Until: time.Now(), Span: 6 * 24 * time.Hour}))
	connection := s.connection()
	_, err := s.api.CreateDataSource(t.Context(), connection, claim.DataSource{Title: "Everything"})
	require.NoError(t, err)
	s.work()
	s.startImport(connection, claim.ImportRequest{})
	s.awaitImport(connection, "")

	programs := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", programs, "./examples/...")
	build.Dir = filepath.Join("..", "..")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	example := func(name, input string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), filepath.Join(programs, name), args...)
		cmd.Env = append(os.Environ(), "CLAIMFLOW_URL="+s.apiURL, "CLAIMFLOW_API_KEY="+s.apiKey)
		cmd.Stdin = strings.NewReader(input)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s: %s", name, out)
		return string(out)
	}
	notes := func() int {
		n := 0
		for _, c := range s.dixa.State().Conversations {
			n += len(c.Notes)
		}
		return n
	}

	require.Regexp(t, `HOUR +SUN +MON`, example("staffing", ""))

	before := notes()
	require.Contains(t, example("tracking-note", ""), "has the private note")
	example("tracking-note", "")
	require.Equal(t, before+1, notes())

	before = notes()
	require.Contains(t, example("survey", "", "-limit", "2"), "asked 2 customers")
	require.Equal(t, before+2, notes())
	tagged := 0
	for _, ticket := range s.dixa.Truth() {
		for _, tag := range ticket.Tags {
			if strings.HasPrefix(tag, "survey-") {
				tagged++
			}
		}
	}
	require.Equal(t, 2, tagged)

	before = notes()
	first := example("translation", "")
	require.Contains(t, first, "translated message")
	added := notes() - before
	require.Positive(t, added)
	require.NotContains(t, example("translation", ""), "translated message")
	require.Equal(t, before+added, notes())

	agents := len(s.dixa.State().Agents)
	const list = "w.kundin@privat.example, Wilhelmine Kundin, Customer care\n"
	require.Contains(t, example("provisioning", list), "is agent")
	example("provisioning", list)
	require.Len(t, s.dixa.State().Agents, agents+1)
	require.Contains(t, example("provisioning", list, "-remove"), "is no agent")
	require.Len(t, s.dixa.State().Agents, agents)
}
