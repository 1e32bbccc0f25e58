package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/mirror"
)

// figuresOf reads the figures of conversations into records.
func (s *core) figuresOf(ctx context.Context, q querier, connectionID string, ids []int64) (map[int64]*claim.ConversationRecord, error) {
	all := map[int64]*claim.ConversationRecord{}
	args := arguments{connectionID}
	err := queryEach(ctx, q, func(scan func(...any) error) error {
		c := &claim.ConversationRecord{}
		var created, inbound, response, assigned, firstClosed, lastClosed, active, anonymized int64
		var queue, handling sql.NullInt64
		err := scan(&c.ID, &created, &inbound, &response, &c.FirstResponseBy, &c.AgentReplies, &c.AutomatedMessages, &c.CustomerMessages, &c.Notes,
			&queue, &c.QueueFromLog, &handling, &assigned, &firstClosed, &lastClosed, &c.Closes, &c.Reopens, &c.Transfers, &c.Assignments,
			&active, &c.DixaTotalDuration, &c.DixaHandlingDuration, &anonymized)
		c.CreatedAt, c.FirstInboundAt, c.FirstResponseAt = known(timeOf(created)), known(timeOf(inbound)), known(timeOf(response))
		c.FirstAssignedAt, c.FirstClosedAt, c.LastClosedAt = known(timeOf(assigned)), known(timeOf(firstClosed)), known(timeOf(lastClosed))
		c.LastActivityAt, c.AnonymizedAt = known(timeOf(active)), known(timeOf(anonymized))
		c.QueueSeconds, c.HandlingSeconds = seconds(queue), seconds(handling)
		if inbound > 0 && response > 0 {
			c.FirstResponseSeconds = seconds(sql.NullInt64{Int64: response - inbound, Valid: true})
		}
		all[c.ID] = c
		return err
	}, `SELECT conversation_id, created_at, first_inbound_at, first_response_at, first_response_by, agent_replies, automated_messages, customer_messages, notes,
		queue_time, queue_time_from_log, handling_time, first_assigned_at, first_closed_at, last_closed_at, closes, reopens, transfers, assignments,
		last_activity_at, dixa_total_duration, dixa_handling_duration, anonymized_at
		FROM figures WHERE connection_id = $1 AND conversation_id IN (`+placeholders(&args, ids)+`)`, args...)
	return all, err
}

// seconds converts a duration in microseconds.
func seconds(d sql.NullInt64) *float64 {
	if !d.Valid {
		return nil
	}
	s := float64(d.Int64) / float64(time.Second/time.Microsecond)
	return &s
}

// conversationRecord completes the figures of a conversation; nil are figures that are
// not computed yet.
func conversationRecord(row *conversationRow, figures *claim.ConversationRecord) *claim.ConversationRecord {
	c := figures
	if c == nil {
		c = &claim.ConversationRecord{CreatedAt: known(row.Origin.CreatedAt), AnonymizedAt: known(row.Reported.AnonymizedAt)}
	}
	o := row.Origin
	c.ID, c.Status, c.Channel, c.Direction, c.ContactPoint = row.id, string(row.Status), o.Channel, o.Direction, o.ContactPoint
	c.Subject, c.Language, c.RequesterEmail, c.RequesterPhone = o.Subject, o.Language, o.Email, o.Phone
	if row.Requester != nil {
		c.RequesterID, c.RequesterName = row.Requester.ID, row.Requester.Name
	}
	if row.Assignee != nil {
		c.AssigneeID, c.AssigneeName = row.Assignee.ID, row.Assignee.Name
	}
	if row.Queue != nil {
		c.QueueID, c.QueueName = row.Queue.ID, row.Queue.Name
	}
	c.Tags, c.Attributes = texts(row.Tags), []claim.AttributeRecord{}
	for _, id := range slices.Sorted(maps.Keys(row.Attributes)) {
		a := row.Attributes[id]
		c.Attributes = append(c.Attributes, claim.AttributeRecord{ID: id, Identifier: a.Identifier, Value: document(a.Value)})
	}
	return c
}

func ratingRecord(conversationID int64, r mirror.Rating) *claim.RatingRecord {
	return &claim.RatingRecord{
		ConversationID: conversationID, ID: r.ID, Type: r.Type, Status: r.Status, Score: r.Score, Comment: r.Comment, AgentID: r.AgentID,
		CreatedAt: known(r.CreatedAt), OfferedAt: known(r.OfferedAt), RatedAt: known(r.RatedAt),
	}
}

func messageRecord(m *mirror.Message) *claim.MessageRecord {
	author := claim.Person{}
	if m.Author != nil {
		author = *m.Author
	}
	record := &claim.MessageRecord{
		ID: m.ID, ConversationID: m.ConversationID, CreatedAt: known(m.At), Kind: cmp.Or(m.Kind, claim.MessageKind), Direction: m.Direction, Channel: m.Channel,
		AuthorID: author.ID, AuthorName: author.Name, AuthorEmail: m.AuthorEmail, From: m.From, To: texts(m.To), CC: texts(m.CC), BCC: texts(m.BCC),
		Text: m.Text, HTML: m.HTML, Attachments: slices.Clone(m.Attachments), ExternalID: m.ExternalID, Redacted: m.Redacted,
	}
	if record.Attachments == nil {
		record.Attachments = []claim.MessageAttachment{}
	}
	if m.AutomatedKnown || m.Automated {
		record.Automated = &m.Automated
	}
	return record
}

func activityRecord(a *mirror.Activity) *claim.ActivityRecord {
	return &claim.ActivityRecord{
		ID: a.ID, ConversationID: a.ConversationID, At: known(a.At), Type: a.Type, AuthorID: a.AuthorID, AuthorName: a.AuthorName,
		AgentID: a.AgentID, QueueID: a.QueueID, MessageID: a.MessageID, Detail: a.Detail, Attributes: document(a.Attributes),
	}
}

// texts returns a list that is encoded as [] if it is empty.
func texts(list []string) []string { return append([]string{}, list...) }

// document returns a JSON document, or nil if there is none.
func document(data []byte) json.RawMessage {
	if len(data) == 0 || !json.Valid(data) {
		return nil
	}
	return data
}
