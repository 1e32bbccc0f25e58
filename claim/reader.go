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

// object reads one JSON object whose author is not ours. A missing member and a
// null are the same; a member of the wrong type becomes a fault and the reading
// goes on, so that one answer can name every fault. Unknown members are left
// alone.
type object struct {
	members map[string]json.RawMessage
	path    string
	faults  *[]Fault
	reads   *reads
}

// reads is which members of a body were asked for. What nobody asks for is not
// known here.
type reads struct {
	objects []object
	asked   map[string]bool
}

// Bounds of the list of ignored members.
const (
	maxIgnored     = 20
	maxIgnoredName = 100 // bytes
)

// ignored are the members that nobody asked for, by JSON path and sorted.
func (r *reads) ignored() []string {
	var out []string
	for _, o := range r.objects {
		for name := range o.members {
			if path := o.at(name); !r.asked[path] {
				out = append(out, strings.ToValidUTF8(path[:min(len(path), maxIgnoredName)], ""))
			}
		}
	}
	slices.Sort(out)
	out = slices.Compact(out)
	return out[:min(len(out), maxIgnored)]
}

// any reports whether a member that is known was given, some and the objects that
// members lie in aside.
func (r *reads) any(aside ...string) bool {
	for _, o := range r.objects {
		if len(o.members) > 0 {
			aside = append(slices.Clone(aside), o.path)
		}
	}
	for _, o := range r.objects {
		for name := range o.members {
			if path := o.at(name); r.asked[path] && !slices.Contains(aside, path) {
				return true
			}
		}
	}
	return false
}

// know marks members as known that are not always asked for.
func (o object) know(names ...string) {
	for _, name := range names {
		o.reads.asked[o.at(name)] = true
	}
}

// in makes the object a part of the same body.
func (o object) in(r *reads) object {
	o.reads = r
	r.objects = append(r.objects, o)
	return o
}

// parseObject reads the bytes as exactly one JSON object.
func parseObject(data []byte, faults *[]Fault) (object, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	var members map[string]json.RawMessage
	if err := dec.Decode(&members); err != nil {
		return object{}, fmt.Errorf("not a JSON object: %w", plainJSONError(err))
	}
	if members == nil {
		return object{}, fmt.Errorf("not a JSON object: null")
	}
	if _, err := dec.Token(); err != io.EOF {
		return object{}, fmt.Errorf("not a JSON object: more follows after its end")
	}
	return object{members: members, faults: faults}.in(&reads{asked: map[string]bool{}}), nil
}

// plainJSONError keeps what helps and drops what the encoding/json package says
// of Go types.
func plainJSONError(err error) error {
	var syntax *json.SyntaxError
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("%w at byte %d", syntax, syntax.Offset)
	case errors.As(err, &wrongType):
		return fmt.Errorf("it is a JSON %s", wrongType.Value)
	case errors.Is(err, io.EOF):
		return errors.New("it is empty")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("it ends too early")
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

func (o object) fault(name, problem string) {
	*o.faults = append(*o.faults, Fault{Field: o.at(name), Problem: problem})
}

// raw is the member's text, or nil where it is missing or null.
func (o object) raw(name string) json.RawMessage {
	o.know(name)
	v := bytes.TrimSpace(o.members[name])
	if len(v) == 0 || string(v) == "null" {
		return nil
	}
	return v
}

// text reads a string. A number or a boolean is taken by its spelling: shops
// send order numbers and ids either way.
func (o object) text(name string) string {
	v := o.raw(name)
	if v == nil {
		return ""
	}
	s, ok := scalar(v)
	if !ok {
		o.fault(name, "must be a text")
	}
	return s
}

// scalar is the text of a string, number or boolean without space around it.
// U+0000 goes: PostgreSQL keeps no text that has it.
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

// number reads a whole number, written as a number or as a text; absent where
// the member is missing.
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
	o.fault(name, "must be a whole number")
	return absent
}

// amount reads an amount of money, written as a number or as a text.
func (o object) amount(name string) Amount {
	v := o.raw(name)
	if v == nil {
		return ""
	}
	s, ok := scalar(v)
	if !ok {
		o.fault(name, "must be an amount such as \"19.90\"")
		return ""
	}
	if v[0] != '"' && strings.ContainsAny(s, "eE") {
		if f, err := strconv.ParseFloat(s, 64); err == nil {
			s = strconv.FormatFloat(f, 'f', -1, 64)
		}
	}
	return Amount(s)
}

// timeLayouts are the spellings of a time that shops are known to send.
var timeLayouts = []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05", time.DateOnly}

// ParseTime reads a time in one of the spellings that shops are known to send,
// in UTC; one without a zone is UTC. It reports whether the text was one, of a
// year that JSON can spell.
func ParseTime(text string) (time.Time, bool) {
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, text); err == nil && t.UTC().Year() >= 1 && t.UTC().Year() <= 9999 {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// instant reads a time; one without a zone is UTC. Zero where it is missing. A
// year that JSON cannot spell, which a zone can bring about, is refused.
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
	o.fault(name, "must be a time such as \"2026-01-31T09:30:00Z\"")
	return time.Time{}
}

// object reads a nested object; an empty one where it is missing.
func (o object) object(name string) object {
	nested := object{path: o.at(name), faults: o.faults}
	v := o.raw(name)
	if v != nil && (v[0] != '{' || json.Unmarshal(v, &nested.members) != nil) {
		o.fault(name, "must be an object")
	}
	return nested.in(o.reads)
}

// list calls each with every element of a list; for one that is no object, with
// an empty object, so that positions stay. A single object is taken for a list
// of one.
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
		o.fault(name, "must be a list")
		return
	}
	for i, e := range elements {
		at := fmt.Sprintf("%s[%d]", name, i)
		nested := object{path: o.at(at), faults: o.faults}
		if json.Unmarshal(e, &nested.members) != nil || nested.members == nil {
			o.fault(at, "must be an object")
		}
		each(nested.in(o.reads))
	}
}

// texts reads a list of texts; nulls and empty ones are left out.
func (o object) texts(name string) []string {
	v := o.raw(name)
	if v == nil {
		return nil
	}
	var elements []json.RawMessage
	if v[0] != '[' || json.Unmarshal(v, &elements) != nil {
		o.fault(name, "must be a list of texts")
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
			o.fault(fmt.Sprintf("%s[%d]", name, i), "must be a text")
			continue
		}
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}
