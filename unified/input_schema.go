package unified

import "encoding/json"

// bodySchema is the JSON schema of a body or of an object in it.
type bodySchema struct {
	Type       string         `json:"type"`
	Properties map[string]any `json:"properties,omitempty"`
	// Required are members without which every body is refused. Others may be required
	// in place of each other.
	Required []string `json:"required,omitempty"`
}

// schemaOfBody returns the JSON schema of the body of a method; nil if it has none. It has
// the members that the method's parser reads.
func (r *Resource) schemaOfBody(method string) (out map[string]any, err error) {
	parse := writers[r.Path()][method]
	if parse == nil || method == MethodDelete {
		return nil, nil
	}
	in := &input{found: &findings{}, schema: newBodySchema()}
	parse(in, "1")
	text, err := encode(in.schema)
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	return out, err
}

func newBodySchema() *bodySchema {
	return &bodySchema{Type: "object", Properties: map[string]any{}}
}

func schemaOfType(name string) map[string]any { return map[string]any{"type": name} }

func arrayOf(items any) map[string]any { return map[string]any{"type": "array", "items": items} }

func schemaOfReference() map[string]any {
	text := schemaOfType("string")
	return map[string]any{"anyOf": []any{text, &bodySchema{Type: "object", Properties: map[string]any{"id": text, "name": text, "type": text}}}}
}

// describe sets the schema of a member, if the input is read for its schema.
func (in *input) describe(name string, schema any) {
	if in.schema != nil {
		in.schema.Properties[name] = schema
	}
}

// inner returns the input of an object in the body that is read for its schema; nil if it
// is not.
func (in *input) inner(name string) *input {
	if in.schema == nil {
		return nil
	}
	return &input{path: in.path + name + ".", found: in.found, schema: newBodySchema()}
}
