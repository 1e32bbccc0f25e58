package templates

import (
	"cmp"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io"
	"reflect"
	texttemplate "text/template"
	"text/template/parse"

	"github.com/claimflow/claimflow/claim"
)

// Template is a compiled ticket template. It is safe for concurrent use.
type Template struct {
	subject, body, note part
	tags                []part
	format              string
	evidence            []string
	// voice is who speaks in the subject and the body.
	voice claim.Voice
	// namesOthers and noteNamesOthers report whether the body and the note themselves name
	// the order's other claims.
	namesOthers, noteNamesOthers bool
}

// Compile compiles a template. It rejects one that could access its environment, not
// terminate, grow without bound or harm its reader, or that names an unknown key.
// The error is a [*claim.InvalidError] that lists every error with its line and
// reason.
//
// An accepted template renders for every claim, unless its own text exceeds the
// limit of a message; [Check] detects that.
func Compile(s Source) (*Template, error) {
	if fieldErrors := s.fieldErrors(); len(fieldErrors) > 0 {
		return nil, invalid(fieldErrors...)
	}
	s.Subject = cmp.Or(s.Subject, defaultSubject)
	t := &Template{format: cmp.Or(s.Format, FormatHTML), evidence: s.evidence(), voice: cmp.Or(s.Voice, claim.VoiceCustomer)}
	message, whole := reflect.TypeFor[Message](), reflect.TypeFor[View]()
	var fieldErrors []claim.FieldError
	compile := func(field, source, format string, root reflect.Type, limit int) part {
		p, found := newPart(field, source, format, root, limit)
		fieldErrors = append(fieldErrors, found...)
		return p
	}
	t.subject = compile("subject", s.Subject, FormatText, message, maxLine)
	t.body = compile("body", s.Body, t.format, message, maxBody)
	t.note = compile("note", s.Note, FormatText, whole, maxNote)
	for i, tag := range s.Tags {
		t.tags = append(t.tags, compile(fmt.Sprintf("tags[%d]", i), tag, FormatText, message, maxLine))
	}
	if len(fieldErrors) > 0 {
		return nil, invalid(fieldErrors...)
	}
	t.namesOthers, t.noteNamesOthers = t.body.namesOthers(), t.note.namesOthers()
	return t, nil
}

// namesOthers reports whether the part names the order's other claims.
func (p *part) namesOthers() bool { return p.keys["OtherClaims"] || p.keys["OtherClaimsLine"] }

// defaultSubject is the subject of templates that have none.
const defaultSubject = `{{with .Order.Number}}#{{.}} · {{end}}{{.Reason.Text}}{{with .Preference.Text}} · {{.}}{{end}}`

// part is one compiled text of a template: its subject, body, note or one of its
// tags.
type part struct {
	field string
	// limit bounds the output, in bytes.
	limit int
	// keys are the fields that the part names.
	keys map[string]bool
	text *texttemplate.Template
	html *htmltemplate.Template
}

func newPart(field, source, format string, root reflect.Type, limit int) (part, []claim.FieldError) {
	p := part{field: field, limit: limit}
	tree, keys, fieldErrors := inspect(field, source, format, root)
	if len(fieldErrors) > 0 {
		return p, fieldErrors
	}
	p.keys = keys
	if format == FormatHTML {
		fieldErrors = markupErrors(field, source, tree)
	}
	if err := p.build(tree, format); err != nil {
		return p, append(fieldErrors, fieldErrorOf(field, err))
	}
	if len(fieldErrors) > 0 {
		return p, fieldErrors
	}
	// html/template analyzes the escaping contexts on the first execution.
	if err := p.execute(io.Discard, reflect.Zero(root).Interface(), &work{left: maxWork}); err != nil {
		fieldErrors = append(fieldErrors, fieldErrorOf(field, err))
	}
	return p, fieldErrors
}

func (p *part) build(tree *parse.Tree, format string) error {
	funcs := new(work).funcs(format)
	if format == FormatHTML {
		t, err := htmltemplate.New(p.field).Funcs(funcs).Option("missingkey=error").AddParseTree(p.field, tree)
		p.html = t
		return err
	}
	t, err := texttemplate.New(p.field).Funcs(funcs).Option("missingkey=error").AddParseTree(p.field, tree)
	p.text = t
	return err
}

// execute runs the part once, on a copy whose functions count against w.
func (p *part) execute(out io.Writer, data any, w *work) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("rendering failed: %v", r)
		}
	}()
	if p.html != nil {
		t, err := p.html.Clone()
		if err != nil {
			return err
		}
		return t.Funcs(w.funcs(FormatHTML)).Execute(out, data)
	}
	t, err := p.text.Clone()
	if err != nil {
		return err
	}
	return t.Funcs(w.funcs(FormatText)).Execute(out, data)
}

// limited writes at most left bytes and then returns errTooLong.
type limited struct {
	to   io.Writer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	if len(p) > l.left {
		return 0, errTooLong
	}
	l.left -= len(p)
	return l.to.Write(p)
}

var errTooLong = errors.New("the output exceeds the size limit of a ticket")
