package api_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	emulator "github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/internal/api"
	"github.com/claimflow/claimflow/store"
)

func TestScimDescribesItself(t *testing.T) {
	t.Parallel()
	b := newWriteBench(t, emulator.Switches{})
	config := b.scimDone(http.StatusOK, "GET", "/ServiceProviderConfig", "")
	require.Equal(t, true, at(config, "patch", "supported"))
	require.Equal(t, true, at(config, "filter", "supported"))
	for _, feature := range []string{"bulk", "etag", "sort", "changePassword"} {
		require.Equal(t, false, at(config, feature, "supported"), feature)
	}
	schemes, _ := config["authenticationSchemes"].([]any)
	require.Len(t, schemes, 1)
	require.Equal(t, config, b.scimDone(http.StatusOK, "GET", "/serviceProviderConfig", ""), "providers write addresses in any case")

	types := resources(b, b.scimDone(http.StatusOK, "GET", "/ResourceTypes", ""))
	require.Len(t, types, 2)
	for _, r := range types {
		require.Equal(t, r, b.scimDone(http.StatusOK, "GET", "/ResourceTypes/"+text(r["id"]), ""))
		schema := b.scimDone(http.StatusOK, "GET", "/Schemas/"+text(r["schema"]), "")
		require.Equal(t, r["name"], schema["name"])
		require.NotEmpty(t, names(schema["attributes"], "name"))
		require.Equal(t, http.StatusOK, b.scim("GET", text(r["endpoint"])+"?count=1", "").status)
	}
	schemas := resources(b, b.scimDone(http.StatusOK, "GET", "/Schemas", ""))
	require.Len(t, schemas, 2)
	require.Contains(t, names(schemas[0]["attributes"], "name"), "userName")
	require.NotContains(t, names(schemas[0]["attributes"], "name"), "title", "a schema lists what Dixa has")
	require.Contains(t, names(schemas[1]["attributes"], "name"), "members")
	b.scimRefused(http.StatusNotFound, "", "GET", "/Schemas/urn:nothing", "")
}

// The requests of Okta: its tests of a service, and what it sends for a user.
func TestScimServesOkta(t *testing.T) {
	t.Parallel()
	b := newWriteBench(t, emulator.Switches{AgentOfEndUser: "promoted"})
	list := b.scimDone(http.StatusOK, "GET", "/Users?count=1&startIndex=1", "")
	require.Len(t, resources(b, list), 1)
	require.InDelta(t, 1, list["startIndex"], 0)
	require.InDelta(t, len(b.dixa.State().Agents), list["totalResults"], 0)
	require.NotEmpty(t, resources(b, list)[0]["userName"])
	b.scimRefused(http.StatusNotFound, "", "GET", "/Users/010101001010101011001010101011", "")
	require.Empty(t, b.usersBy(`userName eq "made.up.8231@example.org"`))
	made := b.scimDone(http.StatusCreated, "POST", "/Users", oktaUser)
	b.scimRefused(http.StatusConflict, "uniqueness", "POST", "/Users", oktaUser)
	path := "/Users/" + text(made["id"])

	// Applications of Okta's wizard send the whole user by PUT, with or without active.
	now := b.scimDone(http.StatusOK, "PUT", path, `{"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": "`+text(made["id"])+`", "userName": "mary@example.org",
		"name": {"givenName": "Marie", "familyName": "Jackson"}, "emails": [{"primary": true, "value": "mary@example.org", "type": "work"}], "displayName": "Marie Jackson",
		"phoneNumbers": [{"value": "+4520304050", "type": "mobile"}], "locale": "en-US", "externalId": "00ujl29u0le5T6Aj10h7", "groups": []}`)
	require.Equal(t, true, now["active"], "a PUT without active must not suspend the user")
	require.Equal(t, "Marie", at(now, "name", "givenName"))
	require.Equal(t, "+4520304050", b.agentsOf("mary@example.org")[0].PhoneNumber)
	now["active"] = false
	suspended := b.scimDone(http.StatusOK, "PUT", path, asJSON(t, now))
	require.Equal(t, now, suspended)
	now["active"] = true
	require.Equal(t, now, b.scimDone(http.StatusOK, "PUT", path, asJSON(t, now)))

	// Others send PATCH. Groups are pushed by name, and members one by one.
	require.Empty(t, resources(b, b.scimDone(http.StatusOK, "GET", "/Groups?filter=displayName+eq+%22Night%22&startIndex=1&count=100", "")))
	group := b.scimDone(http.StatusCreated, "POST", "/Groups", `{"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Night", "members": []}`)
	of := "/Groups/" + text(group["id"])
	group = b.scimDone(http.StatusOK, "PATCH", of, patchOps(`{"op": "replace", "value": {"id": "`+text(group["id"])+`", "displayName": "Night"}}, {"op": "add", "path": "members",
		"value": [{"value": "`+text(made["id"])+`", "display": "mary@example.org"}]}`))
	require.Equal(t, []string{text(made["id"])}, names(group["members"], "value"))
	group = b.scimDone(http.StatusOK, "PATCH", of, patchOps(`{"op": "remove", "path": "members[value eq \"`+text(made["id"])+`\"]"}`))
	require.Empty(t, group["members"])
	b.scimDone(http.StatusNoContent, "DELETE", of, "")
}

// The requests of Entra, with and without its flag for operations as the standard has
// them.
func TestScimServesEntra(t *testing.T) {
	t.Parallel()
	b := newWriteBench(t, emulator.Switches{AgentOfEndUser: "promoted"})
	require.Empty(t, b.usersBy(`userName eq "3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d0001"`))
	require.Empty(t, b.usersBy(`externalId eq "3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d0001"`))
	made := b.scimDone(http.StatusCreated, "POST", "/Users?aadOptscim062020", `{"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
		"externalId": "58342554-38d6-4ec8-948c-50044d0a33fd", "userName": "mary@example.org", "active": true, "displayName": "Mary Jackson",
		"emails": [{"primary": true, "type": "work", "value": "m.jackson@example.org"}], "meta": {"resourceType": "User"}, "title": "Lead",
		"name": {"formatted": "Mary Jackson", "familyName": "Jackson", "givenName": "Mary"},
		"addresses": [{"type": "work", "country": "DK"}], "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "Care", "manager": "7"}}`)
	require.Equal(t, []any{map[string]any{"value": "m.jackson@example.org", "type": "work", "primary": true}}, made["emails"], "Entra compares what it sent")
	require.Equal(t, []string{"m.jackson@example.org"}, b.agentsOf("mary@example.org")[0].AdditionalEmails)
	path := "/Users/" + text(made["id"])
	require.Len(t, b.usersBy(`emails[type eq "work"].value eq "m.jackson@example.org"`), 1)

	now := b.scimDone(http.StatusOK, "PATCH", path, patchOps(`{"op": "Add", "path": "emails[type eq \"work\"].value", "value": "jackson@example.org"},
		{"op": "Replace", "path": "name.familyName", "value": "Jackson-Levy"}, {"op": "Replace", "path": "name.formatted", "value": "Mary Jackson-Levy"},
		{"op": "Add", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", "value": "Returns"}, {"op": "Add", "path": "title", "value": "Head"},
		{"op": "Add", "path": "addresses[type eq \"work\"].formatted", "value": "Aarhus"}, {"op": "Replace", "path": "preferredLanguage", "value": "da"}`))
	require.Equal(t, []any{map[string]any{"value": "jackson@example.org", "type": "work", "primary": true}}, now["emails"])
	require.Equal(t, "Jackson-Levy", at(now, "name", "familyName"))
	require.Equal(t, "Mary Jackson", now["displayName"])
	now = b.scimDone(http.StatusOK, "PATCH", path, patchOps(`{"op": "replace", "value": {"displayName": "Mary", "emails[type eq \"work\"].value": "mary@example.org", "name.familyName": "Levy"}}`))
	require.Equal(t, "Levy", at(now, "name", "familyName"))
	require.Equal(t, []any{map[string]any{"value": "mary@example.org", "type": "work", "primary": true}}, now["emails"])
	require.Empty(t, b.agentsOf("mary@example.org")[0].AdditionalEmails)

	// A user who is unassigned is disabled first, and must be found so; then deleted.
	now = b.scimDone(http.StatusOK, "PATCH", path, patchOps(`{"op": "Replace", "path": "active", "value": "False"}`))
	require.Equal(t, false, now["active"])
	require.Equal(t, []map[string]any{now}, b.usersBy(`userName eq "mary@example.org"`))
	b.scimDone(http.StatusNoContent, "DELETE", path, "")

	group := b.scimDone(http.StatusCreated, "POST", "/Groups", `{"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "externalId": "8aa1a0c0-c4c3-4bc0-b4a5-2ef676900159",
		"displayName": "Night", "meta": {"resourceType": "Group"}}`)
	of := "/Groups/" + text(group["id"])
	group = b.scimDone(http.StatusOK, "GET", of+"?excludedAttributes=members", "")
	require.NotContains(t, group, "members")
	b.scimDone(http.StatusOK, "PATCH", of+"?aadOptscim062020", patchOps(`{"op": "Add", "path": "members", "value": [{"value": "`+anna+`"}, {"value": "`+ben+`"}]}`))
	b.scimDone(http.StatusOK, "PATCH", of, patchOps(`{"op": "Remove", "path": "members", "value": [{"value": "`+anna+`"}]}`))
	require.Equal(t, []string{ben}, b.team(group["id"]).Members, "a removal of one must not empty the group")
}

func TestScimPages(t *testing.T) {
	t.Parallel()
	b := newWriteBench(t, emulator.Switches{})
	total := len(b.dixa.State().Agents)
	seen := map[string]bool{}
	for start := 1; start <= total; start += 2 {
		list := b.scimDone(http.StatusOK, "GET", fmt.Sprintf("/Users?startIndex=%d&count=2&attributes=userName,name.givenName", start), "")
		require.InDelta(t, total, list["totalResults"], 0)
		for _, r := range resources(b, list) {
			seen[text(r["id"])] = true
			require.NotContains(t, r, "active")
			require.Contains(t, r, "userName")
		}
	}
	require.Len(t, seen, total)
	for query, want := range map[string]int{"count=0": 0, "count=-3": 0, "startIndex=0": total, "startIndex=-4&count=1": 1, "startIndex=10000": 0, "count=100000": total, "sortBy=userName": total} {
		list := b.scimDone(http.StatusOK, "GET", "/Users?"+query, "")
		require.Len(t, resources(b, list), want, query)
		require.InDelta(t, total, list["totalResults"], 0)
	}
	r := b.scimDone(http.StatusOK, "GET", "/Users/"+anna+"?excludedAttributes=emails,urn:ietf:params:scim:schemas:core:2.0:User:name,id", "")
	require.NotContains(t, r, "emails")
	require.NotContains(t, r, "name")
	require.Equal(t, anna, r["id"])
	quoted := url.QueryEscape(`displayName eq "An \"odd\" name"`)
	require.Empty(t, resources(b, b.scimDone(http.StatusOK, "GET", "/Users?filter="+quoted, "")))
	b.scimDone(http.StatusCreated, "POST", "/Users", `{"userName": "odd@example.org", "displayName": "An \"odd\" name"}`)
	require.Len(t, resources(b, b.scimDone(http.StatusOK, "GET", "/Users?filter="+quoted, "")), 1)
}

func TestScimLimitsAreAnsweredInItsShape(t *testing.T) {
	t.Parallel()
	b := newWriteBench(t, emulator.Switches{}, func(o *api.Options) { o.AccountLimit = 2 })
	for range 2 {
		b.scimDone(http.StatusOK, "GET", "/Users?count=1", "")
	}
	r := b.scim("GET", "/Users?count=1", "")
	r.scimError(b, http.StatusTooManyRequests, "")
	require.NotEmpty(t, r.header.Get("Retry-After"))

	b = newWriteBench(t, emulator.Switches{})
	b.dixa.Inject(emulator.Fault{Operation: "GET /agents", Kind: emulator.FaultStatus, Status: 429, Times: 1})
	r = b.scim("GET", "/Users?count=1", "")
	r.scimError(b, http.StatusTooManyRequests, "")
	require.NotEmpty(t, r.header.Get("Retry-After"))
}

func TestScimWritesNothingToAReadOnlyAccount(t *testing.T) {
	t.Parallel()
	b := newWriteBench(t, emulator.Switches{})
	b.settings(`{"read_only": true}`)
	b.scimRefused(http.StatusForbidden, "", "POST", "/Users", oktaUser)
	b.scimRefused(http.StatusForbidden, "", "PATCH", "/Users/"+ben, patchOps(`{"op": "replace", "value": {"active": false}}`))
	b.scimRefused(http.StatusForbidden, "", "DELETE", "/Users/"+ben, "")
	require.Empty(t, b.agentsOf("mary@example.org"))
	require.Equal(t, true, b.scimDone(http.StatusOK, "GET", "/Users/"+ben, "")["active"])
	all, err := b.store.Provisioned.List(t.Context(), b.account, store.ProvisionedUser)
	require.NoError(t, err)
	require.Empty(t, all)
}

// A user whom Dixa takes long to create is created once, whoever asks for it meanwhile.
func TestScimAnswersWhileDixaTakesLong(t *testing.T) {
	t.Parallel()
	b := newWriteBench(t, emulator.Switches{AgentOfEndUser: "promoted"}, func(o *api.Options) { o.WriteWait = 50 * time.Millisecond })
	b.hold = make(chan struct{})
	for range 2 {
		r := b.scim("POST", "/Users", oktaUser)
		r.scimError(b, http.StatusServiceUnavailable, "")
		require.NotEmpty(t, r.header.Get("Retry-After"))
	}
	b.scimRefused(http.StatusConflict, "uniqueness", "POST", "/Users", `{"userName": "mary@example.org", "displayName": "Another"}`)
	close(b.hold)
	b.running.Wait()
	found := b.usersBy(`userName eq "mary@example.org"`)
	require.Len(t, found, 1)
	require.Equal(t, "00ujl29u0le5T6Aj10h7", found[0]["externalId"], "what the provider said must not be lost")
	require.Len(t, b.agentsOf("mary@example.org"), 1)
	id := text(found[0]["id"])

	// Nobody noted that the creation ended. A later one of the same user is another.
	settled := func(status int, method, path, body string) {
		t.Helper()
		r := b.scim(method, path, body)
		b.running.Wait()
		if r.status == http.StatusServiceUnavailable {
			r = b.scim(method, path, body)
		}
		require.Equal(t, status, r.status, r.raw)
	}
	settled(http.StatusOK, "PATCH", "/Users/"+id, patchOps(`{"op": "replace", "value": {"active": false}}`))
	settled(http.StatusNoContent, "DELETE", "/Users/"+id, "")
	require.Empty(t, b.agentsOf("mary@example.org"))
	r := b.scim("POST", "/Users", oktaUser)
	b.running.Wait()
	require.Contains(t, []int{http.StatusCreated, http.StatusServiceUnavailable}, r.status, r.raw)
	require.Len(t, b.agentsOf("mary@example.org"), 1)
	found = b.usersBy(`userName eq "mary@example.org"`)
	require.Len(t, found, 1)
	require.Equal(t, true, found[0]["active"])
}

// Personal data of providers is stored sealed, and the audit log has none of it.
func TestScimKeepsSecretsAndRecordsWrites(t *testing.T) {
	t.Parallel()
	b := newWriteBench(t, emulator.Switches{})
	id := b.newUser("mary@example.org")
	b.scimDone(http.StatusOK, "PATCH", "/Users/"+id, patchOps(`{"op": "replace", "value": {"active": false}}`))
	log, _, err := b.store.AuditLog.List(t.Context(), claim.AuditFilter{})
	require.NoError(t, err)
	var actions []string
	for _, entry := range log {
		actions = append(actions, entry.Action)
		require.NotContains(t, fmt.Sprint(entry), "mary@")
	}
	require.Contains(t, actions, "scim-create")
	require.Contains(t, actions, "scim-update")
}

// Every route of SCIM in the OpenAPI document is served, with errors in its shape.
func TestDocumentHasScim(t *testing.T) {
	t.Parallel()
	b := newWriteBench(t, emulator.Switches{})
	document := b.send("GET", "/openapi.json", "", "").body
	paths, _ := document["paths"].(map[string]any)
	routes := 0
	for path, item := range paths {
		if !strings.HasPrefix(path, "/scim/") {
			continue
		}
		methods, _ := item.(map[string]any)
		for method := range methods {
			routes++
			address := strings.NewReplacer("{account}", b.account, "{id}", "1").Replace(path)
			b.scimAs("", strings.ToUpper(method), address, "").scimError(b, http.StatusUnauthorized, "")
			status := b.scimAs(b.secret, strings.ToUpper(method), address, "{}").status
			require.NotContains(t, []int{http.StatusMethodNotAllowed, http.StatusInternalServerError}, status, "%s %s", method, path)
		}
	}
	require.Equal(t, 17, routes)
}
