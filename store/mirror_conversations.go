package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/mirror"
)

// conversationRow is a row of conversations.
type conversationRow struct {
	mirror.Conversation
	id int64
	// stored says that the table has the row, and excluded that no source selects it.
	stored, excluded bool
	// before is the conversation before the batch, if a record of the batch concerns it.
	before    mirror.Conversation
	concerned bool
	// refreshed says that Dixa was asked for the state.
	refreshed                         bool
	messagesDue, figuresDue, notesDue bool
	// notesRead is the reported number of notes when they were last read.
	notesRead int64
	// change is the number of the last change of the conversation.
	change                   int64
	followedChanged, changed bool
}

// Selectable returns what decides whether a source selects the conversation.
func (r *conversationRow) Selectable() claim.Selectable {
	c := claim.Selectable{
		Channel: r.Origin.Channel, CreatedAt: r.Origin.CreatedAt, ClosedAt: r.ClosedSince(), LastActivityAt: lastActivity(r.Conversation),
	}
	if r.Queue != nil {
		c.QueueID = r.Queue.ID
	}
	for _, rating := range r.KnownRatings() {
		if rating.RatedAt.After(c.RatedAt) {
			c.RatedAt = rating.RatedAt
		}
	}
	return c
}

// lastActivity returns the newest time at which anything happened in a conversation.
func lastActivity(c mirror.Conversation) time.Time {
	at := c.LoggedAt
	for _, t := range []time.Time{
		c.Origin.CreatedAt, c.StatusAt.At, c.PeopleAt.At, c.TagsAt.At, c.RatingAt.At, c.OriginAt.At, c.Reported.UpdatedAt, c.Reported.LastMessageAt,
	} {
		if t.After(at) {
			at = t
		}
	}
	return at
}

// conversationRows reads the conversations with the given ids.
func (s *core) conversationRows(ctx context.Context, q querier, connectionID string, ids []int64) (map[int64]*conversationRow, error) {
	rows := map[int64]*conversationRow{}
	for batch := range slices.Chunk(ids, s.batchSize()) {
		args := arguments{connectionID}
		var decoding errgroup.Group
		decoding.SetLimit(runtime.GOMAXPROCS(0))
		err := s.lookUp(ctx, q, func(scan func(...any) error) error {
			row := &conversationRow{stored: true}
			var body []byte
			if err := row.scanMarks(scan, &body); err != nil {
				return err
			}
			rows[row.id] = row
			decoding.Go(func() error {
				return s.openJSON(conversationDoc, body, &row.Conversation, connectionID, number(row.id))
			})
			return nil
		}, `SELECT `+conversationMarks+`, body FROM `+s.rowsOf("conversations", &args, batch), args)
		if err = errors.Join(err, decoding.Wait()); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// conversationMarks are what is read of a row from [core.rowsOf] besides its body. The
// subquery has a LIMIT because PostgreSQL could else look for the newest entry of the
// conversation among those of all.
const conversationMarks = `conversation_id, change, figures_due, messages_due, notes_due, notes_read,
	(SELECT COALESCE(MAX(at), 0) FROM (SELECT at FROM activities WHERE connection_id = $1 AND conversation_id = found.conversation_id LIMIT 1000000000) AS log)`

// scanMarks scans conversationMarks, and what follows them.
func (r *conversationRow) scanMarks(scan func(...any) error, rest ...any) error {
	var logged int64
	err := scan(append([]any{&r.id, &r.change, &r.figuresDue, &r.messagesDue, &r.notesDue, &r.notesRead, &logged}, rest...)...)
	r.LoggedAt = timeOf(logged)
	return err
}

// concern keeps the conversation as it is before the batch.
func (r *conversationRow) concern() {
	if !r.concerned {
		r.before, r.concerned = r.Conversation, true
	}
}

// currentConversations is [core.conversationRows] for conversations that were read
// before. Those with the same number of their last change are not read again. earlier is
// nil if nothing was read.
func (s *core) currentConversations(ctx context.Context, q querier, connectionID string, ids []int64, earlier map[int64]*conversationRow) (map[int64]*conversationRow, error) {
	if earlier == nil {
		return s.conversationRows(ctx, q, connectionID, ids)
	}
	rows := map[int64]*conversationRow{}
	var changed []int64
	for batch := range slices.Chunk(ids, s.batchSize()) {
		args := arguments{connectionID}
		err := s.lookUp(ctx, q, func(scan func(...any) error) error {
			row := &conversationRow{stored: true}
			if err := row.scanMarks(scan); err != nil {
				return err
			}
			if known := earlier[row.id]; known != nil && known.change == row.change {
				logged := row.LoggedAt
				row.Conversation, rows[row.id] = known.Conversation, row
				row.LoggedAt = logged
			} else {
				changed = append(changed, row.id)
			}
			return nil
		}, `SELECT `+conversationMarks+` FROM `+s.rowsOf("conversations", &args, batch), args)
		if err != nil {
			return nil, err
		}
	}
	again, err := s.conversationRows(ctx, q, connectionID, changed)
	maps.Copy(rows, again)
	return rows, err
}

// saveConversations writes the conversations that changed.
func (m *merge) saveConversations(ctx context.Context) error {
	refreshed := map[int64]bool{}
	for _, f := range m.Facts {
		refreshed[f.ID] = refreshed[f.ID] || f.Weight == claim.WeightRefreshed
	}
	var changed []*conversationRow
	var err error
	for _, id := range slices.Sorted(maps.Keys(m.touched)) {
		row := m.rows[id]
		if row.excluded {
			continue
		}
		switch {
		case !row.stored:
			m.result.Conversations.Added++
			if m.Reread {
				if row.messagesDue, err = m.passed(ctx, row.Origin.CreatedAt); err != nil {
					return err
				}
			}
		case !row.before.Equal(row.Conversation):
			m.result.Conversations.Changed++
			row.messagesDue = row.messagesDue || m.Reread
		case !m.always:
			continue
		}
		row.changed, row.refreshed = true, refreshed[id]
		if _, linked := m.linked[id]; linked {
			row.followedChanged = followed(row.before.Conversation) != followed(row.Conversation.Conversation)
		}
		changed = append(changed, row)
		m.stale[id] = true
	}
	if m.Later {
		for id := range m.stale {
			if row := m.rows[id]; !row.changed && !row.figuresDue && !row.excluded {
				changed = append(changed, row)
			}
			m.rows[id].figuresDue = true
		}
		slices.SortFunc(changed, func(a, b *conversationRow) int { return int(a.id - b.id) })
	}
	for batch := range slices.Chunk(changed, m.batchSize()) {
		if err := m.upsertConversations(ctx, batch); err != nil {
			return err
		}
	}
	return nil
}

// passed reports whether the messages or the log of a time were imported already: those
// of a conversation that is new here, because no source selected it before, are missing.
func (m *merge) passed(ctx context.Context, at time.Time) (bool, error) {
	if m.imported == nil {
		var err error
		m.imported, err = collect(ctx, m.tx, func(scan func(...any) error) (p [2]int64, err error) {
			err = scan(&p[0], &p[1])
			return p, err
		}, `SELECT from_at, to_at FROM coverage WHERE connection_id = $1 AND stream IN ($2, $3)`, m.ConnectionID, claim.StreamMessages, claim.StreamActivityLogs)
		if err != nil {
			return false, err
		}
		m.imported = append(m.imported, [2]int64{1, 0}) // even if there is none
	}
	return slices.ContainsFunc(m.imported, func(p [2]int64) bool { return p[0] <= micros(at) && micros(at) <= p[1] }), nil
}

// followed encodes the parts of a conversation that a claim follows.
func followed(c claim.Conversation) string {
	c.Versions = claim.Versions{DoubtAt: c.AnyDoubtAt()}
	text, _ := json.Marshal(c) //nolint:errchkjson // the type has no part that cannot be encoded
	return string(bytes.TrimSpace(text))
}

func (m *merge) upsertConversations(ctx context.Context, rows []*conversationRow) error {
	now := micros(m.now)
	insert := newUpsert("conversations", []string{"connection_id", "conversation_id"},
		"status", "assignee_id", "queue_id", "closed_since", "doubt_at", "figures_due", "messages_due", "body", "updated_at", "change", "refreshed_at", "first_change")
	insert.keep["refreshed_at"] = `CASE WHEN excluded.refreshed_at > 0 THEN excluded.refreshed_at ELSE conversations.refreshed_at END`
	insert.keep["first_change"] = `conversations.first_change`
	for _, row := range rows {
		change := m.next()
		values := func() ([]any, error) {
			body, err := m.sealJSON(conversationDoc, row.Conversation, m.ConnectionID, number(row.id))
			var assignee, queue string
			if row.Assignee != nil {
				assignee = row.Assignee.ID
			}
			if row.Queue != nil {
				queue = row.Queue.ID
			}
			var refreshed int64
			if row.refreshed {
				refreshed = now
			}
			return []any{
				m.ConnectionID, row.id, plain(string(row.Status)), plain(assignee), plain(queue), micros(row.ClosedSince()), micros(row.AnyDoubtAt()),
				row.figuresDue, row.messagesDue, body, now, change, refreshed, change,
			}, err
		}
		if !row.stored {
			insert.addNew(values)
			row.stored = true
			continue
		}
		known, err := values()
		if err != nil {
			return err
		}
		insert.add(known...)
	}
	return insert.run(ctx, m.tx, m.dialect)
}
