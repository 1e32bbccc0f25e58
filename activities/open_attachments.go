package activities

import (
	"context"
	"fmt"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/store"
)

// sendSeparately sends what Dixa rejected in the first message: the other parts of
// its text, then its files, each as a message of its own. It leaves out what Dixa
// rejects again.
func (s *session) sendSeparately(ctx context.Context, files *evidenceDraft) error {
	if files.whole() {
		return nil
	}
	message := dixa.MessageInput{Type: dixa.Inbound}
	if s.ticket.Outbound {
		message.Type, message.AgentID = dixa.Outbound, s.ticket.AgentID
	}
	rest := remainder{
		session: s, files: files, message: message, mark: s.ref.Reference(),
		part: func(i int) string { return fmt.Sprintf("%s-%d", claim.StepText, i) },
		file: func(i int) string { return fmt.Sprintf("%s-%d", claim.StepAttachment, i) },
		line: func(i int) string { return files.Files[i].Name + " (" + s.ref.Reference() + ")" },
		keep: func(files evidenceDraft) error { return s.store.Claims.SaveDraft(ctx, s.ref, draftEvidence, files) },
	}
	if err := rest.send(ctx); err != nil {
		return s.retryNotFound(ctx, err)
	}
	attached, leftOut := files.attached(), len(files.leftOut())
	_, err := s.store.Claims.Change(ctx, s.ref, "", store.ClaimUpdate{Attached: &attached, LeftOut: &leftOut})
	return err
}
