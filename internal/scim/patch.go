package scim

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	filter "github.com/scim2/filter-parser/v2"
)

// Names of the operations of a PATCH, which providers write in any case.
const (
	opAdd     = "add"
	opReplace = "replace"
	opRemove  = "remove"
)

// operation is an operation of a PATCH on one attribute.
type operation struct {
	op string
	// attribute is nil if Dixa has no place for what the path names.
	attribute *attribute
	// sub is the part of the attribute that the path names; nil for the whole.
	sub *attribute
	// where selects values of the attribute; nil for all.
	where filter.Expression
	// value is nil if the operation has none.
	value any
}

// maxOperations bounds the operations of a PATCH.
const maxOperations = 1000

// operations reads the body of a PATCH. An operation without a path is one for each
// member of its value, whose names may be paths.
func (t *resourceType) operations(in map[string]any) ([]operation, error) {
	var list []any
	for name, v := range in {
		if strings.EqualFold(name, "Operations") {
			var ok bool
			if list, ok = v.([]any); !ok {
				return nil, wrong(invalidSyntax, "Operations must be a list.")
			}
		}
	}
	if len(list) == 0 || len(list) > maxOperations {
		return nil, wrong(invalidSyntax, fmt.Sprintf("A PATCH must have 1 to %d Operations.", maxOperations))
	}
	var all []operation
	for _, v := range list {
		o, ok := v.(map[string]any)
		if !ok {
			return nil, wrong(invalidSyntax, "Operations must be objects.")
		}
		read, err := t.operation(o)
		if err != nil {
			return nil, err
		}
		all = append(all, read...)
	}
	return all, nil
}

func (t *resourceType) operation(o map[string]any) ([]operation, error) {
	var op, path string
	var value any
	for name, v := range o {
		text, isText := v.(string)
		switch strings.ToLower(name) {
		case "op":
			op = strings.ToLower(text)
		case "path":
			if path = strings.TrimSpace(text); !isText && v != nil {
				return nil, wrong(invalidPath, "A path must be a text.")
			}
		case attrValue:
			value = v
		}
	}
	if op != opAdd && op != opReplace && op != opRemove {
		return nil, wrong(invalidSyntax, "op must be add, replace or remove.")
	}
	if short, extension := t.own(path); short == "" && !extension {
		path = ""
	}
	if op != opRemove && value == nil && path == "" {
		return nil, wrong(invalidValue, "The operation "+op+" needs a value.")
	}
	if path != "" {
		one, err := t.target(operation{op: op, value: value}, path)
		return []operation{one}, err
	}
	if op == opRemove {
		return nil, wrong(noTarget, "The operation remove needs a path.")
	}
	members, ok := value.(map[string]any)
	if !ok {
		return nil, wrong(invalidValue, "Without a path, the value must be an object.")
	}
	var all []operation
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if slices.ContainsFunc([]string{attrID, attrSchemas, attrMeta}, func(own string) bool { return strings.EqualFold(own, name) }) {
			continue // providers repeat them
		}
		if inner, isObject := members[name].(map[string]any); isObject && strings.EqualFold(name, t.schema) {
			more, err := t.operation(map[string]any{"op": op, attrValue: inner})
			if err != nil {
				return nil, err
			}
			all = append(all, more...)
			continue
		}
		one, err := t.target(operation{op: op, value: members[name]}, name)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// target resolves a path, such as name.givenName, emails[type eq "work"].value or one of
// these after the schema's name.
func (t *resourceType) target(o operation, path string) (operation, error) {
	refused := wrong(invalidPath, fmt.Sprintf("The path %q names no attribute of a %s.", path, t.name))
	short, extension := t.own(path)
	if extension {
		return o, nil
	}
	if len(short) > maxFilter {
		return o, refused
	}
	p, err := filter.ParsePath([]byte(short))
	if err != nil {
		return o, refused
	}
	if o.attribute = find(t.attributes, p.AttributePath.AttributeName); o.attribute == nil {
		return o, refused
	}
	if o.attribute.ignored {
		return operation{op: o.op}, nil
	}
	sub := p.AttributePath.SubAttributeName() + p.SubAttributeName()
	if sub != "" {
		if o.sub = find(o.attribute.SubAttributes, sub); o.sub == nil {
			if isIgnoredSub(sub) && len(o.attribute.SubAttributes) > 0 {
				return operation{op: o.op}, nil
			}
			return o, refused
		}
	}
	if p.ValueExpression != nil {
		if !o.attribute.MultiValued {
			return o, refused
		}
		m := &match{t, p.ValueExpression}
		if m.check(p.ValueExpression, o.attribute.SubAttributes) != nil {
			return o, refused
		}
		o.where = p.ValueExpression
	}
	switch {
	case o.attribute.Name == attrID || o.attribute.Name == attrMeta || o.attribute.Name == attrSchemas:
		return o, wrong(mutability, "The attribute "+o.attribute.Name+" cannot be changed.")
	case o.op != opRemove && o.value == nil: // a null clears
		o.op = opRemove
	}
	o.value = canonicalValue(o.attribute, o.value)
	return o, nil
}

// apply changes a resource by an operation.
func (o *operation) apply(t *resourceType, resource map[string]any) error {
	a := o.attribute
	switch {
	case a == nil:
		return nil
	case a.MultiValued:
		return o.applyMany(t, resource)
	case a.Type != typeComplex:
		if o.op == opRemove {
			delete(resource, a.Name)
			return nil
		}
		resource[a.Name] = o.value
		return nil
	}
	now, _ := resource[a.Name].(map[string]any)
	next := maps.Clone(now)
	if next == nil {
		next = map[string]any{}
	}
	switch value, isObject := o.value.(map[string]any); {
	case o.op == opRemove && o.sub == nil:
		next = map[string]any{}
	case o.op == opRemove:
		delete(next, o.sub.Name)
	case o.sub != nil:
		next[o.sub.Name] = o.value
	case !isObject:
		return wrong(invalidValue, "The value of "+a.Name+" must be an object.")
	default:
		maps.Copy(next, value)
	}
	resource[a.Name] = next
	return nil
}

// applyMany changes an attribute with several values.
func (o *operation) applyMany(t *resourceType, resource map[string]any) error {
	a := o.attribute
	values, err := o.elements()
	if err != nil {
		return err
	}
	now := make([]map[string]any, 0, len(values))
	for _, v := range asList(resource[a.Name]) {
		if element, ok := v.(map[string]any); ok {
			now = append(now, maps.Clone(element))
		}
	}
	selected := func(element map[string]any) bool {
		return o.where == nil || holds(t, o.where, a.SubAttributes, element)
	}
	var next []map[string]any
	switch {
	case o.op == opRemove:
		for _, element := range now {
			named := selected(element) && (len(values) == 0 || slices.ContainsFunc(values, func(v map[string]any) bool { return sameValue(v, element) }))
			if named && o.sub != nil && o.sub.Name != attrValue {
				delete(element, o.sub.Name)
				named = false
			}
			if !named {
				next = append(next, element)
			}
		}
	case o.where != nil || o.sub != nil:
		var changed []int
		for i, element := range now {
			if selected(element) {
				o.set(element, values)
				changed = append(changed, i)
			}
			next = append(next, element)
		}
		if len(changed) == 0 { // providers change values that are not there yet
			element := map[string]any{}
			assume(o.where, a.SubAttributes, element)
			o.set(element, values)
			changed, next = []int{len(next)}, append(next, element)
		}
		keepOnePrimary(next, changed)
	case o.op == opReplace:
		next = values
	default:
		next = now
		var changed []int
		for _, v := range values {
			i := slices.IndexFunc(next, func(element map[string]any) bool { return sameValue(v, element) })
			if i < 0 {
				i, next = len(next), append(next, map[string]any{})
			}
			maps.Copy(next[i], v)
			changed = append(changed, i)
		}
		keepOnePrimary(next, changed)
	}
	resource[a.Name] = listed(next)
	return nil
}

// keepOnePrimary takes the mark from the other elements if one of those that were changed
// is the primary one (RFC 7644, 3.5.2).
func keepOnePrimary(elements []map[string]any, changed []int) {
	primary := func(i int) bool {
		is, err := flag(attrPrimary, elements[i][attrPrimary])
		return err == nil && is
	}
	if !slices.ContainsFunc(changed, primary) {
		return
	}
	for i := range elements {
		if !slices.Contains(changed, i) {
			delete(elements[i], attrPrimary)
		}
	}
}

func listed(elements []map[string]any) []any {
	all := make([]any, 0, len(elements))
	for _, e := range elements {
		all = append(all, e)
	}
	return all
}

// set gives an element the value of the operation.
func (o *operation) set(element map[string]any, values []map[string]any) {
	if o.sub != nil {
		element[o.sub.Name] = o.value
		return
	}
	for _, v := range values {
		maps.Copy(element, v)
	}
}

// elements returns the value of the operation as elements of its attribute. A bare text
// is the value of one.
func (o *operation) elements() ([]map[string]any, error) {
	if o.sub != nil && o.op != opRemove {
		return nil, nil
	}
	var all []map[string]any
	for _, v := range asList(o.value) {
		switch v := v.(type) {
		case map[string]any:
			all = append(all, maps.Clone(v))
		case string:
			all = append(all, map[string]any{attrValue: v})
		default:
			return nil, wrong(invalidValue, "The values of "+o.attribute.Name+" must be objects with a value.")
		}
	}
	return all, nil
}

func sameValue(a, b map[string]any) bool {
	return a[attrValue] != nil && strings.EqualFold(scalar(a[attrValue]), scalar(b[attrValue]))
}

// assume gives an element what a selection demands, such as type eq "work".
func assume(e filter.Expression, parts []*attribute, element map[string]any) {
	switch e := e.(type) {
	case *filter.LogicalExpression:
		if e.Operator == filter.AND {
			assume(e.Left, parts, element)
			assume(e.Right, parts, element)
		}
	case *filter.AttributeExpression:
		if part := find(parts, e.AttributePath.AttributeName); e.Operator == filter.EQ && part != nil {
			element[part.Name] = unescaped(e.CompareValue)
		}
	}
}

// flag reads a boolean, which providers also send as a text in any case.
func flag(name string, v any) (bool, error) {
	switch text := strings.ToLower(scalar(v)); text {
	case "true":
		return true, nil
	case "false":
		return false, nil
	default:
		shown, _ := json.Marshal(v) //nolint:errchkjson // decoded from JSON
		return false, wrong(invalidValue, fmt.Sprintf("%s must be true or false, and not %s.", name, shown))
	}
}
