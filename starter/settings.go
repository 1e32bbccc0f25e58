package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// settingsPatch is the merge patch of a file and of NAME=VALUE arguments, which
// win; nil where there is neither.
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
		if err := yaml.Unmarshal(data, &patch); err != nil {
			return nil, fmt.Errorf("%s: it is neither JSON nor YAML of settings: %w", file, err)
		}
	}
	for _, change := range changes {
		name, text, found := strings.Cut(change, "=")
		if !found || name == "" {
			return nil, usage("%q is no change; write it like language=de", change)
		}
		var value any
		if err := json.Unmarshal([]byte(text), &value); err != nil {
			value = text
		}
		set(patch, strings.Split(name, "."), value)
	}
	return json.Marshal(patch)
}

// set puts a value into nested maps.
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
