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

// report is a report that is being written.
type report struct {
	claim.Report
	// each is called with every check that is added.
	each func(claim.Check)
}

func newReport(each func(claim.Check)) *report {
	return &report{claim.Report{OK: true, Checks: []claim.Check{}}, each}
}

func (r *report) add(name string, result claim.CheckResult, format string, args ...any) {
	r.OK = r.OK && result != claim.CheckFailed
	check := claim.Check{Name: name, Result: result, Detail: fmt.Sprintf(format, args...)}
	r.Checks = append(r.Checks, check)
	if r.each != nil {
		r.each(check)
	}
}

// try adds a check that fails if a call of Dixa failed.
func (r *report) try(name string, err error, format string, args ...any) bool {
	if err != nil {
		r.add(name, claim.CheckFailed, "%s", failure(err))
		return false
	}
	r.add(name, claim.CheckOK, format, args...)
	return true
}

func (r *report) skip(why string, names ...string) {
	for _, n := range names {
		r.add(n, claim.CheckSkipped, "%s", why)
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
func (s *Service) Validate(ctx context.Context, shop string) (claim.Report, error) {
	in, err := s.store.Settings.Integration(ctx, shop)
	if err != nil {
		return claim.Report{}, err
	}
	r := newReport(nil)
	client, err := s.client(ctx, in)
	if refusal := (*Refusal)(nil); errors.As(err, &refusal) {
		r.add("token", claim.CheckFailed, "%s", refusal.Words)
		r.skip("no usable token", "contact endpoint", "settings", "read tags", "webhooks")
		return r.Report, nil
	}
	if err != nil {
		return claim.Report{}, err
	}
	if !s.validateToken(ctx, client, in, r) {
		r.skip("the token does not work", "contact endpoint", "settings", "read tags", "webhooks")
		return r.Report, nil
	}
	d := newDirectory(client)
	validateMailbox(ctx, d, in.Effective, r)
	validateSettings(ctx, d, in.Effective, r)
	validateTags(ctx, client, in.Effective, r)
	s.validateWebhooks(ctx, in, r)
	share, err := s.store.Budget.Share(ctx, in.Connection.ID)
	if err != nil {
		return claim.Report{}, err
	}
	if share != nil {
		r.add("request limit", claim.CheckWarning, "%s. Create a separate token for Claimflow in Dixa and save it with `starter shop connect %s`", share, in.Slug)
	}
	return r.Report, nil
}

func (s *Service) validateToken(ctx context.Context, client *dixa.Client, in claim.Integration, r *report) bool {
	org, err := organization(ctx, client)
	switch refusal := (*Refusal)(nil); {
	case errors.As(err, &refusal) && refusal.Kind == TokenRefused:
		r.add("token", claim.CheckFailed, "Dixa rejected the token (%s; %d): it is wrong or revoked. Save a new one with `starter shop connect %s`", in.Connection.TokenInWords(), status(err), in.Slug)
		return false
	case err != nil:
		r.add("token", claim.CheckFailed, "could not be checked: %s", describeError(errors.Unwrap(err)))
		return false
	case org.ID == "":
		r.add("token", claim.CheckOK, "accepted by Dixa, which does not report the token's organization")
	case in.Connection.OrganizationID != "" && in.Connection.OrganizationID != org.ID:
		r.add("token", claim.CheckFailed, "the token now belongs to organization %s, not to %s", org.ID, in.Connection.OrganizationID)
	default:
		r.add("token", claim.CheckOK, "accepted by Dixa; organization %s", named(org, org.ID))
	}
	return true
}

func validateMailbox(ctx context.Context, d *directory, s claim.Settings, r *report) {
	boxes, err := d.mailboxes(ctx)
	switch {
	case err != nil:
		r.add("contact endpoint", claim.CheckFailed, "the contact endpoints could not be read: %s", failure(err))
	case s.EmailIntegrationID == "":
		r.add("contact endpoint", claim.CheckFailed, "not set; set email_integration_id. The Dixa organization has %s", listed(boxes))
	case !containsFold(boxes, s.EmailIntegrationID):
		r.add("contact endpoint", claim.CheckFailed, "%s is not a contact endpoint in the shop's Dixa organization, which has %s", s.EmailIntegrationID, listed(boxes))
	default:
		r.add("contact endpoint", claim.CheckOK, "%s exists in Dixa", s.EmailIntegrationID)
	}
}

// validateTags warns about tags that the settings name and that are deactivated:
// Dixa silently omits them.
func validateTags(ctx context.Context, client *dixa.Client, s claim.Settings, r *report) {
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
		r.add("tags", claim.CheckWarning, "deactivated in Dixa, which omits them: %s. Activate them in Dixa, or use other tags in the settings", strings.Join(inactive, ", "))
	}
	r.add("read tags", claim.CheckOK, "%d tags", len(tags))
}

// validateSettings checks every other setting that names a Dixa object.
func validateSettings(ctx context.Context, d *directory, s claim.Settings, r *report) {
	checked := false
	for _, ref := range references(s) {
		if ref.field == "email_integration_id" {
			continue
		}
		checked = true
		problem, err := d.problem(ctx, ref)
		switch {
		case err != nil:
			r.add(ref.field, claim.CheckFailed, "the %s could not be looked up: %s", ref.kind, failure(err))
		case problem != "":
			r.add(ref.field, claim.CheckFailed, "%s", problem)
		default:
			r.add(ref.field, claim.CheckOK, "the %s exists", ref.kind)
		}
	}
	if !checked {
		r.add("settings", claim.CheckOK, "no agent, queue or custom attribute is set")
	}
}
