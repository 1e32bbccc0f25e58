package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/claimflow/claimflow/claim"
)

// RetryOptions says how to retry a claim.
type RetryOptions struct {
	// CreateAnyway says that a person looked in Dixa and found no conversation,
	// so one may be created though an earlier create was never answered. It
	// holds for one retry, and only for a claim that was waiting.
	CreateAnyway bool
}

// Retry wakes a claim that needs attention, was skipped or was abandoned: it is
// received once more. A claim that is on its way is only nudged. One that is
// open or further is a [*claim.TransitionError].
func (s *Store) Retry(ctx context.Context, ref claim.Ref, o RetryOptions) error {
	return s.write(ctx, "retry claim "+ref.String(), func(tx *sql.Tx) error {
		row, err := hold(ctx, tx, ref)
		if err != nil {
			return err
		}
		return s.retry(ctx, tx, ref, row.state, o)
	})
}

func (s *Store) retry(ctx context.Context, tx *sql.Tx, ref claim.Ref, from claim.State, o RetryOptions) error {
	next, err := from.Next(claim.EventRetry)
	if err != nil {
		return err
	}
	if next == from {
		_, err = exec(ctx, tx, `UPDATE claims SET revision = revision + 1 WHERE shop = $1 AND id = $2`, ref.Shop, ref.ID)
		return err
	}
	_, err = exec(ctx, tx, `UPDATE claims SET state = $3, cause = '', create_anyway = $4, retried_at = $5, updated_at = $5, revision = revision + 1
		WHERE shop = $1 AND id = $2`, ref.Shop, ref.ID, next, o.CreateAnyway, s.now())
	return err
}

// Abandon gives a claim up. A claim that is settled is a
// [*claim.TransitionError]; one that is abandoned already stays as it is.
func (s *Store) Abandon(ctx context.Context, ref claim.Ref) error {
	return s.write(ctx, "abandon claim "+ref.String(), func(tx *sql.Tx) error {
		row, err := hold(ctx, tx, ref)
		if err != nil {
			return err
		}
		next, err := row.state.Next(claim.EventAbandon)
		if err != nil || next == row.state {
			return err
		}
		_, err = exec(ctx, tx, `UPDATE claims SET state = $3, cause = '', create_anyway = FALSE, updated_at = $4, revision = revision + 1
			WHERE shop = $1 AND id = $2`, ref.Shop, ref.ID, next, s.now())
		return err
	})
}

// LinkTo names the conversation that a claim has in the Dixa of its shop, where
// a person found it, and retries the claim, which then finds the link. It is
// idempotent. A claim that has another conversation, or a conversation that is
// another claim's, is a [*ConflictError]; a claim that is open or further and
// has no conversation, a [*claim.TransitionError].
func (s *Store) LinkTo(ctx context.Context, ref claim.Ref, conversationID int64) error {
	return s.write(ctx, fmt.Sprintf("link claim %s to conversation %d", ref, conversationID), func(tx *sql.Tx) error {
		row, err := hold(ctx, tx, ref)
		if err != nil {
			return err
		}
		connectionID := row.connectionID
		if connectionID == "" {
			err := one(ctx, tx, notFound("the Dixa connection of shop "+ref.Shop), []any{&connectionID},
				`SELECT connection_id FROM shops WHERE slug = $1 AND connection_id IS NOT NULL`, ref.Shop)
			if err != nil {
				return err
			}
		}
		already, err := s.link(ctx, tx, row, LinkInput{Ref: ref, ConnectionID: connectionID, ConversationID: conversationID})
		if err != nil {
			return err
		}
		err = s.retry(ctx, tx, ref, row.state, RetryOptions{})
		if _, open := errors.AsType[*claim.TransitionError](err); open && already {
			return nil
		}
		return err
	})
}

// RetryShop retries the claims of a shop that need attention for one of the
// causes given, or for any, and says how many those are.
func (s *Store) RetryShop(ctx context.Context, shop string, causes ...claim.Cause) (int, error) {
	var args arguments
	where := `shop = ` + args.add(shop)
	if len(causes) > 0 {
		where += ` AND cause IN (` + placeholders(&args, causes) + `)`
	}
	return s.retryAll(ctx, shop, claim.StateNeedsAttention, where, args)
}

// OpenSkipped opens the claims of a shop that were skipped and accepted at or
// after since, and says how many those are. The zero time opens all.
func (s *Store) OpenSkipped(ctx context.Context, shop string, since time.Time) (int, error) {
	var args arguments
	where := `shop = ` + args.add(shop) + ` AND accepted_at >= ` + args.add(micros(since))
	return s.retryAll(ctx, shop, claim.StateSkipped, where, args)
}

func (s *Store) retryAll(ctx context.Context, shop string, from claim.State, where string, args arguments) (int, error) {
	next, err := from.Next(claim.EventRetry)
	if err != nil {
		return 0, err
	}
	now := args.add(s.now())
	query := `UPDATE claims SET state = ` + args.add(next) + `, cause = '', create_anyway = FALSE, retried_at = ` + now +
		`, updated_at = ` + now + `, revision = revision + 1 WHERE state = ` + args.add(from) + ` AND ` + where
	n := 0
	err = s.write(ctx, "retry the claims of shop "+shop, func(tx *sql.Tx) (err error) {
		if err := liveShop(ctx, tx, shop); err != nil {
			return err
		}
		n, err = exec(ctx, tx, query, args...)
		return err
	})
	return n, err
}
