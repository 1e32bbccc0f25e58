package mirror

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/claimflow/claimflow/claim"
)

// MergeMessages returns what two records of the same message say together. The order
// and the repetition of merges do not matter. Attachments are those of the higher
// version. Every other part is from the highest version that has it, so what only a
// lower source knows is kept.
//
// The list and the export show a redacted message without its text. So if either was
// read without text later than the text was read, the text is removed and the message
// is marked as redacted. A read of at least the same source that shows a text again
// undoes this.
func MergeMessages(a, b Message) Message {
	if cmp.Or(a.Version.Compare(b.Version), strings.Compare(attachmentKey(a), attachmentKey(b)), strings.Compare(a.Kind, b.Kind)) < 0 {
		a, b = b, a
	}
	out := a
	out.Ours = a.Ours || b.Ours
	out.ConversationID = max(a.ConversationID, b.ConversationID)
	out.BlankAt = newest(a.BlankAt, b.BlankAt)
	var parts map[string]Version
	for _, part := range messageParts {
		from, version, known := highest(part, a, b)
		if !known {
			continue
		}
		part.copy(&out, from)
		if version.Compare(out.Version) != 0 {
			parts = with(parts, part.name, version)
		}
	}
	out.Parts = parts
	if out.Author != nil && *out.Author == (claim.Person{}) {
		out.Author = nil
	}
	out.redact()
	return out
}

// redact applies BlankAt.
func (m *Message) redact() {
	known := m.Text != "" || m.HTML != "" || m.Redacted
	m.Redacted = known && m.BlankAt.After(m.version(partBody).ReadAt)
	if m.Redacted {
		m.Text, m.HTML = "", ""
	}
	m.Listed = m.Source == FromList
}

// version returns the version of a part that the message has.
func (m *Message) version(part string) Version {
	if v, ok := m.Parts[part]; ok {
		return v
	}
	return m.Version
}

// highest returns the message with the higher version of a part. known is false if
// neither has it.
func highest(part messagePart, a, b Message) (from *Message, version Version, known bool) {
	hasA, hasB := part.has(&a), part.has(&b)
	va, vb := a.version(part.name), b.version(part.name)
	switch {
	case !hasA && !hasB:
		return nil, Version{}, false
	case !hasB:
		return &a, va, true
	case !hasA:
		return &b, vb, true
	}
	if cmp.Or(va.Compare(vb), strings.Compare(part.key(&a), part.key(&b))) < 0 {
		return &b, vb, true
	}
	return &a, va, true
}

// messagePart is a part of a message that a source may lack.
type messagePart struct {
	name string
	has  func(*Message) bool
	// key orders different values of the same version.
	key  func(*Message) string
	copy func(to, from *Message)
}

const partBody = "body"

var messageParts = []messagePart{
	textPart("direction", func(m *Message) *string { return &m.Direction }),
	textPart("channel", func(m *Message) *string { return &m.Channel }),
	textPart("external_id", func(m *Message) *string { return &m.ExternalID }),
	textPart("author_email", func(m *Message) *string { return &m.AuthorEmail }),
	authorPart("author_id", func(p *claim.Person) *string { return &p.ID }),
	authorPart("author_name", func(p *claim.Person) *string { return &p.Name }),
	{
		"at", func(m *Message) bool { return !m.At.IsZero() },
		func(m *Message) string { return m.At.UTC().Format(time.RFC3339Nano) },
		func(to, from *Message) { to.At = from.At },
	},
	{
		partBody, func(m *Message) bool { return m.Text != "" || m.HTML != "" || m.Redacted },
		func(m *Message) string { return m.Text + "\x00" + m.HTML },
		func(to, from *Message) { to.Text, to.HTML, to.Redacted = from.Text, from.HTML, from.Redacted },
	},
	{
		"automated", func(m *Message) bool { return m.AutomatedKnown || m.Automated },
		func(m *Message) string {
			if m.Automated {
				return "automated"
			}
			return ""
		},
		func(to, from *Message) { to.Automated, to.AutomatedKnown = from.Automated, from.AutomatedKnown },
	},
	{
		"addresses", func(m *Message) bool { return addressKey(m) != "" }, addressKey,
		func(to, from *Message) { to.From, to.To, to.CC, to.BCC = from.From, from.To, from.CC, from.BCC },
	},
}

func textPart(name string, of func(*Message) *string) messagePart {
	return messagePart{
		name, func(m *Message) bool { return *of(m) != "" }, func(m *Message) string { return *of(m) },
		func(to, from *Message) { *of(to) = *of(from) },
	}
}

func authorPart(name string, of func(*claim.Person) *string) messagePart {
	value := func(m *Message) string {
		if m.Author == nil {
			return ""
		}
		return *of(m.Author)
	}
	return messagePart{name, func(m *Message) bool { return value(m) != "" }, value, func(to, from *Message) {
		author := claim.Person{}
		if to.Author != nil {
			author = *to.Author
		}
		*of(&author) = value(from)
		to.Author = &author
	}}
}

func addressKey(m *Message) string {
	if m.From == "" && len(m.To)+len(m.CC)+len(m.BCC) == 0 {
		return ""
	}
	return strings.Join([]string{m.From, strings.Join(m.To, ","), strings.Join(m.CC, ","), strings.Join(m.BCC, ",")}, "\x00")
}

func attachmentKey(m Message) string {
	var key strings.Builder
	for _, a := range m.Attachments {
		key.WriteString(a.ID + "\x00" + a.Name + "\x00" + a.Source + "\x00")
	}
	return key.String()
}

// Equal reports whether both are the same, apart from when they were read. Then the
// other need not be stored: a repeated import stores nothing.
func (m Message) Equal(other Message) bool {
	for _, part := range messageParts {
		if part.has(&m) != part.has(&other) || part.has(&m) && m.version(part.name).Source != other.version(part.name).Source {
			return false
		}
	}
	return reflect.DeepEqual(m.withoutReads(), other.withoutReads())
}

// withoutReads removes when the message was read, and what distinguishes equal values
// for reflection. Files' addresses are compared by path only: Dixa may sign them anew
// for each read.
func (m Message) withoutReads() Message {
	m.ReadAt, m.BlankAt, m.Parts, m.Listed = time.Time{}, time.Time{}, nil, false
	m.At = m.At.UTC()
	m.To, m.CC, m.BCC = nonNil(m.To), nonNil(m.CC), nonNil(m.BCC)
	m.Attachments = nonNil(slices.Clone(m.Attachments))
	for i := range m.Attachments {
		m.Attachments[i].Source, _, _ = strings.Cut(m.Attachments[i].Source, "?")
	}
	return m
}

func nonNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// Anonymized returns the message without personal data, as if nobody had read it.
// Apply it after each merge with a message of a conversation that Dixa anonymized.
func (m Message) Anonymized() Message {
	m.Text, m.HTML, m.Redacted, m.Attachments, m.AuthorEmail = "", "", false, nil, ""
	m.From, m.To, m.CC, m.BCC = "", nil, nil, nil
	parts := maps.Clone(m.Parts)
	for _, gone := range []string{partBody, "author_name", "author_email", "addresses"} {
		delete(parts, gone)
	}
	switch {
	case m.Author == nil:
	case m.Direction == claim.DirectionInbound: // the customer
		m.Author = nil
		delete(parts, "author_id")
	default:
		m.Author = personOf(m.Author.ID, "")
	}
	m.Parts = nonEmpty(parts)
	return m
}
