package templates_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/templates"
)

// corpus is text that customers may write. Each entry must come out as text.
var corpus = map[string]string{
	"script":            `<script>alert(1)</script>`,
	"broken script":     `</p><scr<script>ipt>alert(1)</scr</script>ipt>`,
	"image handler":     `<img src=x onerror=alert(1)>`,
	"attribute break":   `" onmouseover="alert(1)" x="`,
	"single quotes":     `' onfocus='alert(1)' autofocus='`,
	"link":              `<a href="javascript:alert(1)">click</a>`,
	"data link":         `<a href="data:text/html;base64,PHNjcmlwdD4=">x</a>`,
	"svg":               `<svg/onload=alert(1)>`,
	"style":             `<style>*{display:none}</style>`,
	"form":              `<form action=https://evil.example><input name=password></form>`,
	"frame":             `<iframe src=//evil.example></iframe>`,
	"comment":           `<!-- <p> --><![CDATA[ x ]]>`,
	"closing":           `</p></div></body></html>`,
	"entities":          `&lt;script&gt;alert(1)&lt;/script&gt;&#60;img&#62;`,
	"go template":       `{{.Internal.Value}}{{range .Items}}{{end}}{{template "x"}}{{`,
	"other template":    `${7*7} #{7*7} <%= 7*7 %> {% raw %} [[x]]`,
	"utf-7":             `+ADw-script+AD4-alert(1)+ADw-/script+AD4-`,
	"null bytes":        "<scr\x00ipt>alert(1)</scr\x00ipt>",
	"headers":           "x\r\nBcc: everybody@evil.example\r\n\r\nHello",
	"override":          "photo\u202Egpj.exe",
	"isolates":          "a\u2066b\u2067c\u2068d\u2069e",
	"embeddings":        "a\u202Ab\u202Bc\u202Cd\u202De",
	"zero width":        "pa\u200Bss\uFEFFwo\u2060rd",
	"joiners in latin":  "pay\u200Dpal pay\u200Cpal",
	"hidden tags":       "hello\U000E0049\U000E0047\U000E004E\U000E004F\U000E0052\U000E0045",
	"hidden selectors":  "hello\U000E0100\U000E0101\U000E01EF",
	"marks":             "z" + strings.Repeat("\u0335", 500),
	"control":           "a\x07\x1b[31mb\x7f\u0090c",
	"broken utf-8":      "a\xff\xfeb",
	"line separators":   "a\u2028b\u2029c\u0085d",
	"line of 100 kB":    strings.Repeat("a", 100<<10),
	"words of 100 kB":   strings.Repeat("all is broken ", 100<<10/14),
	"angles of 100 kB":  strings.Repeat("<", 100<<10),
	"quotes of 100 kB":  strings.Repeat(`"`, 100<<10),
	"scripts of 100 kB": strings.Repeat("<script>", 100<<10/8),
}

// skeleton returns the elements of a body with the names of their attributes and the
// hosts that they link to, without its texts.
func skeleton(t *testing.T, body string) []string {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(body))
	require.NoError(t, err)
	var out []string
	for n := range doc.Descendants() {
		switch n.Type {
		case html.ElementNode:
			if n.Data == "br" {
				continue // one per line of the text
			}
			line := n.Data
			for _, a := range n.Attr {
				line += " " + a.Key
				if a.Key == "href" || a.Key == "src" {
					host, _, _ := strings.Cut(strings.TrimPrefix(a.Val, "https://"), "/")
					line += "=" + host
				}
			}
			out = append(out, line)
		case html.CommentNode:
			out = append(out, "comment")
		}
	}
	return out
}

// filled returns a claim with the same text in every field that a customer, or
// somebody in the customer's name, can fill.
func filled(text string) *claim.Claim {
	return &claim.Claim{
		ID: "h-1", Shop: "sample", Reason: text, Preference: text, Phase: text, Description: text,
		Items:     []claim.Item{{SKU: text, Title: text, Quantity: 1}},
		Answers:   []claim.Answer{{Question: text, Answer: text}},
		Customer:  claim.Customer{FirstName: text, LastName: text, Email: text, Phone: text},
		Order:     claim.Order{Number: text},
		Shipments: []claim.Shipment{{Carrier: text, TrackingNumber: text, TrackingURL: "https://example.com/t", Phase: text}},
	}
}

// everything is a template that renders all customer-supplied fields, including into
// attributes.
var everything = templates.Source{
	Subject: `{{.Order.Number}} {{.Reason.Text}} {{.Customer.Name}}`,
	Body: `<p title="{{.Description}}">{{.Description}}</p><p>{{lines .Description}}</p><p title="{{lines .Description}}">{{.Reference}}</p>
<p>{{.Customer.Name}}{{.Customer.Email}}{{.Customer.Phone}}{{.Order.Number}}{{.Reason.Text}}{{.Preference.Text}}{{.Phase.Text}}</p>
<a href="https://example.com/?q={{.Order.Number}}">{{.Reason.Key}}</a>
{{range .Items}}<img alt="{{.Name}}" src="https://example.com/{{.SKU}}">{{end}}
{{range .Answers}}<p title='{{.Question}}'>{{quote .Answer}}</p>{{end}}`,
	Note: `{{.Description}} {{.Customer.Name}}{{.Order.Number}}`,
	Tags: []string{`{{.Reason.Text}}`, `{{.Description}}`},
}

func TestHostileTextIsInert(t *testing.T) {
	t.Parallel()
	harmless := filled("harmless")
	for _, flow := range append(claim.Flows(), "everything") {
		source, known := templates.Default(flow, "en", claim.VoiceCustomer)
		if !known {
			source = everything
		}
		want := skeleton(t, render(t, source, harmless).Body)
		for name, text := range corpus {
			if len(text) > 10_000 && flow != claim.FlowGeneral && flow != "everything" {
				continue // length affects every template the same way
			}
			t.Run(flow+"/"+name, func(t *testing.T) {
				t.Parallel()
				ticket := render(t, source, filled(text))
				require.Equal(t, want, skeleton(t, ticket.Body), "the text added or removed an element or an attribute")
				require.Contains(t, ticket.Body, claim.Ref{Shop: "sample", ID: "h-1"}.Reference())
				requireLine(t, ticket.Subject)
				for _, tag := range ticket.Tags {
					requireLine(t, tag)
				}
				for _, text := range []string{ticket.Subject, ticket.Body, ticket.Note, strings.Join(ticket.Tags, "")} {
					requireNothingHidden(t, text)
				}
				for _, n := range skeleton(t, ticket.Note) {
					require.Contains(t, []string{"html", "head", "body"}, n, "the note contains an HTML element")
				}
			})
		}
	}
}

func requireLine(t *testing.T, s string) {
	t.Helper()
	require.NotEmpty(t, s)
	require.NotContains(t, s, "\n")
	require.NotContains(t, s, "\r")
	require.LessOrEqual(t, utf8.RuneCountInString(s), 200)
}

func requireNothingHidden(t *testing.T, s string) {
	t.Helper()
	require.True(t, utf8.ValidString(s))
	for _, r := range s {
		switch {
		case r < ' ' && r != '\n' && r != '\t', r == 0x7F, r >= 0x80 && r <= 0x9F, r >= 0x202A && r <= 0x202E,
			r >= 0x2060 && r <= 0x206F, r == 0x200B, r == 0xFEFF, r >= 0xE0000 && r <= 0xE0FFF, r == 0x2028, r == 0x2029:
			require.Failf(t, "hidden character in the output", "%U", r)
		}
	}
}

func TestLongTextIsComplete(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		corpus["line of 100 kB"], strings.TrimSpace(corpus["words of 100 kB"]), corpus["angles of 100 kB"],
		corpus["quotes of 100 kB"], strings.Repeat("ä", 100<<10/2),
	} {
		c := minimal()
		c.Description = text
		body := render(t, defaultOf(t, "en"), c).Body
		require.Contains(t, html.UnescapeString(body), text, "a text of 100 kB is not shortened")
	}
}

func TestOverlongTextIsCutWithMark(t *testing.T) {
	t.Parallel()
	c := minimal()
	c.Description = strings.Repeat("<", 200_000)
	for range 100 {
		c.Answers = append(c.Answers, claim.Answer{Question: "Why?", Answer: strings.Repeat(`"`, 20_000)})
	}
	for language, mark := range map[string]string{"en": "[shortened]", "de": "[gekürzt]"} {
		source := defaultOf(t, language)
		source.Note = "{{.Description}}"
		template, err := templates.Compile(source)
		require.NoError(t, err)
		ticket, err := template.Render(templates.NewView(c, templates.ViewInput{Language: language}))
		require.NoError(t, err)
		require.LessOrEqual(t, len(ticket.Note), 16<<10)
		require.Contains(t, ticket.Note, mark)
		require.LessOrEqual(t, len(ticket.Body), 513<<10)
		require.Contains(t, ticket.Body, mark)
		require.Contains(t, ticket.Body, claim.Ref{Shop: c.Shop, ID: c.ID}.Reference(), "the reference is never cut")
	}
}

func TestTrackingLinksAreWebURLs(t *testing.T) {
	t.Parallel()
	for address, link := range map[string]bool{
		"https://example.com/t?a=1&b=2": true, "http://example.com": true, "HTTPS://EXAMPLE.COM/x": true,
		"javascript:alert(1)": false, "JaVaScRiPt:alert(1)": false, " \tjavascript:alert(1)": false,
		"java\nscript:alert(1)": false, "data:text/html,x": false, "vbscript:x": false, "//example.com": false,
		"/t": false, "https:///x": false, "ftp://example.com": false, "https://bank.example@evil.example/": false, "": false,
	} {
		c := minimal()
		c.Shipments = []claim.Shipment{{Carrier: "dhl", TrackingNumber: "T1", TrackingURL: address}}
		body := render(t, defaultOf(t, "en"), c).Body
		require.Equal(t, link, strings.Contains(body, "<a "), "%q", address)
		require.NotContains(t, strings.ToLower(body), "script:", "%q", address)
	}
}

func TestTextFormat(t *testing.T) {
	t.Parallel()
	c := filled("<b>5 > 3</b> & \"so\"\nsecond\u202E line")
	ticket := render(t, templates.Source{Format: "text", Body: "{{lines .Description}}"}, c)
	require.Equal(t, "text", ticket.Format)
	require.True(t, strings.HasPrefix(ticket.Body, "<b>5 > 3</b> & \"so\"\nsecond line\n"), "plain text is not escaped: %q", ticket.Body)
	require.True(t, strings.HasSuffix(ticket.Body, "Reference "+claim.Ref{Shop: "sample", ID: "h-1"}.Reference()))
}
