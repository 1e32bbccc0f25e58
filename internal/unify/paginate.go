package unify

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/claimflow/claimflow/unified"
)

// place is a place in a sorted list: the value and the id of the object before or after
// it.
type place struct {
	Value    string `json:"value"`
	ID       string `json:"id"`
	Backward bool   `json:"backward,omitempty"`
}

// placed is an object with its place.
type placed struct {
	unified.Object
	value string
}

func (p placed) compare(value, id string) int {
	return cmp.Or(strings.Compare(strings.ToLower(p.value), strings.ToLower(value)), strings.Compare(p.value, value), strings.Compare(p.Key(), id))
}

// paginate returns the page of a list of objects that a request asks for. The list is
// filtered and sorted here. A place stays where it is when objects are added or removed.
func paginate(r *Request, all []unified.Object, cursor string) (page unified.Page, err error) {
	var from *place
	if cursor != "" {
		from = new(place)
		if err := json.Unmarshal([]byte(cursor), from); err != nil {
			return page, fmt.Errorf("decode a cursor: %w", err)
		}
	}
	list, err := selected(r, all)
	if err != nil {
		return page, err
	}
	start, end := 0, len(list)
	if from != nil {
		// after is the first object that follows the place, whether or not the object of
		// the place still exists.
		after, exists := slices.BinarySearchFunc(list, *from, func(p placed, at place) int { return r.order(p.compare(at.Value, at.ID)) })
		if from.Backward {
			end = after
		} else {
			if exists {
				after++
			}
			start = after
		}
	}
	if from != nil && from.Backward {
		start = max(0, end-r.Limit)
	} else {
		end = min(len(list), start+r.Limit)
	}
	for _, p := range list[start:end] {
		page.Items = append(page.Items, p.Object)
	}
	if start == end {
		return page, nil
	}
	if end < len(list) {
		page.Next, err = placeText(list[end-1], false)
	}
	if err == nil && start > 0 {
		page.Previous, err = placeText(list[start], true)
	}
	return page, err
}

// selected returns the objects that fulfill the conditions, in order.
func selected(r *Request, all []unified.Object) ([]placed, error) {
	list := make([]placed, 0, len(all))
	for _, o := range all {
		d, err := unified.DocumentOf(o)
		if err != nil {
			return nil, err
		}
		if r.Matches(d) {
			list = append(list, placed{o, strings.Join(d.Values(r.SortBy), "\x00")})
		}
	}
	slices.SortStableFunc(list, func(a, b placed) int { return r.order(a.compare(b.value, b.Key())) })
	return list, nil
}

// order turns a comparison around if the request sorts so.
func (r *Request) order(comparison int) int {
	if r.Descending {
		return -comparison
	}
	return comparison
}

func placeText(p placed, backward bool) (string, error) {
	text, err := json.Marshal(place{p.value, p.Key(), backward})
	return string(text), err
}
