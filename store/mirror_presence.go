package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/claimflow/claimflow/kpi"
)

// SavePresence stores a sample of the presence of agents, all taken at one time. It is a
// change of the connection's rows.
func (s Mirror) SavePresence(ctx context.Context, connectionID string, at time.Time, samples []kpi.PresenceSample) error {
	return s.write(ctx, "store the presence of agents", func(tx *sql.Tx) error {
		change, err := s.lockMirror(ctx, tx, connectionID)
		if err != nil {
			return err
		}
		insert := newUpsert("presence_samples", []string{"connection_id", "at", "agent_id"}, "working")
		seen := map[string]bool{}
		for _, sample := range samples {
			id := plain(sample.AgentID)
			if id == "" || seen[id] {
				continue
			}
			seen[id] = true
			working := 0
			if sample.Working {
				working = 1
			}
			insert.add(connectionID, micros(at), id, working)
		}
		if err := insert.run(ctx, tx, s.dialect); err != nil {
			return err
		}
		return saveChange(ctx, tx, connectionID, change+1)
	})
}
