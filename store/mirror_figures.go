package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"slices"
	"time"

	jsonv1 "github.com/go-json-experiment/json/v1"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/mirror"
)

// computeFigures computes and stores the figures of conversations. The caller has
// locked the mirror.
func (s *core) computeFigures(ctx context.Context, tx *sql.Tx, connectionID string, rows map[int64]*conversationRow, ids []int64) error {
	for batch := range slices.Chunk(ids, s.batchSize()) {
		parts, err := s.readParts(ctx, tx, connectionID, rows, batch)
		if err == nil {
			err = s.saveFigures(ctx, tx, connectionID, parts, batch)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// figureParts are what figures are computed from, by conversation.
type figureParts struct {
	rows       map[int64]*conversationRow
	messages   map[int64][]mirror.Message
	activities map[int64][]mirror.Activity
	// derived are figures that were computed from these in advance.
	derived map[int64]*derivedFigures
}

// derivedFigures are computed figures. The digest tells whether those stored are the same.
type derivedFigures struct {
	mirror.Figures
	digest []byte
}

// derive computes the figures of a conversation.
func (p *figureParts) derive(id int64) (*derivedFigures, error) {
	d := &derivedFigures{Figures: mirror.Derive(id, p.rows[id].Conversation, p.messages[id], p.activities[id])}
	text, err := jsonv1.Marshal(d.Figures)
	if err != nil {
		return nil, fmt.Errorf("encode the figures of conversation %d: %w", id, err)
	}
	sum := sha256.Sum256(text)
	d.digest = sum[:16]
	return d, nil
}

// readParts reads the messages and activities of conversations.
func (s *core) readParts(ctx context.Context, q querier, connectionID string, rows map[int64]*conversationRow, ids []int64) (parts figureParts, err error) {
	parts.rows = rows
	if parts.messages, err = s.messageFigures(ctx, q, connectionID, ids); err != nil {
		return parts, err
	}
	parts.activities, err = s.activityFigures(ctx, q, connectionID, ids)
	return parts, err
}

// saveFigures computes figures and stores those that changed.
func (s *core) saveFigures(ctx context.Context, tx *sql.Tx, connectionID string, parts figureParts, ids []int64) error {
	stored, err := s.storedFigures(ctx, tx, connectionID, ids)
	if err != nil {
		return err
	}
	save := newFiguresUpsert(connectionID)
	var same []int64
	for _, id := range ids {
		if parts.rows[id] == nil {
			continue
		}
		d := parts.derived[id]
		if d == nil {
			if d, err = parts.derive(id); err != nil {
				return err
			}
		}
		if !save.put(d, stored[id]) {
			same = append(same, id)
		}
	}
	if err := save.run(ctx, tx, s); err != nil {
		return err
	}
	if err := s.changeFigures(ctx, tx, connectionID, save.changed, save.days); err != nil {
		return err
	}
	if err := s.markNotes(ctx, tx, connectionID, parts.rows, ids, parts.messages); err != nil {
		return err
	}
	if len(same) == 0 {
		return nil
	}
	args := arguments{connectionID}
	_, err = exec(ctx, tx, `UPDATE conversations SET figures_due = FALSE WHERE connection_id = $1 AND figures_due AND `+s.conversationsIn(&args, same), s.planned(args)...)
	return err
}

// markNotes marks the conversations of which an export counts more notes than are
// known for [Mirror.NotesDue], unless they were read at that count.
func (s *core) markNotes(ctx context.Context, tx *sql.Tx, connectionID string, rows map[int64]*conversationRow, ids []int64, messages map[int64][]mirror.Message) error {
	marks := map[bool][]int64{}
	for _, id := range ids {
		row := rows[id]
		if row == nil {
			continue
		}
		known := 0
		for i := range messages[id] {
			if messages[id][i].Kind == claim.NoteKind {
				known++
			}
		}
		if due := row.Reported.Notes > known && int64(row.Reported.Notes) != row.notesRead; due != row.notesDue {
			row.notesDue = due
			marks[due] = append(marks[due], id)
		}
	}
	for due, ids := range marks {
		args := arguments{connectionID, due}
		if _, err := exec(ctx, tx, `UPDATE conversations SET notes_due = $2 WHERE connection_id = $1 AND `+s.conversationsIn(&args, ids), s.planned(args)...); err != nil {
			return err
		}
	}
	return nil
}

// messageFigures reads what figures need of messages.
func (s *core) messageFigures(ctx context.Context, q querier, connectionID string, ids []int64) (map[int64][]mirror.Message, error) {
	all := map[int64][]mirror.Message{}
	args := arguments{connectionID}
	err := s.lookUp(ctx, q, func(scan func(...any) error) error {
		var m mirror.Message
		var at int64
		var author string
		var automated sql.NullBool
		var body []byte
		if err := scan(&m.ConversationID, &m.ID, &at, &m.Kind, &m.Direction, &author, &automated, &body); err != nil {
			return err
		}
		if body != nil { // stored before these columns existed
			err := s.openJSON(messageBody, body, &m, connectionID, number(m.ConversationID), m.ID)
			all[m.ConversationID] = append(all[m.ConversationID], m)
			return err
		}
		m.At, m.Automated, m.AutomatedKnown = timeOf(at), automated.Bool, automated.Valid
		if author != "" {
			m.Author = &claim.Person{ID: author}
		}
		all[m.ConversationID] = append(all[m.ConversationID], m)
		return nil
	}, `SELECT conversation_id, id, at, kind, direction, author_id, automated, CASE WHEN kind = '' THEN body END FROM `+
		s.rowsOf("messages", &args, ids)+` ORDER BY conversation_id, at, id`, args)
	return all, err
}

// activityFigures reads what figures need of activities.
func (s *core) activityFigures(ctx context.Context, q querier, connectionID string, ids []int64) (map[int64][]mirror.Activity, error) {
	all := map[int64][]mirror.Activity{}
	args := arguments{connectionID}
	err := s.lookUp(ctx, q, func(scan func(...any) error) error {
		var a mirror.Activity
		var at int64
		if err := scan(&a.ID, &a.ConversationID, &at, &a.Type, &a.AuthorID, &a.AgentID, &a.QueueID, &a.QueueName, &a.MessageID); err != nil {
			return err
		}
		a.At = timeOf(at)
		all[a.ConversationID] = append(all[a.ConversationID], a)
		return nil
	}, `SELECT id, conversation_id, at, type, author_id, agent_id, queue_id, queue_name, message_id FROM `+
		s.rowsOf("activities", &args, ids)+` ORDER BY conversation_id, at, id`, args)
	return all, err
}

// storedFigure is what is compared of figures that are stored.
type storedFigure struct {
	digest []byte
	dates  figureDates
}

func (s *core) storedFigures(ctx context.Context, q querier, connectionID string, ids []int64) (map[int64]*storedFigure, error) {
	stored := map[int64]*storedFigure{}
	args := arguments{connectionID}
	err := s.lookUp(ctx, q, func(scan func(...any) error) error {
		var id int64
		f := &storedFigure{}
		err := scan(append([]any{&id, &f.digest}, f.dates.dest()...)...)
		stored[id] = f
		return err
	}, `SELECT conversation_id, digest, `+figureDateColumns+` FROM `+s.rowsOf("figures", &args, ids), args)
	return stored, err
}

// figuresUpsert collects figures to write.
type figuresUpsert struct {
	connectionID string
	changed      []int64
	// replaced are those of changed that were stored before.
	replaced []int64
	// days are those with a date of changed, now or before.
	days         figureDays
	figures      *upsert
	events, tags *upsert
}

func newFiguresUpsert(connectionID string) *figuresUpsert {
	return &figuresUpsert{
		connectionID: connectionID, days: figureDays{},
		figures: newUpsert("figures", []string{"connection_id", "conversation_id"},
			"created_at", "channel", "direction", "status", "queue_id", "assignee_id", "requester_id", "first_inbound_at", "first_response_at", "first_response_by",
			"agent_replies", "automated_messages", "customer_messages", "notes", "queue_time", "queue_time_from_log", "handling_time", "first_assigned_at",
			"first_closed_at", "last_closed_at", "closes", "reopens", "transfers", "assignments", "last_activity_at", "dixa_total_duration",
			"dixa_handling_duration", "anonymized_at", "digest"),
		events: newUpsert("figure_events", []string{"connection_id", "conversation_id", "n"},
			"at", "kind", "agent_id", "queue_id", "type", "value", "channel", "direction", "created_at"),
		tags: newUpsert("conversation_tags", []string{"connection_id", "conversation_id", "tag"}),
	}
}

// put adds figures and returns true, unless they are as those stored.
func (u *figuresUpsert) put(d *derivedFigures, stored *storedFigure) (changed bool) {
	if stored != nil && bytes.Equal(d.digest, stored.digest) {
		return false
	}
	f := &d.Figures
	u.changed = append(u.changed, f.ConversationID)
	if stored != nil {
		u.replaced = append(u.replaced, f.ConversationID)
		u.days.add(stored.dates[:]...)
	}
	u.days.addFigures(f)
	figures := []any{
		u.connectionID, f.ConversationID, micros(f.CreatedAt), plain(f.Channel), plain(f.Direction), plain(f.Status), plain(f.QueueID), plain(f.AssigneeID),
		plain(f.RequesterID), micros(f.FirstInboundAt), micros(f.FirstResponseAt), plain(f.FirstResponseBy), f.AgentReplies, f.AutomatedMessages, f.CustomerMessages,
		f.Notes, microsOf(f.QueueTime), f.QueueTimeFromLog, microsOf(f.HandlingTime), micros(f.FirstAssignedAt), micros(f.FirstClosedAt), micros(f.LastClosedAt),
		f.Closes, f.Reopens, f.Transfers, f.Assignments, micros(f.LastActivityAt), f.DixaTotalDuration, f.DixaHandlingDuration, micros(f.AnonymizedAt), d.digest,
	}
	if stored == nil {
		u.figures.addNew(func() ([]any, error) { return figures, nil })
	} else {
		u.figures.add(figures...)
	}
	for n, e := range f.Events {
		u.events.addNew(func() ([]any, error) {
			return []any{
				u.connectionID, f.ConversationID, n, micros(e.At), string(e.Kind), plain(e.AgentID), plain(e.QueueID), plain(e.Type), e.Value,
				plain(f.Channel), plain(f.Direction), micros(f.CreatedAt),
			}, nil
		})
	}
	tags := make([]string, 0, len(f.Tags))
	for _, tag := range f.Tags {
		tags = append(tags, plain(tag))
	}
	slices.Sort(tags)
	for _, tag := range slices.Compact(tags) {
		u.tags.addNew(func() ([]any, error) { return []any{u.connectionID, f.ConversationID, tag}, nil })
	}
	return true
}

// run writes the figures. The events and tags of a conversation are replaced.
func (u *figuresUpsert) run(ctx context.Context, tx *sql.Tx, s *core) error {
	if len(u.changed) == 0 {
		return nil
	}
	if len(u.replaced) > 0 {
		args := arguments{u.connectionID}
		replaced := ` WHERE connection_id = $1 AND ` + s.conversationsIn(&args, u.replaced)
		if err := s.lookUp(ctx, tx, u.days.scanDate, `DELETE FROM figure_events`+replaced+` RETURNING at`, args); err != nil {
			return err
		}
		if _, err := exec(ctx, tx, `DELETE FROM conversation_tags`+replaced, s.planned(args)...); err != nil {
			return err
		}
	}
	for _, insert := range []*upsert{u.figures, u.events, u.tags} {
		if err := insert.run(ctx, tx, s.dialect); err != nil {
			return err
		}
	}
	return nil
}

func microsOf(d *time.Duration) *int64 {
	if d == nil {
		return nil
	}
	us := d.Microseconds()
	return &us
}
