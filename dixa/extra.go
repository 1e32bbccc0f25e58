package dixa

import (
	"encoding/json"
	"maps"
	"reflect"
	"strings"
	"sync"
)

// Extra holds the members of an object that this package does not know, unmodified
// and keyed by name. They are written back when the object is encoded.
type Extra map[string]json.RawMessage

// decodeOpen decodes an object into plain, a pointer to a struct without methods,
// and stores members without a field in extra.
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

// decodeLenient is like decodeOpen, but a member whose type does not match its field
// is not an error: the field stays zero and the member goes to extra. null counts as
// absent. Use it for data that Dixa pushes, because the caller cannot request it
// again.
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

// encodeOpen encodes plain together with the extra members. A field takes precedence
// over an extra member of the same name.
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

// memberNames returns a struct's JSON names in lower case, because encoding/json
// matches names case-insensitively.
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
