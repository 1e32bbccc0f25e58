package store

import (
	"context"
	"database/sql"
	"time"
)

const forgetBatch = 1000

// DeleteDelivered removes deliveries that were delivered before a time, and says
// how many. The last one of each claim stays at every endpoint, so that it can be
// seen what the endpoint knows, and so do those that wait or were given up. The
// events themselves stay, so [Deliveries.Replay] can send them again.
func (s Deliveries) DeleteDelivered(ctx context.Context, before time.Time) (int, error) {
	total := 0
	for {
		n := 0
		err := s.write(ctx, "forget old deliveries", func(tx *sql.Tx) (err error) {
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

// DeliveryCounts is how far the deliveries to endpoints of one kind are.
type DeliveryCounts struct {
	// Waiting counts deliveries that are still to be made, those of paused
	// endpoints included.
	Waiting int
	// Oldest is how long the longest waiting of them is known; zero where there is
	// none.
	Oldest time.Duration
	// Dead counts deliveries that were given up and not replayed.
	Dead int
	// Paused counts endpoints that are paused.
	Paused int
}

// Counts counts by kind of endpoint; every kind is there.
func (s Deliveries) Counts(ctx context.Context) (map[EndpointKind]DeliveryCounts, error) {
	var tallies map[EndpointKind]DeliveryCounts
	err := s.read(ctx, "count deliveries", func(db *sql.DB) error {
		tallies = map[EndpointKind]DeliveryCounts{EndpointWebhook: {}, EndpointKarla: {}, EndpointEmail: {}}
		now := s.now()
		return queryEach(ctx, db, func(scan func(...any) error) error {
			var kind EndpointKind
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
