package activities

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/k3a/html2text"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
)

// partSizes are the sizes, in bytes, of the parts into which a text that Dixa
// rejects is split. They are tried in order. Dixa does not document how long a text
// may be.
var partSizes = []int{8000, 2000, 500}

// maxParts bounds the messages that one text becomes.
const maxParts = 60

// smallerParts returns the next part size for a text that Dixa rejected in parts of
// size bytes, or whole if size is 0. It returns 0 if there is none.
func smallerParts(size, text int) int {
	for _, s := range partSizes {
		if s < text && (size == 0 || s < size) {
			return s
		}
	}
	return 0
}

// pieces describes how to send a message that Dixa rejected whole.
type pieces struct {
	// Separate says that each file is a message of its own.
	Separate bool `json:"separate,omitempty"`
	// PartBytes is the size of the parts of the text. 0 if the text is sent whole.
	PartBytes int `json:"part_bytes,omitempty"`
	// Parts are the parts of the text as sent, each with its mark. The message
	// itself carries the first.
	Parts []string `json:"parts,omitempty"`
	// RefusedParts are the indexes of the parts that Dixa rejected individually.
	RefusedParts []int `json:"refused_parts,omitempty"`
	// Cut is how many bytes of the text are beyond maxParts.
	Cut int `json:"cut,omitempty"`
}

// shrink makes a rejected message smaller. First it sends the files separately, then
// it splits the text. It reports false if nothing smaller is left. mark occurs in no
// other message of the conversation and takes less than 200 bytes.
func (p *pieces) shrink(content dixa.Content, mark string, files int) bool {
	if files > 0 && !p.Separate {
		p.Separate = true
		return true
	}
	size := smallerParts(p.PartBytes, len(content.Value))
	if size == 0 {
		return false
	}
	text := content.Value
	if content.Type == dixa.HTMLContent("").Type {
		text = html2text.HTML2TextWithOptions(text, html2text.WithUnixLineBreaks(), html2text.WithLinksInnerText(), html2text.WithListSupport())
	}
	p.PartBytes = size
	p.Parts, p.Cut = splitText(text, mark, size)
	return true
}

// content returns the content of the message itself.
func (p *pieces) content(whole dixa.Content) dixa.Content {
	if len(p.Parts) == 0 {
		return whole
	}
	return dixa.TextContent(p.Parts[0])
}

// whole reports whether the message itself contains everything.
func (p *pieces) whole() bool { return !p.Separate && len(p.Parts) < 2 }

// missing lists the parts of the text that are not in the conversation. Empty if
// none is missing.
func (p *pieces) missing() string {
	var out []string
	for _, i := range p.RefusedParts {
		out = append(out, fmt.Sprintf("part %d of %d (rejected by Dixa)", i+1, len(p.Parts)))
	}
	if p.Cut > 0 {
		out = append(out, fmt.Sprintf("the last %d bytes (too long)", p.Cut))
	}
	return strings.Join(out, ", ")
}

// partMark ends a part of a text and distinguishes it from the others.
func partMark(mark string, i, n int) string { return fmt.Sprintf("(%s %d/%d)", mark, i+1, n) }

// splitText splits a text, between words if possible, into parts of at most size bytes
// including their marks. cut is how many bytes did not fit.
func splitText(text, mark string, size int) (parts []string, cut int) {
	room := size - len("\n\n") - len(partMark(mark, maxParts, maxParts))
	for text = strings.TrimSpace(text); text != "" && len(parts) < maxParts; {
		end := breakAt(text, room)
		parts = append(parts, strings.TrimSpace(text[:end]))
		text = strings.TrimSpace(text[end:])
	}
	for i := range parts {
		parts[i] += "\n\n" + partMark(mark, i, len(parts))
	}
	return parts, len(text)
}

// breakAt returns where the first part of a text ends: after a paragraph, a line or
// a word in its second half, or else between two characters.
func breakAt(text string, most int) int {
	if len(text) <= most {
		return len(text)
	}
	head := strings.ToValidUTF8(text[:most], "")
	for _, end := range []string{"\n\n", "\n", " "} {
		if i := strings.LastIndex(head, end); i > most/2 {
			return i + len(end)
		}
	}
	return len(head)
}

// contentRefused reports whether Dixa may have rejected a message because of its
// content. Dixa's refusals do not say.
func contentRefused(err error) bool {
	e, ok := dixa.AsError(err)
	return ok && e.Outcome == dixa.Rejected && !e.Retryable &&
		slices.Contains([]int{http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity}, e.Status)
}

// remainder sends the rest of a message: the other parts of its text, then its
// files.
type remainder struct {
	*session
	files *evidenceDraft
	// message has the direction and author of each message.
	message dixa.MessageInput
	// part and file name the steps.
	part, file func(i int) string
	// line is the text of the message that carries a file. It identifies the message
	// if Dixa keeps no keys.
	line func(i int) string
	mark string
	// keep stores what Dixa rejected.
	keep func(evidenceDraft) error
}

// send sends each message once and leaves out what Dixa rejects. A file or a long
// text never parks a claim.
func (r *remainder) send(ctx context.Context) error {
	for i := 1; i < len(r.files.Parts); i++ {
		if slices.Contains(r.files.RefusedParts, i) {
			continue
		}
		err := r.sendPart(ctx, r.part(i), partMark(r.mark, i, len(r.files.Parts)), dixa.TextContent(r.files.Parts[i]), nil)
		if contentRefused(err) {
			r.files.RefusedParts = append(r.files.RefusedParts, i)
			err = r.keep(*r.files)
		}
		if err != nil {
			return err
		}
	}
	if !r.files.Separate {
		return nil
	}
	for i, f := range r.files.Files {
		if _, refused := r.files.Refused[i]; refused {
			continue
		}
		err := r.sendPart(ctx, r.file(i), r.line(i), dixa.TextContent(r.line(i)), []dixa.Attachment{{URL: f.URL, PrettyName: f.Name}})
		if reason := fileRefused(err); reason != "" {
			if r.files.Refused == nil {
				r.files.Refused = map[int]string{}
			}
			r.files.Refused[i] = reason
			err = r.keep(*r.files)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *remainder) sendPart(ctx context.Context, step, mark string, content dixa.Content, files []dixa.Attachment) error {
	if err := r.unchanged(ctx); err != nil {
		return err
	}
	m := r.message
	m.Content, m.Attachments = content, files
	return r.addMessageOnce(ctx, step, mark, m)
}

// fileRefused says why Dixa rejected a file. Empty if the file is not the reason.
func fileRefused(err error) string {
	switch {
	case dixa.IsAttachmentDownload(err):
		return "Dixa could not copy it"
	case contentRefused(err):
		return "Dixa rejected it"
	default:
		return ""
	}
}

// addMessageOnce adds a message once per step. mark identifies the message if Dixa keeps no
// keys. Its text contains the mark, and no other message does.
func (s *session) addMessageOnce(ctx context.Context, step, mark string, m dixa.MessageInput) error {
	_, err := executeOnce(ctx, s.store, write[string]{
		ref: s.ref, step: step, window: s.window(), unknown: claim.CauseOutcomeUnknown,
		find: func(ctx context.Context) (string, bool, error) {
			messages, err := s.client.Conversations.Messages(ctx, s.work.ConversationID)
			if err != nil {
				return "", false, err
			}
			for _, found := range messages {
				if strings.HasPrefix(found.ExternalID, s.ref.ExternalIDPrefix(step)) || mentions(found, mark) {
					return found.ID, true, nil
				}
			}
			return "", false, nil
		},
		send: func(ctx context.Context, key string) (string, error) {
			m.ExternalID = key
			added, err := s.client.Conversations.AddMessage(ctx, s.work.ConversationID, m)
			if err != nil {
				return "", err
			}
			if added.MessageID == "" {
				return "unnamed", nil
			}
			return added.MessageID, nil
		},
		isDuplicate: dixa.IsDuplicateExternalID,
	})
	return err
}
