package onboarding

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/internal/todixa/connection"
)

// Result is the outcome of a check.
type Result string

// The results of a check.
const (
	OK      Result = "ok"
	Failed  Result = "failed"
	Skipped Result = "skipped"
	Warning Result = "warning" // it works, but perhaps not as intended
)

// Check is one thing that was checked.
type Check struct {
	Name   string
	Result Result
	// Detail says what was found and, if the check failed, what to do.
	Detail string
}

// Report is the result of checking a shop's Dixa.
type Report struct {
	Checks []Check
	// ConversationID is the conversation that a test opened.
	ConversationID int64
}

// OK reports whether no check failed.
func (r *Report) OK() bool {
	for _, c := range r.Checks {
		if c.Result == Failed {
			return false
		}
	}
	return true
}

func (r *Report) add(name string, result Result, format string, args ...any) {
	r.Checks = append(r.Checks, Check{Name: name, Result: result, Detail: fmt.Sprintf(format, args...)})
}

// try adds a check that fails if a call of Dixa failed.
func (r *Report) try(name string, err error, format string, args ...any) bool {
	if err != nil {
		r.add(name, Failed, "%s", failure(err))
		return false
	}
	r.add(name, OK, format, args...)
	return true
}

func (r *Report) skip(why string, names ...string) {
	for _, n := range names {
		r.add(n, Skipped, "%s", why)
	}
}

func failure(err error) string {
	if dixa.IsUnauthorized(err) {
		return fmt.Sprintf("Dixa rejected the token for this request (%d): it is revoked or lacks the permission", status(err))
	}
	return describeError(err)
}

// Validate checks a shop's connection and everything that its settings name against
// Dixa. It only reads. The report lists the problems; an error means that the store
// failed or the shop is unknown.
func (s *Service) Validate(ctx context.Context, shop string) (*Report, error) {
	in, err := s.store.Settings.Integration(ctx, shop)
	if err != nil {
		return nil, err
	}
	r := &Report{}
	client, err := s.client(ctx, in)
	if refusal := (*Refusal)(nil); errors.As(err, &refusal) {
		r.add("token", Failed, "%s", refusal.Words)
		r.skip("no usable token", "contact endpoint", "settings", "read tags", "webhooks")
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	if !s.validateToken(ctx, client, in, r) {
		r.skip("the token does not work", "contact endpoint", "settings", "read tags", "webhooks")
		return r, nil
	}
	d := newDirectory(client)
	validateMailbox(ctx, d, in.Effective, r)
	validateSettings(ctx, d, in.Effective, r)
	validateTags(ctx, client, in.Effective, r)
	s.validateWebhooks(ctx, in, r)
	share, err := s.store.Budget.Share(ctx, in.Connection.ID)
	if err != nil {
		return nil, err
	}
	if share != nil {
		r.add("request limit", Warning, "%s. Create a separate token for Claimflow in Dixa and save it with `starter shop connect %s`", share, in.Slug)
	}
	return r, nil
}

func (s *Service) validateToken(ctx context.Context, client *dixa.Client, in claim.Integration, r *Report) bool {
	org, err := organization(ctx, client)
	switch refusal := (*Refusal)(nil); {
	case errors.As(err, &refusal) && refusal.Kind == TokenRefused:
		r.add("token", Failed, "Dixa rejected the token (%s; %d): it is wrong or revoked. Save a new one with `starter shop connect %s`", in.Connection.TokenInWords(), status(err), in.Slug)
		return false
	case err != nil:
		r.add("token", Failed, "could not be checked: %s", describeError(errors.Unwrap(err)))
		return false
	case org.ID == "":
		r.add("token", OK, "accepted by Dixa, which does not report its organisation")
	case in.Connection.OrganizationID != "" && in.Connection.OrganizationID != org.ID:
		r.add("token", Failed, "the token now belongs to organisation %s, not to %s", org.ID, in.Connection.OrganizationID)
	default:
		r.add("token", OK, "accepted by Dixa; organisation %s", named(org, org.ID))
	}
	return true
}

func validateMailbox(ctx context.Context, d *directory, s claim.Settings, r *Report) {
	boxes, err := d.mailboxes(ctx)
	switch {
	case err != nil:
		r.add("contact endpoint", Failed, "the contact endpoints could not be read: %s", failure(err))
	case s.EmailIntegrationID == "":
		r.add("contact endpoint", Failed, "not set; set email_integration_id. This Dixa has %s", listed(boxes))
	case !containsFold(boxes, s.EmailIntegrationID):
		r.add("contact endpoint", Failed, "%s is not a contact endpoint in this Dixa, which has %s", s.EmailIntegrationID, listed(boxes))
	default:
		r.add("contact endpoint", OK, "%s is live", s.EmailIntegrationID)
	}
}

// validateTags warns about tags that the settings name and that are deactivated:
// Dixa silently omits them.
func validateTags(ctx context.Context, client *dixa.Client, s claim.Settings, r *Report) {
	tags, err := connection.Call(ctx, func() ([]*dixa.Tag, error) { return client.Tags.List(ctx, true) })
	if err != nil {
		r.try("read tags", err, "")
		return
	}
	var inactive []string
	for _, t := range tags {
		if t.Inactive() && s.UsesTag(t.Name) {
			inactive = append(inactive, t.Name)
		}
	}
	if len(inactive) > 0 {
		r.add("tags", Warning, "deactivated in Dixa, which omits them: %s. Activate them in Dixa, or use other tags in the settings", strings.Join(inactive, ", "))
	}
	r.add("read tags", OK, "%d tags", len(tags))
}

// validateSettings checks every other setting that names a Dixa object.
func validateSettings(ctx context.Context, d *directory, s claim.Settings, r *Report) {
	checked := false
	for _, ref := range references(s) {
		if ref.field == "email_integration_id" {
			continue
		}
		checked = true
		problem, err := d.problem(ctx, ref)
		switch {
		case err != nil:
			r.add(ref.field, Failed, "the %s could not be looked up: %s", ref.kind, failure(err))
		case problem != "":
			r.add(ref.field, Failed, "%s", problem)
		default:
			r.add(ref.field, OK, "the %s exists", ref.kind)
		}
	}
	if !checked {
		r.add("settings", OK, "no agent, queue or custom attribute is set")
	}
}
