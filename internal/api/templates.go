package api

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
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
			if _, ok := templates.Default(flow, lang, claim.VoiceCustomer); ok { // and so in the other voice
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
	out := place.winner()
	if place.key == "" {
		return ok(out, nil)
	}
	out.Own = place.saved()
	beneath := place.without(place.own(templates.Source{}))
	inherited := client.TemplateSource(beneath.Source)
	out.Inherited, out.InheritedFrom = &inherited, beneath.Name()
	return ok(out, nil)
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
	if err := templates.Check(place.in(source.Voice).choose(&own).Source); err != nil {
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
	out := client.Template{Scope: own.Scope, Key: own.Key, Language: own.Language, Source: &saved}
	if in.Shop != "" {
		out.Warnings = unusedWarning(place.settings.Voice(), unusedTexts(place.settings.Voice(), []templates.Candidate{own}))
	}
	return ok(out, nil)
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
	if v := request.Voice; v != "" && v != claim.VoiceCustomer && v != claim.VoiceAgent {
		return nil, invalid("preview", "voice", "must be one of customer, agent")
	}
	place, err := a.place(ctx, &in.InTemplate)
	if err != nil {
		return nil, err
	}
	c, about, err := a.previewed(ctx, in.Shop, place.key, place.language, request)
	if err != nil {
		return nil, err
	}
	var own *templates.Candidate
	if request.Template != nil {
		unsaved := place.own(templates.Source(*request.Template))
		own = &unsaved
	}
	place = place.in(cmp.Or(request.Voice, place.voice))
	chosen := place.choose(own)
	ticket, err := templates.Render(c, chosen, templates.PlanInput{
		Settings: &place.settings, ShopName: place.shopName, Reference: about.Reference(), OtherClaims: about.OtherClaims,
	})
	if err != nil {
		return nil, err
	}
	return ok(client.Ticket{
		Template: chosen.Name(), Voice: place.voice, Subject: ticket.Subject, Body: ticket.Body, Format: ticket.Format, Note: ticket.Note,
		Tags: ticket.Tags, Evidence: ticket.Evidence,
	}, nil)
}

// previewed returns the claim for a preview with its record: the shop's own, the given
// one, or else a sample.
func (a *api) previewed(ctx context.Context, shop, key, language string, r client.PreviewRequest) (*claim.Claim, claim.Record, error) {
	if r.ClaimID != "" {
		return a.storedClaim(ctx, claim.Ref{Shop: shop, ID: r.ClaimID})
	}
	c, err := sample(key, language, shop, r)
	if err != nil {
		return nil, claim.Record{}, err
	}
	return c, claim.Record{Ref: claim.Ref{Shop: c.Shop, ID: c.ID}}, nil
}

// storedClaim returns a claim as it is opened, for callers that may read claims.
func (a *api) storedClaim(ctx context.Context, ref claim.Ref) (*claim.Claim, claim.Record, error) {
	if err := a.mayReadClaims(ctx); err != nil {
		return nil, claim.Record{}, err
	}
	record, err := a.Store.Claims.Record(ctx, ref)
	if err != nil {
		return nil, record, err
	}
	c, _, err := a.Store.Claims.OpeningBody(ctx, ref)
	return c, record, err
}

func (a *api) mayReadClaims(ctx context.Context) error {
	if !may(of(ctx).key, client.ScopeClaimsRead) {
		return newProblem(http.StatusForbidden, "", "The API key lacks the scope "+client.ScopeClaimsRead+", which previews on the shop's claims need.")
	}
	return nil
}

// sample returns the given claim, the named sample, or else a sample for the reason in
// the language.
func sample(key, language, shop string, r client.PreviewRequest) (*claim.Claim, error) {
	if len(r.Claim) > 0 && string(r.Claim) != "null" {
		return claim.Decode(r.Claim, shop)
	}
	if r.Sample == "" {
		return templates.SampleFor(key, language), nil
	}
	for _, c := range templates.Samples() {
		if c.ID == r.Sample {
			return c, nil
		}
	}
	return nil, invalid("preview", "sample", "is not a sample claim")
}

// place locates a template: the shop or the platform, the reason and the language,
// with the templates stored there.
type place struct {
	shop, shopName string
	key, language  string
	// voice is the one in which conversations open.
	voice      claim.Voice
	settings   claim.Settings
	stored     []store.StoredTemplate
	candidates []templates.Candidate
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
	p.voice = p.settings.Voice()
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

// in returns the place for conversations that open in a voice; the customer's if empty.
func (p *place) in(v claim.Voice) *place {
	spoken := *p
	spoken.voice = cmp.Or(v, claim.VoiceCustomer)
	return &spoken
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
	if own == nil {
		return p.among(p.candidates)
	}
	return p.among(append(p.others(*own), *own))
}

// without returns the template for a claim of the place if own does not exist.
func (p *place) without(own templates.Candidate) templates.Candidate { return p.among(p.others(own)) }

func (p *place) others(own templates.Candidate) []templates.Candidate {
	return slices.DeleteFunc(slices.Clone(p.candidates), func(c templates.Candidate) bool { return isSame(c, own) })
}

func (p *place) among(candidates []templates.Candidate) templates.Candidate {
	return templates.Choose(&claim.Claim{Reason: p.key}, []string{p.language}, p.voice, candidates)
}

func isSame(a, b templates.Candidate) bool {
	return a.Scope == b.Scope && a.Key == b.Key && a.Language == b.Language
}

// saved returns the place's own template, or nil if there is none.
func (p *place) saved() *client.TemplateSource {
	for _, c := range p.candidates {
		if isSame(c, p.own(templates.Source{})) {
			own := client.TemplateSource(c.Source)
			return &own
		}
	}
	return nil
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
