package activities

import (
	"context"
	"fmt"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
)

// AskState asks Dixa for the state of the claim's conversation if events leave it or the
// tags in doubt. It costs one request, and a second one for tags. It returns the resulting
// state of the claim.
func (a *Dixa) AskState(ctx context.Context, ref claim.Ref) (claim.WorkflowState, error) {
	return a.withState(ctx, ref, "request the state of the conversation", func(ctx context.Context, s *session) error {
		known, err := s.store.Conversations.Get(ctx, ref)
		if err != nil {
			return fmt.Errorf("read the stored conversation: %w", err)
		}
		if known.AnyDoubtAt().IsZero() {
			return nil
		}
		now, err := s.client.Conversations.Get(ctx, s.work.ConversationID)
		if err != nil {
			return s.retryNotFound(ctx, err)
		}
		var tags []string
		if !known.TagsDoubtAt().IsZero() {
			// Read after the state, so that the tags are at least as recent.
			if tags, err = s.currentTags(ctx); err != nil {
				return s.retryNotFound(ctx, err)
			}
		}
		fact := factOf("asked", known, now, tags)
		_, err = s.store.Claims.Change(ctx, ref, "", store.ClaimUpdate{Fact: &fact, RulesDue: true})
		return err
	})
}

// currentTags asks Dixa for the conversation's tags. The list is not nil.
func (s *session) currentTags(ctx context.Context) ([]string, error) {
	listed, err := s.client.Conversations.Tags(ctx, s.work.ConversationID)
	if err != nil {
		return nil, err
	}
	tags := []string{}
	for _, t := range listed {
		tags = append(tags, t.Name)
	}
	return tags, nil
}

// factOf converts Dixa's answer about the conversation to a fact. The fact is at
// least as new as the state in the answer and newer than everything known before the
// request. tags is nil if they were not requested.
func factOf(id string, known claim.Conversation, now *dixa.Conversation, tags []string) claim.Fact {
	at := now.StateUpdatedAt.Time
	for _, stamp := range []claim.Stamp{known.StatusAt, known.PeopleAt, known.TagsAt} {
		if !stamp.At.Before(at) {
			at = stamp.At.Add(time.Microsecond)
		}
	}
	f := claim.Fact{
		Stamp:  claim.Stamp{At: at, Weight: claim.WeightRefreshed, ID: id},
		Status: mirror.Status(now.State), People: true, Tags: tags,
	}
	if now.Assignment != nil {
		f.Assignee = &claim.Person{ID: now.Assignment.AgentID}
		if a := known.Assignee; a != nil && a.ID == f.Assignee.ID {
			f.Assignee = a
		}
	}
	if now.Queue != nil {
		f.Queue = &claim.Queue{ID: now.Queue.ID}
		if q := known.Queue; q != nil && q.ID == f.Queue.ID {
			f.Queue = q
		}
	}
	return f
}
