package portal

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/claimflow/claimflow/client"
)

// wording is a text of the API and the key of the portal's own words for it. What the
// pattern captures are the arguments of the words.
type wording struct {
	pattern *regexp.Regexp
	key     string
}

// problems are the messages of the API about fields that the portal says in its own
// words, with what they name.
var problems = []wording{
	{regexp.MustCompile(`^unknown key (\S+); .*$`), "problem.key"},
	{regexp.MustCompile(`^the function "(.+)" is not available: .*$`), "problem.function"},
	{regexp.MustCompile(`^(\S+) is available only in the internal note, .*$`), "problem.internal"},
	{regexp.MustCompile(`^unexpected EOF$`), "problem.end"},
	{regexp.MustCompile(`^unclosed action.*$`), "problem.brace"},
	{regexp.MustCompile(`^unexpected \{\{(end|else)\}\}$`), "problem.extra"},
	{regexp.MustCompile(`^(?:unexpected|unterminated|missing|bad|malformed|unrecognized|illegal|undefined) .*$`), "problem.syntax"},
	{regexp.MustCompile(`^(<.*>) is not allowed in a message$`), "problem.element"},
	{regexp.MustCompile(`^contains a control character$`), "problem.control"},
	{regexp.MustCompile(`^is required$`), "problem.required"},
	{regexp.MustCompile(`^must have at most (\d+) (?:characters|bytes)$`), "problem.long"},
	{regexp.MustCompile(`^must have at most (\d+) entries$`), "problem.many"},
	{regexp.MustCompile(`^must be an email address$`), "problem.email"},
	{regexp.MustCompile(`^must be a UUID$`), "problem.id"},
	{regexp.MustCompile(`^must be a language such as .*$`), "problem.language"},
	{regexp.MustCompile(`^must be a country such as .*$`), "problem.country"},
	{regexp.MustCompile(`^must be an amount such as .*$`), "problem.amount"},
	{regexp.MustCompile(`^must be one of (.*)$`), "problem.choice"},
	{regexp.MustCompile(`^is not an? (?:contact endpoint|agent|queue|custom attribute).*$`), "problem.gone"},
	{regexp.MustCompile(`^is required if opening is outbound.*$`), "problem.author"},
}

var problemPlace = regexp.MustCompile(`(?s)^line (\d+)(?:, column (\d+))?: (.*)$`)

// problem says what the API describes in the person's language, or else in the API's
// words.
func (w words) problem(message string) string {
	if key := "problem." + message; w.has(key) {
		return w.say(key)
	}
	if m := problemPlace.FindStringSubmatch(message); m != nil {
		if m[2] == "" {
			return w.say("problem.line", m[1], w.problem(m[3]))
		}
		return w.say("problem.place", m[1], m[2], w.problem(m[3]))
	}
	text, _ := w.reworded(problems, strings.TrimSuffix(message, "."))
	return text
}

// reworded says a text of the API in the portal's words, and with which key, or returns it.
func (w words) reworded(wordings []wording, text string) (string, string) {
	for _, p := range wordings {
		if m := p.pattern.FindStringSubmatch(text); m != nil {
			args := make([]any, len(m)-1)
			for i, part := range m[1:] {
				args[i] = part
			}
			return w.say(p.key, args...), p.key
		}
	}
	return text, ""
}

// following returns the number after an index, as people count.
func following(index string) string {
	n, err := strconv.Atoi(index)
	if err != nil {
		return index
	}
	return strconv.Itoa(n + 1)
}

// fieldFault is a fault of a field in words. A fault of no field of the form has an
// empty field.
type fieldFault struct {
	Field, Text string
	// Rule is the index of the rule that the fault is in, and Member the path in it.
	Rule, Member string
}

// templateFaults returns the faults of a text in the order of the form.
func (v *visit) templateFaults(refused *client.Error) []fieldFault {
	var placed []placedFault
	for _, e := range refused.Errors {
		name, index, isEntry := strings.Cut(strings.TrimSuffix(e.Field, "]"), "[")
		field := slices.Index(templateFields, name)
		if field < 0 {
			field = len(templateFields)
		}
		f := v.explain(e, field, index)
		switch f.Field = name; {
		case field == len(templateFields):
			f.Field, f.Text = "", e.Field+": "+f.Text
		case isEntry && name == "tags":
			f.Text = v.words.say("problem.entry", following(index), f.Text)
		}
		placed = append(placed, f)
	}
	if len(placed) == 0 {
		return []fieldFault{{Text: v.faultOf(refused)}}
	}
	return inOrder(placed)
}
