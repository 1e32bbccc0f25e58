package activities

import (
	"cmp"
	"context"

	"github.com/claimflow/claimflow/claim"
)

// OpeningSteps runs single steps of [Dixa.CreateConversation] and
// [Dixa.CompleteConversation].
type OpeningSteps struct{ Dixa Dixa }

// Customer is the customer that a claim is opened for.
type Customer struct {
	EndUserID string
	// Note says that Dixa rejected the customer's name.
	Note bool
}

func (o *OpeningSteps) FindOrCreateCustomer(ctx context.Context, ref claim.Ref) (Customer, error) {
	var found Customer
	err := o.Dixa.withSession(ctx, ref, "find or create the customer", func(ctx context.Context, s *session) (err error) {
		if found.EndUserID, _, err = s.customer(ctx); err != nil {
			return err
		}
		refused, err := s.readRefused(ctx)
		found.Note = refused.Name
		return err
	})
	return found, err
}

func (o *OpeningSteps) step(ctx context.Context, ref claim.Ref, do func(*session, context.Context, *evidenceDraft) error) (Completed, error) {
	var done Completed
	err := o.Dixa.withSession(ctx, ref, "complete the conversation", func(ctx context.Context, s *session) error {
		files, err := s.evidence(ctx)
		if err == nil {
			err = do(s, ctx, &files)
		}
		done.Attached, done.LeftOut = files.attached(), len(files.leftOut())
		return err
	})
	return done, err
}

func (o *OpeningSteps) ApplyTags(ctx context.Context, ref claim.Ref) (Completed, error) {
	return o.step(ctx, ref, (*session).applyTags)
}

func (o *OpeningSteps) SendSeparately(ctx context.Context, ref claim.Ref) (Completed, error) {
	return o.step(ctx, ref, (*session).sendSeparately)
}

func (o *OpeningSteps) AssignConversation(ctx context.Context, ref claim.Ref) (Completed, error) {
	return o.step(ctx, ref, (*session).assign)
}

func (o *OpeningSteps) SetAttributes(ctx context.Context, ref claim.Ref) (Completed, error) {
	return o.step(ctx, ref, (*session).setAttributes)
}

// AddNote writes a note even if there is nothing to say.
func (o *OpeningSteps) AddNote(ctx context.Context, ref claim.Ref) (Completed, error) {
	return o.step(ctx, ref, func(s *session, ctx context.Context, files *evidenceDraft) error {
		s.ticket.Note = cmp.Or(s.ticket.Note, "Please check.")
		return s.writeNote(ctx, files)
	})
}
