// Package pgtest gives each test its own PostgreSQL database in a container.
package pgtest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/modules/postgres"
	"github.com/testcontainers/testcontainers-go/wait"
)

const (
	// imageEnv names the image to run instead of [defaultImage].
	imageEnv = "CLAIMFLOW_POSTGRES_IMAGE"
	// requireEnv, set to "1", makes tests without Docker fail instead of skip.
	requireEnv = "CLAIMFLOW_REQUIRE_CONTAINERS"
	// serverEnv is the URL of a server to use instead of a container.
	serverEnv = "CLAIMFLOW_POSTGRES_SERVER"

	defaultImage = "postgres:15"

	startTimeout = 2 * time.Minute
	queryTimeout = 30 * time.Second
)

// Postgres returns the URL of a new, empty PostgreSQL database, which is dropped
// when the test ends. The server runs in a container that all tests of the process
// share; [Main] removes it.
//
// Without Docker the test is skipped, or fails if CLAIMFLOW_REQUIRE_CONTAINERS=1.
// The image is postgres:15 unless CLAIMFLOW_POSTGRES_IMAGE names another. If
// CLAIMFLOW_POSTGRES_SERVER is the URL of a server, that one is used instead, with its
// own settings.
func Postgres(t *testing.T) string {
	t.Helper()
	return shared.database(t)
}

// Durable is [Postgres] for benchmarks: a separate server that flushes every commit
// to disk before it answers, as in production.
func Durable(tb testing.TB) string {
	tb.Helper()
	return durable.database(tb)
}

// Main runs the tests of a package and then removes the containers that [Postgres]
// and [Durable] started, if any. A package that uses either of them calls it from
// its TestMain:
//
//	func TestMain(m *testing.M) { pgtest.Main(m) }
//
// Otherwise the containers are left to the testcontainers reaper.
func Main(m *testing.M) {
	code := m.Run()
	for _, s := range []*server{&shared, &durable} {
		if err := s.terminate(); err != nil {
			fmt.Fprintln(os.Stderr, "pgtest: remove the PostgreSQL container:", err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

var (
	// Test data need not survive a crash, so nothing is flushed.
	shared  = server{settings: []string{"-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"}}
	durable server
)

// server is a container of this process, started on first use.
type server struct {
	settings []string
	// revives makes the container start PostgreSQL again when it ends.
	revives bool

	once      sync.Once
	container *postgres.PostgresContainer
	address   string
	err       error
}

// database creates a database on the server, which is dropped when the test ends.
func (s *server) database(tb testing.TB) string {
	tb.Helper()
	if os.Getenv(requireEnv) != "1" && os.Getenv(serverEnv) == "" {
		skipWithoutDocker(tb)
	}
	server, err := s.url()
	require.NoError(tb, err, "start PostgreSQL in a container (without Docker, unset %s)", requireEnv)

	name := "test_" + uuid.NewString()
	execute(tb, server, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize())
	tb.Cleanup(func() {
		execute(tb, server, "DROP DATABASE "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)")
	})

	u, err := url.Parse(server)
	require.NoError(tb, err)
	u.Path = "/" + name
	return u.String()
}

// skipWithoutDocker stands in for testcontainers.SkipIfProviderIsNotHealthy, which
// does not accept a benchmark.
func skipWithoutDocker(tb testing.TB) {
	tb.Helper()
	defer func() {
		if r := recover(); r != nil {
			tb.Skipf("PostgreSQL runs in a container, and Docker does not answer: %v", r)
		}
	}()
	provider, err := testcontainers.ProviderDocker.GetProvider()
	if err == nil {
		err = provider.Health(tb.Context())
	}
	if err != nil {
		tb.Skipf("PostgreSQL runs in a container, and Docker does not answer: %v", err)
	}
}

func (s *server) url() (string, error) {
	s.once.Do(func() {
		if s.address = os.Getenv(serverEnv); s.address == "" {
			s.address, s.err = s.start()
		}
	})
	return s.address, s.err
}

func (s *server) start() (string, error) {
	// Not the context of the first test, because the container outlives it.
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()

	command := append([]string{"postgres", "-c", "max_connections=300"}, s.settings...)
	if s.revives {
		command = append([]string{"sh", "-c", `while sleep 0.3; do docker-entrypoint.sh "$@"; done`, "sh"}, command...)
	}
	image := os.Getenv(imageEnv)
	if image == "" {
		image = defaultImage
	}
	container, err := postgres.Run(
		ctx, image,
		postgres.WithDatabase("claimflow"),
		postgres.WithUsername("claimflow"),
		postgres.WithPassword("claimflow"),
		testcontainers.WithCmd(command...),
		testcontainers.WithWaitStrategyAndDeadline(startTimeout,
			// The image starts the server twice.
			wait.ForLog("database system is ready to accept connections").WithOccurrence(2).WithStartupTimeout(startTimeout),
			wait.ForListeningPort("5432/tcp").WithStartupTimeout(startTimeout)),
	)
	s.container = container
	if err != nil {
		return "", fmt.Errorf("run the image %s: %w", image, err)
	}
	return container.ConnectionString(ctx, "sslmode=disable")
}

func (s *server) terminate() error {
	if s.container == nil {
		return nil
	}
	return testcontainers.TerminateContainer(s.container, testcontainers.StopTimeout(0))
}

func execute(tb testing.TB, server, statement string) {
	tb.Helper()
	// Cleanup runs after the test's own context has ended.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), queryTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, server)
	require.NoError(tb, err)
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, statement)
	require.NoError(tb, err, statement)
}
