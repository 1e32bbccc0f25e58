package templates

import (
	"reflect"
	"strings"
	"testing"

	"github.com/Masterminds/sprig/v3"
	"github.com/stretchr/testify/require"
)

// builtins are the functions built into text/template.
var builtins = strings.Fields("and break call continue eq ge gt html index js le len lt ne not or print printf println slice urlquery")

func TestEveryFunctionIsAllowedOrRefused(t *testing.T) {
	t.Parallel()
	names := append([]string{}, builtins...)
	for name := range sprig.GenericFuncMap() {
		names = append(names, name)
	}
	for _, name := range names {
		if name == "break" || name == "continue" {
			continue // keywords of the language
		}
		_, allowed := functionsByName()[name]
		if why := whyRefused(name); allowed {
			require.Empty(t, why, "%s is both allowed and refused", name)
		} else {
			require.NotEmpty(t, why, "%s is neither allowed nor refused", name)
		}
	}
}

func TestFunctionsReturnOneKnownType(t *testing.T) {
	t.Parallel()
	known := map[reflect.Kind]bool{reflect.String: true, reflect.Int: true, reflect.Bool: true}
	for _, f := range functions() {
		switch {
		case f.plain != nil:
			require.True(t, known[reflect.TypeOf(f.plain).Out(0).Kind()], f.name)
			require.Equal(t, 1, reflect.TypeOf(f.plain).NumOut(), "%s must not return an error", f.name)
		case f.bind != nil:
			require.Equal(t, 1, reflect.TypeOf(f.bind(&work{})).NumOut(), "%s must not return an error", f.name)
		}
	}
}

func TestFunctionUsageCompiles(t *testing.T) {
	t.Parallel()
	var body strings.Builder
	for _, f := range functions() {
		body.WriteString("{{if " + f.usage + "}}x{{end}}\n")
		require.True(t, strings.HasPrefix(f.usage, f.name+" "), f.usage)
		require.NotEmpty(t, f.doc, f.name)
	}
	require.NoError(t, Check(Source{Body: body.String()}))
}

func TestFunctions(t *testing.T) {
	t.Parallel()
	for usage, want := range map[string]string{
		`trim "  a "`:                      "a",
		`trimPrefix "#" "#1"`:              "1",
		`trimSuffix "." "a."`:              "a",
		`upper "ä"`:                        "Ä",
		`lower "Ä"`:                        "ä",
		`title "new delivery"`:             "New Delivery",
		`replace "a" "bb" "banana"`:        "bbbnbbnbb",
		`replace "" "x" "abc"`:             "abc",
		`trunc 2 "äöü"`:                    "äö",
		`trunc -1 "abc"`:                   "",
		`abbrev 3 "äöüß"`:                  "äö…",
		`abbrev 3 "abc"`:                   "abc",
		`abbrev 0 "abc"`:                   "",
		`plural "item" "items" 1`:          "item",
		`plural "item" "items" 0`:          "items",
		`quote "a"`:                        `"a"`,
		`print "a" 1 true`:                 "a1true",
		`printf "%03d|%5s|%q" 7 "a" "b"`:   `007|    a|"b"`,
		`default "x" ""`:                   "x",
		`default "x" "y"`:                  "y",
		`coalesce "" "" "z"`:               "z",
		`coalesce`:                         "",
		`ternary "a" "b" true`:             "a",
		`ternary "a" "b" false`:            "b",
		`and "a" ""`:                       "",
		`or "" "b"`:                        "b",
		`eq 1 2 1`:                         "true",
		`eq "a" 1`:                         "false",
		`ne true false`:                    "true",
		`lt 1 2`:                           "true",
		`le "b" "a"`:                       "false",
		`gt 2 1`:                           "true",
		`ge 2 2`:                           "true",
		`ge 2 "2"`:                         "false",
		`not ""`:                           "true",
		`empty .Items`:                     "true",
		`contains "b" "abc"`:               "true",
		`hasPrefix "a" "abc"`:              "true",
		`hasSuffix "a" "abc"`:              "false",
		`len "äöü"`:                        "3",
		`len .Items`:                       "0",
		`add 1 2 3`:                        "6",
		`sub 1 2`:                          "-1",
		`mul 2 3`:                          "6",
		`mul`:                              "0",
		`min 3 1 2`:                        "1",
		`max 3 1 2`:                        "3",
		`.Shop | default "nobody" | upper`: "NOBODY",
		`lines "a\nb <i>"`:                 "a\nb <i>",
		`print (len .Items) (printf "%x" "\x0f")`: "00f",
	} {
		template, err := Compile(Source{Format: FormatText, Body: "{{" + usage + "}}"})
		require.NoError(t, err, usage)
		ticket, err := template.Render(View{})
		require.NoError(t, err, usage)
		require.Equal(t, want, ticket.Body, usage)
	}
}

func TestWorkIsCounted(t *testing.T) {
	t.Parallel()
	template, err := Compile(Source{Format: FormatText, Body: `{{range .Items}}{{if contains "needle" $.Description}}x{{end}}{{end}}`})
	require.NoError(t, err)
	v := View{Message: Message{Items: make([]Item, maxItems), Description: strings.Repeat("haystack ", 20_000)}}
	ticket, err := template.Render(v)
	require.NoError(t, err, "a long text is shortened if the template searches it often")
	require.Empty(t, ticket.Body)

	w := &work{left: maxWork}
	require.ErrorIs(t, template.body.execute(&limited{to: &strings.Builder{}, left: maxBody}, v.Message, w), errTooMuch)
	require.Negative(t, w.left)
}
