package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/claimflow/claimflow/claim"
)

// settingsPatch returns the merge patch of a file and of NAME=VALUE arguments, which
// take precedence; nil if there is neither.
func (a *app) settingsPatch(file string, changes []string) (json.RawMessage, error) {
	if file == "" && len(changes) == 0 {
		return nil, nil
	}
	patch := map[string]any{}
	if file != "" {
		data, err := a.read(file)
		if err != nil {
			return nil, err
		}
		if patch, err = settingsOf(data); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	for _, change := range changes {
		name, text, found := strings.Cut(change, "=")
		if !found || name == "" {
			return nil, usage("invalid change %q: must be NAME=VALUE, such as language=de", change)
		}
		path := strings.Split(name, ".")
		set(patch, path, valueOf(text, settingType(path)))
	}
	return json.Marshal(patch)
}

// settingsOf parses a JSON or YAML document of settings. An empty document holds
// none; anything but a mapping is an error.
func settingsOf(data []byte) (map[string]any, error) {
	var document any
	if err := yaml.Unmarshal(data, &document); err != nil {
		return nil, fmt.Errorf("not valid JSON or YAML: %w", err)
	}
	if document == nil {
		return map[string]any{}, nil
	}
	settings, ok := document.(map[string]any)
	if !ok {
		return nil, errors.New("must be a mapping of settings, such as language: de")
	}
	return settings, nil
}

// settingType returns the Go type of a setting or of one of its members. It returns
// nil for an unknown name, which the service reports.
func settingType(path []string) reflect.Type {
	t := reflect.TypeFor[claim.Settings]()
	for _, name := range path {
		if t.Kind() != reflect.Struct {
			return nil
		}
		i := slices.IndexFunc(reflect.VisibleFields(t), func(f reflect.StructField) bool { return f.Tag.Get("json") == name })
		if i < 0 {
			return nil
		}
		t = t.Field(i).Type
	}
	return t
}

// valueOf parses the value of a NAME=VALUE argument: JSON of the setting's type, or
// else plain text. null is JSON for every setting: it inherits again.
func valueOf(text string, t reflect.Type) any {
	var value any
	if json.Unmarshal([]byte(text), &value) != nil {
		value = text
	}
	if value == nil || t == nil {
		return value
	}
	switch {
	case t.Kind() == reflect.String, t == reflect.TypeFor[claim.Duration]():
		if s, ok := value.(string); ok {
			return s
		}
		return text
	case t == reflect.TypeFor[[]string]():
		switch value := value.(type) {
		case []any:
			return value
		case string:
			return []string{value}
		default:
			return []string{text}
		}
	default:
		return value
	}
}

// set stores a value in nested maps.
func set(into map[string]any, path []string, value any) {
	for ; len(path) > 1; path = path[1:] {
		next, ok := into[path[0]].(map[string]any)
		if !ok {
			next = map[string]any{}
			into[path[0]] = next
		}
		into = next
	}
	into[path[0]] = value
}

func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
