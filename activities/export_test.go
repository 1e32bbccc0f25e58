package activities

import (
	"context"

	"github.com/claimflow/claimflow/claim"
)

// CustomerStep runs the part of [Dixa.CreateConversation] that finds or creates the
// customer.
type CustomerStep struct{ Dixa Dixa }

// Customer is the customer that it found or created.
type Customer struct {
	EndUserID string
	// Note says that Dixa refused the customer's name.
	Note bool
}

func (a *CustomerStep) FindOrCreateCustomer(ctx context.Context, ref claim.Ref) (Customer, error) {
	var found Customer
	err := a.Dixa.withSession(ctx, ref, "find or create the customer", func(ctx context.Context, s *session) (err error) {
		if found.EndUserID, _, err = s.customer(ctx); err != nil {
			return err
		}
		refused, err := s.readRefused(ctx)
		found.Note = refused.Name
		return err
	})
	return found, err
}
