package store

import (
	"context"
	"database/sql"

	"github.com/claimflow/claimflow/claim"
)

// Nudge is a claim whose workflow has not been told of its present revision.
// Reason and OrderNumber are for the search attributes of a workflow that is to
// be started.
type Nudge struct {
	Ref      claim.Ref
	Revision int64
	// Reason is the claim's reason in the spelling of [claim.Claim.ReasonKey].
	Reason      string
	OrderNumber string
}

// Unsignalled lists up to limit claims whose workflow is to be nudged, oldest
// first.
func (s *Store) Unsignalled(ctx context.Context, limit int) ([]Nudge, error) {
	var nudges []Nudge
	err := s.read(ctx, "list claims to nudge", func(db *sql.DB) error {
		nudges = nil
		return each(ctx, db, func(scan func(...any) error) error {
			var n Nudge
			err := scan(&n.Ref.Shop, &n.Ref.ID, &n.Revision, &n.Reason, &n.OrderNumber)
			nudges = append(nudges, n)
			return err
		}, `SELECT shop, id, revision, reason_key, order_number FROM claims WHERE signalled < revision ORDER BY accepted_at LIMIT $1`, limit)
	})
	return nudges, err
}

// Signalled records that the claim's workflow was told of a revision. A later
// one is still to be told.
func (s *Store) Signalled(ctx context.Context, ref claim.Ref, revision int64) error {
	return s.write(ctx, "note the nudge of claim "+ref.String(), func(tx *sql.Tx) error {
		_, err := exec(ctx, tx, `UPDATE claims SET signalled = $3 WHERE shop = $1 AND id = $2 AND signalled < $3`, ref.Shop, ref.ID, revision)
		return err
	})
}

// WakeParked nudges, once, every parked claim whose shop's settings changed
// since it was parked, and says how many those are. A claim whose fallback was
// raised is left to a person until it is retried.
func (s *Store) WakeParked(ctx context.Context) (int, error) {
	const shopVersion = `(SELECT s.settings_version FROM shops s WHERE s.slug = claims.shop)`
	n := 0
	err := s.write(ctx, "wake parked claims", func(tx *sql.Tx) (err error) {
		n, err = exec(ctx, tx, `UPDATE claims SET revision = revision + 1, woken_version = `+shopVersion+`
			WHERE state = $1 AND parked_version < `+shopVersion+` AND woken_version < `+shopVersion+`
			AND NOT (fallback_used AND retried_at < fallback_at)`, claim.StateNeedsAttention)
		return err
	})
	return n, err
}
