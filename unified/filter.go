package unified

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Document is an object as clients see it, to compare and sort by its fields.
type Document map[string]any

// DocumentOf returns the document of an object.
func DocumentOf(o Object) (Document, error) {
	text, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("encode a unified object: %w", err)
	}
	var d Document
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, fmt.Errorf("decode a unified object: %w", err)
	}
	return d, nil
}

// Values returns the values at a path, such as "emails.email". A list has those of all
// its elements. Values that are not a text are as JSON writes them; null is none.
func (d Document) Values(path string) []string {
	found := []any{map[string]any(d)}
	for name := range strings.SplitSeq(path, ".") {
		var next []any
		for _, v := range found {
			if object, ok := v.(map[string]any); ok {
				next = append(next, flat(object[name])...)
			}
		}
		found = next
	}
	var texts []string
	for _, v := range found {
		switch v := v.(type) {
		case nil:
		case string:
			texts = append(texts, v)
		default:
			texts = append(texts, fmt.Sprint(v))
		}
	}
	return texts
}

func flat(v any) []any {
	list, ok := v.([]any)
	if !ok {
		return []any{v}
	}
	return list
}

// Matches reports whether the document fulfills all conditions of the query.
func (q *Query) Matches(d Document) bool {
	return !slices.ContainsFunc(q.Where, func(c Condition) bool { return !c.holds(d.Values(c.Field)) })
}

// holds reports whether any of the values of the field fulfills the condition.
func (c *Condition) holds(values []string) bool {
	return slices.ContainsFunc(values, func(v string) bool {
		switch c.Kind {
		case FilterTime:
			at, err := time.Parse(time.RFC3339, v)
			return err == nil && c.within(at)
		case FilterFold:
			return slices.ContainsFunc(c.Values, func(wanted string) bool { return strings.EqualFold(v, wanted) })
		default:
			return slices.Contains(c.Values, v)
		}
	})
}

func (c *Condition) within(at time.Time) bool {
	switch order := at.Compare(c.Time); c.Operator {
	case Above:
		return order > 0
	case AtLeast:
		return order >= 0
	case Below:
		return order < 0
	case AtMost:
		return order <= 0
	default:
		return order == 0
	}
}

// Take removes the conditions on a field and returns their values; nil if there are none.
func (q *Query) Take(field string) []string {
	var values []string
	q.Where = slices.DeleteFunc(q.Where, func(c Condition) bool {
		if c.Field != field {
			return false
		}
		values = append(values, c.Values...)
		return true
	})
	return values
}
