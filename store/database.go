package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"modernc.org/sqlite"
)

type dialect int

const (
	onSQLite dialect = iota
	onPostgres
)

const (
	sqliteScheme = "sqlite:"
	memory       = ":memory:"

	// maxAttempts bounds how often a transaction is attempted if the database asks
	// for a retry.
	maxAttempts = 12

	postgresConnections = 20
	sqliteReaders       = 8
)

//go:embed migrations/*.sql
var migrations embed.FS

func (s *core) connect(ctx context.Context, address string) error {
	switch {
	case address == sqliteScheme+memory:
		return s.connectMemory(ctx)
	case strings.HasPrefix(address, sqliteScheme):
		return s.connectFile(strings.TrimPrefix(address, sqliteScheme))
	case strings.HasPrefix(address, "postgres://"), strings.HasPrefix(address, "postgresql://"):
		return s.connectPostgres(ctx, address)
	default:
		return errors.New(`the store's URL must be "sqlite:" and a path, "sqlite::memory:" or "postgres://user:password@host:port/name"`)
	}
}

func (s *core) connectMemory(ctx context.Context) error {
	// A unique name isolates the stores of one process from each other.
	db, err := sql.Open("sqlite", "file:/claimflow-"+uuid.NewString()+"?vfs=memdb&_txlock=immediate&_dqs=0&_foreign_keys=on")
	if err != nil {
		return fmt.Errorf("open a store in memory: %w", err)
	}
	// One connection does the work, and the other stays unused: the database is
	// deleted with its last connection.
	db.SetMaxOpenConns(2)
	db.SetMaxIdleConns(2)
	if s.keeper, err = db.Conn(ctx); err != nil {
		return errors.Join(fmt.Errorf("open a store in memory: %w", err), db.Close())
	}
	s.dialect, s.reads, s.writes = onSQLite, db, db
	return nil
}

func (s *core) connectFile(path string) error {
	if path == "" {
		return errors.New("the store's URL has no path; use a URL such as sqlite:/var/lib/claimflow/claimflow.db")
	}
	if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
		return fmt.Errorf("open the store: directory %s does not exist; create it first", filepath.Dir(path))
	}
	// SQLite would create the file readable by everyone.
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("open the store: %w", err)
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("open the store: %w", err)
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("open the store: %w", err)
	}
	// A claim is acknowledged with 202 once it is durable. With less than full
	// synchronization, a power failure could lose it.
	name := (&url.URL{Scheme: "file", Path: absolute, RawQuery: url.Values{
		"_busy_timeout": {"10000"}, "_journal_mode": {"WAL"}, "_synchronous": {"FULL"},
		"_foreign_keys": {"on"}, "_txlock": {"immediate"}, "_dqs": {"0"},
	}.Encode()}).String()
	reads, err := sql.Open("sqlite", name)
	if err != nil {
		return fmt.Errorf("open the store: %w", err)
	}
	writes, err := sql.Open("sqlite", name)
	if err != nil {
		return errors.Join(fmt.Errorf("open the store: %w", err), reads.Close())
	}
	reads.SetMaxOpenConns(sqliteReaders)
	reads.SetMaxIdleConns(sqliteReaders)
	writes.SetMaxOpenConns(1)
	s.dialect, s.reads, s.writes = onSQLite, reads, writes
	return nil
}

func (s *core) connectPostgres(ctx context.Context, address string) error {
	config, err := pgx.ParseConfig(address)
	if err != nil {
		// pgx's error is dropped because it may quote the password.
		return errors.New("the store's PostgreSQL URL is invalid; use a URL such as postgres://user:password@host:5432/name?sslmode=require, with special characters of the password percent-encoded")
	}
	db := stdlib.OpenDB(*config)
	if err := db.PingContext(ctx); err != nil {
		at := net.JoinHostPort(config.Host, strconv.Itoa(int(config.Port)))
		return errors.Join(fmt.Errorf("connect to PostgreSQL at %s: %w", at, unreached(err)), db.Close())
	}
	db.SetMaxOpenConns(postgresConnections)
	db.SetMaxIdleConns(postgresConnections)
	db.SetConnMaxIdleTime(5 * time.Minute)
	s.dialect, s.reads, s.writes = onPostgres, db, db
	return nil
}

// unreached returns the cause within pgx's error, which spans several lines and
// lists every address that it tried.
func unreached(err error) error {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return e
	}
	return err
}

func (s *core) migrate(ctx context.Context) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	d, opts := goose.DialectSQLite3, []goose.ProviderOption{goose.WithDisableGlobalRegistry(true)}
	if s.dialect == onPostgres {
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return err
		}
		d, opts = goose.DialectPostgres, append(opts, goose.WithSessionLocker(locker))
	}
	provider, err := goose.NewProvider(d, s.writes, files, opts...)
	if err != nil {
		return err
	}
	// SQLite has no migration lock. If two processes start at once, one fails and
	// finds the schema up to date on its next attempt.
	for attempt := 1; ; attempt++ {
		_, err = provider.Up(ctx)
		if err == nil || s.dialect == onPostgres || attempt == maxAttempts || ctx.Err() != nil {
			return err
		}
	}
}

// write runs fn in a transaction and commits. If the database asks for a retry, fn
// runs again from the start, so it must change nothing except through tx. doing
// describes the operation in a few words, for errors.
func (s *core) write(ctx context.Context, doing string, fn func(tx *sql.Tx) error) error {
	return withRetry(ctx, doing, func() error {
		tx, err := s.writes.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		if err := fn(tx); err != nil {
			// A failed rollback means a lost connection, which rolls back too.
			_ = tx.Rollback()
			return err
		}
		return tx.Commit()
	})
}

// get returns the result of fn, which only reads.
func get[T any](ctx context.Context, s *core, doing string, fn func(db *sql.DB) (T, error)) (x T, err error) {
	err = s.read(ctx, doing, func(db *sql.DB) (err error) {
		x, err = fn(db)
		return err
	})
	return x, err
}

// read runs fn, which only reads.
func (s *core) read(ctx context.Context, doing string, fn func(db *sql.DB) error) error {
	return withRetry(ctx, doing, func() error { return fn(s.reads) })
}

func withRetry(ctx context.Context, doing string, fn func() error) error {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 5*time.Millisecond, 500*time.Millisecond
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := fn()
		if err != nil && !isRetryable(err) {
			err = backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithBackOff(pause), backoff.WithMaxTries(maxAttempts), backoff.WithMaxElapsedTime(0))
	if err == nil {
		return nil
	}
	if permanent, ok := errors.AsType[*backoff.PermanentError](err); ok {
		err = permanent.Err
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// isRetryable reports whether the database applied nothing and asks for a retry.
func isRetryable(err error) bool {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		const busy, locked = 5, 6 // SQLITE_BUSY and SQLITE_LOCKED; extended codes are in the higher bytes
		code := e.Code() & 0xff
		return code == busy || code == locked
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code == "40001" || e.Code == "40P01" // serialization_failure, deadlock_detected
	}
	return false
}

// querier is the common interface of a transaction and a pool.
type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// exec runs a statement and returns the number of affected rows.
func exec(ctx context.Context, q querier, query string, args ...any) (int, error) {
	result, err := q.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}

// execOne is [exec] for a statement that must affect a row. If it affects none, execOne
// returns missing.
func execOne(ctx context.Context, q querier, missing error, query string, args ...any) error {
	n, err := exec(ctx, q, query, args...)
	if err == nil && n == 0 {
		return missing
	}
	return err
}

// execute is [execOne] in a transaction of its own.
func (s *core) execute(ctx context.Context, doing string, missing error, query string, args ...any) error {
	return s.write(ctx, doing, func(tx *sql.Tx) error { return execOne(ctx, tx, missing, query, args...) })
}

// queryOne scans the only row of a query into dest. If there is no row, it returns
// missing.
func queryOne(ctx context.Context, q querier, missing error, dest []any, query string, args ...any) error {
	err := q.QueryRowContext(ctx, query, args...).Scan(dest...)
	if errors.Is(err, sql.ErrNoRows) {
		return missing
	}
	return err
}

// queryEach calls fn for every row of a query.
func queryEach(ctx context.Context, q querier, fn func(scan func(dest ...any) error) error, query string, args ...any) (err error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := fn(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// collect applies one to every row of a query and returns the results.
func collect[T any](ctx context.Context, q querier, one func(scan func(dest ...any) error) (T, error), query string, args ...any) (all []T, err error) {
	err = queryEach(ctx, q, func(scan func(...any) error) error {
		x, err := one(scan)
		all = append(all, x)
		return err
	}, query, args...)
	if err != nil {
		return nil, err
	}
	return all, nil
}

// list is [collect] in a read of its own.
func list[T any](ctx context.Context, s *core, doing string, one func(scan func(dest ...any) error) (T, error), query string, args ...any) ([]T, error) {
	return get(ctx, s, doing, func(db *sql.DB) ([]T, error) { return collect(ctx, db, one, query, args...) })
}

// only returns the first row of a list, or missing if there is none.
func only[T any](rows []T, err, missing error) (one T, _ error) {
	if err == nil && len(rows) == 0 {
		err = missing
	}
	if err != nil {
		return one, err
	}
	return rows[0], nil
}

// single scans a row of one column.
func single[T any](scan func(dest ...any) error) (x T, err error) {
	err = scan(&x)
	return x, err
}

// arguments collects the arguments of a query under construction.
type arguments []any

// add appends an argument and returns its placeholder.
func (a *arguments) add(v any) string {
	*a = append(*a, v)
	return fmt.Sprintf("$%d", len(*a))
}

// plain makes external text fit for a text column of either database. PostgreSQL
// accepts neither zero bytes nor invalid UTF-8.
func plain(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
}
