package scim

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// Filters, paths and bodies come from outside. Whatever they are, the answer is a result
// or an error in SCIM's shape.
func FuzzFilter(f *testing.F) {
	for _, seed := range []string{
		`userName eq "a@example.org"`, `emails[type eq "work"].value eq "x"`, `not (active eq false) and (title pr or name.givenName sw "A")`,
		`urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "x"`, `emails[type eq "work" and value co "\u00e4"]`, `((((`, `roles[`, "userName eq null",
	} {
		f.Add(seed)
	}
	resource := map[string]any{
		attrID: "1", attrUserName: "a@example.org", attrActive: true, attrName: map[string]any{"givenName": "Ada"},
		attrEmails: []any{map[string]any{attrValue: "a@example.org", attrKind: "work", attrPrimary: true}},
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, of := range []*resourceType{users, groups} {
			m, err := of.parseFilter(text)
			if err == nil {
				m.holds(resource)
				m.uses(attrMembers)
				continue
			}
			var e *Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, invalidFilter, e.Type)
		}
	})
}

func FuzzPatch(f *testing.F) {
	for _, seed := range []string{
		`{"Operations": [{"op": "Add", "path": "emails[type eq \"work\"].value", "value": "x@example.org"}]}`,
		`{"operations": [{"OP": "REMOVE", "Path": "name.givenName"}, {"op": "replace", "value": {"active": "False", "name.familyName": null}}]}`,
		`{"Operations": [{"op": "add", "path": "members", "value": [{"value": "1"}, "2", 3]}]}`,
		`{"Operations": [{"op": "replace", "path": "phoneNumbers[primary eq true]", "value": {"value": "+45"}}, {"op": "remove", "path": "phoneNumbers.type"}]}`,
		`{"Operations": [{"op": "add", "value": {"urn:ietf:params:scim:schemas:core:2.0:User": {"displayName": "x"}, "roles": ["Admin"]}}]}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var in map[string]any
		if json.Unmarshal([]byte(text), &in) != nil {
			return
		}
		refused := func(err error) {
			var e *Error
			require.ErrorAs(t, err, &e)
			require.GreaterOrEqual(t, e.Status, 400)
		}
		for _, of := range []*resourceType{users, groups} {
			ops, err := of.operations(in)
			if err != nil {
				refused(err)
				continue
			}
			resource := map[string]any{attrUserName: "a@example.org", attrEmails: []any{map[string]any{attrValue: "a@example.org", attrKind: "work"}}}
			for i := range ops {
				if err := ops[i].apply(of, resource); err != nil {
					refused(err)
				}
			}
			if got, err := parseUser(resource); err != nil {
				refused(err)
			} else if _, _, err := (&user{userName: "a@example.org"}).apply(got); err != nil {
				refused(err)
			}
			_, err = json.Marshal(resource)
			require.NoError(t, err)
		}
	})
}
