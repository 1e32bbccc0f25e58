package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"
)

// Reservation is the result of [Customers.Reserve].
type Reservation struct {
	// EndUserID is the customer's id in Dixa, if known.
	EndUserID string
	// Held says that the caller now holds the identity. If it is false and EndUserID
	// is empty, another holder has it.
	Held bool
}

// Reserve lets one holder at a time, such as a claim, find or create the end user of
// an identity, such as "email:a@example.com", so that two claims of a new customer
// create only one. A reservation expires after the lease. Its holder can renew it by
// reserving again. Identities are stored only as keyed hashes.
func (s Customers) Reserve(ctx context.Context, connectionID, identity, holder string, lease time.Duration) (Reservation, error) {
	if holder == "" || lease <= 0 {
		return Reservation{}, errors.New("reserve a customer: a holder and a positive lease are required")
	}
	var r Reservation
	err := s.write(ctx, "reserve a customer", func(tx *sql.Tx) error {
		r = Reservation{}
		now := s.now()
		hash := s.identity(connectionID, identity)
		err := queryOne(ctx, tx, ErrNotFound, []any{&r.EndUserID}, `INSERT INTO customers (connection_id, identity, holder, held_until, updated_at)
			VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (connection_id, identity) DO UPDATE SET holder = excluded.holder, held_until = excluded.held_until, updated_at = excluded.updated_at
			WHERE customers.end_user_id = '' AND (customers.holder = '' OR customers.holder = excluded.holder OR customers.held_until <= excluded.updated_at)
			RETURNING end_user_id`, connectionID, hash, holder, now+lease.Microseconds(), now)
		if err == nil {
			r.Held = true
			return nil
		}
		if !errors.Is(err, ErrNotFound) {
			return err
		}
		// Its holder may have released it meanwhile. It then still counts as held,
		// and the caller retries.
		err = queryOne(ctx, tx, nil, []any{&r.EndUserID}, `SELECT end_user_id FROM customers WHERE connection_id = $1 AND identity = $2`, connectionID, hash)
		return err
	})
	return r, err
}

// Remember records that identities belong to an end user and releases the
// reservations of holder.
func (s Customers) Remember(ctx context.Context, connectionID string, identities []string, endUserID, holder string) error {
	if endUserID == "" {
		return errors.New("save a customer: the end user id is required")
	}
	hashes := make([]string, len(identities))
	for i, identity := range identities {
		hashes[i] = s.identity(connectionID, identity)
	}
	slices.Sort(hashes) // the same order everywhere, so that two callers cannot deadlock
	return s.write(ctx, "save a customer", func(tx *sql.Tx) error {
		for _, hash := range slices.Compact(hashes) {
			_, err := exec(ctx, tx, `INSERT INTO customers (connection_id, identity, end_user_id, updated_at) VALUES ($1, $2, $3, $4)
				ON CONFLICT (connection_id, identity) DO UPDATE SET end_user_id = excluded.end_user_id, holder = '', held_until = 0, updated_at = excluded.updated_at`,
				connectionID, hash, endUserID, s.now())
			if err != nil {
				return err
			}
		}
		_, err := exec(ctx, tx, `DELETE FROM customers WHERE connection_id = $1 AND holder = $2 AND end_user_id = ''`, connectionID, holder)
		return err
	})
}

// Release releases a reservation. It does nothing if holder has none.
func (s Customers) Release(ctx context.Context, connectionID, identity, holder string) error {
	return s.execute(ctx, "release a customer", nil, `DELETE FROM customers WHERE connection_id = $1 AND identity = $2 AND holder = $3 AND end_user_id = ''`,
		connectionID, s.identity(connectionID, identity), holder)
}

// Forget deletes every identity of an end user who was deleted in Dixa.
func (s Customers) Forget(ctx context.Context, connectionID, endUserID string) error {
	if endUserID == "" {
		return errors.New("delete a customer: the end user id is required")
	}
	return s.execute(ctx, "delete a customer", nil, `DELETE FROM customers WHERE connection_id = $1 AND end_user_id = $2`, connectionID, endUserID)
}

func (s *core) identity(connectionID, identity string) string {
	return s.keyedHash("customer", connectionID, identity)
}
