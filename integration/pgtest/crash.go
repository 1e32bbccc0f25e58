package pgtest

import (
	"io"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	tcexec "github.com/testcontainers/testcontainers-go/exec"
)

// Crashable returns the URL of a database on a PostgreSQL server of its own, which is
// removed when the test ends, and a function that kills the server without warning.
// The server then starts again, recovers what was committed, and refuses connections
// until it has.
//
// Without Docker the test is skipped, or fails if CLAIMFLOW_REQUIRE_CONTAINERS=1.
func Crashable(t *testing.T) (url string, crash func()) {
	t.Helper()
	if os.Getenv(requireEnv) != "1" {
		skipWithoutDocker(t)
	}
	s := &server{revives: true}
	t.Cleanup(func() { require.NoError(t, s.terminate(), "remove the PostgreSQL container") })
	url, err := s.start()
	require.NoError(t, err, "start PostgreSQL in a container (without Docker, unset %s)", requireEnv)
	return url, func() {
		t.Helper()
		code, output, err := s.container.Exec(t.Context(), []string{"sh", "-c", `kill -9 $(head -n 1 "$PGDATA/postmaster.pid")`}, tcexec.Multiplexed())
		require.NoError(t, err, "kill PostgreSQL")
		said, err := io.ReadAll(output)
		require.NoError(t, err, "kill PostgreSQL")
		require.Zero(t, code, "kill PostgreSQL: %s", said)
	}
}
