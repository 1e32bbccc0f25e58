package templates

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
)

// Update is set by -update, which rewrites golden files and the reference page.
var Update = flag.Bool("update", false, "rewrite the golden files and the reference page")

// RequireGolden compares a text with a file, which -update rewrites.
func RequireGolden(t *testing.T, path, got string) {
	t.Helper()
	if *Update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run go test ./templates -update to create it")
	require.Equal(t, string(want), got, "%s is stale; if the change is intended, run go test ./templates -update", path)
}

// TestReferencePage keeps docs/templates.md accurate: the page is generated from the
// keys and functions in the code.
func TestReferencePage(t *testing.T) {
	t.Parallel()
	RequireGolden(t, filepath.Join("..", "docs", "templates.md"), referencePage(t))
}

func referencePage(t *testing.T) string {
	t.Helper()
	example, ok := Default(claim.FlowSupport, "en", claim.VoiceCustomer)
	require.True(t, ok)
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("<!-- Generated from the code. Run \"go test ./templates -update\" to regenerate it. -->")
	p("# Ticket templates\n")
	p("A template turns a claim into the conversation that agents see in Dixa. It has these fields. An omitted field is inherited from the next layer (shop, platform, built-in):\n")
	p("| Field | Meaning |\n| --- | --- |")
	p("| `voice` | Who speaks in `subject` and `body`: `customer` (the default) or `agent`. See [below](#who-speaks). |")
	p("| `subject` | One line of at most %d characters. If it renders to nothing, the subject is the claim's reference. |", maxSubject)
	p("| `body` | The first message. |")
	p("| `format` | The format of the body: `html` (the default) or `text`. |")
	p("| `tags` | Tags in addition to the default ones (`claim`, `claim-reason-…`, `claim-wants-…`, `claim-phase-…`, `claim-repeat`). |")
	p("| `note` | The internal note, in plain text. Only the note may contain data that the customer does not know. If omitted, no note is written. |")
	p("| `evidence` | The files to attach: a list of `%s`. If omitted, all of them, in this order. |\n", strings.Join(EvidenceKinds(), "`, `"))
	p("Templates are stored by reason (`damaged`, `partial_damage`, …) or by flow (`%s`), and by language.\n", strings.Join(claim.Flows(), "`, `"))
	p("## Which template wins\n")
	p("The language decides first. Claimflow tries the shop's fixed language, or else the language of the claim, the customer, the order or the order's country; then the shop's default language; then English. Within a language, the shop's templates take precedence over the platform's and the built-in ones, and a template for the reason takes precedence over one for the flow. A `general` template serves claims with an unknown reason and flow, and flows that have no template in that language. Claimflow records the selected template with the claim, for example `shop/damaged/de`.\n")
	p("## Who speaks\n")
	p("The setting `opening` decides who writes the first message. With `inbound` it is a message from the customer, which is not mailed to anybody. With `outbound` it is a message from an agent, and Dixa emails it to the customer at once.\n")
	p("- Built-in templates exist in both voices. A template is used only for conversations that open in its `voice`: the subject and body of another one are skipped, and those of the next layer apply, at last the built-in ones. So what is written as if by the customer is never mailed to the customer. Tags, note and evidence apply in both voices.")
	p("- `unused_texts` and `warnings` in the answer to a change of the settings name the templates that are skipped; so do `starter shop settings`, `starter shop validate` and the page of texts in the portal.")
	p("- A shop or the platform has one template for each reason and language, and so in one voice. A platform whose shops use both should leave subject and body to the built-in templates or to the shops.")
	p("- What an agent sends never names the order's other claims. `.OtherClaims` and `.OtherClaimsLine` are empty in its subject and body, and the internal note starts with the line unless it uses one of them. Files that could not be attached and whatever else was left out are in the internal note in both voices.\n")
	p("## How to write a template\n")
	p("Templates use the language of Go's [text/template](https://pkg.go.dev/text/template). This is the built-in template for questions in the customer's voice:\n")
	p("```html\n%s```\n", example.Body)
	p("- Customer text is escaped for its context. Template syntax in customer text has no effect.")
	p("- Every body contains the claim's reference and, in the customer's voice, names the order's other claims in its first line if there are any. Claimflow adds both to a body that omits them.")
	p("- Control characters, bidirectional overrides and invisible characters are removed from every text.")
	p("- A body has at most %d kB and a note at most %d kB. If a claim is longer, Claimflow shortens its longest texts and marks each cut.", maxBody>>10, maxNote>>10)
	p("- HTML bodies may use these elements: `%s`; and these attributes: `%s`. Keys may appear in the text and in the values of `%s`. Links may use the schemes `%s`.\n",
		strings.Join(elements, "` `"), strings.Join(attributes, "` `"), strings.Join(changeable, "` `"), strings.Join(schemes, "`, `"))
	p("## Keys\n")
	p("Every key exists for every claim. It is empty if the claim has no value for it.\n")
	keyTable(p, "", reflect.TypeFor[Message]())
	p("### Only in the internal note\n")
	keyTable(p, ".Internal", reflect.TypeFor[Internal]())
	p("## Functions\n")
	for _, group := range groups {
		p("### %s\n\n%s\n", group.name, group.why)
		p("| Function | Result |\n| --- | --- |")
		for _, f := range functions() {
			if f.group == group.name {
				p("| `%s` | %s |", f.usage, strings.ReplaceAll(f.doc, "<br>", "`<br>`"))
			}
		}
		p("")
	}
	p("## Refused templates\n")
	p("Claimflow refuses to save a template, and reports the line, the column and the reason, if the template\n")
	p("- uses an unknown key or function, or passes a value of the wrong type to a function, even in a branch that no claim reaches;")
	p("- loops over anything other than the lists of the claim, nests loops more than %d deep or nests conditions more than %d deep;", maxRanges, maxDepth)
	p("- defines or calls templates;")
	p("- would execute more than %d,%03d template nodes if every list had its maximum length;", maxNodes/1000, maxNodes%1000)
	p("- writes more than the size limit of a ticket or processes more than %d MB of text, even after the texts of a claim are shortened;", maxWork>>20)
	p("- contains an element, an attribute or a link that a message does not need;")
	p("- does not render the sample claims.\n")
	p("These functions of sprig and Go are not available:\n")
	p("| Functions | Reason |\n| --- | --- |")
	for _, group := range refusals {
		p("| `%s` | %s |", strings.Join(strings.Fields(group.names), "` `"), group.why)
	}
	return b.String()
}

func keyTable(p func(string, ...any), path string, typ reflect.Type) {
	p("| Key | Meaning |\n| --- | --- |")
	var rows func(path string, typ reflect.Type)
	rows = func(path string, typ reflect.Type) {
		for i := range typ.NumField() {
			f := typ.Field(i)
			key := path + "." + f.Name
			switch {
			case f.Type.Kind() == reflect.Slice:
				p("| `%s` | a list of at most %d: %s |", key, listBounds[f.Type], f.Tag.Get("doc"))
				rows(key+"[]", f.Type.Elem())
			case f.Type == reflect.TypeFor[Word]():
				p("| `%s.Text`, `%s.Key` | %s: its text in the template's language, and its normalized value |", key, key, f.Tag.Get("doc"))
			case f.Type.Kind() == reflect.Struct:
				rows(key, f.Type)
			default:
				p("| `%s` | %s |", key, f.Tag.Get("doc"))
			}
		}
	}
	rows(path, typ)
	p("\n`[]` stands for the entries of a list: inside `{{range .Items}}`, `.Items[].Name` is `.Name`.\n")
}
