package unified

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/dixa"
)

func TestChangesBecomeSteps(t *testing.T) {
	t.Parallel()
	due := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, c := range map[string]struct {
		resource, method, id, body string
		steps                      []Step
	}{
		"note":               {"ticketing/comments", MethodCreate, "", `{"ticket": {"id": "7"}, "body": "n", "is_private": true, "author": {"id": "a"}}`, []Step{AddNote{7, "n", "a"}}},
		"internal is a note": {"ticketing/comments", MethodCreate, "", `{"ticket": "7", "html_body": "<p>n</p>", "is_internal": true}`, []Step{AddNote{7, "n", ""}}},
		"reply": {
			"ticketing/comments", MethodCreate, "", `{"ticket": {"id": "7"}, "body": "r", "is_private": false, "author": {"id": "a", "type": "user"}, "cc": ["b@example.org"]}`,
			[]Step{AddMessage{Ticket: 7, AgentID: "a", Text: "r", CC: []string{"b@example.org"}}},
		},
		"message of the contact": {
			"ticketing/comments", MethodCreate, "", `{"ticket": {"id": "7"}, "body": "r", "author": {"type": "contact"}}`,
			[]Step{AddMessage{Ticket: 7, Inbound: true, Text: "r"}},
		},
		"file": {
			"ticketing/comments", MethodCreate, "", `{"ticket": {"id": "7"}, "author": {"id": "a"}, "attachments": [{"file_name": "a.txt", "content_type": "text/plain", "data": "aGk="}, {"file_name": "b", "file_url": "https://x.example/b"}]}`,
			[]Step{AddMessage{Ticket: 7, AgentID: "a", Files: []File{{Name: "a.txt", ContentType: "text/plain", Data: []byte("hi")}, {Name: "b", URL: "https://x.example/b"}}}},
		},
		"transfer, then assign, then close": {
			"ticketing/tickets", MethodUpdate, "7", `{"status": {"name": "Closed"}, "assignees": [{"id": "a", "name": "A"}], "collections": [{"id": "q", "type": "queue"}, {"id": "m", "type": "contact_endpoint"}]}`,
			[]Step{Transfer{7, "q"}, Assign{7, "a"}, Close{7}},
		},
		"reopen first":    {"ticketing/tickets", MethodUpdate, "7", `{"status": "open", "tags": [{"id": "t"}, "vip"]}`, []Step{SetTags{7, []TagName{{ID: "t"}, {Name: "vip"}}}, Reopen{7}}},
		"pending":         {"ticketing/tickets", MethodUpdate, "7", `{"status": "pending", "due_date": "2030-01-02T03:04:05Z", "id": "7"}`, []Step{FollowUp{7, due}}},
		"fields":          {"ticketing/tickets", MethodUpdate, "7", `{"custom_fields": {"a": "x", "b": ["p", "q"], "c": null}}`, []Step{SetTicketFields{7, map[string]dixa.AttributeValue{"a": dixa.TextValue("x"), "b": dixa.SelectValue("p", "q"), "c": dixa.ClearValue()}}}},
		"tags taken away": {"ticketing/tickets", MethodUpdate, "7", `{"tags": []}`, []Step{SetTags{Ticket: 7}}},
		"new ticket": {
			"ticketing/tickets", MethodCreate, "", `{"name": "s", "description": "d", "contact": {"id": "c"}, "remote_data": {"language": "de"}}`,
			[]Step{FindContact{ID: "c"}, OpenTicket{Subject: "s", Language: "de", Message: AddMessage{Inbound: true, Text: "d"}}},
		},
		"anonymize":      {"ticketing/contacts", MethodUpdate, "c", `{"anonymize": true}`, []Step{Anonymize{"c"}}},
		"contact's name": {"ticketing/contacts", MethodUpdate, "c", `{"first_name": "A"}`, []Step{UpdateContact{"c", dixa.EndUserInput{FirstName: "A"}}}},
		"primary address": {
			"ticketing/contacts", MethodCreate, "", `{"emails": [{"email": "a@x.example"}, {"email": "b@x.example", "type": "primary"}]}`,
			[]Step{CreateContact{dixa.EndUserInput{DisplayName: "b@x.example", Email: "b@x.example", AdditionalEmails: []string{"a@x.example"}}}},
		},
		"user leaves":     {"user-directory/users", MethodUpdate, "u", `{"status": "inactive"}`, []Step{DowngradeAgent{"u"}}},
		"user returns":    {"ticketing/users", MethodUpdate, "u", `{"is_active": true, "team_ids": ["t"]}`, []Step{RestoreAgent{"u"}, SetTeams{"u", []string{"t"}}}},
		"user deleted":    {"ticketing/users", MethodDelete, "u", ``, []Step{DowngradeAgent{"u"}}},
		"whole team":      {"user-directory/groups", MethodUpdate, "t", `{"user_ids": []}`, []Step{ChangeMembers{ID: "t", Whole: true}}},
		"queue's members": {"ticketing/collections", MethodUpdate, "q", `{"add_user_ids": ["a", "a"], "remove_user_ids": ["b"]}`, []Step{ChangeMembers{Queue: true, ID: "q", Add: []string{"a"}, Remove: []string{"b"}}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			model, resource, _ := strings.Cut(c.resource, "/")
			change, err := ParseChange(model, resource, c.method, c.id, []byte(c.body))
			require.NoError(t, err)
			require.Equal(t, c.steps, change.Steps)
			for _, step := range change.Steps {
				require.NotEmpty(t, writes(step), "%T", step)
			}
		})
	}
}

// All faults are named at once: what is missing, what is wrong and what Dixa cannot do.
func TestWrongBodiesAreRefusedByName(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		resource, method, body string
		status                 int
		names                  []string
		missing                []string
	}{
		"no JSON":       {"ticketing/comments", MethodCreate, `ticket=7`, 400, nil, nil},
		"a list":        {"ticketing/comments", MethodCreate, `[]`, 400, nil, nil},
		"nothing":       {"ticketing/comments", MethodCreate, ``, 400, nil, []string{"ticket.id", "body"}},
		"all at once":   {"ticketing/tickets", MethodCreate, `{"nam": "x", "priority": "high", "status": "solved", "attachments": [{"data": "*"}]}`, 400, []string{"nam", "priority", "status", "attachments[0].data"}, []string{"contact", "name", "description", "attachments[0].file_name"}},
		"only Dixa":     {"ticketing/tickets", MethodUpdate, `{"name": "x", "team": {"id": "t"}}`, 501, []string{"name", "team"}, nil},
		"unassign":      {"ticketing/tickets", MethodUpdate, `{"assignees": []}`, 501, []string{"assignees"}, nil},
		"no date":       {"ticketing/tickets", MethodUpdate, `{"status": "pending"}`, 400, nil, []string{"due_date"}},
		"empty update":  {"ticketing/tickets", MethodUpdate, `{}`, 400, nil, nil},
		"another id":    {"ticketing/tags", MethodUpdate, `{"id": "8", "status": "active"}`, 400, []string{"id"}, nil},
		"own id":        {"ticketing/tags", MethodCreate, `{"id": "8", "name": "x"}`, 400, []string{"id"}, nil},
		"roles":         {"ticketing/users", MethodCreate, `{"name": "x", "emails": ["x@example.org"], "roles": [{"id": "Admin"}]}`, 501, []string{"roles"}, nil},
		"no address":    {"ticketing/users", MethodCreate, `{"first_name": "x"}`, 400, nil, []string{"emails"}},
		"Dixa's member": {"ticketing/contacts", MethodCreate, `{"emails": ["x@example.org"], "remote_data": {"nope": 1}}`, 400, []string{"remote_data"}, nil},
		"a color":       {"ticketing/tags", MethodCreate, `{"name": "x", "color": "blue"}`, 400, []string{"color"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			model, resource, _ := strings.Cut(c.resource, "/")
			id := ""
			if c.method == MethodUpdate {
				id = "7"
			}
			_, err := ParseChange(model, resource, c.method, id, []byte(c.body))
			var e *Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, c.status, e.StatusCode, e.Error())
			var named []string
			if e.Details != nil {
				for _, f := range e.Details.Failures {
					named = append(named, f.Field)
				}
			}
			require.ElementsMatch(t, c.names, named)
			if c.missing == nil {
				require.Nil(t, e.Insight)
				return
			}
			require.ElementsMatch(t, c.missing, e.Insight.MissingBody.Value)
		})
	}
}

// Every method that the registry offers can be parsed, and no other.
func TestWritersFollowTheRegistry(t *testing.T) {
	t.Parallel()
	for _, r := range Resources() {
		for _, m := range r.Methods {
			if !m.Write() {
				continue
			}
			parse := writers[r.Model+"/"+r.Name][m.Name]
			require.Equal(t, m.Support != Unsupported, parse != nil, "%s of %s/%s", m.Name, r.Model, r.Name)
		}
	}
	for name, methods := range writers {
		model, resource, _ := strings.Cut(name, "/")
		r, err := ResourceOf(model, resource)
		require.NoError(t, err)
		for method := range methods {
			_, ok := r.Method(method)
			require.True(t, ok, "%s of %s", method, name)
		}
	}
}

// The registry says of each method what its steps do in Dixa, no less and no more.
func TestRegistrySaysWhatStepsDo(t *testing.T) {
	t.Parallel()
	const person = `"name": "x", "emails": ["x@example.org"], `
	const state = `"tags": ["a"], "assignees": [{"id": "a"}], "collections": [{"id": "q", "type": "queue"}], "custom_fields": {"f": "x"}, `
	bodies := map[string][]string{
		"ticketing/tickets create":     {`{"name": "x", "description": "x", "contact": {"emails": ["x@example.org"]}, ` + state + `"status": "closed"}`, `{"name": "x", "description": "x", "contact": {"id": "c"}, "status": "pending", "due_date": "2030-01-01"}`},
		"ticketing/tickets update":     {`{` + state + `"status": "open"}`, `{"status": "closed"}`, `{"status": "pending", "due_date": "2030-01-01"}`},
		"ticketing/comments create":    {`{"ticket": "7", "body": "x"}`, `{"ticket": "7", "body": "x", "is_private": true}`},
		"ticketing/contacts create":    {`{` + person + `"custom_fields": {"f": "x"}}`},
		"ticketing/contacts update":    {`{` + person + `"custom_fields": {"f": "x"}}`, `{"anonymize": true}`},
		"ticketing/tags create":        {`{"name": "x", "status": "inactive"}`},
		"ticketing/tags update":        {`{"status": "inactive"}`},
		"ticketing/tags delete":        {``},
		"ticketing/collections create": {`{"name": "x", "user_ids": ["a"]}`},
		"ticketing/collections update": {`{"user_ids": ["a"]}`},
	}
	for _, teams := range []string{"ticketing/teams", "user-directory/groups"} {
		bodies[teams+" create"], bodies[teams+" update"], bodies[teams+" delete"] = []string{`{"name": "x", "user_ids": ["a"]}`}, []string{`{"user_ids": ["a"]}`}, []string{``}
	}
	for _, users := range []string{"ticketing/users", "user-directory/users"} {
		bodies[users+" create"] = []string{`{` + person + `"team_ids": ["t"], "add_queue_ids": ["q"]}`}
		bodies[users+" update"] = []string{`{` + person + `"is_active": true, "team_ids": ["t"], "add_queue_ids": ["q"]}`, `{"is_active": false}`}
		bodies[users+" delete"] = []string{``}
	}
	// Steps that only ever add to something new do not take anything away.
	adds := map[string][]string{
		"create": {"DELETE /v1/teams/{teamId}/agents", "DELETE /v1/queues/{queueId}/members", "DELETE /v1/conversations/{conversationId}/tags/{tagId}"},
	}
	for _, r := range Resources() {
		for _, m := range r.Methods {
			if !m.Write() || m.Support == Unsupported {
				continue
			}
			name := r.Model + "/" + r.Name + " " + m.Name
			require.NotEmpty(t, bodies[name], name)
			done := map[string]bool{}
			for _, body := range bodies[name] {
				id := ""
				if m.Name != MethodCreate {
					id = "7"
				}
				change, err := ParseChange(r.Model, r.Name, m.Name, id, []byte(body))
				require.NoError(t, err, "%s: %s", name, body)
				for _, step := range change.Steps {
					for _, o := range writes(step) {
						if !slices.Contains(adds[m.Name], o) {
							done[o] = true
						}
					}
				}
			}
			require.ElementsMatch(t, m.Operations, slices.Collect(maps.Keys(done)), name)
		}
	}
}

func TestFilesAreBounded(t *testing.T) {
	t.Parallel()
	large := base64.StdEncoding.EncodeToString(make([]byte, MaxFileBytes/2+1))
	file := `{"file_name": "a", "data": "` + large + `"}`
	_, err := ParseChange(ModelTicketing, "comments", MethodCreate, "", fmt.Appendf(nil, `{"ticket": "7", "author": {"id": "a"}, "attachments": [%s, %[1]s]}`, file))
	require.ErrorContains(t, err, "MiB")
	_, err = ParseChange(ModelTicketing, "comments", MethodCreate, "", fmt.Appendf(nil, `{"ticket": "7", "author": {"id": "a"}, "attachments": [%s]}`, strings.TrimSuffix(strings.Repeat(`{"file_url": "https://x.example"},`, MaxFiles+1), ",")))
	require.ErrorContains(t, err, "at most")
}

// No body makes the parser fail in another way than with an error for the client.
func FuzzParseChange(f *testing.F) {
	f.Add("ticketing", "tickets", MethodCreate, `{"name": "x", "contact": {"emails": [{"email": "a"}]}, "tags": [1], "status": {}}`)
	f.Add("ticketing", "comments", MethodCreate, `{"ticket": {"id": 7}, "attachments": [{"data": "aGk"}], "author": []}`)
	f.Add("user-directory", "users", MethodUpdate, `{"is_active": "yes", "emails": {}, "groups": [{}]}`)
	f.Add("ticketing", "collections", MethodUpdate, `{"remote_data": null, "user_ids": [null]}`)
	f.Fuzz(func(t *testing.T, model, resource, method, body string) {
		change, err := ParseChange(model, resource, method, "7", []byte(body))
		if err == nil {
			require.NotEmpty(t, change.Steps)
			return
		}
		var e *Error
		require.ErrorAs(t, err, &e)
		require.GreaterOrEqual(t, e.StatusCode, http.StatusBadRequest)
		_, err = json.Marshal(e)
		require.NoError(t, err)
	})
}

// writes lists the operations of Dixa that a step may write with.
func writes(s Step) []string {
	switch s := s.(type) {
	case AddNote:
		return []string{"POST /v1/conversations/{conversationId}/notes"}
	case AddMessage:
		return []string{"POST /v1/conversations/{conversationId}/messages"}
	case OpenTicket:
		return []string{"POST /v1/conversations"}
	case SetTags:
		return []string{"POST /v1/tags", "PUT /v1/conversations/{conversationId}/tags/{tagId}", "DELETE /v1/conversations/{conversationId}/tags/{tagId}"}
	case SetTicketFields:
		return []string{"PATCH /v1/conversations/{conversationId}/custom-attributes"}
	case Reopen:
		return []string{"PUT /v1/conversations/{conversationId}/reopen"}
	case Transfer:
		return []string{"PUT /v1/conversations/{conversationId}/transfer/queue"}
	case Assign:
		return []string{"PUT /v1/conversations/{conversationId}/claim"}
	case FollowUp:
		return []string{"PUT /v1/conversations/{conversationId}/followup"}
	case Close:
		return []string{"PUT /v1/conversations/{conversationId}/close"}
	case FindContact:
		return []string{"POST /v1/endusers"}
	case CreateContact:
		return []string{"POST /v1/endusers"}
	case UpdateContact:
		return []string{"PATCH /v1/endusers/{userId}"}
	case SetContactFields:
		return []string{"PATCH /v1/endusers/{userId}/custom-attributes"}
	case Anonymize:
		return []string{"PATCH /v1/endusers/{userId}/anonymize"}
	case CreateTag:
		return []string{"POST /v1/tags"}
	case SetTagActive:
		return []string{"PATCH /v1/tags/{tagId}/activate", "PATCH /v1/tags/{tagId}/deactivate"}
	case DeleteTag:
		return []string{"DELETE /v1/tags/{tagId}"}
	case CreateTeam:
		return []string{"POST /v1/teams"}
	case DeleteTeam:
		return []string{"DELETE /v1/teams/{teamId}"}
	case CreateQueue:
		return []string{"POST /v1/queues"}
	case ChangeMembers:
		if s.Queue {
			return []string{"PATCH /v1/queues/{queueId}/members", "DELETE /v1/queues/{queueId}/members"}
		}
		return []string{"PATCH /v1/teams/{teamId}/agents", "DELETE /v1/teams/{teamId}/agents"}
	case CreateAgent:
		return []string{"POST /v1/agents"}
	case UpdateAgent:
		return []string{"PATCH /v1/agents/{agentId}"}
	case DowngradeAgent:
		return []string{"DELETE /v1/agents/{agentId}"}
	case RestoreAgent:
		return []string{"POST /v1/agents"}
	case SetTeams:
		return []string{"PATCH /v1/teams/{teamId}/agents", "DELETE /v1/teams/{teamId}/agents"}
	default:
		return nil
	}
}
