package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/claimflow/claimflow/claim"
)

// LeasedDelivery is a delivery that the caller has leased, with everything needed to
// send it.
type LeasedDelivery struct {
	ID, EndpointID, Shop, URL string
	Kind                      claim.EndpointKind
	// Secrets are a webhook's secrets, the current one first.
	Secrets []string
	// Karla is set for an endpoint of kind karla.
	Karla KarlaAccess
	// Ref is zero for an event that belongs to no claim.
	Ref      claim.Ref
	Sequence int64
	Type     string
	// Attempts counts the attempts before this one.
	Attempts int
	Body     json.RawMessage
}

// event is the source of deliveries: an event of a claim or an announcement.
type event struct {
	lane         string
	sequence     int64
	kind         string
	ref          claim.Ref
	announcement string
}

// claimLane is the lane of a claim's events.
func claimLane(ref claim.Ref) string { return ref.WorkflowID() }

// addDeliveries adds a delivery of an event to every endpoint of the platform and of
// the given shops that wants it, except one.
func (s *core) addDeliveries(ctx context.Context, tx *sql.Tx, e event, shops []string, except string, now int64) error {
	args := arguments{except}
	places := placeholders(&args, append([]string{""}, shops...))
	var ids []string
	err := queryEach(ctx, tx, func(scan func(...any) error) error {
		var id, types string
		var kind claim.EndpointKind
		err := scan(&id, &kind, &types)
		if kind.Wants(splitTypes(types), e.kind) {
			ids = append(ids, id)
		}
		return err
	}, `SELECT id, kind, types FROM endpoints WHERE id <> $1 AND shop IN (`+places+`)`, args...)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := s.addDelivery(ctx, tx, id, e, now, `DO NOTHING`); err != nil {
			return err
		}
	}
	return nil
}

// addDelivery adds one delivery, unless the endpoint was removed meanwhile. again is
// the conflict action for an existing delivery.
func (s *core) addDelivery(ctx context.Context, tx *sql.Tx, endpointID string, e event, now int64, again string) error {
	null := func(text string) any {
		if text == "" {
			return nil
		}
		return text
	}
	_, err := exec(ctx, tx, `INSERT INTO deliveries (id, endpoint_id, lane, sequence, shop, claim_id, announcement_id, state, next_attempt_at, created_at)
		SELECT $1, id, $3, CAST($4 AS BIGINT), $5, $6, $7, 'waiting', CAST($8 AS BIGINT), CAST($8 AS BIGINT) FROM endpoints WHERE id = $2
		ON CONFLICT (endpoint_id, lane, sequence) `+again,
		deliveryID(endpointID, e), endpointID, e.lane, e.sequence, null(e.ref.Shop), null(e.ref.ID), null(e.announcement), now)
	return err
}

// deliveryID is the webhook-id of an event at an endpoint. It is derived from both,
// so that a replay has the same one even after the delivery was deleted.
func deliveryID(endpointID string, e event) string {
	return "msg_" + uuid.NewSHA1(uuid.NameSpaceURL, fmt.Appendf(nil, "%s|%s|%d", endpointID, e.lane, e.sequence)).String()
}

// due matches a delivery d that is to be sent at time $1: neither it nor another
// delivery of its lane is leased, and no earlier event of its lane is waiting.
const due = `d.state = 'waiting' AND d.next_attempt_at <= $1 AND d.held_until <= $1 AND NOT EXISTS (
	SELECT 1 FROM deliveries p WHERE p.endpoint_id = d.endpoint_id AND p.lane = d.lane AND p.id <> d.id
		AND (p.held_until > $1 OR p.state = 'waiting' AND p.sequence < d.sequence))`

// DueEndpoints lists the active endpoints with due deliveries.
func (s Deliveries) DueEndpoints(ctx context.Context) ([]string, error) {
	return list(ctx, s.core, "list endpoints with due deliveries", single[string],
		`SELECT e.id FROM endpoints e WHERE e.state = 'active' AND EXISTS (SELECT 1 FROM deliveries d WHERE d.endpoint_id = e.id AND `+due+`) ORDER BY e.id`, s.now())
}

// Lease leases up to limit due deliveries of an active endpoint to a holder, the
// longest due first, at most one per claim. Until the lease expires, no other holder
// gets them or later deliveries of the same claims. Events that belong to no claim
// are ordered by the connection or endpoint that they are about.
func (s Deliveries) Lease(ctx context.Context, endpointID, holder string, limit int, lease time.Duration) ([]LeasedDelivery, error) {
	var parcels []LeasedDelivery
	err := s.write(ctx, "lease deliveries of endpoint "+endpointID, func(tx *sql.Tx) error {
		parcels = nil
		now := s.clock()
		var ids []any
		err := queryEach(ctx, tx, func(scan func(...any) error) error {
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
			p, err := s.leasedDelivery(ctx, tx, id, micros(now))
			if err != nil {
				return err
			}
			parcels = append(parcels, p)
		}
		return nil
	})
	return parcels, err
}

// eventColumns are the columns that [eventRow] reads, of deliveries d.
const (
	eventColumns = `d.id, d.shop, d.claim_id, d.sequence, COALESCE(o.id, ''), o.body, COALESCE(a.id, ''), a.body, d.body, COALESCE(o.type, a.type, d.type)`
	eventTables  = `deliveries d JOIN endpoints e ON e.id = d.endpoint_id
		LEFT JOIN outbox o ON o.shop = d.shop AND o.claim_id = d.claim_id AND o.sequence = d.sequence
		LEFT JOIN announcements a ON a.id = d.announcement_id`
)

type eventRow struct {
	id                                   string
	shop, claimID                        sql.NullString
	sequence                             int64
	eventID, announcementID              string
	claimBody, announcedBody, recordBody []byte
	kind                                 string
}

func (r *eventRow) dest() []any {
	return []any{&r.id, &r.shop, &r.claimID, &r.sequence, &r.eventID, &r.claimBody, &r.announcementID, &r.announcedBody, &r.recordBody, &r.kind}
}

// open decrypts the payload.
func (r *eventRow) open(s *core) ([]byte, error) {
	if r.recordBody != nil {
		return s.open(recordEventBody, r.recordBody, r.id)
	}
	if r.announcementID != "" {
		return s.open(announceBody, r.announcedBody, r.announcementID)
	}
	return s.open(outboxBody, r.claimBody, r.shop.String, r.claimID.String, r.eventID)
}

func (s *core) leasedDelivery(ctx context.Context, tx *sql.Tx, id any, now int64) (LeasedDelivery, error) {
	var p LeasedDelivery
	var row eventRow
	var url, secret, former, karla []byte
	var until int64
	err := queryOne(ctx, tx, notFound("delivery"), append([]any{
		&p.ID, &p.EndpointID, &p.Kind, &p.Shop, &url, &secret, &former, &until, &karla, &p.Attempts,
	}, row.dest()...),
		`SELECT d.id, e.id, e.kind, e.shop, e.url, e.secret, e.previous_secret, e.previous_until, e.karla, d.attempts, `+eventColumns+`
			FROM `+eventTables+` WHERE d.id = $1`, id)
	if err != nil {
		return p, err
	}
	p.Ref, p.Sequence, p.Type = claim.Ref{Shop: row.shop.String, ID: row.claimID.String}, row.sequence, row.kind
	address, err := s.open(endpointURL, url, p.EndpointID)
	if err != nil {
		return p, err
	}
	p.URL = string(address)
	switch p.Kind {
	case claim.EndpointWebhook, claim.EndpointTruto:
		p.Secrets, err = s.openSecrets(endpointSecret, endpointFormer, secret, former, until > now, p.EndpointID)
	case claim.EndpointKarla:
		p.Karla, err = s.karlaAccess(karla, p.EndpointID)
	}
	if err != nil {
		return p, err
	}
	p.Body, err = row.open(s)
	return p, err
}

// MarkDelivered records that the endpoint accepted a delivery that the holder had
// leased. It does nothing if another holder has the lease.
func (s Deliveries) MarkDelivered(ctx context.Context, id, holder string, status int) error {
	return s.write(ctx, "record delivery "+id, func(tx *sql.Tx) error {
		now := s.now()
		n, err := exec(ctx, tx, `UPDATE deliveries SET state = 'delivered', delivered_at = $3, attempts = attempts + 1, last_status = $4, last_error = '', note = '',
			holder = '', held_until = 0 WHERE id = $1 AND holder = $2`, id, holder, now, status)
		if err != nil || n == 0 {
			return err
		}
		// The time has a precision of a minute, so that not every event writes a
		// busy endpoint's row.
		_, err = exec(ctx, tx, `UPDATE endpoints SET succeeded_at = $2, failing_since = 0, failed_at = 0
			WHERE id = (SELECT endpoint_id FROM deliveries WHERE id = $1) AND (failing_since > 0 OR succeeded_at < $3)`, id, now, now-time.Minute.Microseconds())
		return err
	})
}

// MarkSkipped records that there was nothing to send for a delivery that the holder
// had leased, with the reason in note. The delivery counts as delivered. It does
// nothing if another holder has the lease.
func (s Deliveries) MarkSkipped(ctx context.Context, id, holder, note string) error {
	return s.execute(ctx, "record delivery "+id, nil, `UPDATE deliveries SET state = 'delivered', delivered_at = $3, last_error = '', note = $4, holder = '', held_until = 0
		WHERE id = $1 AND holder = $2`, id, holder, s.now(), plain(note))
}

// DeliveryFailure is why an attempt failed and what follows.
type DeliveryFailure struct {
	// Status is the HTTP status of the response; zero if there was none.
	Status int
	// Error describes the error, without the endpoint's response.
	Error string
	// Wait is how long to wait before the next attempt.
	Wait time.Duration
	// Dead dead-letters the delivery.
	Dead bool
	// Pause, unless empty, pauses the endpoint for this reason.
	Pause string
	// PauseAfter pauses an endpoint, for PauseReason, once it has failed for this
	// long without a success. A gap of this length between failures restarts the
	// count.
	PauseAfter  time.Duration
	PauseReason string
}

// MarkFailed records a failed attempt at a delivery that the holder had leased. If
// this failure pauses the endpoint, it returns the reason and notifies the other
// endpoints of the shop and of the platform. It does nothing if another holder has
// the lease.
func (s Deliveries) MarkFailed(ctx context.Context, id, holder string, f DeliveryFailure) (paused string, err error) {
	err = s.write(ctx, "record the failure of delivery "+id, func(tx *sql.Tx) error {
		paused = ""
		now := s.clock()
		state := claim.DeliveryWaiting
		if f.Dead {
			state = claim.DeliveryDead
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
		var present claim.EndpointState
		err = queryOne(ctx, tx, endpointNotFound(endpointID), []any{&since, &present}, `UPDATE endpoints SET failed_at = $2,
			failing_since = CASE WHEN failing_since = 0 OR failed_at <= $3 THEN $2 ELSE failing_since END
			WHERE id = $1 RETURNING failing_since, state`, endpointID, micros(now), micros(now.Add(-f.PauseAfter)))
		if err != nil || present == claim.EndpointPaused {
			return err
		}
		paused = f.Pause
		if paused == "" && f.PauseAfter > 0 && now.Sub(timeOf(since)) >= f.PauseAfter {
			paused = f.PauseReason
		}
		if paused == "" {
			return nil
		}
		return s.pauseEndpoint(ctx, tx, endpointID, paused, now)
	})
	return paused, err
}

// List lists an endpoint's deliveries with their payloads, newest first. next is the
// cursor of the next page, empty on the last page.
func (s Deliveries) List(ctx context.Context, shop, endpointID string, f claim.DeliveryFilter) (deliveries []claim.Delivery, next string, err error) {
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
	deliveries, err = s.where(ctx, endpointID, where+` ORDER BY d.created_at DESC, d.id DESC LIMIT `+args.add(limit+1), args)
	if err != nil {
		return nil, "", err
	}
	deliveries, next = page(deliveries, limit, func(d claim.Delivery) string { return cursor(micros(d.CreatedAt), claim.Ref{ID: d.ID}) })
	return deliveries, next, nil
}

// Get reads a delivery of an endpoint with its payload.
func (s Deliveries) Get(ctx context.Context, shop, endpointID, id string) (claim.Delivery, error) {
	found, err := s.where(ctx, endpointID, `e.shop = $1 AND e.id = $2 AND d.id = $3`, arguments{shop, endpointID, id})
	return only(found, err, notFound("delivery "+id))
}

func (s Deliveries) where(ctx context.Context, endpointID, where string, args arguments) ([]claim.Delivery, error) {
	return list(ctx, s.core, "read the deliveries of endpoint "+endpointID, func(scan func(...any) error) (claim.Delivery, error) {
		var d claim.Delivery
		var row eventRow
		var at, delivered, created int64
		err := scan(append([]any{&d.ID, &d.State, &d.Attempts, &at, &d.LastStatus, &d.LastError, &d.Note, &delivered, &created}, row.dest()...)...)
		if err != nil {
			return d, err
		}
		d.Shop, d.ClaimID, d.Sequence, d.Type = row.shop.String, row.claimID.String, row.sequence, row.kind
		if d.State == claim.DeliveryWaiting {
			d.NextAttemptAt = timeOf(at)
		}
		d.DeliveredAt, d.CreatedAt = timeOf(delivered), timeOf(created)
		d.Body, err = row.open(s.core)
		return d, err
	}, `SELECT d.id, d.state, d.attempts, d.next_attempt_at, d.last_status, d.last_error, d.note, d.delivered_at, d.created_at, `+eventColumns+`
		FROM `+eventTables+` WHERE `+where, args...)
}
