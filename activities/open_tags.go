package activities

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/store"
)

// applyTags adds the ticket's tags to the conversation in one request, or one by one
// if Dixa rejects them together. Dixa adds missing tags and keeps existing ones, so
// sending them twice is harmless. A tag that Dixa rejects is left out, and the
// internal note and the timeline name it.
func (s *session) applyTags(ctx context.Context, _ *evidenceDraft) error {
	return s.idempotent(ctx, claim.StepTags, func(ctx context.Context) error {
		refused, err := s.addTags(ctx, s.ticket.Tags)
		if err != nil || len(refused) == 0 {
			return err
		}
		if err := s.refused(ctx, func(r *refusedDraft) { r.Tags = refused }); err != nil {
			return err
		}
		_, err = s.store.Claims.Change(ctx, s.ref, "", store.ClaimUpdate{Timeline: []store.TimelineEntry{{ID: "refused-tags", TimelineEntry: claim.TimelineEntry{
			At: time.Now().UTC(), What: "tags omitted", Detail: strings.Join(refused, ", ") + ": rejected by Dixa",
		}}}})
		return err
	})
}

// addTags adds tags and returns those that Dixa rejects because of their content.
func (s *session) addTags(ctx context.Context, names []string) (refused []string, err error) {
	if len(names) == 0 {
		return nil, nil
	}
	err = s.client.Conversations.AddTags(ctx, s.work.ConversationID, names...)
	if !contentRefused(err) {
		return nil, err
	}
	if len(names) == 1 {
		return names, nil
	}
	for _, name := range names {
		err := s.client.Conversations.AddTags(ctx, s.work.ConversationID, name)
		switch {
		case contentRefused(err):
			refused = append(refused, name)
		case err != nil:
			return nil, err
		}
	}
	return refused, nil
}

// draftRefused is the kind of the draft that holds what Dixa rejected of a claim
// without preventing its conversation from being opened.
const draftRefused = "refused"

type refusedDraft struct {
	// Name says that Dixa rejected the customer's name.
	Name bool     `json:"name,omitempty"`
	Tags []string `json:"tags,omitempty"`
}

// inWords lists what Dixa rejected, for the internal note. Empty if it rejected
// nothing.
func (r refusedDraft) inWords() string {
	var words []string
	if r.Name {
		words = append(words, "Dixa rejected the customer's name, so the customer has no name in Dixa.")
	}
	if len(r.Tags) > 0 {
		words = append(words, "Tags not added because Dixa rejected them: "+strings.Join(r.Tags, ", "))
	}
	return strings.Join(words, "\n")
}

func (s *session) readRefused(ctx context.Context) (refusedDraft, error) {
	return readRefused(ctx, s.store, s.ref)
}

func readRefused(ctx context.Context, from *store.Store, ref claim.Ref) (refusedDraft, error) {
	var r refusedDraft
	if err := from.Claims.Draft(ctx, ref, draftRefused, &r); err != nil && !errors.Is(err, store.ErrNotFound) {
		return r, fmt.Errorf("read the values that Dixa rejected: %w", err)
	}
	return r, nil
}

// refused adds to the record of what Dixa rejected of the claim.
func (s *session) refused(ctx context.Context, add func(*refusedDraft)) error {
	r, err := s.readRefused(ctx)
	if err != nil {
		return err
	}
	add(&r)
	if err := s.store.Claims.SaveDraft(ctx, s.ref, draftRefused, r); err != nil {
		return fmt.Errorf("save the values that Dixa rejected: %w", err)
	}
	return nil
}
