package activities

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/internal/todixa/evidence"
	"github.com/claimflow/claimflow/store"
)

// sendMessage writes what the customer newly said to the conversation, as an inbound
// message with the new files. A message that Dixa rejects is sent in pieces. The
// note names the pieces that Dixa rejects.
func (c *changeRun) sendMessage(ctx context.Context) error {
	kind := draftEvidence + ":" + c.in.ID
	if err := c.check(ctx, kind); err != nil {
		return err
	}
	mark := fmt.Sprintf("%s/%d", c.ref.Reference(), c.in.Number)
	whole := dixa.TextContent(strings.TrimSpace(clip(c.change.Said, maxMessageBytes) + "\n\n(" + mark + ")"))
	keep := func(files evidenceDraft) error { return c.store.Claims.SaveDraft(ctx, c.ref, kind, files) }
	for {
		known := "(" + mark + ")"
		if len(c.files.Parts) > 0 {
			known = partMark(mark, 0, len(c.files.Parts))
		}
		err := c.addMessageOnce(ctx, c.in.Step("message"), known, dixa.MessageInput{
			Type: dixa.Inbound, Content: c.files.content(whole), Attachments: attachments(c.files),
		})
		if err == nil {
			break
		}
		if !contentRefused(err) || !c.files.shrink(dixa.TextContent(c.change.Said), mark, len(c.files.Files)) {
			return err
		}
		if err := keep(c.files); err != nil {
			return fmt.Errorf("record that the message is split: %w", err)
		}
	}
	c.recordDone("message", false)
	rest := remainder{
		session: c.session, files: &c.files, message: dixa.MessageInput{Type: dixa.Inbound}, mark: mark, keep: keep,
		part: func(i int) string { return c.in.Step(fmt.Sprintf("text-%d", i)) },
		file: func(i int) string { return c.in.Step(fmt.Sprintf("file-%d", i)) },
		line: func(i int) string { return fmt.Sprintf("%s (%s-%d)", c.files.Files[i].Name, mark, i+1) },
	}
	return rest.send(ctx)
}

// maxMessageBytes bounds the text of one message, in bytes.
const maxMessageBytes = 200 << 10

// check decides, once, which of the new files are offered.
func (c *changeRun) check(ctx context.Context, kind string) error {
	if c.change.Added == nil {
		return nil
	}
	err := c.store.Claims.Draft(ctx, c.ref, kind, &c.files)
	if err == nil || !errors.Is(err, store.ErrNotFound) {
		return err
	}
	every := []string{evidence.KindItem, evidence.KindClaim, evidence.KindOptional, evidence.KindSignature}
	limits := evidenceLimits(c.settings.Evidence)
	c.files.Result, err = c.checker.Check(ctx, evidence.Candidates(photosOf(c.change.Added, every)), limits)
	if err != nil {
		return err
	}
	return c.store.Claims.SaveDraft(ctx, c.ref, kind, c.files)
}
