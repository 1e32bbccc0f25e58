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
var Update = flag.Bool("update", false, "write golden files and the reference page anew")

// RequireGolden compares a text with a file, which -update rewrites.
func RequireGolden(t *testing.T, path, got string) {
	t.Helper()
	if *Update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "go test ./templates -update writes it")
	require.Equal(t, string(want), got, "%s is stale; where the change is wanted, go generate ./templates writes it anew", path)
}

// TestReferencePage keeps docs/templates.md accurate: the page is generated from the
// keys and functions in the code.
func TestReferencePage(t *testing.T) {
	t.Parallel()
	RequireGolden(t, filepath.Join("..", "docs", "templates.md"), referencePage(t))
}

func referencePage(t *testing.T) string {
	t.Helper()
	example, ok := Default(claim.FlowSupport, "en")
	require.True(t, ok)
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("<!-- Written by go generate ./templates. Edit the code, not this page. -->")
	p("# Ticket templates\n")
	p("A template turns a claim into the conversation that agents see in Dixa. Each has these members; one that is left out comes from the layer beneath it (shop, platform, built-in):\n")
	p("| Member | What |\n| --- | --- |")
	p("| `subject` | One line of at most %d characters. Where nothing is left of it: the claim's reference. |", maxSubject)
	p("| `body` | The first message, written as the customer's own. |")
	p("| `format` | `html` (the default) or `text`: what the body is. |")
	p("| `tags` | Tags beside the default ones (`claim`, `claim-reason-…`, `claim-wants-…`, `claim-phase-…`, `claim-repeat`). |")
	p("| `note` | The internal note in plain text. Only it may hold what the customer does not know. Without it no note is written. |")
	p("| `evidence` | The files to attach: a list of `%s`. Left out: all of them, in this order. |\n", strings.Join(EvidenceKinds(), "`, `"))
	p("Templates are kept by reason (`damaged`, `partial_damage`, …) or by flow (`%s`), and by language.\n", strings.Join(claim.Flows(), "`, `"))
	p("## Which template wins\n")
	p("The language decides first: the shop's fixed language, else that of the claim, the customer, the order, or the order's country; then the shop's default language; then English. Within a language the shop's templates come before the platform's and the built-in ones, and the reason's before the flow's. A `general` template serves claims whose reason and flow nobody knows, and flows that have no template in that language. The winner is recorded with the claim, for example `shop/damaged/de`.\n")
	p("## How they are written\n")
	p("The language is that of Go's [text/template](https://pkg.go.dev/text/template). This is the built-in template for questions:\n")
	p("```html\n%s```\n", example.Body)
	p("- What the customer wrote is escaped for the place where it stands. Template syntax in it is text.")
	p("- Every body carries the claim's reference and, where there are any, names the order's other claims in its first line. A body that leaves them out gets them added.")
	p("- Control characters, bidirectional overrides and invisible characters are taken out of every text.")
	p("- A body has at most %d kB, a note %d kB. Where a claim is longer, its longest texts are cut, with a mark where they end.", maxBody>>10, maxNote>>10)
	p("- In HTML these elements can be used: `%s`; and these attributes: `%s`. Keys can stand in the text and in the values of `%s`. Links lead to `%s`.\n",
		strings.Join(elements, "` `"), strings.Join(attributes, "` `"), strings.Join(changeable, "` `"), strings.Join(schemes, "`, `"))
	p("## Keys\n")
	p("Every key exists for every claim; it is empty where the claim says nothing.\n")
	keyTable(p, "", reflect.TypeFor[Message]())
	p("### In the internal note only\n")
	keyTable(p, ".Internal", reflect.TypeFor[Internal]())
	p("## Functions\n")
	for _, group := range groups {
		p("### %s\n\n%s\n", group.name, group.why)
		p("| Function | What |\n| --- | --- |")
		for _, f := range functions() {
			if f.group == group.name {
				p("| `%s` | %s |", f.usage, strings.ReplaceAll(f.doc, "<br>", "`<br>`"))
			}
		}
		p("")
	}
	p("## What is refused\n")
	p("A template is refused when it is saved, with the line and the reason, if it\n")
	p("- names a key or a function that does not exist, or gives a function the wrong kind of value, even in a branch that no claim reaches;")
	p("- loops over anything but the lists of the claim, or nests loops more than %d deep or conditions more than %d deep;", maxRanges, maxDepth)
	p("- defines or calls templates;")
	p("- would run more than %d parts where every list is as long as it can be;", maxNodes)
	p("- writes more than a ticket may hold, or works on more than %d MB of text, however short the texts of a claim are cut;", maxWork>>20)
	p("- has an element, an attribute or a link that a message does not need;")
	p("- does not render the sample claims.\n")
	p("These functions, which sprig or Go would offer, are not available:\n")
	p("| Functions | Why |\n| --- | --- |")
	for _, group := range refusals {
		p("| `%s` | %s |", strings.Join(strings.Fields(group.names), "` `"), group.why)
	}
	return b.String()
}

func keyTable(p func(string, ...any), path string, typ reflect.Type) {
	p("| Key | What |\n| --- | --- |")
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
				p("| `%s.Text`, `%s.Key` | %s: its word in the template's language, and its value in one spelling |", key, key, f.Tag.Get("doc"))
			case f.Type.Kind() == reflect.Struct:
				rows(key, f.Type)
			default:
				p("| `%s` | %s |", key, f.Tag.Get("doc"))
			}
		}
	}
	rows(path, typ)
	p("\n`[]` stands for the entries of a list: within `{{range .Items}}`, `.Items[].Name` is `.Name`.\n")
}
