package templates

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxMarks is how many combining marks may follow each other. No living orthography
// needs more; a hundred of them would cover the lines above.
const maxMarks = 8

// clean makes untrusted text safe to display. The text keeps its meaning, and
// nothing in it hides or reorders the surrounding text.
//
//   - Every line break becomes one line feed. Other control characters are removed.
//   - Bidirectional embeddings, overrides and isolates are removed: they can display
//     text in an order other than its own. The marks U+200E, U+200F and U+061C stay:
//     correct right-to-left text needs them, and they move only neutral characters.
//   - Invisible characters are removed: zero-width spaces, soft hyphens, byte order
//     marks, tag characters, fillers and every other format character without a
//     shape. The zero-width joiner and non-joiner stay between two characters of a
//     script, or two symbols, that they shape. In Latin, Greek and Cyrillic words
//     they only deceive.
//   - A variation selector stays if it follows a character that it can vary. Marks
//     beyond [maxMarks] are removed.
func clean(s string) string {
	if isPlain(s) {
		return s
	}
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.ReplaceAll(s, "\r\n", "\n")
	var b strings.Builder
	b.Grow(len(s))
	var before rune
	marks := 0
	for i, r := range s {
		switch {
		case r == '\n' || r == '\t':
		case r == '\r' || r == '\v' || r == '\f' || r == '\u0085' || r == '\u2028' || r == '\u2029':
			r = '\n'
		case r == '\u200C' || r == '\u200D':
			after, _ := utf8.DecodeRuneInString(s[i+utf8.RuneLen(r):])
			if !joins(before) || !joins(after) {
				continue
			}
		case hidden(r):
			continue
		case r >= '\uFE00' && r <= '\uFE0F':
			if before == 0 || unicode.IsSpace(before) || before >= '\uFE00' && before <= '\uFE0F' {
				continue
			}
		}
		if unicode.Is(unicode.M, r) {
			if marks++; marks > maxMarks {
				continue
			}
		} else {
			marks = 0
		}
		b.WriteRune(r)
		before = r
	}
	return b.String()
}

// isPlain is the fast path for the common case.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c >= utf8.RuneSelf || c == 0x7F || c < ' ' && c != '\n' && c != '\t' {
			return false
		}
	}
	return true
}

// hidden reports whether a character has no shape and no use in a claim.
func hidden(r rune) bool {
	switch r {
	case '\u200E', '\u200F', '\u061C':
		return false
	case '\u115F', '\u1160', '\u3164', '\uFFA0', '\u17B4', '\u17B5', '\u034F':
		return true
	}
	switch {
	case unicode.Is(unicode.Prepended_Concatenation_Mark, r):
		return false
	case unicode.Is(unicode.Cc, r), unicode.Is(unicode.Cf, r), unicode.Is(unicode.Noncharacter_Code_Point, r):
		return true
	case r >= 0xE0000 && r <= 0xE0FFF: // tags and the second block of variation selectors
		return true
	}
	return false
}

// joins reports whether a joiner next to the character affects its shape.
func joins(r rune) bool {
	switch {
	case r == utf8.RuneError: // also returned past the end of the text
		return false
	case r >= '\uFE00' && r <= '\uFE0F':
		return true
	case unicode.Is(unicode.So, r), unicode.Is(unicode.Sk, r):
		return true
	case unicode.IsLetter(r) || unicode.Is(unicode.M, r):
		return !unicode.In(r, unicode.Latin, unicode.Greek, unicode.Cyrillic, unicode.Common, unicode.Inherited)
	}
	return false
}

// oneLine returns the cleaned text on one line, without surrounding space.
func oneLine(s string) string { return strings.Join(strings.Fields(clean(s)), " ") }

// shorten cuts a text to at most max characters and appends mark if it cut the text.
func shorten(s string, max int, mark string) string {
	if len(s) <= max {
		return s
	}
	n := 0
	for i := range s {
		if n == max {
			return strings.TrimRightFunc(s[:i], unicode.IsSpace) + mark
		}
		n++
	}
	return s
}

// webAddress returns the address if it is a safe web URL, and "" otherwise. A link
// therefore never executes anything and never points to a host other than the one it
// shows.
func webAddress(raw string) string {
	raw = oneLine(raw)
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
		return ""
	}
	return u.String()
}
