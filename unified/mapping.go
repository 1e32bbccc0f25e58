package unified

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Fields whose values can be mapped to categories. Each is also a resource of the
// ticketing model, whose ids are the values.
const (
	MapCollections = "collections"
	MapTypes       = "ticket_types"
	MapStatuses    = "ticket_status"
)

// MappedFields returns the fields whose values can be mapped, sorted.
func MappedFields() []string { return []string{MapCollections, MapStatuses, MapTypes} }

// ticketMembers names the members of tickets that hold mapped values, by field.
var ticketMembers = map[string]string{MapCollections: "collections", MapTypes: "ticket_type", MapStatuses: "status"}

// Mapping are the categories of an account: by field, the category of each value. Values
// are ids in Dixa; several may have the same category. The zero value maps nothing.
type Mapping map[string]map[string]string

// category returns the category of a value; nil if it has none.
func (m Mapping) category(field, value string) *string { return text(m[field][value]) }

// values returns the values with a category, sorted.
func (m Mapping) values(field, category string) []string {
	var all []string
	for _, value := range slices.Sorted(maps.Keys(m[field])) {
		if m[field][value] == category {
			all = append(all, value)
		}
	}
	return all
}

// Apply sets the categories of an object. It is the only place that does, for objects of
// every source.
func (m Mapping) Apply(o Object) {
	switch o := o.(type) {
	case *Ticket:
		o.Status.Category = m.category(MapStatuses, o.Status.ID)
		if o.TicketType != nil {
			o.TicketType.Category = m.category(MapTypes, o.TicketType.ID)
		}
		for i := range o.Collections {
			o.Collections[i].Category = m.category(MapCollections, o.Collections[i].ID)
		}
	case *Collection:
		o.Category = m.category(MapCollections, o.ID)
	case *TicketType:
		o.Category = m.category(MapTypes, o.ID)
	case *Status:
		o.Category = m.category(MapStatuses, o.ID)
	}
}

// Resolve replaces filters by category with filters by the values that have it. resource
// is that of the query. possible is false if no object can fulfill them.
func (m Mapping) Resolve(resource string, q *Query) (possible bool) {
	for field, member := range ticketMembers {
		from, to := member+".category", member+".id"
		if resource == field {
			from, to = "category", "id"
		}
		categories := q.Take(from)
		if categories == nil {
			continue
		}
		found := []string{}
		for _, c := range categories {
			found = append(found, m.values(field, c)...)
		}
		if ids := q.Take(to); ids != nil {
			found = slices.DeleteFunc(found, func(id string) bool { return !slices.Contains(ids, id) })
		}
		if field == MapCollections && resource != field {
			found = slices.DeleteFunc(found, isMailbox) // tickets are found by their queue
		}
		if len(found) == 0 {
			return false
		}
		q.Where = append(q.Where, Condition{Field: to, Kind: FilterText, Operator: In, Values: found})
	}
	return true
}

// isMailbox reports whether the id of a collection is that of a contact endpoint.
func isMailbox(id string) bool { return strings.ContainsAny(id, "@+") }

// Rewrite replaces categories in the body of a write of tickets with the values that have
// them. A category beside an id is removed, because clients send back what they read. The
// error is for clients: a category without a value, or with several, does not say which is
// meant. A body that is not an object is returned as it is.
func (m Mapping) Rewrite(model, resource string, body json.RawMessage) (json.RawMessage, error) {
	if model != ModelTicketing || resource != "tickets" || !bytes.Contains(body, []byte(`"category"`)) {
		return body, nil
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(body, &members) != nil {
		return body, nil //nolint:nilerr // what is wrong with it is said when it is read
	}
	var faults failures
	for _, field := range MappedFields() {
		name := ticketMembers[field]
		raw, ok := members[name]
		if !ok {
			continue
		}
		var list []json.RawMessage
		if json.Unmarshal(raw, &list) != nil {
			members[name], faults = m.rewriteOne(field, name, raw, faults)
			continue
		}
		for i := range list {
			list[i], faults = m.rewriteOne(field, indexed(name, i), list[i], faults)
		}
		text, err := encode(list)
		if err != nil {
			return nil, err
		}
		members[name] = text
	}
	if err := faults.err("The request has categories that do not say which value is meant."); err != nil {
		return nil, err
	}
	return encode(members)
}

// rewriteOne replaces the category of a reference. name is the path of the reference.
func (m Mapping) rewriteOne(field, name string, raw json.RawMessage, faults failures) (json.RawMessage, failures) {
	var ref map[string]json.RawMessage
	if json.Unmarshal(raw, &ref) != nil || ref["category"] == nil {
		return raw, faults
	}
	var category, id, named string
	if json.Unmarshal(ref["category"], &category) != nil {
		return raw, append(faults, Failure{Field: name + ".category", Message: "must be a text"})
	}
	delete(ref, "category")
	_, _ = json.Unmarshal(orNull(ref["id"]), &id), json.Unmarshal(orNull(ref["name"]), &named)
	if category != "" && id == "" && named == "" {
		switch values := m.values(field, category); len(values) {
		case 1:
			ref["id"] = textJSON(values[0])
			if field == MapCollections && ref["type"] == nil {
				ref["type"] = textJSON(CollectionQueue)
				if isMailbox(values[0]) {
					ref["type"] = textJSON(CollectionEndpoint)
				}
			}
		case 0:
			faults = append(faults, Failure{Field: name + ".category", Message: fmt.Sprintf("is %q, to which nothing is mapped", category)})
		default:
			faults = append(faults, Failure{Field: name + ".category", Message: fmt.Sprintf("is %q, to which several are mapped. Give the id of one: %s", category, strings.Join(values, ", "))})
		}
	}
	out, err := encode(ref)
	if err != nil {
		return raw, append(faults, Failure{Field: name, Message: "cannot be encoded"})
	}
	return out, faults
}

func orNull(raw json.RawMessage) json.RawMessage {
	if raw == nil {
		return json.RawMessage("null")
	}
	return raw
}

func textJSON(s string) json.RawMessage {
	out, _ := json.Marshal(s) //nolint:errchkjson // a text can be encoded
	return out
}

// NameOf returns the name of an object whose id can be mapped; nil for others.
func NameOf(o Object) *string {
	switch o := o.(type) {
	case *Collection:
		return o.Name
	case *TicketType:
		return &o.Name
	case *Status:
		return &o.Name
	default:
		return nil
	}
}
