package unified

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/mirror"
)

// object is an object in the form of Dixa's API. Members that are not known are absent.
type object map[string]any

// set adds a member unless its value is empty.
func (o object) set(name, value string) {
	if value != "" {
		o[name] = value
	}
}

// at adds a time, in whole seconds as in Dixa's conversations.
func (o object) at(name string, t time.Time) {
	if !t.IsZero() {
		o[name] = dixa.NewTime(t.Truncate(time.Second))
	}
}

func (o object) encoded() json.RawMessage {
	text, _ := json.Marshal(o) //nolint:errchkjson // texts, times and lists of them can be encoded
	return text
}

// conversationObject puts what is known of a conversation into the form of Dixa's.
func conversationObject(c *Conversation) json.RawMessage {
	o := object{"id": c.ID}
	o.set("channel", c.Origin.Channel)
	o.set("direction", spelled(c.Origin.Direction))
	o.at("createdAt", c.Origin.CreatedAt)
	o.set("state", map[claim.ConversationStatus]string{
		// Pending may also be AwaitingPending.
		claim.ConversationOpen: string(dixa.StateOpen), claim.ConversationClosed: string(dixa.StateClosed),
	}[c.Status])
	if c.Requester != nil {
		o.set("requesterId", c.Requester.ID)
	}
	if !c.Reported.AnonymizedAt.IsZero() {
		return o.encoded() // Dixa shows nothing else of it
	}
	o.set("subject", c.Origin.Subject)
	o.set("language", c.Origin.Language)
	if strings.Contains(c.Origin.ContactPoint, "@") {
		o.set("integrationEmail", c.Origin.ContactPoint)
	}
	if c.Assignee != nil && c.Assignee.ID != "" {
		o["assignment"] = object{"agentId": c.Assignee.ID}
	}
	if c.Queue != nil && c.Queue.ID != "" {
		o["queue"] = object{"id": c.Queue.ID}
	}
	var attributes []object
	for _, id := range sortedKeys(c.Attributes) {
		a := c.Attributes[id]
		attribute := object{"id": id, "value": a.Value}
		attribute.set("identifier", a.Identifier)
		attributes = append(attributes, attribute)
	}
	if attributes != nil {
		o["customAttributes"] = attributes
	}
	return o.encoded()
}

// messageObject puts what is known of a message or note into the form of Dixa's.
func messageObject(m *mirror.Message) json.RawMessage {
	o := object{"id": m.ID}
	if m.Author != nil {
		o.set("authorId", m.Author.ID)
	}
	if !m.At.IsZero() {
		o["createdAt"] = dixa.NewTime(m.At)
	}
	if m.Kind == claim.NoteKind {
		o["csid"] = m.ConversationID
		o.set("message", m.Text)
		return o.encoded()
	}
	o.set("externalId", m.ExternalID)
	attributes := object{}
	attributes.set("direction", spelled(m.Direction))
	files := []json.RawMessage{}
	for _, a := range m.Attachments {
		files = append(files, fileObject(a))
	}
	if len(files) > 0 {
		attributes["attachments"] = files
	}
	o["attributes"] = attributes
	return o.encoded()
}

// fileObject puts what is known of a file into the form of Dixa's.
func fileObject(a claim.MessageAttachment) json.RawMessage {
	o := object{}
	o.set("url", a.Source)
	o.set("prettyName", a.Name)
	return o.encoded()
}

// spelled returns a direction as Dixa's API spells it.
func spelled(direction string) string {
	for _, d := range []dixa.Direction{dixa.Inbound, dixa.Outbound, dixa.Internal} {
		if strings.EqualFold(direction, string(d)) {
			return string(d)
		}
	}
	return ""
}
