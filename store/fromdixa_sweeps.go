package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/mirror"
)

// SweepStart is the starting point of a connection's sweep.
type SweepStart struct {
	// Wanted says that an enabled shop uses the connection and that Dixa does not
	// refuse its token. If false, the other fields are zero.
	Wanted bool
	// Watermark is the time up to which all of Dixa's log entries are stored; zero
	// before the first sweep ended.
	Watermark time.Time
	// FirstLink is when the connection's first conversation was linked to a claim;
	// zero if none was.
	FirstLink time.Time
	// Now is the store's time at the start of the sweep.
	Now time.Time
}

// Begin records the start of a connection's sweep. An unknown connection is not
// wanted.
func (s Sweeps) Begin(ctx context.Context, connectionID string) (SweepStart, error) {
	var start SweepStart
	err := s.write(ctx, "begin the sweep of connection "+connectionID, func(tx *sql.Tx) error {
		start = SweepStart{}
		wanted := 0
		err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM connections n WHERE n.id = $1 AND n.state = $2
			AND EXISTS (SELECT 1 FROM shops s WHERE s.connection_id = n.id AND s.enabled AND s.deleted_at = 0)`,
			connectionID, claim.ConnectionActive).Scan(&wanted)
		if err != nil || wanted == 0 {
			return err
		}
		start.Wanted, start.Now = true, timeOf(s.now())
		var watermark, first int64
		err = queryOne(ctx, tx, ErrNotFound, []any{&watermark}, `INSERT INTO sweeps (connection_id, started_at) VALUES ($1, $2)
			ON CONFLICT (connection_id) DO UPDATE SET started_at = excluded.started_at RETURNING watermark`, connectionID, s.now())
		if err != nil {
			return err
		}
		err = tx.QueryRowContext(ctx, `SELECT COALESCE(MIN(created_at), 0) FROM links WHERE connection_id = $1`, connectionID).Scan(&first)
		start.Watermark, start.FirstLink = timeOf(watermark), timeOf(first)
		return err
	})
	return start, err
}

// RaiseWatermark records that all of Dixa's log entries up to a time are stored. The
// watermark never moves back.
func (s Sweeps) RaiseWatermark(ctx context.Context, connectionID string, to time.Time) error {
	return s.execute(ctx, "save the watermark of connection "+connectionID, nil,
		`UPDATE sweeps SET watermark = $2 WHERE connection_id = $1 AND watermark < $2`, connectionID, micros(to))
}

// End records the report of a sweep and returns the sweep's resulting state.
func (s Sweeps) End(ctx context.Context, connectionID string, report claim.SweepReport) (claim.Sweep, error) {
	doc, err := json.Marshal(report)
	if err != nil {
		return claim.Sweep{}, fmt.Errorf("end the sweep of connection %s: %w", connectionID, err)
	}
	err = s.execute(ctx, "end the sweep of connection "+connectionID, nil,
		`UPDATE sweeps SET finished_at = $2, report = $3 WHERE connection_id = $1`, connectionID, s.now(), plain(string(doc)))
	if err != nil {
		return claim.Sweep{}, err
	}
	return s.Last(ctx, connectionID)
}

// SaveInactiveTags stores which tags are deactivated in a connection's Dixa.
func (s Sweeps) SaveInactiveTags(ctx context.Context, connectionID string, names []string) error {
	doc, err := json.Marshal(names)
	if err != nil {
		return fmt.Errorf("save the deactivated tags of connection %s: %w", connectionID, err)
	}
	return s.execute(ctx, "save the deactivated tags of connection "+connectionID, nil, `INSERT INTO sweeps (connection_id, inactive_tags) VALUES ($1, $2)
		ON CONFLICT (connection_id) DO UPDATE SET inactive_tags = excluded.inactive_tags`, connectionID, plain(string(doc)))
}

// InactiveTags returns the names of the tags that were deactivated in a connection's
// Dixa when it was last queried.
func (s Sweeps) InactiveTags(ctx context.Context, connectionID string) ([]string, error) {
	return get(ctx, s.core, "read the deactivated tags of connection "+connectionID, func(db *sql.DB) (names []string, err error) {
		doc := "[]"
		if err = queryOne(ctx, db, nil, []any{&doc}, `SELECT inactive_tags FROM sweeps WHERE connection_id = $1`, connectionID); err == nil {
			err = json.Unmarshal([]byte(doc), &names)
		}
		return names, err
	})
}

// Last reads the state of a connection's last sweep. It returns [ErrNotFound] if no
// sweep has begun.
func (s Sweeps) Last(ctx context.Context, connectionID string) (claim.Sweep, error) {
	return get(ctx, s.core, "read the last sweep of connection "+connectionID, func(db *sql.DB) (sweep claim.Sweep, err error) {
		var watermark, started, finished int64
		var report string
		err = queryOne(ctx, db, notFound("sweep of connection "+connectionID), []any{&watermark, &started, &finished, &report},
			`SELECT watermark, started_at, finished_at, report FROM sweeps WHERE connection_id = $1`, connectionID)
		if err != nil {
			return sweep, err
		}
		sweep = claim.Sweep{
			Watermark: timeOf(watermark), StartedAt: timeOf(started), FinishedAt: timeOf(finished), LagSeconds: int64(s.lag(watermark).Seconds()),
		}
		err = json.Unmarshal([]byte(report), &sweep.Report)
		return sweep, err
	})
}

func (s *core) lag(watermark int64) time.Duration {
	if watermark == 0 {
		return 0
	}
	return max(0, time.Duration(s.now()-watermark)*time.Microsecond)
}

// Lags returns how far the watermarks of connections that enabled shops use lag
// behind. It omits connections whose first sweep has not ended.
func (s Sweeps) Lags(ctx context.Context) (map[string]time.Duration, error) {
	return get(ctx, s.core, "read the watermarks", func(db *sql.DB) (map[string]time.Duration, error) {
		lags := map[string]time.Duration{}
		return lags, queryEach(ctx, db, func(scan func(...any) error) error {
			var id string
			var watermark int64
			err := scan(&id, &watermark)
			lags[id] = s.lag(watermark)
			return err
		}, `SELECT w.connection_id, w.watermark FROM sweeps w WHERE w.watermark > 0
			AND EXISTS (SELECT 1 FROM shops s WHERE s.connection_id = w.connection_id AND s.enabled AND s.deleted_at = 0)`)
	})
}

// Connections lists the connections that enabled shops use.
func (s Sweeps) Connections(ctx context.Context) ([]string, error) {
	return list(ctx, s.core, "list the connections to sweep", single[string],
		`SELECT DISTINCT connection_id FROM shops WHERE enabled AND deleted_at = 0 AND connection_id IS NOT NULL ORDER BY connection_id`)
}

// SaveActivities stores entries of Dixa's activity log and returns the number of
// claims' conversations among them. Entries of claims' conversations wait until they
// are reconciled, also if they were reconciled before.
func (s Sweeps) SaveActivities(ctx context.Context, connectionID string, entries []mirror.Activity) (conversations int, err error) {
	if len(entries) == 0 {
		return 0, nil
	}
	err = s.write(ctx, "store entries of the activity log", func(tx *sql.Tx) error {
		m := &merge{core: s.core, tx: tx, MirrorBatch: MirrorBatch{ConnectionID: connectionID, Activities: entries, Reconcile: true}}
		if err := m.load(ctx); err != nil {
			return err
		}
		conversations = len(m.linked)
		return m.run(ctx)
	})
	return conversations, err
}

// Unreconciled lists up to limit conversations that have activity log entries to
// reconcile and were not postponed since a time, least recently postponed first.
func (s Sweeps) Unreconciled(ctx context.Context, connectionID string, since time.Time, limit int) ([]int64, error) {
	return list(ctx, s.core, "list conversations to reconcile", func(scan func(...any) error) (id int64, err error) {
		var tried int64
		err = scan(&id, &tried)
		return id, err
	}, `SELECT conversation_id, MAX(tried_at) AS tried FROM activities WHERE connection_id = $1 AND pending GROUP BY conversation_id
		HAVING MAX(tried_at) < $2 ORDER BY tried, conversation_id LIMIT $3`, connectionID, micros(since), limit)
}

// Activities lists the entries of a conversation that are to be reconciled, oldest
// first.
func (s Sweeps) Activities(ctx context.Context, connectionID string, conversationID int64) ([]mirror.Activity, error) {
	return list(ctx, s.core, fmt.Sprintf("read the activity log of conversation %d", conversationID), s.scanActivity(connectionID),
		`SELECT `+activityColumns+` FROM activities WHERE connection_id = $1 AND conversation_id = $2 AND pending ORDER BY at, id`, connectionID, conversationID)
}

// MarkReconciled records that entries of the activity log are reconciled.
func (s Sweeps) MarkReconciled(ctx context.Context, connectionID string, entries []mirror.Activity) error {
	return s.write(ctx, "record that entries of the activity log are reconciled", func(tx *sql.Tx) error {
		for _, e := range entries {
			if _, err := exec(ctx, tx, `UPDATE activities SET pending = FALSE WHERE connection_id = $1 AND id = $2`, connectionID, e.ID); err != nil {
				return err
			}
		}
		return nil
	})
}

// Postpone defers the entries of a conversation to the next sweep.
func (s Sweeps) Postpone(ctx context.Context, connectionID string, conversationID int64) error {
	return s.execute(ctx, fmt.Sprintf("postpone conversation %d", conversationID), nil,
		`UPDATE activities SET tried_at = $3 WHERE connection_id = $1 AND conversation_id = $2 AND pending`, connectionID, conversationID, s.now())
}

// ReceivedBetween lists the events of a conversation that happened between two times
// by Dixa's clock, oldest first. It omits events with the name without.
func (s Inbox) ReceivedBetween(ctx context.Context, connectionID string, conversationID int64, from, to time.Time, without string) ([]DixaEvent, error) {
	return list(ctx, s.core, fmt.Sprintf("list the events of conversation %d", conversationID), func(scan func(...any) error) (DixaEvent, error) {
		e := DixaEvent{ConversationID: conversationID}
		var at int64
		var sealed []byte
		err := scan(&e.ID, &e.Name, &at, &sealed)
		if err != nil {
			return e, err
		}
		e.HappenedAt = timeOf(at)
		e.Body, err = s.open(inboxBody, sealed, connectionID, e.ID)
		return e, err
	}, `SELECT event_id, name, happened_at, body FROM inbox WHERE connection_id = $1 AND conversation_id = $2 AND happened_at BETWEEN $3 AND $4 AND name <> $5 AND body IS NOT NULL
		ORDER BY happened_at, event_id`, connectionID, conversationID, micros(from), micros(to), without)
}

// AddFinding stores an event that Claimflow generated itself from what it read in
// Dixa. From then on it is processed like Dixa's own events. fresh is false if the
// event was stored before.
func (s Inbox) AddFinding(ctx context.Context, connectionID string, e DixaEvent) (fresh bool, err error) {
	sealed, err := s.seal(inboxBody, e.Body, connectionID, e.ID)
	if err != nil {
		return false, fmt.Errorf("store finding %s: %w", e.ID, err)
	}
	err = s.write(ctx, "store finding "+e.ID, func(tx *sql.Tx) error {
		inserted, err := s.insertEvents(ctx, tx, []*incomingEvent{{connection: connectionID, event: e, sealed: sealed}})
		fresh = len(inserted) == 1
		return err
	})
	return fresh, err
}

// Unchecked lists up to limit conversations of open, pending and closed claims that
// the sweep has not checked since a time. Conversations of which nothing is known
// come first, then the least recently checked. One that is known but was never
// checked counts as checked when it was linked. Conversations that were deleted in
// Dixa are omitted.
func (s Sweeps) Unchecked(ctx context.Context, connectionID string, since time.Time, limit int) ([]int64, error) {
	return list(ctx, s.core, "list conversations to check", single[int64],
		`SELECT l.conversation_id FROM links l JOIN claims c ON c.shop = l.shop AND c.id = l.claim_id
		LEFT JOIN conversations v ON v.connection_id = l.connection_id AND v.conversation_id = l.conversation_id
		WHERE l.connection_id = $1 AND l.gone_at = 0 AND CASE WHEN l.looked_at = 0 AND v.conversation_id IS NOT NULL THEN l.created_at ELSE l.looked_at END < $2 AND c.state IN ($3, $4, $5)
		ORDER BY CASE WHEN v.conversation_id IS NULL THEN 0 ELSE 1 END, l.looked_at, l.created_at LIMIT $6`,
		connectionID, micros(since), claim.StateOpen, claim.StatePending, claim.StateClosed, limit)
}

// MarkChecked records that the sweep checked a conversation, and whether it was
// deleted in Dixa.
func (s Sweeps) MarkChecked(ctx context.Context, connectionID string, conversationID int64, gone bool) error {
	now := s.now()
	var goneAt int64
	if gone {
		goneAt = now
	}
	return s.execute(ctx, fmt.Sprintf("record the check of conversation %d", conversationID), nil,
		`UPDATE links SET looked_at = $3, gone_at = $4 WHERE connection_id = $1 AND conversation_id = $2`, connectionID, conversationID, now, goneAt)
}

// TimelineFromLog returns the entries of a claim's timeline that come from Dixa's
// activity log.
func (s Conversations) TimelineFromLog(ctx context.Context, ref claim.Ref) ([]TimelineEntry, error) {
	return s.timeline(ctx, ref, `SELECT id, body FROM timeline WHERE shop = $1 AND claim_id = $2 AND id LIKE $3 ORDER BY at, id`,
		ref.Shop, ref.ID, LogPrefix+"%")
}

// TimelineBetween lists the entries of a claim's timeline between two times,
// oldest first.
func (s Conversations) TimelineBetween(ctx context.Context, ref claim.Ref, from, to time.Time) ([]TimelineEntry, error) {
	return s.timeline(ctx, ref, `SELECT id, body FROM timeline WHERE shop = $1 AND claim_id = $2 AND at BETWEEN $3 AND $4 ORDER BY at, id`,
		ref.Shop, ref.ID, micros(from), micros(to))
}

// timeline reads entries of a claim's timeline.
func (s *core) timeline(ctx context.Context, ref claim.Ref, query string, args ...any) ([]TimelineEntry, error) {
	return list(ctx, s, "read the timeline of claim "+ref.String(), func(scan func(...any) error) (TimelineEntry, error) {
		var h TimelineEntry
		var sealed []byte
		if err := scan(&h.ID, &sealed); err != nil {
			return h, err
		}
		err := s.openJSON(timelineBody, sealed, &h.TimelineEntry, ref.Shop, ref.ID, h.ID)
		return h, err
	}, query, args...)
}

// LogPrefix starts the ids of timeline entries from Dixa's activity log. No event
// from Dixa has such an id.
const LogPrefix = "log:"
