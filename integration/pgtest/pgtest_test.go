package pgtest_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/integration/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func TestEveryCallGivesAnEmptyDatabase(t *testing.T) {
	t.Parallel()
	var urls [2]string
	for i := range urls {
		urls[i] = pgtest.Postgres(t)
		conn, err := pgx.Connect(t.Context(), urls[i])
		require.NoError(t, err)
		// Deliberately left open: dropping the database must not wait for it.
		_, err = conn.Exec(t.Context(), "CREATE TABLE claims (id text PRIMARY KEY)")
		require.NoError(t, err, "the database of an earlier call was handed out again")
	}
	require.NotEqual(t, urls[0], urls[1])
}

func TestRunsTheMajorVersionThatIsPromised(t *testing.T) {
	t.Parallel()
	conn, err := pgx.Connect(t.Context(), pgtest.Postgres(t))
	require.NoError(t, err)
	var version int
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT current_setting('server_version_num')::int").Scan(&version))
	require.GreaterOrEqual(t, version, 150000)
	require.NoError(t, conn.Close(t.Context()))
}

func TestACrashKeepsWhatWasCommitted(t *testing.T) {
	t.Parallel()
	url, crash := pgtest.Crashable(t)
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), "CREATE TABLE claims (id text PRIMARY KEY)")
	require.NoError(t, err)
	crash()
	require.Eventually(t, func() bool { return conn.Ping(t.Context()) != nil }, time.Minute, 10*time.Millisecond, "the server must end")
	require.Eventually(t, func() bool {
		conn, err = pgx.Connect(t.Context(), url)
		return err == nil
	}, time.Minute, 100*time.Millisecond, "the server must start again")
	_, err = conn.Exec(t.Context(), "INSERT INTO claims VALUES ('1')")
	require.NoError(t, err)
	require.NoError(t, conn.Close(t.Context()))
}
