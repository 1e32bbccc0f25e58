package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/mirror"
)

// ConversationFact is what a source says about a conversation.
type ConversationFact struct {
	ID int64
	mirror.Fact
}

// MirrorBatch is what a source says about a connection's organization.
type MirrorBatch struct {
	ConnectionID string
	Facts        []ConversationFact
	Messages     []mirror.Message
	Activities   []mirror.Activity
	// Unknown keeps messages and activities whose conversation is unknown, until
	// [Mirror.DeleteOrphans].
	Unknown bool
	// Later leaves the figures to [Mirror.ComputeFigures].
	Later bool
	// Reread marks conversations that changed here for [Mirror.MessagesDue].
	Reread bool
	// Reconcile marks new activities of claims' conversations for the sweep.
	Reconcile bool

	// prepared are the known conversations, if [Mirror.Prepare] read them.
	prepared map[int64]*conversationRow
}

// conversations are the ids of the batch's conversations.
func (b *MirrorBatch) conversations() []int64 {
	seen := map[int64]bool{}
	for i := range b.Facts {
		seen[b.Facts[i].ID] = true
	}
	for i := range b.Messages {
		seen[b.Messages[i].ConversationID] = true
	}
	for i := range b.Activities {
		seen[b.Activities[i].ConversationID] = true
	}
	return slices.Sorted(maps.Keys(seen))
}

// MirrorCounts says what became of the records of a batch.
type MirrorCounts struct {
	Added, Changed int
	// Excluded counts the records that no source selects.
	Excluded int
}

// Add adds other to c.
func (c *MirrorCounts) Add(other MirrorCounts) {
	c.Added, c.Changed, c.Excluded = c.Added+other.Added, c.Changed+other.Changed, c.Excluded+other.Excluded
}

// MirrorResult is the effect of a batch.
type MirrorResult struct{ Conversations, Messages, Activities MirrorCounts }

// mirrorBatchSize bounds the records per statement, on SQLite.
const mirrorBatchSize = 500

// BatchSize is how many records to merge at once. A batch blocks other writes of its
// connection while it is written, and on SQLite those of every connection.
func (s Mirror) BatchSize() int {
	if s.dialect == onPostgres {
		return 1000 // two batches of messages, and what their rows leave behind, are in memory at once
	}
	return 200
}

// Prepare reads and decodes what is known of a batch's conversations in advance, so
// that [Mirror.Merge] only reads those again that changed meanwhile. A caller with many
// batches prepares one while it merges another.
func (s Mirror) Prepare(ctx context.Context, b *MirrorBatch) error {
	return s.read(ctx, "read conversations of connection "+b.ConnectionID, func(db *sql.DB) (err error) {
		b.prepared, err = s.conversationRows(ctx, db, b.ConnectionID, b.conversations())
		return err
	})
}

// Merge merges a batch into the records that are stored, in one transaction: records
// that a source selects and those of claims' conversations. It computes the figures
// of the conversations again, unless Later is set. Claims whose conversation changed
// are nudged. A batch that was merged before changes nothing.
func (s Mirror) Merge(ctx context.Context, b MirrorBatch) (MirrorResult, error) {
	var result MirrorResult
	err := s.write(ctx, "store records of connection "+b.ConnectionID, func(tx *sql.Tx) error {
		m := &merge{core: s.core, tx: tx, MirrorBatch: b}
		if err := m.load(ctx); err != nil {
			return err
		}
		if err := m.lockClaims(ctx); err != nil {
			return err
		}
		if err := m.run(ctx); err != nil {
			return err
		}
		result = m.result
		return m.nudgeClaims(ctx)
	})
	return result, err
}

// merge is a batch on its way into the store.
type merge struct {
	*core
	tx *sql.Tx
	MirrorBatch

	// always stores a conversation even if only the stamps of its parts changed.
	always  bool
	sources []claim.DataSource
	// ids are the conversations of the batch, and linked those of them that belong to
	// claims.
	ids    []int64
	linked map[int64]claim.Ref
	// rows are the known conversations.
	rows   map[int64]*conversationRow
	change int64
	now    time.Time
	// imported are the imported periods of messages and activity logs, once read.
	imported [][2]int64
	// erased is when the customers of conversations were erased.
	erased map[int64]time.Time
	// touched are the conversations that facts and log entries may have changed.
	touched map[int64]bool
	// stale are the conversations whose figures have to be computed again.
	stale  map[int64]bool
	result MirrorResult
}

// load determines the conversations of the batch and which of them belong to claims.
func (m *merge) load(ctx context.Context) error {
	m.ids = m.conversations()
	m.linked = map[int64]claim.Ref{}
	for ids := range slices.Chunk(m.ids, m.batchSize()) {
		args := arguments{m.ConnectionID}
		err := queryEach(ctx, m.tx, func(scan func(...any) error) error {
			var id int64
			var ref claim.Ref
			err := scan(&id, &ref.Shop, &ref.ID)
			m.linked[id] = ref
			return err
		}, `SELECT conversation_id, shop, claim_id FROM links WHERE connection_id = $1 AND `+m.conversationsIn(&args, ids), args...)
		if err != nil {
			return err
		}
	}
	var err error
	m.sources, err = m.sourcesOf(ctx, m.tx, m.ConnectionID)
	return err
}

// lockClaims locks the claims of conversations that may change. Every transaction
// locks claims before it locks a mirror.
func (m *merge) lockClaims(ctx context.Context) error {
	var refs []claim.Ref
	for _, f := range m.Facts {
		if ref, ok := m.linked[f.ID]; ok {
			refs = append(refs, ref)
		}
	}
	slices.SortFunc(refs, func(a, b claim.Ref) int { return cmp.Or(strings.Compare(a.Shop, b.Shop), strings.Compare(a.ID, b.ID)) })
	for _, ref := range slices.Compact(refs) {
		if _, err := lockClaim(ctx, m.tx, ref); err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	return nil
}

// run merges the batch. It requires that the claims of its conversations are locked.
func (m *merge) run(ctx context.Context) error {
	var err error
	if m.change, err = m.lockMirror(ctx, m.tx, m.ConnectionID); err != nil {
		return err
	}
	before := m.change
	m.now, m.stale = timeOf(m.core.now()), map[int64]bool{}
	if m.rows, err = m.currentConversations(ctx, m.tx, m.ConnectionID, m.ids, m.prepared); err != nil {
		return err
	}
	if err := m.addLogFacts(ctx); err != nil {
		return err
	}
	if err := m.applyFacts(ctx); err != nil {
		return err
	}
	if err := m.anonymize(ctx); err != nil {
		return err
	}
	if err := m.exposeParts(ctx); err != nil {
		return err
	}
	if err := m.mergeMessages(ctx); err != nil {
		return err
	}
	if err := m.mergeActivities(ctx); err != nil {
		return err
	}
	if err := m.saveConversations(ctx); err != nil {
		return err
	}
	if !m.Later && len(m.stale) > 0 {
		if err := m.computeFigures(ctx, m.tx, m.ConnectionID, m.rows, slices.Sorted(maps.Keys(m.stale))); err != nil {
			return err
		}
	}
	if m.change == before {
		return nil
	}
	return saveChange(ctx, m.tx, m.ConnectionID, m.change)
}

// next returns the number of the next change.
func (m *merge) next() int64 {
	m.change++
	return m.change
}

// applyFacts applies the facts, and deletes conversations that no source selects any
// more.
func (m *merge) applyFacts(ctx context.Context) error {
	touched := map[int64]bool{}
	m.touched = touched
	if err := m.findErased(ctx); err != nil {
		return err
	}
	for _, f := range m.Facts {
		row := m.rows[f.ID]
		if row == nil {
			row = &conversationRow{id: f.ID}
			m.rows[f.ID] = row
			if f.AnonymizedAt.IsZero() {
				f.AnonymizedAt = m.erased[f.ID]
			}
		}
		row.concern()
		touched[f.ID] = true
		row.Apply(f.Fact)
	}
	m.applyActivities(touched)
	for _, id := range slices.Sorted(maps.Keys(touched)) {
		row := m.rows[id]
		if m.keeps(row) {
			continue
		}
		m.result.Conversations.Excluded++
		delete(m.rows, id)
		if row.stored {
			if err := m.expire(ctx, m.tx, m.ConnectionID, id, keepsFigures(m.sources, row)); err != nil {
				return err
			}
		}
		row.excluded = true
		m.rows[id] = row
	}
	return nil
}

// applyActivities applies what activity log entries say about known conversations:
// answered ratings, and which changes known from events the log now has. Nothing else
// that is stored of a conversation depends on its log.
func (m *merge) applyActivities(touched map[int64]bool) {
	for i := range m.Activities {
		a := &m.Activities[i]
		row := m.rows[a.ConversationID]
		if row == nil {
			continue
		}
		f := a.Fact()
		row.concern()
		if f.Answer != nil || len(row.Changes) > 0 {
			touched[row.id] = true
		}
		row.Apply(f)
	}
}

// keeps reports whether the records of a conversation are stored.
func (m *merge) keeps(row *conversationRow) bool {
	if _, ok := m.linked[row.id]; ok {
		return true
	}
	at := row.Selectable()
	return slices.ContainsFunc(m.sources, func(s claim.DataSource) bool { return s.Selects(at, m.now) })
}

// wants reports whether a stream's records of a conversation are stored.
func (m *merge) wants(id int64, stream claim.Stream) bool {
	if _, ok := m.linked[id]; ok {
		return true
	}
	row, known := m.rows[id]
	if !known && !m.Unknown || known && row.excluded {
		return false
	}
	return slices.ContainsFunc(m.sources, func(s claim.DataSource) bool {
		return s.Has(stream) && (!known || s.Selects(row.Selectable(), m.now))
	})
}

// touch marks a conversation's figures as outdated by a record of it.
func (m *merge) touch(id int64) {
	if row := m.rows[id]; row != nil && !row.excluded {
		m.stale[id] = true
	}
}

// nudgeClaims makes the workflows of claims whose conversation changed read it.
func (m *merge) nudgeClaims(ctx context.Context) error {
	for _, id := range m.ids {
		ref, ok := m.linked[id]
		if row := m.rows[id]; !ok || row == nil || !row.followedChanged {
			continue
		}
		_, err := exec(ctx, m.tx, `UPDATE claims SET revision = revision + 1, rules_due = TRUE WHERE shop = $1 AND id = $2 AND state IN ($3, $4, $5, $6)`,
			ref.Shop, ref.ID, claim.StateOpen, claim.StatePending, claim.StateClosed, claim.StateSettled)
		if err != nil {
			return err
		}
	}
	return nil
}

// deleteConversation deletes all records of a conversation. The caller has locked the
// mirror.
func (s *core) deleteConversation(ctx context.Context, tx *sql.Tx, connectionID string, id int64) error {
	if err := s.buryConversation(ctx, tx, connectionID, id); err != nil {
		return err
	}
	for _, table := range []string{"conversations", "messages", "activities", "conversation_tags"} {
		if _, err := exec(ctx, tx, `DELETE FROM `+table+` WHERE connection_id = $1 AND conversation_id = $2`, connectionID, id); err != nil {
			return fmt.Errorf("delete conversation %d: %w", id, err)
		}
	}
	days := figureDays{}
	err := queryEach(ctx, tx, days.scanDates, `DELETE FROM figures WHERE connection_id = $1 AND conversation_id = $2 RETURNING `+figureDateColumns, connectionID, id)
	if err == nil {
		err = queryEach(ctx, tx, days.scanDate, `DELETE FROM figure_events WHERE connection_id = $1 AND conversation_id = $2 RETURNING at`, connectionID, id)
	}
	if err != nil {
		return fmt.Errorf("delete the figures of conversation %d: %w", id, err)
	}
	if len(days) == 0 {
		return nil
	}
	_, err = s.markDays(ctx, tx, connectionID, days)
	return err
}
