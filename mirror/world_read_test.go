package mirror_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/mirror"
)

// read reads everything from every source.
func (w *world) read(at time.Time) []news {
	return []news{w.object(at), w.messageList(at.Add(time.Millisecond)), w.activityLog(), w.messageExport(at.Add(2 * time.Millisecond)), w.export(at.Add(3 * time.Millisecond))}
}

func (w *world) spell(s string) string {
	return []string{strings.ToLower(s), strings.ToUpper(s), s}[w.r.IntN(3)]
}

func millis(t time.Time) dixa.Time {
	if t.IsZero() {
		return dixa.Time{}
	}
	return dixa.NewTime(t.Truncate(time.Millisecond))
}

func (w *world) export(at time.Time) news {
	row := &dixa.ExportedConversation{
		ID: worldID, CreatedAt: millis(w.created), UpdatedAt: millis(w.updated), QueuedAt: millis(w.queued), AssignedAt: millis(w.assigned),
		ClosedAt: millis(w.closed), AnonymizedAt: millis(w.anonymized), InitialChannel: w.spell("Email"), Direction: w.spell("Inbound"),
		Status: w.spell(w.status), RequesterID: "u-1", QueueID: w.queue, QueueName: "Queue " + w.queue, AssigneeID: w.assignee,
		EmailIntegrationID: "shop@email.dixa.io", Tags: w.tags,
	}
	if w.assignee != "" {
		row.AssigneeName = "Name " + w.assignee
	}
	if w.anonymized.IsZero() {
		row.RequesterName, row.RequesterEmail, row.Subject = "Name u-1", "u-1@example.org", "Broken"
	}
	for _, name := range w.tags {
		row.TagsInfo = append(row.TagsInfo, dixa.ExportedTag{ID: "id-" + name, Name: name})
	}
	for _, m := range w.messages {
		switch {
		case m.note:
			row.WrapupNotes = append(row.WrapupNotes, m.text)
		case m.at.After(row.LastMessageCreatedAt.Time):
			row.LastMessageCreatedAt = millis(m.at)
		}
	}
	for _, r := range w.ratings {
		row.Ratings = append(row.Ratings, *r)
	}
	return news{facts: []mirror.Fact{mirror.ConversationFromExport(row, at)}}
}

func (w *world) object(at time.Time) news {
	c := &dixa.Conversation{
		Type: "EmailConversation", ID: worldID, RequesterID: "u-1", Channel: "Email", CreatedAt: millis(w.created), Direction: "Inbound",
		State: dixa.ConversationState(w.status), StateUpdatedAt: millis(w.updated), IntegrationEmail: "shop@email.dixa.io", Language: "en",
		Queue: &dixa.ConversationQueue{ID: w.queue, QueuedAt: millis(w.queued)},
	}
	if w.assignee != "" {
		c.Assignment = &dixa.Assignment{AgentID: w.assignee, AssignedAt: millis(w.assigned)}
	}
	if !w.anonymized.IsZero() {
		c.Type, c.AnonymizedAt, c.Queue, c.Assignment = "AnonymizedConversation", millis(w.anonymized.Truncate(time.Second)), nil, nil
	} else {
		c.Subject = "Broken"
	}
	tags := []*dixa.Tag{}
	for _, name := range w.tags {
		tags = append(tags, &dixa.Tag{ID: "id-" + name, Name: name, State: "Active"})
	}
	ratings := []*dixa.Rating{}
	for i, r := range w.ratings {
		out := &dixa.Rating{
			ID: fmt.Sprint("r-", i), Type: "Csat", Score: r.Score, Comment: r.Message, Status: "Offered", AgentID: "a-1",
			Timestamps: map[string]dixa.Time{"created_at": millis(r.CreatedAt.Truncate(time.Second)), "offered_at": millis(r.OfferedAt.Truncate(time.Second))},
		}
		if r.Score != nil {
			out.Status, out.Timestamps["rated_at"] = "Rated", millis(r.RatedAt.Truncate(time.Second))
		}
		ratings = append(ratings, out)
	}
	return news{facts: []mirror.Fact{mirror.ConversationFromObject(c, tags, ratings, at)}}
}

func (w *world) messageList(at time.Time) news {
	var n news
	for _, m := range w.messages {
		if m.note {
			n.messages = append(n.messages, mirror.NoteFromList(worldID, &dixa.Note{ID: m.id, AuthorID: m.author, CreatedAt: millis(m.at), Message: m.text}, at))
			continue
		}
		content := dixa.HTMLContent(m.text)
		n.messages = append(n.messages, mirror.MessageFromList(worldID, &dixa.Message{
			ID: m.id, AuthorID: m.author, CreatedAt: millis(m.at),
			Attributes: dixa.MessageAttributes{
				Type: "EmailAttributes", Direction: dixa.Direction(strings.ToUpper(m.direction[:1]) + m.direction[1:]), IsAutoReply: &m.automated,
				EmailContent: &dixa.EmailContent{Type: "Regular", Content: &content}, From: &dixa.Party{Email: "from@example.org"},
			},
		}, at))
	}
	return n
}

func (w *world) messageExport(at time.Time) news {
	var n news
	for _, m := range w.messages {
		if m.note {
			continue
		}
		row := &dixa.ExportedMessage{
			ID: m.id, ConversationID: worldID, CreatedAt: millis(m.at), InitialChannel: w.spell("Email"), Direction: w.spell(m.direction),
			Text: m.text, IsAutomatedMessage: m.automated,
		}
		if m.author != "" && w.anonymized.IsZero() {
			row.AuthorName, row.AuthorEmail = "Name "+m.author, m.author+"@example.org"
		}
		message, ok := mirror.MessageFromExport(row, at)
		require.True(w.t, ok)
		n.messages = append(n.messages, message)
	}
	return n
}

func (w *world) activityLog() news {
	var n news
	for _, entry := range w.log {
		a, ok := mirror.ActivityFromLog(entry)
		require.True(w.t, ok)
		n.activities = append(n.activities, a)
		n.facts = append(n.facts, a.Fact())
	}
	return n
}
