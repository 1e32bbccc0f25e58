package portal

import (
	"bytes"
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
	Form      form
	NoNote    bool
	Evidence  []option
	// Samples and Claims are what the preview can show, and On is what it shows.
	Samples, Claims []named
	On              string
	Preview         ticketPreview
	Keys            []keyHelp
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
	if t.Own != nil {
		d.Exists, d.Own = true, ownFields(t.Own)
	}
	return d
}

// origin says in words where an inherited text comes from.
func (v *visit) origin(name string) string {
	parts := strings.SplitN(name, "/", 3)
	if len(parts) != 3 {
		return name
	}
	return fmt.Sprintf("%s: %s, %s", v.words.say("templates.scope."+parts[0]), v.reason(parts[1]).Name, v.language(parts[2]).Name)
}

// fill puts a template into the form.
func (d *templateData) fill(s client.TemplateSource) {
	d.Form.Values = map[string]string{
		"subject": s.Subject, "body": s.Body, "format": format(s), "note": s.Note, "tags": strings.Join(s.Tags, "\n"),
	}
	if d.NoNote = s.Note == noNote; d.NoNote {
		d.Form.Values["note"] = ""
	}
	d.attach(s.Evidence)
}

func (d *templateData) attach(kinds []string) {
	d.Evidence = nil
	for _, kind := range templates.EvidenceKinds() {
		d.Evidence = append(d.Evidence, option{named{ID: kind}, kinds == nil || slices.Contains(kinds, kind)})
	}
}

func format(s client.TemplateSource) string {
	if s.Format == templates.FormatText {
		return templates.FormatText
	}
	return templates.FormatHTML
}

// typedTemplate returns what the person typed as the shop's own template: only what
// differs from the inherited one. An empty subject, body or note is inherited.
func (v *visit) typedTemplate(inherited client.TemplateSource) client.TemplateSource {
	own := func(typed, inherited string) string {
		if strings.TrimSpace(typed) == "" || strings.TrimSpace(typed) == strings.TrimSpace(inherited) {
			return ""
		}
		return typed
	}
	t := client.TemplateSource{Subject: own(strings.TrimSpace(v.text("subject")), inherited.Subject), Note: own(v.text("note"), inherited.Note)}
	if body := v.text("body"); own(body, inherited.Body) != "" || strings.TrimSpace(body) != "" && v.text("format") != format(inherited) {
		t.Body, t.Format = body, v.text("format")
	}
	if v.r.PostFormValue("no_note") != "" {
		t.Note = own(noNote, inherited.Note)
	}
	if tags := lines(v.text("tags")); !slices.Equal(tags, inherited.Tags) {
		t.Tags = tags
	}
	attached := templates.EvidenceKinds()
	if inherited.Evidence != nil {
		attached = inherited.Evidence
	}
	if kinds := v.texts("evidence"); !sameWords(kinds, attached) {
		t.Evidence = kinds
	}
	return t
}

// text returns what was typed into a field, without the line breaks of forms.
func (v *visit) text(field string) string {
	return strings.ReplaceAll(v.r.PostFormValue(field), "\r\n", "\n")
}

// texts returns the values of a field that may have several, such as checkboxes; never
// nil.
func (v *visit) texts(field string) []string {
	_ = v.r.PostFormValue(field)                      // parses the form
	return append([]string{}, v.r.PostForm[field]...) //nolint:forbidigo // a form of a request, not http.PostForm
}

// lines returns the lines of a field that are not empty; never nil.
func lines(text string) []string {
	out := []string{}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}

func sameWords(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// typedForm keeps what the person typed.
func (v *visit) typedForm(d *templateData) {
	d.Form.Values = map[string]string{}
	for _, field := range templateFields {
		d.Form.Values[field] = v.text(field)
	}
	d.NoNote = v.r.PostFormValue("no_note") != ""
	d.attach(v.texts("evidence"))
}

func (v *visit) saveTemplate() error {
	current, err := v.currentTemplate()
	if err != nil {
		return err
	}
	typed := v.typedTemplate(*current.Inherited)
	reason, lang := v.r.PathValue("reason"), v.templateLanguage()
	if len(ownFields(&typed)) == 0 && current.Own != nil {
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

// fieldFault is a fault of a field in words. A fault of no field of the form has an
// empty field.
type fieldFault struct {
	Field, Text string
	// Rule is the index of the rule that the fault is in, and Member the path in it.
	Rule, Member string
}

func (v *visit) templateFaults(refused *client.Error) []fieldFault {
	var out []fieldFault
	for _, e := range refused.Errors {
		name, index, isEntry := strings.Cut(strings.TrimSuffix(e.Field, "]"), "[")
		text := v.problem(e.Message)
		switch {
		case !slices.Contains(templateFields, name):
			name, text = "", e.Field+": "+text
		case isEntry && name == "tags":
			text = v.words.say("problem.entry", following(index), text)
		}
		out = append(out, fieldFault{Field: name, Text: text})
	}
	if len(out) == 0 {
		out = append(out, fieldFault{Text: v.faultOf(refused)})
	}
	return out
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

// showTemplate shows the page of a text.
func (v *visit) showTemplate(status int, d templateData) error {
	for _, c := range templates.Samples() {
		d.Samples = append(d.Samples, named{"sample:" + c.ID, v.words.say("templates." + c.ID)})
	}
	page, err := v.api.ClaimsPage(v.r.Context(), v.session.Shop, client.Filter{PageSize: 20}, "")
	if err != nil {
		return err
	}
	for _, c := range page.Claims {
		name := v.reason(claim.NormalizeKey(c.Reason)).Name + " · " + c.ID
		if c.OrderNumber != "" {
			name += " · " + v.words.say("templates.order", c.OrderNumber)
		}
		d.Claims = append(d.Claims, named{"claim:" + c.ID, name})
	}
	for _, k := range templates.Keys(v.words.language) {
		d.Keys = append(d.Keys, keyHelp{k, v.words.say("key" + k.Path)})
	}
	v.show(status, "template", view{Title: v.words.say("templates.title", d.Reason.Name, d.Language.Name), Data: d})
	return nil
}
