package store

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"github.com/claimflow/claimflow/claim"
)

const replayBatch = 500

// Replay sends an endpoint again every event that it wants and that happened from
// since (inclusive) to until (exclusive); a zero time is no bound. It returns their
// number. They keep their webhook-id; events from before the endpoint was added get
// one. Of events about records, those that are still kept are sent.
func (s Deliveries) Replay(ctx context.Context, shop, endpointID string, since, until time.Time) (int, error) {
	e, err := Endpoints(s).Get(ctx, shop, endpointID)
	if err != nil {
		return 0, err
	}
	to := micros(until)
	if until.IsZero() {
		to = s.now() + 1
	}
	total, err := s.replayClaims(ctx, e, micros(since), to)
	if err != nil {
		return total, err
	}
	announced, err := s.replayAnnouncements(ctx, e, micros(since), to)
	total += announced
	if err != nil {
		return total, err
	}
	records, err := s.replayRecords(ctx, e.ID, micros(since), to)
	return total + records, err
}

func (s *core) replayClaims(ctx context.Context, e claim.Endpoint, since, to int64) (int, error) {
	total := 0
	after := eventKey{at: since}
	for {
		var batch []eventKey
		sent := 0
		err := s.write(ctx, "replay events to endpoint "+e.ID, func(tx *sql.Tx) (err error) {
			sent = 0
			if batch, err = eventsAfter(ctx, tx, e.Shop, after, to); err != nil {
				return err
			}
			for _, k := range batch {
				if !e.Kind.Wants(e.EventTypes, k.kind) {
					continue
				}
				if err := s.sendAgain(ctx, tx, e.ID, k.event); err != nil {
					return err
				}
				sent++
			}
			return nil
		})
		if err != nil {
			return total, err
		}
		total += sent
		if len(batch) < replayBatch {
			return total, nil
		}
		after = batch[len(batch)-1]
	}
}

type eventKey struct {
	at int64
	event
}

func eventsAfter(ctx context.Context, tx *sql.Tx, shop string, after eventKey, to int64) ([]eventKey, error) {
	return collect(ctx, tx, func(scan func(...any) error) (k eventKey, err error) {
		err = scan(&k.at, &k.ref.Shop, &k.ref.ID, &k.sequence, &k.kind)
		k.lane = claimLane(k.ref)
		return k, err
	}, `SELECT created_at, shop, claim_id, sequence, type FROM outbox
		WHERE (created_at, shop, claim_id, sequence) > ($1, $2, $3, $4) AND created_at < $5 AND ($6 = '' OR shop = $6)
		ORDER BY created_at, shop, claim_id, sequence LIMIT $7`,
		after.at, after.ref.Shop, after.ref.ID, after.sequence, to, shop, replayBatch)
}

// replayAnnouncements replays the announcements that concern the endpoint's shop.
// There are few of them.
func (s *core) replayAnnouncements(ctx context.Context, e claim.Endpoint, since, to int64) (int, error) {
	total := 0
	err := s.write(ctx, "replay events to endpoint "+e.ID, func(tx *sql.Tx) error {
		var events []event
		err := queryEach(ctx, tx, func(scan func(...any) error) error {
			var a event
			var shops string
			err := scan(&a.announcement, &a.lane, &a.sequence, &a.kind, &shops)
			concerned := e.Shop == "" || slices.Contains(strings.Split(shops, ","), e.Shop)
			if concerned && e.Kind.Wants(e.EventTypes, a.kind) {
				events = append(events, a)
			}
			return err
		}, `SELECT id, lane, sequence, type, shops FROM announcements WHERE created_at >= $1 AND created_at < $2 AND lane <> $3
			ORDER BY created_at, lane, sequence`, since, to, endpointLane+e.ID)
		if err != nil {
			return err
		}
		for _, a := range events {
			if err := s.sendAgain(ctx, tx, e.ID, a); err != nil {
				return err
			}
		}
		total = len(events)
		return nil
	})
	return total, err
}

func (s *core) sendAgain(ctx context.Context, tx *sql.Tx, endpointID string, e event) error {
	return s.addDelivery(ctx, tx, endpointID, e, s.now(),
		`DO UPDATE SET state = 'waiting', attempts = 0, note = '', next_attempt_at = excluded.next_attempt_at`)
}
