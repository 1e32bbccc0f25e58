package dixa

import (
	"bytes"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	jsonv1 "github.com/go-json-experiment/json/v1"
)

// decodeMembers decodes the members of a valid JSON object into the fields of a struct
// that have their names, and returns the others. It reads the object once, while
// encoding/json reads it several times. ok is false if something is not as usual: the
// caller decodes such an object with encoding/json, which then describes what is wrong.
func (s shape) decodeMembers(b []byte, into reflect.Value) (others Extra, ok bool) {
	if s.fields == nil {
		return nil, false
	}
	rest, ok := bytes.CutPrefix(trimSpace(b), []byte{'{'})
	if !ok {
		return nil, false
	}
	if rest = trimSpace(rest); len(rest) > 0 && rest[0] == '}' {
		return nil, true
	}
	for {
		n := valueEnd(rest)
		if n < 2 || rest[0] != '"' || !plainText(rest[1:n-1]) {
			return nil, false
		}
		name := rest[1 : n-1]
		if rest, ok = bytes.CutPrefix(trimSpace(rest[n:]), []byte{':'}); !ok {
			return nil, false
		}
		rest = trimSpace(rest)
		if n = valueEnd(rest); n == 0 {
			return nil, false
		}
		if i, known := s.fields[string(name)]; known {
			if !decodeValue(rest[:n], into.Field(i)) {
				return nil, false
			}
		} else {
			if s.members[strings.ToLower(string(name))] {
				return nil, false // encoding/json matches names case-insensitively
			}
			if others == nil {
				others = Extra{}
			}
			others[string(name)] = bytes.Clone(rest[:n])
		}
		rest = trimSpace(rest[n:])
		switch {
		case len(rest) == 0:
			return nil, false
		case rest[0] == '}':
			return others, len(trimSpace(rest[1:])) == 0
		case rest[0] != ',':
			return nil, false
		}
		rest = trimSpace(rest[1:])
	}
}

// decodeValue decodes a value into a field.
func decodeValue(b []byte, field reflect.Value) bool {
	switch at := field.Addr().Interface().(type) {
	case *Time:
		return at.UnmarshalJSON(b) == nil
	case *string:
		if n := len(b) - 1; n > 0 && b[0] == '"' && plainText(b[1:n]) {
			*at = string(b[1:n])
			return true
		}
	case *int64:
		if n, err := strconv.ParseInt(string(b), 10, 64); err == nil {
			*at = n
			return true
		}
	}
	return jsonv1.Unmarshal(b, field.Addr().Interface()) == nil
}

// valueEnd returns the length of the value with which valid JSON begins; 0 if there is
// none.
func valueEnd(b []byte) int {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			n := stringEnd(b[i:])
			if n == 0 {
				return 0
			}
			i += n - 1
		case '{', '[':
			depth++
			continue
		case '}', ']':
			if depth == 0 {
				return 0
			}
			depth--
		default:
			if depth > 0 {
				continue
			}
			if n := bytes.IndexAny(b[i:], ",]} \t\r\n"); n >= 0 {
				return i + n
			}
			return len(b)
		}
		if depth == 0 {
			return i + 1
		}
	}
	return 0
}

// stringEnd returns the length of the string with which valid JSON begins; 0 if it does
// not end.
func stringEnd(b []byte) int {
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return 0
}

// plainText reports whether the inside of a JSON string is the text itself.
func plainText(b []byte) bool {
	return bytes.IndexByte(b, '\\') < 0 && utf8.Valid(b)
}

func trimSpace(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\n' || b[0] == '\t' || b[0] == '\r') {
		b = b[1:]
	}
	return b
}
