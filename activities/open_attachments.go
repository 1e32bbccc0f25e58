package activities

import (
	"context"
	"fmt"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/store"
)

// SendSeparately sends what Dixa refused in the first message: the other parts of
// its text, then its files, each as a message of its own. It leaves out what Dixa
// refuses again.
func (a *Dixa) SendSeparately(ctx context.Context, in OpeningStep) (OpeningResult, error) {
	return a.openingStep(ctx, in, "send the rest of the message", func(ctx context.Context, s *session) (OpeningResult, error) {
		ref := in.Ref
		var files evidenceDraft
		if err := s.store.Claims.Draft(ctx, ref, draftEvidence, &files); err != nil {
			return OpeningResult{}, fmt.Errorf("read the evidence: %w", err)
		}
		message := dixa.MessageInput{Type: dixa.Inbound}
		if s.ticket.Outbound {
			message.Type, message.AgentID = dixa.Outbound, s.ticket.AgentID
		}
		rest := remainder{
			session: s, files: &files, message: message, mark: ref.Reference(),
			part: func(i int) string { return fmt.Sprintf("%s-%d", claim.StepText, i) },
			file: func(i int) string { return fmt.Sprintf("%s-%d", claim.StepAttachment, i) },
			line: func(i int) string { return files.Files[i].Name + " (" + ref.Reference() + ")" },
			keep: func(files evidenceDraft) error { return s.store.Claims.SaveDraft(ctx, ref, draftEvidence, files) },
		}
		if err := rest.send(ctx); err != nil {
			return OpeningResult{}, s.retryNotFound(ctx, err)
		}
		sent := OpeningResult{Attached: files.attached(), LeftOut: len(files.leftOut()), Note: files.missing() != ""}
		_, err := s.store.Claims.Change(ctx, ref, "", store.ClaimUpdate{Attached: &sent.Attached, LeftOut: &sent.LeftOut})
		return sent, err
	})
}
