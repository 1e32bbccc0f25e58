package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/claimflow/claimflow/claim"
)

// otherClaimsLimit bounds how many other claims of an order a record lists.
const otherClaimsLimit = 20

// AcceptResult is the outcome of submitting a claim.
type AcceptResult struct {
	Record claim.Record
	// New says that the claim was not known before.
	New bool
	// Differences lists the fields, by JSON path, in which the claim differs from
	// the known claim's first body. If there are any, nothing was written.
	Differences []string
}

// Accept makes a claim durable, in [claim.StateReceived]. It leaves a known claim
// unchanged and compares the two, see [claim.Differences]. Of any number of
// concurrent callers with the same claim, exactly one gets it as new. It returns
// [ErrNotFound] for an unknown or deleted shop.
func (s Claims) Accept(ctx context.Context, c *claim.Claim) (AcceptResult, error) {
	ref := claim.Ref{Shop: c.Shop, ID: c.ID}
	if ref.Shop == "" || ref.ID == "" {
		return AcceptResult{}, errors.New("accept a claim: id and shop are required")
	}
	doing := "accept claim " + ref.String()
	body, err := s.sealJSON(claimBody, c, ref.Shop, ref.ID)
	if err != nil {
		return AcceptResult{}, fmt.Errorf("%s: %w", doing, err)
	}
	var accepted AcceptResult
	err = s.write(ctx, doing, func(tx *sql.Tx) error {
		var err error
		accepted, err = s.accept(ctx, tx, c, body)
		return err
	})
	return accepted, err
}

func (s *core) accept(ctx context.Context, tx *sql.Tx, c *claim.Claim, body []byte) (AcceptResult, error) {
	ref, accepted := claim.Ref{Shop: c.Shop, ID: c.ID}, AcceptResult{}
	if err := liveShop(ctx, tx, ref.Shop); err != nil {
		return accepted, err
	}
	now := s.now()
	n, err := exec(ctx, tx, `INSERT INTO claims (shop, id, state, reason, reason_key, flow, preference, phase, order_number, body, owner_updated_at, accepted_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12) ON CONFLICT (shop, id) DO NOTHING`,
		ref.Shop, ref.ID, claim.StateReceived, plain(c.Reason), plain(c.ReasonKey()), c.FlowKey(), plain(c.Preference),
		plain(c.ShipmentPhase()), plain(c.Order.Number), body, micros(c.UpdatedAt), now)
	if err != nil {
		return accepted, err
	}
	accepted.New = n == 1
	if accepted.New {
		if err := s.saveFacts(ctx, tx, c); err != nil {
			return accepted, err
		}
	} else {
		first, err := s.body(ctx, tx, ref)
		if err != nil {
			return accepted, err
		}
		accepted.Differences = claim.Differences(first, c)
	}
	accepted.Record, err = s.record(ctx, tx, ref)
	return accepted, err
}

// Record returns what is known about a claim, including the newest other claims of
// its order. It returns [ErrNotFound] for an unknown claim.
func (s Claims) Record(ctx context.Context, ref claim.Ref) (claim.Record, error) {
	return get(ctx, s.core, "read claim "+ref.String(), func(db *sql.DB) (claim.Record, error) { return s.record(ctx, db, ref) })
}

// body returns the claim as it was first accepted.
func (s *core) body(ctx context.Context, q querier, ref claim.Ref) (*claim.Claim, error) {
	var sealed []byte
	err := queryOne(ctx, q, claimNotFound(ref), []any{&sealed}, `SELECT body FROM claims WHERE shop = $1 AND id = $2`, ref.Shop, ref.ID)
	if err != nil {
		return nil, err
	}
	c := new(claim.Claim)
	if err := s.openJSON(claimBody, sealed, c, ref.Shop, ref.ID); err != nil {
		return nil, err
	}
	return c, nil
}

// recordColumns are the columns that [scanRecord] reads, of claims c and their
// connection n.
const recordColumns = `c.shop, c.id, c.state, c.cause, c.last_error, c.reason, c.flow, c.preference, c.phase, c.order_number,
	c.template, c.language, c.route, COALESCE(n.organization_id, ''), c.conversation_id, c.status, c.status_by, c.attached, c.left_out, c.dixa_requests,
	c.fallback_used, c.accepted_at, c.opened_at, c.updated_at`

const recordTables = `claims c LEFT JOIN connections n ON n.id = c.connection_id`

func scanRecord(scan func(dest ...any) error, more ...any) (claim.Record, error) {
	var r claim.Record
	var accepted, opened, updated int64
	err := scan(append([]any{
		&r.Shop, &r.ID, &r.State, &r.Cause, &r.LastError, &r.Reason, &r.Flow, &r.Preference, &r.Phase, &r.OrderNumber,
		&r.Template, &r.Language, &r.Route, &r.OrganizationID, &r.ConversationID, &r.Status, &r.StatusBy, &r.Attached, &r.LeftOut, &r.DixaRequests,
		&r.FallbackUsed, &accepted, &opened, &updated,
	}, more...)...)
	if err != nil {
		return claim.Record{}, err
	}
	if r.Cause != "" {
		r.Advice = r.Cause.Advice()
	}
	r.WorkflowID = r.Ref.WorkflowID()
	r.AcceptedAt, r.OpenedAt, r.UpdatedAt = timeOf(accepted), timeOf(opened), timeOf(updated)
	return r, nil
}

func (s *core) record(ctx context.Context, q querier, ref claim.Ref) (claim.Record, error) {
	row := q.QueryRowContext(ctx, `SELECT `+recordColumns+` FROM `+recordTables+` WHERE c.shop = $1 AND c.id = $2`, ref.Shop, ref.ID)
	r, err := scanRecord(row.Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return r, claimNotFound(ref)
	}
	if err != nil {
		return r, err
	}
	r.OtherClaims, err = otherClaims(ctx, q, ref, r.OrderNumber)
	return r, err
}

func otherClaims(ctx context.Context, q querier, ref claim.Ref, orderNumber string) ([]claim.OtherClaim, error) {
	if orderNumber == "" {
		return nil, nil
	}
	return collect(ctx, q, func(scan func(...any) error) (o claim.OtherClaim, err error) {
		err = scan(&o.ID, &o.State, &o.ConversationID)
		return o, err
	}, `SELECT id, state, conversation_id FROM claims WHERE shop = $1 AND order_number = $2 AND id <> $3
		ORDER BY accepted_at DESC, id DESC LIMIT $4`, ref.Shop, orderNumber, ref.ID, otherClaimsLimit)
}
