package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	emulator "github.com/claimflow/claimflow/emulator/server"
)

const (
	anna = emulator.SeedAgentAnna
	ben  = emulator.SeedAgentBen
)

func member(ids ...string) string {
	all := make([]string, len(ids))
	for i, id := range ids {
		all[i] = `{"value": "` + id + `"}`
	}
	return "[" + strings.Join(all, ", ") + "]"
}

func TestScimGroupIsCreatedAndFound(t *testing.T) {
	t.Parallel()
	b := newWriteBench(t, emulator.Switches{})
	const find = "/Groups?excludedAttributes=members&filter=displayName+eq+%22night%22"
	require.Empty(t, resources(b, b.scimDone(http.StatusOK, "GET", find, "")))
	made := b.scimDone(http.StatusCreated, "POST", "/Groups", `{"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "externalId": "8aa1a0c0", "displayName": "Night",
		"members": [{"value": "`+anna+`", "display": "Anna"}]}`)
	id := text(made["id"])
	require.Equal(t, []string{anna}, names(made["members"], "value"))
	require.Equal(t, b.url+"/scim/"+b.account+"/v2/Groups/"+id, at(made, "meta", "location"))
	require.Equal(t, "8aa1a0c0", made["externalId"])
	require.Equal(t, made, b.scimDone(http.StatusOK, "GET", "/Groups/"+id, ""))
	for _, filter := range []string{"displayName+eq+%22Night%22", "externalId+eq+%228aa1a0c0%22", "id+eq+%22" + id + "%22+and+members.value+eq+%22" + anna + "%22", "members%5Bvalue+eq+%22" + anna + "%22%5D+and+displayName+sw+%22N%22"} {
		require.Equal(t, []map[string]any{made}, resources(b, b.scimDone(http.StatusOK, "GET", "/Groups?filter="+filter, "")), filter)
	}

	// Without members, Dixa is not asked for them.
	b.dixa.Inject(emulator.Fault{Operation: "GET /teams/{teamId}/agents", Kind: emulator.FaultStatus, Status: 500, Times: 100})
	for _, r := range append(resources(b, b.scimDone(http.StatusOK, "GET", find, "")), b.scimDone(http.StatusOK, "GET", "/Groups/"+id+"?excludedAttributes=members", ""),
		b.scimDone(http.StatusOK, "GET", "/Groups/"+id+"?attributes=displayName", "")) {
		require.Equal(t, "Night", r["displayName"])
		require.NotContains(t, r, "members")
	}
	b.scimRefused(http.StatusConflict, "uniqueness", "POST", "/Groups", `{"displayName": "NIGHT"}`)
	b.scimRefused(http.StatusBadRequest, "invalidValue", "POST", "/Groups", `{"members": []}`)
	b.scimRefused(http.StatusBadRequest, "invalidValue", "POST", "/Groups", `{"displayName": "Day", "members": [{"value": "3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d9999"}]}`)
	b.scimDone(http.StatusNoContent, "DELETE", "/Groups/"+id, "")
	b.scimRefused(http.StatusNotFound, "", "GET", "/Groups/"+id, "")
	b.scimRefused(http.StatusNotFound, "", "DELETE", "/Groups/"+id, "")
}

// Every form of a PATCH that providers send for a group, the members that it must lead
// to, and those that must be refused.
func TestScimMembersAreChanged(t *testing.T) {
	t.Parallel()
	b := newWriteBench(t, emulator.Switches{})
	id := text(b.scimDone(http.StatusCreated, "POST", "/Groups", `{"displayName": "Night"}`)["id"])
	path := "/Groups/" + id
	for _, test := range []struct {
		name, ops string
		want      []string
	}{
		{"Entra adds", `{"op": "Add", "path": "members", "value": [{"$ref": null, "value": "` + anna + `"}]}`, []string{anna}},
		{"again", `{"op": "Add", "path": "members", "value": [{"value": "` + anna + `"}]}`, []string{anna}},
		{"one object", `{"op": "add", "path": "members", "value": {"value": "` + ben + `"}}`, []string{anna, ben}},
		{"Okta removes by a filter", `{"op": "remove", "path": "members[value eq \"` + anna + `\"]"}`, []string{ben}},
		{"who is no member", `{"op": "remove", "path": "members[value eq \"` + anna + `\"]"}`, []string{ben}},
		{"without a path", `{"op": "ADD", "value": {"members": [{"value": "` + anna + `"}]}}`, []string{anna, ben}},
		{"Entra removes by a list", `{"op": "Remove", "path": "members", "value": [{"value": "` + ben + `"}]}`, []string{anna}},
		{"by a list of one who is no member", `{"op": "Remove", "path": "members", "value": [{"value": "` + ben + `"}]}`, []string{anna}},
		{"by a list of an unknown id", `{"op": "Remove", "path": "members", "value": [{"value": "3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d9999"}]}`, []string{anna}},
		{"the whole list", `{"op": "replace", "path": "members", "value": ` + member(ben) + `}`, []string{ben}},
		{"the whole list, without a path", `{"op": "Replace", "value": {"id": "` + id + `", "displayName": "Night", "members": ` + member(anna, ben) + `}}`, []string{anna, ben}},
		{"several operations", `{"op": "remove", "path": "members[value eq \"` + anna + `\"]"}, {"op": "add", "path": "members", "value": ` + member(anna) + `}, {"op": "Remove", "path": "members", "value": ` + member(ben) + `}`, []string{anna}},
		{"urn path", `{"op": "add", "path": "urn:ietf:params:scim:schemas:core:2.0:Group:members", "value": ` + member(ben) + `}`, []string{anna, ben}},
		{"two by a filter", `{"op": "remove", "path": "members[value eq \"` + anna + `\" or value eq \"` + ben + `\"]"}`, nil},
		{"no member to add", `{"op": "add", "path": "members", "value": []}`, nil},
		{"nothing to remove", `{"op": "remove", "path": "members"}`, nil},
		{"both", `{"op": "add", "path": "members", "value": ` + member(anna, ben) + `}`, []string{anna, ben}},
		{"the same name", `{"op": "replace", "path": "displayName", "value": "Night"}`, []string{anna, ben}},
		{"externalId", `{"op": "Replace", "path": "externalId", "value": "e-7"}`, []string{anna, ben}},
	} {
		now := b.scimDone(http.StatusOK, "PATCH", path, patchOps(test.ops))
		require.ElementsMatch(t, test.want, names(now["members"], "value"), test.name)
		require.ElementsMatch(t, test.want, b.team(id).Members, test.name)
	}
	require.Equal(t, "e-7", b.scimDone(http.StatusOK, "GET", path, "")["externalId"])
	for _, test := range []struct {
		kind, method, body string
	}{
		{"invalidValue", "PATCH", patchOps(`{"op": "remove", "path": "members"}`)},
		{"invalidValue", "PATCH", patchOps(`{"op": "Remove", "path": "members", "value": []}`)},
		{"invalidValue", "PATCH", patchOps(`{"op": "replace", "path": "members", "value": []}`)},
		{"invalidValue", "PATCH", patchOps(`{"op": "replace", "value": {"members": []}}`)},
		{"invalidValue", "PATCH", patchOps(`{"op": "replace", "path": "members", "value": null}`)},
		{"invalidValue", "PATCH", patchOps(`{"op": "Remove", "path": "members", "value": [{"display": "Anna"}]}`)},
		{"invalidValue", "PATCH", patchOps(`{"op": "Remove", "path": "members", "value": [7]}`)},
		{"invalidValue", "PATCH", patchOps(`{"op": "add", "path": "members", "value": [{"value": "nobody"}]}`)},
		{"invalidValue", "PATCH", patchOps(`{"op": "replace", "path": "members", "value": ` + member(anna) + `}, {"op": "remove", "path": "members", "value": ` + member(anna) + `}`)},
		{"invalidValue", "PUT", `{"displayName": "Night", "members": []}`},
		{"mutability", "PATCH", patchOps(`{"op": "replace", "path": "displayName", "value": "Day"}`)},
		{"mutability", "PATCH", patchOps(`{"op": "remove", "path": "displayName"}`)},
		{"mutability", "PUT", `{"displayName": "Day", "members": ` + member(anna) + `}`},
		{"mutability", "PATCH", patchOps(`{"op": "replace", "path": "members[value eq \"` + anna + `\"].display", "value": "Day"}`)},
		{"invalidPath", "PATCH", patchOps(`{"op": "add", "path": "members[value eq \"` + anna + `\"]", "value": ` + member(ben) + `}`)},
		{"invalidPath", "PATCH", patchOps(`{"op": "remove", "path": "members[colour eq \"red\"]"}`)},
	} {
		b.scimRefused(http.StatusBadRequest, test.kind, test.method, path, test.body)
		require.ElementsMatch(t, []string{anna, ben}, b.team(id).Members, test.body)
	}
	now := b.scimDone(http.StatusOK, "PUT", path, `{"displayName": "Night", "externalId": "e-8"}`)
	require.Equal(t, "e-8", now["externalId"])
	require.Len(t, now["members"], 2, "a PUT without members must leave them")
	now = b.scimDone(http.StatusOK, "PUT", path, `{"displayName": "Night", "members": `+member(ben)+`}`)
	require.Equal(t, []string{ben}, names(now["members"], "value"))
}

// A user who is not active cannot become a member, and is not one any longer.
func TestScimMembersAreActive(t *testing.T) {
	t.Parallel()
	b := newWriteBench(t, emulator.Switches{})
	id := text(b.scimDone(http.StatusCreated, "POST", "/Groups", `{"displayName": "Night", "members": `+member(anna, ben)+`}`)["id"])
	b.scimDone(http.StatusOK, "PATCH", "/Users/"+ben, patchOps(`{"op": "Replace", "path": "active", "value": "False"}`))
	require.Equal(t, []string{anna}, names(b.scimDone(http.StatusOK, "GET", "/Groups/"+id, "")["members"], "value"))
	require.Contains(t, b.scimRefused(http.StatusBadRequest, "invalidValue", "PATCH", "/Groups/"+id, patchOps(`{"op": "add", "path": "members", "value": `+member(ben)+`}`)), "not active")
	b.scimDone(http.StatusOK, "PATCH", "/Groups/"+id, patchOps(`{"op": "Remove", "path": "members", "value": `+member(ben)+`}`))
}

// More members than Dixa takes in one request, and several changes at once.
func TestScimChangesOfMembersAtOnceAllCount(t *testing.T) {
	t.Parallel()
	b := newWriteBench(t, emulator.Switches{})
	var ids []string
	for i := range 12 {
		ids = append(ids, b.newUser(fmt.Sprintf("agent-%d@example.org", i)))
	}
	id := text(b.scimDone(http.StatusCreated, "POST", "/Groups", `{"displayName": "Night", "members": `+member(ids...)+`}`)["id"])
	require.ElementsMatch(t, ids, b.team(id).Members)
	statuses := make(chan int, 6)
	for i := range 6 {
		go func() {
			statuses <- b.scim("PATCH", "/Groups/"+id, patchOps(`{"op": "Remove", "path": "members", "value": `+member(ids[i])+`}`)).status
		}()
	}
	for range 6 {
		require.Equal(t, http.StatusOK, <-statuses)
	}
	require.ElementsMatch(t, ids[6:], b.team(id).Members)
}
