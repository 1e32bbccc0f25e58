package unified_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/unified"
)

var mapping = unified.Mapping{
	unified.MapCollections: {"q-1": "returns", "q-2": "returns", "q-3": "sales", "help@acme.example": "inbox"},
	unified.MapTypes:       {"Email": "written"},
	unified.MapStatuses:    {"open": "todo", "pending": "todo", "closed": "done"},
}

func TestRewriteOfCategories(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ in, out, problem string }{
		"queue":          {`{"collections": [{"category": "sales"}]}`, `{"collections": [{"id": "q-3", "type": "queue"}]}`, ""},
		"mailbox":        {`{"collections": [{"category": "inbox"}]}`, `{"collections": [{"id": "help@acme.example", "type": "contact_endpoint"}]}`, ""},
		"type, status":   {`{"ticket_type": {"category": "written"}, "status": {"category": "done"}}`, `{"ticket_type": {"id": "Email"}, "status": {"id": "closed"}}`, ""},
		"as read":        {`{"collections": [{"id": "q-1", "name": "Returns", "category": "returns"}]}`, `{"collections": [{"id": "q-1", "name": "Returns"}]}`, ""},
		"null":           {`{"status": {"id": "open", "category": null}}`, `{"status": {"id": "open"}}`, ""},
		"plain status":   {`{"status": "open", "name": "category"}`, `{"status": "open", "name": "category"}`, ""},
		"several":        {`{"collections": [{"category": "returns"}]}`, "", "collections[0].category"},
		"unknown":        {`{"ticket_type": {"category": "spoken"}}`, "", "ticket_type.category"},
		"no text":        {`{"ticket_type": {"category": 7}}`, "", "ticket_type.category"},
		"other members":  {`{"name": "x", "custom_fields": {"category": "kept"}}`, `{"name": "x", "custom_fields": {"category": "kept"}}`, ""},
		"not an object":  {`["category"]`, `["category"]`, ""},
		"value is a set": {`{"status": {"category": "todo"}}`, "", "status.category"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := mapping.Rewrite("ticketing", "tickets", json.RawMessage(test.in))
			if test.problem == "" {
				require.NoError(t, err)
				require.JSONEq(t, test.out, string(out))
				return
			}
			var e *unified.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, 400, e.StatusCode)
			require.Contains(t, string(encoded(t, e)), test.problem)
		})
	}
}

func TestFiltersByCategory(t *testing.T) {
	t.Parallel()
	resolve := func(resource, raw string) (map[string][]string, bool) {
		r, err := unified.ResourceOf("ticketing", resource)
		require.NoError(t, err)
		list, _ := r.Method("list")
		q, err := unified.ParseQuery(raw, list.Filters())
		require.NoError(t, err)
		possible := mapping.Resolve(resource, q)
		where := map[string][]string{}
		for _, c := range q.Where {
			where[c.Field] = c.Values
		}
		return where, possible
	}
	where, possible := resolve("tickets", "collections[category]=returns&status[category]=todo&status=open&contact[id]=u")
	require.True(t, possible)
	require.Equal(t, map[string][]string{"collections.id": {"q-1", "q-2"}, "status.id": {"open"}, "contact.id": {"u"}}, where)
	for _, raw := range []string{"ticket_type[category]=spoken", "status[category]=done&status=open", "collections[category]=inbox"} {
		_, possible = resolve("tickets", raw)
		require.False(t, possible, raw)
	}
	where, possible = resolve("collections", "category=inbox")
	require.True(t, possible)
	require.Equal(t, map[string][]string{"id": {"help@acme.example"}}, where)
}

func encoded(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return text
}
