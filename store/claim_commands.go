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
	// CreateAnyway says that a person checked Dixa and found no conversation, so one
	// may be created even though an earlier create got no answer. It holds for one
	// retry, and only for a claim that was waiting.
	CreateAnyway bool
}

// Retry returns a claim that needs attention, was skipped or was abandoned to
// [claim.StateReceived]. A claim in progress is only nudged. It returns a
// [*claim.TransitionError] if the claim is open or in a later state.
func (s Claims) Retry(ctx context.Context, ref claim.Ref, o RetryOptions) error {
	return s.write(ctx, "retry claim "+ref.String(), func(tx *sql.Tx) error {
		row, err := lockIntact(ctx, tx, ref)
		if err != nil {
			return err
		}
		return s.retry(ctx, tx, ref, row.state, o)
	})
}

func (s *core) retry(ctx context.Context, tx *sql.Tx, ref claim.Ref, from claim.State, o RetryOptions) error {
	next, err := from.Next(claim.EventRetry)
	if err != nil {
		return err
	}
	if next == from {
		_, err = exec(ctx, tx, `UPDATE claims SET revision = revision + 1, gather_until = 0 WHERE shop = $1 AND id = $2`, ref.Shop, ref.ID)
		return err
	}
	_, err = exec(ctx, tx, `UPDATE claims SET state = $3, cause = '', create_anyway = $4, retried_at = $5, updated_at = $5, revision = revision + 1, gather_until = 0
		WHERE shop = $1 AND id = $2`, ref.Shop, ref.ID, next, o.CreateAnyway, s.now())
	return err
}

// Abandon abandons a claim. It returns a [*claim.TransitionError] if the claim is
// settled. An abandoned claim stays unchanged.
func (s Claims) Abandon(ctx context.Context, ref claim.Ref) error {
	return s.write(ctx, "abandon claim "+ref.String(), func(tx *sql.Tx) error {
		row, err := lockClaim(ctx, tx, ref)
		if err != nil {
			return err
		}
		return s.abandon(ctx, tx, ref, &row, ClaimUpdate{})
	})
}

// abandon abandons a claim that the caller has locked, and notifies its owner.
func (s *core) abandon(ctx context.Context, tx *sql.Tx, ref claim.Ref, row *claimRow, set ClaimUpdate) error {
	next, err := row.state.Next(claim.EventAbandon)
	if err != nil || next == row.state {
		return err
	}
	if err := s.refuseWaiting(ctx, tx, ref, "the claim was abandoned"); err != nil {
		return err
	}
	set.Outbox = append(set.Outbox, OutboxEvent{Type: claim.OutboundAbandoned})
	if _, err := s.change(ctx, tx, ref, row, claim.EventAbandon, set); err != nil {
		return err
	}
	_, err = exec(ctx, tx, `UPDATE claims SET create_anyway = FALSE, revision = revision + 1, gather_until = 0
		WHERE shop = $1 AND id = $2`, ref.Shop, ref.ID)
	return err
}

// Link assigns a claim the conversation that a person found for it in the shop's
// Dixa, and retries the claim, which then continues with that conversation. It is
// idempotent. A different conversation replaces the first one, unless a later step
// has written to the first.
//
// It returns a [*ConflictError] if the conversation belongs to another claim, if the
// claim's own can no longer be replaced, or if a create of the claim is in flight.
// It returns a [*claim.TransitionError] if the claim is open or in a later state and
// has no conversation, and [ErrNotFound] if the shop has no connection.
func (s Claims) Link(ctx context.Context, ref claim.Ref, conversationID int64) error {
	return s.write(ctx, fmt.Sprintf("link claim %s to conversation %d", ref, conversationID), func(tx *sql.Tx) error {
		row, err := lockIntact(ctx, tx, ref)
		if err != nil {
			return err
		}
		connectionID := row.connectionID
		if connectionID == "" {
			err := queryOne(ctx, tx, notFound("the Dixa connection of shop "+ref.Shop), []any{&connectionID},
				`SELECT connection_id FROM shops WHERE slug = $1 AND connection_id IS NOT NULL`, ref.Shop)
			if err != nil {
				return err
			}
		}
		if row.conversationID != 0 && row.conversationID != conversationID {
			if err := s.unlink(ctx, tx, ref, row); err != nil {
				return err
			}
			row.conversationID = 0
		}
		already, err := s.link(ctx, tx, row, LinkInput{Ref: ref, ConnectionID: connectionID, ConversationID: conversationID})
		if err != nil {
			return err
		}
		err = s.retry(ctx, tx, ref, row.state, RetryOptions{})
		if _, open := errors.AsType[*claim.TransitionError](err); open && already {
			return nil
		}
		if err != nil {
			return err
		}
		return s.settleCreate(ctx, tx, ref, row.state, conversationID)
	})
}

// inConversation matches steps that write to the claim's conversation.
const inConversation = `step <> '` + claim.StepConversation + `' AND step NOT LIKE '` + claim.StepCustomer + `%'`

// unlink removes a claim's conversation, unless it contains something of the claim
// or may be receiving something right now.
func (s *core) unlink(ctx context.Context, tx *sql.Tx, ref claim.Ref, row claimRow) error {
	taken := func(why string) error {
		return conflict("claim %s already has conversation %d, %s", ref, row.conversationID, why)
	}
	switch row.state {
	case claim.StateOpen, claim.StatePending, claim.StateClosed, claim.StateSettled:
		return taken("which is complete and cannot be replaced")
	case claim.StateOpening:
		return taken("which is being written to; wait until the claim needs attention, or abandon it, then link it")
	}
	var written int
	err := queryOne(ctx, tx, nil, []any{&written}, `SELECT COUNT(*) FROM intents
		WHERE shop = $1 AND claim_id = $2 AND done_at > 0 AND `+inConversation, ref.Shop, ref.ID)
	if err != nil {
		return err
	}
	if written > 0 {
		return taken("which already contains tags, files or a note of the claim and cannot be replaced")
	}
	// Steps that may have reached the old conversation are sent to the new one under
	// another key. Dixa would treat the same key as a repeat.
	_, err = exec(ctx, tx, `UPDATE intents SET try = try + 1, sent_at = 0
		WHERE shop = $1 AND claim_id = $2 AND done_at = 0 AND sent_at > 0 AND `+inConversation, ref.Shop, ref.ID)
	if err != nil {
		return err
	}
	if _, err := exec(ctx, tx, `DELETE FROM links WHERE shop = $1 AND claim_id = $2`, ref.Shop, ref.ID); err != nil {
		return err
	}
	_, err = exec(ctx, tx, `UPDATE claims SET attached = 0, left_out = 0 WHERE shop = $1 AND id = $2`, ref.Shop, ref.ID)
	return err
}

// settleCreate finishes the intent of the create with the conversation that a person
// named, so that no create is sent after this. A single statement checks and writes
// because a create may begin concurrently.
func (s *core) settleCreate(ctx context.Context, tx *sql.Tx, ref claim.Ref, from claim.State, conversationID int64) error {
	result, err := createdConversation(conversationID)
	if err != nil {
		return err
	}
	sent := conflict("claim %s is being opened, and a create of its conversation is in progress; wait until the claim needs attention, then link it", ref)
	return execOne(ctx, tx, sent, `INSERT INTO intents (shop, claim_id, step, try, sent_at, result, done_at) VALUES ($1, $2, $3, 1, 0, $4, $5)
		ON CONFLICT (shop, claim_id, step) DO UPDATE SET sent_at = 0, result = excluded.result, done_at = excluded.done_at
		WHERE intents.sent_at = 0 OR $6`, ref.Shop, ref.ID, claim.StepConversation, string(result), s.now(), from != claim.StateOpening)
}

// RetryShop retries the claims of a shop that need attention for one of the given
// causes, or for any cause if none is given. It returns their number.
func (s Claims) RetryShop(ctx context.Context, shop string, causes ...claim.Cause) (int, error) {
	var args arguments
	where := `shop = ` + args.add(shop)
	if len(causes) > 0 {
		where += ` AND cause IN (` + placeholders(&args, causes) + `)`
	}
	return s.retryAll(ctx, shop, claim.StateNeedsAttention, where, args)
}

// OpenSkipped opens the skipped claims of a shop that were accepted at or after
// since, and returns their number. The zero time opens all.
func (s Claims) OpenSkipped(ctx context.Context, shop string, since time.Time) (int, error) {
	var args arguments
	where := `shop = ` + args.add(shop) + ` AND accepted_at >= ` + args.add(micros(since))
	return s.retryAll(ctx, shop, claim.StateSkipped, where, args)
}

func (s *core) retryAll(ctx context.Context, shop string, from claim.State, where string, args arguments) (int, error) {
	next, err := from.Next(claim.EventRetry)
	if err != nil {
		return 0, err
	}
	now := args.add(s.now())
	query := `UPDATE claims SET state = ` + args.add(next) + `, cause = '', create_anyway = FALSE, retried_at = ` + now +
		`, updated_at = ` + now + `, revision = revision + 1, gather_until = 0 WHERE erased_at = 0 AND state = ` + args.add(from) + ` AND ` + where
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
