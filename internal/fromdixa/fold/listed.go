package fold

import (
	"strconv"
	"strings"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
)

// ConvertMessage converts a message as Dixa lists it. Lists identify authors only by id;
// nameOf returns their names, or empty if unknown.
func ConvertMessage(m *dixa.Message, channel dixa.Channel, nameOf func(id string) string) RefreshedMessage {
	a := m.Attributes
	message := claim.Message{
		ID: m.ID, Kind: claim.MessageKind, Direction: strings.ToLower(string(a.Direction)), Channel: string(channel),
		Author: author(m.AuthorID, nameOf), At: m.CreatedAt.Time, ExternalID: m.ExternalID,
		Automated: isTrue(a.IsAutoReply) || isTrue(a.IsAutomated), Listed: true,
	}
	if content, ok := a.Text(); ok {
		if strings.EqualFold(content.Type, "html") {
			message.HTML = content.Value
		} else {
			message.Text = content.Value
		}
	}
	out := RefreshedMessage{Message: message}
	for i, file := range a.Attachments {
		out.Attachments = append(out.Attachments, claim.MessageAttachment{ID: strconv.Itoa(i + 1), Name: file.PrettyName})
		out.Sources = append(out.Sources, file.URL)
	}
	return out
}

// ConvertNote converts an internal note as Dixa lists it.
func ConvertNote(n *dixa.Note, nameOf func(id string) string) RefreshedMessage {
	return RefreshedMessage{Message: claim.Message{
		ID: n.ID, Kind: claim.NoteKind, Author: author(n.AuthorID, nameOf), At: n.CreatedAt.Time, Text: n.Message, Listed: true,
	}}
}

func author(id string, nameOf func(string) string) *claim.Person {
	if id == "" {
		return nil
	}
	return &claim.Person{ID: id, Name: nameOf(id)}
}

func isTrue(b *bool) bool { return b != nil && *b }
