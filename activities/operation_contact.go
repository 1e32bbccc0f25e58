package activities

import (
	"context"
	"strings"

	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/unified"
)

// filtersOf returns the filters that find a person by what Dixa keeps unique, best first.
func filtersOf(in dixa.EndUserInput) []dixa.EndUserFilter {
	var filters []dixa.EndUserFilter
	if in.Email != "" {
		filters = append(filters, dixa.EndUserFilter{Email: in.Email})
		if lower := strings.ToLower(in.Email); lower != in.Email {
			filters = append(filters, dixa.EndUserFilter{Email: lower})
		}
		return filters
	}
	if in.PhoneNumber != "" {
		return append(filters, dixa.EndUserFilter{Phone: in.PhoneNumber})
	}
	return append(filters, dixa.EndUserFilter{ExternalID: in.ExternalID})
}

// contactsAlike lists the end users that have the address, number or external id.
func (o *operation) contactsAlike(in dixa.EndUserInput) func(context.Context) ([]string, error) {
	return func(ctx context.Context) ([]string, error) {
		var ids []string
		for _, filter := range filtersOf(in) {
			for u, err := range o.client.EndUsers.List(ctx, filter) {
				if dixa.IsNotFound(err) {
					break
				}
				if err != nil {
					return nil, err
				}
				if matches(u, filter) {
					ids = append(ids, u.ID)
				}
			}
		}
		return distinct(ids...), nil
	}
}

func (o *operation) createContact(ctx context.Context, step string, s unified.CreateContact) error {
	id, err := o.create(ctx, creation{
		step: step, kind: "contact", alike: o.contactsAlike(s.Input),
		exists: func(ids []string) error {
			field := "emails"
			switch {
			case s.Input.Email != "":
			case s.Input.PhoneNumber != "":
				field = "phones"
			default:
				field = "external_id"
			}
			return unified.WrongBody(unified.Failure{Field: field, Message: "belongs to the contact " + ids[0] + "; update that one"})
		},
		send: func(ctx context.Context) (string, error) {
			u, err := o.client.EndUsers.Create(ctx, s.Input)
			if err != nil {
				return "", err
			}
			return u.ID, nil
		},
	})
	o.made(id)
	return err
}

func (o *operation) updateContact(ctx context.Context, step string, s unified.UpdateContact) error {
	return o.repeatable(ctx, step, func(bool) error {
		_, err := o.client.EndUsers.Update(ctx, s.ID, s.Input)
		return err
	})
}

func (o *operation) setContactFields(ctx context.Context, step string, s unified.SetContactFields) error {
	return o.repeatable(ctx, step, func(bool) error {
		_, err := o.client.EndUsers.SetCustomAttributes(ctx, o.object, o.values(entityContact, s.Fields))
		return err
	})
}

// anonymizeContact requests an anonymization, which Dixa carries out later. A second
// request is refused as a conflict.
func (o *operation) anonymizeContact(ctx context.Context, step string, s unified.Anonymize) error {
	return o.repeatable(ctx, step, func(again bool) error {
		_, err := o.client.EndUsers.Anonymize(ctx, s.ID, true)
		if again && dixa.IsConflict(err) {
			return nil
		}
		return err
	})
}
