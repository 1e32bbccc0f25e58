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

// InTemplate names a template of a shop or of the platform.
type InTemplate struct {
	InShop
	Reason   string `path:"reason" maxLength:"100" doc:"A reason such as damaged, or a flow, in any spelling."`
	Language string `query:"language" doc:"A BCP 47 tag such as de or de-CH; the default language if omitted."`
}

// templateInput names a template and has a body that the handler parses.
type templateInput struct {
	InTemplate
	RawBody []byte `contentType:"application/json"`
}

func (a *api) listTemplates(ctx context.Context, in *InShop) (*body[client.TemplateList], error) {
	if err := a.known(ctx, in.Shop); err != nil {
		return nil, err
	}
	stored, err := a.Store.Templates.List(ctx, in.Shop)
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
	_, err := a.Store.Shops.Get(ctx, shop)
	return err
}

func (a *api) getTemplate(ctx context.Context, in *InTemplate) (*body[client.Template], error) {
	place, err := a.place(ctx, in)
	if err != nil {
		return nil, err
	}
	return ok(place.winner(), nil)
}

// putTemplate saves a template if it renders for the sample claims, together with
// what it inherits from the layers below it.
func (a *api) putTemplate(ctx context.Context, in *templateInput) (*body[client.Template], error) {
	source, err := templates.ParseSource(in.RawBody)
	if err != nil {
		return nil, err
	}
	place, err := a.place(ctx, &in.InTemplate)
	if err != nil {
		return nil, err
	}
	if place.key == "" {
		return nil, invalid("template", "reason", "must contain a letter or a digit")
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
	if err := a.Store.Templates.Put(ctx, in.Shop, place.key, place.language, doc); err != nil {
		return nil, err
	}
	saved := client.TemplateSource(source)
	return ok(client.Template{Scope: own.Scope, Key: own.Key, Language: own.Language, Source: &saved}, nil)
}

func (a *api) deleteTemplate(ctx context.Context, in *InTemplate) (*struct{}, error) {
	place, err := a.place(ctx, in)
	if err != nil {
		return nil, err
	}
	recordChange(ctx, "language", place.language)
	return nil, a.Store.Templates.Delete(ctx, in.Shop, place.key, place.language)
}

func (a *api) previewTemplate(ctx context.Context, in *templateInput) (*body[client.Ticket], error) {
	var request client.PreviewRequest
	if len(in.RawBody) > 0 {
		if err := json.Unmarshal(in.RawBody, &request); err != nil {
			return nil, invalid("preview", "body", "must be a JSON object with template and claim")
		}
	}
	place, err := a.place(ctx, &in.InTemplate)
	if err != nil {
		return nil, err
	}
	c, err := sample(place.key, in.Shop, request.Claim)
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

func (a *api) place(ctx context.Context, in *InTemplate) (*place, error) {
	p := &place{shop: in.Shop, key: claim.NormalizeKey(in.Reason)}
	if in.Shop == "" {
		own, _, err := a.Store.Settings.Platform(ctx)
		if err != nil {
			return nil, err
		}
		if p.settings, err = claim.Resolve(own); err != nil {
			return nil, err
		}
	} else {
		integration, err := a.Store.Settings.Integration(ctx, in.Shop)
		if err != nil {
			return nil, err
		}
		p.settings, p.shopName = integration.Effective, integration.Name
	}
	tag, err := language.Parse(cmp.Or(in.Language, p.settings.DefaultLanguage))
	if err != nil {
		return nil, invalid("template", "language", "must be a BCP 47 tag such as en or de-CH")
	}
	p.language = tag.String()
	if p.stored, err = a.Store.Templates.List(ctx, in.Shop); err != nil {
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
