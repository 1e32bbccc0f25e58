package activities

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/internal/evidence"
	"github.com/claimflow/claimflow/store"
)

// UploadAttachments offers each file as a message of its own: for a claim whose
// files Dixa refused together, where it does not say which of them it could not
// copy. A file that it refuses is left out.
func (a *Dixa) UploadAttachments(ctx context.Context, ref claim.Ref) (Uploaded, error) {
	var up Uploaded
	err := a.with(ctx, ref, "upload the attachments", func(ctx context.Context, s *session) error {
		var files evidenceDraft
		if err := s.store.Draft(ctx, ref, draftEvidence, &files); err != nil {
			return fmt.Errorf("read the evidence: %w", err)
		}
		for i := range files.Files {
			if _, refused := files.Refused[i]; refused {
				continue
			}
			err := s.upload(ctx, i, files.Files[i])
			if reason := fileRefused(err); reason != "" {
				if files.Refused == nil {
					files.Refused = map[int]string{}
				}
				files.Refused[i] = reason
				err = s.store.SaveDraft(ctx, ref, draftEvidence, files)
			}
			if err != nil {
				return s.justOpened(ctx, err)
			}
		}
		up = Uploaded{Attached: files.attached(), LeftOut: len(files.leftOut())}
		_, err := s.store.Change(ctx, ref, "", store.Set{Attached: &up.Attached, LeftOut: &up.LeftOut})
		return err
	})
	return up, err
}

// fileRefused says why Dixa does not take a file, whatever it is about it; empty
// where it is not about the file. A claim is never parked for a photo.
func fileRefused(err error) string {
	e, ok := dixa.AsError(err)
	switch {
	case !ok || e.Outcome != dixa.Rejected || e.Retryable:
		return ""
	case dixa.IsAttachmentDownload(err):
		return "Dixa could not copy it"
	case e.Status == http.StatusBadRequest, e.Status == http.StatusRequestEntityTooLarge, e.Status == http.StatusUnprocessableEntity:
		return "Dixa does not take it"
	default:
		return ""
	}
}

func (s *session) upload(ctx context.Context, number int, file evidence.File) error {
	step := fmt.Sprintf("%s-%d", claim.StepAttachment, number)
	conversationID := s.work.ConversationID
	_, err := once(ctx, s.store, write[string]{
		ref: s.ref, step: step, window: s.window(), unknown: claim.CauseOutcomeUnknown,
		look: func(ctx context.Context) (string, bool, error) {
			messages, err := s.client.Conversations.Messages(ctx, conversationID)
			if err != nil {
				return "", false, err
			}
			for _, m := range messages {
				if strings.HasPrefix(m.ExternalID, s.ref.KeyPrefix(step)) || mentions(m, attachmentLine(s.ref, file)) {
					return m.ID, true, nil
				}
			}
			return "", false, nil
		},
		send: func(ctx context.Context, key string) (string, error) {
			m := dixa.MessageInput{
				Type: dixa.Inbound, Content: dixa.TextContent(attachmentLine(s.ref, file)),
				Attachments: []dixa.Attachment{{URL: file.URL, PrettyName: file.Name}}, ExternalID: key,
			}
			if s.ticket.Outbound {
				m.Type, m.AgentID = dixa.Outbound, s.ticket.AgentID
			}
			added, err := s.client.Conversations.AddMessage(ctx, conversationID, m)
			if err != nil {
				return "", err
			}
			return cmp.Or(added.MessageID, "unnamed"), nil
		},
		taken: dixa.IsDuplicateExternalID,
	})
	return err
}

// attachmentLine is the text of the message that carries one file. It tells the
// message apart where Dixa keeps no keys.
func attachmentLine(ref claim.Ref, file evidence.File) string {
	return file.Name + " (" + ref.Reference() + ")"
}
