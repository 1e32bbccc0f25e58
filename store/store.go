// Package store persists everything that Claimflow knows: claims, shops, settings,
// templates, connections to Dixa, intents, links, the outbox, the request budget,
// API keys and the audit log. One schema serves both SQLite (in memory, or a file
// that several processes may use at once) and PostgreSQL.
//
// Personal data and secrets are encrypted before they reach the database, bound to
// their table, column and key, or stored only as a keyed hash. The schema file lists
// those columns.
//
// Methods are safe for concurrent use by any number of processes. Each is one
// transaction, which it retries itself if the database asks for it. Exception:
// concurrent webhook operations may share a transaction. Errors describe the failed
// operation and never contain a secret or personal data.
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

// Store is an open store, created by [Open]. Its methods are grouped by subject.
type Store struct {
	*core

	// Claims, and the nudges that make their workflows read them.
	Claims Claims
	Nudges Nudges

	// From Dixa to the claim.
	Inbox         Inbox
	Conversations Conversations
	Sweeps        Sweeps
	Subscriptions Subscriptions

	// The mirror of each organization.
	Mirror      Mirror
	DataSources DataSources
	Imports     Imports

	// From the owner to the claim.
	OwnerInbox OwnerInbox

	// From the claim to Dixa.
	Instructions Instructions
	Intents      Intents
	Links        Links
	Customers    Customers
	Budget       Budget

	// From the unified API to Dixa.
	Operations Operations
	// Provisioned links users and groups of identity providers to objects in Dixa.
	Provisioned Provisioned

	// From the claim to its owner.
	Outbox     Outbox
	Endpoints  Endpoints
	Deliveries Deliveries
	Feeds      Feeds

	// The categories of values of accounts.
	Mappings Mappings

	// The erasures of customers.
	Erasures Erasures

	// Shops and their set-up.
	Shops       Shops
	Settings    Settings
	Templates   Templates
	Connections Connections

	// Access control and audit.
	APIKeys  APIKeys
	AuditLog AuditLog
	// Portal holds the links to the portal and their sessions.
	Portal Portal
	// Dashboards holds the dashboards that shops have put together.
	Dashboards Dashboards
	// Walls holds the links that show dashboards on screens.
	Walls Walls
}

// The subjects of a [Store].
type (
	// Claims holds the claims' rows: their state, body and drafts, and the commands
	// of operators and owners.
	Claims struct{ *core }
	// Nudges tracks the workflows to notify that their claim changed.
	Nudges struct{ *core }
	// Inbox holds the events from Dixa and the findings of sweeps.
	Inbox struct{ *core }
	// Conversations holds what is known of the claims' conversations: state,
	// messages, timeline.
	Conversations struct{ *core }
	// Sweeps holds how far each connection's activity log is reconciled.
	Sweeps struct{ *core }
	// Subscriptions holds the webhook subscription of each connection.
	Subscriptions struct{ *core }
	// Mirror holds the records of each organization and their figures.
	Mirror struct{ *core }
	// DataSources holds the selections of records to store.
	DataSources struct{ *core }
	// Imports holds the imports and their windows.
	Imports struct{ *core }
	// OwnerInbox holds the events from claims' owners, such as Karla.
	OwnerInbox struct{ *core }
	// Instructions holds what owners requested to be done in a conversation.
	Instructions struct{ *core }
	// Intents records each request to Dixa that must not be repeated, before it is
	// sent.
	Intents struct{ *core }
	// Links connects claims and conversations.
	Links struct{ *core }
	// Customers maps customers to their end users in Dixa.
	Customers struct{ *core }
	// Budget is the request budget of each token, shared by all processes.
	Budget struct{ *core }
	// Operations holds the writes through the unified API.
	Operations struct{ *core }
	// Provisioned links users and groups of identity providers to objects in Dixa.
	Provisioned struct{ *core }
	// Outbox holds the events for claims' owners.
	Outbox struct{ *core }
	// Endpoints holds the addresses that owners receive events at.
	Endpoints struct{ *core }
	// Deliveries holds the events on their way to endpoints.
	Deliveries struct{ *core }
	// Feeds holds how far each endpoint has read the changes of records.
	Feeds struct{ *core }
	// Mappings holds the categories that accounts give to values of Dixa.
	Mappings struct{ *core }
	// Erasures holds the erasures of customers.
	Erasures struct{ *core }
	// Shops holds the shops.
	Shops struct{ *core }
	// Settings holds the settings layers of the platform and of shops.
	Settings struct{ *core }
	// Templates holds the templates that staff saved.
	Templates struct{ *core }
	// Connections holds Dixa organizations and their tokens.
	Connections struct{ *core }
	// APIKeys holds the keys to the HTTP API.
	APIKeys struct{ *core }
	// AuditLog records who changed what.
	AuditLog struct{ *core }
	// Portal holds the links to the portal and their sessions.
	Portal struct{ *core }
	// Dashboards holds the dashboards that shops have put together.
	Dashboards struct{ *core }
	// Walls holds the links that show dashboards on screens.
	Walls struct{ *core }
)

// core is what all subjects share: the database, the keys and the clock.
type core struct {
	// reads and writes are one pool, except for a SQLite file: there, a single write
	// connection queues writers fairly instead of polling a lock.
	reads, writes *sql.DB
	// keeper keeps an in-memory database alive.
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
		Mirror: Mirror{c}, DataSources: DataSources{c}, Imports: Imports{c},
		OwnerInbox:   OwnerInbox{c},
		Instructions: Instructions{c}, Intents: Intents{c}, Links: Links{c}, Customers: Customers{c}, Budget: Budget{c},
		Operations: Operations{c}, Provisioned: Provisioned{c},
		Outbox: Outbox{c}, Endpoints: Endpoints{c}, Deliveries: Deliveries{c}, Feeds: Feeds{c}, Mappings: Mappings{c}, Erasures: Erasures{c},
		Shops: Shops{c}, Settings: Settings{c}, Templates: Templates{c}, Connections: Connections{c},
		APIKeys: APIKeys{c}, AuditLog: AuditLog{c}, Portal: Portal{c}, Dashboards: Dashboards{c}, Walls: Walls{c},
	}
}

// Option changes how a store is opened.
type Option func(*core)

// WithClock sets the time source, for tests. Defaults to [time.Now]. The budget on
// PostgreSQL always uses the database's clock.
func WithClock(now func() time.Time) Option { return func(s *core) { s.clock = now } }

// Open opens the store at url and migrates its schema to the latest version. The url
// is "sqlite:" and a path, "sqlite::memory:" for a store that is deleted when it is
// closed, or "postgres://user:password@host:port/name". keys encrypt personal data
// and secrets. Open rejects a store that was encrypted with other keys.
func Open(ctx context.Context, url string, keys *seal.Keyring, opts ...Option) (*Store, error) {
	if keys == nil {
		return nil, errors.New("open the store: no encryption keys; create a keyring with `starter keyring new` and set CLAIMFLOW_KEYS")
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
		return fmt.Errorf("migrate the store's schema: %w", err)
	}
	if err := s.loadIndexKey(ctx); err != nil {
		return err
	}
	return s.loadID(ctx)
}

// ID returns a UUID that identifies this store. A copy of the database has the same
// id.
func (s *Store) ID() string { return s.id }

// loadID reads the store's id, or generates it in a new store.
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
		return fmt.Errorf("connect to the store: %w", err)
	}
	return nil
}

func (s *core) now() int64 { return micros(s.clock()) }

// micros converts a time to its stored form; zero for the zero time.
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
