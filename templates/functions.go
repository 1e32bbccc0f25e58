package templates

import (
	"cmp"
	"errors"
	"fmt"
	"html/template"
	"reflect"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/Masterminds/sprig/v3"
)

// function is a function that templates may call.
type function struct {
	group, name, usage, doc string
	// plain is the Go function. If bind is set, it creates the function for one
	// rendering instead.
	plain any
	bind  func(*work) any
	// lists reports whether the function also takes lists and groups of keys.
	lists bool
}

// groups gives the reason why each group of functions is harmless.
var groups = []struct{ name, why string }{
	{"Texts", "Their input and output count toward the limit on processed text, which is checked before the output is created."},
	{"Choices", "They return one of their arguments."},
	{"Comparisons", "They read their arguments once."},
	{"Numbers", "They use 64-bit integers and never fail."},
}

// functions lists every function that templates may call. Those from sprig are used
// unmodified if they take and return texts, so that a wrong type is detected on
// save. The others are our own under sprig's names.
var functions = sync.OnceValue(func() []function {
	fromSprig := sprig.GenericFuncMap()
	return []function{
		{group: "Texts", name: "lines", usage: `lines .Description`, doc: "the text with its line breaks; in HTML, line breaks become <br> and everything else is escaped", plain: func(s string) string { return s }},
		{group: "Texts", name: "trim", usage: `trim .Order.Number`, doc: "the text without leading and trailing whitespace", plain: fromSprig["trim"]},
		{group: "Texts", name: "trimPrefix", usage: `trimPrefix "#" .Order.Number`, doc: "the text without this prefix", plain: fromSprig["trimPrefix"]},
		{group: "Texts", name: "trimSuffix", usage: `trimSuffix "." .Description`, doc: "the text without this suffix", plain: fromSprig["trimSuffix"]},
		{group: "Texts", name: "upper", usage: `upper .Reason.Text`, doc: "the text in upper case", plain: fromSprig["upper"]},
		{group: "Texts", name: "lower", usage: `lower .Reason.Text`, doc: "the text in lower case", plain: fromSprig["lower"]},
		{group: "Texts", name: "title", usage: `title .Preference.Text`, doc: "the text with every word capitalized", plain: fromSprig["title"]},
		{group: "Texts", name: "replace", usage: `replace "-" " " .Order.Number`, doc: "the third text, with every occurrence of the first replaced by the second", bind: func(w *work) any { return w.replace }},
		{group: "Texts", name: "trunc", usage: `trunc 80 .Description`, doc: "the text, cut to this number of characters", plain: trunc},
		{group: "Texts", name: "abbrev", usage: `abbrev 80 .Description`, doc: "the text, cut to this number of characters with an ellipsis at the end", plain: abbrev},
		{group: "Texts", name: "plural", usage: `plural "item" "items" (len .Items)`, doc: "the first text for one, the second for any other number", plain: fromSprig["plural"]},
		{group: "Texts", name: "quote", usage: `quote .Customer.Name`, doc: "the text in double quotes", plain: func(s string) string { return `"` + s + `"` }},
		{group: "Texts", name: "print", usage: `print .Order.Number " " .Language`, doc: "the concatenated arguments", plain: func(args ...any) string { return join(args) }},
		{group: "Texts", name: "printf", usage: `printf "%03d" (len .Items)`, doc: "the arguments in a format of %s %d %q %v %t %x and %%, with a width of at most 99; the format must be a string literal", plain: fmt.Sprintf},

		{group: "Choices", name: "default", usage: `default "none" .Order.Number`, doc: "the second text, or the first if the second is empty", plain: func(other, s string) string { return cmp.Or(s, other) }},
		{group: "Choices", name: "coalesce", usage: `coalesce .Order.Number .Reference`, doc: "the first text that is not empty", plain: func(s ...string) string { return cmp.Or(s...) }},
		{group: "Choices", name: "ternary", usage: `ternary "signed" "not signed" .Signed`, doc: "the first text if the last argument is true, otherwise the second", plain: func(yes, no string, is bool) string {
			if is {
				return yes
			}
			return no
		}},
		{group: "Choices", name: "and", usage: `and .Signed .Photos`, doc: "the first empty argument, or the last if none is empty", lists: true},
		{group: "Choices", name: "or", usage: `or .Items .Answers`, doc: "the first argument that is not empty, or the last if all are empty", lists: true},

		{group: "Comparisons", name: "eq", usage: `eq .Reason.Key "damaged" "damage"`, doc: "whether the first argument equals one of the others", plain: eq},
		{group: "Comparisons", name: "ne", usage: `ne .Language "de"`, doc: "whether the arguments differ", plain: func(a, b any) bool { return !eq(a, b) }},
		{group: "Comparisons", name: "lt", usage: `lt .Photos 3`, doc: "whether the first argument is less than the second", plain: func(a, b any) bool { c, ok := compare(a, b); return ok && c < 0 }},
		{group: "Comparisons", name: "le", usage: `le .Photos 3`, doc: "whether the first argument is less than or equal to the second", plain: func(a, b any) bool { c, ok := compare(a, b); return ok && c <= 0 }},
		{group: "Comparisons", name: "gt", usage: `gt (len .Items) 1`, doc: "whether the first argument is greater than the second", plain: func(a, b any) bool { c, ok := compare(a, b); return ok && c > 0 }},
		{group: "Comparisons", name: "ge", usage: `ge (len .Items) 2`, doc: "whether the first argument is greater than or equal to the second", plain: func(a, b any) bool { c, ok := compare(a, b); return ok && c >= 0 }},
		{group: "Comparisons", name: "not", usage: `not .Order.Number`, doc: "whether the argument is empty, zero or false", lists: true},
		{group: "Comparisons", name: "empty", usage: `empty .Items`, doc: "the same as not", plain: empty, lists: true},
		{group: "Comparisons", name: "contains", usage: `contains "gift" .Description`, doc: "whether the second text contains the first", plain: fromSprig["contains"]},
		{group: "Comparisons", name: "hasPrefix", usage: `hasPrefix "DE" .Order.Number`, doc: "whether the second text starts with the first", plain: fromSprig["hasPrefix"]},
		{group: "Comparisons", name: "hasSuffix", usage: `hasSuffix "-B2B" .Order.Number`, doc: "whether the second text ends with the first", plain: fromSprig["hasSuffix"]},

		{group: "Numbers", name: "len", usage: `len .Items`, doc: "the number of entries of a list or of characters of a text", plain: length, lists: true},
		{group: "Numbers", name: "add", usage: `add .Photos 1`, doc: "the sum", plain: func(n ...int) int { return fold(n, func(a, b int) int { return a + b }) }},
		{group: "Numbers", name: "sub", usage: `sub .Photos 1`, doc: "the first number minus the second", plain: func(a, b int) int { return a - b }},
		{group: "Numbers", name: "mul", usage: `mul .Photos 2`, doc: "the product", plain: func(n ...int) int { return fold(n, func(a, b int) int { return a * b }) }},
		{group: "Numbers", name: "min", usage: `min .Photos 9`, doc: "the smallest number", plain: func(n ...int) int { return fold(n, func(a, b int) int { return min(a, b) }) }},
		{group: "Numbers", name: "max", usage: `max .Photos 1`, doc: "the largest number", plain: func(n ...int) int { return fold(n, func(a, b int) int { return max(a, b) }) }},
	}
})

var functionsByName = sync.OnceValue(func() map[string]function {
	byName := map[string]function{}
	for _, f := range functions() {
		byName[f.name] = f
	}
	return byName
})

func trunc(n int, s string) string { return shorten(s, max(n, 0), "") }

func abbrev(n int, s string) string {
	if n < 1 || utf8.RuneCountInString(s) <= n {
		return trunc(n, s)
	}
	return trunc(n-1, s) + "…"
}

func join(args []any) string {
	var b strings.Builder
	for _, arg := range args {
		fmt.Fprint(&b, arg)
	}
	return b.String()
}

func fold(numbers []int, with func(a, b int) int) int {
	if len(numbers) == 0 {
		return 0
	}
	sum := numbers[0]
	for _, n := range numbers[1:] {
		sum = with(sum, n)
	}
	return sum
}

func eq(a any, others ...any) bool {
	return slices.ContainsFunc(others, func(b any) bool { c, ok := compare(a, b); return ok && c == 0 })
}

// compare orders two texts, two numbers or two booleans. It returns false for a pair
// that has no order.
func compare(a, b any) (int, bool) {
	x, y := reflect.ValueOf(a), reflect.ValueOf(b)
	switch {
	case x.Kind() == reflect.String && y.Kind() == reflect.String:
		return strings.Compare(x.String(), y.String()), true
	case x.CanInt() && y.CanInt():
		return cmp.Compare(x.Int(), y.Int()), true
	case x.Kind() == reflect.Bool && y.Kind() == reflect.Bool:
		if x.Bool() == y.Bool() {
			return 0, true
		}
		return 1, true
	}
	return 0, false
}

func empty(v any) bool {
	truth, ok := template.IsTrue(v)
	return ok && !truth
}

func length(v any) int {
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.String:
		return utf8.RuneCountInString(r.String())
	case reflect.Slice:
		return r.Len()
	}
	return 0
}

// htmlLines is lines for HTML. It escapes the text itself to preserve its own <br>.
func htmlLines(s string) template.HTML {
	return template.HTML(strings.ReplaceAll(template.HTMLEscapeString(s), "\n", "<br>\n")) //nolint:gosec // escaped on this line
}

// maxWork bounds the bytes that the functions of one rendering read and write. Every
// call counts before it runs, so a template that doubles a text in a loop stops long
// before memory runs out.
const maxWork = 8 << 20

// callCost is the fixed cost of a call, in addition to its bytes.
const callCost = 64

var errTooMuch = errors.New("the template processes too much text for a ticket")

// work is the remaining budget of one rendering.
type work struct{ left int }

// take deducts bytes before they are processed. Its panic ends the rendering;
// text/template converts it to an error.
func (w *work) take(bytes int) {
	if w.left -= bytes; w.left < 0 {
		panic(errTooMuch)
	}
}

func (w *work) replace(old, with, s string) string {
	if old == "" {
		return s
	}
	w.take(strings.Count(s, old) * len(with))
	return strings.ReplaceAll(s, old, with)
}

// funcs returns the functions for one rendering.
func (w *work) funcs(format string) template.FuncMap {
	m := template.FuncMap{}
	for _, f := range functions() {
		call := f.plain
		switch {
		case f.name == "lines" && format == FormatHTML:
			call = htmlLines
		case f.bind != nil:
			call = f.bind(w)
		case call == nil: // and, or, not: text/template's own, which cost nothing
			continue
		}
		m[f.name] = w.counted(call)
	}
	return m
}

// counted wraps the function so that its arguments and result count against the
// budget.
func (w *work) counted(f any) any {
	call := reflect.ValueOf(f)
	return reflect.MakeFunc(call.Type(), func(args []reflect.Value) []reflect.Value {
		bytes := callCost
		for _, arg := range args {
			bytes += size(arg)
		}
		w.take(bytes)
		var out []reflect.Value
		if call.Type().IsVariadic() {
			out = call.CallSlice(args)
		} else {
			out = call.Call(args)
		}
		w.take(size(out[0]))
		return out
	}).Interface()
}

// size returns the bytes of text in a value. The lists of the view count as 0,
// because functions never read their contents.
func size(v reflect.Value) int {
	switch v.Kind() {
	case reflect.String:
		return v.Len()
	case reflect.Interface:
		return size(v.Elem())
	case reflect.Slice:
		if kind := v.Type().Elem().Kind(); kind != reflect.Interface && kind != reflect.String {
			return 0
		}
		bytes := 0
		for i := range v.Len() {
			bytes += size(v.Index(i))
		}
		return bytes
	default:
		return 0
	}
}
