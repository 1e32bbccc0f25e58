package portal

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/templates"
)

func (p *Portal) templateRoutes() {
	const page, may = claim.PageTemplates, claim.MayConfigure
	p.page(page, "GET templates", "", (*visit).templateList)
	p.page(page, "GET templates/{reason}", "", (*visit).template)
	p.page(page, "POST templates/{reason}", may, (*visit).saveTemplate)
	p.page(page, "POST templates/{reason}/inherit", may, (*visit).inheritTemplate)
	p.page(page, "POST templates/{reason}/try", "", (*visit).tryTemplate)
	p.page(page, "POST templates/{reason}/preview", "", (*visit).previewTemplate)
}

// templateListData is what the list of texts shows.
type templateListData struct {
	Rows []templateRow
	// Reasons and Languages are what the form for another text offers.
	Reasons   []named
	Languages []named
	Form      form
	// Voice is who speaks in the first message of conversations. Unused are the texts that
	// speak as the other side.
	Voice  claim.Voice
	Unused []string
}

// templateRow are the texts for a reason or flow.
type templateRow struct {
	Reason named
	Cells  []templateCell
}

// templateCell is the text for a reason in a language.
type templateCell struct {
	Language named
	Path     string
	// Scope is "shop", "platform", "built-in" or, if other texts serve, empty.
	Scope string
	// Own are the fields that the shop has set.
	Own       []string
	UpdatedAt time.Time
}

// named is something with a name for people.
type named struct{ ID, Name string }

// templateList shows which texts a shop has. With a reason and a language, it leads to
// the text for them.
func (v *visit) templateList() error {
	query := v.r.URL.Query()
	d := templateListData{Languages: v.languages(query.Get("language"))}
	if query.Has("reason") {
		reason, lang := claim.NormalizeKey(query.Get("reason")), query.Get("language")
		if reason != "" && len(reason) <= maxReason {
			return v.redirect(templatePath(reason, lang))
		}
		d.Form = form{
			Values: map[string]string{"reason": query.Get("reason"), "language": lang},
			Faults: map[string]string{"reason": v.words.say("templates.other.fault")},
		}
	}
	list, err := v.api.Templates(v.r.Context(), v.session.Shop)
	if err != nil {
		return err
	}
	integration, err := v.api.Integration(v.r.Context(), v.session.Shop)
	if err != nil {
		return err
	}
	d.Rows, d.Voice, d.Unused = v.templateRows(list), integration.Effective.Voice(), v.origins(integration.UnusedTexts)
	for _, reason := range templateReasons() {
		d.Reasons = append(d.Reasons, v.reason(reason))
	}
	v.show(http.StatusOK, "templates", view{Title: v.words.say("page.templates"), Data: d})
	return nil
}

// maxReason bounds a reason in an address.
const maxReason = 100

// templateReasons are the reasons and flows that a person is offered.
func templateReasons() []string {
	return append(claim.Flows(), "damaged", "partial_damage", "investigation", "lost")
}

func templatePath(reason, lang string) string {
	path := "templates/" + url.PathEscape(reason)
	if lang != "" {
		path += "?language=" + url.QueryEscape(lang)
	}
	return path
}

// templateRows groups the templates by reason: the flows first, in their own order.
func (v *visit) templateRows(list []client.Template) []templateRow {
	best := map[[2]string]templateCell{}
	var reasons, langs []string
	for _, t := range list { // the shop's come before those that they inherit
		at := [2]string{t.Key, t.Language}
		if _, known := best[at]; known {
			continue
		}
		cell := templateCell{Scope: t.Scope, UpdatedAt: t.UpdatedAt}
		if t.Scope == templates.ScopeShop && t.Source != nil {
			cell.Own = ownFields(t.Source)
		}
		best[at] = cell
		langs = append(langs, t.Language)
	}
	langs = append(langs, v.words.language)
	slices.Sort(langs)
	langs = slices.Compact(langs)
	slices.SortStableFunc(langs, func(a, b string) int { return rankOf(v.words.language, a) - rankOf(v.words.language, b) })
	reasons = slices.Clone(claim.Flows())
	for _, at := range slices.SortedFunc(maps.Keys(best), func(a, b [2]string) int { return strings.Compare(a[0], b[0]) }) {
		if !slices.Contains(reasons, at[0]) {
			reasons = append(reasons, at[0])
		}
	}
	rows := make([]templateRow, len(reasons))
	for i, reason := range reasons {
		rows[i].Reason = v.reason(reason)
		for _, lang := range langs {
			cell := best[[2]string{reason, lang}]
			cell.Language, cell.Path = v.language(lang), templatePath(reason, lang)
			rows[i].Cells = append(rows[i].Cells, cell)
		}
	}
	return rows
}

func rankOf(first, s string) int {
	if s == first {
		return 0
	}
	return 1
}

// ownFields lists the fields that a template sets.
func ownFields(t *client.TemplateSource) []string {
	var own []string
	for _, field := range []struct {
		name string
		set  bool
	}{
		{"subject", t.Subject != ""}, {"body", t.Body != ""}, {"note", t.Note != ""}, {"tags", t.Tags != nil}, {"evidence", t.Evidence != nil},
	} {
		if field.set {
			own = append(own, field.name)
		}
	}
	return own
}

// reason returns a reason or flow with its text in the person's language.
func (v *visit) reason(key string) named {
	if label := "templates.reason." + key; v.words.has(label) {
		return named{key, v.words.say(label)}
	}
	return v.singleReason(key)
}

// singleReason returns a reason, but not the group with the same key, with its text in the
// person's language.
func (v *visit) singleReason(key string) named {
	text := templates.NewView(&claim.Claim{Reason: key}, templates.ViewInput{Language: v.words.language}).Reason.Text
	return named{key, cmp.Or(text, key)}
}

// language returns a language with its name in the person's.
func (v *visit) language(tag string) named {
	parsed, err := language.Parse(tag)
	if err != nil {
		return named{tag, tag}
	}
	namer := display.English.Tags()
	if v.words.language == "de" {
		namer = display.German.Tags()
	}
	return named{tag, cmp.Or(namer.Name(parsed), tag)}
}

// offeredLanguages are the languages that forms offer.
const offeredLanguages = "bg cs da de el en es et fi fr hr hu it lt lv nl nb pl pt ro sk sl sv tr uk"

// languages lists languages by name, with the chosen one.
func (v *visit) languages(chosen string) []named {
	tags := strings.Fields(offeredLanguages)
	if chosen != "" && !slices.Contains(tags, chosen) {
		tags = append(tags, chosen)
	}
	out := make([]named, len(tags))
	for i, tag := range tags {
		out[i] = v.language(tag)
	}
	slices.SortFunc(out, func(a, b named) int { return strings.Compare(a.Name, b.Name) })
	return out
}
