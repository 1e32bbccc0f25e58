package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/claimflow/claimflow/claim"
)

const forgetBatch = 1000

// DeleteDelivered deletes deliveries that were delivered before a time, and returns
// their number. The last delivery of each claim stays at every endpoint, to show
// what the endpoint knows. Waiting and dead deliveries stay as well. The events
// themselves stay, so [Deliveries.Replay] can send them again.
func (s Deliveries) DeleteDelivered(ctx context.Context, before time.Time) (int, error) {
	total := 0
	for {
		n := 0
		err := s.write(ctx, "delete old deliveries", func(tx *sql.Tx) (err error) {
			n, err = exec(ctx, tx, `DELETE FROM deliveries WHERE id IN (
				SELECT d.id FROM deliveries d WHERE d.state = 'delivered' AND d.delivered_at < $1 AND EXISTS (
					SELECT 1 FROM deliveries p WHERE p.endpoint_id = d.endpoint_id AND p.lane = d.lane AND p.sequence > d.sequence AND p.state = 'delivered')
				ORDER BY d.delivered_at, d.id LIMIT $2)`, micros(before), forgetBatch)
			return err
		})
		total += n
		if err != nil || n < forgetBatch {
			return total, err
		}
	}
}

// DeliveryCounts is the progress of the deliveries to endpoints of one kind.
type DeliveryCounts struct {
	// Waiting counts the deliveries still to be made, including those of paused
	// endpoints.
	Waiting int
	// Oldest is the age of the oldest waiting delivery; zero if there is none.
	Oldest time.Duration
	// Dead counts the deliveries that were dead-lettered and not replayed.
	Dead int
	// Paused counts the paused endpoints.
	Paused int
}

// Counts counts deliveries by kind of endpoint. The result contains every kind.
func (s Deliveries) Counts(ctx context.Context) (map[claim.EndpointKind]DeliveryCounts, error) {
	var tallies map[claim.EndpointKind]DeliveryCounts
	err := s.read(ctx, "count deliveries", func(db *sql.DB) error {
		tallies = map[claim.EndpointKind]DeliveryCounts{claim.EndpointWebhook: {}, claim.EndpointTruto: {}, claim.EndpointKarla: {}, claim.EndpointEmail: {}}
		now := s.now()
		return queryEach(ctx, db, func(scan func(...any) error) error {
			var kind claim.EndpointKind
			var t DeliveryCounts
			var paused bool
			var oldest int64
			if err := scan(&kind, &paused, &t.Waiting, &oldest, &t.Dead); err != nil {
				return err
			}
			if oldest != 0 {
				t.Oldest = time.Duration(now-oldest) * time.Microsecond
			}
			if paused {
				t.Paused = 1
			}
			sum := tallies[kind]
			tallies[kind] = DeliveryCounts{
				Waiting: sum.Waiting + t.Waiting, Oldest: max(sum.Oldest, t.Oldest), Dead: sum.Dead + t.Dead, Paused: sum.Paused + t.Paused,
			}
			return nil
		}, `SELECT e.kind, e.state = 'paused',
				(SELECT COUNT(*) FROM deliveries d WHERE d.endpoint_id = e.id AND d.state = 'waiting'),
				(SELECT COALESCE(MIN(d.created_at), 0) FROM deliveries d WHERE d.endpoint_id = e.id AND d.state = 'waiting'),
				(SELECT COUNT(*) FROM deliveries d WHERE d.endpoint_id = e.id AND d.state = 'dead')
			FROM endpoints e`)
	})
	return tallies, err
}
