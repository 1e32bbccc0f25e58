package unified

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// DefaultLimit and MaxLimit are the number of objects of a page.
const (
	DefaultLimit = 50
	MaxLimit     = 500
)

const (
	// maxDepth bounds how deep names of parameters nest.
	maxDepth = 4
)

// Format is a value of truto_response_format.
type Format string

// Formats of answers. Others are refused.
const (
	// FormatUnified answers with unified objects, which include remote_data.
	FormatUnified Format = "unified"
	// FormatNormalized answers with unified objects without remote_data.
	FormatNormalized Format = "normalized"
	// FormatRaw answers with Dixa's own objects.
	FormatRaw Format = "raw"
)

// Operator compares a field with a value.
type Operator string

// Operators. Fields without one are compared by [Equal], and times by [AtLeast].
const (
	Equal   Operator = "eq"
	In      Operator = "in"
	Above   Operator = "gt"
	AtLeast Operator = "gte"
	Below   Operator = "lt"
	AtMost  Operator = "lte"
)

var operators = []Operator{Equal, In, Above, AtLeast, Below, AtMost}

// Condition is a filter of a list. An object fulfills it if any of the values does.
type Condition struct {
	// Field is the path of a field, such as "contact.id".
	Field    string
	Kind     FilterKind
	Operator Operator
	Values   []string
	// Time is the value for a field that is a time.
	Time time.Time
}

// Query holds the parameters of a request.
type Query struct {
	// Account is the integrated_account_id; empty if absent.
	Account string
	Limit   int
	Cursor  string
	Where   []Condition
	// SortBy is a field of [Filters.Sort] and Descending its direction.
	SortBy     string
	Descending bool
	// Sorted says that the request names the order.
	Sorted bool
	// Live asks Dixa even if the mirror is fresh.
	Live bool
	// Remote are parameters that are passed to Dixa, by their names there.
	Remote url.Values

	Format           Format
	IgnoreRemoteData bool
	KeyBy            string
	Exclude          []string
}

// FilterKind is how a field can be filtered.
type FilterKind int

// Kinds of filters.
const (
	FilterText FilterKind = iota // equal to any of the values
	FilterTime                   // compared with an instant
	FilterBool                   // true or false
	FilterFold                   // equal to any of the values, in any case
)

// Filters are the parameters that select the objects of a method.
type Filters struct {
	// Fields are those to filter by, and Aliases other names of them.
	Fields  map[string]FilterKind
	Aliases map[string]string
	// Values are the values that a field can have; absent for any.
	Values map[string][]string
	// Required are filters of which one must be given.
	Required []string
	// Sort are the fields to sort by. The first is the default, descending unless
	// Ascending.
	Sort      []string
	Ascending bool
	// Remote are the parameters of Dixa that remote_query may name.
	Remote []string

	// members are the fields of the objects; nil if they are not checked.
	members []string
	// one says that the method answers one object.
	one bool
}

// parameter is a part of a query string: its path and its value.
type parameter struct {
	// name is as the client sent it.
	name  string
	path  []string
	value string
}

// ParseQuery reads the parameters of a request. filters are those of the method; nil for
// one that has none. Parameters without a value, and empty elements of lists, are absent.
// The error is an [*Error] that names every parameter that is unknown or wrong.
func ParseQuery(raw string, filters *Filters) (*Query, error) {
	q := &Query{Limit: DefaultLimit, Format: FormatUnified, Remote: url.Values{}}
	var f failures
	conditions := map[string]*Condition{}
	for _, p := range parameters(raw, &f) {
		if p.value == "" {
			continue
		}
		q.parameter(p, filters, conditions, &f)
	}
	for _, name := range sortedKeys(conditions) {
		q.Where = append(q.Where, *conditions[name])
	}
	if filters != nil && !filters.one && q.SortBy == "" && len(filters.Sort) > 0 {
		q.SortBy, q.Descending = filters.Sort[0], !filters.Ascending
	} else {
		q.Sorted = q.SortBy != ""
	}
	if q.Format == FormatNormalized {
		q.IgnoreRemoteData = true
	}
	if q.Format == FormatRaw && (len(q.Exclude) > 0 || q.IgnoreRemoteData) {
		f.add("truto_response_format", "cannot be raw together with truto_exclude_fields or truto_ignore_remote_data: raw objects are Dixa's own")
	}
	q.checkMembers(filters, &f)
	if filters.lacks(q) {
		e := Missing(filters.Required, nil)
		if len(f) > 0 {
			e.Details = &Failures{f}
		}
		return nil, e
	}
	if err := f.err("The request has parameters that are not supported."); err != nil {
		return nil, err
	}
	return q, nil
}

// lacks reports whether a query has none of the filters of which one is required.
func (f *Filters) lacks(q *Query) bool {
	if f == nil || len(f.Required) == 0 {
		return false
	}
	return !slices.ContainsFunc(q.Where, func(c Condition) bool {
		return slices.ContainsFunc(f.Required, func(name string) bool { return f.field(name) == c.Field })
	})
}

// checkMembers checks the names of fields in parameters.
func (q *Query) checkMembers(filters *Filters, f *failures) {
	if filters == nil || filters.members == nil {
		return
	}
	for _, name := range q.Exclude {
		if !slices.Contains(filters.members, name) {
			f.add("truto_exclude_fields", fmt.Sprintf("names %q, which is not a field here", name))
		}
	}
	if q.KeyBy != "" && !slices.Contains(filters.members, q.KeyBy) {
		f.add("truto_key_by", fmt.Sprintf("names %q, which is not a field here", q.KeyBy))
	}
}

// field returns the field that a parameter filters by.
func (f *Filters) field(name string) string {
	if field, ok := f.Aliases[name]; ok {
		return field
	}
	return name
}

// parameters splits a query string. The numbers in a[0] and the empty brackets in a[]
// only say that a is a list.
func parameters(raw string, f *failures) []parameter {
	var all []parameter
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		key, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(key)
		value, valueErr := url.QueryUnescape(value)
		if err != nil || valueErr != nil {
			f.add(key, "is not percent-encoded correctly")
			continue
		}
		path, ok := splitName(name)
		if !ok {
			f.add(name, "must have the form name, name[part] or name[]")
			continue
		}
		all = append(all, parameter{name, path, value})
	}
	return all
}

func splitName(name string) ([]string, bool) {
	head, rest, nested := strings.Cut(name, "[")
	if head == "" || strings.Contains(head, "]") {
		return nil, false
	}
	path := []string{head}
	if !nested {
		return path, true
	}
	rest, closed := strings.CutSuffix(rest, "]")
	if !closed {
		return nil, false
	}
	for part := range strings.SplitSeq(rest, "][") {
		if strings.ContainsAny(part, "[]") || len(path) > maxDepth {
			return nil, false
		}
		if _, err := strconv.Atoi(part); part == "" || err == nil {
			continue
		}
		path = append(path, part)
	}
	return path, true
}

func (q *Query) parameter(p parameter, filters *Filters, conditions map[string]*Condition, f *failures) {
	known := true
	var err error
	switch name := p.path[0]; {
	case len(p.path) > 1 && name == "remote_query":
		q.remote(p, filters, f)
	case len(p.path) > 1 && name == "sort_by":
		q.sort(p, filters, f)
	case len(p.path) > 1:
		known = false
	case name == "integrated_account_id":
		q.Account = p.value
	case name == "live":
		q.Live, err = strconv.ParseBool(p.value)
	case name == "truto_ignore_remote_data":
		q.IgnoreRemoteData, err = strconv.ParseBool(p.value)
	case name == "truto_exclude_fields":
		q.Exclude = append(q.Exclude, elements(p.value)...)
	case name == "truto_response_format":
		if q.Format = Format(p.value); !slices.Contains([]Format{FormatUnified, FormatNormalized, FormatRaw}, q.Format) {
			f.add(p.name, "must be unified, normalized or raw")
		}
	case filters == nil || filters.one:
		known = false
	case name == "limit":
		if q.Limit, err = strconv.Atoi(p.value); err == nil && (q.Limit < 1 || q.Limit > MaxLimit) {
			f.add(p.name, fmt.Sprintf("must be from 1 to %d", MaxLimit))
		}
	case name == "next_cursor", name == "prev_cursor":
		if q.Cursor != "" {
			f.add(p.name, "must not be combined with another cursor")
		}
		q.Cursor = p.value
	case name == "truto_key_by":
		q.KeyBy = p.value
	default:
		known = false
	}
	if err != nil {
		f.add(p.name, "has the wrong type")
	}
	if !known {
		q.condition(p, filters, conditions, f)
	}
}

// remote reads a parameter for Dixa.
func (q *Query) remote(p parameter, filters *Filters, f *failures) {
	name := p.path[1]
	if filters == nil || len(p.path) > 2 || !slices.Contains(filters.Remote, name) {
		f.add(p.name, "is not a parameter of Dixa here")
		return
	}
	q.Remote.Add(name, p.value)
}

func (q *Query) sort(p parameter, filters *Filters, f *failures) {
	field := strings.Join(p.path[1:], ".")
	switch {
	case filters == nil || filters.one || !slices.Contains(filters.Sort, field):
		f.add(p.name, "is not a field that the list can be sorted by")
	case q.SortBy != "":
		f.add(p.name, "must be the only field to sort by")
	case p.value != "asc" && p.value != "desc":
		f.add(p.name, "must be asc or desc")
	default:
		q.SortBy, q.Descending = field, p.value == "desc"
	}
}

// condition reads a filter. Conditions on the same field and operator become one.
func (q *Query) condition(p parameter, filters *Filters, conditions map[string]*Condition, f *failures) {
	path, operator := p.path, Equal
	if last := Operator(path[len(path)-1]); len(path) > 1 && slices.Contains(operators, last) {
		path, operator = path[:len(path)-1], last
	}
	field := strings.Join(path, ".")
	kind, known := FilterText, false
	if filters != nil {
		field = filters.field(field)
		kind, known = filters.Fields[field]
	}
	if !known {
		f.add(p.name, "is not a parameter here")
		return
	}
	c := Condition{Field: field, Kind: kind, Operator: operator}
	switch kind {
	case FilterTime:
		if operator == Equal && len(path) == len(p.path) {
			c.Operator = AtLeast // a time without an operator is a start
		}
		at, err := time.Parse(time.RFC3339, p.value)
		if err != nil {
			at, err = time.Parse(time.DateOnly, p.value)
		}
		if c.Operator == In || err != nil {
			f.add(p.name, "must be a time in RFC 3339, such as 2026-01-31T00:00:00Z, and be compared by gt, gte, lt, lte or eq")
			return
		}
		c.Time = at.UTC()
	case FilterBool:
		on, err := strconv.ParseBool(p.value)
		if err != nil || operator != Equal {
			f.add(p.name, "must be true or false")
			return
		}
		c.Values = []string{strconv.FormatBool(on)}
	default:
		if operator != Equal && operator != In {
			f.add(p.name, "can be compared by eq and in only")
			return
		}
		c.Values, c.Operator = elements(p.value), In
		if len(c.Values) == 0 {
			return
		}
		if allowed := filters.Values[field]; allowed != nil && slices.ContainsFunc(c.Values, func(v string) bool { return !slices.Contains(allowed, v) }) {
			f.add(p.name, "must be "+strings.Join(allowed, " or "))
			return
		}
	}
	key := field + " " + string(c.Operator)
	earlier := conditions[key]
	switch {
	case earlier == nil:
		conditions[key] = &c
	case kind == FilterText || kind == FilterFold:
		earlier.Values = append(earlier.Values, c.Values...)
	default:
		f.add(p.name, "must be given once")
	}
}

// elements returns the values of a list. Those without a text are absent, as parameters
// without a value are: Dixa reads an empty filter as none and would list everything.
func elements(list string) []string {
	return slices.DeleteFunc(strings.Split(list, ","), func(v string) bool { return v == "" })
}

// Signature identifies what the query lists and in which order, for cursors. The size
// of the page and the form of the objects may change between pages.
func (q *Query) Signature() string {
	var b strings.Builder
	for _, c := range q.Where {
		fmt.Fprintf(&b, "%s %s %q %d;", c.Field, c.Operator, c.Values, c.Time.UnixMicro())
	}
	fmt.Fprintf(&b, "%s %t %t %s", q.SortBy, q.Descending, q.Live, q.Remote.Encode())
	return b.String()
}
