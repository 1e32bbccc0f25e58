package store

import (
	"encoding/base64"
	"strings"
)

// SealCursor returns a cursor that holds a text which nobody else can read or change.
// It is valid only with the same bound values, such as the query that it continues.
func (s *core) SealCursor(text string, bound ...string) (string, error) {
	sealed, err := s.keys.Seal([]byte(text), cursorData(bound))
	return base64.RawURLEncoding.EncodeToString(sealed), err
}

// OpenCursor returns the text of a cursor, and whether it is one of [core.SealCursor]
// with these bound values.
func (s *core) OpenCursor(cursor string, bound ...string) (text string, ok bool) {
	sealed, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return "", false
	}
	plain, err := s.keys.Open(sealed, cursorData(bound))
	return string(plain), err == nil
}

func cursorData(bound []string) []byte { return []byte("cursor|" + strings.Join(bound, "|")) }
