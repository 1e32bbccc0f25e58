package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/internal/seal"
)

// secretOverlap is how long a replaced secret still verifies requests from Dixa: the
// maximum age of a signature.
const secretOverlap = 72 * time.Hour

// Get reads the webhook subscription of a connection. A connection without one is in
// [claim.SubscriptionNone].
func (s Subscriptions) Get(ctx context.Context, connectionID string) (claim.Subscription, error) {
	out := claim.Subscription{State: claim.SubscriptionNone}
	err := s.read(ctx, "read the webhook subscription of connection "+connectionID, func(db *sql.DB) error {
		var byHand, active bool
		var updated int64
		err := queryOne(ctx, db, ErrNotFound, []any{&out.ID, &out.URL, &byHand, &active, &out.SecretPreview, &updated},
			`SELECT subscription_id, url, by_hand, active, secret_preview, updated_at FROM subscriptions WHERE connection_id = $1`, connectionID)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		switch {
		case byHand:
			out.State = claim.SubscriptionByHand
		case active:
			out.State = claim.SubscriptionActive
		case out.ID != "":
			out.State = claim.SubscriptionUnfinished
		}
		out.UpdatedAt = timeOf(updated)
		return err
	})
	return out, err
}

// Secrets returns the secrets that may have signed requests from Dixa to a
// connection: the current secret and, for three days, the one that it replaced. It
// returns none if the connection has none or is unknown.
//
// Concurrent calls share a query.
func (s Subscriptions) Secrets(ctx context.Context, connectionID string) ([]string, error) {
	doing := "read the webhook secrets of connection " + connectionID
	l := &secretLookup{connection: connectionID}
	select {
	case <-s.lookups.add(l):
	case <-ctx.Done():
		return nil, fmt.Errorf("%s: %w", doing, ctx.Err())
	}
	if l.done {
		return l.secrets, nil
	}
	secrets, err := s.webhookSecrets(ctx, doing, connectionID)
	return secrets[connectionID], err
}

// secretLookup is a call of [Subscriptions.Secrets]. A lookup that is not done after
// its round runs alone to get its own error.
type secretLookup struct {
	connection string
	secrets    []string
	done       bool
}

func (s *core) lookUpTogether(ctx context.Context, batch []*secretLookup) {
	connections := map[string]bool{}
	for _, l := range batch {
		connections[l.connection] = true
	}
	secrets, err := s.webhookSecrets(ctx, "read webhook secrets", slices.Sorted(maps.Keys(connections))...)
	if err != nil {
		return
	}
	for _, l := range batch {
		l.secrets, l.done = secrets[l.connection], true
	}
}

// webhookSecrets reads the secrets of connections, for [Subscriptions.Secrets].
func (s *core) webhookSecrets(ctx context.Context, doing string, connections ...string) (map[string][]string, error) {
	var args arguments
	places := placeholders(&args, connections)
	return get(ctx, s, doing, func(db *sql.DB) (map[string][]string, error) {
		secrets := map[string][]string{}
		return secrets, queryEach(ctx, db, func(scan func(...any) error) error {
			var id string
			var present, previous []byte
			var replaced int64
			if err := scan(&id, &present, &previous, &replaced); err != nil {
				return err
			}
			var err error
			secrets[id], err = s.openSecrets(webhookSecret, webhookPrevious, present, previous, s.stillValid(previous, replaced), id)
			return err
		}, `SELECT connection_id, secret, previous, replaced_at FROM subscriptions
			WHERE secret IS NOT NULL AND connection_id IN (`+places+`)`, args...)
	})
}

// stillValid reports whether a replaced secret still verifies requests.
func (s *core) stillValid(previous []byte, replaced int64) bool {
	return previous != nil && !s.clock().After(timeOf(replaced).Add(secretOverlap))
}

// SavedSubscription is what [Subscriptions.Save] stores.
type SavedSubscription struct {
	// ID, URL and Secret belong to the subscription in Dixa.
	ID, URL, Secret string
	// Active says that Dixa sends events through it.
	Active bool
}

// Save stores a subscription that was created in Dixa, with its secret encrypted. A
// secret that it replaces stays valid for three days.
func (s Subscriptions) Save(ctx context.Context, connectionID string, in SavedSubscription) error {
	return s.write(ctx, "save the webhook subscription of connection "+connectionID, func(tx *sql.Tx) error {
		if err := s.putSecret(ctx, tx, connectionID, in.Secret); err != nil {
			return err
		}
		_, err := exec(ctx, tx, `UPDATE subscriptions SET subscription_id = $2, url = $3, active = $4, by_hand = FALSE, updated_at = $5 WHERE connection_id = $1`,
			connectionID, plain(in.ID), plain(in.URL), in.Active, s.now())
		return err
	})
}

// SaveSecret stores the secret of a subscription that a person created in Dixa, for
// the connection of a shop. An empty secret says that this subscription does not
// exist any more; the saved secret stays valid until it is replaced. It returns a
// [*ConflictError] if the shop has no connection.
func (s Subscriptions) SaveSecret(ctx context.Context, shop, secret string) (connectionID string, err error) {
	err = s.write(ctx, "save the webhook secret of shop "+shop, func(tx *sql.Tx) error {
		var id sql.NullString
		if err := queryOne(ctx, tx, shopNotFound(shop), []any{&id}, `SELECT connection_id FROM shops WHERE slug = $1 AND deleted_at = 0`, shop); err != nil {
			return err
		}
		if !id.Valid {
			return conflict("shop %s has no connection to Dixa yet; save its token first", shop)
		}
		connectionID = id.String
		if secret == "" {
			_, err := exec(ctx, tx, `UPDATE subscriptions SET by_hand = FALSE, updated_at = $2 WHERE connection_id = $1`, connectionID, s.now())
			return err
		}
		if err := s.putSecret(ctx, tx, connectionID, secret); err != nil {
			return err
		}
		_, err := exec(ctx, tx, `UPDATE subscriptions SET by_hand = TRUE, subscription_id = '', url = '', active = FALSE, updated_at = $2 WHERE connection_id = $1`,
			connectionID, s.now())
		return err
	})
	return connectionID, err
}

// putSecret sets the current secret of a connection. Saving the same secret again
// changes nothing.
func (s *core) putSecret(ctx context.Context, tx *sql.Tx, connectionID, secret string) error {
	if strings.TrimSpace(secret) == "" {
		return errors.New("the webhook secret must not be empty")
	}
	var present []byte
	err := queryOne(ctx, tx, ErrNotFound, []any{&present}, `INSERT INTO subscriptions (connection_id) VALUES ($1)
		ON CONFLICT (connection_id) DO UPDATE SET connection_id = excluded.connection_id RETURNING secret`, connectionID)
	if err != nil {
		return err
	}
	sealed, err := s.seal(webhookSecret, []byte(secret), connectionID)
	if err != nil {
		return err
	}
	if present == nil {
		_, err = exec(ctx, tx, `UPDATE subscriptions SET secret = $2, secret_preview = $3 WHERE connection_id = $1`, connectionID, sealed, seal.Mask(secret))
		return err
	}
	old, err := s.open(webhookSecret, present, connectionID)
	if err != nil || string(old) == secret {
		return err
	}
	previous, err := s.seal(webhookPrevious, old, connectionID)
	if err != nil {
		return err
	}
	_, err = exec(ctx, tx, `UPDATE subscriptions SET secret = $2, secret_preview = $3, previous = $4, replaced_at = $5 WHERE connection_id = $1`,
		connectionID, sealed, seal.Mask(secret), previous, s.now())
	return err
}

// Delete records that a connection's subscription was deleted in Dixa. Its secret
// stays valid for events still in flight.
func (s Subscriptions) Delete(ctx context.Context, connectionID string) error {
	return s.execute(ctx, "delete the webhook subscription of connection "+connectionID, nil,
		`UPDATE subscriptions SET subscription_id = '', url = '', active = FALSE, updated_at = $2 WHERE connection_id = $1`, connectionID, s.now())
}

// Wanted reports whether an enabled shop uses the connection.
func (s Subscriptions) Wanted(ctx context.Context, connectionID string) (bool, error) {
	return get(ctx, s.core, "look for enabled shops of connection "+connectionID, func(db *sql.DB) (wanted bool, err error) {
		err = db.QueryRowContext(ctx, `SELECT COUNT(*) > 0 FROM shops WHERE connection_id = $1 AND enabled AND deleted_at = 0`, connectionID).Scan(&wanted)
		return wanted, err
	})
}

// Lock lets one holder at a time change a connection's subscription in Dixa. held is
// false while another holder has the lock. The lock expires after the lease. It
// returns [ErrNotFound] for an unknown connection.
func (s Subscriptions) Lock(ctx context.Context, connectionID, holder string, lease time.Duration) (held bool, err error) {
	if holder == "" || lease <= 0 {
		return false, errors.New("lock a webhook subscription: a holder and a positive lease are required")
	}
	err = s.write(ctx, "lock the webhook subscription of connection "+connectionID, func(tx *sql.Tx) error {
		if _, err := organizationOf(ctx, tx, connectionID); err != nil {
			return err
		}
		now := s.now()
		n, err := exec(ctx, tx, `INSERT INTO subscriptions (connection_id, holder, held_until) VALUES ($1, $2, $3)
			ON CONFLICT (connection_id) DO UPDATE SET holder = excluded.holder, held_until = excluded.held_until
			WHERE subscriptions.holder IN ('', excluded.holder) OR subscriptions.held_until <= $4`,
			connectionID, holder, now+lease.Microseconds(), now)
		held = n == 1
		return err
	})
	return held, err
}

// Unlock releases the lock. It does nothing if the holder does not have it.
func (s Subscriptions) Unlock(ctx context.Context, connectionID, holder string) error {
	return s.execute(ctx, "unlock the webhook subscription of connection "+connectionID, nil,
		`UPDATE subscriptions SET holder = '', held_until = 0 WHERE connection_id = $1 AND holder = $2`, connectionID, holder)
}
