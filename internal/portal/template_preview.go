package portal

import (
	"errors"
	"net/http"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/templates"
)

// ticketPreview is a text as agents would see it.
type ticketPreview struct {
	client.Ticket
	// Used names the template in words.
	Used string
	// Parts are the parts of a formatted body. They contain what customers wrote.
	Parts  []node
	Faults []fieldFault
}

// preview renders a template for the claim or sample that the person chose. A nil
// template is the one that applies.
func (v *visit) preview(t *client.TemplateSource) ticketPreview {
	request := client.PreviewRequest{Template: t}
	kind, id, _ := strings.Cut(v.r.FormValue("on"), ":")
	switch kind {
	case "claim":
		if !v.shows(claim.PageClaims) { // what the customer wrote is only for those who see claims
			return ticketPreview{Faults: []fieldFault{{Text: v.words.say("templates.preview.gone")}}}
		}
		request.ClaimID = id
	case "sample":
		request.Sample = id
	}
	ticket, err := v.api.PreviewTemplate(v.r.Context(), v.session.Shop, v.r.PathValue("reason"), v.templateLanguage(), request)
	if err == nil {
		p := ticketPreview{Ticket: ticket, Used: v.origin(ticket.Template)}
		if ticket.Format == templates.FormatHTML {
			p.Parts = formatted(ticket.Body)
		}
		return p
	}
	var refused *client.Error
	switch {
	case !errors.As(err, &refused):
		return ticketPreview{Faults: []fieldFault{{Text: v.faultOf(err)}}}
	case refused.Status == http.StatusNotFound:
		return ticketPreview{Faults: []fieldFault{{Text: v.words.say("templates.preview.gone")}}}
	default:
		return ticketPreview{Faults: v.templateFaults(refused)}
	}
}

// node is a part of a body: a text, or an element that the page knows how to show.
type node struct {
	// Element is empty for a text.
	Element    string
	Text, Link string
	Parts      []node
}

// maxNesting bounds how deep elements are shown.
const maxNesting = 30

// shown are the elements that a preview shows, and the elements that stand for them. The
// texts in other elements are shown without them. Headings would break the headings of
// the page.
var shown = map[string]string{
	"p": "p", "div": "p", "br": "br", "hr": "hr", "a": "a", "img": "img", "ul": "ul", "ol": "ol", "li": "li", "blockquote": "blockquote", "pre": "pre", "code": "code",
	"b": "strong", "strong": "strong", "i": "em", "em": "em", "u": "u", "ins": "u", "s": "s", "del": "s", "small": "small",
	"h1": "h", "h2": "h", "h3": "h", "h4": "h", "h5": "h", "h6": "h", "table": "table", "tr": "tr", "td": "td", "th": "td",
}

// formatted reads the body of a message. The page builds its own elements from the parts, so
// that nothing in the body becomes a part of the page.
func formatted(body string) []node {
	nodes, err := html.ParseFragment(strings.NewReader(body), &html.Node{Type: html.ElementNode, Data: "body", DataAtom: atom.Body})
	if err != nil {
		return []node{{Text: body}}
	}
	var out []node
	for _, n := range nodes {
		out = appendPart(out, n, 0)
	}
	return out
}

func appendPart(to []node, n *html.Node, depth int) []node {
	if n.Type == html.TextNode {
		return append(to, node{Text: n.Data})
	}
	if n.Type != html.ElementNode || n.Data == "script" || n.Data == "style" {
		return to
	}
	element := shown[n.Data]
	part := node{Element: element}
	for _, a := range n.Attr {
		switch {
		case element == "a" && a.Key == "href":
			part.Link = a.Val
		case element == "img" && a.Key == "alt":
			part.Text = a.Val
		}
	}
	var inner []node
	for c := n.FirstChild; c != nil && depth < maxNesting; c = c.NextSibling {
		inner = appendPart(inner, c, depth+1)
	}
	if element == "" {
		return append(to, inner...)
	}
	part.Parts = inner
	return append(to, part)
}
