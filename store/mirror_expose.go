package store

import (
	"context"
	"database/sql"
	"maps"
	"slices"

	"github.com/claimflow/claimflow/claim"
)

// exposeParts makes messages and log entries that were stored before follow their
// conversation: they count as changed if it is new or if a source begins to select it,
// so that [Mirror.Records] lists them to who has read on in the order of changes.
func (m *merge) exposeParts(ctx context.Context) error {
	var exposed, added []int64
	sources := m.sources
	for _, id := range slices.Sorted(maps.Keys(m.rows)) {
		row := m.rows[id]
		if row.excluded || !row.concerned {
			continue
		}
		before, now := (&conversationRow{Conversation: row.before}).Selectable(), row.Selectable()
		if row.stored && before == now {
			continue
		}
		if row.stored && sources == nil {
			var err error
			if sources, err = m.sourcesOf(ctx, m.tx, m.ConnectionID); err != nil {
				return err
			}
		}
		if !row.stored {
			added = append(added, id)
			continue
		}
		selected := func(s claim.DataSource) bool { return s.Selects(now, m.now) && !s.Selects(before, m.now) }
		if slices.ContainsFunc(sources, selected) {
			exposed = append(exposed, id)
		}
	}
	if err := m.changeParts(ctx, added, map[string]string{"messages": "change = $2, first_change = $2", "activities": "change = $2"}); err != nil {
		return err
	}
	return m.changeParts(ctx, exposed, map[string]string{"messages": "change = $2", "activities": "change = $2"})
}

// changeParts counts the messages and log entries of conversations as changed. assign says
// how, by table.
func (m *merge) changeParts(ctx context.Context, conversations []int64, assign map[string]string) error {
	if len(conversations) == 0 {
		return nil
	}
	change := m.next()
	for ids := range slices.Chunk(conversations, m.batchSize()) {
		for _, table := range slices.Sorted(maps.Keys(assign)) {
			args := arguments{m.ConnectionID, change}
			_, err := exec(ctx, m.tx, `UPDATE `+table+` SET `+assign[table]+` WHERE connection_id = $1 AND `+m.conversationsIn(&args, ids), m.planned(args)...)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// changeFigures counts conversations as changed because their figures are, and marks the
// days of their dates. One that the same transaction added changes with that. The caller
// has locked the mirror.
func (s *core) changeFigures(ctx context.Context, tx *sql.Tx, connectionID string, ids []int64, days figureDays) error {
	if len(ids) == 0 {
		return nil
	}
	change, err := s.markDays(ctx, tx, connectionID, days)
	if err != nil {
		return err
	}
	args := arguments{connectionID, change}
	_, err = exec(ctx, tx, `UPDATE conversations SET figures_due = FALSE, change = $2,
		first_change = CASE WHEN first_change < $2 THEN first_change ELSE $2 END WHERE connection_id = $1 AND `+s.conversationsIn(&args, ids), s.planned(args)...)
	return err
}
