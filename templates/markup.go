package templates

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"text/template/parse"

	"golang.org/x/net/html"

	"github.com/claimflow/claimflow/claim"
)

// elements are the HTML elements that a body may have, limited to those used in
// email. None of them executes, loads or sends anything except an image.
var elements = strings.Fields(`a b bdi bdo blockquote br caption code dd del div dl dt em h1 h2 h3 h4 h5 h6 hr i img ins
	li ol p pre s small span strong sub sup table tbody td tfoot th thead tr u ul`)

// attributes are the attributes that those elements may have. Only those in
// changeable may contain keys. The others must be literal, because a style or class
// built from customer text is never intended.
var (
	attributes = strings.Fields(`align alt cellpadding cellspacing class colspan dir height href lang rel rowspan src
		style target title valign width`)
	changeable = strings.Fields("alt href lang src title")
	// schemes are the URL schemes that links and images may use.
	schemes = []string{"https", "http", "mailto", "tel"}
)

// mask replaces every byte of an action when a template's HTML is checked. No source
// contains it, because control characters are rejected.
const mask = '\x01'

var actions = regexp.MustCompile(`\x01+`)

// masked returns the source with every action masked byte by byte, which preserves
// line numbers.
func masked(source string, tree *parse.Tree) string {
	out := []byte(source)
	for i, b := range out {
		if b != '\n' {
			out[i] = mask
		}
	}
	var texts func(n parse.Node)
	list := func(l *parse.ListNode) {
		if l != nil {
			for _, n := range l.Nodes {
				texts(n)
			}
		}
	}
	branch := func(b *parse.BranchNode) { list(b.List); list(b.ElseList) }
	texts = func(n parse.Node) {
		switch n := n.(type) {
		case *parse.TextNode:
			copy(out[n.Pos:], n.Text)
		case *parse.IfNode:
			branch(&n.BranchNode)
		case *parse.WithNode:
			branch(&n.BranchNode)
		case *parse.RangeNode:
			branch(&n.BranchNode)
		}
	}
	list(tree.Root)
	return string(out)
}

// markupErrors lists the elements and attributes of an HTML template that a message
// does not need and that could do harm. It checks the text of every branch, even if
// no sample reaches it.
func markupErrors(field, source string, tree *parse.Tree) []claim.FieldError {
	var fieldErrors []claim.FieldError
	offset := 0
	addError := func(where, problem string) {
		where = actions.ReplaceAllString(where, "{{…}}")
		fieldErrors = append(fieldErrors, claim.FieldError{Field: field, Problem: fmt.Sprintf("%s: <%s> %s", position(source, offset), where, problem)})
	}
	tokens := html.NewTokenizer(strings.NewReader(masked(source, tree)))
	for tokens.Next() != html.ErrorToken {
		length := len(tokens.Raw())
		switch token := tokens.Token(); token.Type {
		case html.StartTagToken, html.SelfClosingTagToken, html.EndTagToken:
			if !slices.Contains(elements, token.Data) {
				addError(token.Data, "is not allowed in a message")
				break
			}
			for _, a := range token.Attr {
				if problem := attributeProblem(a); problem != "" {
					addError(token.Data+" "+a.Key, problem)
				}
			}
		case html.CommentToken, html.DoctypeToken:
			addError("!", "is not allowed in a message")
		}
		offset += length
	}
	return fieldErrors
}

func attributeProblem(a html.Attribute) string {
	if !slices.Contains(attributes, a.Key) {
		return "is not allowed in a message"
	}
	if strings.ContainsRune(a.Val, mask) && !slices.Contains(changeable, a.Key) {
		return "must be a literal value; it cannot contain a key"
	}
	if a.Key == "href" || a.Key == "src" {
		u, err := url.Parse(strings.TrimSpace(strings.ReplaceAll(a.Val, string(mask), "x")))
		if err != nil || u.Scheme != "" && !slices.Contains(schemes, strings.ToLower(u.Scheme)) {
			return "must use one of the schemes " + strings.Join(schemes, ", ")
		}
	}
	return ""
}
