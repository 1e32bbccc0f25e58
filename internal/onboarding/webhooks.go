package onboarding

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/internal/fromdixa/subscription"
	"github.com/claimflow/claimflow/internal/todixa/connection"
)

// withSubscription runs enable once Dixa sends events for the conversations of the shop's
// connection. A read-only shop writes nothing to Dixa, so it uses the existing
// subscription or none.
func (s *Service) withSubscription(ctx context.Context, in claim.Integration, enable func(context.Context) error) error {
	if in.Effective.ReadOnly {
		return enable(ctx)
	}
	err := s.webhooks.Ensure(ctx, in.Connection.ID, enable)
	e, ofDixa := dixa.AsError(err)
	switch needs := (*connection.NeedsTokenError)(nil); {
	case errors.As(err, &needs):
		return refuse(NotConnected, err, "Dixa rejected the shop's token. Save a new one with `starter shop connect %s`.", in.Slug)
	case errors.Is(err, subscription.ErrBusy):
		return refuse(NotReady, err, "%s.", sentence(err))
	case errors.Is(err, subscription.ErrNoSecret):
		return refuse(SubscriptionRefused, err, "%s. The shop was not enabled.", sentence(err))
	case !ofDixa:
		return err
	case e.Status >= http.StatusBadRequest && e.Status < http.StatusInternalServerError && !dixa.IsRateLimited(err):
		return refuse(SubscriptionRefused, err, "The shop was not enabled, because the webhook subscription for its conversations could not be set up: %s. "+
			"Use a token with permission to manage webhooks. Or create the webhook manually, then enable the shop again: %s", describeError(err), s.byHand(in))
	default:
		return refuse(Unreachable, err, "The shop was not enabled, because the webhook subscription could not be verified: %s. You can safely enable the shop again.", describeError(err))
	}
}

// subscribeAllowed ensures the subscription that an enabled shop went without while
// it was read-only. If that fails, the settings still apply.
func (s *Service) subscribeAllowed(ctx context.Context, before claim.Integration) {
	if !before.Enabled || before.Connection == nil || !before.Effective.ReadOnly {
		return
	}
	in, err := s.store.Settings.Integration(ctx, before.Slug)
	if err == nil && !in.Effective.ReadOnly {
		err = s.webhooks.Ensure(ctx, in.Connection.ID, nil)
	}
	if err != nil {
		s.log.WarnContext(ctx, "the shop may write to Dixa again, but its webhook subscription could not be set up; enable the shop again to retry",
			"connection", before.Connection.ID, "shop", before.Slug, "error", err)
	}
}

// MissingEventsWarning explains, to the person who enables a shop, that Dixa does not report what
// happens in its conversations because the settings are read-only and no
// subscription was created by hand. It is empty otherwise. It reads only the store.
func (s *Service) MissingEventsWarning(ctx context.Context, shop string) (string, error) {
	in, err := s.Integration(ctx, shop)
	if err != nil || !in.Effective.ReadOnly || in.Subscription == nil || in.Subscription.State != claim.SubscriptionNone {
		return "", err
	}
	return "The settings are read-only, so no webhook subscription was created and Dixa does not report events of the shop's conversations. " + s.byHand(in) +
		" Or allow writes: Claimflow then creates the subscription.", nil
}

// byHand explains how a person creates the subscription.
func (s *Service) byHand(in claim.Integration) string {
	return fmt.Sprintf("Add a webhook in Dixa under Settings > Integrations > Webhooks, with the URL %s and all conversation events, and save its secret with `starter shop webhook-secret %s`.",
		s.webhooks.URL(in.Connection.ID), in.Slug)
}

// Disable makes the shop skip new claims. If the shop was the last enabled one of its
// connection, Disable removes the webhook subscription, and open conversations are
// not followed until one is enabled again. It succeeds even if Dixa cannot be
// reached; events that Dixa still sends are stored as before.
func (s *Service) Disable(ctx context.Context, shop string) error {
	return s.unsubscribeAfter(ctx, shop, func() error { return s.store.Shops.SetEnabled(ctx, shop, false) })
}

// Disconnect removes a shop's token. It treats the shop's connection as [Service.Disable]
// does. The settings stay.
func (s *Service) Disconnect(ctx context.Context, shop string) error {
	if err := s.Disable(ctx, shop); err != nil {
		return err
	}
	return s.store.Connections.RemoveToken(ctx, shop)
}

// Delete deletes a shop. It treats the shop's connection as [Service.Disable] does.
func (s *Service) Delete(ctx context.Context, shop string) error {
	return s.unsubscribeAfter(ctx, shop, func() error { return s.store.Shops.Delete(ctx, shop) })
}

func (s *Service) unsubscribeAfter(ctx context.Context, shop string, change func() error) error {
	in, err := s.store.Settings.Integration(ctx, shop)
	if err != nil {
		return err
	}
	if err := change(); err != nil || in.Connection == nil || in.Effective.ReadOnly {
		return err
	}
	if err := s.webhooks.Remove(ctx, in.Connection.ID); err != nil {
		s.log.WarnContext(ctx, "the webhook subscription could not be removed from Dixa; disable the shop again to retry",
			"connection", in.Connection.ID, "shop", in.Slug, "error", err)
	}
	return nil
}

// SaveWebhookSecret stores the secret of a webhook subscription that a person
// created in the shop's Dixa. Claimflow then leaves that subscription alone. An
// empty secret returns the subscription to Claimflow, which creates it, or finds it
// by its address, when a shop of the connection is next enabled. If the shop has no
// token, the error is a [*Refusal]; if the text cannot be a secret, it is a
// [*claim.InvalidError].
func (s *Service) SaveWebhookSecret(ctx context.Context, shop, secret string) (claim.Subscription, error) {
	if problem := secretProblem(secret); problem != "" {
		return claim.Subscription{}, &claim.InvalidError{What: "webhook secret", Errors: []claim.FieldError{{Field: "secret", Problem: problem}}}
	}
	in, err := s.store.Settings.Integration(ctx, shop)
	if err != nil {
		return claim.Subscription{}, err
	}
	if in.Connection == nil {
		return claim.Subscription{}, refuse(NotConnected, nil, "The shop has no Dixa token. Save one with `starter shop connect %s` first.", shop)
	}
	if _, err := s.store.Subscriptions.SaveSecret(ctx, shop, secret); err != nil {
		return claim.Subscription{}, err
	}
	if in, err = s.Integration(ctx, shop); err != nil {
		return claim.Subscription{}, err
	}
	return *in.Subscription, nil
}

const (
	shortestSecret = 16
	longestSecret  = 512
)

// secretProblem says why a text cannot be a secret. Dixa's secrets have 64
// characters, but they may not always be hexadecimal.
func secretProblem(secret string) string {
	outside := func(r rune) bool { return r <= ' ' || r > '~' }
	switch {
	case secret == "":
		return ""
	case strings.ContainsFunc(secret, outside):
		return "contains a space or an invalid character; paste only the secret, as Dixa shows it"
	case len(secret) < shortestSecret || len(secret) > longestSecret:
		return "is too short or too long: Dixa's secrets have 64 characters"
	default:
		return ""
	}
}

// Integration reads a shop's integration, with the address to which Dixa has to send
// its events.
func (s *Service) Integration(ctx context.Context, shop string) (claim.Integration, error) {
	in, err := s.store.Settings.Integration(ctx, shop)
	if err == nil && in.Subscription != nil && in.Subscription.URL == "" {
		in.Subscription.URL = s.webhooks.URL(in.Connection.ID)
	}
	return in, err
}

// validateWebhooks checks that Dixa sends events.
func (s *Service) validateWebhooks(ctx context.Context, in claim.Integration, r *report) {
	const address, webhooks = "public address", "webhooks"
	if concern := s.webhooks.ReachabilityWarning(); concern != "" {
		r.add(address, claim.CheckWarning, "%s", concern)
	} else {
		r.add(address, claim.CheckOK, "Dixa sends events to %s", s.webhooks.URL(in.Connection.ID))
	}
	if in.Subscription != nil && in.Subscription.State == claim.SubscriptionByHand {
		r.add(webhooks, claim.CheckOK, "the subscription was created manually; its secret is %s", in.Subscription.SecretPreview)
		return
	}
	if !in.Enabled {
		r.add(webhooks, claim.CheckSkipped, "the subscription is created when the shop is enabled")
		return
	}
	problems, err := s.webhooks.Inspect(ctx, in.Connection.ID)
	switch {
	case err != nil:
		r.add(webhooks, claim.CheckFailed, "the subscriptions could not be read: %s", failure(err))
	case len(problems) > 0 && in.Effective.ReadOnly:
		r.add(webhooks, claim.CheckWarning, "%s. The settings are read-only, so Claimflow does not correct this. %s", strings.Join(problems, "; "), s.byHand(in))
	case len(problems) > 0:
		r.add(webhooks, claim.CheckFailed, "%s. Run `starter shop enable %s` to correct this", strings.Join(problems, "; "), in.Slug)
	default:
		r.add(webhooks, claim.CheckOK, "Dixa reports %d kinds of events", len(subscription.Events()))
	}
}
