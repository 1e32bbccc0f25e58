package unify_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/unified"
)

// What the registry says of fields is what objects have: native and derived ones occur
// with a value, unsupported ones never occur, and nothing else does.
func TestRegistryTellsTheFieldsOfObjects(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 240)
	w.enrich()
	w.mirror()
	for _, r := range unified.Resources() {
		t.Run(r.Model+"/"+r.Name, func(t *testing.T) {
			t.Parallel()
			w := w.on(t)
			filled, present := map[string]bool{}, map[string]bool{}
			for _, query := range []string{"", "live=true"} {
				for _, o := range w.objects(r, query) {
					note(o, "", filled, present)
				}
			}
			for _, p := range r.Properties {
				if p.Support == unified.Unsupported {
					require.NotContains(t, present, p.Path)
					require.NotEmpty(t, p.Why, p.Path)
					continue
				}
				require.Contains(t, filled, p.Path)
				require.NotEmpty(t, p.From, p.Path)
				delete(present, p.Path)
			}
			require.Empty(t, slices.Collect(maps.Keys(present)), "fields that the registry does not know")
		})
	}
}

// note records the paths of the fields of an object, and of those that have a value.
func note(o map[string]any, path string, filled, present map[string]bool) {
	for name, v := range o {
		name = strings.TrimPrefix(path+"."+name, ".")
		present[name] = true
		if !isEmpty(v) {
			filled[name] = true
		}
		if name == "remote_data" || name == "custom_fields" {
			continue // their members are Dixa's and the organization's
		}
		list, ok := v.([]any)
		if !ok {
			list = []any{v}
		}
		for _, e := range list {
			if nested, ok := e.(map[string]any); ok {
				note(nested, name, filled, present)
			}
		}
	}
}
