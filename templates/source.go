package templates

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"github.com/claimflow/claimflow/claim"
)

// Source is a ticket template as written by shop staff. If Subject is empty, the
// default subject applies. If Note is empty or renders to nothing, no note is written
// and no request is sent. See [EvidenceKinds] for Evidence.
type Source claim.TemplateSource

// The formats of a body. Dixa accepts one of the two.
const (
	FormatHTML = "html"
	FormatText = "text"
)

// The kinds of evidence that a template can attach.
const (
	EvidenceItem      = "item"      // photos of an affected item
	EvidenceClaim     = "claim"     // photos of the claim as a whole
	EvidenceOptional  = "optional"  // photos that the customer added without being asked
	EvidenceSignature = "signature" // the image of the customer's signature
)

// EvidenceKinds returns the kinds of evidence in the order in which files are
// attached.
func EvidenceKinds() []string {
	return []string{EvidenceItem, EvidenceClaim, EvidenceOptional, EvidenceSignature}
}

// ParseSource decodes the JSON document of a template. It rejects unknown members so
// that a typing error is not mistaken for a template. The error is a
// [*claim.InvalidError].
func ParseSource(doc []byte) (Source, error) {
	var s Source
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.DisallowUnknownFields()
	err := dec.Decode(&s)
	if err == nil {
		if _, more := dec.Token(); more != io.EOF {
			err = errors.New("unexpected data after the object")
		}
	}
	if err == nil {
		return s, nil
	}
	fieldError := claim.FieldError{Field: "body", Problem: "is not a valid template: " + err.Error()}
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) && wrongType.Field != "" {
		fieldError = claim.FieldError{Field: wrongType.Field, Problem: "must not be a JSON " + wrongType.Value}
	} else if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		fieldError = claim.FieldError{Field: strings.Trim(name, `"`), Problem: "is not a template member"}
	}
	return Source{}, invalid(fieldError)
}

// over fills the omitted members of s from the template beneath it. A body brings
// its own format.
func (s Source) over(beneath Source) Source {
	s.Subject = cmp.Or(s.Subject, beneath.Subject)
	if s.Body == "" {
		s.Body, s.Format = beneath.Body, beneath.Format
	}
	if s.Tags == nil {
		s.Tags = beneath.Tags
	}
	s.Note = cmp.Or(s.Note, beneath.Note)
	if s.Evidence == nil {
		s.Evidence = beneath.Evidence
	}
	return s
}

// Bounds of a template's source, in bytes and entries.
const (
	maxSubjectSource = 2 << 10
	maxBodySource    = 64 << 10
	maxNoteSource    = 32 << 10
	maxTagSource     = 500
	maxTags          = 20
)

// fieldErrors returns the errors of the source that can be found without parsing.
func (s Source) fieldErrors() []claim.FieldError {
	var out []claim.FieldError
	add := func(field, problem string, args ...any) {
		out = append(out, claim.FieldError{Field: field, Problem: fmt.Sprintf(problem, args...)})
	}
	for _, part := range []struct {
		field, text string
		max         int
	}{{"subject", s.Subject, maxSubjectSource}, {"body", s.Body, maxBodySource}, {"note", s.Note, maxNoteSource}} {
		if len(part.text) > part.max {
			add(part.field, "must have at most %d bytes", part.max)
		}
		if at := controlCharacter(part.text); at >= 0 {
			add(part.field, "%s: contains a control character", position(part.text, at))
		}
	}
	if strings.TrimSpace(s.Body) == "" {
		add("body", "is required")
	}
	if s.Voice != "" && s.Voice != claim.VoiceCustomer && s.Voice != claim.VoiceAgent {
		add("voice", "must be one of customer, agent")
	}
	if s.Format != "" && s.Format != FormatHTML && s.Format != FormatText {
		add("format", "must be one of html, text")
	}
	if len(s.Tags) > maxTags {
		add("tags", "must have at most %d entries", maxTags)
	}
	for i, tag := range s.Tags {
		if len(tag) > maxTagSource {
			add(fmt.Sprintf("tags[%d]", i), "must have at most %d bytes", maxTagSource)
		}
		if controlCharacter(tag) >= 0 {
			add(fmt.Sprintf("tags[%d]", i), "contains a control character")
		}
	}
	for i, kind := range s.Evidence {
		switch {
		case !slices.Contains(EvidenceKinds(), kind):
			add(fmt.Sprintf("evidence[%d]", i), "must be one of %s", strings.Join(EvidenceKinds(), ", "))
		case slices.Contains(s.Evidence[:i], kind):
			add(fmt.Sprintf("evidence[%d]", i), "is a duplicate of %s", kind)
		}
	}
	return out
}

// controlCharacter returns the offset of the first control character that is neither a
// tab nor part of a line break, or -1 if there is none.
func controlCharacter(s string) int {
	return strings.IndexFunc(s, func(r rune) bool { return unicode.IsControl(r) && r != '\t' && r != '\n' && r != '\r' })
}

// evidence returns the kinds to attach, in the order of [EvidenceKinds].
func (s Source) evidence() []string {
	kinds := EvidenceKinds()
	if s.Evidence == nil {
		return kinds
	}
	return slices.DeleteFunc(kinds, func(kind string) bool { return !slices.Contains(s.Evidence, kind) })
}

func invalid(fieldErrors ...claim.FieldError) error {
	return &claim.InvalidError{What: "template", Errors: fieldErrors}
}
