package activities

import (
	"context"
	"errors"
	"fmt"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/store"
)

// CompleteConversation adds what a new conversation lacks: its tags, the parts of the
// message that Dixa rejected together, its agent or queue, its custom attributes and
// the internal note. Then it syncs the claim's status like [Claims.SyncStatus]. Each
// step is done once: another attempt, or another run, continues where this one ended.
func (a *Dixa) CompleteConversation(ctx context.Context, change StatusChange) (Completed, error) {
	var done Completed
	err := a.withSession(ctx, change.Ref, "complete the conversation", func(ctx context.Context, s *session) error {
		files, err := s.evidence(ctx)
		if err != nil {
			return err
		}
		for _, step := range []struct {
			doing string
			do    func(context.Context, *evidenceDraft) error
		}{
			{"apply the tags", s.applyTags},
			{"send the remaining parts of the message", s.sendSeparately},
			{"assign the conversation", s.assign},
			{"set the custom attributes", s.setAttributes},
			{"write the internal note", s.writeNote},
		} {
			if err := s.unchanged(ctx); err != nil {
				return err
			}
			if err := step.do(ctx, &files); err != nil {
				return inStep(step.doing, err)
			}
		}
		done.Attached, done.LeftOut = files.attached(), len(files.leftOut())
		claims := &Claims{Store: a.Store}
		if done.State, err = claims.sync(ctx, change); err == nil {
			done.State, err = claims.afterWrite(ctx, s.ref, done.State)
		}
		return err
	})
	return done, err
}

// evidence returns the claim's files. A claim whose conversation a person linked has
// none.
func (s *session) evidence(ctx context.Context) (evidenceDraft, error) {
	var files evidenceDraft
	if err := s.store.Claims.Draft(ctx, s.ref, draftEvidence, &files); err != nil && !errors.Is(err, store.ErrNotFound) {
		return files, fmt.Errorf("read the evidence: %w", err)
	}
	return files, nil
}

// assign assigns the conversation to the ticket's agent or transfers it to the
// ticket's queue. A conversation that already has an agent stays with them.
func (s *session) assign(ctx context.Context, _ *evidenceDraft) error {
	if s.ticket.AgentID == "" && s.ticket.QueueID == "" {
		return nil
	}
	_, err := executeOnce(ctx, s.store, write[string]{
		ref: s.ref, step: claim.StepAssign,
		find: s.currentAssignee,
		send: func(ctx context.Context, _ string) (string, error) {
			if s.ticket.AgentID != "" {
				err := s.client.Conversations.Claim(ctx, s.work.ConversationID, s.ticket.AgentID, false)
				if dixa.IsConflict(err) {
					return "another agent", nil
				}
				return s.ticket.AgentID, err
			}
			return s.ticket.QueueID, s.client.Conversations.TransferToQueue(ctx, s.work.ConversationID, s.ticket.QueueID, "")
		},
	})
	return parkIfRefused(claim.CauseRouting, s.retryNotFound(ctx, err))
}

// currentAssignee checks whether an unanswered assignment succeeded. An agent or queue that
// has the conversation by now keeps it.
func (s *session) currentAssignee(ctx context.Context) (string, bool, error) {
	c, err := s.client.Conversations.Get(ctx, s.work.ConversationID)
	switch {
	case err != nil:
		return "", false, err
	case c.Assignment != nil:
		return c.Assignment.AgentID, true, nil
	case s.ticket.AgentID == "" && c.Queue != nil && c.Queue.ID == s.ticket.QueueID:
		return c.Queue.ID, true, nil
	default:
		return "", false, nil
	}
}

// setAttributes writes the order number and the claim id to the custom attributes
// that the shop names.
func (s *session) setAttributes(ctx context.Context, _ *evidenceDraft) error {
	if len(s.ticket.Attributes) == 0 {
		return nil
	}
	return s.idempotent(ctx, claim.StepAttributes, func(ctx context.Context) error {
		values := map[string]dixa.AttributeValue{}
		for id, v := range s.ticket.Attributes {
			values[id] = dixa.TextValue(v)
		}
		_, err := s.client.Conversations.SetCustomAttributes(ctx, s.work.ConversationID, values)
		if dixa.IsTokenRefused(err) {
			return err
		}
		return parkIfRefused(claim.CauseAttributes, s.retryNotFound(ctx, err))
	})
}
