package portal

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/templates"
)

// noNote is the note of a template whose conversations get none although the inherited
// template writes one. It renders to nothing.
const noNote = "{{/* no note */}}"

// templateFields are the fields of the form. Tags and files are lists.
var templateFields = []string{"subject", "body", "format", "note", "tags", "evidence"}

// templateData is what the page of one text shows.
type templateData struct {
	Reason, Language named
	Path             string
	// Own are the fields that the shop has set. Exists says that the shop has a text for
	// exactly this reason and language, and From names the one that it inherits from.
	Own       []string
	Exists    bool
	From      string
	Inherited client.TemplateSource
	// Voice is who speaks in the first message of conversations. Unused is the shop's text
	// if it speaks as the other side; then its subject and message are not used.
	Voice    claim.Voice
	Unused   *client.TemplateSource
	Form     form
	NoNote   bool
	Evidence []option
	// Samples and Claims are what the preview can show, and On is what it shows.
	Samples, Claims []named
	On              string
	Preview         ticketPreview
	Keys            []keyHelp
	Placeholders    []placeholder
	// Unsaved says that the form shows what a person typed and did not save.
	Unsaved bool
}

// option is a checkbox.
type option struct {
	named
	Checked bool
}

// keyHelp explains a key of templates.
type keyHelp struct {
	templates.Key
	Text string
}

// HasOwn reports whether the shop has set a field.
func (d templateData) HasOwn(field string) bool { return slices.Contains(d.Own, field) }

// template shows the text for a reason in a language.
func (v *visit) template() error {
	current, err := v.currentTemplate()
	if err != nil {
		return err
	}
	d := v.newTemplateData(&current)
	d.fill(*current.Source)
	d.Preview = v.preview(nil)
	return v.showTemplate(http.StatusOK, d)
}

func (v *visit) currentTemplate() (client.Template, error) {
	t, err := v.api.Template(v.r.Context(), v.session.Shop, v.r.PathValue("reason"), v.templateLanguage())
	if err == nil && (t.Source == nil || t.Inherited == nil) {
		err = errNotFound
	}
	return t, err
}

// templateLanguage is the language in the address, or else the page's.
func (v *visit) templateLanguage() string {
	if lang := v.r.URL.Query().Get("language"); lang != "" {
		return lang
	}
	return v.words.language
}

func (v *visit) newTemplateData(t *client.Template) templateData {
	reason, lang := claim.NormalizeKey(v.r.PathValue("reason")), v.templateLanguage()
	d := templateData{
		Reason: v.reason(reason), Language: v.language(lang), Path: templatePath(reason, lang),
		Inherited: *t.Inherited, From: v.origin(t.InheritedFrom), On: v.r.FormValue("on"),
	}
	d.Voice = cmp.Or(t.Source.Voice, claim.VoiceCustomer)
	if t.Own != nil {
		d.Exists = true
		used := *t.Own
		if !used.SpeaksIn(d.Voice) {
			d.Unused = t.Own
			used.Subject, used.Body = "", ""
		}
		d.Own = ownFields(&used)
	}
	return d
}

// origins says in words which texts names are.
func (v *visit) origins(names []string) []string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = v.origin(name)
	}
	return out
}

// origin says in words where an inherited text comes from.
func (v *visit) origin(name string) string {
	parts := strings.SplitN(name, "/", 3)
	if len(parts) != 3 {
		return name
	}
	return fmt.Sprintf("%s: %s, %s", v.words.say("templates.scope."+parts[0]), v.reason(parts[1]).Name, v.language(parts[2]).Name)
}

func (v *visit) saveTemplate() error {
	if !v.filledIn("body") {
		return v.lost()
	}
	current, err := v.currentTemplate()
	if err != nil {
		return err
	}
	typed := v.typedTemplate(*current.Inherited)
	reason, lang := v.r.PathValue("reason"), v.templateLanguage()
	if len(ownFields(&typed)) == 0 && current.Own != nil && current.Own.SpeaksIn(cmp.Or(current.Source.Voice, claim.VoiceCustomer)) {
		return v.inheritTemplate()
	}
	if len(ownFields(&typed)) > 0 {
		_, err = v.api.SetTemplate(v.r.Context(), v.session.Shop, reason, lang, typed)
		if err == nil {
			return v.done(templatePath(reason, lang), "template_saved")
		}
	}
	d := v.newTemplateData(&current)
	v.typedForm(&d)
	d.Preview = v.preview(&typed)
	if err == nil {
		d.Form.Summary = v.words.say("templates.same")
		return v.showTemplate(http.StatusUnprocessableEntity, d)
	}
	return v.refusedTemplate(err, d)
}

// refusedTemplate shows the form with the faults at their fields.
func (v *visit) refusedTemplate(err error, d templateData) error {
	var refused *client.Error
	if !errors.As(err, &refused) || refused.Status != http.StatusUnprocessableEntity {
		return err
	}
	d.Form.Faults = map[string]string{}
	for _, f := range v.templateFaults(refused) {
		d.Form.Faults[f.Field] = strings.TrimSpace(d.Form.Faults[f.Field] + "\n" + f.Text)
	}
	if other := d.Form.Faults[""]; other != "" {
		d.Form.Summary = other
	} else {
		d.Form.Summary = v.words.say("templates.refused")
	}
	return v.showTemplate(http.StatusUnprocessableEntity, d)
}

func (v *visit) inheritTemplate() error {
	reason, lang := v.r.PathValue("reason"), v.templateLanguage()
	err := v.api.DeleteTemplate(v.r.Context(), v.session.Shop, reason, lang)
	if err != nil && !client.HasCode(err, client.CodeNotFound) { // another person was faster
		return err
	}
	return v.done(templatePath(reason, lang), "template_inherited")
}

// tryTemplate shows the page with a preview of what was typed, and saves nothing.
func (v *visit) tryTemplate() error {
	if !v.filledIn("on") {
		return v.lost()
	}
	current, err := v.currentTemplate()
	if err != nil {
		return err
	}
	d := v.newTemplateData(&current)
	if !v.session.May(claim.MayConfigure) {
		d.fill(*current.Source)
		d.Preview = v.preview(nil)
		return v.showTemplate(http.StatusOK, d)
	}
	typed := v.typedTemplate(*current.Inherited)
	v.typedForm(&d)
	d.Preview = v.preview(&typed)
	d.Form.Faults = map[string]string{}
	for _, f := range d.Preview.Faults {
		if f.Field != "" {
			d.Form.Faults[f.Field] = strings.TrimSpace(d.Form.Faults[f.Field] + "\n" + f.Text)
		}
	}
	return v.showTemplate(http.StatusOK, d)
}

// previewTemplate answers the script with the preview alone.
func (v *visit) previewTemplate() error {
	var typed *client.TemplateSource
	if v.session.May(claim.MayConfigure) {
		current, err := v.currentTemplate()
		if err != nil {
			return err
		}
		own := v.typedTemplate(*current.Inherited)
		typed = &own
	}
	shown := v.preview(typed)
	status := http.StatusOK
	if len(shown.Faults) > 0 {
		status = http.StatusUnprocessableEntity
	}
	var part bytes.Buffer
	if err := v.sets[v.words.language].pages["template"].ExecuteTemplate(&part, "preview", shown); err != nil {
		return fmt.Errorf("render the preview: %w", err)
	}
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.WriteHeader(status)
	_, _ = part.WriteTo(v.w) // the browser may have gone
	return nil
}

// claimsToPreview returns the newest claims, if the person may see claims.
func (v *visit) claimsToPreview() ([]claim.Record, error) {
	if !v.shows(claim.PageClaims) {
		return nil, nil
	}
	page, err := v.api.ClaimsPage(v.r.Context(), v.session.Shop, client.Filter{PageSize: 20}, "")
	return page.Claims, err
}

// showTemplate shows the page of a text.
func (v *visit) showTemplate(status int, d templateData) error {
	for _, c := range templates.SamplesIn(d.Language.ID) {
		d.Samples = append(d.Samples, named{"sample:" + c.ID, v.words.say("templates." + c.ID)})
	}
	claims, err := v.claimsToPreview()
	if err != nil {
		return err
	}
	for _, c := range claims {
		name := v.reason(claim.NormalizeKey(c.Reason)).Name + " · " + c.ID
		if c.OrderNumber != "" {
			name += " · " + v.words.say("templates.order", c.OrderNumber)
		}
		d.Claims = append(d.Claims, named{"claim:" + c.ID, name})
	}
	for _, k := range templates.Keys(v.words.language) {
		d.Keys = append(d.Keys, keyHelp{k, v.words.say("key" + k.Path)})
	}
	d.Placeholders = v.placeholders()
	v.show(status, "template", view{Title: v.words.say("templates.title", d.Reason.Name, d.Language.Name), Data: d})
	return nil
}
