package store

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/claimflow/claimflow/claim"
)

// An announcement is an event that belongs to no claim. It is ordered with the other
// events of its lane.
const (
	connectionLane = "connection:"
	endpointLane   = "endpoint:"
)

// announce adds an event to a lane, with a delivery to every endpoint of the
// platform and of the given shops that wants it, except one. The caller has locked
// the row that the lane is about. body returns the payload for the event's number.
func (s *core) announce(ctx context.Context, tx *sql.Tx, lane, kind string, shops []string, except string, body func(sequence int64) any) error {
	var sequence int64
	err := queryOne(ctx, tx, nil, []any{&sequence}, `SELECT COALESCE(MAX(sequence), 0) + 1 FROM announcements WHERE lane = $1`, lane)
	if err != nil {
		return err
	}
	e := event{lane: lane, sequence: sequence, kind: kind, announcement: uuid.NewString()}
	sealed, err := s.sealJSON(announceBody, body(sequence), e.announcement)
	if err != nil {
		return err
	}
	now := s.now()
	_, err = exec(ctx, tx, `INSERT INTO announcements (id, lane, sequence, type, shops, body, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		e.announcement, lane, sequence, kind, strings.Join(shops, ","), sealed, now)
	if err != nil {
		return err
	}
	return s.addDeliveries(ctx, tx, e, shops, except, now)
}

// announceConnection announces a connection's current state. The caller has locked
// the connection.
func (s *core) announceConnection(ctx context.Context, tx *sql.Tx, id, kind string) error {
	var row connectionRow
	err := queryOne(ctx, tx, notFound("connection "+id), row.dest(), `SELECT `+connectionColumns+` FROM connections n WHERE n.id = $1`, id)
	if err != nil {
		return err
	}
	shops, err := connectionShops(ctx, tx, id)
	if err != nil {
		return err
	}
	c := row.connection(id)
	return s.announce(ctx, tx, connectionLane+id, kind, shops, "", func(sequence int64) any {
		return c.Notice(kind, sequence, timeOf(s.now()), shops)
	})
}

// pauseEndpoint pauses an endpoint that the caller has locked, and notifies the
// others.
func (s *core) pauseEndpoint(ctx context.Context, tx *sql.Tx, id, reason string, now time.Time) error {
	d := claim.EndpointNoticeData{
		EndpointID: id, State: string(claim.EndpointPaused), Reason: plain(reason),
		Advice: "Its events are waiting. Fix the endpoint, then run `starter endpoint resume` to send them.",
	}
	err := queryOne(ctx, tx, endpointNotFound(id), []any{&d.Kind, &d.Shop, &d.Description},
		`UPDATE endpoints SET state = 'paused', reason = $2, updated_at = $3 WHERE id = $1 RETURNING kind, shop, description`, id, d.Reason, micros(now))
	if err != nil {
		return err
	}
	var shops []string
	if d.Shop != "" {
		shops = []string{d.Shop}
	}
	return s.announce(ctx, tx, endpointLane+id, claim.OutboundEndpointPaused, shops, id, func(sequence int64) any {
		d.Sequence = sequence
		return claim.EndpointNotice{Type: claim.OutboundEndpointPaused, Timestamp: timeOf(micros(now)), Data: d}
	})
}
