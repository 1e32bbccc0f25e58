package activities

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/internal/evidence"
	"github.com/claimflow/claimflow/store"
)

// tell writes what the customer newly said into the conversation, as an inbound
// message with the files that came with it. Files that Dixa cannot copy together
// are offered one by one; those that are not taken are named in the note.
func (c *changeRun) tell(ctx context.Context) error {
	kind := draftEvidence + ":" + c.in.ID
	if err := c.check(ctx, kind); err != nil {
		return err
	}
	mark := fmt.Sprintf("(%s/%d)", c.ref.Reference(), c.in.Number)
	text := clip(c.change.Said, maxSaid) + "\n\n" + mark
	err := c.customerSays(ctx, c.in.Step("message"), mark, strings.TrimSpace(text), attachments(c.files))
	if dixa.IsAttachmentDownload(err) && !c.files.Separate {
		c.files.Separate = true
		if err := c.store.SaveDraft(ctx, c.ref, kind, c.files); err != nil {
			return fmt.Errorf("note that the files go one by one: %w", err)
		}
		err = c.customerSays(ctx, c.in.Step("message"), mark, strings.TrimSpace(text), nil)
	}
	if err != nil {
		return err
	}
	c.did("message", false)
	if !c.files.Separate {
		return nil
	}
	for i, f := range c.files.Files {
		if _, refused := c.files.Refused[i]; refused {
			continue
		}
		line := fmt.Sprintf("%s (%s/%d-%d)", f.Name, c.ref.Reference(), c.in.Number, i+1)
		err := c.customerSays(ctx, c.in.Step(fmt.Sprintf("file-%d", i)), line, line, []dixa.Attachment{{URL: f.URL, PrettyName: f.Name}})
		if reason := fileRefused(err); reason != "" {
			if c.files.Refused == nil {
				c.files.Refused = map[int]string{}
			}
			c.files.Refused[i] = reason
			err = c.store.SaveDraft(ctx, c.ref, kind, c.files)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// maxSaid bounds what one message says, in bytes.
const maxSaid = 200 << 10

// check decides, once, which of the new files are offered.
func (c *changeRun) check(ctx context.Context, kind string) error {
	if c.change.Added == nil {
		return nil
	}
	err := c.store.Draft(ctx, c.ref, kind, &c.files)
	if err == nil || !errors.Is(err, store.ErrNotFound) {
		return err
	}
	every := []string{evidence.KindItem, evidence.KindClaim, evidence.KindOptional, evidence.KindSignature}
	limits := evidence.Limits{Files: c.settings.Evidence.MaxFiles, Bytes: c.settings.Evidence.MaxBytes}
	c.files.Verdict, err = c.checker.Check(ctx, evidence.Candidates(photosOf(c.change.Added, every)), limits)
	if err != nil {
		return err
	}
	return c.store.SaveDraft(ctx, c.ref, kind, c.files)
}

// customerSays adds an inbound message, once for each step. mark is what it is
// known by where Dixa keeps no keys: it stands in the text, and in no other.
func (s *session) customerSays(ctx context.Context, step, mark, text string, files []dixa.Attachment) error {
	_, err := once(ctx, s.store, write[string]{
		ref: s.ref, step: step, window: s.window(), unknown: claim.CauseOutcomeUnknown,
		look: func(ctx context.Context) (string, bool, error) {
			messages, err := s.client.Conversations.Messages(ctx, s.work.ConversationID)
			if err != nil {
				return "", false, err
			}
			for _, m := range messages {
				if strings.HasPrefix(m.ExternalID, s.ref.KeyPrefix(step)) || mentions(m, mark) {
					return m.ID, true, nil
				}
			}
			return "", false, nil
		},
		send: func(ctx context.Context, key string) (string, error) {
			added, err := s.client.Conversations.AddMessage(ctx, s.work.ConversationID, dixa.MessageInput{
				Type: dixa.Inbound, Content: dixa.TextContent(text), Attachments: files, ExternalID: key,
			})
			if err != nil {
				return "", err
			}
			return cmp.Or(added.MessageID, "unnamed"), nil
		},
		taken: dixa.IsDuplicateExternalID,
	})
	return err
}
