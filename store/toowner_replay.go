package store

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

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

// ReplayOne sends one delivery again, with its webhook-id.
func (s Deliveries) ReplayOne(ctx context.Context, shop, endpointID, id string) error {
	return s.execute(ctx, "replay delivery "+id, notFound("delivery "+id), `UPDATE deliveries SET state = 'waiting', attempts = 0, note = '', next_attempt_at = $4
		WHERE id = $3 AND endpoint_id = (SELECT id FROM endpoints WHERE shop = $1 AND id = $2)`, shop, endpointID, id, s.now())
}

// AddTest adds a delivery of a test event to an endpoint and returns its id. It waits for
// no other event.
func (s Deliveries) AddTest(ctx context.Context, shop, endpointID string) (id string, err error) {
	e, err := Endpoints(s).Get(ctx, shop, endpointID)
	if err != nil {
		return "", err
	}
	if e.Kind == claim.EndpointKarla {
		return "", conflict("the endpoint is of kind karla, which receives the status of real claims only")
	}
	now := s.now()
	lane := endpointLane + e.ID + "/test/" + uuid.NewString()
	id = deliveryID(e.ID, event{lane: lane})
	body, err := s.sealJSON(recordEventBody, claim.EndpointNotice{
		Type: claim.OutboundEndpointTest, Timestamp: timeOf(now), Data: claim.EndpointNoticeData{
			EndpointID: e.ID, Kind: string(e.Kind), Description: e.Description, Shop: e.Shop, State: string(e.State),
			Reason: "a person asked for a test", Advice: "No action is needed: this event shows that the endpoint receives events.",
		},
	}, id)
	if err != nil {
		return "", err
	}
	return id, s.write(ctx, "add a test event for endpoint "+e.ID, func(tx *sql.Tx) error {
		err := execOne(ctx, tx, endpointNotFound(e.ID), `UPDATE endpoints SET updated_at = updated_at WHERE id = $1`, e.ID) // so that it stays
		if err != nil {
			return err
		}
		_, err = exec(ctx, tx, `INSERT INTO deliveries (id, endpoint_id, lane, sequence, type, about, body, state, next_attempt_at, created_at)
			VALUES ($1, $2, $3, 0, $4, $3, $5, 'waiting', $6, $6)`, id, e.ID, lane, claim.OutboundEndpointTest, body, now)
		return err
	})
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
