package activities

import (
	"cmp"
	"context"
	"html"
	"regexp"
	"strings"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/unified"
)

// addNote writes an internal note. Notes have no key, so an earlier send is recognized by
// its text and author among the notes since the operation began that belong to no other
// operation.
func (o *operation) addNote(ctx context.Context, step string, s unified.AddNote) error {
	ticket, log := o.ticketOf(s.Ticket), o.intents(step, "note")
	id, err := sendOnce(ctx, log, write[string]{
		step: step, window: o.window(), unknown: claim.CauseOutcomeUnknown,
		find: func(ctx context.Context) (string, bool, error) {
			notes, err := o.client.Conversations.Notes(ctx, ticket)
			if err != nil {
				return "", false, err
			}
			for _, n := range notes {
				if !o.since(n.CreatedAt.Time) || s.AgentID != "" && !strings.EqualFold(n.AuthorID, s.AgentID) || !sameText(n.Message, s.Text) {
					continue
				}
				if taken, err := log.owned(ctx, n.ID); err != nil || !taken {
					return n.ID, err == nil, err
				}
			}
			return "", false, nil
		},
		send: func(ctx context.Context, _ string) (string, error) {
			n, err := o.client.Conversations.AddNote(ctx, ticket, dixa.NoteInput{Message: s.Text, AgentID: s.AgentID})
			if err != nil {
				return "", err
			}
			return n.ID, nil
		},
	})
	o.made(id)
	return err
}

// since reports whether something in Dixa may have been made by this operation.
func (o *operation) since(t time.Time) bool { return !t.Before(o.CreatedAt.Add(-clockSkew)) }

// addMessage writes a message that the customer sees.
func (o *operation) addMessage(ctx context.Context, step string, s unified.AddMessage) error {
	input, err := o.messageInput(s)
	if err != nil {
		return err
	}
	ticket, log := o.ticketOf(s.Ticket), o.intents(step, "message")
	id, err := sendOnce(ctx, log, write[string]{
		step: step, window: o.window(), unknown: claim.CauseOutcomeUnknown, isDuplicate: dixa.IsDuplicateExternalID,
		find: func(ctx context.Context) (string, bool, error) { return o.findMessage(ctx, log, ticket, input) },
		send: func(ctx context.Context, key string) (string, error) {
			input.ExternalID = key
			added, err := o.client.Conversations.AddMessage(ctx, ticket, input)
			if err != nil {
				return "", err
			}
			return added.MessageID, nil
		},
	})
	if err != nil || id != "" {
		o.made(id)
		return err
	}
	// Dixa's answer need not have the id.
	id, found, err := o.findMessage(ctx, log, ticket, input)
	if err != nil {
		return err
	}
	since, err := o.sinceDone(ctx, step)
	if err == nil && !found && since < o.window()+time.Minute {
		return retryable(claim.ErrorUnavailable, "the new message is not visible in Dixa yet", nil, time.Second)
	}
	o.made(id)
	return err
}

// messageInput returns a message for Dixa. Files that were sent with their content have
// an address of ours.
func (o *operation) messageInput(s unified.AddMessage) (dixa.MessageInput, error) {
	in := dixa.MessageInput{Type: dixa.Inbound, IntegrationEmail: s.IntegrationEmail, CC: s.CC, BCC: s.BCC}
	if !s.Inbound {
		in.Type, in.AgentID = dixa.Outbound, cmp.Or(s.AgentID, o.settings.DefaultAgentID)
		if in.AgentID == "" {
			e := unified.Missing(nil, []string{"author.id"})
			e.Message += " A reply needs an agent: name one, or set default_agent_id in the shop's settings."
			return in, e
		}
	}
	switch {
	case s.HTML != "":
		in.Content = dixa.HTMLContent(s.HTML)
	case s.Text != "":
		in.Content = dixa.TextContent(s.Text)
	}
	for i, f := range s.Files {
		address := f.URL
		if len(f.Data) > 0 {
			var err error
			if address, err = o.Unified.FileAddress(o.ID, i); err != nil {
				return in, err
			}
		}
		in.Attachments = append(in.Attachments, dixa.Attachment{URL: address, PrettyName: f.Name})
	}
	return in, nil
}

// findMessage searches a conversation for a message by its key. If Dixa keeps no keys, it
// searches for the same text by the same author since the operation began.
func (o *operation) findMessage(ctx context.Context, log operationIntents, ticket int64, in dixa.MessageInput) (string, bool, error) {
	messages, err := o.client.Conversations.Messages(ctx, ticket)
	if err != nil {
		return "", false, err
	}
	for _, m := range messages {
		if strings.HasPrefix(m.ExternalID, log.keyPrefix()) {
			return m.ID, true, nil
		}
	}
	for _, m := range messages {
		if m.ExternalID != "" || !o.since(m.CreatedAt.Time) || !sameMessage(m, in) {
			continue
		}
		if taken, err := log.owned(ctx, m.ID); err != nil || !taken {
			return m.ID, err == nil, err
		}
	}
	return "", false, nil
}

// sameMessage reports whether a listed message has the author, text and number of files
// of a sent one.
func sameMessage(m *dixa.Message, in dixa.MessageInput) bool {
	if in.Type == dixa.Outbound && !strings.EqualFold(m.AuthorID, in.AgentID) || len(m.Attributes.Attachments) != len(in.Attachments) {
		return false
	}
	content, ok := m.Attributes.Text()
	return ok && sameText(content.Value, in.Content.Value) || in.Content.IsZero() && (!ok || content.Value == "")
}

var tags = regexp.MustCompile(`<[^>]*>`)

// sameText reports whether a listed text may be a sent one. It is unknown which of Dixa's
// texts come back with markup, and white space may change.
func sameText(listed, sent string) bool {
	for _, a := range formsOf(listed) {
		for _, b := range formsOf(sent) {
			if a == b {
				return a != "" || strings.TrimSpace(listed) == "" && strings.TrimSpace(sent) == ""
			}
		}
	}
	return false
}

// formsOf returns a text as it is and without markup, in both without white space.
func formsOf(s string) []string {
	flat := func(s string) string { return strings.Join(strings.Fields(s), "") }
	return []string{flat(s), flat(html.UnescapeString(tags.ReplaceAllString(s, "")))}
}
