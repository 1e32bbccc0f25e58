package store

import (
	"context"
	"database/sql"
	"time"
)

// ScheduleVersion is a version of a schedule of business hours.
type ScheduleVersion struct {
	ID        string
	ValidFrom time.Time
	// Definition is the schedule as Dixa returns it.
	Definition []byte
}

// SaveSchedule stores the definition of a schedule that was read at a time, unless it
// equals the newest known version.
func (s Mirror) SaveSchedule(ctx context.Context, connectionID string, v ScheduleVersion) error {
	return s.write(ctx, "store schedule "+v.ID, func(tx *sql.Tx) error {
		var newest string
		err := queryOne(ctx, tx, nil, []any{&newest}, `SELECT doc FROM schedules WHERE connection_id = $1 AND id = $2 ORDER BY valid_from DESC LIMIT 1`, connectionID, v.ID)
		if err != nil || newest == plain(string(v.Definition)) {
			return err
		}
		_, err = exec(ctx, tx, `INSERT INTO schedules (connection_id, id, valid_from, doc) VALUES ($1, $2, $3, $4)
			ON CONFLICT (connection_id, id, valid_from) DO UPDATE SET doc = excluded.doc`, connectionID, v.ID, micros(v.ValidFrom), plain(string(v.Definition)))
		return err
	})
}

// Schedules lists the versions of all schedules of a connection, oldest first.
func (s Mirror) Schedules(ctx context.Context, connectionID string) ([]ScheduleVersion, error) {
	return list(ctx, s.core, "read the schedules of connection "+connectionID, func(scan func(...any) error) (v ScheduleVersion, err error) {
		var from int64
		err = scan(&v.ID, &from, &v.Definition)
		v.ValidFrom = timeOf(from)
		return v, err
	}, `SELECT id, valid_from, doc FROM schedules WHERE connection_id = $1 ORDER BY id, valid_from`, connectionID)
}
