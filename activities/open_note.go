package activities

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/store"
)

// writeNote writes the internal note: the template's note and what was left out of
// the conversation. It writes none if there is nothing to say. Notes have no key, so a
// line of ours identifies an earlier one.
func (s *session) writeNote(ctx context.Context, files *evidenceDraft) error {
	paragraphs := []string{s.ticket.Note}
	if len(s.ticket.Inactive) > 0 {
		paragraphs = append(paragraphs, "Tags not added because they are deactivated in Dixa: "+strings.Join(s.ticket.Inactive, ", "))
	}
	refused, err := s.readRefused(ctx)
	if err != nil {
		return err
	}
	if words := refused.inWords(); words != "" {
		paragraphs = append(paragraphs, words)
	}
	if len(s.ticket.Cut) > 0 {
		paragraphs = append(paragraphs, describeTruncations(s.ticket.Cut))
	}
	note := strings.TrimSpace(strings.Join(paragraphs, "\n\n"))
	if note == "" && len(files.leftOut()) == 0 && files.missing() == "" {
		return nil
	}
	sign := "Claimflow " + s.ref.Reference()
	return s.addOpeningNote(ctx, claim.StepNote, sign, noteText(note, *files, sign))
}

// describeTruncations lists what was shortened or left out of a claim.
func describeTruncations(cuts []claim.Truncation) string {
	words := "Shortened or omitted because of their length:"
	for i, c := range cuts {
		if i == maxNotedFiles {
			return words + fmt.Sprintf("\nand %d more", len(cuts)-i)
		}
		words += "\n- " + c.String()
	}
	return words
}

// addOpeningNote writes an internal note while the claim is being opened.
func (s *session) addOpeningNote(ctx context.Context, step, sign, text string) error {
	_, err := s.addNote(ctx, step, sign, text)
	return s.retryNotFound(ctx, err)
}

// addNote writes an internal note once per step. It returns the note's id, or the id of
// its first part if Dixa rejects the whole note. sign ends the text and identifies
// the note. No other note contains it.
func (s *session) addNote(ctx context.Context, step, sign, text string) (id string, err error) {
	kind := "note-parts:" + step
	size := 0
	if err := s.store.Claims.Draft(ctx, s.ref, kind, &size); err != nil && !errors.Is(err, store.ErrNotFound) {
		return "", fmt.Errorf("read the part size of the note: %w", err)
	}
	for {
		id, err := s.noteInParts(ctx, step, sign, text, size)
		if err == nil || !contentRefused(err) {
			return id, err
		}
		smaller := smallerParts(size, len(text))
		if smaller == 0 {
			return "", err
		}
		if err := s.store.Claims.SaveDraft(ctx, s.ref, kind, smaller); err != nil {
			return "", fmt.Errorf("save the part size of the note: %w", err)
		}
		size = smaller
	}
}

// noteInParts writes a note in parts of size bytes, or whole if size is 0.
func (s *session) noteInParts(ctx context.Context, step, sign, text string, size int) (id string, err error) {
	if size == 0 {
		return s.noteOnce(ctx, step, sign, text)
	}
	parts, _ := splitText(strings.TrimSuffix(text, sign), sign, size)
	for i, part := range parts {
		made, err := s.noteOnce(ctx, fmt.Sprintf("%s-%d-%d", step, size, i), partMark(sign, i, len(parts)), part)
		if err != nil {
			return "", err
		}
		id = cmp.Or(id, made)
	}
	return id, nil
}

// noteOnce writes one note, identified by its mark.
func (s *session) noteOnce(ctx context.Context, step, mark, text string) (id string, err error) {
	return executeOnce(ctx, s.store, write[string]{
		ref: s.ref, step: step, window: s.window(),
		find: func(ctx context.Context) (string, bool, error) {
			notes, err := s.client.Conversations.Notes(ctx, s.work.ConversationID)
			if err != nil {
				return "", false, err
			}
			for _, n := range notes {
				if strings.Contains(n.Message, mark) {
					return n.ID, true, nil
				}
			}
			return "", false, nil
		},
		send: func(ctx context.Context, _ string) (string, error) {
			n, err := s.client.Conversations.AddNote(ctx, s.work.ConversationID, dixa.NoteInput{Message: text})
			if err != nil {
				return "", err
			}
			return n.ID, nil
		},
	})
}

// Limits of a note, in bytes except for maxNotedFiles. The list of files and the
// signature always fit.
const (
	maxNote       = 16 << 10
	maxNotedFiles = 20
	maxNotedFile  = 600 // one line of the list
	maxNotedURL   = 450
)

// noteText returns the template's note, the list of what is not attached, and the
// line that identifies the note. That line is never cut.
func noteText(note string, files evidenceDraft, sign string) string {
	var list strings.Builder
	left := files.leftOut()
	if len(left) > 0 {
		list.WriteString("Not attached:\n")
		for _, f := range left[:min(len(left), maxNotedFiles)] {
			list.WriteString(clip(fmt.Sprintf("- %s: %s (%s)", f.Name, f.Reason, notedURL(f.URL)), maxNotedFile) + "\n")
		}
		if more := len(left) - maxNotedFiles; more > 0 {
			fmt.Fprintf(&list, "and %d more\n", more)
		}
		list.WriteByte('\n')
	}
	if missing := files.missing(); missing != "" {
		list.WriteString("Missing from the customer's text in this conversation: " + clip(missing, maxNotedFile) + "\n\n")
	}
	if note = strings.TrimSpace(note); note != "" {
		note = clip(note, maxNote-list.Len()-len(sign)-len("\n\n")) + "\n\n"
	}
	return note + list.String() + sign
}

// notedURL returns the address of a file for an agent to open. It keeps the query,
// which many addresses need, if the whole address fits.
func notedURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "invalid URL"
	}
	u.User, u.Fragment = nil, ""
	if whole := u.String(); len(whole) <= maxNotedURL {
		return whole
	}
	u.RawQuery = ""
	return clip(u.String(), maxNotedURL)
}

// clip cuts a text to at most that many bytes and marks the cut.
func clip(s string, most int) string {
	const mark = "…"
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most-len(mark)], "") + mark
}
