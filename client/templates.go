package client

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/claimflow/claimflow/claim"
)

// TemplateSource is a ticket template: the content of a claim's conversation.
type TemplateSource = claim.TemplateSource

// Template is a template with its origin.
type Template struct {
	// Scope is "shop", "platform" or "built-in".
	Scope    string `json:"scope" enum:"shop,platform,built-in"`
	Key      string `json:"reason" doc:"The reason or flow that the template is for."`
	Language string `json:"language"`
	// Source is the template. A list contains it as saved, and omits it for built-in
	// templates. A single read includes the members from lower layers.
	Source    *TemplateSource `json:"template,omitempty"`
	UpdatedAt time.Time       `json:"updated_at,omitzero"`
	// Own is the template as saved for exactly this shop or platform, reason and
	// language. Only a single read has it, and only if there is one.
	Own *TemplateSource `json:"own,omitempty" doc:"In a single read: the template as saved for exactly this shop or platform, reason and language, if there is one."`
	// Inherited is what applies without Own, and InheritedFrom names the template that
	// it comes from. Only a single read has them.
	Inherited     *TemplateSource `json:"inherited,omitempty" doc:"In a single read: what applies without own."`
	InheritedFrom string          `json:"inherited_from,omitempty" doc:"The template that inherited comes from, such as built-in/defective/de."`
	// Warnings say, after saving, that the shop's conversations do not use the text.
	Warnings []string `json:"warnings,omitempty" doc:"After saving: that conversations of the shop open in another voice, so that subject and body are not used."`
}

// TemplateList is a list of templates.
type TemplateList struct {
	Templates []Template `json:"data"`
}

// PreviewRequest says what to render.
type PreviewRequest struct {
	// Template is an unsaved template; nil renders the template that would be used.
	Template *TemplateSource `json:"template,omitempty" doc:"An unsaved template; the effective template if omitted."`
	// Voice is who speaks in the first message; empty for the voice of the settings.
	Voice claim.Voice `json:"voice,omitempty" enum:"customer,agent" doc:"Who speaks in the first message. By default, as the setting opening says. A template that speaks in another voice is not used."`
	// Claim is the claim to render for, in either wire form; empty uses a sample for
	// the reason.
	Claim json.RawMessage `json:"claim,omitempty" doc:"The claim to render for, in either wire form; a sample if omitted."`
	// ClaimID renders for a claim of the shop. It needs the scope [ScopeClaimsRead].
	ClaimID string `json:"claim_id,omitempty" doc:"Instead of claim: the id of a claim of the shop, which needs the scope claims:read."`
	// Sample renders for one of the built-in sample claims.
	Sample string `json:"sample,omitempty" doc:"Instead of claim: the id of a sample claim: sample-full, sample-not-received, sample-german-full, sample-german, sample-guest or sample-unknown."`
}

// Ticket is a rendered template.
type Ticket struct {
	// Template names the rendered template, such as "shop/damaged/de".
	Template string `json:"template"`
	// Voice is who speaks in Subject and Body.
	Voice   claim.Voice `json:"voice" enum:"customer,agent" doc:"Who speaks in subject and body: the customer, or an agent, whose message is emailed to the customer."`
	Subject string      `json:"subject"`
	Body    string      `json:"body"`
	Format  string      `json:"format"`
	Tags    []string    `json:"tags"`
	Note    string      `json:"note,omitempty"`
	// Evidence lists the kinds of files that are attached.
	Evidence []string `json:"evidence" doc:"The kinds of files that are attached."`
}

// Templates lists the templates that a shop has or inherits, the shop's own first.
// An empty shop lists the platform's templates.
func (c *Client) Templates(ctx context.Context, shop string) ([]Template, error) {
	out, err := ask[TemplateList](ctx, c, call{method: http.MethodGet, path: shopPath(shop, "templates")})
	return out.Templates, err
}

// Template returns the template that applies to a reason and a language in a shop.
// It may be inherited.
func (c *Client) Template(ctx context.Context, shop, reason, language string) (Template, error) {
	return ask[Template](ctx, c, call{method: http.MethodGet, path: shopPath(shop, "templates", reason), query: query("language", language)})
}

// SetTemplate saves a template of the shop, or of the platform if shop is empty. A
// template that does not render is an [*Error] with [CodeInvalid] that names the
// line.
func (c *Client) SetTemplate(ctx context.Context, shop, reason, language string, t TemplateSource) (Template, error) {
	return ask[Template](ctx, c, call{method: http.MethodPut, path: shopPath(shop, "templates", reason), query: query("language", language), body: t})
}

// DeleteTemplate deletes a template of the shop or platform, so that the inherited
// one applies again.
func (c *Client) DeleteTemplate(ctx context.Context, shop, reason, language string) error {
	_, err := c.send(ctx, call{method: http.MethodDelete, path: shopPath(shop, "templates", reason), query: query("language", language)})
	return err
}

// PreviewTemplate renders a template without sending anything to Dixa.
func (c *Client) PreviewTemplate(ctx context.Context, shop, reason, language string, r PreviewRequest) (Ticket, error) {
	return ask[Ticket](ctx, c, call{method: http.MethodPost, path: shopPath(shop, "templates", reason, "preview"), query: query("language", language), body: r})
}
