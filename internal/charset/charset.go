// Package charset converts text to UTF-8. encoding/json silently replaces bytes that
// are not UTF-8, so this package detects them first.
package charset

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"unicode/utf8"

	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// ErrUnknown means that a charset's name is unknown.
var ErrUnknown = errors.New("unknown charset")

// InvalidError means that text is not in its expected charset.
type InvalidError struct {
	// Charset is its name, in lower case.
	Charset string
	// Offset is the offset of the first invalid byte, from 0, and Byte is that byte;
	// -1 and 0 if unknown.
	Offset int
	Byte   byte
}

// Error says where the first invalid byte is.
func (e *InvalidError) Error() string {
	if e.Offset < 0 {
		return "is not " + e.Charset
	}
	return fmt.Sprintf("is not UTF-8: byte %#02x at offset %d; encode it as UTF-8, or name its charset in the Content-Type", e.Byte, e.Offset)
}

// UTF8 converts text to UTF-8. It uses the charset that a Content-Type names (RFC
// 9110, section 8.3; names as in the WHATWG's Encoding Standard), or else the byte
// order mark, which it removes. Without either, the text must be UTF-8. The error
// wraps [ErrUnknown] or is an [*InvalidError].
func UTF8(text []byte, contentType string) ([]byte, error) {
	name := ""
	if _, params, err := mime.ParseMediaType(contentType); err == nil {
		name = params["charset"]
	}
	fallback := unicode.UTF8
	if name != "" {
		named, err := htmlindex.Get(name)
		if err != nil {
			return nil, fmt.Errorf("%w: %q", ErrUnknown, name)
		}
		fallback = named
	}
	canonical, err := htmlindex.Name(fallback)
	if err != nil || canonical == "replacement" {
		return nil, fmt.Errorf("%w: %q", ErrUnknown, name)
	}
	if canonical == "utf-8" && !marked(text) {
		return text, valid(text)
	}
	decoder := fallback.NewDecoder().Transformer
	if canonical == "utf-8" {
		decoder = transform.Nop // leaves invalid bytes for valid to find
	}
	out, _, err := transform.Bytes(unicode.BOMOverride(decoder), text)
	if err != nil {
		return nil, &InvalidError{Charset: canonical, Offset: -1}
	}
	out = bytes.TrimPrefix(out, mark)
	if canonical == "utf-8" && utf16(text) == "" {
		return out, valid(out)
	}
	// Decoders replace unknown bytes with this rune.
	if bytes.ContainsRune(out, utf8.RuneError) {
		if name := utf16(text); name != "" {
			canonical = name
		}
		return nil, &InvalidError{Charset: canonical, Offset: -1}
	}
	return out, nil
}

// mark is the byte order mark in UTF-8.
var mark = []byte("\uFEFF")

func marked(text []byte) bool { return bytes.HasPrefix(text, mark) || utf16(text) != "" }

// utf16 returns the kind of UTF-16 that a text's byte order mark indicates; empty if
// it has none.
func utf16(text []byte) string {
	switch {
	case bytes.HasPrefix(text, []byte{0xFE, 0xFF}):
		return "utf-16be"
	case bytes.HasPrefix(text, []byte{0xFF, 0xFE}):
		return "utf-16le"
	default:
		return ""
	}
}

// Valid returns nil for UTF-8, or else an [*InvalidError] with the first invalid
// byte.
func Valid(text []byte) error { return valid(text) }

func valid(text []byte) error {
	if utf8.Valid(text) {
		return nil
	}
	for i := 0; ; {
		r, size := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && size == 1 {
			return &InvalidError{Charset: "utf-8", Offset: i, Byte: text[i]}
		}
		i += size
	}
}
