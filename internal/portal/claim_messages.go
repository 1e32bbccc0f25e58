package portal

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/k3a/html2text"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

// shownMessage is a message with the addresses of its files.
type shownMessage struct {
	claim.Message
	Files []messageLink
}

// messageLink leads to a file of a message.
type messageLink struct{ Name, URL string }

// addMessages reads a page of messages.
func (d *claimData) addMessages(ctx context.Context, v *visit, query url.Values) error {
	cursor := query.Get("messages")
	page, err := v.api.NewestMessages(ctx, d.Ref, cursor, messagesPerPage)
	if client.HasCode(err, client.CodeInvalid) {
		return errNotFound // an address changed by hand
	}
	if err != nil {
		return err
	}
	for _, m := range page.Messages {
		// Dixa does not document whether the text of an exported message has markup.
		if m.Text == "" || isMarkup(m.Text) {
			m.Text = html2text.HTML2TextWithOptions(cmp.Or(m.Text, m.HTML), html2text.WithListSupportPrefix("• "), html2text.WithUnixLineBreaks())
			m.Text = closeUp(m.Text)
		}
		if m.Kind == claim.NoteKind {
			m.Text = withoutSign(m.Text, d.Ref)
		}
		m.Text = shortened(strings.TrimSpace(m.Text), maxMessageText)
		shown := shownMessage{Message: m}
		for _, file := range m.Attachments {
			shown.Files = append(shown.Files, messageLink{
				Name: shortened(file.Name, maxFileName), URL: "/portal/" + d.Path + "/messages/" + url.PathEscape(m.ID) + "/files/" + url.PathEscape(file.ID),
			})
		}
		d.Messages = append(d.Messages, shown)
	}
	if cursor != "" {
		d.Newest = "/portal/" + d.Path
	}
	if page.Next != "" {
		d.OlderMessages = "/portal/" + d.Path + "?messages=" + url.QueryEscape(page.Next) + "#messages"
	}
	return nil
}

// isMarkup reports whether a text is HTML.
func isMarkup(text string) bool {
	return strings.HasPrefix(strings.TrimSpace(text), "<") && strings.Contains(text, "</")
}

var (
	lineEnds = regexp.MustCompile(`[ \t]+\n`)
	gaps     = regexp.MustCompile(`\n{3,}`)
)

// closeUp leaves at most one empty line between the paragraphs of a text, and none between
// the items of a list.
func closeUp(text string) string {
	text = gaps.ReplaceAllString(lineEnds.ReplaceAllString(text, "\n"), "\n\n")
	return strings.ReplaceAll(text, "\n\n• ", "\n• ")
}

// withoutSign removes the line by which Claimflow finds a note of its own again.
func withoutSign(text string, ref claim.Ref) string {
	text = strings.TrimSpace(text)
	before, last := "", text
	if at := strings.LastIndexByte(text, '\n'); at >= 0 {
		before, last = text[:at], text[at+1:]
	}
	if sign := "Claimflow " + ref.Reference(); !strings.HasPrefix(strings.TrimLeft(last, "( "), sign) {
		return text
	}
	return before
}

// shows reports whether the page has a message that was sent.
func (d *claimData) shows(sent claim.Instruction) bool {
	var result struct {
		MessageID string `json:"message_id"`
	}
	if json.Unmarshal(sent.Result, &result) != nil || result.MessageID == "" || d.Newest != "" {
		return true // the page cannot tell
	}
	return slices.ContainsFunc(d.Messages, func(m shownMessage) bool { return m.ID == result.MessageID })
}

const (
	// commandSend is the entry of the command that sends a message or note.
	commandSend = "send-message"
	// clockSkew is how far Dixa's clock may be behind.
	clockSkew = 10 * time.Second
)

// written are the entries of messages and notes in Dixa.
var written = []string{"reply to the customer", "note added"}

// withoutCommands returns the entries, oldest first, without the commands to send what Dixa
// has reported since: each message is listed once.
func withoutCommands(entries []claim.TimelineEntry) []claim.TimelineEntry {
	reported := map[int]bool{}
	return slices.DeleteFunc(slices.Clone(entries), func(e claim.TimelineEntry) bool {
		if e.What != commandSend {
			return false
		}
		for i, other := range entries {
			if slices.Contains(written, other.What) && !other.At.Add(clockSkew).Before(e.At) && !reported[i] {
				reported[i] = true
				return true
			}
		}
		return false
	})
}

// sendMessage sends a reply or writes a note, once for each key of a form. What was typed
// into the other field stays: then the page itself is the answer, because nowhere else may
// the text be kept. Its address is that of the page after the message, so loading it again
// sends nothing twice.
func (v *visit) sendMessage() error {
	ref, err := v.claimRef()
	if err != nil {
		return err
	}
	kind, key := v.r.PostFormValue("kind"), v.r.PostFormValue("key")
	if kind != claim.InstructReply && kind != claim.InstructNote {
		return errNotFound
	}
	fields := []string{claim.InstructReply, claim.InstructNote}
	again := func(f form, key string) error {
		return v.showClaim(http.StatusUnprocessableEntity, func(d *claimData) {
			if key != "" {
				d.Key = key
			}
			f.Values = v.typed(fields...)
			d.Send = f
		})
	}
	text := strings.TrimSpace(strings.ReplaceAll(v.r.PostFormValue(kind), "\r\n", "\n"))
	switch {
	case text == "":
		return again(v.faultyForm(kind, "claim.send.empty"), key)
	case len(text) > claim.MaxReply:
		return again(v.faultyForm(kind, "claim.send.long"), key)
	}
	if _, err := v.api.Send(v.r.Context(), ref, key, client.NewMessage{Kind: kind, Text: text}); err != nil {
		return v.refusedForm(err, fields, func(f form) error {
			if client.HasCode(err, client.CodeConflict) {
				f.Summary, key = v.words.say("claim.send.conflict"), "" // another message has the key
			}
			return again(f, key)
		})
	}
	rest := v.typed(fields...)
	delete(rest, kind)
	if v.r.URL.Query().Get("sent") == key && strings.TrimSpace(strings.Join(slices.Collect(maps.Values(rest)), "")) != "" {
		return v.showClaim(http.StatusOK, func(d *claimData) { d.Send.Values = rest })
	}
	return v.redirect(claimPath(ref) + "?sent=" + url.QueryEscape(key))
}

// typed returns fields of a form as the person filled them in.
func (v *visit) typed(fields ...string) map[string]string {
	values := map[string]string{}
	for _, name := range fields {
		values[name] = v.r.PostFormValue(name)
	}
	return values
}

// messageFile downloads a file of a message.
func (v *visit) messageFile() error {
	ref, err := v.claimRef()
	if err != nil {
		return err
	}
	file, err := v.api.OpenAttachment(v.r.Context(), ref, v.r.PathValue("message"), v.r.PathValue("file")) //nolint:bodyclose // download closes it
	if err != nil {
		return err
	}
	return v.download(file)
}
