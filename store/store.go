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

// Store is an open store. [Open] makes one. Its methods are grouped by subject.
type Store struct {
	*core

	// Claims and the nudges that tell their workflows to read them.
	Claims Claims
	Nudges Nudges

	// From Dixa to the claim.
	Inbox         Inbox
	Conversations Conversations
	Sweeps        Sweeps
	Subscriptions Subscriptions

	// From the owner to the claim.
	OwnerInbox OwnerInbox

	// From the claim to Dixa.
	Instructions Instructions
	Intents      Intents
	Links        Links
	Customers    Customers
	Budget       Budget

	// From the claim to its owner.
	Outbox     Outbox
	Endpoints  Endpoints
	Deliveries Deliveries

	// Shops and their set-up.
	Shops       Shops
	Settings    Settings
	Templates   Templates
	Connections Connections

	// Who may do what, and who did.
	APIKeys  APIKeys
	AuditLog AuditLog
}

// The subjects of a [Store].
type (
	// Claims are the claims' rows: their state, body and drafts, and the commands
	// that operators and owners give.
	Claims struct{ *core }
	// Nudges say which workflows have to be told that their claim changed.
	Nudges struct{ *core }
	// Inbox holds the events that Dixa told of and those that a sweep found.
	Inbox struct{ *core }
	// Conversations holds what is known of the claims' conversations: state,
	// messages, timeline.
	Conversations struct{ *core }
	// Sweeps holds how far each connection's activity log was reconciled.
	Sweeps struct{ *core }
	// Subscriptions holds the webhook subscription of each connection.
	Subscriptions struct{ *core }
	// OwnerInbox holds the events that claims' owners sent, such as Karla.
	OwnerInbox struct{ *core }
	// Instructions are what owners asked to be done in a conversation.
	Instructions struct{ *core }
	// Intents are written before a request to Dixa that must not be repeated.
	Intents struct{ *core }
	// Links join claims and conversations.
	Links struct{ *core }
	// Customers remembers which end user in Dixa a customer is.
	Customers struct{ *core }
	// Budget is the request budget of each token, shared by all processes.
	Budget struct{ *core }
	// Outbox holds the events that are owed to claims' owners.
	Outbox struct{ *core }
	// Endpoints are where owners are told of events.
	Endpoints struct{ *core }
	// Deliveries are the events on their way to endpoints.
	Deliveries struct{ *core }
	// Shops are the shops.
	Shops struct{ *core }
	// Settings are the layers of settings of the platform and of shops.
	Settings struct{ *core }
	// Templates are the templates that staff saved.
	Templates struct{ *core }
	// Connections are Dixa organisations and the tokens to them.
	Connections struct{ *core }
	// APIKeys are the keys to the HTTP API.
	APIKeys struct{ *core }
	// AuditLog says who changed what.
	AuditLog struct{ *core }
)

// core is what all subjects share: the database, the keys and the clock.
type core struct {
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

	arrivals batcher[*incomingEvent]
	lookups  batcher[*secretLookup]
}

func newStore(c *core) *Store {
	return &Store{
		core: c, Claims: Claims{c}, Nudges: Nudges{c},
		Inbox: Inbox{c}, Conversations: Conversations{c}, Sweeps: Sweeps{c}, Subscriptions: Subscriptions{c},
		OwnerInbox:   OwnerInbox{c},
		Instructions: Instructions{c}, Intents: Intents{c}, Links: Links{c}, Customers: Customers{c}, Budget: Budget{c},
		Outbox: Outbox{c}, Endpoints: Endpoints{c}, Deliveries: Deliveries{c},
		Shops: Shops{c}, Settings: Settings{c}, Templates: Templates{c}, Connections: Connections{c},
		APIKeys: APIKeys{c}, AuditLog: AuditLog{c},
	}
}

// Option changes how a store is opened.
type Option func(*core)

// WithClock sets the source of time, for tests. Defaults to [time.Now]. The
// budget on PostgreSQL keeps to the database's clock all the same.
func WithClock(now func() time.Time) Option { return func(s *core) { s.clock = now } }

// Open opens the store at url and brings its schema up to date. The url is
// "sqlite:" and a path, "sqlite::memory:" for a store that is gone when it is
// closed, or "postgres://user:password@host:port/name". Keys seal what is
// personal or secret; a store that was sealed with other keys is refused.
func Open(ctx context.Context, url string, keys *seal.Keyring, opts ...Option) (*Store, error) {
	if keys == nil {
		return nil, errors.New("open the store: there are no keys to seal with; make some with `starter keyring new` and put them into CLAIMFLOW_KEYS")
	}
	s := newStore(&core{keys: keys, clock: time.Now})
	s.arrivals.work, s.lookups.work = s.insertBatch, s.lookUpTogether
	for _, opt := range opts {
		opt(s.core)
	}
	if err := s.connect(ctx, url); err != nil {
		return nil, err
	}
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *core) prepare(ctx context.Context) error {
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
func (s *core) loadID(ctx context.Context) error {
	return s.write(ctx, "read the store's id", func(tx *sql.Tx) error {
		if _, err := exec(ctx, tx, `UPDATE platform SET store_id = $1 WHERE store_id = ''`, uuid.NewString()); err != nil {
			return err
		}
		return queryOne(ctx, tx, notFound("store id"), []any{&s.id}, `SELECT store_id FROM platform`)
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

func (s *core) now() int64 { return micros(s.clock()) }

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
