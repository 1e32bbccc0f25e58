package unified

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

// documentation is where the unified API is described.
const documentation = "/docs/"

// Meta describes a method of a resource.
type Meta struct {
	Method            string         `json:"method"`
	Schema            map[string]any `json:"schema"`
	DocumentationLink string         `json:"documentation_link"`
	// ResponseMapping says where each field comes from.
	ResponseMapping map[string]string `json:"response_mapping"`
	QuerySchema     map[string]any    `json:"query_schema"`
	// RequestBodySchema is null for methods without a body.
	RequestBodySchema map[string]any `json:"request_body_schema"`
	DefaultQuery      map[string]any `json:"default_query"`
	DefaultBody       map[string]any `json:"default_body"`

	Model    string `json:"model"`
	Resource string `json:"resource"`
	// Capability is what Dixa supports of the method, and Fields of each field.
	Capability *Method    `json:"capability"`
	Fields     []Property `json:"fields"`
}

// MetaOf returns the description of a method. The error, an [*Error], is for clients.
func MetaOf(model, resource, method string) (*Meta, error) {
	r, err := ResourceOf(model, resource)
	if err != nil {
		return nil, err
	}
	m, ok := r.Method(method)
	if !ok {
		return nil, r.Refusal(method)
	}
	body, err := r.schemaOfBody(method)
	if err != nil {
		return nil, err
	}
	out := &Meta{
		Method: method, Schema: schemaOf(reflect.TypeOf(r.New())), DocumentationLink: documentation, ResponseMapping: map[string]string{},
		QuerySchema: m.filters.schema(), RequestBodySchema: body, DefaultQuery: map[string]any{}, DefaultBody: map[string]any{},
		Model: model, Resource: resource, Capability: m, Fields: r.Properties,
	}
	for _, p := range r.Properties {
		if p.Support != Unsupported {
			out.ResponseMapping[p.Path] = p.From
		}
	}
	if method == MethodList {
		out.DefaultQuery["limit"] = DefaultLimit
		out.Schema = map[string]any{"type": "array", "items": out.Schema}
	}
	return out, nil
}

// schema returns the JSON schema of the parameters.
func (f *Filters) schema() map[string]any {
	members := map[string]any{}
	for field, kind := range f.Fields {
		s := map[string]any{"type": "string"}
		switch kind {
		case FilterBool:
			s["type"] = "boolean"
		case FilterTime:
			s["format"] = "date-time"
			s["description"] = "Compared by [gt], [gte], [lt], [lte] or [eq]; without one it is the start."
		case FilterText, FilterFold:
			s["description"] = "Any of several values."
		}
		if values := f.Values[field]; values != nil {
			s["enum"] = values
		}
		members[bracketed(field)] = s
	}
	for _, field := range f.Sort {
		members[bracketed("sort_by."+field)] = map[string]any{"type": "string", "enum": []string{"asc", "desc"}}
	}
	for _, name := range f.Remote {
		members[bracketed("remote_query."+name)] = map[string]any{"type": "string"}
	}
	members["live"] = map[string]any{"type": "boolean", "description": "Asks Dixa even if the mirror is fresh."}
	if !f.one {
		members["limit"] = map[string]any{"type": "integer", "minimum": 1, "maximum": MaxLimit}
		members["next_cursor"], members["prev_cursor"] = map[string]any{"type": "string"}, map[string]any{"type": "string"}
	}
	out := map[string]any{"type": "object", "properties": members}
	switch len(f.Required) {
	case 0:
	case 1:
		out["required"] = f.Required
	default:
		var either []map[string]any
		for _, name := range f.Required {
			either = append(either, map[string]any{"required": []string{name}})
		}
		out["anyOf"] = either
	}
	return out
}

// bracketed writes a path as the name of a parameter: "contact.id" as "contact[id]".
func bracketed(path string) string {
	head, rest, nested := strings.Cut(path, ".")
	if !nested {
		return head
	}
	return head + "[" + strings.ReplaceAll(rest, ".", "][") + "]"
}

// schemaOf returns the JSON schema of a type.
func schemaOf(t reflect.Type) map[string]any {
	switch {
	case t == reflect.TypeFor[json.RawMessage]():
		return map[string]any{"description": "The object in Dixa."}
	case t == reflect.TypeFor[time.Time]():
		return map[string]any{"type": "string", "format": "date-time"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		s := schemaOf(t.Elem())
		if kind, ok := s["type"].(string); ok && t.Elem().Kind() != reflect.Struct || t.Elem() == reflect.TypeFor[time.Time]() {
			s["type"] = []string{kind, "null"}
		}
		return s
	case reflect.Slice:
		return map[string]any{"type": "array", "items": schemaOf(t.Elem())}
	case reflect.Map:
		return map[string]any{"type": "object"}
	case reflect.Struct:
		members := map[string]any{}
		for field := range t.Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			members[name] = schemaOf(field.Type)
		}
		return map[string]any{"type": "object", "properties": members}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	default:
		return map[string]any{"type": "string"}
	}
}

// Capabilities says what an account supports. The account and the operations of the proxy
// are added by the caller.
type Capabilities struct {
	Integration   any                  `json:"integration"`
	EnvironmentID *string              `json:"environment_id"`
	Proxy         []any                `json:"proxy"`
	Unified       []ResourceCapability `json:"unified"`
	Auth          AuthCapability       `json:"auth"`
	Account       any                  `json:"account"`
}

// AuthCapability says how accounts are connected.
type AuthCapability struct {
	Formats           []string `json:"formats"`
	Fields            []any    `json:"fields"`
	DocumentationLink string   `json:"documentation_link"`
}

// ResourceCapability says what is supported of a resource.
type ResourceCapability struct {
	Model       string `json:"model"`
	ModelLabel  string `json:"model_label"`
	Resource    string `json:"resource"`
	Description string `json:"description"`
	DocsURL     string `json:"docs_url"`
	// Methods are the names of those that are not unsupported.
	Methods       []string `json:"methods"`
	EnvOverridden bool     `json:"env_overridden"`

	Support []*Method  `json:"support"`
	Fields  []Property `json:"fields"`
}

// CapabilityQuery narrows [CapabilitiesOf].
type CapabilityQuery struct {
	// Resource is the name of a resource, with or without its model; empty for all.
	Resource string
	// Methods are names; empty for all.
	Methods []string
	// Probe asks whether Dixa lets the account's token read each resource.
	Probe bool
	// Without says why an account cannot use a method; empty if it can.
	Without func(r *Resource, m *Method) string
}

// CapabilitiesOf returns what an account supports of the unified resources.
func CapabilitiesOf(q CapabilityQuery) []ResourceCapability {
	labels := map[string]string{ModelTicketing: "Unified Ticketing API", ModelDirectory: "Unified User Directory API"}
	all := []ResourceCapability{}
	for _, r := range registry {
		if q.Resource != "" && q.Resource != r.Name && q.Resource != r.Path() {
			continue
		}
		c := ResourceCapability{
			Model: r.Model, ModelLabel: labels[r.Model], Resource: r.Name, Description: r.Description, DocsURL: documentation,
			Methods: []string{}, Support: []*Method{}, Fields: r.Properties,
		}
		for _, m := range r.Methods {
			if len(q.Methods) > 0 && !slices.Contains(q.Methods, m.Name) {
				continue
			}
			if why := q.Without(r, m); why != "" && m.Support != Unsupported {
				m = &Method{Name: m.Name, Support: Unsupported, Operations: m.Operations, Why: why, filters: m.filters}
			}
			if c.Support = append(c.Support, m); m.Support != Unsupported {
				c.Methods = append(c.Methods, m.Name)
			}
		}
		all = append(all, c)
	}
	return all
}

// ParseCapabilityQuery reads the parameters of a request for capabilities. kinds are the
// groups that it asks for: proxy, unified or both. The error is an [*Error] that names
// every parameter that is unknown or wrong.
func ParseCapabilityQuery(raw string) (q CapabilityQuery, kinds []string, err error) {
	var f failures
	kinds = []string{"proxy", "unified"}
	names := []string{MethodList, MethodGet, MethodCreate, MethodUpdate, MethodDelete}
	for _, p := range parameters(raw, &f) {
		switch name := strings.Join(p.path, "."); {
		case p.value == "" || name == "integrated_account_id" || name == "has_description":
		case name == "type" && p.value == "all":
		case name == "probe" && (p.value == "true" || p.value == "false"):
			q.Probe = p.value == "true"
		case name == "probe":
			f.add(p.name, "must be true or false")
		case name == "type" && slices.Contains(kinds, p.value):
			kinds = []string{p.value}
		case name == "type":
			f.add(p.name, "must be proxy, unified or all")
		case name == "resource":
			if q.Resource = p.value; !slices.ContainsFunc(registry, func(r *Resource) bool { return q.Resource == r.Name || q.Resource == r.Path() }) {
				f.add(p.name, "must name a resource, such as tickets")
			}
		case name == "methods":
			for m := range strings.SplitSeq(p.value, ",") {
				if !slices.Contains(names, m) {
					f.add(p.name, "must be some of "+strings.Join(names, ", "))
				}
				q.Methods = append(q.Methods, m)
			}
		default:
			f.add(p.name, "is not a parameter here")
		}
	}
	return q, kinds, f.err("The request has parameters that are not supported.")
}

// Operations returns the operations of Dixa that the methods call, sorted.
func Operations() []string {
	all := map[string]bool{}
	for _, r := range registry {
		for _, m := range r.Methods {
			for _, o := range m.Operations {
				all[o] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(all))
}
