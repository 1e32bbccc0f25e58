package templates

import (
	"github.com/claimflow/claimflow/claim"
)

// PlanInput is the input of a [Plan] besides the claim.
type PlanInput struct {
	// Settings are the shop's settings.
	Settings *claim.Settings
	// Stored are the templates of the shop and the platform.
	Stored []Candidate
	// ShopName is the shop's display name; if empty, its slug is used.
	ShopName string
	// Reference and OtherClaims are those of the claim's record.
	Reference   string
	OtherClaims []claim.OtherClaim
}

// Plan is how the conversation of a claim is opened: with which words, in which
// language, with which tags and where.
type Plan struct {
	// Template is the selected template.
	Template Candidate
	// Ticket is the rendered template with all tags of the conversation.
	Ticket Ticket
	Route  claim.Route
}

// NewPlan plans the conversation of a claim. Opening a claim and trying settings on
// past claims use it. If the template does not render, the error is a
// [*claim.InvalidError], and the plan lacks the ticket.
func NewPlan(c *claim.Claim, in PlanInput) (Plan, error) {
	p := Plan{Template: Choose(c, Languages(c, in.Settings), in.Settings.Voice(), in.Stored)}
	p.Route = in.Settings.RouteFor(c, p.Template.Language)
	t, err := Render(c, p.Template, in)
	p.Ticket = t
	return p, err
}

// Render renders a template for a claim, with all tags of its conversation. The error
// is a [*claim.InvalidError].
func Render(c *claim.Claim, chosen Candidate, in PlanInput) (Ticket, error) {
	compiled, err := Compile(chosen.Source)
	if err != nil {
		return Ticket{}, err
	}
	t, err := compiled.Render(NewView(c, ViewInput{
		ShopName: in.ShopName, Language: chosen.Language, Reference: in.Reference, OtherClaims: in.OtherClaims,
	}))
	if err != nil {
		return Ticket{}, err
	}
	t.Tags = Tags(c, in.Settings, len(in.OtherClaims) > 0, t.Tags)
	return t, nil
}
