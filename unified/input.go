package unified

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// input reads the members of a body. It remembers which were read, so that the others
// can be refused by name, and collects what is wrong with them.
type input struct {
	members map[string]json.RawMessage
	// path is the prefix of the members' names, such as "contact.".
	path  string
	found *findings
	// schema collects the members that are read; nil unless the input is read for it.
	schema *bodySchema
}

// findings is what is wrong with a body.
type findings struct {
	faults failures
	// missing are members that are required, unsupported those that Dixa cannot do.
	missing     []string
	unsupported failures
}

// err returns the findings as one error: 400 if anything is missing or wrong, 501 if the
// request only asks for what Dixa cannot do. It names every member.
func (f *findings) err() error {
	all := slices.Concat(f.faults, f.unsupported)
	switch {
	case len(f.missing) > 0:
		e := Missing(nil, f.missing)
		if len(all) > 0 {
			e.Details = &Failures{all}
		}
		return e
	case len(f.faults) > 0:
		return WrongBody(all...)
	case len(f.unsupported) > 0:
		e := NewError(http.StatusNotImplemented, "Dixa cannot do what the body asks for.")
		e.Details = &Failures{f.unsupported}
		return e
	default:
		return nil
	}
}

// WrongBody returns the error for members of a body that are wrong.
func WrongBody(faults ...Failure) *Error {
	e := NewError(http.StatusBadRequest, "The body has members that are wrong.")
	e.Details = &Failures{faults}
	return e
}

// newInput reads a body, which is JSON under any content type. An empty body has no
// members.
func newInput(body []byte) (*input, error) {
	in := &input{members: map[string]json.RawMessage{}, found: &findings{}}
	if body = bytes.TrimSpace(body); len(body) == 0 {
		return in, nil
	}
	if err := json.Unmarshal(body, &in.members); err != nil || in.members == nil {
		return nil, NewError(http.StatusBadRequest, "The body is not a JSON object.")
	}
	return in, nil
}

// take returns a member and marks it as read. null is as if it were absent, except for
// given.
func (in *input) take(name string) (json.RawMessage, bool) {
	raw, ok := in.members[name]
	delete(in.members, name)
	return raw, ok && !bytes.Equal(raw, []byte("null"))
}

func (in *input) fault(name, format string, args ...any) {
	in.found.faults.add(in.path+name, fmt.Sprintf(format, args...))
}

func (in *input) missing(name string) { in.found.missing = append(in.found.missing, in.path+name) }

// cannot refuses members that Dixa has no operation for.
func (in *input) cannot(why string, names ...string) {
	for _, name := range names {
		if _, ok := in.take(name); ok {
			in.found.unsupported.add(in.path+name, why)
		}
	}
}

// ignore reads members that a client sends back as it received them and that do not
// change.
func (in *input) ignore(names ...string) {
	for _, name := range names {
		delete(in.members, name)
	}
}

// end refuses the members that were not read.
func (in *input) end() {
	for _, name := range sortedKeys(in.members) {
		in.fault(name, "is not a member that can be written; members of Dixa belong in remote_data")
	}
	clear(in.members)
}

func (in *input) text(name string) string {
	in.describe(name, schemaOfType("string"))
	raw, ok := in.take(name)
	if !ok {
		return ""
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		in.fault(name, "must be a text")
	}
	return s
}

// required is text for a member that must be there and not be blank.
func (in *input) required(name string) string {
	s := in.text(name)
	if in.schema != nil {
		in.schema.Required = append(in.schema.Required, name)
	}
	if strings.TrimSpace(s) == "" {
		in.missing(name)
	}
	return s
}

// flag reads a boolean. given is false if it is absent.
func (in *input) flag(name string) (value, given bool) {
	in.describe(name, schemaOfType("boolean"))
	raw, ok := in.take(name)
	if !ok {
		return false, false
	}
	if json.Unmarshal(raw, &value) != nil {
		in.fault(name, "must be true or false")
	}
	return value, true
}

func (in *input) instant(name string) time.Time {
	s := in.text(name)
	in.describe(name, map[string]any{"type": "string", "format": "date-time"})
	if s == "" {
		return time.Time{}
	}
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC()
		}
	}
	in.fault(name, "must be a time such as 2026-01-31T12:00:00Z")
	return time.Time{}
}

// object reads an object; nil if it is absent or wrong.
func (in *input) object(name string) *input {
	if o := in.inner(name); o != nil {
		in.describe(name, o.schema)
		return o
	}
	raw, ok := in.take(name)
	if !ok {
		return nil
	}
	return in.objectOf(name, raw)
}

func (in *input) objectOf(name string, raw json.RawMessage) *input {
	out := &input{path: in.path + name + ".", found: in.found}
	if json.Unmarshal(raw, &out.members) != nil || out.members == nil {
		in.fault(name, "must be an object")
		return nil
	}
	return out
}

// elements reads a list. given is false if it is absent.
func (in *input) elements(name string) (all []json.RawMessage, given bool) {
	raw, ok := in.take(name)
	if !ok {
		return nil, false
	}
	if json.Unmarshal(raw, &all) != nil {
		in.fault(name, "must be a list")
	}
	return all, true
}

// objects reads a list of objects.
func (in *input) objects(name string) (all []*input, given bool) {
	if o := in.inner(name); o != nil {
		in.describe(name, arrayOf(o.schema))
		return []*input{o}, false
	}
	elements, given := in.elements(name)
	for i, raw := range elements {
		if o := in.objectOf(fmt.Sprintf("%s[%d]", name, i), raw); o != nil {
			all = append(all, o)
		}
	}
	return all, given
}

// texts reads a list of texts without duplicates.
func (in *input) texts(name string) (all []string, given bool) {
	in.describe(name, arrayOf(schemaOfType("string")))
	elements, given := in.elements(name)
	for i, raw := range elements {
		var s string
		if json.Unmarshal(raw, &s) != nil || strings.TrimSpace(s) == "" {
			in.fault(fmt.Sprintf("%s[%d]", name, i), "must be a text")
			continue
		}
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all, given
}

// reference is an object that a body refers to.
type reference struct{ id, name, kind string }

// ref reads a reference: an object with id, name or both, or the id alone as a text.
func (in *input) ref(name string) (r reference, given bool) {
	in.describe(name, schemaOfReference())
	raw, ok := in.take(name)
	if !ok {
		return r, false
	}
	return in.refOf(name, raw), true
}

// refs reads a list of references.
func (in *input) refs(name string) (all []reference, given bool) {
	in.describe(name, arrayOf(schemaOfReference()))
	elements, given := in.elements(name)
	for i, raw := range elements {
		all = append(all, in.refOf(fmt.Sprintf("%s[%d]", name, i), raw))
	}
	return all, given
}

func (in *input) refOf(name string, raw json.RawMessage) reference {
	var id string
	if json.Unmarshal(raw, &id) == nil {
		return reference{id: id}
	}
	o := in.objectOf(name, raw)
	if o == nil {
		return reference{}
	}
	r := reference{id: o.text("id"), name: o.text("name"), kind: o.text("type")}
	o.ignore("first_name", "last_name", "emails", "phones", "username")
	o.end()
	if r.id == "" && r.name == "" {
		in.fault(name, "must have an id")
	}
	return r
}

// remote decodes remote_data into Dixa's own input, whose other members follow from the
// unified ones. Members that Dixa's operation does not have are refused.
func (in *input) remote(into any) {
	in.describe("remote_data", map[string]any{"type": "object", "description": "Members of Dixa's own operation."})
	raw, ok := in.take("remote_data")
	if !ok {
		return
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		in.fault("remote_data", "does not fit Dixa's operation: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
}
