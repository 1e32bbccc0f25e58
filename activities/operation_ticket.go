package activities

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/store"
	"github.com/claimflow/claimflow/unified"
)

// openTicket creates an email conversation for the contact of the step before.
func (o *operation) openTicket(ctx context.Context, step string, s unified.OpenTicket) error {
	mailbox := cmp.Or(s.Mailbox, o.settings.EmailIntegrationID)
	if mailbox == "" {
		e := unified.Missing(nil, []string{"collections"})
		e.Message += " A new ticket needs a mailbox: a collection of the type contact_endpoint, or email_integration_id in the shop's settings."
		return e
	}
	message, err := o.messageInput(s.Message)
	if err != nil {
		return err
	}
	log := o.intents(step, "conversation")
	id, err := sendOnce(ctx, log, write[string]{
		step: step, window: o.window(), unknown: claim.CauseOutcomeUnknown, isDuplicate: dixa.IsDuplicateExternalID,
		find: func(ctx context.Context) (string, bool, error) { return o.findTicket(ctx, log, s.Subject, message) },
		send: func(ctx context.Context, key string) (string, error) {
			message.ExternalID = key
			id, err := o.client.Conversations.Create(ctx, dixa.NewConversation{
				Type: dixa.NewEmail, RequesterID: o.contact, EmailIntegrationID: mailbox, Subject: s.Subject, Message: message, Language: s.Language,
			})
			return fmt.Sprint(id), err
		},
	})
	if err != nil {
		return err
	}
	var number int64
	if _, err := fmt.Sscan(id, &number); err != nil {
		return fmt.Errorf("read the id of the new conversation: %w", err)
	}
	o.madeTicket(number)
	return nil
}

// findTicket searches the contact's conversations since the operation began: by the key
// of the first message or, if Dixa keeps no keys, by subject and text, among those that
// belong to no claim and no other operation.
func (o *operation) findTicket(ctx context.Context, log operationIntents, subject string, message dixa.MessageInput) (string, bool, error) {
	for c, err := range o.client.EndUsers.Conversations(ctx, o.contact) {
		if dixa.IsNotFound(err) {
			return "", false, nil
		}
		if err != nil {
			return "", false, err
		}
		if !o.since(c.CreatedAt.Time) {
			continue
		}
		messages, err := o.client.Conversations.Messages(ctx, c.ID)
		if err != nil && !dixa.IsNotFound(err) {
			return "", false, err
		}
		id := fmt.Sprint(c.ID)
		for i, m := range messages {
			if strings.HasPrefix(m.ExternalID, log.keyPrefix()) {
				return id, true, nil
			}
			if i > 0 || m.ExternalID != "" || c.Subject != subject || !sameMessage(m, message) {
				continue
			}
			_, err := o.Store.Links.ClaimOf(ctx, o.ConnectionID, c.ID)
			if err == nil {
				continue
			}
			if !errors.Is(err, store.ErrNotFound) {
				return "", false, err
			}
			if taken, err := log.owned(ctx, id); err != nil || !taken {
				return id, err == nil, err
			}
		}
	}
	return "", false, nil
}

// setTags adds the tags that a ticket lacks and removes those that it should not have.
func (o *operation) setTags(ctx context.Context, step string, s unified.SetTags) error {
	ticket := o.ticketOf(s.Ticket)
	return o.repeatable(ctx, step, func(bool) error {
		has, err := o.client.Conversations.Tags(ctx, ticket)
		if err != nil {
			return err
		}
		is := func(w unified.TagName, t *dixa.Tag) bool {
			return w.ID != "" && strings.EqualFold(w.ID, t.ID) || w.ID == "" && strings.EqualFold(w.Name, t.Name)
		}
		for _, w := range s.Tags {
			if slices.ContainsFunc(has, func(t *dixa.Tag) bool { return is(w, t) }) {
				continue
			}
			id := w.ID
			if id == "" {
				// Dixa returns the tag that has the name, or creates one.
				t, err := o.client.Tags.Create(ctx, dixa.TagInput{Name: w.Name})
				if err != nil {
					return err
				}
				id = t.ID
			}
			if err := o.addTag(ctx, ticket, id); err != nil {
				return err
			}
		}
		for _, t := range has {
			if slices.ContainsFunc(s.Tags, func(w unified.TagName) bool { return is(w, t) }) {
				continue
			}
			if err := o.client.Conversations.RemoveTag(ctx, ticket, t.ID); err != nil && !dixa.IsNotFound(err) {
				return err
			}
		}
		return nil
	})
}

// addTag adds a tag. Dixa does not document its answer for a tag that is there already.
func (o *operation) addTag(ctx context.Context, ticket int64, id string) error {
	err := o.client.Conversations.AddTag(ctx, ticket, id)
	if !final(err) {
		return err
	}
	has, listErr := o.client.Conversations.Tags(ctx, ticket)
	if listErr == nil && slices.ContainsFunc(has, func(t *dixa.Tag) bool { return strings.EqualFold(t.ID, id) }) {
		return nil
	}
	return err
}

func (o *operation) setTicketFields(ctx context.Context, step string, s unified.SetTicketFields) error {
	ticket := o.ticketOf(s.Ticket)
	return o.repeatable(ctx, step, func(bool) error {
		_, err := o.client.Conversations.SetCustomAttributes(ctx, ticket, o.values(entityTicket, s.Fields))
		return err
	})
}

// Entities of custom attributes, as Dixa names them.
const (
	entityTicket  = "Conversation"
	entityContact = "Contact"
)

// checkFields reads the definitions of custom attributes if the operation sets some. It
// refuses names that are not defined, before anything is written.
func (o *operation) checkFields(ctx context.Context) error {
	fields, entity := map[string]dixa.AttributeValue{}, entityTicket
	for _, step := range o.change.Steps {
		switch s := step.(type) {
		case unified.SetTicketFields:
			fields = s.Fields
		case unified.SetContactFields:
			fields, entity = s.Fields, entityContact
		}
	}
	if len(fields) == 0 {
		return nil
	}
	var err error
	if o.attributes, err = o.client.CustomAttributes.List(ctx); err != nil {
		return err
	}
	var faults []unified.Failure
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if o.attribute(entity, name) == nil {
			faults = append(faults, unified.Failure{Field: "custom_fields." + name, Message: "is not the name of a field of this entity; GET /unified/ticketing/fields lists them"})
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return unified.WrongBody(faults...)
}

// attribute returns the definition of a custom attribute; nil if there is none.
func (o *operation) attribute(entity, identifier string) *dixa.CustomAttributeDefinition {
	for _, d := range o.attributes {
		if strings.EqualFold(d.EntityType, entity) && d.Identifier == identifier {
			return d
		}
	}
	return nil
}

// values returns values by the ids of their custom attributes.
func (o *operation) values(entity string, fields map[string]dixa.AttributeValue) map[string]dixa.AttributeValue {
	values := map[string]dixa.AttributeValue{}
	for identifier, value := range fields {
		d := o.attribute(entity, identifier)
		if strings.EqualFold(d.InputDefinition.Type, "Select") && !value.Null && value.Path == nil {
			value = dixa.SelectValue(value.Text)
		}
		values[d.ID] = value
	}
	return values
}

// stateStep performs a change of a conversation's state unless it is so already.
func (o *operation) stateStep(ctx context.Context, step string, ticket int64, so func(*dixa.Conversation) bool, send func() error) error {
	return o.repeatable(ctx, step, func(bool) error {
		now, err := o.client.Conversations.Get(ctx, ticket)
		if err != nil || so(now) {
			return err
		}
		err = send()
		if !final(err) {
			return err
		}
		// Someone may have done it meanwhile. Dixa does not document its answer then.
		if now, getErr := o.client.Conversations.Get(ctx, ticket); getErr == nil && so(now) {
			return nil
		}
		return err
	})
}

func (o *operation) reopen(ctx context.Context, step string, s unified.Reopen) error {
	ticket := o.ticketOf(s.Ticket)
	return o.stateStep(ctx, step, ticket,
		func(c *dixa.Conversation) bool { return c.State == dixa.StateOpen },
		func() error { return o.client.Conversations.Reopen(ctx, ticket, "") })
}

func (o *operation) closeTicket(ctx context.Context, step string, s unified.Close) error {
	ticket := o.ticketOf(s.Ticket)
	return o.stateStep(ctx, step, ticket,
		func(c *dixa.Conversation) bool { return c.State == dixa.StateClosed },
		func() error { return o.client.Conversations.Close(ctx, ticket, "") })
}

func (o *operation) transfer(ctx context.Context, step string, s unified.Transfer) error {
	ticket := o.ticketOf(s.Ticket)
	return o.stateStep(ctx, step, ticket,
		func(c *dixa.Conversation) bool {
			return c.Assignment == nil && c.Queue != nil && strings.EqualFold(c.Queue.ID, s.QueueID)
		},
		func() error { return o.client.Conversations.TransferToQueue(ctx, ticket, s.QueueID, "") })
}

func (o *operation) assign(ctx context.Context, step string, s unified.Assign) error {
	ticket := o.ticketOf(s.Ticket)
	return o.stateStep(ctx, step, ticket,
		func(c *dixa.Conversation) bool {
			return c.Assignment != nil && strings.EqualFold(c.Assignment.AgentID, s.AgentID)
		},
		func() error { return o.client.Conversations.Claim(ctx, ticket, s.AgentID, true) })
}

// followUp makes a ticket pending. A repeat sets the same time again.
func (o *operation) followUp(ctx context.Context, step string, s unified.FollowUp) error {
	ticket := o.ticketOf(s.Ticket)
	return o.repeatable(ctx, step, func(bool) error {
		return o.client.Conversations.FollowUp(ctx, ticket, dixa.NewTime(s.Until), "")
	})
}

// findContact finds or creates the contact of a new ticket. Claims and operations of one
// new customer at the same time create one end user: they share reservations.
func (o *operation) findContact(ctx context.Context, step string, s unified.FindContact) error {
	if s.ID != "" {
		o.contact = s.ID
		return nil
	}
	who := person{input: s.Input, identity: "email:" + strings.ToLower(s.Input.Email), filters: filtersOf(s.Input)}
	if s.Input.Email == "" {
		who.identity = "phone:" + s.Input.PhoneNumber
	}
	holder := "operation/" + o.ID
	held, err := o.Store.Customers.Reserve(ctx, o.ConnectionID, who.identity, holder, reservation+o.window())
	if err != nil {
		return fmt.Errorf("reserve the customer: %w", err)
	}
	if held.EndUserID != "" {
		o.contact = held.EndUserID
		return nil
	}
	if !held.Held {
		return retryable(claim.ErrorBusy, "another write is looking up the same customer", nil, time.Second)
	}
	id, found, err := findEndUser(ctx, o.client, who.filters)
	if err == nil && !found {
		id, err = o.create(ctx, creation{
			step: step, kind: "contact", alike: o.contactsAlike(s.Input),
			send: func(ctx context.Context) (string, error) {
				u, err := o.client.EndUsers.Create(ctx, s.Input)
				if err != nil {
					return "", err
				}
				return u.ID, nil
			},
		})
	}
	if err != nil {
		if !mayAppear(err) {
			if releaseErr := o.Store.Customers.Release(context.WithoutCancel(ctx), o.ConnectionID, who.identity, holder); releaseErr != nil {
				err = errors.Join(err, releaseErr)
			}
		}
		return err
	}
	o.contact = id
	if err := o.Store.Customers.Remember(ctx, o.ConnectionID, []string{who.identity}, id, holder); err != nil {
		return fmt.Errorf("remember the customer: %w", err)
	}
	return nil
}
