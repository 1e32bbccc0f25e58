package dixa

import (
	"encoding/json"
	"maps"
	"reflect"
	"strings"
	"sync"

	jsonv1 "github.com/go-json-experiment/json/v1"
)

// Extra holds the members of an object that this package does not know, unmodified
// and keyed by name. They are written back when the object is encoded.
type Extra map[string]json.RawMessage

// decodeOpen decodes an object into v, a pointer to a struct with a field Extra, and
// stores members without a field there. It does not call v's UnmarshalJSON.
func decodeOpen(b []byte, v any) error {
	value := reflect.ValueOf(v)
	shape := shapeOf(value.Type().Elem())
	members, ok := shape.decodeMembers(b, value.Elem())
	if ok {
		setExtra(value.Elem(), members)
		return nil
	}
	members = nil
	if err := jsonv1.Unmarshal(b, &members); err != nil {
		return err
	}
	if err := jsonv1.Unmarshal(b, value.Convert(reflect.PointerTo(shape.plain)).Interface()); err != nil {
		return err
	}
	for name := range members {
		if shape.members[strings.ToLower(name)] {
			delete(members, name)
		}
	}
	setExtra(value.Elem(), members)
	return nil
}

// setExtra sets the field Extra of a struct; nil if there are no members.
func setExtra(v reflect.Value, members Extra) {
	if len(members) == 0 {
		members = nil
	}
	v.FieldByName("Extra").Set(reflect.ValueOf(members))
}

// decodeLenient is like decodeOpen, but a member whose type does not match its field
// is not an error: the field stays zero and the member goes to extra. null counts as
// absent. Use it for data that Dixa pushes, because the caller cannot request it
// again.
func decodeLenient(b []byte, v any) error {
	var members Extra
	if err := jsonv1.Unmarshal(b, &members); err != nil {
		return err
	}
	target := reflect.ValueOf(v).Elem()
	for field, value := range target.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		value.SetZero()
		member, present := members[name]
		if !present {
			continue
		}
		if string(member) != "null" && jsonv1.Unmarshal(member, value.Addr().Interface()) != nil {
			value.SetZero()
			continue
		}
		delete(members, name)
	}
	setExtra(target, members)
	return nil
}

// encodeOpen encodes v, a struct with a field Extra, together with the extra
// members. A field takes precedence over an extra member of the same name. It does
// not call v's MarshalJSON.
func encodeOpen(v any) ([]byte, error) {
	value := reflect.ValueOf(v)
	encoded, err := encodeJSON(value.Convert(shapeOf(value.Type()).plain).Interface())
	extra, _ := value.FieldByName("Extra").Interface().(Extra)
	if err != nil || len(extra) == 0 {
		return encoded, err
	}
	members := maps.Clone(extra)
	if err := jsonv1.Unmarshal(encoded, &members); err != nil {
		return nil, err
	}
	return encodeJSON(members)
}

// shape is what encoding needs to know of a struct.
type shape struct {
	// plain has the same fields and no methods.
	plain reflect.Type
	// members are the JSON names in lower case, because encoding/json matches names
	// case-insensitively.
	members map[string]bool
	// fields are the fields by JSON name; nil if they have options or parts that
	// decodeMembers does not know.
	fields map[string]int
}

var shapes sync.Map // reflect.Type to shape

func shapeOf(t reflect.Type) shape {
	cached, _ := shapes.Load(t)
	if s, ok := cached.(shape); ok {
		return s
	}
	s := shape{reflect.StructOf(reflect.VisibleFields(t)), map[string]bool{}, map[string]int{}}
	simple := true
	for i := range t.NumField() {
		field := t.Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case name == "-" && options == "":
		case name == "" || !field.IsExported() || strings.Contains(options, "string"):
			simple = false
		default:
			s.members[strings.ToLower(name)], s.fields[name] = true, i
		}
	}
	if !simple {
		s.fields = nil
	}
	shapes.Store(t, s)
	return s
}
