package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/mirror"
)

// ComputeFigures computes the figures of up to limit conversations for which
// [MirrorBatch.Later] left them outdated. It returns their number.
func (s Mirror) ComputeFigures(ctx context.Context, connectionID string, limit int) (n int, err error) {
	err = s.write(ctx, "compute the figures of connection "+connectionID, func(tx *sql.Tx) error {
		ids, err := collect(ctx, tx, single[int64], `SELECT conversation_id FROM conversations WHERE connection_id = $1 AND figures_due
			ORDER BY conversation_id LIMIT $2`, connectionID, limit)
		if n = len(ids); err != nil || n == 0 {
			return err
		}
		// The rows must not change while their figures are computed.
		if _, err := s.lockMirror(ctx, tx, connectionID); err != nil {
			return err
		}
		rows, err := s.conversationRows(ctx, tx, connectionID, ids)
		if err != nil {
			return err
		}
		return s.computeFigures(ctx, tx, connectionID, rows, ids)
	})
	return n, err
}

// computeFigures computes and stores the figures of conversations. The caller has
// locked the mirror.
func (s *core) computeFigures(ctx context.Context, tx *sql.Tx, connectionID string, rows map[int64]*conversationRow, ids []int64) error {
	for batch := range slices.Chunk(ids, s.batchSize()) {
		messages, err := s.messageFigures(ctx, tx, connectionID, batch)
		if err != nil {
			return err
		}
		activities, err := s.activityFigures(ctx, tx, connectionID, batch)
		if err != nil {
			return err
		}
		digests, err := s.figureDigests(ctx, tx, connectionID, batch)
		if err != nil {
			return err
		}
		save := newFiguresUpsert(connectionID)
		for _, id := range batch {
			row := rows[id]
			if row == nil {
				continue
			}
			conversation := row.Conversation
			if log := activities[id]; len(log) > 0 {
				// The log has the changes that events reported before its newest entry.
				conversation.Apply(mirror.Fact{LoggedAt: log[len(log)-1].At})
			}
			if err := save.put(mirror.Derive(id, conversation, messages[id], activities[id]), digests[id]); err != nil {
				return err
			}
		}
		if err := save.run(ctx, tx, s); err != nil {
			return err
		}
		if err := s.changeFigures(ctx, tx, connectionID, save.changed); err != nil {
			return err
		}
		if err := s.markNotes(ctx, tx, connectionID, rows, batch, messages); err != nil {
			return err
		}
		args := arguments{connectionID}
		if _, err := exec(ctx, tx, `UPDATE conversations SET figures_due = FALSE WHERE connection_id = $1 AND figures_due AND `+s.conversationsIn(&args, batch), s.planned(args)...); err != nil {
			return err
		}
	}
	return nil
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
		if err := scan(&a.ID, &a.ConversationID, &at, &a.Type, &a.AuthorID, &a.AgentID, &a.QueueID, &a.MessageID); err != nil {
			return err
		}
		a.At = timeOf(at)
		all[a.ConversationID] = append(all[a.ConversationID], a)
		return nil
	}, `SELECT id, conversation_id, at, type, author_id, agent_id, queue_id, message_id FROM `+
		s.rowsOf("activities", &args, ids)+` ORDER BY conversation_id, at, id`, args)
	return all, err
}

func (s *core) figureDigests(ctx context.Context, q querier, connectionID string, ids []int64) (map[int64][]byte, error) {
	digests := map[int64][]byte{}
	args := arguments{connectionID}
	err := s.lookUp(ctx, q, func(scan func(...any) error) error {
		var id int64
		var digest []byte
		err := scan(&id, &digest)
		digests[id] = digest
		return err
	}, `SELECT conversation_id, digest FROM `+s.rowsOf("figures", &args, ids), args)
	return digests, err
}

// figuresUpsert collects figures to write.
type figuresUpsert struct {
	connectionID string
	changed      []int64
	// replaced are those of changed that were stored before.
	replaced     []int64
	figures      *upsert
	events, tags *upsert
}

func newFiguresUpsert(connectionID string) *figuresUpsert {
	return &figuresUpsert{
		connectionID: connectionID,
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

// put adds figures that differ from those stored with a digest.
func (u *figuresUpsert) put(f mirror.Figures, stored []byte) error {
	text, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("encode the figures of conversation %d: %w", f.ConversationID, err)
	}
	sum := sha256.Sum256(text)
	digest := sum[:16]
	if bytes.Equal(digest, stored) {
		return nil
	}
	u.changed = append(u.changed, f.ConversationID)
	if stored != nil {
		u.replaced = append(u.replaced, f.ConversationID)
	}
	u.figures.add(u.connectionID, f.ConversationID, micros(f.CreatedAt), plain(f.Channel), plain(f.Direction), plain(f.Status), plain(f.QueueID), plain(f.AssigneeID),
		plain(f.RequesterID), micros(f.FirstInboundAt), micros(f.FirstResponseAt), plain(f.FirstResponseBy), f.AgentReplies, f.AutomatedMessages, f.CustomerMessages,
		f.Notes, microsOf(f.QueueTime), f.QueueTimeFromLog, microsOf(f.HandlingTime), micros(f.FirstAssignedAt), micros(f.FirstClosedAt), micros(f.LastClosedAt),
		f.Closes, f.Reopens, f.Transfers, f.Assignments, micros(f.LastActivityAt), f.DixaTotalDuration, f.DixaHandlingDuration, micros(f.AnonymizedAt), digest)
	for n, e := range f.Events {
		u.events.add(u.connectionID, f.ConversationID, n, micros(e.At), string(e.Kind), plain(e.AgentID), plain(e.QueueID), plain(e.Type), e.Value,
			plain(f.Channel), plain(f.Direction), micros(f.CreatedAt))
	}
	tags := make([]string, 0, len(f.Tags))
	for _, tag := range f.Tags {
		tags = append(tags, plain(tag))
	}
	slices.Sort(tags)
	for _, tag := range slices.Compact(tags) {
		u.tags.add(u.connectionID, f.ConversationID, tag)
	}
	return nil
}

// run writes the figures. The events and tags of a conversation are replaced.
func (u *figuresUpsert) run(ctx context.Context, tx *sql.Tx, s *core) error {
	if len(u.changed) == 0 {
		return nil
	}
	for _, table := range []string{"figure_events", "conversation_tags"} {
		if len(u.replaced) == 0 {
			break
		}
		args := arguments{u.connectionID}
		if _, err := exec(ctx, tx, `DELETE FROM `+table+` WHERE connection_id = $1 AND `+s.conversationsIn(&args, u.replaced), s.planned(args)...); err != nil {
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
