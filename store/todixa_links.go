package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/claimflow/claimflow/claim"
)

// Link connects a claim to its conversation.
type Link struct {
	Ref            claim.Ref
	ConnectionID   string
	ConversationID int64
	// EndUserID is empty if a person created the link.
	EndUserID string
	CreatedAt time.Time
}

// LinkInput is what [Links.Create] writes.
type LinkInput struct {
	Ref            claim.Ref
	ConnectionID   string
	ConversationID int64
	EndUserID      string
	// Step is the step whose intent created the conversation; it is finished with
	// {"conversation_id": …}. Empty for a conversation that no step created.
	Step string
	// Attached and LeftOut count the files that went with it.
	Attached, LeftOut int
}

// Get reads the link of a claim. It returns [ErrNotFound] if the claim has none.
func (s Links) Get(ctx context.Context, ref claim.Ref) (Link, error) {
	l := Link{Ref: ref}
	err := s.read(ctx, "read the link of claim "+ref.String(), func(db *sql.DB) error {
		var created int64
		err := queryOne(ctx, db, notFound("link of claim "+ref.String()), []any{&l.ConnectionID, &l.ConversationID, &l.EndUserID, &created},
			`SELECT connection_id, conversation_id, end_user_id, created_at FROM links WHERE shop = $1 AND claim_id = $2`, ref.Shop, ref.ID)
		l.CreatedAt = timeOf(created)
		return err
	})
	return l, err
}

// ClaimOf returns the claim that a conversation belongs to. It returns [ErrNotFound]
// if the conversation belongs to no claim.
func (s Links) ClaimOf(ctx context.Context, connectionID string, conversationID int64) (claim.Ref, error) {
	return get(ctx, s.core, fmt.Sprintf("find the claim of conversation %d", conversationID), func(db *sql.DB) (claim.Ref, error) {
		return claimOf(ctx, db, connectionID, conversationID)
	})
}

func claimOf(ctx context.Context, q querier, connectionID string, conversationID int64) (claim.Ref, error) {
	var ref claim.Ref
	err := queryOne(ctx, q, notFound(fmt.Sprintf("claim of conversation %d", conversationID)), []any{&ref.Shop, &ref.ID},
		`SELECT shop, claim_id FROM links WHERE connection_id = $1 AND conversation_id = $2`, connectionID, conversationID)
	return ref, err
}

// Create records, atomically, that a claim has its conversation: the link, the
// link's copy in the claim's row and the finished intent. It is idempotent. It
// returns a [*ConflictError] and writes nothing if the claim has another
// conversation or the conversation belongs to another claim.
func (s Links) Create(ctx context.Context, in LinkInput) error {
	return s.write(ctx, fmt.Sprintf("link claim %s to conversation %d", in.Ref, in.ConversationID), func(tx *sql.Tx) error {
		row, err := lockClaim(ctx, tx, in.Ref)
		if err != nil {
			return err
		}
		already, err := s.link(ctx, tx, row, in)
		if err != nil {
			return err
		}
		// A repeat without files must not reset the counts.
		if !already || in.Attached+in.LeftOut > 0 {
			_, err = exec(ctx, tx, `UPDATE claims SET attached = $3, left_out = $4 WHERE shop = $1 AND id = $2`, in.Ref.Shop, in.Ref.ID, in.Attached, in.LeftOut)
			if err != nil {
				return err
			}
		}
		if in.Step == "" {
			return nil
		}
		if err := s.gather(ctx, tx, in.Ref, openingGathers); err != nil {
			return err
		}
		result, err := createdConversation(in.ConversationID)
		if err != nil {
			return err
		}
		return s.finish(ctx, tx, in.Ref, in.Step, result)
	})
}

// createdConversation returns the result of the step that created a conversation.
func createdConversation(id int64) ([]byte, error) {
	return json.Marshal(map[string]int64{"conversation_id": id})
}

// link writes the link row and the claim's copy of it. already says that the link
// existed. The caller has locked the claim.
func (s *core) link(ctx context.Context, tx *sql.Tx, row claimRow, in LinkInput) (already bool, err error) {
	if in.ConnectionID == "" || in.ConversationID <= 0 {
		return false, errors.New("link a claim: a connection and a positive conversation id are required")
	}
	same := row.connectionID == in.ConnectionID && row.conversationID == in.ConversationID
	if row.conversationID != 0 && !same {
		return false, conflict("claim %s already has conversation %d", in.Ref, row.conversationID)
	}
	now := s.now()
	n, err := exec(ctx, tx, `INSERT INTO links (shop, claim_id, connection_id, conversation_id, end_user_id, created_at)
		VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`, in.Ref.Shop, in.Ref.ID, in.ConnectionID, in.ConversationID, in.EndUserID, now)
	if err != nil {
		return false, err
	}
	if n == 0 {
		holder, err := claimOf(ctx, tx, in.ConnectionID, in.ConversationID)
		if err != nil {
			return false, err
		}
		if holder != in.Ref {
			return false, conflict("conversation %d belongs to claim %s", in.ConversationID, holder)
		}
	}
	if in.EndUserID != "" {
		if _, err := exec(ctx, tx, `UPDATE links SET end_user_id = $3 WHERE shop = $1 AND claim_id = $2`, in.Ref.Shop, in.Ref.ID, in.EndUserID); err != nil {
			return false, err
		}
	}
	_, err = exec(ctx, tx, `UPDATE claims SET connection_id = $3, conversation_id = $4, end_user_id = CASE WHEN $5 = '' THEN end_user_id ELSE $5 END, updated_at = $6
		WHERE shop = $1 AND id = $2`, in.Ref.Shop, in.Ref.ID, in.ConnectionID, in.ConversationID, in.EndUserID, now)
	return n == 0, err
}
