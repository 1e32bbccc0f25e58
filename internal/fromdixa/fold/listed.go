package fold

import (
	"time"

	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/mirror"
)

// ConvertMessage converts a message as Dixa lists it, read at readAt. Lists identify
// authors only by id; nameOf returns their names, or empty if unknown.
func ConvertMessage(m *dixa.Message, channel dixa.Channel, nameOf func(id string) string, readAt time.Time) RefreshedMessage {
	out := mirror.MessageFromList(0, m, readAt)
	out.Channel = string(channel)
	return refreshed(out, nameOf)
}

// ConvertNote converts an internal note as Dixa lists it, read at readAt.
func ConvertNote(n *dixa.Note, nameOf func(id string) string, readAt time.Time) RefreshedMessage {
	return refreshed(mirror.NoteFromList(0, n, readAt), nameOf)
}

func refreshed(m mirror.Message, nameOf func(id string) string) RefreshedMessage {
	if m.Author != nil {
		m.Author.Name = nameOf(m.Author.ID)
	}
	out := RefreshedMessage{Message: m}
	for _, a := range m.Attachments {
		out.Sources = append(out.Sources, a.Source)
	}
	return out
}
