package claim

import (
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// settingsError turns a decoding error of a setting into a field error that says what is
// valid.
func settingsError(name string, err error) FieldError {
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) {
		return FieldError{Field: wrongType.Field, Problem: "must be " + kindInWords(wrongType.Type)}
	}
	if inner, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return FieldError{Field: name, Problem: "has the unknown member " + inner}
	}
	return FieldError{Field: name, Problem: err.Error()}
}

// kindInWords describes how to write a value of the type.
func kindInWords(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[Duration]():
		return "a duration such as 4h"
	case t == reflect.TypeFor[[]string]():
		return `a list such as ["vip"]`
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64:
		return "an integer"
	case reflect.Slice:
		return "a list"
	case reflect.Struct:
		return "an object"
	default:
		return "a string"
	}
}

// unknownSetting suggests the known name closest to an unknown one. If none is close,
// it lists all known names.
func unknownSetting(name string, known map[string]json.RawMessage) string {
	names := slices.Sorted(maps.Keys(known))
	best, distance := "", len(name)/3+1
	for _, candidate := range names {
		if d := levenshtein(strings.ToLower(name), candidate); d <= distance && (best == "" || d < distance) {
			best, distance = candidate, d
		}
	}
	if best != "" {
		return `is not a setting; did you mean "` + best + `"?`
	}
	return "is not a setting; valid settings are " + strings.Join(names, ", ")
}

// levenshtein returns the Levenshtein distance between a and b in bytes: the number of
// insertions, deletions and replacements.
func levenshtein(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
