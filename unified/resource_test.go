package unified_test

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/unified"
)

// The registry has exactly the fields of the types.
func TestRegistryHasTheFieldsOfTheTypes(t *testing.T) {
	t.Parallel()
	for _, r := range unified.Resources() {
		have := map[string]bool{}
		fieldsOf(reflect.TypeOf(r.New()).Elem(), "", have)
		delete(have, "attachments.remote_data") // files of comments do not repeat it
		var want []string
		for _, p := range r.Properties {
			if p.Support == unified.Unsupported {
				// Roles, states and channels have no object in Dixa, but the type has the member.
				if p.Path == "remote_data" {
					delete(have, p.Path)
				}
				require.NotContains(t, have, p.Path, r.Name)
				continue
			}
			want = append(want, p.Path)
		}
		slices.Sort(want)
		require.Equal(t, slices.Compact(want), slices.Sorted(maps.Keys(have)), "%s/%s", r.Model, r.Name)
	}
}

func fieldsOf(t reflect.Type, path string, into map[string]bool) {
	for field := range t.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		name = strings.TrimPrefix(path+"."+name, ".")
		into[name] = true
		kind := field.Type
		for kind != reflect.TypeFor[json.RawMessage]() && (kind.Kind() == reflect.Pointer || kind.Kind() == reflect.Slice) {
			kind = kind.Elem()
		}
		if kind.Kind() == reflect.Struct && kind != reflect.TypeFor[time.Time]() {
			fieldsOf(kind, name, into)
		}
	}
}

// Every method names operations that Dixa's contract has, and every resource has every
// method.
func TestRegistryNamesOperationsOfDixa(t *testing.T) {
	t.Parallel()
	contract, err := openapi3.NewLoader().LoadFromFile("../../shared/dixa/openapi.yaml")
	if err != nil {
		t.Skip("Dixa's contract is not part of the project")
	}
	known := map[string]bool{}
	for path, item := range contract.Paths.Map() {
		for verb := range item.Operations() { // the file names the version of its time
			known[verb+" "+strings.TrimPrefix(path, "/beta")] = true
		}
	}
	for _, o := range unified.Operations() {
		require.True(t, known[strings.Replace(o, " /v1/", " /", 1)], o)
	}
	for _, r := range unified.Resources() {
		var names []string
		for _, m := range r.Methods {
			names = append(names, m.Name)
			if m.Support == unified.Unsupported {
				require.NotEmpty(t, m.Why)
				require.Error(t, r.Refusal(m.Name))
			} else {
				require.NoError(t, r.Refusal(m.Name))
			}
		}
		require.Equal(t, []string{"list", "get", "create", "update", "delete"}, names, r.Name)
	}
}
