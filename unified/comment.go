package unified

import (
	"strings"

	"github.com/k3a/html2text"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/mirror"
)

// CommentOf returns a message or note of a conversation. requester is the customer;
// nil if unknown. fileURL returns the address of a file of the message at Claimflow.
func CommentOf(m *mirror.Message, requester *claim.Person, names Names, fileURL func(attachment string) string) *Comment {
	note := m.Kind == claim.NoteKind
	c := &Comment{
		ID: m.ID, Ticket: TicketRef{conversationID(m.ConversationID)}, Author: authorOf(m, requester, names),
		Body: text(m.Text), HTMLBody: text(m.HTML), IsInternal: note, IsPrivate: note, CreatedAt: instant(m.At), Attachments: []Attachment{},
	}
	if c.Body == nil && m.HTML != "" {
		c.Body = text(strings.TrimSpace(html2text.HTML2Text(m.HTML)))
	}
	if m.Direction == claim.DirectionOutbound && requester != nil && !note {
		c.Receiver = &TypedRef{ID: requester.ID, Name: nameOf(names, mirror.KindEndUser, requester.ID, requester.Name), Type: AuthorContact}
	}
	if m.Channel != "" {
		c.Channel = &TypedRef{ID: m.Channel, Name: &m.Channel, Type: m.Channel}
	}
	for _, a := range m.Attachments {
		c.Attachments = append(c.Attachments, *attachmentOf(m, a, c.Author, fileURL))
	}
	return c
}

// AttachmentsOf returns the files of a message.
func AttachmentsOf(m *mirror.Message, requester *claim.Person, names Names, fileURL func(attachment string) string) []*Attachment {
	author := authorOf(m, requester, names)
	all := make([]*Attachment, len(m.Attachments))
	for i, a := range m.Attachments {
		all[i] = attachmentOf(m, a, author, fileURL)
	}
	return all
}

func attachmentOf(m *mirror.Message, a claim.MessageAttachment, author *TypedRef, fileURL func(attachment string) string) *Attachment {
	out := &Attachment{
		ID: m.ID + ":" + a.ID, TicketID: conversationID(m.ConversationID), FileName: text(a.Name), FileURL: text(fileURL(a.ID)), CreatedAt: instant(m.At),
	}
	if author != nil {
		out.UploadedBy, out.UploaderIs = &Ref{ID: author.ID, Name: author.Name}, &author.Type
	}
	return out
}

// authorOf returns who wrote a message; nil if unknown.
func authorOf(m *mirror.Message, requester *claim.Person, names Names) *TypedRef {
	if m.Automated {
		return &TypedRef{Type: AuthorSystem}
	}
	kind, is := mirror.KindAgent, AuthorUser
	author := m.Author
	if m.Direction == claim.DirectionInbound {
		kind, is = mirror.KindEndUser, AuthorContact
		if author == nil {
			author = requester
		}
	}
	if author == nil {
		return nil
	}
	return &TypedRef{ID: author.ID, Name: nameOf(names, kind, author.ID, author.Name), Type: is}
}
