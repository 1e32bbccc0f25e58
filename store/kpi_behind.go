package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/kpi"
)

var _ kpi.Holder = (*Figures)(nil)

// idsLookedUp is how many conversations a query looks up; more are found by reading all of
// which only the figures stay.
const idsLookedUp = 5000

// Gone implements [kpi.Holder].
func (f *Figures) Gone(ctx context.Context, ids []int64) (map[int64]bool, error) {
	gone := map[int64]bool{}
	if len(ids) == 0 {
		return gone, nil
	}
	query, args := `SELECT conversation_id FROM figures f WHERE connection_id = $1 AND NOT EXISTS (
		SELECT 1 FROM conversations c WHERE c.connection_id = f.connection_id AND c.conversation_id = f.conversation_id)`, arguments{f.connectionID}
	var asked map[int64]bool
	if len(ids) <= idsLookedUp {
		query += ` AND conversation_id IN (` + f.store.dialect.integers(&args, ids) + `)`
	} else {
		asked = make(map[int64]bool, len(ids))
		for _, id := range ids {
			asked[id] = true
		}
	}
	err := f.each(ctx, func(scan func(...any) error) error {
		var id int64
		err := scan(&id)
		if asked == nil || asked[id] {
			gone[id] = true
		}
		return err
	}, query, args)
	if err != nil {
		return nil, fmt.Errorf("look for deleted conversations of connection %s: %w", f.connectionID, err)
	}
	return gone, nil
}

// BehindConversation says what a conversation behind a figure is.
type BehindConversation struct {
	Channel, Direction string
	CreatedAt          time.Time
	// Claim is the one whose conversation it is; empty if there is none.
	Claim claim.Ref
}

// BehindConversations reads what conversations of a connection are, by id. Unknown ids are
// left out.
func (s Mirror) BehindConversations(ctx context.Context, connectionID string, ids []int64) (map[int64]BehindConversation, error) {
	found := map[int64]BehindConversation{}
	if len(ids) == 0 {
		return found, nil
	}
	args := arguments{connectionID}
	query := `SELECT f.conversation_id, f.channel, f.direction, f.created_at, COALESCE(c.shop, ''), COALESCE(c.id, '')
		FROM figures f LEFT JOIN claims c ON c.conversation_id = f.conversation_id AND c.connection_id = f.connection_id
		WHERE f.connection_id = $1 AND f.conversation_id IN (` + s.dialect.integers(&args, ids) + `) ORDER BY c.accepted_at, c.id`
	err := s.read(ctx, "read the conversations behind a figure", func(db *sql.DB) error {
		return queryEach(ctx, db, func(scan func(...any) error) error {
			var id, created int64
			var c BehindConversation
			err := scan(&id, &c.Channel, &c.Direction, &created, &c.Claim.Shop, &c.Claim.ID)
			c.CreatedAt = timeOf(created)
			found[id] = c
			return err
		}, query, args...)
	})
	return found, err
}

// BehindClaim says what a claim behind a figure is.
type BehindClaim struct {
	// Reason, Carrier, Phase, Status and Resolution are as in [kpi.ClaimFact].
	Reason, Carrier, Phase, Status, Resolution string
	// ConversationID is that of its conversation; 0 if there is none.
	ConversationID int64
}

// BehindClaims reads what claims are. Unknown ones are left out.
func (s Mirror) BehindClaims(ctx context.Context, refs []claim.Ref) (map[claim.Ref]BehindClaim, error) {
	found := map[claim.Ref]BehindClaim{}
	if len(refs) == 0 {
		return found, nil
	}
	var args arguments
	rows := make([]string, len(refs))
	for i, ref := range refs {
		rows[i] = "(" + args.add(ref.Shop) + ", " + args.add(ref.ID) + ")"
	}
	query := `SELECT shop, id, reason_key, carrier_key, phase_key, status_key, preference_key, conversation_id FROM claims
		WHERE (shop, id) IN (VALUES ` + strings.Join(rows, ", ") + `)`
	err := s.read(ctx, "read the claims behind a figure", func(db *sql.DB) error {
		return queryEach(ctx, db, func(scan func(...any) error) error {
			var ref claim.Ref
			var c BehindClaim
			err := scan(&ref.Shop, &ref.ID, &c.Reason, &c.Carrier, &c.Phase, &c.Status, &c.Resolution, &c.ConversationID)
			found[ref] = c
			return err
		}, query, args...)
	})
	return found, err
}
