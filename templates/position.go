package templates

import (
	"regexp"
	"sort"
	"strconv"
	"strings"
	"text/template/parse"
	"unicode/utf8"

	"github.com/claimflow/claimflow/claim"
)

// position describes an offset in a source: "line 2, column 5", counted in characters.
func position(source string, offset int) string {
	before := source[:max(0, min(offset, len(source)))]
	start := strings.LastIndexByte(before, '\n') + 1
	return "line " + strconv.Itoa(1+strings.Count(before, "\n")) + ", column " + strconv.Itoa(1+utf8.RuneCountInString(before[start:]))
}

// errorPlace extracts the line, the offset in the line if there is one, and the problem
// from an error of text/template or html/template.
var errorPlace = regexp.MustCompile(`^(?:html/)?template: ?[^:]*:(\d+)(?::(\d+))?: ?(?s:(.*))$`)

// fieldErrorOf converts an error of text/template or html/template to a field error that
// starts with the place.
func fieldErrorOf(field string, err error) claim.FieldError {
	problem := err.Error()
	if m := errorPlace.FindStringSubmatch(problem); m != nil {
		place := "line " + m[1]
		if column, err := strconv.Atoi(m[2]); err == nil {
			place += ", column " + strconv.Itoa(column+1)
		}
		problem = place + ": " + m[3]
	}
	return claim.FieldError{Field: field, Problem: problem}
}

// syntaxError converts an error of the parser, which knows only the line. The column is
// that of the first action with which the text does not parse.
func syntaxError(field, source string, err error) claim.FieldError {
	m := errorPlace.FindStringSubmatch(err.Error())
	if m == nil {
		return fieldErrorOf(field, err)
	}
	line, _ := strconv.Atoi(m[1])
	from := 0
	for range line - 1 {
		from += strings.IndexByte(source[from:], '\n') + 1
	}
	to := len(source)
	if i := strings.IndexByte(source[from:], '\n'); i >= 0 {
		to = from + i
	}
	var actions [][2]int // where they begin and end
	for begin := from; ; {
		i := strings.Index(source[begin:to], "{{")
		if i < 0 {
			break
		}
		at, end := begin+i, to
		if j := strings.Index(source[at:to], "}}"); j >= 0 {
			end = at + j + len("}}")
		}
		actions = append(actions, [2]int{at, end})
		begin = end
	}
	first := sort.Search(len(actions)-1, func(i int) bool {
		tree := parse.New(field)
		tree.Mode = parse.SkipFuncCheck
		_, again := tree.Parse(source[:actions[i][1]], "", "", map[string]*parse.Tree{})
		return again != nil && again.Error() == err.Error()
	})
	at := from
	if first >= 0 && first < len(actions) {
		at = actions[first][0]
	}
	return claim.FieldError{Field: field, Problem: position(source, at) + ": " + m[3]}
}
