package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/claimflow/claimflow/claim"
)

// DeliveryState says what became of a delivery.
type DeliveryState string

// The states of a delivery.
const (
	// DeliveryWaiting: it is tried when it is due, after the events of the same
	// claim before it.
	DeliveryWaiting DeliveryState = "waiting"
	// DeliveryDelivered: the endpoint took it.
	DeliveryDelivered DeliveryState = "delivered"
	// DeliveryDead: it was given up; later events go on without it.
	DeliveryDead DeliveryState = "dead"
)

// Delivery is one event for one endpoint.
type Delivery struct {
	// ID is the message's webhook-id: the same in every attempt and replay.
	ID  string
	Ref claim.Ref
	// Sequence, Type and Body are the event's.
	Sequence int64
	Type     string
	Body     json.RawMessage
	State    DeliveryState
	Attempts int
	// NextAttemptAt is zero unless the delivery waits.
	NextAttemptAt time.Time
	// LastStatus is the last answer's HTTP status; zero where none came.
	LastStatus int
	// LastError says what was wrong, never with what the endpoint answered.
	LastError   string
	DeliveredAt time.Time
	CreatedAt   time.Time
}

// Parcel is a delivery that the caller holds, with what it needs to send it.
type Parcel struct {
	ID, EndpointID, Shop, URL string
	// Secrets are the endpoint's, the present one first.
	Secrets  []string
	Ref      claim.Ref
	Sequence int64
	Type     string
	// Attempts counts those before this one.
	Attempts int
	Body     json.RawMessage
}

// addDeliveries adds a delivery of an event to every endpoint that wants it.
func (s *Store) addDeliveries(ctx context.Context, tx *sql.Tx, ref claim.Ref, sequence int64, kind string, now int64) error {
	var ids []string
	err := each(ctx, tx, func(scan func(...any) error) error {
		var id, types string
		err := scan(&id, &types)
		if wants(types, kind) {
			ids = append(ids, id)
		}
		return err
	}, `SELECT id, types FROM endpoints WHERE shop IN ('', $1)`, ref.Shop)
	if err != nil {
		return err
	}
	for _, id := range ids {
		_, err := exec(ctx, tx, `INSERT INTO deliveries (id, endpoint_id, shop, claim_id, sequence, state, next_attempt_at, created_at)
			SELECT $1, id, $3, $4, CAST($5 AS BIGINT), 'waiting', CAST($6 AS BIGINT), CAST($6 AS BIGINT) FROM endpoints WHERE id = $2`, deliveryID(), id, ref.Shop, ref.ID, sequence, now)
		if err != nil {
			return err
		}
	}
	return nil
}

func deliveryID() string { return "msg_" + uuid.NewString() }

// due is true of a delivery d that is to be sent at time $1: nobody holds it or
// another of the same claim, and none of the claim's earlier events waits.
const due = `d.state = 'waiting' AND d.next_attempt_at <= $1 AND d.held_until <= $1 AND NOT EXISTS (
	SELECT 1 FROM deliveries p WHERE p.endpoint_id = d.endpoint_id AND p.shop = d.shop AND p.claim_id = d.claim_id AND p.id <> d.id
		AND (p.held_until > $1 OR p.state = 'waiting' AND p.sequence < d.sequence))`

// DueEndpoints names the active endpoints that something is to be sent to now.
func (s *Store) DueEndpoints(ctx context.Context) ([]string, error) {
	var ids []string
	err := s.read(ctx, "look for due deliveries", func(db *sql.DB) error {
		ids = nil
		return each(ctx, db, func(scan func(...any) error) error {
			var id string
			err := scan(&id)
			ids = append(ids, id)
			return err
		}, `SELECT e.id FROM endpoints e WHERE e.state = 'active' AND EXISTS (SELECT 1 FROM deliveries d WHERE d.endpoint_id = e.id AND `+due+`) ORDER BY e.id`, s.now())
	})
	return ids, err
}

// HoldDeliveries takes up to limit due deliveries of an active endpoint for a
// holder, the longest due first, at most one of each claim. For as long as lease
// says nobody else gets them or later ones of the same claims.
func (s *Store) HoldDeliveries(ctx context.Context, endpointID, holder string, limit int, lease time.Duration) ([]Parcel, error) {
	var parcels []Parcel
	err := s.write(ctx, "take deliveries of endpoint "+endpointID, func(tx *sql.Tx) error {
		parcels = nil
		now := s.clock()
		var ids []any
		err := each(ctx, tx, func(scan func(...any) error) error {
			var id string
			err := scan(&id)
			ids = append(ids, id)
			return err
		}, `UPDATE deliveries SET holder = $4, held_until = $5 WHERE held_until <= $1 AND state = 'waiting' AND id IN (
				SELECT d.id FROM deliveries d JOIN endpoints e ON e.id = d.endpoint_id WHERE e.id = $2 AND e.state = 'active' AND `+due+`
				ORDER BY d.next_attempt_at, d.sequence, d.id LIMIT $3) RETURNING id`,
			micros(now), endpointID, limit, holder, micros(now.Add(lease)))
		if err != nil {
			return err
		}
		for _, id := range ids {
			p, err := s.parcel(ctx, tx, id, micros(now))
			if err != nil {
				return err
			}
			parcels = append(parcels, p)
		}
		return nil
	})
	return parcels, err
}

func (s *Store) parcel(ctx context.Context, tx *sql.Tx, id any, now int64) (Parcel, error) {
	var p Parcel
	var eventID string
	var url, secret, former, body []byte
	var until int64
	err := one(ctx, tx, notFound("delivery"), []any{
		&p.ID, &p.EndpointID, &p.Shop, &url, &secret, &former, &until, &p.Ref.Shop, &p.Ref.ID, &p.Sequence, &p.Attempts, &eventID, &p.Type, &body,
	},
		`SELECT d.id, e.id, e.shop, e.url, e.secret, e.previous_secret, e.previous_until, d.shop, d.claim_id, d.sequence, d.attempts, o.id, o.type, o.body
			FROM deliveries d JOIN endpoints e ON e.id = d.endpoint_id
			JOIN outbox o ON o.shop = d.shop AND o.claim_id = d.claim_id AND o.sequence = d.sequence WHERE d.id = $1`, id)
	if err != nil {
		return p, err
	}
	address, err := s.open(endpointURL, url, p.EndpointID)
	if err != nil {
		return p, err
	}
	present, err := s.open(endpointSecret, secret, p.EndpointID)
	if err != nil {
		return p, err
	}
	p.URL, p.Secrets = string(address), []string{string(present)}
	if until > now {
		previous, err := s.open(endpointFormer, former, p.EndpointID)
		if err != nil {
			return p, err
		}
		p.Secrets = append(p.Secrets, string(previous))
	}
	p.Body, err = s.open(outboxBody, body, p.Ref.Shop, p.Ref.ID, eventID)
	return p, err
}

// Delivered says that the endpoint took what the holder held. It does nothing
// for one whose lease went to somebody else.
func (s *Store) Delivered(ctx context.Context, id, holder string, status int) error {
	return s.write(ctx, "note delivery "+id, func(tx *sql.Tx) error {
		now := s.now()
		n, err := exec(ctx, tx, `UPDATE deliveries SET state = 'delivered', delivered_at = $3, attempts = attempts + 1, last_status = $4, last_error = '',
			holder = '', held_until = 0 WHERE id = $1 AND holder = $2`, id, holder, now, status)
		if err != nil || n == 0 {
			return err
		}
		// The time is kept to the minute, so that a busy endpoint's row is not
		// written for each event.
		_, err = exec(ctx, tx, `UPDATE endpoints SET succeeded_at = $2, failing_since = 0, failed_at = 0
			WHERE id = (SELECT endpoint_id FROM deliveries WHERE id = $1) AND (failing_since > 0 OR succeeded_at < $3)`, id, now, now-time.Minute.Microseconds())
		return err
	})
}

// Failure is why an attempt did not succeed and what follows.
type Failure struct {
	// Status is that of the answer; zero where none came.
	Status int
	// Error says what was wrong, without what the endpoint answered.
	Error string
	// Wait is how long to wait until the next attempt.
	Wait time.Duration
	// Dead gives the delivery up.
	Dead bool
	// Pause, unless empty, pauses the endpoint for this reason.
	Pause string
	// PauseAfter pauses an endpoint that has failed for so long, since without
	// success, as PauseReason says. A silence of as long begins the count anew.
	PauseAfter  time.Duration
	PauseReason string
}

// Failed notes a failed attempt at what the holder held and returns why the
// endpoint is paused, where this failure paused it. It does nothing for a
// delivery whose lease went to somebody else.
func (s *Store) Failed(ctx context.Context, id, holder string, f Failure) (paused string, err error) {
	err = s.write(ctx, "note the failure of delivery "+id, func(tx *sql.Tx) error {
		paused = ""
		now := s.clock()
		state := DeliveryWaiting
		if f.Dead {
			state = DeliveryDead
		}
		var endpointID string
		err := tx.QueryRowContext(ctx, `UPDATE deliveries SET state = $3, attempts = attempts + 1, next_attempt_at = $4, last_status = $5, last_error = $6,
			holder = '', held_until = 0 WHERE id = $1 AND holder = $2 RETURNING endpoint_id`,
			id, holder, state, micros(now.Add(f.Wait)), f.Status, plain(cut(f.Error, maxLastError))).Scan(&endpointID)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		var since int64
		var present EndpointState
		err = one(ctx, tx, endpointNotFound(endpointID), []any{&since, &present}, `UPDATE endpoints SET failed_at = $2,
			failing_since = CASE WHEN failing_since = 0 OR failed_at <= $3 THEN $2 ELSE failing_since END
			WHERE id = $1 RETURNING failing_since, state`, endpointID, micros(now), micros(now.Add(-f.PauseAfter)))
		if err != nil || present == EndpointPaused {
			return err
		}
		paused = f.Pause
		if paused == "" && f.PauseAfter > 0 && now.Sub(timeOf(since)) >= f.PauseAfter {
			paused = f.PauseReason
		}
		if paused == "" {
			return nil
		}
		_, err = exec(ctx, tx, `UPDATE endpoints SET state = 'paused', reason = $2, updated_at = $3 WHERE id = $1`, endpointID, plain(paused), micros(now))
		return err
	})
	return paused, err
}

// DeliveryFilter says which deliveries of an endpoint to list. Zero members do
// not filter.
type DeliveryFilter struct {
	State   DeliveryState
	ClaimID string
	// Limit is how many to list at most. Defaults to 50; at most 500.
	Limit int
	// Cursor goes on where an earlier list ended.
	Cursor string
}

// Deliveries lists an endpoint's deliveries with what was sent, newest first.
// next is the cursor of the next page, empty on the last.
func (s *Store) Deliveries(ctx context.Context, shop, endpointID string, f DeliveryFilter) (deliveries []Delivery, next string, err error) {
	args := arguments{shop, endpointID}
	where := `e.shop = $1 AND e.id = $2`
	if f.State != "" {
		where += ` AND d.state = ` + args.add(f.State)
	}
	if f.ClaimID != "" {
		where += ` AND d.claim_id = ` + args.add(plain(f.ClaimID))
	}
	if f.Cursor != "" {
		at, last, err := parseCursor(f.Cursor)
		if err != nil {
			return nil, "", err
		}
		where += ` AND (d.created_at, d.id) < (` + args.add(at) + `, ` + args.add(last.ID) + `)`
	}
	limit := pageSize(f.Limit)
	query := `SELECT d.id, d.shop, d.claim_id, d.sequence, o.id, o.type, o.body, d.state, d.attempts, d.next_attempt_at, d.last_status, d.last_error, d.delivered_at, d.created_at
		FROM deliveries d JOIN endpoints e ON e.id = d.endpoint_id
		JOIN outbox o ON o.shop = d.shop AND o.claim_id = d.claim_id AND o.sequence = d.sequence
		WHERE ` + where + ` ORDER BY d.created_at DESC, d.id DESC LIMIT ` + args.add(limit+1)
	err = s.read(ctx, "list the deliveries of endpoint "+endpointID, func(db *sql.DB) error {
		deliveries = nil
		return each(ctx, db, func(scan func(...any) error) error {
			var d Delivery
			var eventID string
			var body []byte
			var at, delivered, created int64
			err := scan(&d.ID, &d.Ref.Shop, &d.Ref.ID, &d.Sequence, &eventID, &d.Type, &body, &d.State, &d.Attempts, &at, &d.LastStatus, &d.LastError, &delivered, &created)
			if err != nil {
				return err
			}
			if d.State == DeliveryWaiting {
				d.NextAttemptAt = timeOf(at)
			}
			d.DeliveredAt, d.CreatedAt = timeOf(delivered), timeOf(created)
			d.Body, err = s.open(outboxBody, body, d.Ref.Shop, d.Ref.ID, eventID)
			deliveries = append(deliveries, d)
			return err
		}, query, args...)
	})
	if err != nil {
		return nil, "", err
	}
	if len(deliveries) > limit {
		deliveries = deliveries[:limit]
		last := deliveries[limit-1]
		next = cursor(micros(last.CreatedAt), claim.Ref{ID: last.ID})
	}
	return deliveries, next, nil
}

const replayBatch = 500

// Replay has an endpoint sent again every event that it wants and that happened
// from since, included, until until, not included; zero means without bound. It
// says how many those are. They keep their webhook-id; events from before the
// endpoint was added get one.
func (s *Store) Replay(ctx context.Context, shop, endpointID string, since, until time.Time) (int, error) {
	e, err := s.Endpoint(ctx, shop, endpointID)
	if err != nil {
		return 0, err
	}
	to := micros(until)
	if until.IsZero() {
		to = s.now() + 1
	}
	total := 0
	after := eventKey{at: micros(since)}
	for {
		var batch []eventKey
		err := s.write(ctx, "replay events to endpoint "+endpointID, func(tx *sql.Tx) (err error) {
			if batch, err = eventsAfter(ctx, tx, e.Shop, after, to); err != nil {
				return err
			}
			for _, k := range batch {
				if !wants(strings.Join(e.Types, ","), k.kind) {
					continue
				}
				if err := s.sendAgain(ctx, tx, endpointID, k); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return total, err
		}
		for _, k := range batch {
			if wants(strings.Join(e.Types, ","), k.kind) {
				total++
			}
		}
		if len(batch) < replayBatch {
			return total, nil
		}
		after = batch[len(batch)-1]
	}
}

type eventKey struct {
	at       int64
	ref      claim.Ref
	sequence int64
	kind     string
}

func eventsAfter(ctx context.Context, tx *sql.Tx, shop string, after eventKey, to int64) ([]eventKey, error) {
	var keys []eventKey
	err := each(ctx, tx, func(scan func(...any) error) error {
		var k eventKey
		err := scan(&k.at, &k.ref.Shop, &k.ref.ID, &k.sequence, &k.kind)
		keys = append(keys, k)
		return err
	}, `SELECT created_at, shop, claim_id, sequence, type FROM outbox
		WHERE (created_at, shop, claim_id, sequence) > ($1, $2, $3, $4) AND created_at < $5 AND ($6 = '' OR shop = $6)
		ORDER BY created_at, shop, claim_id, sequence LIMIT $7`,
		after.at, after.ref.Shop, after.ref.ID, after.sequence, to, shop, replayBatch)
	return keys, err
}

func (s *Store) sendAgain(ctx context.Context, tx *sql.Tx, endpointID string, k eventKey) error {
	now := s.now()
	_, err := exec(ctx, tx, `INSERT INTO deliveries (id, endpoint_id, shop, claim_id, sequence, state, next_attempt_at, created_at)
		VALUES ($1, $2, $3, $4, $5, 'waiting', $6, $6)
		ON CONFLICT (endpoint_id, shop, claim_id, sequence) DO UPDATE SET state = 'waiting', attempts = 0, next_attempt_at = excluded.next_attempt_at`,
		deliveryID(), endpointID, k.ref.Shop, k.ref.ID, k.sequence, now)
	return err
}
