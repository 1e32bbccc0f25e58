// Package charset makes text of another encoding UTF-8. encoding/json takes bytes
// that are not UTF-8 and replaces them without a word, so they are looked for
// before.
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

// ErrUnknown says that a charset has no name that is known here.
var ErrUnknown = errors.New("the charset is not known")

// InvalidError says that text is not of the charset that it should be of.
type InvalidError struct {
	// Charset is its name, in lower case.
	Charset string
	// Offset is that of the first wrong byte, from 0, and Byte is that byte; -1
	// and 0 where that is not known.
	Offset int
	Byte   byte
}

// Error says where the first wrong byte is.
func (e *InvalidError) Error() string {
	if e.Offset < 0 {
		return "is not " + e.Charset
	}
	return fmt.Sprintf("is not UTF-8: byte %#02x at offset %d; encode it as UTF-8, or name its charset in the Content-Type", e.Byte, e.Offset)
}

// UTF8 makes text UTF-8, by the charset that a Content-Type names (RFC 9110,
// section 8.3; names as the WHATWG's Encoding Standard has them), else by its byte
// order mark, which goes. Without either it must be UTF-8. The error wraps
// [ErrUnknown] or is an [*InvalidError].
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
		decoder = transform.Nop // which leaves wrong bytes to be found
	}
	out, _, err := transform.Bytes(unicode.BOMOverride(decoder), text)
	if err != nil {
		return nil, &InvalidError{Charset: canonical, Offset: -1}
	}
	out = bytes.TrimPrefix(out, mark)
	if canonical == "utf-8" && utf16(text) == "" {
		return out, valid(out)
	}
	// Decoders put this in the place of what they do not know.
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

// utf16 is the kind of UTF-16 whose byte order mark a text has; empty where it has
// none.
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

// Valid is nil for UTF-8, else an [*InvalidError] with the first wrong byte.
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
