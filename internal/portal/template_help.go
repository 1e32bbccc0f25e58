package portal

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/templates"
)

// placeholder is what the editor offers to write into a text.
type placeholder struct {
	Code, Text string
	// Internal says that only the internal note may have it.
	Internal bool
}

// codes are how a text uses a key of which the name alone does not do.
var codes = map[string]string{
	".Description":    "{{lines .Description}}",
	".Items":          "{{range .Items}}{{.Quantity}} × {{.Name}} {{end}}",
	".Answers":        "{{range .Answers}}{{.Question}} {{lines .Answer}} {{end}}",
	".Shipments":      "{{range .Shipments}}{{.Carrier}} {{.TrackingNumber}} {{end}}",
	".Signed":         "{{if .Signed}}…{{end}}",
	".Internal.Items": "{{range .Internal.Items}}{{.Quantity}} × {{.Name}} ({{.NetPrice}}) {{end}}",
}

// firstKeys begin the keys that texts use most.
var firstKeys = []string{".Order.", ".Customer.", ".Description", ".Items"}

// placeholders lists what people put into texts, the most common first. Entries of lists
// and fixed values for conditions are in the list of all keys only.
func (v *visit) placeholders() []placeholder {
	var out []placeholder
	rank := func(k templates.Key) int {
		if i := slices.IndexFunc(firstKeys, func(first string) bool { return strings.HasPrefix(k.Path, first) }); i >= 0 {
			return i
		}
		return len(firstKeys)
	}
	keys := templates.Keys(v.words.language)
	slices.SortStableFunc(keys, func(a, b templates.Key) int { return rank(a) - rank(b) })
	for _, k := range keys {
		code := codes[k.Path]
		switch {
		case code == "" && (k.List > 0 || strings.Contains(k.Path, "[]") || strings.HasSuffix(k.Path, ".Key")):
			continue
		case code == "":
			code = "{{" + k.Path + "}}"
		}
		out = append(out, placeholder{code, v.words.say("key" + k.Path), k.Internal})
	}
	return out
}

// faultPlace is where a fault is in the texts of a form.
type faultPlace struct{ field, entry, line, column int }

func (p faultPlace) compare(other faultPlace) int {
	return cmp.Or(p.field-other.field, p.entry-other.entry, p.line-other.line, p.column-other.column)
}

// placedFault is a fault with its place. action is what stands between its braces.
type placedFault struct {
	fieldFault
	at            faultPlace
	key           string
	action, meant string
}

// inOrder returns faults as a person reads the form. Of several words of one action that
// stand for one placeholder, only the first is a fault.
func inOrder(faults []placedFault) []fieldFault {
	slices.SortStableFunc(faults, func(a, b placedFault) int { return a.at.compare(b.at) })
	var out []fieldFault
	for i, f := range faults {
		if i > 0 {
			before := faults[i-1]
			if f.key == functionFault && before.key == functionFault && f.meant != "" && f.meant == before.meant && f.action == before.action && f.at.line == before.at.line {
				continue
			}
		}
		out = append(out, f.fieldFault)
	}
	return out
}

// The keys of the faults that may be a misspelled placeholder.
const (
	keyFault      = "problem.key"
	functionFault = "problem.function"
	syntaxFault   = "problem.syntax"
)

// explain puts a fault of a text into words, with the placeholder that was probably meant.
func (v *visit) explain(e client.FieldError, field int, index string) placedFault {
	f := placedFault{at: faultPlace{field: field}}
	f.at.entry, _ = strconv.Atoi(index)
	message := e.Message
	if m := problemPlace.FindStringSubmatch(message); m != nil {
		f.at.line, _ = strconv.Atoi(m[1])
		f.at.column, _ = strconv.Atoi(m[2])
		message = m[3]
	}
	f.Text = v.words.problem(e.Message)
	_, f.key = v.words.reworded(problems, strings.TrimSuffix(message, "."))
	name := ""
	if field < len(templateFields) {
		name = templateFields[field]
	}
	f.action = actionAt(v.sentText(name, f.at.entry), f.at.line, f.at.column)
	switch f.key {
	case keyFault:
		f.meant = v.meantKey(message, name)
	case functionFault:
		f.meant = cmp.Or(v.meantWord(f.action, name), v.meantWord(quoted.FindString(message), name))
	case syntaxFault:
		f.meant = v.meantWord(f.action, name)
	}
	switch {
	case f.meant != "":
		f.Text += " " + v.words.say("problem.meant", "{{"+f.meant+"}}")
	case f.key == keyFault:
		f.Text += " " + v.words.say("problem.list")
	}
	return f
}

var (
	quoted     = regexp.MustCompile(`"[^"]+"`)
	unknownKey = regexp.MustCompile(`^unknown key (\S+); .*? (?:has|are) (.*)$`)
)

// sentText returns the text of a field as it was sent to the API.
func (v *visit) sentText(field string, entry int) string {
	switch field {
	case "subject":
		return strings.TrimSpace(v.text(field))
	case "tags":
		if tags := lines(v.text(field)); entry < len(tags) {
			return tags[entry]
		}
		return ""
	default:
		return v.text(field)
	}
}

// actionAt returns what stands between the braces around a place.
func actionAt(text string, line, column int) string {
	all := strings.Split(text, "\n")
	if line < 1 || line > len(all) || column < 1 {
		return ""
	}
	letters := []rune(all[line-1])
	at := len(string(letters[:min(column-1, len(letters))]))
	start := strings.LastIndex(all[line-1][:min(at+2, len(all[line-1]))], "{{")
	if start < 0 {
		return ""
	}
	inside, _, closed := strings.Cut(all[line-1][start+2:], "}}")
	if !closed {
		return ""
	}
	return inside
}

// meantKey returns the placeholder that is most like an unknown one: among those beside it,
// or else among all.
func (v *visit) meantKey(message, field string) string {
	m := unknownKey.FindStringSubmatch(message)
	if m == nil {
		return ""
	}
	dot := strings.LastIndexByte(m[1], '.')
	group, beside := m[1][:dot], strings.Split(m[2], ", ")
	if slices.Contains(beside, "Reference") { // all keys are within reach
		return v.meantWord(m[1], field)
	}
	best, least := "", 0
	for _, name := range beside {
		if d := distance(letters(m[1][dot+1:]), letters(name)); alike(d, letters(name)) && (best == "" || d < least) {
			best, least = group+"."+name, d
		}
	}
	return best
}

// meantWord returns the placeholder whose code or words are most like what was typed.
func (v *visit) meantWord(typed, field string) string {
	typed = letters(typed)
	if typed == "" {
		return ""
	}
	best, least := "", 0
	for _, k := range templates.Keys(v.words.language) {
		if strings.Contains(k.Path, "[]") || strings.HasSuffix(k.Path, ".Key") || k.Internal && field != "note" {
			continue
		}
		path := strings.TrimSuffix(k.Path, ".Text")
		words, _, _ := strings.Cut(strings.NewReplacer(";", ",", "(", ",").Replace(v.words.say("key"+k.Path)), ",")
		for rank, name := range []string{path, words, path[strings.LastIndexByte(path, '.'):]} {
			name = letters(name)
			// Of equally similar ones, the whole code decides before its last word.
			if d := distance(typed, name); alike(d, name) && (best == "" || 3*d+rank < least) {
				best, least = k.Path, 3*d+rank
			}
		}
	}
	return best
}

// letters returns the letters and digits of a text in lower case.
func letters(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, text)
}

// alike reports whether so many different letters may be a slip in a name.
func alike(distance int, name string) bool { return distance <= min(2, (len(name)+1)/3) }

// distance is the number of letters to add, remove or replace to get from one text to
// the other (Levenshtein). Longer texts than names are not compared.
func distance(a, b string) int {
	from, to := []rune(a), []rune(b)
	if len(from) > 80 || len(to) > 80 {
		return len(from) + len(to)
	}
	row := make([]int, len(to)+1)
	for j := range row {
		row[j] = j
	}
	for i, x := range from {
		diagonal := row[0]
		row[0] = i + 1
		for j, y := range to {
			cost := diagonal
			if x != y {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(to)]
}
