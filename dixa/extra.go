package dixa

import (
	"encoding/json"
	"maps"
	"reflect"
	"strings"
	"sync"
)

// Extra holds the members of an object that this package does not know, by
// name, as they came. They are written out again when the object is encoded.
type Extra map[string]json.RawMessage

// decodeOpen decodes an object into plain, a pointer to a struct without
// methods, and collects what has no field there.
func decodeOpen(b []byte, plain any, extra *Extra) error {
	if err := json.Unmarshal(b, plain); err != nil {
		return err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(b, &members); err != nil {
		return err
	}
	known := memberNames(reflect.TypeOf(plain).Elem())
	for name := range members {
		if known[strings.ToLower(name)] {
			delete(members, name)
		}
	}
	*extra = nil
	if len(members) > 0 {
		*extra = members
	}
	return nil
}

// decodeLenient decodes an object into plain as decodeOpen does, but a member of
// a type that its field does not take fails nothing: the field stays zero and
// the member is in extra. null is the same as absent. It is for what Dixa sends
// unasked, where there is nobody to ask again.
func decodeLenient(b []byte, plain any, extra *Extra) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(b, &members); err != nil {
		return err
	}
	for field, value := range reflect.ValueOf(plain).Elem().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		value.SetZero()
		member, present := members[name]
		if !present {
			continue
		}
		if string(member) != "null" && json.Unmarshal(member, value.Addr().Interface()) != nil {
			value.SetZero()
			continue
		}
		delete(members, name)
	}
	*extra = nil
	if len(members) > 0 {
		*extra = members
	}
	return nil
}

// encodeOpen encodes plain with the extra members added. A field wins over an
// extra member of its name.
func encodeOpen(plain any, extra Extra) ([]byte, error) {
	encoded, err := encodeJSON(plain)
	if err != nil || len(extra) == 0 {
		return encoded, err
	}
	members := maps.Clone(map[string]json.RawMessage(extra))
	if err := json.Unmarshal(encoded, &members); err != nil {
		return nil, err
	}
	return encodeJSON(members)
}

var memberNamesByType sync.Map // reflect.Type to map[string]bool

// memberNames lists a struct's JSON names in lower case, as encoding/json
// matches them.
func memberNames(t reflect.Type) map[string]bool {
	if cached, ok := memberNamesByType.Load(t); ok {
		if names, ok := cached.(map[string]bool); ok {
			return names
		}
	}
	names := make(map[string]bool, t.NumField())
	for field := range t.Fields() {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" && name != "-" {
			names[strings.ToLower(name)] = true
		}
	}
	memberNamesByType.Store(t, names)
	return names
}
