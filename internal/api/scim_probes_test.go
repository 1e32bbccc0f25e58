package api_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	emulator "github.com/claimflow/claimflow/emulator/server"
)

// Forms of filters that providers and validators send.
func TestScimFiltersInOddForms(t *testing.T) {
	t.Parallel()
	b := newWriteBench(t, emulator.Switches{})
	mary := b.scimDone(http.StatusCreated, "POST", "/Users", oktaUser)
	id := text(mary["id"])
	for filter, found := range map[string]bool{
		`USERNAME EQ "mary@example.org"`:                                                         true,
		`username eq "MARY@EXAMPLE.ORG" AND Active EQ True`:                                      true,
		`userName eq "nobody@example.org" OR id eq "` + id + `"`:                                 true,
		`Not (userName eq "nobody@example.org") And externalid Eq "00ujl29u0le5T6Aj10h7"`:        true,
		`externalId eq "00UJL29U0LE5T6AJ10H7"`:                                                   false,
		`  userName   eq   "mary@example.org"  `:                                                 true,
		`(userName eq "mary@example.org")`:                                                       true,
		`userName eq "mary@example.org" and active eq "True"`:                                    true,
		`userName eq "mary@example.org" and active ne false`:                                     true,
		`EMAILS.Value Eq "MARY@example.org"`:                                                     true,
		`emails eq "mary@example.org"`:                                                           true,
		`emails co "mary@"`:                                                                      true,
		`emails[type eq "WORK" and value eq "mary@example.org"]`:                                 true,
		`emails[primary eq true].value eq "mary@example.org"`:                                    true,
		`emails[type eq "home"].value eq "mary@example.org"`:                                     false,
		`id EQ "` + id + `"`:                                                                     true,
		`id eq "made-up"`:                                                                        false,
		`userName eq ""`:                                                                         false,
		`userName sw "mary@" and meta.resourceType eq "User"`:                                    true,
		`userName eq "mary@example.org" and title pr`:                                            false,
		`userName eq "mary@example.org" and phoneNumbers pr`:                                     false,
		`userName eq "mary@example.org" and emails pr`:                                           true,
		`urn:ietf:params:scim:schemas:core:2.0:user:USERNAME eq "mary@example.org"`:              true,
		`urn:ietf:params:scim:schemas:extension:made-up:2.0:User:userName eq "mary@example.org"`: false,
	} {
		all := b.usersBy(filter)
		require.Equal(t, found, len(all) == 1 && all[0]["id"] == id, "%s: %v", filter, all)
	}
	for _, filter := range []string{`userName`, `userName eq mary`, `userName is "mary"`, `eq "mary"`, `userName eq "mary`, `userName eq "a" and`, `[type eq "work"]`} {
		b.scimRefused(http.StatusBadRequest, "invalidFilter", "GET", "/Users?filter="+url.QueryEscape(filter), "")
	}
	b.scimDone(http.StatusCreated, "POST", "/Groups", `{"displayName": "Night"}`)
	for filter, found := range map[string]int{`DISPLAYNAME EQ "night"`: 1, `displayName eq "Night" and id eq "x"`: 0, `members pr and displayName eq "Night"`: 0} {
		require.Len(t, resources(b, b.scimDone(http.StatusOK, "GET", "/Groups?filter="+url.QueryEscape(filter), "")), found, filter)
	}
}

// Parameters of lists, and of answers to every method.
func TestScimParametersInOddForms(t *testing.T) {
	t.Parallel()
	b := newWriteBench(t, emulator.Switches{})
	total := len(b.dixa.State().Agents)
	for query, want := range map[string][2]int{
		"startIndex=1&count=0": {1, 0}, "startIndex=0&count=1": {1, 1}, "startIndex=-7": {1, total}, "startIndex=&count=": {1, total}, "StartIndex=2": {1, total},
		"startIndex=2&count=9223372036854775807": {2, total - 1}, "startIndex=9223372036854775807&count=2": {1<<63 - 1, 0}, "filter=": {1, total}, "filter=%20": {1, total},
		"count=-9223372036854775808": {1, 0},
	} {
		list := b.scimDone(http.StatusOK, "GET", "/Users?"+query, "")
		require.Len(t, resources(b, list), want[1], query)
		require.InDelta(t, want[0], list["startIndex"], 0, query)
		require.InDelta(t, total, list["totalResults"], 0, query)
	}
	for _, query := range []string{"startIndex=one", "count=1.5", "count=9223372036854775808"} {
		b.scimRefused(http.StatusBadRequest, "invalidValue", "GET", "/Users?"+query, "")
	}

	always := []string{"id", "schemas"}
	keys := func(r map[string]any) (all []string) {
		for name := range r {
			all = append(all, name)
		}
		return all
	}
	for query, want := range map[string][]string{
		"attributes=USERNAME": append(always, "userName"), "attributes=%20userName%20,%20active": append(always, "userName", "active"), "attributes=emails.value": append(always, "emails"),
		"attributes=urn:ietf:params:scim:schemas:core:2.0:User:userName": append(always, "userName"), "attributes=nothing": always, "attributes=id": always,
		"attributes=userName&attributes=active": append(always, "userName", "active"), "attributes=urn:made-up:User:userName": always,
		"excludedAttributes=Emails,Name,roles,meta,displayName,phoneNumbers,schemas,id": append(always, "userName", "active"),
	} {
		require.ElementsMatch(t, want, keys(b.scimDone(http.StatusOK, "GET", "/Users/"+anna+"?"+query, "")), query)
		require.ElementsMatch(t, want, keys(resources(b, b.scimDone(http.StatusOK, "GET", "/Users?count=1&filter=id+eq+%22"+anna+"%22&"+query, ""))[0]), query)
	}
	made := b.scimDone(http.StatusCreated, "POST", "/Users?attributes=userName", oktaUser)
	require.ElementsMatch(t, append(always, "userName"), keys(made))
	path := "/Users/" + text(made["id"]) + "?attributes=displayName"
	require.ElementsMatch(t, append(always, "displayName"), keys(b.scimDone(http.StatusOK, "PATCH", path, patchOps(`{"op": "replace", "path": "displayName", "value": "M"}`))))
	require.ElementsMatch(t, append(always, "displayName"), keys(b.scimDone(http.StatusOK, "PUT", path, `{"userName": "mary@example.org"}`)))
	require.ElementsMatch(t, append(always, "displayName", "members"),
		keys(b.scimDone(http.StatusCreated, "POST", "/Groups?excludedAttributes=meta,externalId", `{"displayName": "Night", "externalId": "e"}`)))
}

// Bodies under every content type, with schemas and attributes that the service does not
// know.
func TestScimBodiesInOddForms(t *testing.T) {
	t.Parallel()
	b := newWriteBench(t, emulator.Switches{})
	for i, kind := range []string{"application/scim+json", "application/json", "application/json; charset=utf-8", "APPLICATION/SCIM+JSON", ""} {
		email := "mary-" + string(rune('a'+i)) + "@example.org"
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url+"/scim/"+b.account+"/v2/Users", strings.NewReader(`{"userName": "`+email+`"}`))
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+b.secret)
		r.Header.Set("Accept", "application/json, text/plain, */*")
		if kind != "" {
			r.Header.Set("Content-Type", kind)
		}
		response, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, http.StatusCreated, response.StatusCode, kind)
		require.Equal(t, "application/scim+json", response.Header.Get("Content-Type"), kind)
	}
	made := b.scimDone(http.StatusCreated, "POST", "/Users/", `{"Schemas": ["urn:made-up:2.0:User"], "USERNAME": "mary@example.org", "Active": "True", "favouriteColour": "red",
		"urn:made-up:2.0:User": {"active": false}, "NAME": {"GivenName": "Mary", "shoeSize": 38}, "Emails": [{"VALUE": "mary@example.org", "Primary": "TRUE", "Type": "work"}],
		"phoneNumbers": [], "roles": null, "externalID": "e-1", "id": "mine", "meta": {"resourceType": "Group"}}`)
	require.Equal(t, true, made["active"])
	require.Equal(t, "e-1", made["externalId"])
	require.Equal(t, map[string]any{"givenName": "Mary", "formatted": "Mary"}, made["name"])
	require.Equal(t, []any{map[string]any{"value": "mary@example.org", "type": "work", "primary": true}}, made["emails"])
	require.Equal(t, []any{"urn:ietf:params:scim:schemas:core:2.0:User"}, made["schemas"])
	require.NotEqual(t, "mine", made["id"])
	for _, body := range []string{`{}`, `{"userName": null}`, `{"userName": ""}`, `{"userName": "  "}`, `{"userName": ["mary@example.org"]}`, `{"userName": 7}`, `{"userName": "Mary <mary@example.org>"}`} {
		b.scimRefused(http.StatusBadRequest, "invalidValue", "POST", "/Users", body)
	}
	for _, body := range []string{``, `null`, `"text"`, `{"userName": "a@example.org"} {}`} {
		b.scimRefused(http.StatusBadRequest, "invalidSyntax", "POST", "/Users", body)
	}
	// A change of the userName in every form.
	path := "/Users/" + text(made["id"])
	for _, ops := range []string{
		`{"op": "Replace", "path": "USERNAME", "value": "new@example.org"}`, `{"op": "add", "value": {"userName": "new@example.org"}}`,
		`{"op": "replace", "path": "urn:ietf:params:scim:schemas:core:2.0:User:userName", "value": "new@example.org"}`,
	} {
		b.scimRefused(http.StatusBadRequest, "mutability", "PATCH", path, patchOps(ops))
	}
	require.Equal(t, made, b.scimDone(http.StatusOK, "GET", path, ""))

	group := b.scimDone(http.StatusCreated, "POST", "/Groups", `{"schemas": ["urn:made-up"], "DISPLAYNAME": "Night", "Members": [{"VALUE": "`+anna+`", "type": "User"}], "colour": "red"}`)
	of := "/Groups/" + text(group["id"])
	for _, test := range []struct {
		ops  string
		want []string
	}{
		{`{"op": "ADD", "path": "MEMBERS", "value": "` + ben + `"}`, []string{anna, ben}},
		{`{"OP": "rEmOvE", "PATH": "Members[Value EQ \"` + anna + `\"]"}`, []string{ben}},
		{`{"op": "Add", "value": {"Members": ["` + anna + `"]}}`, []string{anna, ben}},
		{`{"op": "remove", "path": "members[value eq \"` + anna + `\"].value"}`, []string{ben}},
		{`{"op": "remove", "path": "members", "value": {"value": "` + anna + `"}}`, []string{ben}},
		{`{"op": "remove", "path": "members", "value": "` + anna + `"}`, []string{ben}},
		{`{"op": "add", "path": "urn:made-up:2.0:Group:colour", "value": "red"}`, []string{ben}},
		{`{"op": "remove", "path": "members[value eq \"made-up\"]"}`, []string{ben}},
		{`{"op": "add", "path": "members", "value": [{"VALUE": "` + anna + `", "$ref": "../Users/` + anna + `", "display": "A", "type": "User"}]}`, []string{anna, ben}},
		{`{"op": "remove", "path": "members[value eq \"` + anna + `\" and type eq \"User\"]"}`, []string{ben}},
	} {
		b.scimDone(http.StatusOK, "PATCH", of, patchOps(test.ops))
		require.ElementsMatch(t, test.want, b.team(group["id"]).Members, test.ops)
	}
	for kind, ops := range map[string]string{
		"noTarget": `{"op": "remove", "value": {"members": [{"value": "` + ben + `"}]}}`, "invalidPath": `{"op": "replace", "path": "colour", "value": "red"}`,
		"invalidSyntax": `{"op": ["remove"], "path": "members"}`, "mutability": `{"op": "replace", "path": "members.value", "value": "` + anna + `"}`,
	} {
		b.scimRefused(http.StatusBadRequest, kind, "PATCH", of, patchOps(ops))
	}
	require.Equal(t, []string{ben}, b.team(group["id"]).Members)
}
