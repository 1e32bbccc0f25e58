package api

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"golang.org/x/text/language"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/store"
	"github.com/claimflow/claimflow/templates"
)

// Inputs of the platform's template routes. The inputs of a shop's routes add the
// shop.
type (
	// InTemplate names a template.
	InTemplate struct {
		Reason   string `path:"reason" maxLength:"100" doc:"A reason such as damaged, or a flow, in any spelling."`
		Language string `query:"language" doc:"A BCP 47 tag such as de or de-CH. Missing: the default language."`
	}
	// InTemplateBody names a template and has a body that the handler parses.
	InTemplateBody struct {
		InTemplate
		RawBody []byte `contentType:"application/json"`
	}
	shopTemplateInput struct {
		InShop
		InTemplate
	}
	shopTemplateBodyInput struct {
		InShop
		InTemplateBody
	}
)

func (in *InShop) split() (string, *struct{})              { return in.Shop, nil }
func (in *shopTemplateInput) split() (string, *InTemplate) { return in.Shop, &in.InTemplate }
func (in *shopTemplateBodyInput) split() (string, *InTemplateBody) {
	return in.Shop, &in.InTemplateBody
}

// ofPlatform and ofShop let one handler serve both kinds of routes.
func ofPlatform[I, O any](handle func(context.Context, string, *I) (*O, error)) func(context.Context, *I) (*O, error) {
	return func(ctx context.Context, in *I) (*O, error) { return handle(ctx, "", in) }
}

func ofShop[S any, P interface {
	*S
	split() (string, *I)
}, I, O any](handle func(context.Context, string, *I) (*O, error),
) func(context.Context, *S) (*O, error) {
	return func(ctx context.Context, in *S) (*O, error) {
		shop, rest := P(in).split()
		return handle(ctx, shop, rest)
	}
}

func (a *api) listTemplates(ctx context.Context, shop string, _ *struct{}) (*body[client.TemplateList], error) {
	if err := a.known(ctx, shop); err != nil {
		return nil, err
	}
	stored, err := a.store.Templates.List(ctx, shop)
	if err != nil {
		return nil, err
	}
	out := []client.Template{}
	for _, t := range stored {
		source, err := templates.ParseSource(t.Doc)
		if err != nil {
			return nil, err
		}
		own := client.TemplateSource(source)
		out = append(out, client.Template{Scope: t.Scope, Key: t.Key, Language: t.Language, Source: &own, UpdatedAt: t.UpdatedAt})
	}
	slices.SortStableFunc(out, func(x, y client.Template) int { return -cmp.Compare(x.Scope, y.Scope) }) // the shop's first
	for _, lang := range templates.DefaultLanguages() {
		for _, flow := range claim.Flows() {
			if _, ok := templates.Default(flow, lang); ok {
				out = append(out, client.Template{Scope: templates.ScopeBuiltIn, Key: flow, Language: lang})
			}
		}
	}
	return ok(client.TemplateList{Templates: out}, nil)
}

// known returns nil for the platform and for a shop that exists.
func (a *api) known(ctx context.Context, shop string) error {
	if shop == "" {
		return nil
	}
	_, err := a.store.Shops.Get(ctx, shop)
	return err
}

func (a *api) getTemplate(ctx context.Context, shop string, in *InTemplate) (*body[client.Template], error) {
	place, err := a.place(ctx, shop, in)
	if err != nil {
		return nil, err
	}
	return ok(place.winner(), nil)
}

// putTemplate saves a template if it renders for the sample claims, together with
// what it inherits from the layers below it.
func (a *api) putTemplate(ctx context.Context, shop string, in *InTemplateBody) (*body[client.Template], error) {
	source, err := templates.ParseSource(in.RawBody)
	if err != nil {
		return nil, err
	}
	place, err := a.place(ctx, shop, &in.InTemplate)
	if err != nil {
		return nil, err
	}
	if place.key == "" {
		return nil, invalid("template", "reason", "holds neither a letter nor a digit")
	}
	own := place.own(source)
	if err := templates.Check(place.choose(&own).Source); err != nil {
		return nil, err
	}
	doc, err := json.Marshal(source)
	if err != nil {
		return nil, err
	}
	recordChange(ctx, "language", place.language)
	if err := a.store.Templates.Put(ctx, shop, place.key, place.language, doc); err != nil {
		return nil, err
	}
	saved := client.TemplateSource(source)
	return ok(client.Template{Scope: own.Scope, Key: own.Key, Language: own.Language, Source: &saved}, nil)
}

func (a *api) deleteTemplate(ctx context.Context, shop string, in *InTemplate) (*struct{}, error) {
	place, err := a.place(ctx, shop, in)
	if err != nil {
		return nil, err
	}
	recordChange(ctx, "language", place.language)
	return nil, a.store.Templates.Delete(ctx, shop, place.key, place.language)
}

func (a *api) previewTemplate(ctx context.Context, shop string, in *InTemplateBody) (*body[client.Ticket], error) {
	var request client.PreviewRequest
	if len(in.RawBody) > 0 {
		if err := json.Unmarshal(in.RawBody, &request); err != nil {
			return nil, invalid("preview", "body", "is not a JSON object with template and claim")
		}
	}
	place, err := a.place(ctx, shop, &in.InTemplate)
	if err != nil {
		return nil, err
	}
	c, err := sample(place.key, shop, request.Claim)
	if err != nil {
		return nil, err
	}
	var own *templates.Candidate
	if request.Template != nil {
		unsaved := place.own(templates.Source(*request.Template))
		own = &unsaved
	}
	chosen := place.choose(own)
	compiled, err := templates.Compile(chosen.Source)
	if err != nil {
		return nil, err
	}
	ticket, err := compiled.Render(templates.NewView(c, templates.ViewInput{ShopName: place.shopName, Language: chosen.Language}))
	if err != nil {
		return nil, err
	}
	return ok(client.Ticket{
		Template: chosen.Name(), Subject: ticket.Subject, Body: ticket.Body, Format: ticket.Format, Note: ticket.Note,
		Tags: templates.Tags(c, &place.settings, false, ticket.Tags),
	}, nil)
}

// sample returns the claim for a preview: the given one, or else a sample for the
// reason.
func sample(key, shop string, given json.RawMessage) (*claim.Claim, error) {
	if len(given) > 0 && string(given) != "null" {
		return claim.Decode(given, shop)
	}
	samples := templates.Samples()
	for _, c := range samples {
		if c.ReasonKey() == key || c.FlowKey() == key {
			return c, nil
		}
	}
	c := *samples[0]
	c.Reason, c.Flow = key, ""
	return &c, nil
}

// place locates a template: the shop or the platform, the reason and the language,
// with the templates stored there.
type place struct {
	shop, shopName string
	key, language  string
	settings       claim.Settings
	stored         []store.StoredTemplate
	candidates     []templates.Candidate
}

func (a *api) place(ctx context.Context, shop string, in *InTemplate) (*place, error) {
	p := &place{shop: shop, key: claim.NormalizeKey(in.Reason)}
	if shop == "" {
		own, _, err := a.store.Settings.Platform(ctx)
		if err != nil {
			return nil, err
		}
		if p.settings, err = claim.Resolve(own); err != nil {
			return nil, err
		}
	} else {
		integration, err := a.store.Settings.Integration(ctx, shop)
		if err != nil {
			return nil, err
		}
		p.settings, p.shopName = integration.Effective, integration.Name
	}
	tag, err := language.Parse(cmp.Or(in.Language, p.settings.DefaultLanguage))
	if err != nil {
		return nil, invalid("template", "language", "is not a language such as en or de-CH")
	}
	p.language = tag.String()
	if p.stored, err = a.store.Templates.List(ctx, shop); err != nil {
		return nil, err
	}
	for _, t := range p.stored {
		source, err := templates.ParseSource(t.Doc)
		if err != nil {
			return nil, err
		}
		p.candidates = append(p.candidates, templates.Candidate{Scope: t.Scope, Key: t.Key, Language: t.Language, Source: source})
	}
	return p, nil
}

// own returns source as the place's own template.
func (p *place) own(source templates.Source) templates.Candidate {
	scope := templates.ScopeShop
	if p.shop == "" {
		scope = templates.ScopePlatform
	}
	return templates.Candidate{Scope: scope, Key: p.key, Language: p.language, Source: source}
}

// choose returns the template for a claim of the place. own, if set, replaces the
// stored template of the same scope, key and language.
func (p *place) choose(own *templates.Candidate) templates.Candidate {
	candidates := slices.Clone(p.candidates)
	if own != nil {
		candidates = slices.DeleteFunc(candidates, func(c templates.Candidate) bool {
			return c.Scope == own.Scope && c.Key == own.Key && c.Language == own.Language
		})
		candidates = append(candidates, *own)
	}
	return templates.Choose(&claim.Claim{Reason: p.key}, []string{p.language}, candidates)
}

// winner returns the template for a claim of the place in the API's form.
func (p *place) winner() client.Template {
	chosen := p.choose(nil)
	source := client.TemplateSource(chosen.Source)
	return client.Template{
		Scope: chosen.Scope, Key: chosen.Key, Language: chosen.Language, Source: &source, UpdatedAt: p.savedAt(chosen),
	}
}

func (p *place) savedAt(c templates.Candidate) time.Time {
	for _, t := range p.stored {
		if t.Scope == c.Scope && t.Key == c.Key && t.Language == c.Language {
			return t.UpdatedAt
		}
	}
	return time.Time{}
}
