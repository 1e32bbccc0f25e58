package dixa

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// timeFormat is Dixa's documented format for instants in requests:
// yyyy-MM-dd'T'HH:mm:ss.SSS'Z'.
const timeFormat = "2006-01-02T15:04:05.000Z"

// filterTimeFormat is Dixa's documented format for query filters.
const filterTimeFormat = "2006-01-02T15:04:05Z"

var errTimeFormat = errors.New("dixa: the time is not in a format that Dixa uses")

// Time is an instant in any of Dixa's formats, which vary by endpoint. It decodes
// 2020-12-16T09:41:43Z, with fractions, with a numeric offset, with a trailing zone
// name in brackets (2021-12-01T12:46:36.581Z[GMT]), without a zone (read as UTC),
// without seconds (Java's format for a full minute), a date alone, and Unix
// milliseconds as a number or string. null and "" are the zero Time. Decoded times
// are always in UTC.
type Time struct{ time.Time }

// NewTime returns t as a Time.
func NewTime(t time.Time) Time { return Time{t.UTC()} }

// MarshalJSON writes UTC with milliseconds. It writes null for the zero Time and for
// a year outside 0 to 9999.
func (t Time) MarshalJSON() ([]byte, error) {
	utc := t.UTC()
	if t.IsZero() || utc.Year() < 0 || utc.Year() > 9999 {
		return []byte("null"), nil
	}
	return []byte(utc.Format(`"` + timeFormat + `"`)), nil
}

// UnmarshalJSON decodes every format that Time documents.
func (t *Time) UnmarshalJSON(b []byte) error {
	b = bytes.TrimSpace(b)
	if bytes.Equal(b, []byte("null")) {
		*t = Time{}
		return nil
	}
	text := b
	if len(b) > 0 && b[0] == '"' {
		var err error
		if text, err = jsontext.AppendUnquote(nil, b); err != nil {
			return errTimeFormat
		}
	}
	parsed, err := ParseTime(string(text))
	if err != nil {
		return err
	}
	*t = parsed
	return nil
}

var timeLayouts = []string{
	time.RFC3339Nano,
	"2006-01-02T15:04:05.999999999",
	"2006-01-02T15:04Z07:00",
	"2006-01-02T15:04",
	time.DateOnly,
}

// ParseTime parses an instant in any format that Time documents.
func ParseTime(s string) (Time, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return Time{}, nil
	}
	if at := strings.IndexByte(s, '['); at > 0 && strings.HasSuffix(s, "]") {
		s = s[:at]
	}
	if ms, err := strconv.ParseInt(s, 10, 64); err == nil {
		return inRange(time.UnixMilli(ms))
	}
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return inRange(t)
		}
	}
	return Time{}, errTimeFormat
}

func inRange(t time.Time) (Time, error) {
	t = t.UTC()
	if t.Year() < 0 || t.Year() > 9999 {
		return Time{}, errTimeFormat
	}
	return Time{t}, nil
}
