package portal

import (
	"slices"
	"strings"

	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/templates"
)

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
	if t.Subject != "" || t.Body != "" {
		t.Voice = inherited.Voice // the one in which conversations open
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
	if kinds := v.list("evidence"); !sameWords(kinds, attached) {
		t.Evidence = kinds
	}
	return t
}

// text returns what was typed into a field, without the line breaks of forms.
func (v *visit) text(field string) string {
	return strings.ReplaceAll(v.r.PostFormValue(field), "\r\n", "\n")
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
	d.Unsaved = true
	d.Form.Values = map[string]string{}
	for _, field := range templateFields {
		d.Form.Values[field] = v.text(field)
	}
	d.NoNote = v.r.PostFormValue("no_note") != ""
	d.attach(v.list("evidence"))
}
