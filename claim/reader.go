package claim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// object reads one JSON object from an external sender. A missing member and null
// are equivalent. A member of the wrong type becomes an error and reading continues,
// so that one response can list every error. Unknown members are ignored.
type object struct {
	members     map[string]json.RawMessage
	path        string
	fieldErrors *[]FieldError
	reads       *readTracker
}

// readTracker records which members of a body were read. A member that no code reads is
// unknown.
type readTracker struct {
	objects  []object
	accessed map[string]bool
}

// Limits on the list of ignored members.
const (
	maxIgnored     = 20
	maxIgnoredName = 100 // bytes
)

// ignored returns the sorted JSON paths of the members that were never read.
func (r *readTracker) ignored() []string {
	var out []string
	for _, o := range r.objects {
		for name := range o.members {
			if path := o.at(name); !r.accessed[path] {
				out = append(out, strings.ToValidUTF8(path[:min(len(path), maxIgnoredName)], ""))
			}
		}
	}
	slices.Sort(out)
	out = slices.Compact(out)
	return out[:min(len(out), maxIgnored)]
}

// any reports whether the body has a known member other than those in aside. Objects
// do not count, only their members.
func (r *readTracker) any(aside ...string) bool {
	for _, o := range r.objects {
		if len(o.members) > 0 {
			aside = append(slices.Clone(aside), o.path)
		}
	}
	for _, o := range r.objects {
		for name := range o.members {
			if path := o.at(name); r.accessed[path] && !slices.Contains(aside, path) {
				return true
			}
		}
	}
	return false
}

// markKnown marks members as known that are not always read.
func (o object) markKnown(names ...string) {
	for _, name := range names {
		o.reads.accessed[o.at(name)] = true
	}
}

// in adds the object to the body that r tracks.
func (o object) in(r *readTracker) object {
	o.reads = r
	r.objects = append(r.objects, o)
	return o
}

// parseObject parses the bytes as exactly one JSON object.
func parseObject(data []byte, fieldErrors *[]FieldError) (object, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	var members map[string]json.RawMessage
	if err := dec.Decode(&members); err != nil {
		return object{}, fmt.Errorf("must be a JSON object: %w", plainJSONError(err))
	}
	if members == nil {
		return object{}, fmt.Errorf("must be a JSON object, not null")
	}
	if _, err := dec.Token(); err != io.EOF {
		return object{}, fmt.Errorf("must be a single JSON object without trailing data")
	}
	return object{members: members, fieldErrors: fieldErrors}.in(&readTracker{accessed: map[string]bool{}}), nil
}

// plainJSONError keeps the useful part of an encoding/json error and drops the Go
// types.
func plainJSONError(err error) error {
	var syntax *json.SyntaxError
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("%w at byte %d", syntax, syntax.Offset)
	case errors.As(err, &wrongType):
		return fmt.Errorf("got a JSON %s", wrongType.Value)
	case errors.Is(err, io.EOF):
		return errors.New("it is empty")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("unexpected end of input")
	default:
		return err
	}
}

func (o object) at(name string) string {
	if o.path == "" {
		return name
	}
	return o.path + "." + name
}

func (o object) addError(name, problem string) {
	*o.fieldErrors = append(*o.fieldErrors, FieldError{Field: o.at(name), Problem: problem})
}

// raw returns the JSON text of the member, or nil if it is missing or null.
func (o object) raw(name string) json.RawMessage {
	o.markKnown(name)
	v := bytes.TrimSpace(o.members[name])
	if len(v) == 0 || string(v) == "null" {
		return nil
	}
	return v
}

// text reads a string. It also accepts a number or a boolean as text: shops send
// order numbers and ids either way.
func (o object) text(name string) string {
	v := o.raw(name)
	if v == nil {
		return ""
	}
	s, ok := scalar(v)
	if !ok {
		o.addError(name, "must be a string")
	}
	return s
}

// scalar returns the text of a string, number or boolean without surrounding space.
// It drops U+0000, which PostgreSQL text cannot contain.
func scalar(v json.RawMessage) (string, bool) {
	switch v[0] {
	case '"':
		var s string
		err := json.Unmarshal(v, &s)
		return strings.TrimSpace(strings.ReplaceAll(s, "\x00", "")), err == nil
	case '{', '[':
		return "", false
	default:
		return string(v), true
	}
}

// number reads a whole number, given as a number or as a string. It returns absent
// if the member is missing.
func (o object) number(name string, absent int) int {
	v := o.raw(name)
	if v == nil {
		return absent
	}
	s, ok := scalar(v)
	if ok {
		if f, err := strconv.ParseFloat(s, 64); err == nil && f == math.Trunc(f) && math.Abs(f) <= math.MaxInt32 {
			return int(f)
		}
	}
	o.addError(name, "must be an integer")
	return absent
}

// amount reads an amount of money, given as a number or as a string.
func (o object) amount(name string) Amount {
	v := o.raw(name)
	if v == nil {
		return ""
	}
	s, ok := scalar(v)
	if !ok {
		o.addError(name, "must be an amount such as \"19.90\"")
		return ""
	}
	if v[0] != '"' && strings.ContainsAny(s, "eE") {
		if f, err := strconv.ParseFloat(s, 64); err == nil {
			s = strconv.FormatFloat(f, 'f', -1, 64)
		}
	}
	return Amount(s)
}

// timeLayouts are the time formats that shops are known to send.
var timeLayouts = []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05", time.DateOnly}

// ParseTime parses a time in one of the formats that shops are known to send and
// returns it in UTC. A time without a zone is UTC. It reports whether the text is
// such a time with a year that JSON can represent.
func ParseTime(text string) (time.Time, bool) {
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, text); err == nil && t.UTC().Year() >= 1 && t.UTC().Year() <= 9999 {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// instant reads a time; a time without a zone is UTC. It returns zero if the member
// is missing. A year that JSON cannot represent, which a zone offset can cause, is an
// error.
func (o object) instant(name string) time.Time {
	v := o.raw(name)
	if v == nil {
		return time.Time{}
	}
	s, ok := scalar(v)
	if ok && s == "" {
		return time.Time{}
	}
	if t, readable := ParseTime(s); ok && readable {
		return t
	}
	o.addError(name, "must be a time such as \"2026-01-31T09:30:00Z\"")
	return time.Time{}
}

// object reads a nested object; empty if it is missing.
func (o object) object(name string) object {
	nested := object{path: o.at(name), fieldErrors: o.fieldErrors}
	v := o.raw(name)
	if v != nil && (v[0] != '{' || json.Unmarshal(v, &nested.members) != nil) {
		o.addError(name, "must be an object")
	}
	return nested.in(o.reads)
}

// list calls each for every element of a list. An element that is not an object is
// passed as an empty object, so that positions are preserved. A single object counts
// as a list of one.
func (o object) list(name string, each func(object)) {
	v := o.raw(name)
	if v == nil {
		return
	}
	if v[0] == '{' {
		each(o.object(name))
		return
	}
	var elements []json.RawMessage
	if v[0] != '[' || json.Unmarshal(v, &elements) != nil {
		o.addError(name, "must be a list")
		return
	}
	for i, e := range elements {
		at := fmt.Sprintf("%s[%d]", name, i)
		nested := object{path: o.at(at), fieldErrors: o.fieldErrors}
		if json.Unmarshal(e, &nested.members) != nil || nested.members == nil {
			o.addError(at, "must be an object")
		}
		each(nested.in(o.reads))
	}
}

// texts reads a list of texts. It skips nulls and empty texts.
func (o object) texts(name string) []string {
	v := o.raw(name)
	if v == nil {
		return nil
	}
	var elements []json.RawMessage
	if v[0] != '[' || json.Unmarshal(v, &elements) != nil {
		o.addError(name, "must be a list of strings")
		return nil
	}
	var out []string
	for i, e := range elements {
		e = bytes.TrimSpace(e)
		if string(e) == "null" {
			continue
		}
		s, ok := scalar(e)
		if !ok {
			o.addError(fmt.Sprintf("%s[%d]", name, i), "must be a string")
			continue
		}
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}
