package api_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	emulator "github.com/claimflow/claimflow/emulator/server"
)

// agentsOf returns the agents in Dixa with an address.
func (b *writeBench) agentsOf(email string) []*emulator.Agent {
	b.Helper()
	return slices.DeleteFunc(b.dixa.State().Agents, func(a *emulator.Agent) bool { return !strings.EqualFold(a.Email, email) })
}

// newUser creates a user and returns its id.
func (b *writeBench) newUser(email string) string {
	b.Helper()
	made := b.scimDone(http.StatusCreated, "POST", "/Users", `{"userName": "`+email+`", "displayName": "Mary Jackson", "name": {"givenName": "Mary", "familyName": "Jackson"},
		"externalId": "ext-1", "active": true}`)
	return text(made["id"])
}

func patchOps(ops string) string {
	return `{"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [` + ops + `]}`
}

// Every form of a PATCH that providers send for a user, and what it must lead to.
func TestScimUserIsPatchedInEveryForm(t *testing.T) {
	t.Parallel()
	b := newWriteBench(t, emulator.Switches{})
	id := b.newUser("mary@example.org")
	for _, test := range []struct {
		name, ops string
		path      []string
		want      any
	}{
		{"replace with a path", `{"op": "replace", "path": "displayName", "value": "M. Jackson"}`, []string{"displayName"}, "M. Jackson"},
		{"Replace in Pascal case", `{"op": "Replace", "path": "name.givenName", "value": "Marie"}`, []string{"name", "givenName"}, "Marie"},
		{"add in upper case", `{"op": "ADD", "path": "name.familyName", "value": "Jackson-Levy"}`, []string{"name", "familyName"}, "Jackson-Levy"},
		{"an object without a path", `{"op": "replace", "value": {"displayName": "Mary J."}}`, []string{"displayName"}, "Mary J."},
		{"an object with the id", `{"op": "replace", "value": {"id": "` + id + `", "schemas": [], "displayName": "Mary"}}`, []string{"displayName"}, "Mary"},
		{"nested objects", `{"op": "replace", "value": {"name": {"givenName": "Mary"}}}`, []string{"name"}, map[string]any{"givenName": "Mary", "familyName": "Jackson-Levy", "formatted": "Mary Jackson-Levy"}},
		{"dotted members", `{"op": "Add", "value": {"name.givenName": "Anna", "name.familyName": "Jackson"}}`, []string{"name", "formatted"}, "Anna Jackson"},
		{"urn path", `{"op": "replace", "path": "urn:ietf:params:scim:schemas:core:2.0:User:displayName", "value": "By urn"}`, []string{"displayName"}, "By urn"},
		{"urn member", `{"op": "replace", "value": {"urn:ietf:params:scim:schemas:core:2.0:User:name.givenName": "Mary"}}`, []string{"name", "givenName"}, "Mary"},
		{"urn object", `{"op": "replace", "value": {"urn:ietf:params:scim:schemas:core:2.0:User": {"displayName": "In an object"}}}`, []string{"displayName"}, "In an object"},
		{"externalId", `{"op": "Replace", "path": "externalId", "value": "ext-2"}`, []string{"externalId"}, "ext-2"},
		{"externalId is removed", `{"op": "remove", "path": "externalId"}`, []string{"externalId"}, nil},
		{
			"an address that is not there", `{"op": "Add", "path": "emails[type eq \"home\"].value", "value": "home@example.org"}`,
			[]string{"emails"},
			[]any{map[string]any{"value": "mary@example.org", "type": "work", "primary": true}, map[string]any{"value": "home@example.org", "type": "home"}},
		},
		{
			"an address that is there", `{"op": "Replace", "path": "emails[type eq \"home\"].value", "value": "house@example.org"}`,
			[]string{"emails"},
			[]any{map[string]any{"value": "mary@example.org", "type": "work", "primary": true}, map[string]any{"value": "house@example.org", "type": "home"}},
		},
		{"an address is removed", `{"op": "Remove", "path": "emails[type eq \"home\"]"}`, []string{"emails"}, []any{map[string]any{"value": "mary@example.org", "type": "work", "primary": true}}},
		{"a number that is not there", `{"op": "Add", "path": "phoneNumbers[type eq \"mobile\"].value", "value": "+4520304050"}`, []string{"phoneNumbers"}, []any{map[string]any{"value": "+4520304050", "type": "mobile"}}},
		{
			"numbers", `{"op": "replace", "path": "phoneNumbers", "value": [{"value": "+4520304051", "type": "work", "primary": "True"}]}`,
			[]string{"phoneNumbers"},
			[]any{map[string]any{"value": "+4520304051", "type": "work", "primary": true}},
		},
		{
			"another primary number", `{"op": "Add", "path": "phoneNumbers", "value": [{"value": "+4520304052", "type": "mobile", "primary": "True"}]}`,
			[]string{"phoneNumbers"},
			[]any{map[string]any{"value": "+4520304051", "type": "work"}, map[string]any{"value": "+4520304052", "type": "mobile", "primary": true}},
		},
		{
			"the first is the primary one again", `{"op": "Replace", "path": "phoneNumbers[type eq \"work\"].primary", "value": true}`,
			[]string{"phoneNumbers"},
			[]any{map[string]any{"value": "+4520304051", "type": "work", "primary": true}, map[string]any{"value": "+4520304052", "type": "mobile"}},
		},
		{"an extension has no place in Dixa", `{"op": "Add", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", "value": "Care"}`, []string{"displayName"}, "In an object"},
		{"neither has a title", `{"op": "Add", "value": {"title": "Lead", "addresses[type eq \"work\"].locality": "Aarhus"}}`, []string{"displayName"}, "In an object"},
		{"active as it is", `{"op": "Replace", "path": "active", "value": "True"}`, []string{"active"}, true},
		{"userName as it is", `{"op": "Replace", "path": "userName", "value": "Mary@Example.org"}`, []string{"userName"}, "mary@example.org"},
		{"several operations", `{"op": "replace", "path": "displayName", "value": "First"}, {"op": "REPLACE", "value": {"displayName": "Second"}}`, []string{"displayName"}, "Second"},
	} {
		now := b.scimDone(http.StatusOK, "PATCH", "/Users/"+id, patchOps(test.ops))
		require.Equal(t, test.want, at(now, test.path...), test.name)
		require.Equal(t, now, b.scimDone(http.StatusOK, "GET", "/Users/"+id, ""), test.name)
	}
	agent := b.agentsOf("mary@example.org")[0]
	require.Equal(t, "Second", agent.DisplayName)
	require.Equal(t, "+4520304051", agent.PhoneNumber)
	require.Empty(t, agent.AdditionalEmails)
}

func TestScimRefusesWhatDixaCannotDo(t *testing.T) {
	t.Parallel()
	b := newWriteBench(t, emulator.Switches{})
	id := b.newUser("mary@example.org")
	b.scimDone(http.StatusOK, "PATCH", "/Users/"+id, patchOps(`{"op": "add", "path": "phoneNumbers", "value": [{"value": "+4520304050"}]}`))
	before := b.scimDone(http.StatusOK, "GET", "/Users/"+id, "")
	user := "/Users/" + id
	for _, test := range []struct {
		status                   int
		kind, method, path, body string
	}{
		{400, "mutability", "PATCH", user, patchOps(`{"op": "replace", "path": "userName", "value": "other@example.org"}`)},
		{400, "mutability", "PUT", user, `{"userName": "other@example.org", "active": true}`},
		{400, "mutability", "PATCH", user, patchOps(`{"op": "remove", "path": "userName"}`)},
		{400, "mutability", "PATCH", user, patchOps(`{"op": "replace", "path": "id", "value": "7"}`)},
		{400, "noTarget", "PATCH", user, patchOps(`{"op": "remove"}`)},
		{400, "invalidPath", "PATCH", user, patchOps(`{"op": "replace", "path": "favouriteColour", "value": "red"}`)},
		{400, "invalidPath", "PATCH", user, patchOps(`{"op": "replace", "path": "name.nothing", "value": "red"}`)},
		{400, "invalidPath", "PATCH", user, patchOps(`{"op": "replace", "path": "emails[type eq", "value": "red"}`)},
		{400, "invalidPath", "PATCH", user, patchOps(`{"op": "replace", "path": "emails[colour eq \"red\"].value", "value": "red"}`)},
		{400, "invalidPath", "PATCH", user, patchOps(`{"op": "replace", "value": {"favouriteColour": "red"}}`)},
		{400, "invalidValue", "PATCH", user, patchOps(`{"op": "replace", "path": "active", "value": "maybe"}`)},
		{400, "invalidValue", "PATCH", user, patchOps(`{"op": "replace", "path": "displayName", "value": 7}`)},
		{400, "invalidValue", "PATCH", user, patchOps(`{"op": "replace", "path": "emails", "value": [{"value": "nobody"}]}`)},
		{400, "invalidValue", "PATCH", user, patchOps(`{"op": "replace"}`)},
		{400, "invalidSyntax", "PATCH", user, patchOps(`{"op": "move", "path": "displayName", "value": "x"}`)},
		{400, "invalidSyntax", "PATCH", user, `{"Operations": []}`},
		{400, "invalidSyntax", "PATCH", user, `[]`},
		{400, "invalidSyntax", "POST", "/Users", `{"userName"`},
		{400, "invalidSyntax", "POST", "/Users", `{"userName": "a@example.org", "USERNAME": "b@example.org"}`},
		{400, "invalidValue", "POST", "/Users", `{"displayName": "Nobody"}`},
		{400, "invalidValue", "POST", "/Users", `{"userName": "nobody"}`},
		{400, "invalidValue", "POST", "/Users", `{"userName": "nobody@example.org", "active": "False"}`},
		{400, "invalidFilter", "GET", "/Users?filter=userName+eq", ""},
		{400, "invalidFilter", "GET", "/Users?filter=colour+eq+%22red%22", ""},
		{400, "invalidFilter", "GET", "/Users?filter=name.colour+eq+%22red%22", ""},
		{400, "invalidFilter", "GET", "/Groups?filter=userName+eq+%22red%22", ""},
		{400, "invalidFilter", "GET", "/Users?filter=" + strings.Repeat("(", 3000), ""},
		{400, "invalidValue", "GET", "/Users?count=many", ""},
		{404, "", "GET", "/Users/3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d9999", ""},
		{404, "", "GET", "/Users/no%20id%2F", ""},
		{404, "", "PUT", "/Users/3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d9999", `{"userName": "x@example.org"}`},
		{404, "", "PATCH", "/Users/3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d9999", patchOps(`{"op": "replace", "value": {"active": false}}`)},
		{404, "", "DELETE", "/Users/3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d9999", ""},
		{405, "", "POST", user, `{}`},
		{405, "", "DELETE", "/Users", ""},
		{405, "", "POST", "/Schemas", "{}"},
		{403, "", "GET", "/Schemas?filter=id+pr", ""},
		{501, "", "PATCH", user, patchOps(`{"op": "Add", "path": "roles", "value": [{"value": "Admin"}]}`)},
		{501, "", "PATCH", user, patchOps(`{"op": "Add", "path": "roles[primary eq \"True\"].value", "value": "Admin"}`)},
		{501, "", "PUT", user, `{"userName": "mary@example.org", "roles": [{"value": "Admin"}]}`},
		{501, "", "POST", "/Users", `{"userName": "nobody@example.org", "roles": ["Admin"]}`},
		{501, "", "PATCH", user, patchOps(`{"op": "remove", "path": "name.givenName"}`)},
		{501, "", "PATCH", user, patchOps(`{"op": "remove", "path": "displayName"}`)},
		{501, "", "PATCH", user, patchOps(`{"op": "remove", "path": "phoneNumbers"}`)},
		{501, "", "GET", "/Me", ""},
		{501, "", "POST", "/Bulk", "{}"},
	} {
		b.scimRefused(test.status, test.kind, test.method, test.path, test.body)
	}
	require.Contains(t, b.scimRefused(501, "", "PATCH", user, patchOps(`{"op": "Add", "path": "roles", "value": [{"value": "Admin"}]}`)), "in Dixa under Settings")
	require.Equal(t, http.StatusRequestEntityTooLarge, b.scim("POST", "/Users", `{"userName": "`+strings.Repeat("a", 2<<20)+`"}`).status)
	require.Equal(t, before, b.scimDone(http.StatusOK, "GET", user, ""), "a refused request must change nothing")
	require.Empty(t, b.agentsOf("nobody@example.org"))

	// What a provider repeats of an answer is no change, such as roles and a null.
	b.scimDone(http.StatusOK, "PUT", user, `{"id": "`+id+`", "userName": "MARY@example.org", "roles": [{"value": "Agent"}], "title": "Lead", "nickName": null, "name": null,
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "Care"}, "meta": {"resourceType": "User"}, "groups": []}`)
	require.Equal(t, before, b.scimDone(http.StatusOK, "GET", user, ""))
}

// A user who is deactivated loses the rights of an agent, and stays a user.
func TestScimUserIsDeactivatedAndReturns(t *testing.T) {
	t.Parallel()
	for name, deactivate := range map[string]string{
		"Okta, without a path":     patchOps(`{"op": "replace", "value": {"active": false}}`),
		"Entra, texts":             patchOps(`{"op": "Replace", "path": "active", "value": "False"}`),
		"Entra, text in an object": patchOps(`{"op": "Add", "value": {"active": "false"}}`),
		"Okta, PUT":                `{"userName": "mary@example.org", "active": false}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newWriteBench(t, emulator.Switches{AgentOfEndUser: "promoted"})
			id := b.newUser("mary@example.org")
			method := "PATCH"
			if !strings.Contains(deactivate, "Operations") {
				method = "PUT"
			}
			now := b.scimDone(http.StatusOK, method, "/Users/"+id, deactivate)
			require.Equal(t, false, now["active"])
			require.Empty(t, b.agentsOf("mary@example.org"))
			require.Equal(t, now, b.scimDone(http.StatusOK, "GET", "/Users/"+id, ""))
			for _, filter := range []string{`userName eq "mary@example.org"`, `externalId eq "ext-1"`, `id eq "` + id + `"`, `active eq "False"`} {
				require.Equal(t, []map[string]any{now}, b.usersBy(filter), filter)
			}
			require.Equal(t, "ext-1", now["externalId"])
			require.Equal(t, now, b.scimDone(http.StatusOK, method, "/Users/"+id, deactivate), "again")
			require.Contains(t, b.scimRefused(http.StatusConflict, "uniqueness", "POST", "/Users", `{"userName": "mary@example.org"}`), "active")

			// Changes meanwhile are kept until the user returns.
			now = b.scimDone(http.StatusOK, "PATCH", "/Users/"+id, patchOps(`{"op": "replace", "path": "name.familyName", "value": "Levy"}`))
			require.Equal(t, "Levy", at(now, "name", "familyName"))
			require.Equal(t, false, now["active"])
			now = b.scimDone(http.StatusOK, "PATCH", "/Users/"+id, patchOps(`{"op": "replace", "value": {"active": "True"}}`))
			require.Equal(t, true, now["active"])
			require.Equal(t, id, now["id"])
			require.Equal(t, now, b.scimDone(http.StatusOK, "GET", "/Users/"+id, ""))
			require.Len(t, b.agentsOf("mary@example.org"), 1)
			require.Equal(t, "Levy", b.agentsOf("mary@example.org")[0].LastName)
		})
	}
}

// Dixa may give an agent who returns another id. The user keeps theirs.
func TestScimUserKeepsTheIDIfDixaChangesIt(t *testing.T) {
	t.Parallel()
	b := newWriteBench(t, emulator.Switches{})
	id := b.newUser("mary@example.org")
	team := text(b.scimDone(http.StatusCreated, "POST", "/Groups", `{"displayName": "Night"}`)["id"])
	b.scimDone(http.StatusOK, "PATCH", "/Users/"+id, patchOps(`{"op": "replace", "value": {"active": false}}`))
	require.Contains(t, b.scimRefused(http.StatusConflict, "uniqueness", "PATCH", "/Users/"+id, patchOps(`{"op": "replace", "value": {"active": true}}`)), "Invite the person")
	require.Equal(t, false, b.scimDone(http.StatusOK, "GET", "/Users/"+id, "")["active"])

	b.done("PATCH", "/unified/ticketing/contacts/"+id, `{"anonymize": true}`) // Dixa forgets the address
	now := b.scimDone(http.StatusOK, "PATCH", "/Users/"+id, patchOps(`{"op": "replace", "value": {"active": true}}`))
	require.Equal(t, id, now["id"])
	require.Equal(t, true, now["active"])
	agent := b.agentsOf("mary@example.org")[0].ID
	require.NotEqual(t, id, agent)
	require.Equal(t, now, b.scimDone(http.StatusOK, "GET", "/Users/"+id, ""))
	require.Equal(t, []map[string]any{now}, b.usersBy(`userName eq "mary@example.org"`))
	b.scimRefused(http.StatusNotFound, "", "GET", "/Users/"+agent, "")

	// Groups know the user by the same id.
	group := b.scimDone(http.StatusOK, "PATCH", "/Groups/"+team, patchOps(`{"op": "add", "path": "members", "value": [{"value": "`+id+`"}]}`))
	require.Equal(t, []string{id}, names(group["members"], "value"))
	require.Equal(t, []string{agent}, b.team(team).Members)
	group = b.scimDone(http.StatusOK, "PATCH", "/Groups/"+team, patchOps(`{"op": "remove", "path": "members[value eq \"`+id+`\"]"}`))
	require.Empty(t, group["members"])
	require.Equal(t, false, b.scimDone(http.StatusOK, "PATCH", "/Users/"+id, patchOps(`{"op": "replace", "value": {"active": false}}`))["active"])
	require.Equal(t, false, b.scimDone(http.StatusOK, "GET", "/Users/"+id, "")["active"])
	require.Len(t, b.usersBy(`userName eq "mary@example.org"`), 1)
}

// A person whom somebody invites as an agent in Dixa, or whom the unified API makes one,
// is the user that the provider knows.
func TestScimUserIsFoundByTheAddress(t *testing.T) {
	t.Parallel()
	b := newWriteBench(t, emulator.Switches{})
	id := b.newUser("mary@example.org")
	b.scimDone(http.StatusOK, "PATCH", "/Users/"+id, patchOps(`{"op": "replace", "value": {"active": false}}`))
	b.done("DELETE", "/unified/user-directory/users/"+ben, "") // never provisioned
	for user, email := range map[string]string{id: "mary@example.org", ben: emulator.SeedAgentBenEmail} {
		require.Equal(t, false, b.scimDone(http.StatusOK, "GET", "/Users/"+user, "")["active"])
		b.done("PATCH", "/unified/ticketing/contacts/"+user, `{"anonymize": true}`)
		made := b.done("POST", "/unified/user-directory/users", `{"name": "Again", "emails": ["`+email+`"]}`)
		require.NotEqual(t, user, made["id"])
		now := b.scimDone(http.StatusOK, "GET", "/Users/"+user, "")
		require.Equal(t, true, now["active"])
		require.Equal(t, "Again", now["displayName"])
		require.Equal(t, []map[string]any{now}, b.usersBy(`userName eq "`+email+`"`))
		now = b.scimDone(http.StatusOK, "PATCH", "/Users/"+user, patchOps(`{"op": "replace", "value": {"displayName": "Provisioned"}}`))
		require.Equal(t, "Provisioned", b.agentsOf(email)[0].DisplayName)
		require.Equal(t, now, b.scimDone(http.StatusOK, "GET", "/Users/"+user, ""))
		b.scimRefused(http.StatusNotFound, "", "GET", "/Users/"+text(made["id"]), "")
	}
}

func TestScimUserIsDeleted(t *testing.T) {
	t.Parallel()
	b := newWriteBench(t, emulator.Switches{AgentOfEndUser: "promoted"})
	id := b.newUser("mary@example.org")
	b.scimDone(http.StatusNoContent, "DELETE", "/Users/"+id, "")
	require.Empty(t, b.agentsOf("mary@example.org"))
	b.scimRefused(http.StatusNotFound, "", "GET", "/Users/"+id, "")
	b.scimRefused(http.StatusNotFound, "", "DELETE", "/Users/"+id, "")
	b.scimRefused(http.StatusNotFound, "", "PATCH", "/Users/"+id, patchOps(`{"op": "replace", "value": {"active": true}}`))
	require.Empty(t, b.usersBy(`userName eq "mary@example.org"`))
	again := b.newUser("mary@example.org")
	require.Equal(t, true, b.scimDone(http.StatusOK, "GET", "/Users/"+again, "")["active"])
	b.scimDone(http.StatusOK, "PATCH", "/Users/"+again, patchOps(`{"op": "replace", "value": {"active": false}}`))
	b.scimDone(http.StatusNoContent, "DELETE", "/Users/"+again, "")
	require.Empty(t, b.usersBy(`userName eq "mary@example.org"`))
}

// Several requests for one user at once, in whatever case, make one agent.
func TestScimRequestsAtOnceMakeOneAgent(t *testing.T) {
	t.Parallel()
	for _, exact := range []string{"insensitive", "exact"} {
		b := newWriteBench(t, emulator.Switches{EmailUniqueness: exact, EmailFilter: exact})
		answers := make([]written, 8)
		var all sync.WaitGroup
		for i := range answers {
			all.Go(func() {
				body := oktaUser
				if i%4 == 3 {
					body = strings.ReplaceAll(oktaUser, "mary@", "Mary@")
				}
				answers[i] = b.scim("POST", "/Users", body)
			})
		}
		all.Wait()
		require.Len(t, b.agentsOf("mary@example.org"), 1, exact)
		id, created := b.agentsOf("mary@example.org")[0].ID, 0
		for _, r := range answers {
			if r.status == http.StatusCreated {
				created++
				require.Equal(t, id, r.body["id"])
				continue
			}
			r.scimError(b, http.StatusConflict, "uniqueness")
		}
		require.Positive(t, created)
		require.Len(t, b.usersBy(`userName eq "mary@example.org"`), 1)
	}
}

// A time-out after Dixa has done a write is no reason to do it again.
func TestScimNeverDoubles(t *testing.T) {
	t.Parallel()
	b := newWriteBench(t, emulator.Switches{AgentOfEndUser: "promoted"})
	drop := func(operation string) {
		b.dixa.Inject(emulator.Fault{Operation: operation, Kind: emulator.FaultDropAfter, Times: 2})
	}
	drop("POST /agents")
	id := b.newUser("mary@example.org")
	require.Len(t, b.agentsOf("mary@example.org"), 1)
	drop("POST /teams")
	team := text(b.scimDone(http.StatusCreated, "POST", "/Groups", `{"displayName": "Night", "members": [{"value": "`+id+`"}]}`)["id"])
	named := slices.DeleteFunc(b.dixa.State().Teams, func(t *emulator.Team) bool { return t.Name != "Night" })
	require.Len(t, named, 1)
	require.Equal(t, []string{id}, b.team(team).Members)
	drop("DELETE /agents/{agentId}")
	require.Equal(t, false, b.scimDone(http.StatusOK, "PATCH", "/Users/"+id, patchOps(`{"op": "replace", "value": {"active": false}}`))["active"])
	drop("POST /agents")
	require.Equal(t, true, b.scimDone(http.StatusOK, "PATCH", "/Users/"+id, patchOps(`{"op": "replace", "value": {"active": true}}`))["active"])
	require.Len(t, b.agentsOf("mary@example.org"), 1)
}
