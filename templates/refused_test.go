package templates_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/templates"
)

func TestCheckRefuses(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("{{if .Signed}}", 13) + strings.Repeat("{{end}}", 13)
	for name, test := range map[string]struct {
		source templates.Source
		field  string
		want   []string
	}{
		// Reading the environment.
		"environment": {body("a\n{{env \"HOME\"}}"), "body", []string{"line 2", `"env"`, "environment"}},
		"expansion":   {body(`{{expandenv "$HOME"}}`), "body", []string{"line 1", `"expandenv"`}},
		"clock":       {body("\n\n{{now}}"), "body", []string{"line 3", `"now"`, "clock"}},
		"network":     {body(`{{getHostByName "example.com"}}`), "body", []string{`"getHostByName"`, "network"}},
		"random":      {body(`{{randAlpha 5}}`), "body", []string{`"randAlpha"`, "random"}},
		"identifiers": {body(`{{uuidv4}}`), "body", []string{`"uuidv4"`}},
		"files":       {body(`{{osBase .Shop}}`), "body", []string{`"osBase"`, "files"}},

		// Expensive or unbounded computation.
		"keys":             {body(`{{genPrivateKey "rsa"}}`), "body", []string{`"genPrivateKey"`, "interrupted"}},
		"passwords":        {body(`{{bcrypt "x"}}`), "body", []string{`"bcrypt"`}},
		"patterns":         {body(`{{regexMatch "(a+)+$" .Description}}`), "body", []string{`"regexMatch"`, "pattern"}},
		"repeat":           {body(`{{repeat 1000000000 "x"}}`), "body", []string{`"repeat"`, "output size"}},
		"until":            {body(`{{range until 1000000000}}x{{end}}`), "body", []string{"only lists of the claim"}},
		"sequence":         {body(`{{seq 1 1000000000}}`), "body", []string{`"seq"`}},
		"indent":           {body(`{{indent 1000000000 "x"}}`), "body", []string{`"indent"`}},
		"wide format":      {body(`{{printf "%1000000d" 1}}`), "body", []string{"line 1", "width of at most 99"}},
		"wide precision":   {body(`{{printf "%.1000000d" 1}}`), "body", []string{"width of at most 99"}},
		"width from data":  {body(`{{printf "%*d" 1000000 1}}`), "body", []string{"width of at most 99"}},
		"repeated in it":   {body(`{{printf "%[1]s%[1]s" .Shop}}`), "body", []string{"width of at most 99"}},
		"format from data": {body(`{{printf .Description}}`), "body", []string{"string literal"}},
		"piped format":     {body(`{{.Description | printf}}`), "body", []string{"string literal"}},
		"number loop":      {body(`{{range 1000000000}}x{{end}}`), "body", []string{"line 1", "only lists of the claim"}},
		"key as number":    {body(`{{range .Photos}}x{{end}}`), "body", []string{"only lists of the claim"}},
		"text loop":        {body(`{{range .Description}}x{{end}}`), "body", []string{"only lists of the claim"}},
		"chosen loop":      {body(`{{range or .Items .Answers}}x{{end}}`), "body", []string{"only lists of the claim"}},
		"three deep":       {body("{{range .Items}}\n{{range $.Items}}\n{{range $.Items}}x{{end}}{{end}}{{end}}"), "body", []string{"line 3", "2 deep"}},
		"too much within":  {body("{{range .Items}}{{range $.Items}}" + strings.Repeat("{{.SKU}}", 10) + "{{end}}{{end}}"), "body", []string{"parts of the template would run"}},
		"too much nested":  {body("{{range .Items}}{{range $.Items}}{{if (((((((((.SKU)))))))))}}{{end}}{{end}}{{end}}"), "body", []string{"parts of the template would run"}},
		"too much written": {body("{{range .Items}}{{range $.Answers}}" + strings.Repeat("long ", 20) + "{{end}}{{end}}"), "body", []string{"size limit of a ticket"}},
		"too deep":         {body(deep), "body", []string{"12 deep"}},

		// Nested templates.
		"recursion": {body("x\n{{define \"a\"}}{{template \"a\" .}}{{end}}{{template \"a\" .}}"), "body", []string{"line 2", "call themselves"}},
		"self call": {body(`{{template "body" .}}`), "body", []string{"call themselves"}},
		"block":     {body(`{{block "a" .}}x{{end}}`), "body", []string{"call themselves"}},
		"call":      {body(`{{call .Shop}}`), "body", []string{`"call"`, "no functions or methods"}},

		// Keys and types.
		"unknown key":             {body("x\n{{.Order.Nummer}}"), "body", []string{"line 2, column 9: unknown key .Order.Nummer; .Order has Number, "}},
		"unknown at the top":      {body("{{.Nope}}"), "body", []string{"line 1, column 3: unknown key .Nope; the available keys are Reference, "}},
		"unknown in dead branch":  {body("{{if .Signed}}{{if not .Signed}}{{.Nope}}{{end}}{{end}}"), "body", []string{"unknown key .Nope"}},
		"unknown in an item":      {body(`{{range .Items}}{{.Colour}}{{end}}`), "body", []string{"unknown key .Colour; the available keys are Name, Title, SKU"}},
		"unknown by variable":     {body(`{{range $i, $item := .Items}}{{$item.Colour}}{{end}}`), "body", []string{"unknown key $item.Colour"}},
		"unknown from the root":   {body(`{{with .Order}}{{$.Nope}}{{end}}`), "body", []string{"unknown key $.Nope"}},
		"unknown of a chain":      {body(`{{(.Order).Nope}}`), "body", []string{"Nope"}},
		"unknown of a choice":     {body(`{{with or .Order .Customer}}{{.Number}}{{end}}`), "body", []string{"no key Number"}},
		"embedded group":          {source("", "x", `{{.Message.Shop}}`), "note", []string{"unknown key .Message"}},
		"key of a text":           {body(`{{.Shop.Name}}`), "body", []string{".Shop is text"}},
		"internal in the body":    {body(`{{.Internal.Value}}`), "body", []string{"only in the internal note"}},
		"internal in the subject": {source(`{{.Internal.Value}}`, "x", ""), "subject", []string{"only in the internal note"}},
		"internal in a tag":       {templates.Source{Body: "x", Tags: []string{"a", "{{.Internal.Country}}"}}, "tags[1]", []string{"only in the internal note"}},
		"list written":            {body(`{{.Items}}`), "body", []string{"a list and cannot be printed"}},
		"group written":           {body(`{{.Order}}`), "body", []string{"a group of keys"}},
		"list printed":            {body(`{{print .Items}}`), "body", []string{"print does not accept a list"}},
		"wrong type":              {body(`{{upper .Photos}}`), "body", []string{"argument 1 of upper must be text, not a number"}},
		"wrong piped type":        {body(`{{.Photos | upper}}`), "body", []string{"argument 1 of upper"}},
		"too few":                 {body(`{{replace "a" "b"}}`), "body", []string{"takes 3 arguments, not 2"}},
		"too many":                {body(`{{upper .Shop .Shop}}`), "body", []string{"takes 1 arguments, not 2"}},
		"changed type":            {body(`{{$x := .Shop}}{{$x = .Photos}}{{upper $x}}`), "body", []string{"cannot become a number"}},
		"loop assigns":            {body(`{{$x := .Shop}}{{range $x = .Items}}{{end}}`), "body", []string{":="}},
		"arguments to a key":      {body(`{{.Shop "x"}}`), "body", []string{"not a function"}},
		"piped into a key":        {body(`{{"x" | .Shop}}`), "body", []string{"not a function"}},
		"fraction":                {body(`{{add 1.5 2}}`), "body", []string{"not a 32-bit integer"}},
		"huge number":             {body(`{{trunc 99999999999 .Shop}}`), "body", []string{"not a 32-bit integer"}},
		"nil":                     {body(`{{print nil}}`), "body", []string{"not allowed"}},
		"unknown function":        {body(`{{nosuch 1}}`), "body", []string{`"nosuch"`, "does not exist"}},
		"index":                   {body(`{{index .Items 5}}`), "body", []string{`"index"`}},
		"division":                {body(`{{div 1 .Photos}}`), "body", []string{`"div"`, "fail"}},

		// Invalid templates.
		"not closed":        {body("a\nb {{if .Signed}}"), "body", []string{"line 2, column 3", "unexpected EOF"}},
		"not an action":     {body("a {{ ??? }}"), "body", []string{"line 1, column 3"}},
		"third action":      {body("a\nö {{.Shop}} {{if .Signed}}{{.Order..Number}}{{end}} {{.Shop}}"), "body", []string{"line 2, column 27"}},
		"unknown variable":  {body("{{$x}}"), "body", []string{"undefined variable"}},
		"no body":           {templates.Source{Body: " ", Subject: "x"}, "body", []string{"is required"}},
		"control":           {body("a\nb\x01"), "body", []string{"line 2, column 2", "control character"}},
		"too long":          {body(strings.Repeat("x", 65<<10)), "body", []string{"at most 65536 bytes"}},
		"format":            {templates.Source{Body: "x", Format: "markdown"}, "format", []string{"html, text"}},
		"evidence":          {templates.Source{Body: "x", Evidence: []string{"item", "selfie"}}, "evidence[1]", []string{"item, claim, optional, signature"}},
		"evidence twice":    {templates.Source{Body: "x", Evidence: []string{"item", "item"}}, "evidence[1]", []string{"duplicate"}},
		"many tags":         {templates.Source{Body: "x", Tags: make([]string, 21)}, "tags", []string{"at most 20"}},
		"format by itself":  {templates.Source{Format: "text"}, "format", []string{"requires a body"}},
		"subject is broken": {source("{{", "x", ""), "subject", []string{"line 1"}},

		// Markup that a message does not need.
		"script":             {body("<p>x</p>\nö<script>x</script>"), "body", []string{"line 2, column 2", "<script>"}},
		"script in a branch": {body("{{if .Signed}}\n<SCRIPT src=x>{{end}}"), "body", []string{"line 2", "<script>"}},
		"handler":            {body(`<p onclick="x()">x</p>`), "body", []string{"<p onclick>"}},
		"frame":              {body(`<iframe src="https://example.com"></iframe>`), "body", []string{"<iframe>"}},
		"form":               {body(`<form><input></form>`), "body", []string{"<form>"}},
		"script link":        {body(`<a href="java&#115;cript:x()">x</a>`), "body", []string{"<a href>", "https"}},
		"built link":         {body(`<a href="{{"javascript"}}:x()">x</a>`), "body", []string{"<a href>"}},
		"composed link":      {body(`<a href="{{if .Signed}}java{{end}}script:x()">x</a>`), "body", []string{"<a href>"}},
		"key as style":       {body(`<p style="{{.Shop}}">x</p>`), "body", []string{"<p style>", "literal value"}},
		"key as element":     {body(`<b{{.Shop}}>x</b>`), "body", []string{"line 1", "{{…}}"}},
		"key as attribute":   {body(`<p {{.Shop}}="x">x</p>`), "body", []string{"line 1"}},
		"comment":            {body(`<!-- x -->`), "body", []string{"<!>"}},
		"halves":             {body(`{{if .Signed}}<p title="{{end}}x`), "body", []string{"line 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := templates.Check(test.source)
			if name == "no body" {
				_, err = templates.Compile(test.source)
			}
			var refused *claim.InvalidError
			require.ErrorAs(t, err, &refused)
			require.Equal(t, "template", refused.What)
			require.Equal(t, test.field, refused.Errors[0].Field)
			for _, words := range test.want {
				require.Contains(t, fmt.Sprint(refused.Errors), words)
			}
		})
	}
}

func body(s string) templates.Source { return templates.Source{Body: s} }

func source(subject, body, note string) templates.Source {
	return templates.Source{Subject: subject, Body: body, Note: note}
}

func TestCheckReportsAllErrors(t *testing.T) {
	t.Parallel()
	err := templates.Check(templates.Source{Subject: "{{.A}}", Body: "{{.B}}\n{{env .C}}", Note: "{{.D}}", Tags: []string{"{{.E}}"}})
	for _, words := range []string{"subject: line 1, column 3: unknown key .A", "body: line 1, column 3: unknown key .B", "body: line 2, column 7: unknown key .C", `"env"`, "note: line 1, column 3: unknown key .D", "tags[0]: line 1, column 3: unknown key .E"} {
		require.ErrorContains(t, err, words)
	}
}

func TestCheckAccepts(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]templates.Source{
		"nothing changed":   {},
		"subject only":      {Subject: "{{.Shop}}: {{.Reason.Text}}"},
		"text":              {Format: "text", Body: "Hello\r\n\t{{.Description}}"},
		"no evidence":       {Body: "x", Evidence: []string{}},
		"internal note":     {Body: "x", Note: "{{.Internal.Value}} {{.Internal.Currency}}{{range .Internal.Items}} {{.Name}} {{.NetPrice}}{{end}} {{.Description}}"},
		"variables":         {Body: `{{$n := 0}}{{range $i, $item := .Items}}{{$n = add $n $item.Quantity}}{{end}}{{$n}}`},
		"nested lists":      {Body: "{{range .Items}}{{.Name}}{{range $.Shipments}}{{.Carrier}}{{end}}{{end}}"},
		"else with":         {Body: "{{with .Phase.Text}}{{.}}{{else with .Reason.Text}}{{.}}{{else}}-{{end}}"},
		"breaks":            {Body: "{{range .Items}}{{if gt .Quantity 2}}{{break}}{{end}}{{continue}}{{end}}"},
		"list in variable":  {Body: "{{$l := .Items}}{{range $l}}{{.Name}}{{end}}"},
		"dot is a list":     {Body: "{{with .Items}}{{range .}}{{.Name}}{{end}}{{end}}"},
		"chosen group":      {Body: "{{with or .Reason .Flow}}{{.Text}}{{end}}"},
		"links and images":  {Body: `<a href="mailto:{{.Customer.Email}}">x</a><img src="https://example.com/logo.png" alt="{{.Shop}}"><p style="color:red">x</p>`},
		"table":             {Body: `<table><tr><td colspan="2">{{.Shop}}</td></tr></table>`},
		"trimmed":           {Body: "a\n  {{- .Shop -}}\n  b {{/* hidden */}}"},
		"format with width": {Body: `{{printf "%05d %-10s %.2s %%" 7 .Shop .Shop}}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.NoError(t, templates.Check(s))
		})
	}
}

// TestDoublingIsStopped proves the bound on the growth of variables: every byte that
// a function reads or writes is counted before it is produced.
func TestDoublingIsStopped(t *testing.T) {
	t.Parallel()
	for _, double := range []string{
		`{{$x = print $x $x}}`, `{{$x = printf "%s%s" $x $x}}`, `{{$x = replace "x" "xxxxxxxxxx" $x}}`,
		`{{$x = quote (print $x $x)}}`,
	} {
		s := body(`{{$x := "x"}}{{range .Items}}` + double + `{{end}}{{len $x}}`)
		require.ErrorContains(t, templates.Check(s), "processes too much text", double)

		template, err := templates.Compile(s)
		require.NoError(t, err)
		_, err = template.Render(templates.NewView(templates.Samples()[0], templates.ViewInput{}))
		require.NoError(t, err, "two items double the text only twice")
	}
}

func TestParseSource(t *testing.T) {
	t.Parallel()
	s, err := templates.ParseSource([]byte(`{"subject":"s","body":"b","format":"text","tags":["t"],"note":"n","evidence":[]}`))
	require.NoError(t, err)
	require.Equal(t, templates.Source{Subject: "s", Body: "b", Format: "text", Tags: []string{"t"}, Note: "n", Evidence: []string{}}, s)
	again, err := json.Marshal(s)
	require.NoError(t, err)
	require.JSONEq(t, `{"subject":"s","body":"b","format":"text","tags":["t"],"note":"n","evidence":[]}`, string(again), "an empty evidence list is kept")

	for doc, field := range map[string]string{
		`{"subjekt":"s"}`: "subjekt", `{"tags":"t"}`: "tags", `{"body":1}`: "body", `[]`: "body", ``: "body", `{} {}`: "body",
	} {
		_, err := templates.ParseSource([]byte(doc))
		var refused *claim.InvalidError
		require.ErrorAs(t, err, &refused, doc)
		require.Equal(t, field, refused.Errors[0].Field, doc)
	}
}
