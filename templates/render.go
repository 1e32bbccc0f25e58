package templates

import (
	"errors"
	htmltemplate "html/template"
	"strings"

	"github.com/claimflow/claimflow/claim"
)

// Bounds of a template's output.
const (
	maxBody = 512 << 10 // bytes
	maxNote = 16 << 10  // bytes
	maxLine = 16 << 10  // bytes of a subject or tag before it is shortened
	// maxSubject is the maximum length of a subject in characters.
	maxSubject = 200
)

// cuts are the lengths, in characters, to which a claim's texts are cut, in order,
// until the ticket is within its bounds. Validation admits no text longer than the
// first.
var cuts = []int{200_000, 50_000, 10_000, 2_000, 500, 100}

// Ticket is the output of a template for a claim.
type Ticket struct {
	// Subject is one line of 1 to 200 characters.
	Subject string
	// Body is the first message, in Format. It always contains the claim's
	// reference.
	Body   string
	Format string // FormatHTML or FormatText
	// Tags are the template's own tags, which are added to the default ones of
	// [Tags].
	Tags []string
	// Note is the internal note in plain text; empty if there is none.
	Note string
	// Evidence lists the kinds to attach, in order.
	Evidence []string
}

// Render renders the ticket of a claim. Customer text is escaped for its context. If
// a claim is too long for a ticket, Render cuts its longest texts and marks each
// cut. The error is a [*claim.InvalidError]; it never contains customer text.
func (t *Template) Render(v View) (Ticket, error) {
	words := wordsIn(v.Language)
	ticket := Ticket{Format: t.format, Evidence: append([]string{}, t.evidence...)}
	var fieldErrors []claim.FieldError
	write := func(p part, data func(View) any) string {
		text, err := p.write(v, words.Labels["cut"], data)
		if err != nil {
			fieldErrors = append(fieldErrors, fieldErrorOf(p.field, err))
		}
		return text
	}
	message := func(v View) any { return v.Message }
	mailed := message
	if t.voice == claim.VoiceAgent {
		mailed = func(v View) any { return forCustomer(v.Message) }
	}

	ticket.Subject = subject(write(t.subject, mailed), v)
	for _, tag := range t.tags {
		ticket.Tags = append(ticket.Tags, write(tag, message))
	}
	ticket.Tags = tidyTags(ticket.Tags)
	ticket.Body = t.complete(write(t.body, mailed), v, words)
	ticket.Note = t.completeNote(strings.TrimSpace(write(t.note, func(v View) any { return eachText(v, noTags) })), v)
	if len(fieldErrors) > 0 {
		return Ticket{}, invalid(fieldErrors...)
	}
	return ticket, nil
}

// write executes the part with increasingly shorter texts until it is within its
// bounds.
func (p part) write(v View, mark string, data func(View) any) (string, error) {
	var err error
	for i, most := range cuts {
		if i > 0 {
			v = eachText(v, func(s string, _ bool) string { return shorten(s, most, mark) })
		}
		var out strings.Builder
		err = p.execute(&limited{to: &out, left: p.limit}, data(v), &work{left: maxWork})
		if err == nil {
			return out.String(), nil
		}
		if !errors.Is(err, errTooLong) && !errors.Is(err, errTooMuch) {
			break
		}
	}
	return "", err
}

// forCustomer returns the part of a message that is for the customer: without the order's
// other claims, which are named by internal numbers.
func forCustomer(m Message) Message {
	m.OtherClaims, m.OtherClaimsLine = nil, ""
	return m
}

// completeNote adds the line that names the order's other claims to the note of a
// conversation that opens with a message to the customer, which must not have it.
func (t *Template) completeNote(note string, v View) string {
	if t.voice != claim.VoiceAgent || v.OtherClaimsLine == "" || t.noteNamesOthers {
		return note
	}
	return strings.TrimSpace(noTags(v.OtherClaimsLine, false) + "\n\n" + note)
}

// complete adds what every body must contain: the claim's reference and, in the
// customer's voice, a first line that names the order's other claims.
func (t *Template) complete(body string, v View, words vocabulary) string {
	body = strings.TrimSpace(body)
	if v.OtherClaimsLine != "" && !t.namesOthers && t.voice == claim.VoiceCustomer {
		body = paragraph(t.format, v.OtherClaimsLine) + body
	}
	if v.Reference != "" && !strings.Contains(body, v.Reference) {
		body = strings.TrimSpace(body + "\n" + paragraph(t.format, words.Labels["reference"]+" "+v.Reference))
	}
	return body
}

func paragraph(format, line string) string {
	if format == FormatHTML {
		return "<p>" + htmltemplate.HTMLEscapeString(line) + "</p>\n"
	}
	return line + "\n\n"
}

// subject converts the output of a template to a one-line subject. If the line has
// no words, it returns the reference.
func subject(s string, v View) string {
	s = shorten(oneLine(s), maxSubject-1, "…")
	if strings.Trim(s, " ·#-:") == "" {
		return v.Reference
	}
	return s
}

// noTags keeps customer text from being interpreted as HTML. It is unknown whether
// Dixa treats a note as HTML or as plain text; this is correct for both.
func noTags(s string, _ bool) string {
	var b strings.Builder
	for i := range len(s) {
		b.WriteByte(s[i])
		if s[i] == '<' && (i+1 == len(s) || s[i+1] != ' ') {
			b.WriteByte(' ')
		}
	}
	return b.String()
}
