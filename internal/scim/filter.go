package scim

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	filter "github.com/scim2/filter-parser/v2"
)

// valueOfSelected is a comparison of a part of selected values, such as
// emails[type eq "work"].value eq "a@example.org". Providers send it, though the grammar
// of filters does not have it.
var valueOfSelected = regexp.MustCompile(`^\s*([\w:.\-]+\[.+\])\.(\w+\s+\w+\s+\S.*)$`)

// maxFilter bounds filters and paths, in bytes: the parser recurses.
const maxFilter = 2000

// match is a filter for the resources of a type.
type match struct {
	t *resourceType
	e filter.Expression
}

// parseFilter parses a filter. It is nil for an empty one.
func (t *resourceType) parseFilter(text string) (*match, error) {
	if text = strings.TrimSpace(text); text == "" {
		return nil, nil
	}
	if len(text) > maxFilter {
		return nil, wrong(invalidFilter, fmt.Sprintf("The filter is longer than %d bytes.", maxFilter))
	}
	e, err := filter.ParseFilter([]byte(text))
	if p := valueOfSelected.FindStringSubmatch(text); err != nil && p != nil {
		e, err = selectedValue(p[1], p[2])
	}
	if err != nil {
		return nil, wrong(invalidFilter, "The filter is not a filter of SCIM, such as userName eq \"ada@example.org\".")
	}
	m := &match{t, e}
	return m, m.check(e, t.attributes)
}

// selectedValue combines a selection of values and a comparison of one of their parts.
func selectedValue(selection, comparison string) (filter.Expression, error) {
	selected, err := filter.ParseValuePath([]byte(selection))
	if err != nil {
		return nil, err
	}
	compared, err := filter.ParseAttrExp([]byte(strings.TrimSpace(comparison)))
	if err != nil {
		return nil, err
	}
	selected.ValueFilter = &filter.LogicalExpression{Left: selected.ValueFilter, Operator: filter.AND, Right: &compared}
	return &selected, nil
}

// unescaped returns a value of a filter. The parser leaves the escapes of JSON in texts.
func unescaped(v any) any {
	raw, ok := v.(string)
	var text string
	if !ok || json.Unmarshal([]byte(`"`+raw+`"`), &text) != nil {
		return v
	}
	return text
}

// check refuses attributes that resources of the type do not have.
func (m *match) check(e filter.Expression, in []*attribute) error {
	switch e := e.(type) {
	case *filter.LogicalExpression:
		if err := m.check(e.Left, in); err != nil {
			return err
		}
		return m.check(e.Right, in)
	case *filter.NotExpression:
		return m.check(e.Expression, in)
	case *filter.ValuePath:
		a, err := m.attribute(e.AttributePath, in)
		if err != nil || a == nil {
			return err
		}
		return m.check(e.ValueFilter, a.SubAttributes)
	case *filter.AttributeExpression:
		_, err := m.attribute(e.AttributePath, in)
		return err
	default:
		return wrong(invalidFilter, "The filter has an unknown form.")
	}
}

// attribute returns the attribute of a path; nil for one of an extension.
func (m *match) attribute(p filter.AttributePath, in []*attribute) (*attribute, error) {
	if uri := p.URI(); uri != "" && !strings.EqualFold(uri, m.t.schema) {
		return nil, nil
	}
	a := find(in, p.AttributeName)
	if a == nil {
		return nil, wrong(invalidFilter, "A "+m.t.name+" has no attribute "+strconv.Quote(p.AttributeName)+".")
	}
	sub := p.SubAttributeName()
	if sub == "" || a.ignored {
		return a, nil
	}
	if s := find(a.SubAttributes, sub); s != nil {
		return s, nil
	}
	return nil, wrong(invalidFilter, "The attribute "+a.Name+" has no part "+strconv.Quote(sub)+".")
}

// uses reports whether the filter needs an attribute.
func (m *match) uses(name string) bool {
	return m != nil && strings.Contains(strings.ToLower(fmt.Sprint(m.e)), strings.ToLower(name))
}

// holds reports whether a resource passes the filter. A nil filter holds for all.
func (m *match) holds(resource map[string]any) bool {
	return m == nil || holds(m.t, m.e, m.t.attributes, resource)
}

func holds(t *resourceType, e filter.Expression, in []*attribute, object map[string]any) bool {
	switch e := e.(type) {
	case *filter.LogicalExpression:
		if e.Operator == filter.OR {
			return holds(t, e.Left, in, object) || holds(t, e.Right, in, object)
		}
		return holds(t, e.Left, in, object) && holds(t, e.Right, in, object)
	case *filter.NotExpression:
		return !holds(t, e.Expression, in, object)
	case *filter.ValuePath:
		a := find(in, e.AttributePath.AttributeName)
		if a == nil || e.AttributePath.URI() != "" && !strings.EqualFold(e.AttributePath.URI(), t.schema) {
			return false
		}
		for _, v := range asList(object[a.Name]) {
			if element, ok := v.(map[string]any); ok && holds(t, e.ValueFilter, a.SubAttributes, element) {
				return true
			}
		}
		return false
	case *filter.AttributeExpression:
		return compared(t, e, in, object)
	default:
		return false
	}
}

func compared(t *resourceType, e *filter.AttributeExpression, in []*attribute, object map[string]any) bool {
	a := find(in, e.AttributePath.AttributeName)
	if a == nil || e.AttributePath.URI() != "" && !strings.EqualFold(e.AttributePath.URI(), t.schema) {
		return e.Operator == filter.NE
	}
	values, leaf := asList(object[a.Name]), a
	if name := e.AttributePath.SubAttributeName(); name != "" || len(a.SubAttributes) > 0 {
		if name == "" {
			name = attrValue
		}
		if leaf = find(a.SubAttributes, name); leaf == nil {
			leaf = a
		}
		var parts []any
		for _, v := range values {
			if element, ok := v.(map[string]any); ok && element[leaf.Name] != nil {
				parts = append(parts, element[leaf.Name])
			}
		}
		if e.Operator != filter.PR || e.AttributePath.SubAttribute != nil {
			values = parts
		}
	}
	if e.Operator == filter.PR {
		return len(values) > 0
	}
	with := unescaped(e.CompareValue)
	if e.Operator == filter.NE {
		for _, v := range values {
			if compare(v, with, filter.EQ, leaf.CaseExact) {
				return false
			}
		}
		return true
	}
	for _, v := range values {
		if compare(v, with, e.Operator, leaf.CaseExact) {
			return true
		}
	}
	return e.CompareValue == nil && e.Operator == filter.EQ && len(values) == 0
}

// compare compares texts and booleans, which providers also send as texts. Other values
// are compared as texts.
func compare(v, with any, op filter.CompareOperator, exact bool) bool {
	a, b := scalar(v), scalar(with)
	if _, isBool := v.(bool); isBool || !exact {
		a, b = strings.ToLower(a), strings.ToLower(b)
	}
	switch op {
	case filter.EQ:
		return a == b
	case filter.CO:
		return strings.Contains(a, b)
	case filter.SW:
		return strings.HasPrefix(a, b)
	case filter.EW:
		return strings.HasSuffix(a, b)
	case filter.GT:
		return a > b
	case filter.GE:
		return a >= b
	case filter.LT:
		return a < b
	case filter.LE:
		return a <= b
	default:
		return false
	}
}

func scalar(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	default:
		return fmt.Sprint(v)
	}
}

// asList returns the values of an attribute: a single one is a list of one.
func asList(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	default:
		return []any{v}
	}
}
