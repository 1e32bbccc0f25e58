package unified

import (
	"encoding/json"
	"mime"
	"path"
	"strings"

	"github.com/k3a/html2text"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/mirror"
)

// Thread is what comments have from their conversation.
type Thread struct {
	// Requester is the customer; nil if unknown.
	Requester *claim.Person
	// Channel is that of the conversation.
	Channel string
	// Objects are Dixa's messages and notes by id. What is known of others is put into
	// their form.
	Objects map[string]json.RawMessage
	// FileURL returns the address of a file at Claimflow.
	FileURL func(attachment *Attachment) string
}

// CommentOf returns a message or note of a conversation.
func CommentOf(m *mirror.Message, in *Thread, names Names) *Comment {
	note := m.Kind == claim.NoteKind
	c := &Comment{
		ID: m.ID, Ticket: TicketRef{conversationID(m.ConversationID)}, Author: in.authorOf(m, names),
		Body: text(m.Text), HTMLBody: text(m.HTML), IsInternal: note, IsPrivate: note, CreatedAt: instant(m.At), Attachments: []Attachment{},
		RemoteData: in.Objects[m.ID],
	}
	if c.RemoteData == nil {
		c.RemoteData = messageObject(m)
	}
	if c.Body == nil && m.HTML != "" {
		c.Body = text(strings.TrimSpace(html2text.HTML2Text(m.HTML)))
	}
	if m.Direction == claim.DirectionOutbound && in.Requester != nil && !note {
		c.Receiver = &TypedRef{ID: in.Requester.ID, Name: nameOf(names, mirror.KindEndUser, in.Requester.ID, in.Requester.Name), Type: AuthorContact}
	}
	if in.Channel != "" {
		c.Channel = &TypedRef{ID: in.Channel, Name: &in.Channel, Type: in.Channel}
	}
	for _, a := range AttachmentsOf(m, in, names) {
		a.RemoteData = nil
		c.Attachments = append(c.Attachments, *a)
	}
	return c
}

// AttachmentsOf returns the files of a message.
func AttachmentsOf(m *mirror.Message, in *Thread, names Names) []*Attachment {
	author := in.authorOf(m, names)
	all := make([]*Attachment, len(m.Attachments))
	for i, a := range m.Attachments {
		out := &Attachment{
			ID: m.ID + ":" + a.ID, TicketID: conversationID(m.ConversationID), FileName: text(a.Name), CreatedAt: instant(m.At), RemoteData: fileObject(a),
		}
		kind, _, _ := strings.Cut(mime.TypeByExtension(strings.ToLower(path.Ext(a.Name))), ";")
		out.ContentType, out.FileURL = text(kind), text(in.FileURL(out))
		if author != nil {
			out.UploadedBy, out.UploaderIs = &Ref{ID: author.ID, Name: author.Name}, &author.Type
		}
		all[i] = out
	}
	return all
}

// SplitAttachmentID returns the message of an attachment and its id there. ok is false
// if the text is not the id of an attachment.
func SplitAttachmentID(id string) (message, attachment string, ok bool) {
	at := strings.LastIndexByte(id, ':')
	if at < 1 || at == len(id)-1 {
		return "", "", false
	}
	return id[:at], id[at+1:], true
}

// authorOf returns who wrote a message; nil if unknown.
func (in *Thread) authorOf(m *mirror.Message, names Names) *TypedRef {
	kind, is, author := mirror.KindAgent, AuthorUser, m.Author
	if m.Direction == claim.DirectionInbound {
		kind, is = mirror.KindEndUser, AuthorContact
		if author == nil {
			author = in.Requester
		}
	}
	if m.Automated {
		is = AuthorSystem
	}
	switch {
	case author != nil:
		return &TypedRef{ID: author.ID, Name: nameOf(names, kind, author.ID, author.Name), Type: is}
	case m.Automated:
		return &TypedRef{Type: is}
	default:
		return nil
	}
}
