package unified

import (
	"encoding/base64"
	"net/url"
	"strings"

	"github.com/k3a/html2text"
)

const (
	// MaxFiles is how many files a comment may have.
	MaxFiles = 10
	// MaxFileBytes is how large the files of a comment may be together that are sent
	// with their content.
	MaxFileBytes = 20 << 20
	// MaxBodyBytes is how large a body may be: the files in base64 and the rest.
	MaxBodyBytes = MaxFileBytes/3*4 + 1<<20
)

func createComment(in *input, _ string) []Step {
	ticket := in.ticketRef()
	private, isPrivate := in.flag("is_private")
	internal, isInternal := in.flag("is_internal")
	if isPrivate && isInternal && private != internal {
		in.fault("is_internal", "must equal is_private: a comment is a reply or an internal note")
	}
	author, text, html := in.author(), in.text("body"), in.text("html_body")
	in.cannot("Dixa has no operation for it.", "status", "imported", "receiver", "channel", "created_at")
	if private || internal {
		return in.note(ticket, author, text, html)
	}
	m := AddMessage{Ticket: ticket, Inbound: author.kind == AuthorContact, Text: text, HTML: html, Files: in.files("attachments")}
	if !m.Inbound {
		m.AgentID = author.id
	}
	m.CC, _ = in.texts("cc")
	m.BCC, _ = in.texts("bcc")
	if m.Inbound && len(m.CC)+len(m.BCC) > 0 {
		in.fault("cc", "and bcc are for replies of agents")
	}
	var remote struct {
		IntegrationEmail string   `json:"integrationEmail"`
		CC               []string `json:"cc"`
		BCC              []string `json:"bcc"`
	}
	in.remote(&remote)
	m.IntegrationEmail = remote.IntegrationEmail
	if remote.CC != nil {
		m.CC = remote.CC
	}
	if remote.BCC != nil {
		m.BCC = remote.BCC
	}
	if strings.TrimSpace(text+html) == "" && (m.Inbound || len(m.Files) == 0) {
		in.missing("body")
	}
	return []Step{m}
}

// note returns the step for an internal note, which has neither files nor recipients.
func (in *input) note(ticket int64, author reference, text, html string) []Step {
	if author.kind == AuthorContact {
		in.fault("author.type", "must be user: contacts cannot write internal notes")
	}
	in.cannot("Dixa's internal notes have none.", "attachments", "cc", "bcc")
	if strings.TrimSpace(text) == "" && html != "" {
		text = strings.TrimSpace(html2text.HTML2Text(html))
	}
	if strings.TrimSpace(text) == "" {
		in.missing("body")
	}
	return []Step{AddNote{Ticket: ticket, Text: text, AgentID: author.id}}
}

// ticketRef reads the ticket that a comment belongs to.
func (in *input) ticketRef() int64 {
	r, given := in.ref("ticket")
	if !given || r.id == "" {
		in.found.missing = append(in.found.missing, in.path+"ticket.id")
		return 0
	}
	id, ok := parseTicketID(r.id)
	if !ok {
		in.fault("ticket.id", "is not the id of a ticket")
	}
	return id
}

// author reads who writes. Its kind is user or contact.
func (in *input) author() reference {
	r := reference{kind: AuthorUser}
	o := in.object("author")
	if o == nil {
		return r
	}
	r.id = o.text("id")
	switch kind := o.text("type"); kind {
	case "", AuthorUser:
	case AuthorContact:
		r.kind = kind
	default:
		o.fault("type", "must be user or contact")
	}
	o.ignore("name", "username")
	o.end()
	return r
}

// files reads files with an address or with their content.
func (in *input) files(name string) []File {
	items, _ := in.objects(name)
	if len(items) > MaxFiles {
		in.fault(name, "must be at most %d files", MaxFiles)
		return nil
	}
	var all []File
	size := 0
	for _, o := range items {
		f := File{Name: o.text("file_name"), URL: o.text("file_url"), ContentType: o.text("content_type")}
		data := o.text("data")
		o.ignore("size", "uploaded_by", "uploaded_by_type")
		switch {
		case f.URL != "" && data != "":
			o.fault("data", "must be absent if file_url is given")
		case f.URL != "":
			if u, err := url.Parse(f.URL); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
				o.fault("file_url", "must be an http or https address that Dixa can fetch")
			}
		case data != "":
			if f.Name == "" {
				o.missing("file_name")
			}
			var ok bool
			if f.Data, ok = decodeFile(data); !ok {
				o.fault("data", "must be base64 and not empty")
			}
			size += len(f.Data)
		default:
			o.missing("data")
		}
		o.end()
		all = append(all, f)
	}
	if size > MaxFileBytes {
		in.fault(name, "must not be larger than %d MiB together", MaxFileBytes>>20)
	}
	return all
}

// decodeFile decodes base64 in the alphabets that clients use, with or without padding.
func decodeFile(s string) ([]byte, bool) {
	s = strings.TrimRight(strings.TrimSpace(s), "=")
	for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		if data, err := e.DecodeString(s); err == nil && len(data) > 0 {
			return data, true
		}
	}
	return nil, false
}
