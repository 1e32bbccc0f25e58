package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/claimflow/claimflow/claim"
)

// OutboxEvent is an event for a claim's owner.
type OutboxEvent struct {
	// ID identifies the event within its claim. If the same change may be written
	// twice, derive it from what happened. If empty, one is generated.
	ID  string
	Ref claim.Ref
	// Sequence counts the claim's events from 1 without a gap. The store sets it.
	Sequence int64
	Type     string
	// Body is the payload for the owner. If nil, it is the claim after the change,
	// as a [claim.Notice]. It is stored encrypted.
	Body json.RawMessage
	// Message is the message that the event is about; nil for most events.
	Message *claim.MessageNotice
	// CreatedAt is set by the store.
	CreatedAt time.Time
}

// addEvents adds the events that the claim does not have yet after the given
// sequence number, with a delivery to every endpoint that wants them, and returns
// the last number. The caller has locked and changed the claim, so the events report
// its new state.
func (s *core) addEvents(ctx context.Context, tx *sql.Tx, ref claim.Ref, sequence int64, events []OutboxEvent, now int64) (last int64, err error) {
	record, err := s.record(ctx, tx, ref)
	if err != nil {
		return sequence, err
	}
	for _, e := range events {
		if e.ID == "" {
			e.ID = uuid.NewString()
		}
		if e.Body == nil {
			notice := record.Notice(e.Type, sequence+1, timeOf(now))
			notice.Data.Message = e.Message
			if e.Body, err = json.Marshal(notice); err != nil {
				return sequence, err
			}
		}
		body, err := s.seal(outboxBody, e.Body, ref.Shop, ref.ID, e.ID)
		if err != nil {
			return sequence, err
		}
		n, err := exec(ctx, tx, `INSERT INTO outbox (shop, claim_id, sequence, id, type, body, created_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (shop, claim_id, id) DO NOTHING`,
			ref.Shop, ref.ID, sequence+1, e.ID, e.Type, body, now)
		if err != nil {
			return sequence, err
		}
		if n == 0 {
			continue
		}
		sequence++
		told := event{lane: claimLane(ref), sequence: sequence, kind: e.Type, ref: ref}
		if err := s.addDeliveries(ctx, tx, told, []string{ref.Shop}, "", now); err != nil {
			return sequence, err
		}
	}
	_, err = exec(ctx, tx, `UPDATE claims SET sequence = $3 WHERE shop = $1 AND id = $2`, ref.Shop, ref.ID, sequence)
	return sequence, err
}

// List lists a claim's events in sequence order.
func (s Outbox) List(ctx context.Context, ref claim.Ref) ([]OutboxEvent, error) {
	return list(ctx, s.core, "read the outbox of claim "+ref.String(), func(scan func(...any) error) (OutboxEvent, error) {
		e := OutboxEvent{Ref: ref}
		var sealed []byte
		var created int64
		err := scan(&e.ID, &e.Sequence, &e.Type, &sealed, &created)
		if err != nil {
			return e, err
		}
		e.CreatedAt = timeOf(created)
		e.Body, err = s.open(outboxBody, sealed, ref.Shop, ref.ID, e.ID)
		return e, err
	}, `SELECT id, sequence, type, body, created_at FROM outbox WHERE shop = $1 AND claim_id = $2 ORDER BY sequence`, ref.Shop, ref.ID)
}
