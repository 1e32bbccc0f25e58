// Package store keeps everything that Claimflow knows: claims, shops, settings,
// templates, connections to Dixa, intents, links, the outbox, the request
// budget, API keys and the audit log. It is one schema on SQLite (a file that
// several processes may use at once, or memory) and on PostgreSQL.
//
// What is personal or secret is sealed before it reaches the database, bound to
// its table, column and key, or kept only as a keyed hash; the schema's own file
// says which columns those are.
//
// Methods are safe for concurrent use by any number of processes. Each is one
// transaction, retried by itself where the database asks for it; only what many
// webhooks do at once shares one. Errors say what was being done and never hold a
// secret or personal data.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/claimflow/claimflow/internal/seal"
)

// Store is an open store. [Open] makes one.
type Store struct {
	// reads and writes are one pool except on a SQLite file, where a single
	// writing connection queues writers fairly instead of by polling a lock.
	reads, writes *sql.DB
	// keeper holds a database in memory alive.
	keeper *sql.Conn

	dialect  dialect
	keys     *seal.Keyring
	indexKey []byte
	id       string
	clock    func() time.Time

	arrivals gathering[*arrival]
	lookups  gathering[*secretLookup]
}

// Option changes how a store is opened.
type Option func(*Store)

// WithClock sets the source of time, for tests. Defaults to [time.Now]. The
// budget on PostgreSQL keeps to the database's clock all the same.
func WithClock(now func() time.Time) Option { return func(s *Store) { s.clock = now } }

// Open opens the store at url and brings its schema up to date. The url is
// "sqlite:" and a path, "sqlite::memory:" for a store that is gone when it is
// closed, or "postgres://user:password@host:port/name". Keys seal what is
// personal or secret; a store that was sealed with other keys is refused.
func Open(ctx context.Context, url string, keys *seal.Keyring, opts ...Option) (*Store, error) {
	if keys == nil {
		return nil, errors.New("open the store: there are no keys to seal with; make some with `starter keys new` and put them into CLAIMFLOW_KEYS")
	}
	s := &Store{keys: keys, clock: time.Now}
	s.arrivals.work, s.lookups.work = s.keepTogether, s.lookUpTogether
	for _, opt := range opts {
		opt(s)
	}
	if err := s.connect(ctx, url); err != nil {
		return nil, err
	}
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Store) prepare(ctx context.Context) error {
	if err := s.migrate(ctx); err != nil {
		return fmt.Errorf("bring the store's schema up to date: %w", err)
	}
	if err := s.loadIndexKey(ctx); err != nil {
		return err
	}
	return s.loadID(ctx)
}

// ID is a UUID that tells this store from every other one. A copy of the database
// has the same.
func (s *Store) ID() string { return s.id }

// loadID reads the store's id, or draws it in a new store.
func (s *Store) loadID(ctx context.Context) error {
	return s.write(ctx, "read the store's id", func(tx *sql.Tx) error {
		if _, err := exec(ctx, tx, `UPDATE platform SET store_id = $1 WHERE store_id = ''`, uuid.NewString()); err != nil {
			return err
		}
		return one(ctx, tx, notFound("store id"), []any{&s.id}, `SELECT store_id FROM platform`)
	})
}

// Close closes the store.
func (s *Store) Close() error {
	var errs []error
	if s.keeper != nil {
		errs = append(errs, s.keeper.Close())
	}
	errs = append(errs, s.reads.Close())
	if s.writes != s.reads {
		errs = append(errs, s.writes.Close())
	}
	return errors.Join(errs...)
}

// Ping reports whether the store can be read.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	if err := s.reads.QueryRowContext(ctx, `SELECT 1 FROM platform`).Scan(&one); err != nil {
		return fmt.Errorf("reach the store: %w", err)
	}
	return nil
}

func (s *Store) now() int64 { return micros(s.clock()) }

// micros is how the database keeps a time; zero for the zero time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func timeOf(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}
