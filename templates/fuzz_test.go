package templates_test

import (
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/templates"
)

// FuzzTemplate renders arbitrary claims with arbitrary templates: rendering never
// panics and never exceeds the bounds.
func FuzzTemplate(f *testing.F) {
	for _, flow := range claim.Flows() {
		source, _ := templates.Default(flow, "de", claim.VoiceCustomer)
		f.Add(source.Subject, source.Body, "{{.Internal.Value}}", "html", "text")
	}
	f.Add(everything.Subject, everything.Body, everything.Note, "html", `<script>{{.}}"'`)
	f.Add("{{define \"x\"}}", "{{range .Items}}{{$x := print . .}}{{end}}", "{{len nil}}", "text", "\u202E")
	f.Add("{{.Order.Number | printf \"%5s\"}}", "<a href='{{.Shop}}'>{{with $x := .Items}}{{$x}}{{end}}", "{{((.Internal).Items)}}", "html", "\x00")
	f.Add("{{and}}{{or 1}}{{not}}", "<p title={{.Description}}>{{break}}", "{{/* */}}", "", "javascript:")
	f.Fuzz(func(t *testing.T, subject, body, note, format, text string) {
		template, err := templates.Compile(templates.Source{Subject: subject, Body: body, Note: note, Format: format, Tags: []string{subject}})
		if err != nil {
			var refused *claim.InvalidError
			require.ErrorAs(t, err, &refused, "%T", err)
			require.NotEmpty(t, refused.Errors)
			return
		}
		c := filled(text)
		ticket, err := template.Render(templates.NewView(c, templates.ViewInput{Language: text}))
		if err != nil {
			var refused *claim.InvalidError
			require.ErrorAs(t, err, &refused, "%T", err)
			return
		}
		require.NotEmpty(t, ticket.Subject)
		require.NotContains(t, ticket.Subject, "\n")
		require.LessOrEqual(t, utf8.RuneCountInString(ticket.Subject), 200)
		require.LessOrEqual(t, len(ticket.Body), 513<<10)
		require.LessOrEqual(t, len(ticket.Note), 16<<10)
		require.Contains(t, ticket.Body, claim.Ref{Shop: c.Shop, ID: c.ID}.Reference())
	})
}

// FuzzHostileText renders arbitrary customer text with the default template: the
// elements of the message never change.
func FuzzHostileText(f *testing.F) {
	for _, text := range corpus {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, harmless := minimal(), minimal()
		c.Description, harmless.Description = text+".", "harmless"
		source := defaultOf(t, "en")
		require.Equal(t, skeleton(t, render(t, source, harmless).Body), skeleton(t, render(t, source, c).Body))
	})
}
