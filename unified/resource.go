package unified

import (
	"net/http"
	"slices"
	"strings"
)

// Models of the unified API.
const (
	ModelTicketing = "ticketing"
	ModelDirectory = "user-directory"
)

// Support says how far Dixa offers something.
type Support string

// Kinds of support.
const (
	// Native is a member of Dixa's object, or one of its operations.
	Native Support = "native"
	// Derived is computed from what Dixa offers.
	Derived Support = "derived"
	// Unsupported is what Dixa does not offer. Objects do not have such fields, and such
	// methods answer [Method.Refusal].
	Unsupported Support = "unsupported"
)

// Property is a field of the objects of a resource.
type Property struct {
	// Path has the names of the members, such as "assignees.id".
	Path    string  `json:"path"`
	Support Support `json:"support"`
	// From names the member of Dixa's object, or what the field is derived from.
	From string `json:"from,omitempty"`
	// Why says why an unsupported field is missing, and Instead what to use.
	Why     string `json:"why,omitempty"`
	Instead string `json:"instead,omitempty"`
}

// Names of methods.
const (
	MethodList   = "list"
	MethodGet    = "get"
	MethodCreate = "create"
	MethodUpdate = "update"
	MethodDelete = "delete"
)

// Method is what can be done with a resource.
type Method struct {
	Name    string  `json:"method"`
	Support Support `json:"support"`
	// Operations are those of Dixa that the method may call, such as "GET /v1/tags". A
	// read from the mirror calls none.
	Operations []string `json:"operations"`
	// From says what a derived method is made of.
	From string `json:"from,omitempty"`
	// Why says why an unsupported method is missing, and Instead what to do.
	Why     string `json:"why,omitempty"`
	Instead string `json:"instead,omitempty"`

	filters *Filters
}

// Write reports whether the method changes something.
func (m *Method) Write() bool { return m.Name != MethodList && m.Name != MethodGet }

// Verb returns the HTTP method of the requests.
func (m *Method) Verb() string {
	switch m.Name {
	case MethodCreate:
		return http.MethodPost
	case MethodUpdate:
		return http.MethodPatch
	case MethodDelete:
		return http.MethodDelete
	default:
		return http.MethodGet
	}
}

// Filters returns the parameters that select the objects of the method.
func (m *Method) Filters() *Filters { return m.filters }

// Resource is a kind of unified objects.
type Resource struct {
	Model, Name string
	// Description says what its objects are in Dixa.
	Description string
	Properties  []Property
	Methods     []*Method
	// new returns an empty object.
	new func() Object
}

// New returns an empty object of the resource.
func (r *Resource) New() Object { return r.new() }

// Method returns a method by its name.
func (r *Resource) Method(name string) (*Method, bool) {
	for _, m := range r.Methods {
		if m.Name == name {
			return m, true
		}
	}
	return nil, false
}

// Refusal returns the error of a method that is unsupported: 501 with the reason and
// what to do instead. It is nil for other methods.
func (r *Resource) Refusal(name string) error {
	m, ok := r.Method(name)
	switch {
	case !ok:
		return NewError(http.StatusNotFound, "The resource "+r.Name+" has no method "+name+".")
	case m.Support != Unsupported:
		return nil
	}
	words := "Dixa does not support " + name + " of " + r.Name + ": " + m.Why + "."
	if m.Instead != "" {
		words += " " + strings.ToUpper(m.Instead[:1]) + m.Instead[1:] + "."
	}
	return NewError(http.StatusNotImplemented, words)
}

// Path returns the model and the name, such as "ticketing/tickets".
func (r *Resource) Path() string { return r.Model + "/" + r.Name }

// members returns the names of the fields that objects have, without those of nested
// objects.
func (r *Resource) members() []string {
	var all []string
	for _, p := range r.Properties {
		if p.Support != Unsupported && !strings.Contains(p.Path, ".") {
			all = append(all, p.Path)
		}
	}
	return all
}

// registry is built once.
var registry = register()

// Resources returns all resources. They must not be changed.
func Resources() []*Resource { return registry }

// ResourceOf returns a resource. The error, an [*Error], is for clients.
func ResourceOf(model, name string) (*Resource, error) {
	at := slices.IndexFunc(registry, func(r *Resource) bool { return r.Model == model && r.Name == name })
	if at < 0 {
		return nil, NewError(http.StatusNotFound, "No such resource: "+model+"/"+name+".")
	}
	return registry[at], nil
}

func register() []*Resource {
	all := slices.Concat(ticketResources(), peopleResources(), definitionResources(), directoryResources())
	for _, r := range all {
		for _, m := range r.Methods {
			if m.filters == nil {
				m.filters = &Filters{}
			}
			m.filters.members = r.members()
			m.filters.one = m.Name != MethodList
			operations := make([]string, len(m.Operations))
			for i, o := range m.Operations {
				operations[i] = strings.Replace(o, " /", " /v1/", 1)
			}
			m.Operations = operations
		}
	}
	return all
}

// native lists fields that are members of Dixa's object: pairs of a path and a member.
func native(pairs ...string) []Property { return properties(Native, pairs) }

// derived lists fields that are computed: pairs of a path and from what.
func derived(pairs ...string) []Property { return properties(Derived, pairs) }

func properties(s Support, pairs []string) []Property {
	var all []Property
	for pair := range slices.Chunk(pairs, 2) {
		all = append(all, Property{Path: pair[0], Support: s, From: pair[1]})
	}
	return all
}

// missing lists fields that Dixa does not have: triples of a path, why, and what to use
// instead.
func missing(triples ...string) []Property {
	var all []Property
	for t := range slices.Chunk(triples, 3) {
		all = append(all, Property{Path: t[0], Support: Unsupported, Why: t[1], Instead: t[2]})
	}
	return all
}

// below puts fields into a member.
func below(member string, fields []Property) []Property {
	all := slices.Clone(fields)
	for i := range all {
		all[i].Path = member + "." + all[i].Path
	}
	return all
}

// reads returns the methods that read.
func reads(list, get *Method) []*Method {
	list.Name, get.Name = MethodList, MethodGet
	for _, m := range []*Method{list, get} {
		if m.Support == "" {
			m.Support = Native
		}
	}
	return []*Method{list, get}
}

// can returns a method that calls operations of Dixa.
func can(name, operations string) *Method {
	return &Method{Name: name, Support: Native, Operations: strings.Split(operations, ", ")}
}

// cannot returns a method that Dixa does not offer.
func cannot(name, why, instead string) *Method {
	return &Method{Name: name, Support: Unsupported, Why: why, Instead: instead}
}

// remoteData is the field that every object of Dixa has.
func remoteData(object string) []Property { return native("remote_data", object) }
