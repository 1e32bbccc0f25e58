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

// AddNote writes the internal note: what the template has for it, and which files
// were left out. Notes have no key, so an earlier one is known by a line of ours.
func (a *Dixa) AddNote(ctx context.Context, ref claim.Ref) error {
	return a.with(ctx, ref, "write the internal note", func(ctx context.Context, s *session) error {
		var files evidenceDraft
		if err := s.store.Claims.Draft(ctx, ref, draftEvidence, &files); err != nil && !errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("read the evidence: %w", err)
		}
		sign := "Claimflow " + ref.Reference()
		note := s.ticket.Note
		if len(s.ticket.Inactive) > 0 {
			note += "\n\nNot tagged, since deactivated in Dixa: " + strings.Join(s.ticket.Inactive, ", ")
		}
		refused, err := s.readRefused(ctx)
		if err != nil {
			return err
		}
		if words := refused.inWords(); words != "" {
			note += "\n\n" + words
		}
		if len(s.ticket.Cut) > 0 {
			note += "\n\n" + cutInWords(s.ticket.Cut)
		}
		text := noteText(note, files, sign)
		return s.noted(ctx, claim.StepNote, sign, text)
	})
}

// cutInWords says what of a claim was shortened or left out.
func cutInWords(cuts []claim.Cut) string {
	words := "Too long, so shortened or left out:"
	for i, c := range cuts {
		if i == maxNotedFiles {
			return words + fmt.Sprintf("\nand %d more", len(cuts)-i)
		}
		words += "\n- " + c.String()
	}
	return words
}

// noted writes an internal note of the opening.
func (s *session) noted(ctx context.Context, step, sign, text string) error {
	_, err := s.note(ctx, step, sign, text)
	return s.justOpened(ctx, err)
}

// note writes an internal note, once for each step, and returns its id, or that
// of its first part where Dixa refuses it whole. sign ends the text; the note is
// known by it, and no other note has it.
func (s *session) note(ctx context.Context, step, sign, text string) (id string, err error) {
	kind := "note-parts:" + step
	size := 0
	if err := s.store.Claims.Draft(ctx, s.ref, kind, &size); err != nil && !errors.Is(err, store.ErrNotFound) {
		return "", fmt.Errorf("read in which parts the note goes: %w", err)
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
			return "", fmt.Errorf("keep in which parts the note goes: %w", err)
		}
		size = smaller
	}
}

// noteInParts writes a note in parts of a size in bytes, or whole where that is 0.
func (s *session) noteInParts(ctx context.Context, step, sign, text string, size int) (id string, err error) {
	if size == 0 {
		return s.noteOnce(ctx, step, sign, text)
	}
	parts, _ := inParts(strings.TrimSuffix(text, sign), sign, size)
	for i, part := range parts {
		made, err := s.noteOnce(ctx, fmt.Sprintf("%s-%d-%d", step, size, i), partMark(sign, i, len(parts)), part)
		if err != nil {
			return "", err
		}
		id = cmp.Or(id, made)
	}
	return id, nil
}

// noteOnce writes one note, known by its mark.
func (s *session) noteOnce(ctx context.Context, step, mark, text string) (id string, err error) {
	return once(ctx, s.store, write[string]{
		ref: s.ref, step: step, window: s.window(),
		look: func(ctx context.Context) (string, bool, error) {
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

// Bounds of a note, in bytes. Its list of files and its signature always fit.
const (
	maxNote       = 16 << 10
	maxNotedFiles = 20
	maxNotedFile  = 600 // a line of the list
	maxNotedURL   = 450
)

// noteText is the template's note, what was not attached, and the line by which
// the note is known, which is never cut.
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
		list.WriteString("Of the customer's text this is not in the conversation: " + clip(missing, maxNotedFile) + "\n\n")
	}
	if note = strings.TrimSpace(note); note != "" {
		note = clip(note, maxNote-list.Len()-len(sign)-len("\n\n")) + "\n\n"
	}
	return note + list.String() + sign
}

// notedURL is where a file is, for an agent to open: with its query, which many
// addresses need, where there is room for all of it.
func notedURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "address not readable"
	}
	u.User, u.Fragment = nil, ""
	if whole := u.String(); len(whole) <= maxNotedURL {
		return whole
	}
	u.RawQuery = ""
	return clip(u.String(), maxNotedURL)
}

// clip cuts a text to at most so many bytes, with a mark where it ends.
func clip(s string, most int) string {
	const mark = "…"
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most-len(mark)], "") + mark
}
