package store

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/kpi"
)

// Freshness says how new and complete the records of a connection are. The newest
// information is the newest record, or the time up to which a sweep or an import has
// read Dixa.
func (s Mirror) Freshness(ctx context.Context, connectionID string) (kpi.Freshness, error) {
	var times [5]int64
	var running int
	err := s.read(ctx, "read how fresh the records of connection "+connectionID+" are", func(db *sql.DB) error {
		return queryOne(ctx, db, nil, []any{&times[0], &times[1], &times[2], &times[3], &times[4], &running}, `SELECT
			(SELECT COALESCE(MAX(created_at), 0) FROM figures WHERE connection_id = $1),
			(SELECT COALESCE(MAX(at), 0) FROM messages WHERE connection_id = $1),
			(SELECT COALESCE(MAX(at), 0) FROM activities WHERE connection_id = $1),
			(SELECT COALESCE(MAX(watermark), 0) FROM sweeps WHERE connection_id = $1),
			(SELECT COALESCE(MAX(to_at), 0) FROM coverage WHERE connection_id = $1 AND stream = 'conversations'),
			(SELECT COUNT(*) FROM imports WHERE connection_id = $1 AND state = 'running')`, connectionID)
	})
	if err != nil {
		return kpi.Freshness{}, err
	}
	f := kpi.Freshness{NewestAt: timeOf(min(slices.Max(times[:]), s.now())), Importing: running > 0}
	covered, err := Imports(s).Coverage(ctx, connectionID)
	f.CompleteFrom = completeFrom(covered)
	return f, err
}

// completeFrom returns from when on all streams are imported. Messages and log entries
// that are read with their conversations have no periods of their own.
func completeFrom(covered map[claim.Stream][]Period) time.Time {
	var from time.Time
	for _, stream := range []claim.Stream{claim.StreamConversations, claim.StreamMessages, claim.StreamActivityLogs} {
		periods := covered[stream]
		if len(periods) == 0 && stream == claim.StreamConversations {
			return time.Time{}
		}
		if len(periods) > 0 && periods[0].From.After(from) {
			from = periods[0].From
		}
	}
	return from
}
