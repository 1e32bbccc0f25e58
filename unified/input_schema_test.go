package unified_test

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/unified"
)

// The description of a method that writes has the members that its body may have.
func TestBodiesAreDescribed(t *testing.T) {
	t.Parallel()
	for _, r := range unified.Resources() {
		for _, m := range r.Methods {
			meta, err := unified.MetaOf(r.Model, r.Name, m.Name)
			require.NoError(t, err)
			if !m.Write() || m.Support == unified.Unsupported || m.Name == unified.MethodDelete {
				require.Nil(t, meta.RequestBodySchema, "%s %s", m.Name, r.Path())
				continue
			}
			members := described(t, meta)
			require.NotEmpty(t, members, "%s %s", m.Name, r.Path())
			for _, name := range members {
				body, err := json.Marshal(map[string]any{name: []int{1}}) // no member is a list of numbers
				require.NoError(t, err)
				_, err = unified.ParseChange(r.Model, r.Name, m.Name, "1", body)
				var e *unified.Error
				require.True(t, errors.As(err, &e) && e.Details != nil, "%s %s: %s was not read: %v", m.Name, r.Path(), name, err)
				require.NotContains(t, e.Error(), "is not a member that can be written", "%s %s: %s", m.Name, r.Path(), name)
			}
		}
	}
	ticket, err := unified.MetaOf(unified.ModelTicketing, "tickets", unified.MethodCreate)
	require.NoError(t, err)
	require.Equal(t, []string{
		"assignees", "attachments", "collections", "contact", "created_by", "custom_fields", "description", "due_date", "html_description", "name", "remote_data", "status",
		"tags", "ticket_type",
	}, described(t, ticket))
	require.Equal(t, []any{"name"}, ticket.RequestBodySchema["required"])
	text, err := json.Marshal(ticket.RequestBodySchema)
	require.NoError(t, err)
	var schema struct {
		Properties struct {
			Contact struct {
				Properties map[string]any `json:"properties"`
			} `json:"contact"`
			DueDate any `json:"due_date"`
		} `json:"properties"`
	}
	require.NoError(t, json.Unmarshal(text, &schema))
	require.Contains(t, schema.Properties.Contact.Properties, "emails")
	require.Equal(t, map[string]any{"type": "string", "format": "date-time"}, schema.Properties.DueDate)
}

// described returns the names of the members of a body, sorted.
func described(t *testing.T, meta *unified.Meta) []string {
	t.Helper()
	properties, ok := meta.RequestBodySchema["properties"].(map[string]any)
	require.True(t, ok)
	return slices.Sorted(maps.Keys(properties))
}
