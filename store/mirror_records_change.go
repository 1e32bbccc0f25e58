package store

import (
	"context"
	"database/sql"
	"maps"
	"slices"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/mirror"
)

// exposeParts makes messages and log entries that were stored before follow their
// conversation: they count as changed if it is new or if a source begins to select it,
// so that [Mirror.Records] lists them to who has read on in the order of changes.
func (m *merge) exposeParts(ctx context.Context) error {
	var exposed []int64
	sources := m.sources
	for _, id := range slices.Sorted(maps.Keys(m.rows)) {
		row := m.rows[id]
		if row.excluded {
			continue
		}
		before, now := (&conversationRow{Conversation: row.before}).Selectable(), row.Selectable()
		if row.stored && (before == now || row.before.Equal(mirror.Conversation{})) {
			continue // no fact concerns it
		}
		if row.stored && sources == nil {
			var err error
			if sources, err = m.sourcesOf(ctx, m.tx, m.ConnectionID); err != nil {
				return err
			}
		}
		selected := func(s claim.DataSource) bool { return s.Selects(now, m.now) && !s.Selects(before, m.now) }
		if !row.stored || slices.ContainsFunc(sources, selected) {
			exposed = append(exposed, id)
		}
	}
	if len(exposed) == 0 {
		return nil
	}
	change := m.next()
	for ids := range slices.Chunk(exposed, m.batchSize()) {
		for _, table := range []string{"messages", "activities"} {
			args := arguments{m.ConnectionID, change}
			_, err := exec(ctx, m.tx, `UPDATE `+table+` SET change = $2 WHERE connection_id = $1 AND `+m.conversationsIn(&args, ids), m.planned(args)...)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// changeFigures counts conversations as changed because their figures are, and marks the
// days of their dates. The caller has locked the mirror.
func (s *core) changeFigures(ctx context.Context, tx *sql.Tx, connectionID string, ids []int64, days figureDays) error {
	if len(ids) == 0 {
		return nil
	}
	change, err := s.markDays(ctx, tx, connectionID, days)
	if err != nil {
		return err
	}
	args := arguments{connectionID, change}
	_, err = exec(ctx, tx, `UPDATE conversations SET figures_due = FALSE, change = $2 WHERE connection_id = $1 AND `+s.conversationsIn(&args, ids), s.planned(args)...)
	return err
}
